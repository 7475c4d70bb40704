"""Measured points from a CSV file: the one input that a study takes from outside."""

import csv
import math
from pathlib import Path

Point = tuple[float, ...]


def read_lag_points(path: str | Path) -> tuple[Point, ...]:
    r"""Read (lag_ms, change_percent[, sem]) points from a CSV file.

    Args:
        path: the file: one point a line, two or three numbers separated by commas. One header line, empty lines and
            lines that begin with # are allowed.

    Returns:
        The points, each of two or three finite numbers, in the order of the file.

    Raises:
        ValueError: the file cannot be read, is empty, or has a malformed line (the message names the line).

    Example:
        >>> import pathlib, tempfile
        >>> from stdpjax.studies.points import read_lag_points
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "points.csv"
        ...     _ = file.write_text("lag_ms,change_percent\n10,45.5\n-10,-20\n")
        ...     read_lag_points(file)
        ((10.0, 45.5), (-10.0, -20.0))
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"data: expected a readable CSV file, got {str(path)!r} ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"data: expected a CSV file in UTF-8, got {str(path)!r} ({error.reason})") from error
    points: list[Point] = []
    may_be_header = True
    # One line at a time: a quote left open must not swallow the lines after it.
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            row = next(csv.reader([line]), [])
        except csv.Error as error:
            raise ValueError(f"data: expected a CSV file, got {str(path)!r} (line {number}: {error})") from error
        fields = [field.strip() for field in row]
        if not any(fields) or fields[0].startswith("#"):
            continue
        point = _parse(fields)
        if point is None and may_be_header and not any(_is_float(field) for field in fields):
            may_be_header = False
            continue
        may_be_header = False
        if point is None:
            raise ValueError(
                f"data: expected lag_ms, change_percent and optionally sem (finite numbers, sem at least 0) "
                f"on line {number} of {str(path)!r}, got {','.join(row)!r}"
            )
        points.append(point)
    if not points:
        raise ValueError(f"data: expected at least one point, got none in {str(path)!r}")
    return tuple(points)


def is_point(point: object) -> bool:
    """Whether these are two or three finite numbers, the third, a standard error, at least 0."""
    if not isinstance(point, list | tuple):
        return False
    are_numbers = all(isinstance(part, int | float) and math.isfinite(part) for part in point)
    return are_numbers and len(point) in (2, 3) and (len(point) == 2 or point[2] >= 0)


def _is_float(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _parse(fields: list[str]) -> Point | None:
    """Return the point of a line, None if it is malformed."""
    if not all(_is_float(field) for field in fields):
        return None
    point = tuple(float(field) for field in fields)
    return point if is_point(point) else None
