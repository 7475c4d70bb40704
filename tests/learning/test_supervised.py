"""Two-phase updates against the implicit derivative of the settled squared error, plain loops, and each other."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stdpjax import energy, fixed_points, learning, rates
from stdpjax.clamps import clamp_state
from stdpjax.energy import Params
from stdpjax.learning import Labelled, Phases, phase_update, predict, settle
from stdpjax.learning.phases import PhaseRule

SIZES = (4, 5, 3)
N_INPUTS, N_OUTPUTS = SIZES[0], SIZES[-1]
N = sum(SIZES)
MASK = learning.layered_mask(SIZES)
LONG = Phases(n_settle=120, n_pulled=120, pull=0.01)
SMOOTH_RULES = ("one_sided", "random_sign", "symmetric")
HARD, SMOOTH = rates.hard_sigmoid(), rates.sigmoid()


@pytest.fixture
def params(key):
    return learning.random_layers(key, SIZES, gain=0.4, input_rate=0.5)


@pytest.fixture
def batch(key):
    inputs = jax.random.uniform(jax.random.fold_in(key, 1), (6, N_INPUTS), float, -0.5, 0.5)
    return Labelled(inputs, jnp.arange(6) % N_OUTPUTS)


def with_rule(rule, phases=LONG):
    return Phases(rule, phases.n_settle, phases.n_pulled, phases.step, phases.pull)


def update(rate_fn, phases, params, batch, key=None):
    key = jax.random.key(0) if key is None else key
    return jax.jit(phase_update(rate_fn, phases, N_OUTPUTS))(key, params, batch, ())[:2]


@pytest.mark.parametrize("rule", ["paper", "symmetric"])
@pytest.mark.parametrize("rate_fn", [HARD, SMOOTH], ids=["hard", "smooth"])
def test_products_by_layer_change_nothing_but_round_off(rate_fn, rule, params, batch):
    deltas = [
        update(rate_fn, Phases(rule, n_settle=9, n_pulled=5, sizes=sizes), params, batch)[0] for sizes in (None, SIZES)
    ]
    np.testing.assert_allclose(flat(deltas[1]), flat(deltas[0]), atol=1e-6)


def settled_by_relax(params, rate_fn, inputs):
    clamp = clamp_state(jnp.arange(N) < N_INPUTS, jnp.concatenate([inputs, jnp.zeros(N - N_INPUTS)]))
    return fixed_points.relax(params, jnp.zeros(N), rate_fn, clamps=(clamp,), tolerance=1e-6).state


def minus_gradient(rate_fn, params, batch):
    """By automatic differentiation through the fixed point, one number for each pair of weights."""
    low, high = rate_fn.kinks or (-0.5, 0.5)
    goals = jnp.where(jax.nn.one_hot(batch.labels, N_OUTPUTS) == 1, high, low)

    def loss(params):
        states = jax.vmap(partial(settled_by_relax, params, rate_fn))(batch.inputs)
        return 0.5 * jnp.mean(jnp.sum((states[:, -N_OUTPUTS:] - goals) ** 2, axis=1))

    slope = jax.jit(jax.grad(loss))(params)
    return Params(-(slope.weights + slope.weights.T), -slope.bias)


def flat(delta):
    weights = np.asarray(delta.weights)[np.triu(np.asarray(MASK))]
    return np.concatenate([weights, np.asarray(delta.bias)[N_INPUTS:]])


def cosine_and_ratio(delta, expected):
    a, b = flat(delta), flat(expected)
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b), np.linalg.norm(a) / np.linalg.norm(b)


def test_every_rule_is_the_gradient_of_the_settled_error_for_a_weak_pull(params, batch):
    expected = minus_gradient(HARD, params, batch)
    other = minus_gradient(HARD, params, batch._replace(labels=(batch.labels + 1) % N_OUTPUTS))
    for rule in learning.PHASE_RULES:
        delta, _ = update(HARD, with_rule(rule), params, batch)
        cosine, ratio = cosine_and_ratio(delta, expected)
        assert cosine > 0.999, rule
        assert ratio == pytest.approx(1, abs=0.02), rule
        np.testing.assert_allclose(delta.weights, delta.weights.T, atol=1e-5)
        assert cosine_and_ratio(delta, other)[0] < 0.9, rule


def test_contrasts_are_the_gradient_for_a_smooth_rate_function_and_movement_of_s_is_not(params, batch):
    expected = minus_gradient(SMOOTH, params, batch)
    for rule in SMOOTH_RULES:
        cosine, ratio = cosine_and_ratio(update(SMOOTH, with_rule(rule), params, batch)[0], expected)
        assert cosine > 0.999, rule
        assert ratio == pytest.approx(1, abs=0.02), rule
    wide = batch._replace(inputs=6 * batch.inputs)
    far = Params(4 * params.weights, params.bias + 1.0)
    expected = minus_gradient(SMOOTH, far, wide)
    assert cosine_and_ratio(update(SMOOTH, with_rule("symmetric"), far, wide)[0], expected)[0] > 0.999
    assert cosine_and_ratio(update(SMOOTH, with_rule("paper"), far, wide)[0], expected)[0] < 0.999


def test_one_direction_of_a_pair_alone_is_not_the_gradient(params, batch):
    """Eq 1 without the reverse synapse: what the tied sum is for."""
    expected = minus_gradient(HARD, params, batch)
    states = jnp.concatenate([batch.inputs, settle(params, batch.inputs, HARD, LONG)], axis=1)
    goals = jnp.where(jax.nn.one_hot(batch.labels, N_OUTPUTS) == 1, 0.5, -0.5)
    change = jnp.zeros_like(states).at[:, -N_OUTPUTS:].set(goals - states[:, -N_OUTPUTS:])  # what the pull does first
    one_way = change.T @ HARD.value(states) / len(states)
    delta = Params(one_way + one_way.T, jnp.mean(change, axis=0))
    assert cosine_and_ratio(delta, expected)[0] < 0.99


def test_the_midpoint_rule_is_the_one_sided_contrast_inside_the_active_region(params, batch):
    params = jax.tree.map(lambda leaf: 0.5 * leaf, params)
    phases = Phases(n_settle=40, n_pulled=6, pull=0.4)
    settled = settle(params, batch.inputs, HARD, phases)
    assert float(jnp.max(jnp.abs(settled))) < 0.5
    midpoint, _ = update(HARD, with_rule("paper_midpoint", phases), params, batch)
    contrast, _ = update(HARD, with_rule("one_sided", phases), params, batch)
    np.testing.assert_allclose(flat(midpoint), flat(contrast), atol=3e-6)
    current, _ = update(HARD, with_rule("paper", phases), params, batch)
    assert np.abs(flat(current) - flat(contrast)).max() > 1e-3


def test_the_two_sided_rule_is_the_mean_of_pull_and_push(params, batch):
    params = jax.tree.map(lambda leaf: 0.5 * leaf, params)  # all units stay between the kinks
    phases = Phases(n_settle=60, n_pulled=60, pull=0.1)
    both, _ = update(HARD, with_rule("paper_two_sided", phases), params, batch)
    symmetric, _ = update(HARD, with_rule("symmetric", phases), params, batch)
    expected = minus_gradient(HARD, params, batch)
    np.testing.assert_allclose(flat(both), flat(symmetric), atol=3e-6)
    one_sided, _ = update(HARD, with_rule("one_sided", phases), params, batch)
    errors = [np.linalg.norm(flat(delta) - flat(expected)) for delta in (symmetric, one_sided)]
    assert errors[0] < 0.5 * errors[1]


def test_a_random_sign_is_a_pull_or_a_push_as_the_key_has_it(params, batch):
    phases = Phases("random_sign", n_settle=30, n_pulled=6, pull=0.3)
    one = jax.jit(phase_update(HARD, phases, N_OUTPUTS))
    found = [flat(one(jax.random.key(seed), params, batch, ())[0]) for seed in range(8)]
    pulled = flat(update(HARD, with_rule("one_sided", phases), params, batch)[0])
    symmetric = flat(update(HARD, with_rule("symmetric", phases), params, batch)[0])
    kinds = [0 if np.allclose(delta, pulled, atol=1e-5) else 1 for delta in found]
    assert set(kinds) == {0, 1}
    pushed = found[kinds.index(1)]
    np.testing.assert_allclose(0.5 * (pulled + pushed), symmetric, atol=1e-5)
    assert all(
        np.allclose(delta, pushed if kind else pulled, atol=1e-5) for delta, kind in zip(found, kinds, strict=True)
    )


@pytest.mark.parametrize("rate_fn", [HARD, SMOOTH], ids=["hard", "smooth"])
def test_the_first_phase_ends_at_the_fixed_point(params, batch, rate_fn):
    found = settle(params, batch.inputs, rate_fn, LONG)
    expected = jax.vmap(partial(settled_by_relax, params, rate_fn))(batch.inputs)
    np.testing.assert_allclose(found, expected[:, N_INPUTS:], atol=3e-6)
    short = settle(params, batch.inputs, rate_fn, Phases(n_settle=2))
    assert float(jnp.max(jnp.abs(short - found))) > 0.01


DEEP = (4, 6, 5, 3)


@pytest.fixture
def strong(key):
    """Weights with which simultaneous steps of size 1 go up the energy and units come to the kinks."""
    params = learning.random_layers(key, DEEP, gain=2.0, input_rate=0.5)
    return params._replace(bias=params.bias + jax.random.normal(key, params.bias.shape))


def alternating(rule: PhaseRule = "symmetric", sizes=DEEP, **options):
    return Phases(rule, sizes=sizes, order="alternating", **options)


def sweep(params, state, layers, goal=None, strength=0.0):
    """Units one after another, each to its minimum; the layers that were driven anew first."""
    weights, bias = np.asarray(params.weights), np.asarray(params.bias)
    last = len(layers) - 1
    first = 1 if goal is None else last
    for parity in (0, 1):
        for number in range(1, last + 1):
            if (number - first) % 2 != parity:
                continue
            for unit in range(layers[number].start, layers[number].stop):
                field = weights[unit] @ (np.clip(state, -0.5, 0.5) + 0.5) + bias[unit]
                if goal is not None and number == last:
                    field = (field + strength * goal[unit - layers[last].start]) / (1 + strength)
                state[unit] = np.clip(field, -0.5, 0.5)
    return state


def test_alternating_layers_are_sweeps_over_single_units(strong, batch):
    layers = learning.layer_slices(DEEP)
    phases = alternating(n_settle=3, n_pulled=2, pull=0.4)
    settled = settle(strong, batch.inputs, HARD, phases)
    delta, *_ = jax.jit(phase_update(HARD, phases, DEEP[-1]))(jax.random.key(0), strong, batch, ())
    total = np.zeros((sum(DEEP), sum(DEEP)))
    for inputs, label, found in zip(batch.inputs, batch.labels, settled, strict=True):
        state = np.concatenate([np.asarray(inputs), np.zeros(sum(DEEP[1:]), np.float32)])
        for _ in range(3):
            state = sweep(strong, state, layers)
        np.testing.assert_allclose(found, state[DEEP[0] :], atol=2e-6)
        goal = np.where(np.arange(3) == int(label), 0.5, -0.5)
        for strength in (0.4, -0.4):
            moved = state.copy()
            for _ in range(2):
                moved = sweep(strong, moved, layers, goal, strength)
            total += np.outer(moved + 0.5, moved + 0.5) / (2 * strength) / len(batch.labels)
    mask = np.asarray(learning.layered_mask(DEEP))
    np.testing.assert_allclose(delta.weights, np.where(mask, total, 0.0), atol=2e-5)


def test_alternating_layers_never_raise_the_energy_and_simultaneous_steps_do(strong, batch):
    def course(phases):
        states = [settle(strong, batch.inputs, HARD, dataclasses.replace(phases, n_settle=n)) for n in range(1, 9)]
        of_all = jax.vmap(lambda inputs, state: energy.energy(strong, jnp.concatenate([inputs, state]), HARD))
        return np.diff([np.asarray(of_all(batch.inputs, each)) for each in states], axis=0)

    assert course(alternating()).max() < 1e-5
    assert course(Phases(step=1.0, sizes=DEEP)).max() > 0.1


def test_alternating_layers_come_to_the_same_fixed_point_twice_as_fast(key, batch):
    params = learning.random_layers(key, DEEP, gain=0.5, input_rate=0.5)
    n_inputs, n = DEEP[0], sum(DEEP)

    def relaxed(inputs):
        clamp = clamp_state(jnp.arange(n) < n_inputs, jnp.concatenate([inputs, jnp.zeros(n - n_inputs)]))
        return fixed_points.relax(params, jnp.zeros(n), HARD, clamps=(clamp,), tolerance=3e-7).state[n_inputs:]

    expected = jax.vmap(relaxed)(batch.inputs)
    np.testing.assert_allclose(settle(params, batch.inputs, HARD, alternating(n_settle=40)), expected, atol=3e-6)
    # Every second layer of simultaneous steps of size 1 follows the same course, at half the pace.
    sweeps = settle(params, batch.inputs, HARD, alternating(n_settle=4))
    seventh, eighth = (settle(params, batch.inputs, HARD, Phases(n_settle=n, step=1.0, sizes=DEEP)) for n in (7, 8))
    is_second = (np.arange(n - n_inputs) >= DEEP[1]) & (np.arange(n - n_inputs) < DEEP[1] + DEEP[2])
    np.testing.assert_allclose(sweeps, np.where(is_second, eighth, seventh), atol=2e-6)
    assert np.abs(sweeps - seventh)[:, is_second].max() > 1e-3


@pytest.mark.parametrize("rule", ["paper", "paper_midpoint"])
def test_eq_1_of_alternating_layers_is_the_one_sided_contrast_whatever_the_pairing(rule, strong, batch):
    def weights(rule, **options):
        phases = alternating(rule, n_settle=2, n_pulled=2, **options)
        return phase_update(HARD, phases, DEEP[-1])(jax.random.key(0), strong, batch, ())[0].weights

    np.testing.assert_allclose(weights(rule), weights("one_sided"), atol=3e-6)
    together = Phases(rule, n_settle=2, n_pulled=2, sizes=DEEP)
    assert np.abs(
        phase_update(HARD, together, DEEP[-1])(jax.random.key(0), strong, batch, ())[0].weights - weights("one_sided")
    ).max() > 1e-3  # fmt: skip


def test_alternating_layers_need_layers_and_kinks(params, batch):
    with pytest.raises(ValueError, match="sizes: expected the units in each layer"):
        Phases(order="alternating")
    with pytest.raises(ValueError, match="order: expected 'simultaneous' for a rate function without kinks"):
        settle(params, batch.inputs, SMOOTH, alternating(sizes=SIZES))


def test_metrics_are_those_of_the_first_phase(params, batch):
    _, metrics = update(HARD, LONG, params, batch)
    states = jnp.concatenate([batch.inputs, settle(params, batch.inputs, HARD, LONG)], axis=1)
    losses, wrong, energies = [], [], []
    for state, label in zip(states, batch.labels, strict=True):
        goal = np.full(N_OUTPUTS, -0.5)
        goal[int(label)] = 0.5
        losses.append(0.5 * float(np.sum((np.asarray(state)[-N_OUTPUTS:] - goal) ** 2)))
        wrong.append(int(np.argmax(np.asarray(state)[-N_OUTPUTS:])) != int(label))
        energies.append(float(energy.energy(params, state, HARD)))
    assert float(metrics["loss"]) == pytest.approx(np.mean(losses), rel=1e-5)
    assert float(metrics["error"]) == pytest.approx(np.mean(wrong))
    assert float(metrics["energy"]) == pytest.approx(np.mean(energies), rel=1e-4)
    found = predict(params, batch.inputs, HARD, LONG, N_OUTPUTS)
    assert found.tolist() == [int(np.argmax(state[-N_OUTPUTS:])) for state in np.asarray(states)]


@pytest.mark.parametrize("rule", ["symmetric", "paper"])
def test_a_tiny_data_set_is_learnt_by_heart(key, rule):
    sizes = (4, 12, 3)
    inputs = jax.random.uniform(key, (9, 4), float, -0.5, 0.0).at[jnp.arange(9), jnp.arange(9) % 3].add(0.6)
    data = Labelled(inputs, jnp.arange(9) % 3)
    phases = Phases(rule, n_settle=12, n_pulled=4)
    learner = learning.Learner(phase_update(HARD, phases, 3), optax.adam(0.02))
    state = learning.start(learner, learning.random_layers(key, sizes, input_rate=0.4))
    before = predict(state.params, inputs, HARD, phases, 3)
    for epoch in range(150):
        state, _ = learning.train_epoch(
            jax.random.fold_in(key, epoch), learner, state, data, learning.layered_mask(sizes), 3
        )
    assert predict(state.params, inputs, HARD, phases, 3).tolist() == data.labels.tolist()
    assert before.tolist() != data.labels.tolist()


@pytest.mark.parametrize(
    ("name", "value"), [("n_settle", 0), ("n_pulled", 0), ("step", 0.0), ("step", 1.5), ("pull", 0.0), ("pull", 1.0)]
)
def test_phases_that_cannot_run_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}: expected "):
        Phases(**{name: value})


# With biases of 0.6 the slope of the sigmoid is 0.3 where the network settles, and no longer about 1.
def minus_unrolled_gradient(rate_fn, params, batch):
    """By automatic differentiation through all steps of a phase that is long enough to settle."""
    low, high = rate_fn.kinks or (-0.5, 0.5)
    goals = jnp.where(jax.nn.one_hot(batch.labels, N_OUTPUTS) == 1, high, low)

    def loss(params):
        settled = settle(params, batch.inputs, rate_fn, dataclasses.replace(LONG, n_settle=400))
        return 0.5 * jnp.mean(jnp.sum((settled[:, -N_OUTPUTS:] - goals) ** 2, axis=1))

    slope = jax.jit(jax.grad(loss))(params)
    return Params(-(slope.weights + slope.weights.T), -slope.bias)


def error(delta, expected):
    return np.linalg.norm(flat(delta) - flat(expected)) / np.linalg.norm(flat(expected))


@pytest.mark.parametrize("rate_fn", [HARD, SMOOTH], ids=["hard", "smooth"])
def test_with_the_slope_eq_1_is_the_gradient_of_the_settled_error_for_any_rate_function(params, batch, rate_fn):
    shifted = params._replace(bias=params.bias + (0.6 if rate_fn is SMOOTH else 0.05))
    expected = minus_unrolled_gradient(rate_fn, shifted, batch)
    for rule in ("paper", "paper_midpoint", "paper_two_sided"):
        with_slope = error(update(rate_fn, with_rule(f"{rule}_gradient"), shifted, batch)[0], expected)
        assert with_slope < 0.02, rule
        as_printed = error(update(rate_fn, with_rule(rule), shifted, batch)[0], expected)
        assert (as_printed > 0.3) == (rate_fn is SMOOTH), (rule, as_printed)


def test_with_the_slope_the_two_sided_rule_is_the_gradient_to_second_order_in_the_pull(params, batch):
    shifted = params._replace(bias=params.bias + 0.6)
    expected = minus_unrolled_gradient(SMOOTH, shifted, batch)

    def errors(rule):
        return [
            error(update(SMOOTH, Phases(rule, 200, 200, pull=pull), shifted, batch)[0], expected) for pull in (0.4, 0.2)
        ]

    two_sided, one_sided = errors("paper_two_sided_gradient"), errors("paper_midpoint_gradient")
    assert 3 < two_sided[0] / two_sided[1] < 5
    assert 1.5 < one_sided[0] / one_sided[1] < 2.7


@pytest.mark.parametrize("order", ["simultaneous", "alternating"])
@pytest.mark.parametrize("rule", ["paper", "paper_midpoint", "paper_two_sided"])
def test_between_the_kinks_the_slope_changes_no_bit_of_the_weights(rule, order, strong, batch):
    phases = Phases(sizes=DEEP, order=order)
    plain, with_slope = (
        jax.jit(phase_update(HARD, dataclasses.replace(phases, rule=name), DEEP[-1]))(
            jax.random.key(0), strong, batch, ()
        )[0]
        for name in (rule, f"{rule}_gradient")
    )
    np.testing.assert_array_equal(with_slope.weights, plain.weights)
    np.testing.assert_allclose(with_slope.bias, plain.bias, atol=1e-6)


def test_inputs_and_labels_that_do_not_fit_are_refused_alone_and_in_an_epoch(params, batch):
    phases = Phases(sizes=SIZES)
    learner = learning.Learner(phase_update(HARD, phases, N_OUTPUTS), optax.sgd(0.1))
    state = learning.start(learner, params)
    pixels = batch.inputs + 0.5
    for data, message in (
        (batch._replace(inputs=pixels), r"inputs: .* these look like rates from 0 to 1: add -0\.5"),
        (batch._replace(inputs=batch.inputs[:, :3]), "inputs: expected 4 input units, got 3"),
        (batch._replace(labels=batch.labels + 1), "labels: expected classes from 0 to 2, .* got 1 to 3"),
        (batch._replace(labels=batch.labels - 1), "labels: expected classes from 0 to 2, .* got -1 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            learner.update(jax.random.key(0), params, data, ())
        with pytest.raises(ValueError, match=message):
            learning.train_epoch(jax.random.key(0), learner, state, data, MASK, 3)


def test_all_of_it_runs_without_jit_and_gives_the_same(params, batch):
    phases = Phases("paper_two_sided_gradient", n_settle=3, n_pulled=2)
    learner = learning.Learner(phase_update(HARD, phases, N_OUTPUTS), optax.sgd(0.1))
    state = learning.start(learner, params)
    found = []
    for is_off in (False, True):
        with jax.disable_jit(is_off):
            moved, _ = learning.train_epoch(jax.random.key(1), learner, state, batch, MASK, 3)
            found.append(np.asarray(moved.params.weights))
    np.testing.assert_allclose(*found, atol=1e-6)
