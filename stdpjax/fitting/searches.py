"""Searches alone: fits without intervals, from places of choice, to many drawings of the same measurements."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks
from stdpjax._units import Measured
from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.models import Model
from stdpjax.fitting.optimise import to_numbers, to_position
from stdpjax.fitting.task import Floats, Task, in_double, make_task
from stdpjax.random import member_keys, named_key

_NONE: Mapping[str, float] = MappingProxyType({})


class Minima(NamedTuple):
    """Where searches ended."""

    names: tuple[str, ...]
    """Parameters that were not fixed."""
    numbers: Floats
    """Shape `[search, parameter]`."""
    sum_of_squares: Floats
    """Of weighted residuals, shape `[search]`; infinite where a search led nowhere."""

    def best(self) -> dict[str, float]:
        """Return the numbers of the search with the least sum of squares."""
        return dict(zip(self.names, self.numbers[np.argmin(self.sum_of_squares)].tolist(), strict=True))


def random_positions(key: Key[Array, ""], task: Task, n_starts: int) -> Floats:
    """Return random positions to start from, of which more leave the first ones as they are."""
    keys = member_keys(named_key(key, "starts"), n_starts)
    share = np.asarray(jax.vmap(lambda one: jax.random.uniform(one, (len(task.free),), np.float32))(keys), np.float64)
    low, high = (np.array([getattr(parameter, end) for parameter in task.free]) for end in ("first_low", "first_high"))
    return to_position(low * (high / low) ** share, task.free)


def random_starts(
    key: Key[Array, ""],
    model: Model | str,
    data: Measurements,
    n_starts: int,
    *,
    fixed: Mapping[str, Measured] = _NONE,
    free: Sequence[str] = (),
) -> Floats:
    """Return numbers to start searches from, as `fit` draws them.

    Args:
        key: a scalar key.
        model: a model, or the name of one in `MODELS`.
        data: the measurements.
        n_starts: how many, at least 1. More leave the first ones as they are.
        fixed: values of parameters that are not to be fitted.
        free: parameters to be fitted although the model holds them.

    Returns:
        Numbers, shape `[start, parameter]`.

    Raises:
        ValueError: as `fit`.

    Example:
        >>> import stdpjax
        >>> stdpjax.fitting.random_starts(stdpjax.random.key(0), "pair", stdpjax.fitting.sjostrom_2001(), 3).shape
        (3, 4)
    """
    key, n_starts = _checks.key("key", key), _checks.count("n_starts", n_starts)
    with in_double():
        task = make_task(model, data, fixed, free)
        return to_numbers(random_positions(key, task, n_starts), task.free)


def search(
    model: Model | str,
    data: Measurements,
    starts: ArrayLike,
    *,
    changes: ArrayLike | None = None,
    is_free: ArrayLike = True,
    fixed: Mapping[str, Measured] = _NONE,
    free: Sequence[str] = (),
) -> Minima:
    """Search for the least sum of squares from given numbers, many searches side by side.

    One program serves all searches with the same model, fixed parameters and protocols, so parameters that only some
    searches hold are better held by `is_free` than fixed.

    Args:
        model: a model, or the name of one in `MODELS`.
        data: the measurements.
        starts: numbers to start from, shape `[search, parameter]`, parameters in the order of the model without the
            fixed ones. Those outside their range are moved to its end; an amplitude of 0 counts as 1e-9.
        changes: for each search other changes in the place of the measured ones, shape `[search, point]`.
        is_free: whether a parameter may move, else it stays where it starts; shape `[search, parameter]` or less.
        fixed: values of parameters that are not to be fitted.
        free: parameters to be fitted although the model holds them.

    Returns:
        Where the searches ended.

    Raises:
        ValueError: as `fit`, or arrays of other shapes.

    Example:
        >>> import stdpjax
        >>> data = stdpjax.fitting.bi_poo_2001()
        >>> found = stdpjax.fitting.search("pair", data, [[1.0, 1.0, 20.0, 20.0]])
        >>> {name: round(value, 2) for name, value in found.best().items()}
        {'A_plus': 0.78, 'A_minus': 0.27, 'tau_plus': 16.8, 'tau_minus': 33.7}
    """
    with in_double():
        task = make_task(model, data, fixed, free)
        names = tuple(parameter.name for parameter in task.free)
        places = np.atleast_2d(np.asarray(_checks.finite("starts", starts), np.float64))
        if places.ndim != 2 or places.shape[1] != len(names):
            raise ValueError(f"starts: expected numbers for {', '.join(names)}, got shape {np.shape(starts)}")
        drawn = None if changes is None else _of_shape("changes", changes, (len(places), task.change.size))
        mask = _of_shape("is_free", is_free, places.shape).astype(bool)
        found = task.search(to_position(places, task.free), mask, drawn)
        return Minima(names, to_numbers(found.position, task.free), found.value * task.unit)


def _of_shape(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
    numbers = np.asarray(_checks.finite(name, values), np.float64)
    try:
        return np.broadcast_to(numbers, shape)
    except ValueError as error:
        raise ValueError(f"{name}: expected shape {shape} or one that becomes it, got {np.shape(values)}") from error
