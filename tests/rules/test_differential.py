"""Eq 1 and Eq 2 against plain loops, step by step against whole trains, and the drift of the four pairings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.rules import PAIRINGS, Sample, differential_rule, rate_update, spike_update, state_slope


def trajectory(seed=0, n_steps=30, n_post=3, n_pre=4):
    rng = np.random.default_rng(seed)
    post = rng.normal(size=(n_steps + 1, n_post))
    return jnp.asarray(post, float), jnp.asarray(rng.uniform(size=(n_steps + 1, n_pre)), float)


def loop_total(post, rate, pairing, first=0):
    """Sum over time of the update from step `first` on, written out; before the record the rate is 0."""
    post, rate = np.asarray(post, np.float64), np.asarray(rate, np.float64)
    total = np.zeros((post.shape[1], rate.shape[1]))
    for t in range(first, len(post) - 1):
        factor = {
            "previous": rate[t - 1] if t > 0 else np.zeros(rate.shape[1]),
            "current": rate[t],
            "midpoint": (rate[t] + rate[t + 1]) / 2,
            "next": rate[t + 1],
        }[pairing]
        total += np.outer(post[t + 1] - post[t], factor)
    return total


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_rate_update_equals_a_loop(pairing):
    post, rate = trajectory()
    zero = jnp.zeros_like(rate[0])

    def other(t):
        earlier, later = {"previous_pre_rate": rate[t - 1] if t else zero}, {"next_pre_rate": rate[t + 1]}
        return {"previous": earlier, "current": {}, "midpoint": later, "next": later}[pairing]

    total = sum(rate_update(post[t], post[t + 1], rate[t], pairing=pairing, **other(t)) for t in range(30))
    np.testing.assert_allclose(total, loop_total(post, rate, pairing), atol=1e-5)


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_rule_in_a_scan_equals_the_loop(pairing):
    post, rate = trajectory()
    rule = differential_rule(pairing)
    n_steps = 31  # one step more, without change, so that the last update of "midpoint" and "next" comes out
    samples = Sample(
        post_state=post,
        next_post_state=jnp.concatenate([post[1:], post[-1:]]),
        pre_rate=rate,
        pre_spikes=jnp.zeros((n_steps, 4), bool),
        post_spikes=jnp.zeros((n_steps, 3), bool),
    )

    def step(rule_state, sample):
        delta_w, rule_state = rule.update(sample, rule_state, jnp.zeros((3, 4)))
        return rule_state, delta_w

    _, updates = jax.lax.scan(step, rule.init(jnp.zeros((3, 4))), samples)
    np.testing.assert_allclose(updates.sum(0), loop_total(post, rate, pairing), atol=1e-5)


@pytest.mark.parametrize(("pairing", "coefficient"), list(zip(PAIRINGS, (-3, -1, 0, 1), strict=True)))
def test_symmetric_part_is_a_boundary_term_plus_a_drift(pairing, coefficient):
    # For rates equal to activities: sum of the update and its transpose, minus the change of r_i r_j, is
    # c times the sum of the products of changes (exactly but for "previous", where it is so up to smoothness).
    with jax.enable_x64(True):
        time = jnp.arange(2001, dtype=float)[:, None] * 0.01
        rate = 0.5 + 0.3 * jnp.sin(time * jnp.array([[1.0, 1.3, 0.7]]) + jnp.array([[0.0, 1.0, 2.0]]))
        total = loop_total(rate, rate, pairing, first=1)
        boundary = np.outer(rate[-1], rate[-1]) - np.outer(rate[1], rate[1])
        change = np.diff(np.asarray(rate)[1:], axis=0)
        products = change.T @ change
        slope = ((total + total.T - boundary) * products).sum() / (products**2).sum()
    assert slope == pytest.approx(coefficient, abs=0.03)


def test_spike_update_is_the_rate_update_with_spikes():
    post, _ = trajectory()
    spikes = jnp.array([True, False, True])
    np.testing.assert_array_equal(
        spike_update(post[0], post[1], spikes), rate_update(post[0], post[1], spikes.astype(post.dtype))
    )


def test_mean_over_spikes_is_eq1_times_probability_unless_the_spike_moves_the_post(key):
    # Prescribed activity: exact on average. Spikes as input: bias eps rho' W p (1-p), here 0.1 * 0.5 * 0.16 = 0.008.
    p, n = 0.2, 200_000
    spikes = jax.random.bernoulli(key, p, (n, 1))
    ones = jnp.ones((n, 1))
    prescribed = np.asarray(spike_update(0 * ones, 0.3 * ones, spikes), np.float64)[:, 0, 0]
    driven = np.asarray(spike_update(0 * ones, 0.1 * 0.5 * spikes.astype(float), spikes), np.float64)[:, 0, 0]
    errors = [part.std() / np.sqrt(n) for part in (prescribed, driven)]
    assert abs(prescribed.mean() - 0.3 * p) < 4 * errors[0]
    bias = driven.mean() - 0.1 * 0.5 * p * p
    assert abs(bias - 0.1 * 0.5 * p * (1 - p)) < 4 * errors[1]
    assert abs(bias) > 20 * errors[1]


def test_state_slope():
    state = jnp.arange(6.0) ** 2
    np.testing.assert_allclose(state_slope(state), [2, 4, 6, 8])
    np.testing.assert_allclose(state_slope(state, "forward"), [3, 5, 7, 9])
    assert state_slope(jnp.zeros((2, 3, 10))).shape == (2, 3, 8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rate_update([0.0], [1.0], [0.5], pairing="next"), "next_pre_rate: expected the presynaptic rates"),
        (lambda: rate_update([0.0], [1.0], [0.5], pairing="previous"), "previous_pre_rate: expected"),
        (lambda: rate_update([0.0], [1.0], [0.5], next_pre_rate=[0.5]), "next_pre_rate: expected None with pairing"),
        (
            lambda: rate_update([0.0], [1.0], [0.5], pairing="next", next_pre_rate=[0.5], previous_pre_rate=[0.5]),
            "previous_pre_rate: expected None with pairing 'next'",
        ),
        (lambda: rate_update([0.0], [1.0, 2.0], [0.5]), "next_state: expected the shape of state"),
        (lambda: rate_update([np.nan], [1.0], [0.5]), "state: expected finite numbers"),
        (
            lambda: rate_update([0.0], [1.0], [0.5], pairing="next", next_pre_rate=[0.5, 0.5]),
            "next_pre_rate: expected the shape of pre_rate",
        ),
        (lambda: spike_update([0.0], [1.0], [0.5]), "pre_spikes: expected spike indicators"),
        (lambda: state_slope([1.0, 2.0]), "state: expected at least 3 bins"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
