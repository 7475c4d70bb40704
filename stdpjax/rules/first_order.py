"""First-order theory of nearest-neighbour STDP: what a slowly changing rate does, in closed form.

On a ramp q[t+k] = q + a k the mean update per presynaptic spike is `ramp_gain(q, kernel) * a` plus terms of order
a^3: the rule follows the derivative of the postsynaptic rate, with a gain that depends on the rate itself. The
forms hold for one-sided pairing, complete windows, coincidence "skip"; for "ignore" divide by 1 - q.

Where every pair counts, the update sees the rate through the window itself, and slow rates through its first two
moments (Xie & Seung): p (b0 q + b1 dq/dt). `effective_window` says what window a rule of traces amounts to.
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
from stdpjax.rules.pair import check_kernel, check_window
from stdpjax.spikes.pairing import COINCIDENCES, Coincidence


def ramp_gain(probability: float | Float[Array, ""], kernel: ArrayLike) -> Float[Array, ""]:
    """Return the derivative of the mean update per presynaptic spike by the slope of the postsynaptic rate.

    Args:
        probability: postsynaptic spike probability per bin at the presynaptic spike, in (0, 1).
        kernel: lag kernel, shape `[2 * window + 1]`; its antisymmetric part alone enters.

    Returns:
        The gain 2 C(q) in bins^2 times the unit of the kernel.

    Raises:
        ValueError: a probability outside (0, 1), or a kernel of the wrong shape or with a value at lag 0.

    Example:
        >>> import stdpjax
        >>> round(float(stdpjax.rules.ramp_gain(0.1, stdpjax.rules.lag_kernel("sign"))), 1)
        51.1
    """
    potentiation, distance, silent = _terms(probability, kernel)
    window = distance.size
    missed = probability / 2 * (window * (window + 1) - distance * (distance - 1))
    return 2 * jnp.sum(potentiation * silent ** (window + distance - 1) * (missed + distance * silent))


def linear_response(probability: float, kernel: ArrayLike) -> Float[Array, "window"]:
    """Return the filter g through which the mean update sees a small modulation of the postsynaptic rate.

    The mean update per presynaptic spike at t is the sum over k of g_k (q[t+k] - q[t-k]), to first order about a
    constant rate. The sum of k g_k is half of `ramp_gain`.

    Args:
        probability: constant postsynaptic spike probability per bin, in (0, 1).
        kernel: lag kernel, shape `[2 * window + 1]`; its antisymmetric part alone enters. `lag_response` has both.

    Returns:
        g_1 ... g_window.

    Raises:
        ValueError: a probability outside (0, 1), or a kernel of the wrong shape or with a value at lag 0.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.linear_response(0.5, stdpjax.rules.lag_kernel("sign", window=2)).tolist()
        [0.25, 0.25]
    """
    potentiation, distance, silent = _terms(probability, kernel)
    competition = probability * jnp.cumsum(potentiation * silent ** (distance - 2))
    return silent ** (distance.size + 1) * (potentiation * silent ** (distance - 1) + competition)


def lag_response(
    probability: float | Float[Array, ""], kernel: ArrayLike, coincidence: Coincidence = "skip"
) -> Float[Array, "lag"]:
    """Return the derivative of the mean update by the postsynaptic rate of each bin about a constant rate.

    For any kernel: a postsynaptic spike adds its own lag and hides the others. The odd part is `linear_response`.

    Args:
        probability: constant postsynaptic spike probability per bin, in (0, 1).
        kernel: lag kernel of any shape, `[2 * window + 1]`.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.

    Returns:
        The derivative of the mean update per presynaptic spike at lags -window ... window.

    Raises:
        ValueError: a probability outside (0, 1), a kernel of the wrong shape or with a value at lag 0, or an unknown
            option.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.lag_response(0.5, [0.0, 0.0, 0.0, 1.0, 1.0]).tolist()  # potentiation alone, window 2
        [-0.1875, -0.1875, -0.1875, 0.0625, 0.0625]
    """
    kernel, window = check_kernel(kernel)
    _checks.number("probability", probability, above=0, below=1)
    _checks.choice("coincidence", coincidence, COINCIDENCES)
    q = jnp.asarray(probability, kernel.dtype)
    distance = jnp.arange(1, window + 1, dtype=kernel.dtype)
    silence = (1 - q) ** (window + distance - 1)
    sides = kernel[:window][::-1], kernel[window + 1 :]
    hidden = [q * silence * side for side in sides]

    def on(side: int) -> Float[Array, "window"]:
        farther = jnp.sum(hidden[side]) - jnp.cumsum(hidden[side])
        return (1 - q) * silence * sides[side] - farther - jnp.sum(hidden[1 - side])

    at_zero = -jnp.sum(hidden[0]) - jnp.sum(hidden[1])
    if coincidence == "ignore":
        return jnp.concatenate([on(0)[::-1] / (1 - q), jnp.zeros(1, kernel.dtype), on(1) / (1 - q)])
    return jnp.concatenate([on(0)[::-1], at_zero[None], on(1)])


def constant_rate_update(
    probability: float | Float[Array, ""], kernel: ArrayLike, coincidence: Coincidence = "skip"
) -> Float[Array, ""]:
    """Return the mean update per presynaptic spike at a constant postsynaptic rate, of the windowed rule.

    It vanishes at every rate only for antisymmetric kernels.

    Args:
        probability: postsynaptic spike probability per bin, in (0, 1).
        kernel: lag kernel of any shape, `[2 * window + 1]`.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.

    Returns:
        The mean update, in the unit of the kernel.

    Raises:
        ValueError: a probability outside (0, 1), a kernel of the wrong shape or with a value at lag 0, or an unknown
            option.

    Example:
        >>> import stdpjax
        >>> kernel = stdpjax.rules.lag_kernel("bi_poo")
        >>> [round(float(stdpjax.rules.constant_rate_update(q, kernel)), 4) for q in (0.01, 0.05)]
        [0.0361, 0.0594]
    """
    kernel, window = check_kernel(kernel)
    _checks.number("probability", probability, above=0, below=1)
    _checks.choice("coincidence", coincidence, COINCIDENCES)
    q = jnp.asarray(probability, kernel.dtype)
    distance = jnp.arange(1, window + 1, dtype=kernel.dtype)
    both_sides = kernel[window + 1 :] + kernel[:window][::-1]
    not_coincident = 1 - q if coincidence == "skip" else jnp.ones_like(q)
    return not_coincident * jnp.sum(both_sides * q * (1 - q) ** (window + distance - 1))


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
    pre_probability = _one_rate("pre_probability", pre_probability)
    post_probability = _one_rate("post_probability", post_probability)
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


def _one_rate(name: str, probability: float | Float[Array, ""]) -> float | Float[Array, ""]:
    _checks.probability(name, probability)
    return _checks.number(name, probability)


def slope_correlation(probability: float, kernel: ArrayLike, width: float) -> Float[Array, ""]:
    """Return the correlation over time of the mean update with the slope of the rate, for a smooth Gaussian drive.

    Args:
        probability: mean postsynaptic spike probability per bin, in (0, 1); the modulation about it is small.
        kernel: antisymmetric lag kernel, shape `[2 * window + 1]`.
        width: width of the drive, as in `stdpjax.drives.smooth_noise`, in bins, above 0.

    Returns:
        The correlation, in [-1, 1].

    Raises:
        ValueError: a number out of range, or a kernel of the wrong shape or not antisymmetric.

    Example:
        >>> import stdpjax
        >>> kernel = stdpjax.rules.lag_kernel("exponential")
        >>> [round(float(stdpjax.rules.slope_correlation(0.01, kernel, width)), 3) for width in (3, 10, 20)]
        [0.68, 0.965, 0.997]
    """
    _checks.number("width", width, above=0)
    kernel, _ = check_kernel(kernel)
    if _checks.is_concrete(kernel):
        even = np.abs(np.asarray(kernel + kernel[::-1], np.float64)).max() / 2
        if even > 1e-6 * np.abs(np.asarray(kernel, np.float64)).max():
            raise ValueError(f"kernel: expected an antisymmetric one, got an even part of up to {even:g}")
    response = linear_response(probability, kernel)
    distance = jnp.arange(1, response.size + 1, dtype=response.dtype)

    def autocorrelation(lag: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.exp(-(lag**2) / (4 * width**2))

    covariance = jnp.sum(response * distance / width**2 * autocorrelation(distance))
    same_side = autocorrelation(distance[:, None] - distance[None, :])
    other_side = autocorrelation(distance[:, None] + distance[None, :])
    update_variance = 2 * jnp.sum(response[:, None] * response[None, :] * (same_side - other_side))
    slope_variance = 1 / (2 * width**2)
    return covariance / jnp.sqrt(update_variance * slope_variance)


def slope_by_lag(probability: float, window: int = 20) -> Float[Array, "window"]:
    """Return the shape of Eq 1's curve by lag on small random ramps: d log P(+d) / d slope at slope 0.

    (K (K + 1) - d (d - 1)) / (2 (1 - q)) + d / q with K the window. The mean slope given lag d is this times the
    variance of the slopes. It rises with d until about (1 - q) / q and ends lower than it starts only if
    q > 2 / (K + 2): with sparse spikes and a smooth drive the curve does not decay.

    Args:
        probability: postsynaptic spike probability per bin at the presynaptic spike, in (0, 1).
        window: half-width of the window in bins, at least 1.

    Returns:
        Values at lags 1 ... window; at negative lags they are the same with a minus.

    Raises:
        ValueError: a probability outside (0, 1) or a window below 1.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.slope_by_lag(0.5, window=2).tolist()
        [8.0, 8.0]
    """
    _checks.number("probability", probability, above=0, below=1)
    distance = jnp.arange(1, _checks.window(window) + 1, dtype=float)
    return (window * (window + 1) - distance * (distance - 1)) / (2 * (1 - probability)) + distance / probability


def _terms(
    probability: float | Float[Array, ""], kernel: ArrayLike
) -> tuple[Float[Array, "window"], Float[Array, "window"], Float[Array, ""]]:
    kernel, window = check_kernel(kernel)
    _checks.number("probability", probability, above=0, below=1)
    distance = jnp.arange(1, window + 1, dtype=kernel.dtype)
    potentiation = 0.5 * (kernel[window + 1 :] - kernel[:window][::-1])
    return potentiation, distance, jnp.asarray(1 - probability, dtype=kernel.dtype)
