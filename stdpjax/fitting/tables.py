"""Tables of measurements: rows of a CSV file, each with its line number and every cell checked."""

import csv
import math
from pathlib import Path
from typing import NamedTuple

Value = float | tuple[float, ...]
_PAIR_COLUMNS = ("lag_ms", "change_percent", "sem")
_TIMES = ("pre_ms", "post_ms")
COLUMNS = ("lag_ms", *_TIMES, "change_percent", "sem", "frequency_hz", "n_repeats")


class Row(NamedTuple):
    """A line of a table."""

    number: int
    """Line of the file, from 1."""
    values: dict[str, Value]
    """Column to number, or to spike times."""


def read_rows(path: str | Path) -> list[Row]:
    """Return the rows of a table of measurements, see `read_measurements`."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"data: expected a readable CSV file, got {str(path)!r} ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"data: expected a CSV file in UTF-8, got {str(path)!r} ({error.reason})") from error
    rows: list[Row] = []
    columns: tuple[str, ...] | None = None
    # One line at a time: a quote left open must not swallow the lines after it.
    for number, line in enumerate(text.splitlines(), start=1):
        where = f"line {number} of {str(path)!r}"
        try:
            cells = [cell.strip() for cell in next(csv.reader([line], strict=True), [])]
        except csv.Error as error:
            raise ValueError(f"data: expected a CSV file, got {where}: {error}") from error
        if not any(cells) or cells[0].startswith("#"):
            continue
        if columns is None:
            columns, is_header = _columns(cells, where)
            if is_header:
                continue
        rows.append(Row(number, _values(columns, cells, where)))
    if not rows:
        raise ValueError(f"data: expected at least one measurement, got none in {str(path)!r}")
    return rows


def _columns(cells: list[str], where: str) -> tuple[tuple[str, ...], bool]:
    """Return the columns, and whether this line names them."""
    if all(_number(cell) is not None for cell in cells):
        if len(cells) in (2, 3):
            return _PAIR_COLUMNS[: len(cells)], False
        raise ValueError(
            f"data: expected lag_ms, change_percent and optionally sem, or a header, on {where}, got {len(cells)} "
            "numbers"
        )
    unknown = [cell for cell in cells if cell not in COLUMNS]
    if unknown:
        raise ValueError(f"data: expected columns among {', '.join(COLUMNS)} on {where}, got {unknown[0]!r}")
    twice = [cell for cell in cells if cells.count(cell) > 1]
    if twice:
        raise ValueError(f"data: expected each column once on {where}, got {twice[0]!r} twice")
    has_times = [name in cells for name in _TIMES]
    if "change_percent" not in cells or ("lag_ms" in cells) == any(has_times) or any(has_times) != all(has_times):
        raise ValueError(
            f"data: expected change_percent and either lag_ms or both pre_ms and post_ms on {where}, got "
            f"{', '.join(cells)}"
        )
    if "n_repeats" in cells and "frequency_hz" not in cells:
        raise ValueError(f"data: expected frequency_hz beside n_repeats on {where}, got {', '.join(cells)}")
    return tuple(cells), True


def _values(columns: tuple[str, ...], cells: list[str], where: str) -> dict[str, Value]:
    # A last sem may be left out, which all lines have to do alike.
    if len(cells) == len(columns) - 1 and columns[-1] == "sem":
        columns = columns[:-1]
    if len(cells) != len(columns):
        raise ValueError(f"data: expected {len(columns)} cells ({', '.join(columns)}) on {where}, got {len(cells)}")
    values: dict[str, Value] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column == "sem" and not cell:
            continue
        value = _times(cell) if column in _TIMES else _number(cell)
        if value is None:
            kind = "spike times separated by spaces" if column in _TIMES else "a finite number"
            raise ValueError(f"data: expected {kind} as {column} on {where}, got {cell!r}")
        if column == "sem" and not (isinstance(value, float) and value > 0):
            raise ValueError(f"data: expected a sem above 0 on {where}, got {cell!r}")
        values[column] = value
    return values


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _times(cell: str) -> tuple[float, ...] | None:
    numbers = [_number(part) for part in cell.split()]
    if not numbers or any(number is None for number in numbers):
        return None
    return tuple(number for number in numbers if number is not None)
