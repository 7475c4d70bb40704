"""Nearest-neighbour STDP: whole trains, step by step, and refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpjax.rules import (
    LAG_KERNELS,
    Sample,
    lag_kernel,
    lag_update,
    mean_update,
    nearest_neighbour_rule,
    train_updates,
)
from stdpjax.spikes import COINCIDENCES, SIDES, expected_lag_counts, nearest_lag
from tests.spikes.reference import loop_nearest_lag

SIGN = lag_kernel("sign", 2)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 1.0),
    st.sampled_from(sorted(LAG_KERNELS)),
    st.sampled_from(COINCIDENCES),
    st.sampled_from(SIDES),
)
def test_step_by_step_equals_the_whole_train(seed, density, name, coincidence, sides):
    window, n_steps, n_pre, n_post = 5, 40, 2, 3
    spikes = np.random.default_rng(seed).random((n_steps, n_pre + n_post)) < density
    kernel = lag_kernel(name, window)
    rule = nearest_neighbour_rule(kernel, coincidence, sides=sides)
    # Silence at the end lets the last windows close.
    padded = jnp.asarray(np.concatenate([spikes, np.zeros((window, n_pre + n_post), bool)]))

    def step(rule_state, now):
        sample = Sample(jnp.zeros(n_post), jnp.zeros(n_post), jnp.zeros(n_pre), now[:n_pre], now[n_pre:])
        delta_w, rule_state = rule.update(sample, rule_state, jnp.zeros((n_post, n_pre)))
        return rule_state, delta_w

    _, updates = jax.lax.scan(step, rule.init(jnp.zeros((n_post, n_pre))), padded)
    assert not updates[:window].any()
    for i in range(n_post):
        for j in range(n_pre):
            lags = loop_nearest_lag(spikes[:, j], spikes[:, n_pre + i], window, coincidence, sides)
            np.testing.assert_array_equal(updates[window:, i, j], lag_update(np.array(lags), kernel))


def test_lag_update_reads_the_kernel():
    kernel = lag_kernel("linear", 4)
    np.testing.assert_allclose(lag_update(np.arange(-4, 5), kernel), kernel)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint32, np.int64, np.uint64])
@pytest.mark.parametrize("window", [1, 5, 100, 200])
def test_lags_of_any_type_are_whole_numbers(dtype, window):
    kernel = lag_kernel("linear", window)
    known = np.iinfo(dtype)
    lags = [max(known.min, -(2**40)), *range(max(known.min, -3), 4), 100, 127, min(known.max, 2**32 + 1)]
    expected = [float(kernel[lag + window]) if abs(lag) <= window else 0 for lag in lags]
    np.testing.assert_array_equal(lag_update(np.array(lags, dtype), kernel), expected)
    if np.dtype(dtype).itemsize < 8:
        np.testing.assert_array_equal(jax.jit(lag_update)(np.array(lags, dtype), kernel), expected)


def test_mean_update_is_the_sum_over_lags(key):
    p, q = jax.random.uniform(key, (2, 3, 60), dtype=float)
    kernel = lag_kernel("bi_poo", 7)
    table = expected_lag_counts(p, q, 7)
    by_hand = sum(float(kernel[i]) * np.asarray(table)[..., i] for i in range(15))
    np.testing.assert_allclose(mean_update(table, kernel), by_hand, atol=1e-6)


def test_a_lag_beyond_the_kernel_is_no_pair_and_lag_0_changes_nothing():
    kernel = jnp.array([-1.0, 0.3, 1.0])
    pre, post = np.array([1, 0, 0, 1, 0], bool), np.array([0, 1, 0, 0, 0], bool)
    lag = nearest_lag(pre, post, 1)
    unpaired = jax.jit(lambda kernel: lag_update(lag, kernel))(kernel)
    in_steps = jax.jit(lambda kernel: train_updates(nearest_neighbour_rule(kernel), pre, post))(kernel)
    in_table = jax.jit(lambda kernel: mean_update(jax.nn.one_hot(lag + 1, 3), kernel))(kernel)
    np.testing.assert_array_equal(unpaired, [1, 0, 0, 0, 0])
    np.testing.assert_array_equal(in_steps[1:], unpaired[:-1])
    np.testing.assert_array_equal(in_table, unpaired)


def test_update_of_one_train():
    pre, post = np.zeros(50, bool), np.zeros(50, bool)
    pre[[10, 30]] = True
    post[[13, 27]] = True
    update = lag_update(nearest_lag(pre, post, 5), lag_kernel("exponential", 5, tau=3.0))
    expected = np.zeros(50)
    expected[[10, 30]] = np.exp(-1), -np.exp(-1)
    np.testing.assert_allclose(update, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lag_update(np.array([1]), np.ones(4)), "kernel: expected one value for each lag .* got shape"),
        (lambda: mean_update(np.ones((3, 5)), np.zeros(7)), "lag_table: expected 7 lags on the last axis"),
        (lambda: nearest_neighbour_rule(np.ones((3, 3))), "kernel: expected one value for each lag"),
        (lambda: mean_update(np.ones(3), [1.0, np.nan, 1.0]), "kernel: expected finite numbers"),
        *[
            (lambda use=use: use([-1.0, 0.3, 1.0]), r"kernel: expected 0 at lag 0, which stands for no pair, got 0\.3")
            for use in (
                lambda kernel: lag_update(np.array([1]), kernel),
                lambda kernel: mean_update(np.ones(3), kernel),
                nearest_neighbour_rule,
            )
        ],
        (lambda: lag_update(np.array([0.5]), SIGN), "lags: expected whole numbers of bins, got dtype float64"),
        (lambda: nearest_neighbour_rule(SIGN, bin_ms=0.0), "bin_ms: expected a finite number above 0"),
        (
            lambda: train_updates(nearest_neighbour_rule(SIGN), [1, 0], [0, 1], bin_ms=0.1),
            "bin_ms: expected 1 ms, the bins that the rule's kernel is made for, got 0.1",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
