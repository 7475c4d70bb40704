"""Rate functions: closed forms against quadrature, slopes against automatic differentiation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss

from stdpjax import rates

ALL = [
    rates.hard_sigmoid(),
    rates.hard_sigmoid(-0.3),
    rates.smoothed_hard_sigmoid(0.2),
    rates.sigmoid(),
    rates.sigmoid(2.0),
]


def test_hard_sigmoid_is_zero_linear_one():
    rho = rates.hard_sigmoid(-0.3)
    activity = jnp.array([-2.0, -0.3, 0.0, 0.7, 2.0])
    np.testing.assert_allclose(rho.value(activity), [0, 0, 0.3, 1, 1], atol=1e-7)
    np.testing.assert_array_equal(rho.slope(activity), [0, 1, 1, 1, 0])


def test_the_slope_at_the_kinks_is_one_where_a_clip_gives_one_half():
    rho = rates.hard_sigmoid()
    for kink in (-0.5, 0.5):
        assert float(rho.slope(jnp.array(kink))) == 1.0
        assert float(jax.grad(rho.value)(kink)) == 1.0
        assert float(jax.grad(lambda v: jnp.clip(v + 0.5, 0, 1))(kink)) == 0.5


@pytest.mark.parametrize("rho", ALL)
def test_slope_is_the_derivative(rho):
    activity = jnp.linspace(-2, 2, 101) + 0.003  # off the kinks
    np.testing.assert_allclose(jax.vmap(jax.grad(rho.value))(activity), rho.slope(activity), atol=2e-6)


@pytest.mark.parametrize("rho", ALL)
def test_rates_are_bounded_and_increasing(rho):
    value = np.asarray(rho.value(jnp.linspace(-3, 3, 301)))
    assert value.min() >= 0
    assert value.max() <= 1
    assert np.all(np.diff(value) >= -1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("threshold", [-0.5, -0.3])
@pytest.mark.parametrize("make", [rates.hard_sigmoid, rates.smoothed_hard_sigmoid, rates.sigmoid])
def test_rates_never_leave_their_range(make, threshold, dtype):
    near = np.concatenate([kink + np.linspace(-3, 3, 20_001) for kink in (threshold, threshold + 1)])
    ulps = [np.float32(kink) * (1 + np.arange(-50, 51) * np.float32(2**-23)) for kink in (threshold, threshold + 1)]
    far = np.concatenate([sign * 10.0 ** np.arange(-38, 39) for sign in (-1, 1)])
    activity = jnp.asarray(np.concatenate([near, *ulps, far, [np.inf, -np.inf]]), dtype)
    levels = (1e-6, 1e-4, 0.02, 0.1, 0.3, 1.0, 3.0) if make is rates.smoothed_hard_sigmoid else (None,)
    for level in levels:
        rho = rates.sigmoid(8.0) if make is rates.sigmoid else make(*([level] if level else []), threshold=threshold)
        value = np.asarray(jax.jit(rho.value)(activity).astype(jnp.float32))
        assert np.all((value >= 0) & (value <= 1)), level
        np.testing.assert_array_equal(value[-2:], [1, 0])


def test_the_derivative_of_a_smoothed_rate_is_its_slope_where_rounding_has_reached_the_range():
    rho = rates.smoothed_hard_sigmoid(0.2)
    activity = jnp.linspace(-2.5, 2.5, 20_001)
    is_at_end = (rho.value(activity) <= 0) | (rho.value(activity) >= 1)
    assert int(is_at_end.sum()) > 100
    np.testing.assert_array_equal(jax.vmap(jax.grad(rho.value))(activity), rho.slope(activity))


def test_a_traced_noise_level_has_a_derivative():
    def value(level, activity):
        return rates.smoothed_hard_sigmoid(level).value(activity)

    for activity in (-0.7, -0.5, 0.1, 0.45):
        slope = jax.jit(jax.grad(value))(0.2, activity)
        step = (value(0.21, activity) - value(0.19, activity)) / 0.02
        np.testing.assert_allclose(slope, step, atol=5e-4)


@pytest.mark.parametrize("noise_std", [0.05, 0.3, 1.0])
def test_smoothed_rate_is_the_mean_under_noise(noise_std):
    # Quadrature over pieces of the noise, split at the kinks by using many nodes.
    nodes, weights = hermegauss(180)
    weights = weights / weights.sum()
    activity = np.linspace(-1.5, 1.5, 13)
    mean = np.clip(activity[:, None] + noise_std * nodes + 0.5, 0, 1) @ weights
    smooth = rates.smoothed_hard_sigmoid(noise_std)
    np.testing.assert_allclose(smooth.value(jnp.asarray(activity)), mean, atol=2e-3 * noise_std + 1e-6)
    # Power: a noise 20 % larger is told apart.
    other = rates.smoothed_hard_sigmoid(1.2 * noise_std)
    assert np.abs(np.asarray(other.value(jnp.asarray(activity))) - mean).max() > 4e-3 * noise_std


def test_little_noise_gives_the_hard_sigmoid():
    activity = jnp.linspace(-2, 2, 41)
    np.testing.assert_allclose(
        rates.smoothed_hard_sigmoid(1e-4).value(activity), rates.hard_sigmoid().value(activity), atol=1e-4
    )


def test_equal_arguments_give_equal_functions():
    # Otherwise a rate function used as a static argument would recompile at every call.
    assert rates.hard_sigmoid(-0.4) == rates.hard_sigmoid(-0.4)
    assert rates.smoothed_hard_sigmoid(0.1) == rates.smoothed_hard_sigmoid(0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rates.hard_sigmoid(0.0), "threshold: expected a finite number above -1 and below 0"),
        (lambda: rates.hard_sigmoid(-1.0), "threshold"),
        (lambda: rates.smoothed_hard_sigmoid(0.0), "noise_std: expected a finite number above 0"),
        (lambda: rates.sigmoid(-1.0), "gain: expected a finite number above 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_anything_that_is_a_number_will_do():
    assert rates.hard_sigmoid(jnp.array(-0.5)) == rates.hard_sigmoid()
    assert rates.smoothed_hard_sigmoid(jnp.array(0.5), jnp.array(-0.5)) == rates.smoothed_hard_sigmoid(0.5)
    assert rates.sigmoid(jnp.array(4.0)) == rates.sigmoid()
    with pytest.raises(ValueError, match="threshold: expected a number known before tracing"):
        jax.jit(lambda threshold: rates.hard_sigmoid(threshold).value(0.0))(-0.5)
