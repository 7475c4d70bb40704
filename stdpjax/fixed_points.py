"""Where the network settles, and whether it stays there (Eq 25, 26 and section 7).

At an interior fixed point s = R(s). The hard sigmoid's energy may instead have its minimum at a kink, where its
gradient jumps through zero and s = R(s) has no solution: then the step s + step (R(s) - s) chatters about the kink for
ever. Both kinds obey s = clip(b + W rho(s), kinks), the optimality conditions of the energy on the box between the
kinks, and the clip form finds both.
"""

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Complex, Float, Int32

from stdpjax import _checks
from stdpjax.clamps import Clamps, InputClamp, SoftClamp, StateClamp, check_clamps, clamp_target, hold_state
from stdpjax.energy import Params, check_network, field_of, target_jacobian, target_of
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
    max_steps = _checks.count("max_steps", max_steps)
    form = natural_form(rate_fn) if form is None else form
    _checks.choice("form", form, ("clip", "gradient"))
    if form == "clip" and rate_fn.kinks is None:
        raise ValueError("form: expected 'gradient' for a rate function without kinks, got 'clip'")
    if form == "clip" and rate_fn.kinks is not None:
        _check_soft_clamps(clamps, rate_fn.kinks)

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


class Stability(NamedTuple):
    """Linear stability of a fixed point under s + step (R(s) - s), of the units whose state is not clamped."""

    eigenvalues: Complex[Array, "free"]
    """Of R'(s). In continuous time the fixed point is stable if all real parts are below 1."""
    multipliers: Complex[Array, "free"]
    """1 - step + step * eigenvalue: what one step does to a deviation along the eigenvector."""
    spectral_radius: Float[Array, ""]
    """Largest absolute multiplier."""
    stable: Bool[Array, ""]
    """Whether the spectral radius is below 1."""
    determinant: Float[Array, ""]
    """Of R'(s): what the paper's criterion looks at, and what does not decide."""


def spectral_stability(
    params: Params,
    state: Float[Array, "unit"],
    rate_fn: RateFunction,
    step: float | Array,
    clamps: Clamps = (),
    *,
    is_free: Bool[Array, "unit"] | None = None,
) -> Stability:
    """Return eigenvalues and stability of an interior fixed point.

    Args:
        params: weights `[post, pre]`, tied or not, and biases.
        state: the fixed point, shape `[unit]`; not checked to be one. At a kink the written-out slope, 1, counts, while
            the kink itself holds the unit: the result then speaks of motion into the box only.
        rate_fn: the rate function rho.
        step: step size epsilon, in (0, 1].
        clamps: those of the relaxation, see `stdpjax.clamps`. Units whose state is clamped do not move and are left
            out, so their masks must be known before tracing; units whose input is clamped relax to it by themselves
            and have an eigenvalue of 0; a soft clamp takes its strength off its units' diagonal of R'.
        is_free: which units answer to the others, all by default; may be traced. One that does not, as a unit that a
            kink holds, has an eigenvalue of 0 and is no part of any other mode.

    Returns:
        The stability: stable if and only if all |1 - step + step * eigenvalue| < 1. There are as many eigenvalues as
        free units, those whose state is not clamped: of the block of R' that belongs to them. JAX computes eigenvalues
        of matrices that are not symmetric on the CPU only.

    Raises:
        ValueError: as in `stdpjax.energy.target`, a step out of range, clamps of other units or traced masks, or other
            than one truth value for each unit.

    Source: Bengio et al. 2015, section 7, whose criterion (determinant of R' below 1) is wrong.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> weights = 0.7 * (jnp.ones((3, 3)) - jnp.eye(3))
        >>> params = stdpjax.energy.make_params(weights, [-0.7, -0.7, -0.7])
        >>> rho, held = stdpjax.rates.hard_sigmoid(), stdpjax.clamps.clamp_state([True, False, False], 0.0)
        >>> result = stdpjax.fixed_points.spectral_stability(params, jnp.zeros(3), rho, step=0.1)
        >>> bool(result.stable), round(float(result.determinant), 3)
        (False, 0.686)
        >>> result = stdpjax.fixed_points.spectral_stability(params, jnp.zeros(3), rho, 0.1, (held,))
        >>> bool(result.stable), result.eigenvalues.shape
        (True, (2,))
    """
    state = check_network(params, state, rate_fn).astype(params.weights.dtype)
    clamps = check_clamps(clamps, state.shape[0], state.dtype)
    step = jnp.asarray(_checks.number("step", step, above=0, at_most=1), state.dtype)
    jacobian = target_jacobian(params, hold_state(state, clamps), rate_fn)
    if is_free is not None:
        answers = _checks.truths("is_free", is_free, state.shape[0])
        jacobian = jnp.where(answers[:, None] & answers[None, :], jacobian, 0.0)
    moves = np.ones(state.shape, bool)
    for clamp in clamps:
        if isinstance(clamp, StateClamp):
            if not _checks.is_concrete(clamp.mask):
                raise ValueError("clamps: expected state clamps whose masks are known before tracing, got traced ones")
            moves &= ~np.asarray(clamp.mask)
        elif isinstance(clamp, InputClamp):
            jacobian = jnp.where(clamp.mask[:, None], 0.0, jacobian)
        else:
            jacobian = jacobian - jnp.diag(jnp.where(clamp.mask, clamp.strength, 0.0))
    (free,) = np.nonzero(moves)
    jacobian = jacobian[free[:, None], free[None, :]]
    eigenvalues = jnp.linalg.eigvals(jacobian)
    multipliers, radius = _multipliers(eigenvalues, step)
    return Stability(eigenvalues, multipliers, radius, radius < 1, jnp.linalg.det(jacobian))


