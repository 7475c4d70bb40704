"""Nearest-spike pairing: the lag that each presynaptic spike is given (section 5.1).

For a presynaptic spike in bin t the windows are t-window ... t-1 and t+1 ... t+window. The lag is post time minus
pre time of the closest postsynaptic spike. What the paper leaves open is an option here and in the exact law:

- coincidence (a postsynaptic spike in bin t itself): "skip" takes it as the closest spike, whose lag is 0, so
  nothing changes; "ignore" pairs with the nearest spike of another bin.
- sides (spikes in both windows): "one" skips such a presynaptic spike, as the paper does; "both" pairs with the
  closer side and skips only ties.
- boundary (windows that leave the record): "silent" assumes no spikes outside, which biases the ends; "valid"
  keeps only presynaptic spikes with complete windows, so the result is `2 * window` bins shorter than the record.
  To keep n bins without bias, make a record of `n + 2 * window` bins and use "valid".
"""

from functools import partial
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from stdpjax import _checks
from stdpjax._checks import ArrayLike

Coincidence = Literal["skip", "ignore"]
Sides = Literal["one", "both"]
Boundary = Literal["silent", "valid"]
COINCIDENCES: tuple[Coincidence, ...] = get_args(Coincidence)
SIDES: tuple[Sides, ...] = get_args(Sides)
BOUNDARIES: tuple[Boundary, ...] = get_args(Boundary)


def nearest_lag(
    pre: ArrayLike,
    post: ArrayLike,
    window: int = 20,
    coincidence: Coincidence = "skip",
    *,
    sides: Sides = "one",
    boundary: Boundary = "silent",
) -> Int[Array, "*batch time"]:
    """Return for each bin the lag of the update that its presynaptic spike causes, 0 where there is none.

    Args:
        pre: presynaptic spike indicators, shape `[..., time]`.
        post: postsynaptic spike indicators, same shape.
        window: half-width of the window in bins, at least 1. With boundary "silent" it may exceed the record.
        coincidence: "skip" or "ignore", see the module.
        sides: "one" or "both", see the module.
        boundary: "silent" or "valid", see the module.

    Returns:
        Lags in bins, post minus pre, between -window and window. Shape `[..., time]`, with boundary "valid"
        `[..., time - 2 * window]`.

    Raises:
        ValueError: different shapes, values other than 0 and 1, an unknown option, a window below 1, or for
            boundary "valid" a record shorter than one complete window.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> pre = jnp.array([0, 1, 0, 0, 0, 1, 0])
        >>> post = jnp.array([0, 0, 0, 1, 0, 0, 0])
        >>> stdpjax.spikes.nearest_lag(pre, post, window=3).tolist()
        [0, 2, 0, 0, 0, -2, 0]
    """
    pre, post = _checks.spikes("pre", pre), _checks.spikes("post", post)
    _checks.same_shape("pre", pre, "post", post)
    check_options(window, coincidence, sides, boundary, post.shape[-1])
    return _nearest_lag(pre, post, window=window, coincidence=coincidence, sides=sides, boundary=boundary)


def check_options(
    window: int, coincidence: str, sides: str, boundary: str, n_steps: int, *, may_exceed: bool = True
) -> None:
    """Refuse unknown options, a window that exceeds the record unless it may, and one that is nowhere complete."""
    _checks.window(window, None if may_exceed else n_steps)
    _checks.choice("coincidence", coincidence, COINCIDENCES)
    _checks.choice("sides", sides, SIDES)
    _checks.choice("boundary", boundary, BOUNDARIES)
    if boundary == "valid" and n_steps < 2 * window + 1:
        raise ValueError(
            f"window: expected at most {(n_steps - 1) // 2} bins for complete windows (boundary='valid') "
            f"in a record of {n_steps} bins, got {window}"
        )


@partial(jax.jit, static_argnames=("window", "coincidence", "sides", "boundary"))
def _nearest_lag(
    pre: Bool[Array, "*batch time"],
    post: Bool[Array, "*batch time"],
    *,
    window: int,
    coincidence: Coincidence,
    sides: Sides,
    boundary: Boundary,
) -> Int[Array, "*batch counted"]:
    # Time leads inside the scans; the trials behind it are the vector lanes.
    post_by_time = jnp.moveaxis(post, -1, 0)
    before = jnp.moveaxis(_bins_since_spike(post_by_time, window), 0, -1)
    after = jnp.moveaxis(_bins_since_spike(post_by_time[::-1], window)[::-1], 0, -1)
    lag = jnp.where(pre, pick_lag(before, after, post, window, coincidence, sides), 0)
    if boundary == "valid":
        lag = lag[..., window : lag.shape[-1] - window]
    return lag


def pick_lag(
    before: Int[Array, "..."],
    after: Int[Array, "..."],
    is_coincident: Bool[Array, "..."],
    window: int,
    coincidence: Coincidence,
    sides: Sides,
) -> Int[Array, "..."]:
    """Return the lag of a presynaptic spike from the distances to its neighbours; above `window` means none."""
    has_before, has_after = before <= window, after <= window
    if sides == "one":
        is_paired = has_before != has_after
    else:
        is_paired = (has_before | has_after) & (before != after)
    if coincidence == "skip":
        is_paired &= ~is_coincident
    return jnp.where(is_paired, jnp.where(after < before, after, -before), 0)


def _bins_since_spike(spikes: Bool[Array, "time *batch"], window: int) -> Int[Array, "time *batch"]:
    """Bins since the last spike strictly before each bin; anything above `window` means none in reach."""

    def step(
        distance: Int[Array, "*batch"], spike: Bool[Array, "*batch"]
    ) -> tuple[Int[Array, "*batch"], Int[Array, "*batch"]]:
        # Capped, so that a long silence cannot overflow.
        return jnp.where(spike, 1, jnp.minimum(distance, window) + 1), distance

    _, distances = jax.lax.scan(step, jnp.full(spikes.shape[1:], window + 1, jnp.int32), spikes)
    return distances
