"""The network's energy, its target activity R(s), gradient and curvature (Eq 13 and 16).

    E(s) = sum_i s_i^2 / 2 - sum_{i<j} W_ij rho(s_i) rho(s_j) - sum_i b_i rho(s_i)

With weights tied in pairs and no self-connections R(s) = s - grad E(s) = rho'(s) (b + W rho(s)). With untied weights
R is still what drives the units, but no longer the gradient of anything: the functions that need an energy refuse
such weights, the others take them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from stdpjax import _checks
from stdpjax.rates import RateFunction, check_rate_fn, curvature

# Weights of a network that is checked in NumPy, where nothing is compiled for each size.
_SMALL = 2**16


class Params(NamedTuple):
    """Weights and biases of a network, a pytree that crosses `scan`, `vmap` and `grad`."""

    weights: Float[Array, "post pre"]
    """Weight from unit `pre` to unit `post`; 0 on the diagonal."""
    bias: Float[Array, "unit"]


def make_params(weights: _checks.ArrayLike, bias: _checks.ArrayLike | None = None, *, tied: bool = True) -> Params:
    """Return checked parameters.

    Args:
        weights: shape `[post, pre]`, square, 0 on the diagonal.
        bias: shape `[unit]`; None for 0.
        tied: refuse weights that are not symmetric, which have no energy.

    Raises:
        ValueError: weights that are not square, not finite, not symmetric although `tied`, or connect a unit to
            itself; a bias of another length.

    Example:
        >>> import stdpjax
        >>> stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]]).bias.tolist()
        [0.0, 0.0]
    """
    weights = _checks.finite("weights", weights)
    bias = jnp.zeros(weights.shape[:1], weights.dtype) if bias is None else _checks.finite("bias", bias)
    params = Params(weights, bias.astype(weights.dtype))
    check_params(params, tied=_checks.flag("tied", tied))
    return params


def random_params(key: Key[Array, ""], n_units: int, scale: float = 0.3, *, tied: bool = True) -> Params:
    """Return a random network whose rest state s = 0 is a fixed point of the hard sigmoid's dynamics.

    Args:
        key: a scalar key.
        n_units: number of units, 1 or more.
        scale: the weights have standard deviation `scale / sqrt(n_units)`; tied weights then have their largest
            eigenvalue near `2 * scale`.
        tied: the same weight in both directions of a pair.

    Returns:
        Normal weights with 0 on the diagonal, and biases of minus half the summed weights of a unit, which balance
        the rates of 1/2 at rest.

    Raises:
        ValueError: no key, a number of units that is not a whole number of at least 1, or a scale below 0.

    Example:
        >>> import stdpjax
        >>> params = stdpjax.energy.random_params(stdpjax.random.key(0), 4)
        >>> bool((params.weights == params.weights.T).all())
        True
    """
    key, n_units = _checks.key("key", key), _checks.count("n_units", n_units)
    scale = _checks.number("scale", scale, at_least=0)
    raw = jax.random.normal(key, (n_units, n_units), float)
    weights = (raw + raw.T) / jnp.sqrt(2.0) if _checks.flag("tied", tied) else raw
    weights = scale / jnp.sqrt(1.0 * n_units) * _without_diagonal(weights)
    return Params(weights, -0.5 * jnp.sum(weights, axis=1))


def tie(weights: Float[Array, "unit unit"]) -> Float[Array, "unit unit"]:
    """Return the symmetric part of weights, with 0 on the diagonal.

    Raises:
        ValueError: weights that are no square matrix of finite numbers.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> stdpjax.energy.tie(jnp.array([[1.0, 0.5], [0.0, 1.0]])).tolist()
        [[0.0, 0.25], [0.25, 0.0]]
    """
    weights = _checks.finite("weights", weights)
    _check_square(weights)
    return _tied(weights)


@jax.jit
def _tied(weights: Float[Array, "unit unit"]) -> Float[Array, "unit unit"]:
    return _without_diagonal(0.5 * (weights + weights.T))


@jax.jit
def _without_diagonal(matrix: Float[Array, "post pre"]) -> Float[Array, "post pre"]:
    """Return a matrix with 0 on the diagonal: no unit connects to itself."""
    return jnp.fill_diagonal(matrix, 0.0, inplace=False)


def energy(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, ""]:
    """Return the energy of a state.

    Args:
        params: tied weights `[unit, unit]` with 0 on the diagonal, and biases `[unit]`.
        state: integrated activity s, shape `[unit]`.
        rate_fn: the rate function rho.

    Returns:
        E(s), a scalar.

    Raises:
        ValueError: weights that are not square, finite, symmetric and 0 on the diagonal, a state that is not finite,
            or lengths that differ.

    Source: Bengio et al. 2015, Eq 16.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> float(stdpjax.energy.energy(params, jnp.array([0.0, 0.5]), stdpjax.rates.hard_sigmoid()))
        -0.375
    """
    return energy_of(params, check_network(params, state, rate_fn, tied=True), rate_fn)


def target(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, "unit"]:
    """Return R(s) = rho'(s) (b + W rho(s)), the activity that each unit relaxes towards.

    Args:
        params: weights `[post, pre]`, tied or not, and biases `[unit]`.
        state: integrated activity s, shape `[unit]`.
        rate_fn: the rate function rho.

    Returns:
        R(s), shape `[unit]`; for tied weights equal to s minus the gradient of the energy.

    Raises:
        ValueError: weights that are not square, not finite or connect a unit to itself, a state that is not finite,
            or lengths that differ.

    Source: Bengio et al. 2015, Eq 13 and 17.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> stdpjax.energy.target(params, jnp.array([0.0, 0.25]), stdpjax.rates.hard_sigmoid()).tolist()
        [0.75, 0.5]
    """
    return target_of(params, check_network(params, state, rate_fn), rate_fn)


def gradient(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, "unit"]:
    """Return the gradient of the energy, s - R(s); arguments and errors as in `energy`.

    At the kinks of the hard sigmoid it follows the written-out slope, 1.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> stdpjax.energy.gradient(params, jnp.array([0.0, 0.25]), stdpjax.rates.hard_sigmoid()).tolist()
        [-0.75, -0.25]
    """
    state = check_network(params, state, rate_fn, tied=True)
    return state - target_of(params, state, rate_fn)


def target_jacobian(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, "unit unit"]:
    """Return R'(s), written out: D W D + diag(rho''(s) u) with D = diag(rho'(s)) and u the field.

    Args:
        params: weights, tied or not, and biases.
        state: shape `[unit]`.
        rate_fn: the rate function rho.

    Returns:
        `[i, j]`: how the target of unit i changes with the activity of unit j. Away from kinks.

    Raises:
        ValueError: as in `target`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> stdpjax.energy.target_jacobian(params, jnp.zeros(2), stdpjax.rates.hard_sigmoid()).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    state = check_network(params, state, rate_fn)
    slope = rate_fn.slope(state)
    bend = curvature(rate_fn, state) * field_of(params, rate_fn.value(state))
    return slope[:, None] * params.weights * slope[None, :] + jnp.diag(bend)


