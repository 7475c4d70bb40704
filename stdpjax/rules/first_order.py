"""First-order theory of nearest-neighbour STDP: what a slowly changing rate does, in closed form.

On a ramp q[t+k] = q + a k the mean update per presynaptic spike is `ramp_gain(q, kernel) * a` plus terms of order
a^3: the rule follows the derivative of the postsynaptic rate, with a gain that depends on the rate itself. The
forms hold for one-sided pairing, complete windows, coincidence "skip"; for "ignore" divide by 1 - q.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.rules.pair import check_kernel


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
        kernel: lag kernel, shape `[2 * window + 1]`; its antisymmetric part alone enters.

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
    kernel, window = check_kernel(kernel)
    _checks.number("probability", probability, above=0, below=1)
    distance = jnp.arange(1, window + 1, dtype=kernel.dtype)
    antisymmetric = 0.5 * (kernel[window + 1 :] - kernel[:window][::-1])
    return antisymmetric, distance, jnp.asarray(1 - probability, kernel.dtype)
