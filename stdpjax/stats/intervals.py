"""Estimates with their intervals: of means, of probabilities, and by a bootstrap over sequences."""

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


def _real(name: str, value: ArrayLike) -> FloatArray:
    """Return real numbers, finite or not; those of labelled data are in the data's own unit."""
    return _checks.real_numbers(name, getattr(value, "values", value))