def hessian(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, "unit unit"]:
    """Return the second derivative of the energy, 1 - R'(s); arguments and errors as in `energy`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]])
        >>> stdpjax.energy.hessian(params, jnp.zeros(2), stdpjax.rates.hard_sigmoid()).tolist()
        [[1.0, -0.5], [-0.5, 1.0]]
    """
    state = check_network(params, state, rate_fn, tied=True)
    return jnp.eye(state.shape[0], dtype=state.dtype) - target_jacobian(params, state, rate_fn)


# The same without checks, for loops over time that have checked before.
def field_of(params: Params, rate: Float[Array, "unit"]) -> Float[Array, "unit"]:
    """Return the field u = b + W rho(s) for given rates."""
    return params.bias + params.weights @ rate


def target_of(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, "unit"]:
    """Return R(s) as `target` does, unchecked."""
    return rate_fn.slope(state) * field_of(params, rate_fn.value(state))


def energy_of(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, ""]:
    """Return the energy as `energy` does, unchecked; of untied weights only the symmetric part counts."""
    rate = rate_fn.value(state)
    return 0.5 * jnp.sum(state * state) - jnp.sum(rate * (0.5 * (params.weights @ rate) + params.bias))


def check_network(
    params: Params, state: _checks.ArrayLike, rate_fn: RateFunction, *, tied: bool = False
) -> Float[Array, "unit"]:
    """Return the state as an array, refusing what is no rate function, and as `check_params` and `check_state` do.

    Raises:
        ValueError: as these say, or no rate function.

    Example:
        >>> import stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> stdpjax.energy.check_network(params, [0.0, 0.25], stdpjax.rates.hard_sigmoid()).tolist()
        [0.0, 0.25]
    """
    check_rate_fn(rate_fn)
    return check_state(params, state, tied=tied)


