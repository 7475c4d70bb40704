"""First-order theory of nearest-neighbour STDP: what a slowly changing rate does, in closed form.

On a ramp q[t+k] = q + a k the mean update per presynaptic spike is `ramp_gain(q, kernel) * a` plus terms of order
a^3: the rule follows the derivative of the postsynaptic rate, with a gain that depends on the rate itself. The
forms hold for one-sided pairing, complete windows, coincidence "skip"; for "ignore" divide by 1 - q.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.rules.pair import check_kernel
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
    _checks.choice("coincidence", coincidence, COINCIDENCES)
    sides, distance, q = _checked(probability, kernel)
    silence = (1 - q) ** (distance.size + distance - 1)
    hidden = [q * silence * side for side in sides]

    def on(side: int) -> Float[Array, "window"]:
        farther = jnp.sum(hidden[side]) - jnp.cumsum(hidden[side])
        return (1 - q) * silence * sides[side] - farther - jnp.sum(hidden[1 - side])

    at_zero = -jnp.sum(hidden[0]) - jnp.sum(hidden[1])
    if coincidence == "ignore":
        return jnp.concatenate([on(0)[::-1] / (1 - q), jnp.zeros(1, q.dtype), on(1) / (1 - q)])
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
    _checks.choice("coincidence", coincidence, COINCIDENCES)
    (before, after), distance, q = _checked(probability, kernel)
    not_coincident = 1 - q if coincidence == "skip" else jnp.ones_like(q)
    return not_coincident * jnp.sum((after + before) * q * (1 - q) ** (distance.size + distance - 1))


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
    """Return the antisymmetric part of a kernel, the distances that it is given at, and the probability of silence."""
    (before, after), distance, _ = _checked(probability, kernel)
    return 0.5 * (after - before), distance, jnp.asarray(1 - probability, dtype=distance.dtype)


def _checked(
    probability: float | Float[Array, ""], kernel: ArrayLike
) -> tuple[tuple[Float[Array, "window"], Float[Array, "window"]], Float[Array, "window"], Float[Array, ""]]:
    """Return both sides of a kernel, from the middle out, the distances from it, and the probability."""
    kernel, window = check_kernel(kernel)
    _checks.number("probability", probability, above=0, below=1)
    distance = jnp.arange(1, window + 1, dtype=kernel.dtype)
    return (kernel[:window][::-1], kernel[window + 1 :]), distance, jnp.asarray(probability, kernel.dtype)
