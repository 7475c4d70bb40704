"""Statistics of a simulation that accumulate step by step, so that nothing has to be kept.

An observer is `init(sample) -> statistics`, from a first sample of whatever numbers, and `update(sample, statistics) ->
statistics` for one trial. Sums are compensated (Kahan), so single precision keeps its digits over millions of steps. A
sample has what a rule sees of a step, the `weights`, and in `info` what the kernel says of it (acceptance, spikes).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, PyTree

from stdpjax import _alike, _checks
from stdpjax.rules import Sample
from stdpjax.rules.base import signal_of


class Observer(NamedTuple):
    """A streaming statistic of the samples of one trial. Two are equal if their functions do the same."""

    init: Callable[[Sample], Any]
    update: Callable[[Sample, Any], Any]
    burn_in: int = 0
    """Steps, from the very start of the simulation, that it does not see."""

    __eq__, __hash__ = _alike.by("init", "update", "burn_in")


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


def mean_of(function: Callable[[Sample], PyTree], burn_in: int = 0) -> Observer:
    """Return an observer of the mean of any function of a sample.

    Args:
        function: gives a number, an array, or a pytree of them, for each step's sample; spikes and counts are
            averaged as floats, complex numbers as they are.
        burn_in: steps, from the very start of the simulation, that are left out.

    Returns:
        The observer; its statistics are a `Mean`.

    Raises:
        ValueError: no function of a sample, or a burn-in that is no whole number of at least 0; in a simulation, a
            signal that its samples do not have.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.observers import mean_of
        >>> speed = mean_of(lambda sample: (sample.next_post_state - sample.post_state) ** 2)
        >>> sample = stdpjax.rules.Sample(jnp.zeros(2), jnp.ones(2), jnp.zeros(2))
        >>> speed.update(sample, speed.init(sample)).mean.tolist()
        [1.0, 1.0]
    """
    signal = signal_of(function)

    def init(sample: Sample) -> Mean:
        return _no_mean(jax.eval_shape(signal, sample), sample.post_state.dtype)

    def update(sample: Sample, so_far: Mean) -> Mean:
        return _add(so_far, signal(sample))

    return Observer(init, update, _checks.count("burn_in", burn_in, minimum=0))


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


def autocovariance_of(function: Callable[[Sample], Float[Array, "unit"]], max_lag: int, burn_in: int = 0) -> Observer:
    """Return an observer of the autocovariance of a signal at lags 0 to `max_lag` steps.

    The first `max_lag` steps only fill the memory. At each lag it is the covariance of the values after them with the
    values so many steps earlier, each about its own mean, so that it is the same for a signal with an offset.

    Args:
        function: gives the signal, shape `[unit]`, for each step's sample.
        max_lag: largest lag, in steps, 0 or more.
        burn_in: as in `mean_of`.

    Returns:
        The observer; its statistics are an `Autocovariance`.

    Raises:
        ValueError: as in `mean_of`, or a `max_lag` that is no whole number of at least 0; in a simulation, a signal of
            another shape or that is not real.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.observers import autocovariance_of
        >>> observer = autocovariance_of(lambda sample: sample.next_post_state, max_lag=1)
        >>> signal = [jnp.full(1, value) for value in (1.0, -1.0, 1.0, -1.0, 1.0)]
        >>> samples = [stdpjax.rules.Sample(value, value, value) for value in signal]
        >>> seen = observer.init(samples[0])
        >>> for sample in samples:
        ...     seen = observer.update(sample, seen)
        >>> seen.covariance[:, 0].tolist()
        [1.0, -1.0]
    """
    signal = signal_of(function, 1)
    max_lag = _checks.count("max_lag", max_lag, minimum=0)

    def init(sample: Sample) -> Autocovariance:
        recent = _memory(signal, sample, max_lag)
        nothing = _no_mean(recent, recent.dtype)
        return Autocovariance(recent, recent[0], nothing, nothing, jnp.zeros((), jnp.int32))

    def update(sample: Sample, so_far: Autocovariance) -> Autocovariance:
        newest = signal(sample).astype(so_far.recent.dtype)
        origin = jnp.where(so_far.n_seen == 0, newest, so_far.origin)
        recent = jnp.concatenate([newest[None], so_far.recent[:-1]])
        from_origin = recent - origin[None]
        values = _add(so_far.values, from_origin)
        # Before the first value its mean is that value: nothing deviates from it.
        before = jnp.where(so_far.values.n_seen == 0, from_origin[:1], so_far.values.mean[:1])
        products = _add(so_far.products, (from_origin[:1] - before) * (from_origin - values.mean))
        is_full = so_far.n_seen >= max_lag
        kept = (values, products), (so_far.values, so_far.products)
        values, products = jax.tree.map(lambda new, old: jnp.where(is_full, new, old), *kept)
        return Autocovariance(recent, origin, values, products, so_far.n_seen + 1)

    return Observer(init, update, _checks.count("burn_in", burn_in, minimum=0))


class LaggedProducts(NamedTuple):
    """Running products of one signal with another some steps earlier."""

    recent: Float[Array, "lag earlier"]
    """The last values of the earlier signal, newest first; zeros in place of what was before the start."""
    products: Mean

    @property
    def mean(self) -> Float[Array, "*trial later lag earlier"]:
        """The mean products at lags 0 to the largest; NaN before the first step."""
        return self.products.mean


def lagged_products_of(
    later: Callable[[Sample], Float[Array, "later"]],
    earlier: Callable[[Sample], Float[Array, "earlier"]],
    max_lag: int,
    burn_in: int = 0,
) -> Observer:
    """Return an observer of the mean of `later(t) * earlier(t - lag)`, for lags 0 to `max_lag` steps.

    Args:
        later: gives a signal of shape `[later]` for each step's sample.
        earlier: gives another, of shape `[earlier]`, which is 0 before the first step that is seen.
        max_lag: largest lag, in steps, 0 or more.
        burn_in: as in `mean_of`.

    Returns:
        The observer; its statistics are `LaggedProducts`, with a mean of shape `[later, lag, earlier]`.

    Raises:
        ValueError: as in `autocovariance_of`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.observers import lagged_products_of
        >>> observer = lagged_products_of(lambda s: s.next_post_state, lambda s: s.pre_rate, max_lag=1)
        >>> signal = [jnp.full(1, value) for value in (1.0, -1.0, 1.0, -1.0)]
        >>> samples = [stdpjax.rules.Sample(value, value, value) for value in signal]
        >>> seen = observer.init(samples[0])
        >>> for sample in samples:
        ...     seen = observer.update(sample, seen)
        >>> seen.mean.tolist()
        [[[1.0], [-0.75]]]
    """
    first, second = signal_of(later, 1, "later"), signal_of(earlier, 1, "earlier")
    max_lag = _checks.count("max_lag", max_lag, minimum=0)

    def init(sample: Sample) -> LaggedProducts:
        recent = _memory(second, sample, max_lag)
        n_later = jax.eval_shape(first, sample).shape[0]
        return LaggedProducts(recent, _no_mean(jnp.zeros((n_later, *recent.shape), recent.dtype), recent.dtype))

    def update(sample: Sample, so_far: LaggedProducts) -> LaggedProducts:
        recent = jnp.concatenate([second(sample)[None].astype(so_far.recent.dtype), so_far.recent[:-1]])
        now = first(sample).astype(recent.dtype)
        return LaggedProducts(recent, _add(so_far.products, now[:, None, None] * recent[None]))

    return Observer(init, update, _checks.count("burn_in", burn_in, minimum=0))


class Histogram(NamedTuple):
    """Counts of a signal in bins of equal width; what lies outside goes to the first and last bin, NaN to none."""

    counts: Int32[Array, "*shape bin"]


def histogram_of(
    function: Callable[[Sample], Float[Array, "..."]], low: float, high: float, n_bins: int, burn_in: int = 0
) -> Observer:
    """Return an observer of the histogram of each element of a signal.

    NaN is in no bin: what the counts lack of the steps is how many there were.

    Args:
        function: gives the signal for each step's sample, any shape.
        low: lower edge of the first bin.
        high: upper edge of the last bin, above `low`.
        n_bins: how many, 1 or more.
        burn_in: as in `mean_of`.

    Returns:
        The observer; its statistics are a `Histogram`, counts of shape `[..., bin]`.

    Raises:
        ValueError: as in `mean_of`, no bins, a `low` that is not finite, or `high` not above it; in a simulation, a
            signal that is not real.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.observers import histogram_of
        >>> observer = histogram_of(lambda sample: sample.next_post_state, 0.0, 1.0, 2)
        >>> sample = stdpjax.rules.Sample(jnp.zeros(1), jnp.full(1, 0.75), jnp.zeros(1))
        >>> observer.update(sample, observer.init(sample)).counts.tolist()
        [[0, 1]]
    """
    signal = signal_of(function, is_real=True)
    n_bins = _checks.count("n_bins", n_bins)
    high = float(_checks.number("high", high, above=_checks.number("low", low)))
    low = float(low)

    def init(sample: Sample) -> Histogram:
        return Histogram(jnp.zeros((*jax.eval_shape(signal, sample).shape, n_bins), jnp.int32))

    def update(sample: Sample, so_far: Histogram) -> Histogram:
        values = signal(sample)
        values = values.astype(_float_type(values.dtype, sample.post_state.dtype))
        place = jnp.floor((values - low) * (n_bins / (high - low)))
        place = jnp.where(jnp.isnan(place), -1, jnp.clip(place, 0, n_bins - 1)).astype(jnp.int32)
        # A comparison with every bin: a scatter would be slow on a GPU.
        return Histogram(so_far.counts + jax.nn.one_hot(place, n_bins, dtype=jnp.int32))

    return Observer(init, update, _checks.count("burn_in", burn_in, minimum=0))


def _memory(signal: Callable[[Sample], Array], sample: Sample, max_lag: int) -> Float[Array, "lag unit"]:
    like = jax.eval_shape(signal, sample)
    return jnp.zeros((max_lag + 1, *like.shape), _float_type(like.dtype, sample.post_state.dtype))


def _no_mean(like: PyTree, default: Any) -> Mean:
    """Return the mean of nothing, of arrays like these; of other than floats in the default type."""
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, _float_type(leaf.dtype, default)), like)
    return Mean(zeros, zeros, jnp.zeros((), jnp.int32))


def _add(so_far: Mean, new: PyTree) -> Mean:
    value = jax.tree.map(lambda new, lost: jnp.asarray(new, lost.dtype) - lost, new, so_far.lost)
    total = jax.tree.map(lambda total, value: total + value, so_far.total, value)
    lost = jax.tree.map(lambda total, before, value: (total - before) - value, total, so_far.total, value)
    return Mean(total, lost, so_far.n_seen + 1)


def _float_type(dtype: Any, default: Any) -> Any:
    return dtype if jnp.issubdtype(dtype, jnp.inexact) else default
