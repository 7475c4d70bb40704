"""Measured points from a file: the one input that a study takes from outside."""

import math
from pathlib import Path

from stdpjax.fitting.tables import read_table

Point = tuple[float, ...]


def read_lag_points(path: str | Path) -> tuple[Point, ...]:
    """Return the points (lag_ms, change_percent[, sem]) of a file as `stdpjax.fitting.read_measurements` takes it.

    Raises:
        ValueError: the file cannot be read, is empty, has a malformed line (the message names the line), or has spike
            times that are no pair.
    """
    points = []
    for row in read_table(path).rows:
        values = row.values
        if "lag_ms" not in values:
            pre, post = values["pre_ms"], values["post_ms"]
            assert isinstance(pre, tuple)
            assert isinstance(post, tuple)
            if len(pre) != 1 or len(post) != 1:
                raise ValueError(
                    f"data: expected one presynaptic and one postsynaptic spike, with a lag between them, on line "
                    f"{row.number} of {str(path)!r}, got {len(pre)} and {len(post)}"
                )
            values = {**values, "lag_ms": post[0] - pre[0]}
        columns = ("lag_ms", "change_percent", "sem_percent")
        points.append(tuple(float(values[name]) for name in columns if name in values))  # pyright: ignore
    return tuple(points)


def is_point(point: object) -> bool:
    """Whether these are two or three finite numbers, the third, a standard error, at least 0."""
    if not isinstance(point, list | tuple):
        return False
    are_numbers = all(
        isinstance(part, int | float) and not isinstance(part, bool) and math.isfinite(part) for part in point
    )
    return are_numbers and len(point) in (2, 3) and (len(point) == 2 or point[2] >= 0)
