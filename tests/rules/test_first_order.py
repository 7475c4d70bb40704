"""First-order theory against the exact law: its derivatives by automatic differentiation, and published values."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import rules
from stdpjax.rules import (
    effective_window,
    expected_updates,
    hebb_rule,
    lag_kernel,
    linear_response,
    mean_update,
    pair_rule,
    ramp_gain,
    slope_by_lag,
    sum_rules,
    triplet_rule,
    window_moments,
)
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


def test_refusals():
    with pytest.raises(ValueError, match="probability: expected a finite number above 0 and below 1"):
        ramp_gain(1.0, lag_kernel("sign"))
    with pytest.raises(ValueError, match="kernel: expected one value for each lag"):
        linear_response(0.1, np.ones(4))
    with pytest.raises(ValueError, match="window: expected a whole number"):
        slope_by_lag(0.1, 0)


ANY_KERNELS = {"bi_poo": lag_kernel("bi_poo"), "any": np.random.default_rng(0).normal(size=41) * (TIME != 0)}


@pytest.mark.parametrize("kernel", ANY_KERNELS.values(), ids=ANY_KERNELS)
@pytest.mark.parametrize("coincidence", ["skip", "ignore"])
@pytest.mark.parametrize("q", [0.03, 0.3])
def test_gain_and_response_of_any_kernel_are_those_of_its_antisymmetric_part(kernel, coincidence, q):
    kernel = jnp.asarray(kernel, float)

    def of(probability):
        return mean_update(lag_probability(probability, coincidence=coincidence, boundary="valid"), kernel)[0]

    flat = jnp.full(41, q, float)
    response = jax.grad(of)(flat)
    scale = 1 if coincidence == "skip" else 1 - q
    gain = jnp.sum(jnp.asarray(TIME, float) * response) * scale
    assert float(gain) == pytest.approx(float(ramp_gain(q, kernel)), rel=1e-10)
    odd = 0.5 * (response[21:] - response[:20][::-1]) * scale
    np.testing.assert_allclose(odd, linear_response(q, kernel), atol=1e-13)


@pytest.mark.parametrize(
    ("name", "parameters", "values"),
    [
        ("bi_poo", {}, {0.001: 0.0046, 0.005: 0.0207, 0.01: 0.0361, 0.02: 0.0546, 0.05: 0.0594, 0.1: 0.0293}),
        (
            "bi_poo", {"A_plus": 1.0, "A_minus": 1.05, "tau_plus": 20.0, "tau_minus": 20.0},
            {0.01: -0.0046, 0.05: -0.0073, 0.1: -0.0035},
        ),
    ],
)  # fmt: skip
def test_asymmetric_kernels_drift_at_constant_rates_as_stated(name, parameters, values):
    kernel = lag_kernel(name, **parameters)
    for q, value in values.items():
        assert float(update(jnp.full(41, q, float), kernel)) == pytest.approx(value, abs=6e-5)


def test_slow_rates_see_two_moments_of_a_window():
    plus, minus, tau_plus, tau_minus = 0.8, 0.5, 4.0, 6.0
    lags = np.arange(-200, 201)
    window = np.where(lags > 0, plus * np.exp(-lags / tau_plus), -minus * np.exp(lags / tau_minus)) * (lags != 0)
    moments = window_moments(window)
    slope, n = 1e-6, 801
    post = 0.1 + slope * (jnp.arange(n, dtype=float) - n // 2)
    pre = jnp.zeros(n, float).at[n // 2].set(0.3)
    total = jnp.sum(expected_updates(pair_rule(plus, minus, tau_plus, tau_minus), pre, post))
    assert float(total) == pytest.approx(float(0.3 * (moments.zero * 0.1 + moments.first * slope)), rel=1e-12)
    assert float(moments.first * slope) > 1e-9  # seen at this precision
    found = effective_window(pair_rule(plus, minus, tau_plus, tau_minus), 0.2, 0.3, 200)
    np.testing.assert_allclose(found, window, rtol=1e-10, atol=1e-14)


def test_the_effective_window_shrinks_where_spikes_hide_each_other():
    p, q, tau = 0.1, 0.2, 10.0
    rule = pair_rule(1.0, 0.5, tau, tau, "nearest_symmetric")
    distance = np.arange(1, 6)
    found = effective_window(rule, p, q, 5)
    # What a presynaptic spike shows, less what it hides: earlier presynaptic spikes, which the trace holds.
    held = p * np.exp(-1 / tau) / (1 - (1 - p) * np.exp(-1 / tau))
    faded = np.exp(-distance / tau) * (1 - p) ** (distance - 1)
    held_post = q * np.exp(-1 / tau) / (1 - (1 - q) * np.exp(-1 / tau))
    faded_post = np.exp(-distance / tau) * (1 - q) ** (distance - 1)
    np.testing.assert_allclose(found[6:], faded * (1 - held), rtol=1e-10)
    np.testing.assert_allclose(found[:5][::-1], -0.5 * faded_post * (1 - held_post), rtol=1e-10)
    few = effective_window(rule, 0.0, 0.0, 5)
    np.testing.assert_allclose(few[6:], np.exp(-distance / tau), rtol=1e-12)


def test_the_effective_window_of_triplets_and_of_coincidences():
    # Potentiation by a pair, times what the postsynaptic neuron's own trace adds, both before and after.
    rule = triplet_rule(0.5, 2.0, 0.0, 0.0, 5.0, 5.0, 5.0, 8.0)
    q, slow, fast = 0.2, np.exp(-1 / 8), np.exp(-1 / 5)
    found = effective_window(rule, 0.1, q, 4)
    distance = np.arange(1, 5)
    own = 0.5 + 2.0 * q * slow / (1 - slow)
    later = 2.0 * q * slow * fast / (1 - slow * fast)
    np.testing.assert_allclose(found[5:], fast**distance * (own + later), rtol=1e-10)
    np.testing.assert_allclose(found[:4][::-1], later * slow**distance, rtol=1e-10)
    np.testing.assert_allclose(effective_window(sum_rules(hebb_rule(), rule), 0.1, q, 4)[4] - found[4], 1.0)


def test_slow_traces_settle_before_their_window_is_read():
    rule = rules.presets["pfister_gerstner_2006_hippocampus_all_to_all_full"].rule()
    settled = effective_window(rule, 0.02, 0.02, 2, n_settle=10_000)
    np.testing.assert_allclose(effective_window(rule, 0.02, 0.02, 2), settled, rtol=2e-3)
    np.testing.assert_allclose(settled[:2], [-0.0261, -0.0268], atol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ramp_gain(0.0, np.zeros(3)), "probability: expected a finite number above 0"),
        (lambda: ramp_gain(0.5, np.ones(3)), "kernel: expected 0 at lag 0, which stands for no pair, got 1"),
        (lambda: window_moments(np.ones(2)), "window: expected one value for each lag"),
        (lambda: effective_window(hebb_rule(), 0.1, 1.1, 3), "post_probability: expected spike probabilities"),
        (
            lambda: effective_window(pair_rule(1.0, 1.0, 10.0, 100.0), 0.1, 0.1, 3, n_settle=500),
            "n_settle: expected bins .*, got 500, after which 0.0067 of one is left",
        ),
        (lambda: effective_window(hebb_rule(), 0.1, 0.1, 0), "window: expected a whole number of at least 1"),
    ],
)
def test_refusals_of_windows(call, message):
    with pytest.raises(ValueError, match=message):
        call()
