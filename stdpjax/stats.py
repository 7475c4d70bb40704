"""Statistics on results: correlations, quantile bins, chi-square, and a bootstrap over independent sequences.

Results are small and live on the host, so these are NumPy functions in double precision. Only the bootstrap draws
random numbers, and takes a key for them.
"""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks

FloatArray = NDArray[np.float64]

# Of the sum of squares: rounding alone makes 1e-16 of it.
_LOST = 1e-12
# Standard errors to either side of a normal estimate that hold it in 95 of 100 cases, as it is usually rounded.
_Z95 = 1.96


class Estimate(NamedTuple):
    """A number, or an array of them, with its 95 % interval; each field has the shape of the statistic."""

    value: Any
    low: Any
    high: Any
    standard_error: Any = None
    """Where it is known beside the interval."""

    @property
    def reach(self) -> FloatArray:
        """Half the width of the interval: the length of an error bar."""
        return np.asarray((np.asarray(self.high) - np.asarray(self.low)) / 2)


def bootstrap(
    key: Key[Array, ""],
    statistic: Callable[..., ArrayLike],
    *per_sequence: ArrayLike,
    n_resamples: int = 1000,
    confidence: float = 0.95,
) -> Estimate:
    """Bootstrap a statistic of sums over sequences, drawing whole sequences with replacement.

    Bins within a sequence depend on each other; sequences do not. The interval is that of percentiles: right for smooth
    statistics of many sequences, but off for those that noise biases (maxima, correlations near 1) with few.

    Resampling sums instead of raw data makes a resample a product of counts and sums, exact and cheap.

    Args:
        key: a scalar key.
        statistic: function of one sum over sequences for each array of `per_sequence`. It is called once for the
            data and once for all resamples together, whose sums have one more leading axis `[resample, ...]`, so it
            must treat leading axes elementwise.
        *per_sequence: arrays of shape `[sequence, ...]`, all with the same number of sequences, at least 2.
        n_resamples: number of resamples, at least 2.
        confidence: coverage of the percentile interval, in (0, 1).

    Returns:
        The statistic of the data, the standard deviation over resamples, and the percentile interval.

    Raises:
        ValueError: no key, no function of as many sums, one that does not treat leading axes elementwise, different or
            too few sequences, numbers that are not finite, or an option out of range.

    Example:
        >>> import numpy as np, stdpjax
        >>> rng = np.random.default_rng(0)
        >>> mean = stdpjax.stats.bootstrap(
        ...     stdpjax.random.key(0), lambda total, n: total / n, rng.normal(size=400), np.ones(400))
        >>> bool(abs(mean.standard_error - 1 / 20) < 0.005)
        True
    """
    key, n_resamples = _checks.key("key", key), _checks.count("n_resamples", n_resamples, minimum=2)
    confidence = _checks.number("confidence", confidence, above=0, below=1)
    _checks.function("statistic", statistic, ", ".join(f"sum_{i}" for i in range(len(per_sequence))))
    arrays = [_checks.finite_numbers("per_sequence", array) for array in per_sequence]
    sizes = {array.shape[0] if array.ndim else 0 for array in arrays}
    if len(sizes) != 1 or min(sizes) < 2:
        raise ValueError(f"per_sequence: expected arrays with the same number of sequences, at least 2, got {sizes}")
    n_sequences = sizes.pop()
    draws = np.asarray(jax.random.randint(key, (n_resamples, n_sequences), 0, n_sequences))
    flat = draws + n_sequences * np.arange(n_resamples)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n_resamples * n_sequences)
    weights = counts.reshape(n_resamples, n_sequences).astype(np.float64)
    value = np.asarray(statistic(*(np.asarray(array.sum(axis=0)) for array in arrays)), dtype=np.float64)
    sums = [np.tensordot(weights, array, axes=1) for array in arrays]
    resampled = np.asarray(statistic(*sums), dtype=np.float64)
    alone = np.asarray(statistic(*(np.asarray(sum_[0]) for sum_ in sums)), dtype=np.float64)
    is_elementwise = resampled.shape == (n_resamples, *value.shape) and np.allclose(
        resampled[0], alone, rtol=1e-9, atol=0, equal_nan=True
    )
    if not is_elementwise:
        raise ValueError(
            "statistic: expected a function that treats each resample along the leading axis as it does one alone, got "
            f"one that makes shape {resampled.shape} of {n_resamples} resamples, each of shape {value.shape}, or other "
            "numbers; name axes from the end, as in `total[..., 0]` and `total.sum(-1)`"
        )
    tail = 50 * (1 - confidence)
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    return Estimate(value, low, high, resampled.std(axis=0, ddof=1))


