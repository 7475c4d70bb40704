"""Holding units at given values: their state, their input, or softly.

A clamp is data (mask, value), so a sweep or a batch of images is a `vmap` over its values; which kinds there are is
static. Several clamps make a tuple and apply in its order, those of the state after all others.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from stdpjax import _checks


class StateClamp(NamedTuple):
    """The state of the masked units is the value, before the first step and after every step."""

    mask: Bool[Array, "unit"]
    value: Float[Array, "unit"]


class InputClamp(NamedTuple):
    """The target of the masked units is the value instead of R(s): they relax towards it (Eq 27)."""

    mask: Bool[Array, "unit"]
    value: Float[Array, "unit"]


class SoftClamp(NamedTuple):
    """The masked units are pulled towards the value: `strength * (value - s)` is added to R(s) - s."""

    mask: Bool[Array, "unit"]
    value: Float[Array, "unit"]
    strength: Float[Array, ""]


Clamp = StateClamp | InputClamp | SoftClamp
Clamps = tuple[Clamp, ...]


def clamp_state(mask: _checks.ArrayLike, value: _checks.ArrayLike) -> StateClamp:
    """Return a clamp of the state.

    Args:
        mask: which units, bool, shape `[unit]`.
        value: shape `[unit]`, or a number for all; read at the masked units alone.

    Raises:
        ValueError: a mask that is not bool with one axis, or a value of another shape or not finite.

    Example:
        >>> import stdpjax
        >>> stdpjax.clamps.clamp_state([True, False], 0.25).value.tolist()
        [0.25, 0.25]
    """
    return StateClamp(*_mask_and_value(mask, value))


def clamp_input(mask: _checks.ArrayLike, value: _checks.ArrayLike) -> InputClamp:
    """Return a clamp of the input; arguments and errors as in `clamp_state`.

    Example:
        >>> import stdpjax
        >>> stdpjax.clamps.clamp_input([True, False], 0.25).mask.tolist()
        [True, False]
    """
    return InputClamp(*_mask_and_value(mask, value))


def clamp_softly(mask: _checks.ArrayLike, value: _checks.ArrayLike, strength: float | Array) -> SoftClamp:
    """Return a pull towards a value.

    Args:
        mask: as in `clamp_state`.
        value: likewise.
        strength: of the pull, relative to the leak; negative pushes away.

    Raises:
        ValueError: as in `clamp_state`, or a strength that is not finite.

    Example:
        >>> import stdpjax
        >>> float(stdpjax.clamps.clamp_softly([True, False], 0.25, 0.5).strength)
        0.5
    """
    mask, value = _mask_and_value(mask, value)
    return SoftClamp(mask, value, jnp.asarray(_checks.number("strength", strength), value.dtype))


def clamp_target(target: Float[Array, "unit"], state: Float[Array, "unit"], clamps: Clamps) -> Float[Array, "unit"]:
    """Return what the units relax towards under the clamps, given R and the state without noise."""
    for clamp in clamps:
        if isinstance(clamp, InputClamp):
            target = jnp.where(clamp.mask, clamp.value, target)
        elif isinstance(clamp, SoftClamp):
            target = target + jnp.where(clamp.mask, clamp.strength * (clamp.value - state), 0.0)
    return target


def hold_state(state: Float[Array, "unit"], clamps: Clamps) -> Float[Array, "unit"]:
    """Return the state with the clamped units at their values."""
    for clamp in clamps:
        if isinstance(clamp, StateClamp):
            state = jnp.where(clamp.mask, clamp.value, state)
    return state


def clamp_energy(state: Float[Array, "unit"], clamps: Clamps) -> Float[Array, ""]:
    """Return the energy that the clamps add; that of soft ones."""
    total = jnp.zeros((), state.dtype)
    for clamp in clamps:
        if isinstance(clamp, SoftClamp):
            total = total + 0.5 * clamp.strength * jnp.sum(jnp.where(clamp.mask, (clamp.value - state) ** 2, 0.0))
    return total


def check_clamps(clamps: Clamps, n_units: int, dtype: Any) -> Clamps:
    """Return clamps as arrays of a dtype, refusing what is none, and clamps for another number of units.

    Args:
        clamps: those of `clamp_state` and its siblings, or made by hand of what these take.
        n_units: number of units.
        dtype: floating-point type of the values and strengths.

    Raises:
        ValueError: no clamps, or a mask, value or strength that `clamp_softly` refuses or of other than `n_units`
            units.

    Example:
        >>> import stdpjax
        >>> by_hand = stdpjax.clamps.StateClamp([True, False], 0.25)
        >>> stdpjax.clamps.check_clamps((by_hand,), 2, float)[0].value.tolist()
        [0.25, 0.25]
    """
    if not isinstance(clamps, tuple) or not all(isinstance(clamp, Clamp) for clamp in clamps):
        raise ValueError(f"clamps: expected a tuple of clamps, see stdpjax.clamps, got {clamps!r}")
    return tuple(_as_arrays(number, clamp, n_units, dtype) for number, clamp in enumerate(clamps))


def _as_arrays(number: int, clamp: Clamp, n_units: int, dtype: Any) -> Clamp:
    try:
        mask, *numbers = _mask_and_value(clamp.mask, clamp.value)
        if isinstance(clamp, SoftClamp):
            numbers.append(_checks.number("strength", clamp.strength))
    except ValueError as error:
        raise ValueError(f"clamps[{number}].{error}") from error
    if mask.shape != (n_units,):
        raise ValueError(
            f"clamps: expected a mask for each of {n_units} units, got shape {mask.shape} in {type(clamp).__name__}"
        )
    return type(clamp)(mask, *(jnp.asarray(each, dtype) for each in numbers))


def _mask_and_value(
    mask: _checks.ArrayLike, value: _checks.ArrayLike
) -> tuple[Bool[Array, "unit"], Float[Array, "unit"]]:
    mask_array = _checks.truths("mask", mask)
    value = _checks.finite("value", value)
    if value.ndim == 0:
        value = jnp.full(mask_array.shape, value)
    if value.shape != mask_array.shape:
        raise ValueError(f"value: expected the shape of mask, {mask_array.shape}, got {value.shape}")
    return mask_array, value
