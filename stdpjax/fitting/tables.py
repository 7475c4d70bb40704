"""Tables of measurements: the one reader of such files, with each line's number and every cell checked."""

import csv
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stdpjax.fitting.columns import NO_HEADER, NO_HEADER_SEM, TIMES, Header, is_header, read_header
from stdpjax.fitting.plausible import refuse_other_unit

Value = float | tuple[float, ...]
_DELIMITERS = {";": "semicolons", "\t": "tabs", ",": "commas"}
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
# A cell of a spreadsheet that could not be computed, at the beginning of a line: #N/A, #DIV/0!, and so in other
# languages. It is no comment.
_ERROR = re.compile(r"#(N/A|N/D|NV|GETTING_DATA|[¿¡]?[^\W\d_a-z]+(/0)?[!?])\s*([;,\t]|$)")
# A minus as papers print it.
_MINUS = str.maketrans({"\N{MINUS SIGN}": "-"})


class Row(NamedTuple):
    """A line of a table."""

    number: int
    """Line of the file, from 1."""
    values: dict[str, Value]
    """Column to number, or to spike times; changes and their standard errors in percent."""


class Table(NamedTuple):
    """What a file says."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    unused: tuple[str, ...]
    """Names of columns that are no measurements."""

    def column(self, name: str) -> NDArray[np.float64] | None:
        """Return the numbers of a column, None where there is none."""
        return np.array([row.values[name] for row in self.rows], np.float64) if name in self.columns else None


class _Line(NamedTuple):
    """A line of a file that holds something."""

    where: str
    number: int
    text: str


def read_table(path: str | Path, *, check_unit: bool = True) -> Table:
    """Return the table of a file of measurements, see `read_measurements`."""
    if not isinstance(path, str | Path):
        raise ValueError(f"path: expected the name of a CSV file, got {path!r}")
    lines, comments = _lines(path)
    if not lines:
        raise ValueError(f"data: expected at least one measurement, got none in {str(path)!r}")
    delimiter, header, lines = _begin(lines, comments)
    if not lines:
        raise ValueError(f"data: expected at least one measurement, got none in {str(path)!r}")
    cells = [_cells(line, delimiter, header) for line in lines]
    _refuse_two_decimal_signs(lines, cells, header)
    rows = tuple(Row(line.number, _values(line, one, header)) for line, one in zip(lines, cells, strict=True))
    has_sem = ["sem_percent" in row.values for row in rows]
    if any(has_sem) and not all(has_sem):
        raise ValueError(
            f"data: expected a sem on every line or on none, got none on {lines[has_sem.index(False)].where}"
        )
    table = Table(tuple(rows[0].values), rows, header.unused)
    if check_unit:
        _refuse_other_units(table, header, str(path))
    return table


def _refuse_other_units(table: Table, header: Header, path: str) -> None:
    change = next(column for column in header.columns if column is not None and column.role == "change_percent")
    percent, lag_ms = table.column("change_percent"), table.column("lag_ms")
    assert percent is not None
    raw = (percent - change.offset) / change.factor
    refuse_other_unit("data", change.known, raw, f" as {change.name} of {path!r}")
    name = "lag_ms"
    if lag_ms is None:
        # Spike times: how long each block takes.
        name = "pre_ms and post_ms"
        blocks = [[row.values[train] for train in TIMES] for row in table.rows]
        lag_ms = np.array([np.ptp(np.concatenate(block)) for block in blocks])
        # Long ones may well be.
        if lag_ms.max() >= 1:
            return
    refuse_other_unit("data", "lag_ms", lag_ms, f" as {name} of {path!r}")


def _lines(path: str | Path) -> tuple[list[_Line], list[_Line]]:
    """Return lines, and the comments before the first of them."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        if isinstance(error, UnicodeDecodeError):
            raise ValueError(
                f"data: expected a CSV file in UTF-8, as a spreadsheet saves it on demand, got {str(path)!r} "
                f"({error.reason})"
            ) from error
        reason = getattr(error, "strerror", None) or error
        raise ValueError(f"data: expected a readable CSV file, got {str(path)!r} ({reason})") from error
    lines: list[_Line] = []
    comments: list[_Line] = []
    for number, line in enumerate(text.splitlines(), start=1):
        found = _Line(f"line {number} of {str(path)!r}", number, line)
        if line.lstrip().startswith("#") and not _ERROR.match(line.lstrip()):
            comments += [] if lines else [found]
        elif line.strip("".join(_DELIMITERS) + ' "'):
            lines.append(found)
    return lines, comments


