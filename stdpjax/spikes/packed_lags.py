"""The lags of 32 trials to a word, counted by the bit.

Pairing is AND, OR and shifts along time, and a sum over trials is a count of bits.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, Int32, UInt32

from stdpjax import _checks
from stdpjax.spikes.pairing import Boundary, Coincidence, Sides, check_options


def count_packed_lags(
    pre: UInt32[Array, "..."],
    post: UInt32[Array, "..."],
    window: int = 20,
    coincidence: Coincidence = "skip",
    *,
    sides: Sides = "one",
    boundary: Boundary = "silent",
) -> Int32[Array, "*batch counted lag"]:
    """Count the lags that `nearest_lag` gives, summed over the trials of all words.

    Args:
        pre: presynaptic spikes, 32 trials to a word.
        post: postsynaptic spikes, likewise. Trials that do not exist are left out by clearing their bits in `pre`.
        window: half-width of the window in bins, at least 1. With boundary "silent" it may exceed the record.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.
        sides: "one" or "both", likewise.
        boundary: "silent" or "valid", likewise.

    Returns:
        Counts, shape `[..., time, 2 * window + 1]`, lags from -window to +window; the middle column is 0. With
        boundary "valid" time is `2 * window` bins shorter.

    Raises:
        ValueError: different shapes, an unknown option, a window below 1, or for boundary "valid" a record shorter
            than one complete window.

    Example:
        >>> import jax.numpy as jnp
        >>> pre, post = jnp.array([[[0, 1, 0, 0]], [[0, 0, 0, 1]]], jnp.uint32)
        >>> count_packed_lags(pre, post, window=2)[1].tolist()
        [0, 0, 0, 0, 1]
    """
    _checks.same_shape("pre", pre, "post", post)
    check_options(window, coincidence, sides, boundary, post.shape[-1])
    return _count_packed_lags(pre, post, window, coincidence, sides, boundary)


@partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _count_packed_lags(
    pre: UInt32[Array, "*batch word time"],
    post: UInt32[Array, "*batch word time"],
    window: int,
    coincidence: Coincidence,
    sides: Sides,
    boundary: Boundary,
) -> Int32[Array, "*batch counted lag"]:
    n_steps = pre.shape[-1]
    if boundary == "silent":
        padded = _pad_time(post, window, window)
    else:
        padded = post
        n_steps -= 2 * window
        pre, post = (train[..., window : window + n_steps] for train in (pre, post))

    def post_at(offset: Int[Array, ""]) -> UInt32[Array, "*batch word counted"]:
        return jax.lax.dynamic_slice_in_dim(padded, window + offset, n_steps, axis=-1)

    def outward_if_one_side(
        waiting: tuple[Array, Array], distance: Int[Array, ""]
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """One bin further out: the presynaptic spikes still without a spike on the left, and on the right."""
        left, right = waiting
        left, right = left & ~post_at(-distance), right & ~post_at(distance)
        return (left, right), (_total(left), _total(right))

    def outward_if_closer(waiting: Array, distance: Int[Array, ""]) -> tuple[Array, tuple[Array, Array]]:
        """One bin further out: those still without any spike, and those whose only spike here is on one side."""
        left, right = post_at(-distance), post_at(distance)
        counts = (_total(waiting & left & ~right), _total(waiting & right & ~left))
        return waiting & ~(left | right), counts

    eligible = pre & ~post if coincidence == "skip" else pre
    distances = jnp.arange(1, window + 1, dtype=jnp.int32)
    if sides == "one":
        near = _any_ahead(padded, window)  # near[i]: a spike in the bins i ... i + window - 1 of `padded`
        silent_right, silent_left = ~near[..., window + 1 : window + 1 + n_steps], ~near[..., :n_steps]
        waiting = (eligible & silent_right, eligible & silent_left)
        # Counts are what each distance takes away from those who wait. Sums over the hits themselves would read the
        # old state beside the new one, which costs XLA a copy at every distance: three times slower.
        _, still = jax.lax.scan(outward_if_one_side, waiting, distances)
        left_counts, right_counts = (
            -jnp.diff(after, axis=0, prepend=_total(before)[None]) for before, after in zip(waiting, still, strict=True)
        )
    else:
        _, (left_counts, right_counts) = jax.lax.scan(outward_if_closer, eligible, distances)
    counts = jnp.concatenate([left_counts[::-1], jnp.zeros_like(left_counts[:1]), right_counts])
    return jnp.moveaxis(counts, 0, -1)


def _any_ahead(words: UInt32[Array, "*batch time"], width: int) -> UInt32[Array, "*batch time"]:
    """OR of each bin and the `width - 1` bins after it, by doubling; silence after the end."""
    shifts, reach = [], 1
    while reach < width:
        shifts.append(min(reach, width - reach))
        reach += shifts[-1]

    # A scan rather than an unrolled loop: fused into one expression, every doubling would be computed twice.
    def widen(near: UInt32[Array, "*batch time"], shift: Int[Array, ""]) -> tuple[UInt32[Array, "*batch time"], None]:
        ahead = jax.lax.dynamic_slice_in_dim(_pad_time(near, 0, width), shift, near.shape[-1], axis=-1)
        return near | ahead, None

    return jax.lax.scan(widen, words, jnp.array(shifts, jnp.int32))[0]


def _pad_time(words: UInt32[Array, "*batch time"], before: int, after: int) -> UInt32[Array, "*batch padded"]:
    return jnp.pad(words, [(0, 0)] * (words.ndim - 1) + [(before, after)])


def _total(words: UInt32[Array, "*batch word time"]) -> Int32[Array, "*batch time"]:
    return jnp.sum(jax.lax.population_count(words).astype(jnp.int32), axis=-2, dtype=jnp.int32)
