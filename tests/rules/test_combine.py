"""Sums, multiples, masks and bounds of rules, for rules of traces and others."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpjax.rules import (
    Sample,
    bounded_rule,
    differential_rule,
    event_updates,
    hebb_rule,
    mask_rule,
    merge_spike_times,
    nearest_neighbour_rule,
    pair_rule,
    scale_rule,
    sum_rules,
    train_updates,
    triplet_rule,
)
from tests.rules.families import FAMILIES, rule_and_reference, times_of

PAIRS = pair_rule(0.8, 0.5, 3.0, 5.0)
TRIPLETS = triplet_rule(0.8, 0.6, 0.5, 0.4, 3.0, 5.0, 7.0, 4.0)
WINDOWED = nearest_neighbour_rule(np.array([-0.5, -1.0, 0.0, 1.0, 0.5]))
PRE, POST = np.random.default_rng(0).random((2, 40)) < 0.4


def updates(rule, weight=0.0):
    return np.asarray(train_updates(rule, PRE, POST, weight=weight), np.float64)


@pytest.mark.parametrize("parts", [(PAIRS,), (PAIRS, TRIPLETS), (PAIRS, TRIPLETS, PAIRS), (PAIRS, WINDOWED)])
def test_a_sum_changes_by_the_sum(parts):
    np.testing.assert_allclose(updates(sum_rules(*parts)), sum(map(updates, parts)), rtol=1e-5, atol=1e-6)
    assert (sum_rules(*parts).traces is None) == (WINDOWED in parts)


@pytest.mark.parametrize("rule", [PAIRS, WINDOWED, sum_rules(PAIRS, TRIPLETS)])
def test_a_multiple_changes_by_the_multiple(rule):
    np.testing.assert_allclose(updates(scale_rule(rule, -2.5)), -2.5 * updates(rule), rtol=1e-5, atol=1e-6)
    assert (scale_rule(rule, 2.0).traces is None) == (rule is WINDOWED)


@pytest.mark.parametrize("rule", [PAIRS, differential_rule()])
def test_a_mask_holds_the_other_weights(rule):
    mask = np.array([[1, 0, 1], [0, 0, 1]])
    state, next_state = jnp.array([0.2, -0.1]), jnp.array([0.1, 0.3])
    sample = Sample(state, next_state, jnp.array([0.1, 0.2, 0.3]), jnp.ones(3, bool), jnp.ones(2, bool))
    weights = jnp.zeros((2, 3))

    def second_step(rule):
        _, rule_state = rule.update(sample, rule.init(weights), weights)
        return np.asarray(rule.update(sample, rule_state, weights)[0])

    assert np.all(second_step(rule) != 0)
    np.testing.assert_array_equal(second_step(mask_rule(rule, mask)), mask * second_step(rule))


def test_events_of_a_combination():
    events = merge_spike_times(times_of(PRE), times_of(POST))
    both = sum_rules(PAIRS, scale_rule(hebb_rule(), 0.25))
    expected = event_updates(PAIRS, *events) + 0.25 * jnp.asarray(events.pre_spikes & events.post_spikes, float)
    np.testing.assert_allclose(event_updates(both, *events), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("exponent", "exponent_minus"), [("hard", None), (0.0, 1.0), (0.3, None), ("soft", 0.02)])
@pytest.mark.parametrize("name", FAMILIES)
def test_bounded_changes_against_a_plain_loop(name: str, exponent: Any, exponent_minus: float | None):
    lower, upper, weight = 0.3, 0.9, 0.5
    rule, reference = rule_and_reference(name, "all_to_all", "read_before", "ignore")
    up: float = {"hard": 0.0, "soft": 1.0}[exponent] if isinstance(exponent, str) else exponent
    down = up if exponent_minus is None else exponent_minus
    start, expected = weight, []
    for change in reference(times_of(PRE), times_of(POST)).values():
        room = (upper - weight) / (upper - lower) if change > 0 else (weight - lower) / (upper - lower)
        before = weight
        weight = min(max(weight + change * room ** (up if change > 0 else down), lower), upper)
        expected.append(weight - before)
    assert {lower, upper} & set(np.round(start + np.cumsum(expected), 9)) or exponent != "hard"
    options: Any = (exponent, exponent_minus)
    bounded = bounded_rule(rule, lower, upper, *options)
    found = event_updates(bounded, *merge_spike_times(times_of(PRE), times_of(POST)), weight=start)
    # At a bound fractional powers magnify rounding.
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-3.0, 3.0),
    st.floats(1e-3, 5.0),
    st.sampled_from([0.0, 0.02, 0.5, 1.0, 2.0]),
    st.floats(0.0, 1.0),
    st.floats(0.01, 100.0),
)
def test_bounds_are_never_left(seed, lower, span, exponent, learning_rate, amplitude):
    rng = np.random.default_rng(seed)
    low, high = np.float32(lower), np.float32(lower + span)
    weights = np.clip(rng.uniform(low, high, (5, 7)), low, high).astype(np.float32)
    spikes = rng.random((30, 7)) < 0.4, rng.random((30, 5)) < 0.4
    numbers = (jnp.asarray(number, jnp.float32) for number in (low, high, exponent, learning_rate, amplitude))
    seen = np.asarray(weights_by_step(weights, *spikes, *numbers))
    assert np.isfinite(seen).all()
    assert seen.min() >= low
    assert seen.max() <= high


@jax.jit
def weights_by_step(weights, pre, post, lower, upper, exponent, learning_rate, amplitude):
    rule = bounded_rule(scale_rule(PAIRS, amplitude), lower, upper, exponent)

    def step(carry, now):
        state, weights = carry
        delta_w, state = rule.update(Sample(jnp.zeros(5), jnp.zeros(5), jnp.zeros(7), *now), state, weights)
        weights = weights + learning_rate * delta_w
        return (state, weights), weights

    return jax.lax.scan(step, (rule.init(weights), weights), (pre, post))[1]


def test_without_the_margin_rounding_would_leave_the_bounds():
    # The power of the test above: what a plain difference does.
    rng = np.random.default_rng(0)
    weights = rng.uniform(-0.9, 0.3, 10**5).astype(np.float32)
    upper = np.float32(0.3)
    assert (weights + (upper - weights) > upper).any()
    nearly = np.float32(1 - 2 * np.finfo(np.float32).eps)
    assert not (weights + nearly * (upper - weights) > upper).any()


def test_a_rule_of_states_is_bounded_too():
    rule = bounded_rule(differential_rule(), 0.0, 1.0, "soft")
    sample = Sample(jnp.zeros(1), jnp.ones(1), jnp.array([0.5, 0.5]))
    weights = jnp.array([[0.25, 1.0]])
    np.testing.assert_allclose(rule.update(sample, rule.init(weights), weights)[0], [[0.375, 0.0]], atol=1e-6)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("weight", [0.0, 0.4, 1.0])
def test_gradients_stay_finite_at_the_bounds(exponent, weight):
    events = merge_spike_times(times_of(PRE), times_of(POST))

    def change(weight, exponent, amplitude):
        rule = bounded_rule(scale_rule(PAIRS, amplitude), 0.0, 1.0, exponent)
        return jnp.sum(event_updates(rule, *events, weight=weight))

    gradients = jax.grad(change, argnums=(0, 1, 2))(weight, exponent, 0.01)
    assert np.isfinite(gradients).all()
    assert gradients[2] != 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bounded_rule(PAIRS, 1.0, 0.0), "upper: expected a finite number above 1, got 0.0"),
        (lambda: bounded_rule(PAIRS, 1.0, 1.0), "upper: expected a finite number above 1, got 1.0"),
        (lambda: bounded_rule(PAIRS, np.inf, 1.0), "lower: expected a finite number, got inf"),
        (lambda: bounded_rule(PAIRS, 0.0, 1.0, -0.5), "exponent: expected a finite number at least 0"),
        (lambda: bounded_rule(PAIRS, 0.0, 1.0, 1.0, -1.0), "exponent_minus: expected a finite number at least 0"),
        (lambda: scale_rule(PAIRS, np.nan), "factor: expected a finite number"),
        (lambda: mask_rule(PAIRS, [1, 0]), r"mask: expected shape \[post, pre\], got \(2,\)"),
        (lambda: mask_rule(PAIRS, [[1, 2]]), "mask: expected spike indicators"),
        (lambda: train_updates(mask_rule(PAIRS, [[1, 0]]), [1, 0], [0, 1]), r"mask: expected the weights' shape"),
        (sum_rules, "rules: expected at least one rule, got none"),
        (
            lambda: sum_rules(*(nearest_neighbour_rule([-1.0, 0.0, 1.0], bin_ms=width) for width in (1.0, 0.5))),
            r"rules: expected kernels for one width of bins, got \[0.5, 1.0\] ms",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
