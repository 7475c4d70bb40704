"""Protocols: published times fall on their bins, lags and counts are those asked for, rates have the stated law."""

import hypothesis.strategies as st
import numpy as np
import pytest
import quantities as pq
from hypothesis import assume, given

from stdpjax import protocols, random, spikes

LAGS = st.sampled_from([-40.0, -10.0, -2.5, 0.0, 1.0, 10.0, 17.0])


def both(protocol):
    return protocol.pre_ms, protocol.post_ms


@pytest.mark.parametrize(
    "protocol",
    [
        *(protocols.pairs(lag, frequency) for lag in (-10, 10) for frequency in (0.1, 1, 10, 20, 40, 50)),
        *(protocols.triplets(*lags) for lags in ((5, -5), (10, -10), (15, -5), (5, -15), (-5, 5), (-10, 10))),
        *(protocols.quadruplets(interval) for interval in (-100, -23, -10, 10, 23, 100)),
        *(protocols.bursts(lag, frequency) for lag in (-10, 10) for frequency in (10, 20, 40, 50, 100)),
    ],
)
def test_published_times_are_whole_milliseconds_and_bins_keep_them(protocol):
    assert protocol.falls_on_bins(1.0)
    for times, train in zip(both(protocol), protocol.binned(1.0), strict=True):
        assert np.array_equal(times, np.round(times))
        assert np.array_equal(np.flatnonzero(train), times)
        assert times[-1] < protocol.duration_ms <= train.size
    finer = protocol.binned(0.1)
    assert np.array_equal(np.flatnonzero(finer[0]), np.round(10 * protocol.pre_ms))


@given(LAGS, st.floats(0.05, 100), st.integers(1, 20), st.sampled_from([0.0, 3.0]))
def test_pairs_have_their_lag_and_period(lag, frequency, n_pairs, extra):
    protocol = protocols.pairs(lag, frequency, n_pairs, lead_ms=max(0.0, -lag) + extra)
    pre, post = both(protocol)
    assert len(pre) == len(post) == n_pairs
    np.testing.assert_allclose(post - pre, lag, atol=1e-6)
    np.testing.assert_allclose(np.diff(pre), 1000 / frequency, atol=1e-6)
    assert min(pre[0], post[0]) == extra
    assert max(pre[-1], post[-1]) < protocol.duration_ms


@given(LAGS, LAGS)
def test_triplets_have_their_two_lags_in_order(first, second):
    assume(first * second < 0)
    pre, post = both(protocols.triplets(first, second, n_triplets=3))
    if first > 0:
        np.testing.assert_allclose((post - pre[::2], post - pre[1::2]), np.repeat([[first], [second]], 3, 1), atol=1e-9)
    else:
        np.testing.assert_allclose((post[::2] - pre, post[1::2] - pre), np.repeat([[first], [second]], 3, 1), atol=1e-9)


@given(st.sampled_from([-90.0, -20.0, -5.5, 5.5, 20.0, 90.0]))
def test_quadruplets_have_their_interval_between_the_middles_of_the_two_pairs(interval):
    pre, post = both(protocols.quadruplets(interval, n_quadruplets=1))
    depressing, potentiating = (0, 1) if interval > 0 else (1, 0)
    assert post[depressing] - pre[depressing] == pytest.approx(-5)
    assert post[potentiating] - pre[potentiating] == pytest.approx(5)
    middles = (pre + post) / 2
    assert middles[potentiating] - middles[depressing] == pytest.approx(interval)


def test_bursts_of_pairs_are_pairs_and_sweeps_are_apart():
    pre, post = both(protocols.bursts(-10, 20, n_bursts=2))
    one = protocols.pairs(-10, 20, 5)
    np.testing.assert_array_equal(pre, np.concatenate([one.pre_ms, one.pre_ms + 10_000]))
    np.testing.assert_array_equal(post, np.concatenate([one.post_ms, one.post_ms + 10_000]))


