"""Claims that measure themselves, against criteria that are fixed before any run."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, SupportsFloat, get_args

import numpy as np
import xarray as xr

from stdpjax import _checks
from stdpjax._docs import documented
from stdpjax.stats import Estimate

Verdict = Literal["met", "not met", "inconclusive"]
Comparison = Literal["within", "at_least", "at_most"]
Bearing = Literal["supports", "limits", "refutes", "beyond"]


def estimate(data: xr.Dataset, name: str) -> Estimate:
    """Return the number that a run keeps as NAME, NAME_low and NAME_high, as `keep_estimate` does.

    Args:
        data: what a run returned, or a part of it; the three are scalars there.
        name: of the variable; NAME_value goes before NAME, which may be a coordinate.

    Raises:
        ValueError: no data, or none of the three by that name.

    Example:
        >>> import xarray as xr
        >>> from stdpjax.lab import estimate
        >>> estimate(xr.Dataset({"gain": 1.0, "gain_low": 0.9, "gain_high": 1.2}), "gain")
        Estimate(value=1.0, low=0.9, high=1.2, standard_error=None)
    """
    _checks.instance("data", data, xr.Dataset, "an xarray.Dataset")
    _checks.text("name", name, may_be_empty=False)
    parts = (f"{name}_value" if f"{name}_value" in data else name, f"{name}_low", f"{name}_high")
    for part in parts:
        if part not in data or data[part].ndim:
            raise ValueError(f"name: expected one with the scalar variable {part!r} in data, got {name!r}")
    return Estimate(*(float(data[part]) for part in parts))


def keep_estimate(
    name: str, found: Estimate, dims: str | tuple[str, ...] = (), *, value: str = "", **attributes: str
) -> dict[str, Any]:
    """Return an estimate as variables NAME, NAME_low and NAME_high of a dataset.

    Args:
        name: of the variables.
        found: numbers, or arrays of them.
        dims: their axes.
        value: what is put after the name of the number itself, "_value" where NAME is a coordinate.
        attributes: such as units, of all three.

    Raises:
        ValueError: what is no estimate, or names that are no text.

    Example:
        >>> import xarray as xr
        >>> from stdpjax.lab import Estimate, estimate, keep_estimate
        >>> estimate(xr.Dataset(keep_estimate("gain", Estimate(1.0, 0.9, 1.2))), "gain")
        Estimate(value=1.0, low=0.9, high=1.2, standard_error=None)
    """
    _checks.text("name", name, may_be_empty=False)
    _checks.text("value", value)
    _checks.instance("found", found, Estimate, "an estimate, as `stats.mean_interval` makes one")
    parts = {f"{name}{value}": found.value, f"{name}_low": found.low, f"{name}_high": found.high}
    return {part: (dims, np.asarray(numbers), attributes) for part, numbers in parts.items()}


@documented
@dataclasses.dataclass(frozen=True)
class Criterion:
    """What a number, with the whole of its interval, has to meet; made by `at_most`, `at_least` and `within`."""

    comparison: Comparison
    expected: float
    """The limit, or for "within" the middle."""
    tolerance: float = 0.0
    """For "within": the largest distance from the middle."""
    double: float | None = None
    """For a run in double precision, where more can be asked: the limit, or the tolerance, instead."""

    def __post_init__(self) -> None:
        """Refuse what is no criterion."""
        _checks.choice("comparison", self.comparison, get_args(Comparison))
        _checks.number("expected", self.expected)
        _checks.number("tolerance", self.tolerance, at_least=0)
        if self.double is not None:
            _checks.number("double", self.double)

    def in_precision(self, is_double: bool) -> "Criterion":
        """Return what is asked of a run in single or in double precision."""
        if not is_double or self.double is None:
            return self
        return dataclasses.replace(self, **{"tolerance" if self.comparison == "within" else "expected": self.double})

    def is_met_by(self, value: float, interval: tuple[float, float] | None = None) -> bool:
        """Whether a value and the whole of its interval meet it; a number that is not finite does not."""
        low, high = (float(end) for end in interval or (value, value))
        value = float(value)
        if not all(math.isfinite(number) for number in (value, low, high)):
            return False
        if self.comparison == "within":
            return max(abs(number - self.expected) for number in (value, low, high)) <= self.tolerance
        if self.comparison == "at_least":
            return min(value, low) >= self.expected
        return max(value, high) <= self.expected


def at_most(limit: float, *, double: float | None = None) -> Criterion:
    """Return the criterion that a number is at most a limit.

    Args:
        limit: the largest number that meets it.
        double: the limit for a run in double precision, if it is another one.

    Example:
        >>> from stdpjax.lab import at_most
        >>> at_most(1e-5).is_met_by(2e-6), at_most(1e-5).is_met_by(2e-6, (0.0, 2e-5))
        (True, False)
    """
    return Criterion("at_most", _checks.number("limit", limit), double=double)


def at_least(limit: float, *, double: float | None = None) -> Criterion:
    """Return the criterion that a number is at least a limit; arguments as in `at_most`.

    Example:
        >>> from stdpjax.lab import at_least
        >>> at_least(0.9).is_met_by(0.95)
        True
    """
    return Criterion("at_least", _checks.number("limit", limit), double=double)


def within(expected: float, tolerance: float, *, double: float | None = None) -> Criterion:
    """Return the criterion that a number is no farther than a tolerance from what is expected.

    Args:
        expected: the middle.
        tolerance: the largest distance, 0 or more.
        double: the tolerance for a run in double precision, if it is another one.

    Example:
        >>> from stdpjax.lab import within
        >>> within(1.0, 0.05).is_met_by(0.97, (0.94, 1.0))
        False
    """
    return Criterion("within", expected, tolerance, double)


@documented
@dataclasses.dataclass(frozen=True)
class Claim:
    """A number that a run's data decide, the criterion that it has to meet, and a control that must not meet it."""

    id: str
    """Unique among all studies; the rows of a ledger have it."""
    measured: str
    """What is measured, in a sentence."""
    _: dataclasses.KW_ONLY
    statement: str
    """The id of the `Statement` that it bears on; for "beyond" whose rule or law it speaks of."""
    criterion: Criterion
    measure: Callable[[xr.Dataset], SupportsFloat | Estimate]
    """Takes what the run returned."""
    control: Callable[[xr.Dataset], SupportsFloat]
    """The same number from the strongest wrong model that could have passed; it must not meet the criterion."""
    control_is: str
    """What the wrong model is, in a few words."""
    bearing: Bearing
    """What a met criterion says of the statement: it "supports" it, "limits" it to conditions, or "refutes" it; a
    claim "beyond" what the source says decides nothing about it."""
    revised: str = ""
    """Why the criterion was changed after numbers had been seen; empty if it never was."""
    note: str | Callable[[xr.Dataset], str] = ""
    """What a reader of the number should know, or a function that says it from the data."""

    def __post_init__(self) -> None:
        """Refuse what is no claim."""
        for name in ("id", "measured", "statement", "control_is", "revised"):
            _checks.text(name, getattr(self, name), may_be_empty=name == "revised")
        _checks.instance("criterion", self.criterion, Criterion, "a criterion, as `at_most(1e-5)` makes one")
        for name in ("measure", "control"):
            _checks.function(name, getattr(self, name), "data")
        _checks.choice("bearing", self.bearing, get_args(Bearing))
        if not callable(self.note):
            _checks.text("note", self.note)

    def measurement(self, data: xr.Dataset) -> "Measurement":
        """Measure a run and its control."""
        found = self.measure(data)
        value, interval = (found.value, found[1:3]) if isinstance(found, Estimate) else (found, None)
        return Measurement(
            float(value),
            float(self.control(data)),
            (float(interval[0]), float(interval[1])) if interval else None,
            self.note(data) if callable(self.note) else self.note,
        )


class Measurement(NamedTuple):
    """What a run says about a claim."""

    value: float
    control: float
    """The same number from the negative control, which must not meet the criterion."""
    interval: tuple[float, float] | None = None
    """95 % interval; None where the value is exact."""
    note: str = ""
