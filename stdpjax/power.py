"""Planning of experiments: the power of t-tests, and how many cells they need."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from stdpjax import _checks

# More than any experiment has.
_LARGEST = 10**7


def t_test_power(effect_size: ArrayLike, n: ArrayLike, n_groups: int = 1, level: float = 0.05) -> NDArray[np.float64]:
    """Return the probability that a two-sided t-test finds an effect.

    Exact for normal measurements of the same variance, by the noncentral t distribution.

    Args:
        effect_size: Cohen's d: mean over standard deviation (one group), or difference of means over the common
            standard deviation (two groups); any shape.
        n: measurements in each group, at least 2, any shape that broadcasts with it.
        n_groups: 1 for a mean against 0, 2 for two means against each other.
        level: probability of an alarm without an effect, in (0, 1).

    Returns:
        Power, of the common shape.

    Raises:
        ValueError: an argument out of range.

    Source: Cohen 1988.

    Example:
        >>> import stdpjax
        >>> [round(float(power), 3) for power in stdpjax.power.t_test_power(0.5, [32, 64], n_groups=2)]
        [0.504, 0.801]
    """
    d, size = np.asarray(effect_size, np.float64), np.asarray(n)
    if not np.all(np.isfinite(d)):
        raise ValueError(f"effect_size: expected finite numbers, got {effect_size!r}")
    if size.size == 0 or size.dtype.kind not in "iu" or size.min() < 2:
        raise ValueError(f"n: expected whole numbers of at least 2, got {n!r}")
    _checks.count("n_groups", n_groups, maximum=2)
    _checks.number("level", level, above=0, below=1)
    freedom = n_groups * (size - 1)
    shift = d * np.sqrt(size / n_groups)
    limit = special.stdtrit(freedom, 1 - level / 2)
    return np.asarray(2 - special.nctdtr(freedom, shift, limit) - special.nctdtr(freedom, -shift, limit), np.float64)


def sample_size(effect_size: float, power: float = 0.8, n_groups: int = 1, level: float = 0.05) -> float:
    """Return the smallest number of measurements in each group with which a two-sided t-test has some power.

    Args:
        effect_size: Cohen's d, as in `t_test_power`.
        power: probability that the test finds the effect, above `level` and below 1.
        n_groups: 1 for a mean against 0, 2 for two means against each other.
        level: probability of an alarm without an effect, in (0, 1).

    Returns:
        The number, a whole one; infinity where ten million do not suffice, as without an effect.

    Raises:
        ValueError: an argument out of range.

    Example:
        >>> import stdpjax
        >>> [stdpjax.power.sample_size(d, n_groups=2) for d in (0.2, 0.5, 0.8, 0.0)]
        [394.0, 64.0, 26.0, inf]
    """
    _checks.number("effect_size", effect_size)
    _checks.number("level", level, above=0, below=1)
    _checks.number("power", power, above=level, below=1)

    def suffices(n: int) -> bool:
        return bool(t_test_power(effect_size, n, n_groups, level) >= power)

    enough = 2
    while not suffices(enough):
        enough *= 2
        if enough > _LARGEST:
            return math.inf
    too_few = max(1, enough // 2)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        enough, too_few = (middle, too_few) if suffices(middle) else (enough, middle)
    return float(enough)
