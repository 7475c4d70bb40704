"""What a study is: settings, a pure run, claims that measure what it returns, and a picture."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, Key
from matplotlib.figure import Figure

from stdpjax import _checks
from stdpjax._docs import documented
from stdpjax.lab import plotting, settings
from stdpjax.lab.claim import Claim, Measurement, Verdict

# Called by a run with the fraction done, in [0, 1], and a word on what comes next.
Progress = Callable[[float, str], None]


class Variable(NamedTuple):
    """A number or curve that a sweep keeps for each of its points."""

    dims: tuple[str, ...]
    attributes: Mapping[str, str]


# Compared and hashed as an object: it is a key of the cache of compiled programs.
@documented
@dataclasses.dataclass(frozen=True, eq=False)
class Point:
    """What a sweep computes at one point of its grid, for one seed.

    `function(key, values, config)` is pure and can be traced: `values` holds the settings named in `traced` as traced
    numbers, and `config` all others. In `config` the traced settings are not those of the point: one named in
    `ceilings` stands at a number no smaller than any that may come, the rest at the study's defaults.
    """

    function: Callable[[Key[Array, ""], Mapping[str, Array], Any], dict[str, Array]]
    variables: Mapping[str, Variable]
    traced: tuple[str, ...]
    """Numbers that a sweep may vary without compiling again."""
    structural: tuple[str, ...]
    """Settings that a sweep may vary, which decide shapes or branches: one compilation for each combination."""
    coords: Callable[[Any], Mapping[str, np.ndarray]]
    """Coordinates of the variables' dims, for a configuration; increasing whole numbers."""
    ceilings: tuple[str, ...] = ()
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Units of settings and of coordinates."""


@documented
@dataclasses.dataclass(frozen=True)
class Study:
    """One question, one file: configuration, run, claims, picture.

    `config` is an instance of a frozen dataclass with JSON-able fields, see `settings.configuration`, and `smoke` what
    differs from it in a run of seconds. `run` and `plot` are pure: no files, no clock, no global state.
    """

    name: str
    title: str
    figure: str
    source: str
    caption: str
    config: Any
    smoke: Mapping[str, Any] = dataclasses.field(hash=False)
    claims: tuple[Claim, ...]
    run: Callable[[Key[Array, ""], Any, Progress], xr.Dataset]
    plot: Callable[[xr.Dataset, Any], Figure]
    point: Point | None = None
    """What a sweep computes; None where a study does not lend itself to one."""

    def __post_init__(self) -> None:
        """Refuse what cannot run."""
        for name in ("name", "title", "figure", "source", "caption"):
            _checks.text(name, getattr(self, name), may_be_empty=False)
        if not self.name.isidentifier():
            raise ValueError(f"name: expected a word, which is also a folder's name, got {self.name!r}")
        if not dataclasses.is_dataclass(self.config) or isinstance(self.config, type):
            raise ValueError(f"config: expected an instance of the study's frozen dataclass, got {self.config!r:.80}")
        _checks.instance("smoke", self.smoke, Mapping, "settings to their values")
        object.__setattr__(self, "smoke", MappingProxyType(dict(self.smoke)))
        try:
            self.configuration(is_smoke=True)
        except ValueError as error:
            raise ValueError(f"smoke: expected settings of the study, got {dict(self.smoke)}: {error}") from error
        if not isinstance(self.claims, tuple) or not all(isinstance(claim, Claim) for claim in self.claims):
            raise ValueError(f"claims: expected a tuple of claims, got {self.claims!r:.80}")
        _checks.distinct("claims", tuple(claim.id for claim in self.claims))
        for name in ("run", "plot"):
            if not callable(getattr(self, name)):
                raise ValueError(f"{name}: expected a function, got {getattr(self, name)!r:.80}")
        _checks.instance("point", self.point, Point | None, "a Point or None")

    def configuration(self, is_smoke: bool) -> Any:
        """Return the default configuration, or that of a run of seconds."""
        return settings.replace(self.config, self.smoke, self.name) if is_smoke else self.config


class Result(NamedTuple):
    """A finished study: its labelled data and one ledger record for each claim."""

    study: Study
    config: Any
    seed: int
    is_smoke: bool
    data: xr.Dataset
    records: tuple[dict[str, Any], ...]

    def __repr__(self) -> str:
        """Return the claims with their numbers, and how large the data are: not the data."""
        sizes = ", ".join(f"{name}: {size}" for name, size in self.data.sizes.items())
        head = f"Result({self.study.name!r}, seed={self.seed}, is_smoke={self.is_smoke}, "
        lines = [f"  {one['id']}: {one['measured']} ({one['verdict']})" for one in self.records]
        return "\n".join([f"{head}data: {len(self.data.data_vars)} variables ({sizes}))", *lines])

    def figure(self) -> Figure:
        """Draw the study's figure in the house style."""
        with plotting.style():
            return self.study.plot(self.data, self.config)


def failures(data: xr.Dataset) -> tuple[str, ...]:
    """Return what went wrong in a run, in words.

    A bool variable with the attribute `required` says for each of its elements (trials, networks) whether that came
    about; the attribute says what, as in "trials with finite states".
    """
    wrong = []
    for variable in data.data_vars.values():
        if "required" in variable.attrs:
            n_wrong = int((~variable.values.astype(bool)).sum())
            if n_wrong:
                first = np.flatnonzero(~variable.values.astype(bool).ravel())[0]
                wrong.append(f"{variable.attrs['required']}: {n_wrong} of {variable.size} are not (first: {first}).")
    return tuple(wrong)


def make_record(
    study: Study, claim: Claim, measurement: Measurement, config: Any, is_smoke: bool, failures: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the ledger record of a claim: the numbers, and whether they meet its criterion."""
    criterion = claim.criterion.in_precision(jax.dtypes.canonicalize_dtype(float) == np.float64)
    is_met = criterion.is_met_by(measurement.value, measurement.interval)
    notes = [measurement.note] if measurement.note else []
    verdict: Verdict = "met" if is_met else "not met"
    if failures:
        verdict = "inconclusive"
        notes.extend(failures)
    control = measurement.control
    if is_met and not math.isfinite(control):
        verdict = "inconclusive"
        notes.append("The negative control is not finite, so nothing shows that the check has power.")
    elif is_met and criterion.is_met_by(control):
        verdict = "inconclusive"
        notes.append("The negative control meets the criterion too, so the check has no power here.")
    if is_smoke:
        verdict = "inconclusive"
        notes.append("Smoke configuration: too small to judge.")
    elif config != study.config:
        values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
        others = {name: repr(value) for name, value in values.items() if value != getattr(study.config, name)}
        changed = [f"{name}={value}" if len(value) <= 40 else name for name, value in others.items()]
        notes.append(f"The criterion was stated for the default configuration; here {', '.join(changed)}.")
    return {
        "id": claim.id,
        "study": study.name,
        "statement": claim.statement,
        "bearing": claim.bearing,
        "claim": claim.measured,
        "measured": _finite_or_none(measurement.value),
        "expected": criterion.expected,
        "comparison": criterion.comparison,
        "tolerance": criterion.tolerance,
        "interval": None if measurement.interval is None else [_finite_or_none(end) for end in measurement.interval],
        "control": _finite_or_none(measurement.control),
        "control_is": claim.control_is,
        "revised": claim.revised,
        "is_met": is_met,
        "verdict": verdict,
        "note": " ".join(notes),
    }


def _finite_or_none(value: float) -> float | None:
    """Return a JSON number; JSON has no NaN and no infinity."""
    return float(value) if math.isfinite(value) else None
