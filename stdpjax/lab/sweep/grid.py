"""The grid of a sweep: reading it, checking it, and putting together what one compilation can compute."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stdpjax import _checks
from stdpjax.lab import settings
from stdpjax.lab.study import Point, Study

Grid = Mapping[str, tuple[Any, ...]]

# A ceiling is rounded up to a power of two, and is never lower: other values then seldom mean another compilation.
_LOWEST_CEILING = 16


class Group(NamedTuple):
    """The cells of a grid that share one compiled program: they differ in traced numbers only."""

    config: Any
    """What is compiled; traced settings stand at their ceilings or defaults, see `Point`."""
    cells: np.ndarray
    """Numbers of the cells, in C order over the grid's parameters."""
    values: Mapping[str, np.ndarray]
    """The traced settings of each cell."""


def point_of(study: Study) -> Point:
    """Return what a study computes in a sweep, refusing one that computes nothing there."""
    _checks.instance("study", study, Study, "a Study, as stdpjax.studies.find gives")
    if study.point is None:
        raise ValueError(f"study: expected one with a point, which is what a sweep computes, got {study.name!r}")
    return study.point


def parse_grid(study: Study, texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return a grid from the texts of the command line.

    Args:
        study: the study.
        texts: one for each parameter, `name=a,b,c` or `name=lo:hi:n` (evenly spaced, both ends included) or
            `name=lo:hi:n:log` (evenly spaced ratios).

    Returns:
        The values of each parameter, in the order given.

    Raises:
        ValueError: a text of another form, an unknown or repeated parameter, a value that does not fit it, or a
            range that cannot be.

    Example:
        >>> from stdpjax import studies
        >>> parse_grid(studies.find("stdp_window"), ["width=2:32:5:log", "window=5,10"])
        {'width': (2.0, 4.0, 8.0, 16.0, 32.0), 'window': (5, 10)}
    """
    point_of(study)
    if isinstance(texts, str) or not isinstance(texts, Sequence):
        raise ValueError(f"texts: expected a sequence of texts, got {texts!r:.80}")
    grid: dict[str, str] = {}
    for text in texts:
        _checks.text("texts", text)
        name, equals, values = text.partition("=")
        if not equals:
            raise ValueError(f"--grid: expected NAME=A,B,... or NAME=LO:HI:N[:log], got {text!r}")
        if name in grid:
            raise ValueError(f"--grid: expected each parameter once, got {name} again with {values!r}")
        grid[name] = values
    return read_grid(study, grid)


def read_grid(study: Study, grid: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return a grid with every value of the type that its parameter has; a text is read as on the command line."""
    point = point_of(study)
    _checks.instance("grid", grid, Mapping, "parameters with their values")
    if not grid:
        raise ValueError("grid: expected at least one parameter with its values, got none")
    known = (*point.traced, *point.structural)
    read = {}
    for name, values in grid.items():
        if name not in known:
            able = ", ".join(known)
            raise ValueError(f"grid: expected a parameter of {study.name} that can be swept ({able}), got {name!r}")
        example = getattr(study.config, name)
        if isinstance(values, str):
            values = _read_text(name, values, example)
        elif not isinstance(values, Sequence | np.ndarray):
            raise ValueError(f"{name}: expected a sequence of values, got {values!r}")
        plain = [value.item() if isinstance(value, np.generic) else value for value in values]
        plain = [float(v) if isinstance(example, float) and type(v) is int else v for v in plain]
        if not plain:
            raise ValueError(f"{name}: expected at least one value, got none")
        for index, value in enumerate(plain):
            # Neither lists nor arrays are values, and comparing them may say anything.
            if not isinstance(value, str | int | float):
                raise ValueError(f"{name}: expected values of type {type(example).__name__}, got {value!r:.80}")
            if value in plain[:index]:
                raise ValueError(f"{name}: expected different values, got {value!r} more than once")
        read[name] = tuple(plain)
    return read


def _read_text(name: str, text: str, example: Any) -> list[Any]:
    if ":" in text and not isinstance(example, str):
        return _read_range(name, text, isinstance(example, int))
    if not text.strip():
        raise ValueError(f"{name}: expected at least one value, got none")
    try:
        return [type(example)(part.strip()) for part in text.split(",")]
    except ValueError as error:
        kind = "whole numbers" if isinstance(example, int) else "numbers"
        raise ValueError(f"{name}: expected {kind} separated by commas, or LO:HI:N[:log], got {text!r}") from error


def _read_range(name: str, text: str, is_whole: bool) -> list[Any]:
    parts = [part.strip() for part in text.split(":")]
    try:
        low, high, n = float(parts[0]), float(parts[1]), int(parts[2])
        if len(parts) > 4 or (len(parts) == 4 and parts[3] != "log") or not math.isfinite(low + high):
            raise ValueError
    except (ValueError, IndexError):
        raise ValueError(f"{name}: expected a range LO:HI:N or LO:HI:N:log, got {text!r}") from None
    if n < 1 or n > 10**6:
        raise ValueError(f"{name}: expected a range of 1 to 1000000 values, got {n} in {text!r}")
    is_log = len(parts) == 4
    if is_log and min(low, high) <= 0:
        raise ValueError(f"{name}: expected bounds above 0 for a logarithmic range, got {text!r}")
    values = [float(value) for value in (np.geomspace if is_log else np.linspace)(low, high, n)]
    if is_whole:
        if any(abs(value - round(value)) > 1e-9 * max(1.0, abs(value)) for value in values):
            raise ValueError(f"{name}: expected a range of whole numbers, got {text!r}, which has others")
        return [round(value) for value in values]
    # Powers come out one digit off; nobody means 3.9999999999999996.
    return [float(f"{value:.15g}") for value in values]


def make_groups(study: Study, grid: Grid, smoke: bool, overrides: Mapping[str, Any]) -> list[Group]:
    """Check every cell of a grid and return the groups that share a compilation, in the order of their cells."""
    point = point_of(study)
    known = (*point.traced, *point.structural)
    for name, value in overrides.items():
        if name in grid:
            raise ValueError(f"{name}: expected either a setting or a parameter of the grid, got both")
        if name not in known:
            raise ValueError(
                f"{name}: expected a setting that sweeps of {study.name} use ({', '.join(known)}), got {name!r} with "
                f"{value!r:.80}"
            )
    structural = {name: values for name, values in grid.items() if name in point.structural}
    traced = {name: values for name, values in grid.items() if name in point.traced}
    shape = tuple(len(values) for values in grid.values())
    numbers = np.arange(math.prod(shape)).reshape(shape)
    groups = []
    for combination in itertools.product(*structural.values()):
        fixed = {**overrides, **dict(zip(structural, combination, strict=True))}
        first = {name: values[0] for name, values in traced.items()}
        config = _config(study, smoke, {**fixed, **first})
        # A configuration checks traced numbers one by one, so each value is seen once, not each combination.
        for name, values in traced.items():
            for value in values:
                _config(study, smoke, {**fixed, **first, name: value})
        # A grid in which only this combination is left; its axes stay, so cells keep their numbers.
        places = [[grid[name].index(fixed[name])] if name in structural else range(len(grid[name])) for name in grid]
        cells = numbers[np.ix_(*places)].ravel()
        axes = np.unravel_index(cells, shape)
        values = {}
        for name in point.traced:
            here = np.full(len(cells), getattr(config, name), dtype=np.float64)
            if name in traced:
                here = np.array(traced[name], dtype=np.float64)[axes[list(grid).index(name)]]
            values[name] = here
        stand_ins = {name: getattr(study.config, name) for name in point.traced}
        for name in point.ceilings:
            stand_ins[name] = float(max(_LOWEST_CEILING, 2 ** math.ceil(math.log2(values[name].max()))))
        groups.append(Group(dataclasses.replace(config, **stand_ins), cells, values))
    for name in (*overrides, *grid):
        # In a part of the cells a setting may well have no effect.
        beside = [settings.without_effect(group.config, name) for group in groups]
        if all(beside):
            got = overrides.get(name, grid.get(name))
            raise ValueError(f"{name}: expected it to be left out, as it has no effect with {beside[0]}, got {got!r}")
    return groups


def _config(study: Study, smoke: bool, values: Mapping[str, Any]) -> Any:
    return settings.replace(study.configuration(smoke), values, study.name)
