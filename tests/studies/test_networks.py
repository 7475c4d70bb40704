"""What the studies of networks share."""

import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.studies import networks


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


def test_measures_of_agreement_are_those_of_the_definition():
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [-3.0, 2.0]])
    assert float(networks.relative_difference(jnp.array(a), jnp.array(b))) == pytest.approx(np.sqrt(44) / np.sqrt(14))
    assert float(networks.cosine(jnp.array(a), jnp.array(b))) == pytest.approx(0.0, abs=1e-7)
    assert float(networks.cosine(jnp.array(a), jnp.array(a + b))) == pytest.approx(30 / np.sqrt(30 * 44))
    np.testing.assert_array_equal(networks.off_diagonal(jnp.array(a)), [[0.0, 2.0], [3.0, 0.0]])
