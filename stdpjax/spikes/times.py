"""Spike times of recordings and simulators, as the binned trains that everything here works on, and back.

Nothing is imported for it: NumPy arrays, lists and whatever carries its unit and has `rescale("ms").magnitude`, as
Neo's `SpikeTrain` and a `Quantity` do, are taken alike.
"""

import math
from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax._checks import ArrayLike

# Share of a bin by which a time may lie before the edge that it stands for: 0.3 / 0.1 is below 3 in binary.
_EDGE_TOLERANCE = 1e-6
# Times in ms that are closer than this are one instant whatever they came as: a millionth of a microsecond.
_SAME_INSTANT_MS = 1e-9
# Steps of the numbers by which times of one instant may differ: single-precision ones were rounded once, when they
# were stored, while double-precision ones are sums, such as a multiple of a period and a lag.
_STEPS_OF_DOUBLES = 4


def from_times(
    times: Any, start: float, stop: float, bin_ms: float, *, check_unit: bool = True
) -> Bool[Array, "*train time"]:
    """Return spike times as spike indicators per bin.

    Args:
        times: in ms and increasing: one train as a 1-D array or a list of numbers, or several as a list or a 2-D array
            of trains. A train may carry its own unit, as Neo's `SpikeTrain` and a `Quantity` do: whatever has
            `rescale("ms").magnitude`.
        start: beginning of the record in ms, the left edge of the first bin.
        stop: end of the record in ms, a whole number of bins later. Spikes lie in [start, stop).
        bin_ms: width of a bin in ms, above 0.
        check_unit: refuse plain numbers that look like seconds: three spikes or more, all within the first
            thousandth of the record.

    Returns:
        Spike indicators, shape `[time]` for one train, `[train, time]` for several. A spike on the edge of two bins
        belongs to the later one, up to rounding.

    Raises:
        ValueError: times that are not finite numbers, not increasing, outside the record, in the wrong unit as far as
            that shows, two in one bin, or a record that is not a whole number of bins.

    Example:
        >>> import stdpjax
        >>> stdpjax.spikes.from_times([0.0, 2.5, 3.0], start=0, stop=4, bin_ms=1).astype(int).tolist()
        [1, 0, 1, 1]
        >>> stdpjax.spikes.from_times([[1.0], []], start=0, stop=20, bin_ms=0.1).shape
        (2, 200)
    """
    n_bins = count_bins(start, stop, bin_ms)
    if not _is_several(times):
        return jnp.asarray(_binned("times", times, start, stop, bin_ms, n_bins, check_unit))
    trains = [_binned(f"times[{i}]", train, start, stop, bin_ms, n_bins, check_unit) for i, train in enumerate(times)]
    return jnp.asarray(np.stack(trains))


def to_times(spikes: ArrayLike, start: float, bin_ms: float) -> NDArray[np.float64] | list[Any]:
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
    _checks.number("start", start)
    _checks.number("bin_ms", bin_ms, above=0)
    if trains.ndim > 1:
        return [to_times(train, start, bin_ms) for train in trains]
    return np.asarray(start + np.flatnonzero(trains) * bin_ms, np.float64)


