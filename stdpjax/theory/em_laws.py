"""Expectations by quadrature for MCMC-EM score matching: laws of hidden units, gradients at the truth, mean flows."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stdpjax.energy import Params, energy_of, field_of, target_of
from stdpjax.objectives import conditional_density, score_matching
from stdpjax.rates import RateFunction, curvature, hard_sigmoid, sigmoid
from stdpjax.theory.score_laws import nodes

SIGMOID = sigmoid()
REACH = 6.0


class Grid(NamedTuple):
    """A product grid: all states, their measure, and the number of nodes on each axis."""

    states: Float[Array, "sample unit"]
    measure: Float[Array, "sample"]
    shape: tuple[int, ...]


def grid(n_units: int, n_nodes: int) -> Grid:
    """Return nodes and weights over all units, with break points at the hard sigmoid's kinks."""
    line, measure = nodes(jnp.asarray([-REACH, -0.5, 0.5, REACH], float), n_nodes)
    mesh = jnp.meshgrid(*[line] * n_units, indexing="ij")
    weight = jnp.prod(jnp.stack(jnp.meshgrid(*[measure] * n_units, indexing="ij")), axis=0)
    return Grid(jnp.stack([part.ravel() for part in mesh], axis=1), weight.ravel(), (line.shape[0],) * n_units)


def law(params: Params, place: Grid, rate_fn: RateFunction) -> Float[Array, "sample"]:
    """Return the probabilities of exp(-E) on a grid."""
    logits = -jax.vmap(lambda state: energy_of(params, state, rate_fn))(place.states)
    weights = place.measure * jnp.exp(logits - jnp.max(logits))
    return weights / jnp.sum(weights)


def of_visible(probability: Float[Array, "sample"], place: Grid, n_visible: int) -> Float[Array, "*grid"]:
    """Return the law of the first units, on the grid of all, with axes of length 1 for the hidden ones."""
    hidden = tuple(range(n_visible, len(place.shape)))
    return jnp.sum(probability.reshape(place.shape), axis=hidden, keepdims=True)


def divergence(truth: Float[Array, "*grid"], model: Float[Array, "*grid"]) -> Float[Array, ""]:
    """Return the Kullback-Leibler divergence of two laws on one grid."""
    logs = jnp.log(jnp.maximum(truth, 1e-30)) - jnp.log(jnp.maximum(model, 1e-30))
    return jnp.sum(truth * logs - truth + model)


def stein_terms(params: Params, states: Float[Array, "sample unit"]) -> Float[Array, "sample three unit unit"]:
    """Return -g_i rho'_i rho_j, -rho''_i rho_j and Eq 1's -g_i rho_j, whose means Stein's identity links (sigmoid)."""
    rates, slopes = SIGMOID.value(states), SIGMOID.slope(states)
    pulls = jax.vmap(lambda state: target_of(params, state, SIGMOID))(states) - states
    rows = jnp.stack([pulls * slopes, -curvature(SIGMOID, states), pulls], axis=1)
    return rows[..., :, None] * rates[:, None, None, :]


@partial(jax.jit, static_argnames="n_nodes")
def stein_means(params: Params, n_nodes: int) -> Float[Array, "three unit unit"]:
    """Return the means of `stein_terms` under exp(-E) of three units."""
    place = grid(3, n_nodes)
    return jnp.einsum("s,skij->kij", law(params, place, SIGMOID), stein_terms(params, place.states))


@partial(jax.jit, static_argnames="n_nodes")
def gradients_at_truth(params: Params, n_nodes: int) -> Float[Array, "rates clamped correction three"]:
    """Return the gradient of score matching by weight and biases of two units, at the parameters that made the data.

    Rates are hard or sigmoid; one unit is clamped, with the other drawn from P(h|x), or both; the second derivative
    is kept or dropped.
    """
    place = grid(2, n_nodes)

    def one(rate_fn: RateFunction, visible: Array, correction) -> Float[Array, "three"]:
        probability = law(params, place, rate_fn)
        density = None
        if rate_fn.kinks is not None:
            density = conditional_density(params, place.states, jnp.asarray(rate_fn.kinks, float), rate_fn)

        def objective(theta: Float[Array, "three"]) -> Float[Array, ""]:
            weights = theta[0] * (1 - jnp.eye(2, dtype=theta.dtype))
            return score_matching(
                Params(weights, theta[1:]),
                place.states,
                rate_fn,
                correction,
                visible=visible,
                sample_weights=probability,
                kink_density=None if correction == "dropped" else density,
            )

        return jax.grad(objective)(jnp.concatenate([params.weights[:1, 1], params.bias]))

    clamped = jnp.array([[True, False], [True, True]])
    return jnp.stack(
        [
            jnp.stack([jnp.stack([one(rate, row, which) for which in ("exact", "dropped")]) for row in clamped])
            for rate in (hard_sigmoid(), SIGMOID)
        ]
    )


