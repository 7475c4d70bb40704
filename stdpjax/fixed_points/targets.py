"""What the units relax towards, with the forms that an iteration may take."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax.clamps import Clamps, InputClamp, SoftClamp, clamp_target, hold_state
from stdpjax.energy import Params, field_of, target_of
from stdpjax.rates import RateFunction, check_rate_fn

Form = Literal["clip", "gradient"]


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
