"""Quantities that carry a unit, at the public boundary: converted to the unit that a function works in, or refused.

No library of units is imported. What they have in common is asked for: `rescale` (quantities, and so Neo), `to_value`
(Astropy), `to` and `magnitude` (Pint), `dim` (Brian2), and the `units` among the attributes of an xarray.
"""

import datetime
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import jax
import numpy as np

Unit = Literal["ms", "Hz", "dimensionless"]
# A number or an array, or what carries a unit in any of the ways below: no type of ours says that.
Measured = Any

_PLAIN = (int, float, str, bytes, np.generic, jax.Array)
# Unit -> (power of seconds in it, how many of it make one of seconds to that power).
_OF_SECONDS: Mapping[str, tuple[int, float]] = MappingProxyType(
    {"ms": (1, 1000.0), "Hz": (-1, 1.0), "dimensionless": (0, 1.0)}
)


def in_unit(name: str, value: Measured, unit: Unit) -> Any:
    """Return a value without its unit, as a number or an array of `unit`; a value that carries none as it is.

    Args:
        name: the argument, for the message.
        value: a number, an array, or a list of these, with or without a unit.
        unit: "ms", "Hz" or "dimensionless".

    Returns:
        The number or array, in `unit`.

    Raises:
        ValueError: a unit that does not become `unit`, or a list of which only a part carries one.

    Example:
        >>> from stdpjax import _units
        >>> _units.in_unit("lag_ms", 2.5, "ms")
        2.5
        >>> import quantities as pq
        >>> float(_units.in_unit("lag_ms", 0.01 * pq.s, "ms"))
        10.0
    """
    if isinstance(value, list | tuple):
        carrying = [carries_unit(one) for one in value]
        if not any(carrying):
            return value
        if not all(carrying):
            raise ValueError(f"{name}: expected a unit with all of the values or with none, got {value!r}")
        return type(value)(in_unit(name, one, unit) for one in value)
    if np.ma.isMaskedArray(value):
        if np.ma.is_masked(value):
            raise ValueError(
                f"{name}: expected values without a mask, got {np.ma.count_masked(value)} of {value.size} masked; "
                "give `value.compressed()`"
            )
        value = value.data
    convert = _converter(value)
    if convert is None:
        return value
    try:
        return convert(value, unit)
    except Exception as error:  # whatever the other library raises
        wanted = "a plain number" if unit == "dimensionless" else f"a number in {unit}, or a unit that becomes it"
        raise ValueError(f"{name}: expected {wanted}, got {shortened(value)} ({error})") from error


def shortened(value: Any) -> str:
    """Return what came, short enough for a line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:60]} ... ({type(value).__name__})"


def carries_unit(value: Any) -> bool:
    """Return whether a value, or one of the values in a list, carries a unit."""
    if isinstance(value, list | tuple):
        return any(carries_unit(one) for one in value)
    return _converter(value) is not None


def _converter(value: Any) -> Callable[[Any, Unit], Any] | None:
    if type(value) is np.ndarray:
        return _timedeltas if value.dtype.kind == "m" else None
    if isinstance(value, datetime.timedelta | np.timedelta64):
        return _timedeltas
    if isinstance(value, _PLAIN) and not hasattr(value, "dim"):
        return None
    for is_one, convert in _LIBRARIES:
        if is_one(value):
            return convert
    return None


def _brian(value: Any, unit: Unit) -> Any:
    power, factor = _OF_SECONDS[unit]
    names = ("m", "kg", "s", "A", "K", "mol", "cd")
    powers = {base: value.dim.get_dimension(base) for base in names}
    if powers != {base: power if base == "s" else 0 for base in names}:
        raise ValueError(f"not {unit}")
    # Brian2 holds SI units.
    return np.asarray(value) * factor


def _timedeltas(value: Any, unit: Unit) -> Any:
    if unit != "ms":
        raise ValueError("a duration")
    return np.asarray(value, "timedelta64[ns]") / np.timedelta64(1, "ms")


def _labelled(value: Any, unit: Unit) -> Any:
    if str(value.attrs["units"]) not in ({"", "1", "dimensionless"} if unit == "dimensionless" else {unit}):
        raise ValueError(f"its attribute `units` says {value.attrs['units']}")
    return value.values


# What a library's quantities are known by -> how they convert.
_LIBRARIES: tuple[tuple[Callable[[Any], bool], Callable[[Any, Unit], Any]], ...] = (
    (lambda value: hasattr(value, "rescale"), lambda value, unit: value.rescale(unit).magnitude),
    (
        lambda value: hasattr(value, "to_value") and hasattr(value, "unit"),
        lambda value, unit: value.to_value("" if unit == "dimensionless" else unit),
    ),
    (lambda value: hasattr(value, "to") and hasattr(value, "magnitude"), lambda value, unit: value.to(unit).magnitude),
    (lambda value: hasattr(getattr(value, "dim", None), "get_dimension"), _brian),
    (lambda value: "units" in getattr(value, "attrs", ()), _labelled),
)
