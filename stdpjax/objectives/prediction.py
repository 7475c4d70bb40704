"""Prediction of the next state, whole and in parts (Eq 3 to 5, 9 to 11 and 19 to 22)."""

from typing import Literal, get_args

import jax.numpy as jnp
from jax.lax import stop_gradient
from jaxtyping import Array, Bool, Float

from stdpjax import _checks
from stdpjax.clamps import Clamps
from stdpjax.dynamics import transition
from stdpjax.energy import Params, check_network
from stdpjax.rates import RateFunction

GradientTarget = Literal["stop", "free", "predictor_stop"]


def stdp_objective(
    params: Params,
    state: Float[Array, "unit"],
    noise: Float[Array, "two unit"],
    rate_fn: RateFunction,
    step: float | Array,
    target: GradientTarget = "stop",
) -> Float[Array, ""]:
    """Return J_STDP, half the squared error of predicting the state after two steps from the state before them.

    The prediction f(s, eta) of the first step is compared with the state f(f(s, eta), eta') after the second.

    Args:
        params: weights `[post, pre]` and biases `[unit]`.
        state: s before the two steps, shape `[unit]`.
        noise: eta of the first and of the second step, shape `[2, unit]`; 0 for none.
        rate_fn: the rate function rho.
        step: step size epsilon, in (0, 1].
        target: what derivatives hold fixed, the value being the same: "stop", the target, which gives Eq 5 (its
            negative gradient is Eq 1 times `step * rho'`); "predictor_stop", the prediction (Eq 9 to 11, whose
            descent is the opposite of Eq 1); "free", nothing, the true gradient.

    Returns:
        J, a scalar.

    Raises:
        ValueError: unknown target, step out of range, or shapes that do not fit.

    Source: Bengio et al. 2015, Eq 3.

    Example:
        >>> import jax, jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> state, noise, rho = jnp.array([0.0, 0.25]), jnp.zeros((2, 2)), stdpjax.rates.hard_sigmoid()
        >>> def slope(target):
        ...     return jax.grad(stdpjax.objectives.stdp_objective)(params, state, noise, rho, 0.5, target).weights[0, 1]
        >>> float(slope("stop")) < 0 < float(slope("free"))
        True
    """
    _checks.choice("target", target, get_args(GradientTarget))
    state, noise = check_network(params, state, rate_fn), _checks.finite("noise", noise)
    if noise.shape != (2, *state.shape):
        raise ValueError(f"noise: expected shape {(2, *state.shape)}, for two steps, got {noise.shape}")
    prediction = transition(params, state, noise[0], rate_fn, step)
    if target == "predictor_stop":
        prediction = stop_gradient(prediction)
    reached = transition(params, prediction, noise[1], rate_fn, step)
    if target == "stop":
        reached = stop_gradient(reached)
    return 0.5 * jnp.sum((prediction - reached) ** 2)


def prediction_error(
    params: Params,
    state: Float[Array, "unit"],
    noise: Float[Array, "unit"],
    goal: Float[Array, "unit"],
    rate_fn: RateFunction,
    step: float | Array,
    mask: Bool[Array, "unit"] | None = None,
    clamps: Clamps = (),
) -> Float[Array, ""]:
    """Return half the squared error of f(s, eta) against a given next state, over some units: J_x or J_h.

    With the clamped units in the mask and their values as goal it is J_x of Eq 19, with the hidden units and their
    next state J_h. The goal is a constant to derivatives unless the caller makes it depend on the parameters.

    Args:
        params: weights `[post, pre]` and biases `[unit]`.
        state: s before the step, shape `[unit]`.
        noise: eta, shape `[unit]`.
        goal: what is predicted, shape `[unit]`; read at the units of the mask.
        rate_fn: the rate function rho.
        step: step size epsilon, in (0, 1].
        mask: over which units, shape `[unit]`; None for all.
        clamps: of the prediction itself; without them the clamped units predict their own value freely.

    Returns:
        A scalar; the parts of a partition of the units add up to the whole.

    Raises:
        ValueError: step out of range or shapes that do not fit.

    Source: Bengio et al. 2015, Eq 19; with J_x approximately step^2 / 2 |grad_x E|^2, Eq 22.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> state, rho = jnp.array([0.0, 0.25]), stdpjax.rates.hard_sigmoid()
        >>> visible = jnp.array([True, False])
        >>> j_x = stdpjax.objectives.prediction_error(params, state, jnp.zeros(2), state, rho, 0.5, visible)
        >>> float(j_x), float(0.5 * (0.5 * stdpjax.energy.gradient(params, state, rho)[0]) ** 2)
        (0.0703125, 0.0703125)
    """
    state = check_network(params, state, rate_fn)
    noise, goal = _checks.finite("noise", noise), _checks.finite("goal", goal)
    for name, array in (("noise", noise), ("goal", goal)):
        _checks.same_shape("state", state, name, array)
    error = transition(params, state, noise, rate_fn, step, clamps) - goal.astype(params.weights.dtype)
    if mask is not None:
        mask = _checks.truths("mask", mask, state.shape[0])
        error = jnp.where(mask, error, 0.0)
    return 0.5 * jnp.sum(error**2)
