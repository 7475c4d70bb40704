"""First arrivals and growth in layers, against plain loops, Jacobians and counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.clamps import clamp_input, clamp_state
from stdpjax.dynamics import transition
from stdpjax.energy import target_of
from stdpjax.learning import layer_slices, layered_mask
from stdpjax.networks import network_at_rest
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid, sigmoid
from stdpjax.theory import layered

SIZES = (2, 3, 2)


LAYERS = layer_slices(SIZES)


RATES = {"hard": hard_sigmoid(), "smooth": sigmoid()}


def network(key, rate_fn):
    state = 0.3 * jax.random.uniform(named_key(key, "state"), (sum(SIZES),), float, -1, 1)
    return network_at_rest(named_key(key, "weights"), state, layered_mask(SIZES), rate_fn, 0.8), state


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
        current = transition(params, current, jnp.zeros_like(state), RATES[kind], 0.2, (*others, pull))
        np.testing.assert_allclose(change, current - state, atol=1e-6)
    assert bool((path[:, 5:] == 0).all()) == with_state_clamp
    assert not path[0, 2:].any()
    assert path[1, 2:5].any()


def test_one_minus_cosine_keeps_digits_that_the_cosine_loses():
    angle = 1e-9
    found = layered.one_minus_cosine([1.0, 0.0], [2 * np.cos(angle), 2 * np.sin(angle)])
    assert found == pytest.approx(0.5e-18, rel=1e-6)
