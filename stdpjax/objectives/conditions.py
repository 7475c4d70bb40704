"""What must hold of an energy for the rule to follow from its dynamics: conditions 1 to 3 (Eq 4, 8 and 24)."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax.energy import Params, check_network, check_state
from stdpjax.rates import RateFunction

EnergyFunction = Callable[[Params, Float[Array, "unit"]], Float[Array, ""]]


class WeightCondition(NamedTuple):
    """How well the target of unit i changes by `coefficient[i] * rho(s_j)` with the weight of the pair i, j."""

    coefficient: Float[Array, "unit"]
    """The factor of each row that fits best."""
    residual: Float[Array, ""]
    """What no factor explains within the rows, relative to the norm of the derivative."""
    other_rows: Float[Array, ""]
    """Norm of the derivatives of the targets of other units, relative to the same; a tied weight has two rows."""


def condition_1(
    energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"], rate_fn: RateFunction, step: float | Array
) -> WeightCondition:
    """Return how far d f_i / d W_ij is proportional to rho(s_j), for the dynamics of any energy (condition 1, Eq 4).

    An energy has one weight for each pair, W_ij = W_ji, and the derivative is with respect to that.

    Args:
        energy_fn: `energy_fn(params, state) -> scalar`; f(s) = s - step * gradient.
        params: what the energy takes; the derivative is with respect to `weights`.
        state: where, shape `[unit]`, away from kinks; of a noisy step the noisy state.
        rate_fn: the rate function that the condition speaks of.
        step: step size epsilon, in (0, 1].

    Returns:
        Coefficients (step * rho'(s_i) for the energy of Eq 16) and residuals.

    Raises:
        ValueError: no energy function that gives one real number, step out of range, and as in `stdpjax.energy.target`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> def network(params, state):
        ...     return stdpjax.energy.energy(params, state, rho)
        >>> found = stdpjax.objectives.condition_1(network, params, jnp.array([0.25, 1.0]), rho, 0.5)
        >>> found.coefficient.tolist(), float(found.residual)
        ([0.5, 0.0], 0.0)
    """
    step = _checks.number("step", step, above=0, at_most=1)
    found = condition_2(energy_fn, params, state, rate_fn)
    return found._replace(coefficient=jnp.asarray(step, found.coefficient.dtype) * found.coefficient)


def condition_2(
    energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"], rate_fn: RateFunction
) -> WeightCondition:
    """Return how far d R_i / d W_ij is proportional to rho(s_j), with R = s - gradient (condition 2, Eq 8).

    Arguments and result as in `condition_1`, without the step.

    Raises:
        ValueError: no energy function that gives one real number, and as in `stdpjax.energy.target`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho = stdpjax.rates.sigmoid()
        >>> params = stdpjax.energy.make_params(jnp.ones((3, 3)) - jnp.eye(3))
        >>> def without_rates(params, state):
        ...     return 0.5 * state @ (state - params.weights @ state)
        >>> bad = stdpjax.objectives.condition_2(without_rates, params, jnp.array([0.25, 0.5, 0.0]), rho)
        >>> float(bad.residual) > 0.1
        True
    """
    state = check_network(params, state, rate_fn).astype(params.weights.dtype)
    _check_energy(energy_fn, params, state)

    def drive(weights: Float[Array, "post pre"]) -> Float[Array, "unit"]:
        return state - jax.grad(energy_fn, argnums=1)(params._replace(weights=weights), state)

    derivative = jax.jacobian(drive)(params.weights)  # [k, i, j]: target of k by weight from j to i
    derivative = derivative + jnp.swapaxes(derivative, 1, 2)  # tied: the weights of a pair are one number
    n_units = state.shape[0]
    own = jnp.arange(n_units)
    off_diagonal = 1.0 - jnp.eye(n_units, dtype=derivative.dtype)
    derivative = derivative * off_diagonal[None]  # no unit has a weight to itself
    rows, rates = derivative[own, own], rate_fn.value(state)[None, :] * off_diagonal
    coefficient = _ratio(jnp.sum(rows * rates, axis=1), jnp.sum(rates * rates, axis=1))
    whole = jnp.sqrt(jnp.sum(derivative**2))
    unexplained = jnp.sqrt(jnp.sum((rows - coefficient[:, None] * rates) ** 2))
    others = derivative.at[own, own].set(0.0)
    return WeightCondition(coefficient, _ratio(unexplained, whole), _ratio(jnp.sqrt(jnp.sum(others**2)), whole))


def condition_3(energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"]) -> Params:
    """Return the largest |d^3 E / d s_i^2 d theta| over units i, for each parameter (condition 3, Eq 24).

    As in `condition_1`, the weights of a pair are one parameter.

    Zero is what lets score matching drop its second derivative. For the hard sigmoid it is zero at almost every
    state, and not zero as a distribution: the jumps at the kinks, which no derivative at a point sees, carry the term.

    Args:
        energy_fn: `energy_fn(params, state) -> scalar`, three times differentiable at the state.
        params: what the energy takes.
        state: where, shape `[unit]`.

    Returns:
        The same tree as `params`.

    Raises:
        ValueError: no energy function that gives one real number, parameters that are no network, or a state that is
            not finite or of another shape.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> def network(rho):
        ...     return lambda params, state: stdpjax.energy.energy(params, state, rho)
        >>> state = jnp.array([0.25, 0.125])
        >>> hard = stdpjax.objectives.condition_3(network(stdpjax.rates.hard_sigmoid()), params, state)
        >>> smooth = stdpjax.objectives.condition_3(network(stdpjax.rates.sigmoid()), params, state)
        >>> float(jnp.max(hard.weights)), float(jnp.max(smooth.weights)) > 0.1
        (0.0, True)
    """
    state = check_state(params, state).astype(params.weights.dtype)
    _check_energy(energy_fn, params, state)

    def curvatures(params: Params) -> Float[Array, "unit"]:
        return jnp.diagonal(jax.hessian(energy_fn, argnums=1)(params, state))

    derivative = jax.jacobian(curvatures)(params)
    # Tied: the weights of a pair are one number.
    derivative = derivative._replace(weights=derivative.weights + jnp.swapaxes(derivative.weights, 1, 2))
    largest = jax.tree.map(lambda leaf: jnp.max(jnp.abs(leaf), axis=0), derivative)
    # There are no weights on the diagonal to differentiate by.
    off_diagonal = 1.0 - jnp.eye(state.shape[0], dtype=largest.weights.dtype)
    return largest._replace(weights=largest.weights * off_diagonal)


def _check_energy(energy_fn: EnergyFunction, params: Params, state: Float[Array, "unit"]) -> None:
    """Refuse what is no function of parameters and state that gives one real number."""
    _checks.function("energy_fn", energy_fn, "params, state")
    made = jax.eval_shape(energy_fn, params, state)
    if getattr(made, "shape", None) != () or not jnp.issubdtype(made.dtype, jnp.floating):
        raise ValueError(f"energy_fn: expected a function that gives one real number, got {made}")


def _ratio(part: Float[Array, "..."], whole: Float[Array, "..."]) -> Float[Array, "..."]:
    """Return part / whole, 0 where there is no whole."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), 0.0)
