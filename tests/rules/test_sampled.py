"""Means and variances over sampled trains: against exact means, and against the same trains one by one."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax import rules, spikes

KEY = stdpjax.random.key(3)
PAIRS = rules.pair_rule(1.0, 0.5, 5.0, 10.0)
TRIPLETS = rules.triplet_rule(0.8, 0.6, 0.5, 0.4, 3.0, 5.0, 7.0, 4.0)
PRE, POST = np.random.default_rng(0).uniform(0.05, 0.4, (2, 2, 12)).astype(np.float32)


def one_by_one(rule, n_trials, weight=0.0):
    """The changes of each trial, [sequence, trial, time], of trains that are replayed."""
    pair = jax.jit(jax.vmap(lambda pre, post, trial, i: spikes.sample_pair(KEY, pre, post, sequence=i, trial=trial)))
    trials = np.arange(n_trials, dtype=np.uint32)
    found = []
    for i in range(len(PRE)):
        given = (np.tile(PRE[i], (n_trials, 1)), np.tile(POST[i], (n_trials, 1)))
        found.append(rules.train_updates(rule, *pair(*given, trials, np.full_like(trials, i)), weight=weight))
    return np.asarray(found, np.float64)


def assert_same(updates, changes):
    total = changes.sum(-1)
    np.testing.assert_allclose(updates.mean, changes.mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(updates.variance, changes.var(1, ddof=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(updates.total_mean, total.mean(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(updates.total_variance, total.var(1, ddof=1), rtol=1e-4)
    np.testing.assert_allclose(updates.total_standard_error**2 * updates.n_trials, updates.total_variance, rtol=1e-6)
    np.testing.assert_allclose(updates.standard_error**2 * updates.n_trials, updates.variance, rtol=1e-6)


@pytest.mark.parametrize(
    ("rule", "weight"),
    [
        (PAIRS, 0.0),
        (rules.nearest_neighbour_rule(rules.lag_kernel("exponential", 3)), 0.0),
        (rules.bounded_rule(TRIPLETS, 0.0, 1.0, exponent=1.0), 0.5),
    ],
)
def test_moments_are_those_of_the_same_trains_one_by_one(rule, weight):
    # Two blocks of trials, the last one partly filled.
    assert_same(rules.sampled_updates(KEY, rule, PRE, POST, 1070, weight=weight), one_by_one(rule, 1070, weight))


def test_means_are_the_exact_ones_of_the_rule_and_not_of_one_a_little_stronger():
    updates = rules.sampled_updates(KEY, TRIPLETS, PRE, POST, 20_000)
    stronger = rules.sum_rules(TRIPLETS, rules.pair_rule(0.1, 0.0, 3.0, 3.0))
    drawn = [spikes.round_to_grid(probability) for probability in (PRE, POST)]
    exact, other = (np.asarray(rules.expected_updates(rule, *drawn)) for rule in (TRIPLETS, stronger))
    # All but the first bin, which nothing comes before.
    error = np.asarray(updates.standard_error)[:, 1:]
    assert np.all(np.abs(np.asarray(updates.mean) - exact)[:, 1:] < 5 * error)
    assert np.any(np.abs(np.asarray(updates.mean) - other)[:, 1:] > 5 * error)
    total, total_error = np.asarray(updates.total_mean), np.asarray(updates.total_standard_error)
    assert np.all(np.abs(total - exact.sum(-1)) < 5 * total_error)
    assert np.all(np.abs(total - other.sum(-1)) > 5 * total_error)


def test_a_constant_change_has_its_value_and_no_variance():
    constant = rules.Rule(lambda weights: (), lambda sample, state, weights: (jnp.full_like(weights, 1e3), state))
    updates = rules.sampled_updates(KEY, constant, PRE, POST, 1070)
    assert np.all(np.asarray(updates.mean) == 1e3)
    assert np.all(np.asarray(updates.variance) == 0)
    assert np.all(np.asarray(updates.total_mean) == 1.2e4)
    assert np.all(np.asarray(updates.total_variance) == 0)


def test_states_and_rates_are_read_bin_by_bin():
    state, then, rate = np.random.default_rng(1).uniform(size=(3, *PRE.shape)).astype(np.float32)
    activity = rules.Sample(state, then, rate)
    by_rate = rules.sampled_updates(KEY, rules.differential_rule(), PRE, POST, 40, activity=activity)
    np.testing.assert_allclose(by_rate.mean, (then - state) * rate, rtol=1e-6)
    by_spikes = rules.differential_rule(presynaptic="spikes")
    updates = rules.sampled_updates(KEY, by_spikes, PRE, POST, 20_000, activity=activity)
    assert np.all(np.abs(updates.mean - (then - state) * PRE) < 5 * updates.standard_error)
    with pytest.raises(ValueError, match="post_state"):
        rules.sampled_updates(KEY, by_spikes, PRE, POST, 40)
    with pytest.raises(ValueError, match=r"activity: expected post_state, .* alone, got weights"):
        rules.sampled_updates(KEY, by_spikes, PRE, POST, 40, activity=activity._replace(weights=np.zeros((1, 1))))
    with pytest.raises(ValueError, match=r"activity\.pre_rate"):
        rules.sampled_updates(KEY, by_spikes, PRE, POST, 40, activity=activity._replace(pre_rate=rate[0]))


def test_many_trains_give_the_bits_of_few():
    pre, post = np.random.default_rng(2).random((2, 2, 550, 8)) < 0.3  # more than take a step together
    updates = rules.train_updates(TRIPLETS, pre, post)
    some = rules.train_updates(TRIPLETS, pre[1, 400:], post[1, 400:])
    np.testing.assert_array_equal(np.asarray(updates)[1, 400:], some)
    assert np.any(np.asarray(some) != 0)


PEAK = """
import re, pathlib, numpy as np, stdpjax
p = np.full(40, 0.1, np.float32)
stdpjax.rules.sampled_updates(stdpjax.random.key(0), stdpjax.rules.pair_rule(1.0, 0.5, 10.0, 20.0), p, p, {n_trials})
print(re.search(r"VmHWM:\\s+(\\d+) kB", pathlib.Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
def test_a_million_trials_take_the_memory_of_a_thousand():
    peaks = [
        int(subprocess.run([sys.executable, "-c", PEAK.format(n_trials=n)], capture_output=True, check=True).stdout)
        for n in (10**3, 10**6)
    ]
    assert peaks[1] - peaks[0] < 50 * 1024
