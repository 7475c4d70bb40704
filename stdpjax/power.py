"""Planning of experiments: the power of t-tests, how many cells they need, and experiments that are simulated."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpy.typing import ArrayLike, NDArray
from scipy import special

from stdpjax import _checks
from stdpjax.random import named_key

# More than any experiment has.
_LARGEST = 10**7
# Of Gauss and Legendre, on up to 18 standard deviations of functions that vary over one: exact to rounding.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(160)
_REACH = 9.0
# So many tests at a time, which bounds the memory.
_BLOCK = 4096


def t_test_power(effect_size: ArrayLike, n: ArrayLike, n_groups: int = 1, level: float = 0.05) -> NDArray[np.float64]:
    """Return the probability that a two-sided t-test finds an effect.

    Exact for normal measurements of the same variance: the normal tail beyond the test's limit is integrated over the
    deviation that is estimated from the measurements.

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
    d, size = _checks.finite_numbers("effect_size", effect_size), np.asarray(_checks.as_array("n", n))
    if size.size == 0 or size.dtype.kind not in "iu" or size.min() < 2:
        raise ValueError(f"n: expected whole numbers of at least 2, got {n!r}")
    try:
        d, size = np.broadcast_arrays(d, size.astype(np.float64))
    except ValueError as error:
        raise ValueError(f"n: expected a shape that fits that of effect_size, {d.shape}, got {size.shape}") from error
    _checks.count("n_groups", n_groups, maximum=2)
    _checks.number("level", level, above=0, below=1)
    freedom, shift = n_groups * (size.ravel() - 1), d.ravel() * np.sqrt(size.ravel() / n_groups)
    # From the lower tail, which keeps its digits.
    limit = -special.stdtrit(freedom, float(level) / 2)
    blocks = [slice(start, start + _BLOCK) for start in range(0, freedom.size, _BLOCK)]
    power = [
        sum(_upper_tail(sign * shift[block], freedom[block], limit[block]) for sign in (1, -1)) for block in blocks
    ]
    return np.concatenate([np.zeros(0), *power]).reshape(d.shape)


