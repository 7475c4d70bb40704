"""Names of columns: which of a file are measurements, in which unit, and which are near enough to ask about."""

import difflib
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

TIMES = ("pre_ms", "post_ms")
# Headers without one of these say nothing of the change, or nothing of what was done.
_PLAIN = ("lag_ms", *TIMES, "frequency_hz", "n_repeats")
# Name -> (the known name, offset and factor by which a number of the file becomes a change in percent). No other column
# of changes is that of the weight: "frequency change (%)", "log change (%)".
_CHANGES: Mapping[str, tuple[str, float, float]] = MappingProxyType(
    {
        **dict.fromkeys(("percent_change", "weight_percent_change"), ("change_percent", 0.0, 1.0)),
        **{
            f"{of}{name}": (known, offset, factor)
            for of in ("", "weight_", "epsp_", "epsc_")
            for name, known, offset, factor in (
                ("change_percent", "change_percent", 0.0, 1.0),
                ("percent_of_baseline", "percent_of_baseline", -100.0, 1.0),
                ("ratio", "epsp_ratio", -100.0, 100.0),
            )
        },
    }
)
_NAMES = (*_PLAIN, "change_percent", "epsp_ratio", "percent_of_baseline", "sem")
# What a column might have been meant as, by words in its name; only where no other column is that.
_WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "lag_ms": frozenset({"lag", "lags", "dt", "δt", "delta", "timing", "ms"}),
        "pre_ms": frozenset({"pre"}),
        "post_ms": frozenset({"post"}),
        "change_percent": frozenset(
            {"change", "ratio", "percent", "baseline", "weight", "epsp", "epsc", "dw", "ltp", "potentiation"}
        ),
        "sem": frozenset({"sem", "se", "sd", "std", "stdev", "error", "err", "ci", "variance"}),
        "frequency_hz": frozenset({"frequency", "freq", "hz", "rate", "interval", "period"}),
        "n_repeats": frozenset({"repeats", "repetitions", "pairs", "pairings", "reps", "sweeps"}),
    }
)


class Column(NamedTuple):
    """A column that is a measurement; its numbers become `offset + factor * number`."""

    role: str
    """`lag_ms`, `pre_ms`, `post_ms`, `change_percent`, `sem_percent`, `frequency_hz` or `n_repeats`."""
    name: str
    offset: float = 0.0
    factor: float = 1.0
    known: str = ""
    """Of a change: `change_percent`, `percent_of_baseline` or `epsp_ratio`."""


class Header(NamedTuple):
    """The columns of a file."""

    columns: tuple[Column | None, ...]
    """None for those that are left alone."""
    unused: tuple[str, ...]


NO_HEADER = Header((Column("lag_ms", "lag_ms"), Column("change_percent", "change_percent", known="change_percent")), ())
NO_HEADER_SEM = Header((*NO_HEADER.columns, Column("sem_percent", "sem")), ())


def plain(cell: str) -> str:
    """Return a name in lower case with single underscores: "Lag (ms)" is "lag_ms"."""
    return "_".join(re.findall(r"[^\W_]+", cell.casefold().replace("%", " percent ")))


def is_header(cells: Sequence[str]) -> bool:
    """Whether names say what was done and what it did."""
    roles = {column.role for column in map(_recognised, map(plain, cells)) if column is not None}
    return "change_percent" in roles and bool(roles & {"lag_ms", *TIMES})


def read_header(cells: Sequence[str], where: str) -> Header:
    """Return the columns that a line names, refusing what is missing, double, or nearly a name."""
    names = [plain(cell) for cell in cells]
    columns = [_recognised(name) for name in names]
    of_role: dict[str, Column] = {}
    for column in columns:
        if column is None:
            continue
        if column.role in of_role:
            pair = sorted({column.name, of_role[column.role].name})
            got = " and ".join(map(repr, pair)) if len(pair) > 1 else f"{pair[0]!r} twice"
            raise ValueError(f"data: expected one column of {_in_words(column.role)} on {where}, got {got}")
        of_role[column.role] = column
    for cell, name, column in zip(cells, names, columns, strict=True):
        meant = None if column is not None else _meant(name, of_role)
        if meant:
            raise ValueError(f"data: expected {_in_words(meant)} under the name {meant} on {where}, got {cell!r}")
    got = ", ".join(cells)
    if "change_percent" not in of_role:
        raise ValueError(
            f"data: expected change_percent, epsp_ratio (after over before) or percent_of_baseline on {where}, got "
            f"{got}"
        )
    has_times = [name in of_role for name in TIMES]
    if ("lag_ms" in of_role) == any(has_times) or any(has_times) != all(has_times):
        raise ValueError(f"data: expected either lag_ms or both pre_ms and post_ms on {where}, got {got}")
    unit = of_role["change_percent"].factor
    finished = tuple(
        column._replace(factor=unit) if column is not None and column.name == "sem" else column for column in columns
    )
    unused = tuple(cell for cell, column in zip(cells, columns, strict=True) if column is None and cell)
    return Header(finished, unused)


def _recognised(name: str) -> Column | None:
    if name in _PLAIN:
        return Column(name, name)
    if name in _CHANGES:
        known, offset, factor = _CHANGES[name]
        return Column("change_percent", name, offset, factor, known)
    units = {"sem": 1.0, "sem_percent": 1.0, "sem_ratio": 100.0}
    units |= {f"{change}_sem": factor for change, (_, _, factor) in _CHANGES.items()}
    return Column("sem_percent", name, 0.0, units[name]) if name in units else None


def _meant(name: str, of_role: Mapping[str, Column]) -> str | None:
    """Return the name that a column seems to have been meant to have, where no other column has it."""
    is_there = {*of_role} | ({"sem"} if "sem_percent" in of_role else set())
    if "lag_ms" in is_there:
        is_there |= {*TIMES}
    if is_there >= {*TIMES}:
        is_there.add("lag_ms")
    for known, words in _WORDS.items():
        if known not in is_there and words & {*name.split("_")}:
            return known
    near = difflib.get_close_matches(name, [known for known in _NAMES if known not in is_there], n=1, cutoff=0.85)
    # Of the three names of the change one is enough.
    return None if not near or ("change_percent" in is_there and near[0] in _CHANGES) else near[0]


def _in_words(role: str) -> str:
    return {
        "lag_ms": "lags in ms, post minus pre",
        "pre_ms": "presynaptic spike times in ms",
        "post_ms": "postsynaptic spike times in ms",
        "change_percent": "changes in percent",
        "epsp_ratio": "ratios of after over before",
        "percent_of_baseline": "percent of the weight before",
        "sem": "standard errors",
        "sem_percent": "standard errors",
        "frequency_hz": "frequencies in Hz",
        "n_repeats": "numbers of repeats",
    }[role]