def mean_interval(values: ArrayLike, axis: int | str | None = None) -> Estimate:
    """Return the mean of independent numbers with its 95 % interval of 1.96 standard errors to either side.

    Args:
        values: real numbers, at least 2 along the axis; one that is not finite makes its mean not finite.
        axis: the axis along which they are independent, of labelled data also by its name; all by default.

    Returns:
        The means, with the other axes, their intervals and standard errors.

    Raises:
        ValueError: no numbers, fewer than 2, or no such axis.

    Example:
        >>> import stdpjax
        >>> mean = stdpjax.stats.mean_interval([1.0, 2.0, 3.0])
        >>> float(mean.value), round(float(mean.high), 4), round(float(mean.reach), 4)
        (2.0, 3.1316, 1.1316)
    """
    dims: tuple[str, ...] = getattr(values, "dims", ())
    if isinstance(axis, str):
        axis = dims.index(_checks.choice("axis", axis, dims))
    values = _real("values", values)
    if axis is not None:
        axis = _checks.count("axis", axis, minimum=-values.ndim, maximum=values.ndim - 1)
    n = values.size if axis is None else values.shape[axis]
    if n < 2:
        raise ValueError(f"values: expected at least 2 independent numbers, got {n}")
    with np.errstate(invalid="ignore"):
        return normal_interval(values.mean(axis), values.std(axis, ddof=1) / np.sqrt(n))


def normal_interval(value: ArrayLike, standard_error: ArrayLike) -> Estimate:
    """Return the 95 % interval, 1.96 standard errors to either side, of an estimate with normal errors.

    Args:
        value: the estimate; one that is not finite has no finite interval.
        standard_error: its standard error, 0 or more, of the same shape.

    Raises:
        ValueError: a negative error, or another shape.

    Example:
        >>> import stdpjax
        >>> [round(float(number), 6) for number in stdpjax.stats.normal_interval(1.0, 0.5)]
        [1.0, 0.02, 1.98, 0.5]
    """
    value, standard_error = _real("value", value), _real("standard_error", standard_error)
    if value.shape != standard_error.shape:
        raise ValueError(f"standard_error: expected shape {value.shape}, as of value, got {standard_error.shape}")
    if (standard_error < 0).any():
        raise ValueError(f"standard_error: expected numbers of at least 0, got {standard_error.min():g}")
    reach = _Z95 * standard_error
    with np.errstate(invalid="ignore"):
        return Estimate(value, value - reach, value + reach, standard_error)


