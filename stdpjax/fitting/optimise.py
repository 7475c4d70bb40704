"""Weighted least squares by gradients: many searches side by side, parameters kept in their ranges.

A number within (low, high) is `low (high / low)^sigmoid(position)`: positions are free, the scale is logarithmic.
Everything here is traced, in double precision where `jax.enable_x64` is on.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int
from numpy.typing import NDArray

from stdpjax.fitting.designs import Design
from stdpjax.fitting.models import Numbers, Parameter

# Positions beyond have the ends of the range for all purposes, and no gradient.
FARTHEST = 16.0
_ROUGH_RATE = 0.1
_N_MOST = 300
_SMALL_GAIN = 1e-10
_PATIENCE = 8
_LONGEST_MOVE = 2.0
_FLOOR = 1e-12

Predict = Callable[[Numbers, Design], Array]


class Problem(NamedTuple):
    """What is searched; everything but the function is traced."""

    low: Float[Array, "free"]
    high: Float[Array, "free"]
    held: dict[str, Float[Array, ""]]
    design: Design


class Search(NamedTuple):
    """Where searches ended; arrays on the device or on the host."""

    position: Any
    """Shape `[..., free]`."""
    value: Any
    """Weighted sum of squares, shape `[...]`."""
    n_steps: Any
    """Shape `[...]`."""


class _Descent(NamedTuple):
    """A search in its second part."""

    position: Float[Array, "free"]
    residual: Float[Array, "point"]
    jacobian: Float[Array, "point free"]
    damping: Float[Array, ""]
    n_idle: Int[Array, ""]
    n_steps: Int[Array, ""]


def to_position(numbers: Any, parameters: Sequence[Parameter]) -> NDArray[np.float64]:
    """Return positions of numbers, on the host; those at or beyond an end are moved in."""
    low, high = (np.array([getattr(parameter, end) for parameter in parameters]) for end in ("low", "high"))
    share = np.log(np.maximum(np.asarray(numbers, np.float64), 1e-300) / low) / np.log(high / low)
    with np.errstate(divide="ignore", invalid="ignore"):
        position = np.log(share) - np.log1p(-share)
    position = np.where(share <= 0, -FARTHEST, np.where(share >= 1, FARTHEST, position))
    return np.clip(position, -FARTHEST, FARTHEST)


def to_numbers(position: Any, parameters: Sequence[Parameter]) -> NDArray[np.float64]:
    """Return numbers at positions, on the host."""
    low, high = (np.array([getattr(parameter, end) for parameter in parameters]) for end in ("low", "high"))
    return low * (high / low) ** (1 / (1 + np.exp(-np.asarray(position, np.float64))))


def predictions(
    predict: Predict, names: tuple[str, ...], problem: Problem, position: Float[Array, "free"]
) -> Float[Array, "point"]:
    """Return the predicted changes at a position."""
    numbers = problem.low * jnp.exp(jnp.log(problem.high / problem.low) * jax.nn.sigmoid(position))
    return predict({**problem.held, **dict(zip(names, numbers, strict=True))}, problem.design)


@partial(jax.jit, static_argnums=(0, 1))
def predict_at(
    predict: Predict, names: tuple[str, ...], problem: Problem, position: Float[Array, "free"]
) -> tuple[Float[Array, "point"], Float[Array, "point free"]]:
    """Return the predicted changes at a position, and their derivatives."""
    at = partial(predictions, predict, names, problem)
    return at(position), jax.jacfwd(at)(position)


@partial(jax.jit, static_argnums=(0, 1, 2))
def approach(
    predict: Predict,
    names: tuple[str, ...],
    n_steps: int,
    problem: Problem,
    change: Float[Array, "point"],
    weight: Float[Array, "point"],
    start: Float[Array, "search free"],
) -> Float[Array, "search free"]:
    """Go from far-off places towards lower sums of squares, by Adam on their logarithm.

    Args:
        predict: of the model.
        names: of the fitted parameters.
        n_steps: steps of Adam.
        problem: ranges, held numbers and protocols.
        change: measured changes.
        weight: one over the standard errors.
        start: positions to start from.

    Returns:
        Positions, none worse than its start.
    """
    optimiser = optax.adam(_ROUGH_RATE)

    def objective(position: Array) -> Array:
        # The logarithm, as far-off places may be far off by many powers of ten.
        return jnp.log1p(jnp.sum(((predictions(predict, names, problem, position) - change) * weight) ** 2))

    def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
        position, state = carry
        updates, state = optimiser.update(jax.grad(objective)(position), state)
        moved: Array = optax.apply_updates(position, updates)  # pyright: ignore[reportAssignmentType]
        return (jnp.clip(moved, -FARTHEST, FARTHEST), state), None

    def search(start: Array) -> Array:
        (position, _), _ = jax.lax.scan(step, (start, optimiser.init(start)), length=n_steps)
        return jnp.where(objective(position) < objective(start), position, start)

    return jax.vmap(search)(start)


@partial(jax.jit, static_argnums=(0, 1))
def minimise(
    predict: Predict,
    names: tuple[str, ...],
    problem: Problem,
    change: Float[Array, "search point"],
    weight: Float[Array, "point"],
    start: Float[Array, "search free"],
    is_free: Bool[Array, "search free"],
) -> Search:
    """Search for the least weighted sum of squares from each start.

    Gauss-Newton steps with Levenberg's and Marquardt's damping, which go down long valleys in a few steps.

    Args:
        predict: of the model.
        names: of the fitted parameters.
        problem: ranges, held numbers and protocols.
        change: measured changes for each search.
        weight: one over the standard errors.
        start: positions to start from.
        is_free: which of them may move, for each search.

    Returns:
        Where the searches ended.
    """

    def search(change: Array, start: Array, is_free: Array) -> Search:
        mask = is_free.astype(start.dtype)

        def residual(position: Array) -> Array:
            return (predictions(predict, names, problem, position) - change) * weight

        def with_slope(position: Array) -> tuple[Array, Array]:
            jacobian, value = jax.jacfwd(lambda at: (residual(at),) * 2, has_aux=True)(position)
            return value, jacobian * mask

        def is_going_on(carry: _Descent) -> Array:
            return (carry.n_idle < _PATIENCE) & (carry.n_steps < _N_MOST)

        def step(carry: _Descent) -> _Descent:
            squares = jnp.sum(carry.jacobian**2, axis=0)
            damping = jnp.sqrt(carry.damping * (squares + _FLOOR) + (1 - mask) + _FLOOR)
            # Not by the matrix of products: it forgets what one point of a very small error leaves undecided.
            q, r = jnp.linalg.qr(jnp.concatenate([carry.jacobian, jnp.diag(damping)]))
            move = -jax.scipy.linalg.solve_triangular(r, q[: carry.residual.size].T @ carry.residual)
            move = jnp.clip(jnp.where(jnp.isfinite(move), move, 0.0), -_LONGEST_MOVE, _LONGEST_MOVE)
            position = jnp.where(is_free, jnp.clip(carry.position + move, -FARTHEST, FARTHEST), carry.position)
            value, jacobian = with_slope(position)
            before, after = jnp.sum(carry.residual**2), jnp.sum(value**2)
            is_better = after < before
            has_gained = after < before - _SMALL_GAIN * (1 + before)
            return _Descent(
                jnp.where(is_better, position, carry.position),
                jnp.where(is_better, value, carry.residual),
                jnp.where(is_better, jacobian, carry.jacobian),
                jnp.clip(jnp.where(is_better, carry.damping / 5, carry.damping * 4), 1e-9, 1e9),
                jnp.where(has_gained, 0, carry.n_idle + 1).astype(jnp.int32),
                carry.n_steps + 1,
            )

        zero = jnp.zeros((), jnp.int32)
        first = _Descent(start, *with_slope(start), jnp.asarray(1e-2, start.dtype), zero, zero)
        end = jax.lax.while_loop(is_going_on, step, first)
        return Search(end.position, jnp.sum(end.residual**2), end.n_steps)

    return jax.vmap(search)(change, start, is_free)
