"""Inputs of a simulation beside the drive, such as a reward: records over time, or a function of the step number."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from stdpjax import _checks


def check_inputs(
    inputs: Any, start: Float[Array, "*trial unit"], n_steps: int
) -> tuple[Callable[..., PyTree] | None, PyTree]:
    """Return inputs as a function or as records, refusing records without the state's trials or too short ones."""
    if callable(inputs):
        return _checks.function("inputs", inputs, "step"), None
    axes = "[trial, time, ...]" if start.ndim == 2 else "[time, ...]"
    wanted = f"shape {axes} with {f'{start.shape[0]} trials and ' if start.ndim == 2 else ''}at least {n_steps} steps"

    def record(leaf: Any) -> Array:
        array = _checks.as_array("inputs", leaf)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"inputs: expected numbers of {wanted}, got dtype {array.dtype}")
        n_axes = start.ndim
        if array.ndim < n_axes or array.shape[: n_axes - 1] != start.shape[:-1] or array.shape[n_axes - 1] < n_steps:
            raise ValueError(f"inputs: expected {wanted}, got shape {array.shape}")
        return jnp.asarray(_checks.finite("inputs", leaf) if array.dtype.kind == "f" else array)

    return None, jax.tree.map(record, inputs)
