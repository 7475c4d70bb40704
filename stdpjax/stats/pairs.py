"""Pairs of numbers: correlations, and the sums that they follow from."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from stdpjax import _checks
from stdpjax.stats.intervals import FloatArray

# Of the sum of squares: rounding alone makes 1e-16 of it.
_LOST = 1e-12


class PairSums(NamedTuple):
    """Sums from which a correlation and a regression line follow; leading axes are free."""

    n: FloatArray
    x: FloatArray
    y: FloatArray
    xx: FloatArray
    yy: FloatArray
    xy: FloatArray


def pair_sums(x: ArrayLike, y: ArrayLike) -> PairSums:
    """Return the sums over the last axis that `correlation_of_sums` needs, about the overall means.

    Args:
        x: numbers, shape `[..., n]`.
        y: numbers, same shape.

    Returns:
        Sums, each of shape `[...]`. Taking them about the means of all data keeps the later differences accurate.

    Raises:
        ValueError: different shapes.

    Example:
        >>> import numpy as np, stdpjax
        >>> sums = stdpjax.stats.pair_sums(np.array([[0.0, 1.0, 2.0]]), np.array([[0.0, 2.0, 4.0]]))
        >>> stdpjax.stats.correlation_of_sums(*sums).tolist()
        [1.0]
    """
    a, b = same_shape(x, y)
    a, b = a - a.mean(), b - b.mean()
    n = np.full(a.shape[:-1], a.shape[-1], dtype=np.float64)
    return PairSums(n, a.sum(-1), b.sum(-1), (a * a).sum(-1), (b * b).sum(-1), (a * b).sum(-1))


def correlation_of_sums(
    n: ArrayLike, x: ArrayLike, y: ArrayLike, xx: ArrayLike, yy: ArrayLike, xy: ArrayLike
) -> FloatArray:
    """Return Pearson's correlation from the sums of `pair_sums`, elementwise; for use with `bootstrap`.

    Args:
        n: number of pairs.
        x: sum of x.
        y: sum of y.
        xx: sum of x squared.
        yy: sum of y squared.
        xy: sum of the products.

    Returns:
        Correlations, of the common shape of the sums; NaN where one of the two is constant, or varies so little about
        a mean so far from the overall one that the sums hold fewer than four digits of it.

    Raises:
        ValueError: sums that are no finite numbers, or whose shapes do not fit.

    Example:
        >>> import stdpjax
        >>> float(stdpjax.stats.correlation_of_sums(3, 0.0, 0.0, 2.0, 8.0, 4.0))
        1.0
    """
    given = {"n": n, "x": x, "y": y, "xx": xx, "yy": yy, "xy": xy}
    sums = {name: _checks.finite_numbers(name, part) for name, part in given.items()}
    for name, part in sums.items():
        try:
            np.broadcast_shapes(sums["n"].shape, part.shape)
        except ValueError as error:
            raise ValueError(f"{name}: expected a shape that fits {sums['n'].shape}, got {part.shape}") from error
    n, x, y, xx, yy, xy = sums.values()
    with np.errstate(invalid="ignore", divide="ignore"):
        of_x, of_y = xx - x * x / n, yy - y * y / n
        correlations = (xy - x * y / n) / np.sqrt(of_x * of_y)
        is_lost = (of_x <= _LOST * np.abs(xx)) | (of_y <= _LOST * np.abs(yy))
    return np.where(is_lost, np.nan, correlations)


def correlation(x: ArrayLike, y: ArrayLike) -> FloatArray:
    """Return Pearson's correlation along the last axis.

    Args:
        x: numbers, shape `[..., n]`.
        y: numbers, same shape.

    Returns:
        Correlations in [-1, 1], shape `[...]`; NaN where one of the two is constant.

    Raises:
        ValueError: different shapes.

    Example:
        >>> import stdpjax
        >>> float(stdpjax.stats.correlation([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]))
        -1.0
    """
    a, b = (_near_one(array) for array in same_shape(x, y))
    is_constant = (np.ptp(a, axis=-1) == 0) | (np.ptp(b, axis=-1) == 0)
    a, b = (_near_one(array - array.mean(-1, keepdims=True)) for array in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (a * b).sum(-1) / np.sqrt((a * a).sum(-1) * (b * b).sum(-1))
    # Rounding of the mean leaves something of a constant.
    return np.where(is_constant, np.nan, found)


def _near_one(array: FloatArray) -> FloatArray:
    """Scale by powers of 2, which rounds nothing, so that squares neither overflow nor vanish."""
    _, exponent = np.frexp(np.abs(array).max(-1, keepdims=True))
    return np.ldexp(array, -exponent)


def same_shape(x: ArrayLike, y: ArrayLike, name_of_x: str = "x", name_of_y: str = "y") -> tuple[FloatArray, FloatArray]:
    """Return two arrays of finite numbers, refusing different shapes and no numbers along the last axis."""
    a, b = _checks.finite_numbers(name_of_x, x), _checks.finite_numbers(name_of_y, y)
    if a.ndim < 1 or a.shape[-1] < 1:
        raise ValueError(f"{name_of_x}: expected at least one axis and one number along the last, got shape {a.shape}")
    if a.shape != b.shape:
        raise ValueError(f"{name_of_x} and {name_of_y}: expected one shape, got {a.shape} and {b.shape}")
    return a, b
