"""Spike times of recordings and simulators, as the binned trains that everything here works on, and back.

Nothing is imported for it: arrays, lists, generators, cells of MATLAB and whatever carries its unit, as Neo's
`SpikeTrain` and a `Quantity` do, are taken alike.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax._units import Measured
from stdpjax.spikes import trains as _trains

# Share of a bin by which a time may lie before the edge that it stands for: 0.3 / 0.1 is below 3 in binary.
_EDGE_TOLERANCE = 1e-6
# A shorter mean interval than any neuron has.
_SHORTEST_INTERVAL_MS = 0.5
# Share of a bin by which a record may miss a whole number of bins, and their largest number.
_CUT, _MOST_BINS = 1e-3, 2**31 - 1
# Times in ms that are closer than this are one instant whatever they came as: a millionth of a microsecond.
_SAME_INSTANT_MS = 1e-9
# Steps of the numbers by which times of one instant may differ: single-precision ones were rounded once, when they
# were stored, while double-precision ones are sums, such as a multiple of a period and a lag.
_STEPS_OF_DOUBLES = 4


def from_times(
    times: Any,
    start: Measured | None = None,
    stop: Measured | None = None,
    bin_ms: Measured = 1.0,
    *,
    check_unit: bool = True,
) -> Bool[Array, "*train time"]:
    """Return spike times as spike indicators per bin.

    Args:
        times: in ms and increasing. One train: a 1-D array or a list of numbers; an empty list is one without spikes.
            Several: a list or a generator of trains, an array with a train along each row, or a cell of MATLAB as
            `scipy.io.loadmat` gives it. A train may carry its own unit, as Neo's `SpikeTrain` and a `Quantity` do.
            A column, shape `[spike, 1]`, is taken within a list or a cell, where it can be one train only.
        start: beginning of the record in ms, the left edge of the first bin. None for the trains' own `t_start`, which
            Neo's have; all the same.
        stop: end of the record in ms, a whole number of bins later. Spikes lie in [start, stop). None for the trains'
            own `t_stop`.
        bin_ms: width of a bin in ms, above 0.
        check_unit: refuse plain numbers that look like seconds: three spikes or more, all within the first
            thousandth of the record, or ten or more that are less than 0.5 ms apart on average.

    Returns:
        Spike indicators, shape `[time]` for one train, `[train, time]` for several. A spike on the edge of two bins
        belongs to the later one, and one on the left edge of the record to the first, up to rounding: a millionth of a
        bin, and the resolution of the number that the time came as (at 1e6 ms in single precision 0.12 ms), but no
        more than half a bin.

    Raises:
        ValueError: times that are not finite numbers, not increasing, outside the record, in the wrong unit as far as
            that shows, the same twice, two in one bin, a record that is not a whole number of bins, or one that is not
            given where the trains do not say it.

    Example:
        >>> import stdpjax
        >>> stdpjax.spikes.from_times([0.0, 2.5, 3.0], start=0, stop=4, bin_ms=1).astype(int).tolist()
        [1, 0, 1, 1]
        >>> stdpjax.spikes.from_times([[1.0], []], start=0, stop=20, bin_ms=0.1).shape
        (2, 200)
    """
    trains, is_one = _trains.split(times)
    check_unit = _checks.flag("check_unit", check_unit)
    start = _own_bound("start", "t_start", trains) if start is None else start
    stop = _own_bound("stop", "t_stop", trains) if stop is None else stop
    names = ["times"] if is_one else [f"times[{i}]" for i in range(len(trains))]
    record = start, stop, bin_ms
    binned = [bin_train(name, train, *record, check_unit=check_unit) for name, train in zip(names, trains, strict=True)]
    return jnp.asarray(binned[0] if is_one else np.reshape(binned, (len(trains), count_bins(*record))).astype(bool))


def to_times(spikes: ArrayLike, start: Measured = 0.0, bin_ms: Measured = 1.0) -> NDArray[np.float64] | list[Any]:
    """Return binned spikes as times in ms: the left edges of their bins.

    Args:
        spikes: spike indicators, shape `[..., time]`.
        start: left edge of the first bin in ms.
        bin_ms: width of a bin in ms, above 0.

    Returns:
        Times in ms, increasing, for one train as an array, for more axes as nested lists of arrays.

    Raises:
        ValueError: values other than 0 and 1, no time axis, or a bin that is not above 0.

    Example:
        >>> import stdpjax
        >>> [float(time) for time in stdpjax.spikes.to_times([0, 1, 0, 1], start=100, bin_ms=0.5)]
        [100.5, 101.5]
    """
    trains = np.asarray(_checks.spikes("spikes", spikes))
    if trains.ndim < 1:
        raise ValueError("spikes: expected an array with a time axis, got a scalar")
    start, bin_ms = milliseconds("start", start), milliseconds("bin_ms", bin_ms, above=0)
    if trains.ndim > 1:
        return [to_times(train, start, bin_ms) for train in trains]
    return np.asarray(start + np.flatnonzero(trains) * bin_ms, np.float64)


def milliseconds(name: str, value: Measured, **bounds: float | None) -> float:
    """Return a known time in ms in double precision; 0.1 in single precision is taken as it is written."""
    return _double(_checks.milliseconds(name, value, **bounds))


def hertz(name: str, value: Measured, **bounds: float | None) -> float:
    """Return a known rate in Hz in double precision, likewise."""
    return _double(_checks.hertz(name, value, **bounds))


def _double(value: Any) -> float:
    number = np.asarray(value)
    return float(number.astype(str)) if number.dtype == np.float32 else float(number)


def time_tolerance(*trains: NDArray[Any]) -> float:
    """Return the difference in ms up to which two times of these trains are the same instant.

    It is the resolution of their numbers: 4 eps of the largest for double precision, eps for single precision or less,
    nothing for whole numbers, and 1e-9 ms at least. That is 1e-9 ms for double precision up to 1.1e6 ms (19 minutes),
    and 0.12 ms for single precision at 1e6 ms, where these numbers are 0.06 ms apart.

    Args:
        *trains: spike times in ms, in the precision that they came in.

    Returns:
        The tolerance in ms, above 0.

    Example:
        >>> import numpy as np
        >>> time_tolerance(np.array([0.0, 1000.0]), np.array([], np.float32))
        1e-09
    """
    return max((float(_resolution(train).max(initial=_SAME_INSTANT_MS)) for train in trains), default=_SAME_INSTANT_MS)


def join_coincident(first: NDArray[Any], second: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two increasing trains in which spikes of the same instant have exactly the same time, that of the first.

    The tolerance is the `time_tolerance` of the two times: late spikes in single precision do not make early ones
    coincide. Each spike is joined with one of the other train at most, the nearest.

    Args:
        first: finite increasing times in ms, in the precision that they came in, shape `[first]`.
        second: likewise, shape `[second]`.

    Returns:
        Both in double precision.

    Example:
        >>> import numpy as np
        >>> first, second = join_coincident(np.array([0.1 + 0.2, 5.0]), np.array([0.3, 5.1]))
        >>> (first == second).tolist()
        [True, False]
    """
    coarseness = _resolution(first), _resolution(second)
    first, second = first.astype(np.float64), second.astype(np.float64)
    if not first.size or not second.size:
        return first, second
    place = np.searchsorted(first, second)
    before, after = np.maximum(place - 1, 0), np.minimum(place, first.size - 1)
    nearest = np.where(np.abs(second - first[before]) <= np.abs(second - first[after]), before, after)
    distance = np.abs(second - first[nearest])
    is_same = distance <= np.maximum(coarseness[0][nearest], coarseness[1])
    closest = np.full(first.size, np.inf)
    np.minimum.at(closest, nearest, distance)
    is_same &= distance == closest[nearest]
    # Two at equal distances to either side of one: the first of them.
    candidates = np.flatnonzero(is_same)
    chosen = candidates[np.unique(nearest[candidates], return_index=True)[1]]
    second[chosen] = first[nearest[chosen]]
    return first, second


