"""Firing-rate functions rho: from integrated activity to rate, with the slope written out (Eq 18).

A `RateFunction` is any pair of elementwise functions, so a rate function of your own is
`RateFunction(value=..., slope=...)`.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, ArrayLike, Bool, Float

from stdpjax import _alike, _checks


class RateFunction(NamedTuple):
    """A firing-rate function and its slope, both elementwise.

    The slope is written out and not differentiated: the automatic derivative of a clip is 1/2 at its kinks, where
    the paper's text needs 1.
    """

    value: Callable[[Float[ArrayLike, "..."]], Float[Array, "..."]]
    slope: Callable[[Float[ArrayLike, "..."]], Float[Array, "..."]]
    kinks: tuple[float, float] | None = None
    """Where the slope jumps from 0 to 1 and back, for a function that is linear in between; None for a smooth one."""

    __eq__, __hash__ = _alike.by("value", "slope", "kinks")


def check_rate_fn(rate_fn: RateFunction) -> None:
    """Refuse what is no rate function, as one that has not been made yet.

    Args:
        rate_fn: what was given as one.

    Raises:
        ValueError: not a `RateFunction` of two functions, with two rising kinks or None.

    Example:
        >>> import stdpjax
        >>> stdpjax.rates.check_rate_fn(stdpjax.rates.hard_sigmoid())
    """
    _checks.instance("rate_fn", rate_fn, RateFunction, "a rate function, as `stdpjax.rates.hard_sigmoid()` gives")
    for name in ("value", "slope"):
        _checks.function(f"rate_fn.{name}", getattr(rate_fn, name), "activity")
    if rate_fn.kinks is not None:
        if not isinstance(rate_fn.kinks, tuple) or len(rate_fn.kinks) != 2:
            raise ValueError(f"rate_fn.kinks: expected a tuple of two numbers or None, got {rate_fn.kinks!r}")
        low, high = rate_fn.kinks
        _checks.number("rate_fn.kinks", high, above=_checks.number("rate_fn.kinks", low))


def curvature(rate_fn: RateFunction, activity: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
    """Return the second derivative of a rate function, the derivative of its written-out slope.

    Args:
        rate_fn: the rate function.
        activity: any shape.

    Returns:
        rho'' of the same shape; 0 for the hard sigmoid, whose jumps of slope at `rate_fn.kinks` are not seen here.

    Raises:
        ValueError: no rate function, or activity that is not finite.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho = stdpjax.rates.sigmoid()
        >>> float(stdpjax.rates.curvature(rho, jnp.array(0.0)))
        0.0
    """
    check_rate_fn(rate_fn)
    activity = _checks.finite("activity", activity)
    return jax.jvp(rate_fn.slope, (activity,), (jnp.ones_like(activity),))[1]


def hard_sigmoid(threshold: Any = -0.5) -> RateFunction:
    """Return the paper's piecewise-linear rate: 0 below the threshold, 1 above `threshold + 1`, slope 1 between.

    Args:
        threshold: a number, beta_1 of Eq 18, in (-1, 0), so that rest (activity 0) lies inside the active region.

    Returns:
        The rate function. At both kinks the slope is 1, the convention that the paper's text implies; automatic
        differentiation of `value` follows `slope` there too.

    Raises:
        ValueError: the threshold is not in (-1, 0).

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> rho.value(jnp.array([-1.0, 0.0, 0.25, 2.0])).tolist()
        [0.0, 0.5, 0.75, 1.0]
        >>> rho.slope(jnp.array([-0.5, 0.0, 0.5, 2.0])).tolist()
        [1.0, 1.0, 1.0, 0.0]
    """
    return _hard_sigmoid(_threshold(threshold))


def _hard_sigmoid(threshold: float) -> RateFunction:
    @jax.custom_jvp
    def value(activity: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jnp.clip(activity - threshold, 0, 1)

    def slope(activity: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        activity = jnp.asarray(activity)
        is_active = (activity >= threshold) & (activity <= threshold + 1)
        return is_active.astype(activity.dtype)

    @value.defjvp
    def _(primals, tangents):
        (activity,), (tangent,) = primals, tangents
        return value(activity), slope(activity) * tangent

    return RateFunction(value, slope, kinks=(threshold, threshold + 1))


def smoothed_hard_sigmoid(noise_std: Any, threshold: Any = -0.5) -> RateFunction:
    """Return the mean of the hard sigmoid under Gaussian noise on the activity: E[rho(v + eta)].

    Args:
        noise_std: standard deviation of the noise, 1e-18 to 1e18, in units of activity. It may be traced; the rate
            function then belongs to that trace.
        threshold: beta_1 of the hard sigmoid, in (-1, 0).

    Returns:
        The rate function in closed form (normal distribution functions).

    Raises:
        ValueError: the noise is out of range or the threshold is not in (-1, 0).

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> smooth = stdpjax.rates.smoothed_hard_sigmoid(0.1)
        >>> round(float(smooth.value(jnp.array(-0.5))), 4)
        0.0399
    """
    if _checks.is_concrete(noise_std):
        noise_std = _known("noise_std", noise_std, above=0, at_least=_LEAST, at_most=1 / _LEAST)
    return _smoothed_hard_sigmoid(noise_std, _threshold(threshold))


# Numbers whose inverse single precision has, squares left out.
_LEAST = 1e-18
# Further away than this many standard deviations the noise does nothing, in double precision too.
_FAR = 40.0


def _smoothed_hard_sigmoid(noise_std: Any, threshold: float) -> RateFunction:
    in_noise = 1 / noise_std

    def in_single(activity: Float[ArrayLike, "..."]) -> tuple[Float[Array, "..."], Any]:
        # The normal distribution is not known in half precision.
        activity = jnp.asarray(activity)
        dtype = activity.dtype if jnp.issubdtype(activity.dtype, jnp.floating) else jnp.dtype(float)
        return activity.astype(_checks.at_least_single(dtype)), dtype

    def value(activity: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        wide, dtype = in_single(activity)
        numbers = (jnp.asarray(part, wide.dtype) for part in (noise_std, in_noise, threshold))
        return _mean_in_noise(wide, *numbers).astype(dtype)

    def slope(activity: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        wide, dtype = in_single(activity)
        return _share_between((wide - threshold) / noise_std, in_noise).astype(dtype)

    return RateFunction(value, slope)


# Jitted, as the normal distribution is a dozen operations, and with all numbers traced, so that one program serves all.
@jax.jit
def _share_between(centred: Float[Array, "..."], in_noise: Any) -> Float[Array, "..."]:
    return norm.cdf(in_noise - centred) - norm.cdf(-centred)


# With a derivative of its own: that of a clip is 0, or 1/2, where rounding has reached 0 or 1.
@jax.custom_jvp
@jax.jit
def _mean_in_noise(activity: Float[Array, "..."], noise_std: Any, in_noise: Any, threshold: Any) -> Float[Array, "..."]:
    # Infinite activity has a rate too.
    activity = jnp.clip(activity, threshold - _FAR * noise_std, threshold + 1 + _FAR * noise_std)
    centred = (activity - threshold) / noise_std
    low, high = -centred, in_noise - centred
    linear = (activity - threshold) * _share_between(centred, in_noise)
    whole = linear + noise_std * (norm.pdf(low) - norm.pdf(high)) + norm.cdf(-high)
    # Rounding leaves [0, 1] by some parts in 1e8.
    return jnp.clip(whole, 0, 1)


@_mean_in_noise.defjvp
def _(primals, tangents):
    # `in_noise` is the inverse of `noise_std`, so the change by the latter is all; thresholds are known numbers.
    (activity, noise_std, in_noise, threshold), (by_activity, by_noise, *_) = primals, tangents
    centred = (activity - threshold) / noise_std
    by_noise = by_noise * (norm.pdf(centred) - norm.pdf(in_noise - centred))
    return _mean_in_noise(*primals), _share_between(centred, in_noise) * by_activity + by_noise


def sigmoid(gain: Any = 4.0) -> RateFunction:
    """Return the logistic rate 1 / (1 + exp(-gain v)).

    Args:
        gain: steepness, 1e-18 to 1e18; 4 gives slope 1 at rest, as the hard sigmoid has.

    Raises:
        ValueError: the gain is out of range.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> float(stdpjax.rates.sigmoid().slope(jnp.array(0.0)))
        1.0
    """
    return _sigmoid(_known("gain", gain, above=0, at_least=_LEAST, at_most=1 / _LEAST))


def _sigmoid(gain: float) -> RateFunction:
    def value(activity: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        return jax.nn.sigmoid(gain * activity)

    def slope(activity: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
        rate = value(activity)
        return gain * rate * (1 - rate)

    return RateFunction(value, slope)


def either(is_second: Bool[Array, ""], first: RateFunction, second: RateFunction) -> RateFunction:
    """Return one of two rate functions, chosen by a number that may be traced: one program for both.

    Args:
        is_second: which one.
        first: taken where it is False.
        second: taken where it is True.

    Returns:
        The rate function, which says nothing of kinks.

    Raises:
        ValueError: no truth, or no rate functions.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho = stdpjax.rates.either(jnp.array(True), stdpjax.rates.hard_sigmoid(), stdpjax.rates.sigmoid())
        >>> round(float(rho.value(jnp.array(0.5))), 4)
        0.8808
    """
    chosen = _checks.as_array("is_second", is_second)
    if chosen.dtype != bool or chosen.ndim:
        raise ValueError(f"is_second: expected one truth value, got {chosen.dtype} of shape {chosen.shape}")
    for name, rate_fn in (("first", first), ("second", second)):
        _checks.instance(name, rate_fn, RateFunction, "a rate function")
    return RateFunction(
        lambda activity: jnp.where(is_second, second.value(activity), first.value(activity)),
        lambda activity: jnp.where(is_second, second.slope(activity), first.slope(activity)),
    )


def _threshold(value: Any) -> float:
    return _known("threshold", value, above=-1, below=0)


def _known(name: str, value: Any, **bounds: float) -> float:
    """Return a number as a float, refusing a traced one."""
    if not _checks.is_concrete(value):
        raise ValueError(f"{name}: expected a number known before tracing, got {value}")
    return float(_checks.number(name, value, **bounds))
