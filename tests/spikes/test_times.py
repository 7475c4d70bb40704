"""Spike times to bins and back: what is taken, where a spike goes, and one clear refusal for each mistake."""

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
import pytest
import quantities as pq
import scipy.io
from hypothesis import given, settings

from stdpjax.spikes import from_times, times, to_times

FACTORS = {"s": 1000.0, "ms": 1.0, "us": 0.001}


def cell(trains, shape):
    """A cell of MATLAB: an array of objects."""
    array = np.empty(len(trains), object)
    for i, train in enumerate(trains):
        array[i] = train if np.isscalar(train) else np.asarray(train)
    return array.reshape(shape)


class WithUnit:
    """What Neo's trains and quantities have in common: a unit that can be changed."""

    def __init__(self, times, unit):
        self.magnitude = np.asarray(times)
        self.unit = unit

    def rescale(self, unit):
        if self.unit not in FACTORS:
            raise ValueError(f"Unable to convert between units of {self.unit!r} and {unit!r}")
        return WithUnit(self.magnitude * (FACTORS[self.unit] / FACTORS[unit]), unit)


@settings(deadline=None)
@given(st.sampled_from([0.1, 0.25, 1 / 3, 1.0, 2.5]), st.sets(st.integers(0, 999)), st.sampled_from([0.0, -7.5, 1e4]))
def test_a_spike_at_the_edge_of_a_bin_is_in_that_bin_whatever_rounding_does(bin_ms, bins, start):
    bins = sorted(bins)
    train = np.asarray(from_times([start + k * bin_ms for k in bins], start, start + 1000 * bin_ms, bin_ms))
    assert np.flatnonzero(train).tolist() == bins
    back = to_times(train, start, bin_ms)
    np.testing.assert_allclose(back, start + np.array(bins) * bin_ms, rtol=1e-12, atol=1e-9)


@given(st.lists(st.floats(0, 99.999), max_size=12))
def test_every_spike_is_in_the_bin_that_holds_it_or_two_in_one_are_refused(times):
    times = sorted(times)
    bins = np.floor(np.array(times) + 1e-6).astype(int)
    if len(set(bins.tolist())) < len(bins):
        with pytest.raises(
            ValueError, match=r"times: expected (at most one spike in a bin of 1 ms, got .* and|each time once)"
        ):
            from_times(times, 0, 100, 1, check_unit=False)
    else:
        assert np.flatnonzero(from_times(times, 0, 100, 1, check_unit=False)).tolist() == bins.tolist()


def test_single_precision_times_keep_their_bins():
    times = (np.arange(0, 100_000, 7) * 0.1).astype(np.float32)
    train = from_times(times, 0, 10_000, 0.1)
    assert np.flatnonzero(train).tolist() == list(range(0, 100_000, 7))


@pytest.mark.parametrize(
    "times",
    [
        [[1.0, 5.0], [], [2.0]],
        [np.array([1.0, 5.0]), np.array([]), [2]],
        (WithUnit([0.001, 0.005], "s"), WithUnit([], "ms"), WithUnit([2000.0], "us")),
    ],
)
def test_several_trains_of_any_kind(times):
    trains = from_times(times, 0, 10, 1)
    assert trains.shape == (3, 10)
    assert [np.flatnonzero(train).tolist() for train in trains] == [[1, 5], [], [2]]


def test_one_train_has_no_train_axis_and_arrays_of_two_axes_are_several():
    assert from_times([], 0, 10, 1).shape == (10,)
    assert from_times(np.zeros(0), 0, 10, 1).shape == (10,)
    assert from_times(jnp.array([3.0]), 0, 10, 1).shape == (10,)
    assert from_times(WithUnit([3.0], "ms"), 0, 10, 1).shape == (10,)
    assert from_times(np.array([[1.0, 2.0], [3.0, 4.0]]), 0, 10, 1).shape == (2, 10)