def _begin(lines: list[_Line], comments: list[_Line]) -> tuple[str, Header, list[_Line]]:
    """Return what stands between columns, the columns, and the lines after the header."""
    first = lines[0]
    ways = {delimiter: _split(first, delimiter) for delimiter in _DELIMITERS if delimiter in first.text}
    if not ways:
        raise ValueError(
            f"data: expected columns with commas, semicolons or tabs between them on {first.where}, got {first.text!r}"
        )
    numeric = {delimiter: cells for delimiter, cells in ways.items() if all(map(_NUMBER.fullmatch, cells))}
    if not numeric:
        # The way that finds most names; a header that names nothing is refused as it stands.
        delimiter = max(ways, key=lambda one: (is_header(ways[one]), len(ways[one])))
        if any(map(_NUMBER.fullmatch, ways[delimiter])):
            raise ValueError(
                f"data: expected a header, or a finite number in each column, on {first.where}, got {first.text!r}"
            )
        return delimiter, read_header(_without_last_empty(ways[delimiter]), first.where), lines[1:]
    # A line of numbers can be split in one way only: what is left over is no number.
    (delimiter, cells), *_ = numeric.items()
    for comment in reversed(comments):
        names = _split(comment._replace(text=comment.text.lstrip().lstrip("#")), delimiter)
        if is_header(names):
            return delimiter, read_header(names, comment.where), lines
    if delimiter == "," and len(cells) == 3:
        _refuse_decimal_commas(lines)
    if len(cells) not in (2, 3):
        raise ValueError(
            f"data: expected lag_ms, change_percent and optionally sem, or a header, on {first.where}, got "
            f"{len(cells)} numbers"
        )
    return delimiter, NO_HEADER if len(cells) == 2 else NO_HEADER_SEM, lines


def _split(line: _Line, delimiter: str) -> list[str]:
    # One line at a time: a quote left open must not swallow the lines after it.
    try:
        row = next(csv.reader([line.text], delimiter=delimiter, skipinitialspace=True, strict=True), [])
    except csv.Error as error:
        raise ValueError(f"data: expected a CSV file, got {line.where}: {error}") from error
    return [cell.strip().translate(_MINUS) for cell in row]


def _refuse_decimal_commas(lines: Sequence[_Line]) -> None:
    """Refuse numbers with nothing but commas, which may be between them or within them."""
    if not any(re.search(r'[."]|, ', line.text) for line in lines):
        raise ValueError(
            f"data: expected a header, or semicolons between columns, where commas may be decimal signs, on "
            f"{lines[0].where}, got {lines[0].text!r}"
        )


def _without_last_empty(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells


def _cells(line: _Line, delimiter: str, header: Header) -> list[str]:
    cells, n = _split(line, delimiter), len(header.columns)
    if len(cells) > n:
        cells = cells[:n] + _without_last_empty(cells[n:])
    last = header.columns[-1]
    # A last sem may be left out, which all lines have to do alike.
    if len(cells) == n - 1 and last is not None and last.role == "sem_percent":
        cells.append("")
    if len(cells) != n:
        hint = "; where commas are decimal signs, put semicolons between columns" if delimiter == "," else ""
        names = ", ".join(column.name if column else "..." for column in header.columns)
        raise ValueError(f"data: expected {n} cells ({names}) on {line.where}, got {len(cells)}{hint}")
    return cells


def _refuse_two_decimal_signs(lines: Sequence[_Line], rows: Sequence[list[str]], header: Header) -> None:
    """Refuse points and commas in the numbers of one file, and commas that all look like those of thousands."""
    first: dict[str, str] = {}
    with_comma: list[str] = []
    for line, cells in zip(lines, rows, strict=True):
        for column, cell in zip(header.columns, cells, strict=True):
            parts = cell.split() if column is not None else []
            with_comma += [part for part in parts if "," in part]
            first |= {
                sign: f"{cell!r} on {line.where}" for sign in ",." if sign in cell and parts and sign not in first
            }
    if len(first) > 1:
        raise ValueError(f"data: expected one decimal sign in all numbers, got {first['.']} and {first[',']}")
    if with_comma and all(map(_THOUSANDS.fullmatch, with_comma)):
        raise ValueError(f"data: expected commas that are decimal signs, not those of thousands, got {first[',']}")


def _values(line: _Line, cells: Sequence[str], header: Header) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for column, cell in zip(header.columns, cells, strict=True):
        if column is None or (column.role == "sem_percent" and not cell):
            continue
        if column.role in TIMES:
            times = [_number(part) for part in cell.split()]
            if not times or any(time is None for time in times):
                raise ValueError(
                    f"data: expected spike times separated by spaces as {column.name} on {line.where}, got {cell!r}"
                )
            values[column.role] = tuple(time for time in times if time is not None)
            continue
        number = _number(cell)
        if number is None:
            raise ValueError(f"data: expected a finite number as {column.name} on {line.where}, got {cell!r}")
        if column.role == "sem_percent" and not number > 0:
            raise ValueError(f"data: expected a sem above 0 on {line.where}, got {cell!r}")
        if column.role == "change_percent" and column.offset and number < 0:
            raise ValueError(f"data: expected a {column.name} of at least 0 on {line.where}, got {cell!r}")
        values[column.role] = column.offset + column.factor * number
        if column.role == "change_percent" and not column.offset and number < -100:
            raise ValueError(
                f"data: expected a {column.name} of at least -100, the loss of all weight, on {line.where}, got "
                f"{cell!r}"
            )
    return values


def _number(cell: str) -> float | None:
    number = float(cell.replace(",", ".")) if _NUMBER.fullmatch(cell) else math.nan
    return number if math.isfinite(number) else None
