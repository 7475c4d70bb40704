"""A fit while it is being made: what is free, the protocols as arrays, and the searches."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.models import Model, Parameter
from stdpjax.fitting.optimise import Problem, Search, approach, minimise, predict_at

Floats = NDArray[np.float64]
# Searches side by side; each block ends with its slowest search.
_BLOCK = 32


@contextmanager
def in_double() -> Iterator[None]:
    """Compute in double precision: sums of squares are compared to many digits. Optax mixes kinds of numbers."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


class Task(NamedTuple):
    """A fit while it is being made."""

    model: Model
    free: tuple[Parameter, ...]
    problem: Problem
    change: Floats
    weight: Floats
    has_errors: bool
    """Whether standard errors are known."""

    def approach(self, start: Floats, n_steps: int) -> Floats:
        """Go from random starts to better places, on the host."""
        arguments = (self.problem, jnp.asarray(self.change), jnp.asarray(self.weight), jnp.asarray(start))
        return np.asarray(approach(self.model.predict, self._names, n_steps, *arguments))

    def search(self, start: Floats, is_free: Any = True, change: Floats | None = None) -> Search:
        """Search from each of the starts, on the host."""
        start = np.atleast_2d(start)
        n_searches = len(start)
        change = np.broadcast_to(self.change if change is None else change, (n_searches, self.change.size))
        is_free = np.broadcast_to(is_free, start.shape)
        blocks = []
        for first in range(0, n_searches, _BLOCK):
            # Always the same number, so that there is one program; the last ones stand in for none.
            rows = np.minimum(np.arange(first, first + _BLOCK), n_searches - 1)
            found = minimise(
                self.model.predict,
                self._names,
                self.problem,
                jnp.asarray(change[rows]),
                jnp.asarray(self.weight),
                jnp.asarray(start[rows]),
                jnp.asarray(is_free[rows]),
            )
            blocks.append(found)
        position, value, n_steps = (np.concatenate(parts)[:n_searches] for parts in zip(*blocks, strict=True))
        # A search that leaves the numbers behind counts as no search.
        return Search(position, np.where(np.isfinite(value), value, np.inf), n_steps)

    def at(self, position: Floats) -> tuple[Floats, Floats]:
        """Return the predicted changes at a position, and their derivatives."""
        value, slope = predict_at(self.model.predict, self._names, self.problem, jnp.asarray(position))
        return np.asarray(value), np.asarray(slope)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.free)


def make_task(model: Model, data: Measurements, fixed: Mapping[str, float], free: Sequence[str]) -> Task:
    """Return a fit to be made, refusing what cannot be fitted."""
    known = {parameter.name: parameter for parameter in model.parameters}
    for name in (*fixed, *free):
        _checks.choice("parameter", name, known)
    both = sorted(set(fixed) & set(free))
    if both:
        raise ValueError(f"parameter: expected to be fixed or free, got {both[0]!r} as both")
    held = {**{name: value for name, value in model.held.items() if name not in free}, **fixed}
    for name, value in held.items():
        # Amplitudes may be 0 or below, as controls; a time constant cannot.
        _checks.number(name, value, above=0 if name.startswith("tau") else None)
    fitted = tuple(parameter for parameter in model.parameters if parameter.name not in held)
    n_unknown = len(fitted) + (data.sem is None)
    if not fitted or len(data.change) < n_unknown + (data.sem is None):
        raise ValueError(
            f"data: expected at least {n_unknown + (data.sem is None)} points for {len(fitted)} parameters of "
            f"{model.name!r}{'' if data.sem is not None else ' and an unknown error'}, got {len(data.change)}"
        )
    problem = Problem(
        jnp.asarray([parameter.low for parameter in fitted], float),
        jnp.asarray([parameter.high for parameter in fitted], float),
        {name: jnp.asarray(value, float) for name, value in held.items()},
        jax.tree.map(jnp.asarray, model.design(data.protocols)),
    )
    weight = np.ones_like(data.change) if data.sem is None else 1 / data.sem
    return Task(model, fitted, problem, data.change, weight, data.sem is not None)


def scale(task: Task, value: float) -> float:
    """Variance of a weighted residual: 1, or the estimate of it where standard errors are not known."""
    if task.has_errors:
        return 1.0
    n_left = task.change.size - len(task.free)
    # A perfect fit leaves what rounding leaves.
    return max(value / n_left, float(np.finfo(np.float64).tiny))
