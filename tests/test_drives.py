"""Drives: mean, variance and autocorrelation against their closed forms, over independent sequences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import drives
from stdpjax.random import key, member_keys

N_SEQUENCES, N_STEPS = 4000, 60


def leaky_autocorrelation(lag, width):
    """Of an Ornstein-Uhlenbeck input after a leaky integrator, by summing its moving-average form."""
    decay, keep = np.exp(-1 / width), 1 - 1 / width
    n = np.arange(4000)
    weights = (1 - keep) * np.array([np.sum(keep ** n[:k] * decay ** (k - 1 - n[:k])) for k in range(1500)])
    covariance = np.array([weights[: weights.size - k] @ weights[k:] for k in range(lag.max() + 1)])
    return covariance[lag] / covariance[0]


AUTOCORRELATION = {
    "smooth_noise": lambda lag, width: np.exp(-(lag**2) / (4 * width**2)),
    "ornstein_uhlenbeck": lambda lag, width: np.exp(-lag / width),
    "leaky_ornstein_uhlenbeck": leaky_autocorrelation,
    "sinusoids": lambda lag, width: np.array(
        [np.mean(np.cos(2 * np.pi * k / np.linspace(2 * width, 10 * width, 20001))) for k in lag]
    ),
}


def sample(name, width, seed=0):
    keys = member_keys(key(seed), N_SEQUENCES)
    return np.asarray(jax.vmap(lambda k: drives.DRIVES[name](k, N_STEPS, width))(keys), dtype=np.float64)


def z_of_products(paths, expected, lags):
    """|z| of the mean product of bins `lag` apart, with errors from independent sequences."""
    products = np.stack([(paths[:, 5] * paths[:, 5 + lag]) for lag in lags], axis=1)
    return np.abs(products.mean(0) - expected) / (products.std(0) / np.sqrt(N_SEQUENCES))


@pytest.mark.parametrize("name", drives.DRIVES)
def test_moments_and_autocorrelation(name):
    width, lags = 8.0, np.array([0, 1, 3, 8, 16, 32])
    paths = sample(name, width)
    mean_z = paths.mean(0) / (paths.std(0) / np.sqrt(N_SEQUENCES))
    assert np.abs(mean_z).max() < 5
    assert z_of_products(paths, AUTOCORRELATION[name](lags, width), lags).max() < 5
    # Power: the law of a width twice as large is refused by the same check.
    assert z_of_products(paths, AUTOCORRELATION[name](lags, 2 * width), lags).max() > 8


@pytest.mark.parametrize("name", drives.DRIVES)
def test_stationary_from_the_first_bin(name):
    squares = sample(name, 6.0, seed=1) ** 2
    difference = squares[:, 0] - squares[:, -1]
    assert abs(difference.mean()) < 5 * difference.std() / np.sqrt(N_SEQUENCES)


@pytest.mark.parametrize("name", drives.DRIVES)
def test_reproducible_shaped_and_typed(name):
    first, second = (drives.DRIVES[name](key(3), 7, 4.0) for _ in range(2))
    assert first.shape == (7,)
    assert first.dtype == jnp.zeros(0, float).dtype
    np.testing.assert_array_equal(first, second)
    assert drives.DRIVES[name](key(3), 1, 4.0).shape == (1,)


def test_ramp_and_constant():
    np.testing.assert_allclose(drives.ramp(5, 0.5, 0.1), [0.3, 0.4, 0.5, 0.6, 0.7], atol=1e-6)
    np.testing.assert_array_equal(drives.constant(3, 0.25), [0.25] * 3)


def test_bounded_voltage_stays_in_the_active_region():
    voltage = np.asarray(drives.bounded_voltage(jnp.linspace(-20, 20, 101), -0.3, 0.05))
    assert voltage.min() == pytest.approx(-0.25, abs=1e-6)
    assert voltage.max() == pytest.approx(0.65, abs=1e-6)
    assert np.all(np.diff(voltage) >= 0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drives.smooth_noise(key(0), 0), "n_steps: expected a whole number of at least 1, got 0"),
        (lambda: drives.smooth_noise(key(0), 10, 0.0), "width: expected a finite number above 0"),
        (lambda: drives.leaky_ornstein_uhlenbeck(key(0), 10, 1.0), "width: expected a finite number above 1"),
        (lambda: drives.ramp(0, 0.0, 0.0), "n_steps"),
        (lambda: drives.bounded_voltage(jnp.zeros(1), 0.5), "threshold"),
        (lambda: drives.bounded_voltage(jnp.zeros(1), -0.5, 0.5), "margin"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# A traced width, as in a sweep.


@pytest.mark.parametrize("name", [name for name in drives.DRIVES if name != "smooth_noise"])
def test_a_traced_width_gives_the_same_drive(name, key):
    traced = jax.jit(lambda width: drives.DRIVES[name](key, N_STEPS, width))(jnp.asarray(7.0, float))
    np.testing.assert_allclose(traced, drives.DRIVES[name](key, N_STEPS, 7.0), rtol=1e-3, atol=1e-4)


def test_smooth_noise_needs_a_support_for_a_traced_width(key):
    with pytest.raises(ValueError, match="support: expected the number of bins"):
        jax.jit(lambda width: drives.smooth_noise(key, N_STEPS, width))(jnp.asarray(7.0, float))
    with pytest.raises(ValueError, match="support: expected a whole number of at least 1, got 0"):
        drives.smooth_noise(key, N_STEPS, 7.0, support=0)


def test_smooth_noise_does_not_depend_on_a_wider_support(key):
    draw = jax.jit(drives.smooth_noise, static_argnames=("n_steps", "support"))
    narrow, wide = (draw(key, N_STEPS, jnp.asarray(7.0, float), support=support) for support in (28, 64))
    np.testing.assert_allclose(narrow, wide, atol=1e-5)


def test_smooth_noise_with_a_support_has_the_same_law():
    lags = np.array([0, 1, 3, 8, 16, 32])
    draw = jax.vmap(lambda k: drives.smooth_noise(k, N_STEPS, jnp.asarray(8.0, float), support=64))
    paths = np.asarray(draw(member_keys(key(0), N_SEQUENCES)), dtype=np.float64)
    assert z_of_products(paths, AUTOCORRELATION["smooth_noise"](lags, 8.0), lags).max() < 5
    assert z_of_products(paths, AUTOCORRELATION["smooth_noise"](lags, 16.0), lags).max() > 8
