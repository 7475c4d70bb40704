"""The exact lag law against enumeration of all spike trains, closed forms, and its own derivatives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpjax.rules import lag_kernel, mean_update
from stdpjax.spikes import BOUNDARIES, COINCIDENCES, SIDES, expected_lag_counts, lag_probability
from tests.spikes.reference import loop_nearest_lag

OPTIONS = list(itertools.product(COINCIDENCES, SIDES, BOUNDARIES))


def enumerated_law(probability, window, coincidence, sides, boundary):
    """Lag law of each bin: sum over all postsynaptic trains, each with its probability."""
    n_steps = len(probability)
    n_counted = n_steps if boundary == "silent" else n_steps - 2 * window
    law = np.zeros((n_counted, 2 * window + 1))
    for train in itertools.product((False, True), repeat=n_steps):
        weight = np.prod(np.where(train, probability, 1 - np.asarray(probability)))
        lags = loop_nearest_lag([True] * n_steps, train, window, coincidence, sides, boundary)
        for t, lag in enumerate(lags):
            if lag:
                law[t, lag + window] += weight
    return law


@pytest.mark.parametrize(("coincidence", "sides", "boundary"), OPTIONS)
@settings(max_examples=5, deadline=None)
@given(probability=st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_equals_the_sum_over_all_trains(coincidence, sides, boundary, probability):
    law = lag_probability(jnp.asarray(probability, float), 3, coincidence, sides=sides, boundary=boundary)
    np.testing.assert_allclose(law, enumerated_law(probability, 3, coincidence, sides, boundary), atol=3e-6)


def test_the_enumeration_tells_the_options_apart():
    # Power of the test above: each law differs from every other by far more than its tolerance.
    probability = [0.2, 0.5, 0.3, 0.6, 0.4, 0.1, 0.7, 0.3]
    laws = [enumerated_law(probability, 3, coincidence, sides, "silent") for coincidence, sides, _ in OPTIONS[::2]]
    assert all(np.abs(a - b).max() > 1e-2 for a, b in itertools.combinations(laws, 2))


def test_both_readings_of_a_coincidence_differ_by_one_factor(key):
    q = jax.random.uniform(key, (5, 70), dtype=float, maxval=0.5)
    skip = lag_probability(q, 10, "skip")
    ignore = lag_probability(q, 10, "ignore")
    np.testing.assert_allclose(skip, ignore * (1 - q)[..., None], rtol=1e-6)


def test_counts_are_the_law_times_the_presynaptic_probability(key):
    p, q = jax.random.uniform(key, (2, 3, 60), dtype=float)
    for boundary, counted in zip(BOUNDARIES, (slice(None), slice(5, 55)), strict=True):
        table = expected_lag_counts(p, q, 5, boundary=boundary)
        law = lag_probability(q, 5, boundary=boundary)
        np.testing.assert_allclose(table, p[:, counted, None] * law, rtol=1e-6)


@pytest.mark.parametrize("name", ["exponential", "sign", "inverse", "linear"])
def test_constant_rate_gives_zero_for_antisymmetric_kernels(name):
    for q in (0.001, 0.02, 0.1, 0.3, 0.9):
        law = lag_probability(jnp.full(41, q, float), boundary="valid")
        assert abs(float(mean_update(law, lag_kernel(name))[0])) < 1e-6


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, {0.001: 0.0046, 0.005: 0.0207, 0.01: 0.0361, 0.02: 0.0546, 0.05: 0.0594, 0.1: 0.0293}),
        (
            {"A_plus": 1.0, "A_minus": 1.05, "tau_plus": 20.0, "tau_minus": 20.0},
            {0.01: -0.0046, 0.05: -0.0073, 0.1: -0.0035},
        ),
    ],
)
def test_constant_rate_values_of_asymmetric_kernels(parameters, expected):
    for q, value in expected.items():
        law = lag_probability(jnp.full(41, q, float), boundary="valid")
        update = float(mean_update(law, lag_kernel("bi_poo", **parameters))[0])
        # Within 1 % of the reference, whose last digit is rounded.
        assert abs(update - value) < 0.01 * abs(value) + 5e-5
        wrong = float(mean_update(law / (1 - q), lag_kernel("bi_poo", **parameters))[0])
        assert q < 0.05 or abs(wrong - value) > 0.01 * abs(value) + 5e-5


def test_gradient_equals_finite_differences(key):
    with jax.enable_x64(True):
        q = jax.random.uniform(key, (30,), dtype=float, minval=0.05, maxval=0.4)
        kernel = lag_kernel("exponential", 6)

        def total(q):
            return jnp.sum(mean_update(lag_probability(q, 6), kernel) ** 2)

        gradient = jax.grad(total)(q)
        step = 1e-6
        for t in (0, 7, 29):
            difference = (total(q.at[t].add(step)) - total(q.at[t].add(-step))) / (2 * step)
            assert float(gradient[t]) == pytest.approx(float(difference), rel=1e-6, abs=1e-10)


def test_dtype_is_kept():
    with jax.enable_x64(True):
        for dtype in (jnp.float32, jnp.float64):
            assert lag_probability(jnp.full(50, 0.1, dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lag_probability(jnp.full(10, 1.5)), "post_probability: expected spike probabilities"),
        (lambda: lag_probability(jnp.full(10, 0.1), 20), "window: expected at most the record's 10 bins, got 20"),
        (lambda: lag_probability(jnp.full(30, 0.1), 20, boundary="valid"), "complete windows"),
        (lambda: lag_probability(0.1), "post_probability: expected an array with a time axis"),
        (lambda: expected_lag_counts(jnp.full(30, 0.1), jnp.full(31, 0.1)), "post_probability: expected the shape of"),
        (lambda: expected_lag_counts(jnp.full(30, 30.0), jnp.full(30, 0.1)), "pre_probability: .* Hz"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
