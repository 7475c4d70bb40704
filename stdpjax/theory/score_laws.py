"""Laws of data as quadratures, and score matching on them: the objective with and without the score of the data."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import ArrayLike

from stdpjax.energy import Params, energy_of, target_of
from stdpjax.objectives import Correction, conditional_density, prediction_error, score_matching
from stdpjax.rates import RateFunction

Build = Callable[[Float[Array, "parameter"]], Params]


class Law(NamedTuple):
    """Data of a known model, as the nodes and weights of a quadrature."""

    states: Float[Array, "sample unit"]
    sample_weights: Float[Array, "sample"]
    kink_density: Float[Array, "sample unit two"] | None
    temperature: Float[Array, ""]
    truth: Float[Array, "parameter"]


def one_unit(theta: Float[Array, "one"]) -> Params:
    """Return one unit with a bias."""
    return Params(jnp.zeros((1, 1), theta.dtype), theta)


def two_units(theta: Float[Array, "two"]) -> Params:
    """Return two units with one weight between them and one bias for both."""
    return Params(theta[0] * (1 - jnp.eye(2, dtype=theta.dtype)), jnp.stack([theta[1], theta[1]]))


def nodes(breaks: Float[Array, "piece_plus_one"], n_nodes: int) -> tuple[Float[Array, "node"], Float[Array, "node"]]:
    """Return nodes and weights of Gauss-Legendre quadrature on each piece between break points.

    Args:
        breaks: rising numbers; what is integrated is smooth between them.
        n_nodes: nodes on each piece.

    Returns:
        Nodes and weights, `[piece * n_nodes]`.

    Example:
        >>> import jax.numpy as jnp
        >>> from stdpjax.theory.score_laws import nodes
        >>> place, weight = nodes(jnp.array([0.0, 1.0, 3.0]), 4)
        >>> round(float(jnp.sum(weight * place**3)), 4)
        20.25
    """
    unit, weight = (jnp.asarray(part, breaks.dtype) for part in np.polynomial.legendre.leggauss(n_nodes))
    half = 0.5 * (breaks[1:] - breaks[:-1])[:, None]
    middle = 0.5 * (breaks[1:] + breaks[:-1])[:, None]
    return (middle + half * unit[None]).ravel(), (half * weight[None]).ravel()


def model_law(
    build: Build,
    truth: Float[Array, "parameter"],
    states: Float[Array, "sample unit"],
    measure: Float[Array, "sample"],
    rate_fn: RateFunction,
    temperature: Float[Array, ""],
) -> Law:
    """Return the law exp(-E/T) of the true parameters on the nodes of a quadrature with weights `measure`."""
    params = build(truth)
    logits = -jax.vmap(lambda state: energy_of(params, state, rate_fn))(states) / temperature
    weights = measure * jnp.exp(logits - jnp.max(logits))
    density = None
    if rate_fn.kinks is not None:
        kinks = jnp.asarray(rate_fn.kinks, states.dtype)
        density = conditional_density(params, states, kinks, rate_fn, temperature)
    return Law(states, weights / jnp.sum(weights), density, temperature, truth)


def implicit(
    theta: Float[Array, "parameter"], law: Law, build: Build, rate_fn: RateFunction, correction: Correction
) -> Float[Array, ""]:
    """Return the score-matching objective of a law, which needs no score of the data."""
    return score_matching(
        build(theta),
        law.states,
        rate_fn,
        correction,
        sample_weights=law.sample_weights,
        kink_density=None if correction == "dropped" else law.kink_density,
        temperature=law.temperature,
    )


def explicit(theta: Float[Array, "parameter"], law: Law, build: Build, rate_fn: RateFunction) -> Float[Array, ""]:
    """Return what score matching minimises: T/2 times the mean squared distance from the score of the data."""

    def distance(state: Float[Array, "unit"]) -> Float[Array, ""]:
        model, data = (target_of(build(which), state, rate_fn) for which in (theta, law.truth))
        return jnp.sum((model - data) ** 2)

    return 0.5 / law.temperature * jnp.sum(law.sample_weights * jax.vmap(distance)(law.states))


def mean_prediction_error(
    theta: Float[Array, "parameter"],
    law: Law,
    build: Build,
    rate_fn: RateFunction,
    visible: Bool[Array, "unit"] | None = None,
) -> Float[Array, ""]:
    """Return the mean over the data of J_x (Eq 19) without noise, in units of step^2; by default all units are x."""
    step = 0.5

    def one(state: Float[Array, "unit"]) -> Float[Array, ""]:
        return prediction_error(build(theta), state, jnp.zeros_like(state), state, rate_fn, step, visible)

    return jnp.sum(law.sample_weights * jax.vmap(one)(law.states)) / step**2


def gradients_at_corners(
    objectives: Callable[[Float[Array, "parameter"]], Float[Array, "objective"]], n_parameters: int
) -> Float[Array, "place objective parameter"]:
    """Return the gradients of some functions at 0 and where one parameter at a time is 1.

    The target R is linear in weights and biases, so all objectives here are quadratic in them, for any rate function,
    and these gradients hold all there is.
    """
    places = jnp.concatenate([jnp.zeros((1, n_parameters), float), jnp.eye(n_parameters, dtype=float)])
    return jax.vmap(jax.jacfwd(objectives))(places)


def stationary_points(gradients: ArrayLike) -> np.ndarray:
    """Return where quadratic functions are smallest (or, with the printed sign, stationary).

    Args:
        gradients: from `gradients_at_corners`, shape `[..., place, objective, parameter]`.

    Returns:
        Parameters in double precision, shape `[..., parameter, objective]`.

    Example:
        >>> import jax.numpy as jnp
        >>> from stdpjax.theory.score_laws import gradients_at_corners, stationary_points
        >>> stationary_points(
        ...     gradients_at_corners(lambda theta: jnp.array([(theta[0] - 2) ** 2 + theta[0]]), 1)).tolist()
        [[1.5]]
    """
    numbers = np.asarray(gradients, np.float64)
    curvatures = np.moveaxis(numbers[..., 1:, :, :] - numbers[..., :1, :, :], -3, -1)
    return np.swapaxes(-np.linalg.solve(curvatures, numbers[..., 0, :, :, None])[..., 0], -1, -2)
