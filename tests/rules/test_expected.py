"""Exact means of rules of traces: every train enumerated, Monte Carlo with twins, derivatives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import rules
from stdpjax.rules import expected_updates, train_updates
from tests.rules.families import FAMILIES, READINGS, binned, rule_and_reference, times_of

N_BINS = 4
PRE = np.array([0.3, 0.9, 0.2, 0.6])
POST = np.array([0.7, 0.4, 0.5, 0.8])


def probability_of(train, rates):
    return np.prod(np.where(train, rates, 1 - rates))


@pytest.mark.parametrize("which", READINGS)
def test_the_mean_is_the_sum_over_all_trains(which):
    rule, reference = rule_and_reference(*which)
    trains = list(itertools.product([False, True], repeat=N_BINS))
    total = np.zeros(N_BINS)
    for pre, post in itertools.product(trains, trains):
        changes = reference(times_of(pre), times_of(post))
        total += probability_of(pre, PRE) * probability_of(post, POST) * np.array(binned(changes, N_BINS))
    with jax.enable_x64(True):
        np.testing.assert_allclose(expected_updates(rule, PRE, POST), total, atol=1e-14)


def rates(n_sequences=6, n_steps=50):
    return np.random.default_rng(0).uniform(0.05, 0.35, (2, n_sequences, n_steps))


def z_scores(which, mean_of, seed, n_trials=2000):
    """Differences of sampled and exact means in standard errors, for all bins that can change at all."""
    rule, _ = rule_and_reference(*which)
    probability = rates()
    draws = np.random.default_rng(seed).random((n_trials, *probability.shape)) < probability
    updates = np.asarray(train_updates(rule, draws[:, 0], draws[:, 1]), np.float64)
    exact = np.asarray(expected_updates(mean_of, *probability), np.float64)
    error = updates.std(0, ddof=1) / np.sqrt(n_trials)
    return ((updates.mean(0) - exact) / np.where(error > 0, error, 1))[error > 0]


def pooled_scores(readings):
    by_reading = [z_scores(which, rule_and_reference(*which)[0], READINGS.index(which)) for which in readings]
    for scores in by_reading:
        assert scores.std() == pytest.approx(1, abs=0.25)
    return np.concatenate(by_reading)


def check(pooled):
    assert pooled.std() == pytest.approx(1, abs=0.05)
    assert abs(pooled.mean()) < 0.1
    assert np.abs(pooled).max() < 5.5


def test_sampled_means_are_where_their_errors_say():
    # Coincidences as they come: every scheme once, in either order.
    readings = [which for i, which in enumerate(READINGS) if which[3] == "ignore" and i % 4 // 2 == i // 4 % 2]
    assert {which[:2] for which in readings} == {which[:2] for which in READINGS}
    check(pooled_scores(readings))


@pytest.mark.slow
def test_sampled_means_of_all_readings_are_where_their_errors_say():
    check(pooled_scores(READINGS))


@pytest.mark.parametrize(
    ("which", "wrong"),
    [
        (("pair", "all_to_all", "read_before", "ignore"), ("pair", "nearest_symmetric", "read_before", "ignore")),
        (
            ("pair", "nearest_symmetric", "read_before", "ignore"),
            ("pair", "reduced_symmetric", "read_before", "ignore"),
        ),
        (("pair", "presynaptic_centred", "read_before", "ignore"), ("pair", "all_to_all", "read_before", "ignore")),
        (("pair", "reduced_symmetric", "read_before", "ignore"), ("pair", "reduced_symmetric", "read_before", "skip")),
        (("triplet", "all_to_all", "read_before", "ignore"), ("triplet", "all_to_all", "read_after", "ignore")),
        (("triplet", "nearest", "read_before", "ignore"), ("triplet", "nearest", "read_after", "ignore")),
        (("suppression", "all_to_all", "read_before", "ignore"), ("suppression", "nearest", "read_before", "ignore")),
    ],
)
def test_the_mean_of_another_reading_is_found_out(which, wrong):
    assert z_scores(which, rule_and_reference(*wrong)[0], 100).std() > 1.25


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_by_rates_and_numbers_equal_finite_differences(name):
    family = FAMILIES[name]
    with jax.enable_x64(True):
        pre, post = (jnp.asarray(row[0]) for row in rates(1, 20))
        numbers = jnp.asarray(family.numbers)
        for scheme in family.schemes:

            @jax.jit
            def total(numbers, pre, post, scheme=scheme):
                rule = family.make(*(numbers[i] for i in range(len(family.numbers))), scheme=scheme)
                return jnp.sum(jnp.arange(1.0, 21.0) * expected_updates(rule, pre, post))

            gradients = jax.grad(total, argnums=(0, 1, 2))(numbers, pre, post)
            arguments = [numbers, pre, post]
            for k, gradient in enumerate(gradients):
                for i in range(0, gradient.size, 1 if k == 0 else 5):
                    h = 1e-6 * jnp.eye(gradient.size)[i]
                    up, down = ([*arguments[:k], arguments[k] + s * h, *arguments[k + 1 :]] for s in (1, -1))
                    measured = (total(*up) - total(*down)) / 2e-6
                    assert float(gradient[i]) == pytest.approx(float(measured), rel=1e-6, abs=1e-8)


def test_constant_rates_settle_to_the_closed_form():
    # Geometric series: the mean of a trace, where spikes add up and where the last alone counts.
    p, q, plus, minus, tau_plus, tau_minus = 0.1, 0.2, 0.8, 0.5, 3.0, 5.0
    up, down = np.exp(-1 / tau_plus), np.exp(-1 / tau_minus)
    sums = (p * up / (1 - up), q * down / (1 - down))
    nearest = (p * up / (1 - (1 - p) * up), q * down / (1 - (1 - q) * down))
    all_pairs = rules.pair_rule(plus, minus, tau_plus, tau_minus)
    nearest_pairs = rules.pair_rule(plus, minus, tau_plus, tau_minus, "nearest_symmetric")
    for rule, (x, y) in ((all_pairs, sums), (nearest_pairs, nearest)):
        mean = expected_updates(rule, np.full(200, p), np.full(200, q))[-1]
        assert float(mean) == pytest.approx(plus * q * x - minus * p * y, rel=1e-5)


def test_triplets_drift_at_constant_rates_and_turn_where_their_closed_form_does():
    def settled(tau):
        return np.exp(-1 / tau) / (1 - np.exp(-1 / tau))

    rule = rules.presets["pfister_gerstner_2006_visual_cortex_all_to_all_minimal"].rule()
    turn = 7.1e-3 * settled(33.7) / (6.5e-3 * settled(16.8) * settled(114.0))
    assert 1000 * turn == pytest.approx(19.60, abs=0.005)  # Hz
    post = np.array([0.01, 0.03, turn])
    pre = 0.02
    found = expected_updates(rule, np.full((3, 1500), pre), np.tile(post[:, None], 1500))[:, -1]
    drift = pre * post * (6.5e-3 * settled(16.8) * post * settled(114.0) - 7.1e-3 * settled(33.7))
    np.testing.assert_allclose(found[:2], drift[:2], rtol=1e-4)
    assert abs(float(found[2])) < 1e-4 * float(found[1])


def test_means_of_combined_rules_combine():
    rule, other = rules.pair_rule(1.0, 0.5, 3.0, 5.0), rules.hebb_rule()
    pre, post = rates()
    parts = expected_updates(rule, pre, post), expected_updates(other, pre, post)
    np.testing.assert_allclose(parts[1], pre * post, rtol=1e-6)
    both = rules.sum_rules(rule, rules.scale_rule(other, -0.5))
    np.testing.assert_allclose(expected_updates(both, pre, post), parts[0] - 0.5 * parts[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rule: expected_updates(rule, [0.5, 1.5], [0.5, 0.5]), "pre_probability: expected spike probabilities"),
        (lambda rule: expected_updates(rule, [0.5], [0.5, 0.5]), "post_probability: expected the shape"),
        (
            lambda rule: expected_updates(rules.bounded_rule(rule, 0.0, 1.0), [0.5], [0.5]),
            "rule: expected one whose changes do not depend on the weight",
        ),
        (
            lambda rule: expected_updates(rules.nearest_neighbour_rule(rules.lag_kernel("sign")), [0.5], [0.5]),
            "rule: expected a rule of traces",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call(rules.pair_rule(1.0, 1.0, 10.0, 10.0))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precision_probabilities_have_the_mean_of_their_values(dtype):
    rule = rules.pair_rule(1.0, 0.5, 10.0, 20.0)
    half = jnp.full(200, 0.002, dtype)
    found = expected_updates(rule, half, half)
    np.testing.assert_array_equal(found, expected_updates(rule, *2 * [half.astype(jnp.float32)]))
    assert found.dtype == jnp.float32
