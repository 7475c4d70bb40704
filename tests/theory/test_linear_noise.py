"""Laws of linear networks under noise, against recursions and loops."""

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.energy import Params, check_params
from stdpjax.theory import linear_noise

MODES = np.array([-0.5, 0.3, 0.6, -0.4])


def test_weights_have_the_modes_asked_for_and_make_a_network():
    weights = linear_noise.weights_of_modes(MODES)
    np.testing.assert_allclose(np.linalg.eigvalsh(weights), np.sort(MODES), atol=1e-12)
    check_params(Params(jnp.asarray(weights, float), jnp.zeros(4)), tied=True)
    np.testing.assert_allclose(linear_noise.BASIS.T @ weights @ linear_noise.BASIS, np.diag(MODES), atol=1e-12)


@pytest.mark.parametrize("step", [0.05, 0.5, 1.0])
def test_linear_variance_is_where_the_covariance_recursion_settles(step):
    weights = linear_noise.weights_of_modes(MODES)
    push = (1 - step) * np.eye(4) + step * weights
    covariance = np.zeros((4, 4))
    for _ in range(3000):
        covariance = push @ covariance @ push.T + (step * 0.3) ** 2 * weights @ weights.T
    expected = np.diag(linear_noise.linear_variance(MODES, np.array(step), 0.3))
    np.testing.assert_allclose(linear_noise.BASIS.T @ covariance @ linear_noise.BASIS, expected, rtol=1e-9, atol=1e-15)


def test_the_mean_energy_is_that_of_simulated_trials():
    weights, start = linear_noise.weights_of_modes(MODES), np.array([0.2, 0.1, 0.0, -0.2])
    rng, states = np.random.default_rng(0), np.tile(start, (20_000, 1))
    hessian = np.eye(4) - weights
    for expected in linear_noise.mean_energy(weights, start, 0.2, 0.3, 12):
        energy = 0.5 * np.einsum("ti,ij,tj->t", states, hessian, states)
        assert abs(energy.mean() - expected) <= 4 * energy.std() / np.sqrt(len(energy)) + 1e-12
        states = states + 0.2 * ((states + 0.3 * rng.normal(size=states.shape)) @ weights - states)
