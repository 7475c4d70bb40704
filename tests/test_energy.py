"""Energy, target and derivatives against sums over pairs, automatic differentiation and each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import energy, rates
from stdpjax.energy import Params
from tests import plain_network

CUSTOM = rates.RateFunction(value=lambda s: 0.5 + 0.5 * jnp.tanh(s), slope=lambda s: 0.5 / jnp.cosh(s) ** 2)
ALL = {
    "hard": rates.hard_sigmoid(),
    "hard, low threshold": rates.hard_sigmoid(-0.7),
    "smoothed": rates.smoothed_hard_sigmoid(0.2),
    "sigmoid": rates.sigmoid(),
    "custom": CUSTOM,
}
# Inside, below and above the linear range of each, away from kinks.
STATE = jnp.array([0.1, -0.3, 0.21, -0.9, 1.3])


@pytest.fixture(params=ALL.values(), ids=list(ALL))
def rate_fn(request):
    return request.param


@pytest.fixture
def params(key):
    return energy.random_params(key, 5, scale=1.0)


@pytest.fixture
def untied(key):
    return energy.random_params(key, 5, scale=1.0, tied=False)


def value_of(rate_fn):
    return lambda state: np.asarray(rate_fn.value(jnp.asarray(state, jnp.float32)), np.float64)


def slope_of(rate_fn):
    return lambda state: np.asarray(rate_fn.slope(jnp.asarray(state, jnp.float32)), np.float64)


def test_energy_is_the_sum_over_pairs(params, rate_fn):
    expected = plain_network.energy(*plain_network.in_double(params), np.asarray(STATE, np.float64), value_of(rate_fn))
    np.testing.assert_allclose(energy.energy(params, STATE, rate_fn), expected, rtol=2e-6, atol=2e-6)


def test_target_is_slope_times_field(params, untied, rate_fn):
    state = np.asarray(STATE, np.float64)
    for network in (params, untied):
        plain = plain_network.target(*plain_network.in_double(network), state, value_of(rate_fn), slope_of(rate_fn))
        np.testing.assert_allclose(energy.target(network, STATE, rate_fn), plain, atol=2e-6)


def test_gradient_is_the_derivative_of_the_energy(params, rate_fn):
    automatic = jax.grad(lambda state: energy.energy(params, state, rate_fn))(STATE)
    np.testing.assert_allclose(energy.gradient(params, STATE, rate_fn), automatic, atol=5e-6)
    np.testing.assert_allclose(STATE - energy.target(params, STATE, rate_fn), automatic, atol=5e-6)


def test_jacobian_and_hessian_are_derivatives(params, untied, rate_fn):
    for network in (params, untied):
        automatic = jax.jacobian(lambda state, p=network: energy.target(p, state, rate_fn))(STATE)
        np.testing.assert_allclose(energy.target_jacobian(network, STATE, rate_fn), automatic, atol=2e-5)
    automatic = jax.hessian(lambda state: energy.energy(params, state, rate_fn))(STATE)
    np.testing.assert_allclose(energy.hessian(params, STATE, rate_fn), automatic, atol=2e-5)


def test_the_jacobian_is_symmetric_only_with_tied_weights_and_the_slope(params, untied):
    rho = rates.sigmoid()

    def asymmetry(matrix):
        return float(jnp.abs(matrix - matrix.T).max())

    assert asymmetry(energy.target_jacobian(params, STATE, rho)) < 1e-6
    assert asymmetry(energy.target_jacobian(untied, STATE, rho)) > 0.01
    without_slope = jax.jacobian(lambda state: energy.field_of(params, rho.value(state)))(STATE)
    assert asymmetry(without_slope) > 0.01


def test_at_the_kinks_the_slope_is_one(params):
    at_kinks = jnp.array([0.5, -0.5, 0.5, -0.5, 0.5])
    fields = energy.field_of(params, rates.hard_sigmoid().value(at_kinks))
    np.testing.assert_array_equal(energy.target(params, at_kinks, rates.hard_sigmoid()), fields)


def test_units_have_no_order(params, rate_fn):
    order = jnp.array([3, 0, 4, 1, 2])
    shuffled = Params(params.weights[order][:, order], params.bias[order])
    np.testing.assert_allclose(
        energy.energy(shuffled, STATE[order], rate_fn), energy.energy(params, STATE, rate_fn), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        energy.target(shuffled, STATE[order], rate_fn), energy.target(params, STATE, rate_fn)[order], atol=1e-6
    )


def test_make_params_and_tie(untied):
    tied = energy.make_params(energy.tie(untied.weights))
    np.testing.assert_array_equal(tied.weights, tied.weights.T)
    np.testing.assert_array_equal(jnp.diagonal(tied.weights), 0)
    assert tied.bias.dtype == tied.weights.dtype
    assert energy.make_params(np.array([[0, 1], [1, 0]]), [1, 2]).weights.dtype == jnp.zeros(()).dtype
    energy.make_params(untied.weights, tied=False)


@pytest.mark.parametrize("n_units", [3, 257])  # checked on the host, and by a program
def test_weights_that_have_no_energy_are_refused_in_networks_small_and_large(n_units):
    weights = np.zeros((n_units, n_units))
    weights[0, 2] = 0.5
    energy.make_params(weights, tied=False)
    with pytest.raises(ValueError, match=r"symmetric matrix \(tied weights\), got W_ij and W_ji that differ by 0.5"):
        energy.make_params(weights)
    weights[1, 1] = 2.0
    with pytest.raises(ValueError, match="0 on the diagonal, got 1 units that connect to themselves"):
        energy.make_params(weights, tied=False)


def test_random_params_rest_at_zero(key):
    for tied in (True, False):
        params = energy.random_params(key, 50, scale=0.4, tied=tied)
        np.testing.assert_allclose(energy.target(params, jnp.zeros(50), rates.hard_sigmoid()), 0, atol=1e-6)
        off_diagonal = np.asarray(params.weights)[~np.eye(50, dtype=bool)]
        # 2450 or, tied, 1225 independent weights.
        assert abs(off_diagonal.std() / (0.4 / np.sqrt(50)) - 1) < 4 / np.sqrt(2 * 1225)