def _resolution(times: NDArray[Any]) -> NDArray[np.float64]:
    """How much the rounding of its number may have moved each time, at least `_SAME_INSTANT_MS`."""
    if not jnp.issubdtype(times.dtype, jnp.floating):
        return np.full(times.shape, _SAME_INSTANT_MS)
    n_steps = _STEPS_OF_DOUBLES if times.dtype.itemsize >= 8 else 1
    return np.maximum(n_steps * float(jnp.finfo(times.dtype).eps) * np.abs(times.astype(np.float64)), _SAME_INSTANT_MS)


def count_bins(start: Measured, stop: Measured, bin_ms: Measured, stop_name: str = "stop") -> int:
    """Return the number of bins of a record, refusing one that is empty, endless, or ends within a bin."""
    start, bin_ms = milliseconds("start", start), milliseconds("bin_ms", bin_ms, above=0)
    stop = milliseconds(stop_name, stop, above=start)
    length = (stop - start) / bin_ms
    if length > _MOST_BINS:
        raise ValueError(f"{stop_name}: expected at most 2^31 - 1 bins of {bin_ms:g} ms, got {length:g}")
    n_bins = round(length)
    if n_bins < 1 or abs(length - n_bins) > _CUT:
        raise ValueError(
            f"{stop_name}: expected a whole number of bins of {bin_ms:g} ms after {start:g} ms, got {stop:g}, which is "
            f"{length:g} bins later"
        )
    return n_bins