def test_what_is_off_the_bins_says_so_and_two_spikes_in_one_are_refused():
    assert not protocols.pairs(10, 30).falls_on_bins(1.0)
    assert not protocols.pairs(10.5).falls_on_bins(1.0)
    assert protocols.pairs(10.5).falls_on_bins(0.5)
    with pytest.raises(ValueError, match="expected at most one spike in a bin of 30 ms"):
        protocols.pairs(10, 50).binned(30)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: protocols.pairs(10, 0), "frequency_hz: expected a finite number above 0"),
        (lambda: protocols.pairs(np.nan), "lag_ms: "),
        (lambda: protocols.pairs(10, 1, 0), "n_pairs: "),
        (lambda: protocols.pairs(-10, lead_ms=5), "lead_ms: expected a finite number at least 10"),
        (lambda: protocols.triplets(5, 5), "second_lag_ms: expected a lag of the other sign"),
        (lambda: protocols.triplets(5, -5, 100), "frequency_hz: expected blocks that are over .* pre_ms takes 10 ms"),
        (lambda: protocols.quadruplets(5), "interval_ms: expected more than the lag of 5 ms either way, got 5"),
        (lambda: protocols.quadruplets(20, lag_ms=0), "lag_ms: expected a finite number above 0"),
        (lambda: protocols.bursts(0, 1, frequency_hz=1), "frequency_hz: expected blocks"),
        (lambda: protocols.repeated([3, 1], []), "pre_ms: expected increasing spike times"),
        (lambda: protocols.repeated([], [-1]), "post_ms: expected increasing spike times of at least 0 ms"),
        (lambda: protocols.repeated([], np.array([[1]])), "post_ms: "),
        (lambda: protocols.constant_rates(1001, 1, 100), "pre_hz: expected rates from 0 to 1000 Hz"),
        (lambda: protocols.constant_rates(1, -1, 100), "post_hz: expected rates"),
        (lambda: protocols.ramping_rates(1, 1, np.inf, 100), "post_stop_hz: expected"),
        (lambda: protocols.constant_rates(1, 1, 0.5), "duration_ms: "),
        (
            lambda: protocols.modulated_rates(600, 1, 1, 10, 100, lag_ms=0),
            "pre_hz: expected rates .* got values from 1200",
        ),
        (lambda: protocols.modulated_rates(1, 600, 1, 10, 100), "post_hz: expected rates .* got values from 1200"),
        # Seen once in each bin, these would be constant, and as slow as 100 Hz.
        (
            lambda: protocols.modulated_rates(10, 20, 0.5, 1000, 6),
            "frequency_hz: expected .* below 500 Hz, .* got 1000",
        ),
        (lambda: protocols.modulated_rates(10, 20, 0.5, 900, 6), "frequency_hz: expected a frequency below 500 Hz"),
        (lambda: protocols.modulated_rates(10, 20, 0.5, 500, 6), "frequency_hz: expected a frequency below 500 Hz"),
        (lambda: protocols.modulated_rates(10, 20, 0.5, 60, 60, 10), "below 50 Hz, half the rate of bins of 10 ms"),
        (lambda: protocols.pairs(np.complex64(5 + 3j)), "lag_ms: expected a finite number, got .*5"),
        (lambda: protocols.pairs(5, np.complex128(2)), "frequency_hz: expected a finite number above 0"),
        (lambda: protocols.constant_rates(1, np.array(5 + 3j), 100), "post_hz: expected a finite number"),
        *(
            (
                lambda dtype=dtype: protocols.repeated(np.array([100, 10], dtype), [2.0], 1, 1),
                r"pre_ms: expected increasing spike times of at least 0 ms, got \[.*100.*, .*10",
            )
            for dtype in (np.uint8, np.uint64, np.int8, np.float16, np.float32, np.longdouble)
        ),
        (lambda: protocols.repeated(np.array([5, 5], np.uint16), [2.0]), "pre_ms: expected increasing"),
        (
            lambda: protocols.Protocol(np.array([9, 8], np.uint8), np.ones(1), 20.0).binned(),  # pyright: ignore
            "pre_ms: expected increasing",
        ),
        (lambda: protocols.modulated_rates(1, 1, 1.5, 10, 100), "depth: "),
        (lambda: protocols.predicted_rates("up"), "course: expected one of 'constant', 'rising', 'falling', got 'up'"),
        (lambda: protocols.predicted_rates("rising", low_hz=9, high_hz=8), "high_hz: "),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_arms_of_the_prediction_share_all_means_and_rest_in_silence():
    arms = {course: protocols.predicted_rates(course, n_repeats=2) for course in protocols.COURSES}
    for course, arm in arms.items():
        assert arm.pre_hz.size == 1800
        np.testing.assert_allclose((arm.pre_hz[:400].mean(), arm.post_hz[:400].mean()), (20, 25), rtol=1e-12)
        assert not arm.pre_hz[400:900].any()
        assert not arm.post_hz[400:900].any()
        slopes = np.diff(arm.post_hz[:400])
        assert np.allclose(slopes, {"constant": 0, "rising": 0.1, "falling": -0.1}[course])
    np.testing.assert_allclose(arms["rising"].post_hz[:400], arms["falling"].post_hz[:400][::-1])


