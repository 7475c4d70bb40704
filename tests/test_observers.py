"""Streaming statistics against NumPy on the whole trace."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import energy, rates
from stdpjax.dynamics import (
    LeakyIntegrator,
    NoiseHyper,
    NoisyIntegrator,
    SpikingIntegrator,
    StepHyper,
    simulate,
)
from stdpjax.observers import autocovariance_of, histogram_of, mean_of
from stdpjax.rules import Sample, differential_rule

RHO = rates.hard_sigmoid()


def state_after(sample):
    return sample.next_post_state


@pytest.fixture
def observed(key):
    params = energy.random_params(key, 4, scale=0.8)
    run = simulate(
        key,
        params,
        NoisyIntegrator(RHO),
        NoiseHyper(0.2, 0.5),
        state=jnp.zeros((3, 4)),
        n_steps=300,
        trace_every=1,
        observe={
            "mean": mean_of(state_after),
            "covariance": autocovariance_of(state_after, 5),
            "counts": histogram_of(state_after, -0.2, 0.2, 8),
            "late mean": mean_of(state_after, burn_in=100),
            "late covariance": autocovariance_of(state_after, 5, burn_in=100),
            "late counts": histogram_of(state_after, -0.2, 0.2, 8, burn_in=100),
        },
    )
    return np.asarray(run.trace, np.float64), run.observed


def test_mean(observed):
    trace, seen = observed
    np.testing.assert_allclose(seen["mean"].mean, trace.mean(1), rtol=1e-6, atol=1e-7)
    assert seen["mean"].n_seen.tolist() == [300] * 3


def test_nothing_is_seen_of_the_burn_in(observed):
    trace, seen = observed
    np.testing.assert_allclose(seen["late mean"].mean, trace[:, 100:].mean(1), rtol=1e-6, atol=1e-7)
    assert seen["late mean"].n_seen.tolist() == [200] * 3
    expected = np.stack([covariance_at(trace[:, 100:], lag) for lag in range(6)], axis=1)
    np.testing.assert_allclose(seen["late covariance"].covariance, expected, rtol=1e-4, atol=2e-7)
    assert np.asarray(seen["late counts"].counts).sum() == trace[:, 100:].size


def test_observers_see_the_weights(key):
    params = energy.random_params(key, 4)
    settings = {"rule": differential_rule(), "learning_rate": 0.5, "trace_every": 1, "trace_weights": True}
    observe = {"weights": mean_of(lambda sample: sample.weights)}
    run = simulate(
        key, params, LeakyIntegrator(RHO), StepHyper(0.2), state=0.1 * jnp.arange(4.0), n_steps=5, observe=observe,
        **settings,
    )  # fmt: skip
    before = np.concatenate([np.asarray(params.weights)[None], np.asarray(run.weights_trace)[:-1]])
    np.testing.assert_allclose(run.observed["weights"].mean, before.mean(0), atol=1e-6)
    assert np.abs(before[-1] - before[0]).max() > 1e-3


def covariance_at(trace, lag, n_lags=6):
    """Over time, the second axis, of values after the first `n_lags - 1` with those `lag` steps before, by NumPy."""
    n_steps = trace.shape[1]
    now, before = trace[:, n_lags - 1 :], trace[:, n_lags - 1 - lag : n_steps - lag]
    return ((now - now.mean(1, keepdims=True)) * (before - before.mean(1, keepdims=True))).mean(1)


@pytest.mark.parametrize("first", [None, -3.0], ids=["at rest", "from far away"])
def test_a_small_covariance_about_a_large_mean_keeps_its_digits(first):
    values = (0.4 + 1e-4 * np.random.default_rng(0).normal(size=(2000, 3))).astype(np.float32)
    if first is not None:
        values[:2] = first  # of which the first fills the memory alone
    observer = autocovariance_of(state_after, 1)

    @jax.jit
    def seen(values):
        def one(so_far, value):
            return observer.update(Sample(value, value, value), so_far), None

        return jax.lax.scan(one, observer.init(Sample(*[values[0]] * 3)), values)[0]

    exact = values.astype(np.float64)[None]
    expected = np.stack([covariance_at(exact, lag, 2)[0] for lag in (0, 1)])
    found = np.asarray(seen(jnp.asarray(values)).covariance)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * expected[0].max())
    # Power: the mean of squares less the square of the mean, in the same precision.
    naive = np.mean(values[1:] ** 2, axis=0, dtype=np.float32) - np.mean(values[1:], axis=0, dtype=np.float32) ** 2
    if first is None:
        np.testing.assert_allclose(expected[0], 1e-8, rtol=0.1)
        assert np.all(np.abs(naive / expected[0] - 1) > 0.1)


def test_autocovariance(observed):
    trace, seen = observed
    expected = np.stack([covariance_at(trace, lag) for lag in range(6)], axis=1)
    np.testing.assert_allclose(seen["covariance"].covariance, expected, rtol=1e-4, atol=2e-7)


def test_histogram_counts_everything_once(observed):
    trace, seen = observed
    inside = np.clip(trace, -0.1999, 0.1999)
    expected = np.stack(
        [[np.histogram(inside[i, :, j], 8, (-0.2, 0.2))[0] for j in range(4)] for i in range(3)], axis=0
    )
    counts = np.asarray(seen["counts"].counts)
    assert counts.sum() == trace.size
    # A value at an edge may fall to either side by rounding.
    assert np.abs(counts - expected).sum() <= 2


def test_spikes_are_averaged_as_numbers(key):
    params = energy.make_params(jnp.zeros((2, 2)))
    run = simulate(
        key,
        params,
        SpikingIntegrator(RHO),
        StepHyper(0.1),
        state=jnp.array([-0.6, 0.6]),
        n_steps=1,
        observe={"spikes": mean_of(lambda sample: sample.pre_spikes)},
    )
    assert run.observed["spikes"].mean.tolist() == [0.0, 1.0]


def mean_of_a_million(observer, value):
    sample = Sample(jnp.zeros(1), jnp.full(1, value), jnp.zeros(1))

    @jax.jit
    def run(sample):
        def one(seen, _):
            return observer.update(sample, seen), None

        return jax.lax.scan(one, observer.init(sample), None, length=1_000_000)[0]

    return run(sample)


def test_single_precision_keeps_its_digits_over_a_million_steps():
    value = np.float32(0.1)
    compensated = mean_of_a_million(mean_of(state_after), value)
    assert abs(float(compensated.mean[0]) / float(value) - 1) < 2e-7
    # Power: the sum that remembers no rounding error, in the same loop, is off by far more.
    naive = jax.jit(lambda x: jax.lax.scan(lambda s, _: (s + x, None), jnp.float32(0), None, length=1_000_000)[0])
    assert abs(float(naive(value)) / 1e6 / float(value) - 1) > 1e-4


def test_compensation_survives_in_a_simulation(key):
    # At rest off zero, where the rounding errors of a plain sum all have one sign for long.
    params = energy.make_params(jnp.zeros((1, 1)), [0.3])
    run = simulate(
        key,
        params,
        LeakyIntegrator(RHO),
        StepHyper(0.01),
        state=jnp.array([[0.1], [0.3]]),
        n_steps=200_000,
        trace_every=1,
        observe={"mean": mean_of(state_after)},
    )
    trace = np.asarray(run.trace)[..., 0]
    expected = trace.mean(1, dtype=np.float64)
    np.testing.assert_allclose(run.observed["mean"].mean[:, 0], expected, rtol=2e-7)
    naive = np.cumsum(trace, axis=1, dtype=np.float32)[:, -1] / np.float32(trace.shape[1])
    assert np.all(np.abs(naive / expected - 1) > 1e-5)


def test_numbers_and_complex_signals_have_their_mean():
    sample = Sample(jnp.zeros(1), jnp.full(1, 0.5), jnp.zeros(1))
    for function, expected in (
        (lambda sample: 1.5, 1.5),
        (lambda sample: 2, 2.0),
        (lambda sample: jax.lax.complex(sample.pre_rate[0], sample.next_post_state[0]), 0.5j),
    ):
        observer = mean_of(function)
        seen = observer.update(sample, observer.update(sample, observer.init(sample)))
        np.testing.assert_allclose(seen.mean, expected, atol=1e-6)


def test_nan_is_in_no_bin_and_infinity_in_the_last():
    observer = histogram_of(state_after, 0.0, 1.0, 2)
    seen = observer.init(Sample(*[jnp.zeros(3)] * 3))
    for values in ([np.nan, 0.2, np.inf], [0.7, np.nan, -np.inf]):
        seen = observer.update(Sample(jnp.zeros(3), jnp.array(values), jnp.zeros(3)), seen)
    assert seen.counts.tolist() == [[0, 1], [1, 0], [1, 1]]
    whole = histogram_of(lambda sample: sample.post_state > 0, 0.0, 2.0, 2)
    spikes = Sample(jnp.array([-1.0, 1.0]), jnp.zeros(2), jnp.zeros(2))
    assert whole.update(spikes, whole.init(spikes)).counts.tolist() == [[1, 0], [0, 1]]