def _upper_tail(
    shift: NDArray[np.float64], freedom: NDArray[np.float64], limit: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the probability that (Z + shift) / (U / sqrt(freedom)) is above a limit, Z normal and U chi."""
    scale = limit / np.sqrt(freedom)
    # Integrated over whichever of the two the condition Z + shift > scale U is the smoother in.
    out, by_deviation = np.empty_like(shift), scale < 1
    out[by_deviation] = _over_deviation(*(part[by_deviation] for part in (shift, freedom, scale)))
    out[~by_deviation] = _over_normal(*(part[~by_deviation] for part in (shift, freedom, scale)))
    return out


def _over_deviation(
    shift: NDArray[np.float64], freedom: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    root = np.sqrt(freedom)
    u, weights = _between(np.maximum(0, root - _REACH), root + _REACH)
    # Logarithm of the density of U against that at the root, which loses no digits to large numbers.
    off = u / root[:, None] - 1
    logarithm = (freedom[:, None] - 1) * (np.log1p(off) - off - off**2 / 2) - off - off**2 / 2
    density = weights * np.exp(logarithm)
    tails = special.ndtr(shift[:, None] - scale[:, None] * u)
    return np.sum(density * tails, axis=1) / np.sum(density, axis=1)


def _over_normal(
    shift: NDArray[np.float64], freedom: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    low = np.clip(-shift, -_REACH, _REACH)
    z, weights = _between(low, np.full_like(low, _REACH))
    below = special.gammainc(freedom[:, None] / 2, ((z + shift[:, None]) / scale[:, None]) ** 2 / 2)
    return np.sum(weights * np.exp(-(z**2) / 2) * below, axis=1) / np.sqrt(2 * np.pi)


def _between(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    half = (high - low)[:, None] / 2
    return low[:, None] + half * (1 + _NODES), half * _WEIGHTS


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

    if not suffices(_LARGEST):
        return math.inf
    too_few, enough = 1, 2
    while not suffices(enough):
        too_few, enough = enough, min(2 * enough, _LARGEST)
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        enough, too_few = (middle, too_few) if suffices(middle) else (enough, middle)
    return float(enough)


def simulate_experiments(
    key: Key[Array, ""], mean: ArrayLike, residuals: ArrayLike, between: float, n: int, n_experiments: int
) -> Float[Array, "arm experiment n"]:
    """Return the measurements of simulated experiments with several arms.

    Each measurement is the mean of its arm, a residual drawn with replacement, and a normal number for what cells
    differ by besides.

    Args:
        key: a scalar key.
        mean: of each arm, shape `[arm]`.
        residuals: a sample of what makes measurements of an arm differ, of mean 0, shape `[arm, cell]`.
        between: standard deviation of what cells differ by besides, at least 0.
        n: cells in each arm.
        n_experiments: experiments.

    Returns:
        Measurements, shape `[arm, experiment, n]`.

    Raises:
        ValueError: an argument out of range, or residuals of other arms.

    Example:
        >>> import numpy as np, stdpjax
        >>> drawn = stdpjax.power.simulate_experiments(
        ...     stdpjax.random.key(0), [0.0, 1.0], np.zeros((2, 1)), 1.0, n=20, n_experiments=2000)
        >>> found = stdpjax.power.t_test_alarms(drawn[1], drawn[0])
        >>> abs(found.mean() - stdpjax.power.t_test_power(1.0, 20, n_groups=2)) < 0.03
        np.True_
    """
    _checks.key("key", key)
    mean, residuals = _checks.finite("mean", mean), _checks.finite("residuals", residuals)
    if mean.ndim != 1 or residuals.ndim != 2 or len(residuals) != len(mean) or residuals.size == 0:
        raise ValueError(f"residuals: expected [arm, cell] for mean of shape {mean.shape}, got {residuals.shape}")
    between = _checks.number("between", between, at_least=0)
    n, n_experiments = _checks.count("n", n), _checks.count("n_experiments", n_experiments)
    return _experiments(key, mean, residuals.astype(mean.dtype), jnp.asarray(between, mean.dtype), n, n_experiments)


@partial(jax.jit, static_argnames=("n", "n_experiments"))
def _experiments(
    key: Key[Array, ""],
    mean: Float[Array, "arm"],
    residuals: Float[Array, "arm cell"],
    between: Float[Array, ""],
    n: int,
    n_experiments: int,
) -> Float[Array, "arm experiment n"]:
    spikes_key, cells_key = named_key(key, "spikes"), named_key(key, "cells")
    shape = (len(mean), n_experiments, n)
    drawn = jax.vmap(jnp.take)(residuals, jax.random.randint(spikes_key, shape, 0, residuals.shape[1]))
    return mean[:, None, None] + drawn + between * jax.random.normal(cells_key, shape, mean.dtype)


def t_test_alarms(*groups: ArrayLike, level: float = 0.05) -> NDArray[np.bool_]:
    """Return in which experiments a two-sided t-test finds something.

    Args:
        groups: measurements, shape `[..., n]` with n at least 2: one group against 0, or two of the same shape against
            each other.
        level: probability of an alarm without an effect, in (0, 1).

    Returns:
        Truth values, shape `[...]`.

    Raises:
        ValueError: no group or more than two, other shapes, or numbers that are not finite.

    Example:
        >>> import stdpjax
        >>> stdpjax.power.t_test_alarms([[0.9, 1.0, 1.1], [-1.0, 0.1, 1.0]]).tolist()
        [True, False]
    """
    if len(groups) not in (1, 2):
        raise ValueError(f"groups: expected one or two, got {len(groups)}")
    samples = [_checks.finite_numbers("groups", group) for group in groups]
    if samples[0].ndim < 1 or samples[0].shape[-1] < 2 or samples[0].shape != samples[-1].shape:
        shapes = " and ".join(str(sample.shape) for sample in samples)
        raise ValueError(f"groups: expected the same shape with at least 2 measurements, got {shapes}")
    level = float(_checks.number("level", level, above=0, below=1))
    n = samples[0].shape[-1]
    means = [sample.mean(axis=-1) for sample in samples]
    errors = np.sqrt(sum(sample.var(axis=-1, ddof=1) for sample in samples) / n)
    difference = means[0] - means[1] if len(samples) == 2 else means[0]
    limit = special.stdtrit(len(samples) * (n - 1), 1 - level / 2)
    return np.abs(difference) > limit * errors
