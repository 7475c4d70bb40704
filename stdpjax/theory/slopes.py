"""Where ds/dt and d rho/dt part, in closed form: an activity that is a smooth Gaussian process, a rate function of it.

By Price's theorem the covariance of the rate with the activity is E[rho'] times that of the activity, and that of the
rate with itself, as a function of that of the activity, has the derivative E[rho'(s) rho'(u)]. Correlations of
differences of either follow: of the two rules of rates, and of each with a rule that sees the rate through a filter.
Slopes are centred differences, as in `rules.state_slope`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.rates import RateFunction, check_rate_fn, smoothed_hard_sigmoid

# Nodes of the quadrature over activities and over covariances, and its reach in standard deviations.
_N_NODES, _N_STEPS, _REACH = 80, 8, 8.0


class Agreement(NamedTuple):
    """What theory says of one drive."""

    of_rules: float
    """Correlation of ds/dt with d rho/dt."""
    ratio: float
    """Correlation of STDP with ds/dt over that with d rho/dt, for rare spikes."""


def slope_agreement(rate_fn: RateFunction, scale: float, width: float, response: ArrayLike) -> Agreement:
    """Return how ds/dt, d rho/dt and STDP of rare spikes correlate.

    Args:
        rate_fn: the rate function.
        scale: standard deviation of the activity, whose mean is 0; above 0.
        width: width of the drive (`drives.smooth_noise`), in bins, above 0.
        response: filter g_1 ... g_K through which the update sees the rate (`rules.linear_response`), shape `[K]`.

    Returns:
        The correlation of the rules, for slow drives E[rho'] / sqrt(E[rho'^2]), and the ratio, which falls to it for
        slow drives and is above 1 for drives that cross the rate function within a window.

    Raises:
        ValueError: no rate function, a number out of range, or a filter that is no row of finite numbers.

    Example:
        >>> import numpy as np, stdpjax
        >>> from stdpjax.theory.slopes import slope_agreement
        >>> slow = slope_agreement(stdpjax.rates.hard_sigmoid(), 0.6, 1000.0, np.ones(20))
        >>> [round(number, 2) for number in slow]  # the root of the share of time in the active region
        [0.77, 0.77]
    """
    check_rate_fn(rate_fn)
    _checks.number("scale", scale, above=0)
    _checks.number("width", width, above=0)
    response = _checks.finite_numbers("response", response)
    if response.ndim != 1 or not response.size:
        raise ValueError(f"response: expected at least one number in a row, got shape {response.shape}")
    lags = np.arange(len(response) + 2)
    correlation = np.exp(-(lags**2) / (4 * width**2))
    nodes, weights = np.polynomial.legendre.leggauss(_N_STEPS)
    # Differences of the covariance between neighbouring lags, as integrals of its derivative: nothing cancels.
    steps = correlation[:-1] - correlation[1:]
    inner = correlation[1:, None] + 0.5 * steps[:, None] * (1 + nodes)
    products = _mean_slope_product(rate_fn, scale, inner.ravel()).reshape(inner.shape)
    rate_steps = steps * (products @ weights) / 2
    mean_slope = float(np.sum(_slopes(rate_fn, scale)))
    # From lag k - 1 to lag k + 1.
    state_two, rate_two = steps[:-1] + steps[1:], rate_steps[:-1] + rate_steps[1:]
    with_state, with_rate = mean_slope * (response @ state_two), response @ rate_two
    root = float(np.sqrt(state_two[0] / rate_two[0]))
    return Agreement(mean_slope * root, float(with_state / with_rate) / root)


def _mean_slope_product(rate_fn: RateFunction, scale: float, correlation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return E[rho'(s) rho'(u)] for activities of mean 0 with some correlations in (-1, 1)."""
    states, _ = _nodes(rate_fn, scale)
    # The spread in double precision: that of a slow drive is lost where 1 - correlation rounds to 0.
    spread = scale * np.sqrt((1 - correlation) * (1 + correlation))
    given = _slope_given(rate_fn, *(jnp.asarray(array, float) for array in (states, correlation, spread)))
    return np.asarray(given, np.float64) @ _slopes(rate_fn, scale)


@partial(jax.jit, static_argnums=0)
def _slope_given(
    rate_fn: RateFunction, states: Float[Array, "node"], correlation: Float[Array, "n"], spread: Float[Array, "n"]
) -> Float[Array, "n node"]:
    """Mean slope at one time given the activity at another."""
    around, around_weights = (jnp.asarray(part, states.dtype) for part in _gauss(-_REACH, _REACH, 1.0))

    def given(correlation: Float[Array, ""], spread: Float[Array, ""]) -> Float[Array, "node"]:
        if rate_fn.kinks is not None:  # the mean of a slope that jumps, in closed form
            return smoothed_hard_sigmoid(spread, rate_fn.kinks[0]).slope(correlation * states)
        return rate_fn.slope(correlation * states[:, None] + spread * around[None, :]) @ around_weights

    return jax.vmap(given)(correlation, spread)


def _slopes(rate_fn: RateFunction, scale: float) -> NDArray[np.float64]:
    """Slopes at the nodes times their weights: the sum is the mean slope."""
    states, weights = _nodes(rate_fn, scale)
    return weights * np.asarray(rate_fn.slope(jnp.asarray(states, float)), np.float64)


def _nodes(rate_fn: RateFunction, scale: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = -_REACH * scale, _REACH * scale
    if rate_fn.kinks is not None:
        low, high = max(low, rate_fn.kinks[0]), min(high, rate_fn.kinks[1])
    return _gauss(low, high, scale)


def _gauss(low: float, high: float, scale: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre nodes, with weights that include the density of a normal activity."""
    nodes, weights = np.polynomial.legendre.leggauss(_N_NODES)
    states = 0.5 * (high + low) + 0.5 * (high - low) * nodes
    density = np.exp(-((states / scale) ** 2) / 2) / (scale * np.sqrt(2 * np.pi))
    return states, 0.5 * (high - low) * weights * density
