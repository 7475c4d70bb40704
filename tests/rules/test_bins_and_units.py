"""Rules hold milliseconds, trains have bins: any width of bin gives the numbers of the same spikes as events."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import quantities as pq

from stdpjax import fitting, protocols, rules, spikes
from stdpjax.rules import (
    bounded_rule,
    effective_window,
    event_updates,
    event_weight_change,
    expected_updates,
    merge_spike_times,
    nearest_neighbour_rule,
    pair_rule,
    presets,
    scale_rule,
    sum_rules,
    suppression_rule,
    train_updates,
    triplet_rule,
)

PRE_MS, POST_MS = [10.0, 52.0, 90.0, 140.0], [12.0, 46.0, 90.0, 148.0, 180.0]
WIDTHS = (0.1, 0.5, 1.0, 2.0)


def trains(bin_ms):
    return spikes.from_times([PRE_MS, POST_MS], 0, 200, bin_ms)


@pytest.mark.parametrize("name", presets)
def test_published_rules_give_the_same_in_bins_of_any_width(name):
    rule = presets[name].rule()
    change = float(event_weight_change(rule, *merge_spike_times(PRE_MS, POST_MS)))
    for bin_ms in WIDTHS:
        in_bins = train_updates(rule, *trains(bin_ms), bin_ms=bin_ms).sum()
        np.testing.assert_allclose(in_bins, change, rtol=2e-5, atol=5e-7)
    # The twin: time constants that turn into bins.
    assert abs(float(train_updates(rule, *trains(0.1)).sum()) / change - 1) > 0.05


def test_exact_means_and_windows_scale_with_the_bin():
    # exp(-2 bins of 0.5 ms / 10 ms)
    rule = pair_rule(1.0, 0.5, 10.0, 20.0)
    found = expected_updates(rule, [0.5, 0.0, 0.0], [0.0, 0.0, 0.1], bin_ms=0.5)
    assert float(found[-1]) == pytest.approx(0.05 * np.exp(-0.1), rel=1e-6)
    window = effective_window(rule, 0.1, 0.2, 3, bin_ms=0.5 * pq.ms)
    lags = 0.5 * np.arange(-3, 4)
    expected = np.where(lags > 0, np.exp(-lags / 10), -0.5 * np.exp(lags / 20)) * (lags != 0)
    np.testing.assert_allclose(window, expected, atol=1e-5)


def test_a_kernel_in_bins_is_used_with_these_alone_also_within_other_rules():
    half = nearest_neighbour_rule(rules.lag_kernel("exponential", 20, tau=5.0, bin_ms=0.5), bin_ms=0.5)
    pre, post = [1] + [0] * 30, [0] * 4 + [1] + [0] * 26
    for rule in (half, sum_rules(half, pair_rule(0.0, 0.0, 1.0, 1.0)), scale_rule(half, 1.0)):
        in_bins = train_updates(rule, pre, post, bin_ms=0.5)
        assert float(in_bins.sum()) == pytest.approx(np.exp(-4 * 0.5 / 5), rel=1e-6)
        with pytest.raises(ValueError, match=r"bin_ms: expected 0\.5 ms, the bins that the rule's kernel .* got 1"):
            train_updates(rule, pre, post)


@pytest.mark.parametrize(
    ("with_units", "plain"),
    [
        (pair_rule(1.0, 0.5, 0.010 * pq.s, 20 * pq.ms), pair_rule(1.0, 0.5, 10.0, 20.0)),
        (
            triplet_rule(1.0, 2.0, 3.0, 4.0, 0.01 * pq.s, 0.02 * pq.s, 0.1 * pq.s, 0.05 * pq.s),
            triplet_rule(1.0, 2.0, 3.0, 4.0, 10.0, 20.0, 100.0, 50.0),
        ),
        (
            suppression_rule(1.0, 0.5, 0.01 * pq.s, 0.02 * pq.s, 0.03 * pq.s, 0.04 * pq.s),
            suppression_rule(1.0, 0.5, 10.0, 20.0, 30.0, 40.0),
        ),
        (presets["bi_poo_2001"].rule(tau_plus=0.0168 * pq.s), presets["bi_poo_2001"].rule()),
    ],
)
def test_time_constants_with_units_are_converted(with_units, plain):
    events = merge_spike_times(np.array(PRE_MS) / 1000 * pq.s, POST_MS * pq.ms)
    want = event_weight_change(plain, *merge_spike_times(PRE_MS, POST_MS))
    assert float(event_weight_change(with_units, *events)) == pytest.approx(float(want), rel=1e-6)
    in_bins = train_updates(with_units, *trains(0.5), bin_ms=500 * pq.us).sum()
    assert float(in_bins) == pytest.approx(float(want), rel=1e-5)


def antisymmetric_by_hand(n_pairs, period, tau):
    """Pre at periods 0 ... n - 1 and post at 1 ... n, in whole numbers: a pair at the same instant does nothing."""
    lags = np.arange(1, n_pairs + 1)[:, None] - np.arange(n_pairs)[None, :]
    return np.sum(np.sign(lags) * np.exp(-np.abs(lags) * period / tau))


@pytest.mark.parametrize("hz", [30, 7, 70])
def test_spikes_that_coincide_up_to_rounding_coincide(hz):
    period = 1000 / hz
    rule = pair_rule(1.0, 1.0, 10.0, 10.0)
    want = antisymmetric_by_hand(60, period, 10.0)
    protocol = protocols.pairs(period, hz, n_pairs=60)
    change = event_weight_change(rule, *merge_spike_times(protocol.pre_ms, protocol.post_ms))
    assert float(change) == pytest.approx(want, abs=1e-4)
    by_hand = protocols.Protocol(np.arange(60) * period, np.cumsum(np.full(60, period)), 61 * period)
    numbers = {"A_plus": 1.0, "A_minus": 1.0, "tau_plus": 10.0, "tau_minus": 10.0}
    np.testing.assert_allclose(fitting.predict("pair", numbers, [protocol, by_hand]), want, atol=1e-4)


def test_times_in_single_precision_coincide_up_to_their_resolution():
    late = (1e5 + np.arange(20) * (1000 / 30)).astype(np.float32)
    next_to_it = np.nextafter(late, np.float32(np.inf))
    assert (late != next_to_it).all()
    assert len(merge_spike_times(late, next_to_it).times) == 20
    # As do double-precision numbers of the same times, and a lag that these numbers do resolve stays.
    assert len(merge_spike_times(late, 1e5 + np.arange(20) * (1000 / 30)).times) == 20
    assert len(merge_spike_times(late, late + np.float32(0.05)).times) == 40


def test_one_neuron_cannot_spike_twice_at_an_instant():
    with pytest.raises(ValueError, match="pre_times: expected rising times, got"):
        merge_spike_times([0.1 + 0.2, 0.30000000001], [])
    with pytest.raises(ValueError, match="times: expected spikes of the same instant as one event, got two events"):
        event_updates(pair_rule(1.0, 1.0, 1.0, 1.0), [0.3, 0.1 + 0.2], [1, 0], [0, 1])


def test_spikes_that_come_faster_than_any_neuron_spikes_are_taken_for_seconds():
    seconds = np.arange(60) * 0.17
    with pytest.raises(ValueError, match=r"post_times: expected milliseconds, got 60 spikes 0\.17 ms apart on average"):
        merge_spike_times(1000 * seconds, seconds)
    assert len(merge_spike_times(seconds, [], check_unit=False).times) == 60
    assert len(merge_spike_times(seconds * pq.ms, []).times) == 60
    assert len(merge_spike_times(seconds[:9], []).times) == 9


def test_rows_and_columns_of_times_are_trains():
    for times in (np.array([[10.0, 20.0]]), np.array([[10.0], [20.0]])):
        assert merge_spike_times(times, [20.0]).times.tolist() == [10.0, 20.0]


def test_times_that_single_precision_cannot_tell_apart_say_so():
    with pytest.raises(
        ValueError, match=r"pre_times: expected rising times, got .*, the same to the resolution of float32"
    ):
        merge_spike_times(np.array([1e7, 1e7 + 1], np.float32), [])


def test_a_skipped_coincidence_leaves_both_spikes_in_the_traces():
    # Post at 1 pairs with pre at 0, whose own coincidence was skipped: exp(-1 / 10).
    for scheme in rules.SCHEMES:
        for order in rules.ORDERS:
            rule = pair_rule(1.0, 0.0, 10.0, 10.0, scheme, order, "skip")
            np.testing.assert_allclose(train_updates(rule, [1, 0], [1, 1]), [0, np.exp(-0.1)], rtol=1e-6)


BOUNDED = bounded_rule(pair_rule(0.1, 0.1, 10.0, 10.0), 0.0, 1.0, "soft")


@pytest.mark.parametrize(
    "rule", [BOUNDED, scale_rule(BOUNDED, 0.5), sum_rules(BOUNDED, rules.hebb_rule()), bounded_rule(BOUNDED, -9.0, 9.0)]
)
def test_a_start_outside_the_bounds_is_refused(rule):
    for weight in (-0.1, 1.5):
        for start in (
            lambda weight=weight: train_updates(rule, [0, 0], [0, 0], weight=weight),
            lambda weight=weight: event_weight_change(rule, [0.0], [False], [False], weight=weight),
        ):
            with pytest.raises(ValueError, match="weights: expected a start within the rule's bounds, 0 to 1, got 1 "):
                start()
    assert np.abs(train_updates(rule, [0, 0], [0, 0], weight=1.0)).max() == 0


def test_nothing_but_spikes_moves_a_traced_weight_outside_the_bounds():
    def change(weight, pre, post):
        return train_updates(BOUNDED, pre, post, weight=weight)

    outside = jnp.array([-0.5, 1.5])
    assert np.abs(jax.vmap(lambda weight: change(weight, [0, 0], [0, 0]))(outside)).max() == 0
    # Towards the bounds it may go: depression from above, potentiation from below.
    down, up = (
        jax.vmap(lambda weight, spikes=spikes: change(weight, *spikes).sum())(outside)
        for spikes in (([0, 1], [1, 0]), ([1, 0], [0, 1]))
    )
    assert float(down[1]) < 0 == float(up[1])
    assert float(up[0]) > 0 == float(down[0])
