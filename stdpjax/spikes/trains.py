"""What comes as spike times, as a list of trains: arrays, lists, generators, cells of MATLAB, what carries a unit."""

from collections.abc import Iterable, Mapping, Set
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from stdpjax import _units


def split(times: Any) -> tuple[list[Any], bool]:
    """Return the trains in what `from_times` was given, and whether it was one train rather than a list of them."""
    times = _held(times)
    n_axes = _n_axes(times)
    if n_axes == 0:
        raise ValueError(f"times: expected spike times, or a list of trains, got {times!r}")
    if isinstance(times, list):
        return ([times], True) if not any(_n_axes(train) for train in times) else (times, False)
    if _is_cell(times):
        return _of_cell(times), False
    if n_axes == 1:
        return [times], True
    if n_axes > 2:
        raise ValueError(f"times: expected one train or a list of trains, got an array of shape {times.shape}")
    if times.shape[0] > 1 and times.shape[1] == 1:
        raise ValueError(
            f"times: expected a train along each row, got a column of shape {times.shape}; give times[:, 0] for one "
            "train, list(times) for as many trains of one spike each"
        )
    return list(times), False


def in_ms(name: str, train: Any) -> tuple[NDArray[Any], bool]:
    """Return one train as numbers of ms in the precision that they came in, and whether it carried a unit."""
    carried = _units.carries_unit(train)
    if np.ma.isMaskedArray(train):
        train = train.compressed()
    try:
        train = _units.in_unit(name, train, "ms")
    except ValueError as error:
        raise ValueError(str(error).replace("expected a number in ms", "expected times in ms", 1)) from error
    try:
        times = np.asarray(train)
    except ValueError as error:
        raise ValueError(f"{name}: expected one axis of numbers, the times in ms, got {train!r}") from error
    if times.ndim == 2 and min(times.shape) <= 1:
        times = times.reshape(-1)  # a row or a column among other trains is one of them
    if times.size == 0 and times.ndim == 1:
        return np.zeros(0), carried
    if times.ndim != 1 or not (times.dtype.kind in "iu" or jnp.issubdtype(times.dtype, jnp.floating)):
        raise ValueError(
            f"{name}: expected one axis of numbers, the times in ms, got shape {times.shape} of dtype {times.dtype}"
        )
    return times, carried


def _held(times: Any) -> Any:
    """Lists for what can be gone through only once, and for tuples; everything else as it is."""
    if hasattr(times, "ndim") or isinstance(times, str | bytes | Mapping | Set) or not isinstance(times, Iterable):
        return times
    return [_held(one) for one in times]


def _n_axes(times: Any) -> int:
    if isinstance(times, list):
        return 1
    # What converts its unit, but is no array, holds one train.
    return int(times.ndim) if hasattr(times, "ndim") else int(hasattr(times, "rescale"))


def _is_cell(times: Any) -> bool:
    return isinstance(times, np.ndarray) and times.dtype == object


def _of_cell(cell: NDArray[Any]) -> list[Any]:
    """The trains of a cell as `scipy.io.loadmat` gives it: an array of objects, one of its axes as long as the list."""
    if cell.size != max(cell.shape):
        raise ValueError(f"times: expected a cell with one axis of trains, got shape {cell.shape}")
    trains = list(cell.reshape(-1))
    while len(trains) == 1 and _is_cell(trains[0]):
        trains = _of_cell(trains[0])
    if not any(np.ndim(train) for train in trains):
        raise ValueError(
            f"times: expected numbers, or a cell of trains, got an array of {cell.size} objects that are no trains; "
            "give floats for one train, a list of lists for trains of one spike each"
        )
    return [np.atleast_1d(np.asarray(train)) for train in trains]
