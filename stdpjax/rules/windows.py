"""Windows in which every pair counts: what slow rates see of one, and the one that a rule of traces amounts to.

The update sees the rate through the window itself, and slow rates through its first two moments (Xie & Seung):
p (b0 q + b1 dq/dt).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax._units import Measured
from stdpjax.rules.base import Rule, check_use
from stdpjax.rules.evaluate import expected_updates, traces_of
from stdpjax.rules.pair import check_window


class Moments(NamedTuple):
    """Moments of a window over lags."""

    zero: Float[Array, ""]
    """Its sum, b0: the update by the product of both rates."""
    first: Float[Array, ""]
    """Sum of lag times value, b1: the update by presynaptic rate times the slope of the postsynaptic rate."""


def window_moments(window: ArrayLike) -> Moments:
    """Return what slow rates see of a window in which every pair counts: p (b0 q + b1 dq/dt) per bin.

    A rule follows the derivative of the rate alone where b0 is 0.

    Args:
        window: change by a pair at each lag from -K to K, shape `[2 * K + 1]`, of any form.

    Returns:
        The moments, lags in bins.

    Raises:
        ValueError: an even number of lags, or values that are not finite.

    Source: Xie & Seung 2000 (NIPS 12:199).

    Example:
        >>> import stdpjax
        >>> moments = stdpjax.rules.window_moments(stdpjax.rules.lag_kernel("linear", window=2))
        >>> float(moments.zero), float(moments.first)
        (0.0, 4.0)
    """
    values, half = check_window(window, "window")
    lags = jnp.arange(-half, half + 1, dtype=values.dtype)
    return Moments(jnp.sum(values), jnp.sum(lags * values))


def effective_window(
    rule: Rule,
    pre_probability: float | Float[Array, ""],
    post_probability: float | Float[Array, ""],
    window: int,
    *,
    n_settle: int | None = None,
    bin_ms: Measured = 1.0,
) -> Float[Array, "lag"]:
    """Return the window that a rule of traces amounts to at constant rates: what one more pair would change.

    The second derivative of the mean of the whole weight change by the rate of a presynaptic bin and that of the
    postsynaptic bin at each lag. For all-to-all pairs it is the window of the rule at any rates; where spikes hide
    each other, it shrinks as the rates grow.

    Args:
        rule: a rule of traces whose changes do not depend on the weight.
        pre_probability: presynaptic spike probability per bin, in [0, 1].
        post_probability: postsynaptic spike probability per bin, in [0, 1].
        window: largest lag, in bins.
        n_settle: bins on either side of the window, in which no trace may keep more than a thousandth of itself. None
            for 500, or as many as the slowest trace of known numbers needs.
        bin_ms: width of a bin in ms, or with a unit, above 0.

    Returns:
        The second derivative at lags -window ... window.

    Raises:
        ValueError: as `expected_updates`, a window or `n_settle` below 1, or too few bins for a trace to settle.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 0.5, 10.0, 10.0)
        >>> [round(float(change), 3) for change in stdpjax.rules.effective_window(rule, 0.1, 0.2, 2)]
        [-0.409, -0.452, 0.0, 0.905, 0.819]
    """
    window, n_settle = _checks.window(window), _settled(rule, n_settle, bin_ms)
    pre_probability = _checks.one_probability("pre_probability", pre_probability)
    post_probability = _checks.one_probability("post_probability", post_probability)
    n_bins, centre = 2 * (window + n_settle) + 1, window + n_settle
    ones = jnp.ones(n_bins, float)
    pre, post = pre_probability * ones, post_probability * ones

    def by_post(at_centre: Float[Array, ""]) -> Float[Array, "time"]:
        probability = pre.at[centre].set(at_centre)
        return jax.grad(lambda post: jnp.sum(expected_updates(rule, probability, post, bin_ms=bin_ms)))(post)

    # The mean is linear in the probability of each bin: a difference is the derivative.
    silent, spiking = jax.vmap(by_post)(jnp.array([0.0, 1.0]))
    return (spiking - silent)[centre - window : centre + window + 1]


# Bins that traces are given by default and at most, and the share of a trace that may be left after them.
_SETTLE, _MOST_BINS, _LEFT = 500, 1_000_000, 1e-3


def _settled(rule: Rule, n_settle: int | None, bin_ms: Measured) -> int:
    """Return how many bins the traces of a rule take to settle, or refuse a number that is too small."""
    traces, bin_ms = traces_of(rule), check_use(rule, bin_ms, np.zeros((1, 1)))
    state = traces.init(jnp.zeros((1, 1), float))

    def left(n_bins: int) -> float:
        ends = [
            traces.decay(traces.parameters, jax.tree.map(lambda leaf, at=at: jnp.full_like(leaf, at), state), elapsed)
            for elapsed in [jnp.asarray(n_bins * bin_ms, float)]
            for at in (0.0, 1.0)
        ]
        gaps = jax.tree.leaves(jax.tree.map(lambda low, high: jnp.abs(high - low).max(), *ends))
        return max((float(gap) for gap in gaps if _checks.is_concrete(gap)), default=0.0)

    if n_settle is None:
        n_settle = _SETTLE
        while left(n_settle) > _LEFT:
            n_settle *= 2
            if n_settle > _MOST_BINS:
                raise ValueError(f"rule: expected traces that decay within {_MOST_BINS} bins, got one that does not")
        return n_settle
    n_settle = _checks.count("n_settle", n_settle)
    if left(n_settle) > _LEFT:
        raise ValueError(
            f"n_settle: expected bins in which every trace of the rule decays to {_LEFT:g}, got {n_settle}, after "
            f"which {left(n_settle):.2g} of one is left"
        )
    return n_settle
