"""Numbers in bins and counts in cells."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks
from stdpjax.stats.intervals import FloatArray
from stdpjax.stats.pairs import same_shape


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
    cells, law = same_shape(counts, probability, "counts", "probability")
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
