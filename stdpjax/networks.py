"""Random networks with known fixed points or spectra, and states to start them from.

Between the kinks the hard sigmoid's dynamics are linear, so that what is measured in such a network has a closed form.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from stdpjax import _checks
from stdpjax.energy import Params, random_params, tie
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, check_rate_fn, hard_sigmoid


class Interior(NamedTuple):
    """A network, its fixed point between the kinks, and a state to start from."""

    params: Params
    fixed_point: Float[Array, "unit"]
    start: Float[Array, "unit"]


def random_networks(key: Key[Array, ""], n_networks: int, n_units: int, scale: float) -> Params:
    """Return independent tied networks, stacked along a leading axis.

    Args:
        key: a scalar key.
        n_networks: how many; the first ones stay what they are when there are more.
        n_units: units of each.
        scale: spread of the weights, see `stdpjax.energy.random_params`.

    Raises:
        ValueError: no key, a count below 1, or a scale below 0.

    Example:
        >>> import stdpjax
        >>> stdpjax.networks.random_networks(stdpjax.random.key(0), 3, 4, 0.3).weights.shape
        (3, 4, 4)
    """
    keys = member_keys(named_key(key, "networks"), _checks.count("n_networks", n_networks))
    return jax.vmap(lambda network_key: random_params(network_key, n_units, scale))(keys)


def random_states(
    key: Key[Array, ""],
    n_networks: int,
    n_units: int,
    *,
    reach: float,
    kinks: Sequence[float] = (),
    margin: float = 0.0,
) -> Float[Array, "network unit"]:
    """Return states uniform in [-reach, reach], those closer to a kink than the margin moved inwards to it.

    Args:
        key: a scalar key.
        n_networks: how many states; the first ones stay what they are when there are more.
        n_units: units of each.
        reach: largest activity, above 0.
        kinks: activities to keep away from.
        margin: how far, 0 or more.

    Raises:
        ValueError: no key, a count below 1, or a number out of range.

    Example:
        >>> import stdpjax
        >>> stdpjax.networks.random_states(stdpjax.random.key(0), 3, 4, reach=1.0).shape
        (3, 4)
    """
    keys = member_keys(named_key(key, "states"), _checks.count("n_networks", n_networks))
    n_units, reach = _checks.count("n_units", n_units), _checks.number("reach", reach, above=0)
    margin = _checks.number("margin", margin, at_least=0)
    states = jax.vmap(lambda k: jax.random.uniform(k, (n_units,), float, -reach, reach))(keys)
    for kink in _checks.instance("kinks", kinks, (tuple, list), "a tuple of numbers"):
        kink = _checks.number("kinks", kink)
        states = jnp.where(jnp.abs(states - kink) < margin, kink - margin if kink > 0 else kink + margin, states)
    return states


def resting_bias(
    weights: Float[Array, "unit unit"], state: Float[Array, "unit"], rate_fn: RateFunction
) -> Float[Array, "unit"]:
    """Return the biases that make a state an equilibrium: R(s) = s.

    Args:
        weights: tied or not, shape `[unit, unit]`.
        state: where all slopes are above 0, shape `[unit]`.
        rate_fn: the rate function rho.

    Raises:
        ValueError: weights or a state that are not finite, or no rate function.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> weights = jnp.array([[0.0, 0.5], [0.5, 0.0]])
        >>> stdpjax.networks.resting_bias(weights, jnp.zeros(2), stdpjax.rates.hard_sigmoid()).tolist()
        [-0.25, -0.25]
    """
    check_rate_fn(rate_fn)
    weights, state = _checks.finite("weights", weights), _checks.finite("state", state)
    if weights.shape != 2 * state.shape:
        raise ValueError(f"state: expected one activity for each unit of weights {weights.shape}, got {state.shape}")
    return state / rate_fn.slope(state) - weights @ rate_fn.value(state)


def interior_network(
    key: Key[Array, ""],
    n_units: int,
    *,
    coupling: float = 0.6,
    spread: float = 0.2,
    distance: float = 0.25,
    tied: bool = True,
) -> Interior:
    """Return a random network of hard sigmoid units, its fixed point, and a start from which no unit leaves the middle.

    Args:
        key: a scalar key.
        n_units: number of units, 2 or more.
        coupling: largest sum of the absolute weights onto a unit, in [0, 1). Below 1 no component of the distance to
            the fixed point ever exceeds the largest one at the start.
        spread: the fixed point is uniform in [-spread, spread] for each unit.
        distance: the start lies uniformly within this distance of the fixed point, for each unit. With the thresholds
            at -1/2 and 1/2, `spread + distance` below 1/2 keeps all units active for ever.
        tied: the same weight in both directions of a pair.

    Raises:
        ValueError: no key, fewer than 2 units, or a number out of range.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> network = stdpjax.networks.interior_network(stdpjax.random.key(0), 4)
        >>> target = stdpjax.energy.target(network.params, network.fixed_point, stdpjax.rates.hard_sigmoid())
        >>> bool(jnp.allclose(target, network.fixed_point, atol=1e-6))
        True
    """
    weight_key, point_key, start_key = jax.random.split(_checks.key("key", key), 3)
    n_units = _checks.count("n_units", n_units, minimum=2)
    coupling = _checks.number("coupling", coupling, at_least=0, below=1)
    spread = _checks.number("spread", spread, at_least=0, below=0.5)
    distance = _checks.number("distance", distance, at_least=0)
    raw = jax.random.normal(weight_key, (n_units, n_units), float)
    weights = tie(raw) if _checks.flag("tied", tied) else jnp.fill_diagonal(raw, 0.0, inplace=False)
    weights = coupling * weights / jnp.max(jnp.sum(jnp.abs(weights), axis=1))
    fixed_point = jax.random.uniform(point_key, (n_units,), float, -spread, spread)
    start = fixed_point + jax.random.uniform(start_key, (n_units,), float, -distance, distance)
    return Interior(Params(weights, resting_bias(weights, fixed_point, hard_sigmoid())), fixed_point, start)


def centred_network(key: Key[Array, ""], centre: float | Array, n_units: int) -> Params:
    """Return a random tied network of hard sigmoid units with the same fixed point for all of them.

    Args:
        key: a scalar key.
        centre: the activity at the fixed point, between the kinks at -1/2 and 1/2.
        n_units: how many units.

    Raises:
        ValueError: no key, a count below 1, or a centre at a kink or beyond.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.networks.centred_network(stdpjax.random.key(0), 0.3, 5)
        >>> target = stdpjax.energy.target(params, jnp.full(5, 0.3), stdpjax.rates.hard_sigmoid())
        >>> bool(jnp.allclose(target, 0.3, atol=1e-6))
        True
    """
    weights = random_params(key, n_units, 0.3).weights
    centre = _checks.number("centre", centre, above=-0.5, below=0.5)
    return Params(weights, resting_bias(weights, jnp.full(weights.shape[0], centre), hard_sigmoid()))


def network_at_rest(
    key: Key[Array, ""],
    state: Float[Array, "unit"],
    mask: Bool[Array, "unit unit"],
    rate_fn: RateFunction,
    largest: float,
) -> Params:
    """Return a network with tied normal weights whose equilibrium is a given state.

    Args:
        key: a scalar key.
        state: the equilibrium, away from the kinks, shape `[unit]`.
        mask: which pairs are connected, symmetric, as from `stdpjax.learning.layered_mask`.
        rate_fn: the rate function rho.
        largest: largest eigenvalue of rho' W rho', which for the hard sigmoid is R'; above 0.

    Raises:
        ValueError: no key, a state that is not finite, a mask of another shape, or a number out of range.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho, rest = stdpjax.rates.sigmoid(), jnp.array([0.1, -0.2, 0.3])
        >>> mask = stdpjax.learning.all_to_all_mask(3)
        >>> params = stdpjax.networks.network_at_rest(stdpjax.random.key(0), rest, mask, rho, largest=0.8)
        >>> bool(jnp.abs(stdpjax.energy.target(params, rest, rho) - rest).max() < 1e-6)
        True
    """
    check_rate_fn(rate_fn)
    state = _checks.finite("state", state)
    largest, connected = _checks.number("largest", largest, above=0), _checks.as_array("mask", mask)
    if connected.dtype != bool or connected.shape != 2 * state.shape:
        raise ValueError(f"mask: expected truth values for pairs of units of state, got {_checks.described(connected)}")
    raw = jnp.where(mask, jax.random.normal(_checks.key("key", key), (state.size, state.size), float), 0.0)
    slope = rate_fn.slope(state)
    weights = raw + raw.T
    weights = largest / jnp.linalg.eigvalsh(slope[:, None] * weights * slope[None, :])[-1] * weights
    return Params(weights, resting_bias(weights, state, rate_fn))


def untie(params: Params, other: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Params:
    """Return a network with the upper triangle of one and the lower triangle of another, at rest in the same state.

    Args:
        params: whose weights from later units to earlier ones are taken.
        other: whose weights from earlier units to later ones are taken.
        state: the equilibrium, where all slopes are above 0, shape `[unit]`.
        rate_fn: the rate function rho.

    Raises:
        ValueError: networks of different sizes, a state that is not finite, or no rate function.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> one, other = (stdpjax.energy.make_params([[0.0, w], [w, 0.0]]) for w in (0.5, 0.2))
        >>> stdpjax.networks.untie(one, other, jnp.zeros(2), stdpjax.rates.hard_sigmoid()).weights.tolist()
        [[0.0, 0.5], [0.20000000298023224, 0.0]]
    """
    for name, network in (("params", params), ("other", other)):
        _checks.instance(name, network, Params, "a network")
    _checks.same_shape("params", params.weights, "other", other.weights)
    weights = jnp.triu(params.weights) + jnp.tril(other.weights)
    return Params(weights, resting_bias(weights, state, rate_fn))


def tied_networks(
    key: Key[Array, ""], n_networks: int, n_units: int, eigenvalues: tuple[float, float], bias_std: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return random tied weights whose largest eigenvalue is uniform in a range, and biases about the balanced ones.

    Args:
        key: a scalar key.
        n_networks: how many.
        n_units: units of each, 2 or more.
        eigenvalues: the range, above 0 and rising; with both ends the same all have that largest eigenvalue.
        bias_std: standard deviation of the biases about minus half the summed weights, 0 or more.

    Returns:
        Weights `[network, unit, unit]` and biases `[network, unit]` in double precision on the host, rounded to what
        JAX computes in.

    Raises:
        ValueError: no key, a count or number out of range.

    Example:
        >>> import numpy as np, stdpjax
        >>> weights, bias = stdpjax.networks.tied_networks(stdpjax.random.key(0), 2, 4, (0.9, 0.9), 0.0)
        >>> np.linalg.eigvalsh(weights)[:, -1].round(5).tolist()
        [0.9, 0.9]
    """
    n_networks, n_units = _checks.count("n_networks", n_networks), _checks.count("n_units", n_units, minimum=2)
    bias_std = _checks.number("bias_std", bias_std, at_least=0)
    if not isinstance(eigenvalues, tuple) or len(eigenvalues) != 2:
        raise ValueError(f"eigenvalues: expected two numbers, the ends of a range, got {eigenvalues!r}")
    low, high = (_checks.number("eigenvalues", end, above=0) for end in eigenvalues)
    weight_key, scale_key, bias_key = (named_key(key, name) for name in ("weights", "scales", "biases"))
    raw = np.asarray(jax.random.normal(weight_key, (n_networks, n_units, n_units), float), np.float64)
    raw = (raw + raw.swapaxes(1, 2)) * (1 - np.eye(n_units))
    largest = low + (high - low) * np.asarray(jax.random.uniform(scale_key, (n_networks,), float), np.float64)
    weights = raw * (largest / np.linalg.eigvalsh(raw)[:, -1])[:, None, None]
    noise = np.asarray(jax.random.normal(bias_key, (n_networks, n_units), float), np.float64)
    bias = -0.5 * weights.sum(axis=-1) + bias_std * noise
    precision = jax.dtypes.canonicalize_dtype(float)
    return weights.astype(precision).astype(np.float64), bias.astype(precision).astype(np.float64)


def is_active(states: Float[Array, "*time unit"], rate_fn: RateFunction) -> Bool[Array, ""]:
    """Return whether all units are between the kinks at all times; False for states that are not finite.

    Args:
        states: shape `[..., unit]`.
        rate_fn: a rate function whose slope is 1 between its kinks.

    Raises:
        ValueError: no states, or no rate function.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> bool(stdpjax.networks.is_active(jnp.array([[0.0, 0.5]]), stdpjax.rates.hard_sigmoid()))
        True
    """
    check_rate_fn(rate_fn)
    return jnp.all(rate_fn.slope(jnp.asarray(_checks.real_array("states", states), float)) == 1)