def check_state(params: Params, state: _checks.ArrayLike, *, tied: bool = False) -> Float[Array, "unit"]:
    """Return the state as an array, refusing what is no state of the network, and as `check_params` does.

    Raises:
        ValueError: as `check_params` says, or a state that is not finite or of another shape than the biases.

    Example:
        >>> import stdpjax
        >>> stdpjax.energy.check_state(stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]]), [0.0, 0.25]).tolist()
        [0.0, 0.25]
    """
    check_params(params, tied=tied)
    state = _checks.finite("state", state)
    if state.shape != params.bias.shape:
        raise ValueError(f"state: expected shape {params.bias.shape}, one number for each unit, got {state.shape}")
    return state.astype(_checks.at_least_single(state.dtype))


def check_params(params: Params, *, tied: bool = False) -> None:
    """Refuse parameters that are no network, or have no energy although `tied`; values only where they are known.

    Raises:
        ValueError: as `make_params` says, or numbers of other than single or double precision: in half precision the
            steps of the dynamics would be lost in rounding.

    Example:
        >>> import stdpjax
        >>> stdpjax.energy.check_params(stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]]), tied=True)
    """
    _checks.instance("params", params, Params, "weights and biases, as `stdpjax.energy.make_params` gives")
    weights, bias = params
    for name, array in (("params.weights", weights), ("params.bias", bias)):
        dtype = getattr(array, "dtype", None)
        if not hasattr(array, "shape") or dtype not in (jnp.float32, jnp.float64):
            got = "no array" if dtype is None else f"dtype {dtype}"
            raise ValueError(f"{name}: expected an array of single or double precision, got {got}")
    _check_square(weights)
    if bias.shape != weights.shape[:1]:
        raise ValueError(f"bias: expected one number for each of {len(weights)} units, got shape {bias.shape}")
    _checks.finite("bias", bias)
    _checks.finite("weights", weights)
    if not _checks.is_concrete(weights):
        return
    is_small = weights.size <= _SMALL and getattr(weights, "is_fully_addressable", True)
    with jax.ensure_compile_time_eval():
        found = _defects(np.asarray(weights)) if is_small else jax.jit(_defects)(weights)
        largest, on_diagonal, asymmetry = (part.item() for part in found)
    if on_diagonal:
        raise ValueError(f"weights: expected 0 on the diagonal, got {on_diagonal} units that connect to themselves")
    # Single precision leaves that much where W is computed, as in A + A^T of products.
    if tied and asymmetry > 1e-5 * largest:
        got = f"W_ij and W_ji that differ by {asymmetry:g}; see stdpjax.energy.tie"
        raise ValueError(f"weights: expected a symmetric matrix (tied weights), got {got}")


def _defects(weights: Any) -> tuple[Any, Any, Any]:
    """Return the largest weight, how many units connect to themselves, and the largest asymmetry."""
    largest, asymmetry = (abs(part).max(initial=0) for part in (weights, weights - weights.T))
    return largest, (weights.diagonal() != 0).sum(), asymmetry


def _check_square(weights: Array) -> None:
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise ValueError(f"weights: expected a square matrix [post, pre], got shape {weights.shape}")
