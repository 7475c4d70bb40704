"""The link to back-propagation: networks at rest, arrivals against plain loops and derivatives, and wrong models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.clamps import clamp_input, clamp_state
from stdpjax.dynamics import Hyper, transition
from stdpjax.energy import target, target_of
from stdpjax.lab.reproduce import make_config
from stdpjax.learning import layer_slices, layered_mask
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid, sigmoid
from stdpjax.studies import backprop_link, find, layered, run
from stdpjax.studies.layered import binomial_tail, erlang

SIZES = (2, 3, 2)
LAYERS = layer_slices(SIZES)
RATES = {"hard": hard_sigmoid(), "smooth": sigmoid()}


def network(key, rate_fn):
    state = 0.3 * jax.random.uniform(named_key(key, "state"), (sum(SIZES),), float, -1, 1)
    return layered.network_at_rest(named_key(key, "weights"), state, layered_mask(SIZES), rate_fn, 0.8), state


@pytest.mark.parametrize("kind", RATES)
def test_a_network_rests_where_it_was_told_to_and_has_the_eigenvalue(key, kind):
    params, state = network(key, RATES[kind])
    np.testing.assert_allclose(target(params, state, RATES[kind]), state, atol=1e-6)
    slope = np.diag(RATES[kind].slope(state))
    assert np.linalg.eigvalsh(slope @ np.asarray(params.weights) @ slope).max() == pytest.approx(0.8, abs=1e-5)
    assert not params.weights[LAYERS[0], LAYERS[2]].any()


def test_untied_networks_keep_the_weights_of_the_backward_chain_and_rest_in_the_same_state(key):
    params, state = network(key, RATES["hard"])
    other, _ = network(named_key(key, "other"), RATES["hard"])
    untied = layered.untie(params, other, state, RATES["hard"])
    near, far = LAYERS[0], LAYERS[1]
    assert bool((untied.weights[near, far] == params.weights[near, far]).all())
    assert bool((untied.weights[far, near] == other.weights[far, near]).all())
    np.testing.assert_allclose(target(untied, state, RATES["hard"]), state, atol=1e-6)


@pytest.mark.parametrize("kind", RATES)
def test_the_chain_gradient_is_the_product_of_the_jacobians(key, kind):
    rate_fn = RATES[kind]
    params, state = network(key, rate_fn)
    goal = state + 0.1
    _, by_state = layered.chain_gradient(params, state, rate_fn, LAYERS, goal)
    jacobian = np.asarray(jax.jacobian(lambda at: target_of(params, at, rate_fn))(state))
    x, h1, h2 = LAYERS
    expected = {0: -2 * np.asarray(goal - state)[x]}
    expected[1] = jacobian[x, h1].T @ expected[0]
    expected[2] = jacobian[h1, h2].T @ expected[1]
    for k, layer in enumerate(LAYERS):
        np.testing.assert_allclose(by_state[layer], expected[k], atol=2e-6)


def test_the_chain_gradient_of_the_weights_is_an_outer_product(key):
    params, state = network(key, RATES["smooth"])
    by_weight, by_state = layered.chain_gradient(params, state, RATES["smooth"], LAYERS, state + 0.1)
    x, h1, _ = LAYERS
    scaled = by_state[x] * RATES["smooth"].slope(state)[x]
    np.testing.assert_allclose(by_weight[x, h1], jnp.outer(scaled, RATES["smooth"].value(state)[h1]), atol=1e-6)


@pytest.mark.parametrize("kind", RATES)
@pytest.mark.parametrize("with_state_clamp", [False, True])
def test_displacements_are_differences_of_a_plain_loop(key, kind, with_state_clamp):
    params, state = network(key, RATES[kind])
    pull = clamp_input(np.arange(state.size) < 2, np.asarray(state) + 0.15)
    others = (clamp_state(np.arange(state.size) >= 5, state),) if with_state_clamp else ()
    path = layered.displacements(params, state, RATES[kind], pull, 0.2, 20, others)
    current = state
    for change in path:
        current = transition(params, current, jnp.zeros_like(state), RATES[kind], Hyper(0.2, clamps=(*others, pull)))
        np.testing.assert_allclose(change, current - state, atol=1e-6)
    assert bool((path[:, 5:] == 0).all()) == with_state_clamp
    assert not path[0, 2:].any()
    assert path[1, 2:5].any()


def test_one_minus_cosine_keeps_digits_that_the_cosine_loses():
    angle = 1e-9
    found = layered.one_minus_cosine([1.0, 0.0], [2 * np.cos(angle), 2 * np.sin(angle)])
    assert found == pytest.approx(0.5e-18, rel=1e-6)


def test_the_growth_laws_are_those_of_counts(key):
    n, step = 30, 0.1
    counts = np.asarray(jax.random.bernoulli(key, step, (20_000, n))).sum(1)
    expected = np.array([(counts > k).mean() for k in range(4)])
    np.testing.assert_allclose(binomial_tail(np.array([n]), 4, step)[0], expected, atol=4 * 0.5 / np.sqrt(20_000))
    # A small step is continuous time.
    near = binomial_tail(np.array([20_000]), 4, 1e-4)[0]
    np.testing.assert_allclose(erlang(np.array([2.0]), 4)[0], near, rtol=1e-3)
    assert erlang(np.array([1e-3]), 4)[0, 3] == pytest.approx(1e-12 / 24, rel=1e-3)


@functools.cache
def quick(seed=0):
    return run("backprop_link", seed, smoke=True, show_progress=False)


def test_exact_claims_meet_their_criteria_in_the_smoke_run_too():
    met = {record["id"]: record["is_met"] for record in quick().records}
    assert all(met[name] for name in met if name[:3] in ("E27", "E28", "T17", "E29"))


def test_data_say_what_they_are():
    data = quick().data
    assert float(data.arrival_angle.sel(rate="hard", feedback="tied").max()) < 1e-9
    assert float(data.arrival_angle.sel(rate="hard", feedback="untied", layer=slice(1, None)).max()) > 0.1
    assert data.theta.attrs["units"] == "tau"


def _printed_leak(patch):
    # Eq 17 as printed: the leak is subtracted twice.
    def twice(params, state, noise, rate_fn, hyper):
        return layered_transition(params, state, noise, rate_fn, hyper) - hyper.step * state

    layered_transition = layered.transition
    patch.setattr(layered, "transition", twice)


def _gradient_of_another_goal(patch):
    right = backprop_link.chain_gradient
    patch.setattr(backprop_link, "chain_gradient", lambda p, s, r, path, goal: right(p, s, r, path, goal[::-1]))


def _all_untied(patch):
    right = backprop_link.network_at_rest

    def untied(key, state, mask, rate_fn, largest):
        one, other = (right(named_key(key, name), state, mask, rate_fn, largest) for name in "ab")
        return layered.untie(one, other, state, rate_fn)

    patch.setattr(backprop_link, "network_at_rest", untied)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [
        (_printed_leak, {"S8.binomial"}),
        (_gradient_of_another_goal, {"E28.prefactor", "T17.direction", "T17.weights", "S8.alignment"}),
        (_all_untied, {"E28.prefactor", "T17.direction", "T17.weights", "E29.transposed"}),
    ],
)
def test_a_wrong_model_loses_the_verdicts(patch, lost, monkeypatch):
    with monkeypatch.context() as context:
        patch(context)
        wrong = {record["id"]: record["verdict"] for record in run("backprop_link", show_progress=False).records}
    right = {claim.id: claim.verdict for claim in find("backprop_link").claims}
    assert {name for name in right if wrong[name] == "inconclusive"} >= lost
    assert wrong["E28.exponents"] == "corrected", "what does not rest on it keeps its verdict"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizes": (3, 2)}, "sizes: expected at least three layers"),
        ({"steps": (0.01, 0.001)}, "steps: expected two or more increasing numbers"),
        ({"n_steps": 205}, "n_steps: expected a multiple of 10"),
        ({"spread": 0.4}, "distance: expected a finite number"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("backprop_link"), True, settings)