def test_the_prediction_holds_in_the_exact_mean_of_the_papers_rule_and_fails_for_a_rule_of_means():
    from stdpjax import rules

    def change(course, kernel):
        pre, post = protocols.predicted_rates(course, rest_ms=0).probabilities()
        table = spikes.expected_lag_counts(pre, post, boundary="valid")
        return float(rules.mean_update(table, kernel).sum())

    paper = rules.lag_kernel("exponential")
    assert abs(change("constant", paper)) < 1e-5
    assert change("rising", paper) > 0.02
    assert change("falling", paper) < -0.02
    assert change("constant", abs(paper)) > 0.5


def test_spikes_that_coincide_after_rounding_get_the_same_time():
    """One period after the presynaptic spike: all but the first and the last spikes are at the same instants."""
    for frequency in (30, 7, 0.3, 11.1):
        period = 1000 / frequency
        pre, post = both(protocols.pairs(period, frequency, n_pairs=60))
        np.testing.assert_array_equal(post[:-1], pre[1:])
        np.testing.assert_allclose(pre, np.arange(60) * period, rtol=1e-14)
        before, after = both(protocols.pairs(-period, frequency, n_pairs=60))
        np.testing.assert_array_equal(after[1:], before[:-1])
    # A distance that the numbers can hold stays.
    pre, post = both(protocols.pairs(1000 / 30 + 1e-6, 30, n_pairs=60))
    assert not np.isin(pre, post).any()


def test_protocols_made_by_hand_are_binned_with_the_same_tolerance():
    pre, post = np.array([0.1 * 3, 40.0]), np.array([0.3, 1e-3 * 39_999.999_999_9])
    for protocol in (protocols.Protocol(pre, post, 50.0), protocols.Protocol(post, pre, 50.0)):
        trains = [np.flatnonzero(train).tolist() for train in protocol.binned(0.1)]
        assert trains == [[3, 400], [3, 400]]
        assert protocol.falls_on_bins(0.1)
    with_units = protocols.Protocol(pre / 1000 * pq.s, post * pq.ms, 0.05 * pq.s)  # pyright: ignore
    assert [np.flatnonzero(train).tolist() for train in with_units.binned(100 * pq.us)] == [[3, 400], [3, 400]]
    assert with_units.falls_on_bins(0.1 * pq.ms)
    assert not with_units.falls_on_bins(0.25 * pq.ms)
    for protocol, message in (
        (protocols.Protocol(pre[::-1], post, 50.0), "pre_ms: expected increasing"),
        (protocols.Protocol(pre, post * pq.Hz, 50.0), "post_ms: expected times in ms"),
        (protocols.Protocol(pre, post, 5 * pq.mV), "duration_ms: expected a number in ms"),  # pyright: ignore
        (protocols.Protocol(pre, post, 30.0), "pre_ms: expected times in the record"),
    ):
        with pytest.raises(ValueError, match=message):
            protocol.binned(0.1)


@pytest.mark.parametrize(
    ("with_units", "plain"),
    [
        (
            lambda: protocols.pairs(0.01 * pq.s, 0.02 * pq.kHz, 5, lead_ms=3000 * pq.us),
            lambda: protocols.pairs(10, 20, 5, lead_ms=3),
        ),
        (lambda: protocols.triplets(5 * pq.ms, -0.005 * pq.s, 2 * pq.Hz), lambda: protocols.triplets(5, -5, 2)),
        (
            lambda: protocols.quadruplets(0.02 * pq.s, 0.004 * pq.s, 2 * pq.Hz),
            lambda: protocols.quadruplets(20, 4, 2),
        ),
        (
            lambda: protocols.bursts(-0.01 * pq.s, 0.02 * pq.kHz, frequency_hz=1e-4 / pq.ms),
            lambda: protocols.bursts(-10, 20, frequency_hz=0.1),
        ),
        (
            lambda: protocols.repeated([0, 0.004] * pq.s, [2 * pq.ms], 0.01 / pq.ms, 3),
            lambda: protocols.repeated([0, 4], [2], 10, 3),
        ),
        (
            lambda: protocols.constant_rates(0.02 * pq.kHz, 10 * pq.Hz, 1 * pq.s, 500 * pq.us),
            lambda: protocols.constant_rates(20, 10, 1000, 0.5),
        ),
        (
            lambda: protocols.ramping_rates(20, 0.01 / pq.ms, 0.02 * pq.kHz, 0.1 * pq.s),
            lambda: protocols.ramping_rates(20, 10, 20, 100),
        ),
        (
            lambda: protocols.modulated_rates(
                1 / pq.s, 0.02 * pq.kHz, 0.5, 0.01 * pq.kHz, 0.1 * pq.s, lag_ms=0.01 * pq.s
            ),
            lambda: protocols.modulated_rates(1, 20, 0.5, 10, 100, lag_ms=10),
        ),
        (
            lambda: protocols.predicted_rates(
                "rising", 0.02 * pq.kHz, 0.005 * pq.kHz, 0.045 * pq.kHz, 0.4 * pq.s, 2, 0.5 * pq.s, 0.002 * pq.s
            ),
            lambda: protocols.predicted_rates("rising", 20, 5, 45, 400, 2, 500, 2),
        ),
        # Single-precision numbers are what is written, not what is nearest: no drift over repeats.
        (
            lambda: protocols.pairs(np.float32(0.1), np.float32(0.1), lead_ms=np.float32(0.3)),
            lambda: protocols.pairs(0.1, 0.1, lead_ms=0.3),
        ),
    ],
)
def test_times_and_rates_may_carry_units(with_units, plain):
    got, want = with_units(), plain()
    assert type(got) is type(want)
    for one, other in zip(got, want, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)
        assert np.asarray(one).dtype == np.float64


