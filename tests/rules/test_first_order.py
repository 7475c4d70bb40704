"""First-order theory against the exact law: its derivatives by automatic differentiation, and published values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.rules import lag_kernel, linear_response, mean_update, ramp_gain, slope_by_lag, slope_correlation
from stdpjax.spikes import lag_probability

KERNELS = ("exponential", "sign", "inverse", "linear")
RATES = (0.01, 0.03, 0.1, 0.3)
TIME = np.arange(-20, 21)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def update(probability, kernel):
    return mean_update(lag_probability(probability, boundary="valid"), kernel)[0]


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("q", RATES)
def test_gain_is_the_derivative_by_slope(name, q):
    kernel = lag_kernel(name)
    derivative = jax.grad(lambda a: update(q + a * jnp.asarray(TIME, float), kernel))(0.0)
    assert float(ramp_gain(q, kernel)) == pytest.approx(float(derivative), rel=1e-10)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("sign", (343.5, 228.4, 51.1, 0.335)),
        ("exponential", (111.0, 87.8, 27.6, 0.250)),
        ("inverse", (39.9, 35.7, 14.1, 0.175)),
        ("linear", (142, 113, 35.0, 0.298)),
    ],
)
def test_gains_have_their_reference_values(name, values):
    for q, value in zip(RATES, values, strict=True):
        assert float(ramp_gain(q, lag_kernel(name))) == pytest.approx(value, rel=4e-3)


def test_the_ramp_departs_from_first_order_as_stated():
    kernel = lag_kernel("exponential")
    for slope, ratio, tolerance in ((1e-6, 1.0, 1e-5), (5e-4, 1.0021, 1e-4), (2e-3, 1.033, 1e-3)):
        measured = update(jnp.asarray(0.05 + slope * TIME), kernel) / (slope * ramp_gain(0.05, kernel))
        assert float(measured) == pytest.approx(ratio, abs=tolerance)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("q", RATES)
def test_linear_response_is_the_gradient_by_the_rate_of_each_bin(name, q):
    kernel = lag_kernel(name)
    gradient = jax.grad(update)(jnp.full(41, q, float), kernel)
    response = linear_response(q, kernel)
    np.testing.assert_allclose(gradient[21:], response, atol=1e-12)
    np.testing.assert_allclose(gradient[:20][::-1], -response, atol=1e-12)
    assert abs(float(gradient[20])) < 1e-12
    moments = float(jnp.sum(jnp.arange(1, 21, dtype=float) * response))
    assert 2 * moments == pytest.approx(float(ramp_gain(q, kernel)), rel=1e-10)


@pytest.mark.parametrize("q", RATES)
def test_slope_by_lag_is_the_derivative_of_the_log_law(q):
    def log_law(a):
        return jnp.log(lag_probability(q + a * jnp.asarray(TIME, float), boundary="valid")[0])

    derivative = jax.jacfwd(log_law)(0.0)
    np.testing.assert_allclose(derivative[21:], slope_by_lag(q), rtol=1e-10)
    np.testing.assert_allclose(derivative[:20][::-1], -slope_by_lag(q), rtol=1e-10)


def test_slope_by_lag_decays_only_above_the_critical_probability():
    for window in (5, 20, 50):
        critical = 2 / (window + 2)
        below, above = slope_by_lag(0.99 * critical, window), slope_by_lag(1.01 * critical, window)
        assert below[-1] > below[0]
        assert above[-1] < above[0]


def test_slope_correlation_is_the_correlation_of_two_filters(key):
    # A long smooth drive through both filters. Its slope is a centred difference, so the agreement is not exact.
    from stdpjax.drives import smooth_noise

    kernel = lag_kernel("exponential")
    for width in (3.0, 10.0):
        drive = np.asarray(smooth_noise(key, 200_000, width))
        response = np.asarray(linear_response(0.05, kernel))
        filtered = np.convolve(drive, np.concatenate([response[::-1], [0.0], -response]), mode="valid")
        slope = np.gradient(drive)[20:-20]
        measured = np.corrcoef(filtered, slope)[0, 1]
        assert float(slope_correlation(0.05, kernel, width)) == pytest.approx(measured, abs=0.015)
        assert abs(float(slope_correlation(0.05, kernel, 2 * width)) - measured) > 0.03


def test_refusals():
    with pytest.raises(ValueError, match="probability: expected a finite number above 0 and below 1"):
        ramp_gain(1.0, lag_kernel("sign"))
    with pytest.raises(ValueError, match="kernel: expected one value for each lag"):
        linear_response(0.1, np.ones(4))
    with pytest.raises(ValueError, match="width: expected a finite number above 0"):
        slope_correlation(0.1, lag_kernel("sign"), 0.0)
    with pytest.raises(ValueError, match="window: expected a whole number"):
        slope_by_lag(0.1, 0)
