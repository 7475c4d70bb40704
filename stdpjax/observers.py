"""Statistics of a simulation that accumulate step by step, so that nothing has to be kept.

An observer is `init(state) -> statistics` and `update(sample, statistics) -> statistics` for one trial. Sums are
compensated (Kahan), so single precision keeps its digits over millions of steps.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, PyTree

from stdpjax import _checks
from stdpjax.rules import Sample


class Observer(NamedTuple):
    """A streaming statistic of the samples of one trial."""

    init: Callable[[Float[Array, "unit"]], Any]
    update: Callable[[Sample, Any], Any]


class Mean(NamedTuple):
    """A running mean; `total` holds the sum without its rounding error, which is in `lost`."""

    total: PyTree
    lost: PyTree
    n_seen: Int32[Array, ""]

    @property
    def mean(self) -> Any:
        """The mean so far; NaN before the first step."""
        seen = self.n_seen
        return jax.tree.map(
            lambda total: total / jnp.expand_dims(seen, range(seen.ndim, total.ndim)).astype(total.dtype), self.total
        )


def mean_of(function: Callable[[Sample], PyTree]) -> Observer:
    """Return an observer of the mean of any function of a sample.

    Args:
        function: gives a number, an array, or a pytree of them, for each step's sample; spikes and counts are
            averaged as floats, complex numbers as they are. Define it once: a new lambda compiles anew.

    Returns:
        The observer; its statistics are a `Mean`.

    Raises:
        ValueError: no function of a sample; in a simulation, a signal that its samples do not have.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.observers import mean_of
        >>> speed = mean_of(lambda sample: (sample.next_post_state - sample.post_state) ** 2)
        >>> sample = stdpjax.rules.Sample(jnp.zeros(2), jnp.ones(2), jnp.zeros(2))
        >>> speed.update(sample, speed.init(jnp.zeros(2))).mean.tolist()
        [1.0, 1.0]
    """
    return _mean_of(_checks.function("function", function, "sample"))


# Cached, as the kernels are: the same function gives the same observer, and no new compilation.
@cache
def _mean_of(function: Callable[[Sample], PyTree]) -> Observer:
    def init(state: Float[Array, "unit"]) -> Mean:
        return _no_mean(jax.eval_shape(function, _sample_like(state)), state.dtype)

    def update(sample: Sample, so_far: Mean) -> Mean:
        signal = function(sample)
        if jax.tree.structure(signal) != jax.tree.structure(so_far.total):
            raise ValueError(f"function: expected a signal that the samples have, got {signal!r}")
        return _add(so_far, signal)

    return Observer(init, update)


class Autocovariance(NamedTuple):
    """Running covariance of a signal with itself some steps earlier, by Welford's updates."""

    recent: Float[Array, "lag unit"]
    """The last values, newest first."""
    origin: Float[Array, "unit"]
    """The first value, from which all are counted: sums of small numbers keep their digits."""
    values: Mean
    """Of the values that were newest, and of those some steps earlier, less the origin: `[lag, unit]`."""
    products: Mean
    """Of the deviations from the means: `[lag, unit]`."""
    n_seen: Int32[Array, ""]

    @property
    def covariance(self) -> Float[Array, "*trial lag unit"]:
        """Autocovariance at lags 0 to the largest, about the means of the steps that are averaged over."""
        return self.products.mean


def autocovariance_of(function: Callable[[Sample], Float[Array, "unit"]], max_lag: int) -> Observer:
    """Return an observer of the autocovariance of a signal at lags 0 to `max_lag` steps.

    The first `max_lag` steps only fill the memory. At each lag it is the covariance of the values after them with the
    values so many steps earlier, each about its own mean, so that it is the same for a signal with an offset.

    Args:
        function: gives the signal, shape `[unit]`, for each step's sample.
        max_lag: largest lag, in steps, 0 or more.

    Returns:
        The observer; its statistics are an `Autocovariance`.

    Raises:
        ValueError: no function of a sample, or `max_lag` is not a whole number of at least 0; in a simulation, a
            signal of another shape, that is not real, or that its samples do not have.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.observers import autocovariance_of
        >>> observer = autocovariance_of(lambda sample: sample.next_post_state, max_lag=1)
        >>> seen = observer.init(jnp.zeros(1))
        >>> for value in (1.0, -1.0, 1.0, -1.0, 1.0):
        ...     seen = observer.update(stdpjax.rules.Sample(jnp.zeros(1), jnp.full(1, value), jnp.zeros(1)), seen)
        >>> seen.covariance[:, 0].tolist()
        [1.0, -1.0]
    """
    _checks.function("function", function, "sample")
    return _autocovariance_of(function, _checks.count("max_lag", max_lag, minimum=0))