def test_to_times_is_the_inverse_over_any_axes():
    trains = np.random.default_rng(0).random((2, 3, 50)) < 0.3
    times = to_times(trains, start=-5, bin_ms=0.5)
    back = np.stack([from_times(rows, -5, 20, 0.5) for rows in times])
    np.testing.assert_array_equal(back, trains)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([3.0, 1.0], "times: expected increasing times, got 1 ms after 3 ms"),
        ([[1.0], [3.0, 1.0]], r"times\[1\]: expected increasing times"),
        ([-1.0, 2.0], "times: expected times from 0 ms on, got the negative time -1 ms"),
        ([1.0, 100.0], r"expected times in the record, \[0, 100\) ms, got 1 of 2 outside, the first at 100 ms$"),
        ([1000.5, 50000.0], "these look like microseconds: divide by 1000, or else the record ends later$"),
        (
            [300, 2700],
            "like microseconds: divide by 1000, or like sample indices: divide by .* in kHz, or else the record ends",
        ),
        ([300.0, 2700.0], "like sample indices: divide by the sampling rate in kHz, or else the record ends later$"),
        ([3000, 270000], "; these look like sample indices: divide by the sampling rate in kHz"),
        ([300, 350], r"got 2 of 2 outside, the first at 300 ms$"),
        ([0.01, 0.02, 0.09], "expected milliseconds, got 3 spikes .* these look like seconds: multiply by 1000"),
        (np.arange(60) * 0.17, r"got 60 spikes 0\.17 ms apart on average; these look like seconds: multiply by 1000"),
        ([1.2, 1.4], "expected at most one spike in a bin of 1 ms, got 1.2 and 1.4 ms in one"),
        ([5.0, 5.0], "times: expected each time once, got 5 ms twice$"),
        ([5.0, 5.0 + 1e-12], "times: expected each time once, got 5 ms twice$"),
        (np.zeros((3, 1)), r"expected a train along each row, got a column of shape \(3, 1\); give times\[:, 0\]"),
        (np.zeros((1, 2, 3)), r"expected one train or a list of trains, got an array of shape \(1, 2, 3\)"),
        ({"a": [1.0]}, "expected spike times, or a list of trains"),
        ({1.0, 2.0}, "expected spike times, or a list of trains"),
        (np.array([1.0, 2.0], object), "times: expected numbers, or a cell of trains, got an array of 2 objects"),
        (cell([[1.0], [2.0]], (2, 1)).repeat(2, 1), r"expected a cell with one axis of trains, got shape \(2, 2\)"),
        (cell([[1.0], ["a"]], (1, 2)), r"times\[1\]: expected one axis of numbers"),
        ([1.0, np.nan], "expected finite times in ms, got 1 NaN or infinite"),
        ([1.0, np.inf], "expected finite times in ms"),
        (["1", "2"], "expected one axis of numbers"),
        ([True, False], "expected one axis of numbers"),
        ([1.0, [2.0]], "expected one axis of numbers"),
        (3.0, "expected spike times, or a list of trains, got 3.0"),
        ("trains.csv", "expected spike times, or a list of trains"),
        (WithUnit([1.0], "mV"), "times: expected times in ms, or a unit that becomes it, got .*mV"),
        (WithUnit([1.0], "s"), "got 1 of 1 outside, the first at 1000 ms$"),
    ],
)
def test_refusals(times, message):
    with pytest.raises(ValueError, match=message):
        from_times(times, 0, 100, 1)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ((0, 10, 0.3), "stop: expected a whole number of bins of 0.3 ms after 0 ms, got 10"),
        ((0, 10, 0), "bin_ms: expected a finite number above 0"),
        ((0, 10, np.nan), "bin_ms: "),
        ((10, 10, 1), "stop: expected a finite number above 10"),
        ((np.inf, 10, 1), "start: "),
        ((0, 1e300, 1), r"stop: expected at most 2\^31 - 1 bins"),
        ((0, 1e6 + 0.1, 0.25), "stop: expected a whole number of bins"),  # 0.4 of a bin in four million
        ((0, 10 * pq.Hz, 1), "stop: expected a number in ms"),
        ((None, 10, 1), "start: expected an edge of the record in ms, as the trains have no t_start, got None"),
        ((0, None, 1), "stop: expected an edge of the record in ms, as the trains have no t_stop, got None"),
    ],
)
def test_refused_records(record, message):
    with pytest.raises(ValueError, match=message):
        from_times([], *record)
    with pytest.raises(ValueError, match="spikes: "):
        to_times([0, 2], 0, 1)
    with pytest.raises(ValueError, match="spikes: expected an array with a time axis"):
        to_times(True, 0, 1)