def bin_train(
    name: str, train: Any, start: Measured, stop: Measured, bin_ms: Measured, *, check_unit: bool
) -> NDArray[np.bool_]:
    """Return one train as indicators, refusing it by its name; see `from_times`."""
    n_bins = count_bins(start, stop, bin_ms)
    start, stop, bin_ms = milliseconds("start", start), milliseconds("stop", stop), milliseconds("bin_ms", bin_ms)
    numbers, carries_unit = _trains.in_ms(name, train)
    times = numbers.astype(np.float64)
    if not np.all(np.isfinite(times)):
        raise ValueError(f"{name}: expected finite times in ms, got {np.sum(~np.isfinite(times))} NaN or infinite")
    tolerance = _EDGE_TOLERANCE * bin_ms + np.minimum(_resolution(numbers), bin_ms / 2)
    _refuse_outside(name, times, start, stop, tolerance, carries_unit)
    backwards = np.flatnonzero(np.diff(times) < 0)
    if backwards.size:
        i = backwards[0]
        raise ValueError(f"{name}: expected increasing times, got {times[i + 1]:g} ms after {times[i]:g} ms")
    if check_unit and not carries_unit and times.size >= 3 and times[-1] < start + (stop - start) / 1000:
        raise ValueError(
            f"{name}: expected milliseconds, got {times.size} spikes that all lie within the first thousandth of the "
            f"record ({start:g} to {stop:g} ms), the last at {times[-1]:g}; these look like seconds: multiply by 1000, "
            "or give check_unit=False"
        )
    if check_unit and not carries_unit:
        refuse_seconds(name, times)
    # Rounding up must not carry a spike over the end.
    bins = np.minimum(np.floor((times - start + tolerance) / bin_ms).astype(int), n_bins - 1)
    _refuse_crowded(name, times, bins, bin_ms)
    indicators = np.zeros(n_bins, bool)
    indicators[bins] = True
    return indicators


def refuse_seconds(name: str, times: NDArray[Any]) -> None:
    """Refuse increasing times in ms, of ten spikes or more, that come faster than any neuron spikes for long."""
    if times.size >= 10 and (interval := float(times[-1] - times[0]) / (times.size - 1)) < _SHORTEST_INTERVAL_MS:
        raise ValueError(
            f"{name}: expected milliseconds, got {times.size} spikes {interval:.2g} ms apart on average; these look "
            "like seconds: multiply by 1000, or give check_unit=False"
        )


def _own_bound(name: str, attribute: str, trains: list[Any]) -> Any:
    """The edge of the record that the trains themselves state."""
    bounds = [getattr(train, attribute, None) for train in trains]
    if not bounds or any(bound is None for bound in bounds):
        raise ValueError(f"{name}: expected an edge of the record in ms, as the trains have no {attribute}, got None")
    in_ms = [milliseconds(name, bound) for bound in bounds]
    if max(in_ms) - min(in_ms) > time_tolerance(np.array(in_ms)):
        raise ValueError(
            f"{name}: expected an edge of the record in ms, as that of the trains differs, from {min(in_ms):g} to "
            f"{max(in_ms):g} ms, got None"
        )
    return in_ms[0]


def _refuse_outside(
    name: str, times: NDArray[np.float64], start: float, stop: float, tolerance: NDArray[np.float64], carries_unit: bool
) -> None:
    outside = times[(times + tolerance < start) | (times >= stop)]
    if not outside.size:
        return
    first = outside[0]
    if first < 0 <= start:
        raise ValueError(f"{name}: expected times from {start:g} ms on, got the negative time {first:g} ms")
    hint = ""
    if not carries_unit and np.max(times) > start + 4 * (stop - start):
        shrunk = times / 1000
        hints = []
        if np.all((shrunk >= start) & (shrunk < stop)):
            hints.append("like microseconds: divide by 1000")
        if np.all(times == np.round(times)):
            hints.append("like sample indices: divide by the sampling rate in kHz")
        hint = f"; these look {', or '.join(hints)}, or else the record ends later" if hints else ""
    raise ValueError(
        f"{name}: expected times in the record, [{start:g}, {stop:g}) ms, got {outside.size} of {times.size} outside, "
        f"the first at {first:g} ms{hint}"
    )


def _refuse_crowded(name: str, times: NDArray[np.float64], bins: NDArray[Any], bin_ms: float) -> None:
    crowded = np.flatnonzero(np.diff(bins) == 0)
    if not crowded.size:
        return
    first, second = times[crowded[0]], times[crowded[0] + 1]
    if second - first <= time_tolerance(np.array([first, second])):
        raise ValueError(f"{name}: expected each time once, got {first:g} ms twice")
    raise ValueError(
        f"{name}: expected at most one spike in a bin of {bin_ms:g} ms, got {first:g} and {second:g} ms in one; "
        "give a smaller bin_ms"
    )