def test_rates_given_by_hand_may_carry_units_and_are_checked():
    want = protocols.RateProtocol(np.full(4, 20.0), np.full(4, 40.0), 2.0)
    got = protocols.RateProtocol(np.full(4, 0.02) * pq.kHz, np.full(4, 40.0) * pq.Hz, 0.002 * pq.s)  # pyright: ignore
    np.testing.assert_allclose(np.stack(got.probabilities()), np.stack(want.probabilities()), rtol=1e-6)
    assert got.sample(random.key(0)).duration_ms == want.sample(random.key(0)).duration_ms == 8.0
    with pytest.raises(ValueError, match=r"post_hz: expected the shape of pre_hz"):
        protocols.RateProtocol(np.ones(4), np.ones(5), 1.0).probabilities()
    with pytest.raises(ValueError, match="pre_hz: expected a number in Hz"):
        protocols.RateProtocol(np.ones(4) * pq.s, np.ones(4), 1.0).probabilities()


def test_modulated_rates_lag_behind_each_other():
    protocol = protocols.modulated_rates(10, 20, 0.8, 5, 400, lag_ms=25)
    np.testing.assert_allclose(protocol.post_hz[25:] / 20, protocol.pre_hz[:-25] / 10, rtol=1e-9)
    assert np.ptp(protocols.modulated_rates(10, 20, 0.8, 5, 400).pre_hz) == 0


def test_a_constant_presynaptic_rate_is_bounded_as_it_is_and_fast_modulation_keeps_its_speed():
    protocol = protocols.modulated_rates(600, 10, 1.0, 10, 6)
    np.testing.assert_array_equal(protocol.pre_hz, 600)
    # 490 Hz over a second: 490 periods.
    power = np.abs(np.fft.rfft(protocols.modulated_rates(10, 20, 1.0, 490, 1000).post_hz - 20))
    assert np.argmax(power) == 490
    # Unsigned whole numbers are times as good as others.
    made = protocols.repeated(np.array([0, 200], np.uint8), np.array([7], np.uint8), np.uint8(1), 3)
    assert made.pre_ms.tolist() == [0, 200, 1000, 1200, 2000, 2200]
    assert made.post_ms.tolist() == [7, 1007, 2007]
    assert protocols.pairs(np.uint8(200), np.uint8(1), 2).post_ms.tolist() == [200, 1200]


def test_sampled_rates_are_those_prescribed():
    protocol = protocols.ramping_rates(40, 10, 90, 200, bin_ms=2.0)
    keys = random.member_keys(random.key(1), 400)
    trials = [protocol.sample(key) for key in keys]
    assert all(trial.duration_ms == 200 and trial.falls_on_bins(2.0) for trial in trials)

    def z(name, rate, from_ms, to_ms):
        counts = [np.sum((times >= from_ms) & (times < to_ms)) for times in (getattr(trial, name) for trial in trials)]
        expected = rate[(np.arange(rate.size) * 2.0 >= from_ms) & (np.arange(rate.size) * 2.0 < to_ms)].sum() * 0.002
        return (np.mean(counts) - expected) / (np.std(counts, ddof=1) / np.sqrt(len(counts)))

    for half in ((0, 100), (100, 200)):
        assert abs(z("pre_ms", protocol.pre_hz, *half)) < 4
        assert abs(z("post_ms", protocol.post_hz, *half)) < 4
    # A rate that does not ramp has the same mean, and would be seen.
    assert abs(z("post_ms", np.full(100, 50.0), 0, 100)) > 4
    correlation = np.corrcoef([len(trial.pre_ms) for trial in trials], [len(trial.post_ms) for trial in trials]).item(1)
    assert abs(correlation) < 4 / np.sqrt(400)