@pytest.mark.parametrize(
    ("times", "record", "bins"),
    [
        # The resolution of a late time is not that of an early one, and never more than half a bin.
        (np.array([0, 5, 1e6], np.float32), (0, 1_000_001, 0.1), [0, 50, 10_000_000]),
        (np.array([0, 0.05, 999_999.8], np.float32), (0, 1_000_000, 0.05), [0, 1, 19_999_996]),
        (np.array([0, 0.7, 1000], np.float16), (0, 1001, 0.1), [0, 7, 10_000]),
        (jnp.array([0.7, 0.9], jnp.bfloat16), (0, 1, 0.1), [7, 9]),
        (np.array([0, 5, 10**6]), (0, 1_000_001, 0.1), [0, 50, 10_000_000]),
        # The left edge of the record is an edge like others.
        ([0.3, 0.5], (0.1 * 3, 0.1 * 3 + 1, 0.1), [0, 2]),
        (np.array([0.7, 0.9], np.float32), (0.7, 1.7, 0.1), [0, 2]),
        (np.array([16_777.3, 16_777.5], np.float32), (16_777.3, 16_778.3, 0.1), [0, 2]),
        # Records in single precision mean what they say: 0.1, not 0.1 + 1.5e-9, which is 0.15 ms in ten million.
        ([0.0, 1e6], (np.float32(0), np.float32(1_000_001), np.float32(0.1)), [0, 10_000_000]),
        ([0.0, 1e6], (jnp.float32(0), jnp.float32(1_000_001), jnp.float32(0.1)), [0, 10_000_000]),
    ],
)
def test_rounding_is_forgiven_by_the_spike(times, record, bins):
    assert np.flatnonzero(from_times(times, *record)).tolist() == bins


def test_a_time_before_the_record_by_more_than_rounding_is_refused():
    for early in (0.69999, np.float32(0.6999)):
        with pytest.raises(ValueError, match=r"times: expected times in the record, \[0.7, 1.7\) ms"):
            from_times([early, 0.9], 0.7, 1.7, 0.1)


def test_trains_that_can_be_gone_through_once_and_no_trains():
    expected = [[1], [2, 3]]
    for trains in (
        (train for train in expected),
        map(list, expected),
        (iter(train) for train in expected),
        [iter(train) for train in expected],
        tuple(expected),
    ):
        assert [np.flatnonzero(row).tolist() for row in from_times(trains, 0, 10, 1)] == expected
    assert np.flatnonzero(from_times(iter([1.0, 4.0]), 0, 10, 1)).tolist() == [1, 4]
    for none in (np.zeros((0, 5)), np.zeros((0, 0)), jnp.zeros((0, 1))):
        assert from_times(none, 0, 10, 1).shape == (0, 10)
        assert from_times(none, 0, 10, 1).dtype == bool
    assert from_times(np.zeros((3, 0)), 0, 10, 1).shape == (3, 10)
    assert from_times([[]], 0, 10, 1).shape == (1, 10)


@pytest.mark.parametrize("squeeze", [False, True])
@pytest.mark.parametrize("column", [False, True])
def test_cells_of_matlab(tmp_path, squeeze, column):
    expected = [[1, 5], [], [2], [0, 3, 9]]
    trains = [np.array(train, float).reshape((-1, 1) if column else (1, -1)) for train in expected]
    trains[1] = np.zeros((0, 0))  # MATLAB's []
    scipy.io.savemat(tmp_path / "cell.mat", {"spikes": cell(trains, (-1, 1) if column else (1, -1))})
    read = scipy.io.loadmat(tmp_path / "cell.mat", squeeze_me=squeeze)["spikes"]
    assert read.dtype == object
    assert [np.flatnonzero(row).tolist() for row in from_times(read, 0, 10, 1)] == expected
    nested = cell([0], (1, 1))
    nested[0, 0] = read
    assert [np.flatnonzero(row).tolist() for row in from_times(nested, 0, 10, 1)] == expected


def test_rows_columns_and_masked_entries_within_a_list_are_one_train():
    masked = np.ma.masked_array([1.0, 5.0, 0.0], mask=[False, False, True])
    for train in (np.array([[1.0, 5.0]]), np.array([[1.0], [5.0]]), masked, [1.0 * pq.ms, 0.005 * pq.s]):
        assert np.flatnonzero(from_times([train, []], 0, 10, 1)[0]).tolist() == [1, 5]
    assert np.flatnonzero(from_times(masked, 0, 10, 1)).tolist() == [1, 5]
    assert np.flatnonzero(from_times([1.0 * pq.ms, 0.005 * pq.s], 0, 10, 1)).tolist() == [1, 5]
    both = from_times(np.ma.stack([masked, masked]), 0, 10, 1)
    assert [np.flatnonzero(row).tolist() for row in both] == [[1, 5], [1, 5]]


def test_records_with_units():
    expected = np.asarray(from_times([0.5, 7.0], 0, 10, 0.5))
    record = 0 * pq.s, 0.01 * pq.s, 500 * pq.us
    np.testing.assert_array_equal(from_times([0.5, 7.0], *record), expected)
    np.testing.assert_array_equal(to_times(expected, start=0 * pq.s, bin_ms=500 * pq.us), [0.5, 7.0])
    np.testing.assert_array_equal(to_times(expected, bin_ms=np.float32(0.1)), [0.1, 14 * 0.1])
    with pytest.raises(ValueError, match="bin_ms: expected a number in ms"):
        to_times(expected, bin_ms=1 * pq.Hz)