def wilson_interval(n_right: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval for a probability, from independent trials.

    Unlike the normal approximation it stays in [0, 1] and has a width when all trials come out the same.

    Args:
        n_right: trials that came out right, 0 to n.
        n: trials, at least 1.
        confidence: coverage, in (0, 1).

    Returns:
        Lower and upper end.

    Raises:
        ValueError: an argument out of range.

    Source: Wilson 1927.

    Example:
        >>> import stdpjax
        >>> [round(end, 4) for end in stdpjax.stats.wilson_interval(10, 10)]
        [0.7225, 1.0]
    """
    n = _checks.count("n", n)
    n_right = _checks.count("n_right", n_right, minimum=0, maximum=n)
    confidence = float(_checks.number("confidence", confidence, above=0, below=1))
    z2 = NormalDist().inv_cdf(0.5 + confidence / 2) ** 2
    share = n_right / n
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


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
    a, b = _same_shape(x, y)
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
    a, b = (_near_one(array) for array in _same_shape(x, y))
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


def quantile_bins(values: ArrayLike, n_bins: int) -> NDArray[np.intp]:
    """Assign each value to one of `n_bins` bins of equal count, in increasing order of value.

    Args:
        values: numbers, any shape.
        n_bins: number of bins, from 1 to the number of values.

    Returns:
        Bin of each value, same shape. Counts differ by at most 1; ties are split in C order.

    Raises:
        ValueError: the number of bins is out of range, or the values are not finite.

    Example:
        >>> import stdpjax
        >>> stdpjax.stats.quantile_bins([0.3, 0.1, 0.2, 0.4], 2).tolist()
        [1, 0, 0, 1]
    """
    array = _checks.finite_numbers("values", values)
    n_bins = _checks.count("n_bins", n_bins)
    if n_bins > array.size:
        raise ValueError(f"n_bins: expected at most the {array.size} values, got {n_bins}")
    ranks = np.empty(array.size, dtype=np.intp)
    ranks[np.argsort(array, axis=None, kind="stable")] = np.arange(array.size)
    return (ranks * n_bins // array.size).reshape(array.shape)


def sums_by_bin(bins: NDArray[np.integer], values: ArrayLike, n_bins: int) -> FloatArray:
    """Return, for each sequence, the sum of its values in each bin.

    Args:
        bins: bin of each value, 0 to `n_bins - 1`, shape `[sequence, time]`.
        values: numbers, same shape.
        n_bins: number of bins.

    Returns:
        Sums, shape `[sequence, n_bins]`.

    Raises:
        ValueError: different shapes, bins out of range, or values that are not finite.

    Example:
        >>> import numpy as np, stdpjax
        >>> stdpjax.stats.sums_by_bin(np.array([[0, 1, 1]]), [[1.0, 2.0, 3.0]], 2).tolist()
        [[1.0, 5.0]]
    """
    bins, n_bins = np.asarray(_checks.as_array("bins", bins)), _checks.count("n_bins", n_bins)
    if bins.dtype.kind not in "iu" or (bins.size and not (bins.min() >= 0 and bins.max() < n_bins)):
        raise ValueError(f"bins: expected whole numbers from 0 to {n_bins - 1}, got {bins!r}")
    array = _checks.finite_numbers("values", values)
    if bins.shape != array.shape or bins.ndim != 2:
        raise ValueError(f"values: expected the shape of bins, [sequence, time], {bins.shape}, got {array.shape}")
    flat = bins.astype(np.intp) + n_bins * np.arange(bins.shape[0])[:, None]
    totals = np.bincount(flat.ravel(), weights=array.ravel(), minlength=n_bins * bins.shape[0])
    return totals.astype(np.float64).reshape(bins.shape[0], n_bins)


def chi_square_per_cell(counts: ArrayLike, probability: ArrayLike, n_trials: int) -> float:
    """Return chi-square per degree of freedom of multinomial counts, pooled over independent tables.

    Each row is one multinomial whose last outcome (none of the cells) is left out of `counts` and `probability`.
    The expectation is exactly 1, however small the expected counts are.

    Args:
        counts: observed counts, shape `[..., cell]`.
        probability: exact probabilities, same shape, rows summing to at most 1.
        n_trials: draws in each row, at least 1.

    Returns:
        Sum of (observed - expected)^2 / expected over all cells with positive probability, divided by the degrees
        of freedom. A count in a cell of probability 0 gives infinity.

    Raises:
        ValueError: different shapes, a number of trials below 1, counts that are negative or more than the trials,
            probabilities outside [0, 1] or whose rows sum to more than 1, or a single outcome.

    Example:
        >>> import stdpjax
        >>> stdpjax.stats.chi_square_per_cell([[30, 20]], [[0.3, 0.2]], 100)
        0.0
    """
    cells, law = _same_shape(counts, probability, "counts", "probability")
    n_trials = _checks.count("n_trials", n_trials)
    if np.any(cells < 0) or np.any(cells.sum(-1) > n_trials):
        raise ValueError(f"counts: expected rows of 0 to {n_trials} trials, got {counts!r}")
    if np.any(law < 0) or np.any(law.sum(-1) > 1 + 1e-6):
        raise ValueError(f"probability: expected rows of probabilities that sum to at most 1, got {probability!r}")
    observed = np.concatenate([cells, n_trials - cells.sum(-1, keepdims=True)], axis=-1)
    # What rounding leaves of a law that is complete is no outcome of its own.
    given = np.asarray(probability).dtype
    rounding = law.shape[-1] * np.finfo(given if given.kind == "f" else np.float64).eps
    rest = 1 - law.sum(-1, keepdims=True)
    rest = np.where(rest <= rounding, 0.0, rest)
    expected = n_trials * np.concatenate([law, rest], axis=-1)
    possible = expected > 0
    if np.any(observed[~possible] != 0):
        return float("inf")
    n_free = np.sum(possible.sum(-1) - 1)
    if n_free < 1:
        raise ValueError(f"probability: expected a row with two possible outcomes or more, got {probability!r}")
    chi_square = np.sum((observed - expected)[possible] ** 2 / expected[possible])
    return float(chi_square / n_free)


def _real(name: str, value: ArrayLike) -> FloatArray:
    """Return real numbers, finite or not; those of labelled data are in the data's own unit."""
    return _checks.real_numbers(name, getattr(value, "values", value))


def _same_shape(
    x: ArrayLike, y: ArrayLike, name_of_x: str = "x", name_of_y: str = "y"
) -> tuple[FloatArray, FloatArray]:
    a, b = _checks.finite_numbers(name_of_x, x), _checks.finite_numbers(name_of_y, y)
    if a.ndim < 1 or a.shape[-1] < 1:
        raise ValueError(f"{name_of_x}: expected at least one axis and one number along the last, got shape {a.shape}")
    if a.shape != b.shape:
        raise ValueError(f"{name_of_x} and {name_of_y}: expected one shape, got {a.shape} and {b.shape}")
    return a, b
