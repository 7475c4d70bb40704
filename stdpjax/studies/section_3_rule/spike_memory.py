"""An observer of what goes together with earlier spikes."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax.observers import Mean, Observer, mean_of
from stdpjax.rules import Sample


class Lagged(NamedTuple):
    """Running products of one signal with another some steps earlier."""

    recent: Float[Array, "lag earlier"]
    """The last values of the earlier signal, newest first."""
    products: Mean
    """`[lag * earlier]`, the lags one after the other.

    For the first steps the memory holds zeros in place of what was before the start.
    """


@cache
def lagged_products_of(
    later: Callable[[Sample], Float[Array, "1"]], earlier: Callable[[Sample], Float[Array, "earlier"]], max_lag: int
) -> Observer:
    """Return an observer of the mean of `later(t) * earlier(t - lag)`, for lags 0 to `max_lag` steps.

    Args:
        later: gives one number for each step's sample, shape `[1]`.
        earlier: gives the other signals, shape `[earlier]`.
        max_lag: largest lag, in steps, 0 or more.

    Returns:
        The observer; its statistics are a `Lagged`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.studies.section_3_rule.spike_memory import lagged_products_of
        >>> observer = lagged_products_of(lambda s: s.next_post_state, lambda s: s.pre_rate, max_lag=1)
        >>> seen = observer.init(jnp.zeros(1))
        >>> for value in (1.0, -1.0, 1.0, -1.0):
        ...     sample = stdpjax.rules.Sample(jnp.zeros(1), jnp.full(1, value), jnp.full(1, value))
        ...     seen = observer.update(sample, seen)
        >>> seen.products.mean.tolist()
        [1.0, -0.75]
    """
    products = mean_of(_product)

    def init(state: Float[Array, "unit"]) -> Lagged:
        spikes = jnp.zeros(state.shape, bool)
        like = earlier(Sample(state, state, state, spikes, spikes, state))
        recent = jnp.zeros((max_lag + 1, *like.shape), like.dtype)
        return Lagged(recent, products.init(recent.ravel()))

    def update(sample: Sample, so_far: Lagged) -> Lagged:
        recent = jnp.concatenate([earlier(sample)[None], so_far.recent[:-1]])
        flat = recent.ravel()
        stand_in = Sample(jnp.broadcast_to(later(sample), flat.shape), flat, flat)
        return Lagged(recent, products.update(stand_in, so_far.products))

    return Observer(init, update)


def _product(sample: Sample) -> Float[Array, "products"]:
    return sample.post_state * sample.next_post_state
