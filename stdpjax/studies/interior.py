"""Networks with a known fixed point inside the active region, from which nothing leaves it.

There the hard sigmoid's dynamics are linear, so that what a study measures has a closed form.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from stdpjax.energy import Params, tie
from stdpjax.rates import RateFunction


class Interior(NamedTuple):
    """A network, its fixed point, and a state to start from."""

    params: Params
    fixed_point: Float[Array, "unit"]
    start: Float[Array, "unit"]


def interior_network(
    key: Key[Array, ""],
    n_units: int,
    rate_fn: RateFunction,
    *,
    coupling: float = 0.6,
    spread: float = 0.2,
    distance: float = 0.25,
    tied: bool = True,
) -> Interior:
    """Return a random network, its fixed point and a start within reach.

    Args:
        key: a scalar key.
        n_units: number of units, 2 or more.
        rate_fn: the rate function; the bias is made for it.
        coupling: largest sum of the absolute weights onto a unit, in [0, 1). Below 1 no component of the distance to
            the fixed point ever exceeds the largest one at the start.
        spread: the fixed point is uniform in [-spread, spread] for each unit.
        distance: the start lies uniformly within this distance of the fixed point, for each unit. With the thresholds
            at -1/2 and 1/2, `spread + distance` below 1/2 keeps all units active for ever.
        tied: the same weight in both directions of a pair.

    Returns:
        The network with bias s* - W rho(s*), so that s* = R(s*); s*; and the start.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.studies.interior import interior_network
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> network = interior_network(stdpjax.random.key(0), 4, rho)
        >>> target = stdpjax.energy.target(network.params, network.fixed_point, rho)
        >>> bool(jnp.allclose(target, network.fixed_point, atol=1e-6))
        True
    """
    weight_key, point_key, start_key = jax.random.split(key, 3)
    raw = jax.random.normal(weight_key, (n_units, n_units), float)
    weights = tie(raw) if tied else raw - jnp.diag(jnp.diagonal(raw))
    weights = coupling * weights / jnp.max(jnp.sum(jnp.abs(weights), axis=1))
    fixed_point = jax.random.uniform(point_key, (n_units,), float, -spread, spread)
    away = jax.random.uniform(start_key, (n_units,), float, -distance, distance)
    return Interior(with_fixed_point(weights, fixed_point, rate_fn), fixed_point, fixed_point + away)


def with_fixed_point(
    weights: Float[Array, "unit unit"], fixed_point: Float[Array, "unit"], rate_fn: RateFunction
) -> Params:
    """Return the network with these weights whose bias makes a state of the active region its fixed point.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.studies.interior import with_fixed_point
        >>> weights = jnp.array([[0.0, 0.5], [0.5, 0.0]])
        >>> with_fixed_point(weights, jnp.zeros(2), stdpjax.rates.hard_sigmoid()).bias.tolist()
        [-0.25, -0.25]
    """
    return Params(weights, fixed_point - weights @ rate_fn.value(fixed_point))


def is_active(states: Float[Array, "*time unit"], rate_fn: RateFunction) -> Bool[Array, ""]:
    """Return whether all units are between the kinks at all times; False for states that are not finite.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.studies.interior import is_active
        >>> bool(is_active(jnp.array([[0.0, 0.5]]), stdpjax.rates.hard_sigmoid()))
        True
    """
    return jnp.all(rate_fn.slope(states) == 1)
