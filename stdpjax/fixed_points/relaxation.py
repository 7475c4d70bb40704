"""Relaxation to a fixed point (Eq 25 and 26), with the derivatives of the fixed point itself."""

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int32

from stdpjax import _checks
from stdpjax.clamps import Clamps, InputClamp, SoftClamp, check_clamps, clamp_target, hold_state
from stdpjax.energy import Params, check_network, field_of, target_of
from stdpjax.rates import RateFunction, check_rate_fn, curvature

Form = Literal["clip", "gradient"]


class FixedPoint(NamedTuple):
    """Where a relaxation ended."""

    state: Float[Array, "unit"]
    residual: Float[Array, ""]
    """Largest absolute difference between the state and what it relaxes towards."""
    n_steps: Int32[Array, ""]
    """Steps taken."""
    converged: Bool[Array, ""]
    """Whether the residual came down to the tolerance; False too for a state that is not finite."""


def relax(
    params: Params,
    state: Float[Array, "unit"],
    rate_fn: RateFunction,
    *,
    clamps: Clamps = (),
    form: Form | None = None,
    step: float | Array | None = None,
    tolerance: float | Array = 1e-6,
    max_steps: int = 10_000,
) -> FixedPoint:
    """Relax to a fixed point by damped iteration; derivatives are those of the fixed point itself.

    Automatic differentiation goes through the implicit function theorem (`jax.lax.custom_root`), forward and
    reverse, for parameters and clamped values: it costs a linear solve with as many unknowns as units and needs no
    memory for the iteration. The initial state has derivative 0. Where the iteration has not converged there is no
    fixed point to differentiate, and the derivative is NaN.

    Args:
        params: weights `[post, pre]`, tied or not, and biases `[unit]`.
        state: where to start, shape `[unit]`. Computed with in the floating-point type of the weights.
        rate_fn: the rate function rho.
        clamps: units held at values, see `stdpjax.clamps`. In the clip form the strengths of soft clamps are above -1
            and their values between the kinks.
        form: "clip" iterates towards clip(b + W rho(s), kinks), which has the kink equilibria too and needs a rate
            function with kinks; "gradient" towards R(s). Default: "clip" where there are kinks.
        step: damping, in (0, 1]. Default: 1/2, or less where a bound L on how steeply the targets change with the
            state asks for it: 1 / (1 + L), with the largest L of the states passed. For tied weights the energy then
            falls; networks with untied weights may have no fixed point that attracts.
        tolerance: of the residual, above 0, in units of activity; rounding leaves about 1e-7 in single precision.
        max_steps: give up after so many steps.

    Returns:
        The fixed point and how it was reached. Not having converged is no error: look at `converged`.

    Raises:
        ValueError: an argument out of range or of the wrong shape, a known state that is not finite (a traced one
            only fails to converge), the clip form without kinks, or soft clamps that it cannot take.

    Source: Bengio et al. 2015, Eq 25 and 26, and the kinks that they leave out.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]], [0.0, 2.0])
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> stdpjax.fixed_points.relax(params, jnp.zeros(2), rho).state.round(5).tolist()
        [0.5, 0.5]
    """
    state = check_network(params, state, rate_fn).astype(params.weights.dtype)
    clamps = check_clamps(clamps, state.shape[-1], state.dtype)
    if step is not None:
        step = lax.stop_gradient(jnp.asarray(_checks.number("step", step, above=0, at_most=1), state.dtype))
    tolerance = jnp.asarray(_checks.number("tolerance", tolerance, above=0), state.dtype)
    max_steps = _checks.count("max_steps", max_steps, maximum=2**31 - 1)
    form = natural_form(rate_fn) if form is None else form
    _checks.choice("form", form, ("clip", "gradient"))
    if form == "clip" and rate_fn.kinks is None:
        raise ValueError("form: expected 'gradient' for a rate function without kinks, got 'clip'")
    if form == "clip" and rate_fn.kinks is not None:
        _check_soft_clamps(clamps, rate_fn.kinks)
    return _relax(params, state, clamps, step, tolerance, jnp.int32(max_steps), rate_fn, form)


