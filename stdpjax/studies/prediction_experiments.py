"""Experiments with cells: effect sizes, drawn experiments, and which of them a t-test finds something in."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray
from scipy import special

from stdpjax.protocols import COURSES
from stdpjax.random import named_key

Floats = NDArray[np.float64]
CONSTANT, RISING, FALLING = (COURSES.index(course) for course in ("constant", "rising", "falling"))


class Effects(NamedTuple):
    """Effect sizes: of each arm against 0, and of rising against falling."""

    arms: Floats
    """Cohen's d, shape `[..., rule, course]`."""
    contrast: Floats
    """Cohen's d of rising against falling, shape `[..., rule]`."""


def effects(mean: Floats, deviation: Floats) -> Effects:
    """Return Cohen's d from means and standard deviations, shape `[..., rule, course]`."""
    pooled = np.sqrt((deviation[..., RISING] ** 2 + deviation[..., FALLING] ** 2) / 2)
    return Effects(mean / deviation, (mean[..., RISING] - mean[..., FALLING]) / pooled)


def statistics_of_sums(n: Floats, total: Floats, squares: Floats) -> Floats:
    """Return mean and d of each arm and d of the contrast, along the last axis, from sums over cells."""
    n = n[..., None, None]
    mean = total / n
    found = effects(mean, np.sqrt((squares - n * mean**2) / (n - 1)))
    return np.concatenate([mean, found.arms, found.contrast[..., None]], axis=-1)


@partial(jax.jit, static_argnames=("n", "n_experiments"))
def experiments(
    key: Key[Array, ""],
    mean: Float[Array, "course"],
    residual: Float[Array, "course cell"],
    between_cells: float | Float[Array, ""],
    n: int,
    n_experiments: int,
) -> Float[Array, "course experiment n"]:
    """Draw experiments: exact mean, what spikes do to a sampled cell, and what cells differ by."""
    spikes_key, cells_key = named_key(key, "spikes"), named_key(key, "cells")
    shape = (len(COURSES), n_experiments, n)
    which = jax.random.randint(spikes_key, shape, 0, residual.shape[1])
    by_spikes = jax.vmap(jnp.take)(residual, which)
    return mean[:, None, None] + by_spikes + between_cells * jax.random.normal(cells_key, shape, mean.dtype)


def alarms(*groups: Floats, level: float = 0.05) -> NDArray[np.bool_]:
    """Return which experiments a two-sided t-test finds something in: one group against 0, or two groups."""
    n = groups[0].shape[-1]
    means = [group.mean(axis=-1) for group in groups]
    errors = np.sqrt(sum(group.var(axis=-1, ddof=1) for group in groups) / n)
    difference = means[0] - means[1] if len(groups) == 2 else means[0]
    limit = special.stdtrit(len(groups) * (n - 1), 1 - level / 2)
    return np.abs(difference) > limit * errors