def _multipliers(
    eigenvalues: Complex[Array, "*fixed free"], step: Float[Array, ""]
) -> tuple[Complex[Array, "*fixed free"], Float[Array, "*fixed"]]:
    """Return what a step does to each deviation, and the largest absolute one."""
    multipliers = (1 - step).astype(eigenvalues.dtype) + step.astype(eigenvalues.dtype) * eigenvalues
    return multipliers, jnp.max(jnp.abs(multipliers), axis=-1, initial=0)


def relaxation_time(stability: Stability, step: float | Array) -> Float[Array, ""]:
    """Return the time constant of the slowest mode, in units of tau.

    Args:
        stability: from `spectral_stability`, of which the eigenvalues are read.
        step: step size, in (0, 1], that of the stability or another.

    Returns:
        `-step / log(radius)` with the spectral radius that this step has, for small steps 1 / (1 - largest
        eigenvalue); infinite if not stable, 0 where all units are clamped.

    Raises:
        ValueError: no stability, or a step out of range.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]])
        >>> stability = stdpjax.fixed_points.spectral_stability(
        ...     params, jnp.zeros(2), stdpjax.rates.hard_sigmoid(), step=0.001)
        >>> round(float(stdpjax.fixed_points.relaxation_time(stability, 0.001)), 2)
        2.0
    """
    found = _checks.instance("stability", stability, Stability, "a result of `spectral_stability`")
    step = jnp.asarray(_checks.number("step", step, above=0, at_most=1), found.spectral_radius.dtype)
    _, radius = _multipliers(found.eigenvalues, step)
    return jnp.where(radius < 1, -step / jnp.log(radius), jnp.inf)


def gradient_target(
    params: Params, rate_fn: RateFunction, clamps: Clamps, state: Float[Array, "unit"]
) -> Float[Array, "unit"]:
    """Return R(s) under the clamps: what a step of the dynamics moves to."""
    return hold_state(clamp_target(target_of(params, state, rate_fn), state, clamps), clamps)


def clip_target(
    params: Params, rate_fn: RateFunction, clamps: Clamps, state: Float[Array, "unit"]
) -> Float[Array, "unit"]:
    """Return where each unit would minimise the energy between the kinks, the others held."""
    return clip_field(field_of(params, rate_fn.value(state)), rate_fn, clamps)


def clip_field(field: Float[Array, "unit"], rate_fn: RateFunction, clamps: Clamps) -> Float[Array, "unit"]:
    """Return the same, given the field that the other units make."""
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


TOWARDS = {"clip": clip_target, "gradient": gradient_target}


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
