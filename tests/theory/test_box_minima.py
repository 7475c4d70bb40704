"""Box minima by enumeration, against an optimiser and the piecewise equation."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

import stdpjax
from stdpjax.networks import tied_networks
from stdpjax.rates import hard_sigmoid
from stdpjax.theory.box_minima import box_minimum, box_points, linear_fixed_points


def networks(n_networks, n_units, largest, bias_std=0.6):
    return tied_networks(stdpjax.random.key(3), n_networks, n_units, (0.1, largest), bias_std)


def test_the_box_minimum_is_what_an_optimiser_with_bounds_finds():
    weights, bias = networks(20, 5, 0.9)
    found = box_minimum(weights, bias)
    for w, b, state in zip(weights, bias, found, strict=True):

        def energy(s, w=w, b=b):
            rate = s + 0.5
            return 0.5 * s @ s - 0.5 * rate @ w @ rate - b @ rate, s - w @ rate - b

        best = minimize(energy, np.zeros(5), jac=True, bounds=[(-0.5, 0.5)] * 5, options={"ftol": 1e-15, "gtol": 1e-10})
        np.testing.assert_allclose(state, best.x, atol=1e-6)
    assert np.any(np.abs(found) == 0.5)
    assert np.any(np.all(np.abs(found) < 0.5, axis=-1))


def test_energy_at_box_points_and_their_kinds():
    # Two units that excite each other strongly: minima at both corners, a saddle between them.
    weights, bias = np.array([[[0.0, 3.0], [3.0, 0.0]]]), np.array([[-1.5, -1.5]])
    found = box_points(weights, bias)
    assert sorted(map(tuple, found.state[found.is_minimum])) == [(-0.5, -0.5), (0.5, 0.5)]
    saddles = found.state[found.is_stationary & ~found.is_minimum]
    assert np.allclose(saddles, 0)
    params = stdpjax.energy.make_params(weights[0], bias[0])
    expected = [stdpjax.energy.energy(params, jnp.asarray(s, float), hard_sigmoid()) for s in found.state[0]]
    at_points = found.is_stationary[0]
    np.testing.assert_allclose(found.energy[0][at_points], np.array(expected)[at_points], atol=1e-6)
    with pytest.raises(ValueError, match="weights: expected at most 8 units, got 9"):
        box_points(np.zeros((1, 9, 9)), np.zeros((1, 9)))


def test_piecewise_fixed_points_stand_still():
    weights, bias = networks(30, 3, 2.0, 1.5)
    n_inside, n_saturated = linear_fixed_points(weights, bias, True)
    assert not n_saturated.any()
    # In the open box they are the stationary points that hold no unit.
    found = box_points(weights, bias)
    is_open = np.all(np.abs(found.state) < 0.5, axis=-1) & found.is_stationary
    np.testing.assert_array_equal(n_inside, is_open.sum(axis=1))
    assert 0 < n_inside.sum() < 30
    _, without_slope = linear_fixed_points(weights, bias, False)
    assert without_slope.sum() > 0
