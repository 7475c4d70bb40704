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
from jax import lax
from jaxtyping import Array, Bool, Complex, Float, Int32

from stdpjax import _checks
from stdpjax.clamps import Clamps, InputClamp, SoftClamp, check_clamps, clamp_target, hold_state
from stdpjax.energy import Params, check_params, field_of, target_jacobian, target_of
from stdpjax.rates import RateFunction

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
    step: float | Array = 0.5,
    tolerance: float | Array = 1e-6,
    max_steps: int = 10_000,
) -> FixedPoint:
    """Relax to a fixed point by damped iteration; derivatives are those of the fixed point itself.

    Automatic differentiation goes through the implicit function theorem (`jax.lax.custom_root`), forward and
    reverse, for parameters and clamped values: it costs a linear solve with as many unknowns as units and needs no
    memory for the iteration. The initial state has derivative 0.

    Args:
        params: weights `[post, pre]`, tied or not, and biases `[unit]`.
        state: where to start, shape `[unit]`.
        rate_fn: the rate function rho.
        clamps: units held at values, see `stdpjax.clamps`. In the clip form the strengths of soft clamps are above -1
            and their values between the kinks.
        form: "clip" iterates towards clip(b + W rho(s), kinks), which has the kink equilibria too and needs a rate
            function with kinks; "gradient" towards R(s). Default: "clip" where there are kinks.
        step: damping, in (0, 1].
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
    check_params(params, state=state)
    check_clamps(clamps, state.shape[-1])
    step = jnp.asarray(_checks.number("step", step, above=0, at_most=1), state.dtype)
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
    held_excess = partial(excess_of, *lax.stop_gradient((params, clamps)))
    step, tolerance = lax.stop_gradient((step, tolerance))

    def goes_on(carry):
        _, residual, n_steps = carry
        # Written so that NaN stops too.
        return (residual > tolerance) & (n_steps < max_steps)

    def advance(carry):
        state, _, n_steps = carry
        state = state + step * held_excess(state)
        return state, jnp.max(jnp.abs(held_excess(state))), n_steps + 1

    start = lax.stop_gradient(hold_state(state, clamps))
    first = (start, jnp.max(jnp.abs(held_excess(start))), jnp.int32(0))
    found, residual, n_steps = lax.while_loop(goes_on, advance, first)

    def tangent_solve(linear, right):
        return jnp.linalg.solve(jax.jacobian(linear)(jnp.zeros_like(right)), right)

    found = lax.custom_root(partial(excess_of, params, clamps), found, lambda _, found: found, tangent_solve)
    return FixedPoint(found, residual, n_steps, residual <= tolerance)


class Stability(NamedTuple):
    """Linear stability of a fixed point under s + step (R(s) - s)."""

    eigenvalues: Complex[Array, "unit"]
    """Of R'(s). In continuous time the fixed point is stable if all real parts are below 1."""
    multipliers: Complex[Array, "unit"]
    """1 - step + step * eigenvalue: what one step does to a deviation along the eigenvector."""
    spectral_radius: Float[Array, ""]
    """Largest absolute multiplier."""
    stable: Bool[Array, ""]
    """Whether the spectral radius is below 1."""
    determinant: Float[Array, ""]
    """Of R'(s): what the paper's criterion looks at, and what does not decide."""


def spectral_stability(
    params: Params, state: Float[Array, "unit"], rate_fn: RateFunction, step: float | Array
) -> Stability:
    """Return eigenvalues and stability of an interior fixed point.

    Args:
        params: weights `[post, pre]`, tied or not, and biases.
        state: the fixed point, shape `[unit]`; not checked to be one. At a kink the written-out slope, 1, counts, while
            the kink itself holds the unit: the result then speaks of motion into the box only.
        rate_fn: the rate function rho.
        step: step size epsilon, in (0, 1].

    Returns:
        The stability: stable if and only if all |1 - step + step * eigenvalue| < 1. JAX computes eigenvalues of
        matrices that are not symmetric on the CPU only.

    Raises:
        ValueError: as in `stdpjax.energy.target`, or a step out of range.

    Source: Bengio et al. 2015, section 7, whose criterion (determinant of R' below 1) is wrong.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> weights = 0.7 * (jnp.ones((3, 3)) - jnp.eye(3))
        >>> params = stdpjax.energy.make_params(weights, [-0.7, -0.7, -0.7])
        >>> result = stdpjax.fixed_points.spectral_stability(
        ...     params, jnp.zeros(3), stdpjax.rates.hard_sigmoid(), step=0.1)
        >>> bool(result.stable), round(float(result.determinant), 3)
        (False, 0.686)
    """
    step = jnp.asarray(_checks.number("step", step, above=0, at_most=1), state.dtype)
    jacobian = target_jacobian(params, state, rate_fn)
    eigenvalues = jnp.linalg.eigvals(jacobian)
    multipliers = (1 - step).astype(eigenvalues.dtype) + step.astype(eigenvalues.dtype) * eigenvalues
    radius = jnp.max(jnp.abs(multipliers))
    return Stability(eigenvalues, multipliers, radius, radius < 1, jnp.linalg.det(jacobian))


def relaxation_time(stability: Stability, step: float | Array) -> Float[Array, ""]:
    """Return the time constant of the slowest mode, in units of tau.

    Args:
        stability: from `spectral_stability`.
        step: the same step size.

    Returns:
        `-step / log(spectral_radius)`, for small steps 1 / (1 - largest eigenvalue); infinite if not stable.

    Raises:
        ValueError: a step out of range.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]])
        >>> stability = stdpjax.fixed_points.spectral_stability(
        ...     params, jnp.zeros(2), stdpjax.rates.hard_sigmoid(), step=0.001)
        >>> round(float(stdpjax.fixed_points.relaxation_time(stability, 0.001)), 2)
        2.0
    """
    radius = stability.spectral_radius
    slowest = -jnp.asarray(_checks.number("step", step, above=0, at_most=1), radius.dtype) / jnp.log(radius)
    return jnp.where(stability.stable, slowest, jnp.inf)


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
    """Return the form that finds all equilibria: "clip" where the rate function has kinks, else "gradient"."""
    return "gradient" if rate_fn.kinks is None else "clip"
