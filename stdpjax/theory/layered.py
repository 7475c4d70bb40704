"""Layered networks at a chosen equilibrium, what arrives in each layer after a pull, and what back-propagation says.

The pull replaces the input of one layer by other values; the layers are listed from the pulled one on (`path`).
"""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stdpjax.clamps import Clamps, InputClamp
from stdpjax.dynamics import transition
from stdpjax.energy import Params, target_of
from stdpjax.rates import RateFunction


def chain_gradient(
    params: Params,
    state: Float[Array, "unit"],
    rate_fn: RateFunction,
    path: tuple[slice, ...],
    goal: Float[Array, "unit"],
) -> tuple[Float[Array, "unit unit"], Float[Array, "unit"]]:
    """Return the gradient that back-propagation gives of C, the squared error in the first layer of the path.

    Each layer's activity is R of it, seen as a function of the next layer alone, all others resting: a feedforward
    network from the last layer of the path to the first, which alone has the error and a goal. The gradients are those
    by the weights, tied or not, to be read in the blocks `[layer, next layer]`, and by the activities of all layers.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.theory.layered import chain_gradient
        >>> params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]])
        >>> rho, path = stdpjax.rates.hard_sigmoid(), (slice(0, 1), slice(1, 2))
        >>> chain_gradient(params, jnp.array([0.25, 0.0]), rho, path, jnp.full(2, 0.5))[1].tolist()
        [-0.5, -0.25]
    """

    def cost(weights: Float[Array, "unit unit"], added: Float[Array, "unit"]) -> Float[Array, ""]:
        activity = state[path[-1]] + added[path[-1]]
        for nearer, farther in reversed(list(itertools.pairwise(path))):
            seen = state.at[farther].set(activity)
            activity = target_of(Params(weights, params.bias), seen, rate_fn)[nearer] + added[nearer]
        return jnp.sum((goal[path[0]] - activity) ** 2)

    return jax.grad(cost, argnums=(0, 1))(params.weights, jnp.zeros_like(state))


def displacements(
    params: Params,
    state: Float[Array, "unit"],
    rate_fn: RateFunction,
    pull: InputClamp,
    step: float | Array,
    n_steps: int,
    others: Clamps = (),
) -> Float[Array, "time unit"]:
    """Return how far each unit is from equilibrium after each step of a pull.

    The displacement itself is stepped, by f(s + d) - f(s) as the integral of the derivative of f along d. Its digits
    are therefore not lost beside those of the state, and what has not been reached is exactly 0: late layers move by
    some step^(k+1), far less than single precision resolves in the state. Up to the quadrature, which is exact for the
    hard sigmoid in its active region, this is the difference of two simulations.

    Args:
        params: weights and biases, tied or not.
        state: the equilibrium under `others`, shape `[unit]`.
        rate_fn: the rate function rho.
        pull: which input is replaced, and by what.
        step: step size epsilon, in (0, 1].
        n_steps: how many.
        others: clamps that hold before and after.

    Returns:
        Displacements, shape `[time, unit]`, the first after one step.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.theory.layered import displacements
        >>> params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]], [-0.25, -0.25])
        >>> pull = stdpjax.clamps.clamp_input([True, False], 0.25)
        >>> displacements(params, jnp.zeros(2), stdpjax.rates.hard_sigmoid(), pull, 0.5, n_steps=2).tolist()
        [[0.125, 0.0], [0.1875, 0.03125]]
    """
    # Gauss and Legendre's points on [0, 1]; where the slope does not change along the way, one is exact.
    points, doubled = np.polynomial.legendre.leggauss(3 if rate_fn.kinks is None else 1)
    nodes, shares = (jnp.asarray(part, state.dtype) for part in (0.5 * (points + 1), 0.5 * doubled))
    # At equilibrium nothing but the pulled input moves anything.
    kick = jnp.where(pull.mask, step * (pull.value - state), 0.0)

    def moved(at: Float[Array, "unit"]) -> Float[Array, "unit"]:
        return transition(params, at, jnp.zeros_like(at), rate_fn, step, (*others, pull))

    def one_step(change: Float[Array, "unit"], _: None) -> tuple[Float[Array, "unit"], Float[Array, "unit"]]:
        def along(node: Float[Array, ""]) -> Float[Array, "unit"]:
            return jax.jvp(moved, (state + node * change,), (change,))[1]

        change = kick + shares @ jax.vmap(along)(nodes)
        return change, change

    return jax.lax.scan(one_step, jnp.zeros_like(state), length=n_steps)[1]


def weight_errors(updates: Any, by_weight: Any, path: tuple[slice, ...], step: float) -> np.ndarray:
    """Return the relative error of the weight changes at first arrival against those of back-propagation.

    That is |changes in both directions, added, of a layer k and the next, in step k+1, + step^(k+1) / 2 gradient| over
    the size of the latter, shape `[..., pair]`, for updates `[..., step, post, pre]` in the first steps and the
    gradient that `chain_gradient` gives.

    Example:
        >>> import numpy as np
        >>> from stdpjax.theory.layered import weight_errors
        >>> one = np.array([[0.0, -1.0], [0.0, 0.0]])
        >>> weight_errors(0.05 * -one[None], one, (slice(0, 1), slice(1, 2)), 0.1).tolist()
        [0.0]
    """
    updates, by_weight, errors = np.asarray(updates), np.asarray(by_weight), []
    for k, (near, far) in enumerate(itertools.pairwise(path)):
        summed = updates[..., k, near, far] + updates[..., k, far, near].swapaxes(-1, -2)
        expected = -0.5 * step ** (k + 1) * by_weight[..., near, far]
        errors.append(np.linalg.norm(summed - expected, axis=(-2, -1)) / np.linalg.norm(expected, axis=(-2, -1)))
    return np.stack(errors, axis=-1)


def one_minus_cosine(vectors: Any, others: Any) -> np.ndarray:
    """Return 1 - cosine along the last axis, without loss of digits where it is small; 1 where a vector is 0.

    Example:
        >>> from stdpjax.theory.layered import one_minus_cosine
        >>> one_minus_cosine([[1.0, 0.0], [1.0, 0.0]], [[2.0, 0.0], [-1.0, 0.0]]).tolist()
        [0.0, 2.0]
    """
    both = [np.asarray(part, np.float64) for part in (vectors, others)]
    lengths = [np.linalg.norm(part, axis=-1, keepdims=True) for part in both]
    one, other = (part / np.where(length > 0, length, 1.0) for part, length in zip(both, lengths, strict=True))
    is_known = (lengths[0] > 0) & (lengths[1] > 0)
    return np.where(is_known[..., 0], 0.5 * np.sum((one - other) ** 2, axis=-1), 1.0)