def time_tolerance(*trains: NDArray[Any]) -> float:
    """Return the difference in ms up to which two times of these trains are the same instant.

    Times that differ by no more than the resolution of their numbers, relative to the largest time, are one instant:
    4 eps of the largest for double precision, eps for single precision or less, nothing for whole numbers, and 1e-9 ms
    at least. It is 1e-9 ms for double precision up to 1.1e6 ms (19 minutes), and 0.12 ms for single precision at
    1e6 ms, where these numbers are 0.06 ms apart.

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

    Two times are the same instant if they differ by no more than the `time_tolerance` of these two: late spikes in
    single precision do not make early ones coincide. Each spike is joined with one of the other train at most, the
    nearest.

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
    _, unique = np.unique(nearest[candidates], return_index=True)
    chosen = candidates[unique]
    second[chosen] = first[nearest[chosen]]
    return first, second


def _resolution(times: NDArray[Any]) -> NDArray[np.float64]:
    """How much the rounding of its number may have moved each time, at least `_SAME_INSTANT_MS`."""
    if not jnp.issubdtype(times.dtype, jnp.floating):
        return np.full(times.shape, _SAME_INSTANT_MS)
    n_steps = _STEPS_OF_DOUBLES if times.dtype.itemsize >= 8 else 1
    relative = n_steps * float(jnp.finfo(times.dtype).eps)
    return np.maximum(relative * np.abs(times.astype(np.float64)), _SAME_INSTANT_MS)


def count_bins(start: float, stop: float, bin_ms: float) -> int:
    """Return the number of bins of a record, refusing one that is empty or ends within a bin."""
    _checks.number("start", start)
    _checks.number("bin_ms", bin_ms, above=0)
    _checks.number("stop", stop, above=start)
    n_bins = round((stop - start) / bin_ms)
    if n_bins < 1 or not math.isclose(n_bins * bin_ms, stop - start, rel_tol=_EDGE_TOLERANCE):
        raise ValueError(
            f"stop: expected a whole number of bins of {bin_ms:g} ms after {start:g} ms, got {stop:g}, which is "
            f"{(stop - start) / bin_ms:g} bins later"
        )
    return n_bins


def _is_several(times: Any) -> bool:
    """Whether times are several trains rather than one."""
    if hasattr(times, "rescale"):
        return False
    if hasattr(times, "ndim"):
        return times.ndim > 1
    if not isinstance(times, Iterable) or isinstance(times, str):
        raise ValueError(f"times: expected spike times, or a list of trains, got {times!r}")
    times = list(times)
    return len(times) > 0 and all(hasattr(train, "rescale") or np.ndim(train) > 0 for train in times)


def _binned(
    name: str, train: Any, start: float, stop: float, bin_ms: float, n_bins: int, check_unit: bool
) -> NDArray[np.bool_]:
    carries_unit = hasattr(train, "rescale")
    times, resolution = _in_ms(name, train) if carries_unit else _plain(name, train)
    if times.size and not np.all(np.isfinite(times)):
        raise ValueError(f"{name}: expected finite times in ms, got {np.sum(~np.isfinite(times))} NaN or infinite")
    _refuse_outside(name, times, start, stop, carries_unit)
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
    bins = np.floor((times - start) / bin_ms + _EDGE_TOLERANCE + resolution / bin_ms).astype(int)
    # Rounding up must not carry a spike over the end.
    bins = np.minimum(bins, n_bins - 1)
    crowded = np.flatnonzero(np.diff(bins) == 0)
    if crowded.size:
        first, second = times[crowded[0]], times[crowded[0] + 1]
        raise ValueError(
            f"{name}: expected at most one spike in a bin of {bin_ms:g} ms, got {first:g} and {second:g} ms in one; "
            "give a smaller bin_ms"
        )
    train = np.zeros(n_bins, bool)
    train[bins] = True
    return train


def _in_ms(name: str, train: Any) -> tuple[NDArray[np.float64], float]:
    """Times of a train that carries its unit."""
    try:
        times = np.asarray(train.rescale("ms").magnitude)
    except Exception as error:  # whatever the other library raises
        raise ValueError(f"{name}: expected times, got a unit that does not become milliseconds ({error})") from error
    return _plain(name, times)


def _plain(name: str, train: Any) -> tuple[NDArray[np.float64], float]:
    """Times as double-precision numbers, and the resolution that they came with."""
    try:
        times = np.asarray(train)
    except ValueError as error:
        raise ValueError(f"{name}: expected one axis of numbers, got {train!r}") from error
    if times.size == 0 and times.ndim == 1:
        return np.zeros(0), 0.0
    if times.ndim != 1 or times.dtype.kind not in "iuf":
        raise ValueError(
            f"{name}: expected one axis of numbers, the times in ms, got shape {times.shape} of dtype {times.dtype}"
        )
    resolution = float(np.finfo(times.dtype).eps * np.max(np.abs(times))) if times.dtype.kind == "f" else 0.0
    return times.astype(np.float64), resolution if math.isfinite(resolution) else 0.0


def _refuse_outside(name: str, times: NDArray[np.float64], start: float, stop: float, carries_unit: bool) -> None:
    outside = times[(times < start) | (times >= stop)]
    if not outside.size:
        return
    first = outside[0]
    if first < 0 <= start:
        raise ValueError(f"{name}: expected times from {start:g} ms on, got the negative time {first:g} ms")
    hint = ""
    shrunk = times / 1000
    is_far_out = np.max(times) > start + 10 * (stop - start)
    if not carries_unit and is_far_out and np.all((shrunk >= start) & (shrunk < stop)):
        hint = "; these look like microseconds: divide by 1000"
    raise ValueError(
        f"{name}: expected times in the record, [{start:g}, {stop:g}) ms, got {outside.size} of {times.size} outside, "
        f"the first at {first:g} ms{hint}"
    )