def test_units_are_looked_at_only_where_they_may_be_wrong():
    early = [0.01, 0.02, 0.03]
    assert int(from_times(early, 0, 100, 0.01, check_unit=False).sum()) == 3
    assert int(from_times(WithUnit(early, "ms"), 0, 100, 0.01).sum()) == 3
    assert int(from_times(early[:2], 0, 100, 0.01).sum()) == 2


def test_trains_of_neo():
    neo = pytest.importorskip("neo")
    quantities = pytest.importorskip("quantities")
    train = neo.SpikeTrain([0.0105, 0.25], units="s", t_stop=1.0)
    expected = [[10, 250], [3]]
    trains = from_times([train, quantities.Quantity([3.0], "ms")], 0, 1000, 1)
    assert [np.flatnonzero(row).tolist() for row in trains] == expected
    with pytest.raises(ValueError, match="expected times in ms, or a unit that becomes it"):
        from_times(quantities.Quantity([1.0], "mV"), 0, 10, 1)


@pytest.mark.parametrize(
    ("trains", "tolerance"),
    [
        ([np.array([0.0, 1e3])], 1e-9),
        ([np.array([-1e9])], 4 * 2.0**-52 * 1e9),
        ([np.array([1e3], np.float32), np.array([1e6])], 2.0**-23 * 1e3),
        ([np.array([1e3], np.float32), np.array([1e6], np.float32)], 2.0**-23 * 1e6),
        ([np.array([10**9])], 1e-9),
        ([np.array([], np.float32), np.array([])], 1e-9),
        ([], 1e-9),
    ],
)
def test_the_tolerance_of_times_is_the_resolution_of_their_numbers(trains, tolerance):
    assert times.time_tolerance(*trains) == pytest.approx(tolerance, rel=1e-12)


@given(st.floats(0.01, 1000), st.floats(0, 1000), st.integers(1, 300))
def test_sums_of_periods_and_lags_in_either_order_are_one_instant(period, lead, n):
    pre, post = lead + period * np.arange(n), (lead + period) + period * np.arange(n)
    joined = times.join_coincident(pre, post)
    assert (joined[0] == pre).all()
    assert np.isin(joined[1][:-1], joined[0]).all()
    assert joined[1][-1] == post[-1]
    np.testing.assert_allclose(joined[1], post, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([0.0, 5.0], [0.0, 5.0 + 2e-9], [0.0, 5.0 + 2e-9]),
        ([0.0, 5.0], [5.0 + 5e-10], [5.0]),
        ([], [1.0], [1.0]),
        ([1.0], [], []),
        ([1.0], [0.5, 1.0 + 1e-10, 7.0], [0.5, 1.0, 7.0]),
        ([1.0], [1.0 - 2.5e-10, 1.0 + 2e-10], [1.0 - 2.5e-10, 1.0]),  # one partner each, the nearest
        ([1.0], [1.0 - 2**-40, 1.0 + 2**-40], [1.0, 1.0 + 2**-40]),
        (np.array([0.0, 0.3, 1e6], np.float32), [0.05, 0.3, 1e6 + 0.05], [0.05, float(np.float32(0.3)), 1e6]),
        (np.array([5, 10**6]), [5.0, 10**6 + 1e-4], [5.0, 10**6 + 1e-4]),
    ],
)
def test_spikes_are_joined_with_their_own_resolution_and_with_one_partner(first, second, expected):
    first = np.asarray(first)
    joined_first, joined = times.join_coincident(first, np.asarray(second))
    assert joined.tolist() == expected
    assert joined_first.tolist() == first.astype(float).tolist()
    assert joined.dtype == joined_first.dtype == np.float64


def test_the_record_of_neos_trains_is_their_own():
    neo = pytest.importorskip("neo")
    first, second, third = (
        neo.SpikeTrain(times, units="s", t_start=0.1, t_stop=stop)
        for times, stop in (([0.1005, 0.25], 1.1), ([], 1.1), ([0.5], 2.0))
    )
    train = from_times(first)
    assert train.shape == (1000,)
    assert np.flatnonzero(train).tolist() == [0, 150]
    np.testing.assert_array_equal(train, from_times(first, start=first.t_start, stop=first.t_stop, bin_ms=1.0))
    assert from_times([first, second], bin_ms=0.5 * pq.ms).shape == (2, 2000)
    assert from_times(first, stop=2.1 * pq.s).shape == (2000,)
    with pytest.raises(ValueError, match=r"stop: expected .* as that of the trains differs, from 1100 to 2000 ms"):
        from_times([first, third])
    with pytest.raises(ValueError, match=r"start: expected .* as the trains have no t_start"):
        from_times([first, [1.0]])
