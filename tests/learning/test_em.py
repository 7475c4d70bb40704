"""EM by score matching: chains and their memory, each rule's update, and what the learnt parameters are."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import learning, objectives, rates
from stdpjax.dynamics import HeatHyper, Langevin, LeakyIntegrator, StepHyper
from stdpjax.energy import Params, energy_of, random_params
from stdpjax.learning import EM_RULES, Clamped, em_update, start_chains

VISIBLE = jnp.array([True, True, False, False, True])
N = 5
HYPER = HeatHyper(step=0.1)
HARD, SMOOTH = rates.hard_sigmoid(), rates.sigmoid()


@pytest.fixture
def params(key):
    return random_params(key, N, 0.6)


@pytest.fixture
def batch(key):
    return Clamped(jax.random.normal(jax.random.fold_in(key, 1), (4, N)), jnp.array([5, 0, 3, 2]))


@pytest.fixture
def chains(key):
    return jax.random.normal(jax.random.fold_in(key, 2), (7, N))


def quiet(rate_fn, rule, **options):
    """With a sampler that draws nothing, so that a run of several steps equals runs of one."""
    return em_update(rate_fn, LeakyIntegrator(rate_fn), VISIBLE, StepHyper(HYPER.step), rule=rule, **options)


def test_chains_start_at_the_data_and_at_normal_hidden_units(key):
    values = jnp.full((4000, N), 0.7)
    chains = start_chains(key, values, VISIBLE)
    assert bool(jnp.all(chains[:, np.asarray(VISIBLE)] == 0.7))
    hidden = np.asarray(chains)[:, ~np.asarray(VISIBLE)].ravel()
    error = hidden.std(ddof=1) / np.sqrt(hidden.size)
    assert abs(hidden.mean()) < 4 * error < abs(hidden.mean() - 0.2)
    assert abs(hidden.std() - 1) < 4 / np.sqrt(2 * hidden.size)


def test_patient_em_is_impatient_em_with_more_steps_averaged(key, params, batch, chains):
    for rate_fn, rule in ((HARD, "delta"), (SMOOTH, "exact")):
        delta, metrics, moved = jax.jit(quiet(rate_fn, rule, n_burn_in=2, n_steps=3))(key, params, batch, chains)
        one = jax.jit(quiet(rate_fn, rule))
        deltas, step_metrics, memory = [], {}, chains
        for _ in range(5):
            step, step_metrics, memory = one(key, params, batch, memory)
            deltas.append(step)
        mean = jax.tree.map(lambda *leaves: sum(leaves) / 3, *deltas[2:])
        np.testing.assert_allclose(delta.weights, mean.weights, atol=1e-5)
        np.testing.assert_allclose(delta.bias, mean.bias, atol=1e-5)
        np.testing.assert_allclose(moved, memory, atol=1e-5)
        assert float(metrics["objective"]) == pytest.approx(float(step_metrics["objective"]), rel=1e-4)
        assert float(jnp.max(jnp.abs(deltas[0].weights - mean.weights))) > 1e-3


def test_chains_go_on_where_they_were_and_others_stay(key, params, batch, chains):
    moved = jax.jit(em_update(SMOOTH, Langevin(SMOOTH), VISIBLE, HYPER))(key, params, batch, chains)[2]
    used = np.asarray(batch.chain)
    others = np.setdiff1d(np.arange(7), used)
    np.testing.assert_array_equal(moved[others], chains[others])
    visible = np.asarray(VISIBLE)
    np.testing.assert_array_equal(moved[used][:, visible], batch.values[:, visible])
    step = np.asarray(moved)[used][:, ~visible] - np.asarray(chains)[used][:, ~visible]
    assert 0 < np.abs(step).max() < 4 * np.sqrt(0.2) + 0.5  # one step away, not started anew


def test_a_sample_has_the_random_numbers_of_its_place_and_of_the_key(key, params, batch, chains):
    update = jax.jit(em_update(SMOOTH, Langevin(SMOOTH), VISIBLE, HYPER))
    first, again = update(key, params, batch, chains)[2], update(key, params, batch, chains)[2]
    np.testing.assert_array_equal(first, again)
    assert bool(jnp.any(update(jax.random.fold_in(key, 1), params, batch, chains)[2] != first))


def plain_states(batch, chains):
    return np.where(np.asarray(VISIBLE), batch.values, np.asarray(chains)[np.asarray(batch.chain)]).astype(np.float64)


@pytest.mark.parametrize("rule", ["literal", "delta"])
def test_the_local_rules_are_the_plain_loops(key, params, batch, chains, rule):
    delta, _, moved = quiet(HARD, rule)(key, params, batch, chains)
    states, after = plain_states(batch, chains), np.asarray(moved)[np.asarray(batch.chain)]
    weights, bias = np.zeros((N, N)), np.zeros(N)
    for state, new in zip(states, after, strict=True):
        rho, slope = np.clip(state + 0.5, 0, 1), (np.abs(state) <= 0.5).astype(float)
        target = slope * (np.asarray(params.bias) + np.asarray(params.weights) @ rho)
        for i in range(N):
            change = new[i] - state[i]
            if rule == "delta" and VISIBLE[i]:
                change = HYPER.step * slope[i] * (state[i] - target[i])
            bias[i] += change / len(states)
            for j in range(N):
                if i != j:
                    weights[i, j] += change * rho[j] / len(states)
                    weights[j, i] += change * rho[j] / len(states)
    np.testing.assert_allclose(delta.weights, weights, atol=1e-5)
    np.testing.assert_allclose(delta.bias, bias, atol=1e-5)


def test_read_literally_clamped_units_learn_nothing(key, params, batch, chains):
    delta, _, _ = quiet(HARD, "literal")(key, params, batch, chains)
    visible = np.asarray(VISIBLE)
    assert np.all(np.asarray(delta.weights)[np.ix_(visible, visible)] == 0)
    assert np.all(np.asarray(delta.bias)[visible] == 0)
    assert np.abs(np.asarray(delta.weights)[np.ix_(visible, ~visible)]).min() > 0
    other, _, _ = quiet(HARD, "delta")(key, params, batch, chains)
    assert np.abs(np.asarray(other.weights)[np.ix_(visible, visible)]).max() > 1e-3


@pytest.mark.parametrize("rule", ["exact", "dropped"])
@pytest.mark.parametrize("rate_fn", [HARD, SMOOTH], ids=["hard", "smooth"])
def test_the_gradient_is_the_finite_difference_of_the_objective(key, params, batch, chains, rate_fn, rule):
    is_read = rate_fn.kinks is not None and rule == "exact"
    delta, _, _ = jax.jit(quiet(rate_fn, rule, **({"bandwidth": 0.3} if is_read else {})))(key, params, batch, chains)
    states = jnp.asarray(plain_states(batch, chains), float)
    density = objectives.kernel_density_at_kinks(states, rate_fn, 0.3) if is_read else None

    @jax.jit
    def objective(params):
        return objectives.score_matching(params, states, rate_fn, rule, visible=VISIBLE, kink_density=density)

    def difference(weight, bias):
        # A quadratic: central differences are exact, and a wide step has the smallest rounding.
        ends = [objective(Params(params.weights + s * weight, params.bias + s * bias)) for s in (0.5, -0.5)]
        return float(ends[0] - ends[1])

    nothing = jnp.zeros((N, N)), jnp.zeros(N)
    for i, j in [(0, 1), (0, 2), (2, 3), (4, 3)]:
        weight = nothing[0].at[i, j].set(1.0).at[j, i].set(1.0)
        assert float(delta.weights[i, j]) == pytest.approx(-difference(weight, nothing[1]), abs=3e-5)
        assert delta.weights[i, j] == pytest.approx(delta.weights[j, i])
    for i in range(N):
        assert float(delta.bias[i]) == pytest.approx(-difference(nothing[0], nothing[1].at[i].set(1.0)), abs=3e-5)
    assert float(delta.weights[2, 3]) == pytest.approx(0, abs=1e-6)  # hidden units alone
    assert float(jnp.max(jnp.abs(delta.weights))) > 0.01


TRUE = Params(jnp.array([[0.0, 0.9], [0.9, 0.0]]), jnp.array([-0.8, 0.1]))


def samples(seed, n):
    """Samples of the true model, from a fine grid."""
    grid = jnp.linspace(-4.5, 5.5, 201)
    points = jnp.stack(jnp.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(-np.asarray(jax.vmap(lambda state: energy_of(TRUE, state, SMOOTH))(points), np.float64))
    chosen = np.random.default_rng(seed).choice(len(density), n, p=density / density.sum())
    return points[chosen]


def learnt_from(data, rule):
    """Parameters at which the update of two visible units vanishes; it is linear in them."""
    both, key = jnp.array([True, True]), jax.random.key(0)
    update = em_update(SMOOTH, Langevin(SMOOTH), both, HYPER, rule=rule)
    batch = Clamped(data, jnp.arange(len(data)))

    def slope(numbers):
        params = Params(numbers[0] * jnp.array([[0.0, 1.0], [1.0, 0.0]]), numbers[1:])
        delta = update(key, params, batch, data)[0]
        return jnp.array([delta.weights[0, 1], *delta.bias])

    at_0 = slope(jnp.zeros(3))
    matrix = jax.vmap(slope)(jnp.eye(3)).T - at_0[:, None]
    return jnp.linalg.solve(matrix, -at_0)


def test_two_visible_units_learn_the_model_that_made_the_data():
    data = jnp.stack([samples(seed, 3000) for seed in range(12)])
    true = np.array([0.9, -0.8, 0.1])

    def z(rule):
        found = np.asarray(jax.jit(jax.vmap(partial(learnt_from, rule=rule)))(data))
        return np.abs(found.mean(0) - true) / (found.std(0, ddof=1) / np.sqrt(len(found)))

    assert z("exact").max() < 4
    assert z("dropped").max() > 8  # without the second derivative it learns something else


@pytest.mark.parametrize(
    ("options", "message"),
    [({"n_steps": 0}, "n_steps: "), ({"n_burn_in": -1}, "n_burn_in: "), ({"bandwidth": 0.0}, "bandwidth: ")],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        quiet(HARD, "exact", **options)


@pytest.mark.parametrize(("rate_fn", "rule"), [(SMOOTH, "exact"), (HARD, "dropped"), (HARD, "literal")])
def test_a_bandwidth_without_effect_is_refused(rate_fn, rule):
    with pytest.raises(ValueError, match="bandwidth: expected it to be left out"):
        quiet(rate_fn, rule, bandwidth=0.1)


def test_every_rule_can_be_trained_with(key, params, batch, chains):
    import optax

    for rule in EM_RULES:
        learner = learning.Learner(quiet(HARD, rule), optax.sgd(0.01))
        state = learning.start(learner, params, chains)
        state = jax.jit(lambda state, learner=learner: learning.apply_update(
            learner, state, learner.update(key, state.params, batch, state.memory)[0], learning.all_to_all_mask(N)
        ))(state)  # fmt: skip
        assert bool(state.is_finite)
        assert bool(jnp.any(state.params.weights != params.weights))
