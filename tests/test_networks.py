"""Random networks: known fixed points and spectra, and states that keep away from kinks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax import networks
from stdpjax.learning import layered_mask
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid, sigmoid


def test_networks_are_tied_independent_and_keep_their_numbers_when_there_are_more(key):
    few, many = (networks.random_networks(key, n, 5, 0.3) for n in (2, 4))
    assert many.weights.shape == (4, 5, 5)
    np.testing.assert_array_equal(many.weights[:2], few.weights)
    np.testing.assert_array_equal(many.weights, jnp.swapaxes(many.weights, 1, 2))
    assert len(np.unique(many.weights)) == 4 * 10 + 1
    for index in range(4):
        stdpjax.energy.check_params(stdpjax.energy.Params(many.weights[index], many.bias[index]), tied=True)


def test_states_keep_their_distance_from_kinks(key):
    states = networks.random_states(key, 200, 5, reach=1.0, kinks=(-0.5, 0.5), margin=0.1)
    free = networks.random_states(key, 200, 5, reach=1.0)
    for kink in (-0.5, 0.5):
        assert float(jnp.min(jnp.abs(states - kink))) >= 0.0999
        assert float(jnp.min(jnp.abs(free - kink))) < 0.01
    assert float(jnp.max(jnp.abs(free))) > 0.99
    assert bool((jnp.abs(states) <= 1).all())


SIZES = (2, 3, 2)
RATES = {"hard": hard_sigmoid(), "smooth": sigmoid()}


def network(key, rate_fn):
    state = 0.3 * jax.random.uniform(named_key(key, "state"), (sum(SIZES),), float, -1, 1)
    return networks.network_at_rest(named_key(key, "weights"), state, layered_mask(SIZES), rate_fn, 0.8), state


@pytest.mark.parametrize("kind", RATES)
def test_a_network_rests_where_it_was_told_to_and_has_the_eigenvalue(key, kind):
    params, state = network(key, RATES[kind])
    np.testing.assert_allclose(stdpjax.energy.target(params, state, RATES[kind]), state, atol=1e-6)
    slope = np.diag(RATES[kind].slope(state))
    assert np.linalg.eigvalsh(slope @ np.asarray(params.weights) @ slope).max() == pytest.approx(0.8, abs=1e-5)
    assert not params.weights[:2, 5:].any()


def test_untied_networks_keep_the_weights_of_the_backward_chain_and_rest_in_the_same_state(key):
    params, state = network(key, RATES["hard"])
    other, _ = network(named_key(key, "other"), RATES["hard"])
    untied = networks.untie(params, other, state, RATES["hard"])
    assert bool((untied.weights[:2, 2:5] == params.weights[:2, 2:5]).all())
    assert bool((untied.weights[2:5, :2] == other.weights[2:5, :2]).all())
    np.testing.assert_allclose(stdpjax.energy.target(untied, state, RATES["hard"]), state, atol=1e-6)


def test_a_centred_network_rests_at_its_centre(key):
    params = networks.centred_network(key, 0.2, 5)
    np.testing.assert_allclose(stdpjax.energy.target(params, jnp.full(5, 0.2), RATES["hard"]), 0.2, atol=1e-6)
    np.testing.assert_array_equal(params.weights, params.weights.T)


@pytest.mark.parametrize("tied", [True, False])
def test_nothing_leaves_the_middle_of_an_interior_network(key, tied):
    found = networks.interior_network(key, 6, tied=tied)
    target = stdpjax.energy.target(found.params, found.fixed_point, RATES["hard"])
    np.testing.assert_allclose(target, found.fixed_point, atol=1e-6)
    state, path = found.start, []
    for _ in range(50):
        state = state + 0.5 * (stdpjax.energy.target(found.params, state, RATES["hard"]) - state)
        path.append(state)
    assert bool(networks.is_active(jnp.stack(path), RATES["hard"]))
    np.testing.assert_allclose(path[-1], found.fixed_point, atol=1e-3)
    assert not bool(networks.is_active(jnp.array([[0.0, 0.6]]), RATES["hard"]))


def test_tied_networks_have_the_eigenvalues_of_their_range(key):
    weights, bias = networks.tied_networks(key, 50, 5, (0.2, 0.9), 0.0)
    largest = np.linalg.eigvalsh(weights)[:, -1]
    assert 0.2 <= largest.min() < 0.3
    assert 0.8 < largest.max() <= 0.9
    np.testing.assert_allclose(bias, -0.5 * weights.sum(-1), atol=1e-6)