# One program for all networks of a size: called as it is, each call would compile the loop and its operations anew.
@partial(jax.jit, static_argnames=("rate_fn", "form"))
def _relax(
    params: Params,
    state: Float[Array, "unit"],
    clamps: Clamps,
    step: Float[Array, ""] | None,
    tolerance: Float[Array, ""],
    max_steps: Int32[Array, ""],
    rate_fn: RateFunction,
    form: Form,
) -> FixedPoint:
    def excess_of(params: Params, clamps: Clamps, state: Float[Array, "unit"]) -> Float[Array, "unit"]:
        return TOWARDS[form](params, rate_fn, clamps, state) - state

    # The iteration is not differentiated at all, and stays outside of `custom_root`, whose derivative cannot take the
    # whole number of steps along.
    held = lax.stop_gradient((params, clamps))
    tolerance = lax.stop_gradient(tolerance)

    def goes_on(carry):
        _, excess, _, n_steps = carry
        # Written so that NaN stops too.
        return (jnp.max(jnp.abs(excess), initial=0) > tolerance) & (n_steps < max_steps)

    def advance(carry):
        before, excess, steepness, n_steps = carry
        if step is not None:
            state = before + step * excess
            return state, excess_of(*held, state), steepness, n_steps + 1
        steepness = jnp.maximum(steepness, _steepness(*held, before, rate_fn, form))
        state = before + jnp.minimum(0.5, 1 / (1 + steepness)) * excess
        after = excess_of(*held, state)
        # What lies between two states may be steeper than at either: a cycle shows in what the targets have done.
        moved, by = (jnp.max(jnp.abs(each), initial=0) for each in (after - excess + state - before, state - before))
        steepness = jnp.maximum(steepness, moved / jnp.maximum(by, jnp.sqrt(jnp.finfo(state.dtype).eps)))
        return state, after, steepness, n_steps + 1

    start = lax.stop_gradient(hold_state(state, clamps))
    first = (start, excess_of(*held, start), jnp.zeros((), start.dtype), jnp.int32(0))
    found, excess, _, n_steps = lax.while_loop(goes_on, advance, first)
    residual = jnp.max(jnp.abs(excess), initial=0)
    converged = residual <= tolerance
    believed = jnp.where(converged, 1.0, jnp.nan).astype(start.dtype)

    def tangent_solve(linear, right):
        return believed * jnp.linalg.solve(jax.jacobian(linear)(jnp.zeros_like(right)), right)

    found = lax.custom_root(partial(excess_of, params, clamps), found, lambda _, found: found, tangent_solve)
    return FixedPoint(found, residual, n_steps, converged)


def _steepness(
    params: Params, clamps: Clamps, state: Float[Array, "unit"], rate_fn: RateFunction, form: Form
) -> Float[Array, ""]:
    """Return a bound on the eigenvalues of how the targets change with the state: the largest row sum."""
    sizes, total = jnp.abs(params.weights), jnp.ones_like(state)
    moves = jnp.ones(state.shape, bool)
    for clamp in clamps:
        if isinstance(clamp, SoftClamp):
            total = total + jnp.where(clamp.mask, clamp.strength, 0.0)
        else:
            moves = moves & ~clamp.mask
    if form == "clip":
        rows = jnp.sum(sizes, axis=1) / total
    else:
        slope = jnp.abs(rate_fn.slope(state))
        bend = curvature(rate_fn, state) * field_of(params, rate_fn.value(state))
        rows = slope * (sizes @ slope) + jnp.abs(bend - (total - 1))
    return jnp.max(jnp.where(moves, rows, 0.0), initial=0)


def _check_soft_clamps(clamps: Clamps, kinks: tuple[float, float]) -> None:
    for clamp in clamps:
        if not isinstance(clamp, SoftClamp):
            continue
        _checks.number("strength", clamp.strength, above=-1)
        if not (_checks.is_concrete(clamp.mask) and _checks.is_concrete(clamp.value)):
            continue
        with jax.ensure_compile_time_eval():
            outside = clamp.mask & ((clamp.value < kinks[0]) | (clamp.value > kinks[1]))
            n_outside = int(jnp.count_nonzero(outside))
        if n_outside:
            raise ValueError(
                f"clamps: expected soft clamps with values between the kinks, {kinks[0]:g} and {kinks[1]:g}, for the "
                f"clip form, got {n_outside} outside"
            )


def _gradient_target(
    params: Params, rate_fn: RateFunction, clamps: Clamps, state: Float[Array, "unit"]
) -> Float[Array, "unit"]:
    """Return R(s) under the clamps: what a step of the dynamics moves to."""
    return hold_state(clamp_target(target_of(params, state, rate_fn), state, clamps), clamps)


def _clip_target(
    params: Params, rate_fn: RateFunction, clamps: Clamps, state: Float[Array, "unit"]
) -> Float[Array, "unit"]:
    """Return what `clip_field` does, for the field at a state."""
    return clip_field(field_of(params, rate_fn.value(state)), rate_fn, clamps)


def clip_field(field: Float[Array, "unit"], rate_fn: RateFunction, clamps: Clamps) -> Float[Array, "unit"]:
    """Return where each unit would minimise the energy between the kinks, given the field that the others make."""
    # A unit minimises total s^2 / 2 - pull s: soft clamps add to both, an input clamp replaces what was before it.
    pull, total = field, jnp.ones_like(field)
    in_box = jnp.ones(pull.shape, bool)
    for clamp in clamps:
        if isinstance(clamp, InputClamp):
            pull, total = jnp.where(clamp.mask, clamp.value, pull), jnp.where(clamp.mask, 1.0, total)
            in_box = in_box & ~clamp.mask
        elif isinstance(clamp, SoftClamp):
            strength = jnp.where(clamp.mask, clamp.strength, 0.0)
            pull, total = pull + strength * clamp.value, total + strength
    goal = pull / total
    low, high = rate_fn.kinks or (-jnp.inf, jnp.inf)
    return hold_state(jnp.where(in_box, jnp.clip(goal, low, high), goal), clamps)


TOWARDS = {"clip": _clip_target, "gradient": _gradient_target}


def natural_form(rate_fn: RateFunction) -> Form:
    """Return the form that finds all equilibria: "clip" where the rate function has kinks, else "gradient".

    Raises:
        ValueError: no rate function.

    Example:
        >>> import stdpjax
        >>> stdpjax.fixed_points.natural_form(stdpjax.rates.sigmoid())
        'gradient'
    """
    check_rate_fn(rate_fn)
    return "gradient" if rate_fn.kinks is None else "clip"
