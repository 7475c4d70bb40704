"""Inputs, outputs and the gradient: the settled gradient against differences, the rules' arithmetic, wrong models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import learning
from stdpjax.clamps import InputClamp
from stdpjax.energy import Params, target
from stdpjax.lab.reproduce import make_config
from stdpjax.learning import Labelled, Phases, phase_update, settle
from stdpjax.networks import network_at_rest
from stdpjax.random import named_key
from stdpjax.rates import either, hard_sigmoid, sigmoid
from stdpjax.studies import find, run
from stdpjax.studies.section_8_backprop import supervised_gradient
from stdpjax.theory import layered

RATES = {"hard": hard_sigmoid(), "smooth": sigmoid()}
SIZES = (2, 3, 2)


def network_and_batch(key, rate_fn):
    state = 0.2 * jax.random.uniform(named_key(key, "state"), (7,), float, -1, 1)
    mask = learning.layered_mask(SIZES)
    params = network_at_rest(named_key(key, "weights"), state, mask, rate_fn, 0.6)
    return params, Labelled(jnp.array([[0.1, -0.2], [0.3, 0.0]], float), jnp.array([0, 1]))


@pytest.mark.parametrize("kind", RATES)
def test_the_settled_gradient_is_that_of_finite_differences(key, kind):
    rate_fn = RATES[kind]
    params, batch = network_and_batch(key, rate_fn)
    found = jax.jit(lambda: supervised_gradient.settled_update(params, batch, rate_fn, 2))()
    goals = np.array([[0.5, -0.5], [-0.5, 0.5]])

    rest = jax.jit(lambda weights: settle(Params(weights, params.bias), batch.inputs, rate_fn, Phases(n_settle=100)))

    def loss(weights):
        outputs = np.asarray(rest(weights), np.float64)[:, -2:]
        return 0.5 * np.mean(np.sum((outputs - goals) ** 2, axis=1))

    for i, j in ((0, 2), (3, 5), (4, 6)):
        change = jnp.zeros((7, 7), float).at[i, j].set(0.01).at[j, i].set(0.01)
        slope = (loss(params.weights + change) - loss(params.weights - change)) / 0.02
        assert float(found[i, j]) == pytest.approx(-slope, abs=3e-4)
    np.testing.assert_allclose(found, found.T, atol=1e-7)


def test_the_gradient_of_a_linear_network_is_that_of_finite_differences(key):
    params, _ = network_and_batch(key, RATES["hard"])
    weights, bias = (np.asarray(part, np.float64) for part in params)
    held, goal, free = np.array([0.1, -0.2]), np.array([0.2, -0.3]), slice(2, 7)

    def settled(weights):
        # s = b + W (s + 1/2), the inputs held.
        field = bias[free] + weights[free, :2] @ (held + 0.5) + 0.5 * weights[free, free].sum(1)
        return np.concatenate([held, np.linalg.solve(np.eye(5) - weights[free, free], field)])

    index = jnp.arange(7)
    pull = InputClamp(index >= 5, jnp.asarray(np.concatenate([np.zeros(5), goal]), float))
    state = jnp.asarray(settled(weights), float)
    found = supervised_gradient.linear_gradient(params, state, index < 2, pull)
    for i, j in ((0, 2), (3, 5), (4, 6)):
        change = np.zeros((7, 7))
        change[i, j] = change[j, i] = 1e-5
        losses = [np.sum((settled(weights + sign * change)[5:] - goal) ** 2) for sign in (1, -1)]
        assert float(found[i, j]) == pytest.approx((losses[0] - losses[1]) / 2e-5, abs=1e-5)
        assert abs(float(found[i, j])) > 1e-4


@pytest.mark.parametrize("kind", RATES)
def test_either_rate_is_the_one_chosen(kind):
    activity = jnp.linspace(-1.0, 1.0, 9)
    chosen = either(jnp.array(kind == "smooth"), *RATES.values())
    np.testing.assert_array_equal(chosen.value(activity), RATES[kind].value(activity))
    np.testing.assert_array_equal(chosen.slope(activity), RATES[kind].slope(activity))


def test_networks_with_all_connections_rest_too(key):
    state = jnp.array([0.1, -0.2, 0.05])
    params = network_at_rest(key, state, learning.all_to_all_mask(3), RATES["smooth"], 0.6)
    np.testing.assert_allclose(target(params, state, RATES["smooth"]), state, atol=1e-6)
    assert int(jnp.count_nonzero(params.weights)) == 6


@pytest.mark.parametrize("rule", supervised_gradient.RULES)
def test_the_rules_made_of_pulls_and_pushes_are_those_of_the_library(key, rule):
    params, batch = network_and_batch(key, RATES["hard"])

    def update(name, pull):
        return np.asarray(phase_update(RATES["hard"], Phases(name, pull=pull), 2)(key, params, batch, ())[0].weights)

    # A push is a pull of negative strength, which `Phases` takes as a traced number alone.
    push = np.asarray(jax.jit(lambda pull: jnp.stack([
        phase_update(RATES["hard"], Phases(name, pull=pull), 2)(key, params, batch, ())[0].weights
        for name in supervised_gradient._RUN
    ]))(-0.2))  # fmt: skip
    pull = np.stack([update(name, 0.2) for name in supervised_gradient._RUN])
    signed = np.stack([pull, push], axis=1)[None, None, None]
    found = supervised_gradient._all_rules(signed)[0, 0, 0, :, 0]
    np.testing.assert_allclose(found[supervised_gradient.RULES.index(rule)], update(rule, 0.2), atol=2e-6)


def test_weight_errors_of_a_plain_loop(key):
    path = (slice(3, 4), slice(1, 3), slice(0, 1))
    update, gradient = (np.asarray(jax.random.normal(named_key(key, n), (2, 4, 4))) for n in "ab")
    found = layered.weight_errors(update, gradient[0], path, 0.5)
    for k, (near, far) in enumerate(((range(3, 4), range(1, 3)), (range(1, 3), range(1)))):
        pairs = [(i, j) for i in near for j in far]
        expected = np.array([-0.5 * 0.5 ** (k + 1) * gradient[0][pair] for pair in pairs])
        changes = np.array([update[k, i, j] + update[k, j, i] for i, j in pairs])
        assert found[k] == pytest.approx(np.linalg.norm(changes - expected) / np.linalg.norm(expected), rel=1e-5)


@functools.cache
def quick():
    return run("supervised_gradient", smoke=True, show_progress=False)


def test_a_layer_learns_nothing_before_the_pull_has_reached_it(key):
    params, batch = network_and_batch(key, RATES["hard"])
    near, far = (slice(5, 7), slice(2, 5)), (slice(2, 5), slice(0, 2))
    for n_pulled, has_come in ((1, False), (2, True)):
        phases = Phases("paper_midpoint", n_settle=100, n_pulled=n_pulled, pull=0.2)
        update = phase_update(RATES["hard"], phases, 2)(key, params, batch, ())[0].weights
        assert float(abs(update[near]).max()) > 1e-3
        assert (float(abs(update[far]).max()) > 1e-3) == has_come
        assert has_come or float(abs(update[far]).max()) < 1e-5


def test_first_arrivals_are_exact_in_the_smoke_run_too():
    met = {record["id"]: record["is_met"] for record in quick().records}
    assert met["sec8.supervised"]


def _other_labels(patch):
    right = supervised_gradient.settled_update

    def wrong(params, batch, rate_fn, n_outputs):
        return right(params, batch._replace(labels=(batch.labels + 1) % n_outputs), rate_fn, n_outputs)

    patch.setattr(supervised_gradient, "settled_update", wrong)


def _one_step_less(patch):
    right = supervised_gradient.displacements

    def wrong(*arguments):
        return jnp.roll(right(*arguments), 1, axis=0)

    patch.setattr(supervised_gradient, "displacements", wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [
        (_other_labels, {"scellier2017.one_sided", "laborieux2021.symmetric"}),
        (_one_step_less, {"sec8.supervised"}),
    ],
)
def test_a_wrong_model_loses_the_claims(patch, lost, monkeypatch):
    with monkeypatch.context() as context:
        patch(context)
        wrong = {record["id"]: record["verdict"] for record in run("supervised_gradient", show_progress=False).records}
    assert {name for name, verdict in wrong.items() if verdict != "met"} == lost


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizes": (3, 2)}, "sizes: expected at least three layers"),
        ({"pulls": (0.2, 0.1)}, "pulls: expected at least two increasing numbers"),
        ({"pulls": (0.2, 1.0)}, "pulls: expected a finite number above 0 and below 1"),
        ({"spread": 0.4}, "input_spread: expected a finite number"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("supervised_gradient"), True, settings)