@cache
def _autocovariance_of(function: Callable[[Sample], Float[Array, "unit"]], max_lag: int) -> Observer:
    def init(state: Float[Array, "unit"]) -> Autocovariance:
        like = _real(jax.eval_shape(function, _sample_like(state)))
        if len(like.shape) != 1:
            raise ValueError(f"function: expected a signal of shape [unit], got shape {like.shape}")
        recent = jnp.zeros((max_lag + 1, *like.shape), _float_type(like.dtype, state.dtype))
        nothing = _no_mean(recent, recent.dtype)
        return Autocovariance(recent, recent[0], nothing, nothing, jnp.zeros((), jnp.int32))

    def update(sample: Sample, so_far: Autocovariance) -> Autocovariance:
        newest = _real(function(sample)).astype(so_far.recent.dtype)
        origin = jnp.where(so_far.n_seen == 0, newest, so_far.origin)
        recent = jnp.concatenate([newest[None], so_far.recent[:-1]])
        from_origin = recent - origin[None]
        values = _add(so_far.values, from_origin)
        # Before the first value its mean is that value: nothing deviates from it.
        before = jnp.where(so_far.values.n_seen == 0, from_origin[:1], so_far.values.mean[:1])
        products = _add(so_far.products, (from_origin[:1] - before) * (from_origin - values.mean))
        is_full = so_far.n_seen >= max_lag

        def keep(new: Array, old: Array) -> Array:
            return jnp.where(is_full, new, old)

        values, products = (
            jax.tree.map(keep, new, old) for new, old in ((values, so_far.values), (products, so_far.products))
        )
        return Autocovariance(recent, origin, values, products, so_far.n_seen + 1)

    return Observer(init, update)


class Histogram(NamedTuple):
    """Counts of a signal in bins of equal width; what lies outside goes to the first and last bin, NaN to none."""

    counts: Int32[Array, "*shape bin"]


def histogram_of(function: Callable[[Sample], Float[Array, "..."]], low: float, high: float, n_bins: int) -> Observer:
    """Return an observer of the histogram of each element of a signal.

    NaN is in no bin: what the counts lack of the steps is how many there were.

    Args:
        function: gives the signal for each step's sample, any shape.
        low: lower edge of the first bin.
        high: upper edge of the last bin, above `low`.
        n_bins: how many, 1 or more.

    Returns:
        The observer; its statistics are a `Histogram`, counts of shape `[..., bin]`.

    Raises:
        ValueError: no function of a sample, no bins, a `low` that is not finite, or `high` not above it; in a
            simulation, a signal that is not real or that its samples do not have.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.observers import histogram_of
        >>> observer = histogram_of(lambda sample: sample.next_post_state, 0.0, 1.0, 2)
        >>> sample = stdpjax.rules.Sample(jnp.zeros(1), jnp.full(1, 0.75), jnp.zeros(1))
        >>> observer.update(sample, observer.init(jnp.zeros(1))).counts.tolist()
        [[0, 1]]
    """
    _checks.function("function", function, "sample")
    n_bins = _checks.count("n_bins", n_bins)
    high = float(_checks.number("high", high, above=_checks.number("low", low)))
    return _histogram_of(function, float(low), high, n_bins)


@cache
def _histogram_of(function: Callable[[Sample], Float[Array, "..."]], low: float, high: float, n_bins: int) -> Observer:
    def init(state: Float[Array, "unit"]) -> Histogram:
        like = _real(jax.eval_shape(function, _sample_like(state)))
        return Histogram(jnp.zeros((*like.shape, n_bins), jnp.int32))

    def update(sample: Sample, so_far: Histogram) -> Histogram:
        signal = _real(function(sample))
        signal = signal.astype(_float_type(signal.dtype, sample.post_state.dtype))
        place = jnp.floor((signal - low) * (n_bins / (high - low)))
        place = jnp.where(jnp.isnan(place), -1, jnp.clip(place, 0, n_bins - 1)).astype(jnp.int32)
        # A comparison with every bin: a scatter would be slow on a GPU.
        return Histogram(so_far.counts + jax.nn.one_hot(place, n_bins, dtype=jnp.int32))

    return Observer(init, update)


def _no_mean(like: PyTree, default: Any) -> Mean:
    """Return the mean of nothing, of arrays like these; of other than floats in the default type."""
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, _float_type(leaf.dtype, default)), like)
    return Mean(zeros, zeros, jnp.zeros((), jnp.int32))


def _add(so_far: Mean, new: PyTree) -> Mean:
    value = jax.tree.map(lambda new, lost: jnp.asarray(new, lost.dtype) - lost, new, so_far.lost)
    total = jax.tree.map(lambda total, value: total + value, so_far.total, value)
    lost = jax.tree.map(lambda total, before, value: (total - before) - value, total, so_far.total, value)
    return Mean(total, lost, so_far.n_seen + 1)


def _sample_like(state: Float[Array, "unit"]) -> Sample:
    spikes = jnp.zeros(state.shape, bool)
    return Sample(state, state, state, spikes, spikes, state)


def _real(signal: Any) -> Any:
    """Return a signal as an array, or the shape of one, refusing what is no array of real numbers."""
    if isinstance(signal, int | float):
        signal = jnp.asarray(signal)
    dtype = getattr(signal, "dtype", None)
    if dtype is None or not hasattr(signal, "shape") or jnp.issubdtype(dtype, jnp.complexfloating):
        raise ValueError(f"function: expected one that gives an array of real numbers for each sample, got {signal!r}")
    return signal


def _float_type(dtype: Any, default: Any) -> Any:
    return dtype if jnp.issubdtype(dtype, jnp.inexact) else default