def mean_delta(
    params: Params, joint: Float[Array, "sample"], place: Grid, n_visible: int, keep: Float[Array, ""]
) -> Params:
    """Return minus the gradient of score matching on the visible units, by tied weights and biases (sigmoid).

    Args:
        params: of the model.
        joint: law of the data with hidden units filled in, on the grid.
        place: the grid.
        n_visible: the first so many units are visible.
        keep: 1 keeps the second derivative, 0 drops it.

    Returns:
        The update, which is 0 for biases of hidden units.
    """
    rates, slopes = SIGMOID.value(place.states), SIGMOID.slope(place.states)
    fields = jax.vmap(lambda rate: field_of(params, rate))(rates)
    rows = slopes * (place.states - slopes * fields) - keep * curvature(SIGMOID, place.states)
    rows = jnp.where(jnp.arange(rows.shape[1])[None] < n_visible, rows * joint[:, None], 0.0)
    weights = rows.T @ rates
    return Params(jnp.fill_diagonal(weights + weights.T, 0.0, inplace=False), jnp.sum(rows, axis=0))


def likelihood_delta(joint: Float[Array, "sample"], model: Float[Array, "sample"], place: Grid) -> Params:
    """Return the gradient of the log likelihood by tied weights and biases, given the two laws on the grid."""
    rates, away = SIGMOID.value(place.states), (joint - model)[:, None]
    weights = jnp.fill_diagonal(rates.T @ (away * rates), 0.0, inplace=False)
    return Params(weights, jnp.sum(away * rates, axis=0))


@partial(jax.jit, static_argnames=("n_visible", "n_nodes", "n_updates"))
def flows(truth: Params, start: Params, rate, *, n_visible: int, n_nodes: int, n_updates: int):
    """Return divergence from the truth along the mean updates, by score matching (kept, dropped) and likelihood.

    Weights that are 0 at the start stay 0, and biases of hidden units stay.

    Args:
        truth: parameters of the data.
        start: initial parameters.
        rate: factor on updates.
        n_visible: the first so many units are visible.
        n_nodes: quadrature nodes between two break points.
        n_updates: updates.

    Returns:
        Divergences, shape `[method, update]`.
    """
    place = grid(start.bias.shape[0], n_nodes)
    data = of_visible(law(truth, place, SIGMOID), place, n_visible)
    mask = start.weights != 0

    def flow(method):
        def step(params, _):
            model = law(params, place, SIGMOID)
            visible = of_visible(model, place, n_visible)
            ratio = jnp.broadcast_to(data / jnp.maximum(visible, 1e-30), place.shape).ravel()
            joint = model * ratio
            score = mean_delta(params, joint, place, n_visible, (method == 0).astype(joint.dtype))
            likely = likelihood_delta(joint, model, place)
            delta = jax.tree.map(lambda one, other: jnp.where(method == 2, one, other), likely, score)
            bias = jnp.where(jnp.arange(start.bias.shape[0]) < n_visible, delta.bias, 0.0)
            moved = Params(params.weights + rate * jnp.where(mask, delta.weights, 0.0), params.bias + rate * bias)
            return moved, divergence(data, visible)

        return jax.lax.scan(step, start, None, length=n_updates)[1]

    return jax.lax.map(flow, jnp.arange(3))


def chain_law(value: float, params: Params, step: float, start: float, n_steps: int) -> np.ndarray:
    """Return the mean rate of a clamped row's update over exact laws of the hidden unit, after each Langevin step.

    The transition of one hidden unit is a Gaussian, and its law a vector on a fine grid.

    Args:
        value: activity of the one clamped unit, the first.
        params: two units, sigmoid rates.
        step: of the Langevin chain.
        start: where the hidden unit starts.
        n_steps: steps.

    Returns:
        Mean of rho(h) before each step and, last, in the stationary law; shape `[n_steps + 1]`.
    """
    line = np.linspace(-REACH, REACH, 601)
    rates = 1 / (1 + np.exp(-4 * line))
    field = float(params.bias[1]) + float(params.weights[1, 0]) / (1 + np.exp(-4 * value))
    pulled = line + step * (4 * rates * (1 - rates) * field - line)
    kernel = np.exp(-((line[:, None] - pulled[None]) ** 2) / (4 * step))
    kernel /= kernel.sum(0)
    # The start lies between nodes as a rule: the first step is taken from the start itself.
    rate = 1 / (1 + np.exp(-4 * start))
    first = start + step * (4 * rate * (1 - rate) * field - start)
    state = np.exp(-((line - first) ** 2) / (4 * step))
    means, state = [rate], state / state.sum()
    for _ in range(n_steps - 1):
        means.append(rates @ state)
        state = kernel @ state
    for _ in range(12):
        kernel = kernel @ kernel
    return np.array([*means, rates @ (kernel @ state)])
