"""A fit while it is being made: what is free, the protocols as arrays, and the searches."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax.fitting.measurements import Measurements, checked
from stdpjax.fitting.models import Model, Parameter, as_model, checked_number
from stdpjax.fitting.optimise import FARTHEST, Problem, Search, approach, minimise, predict_at

Floats = NDArray[np.float64]
# Searches side by side; each block ends with its slowest search.
_BLOCK = 32
# Weights are at first cut to the lowest one times the first of these, then times the next: along the valley that one
# point of a very small error makes, a search gets nowhere, and where it is to go hardly depends on how deep that is.
_CUTS = (1e3, 1e6, 1e9)
# Of the largest standard error and the smallest; beyond, double precision keeps nothing of the others.
MOST_RATIO = 1e12


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
    """One over the standard errors or, where these are not known, over the size of the changes, the same for all."""
    has_errors: bool
    """Whether standard errors are known."""

    def approach(self, start: Floats, n_steps: int) -> Floats:
        """Go from random starts to better places, on the host."""
        arguments = (self.problem, jnp.asarray(self.change), jnp.asarray(self._weights[0]), jnp.asarray(start))
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
            found = Search(jnp.asarray(start[rows]), None, None)
            for weight in self._weights:
                found = minimise(
                    self.model.predict,
                    self._names,
                    self.problem,
                    jnp.asarray(change[rows]),
                    jnp.asarray(weight),
                    found.position,
                    jnp.asarray(is_free[rows]),
                )
            blocks.append(found)
        position, value, n_steps = (np.concatenate(parts)[:n_searches] for parts in zip(*blocks, strict=True))
        # A search that leaves the numbers behind counts as no search.
        return Search(position, np.where(np.isfinite(value), value, np.inf), n_steps)

    def refuse_unfinished(self, best: Search) -> None:
        """Refuse an end that is no least sum of squares, as errors of too different sizes leave it."""
        if len(self._weights) == 1:
            return
        predicted, slope = self.at(best.position)
        # Numbers at the ends of their ranges may well be held there.
        inside = np.abs(best.position) < 0.5 * FARTHEST
        q, _ = np.linalg.qr(slope[:, inside] * self.weight[:, None])
        gain = float(np.sum((q.T @ ((predicted - self.change) * self.weight)) ** 2))
        if gain > 0.01 + 1e-6 * float(best.value):
            raise ValueError(
                "sem: expected standard errors of similar sizes, or points that agree within the smallest, got errors "
                f"from {1 / self.weight.max():.3g} to {1 / self.weight.min():.3g} and no end of the search for the "
                "least sum of squares"
            )

    @property
    def unit(self) -> float:
        """What sums of squares are in units of: 1 where standard errors are known."""
        return 1.0 if self.has_errors else float(self.weight[0] ** -2)

    @property
    def _weights(self) -> list[Floats]:
        cuts = [cut * self.weight.min() for cut in _CUTS]
        return [*(np.minimum(self.weight, cut) for cut in cuts if cut < self.weight.max()), self.weight]

    def at(self, position: Floats) -> tuple[Floats, Floats]:
        """Return the predicted changes at a position, and their derivatives."""
        value, slope = predict_at(self.model.predict, self._names, self.problem, jnp.asarray(position))
        return np.asarray(value), np.asarray(slope)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.free)


def make_task(model: Model | str, data: Measurements, fixed: Mapping[str, Any], free: Sequence[str]) -> Task:
    """Return a fit to be made, refusing what cannot be fitted."""
    model = as_model("model", model)
    data = checked("data", data)
    known = {parameter.name: parameter for parameter in model.parameters}
    for argument, names, kind in (("fixed", fixed, Mapping), ("free", free, Sequence)):
        if not isinstance(names, kind) or isinstance(names, str):
            wanted = "names of parameters with their values" if kind is Mapping else "a list of names of parameters"
            raise ValueError(f"{argument}: expected {wanted}, got {names!r}")
        for name in names:
            _checks.choice(argument, name, known)
    both = sorted(set(fixed) & set(free))
    if both:
        raise ValueError(f"free: expected parameters that are not fixed as well, got {both[0]!r}")
    held = {name: value for name, value in model.held.items() if name not in free}
    held |= {name: checked_number(f"fixed: {name}", known[name], value) for name, value in fixed.items()}
    fitted = tuple(parameter for parameter in model.parameters if parameter.name not in held)
    without_effect = [name for name in free if name not in model.held]
    if without_effect:
        raise ValueError(
            f"free: expected parameters that {model.name!r} holds ({', '.join(model.held) or 'none'}), got "
            f"{without_effect[0]!r}, which is fitted anyway"
        )
    n_least = len(fitted) + (0 if data.sem is not None else 2)
    if not fitted:
        raise ValueError(f"fixed: expected at least one parameter of {model.name!r} to be left, got all")
    if len(data.change) < n_least:
        raise ValueError(
            f"data: expected at least {n_least} points for {len(fitted)} parameters of "
            f"{model.name!r}{'' if data.sem is not None else ' and an unknown error'}, got {len(data.change)}"
        )
    problem = Problem(
        jnp.asarray([parameter.low for parameter in fitted], float),
        jnp.asarray([parameter.high for parameter in fitted], float),
        {name: jnp.asarray(value, float) for name, value in held.items()},
        jax.tree.map(jnp.asarray, model.design(data.protocols)),
    )
    return Task(model, fitted, problem, data.change, _weight(data), data.sem is not None)


def _weight(data: Measurements) -> Floats:
    if data.sem is None:
        # By their own size, so that small changes are fitted to as many digits as large ones.
        size = float(np.sqrt(np.mean(data.change**2)))
        return np.full(data.change.shape, 1 / size if size > 0 else 1.0)
    if data.sem.max() > MOST_RATIO * data.sem.min():
        raise ValueError(
            f"sem: expected standard errors of which the largest is at most {MOST_RATIO:g} times the smallest, got "
            f"from {data.sem.min():.3g} to {data.sem.max():.3g}"
        )
    return 1 / data.sem


def scale(task: Task, value: float) -> float:
    """Variance of a weighted residual: 1, or the estimate of it where standard errors are not known."""
    if task.has_errors:
        return 1.0
    n_left = task.change.size - len(task.free)
    # A perfect fit leaves what rounding leaves.
    return max(value / n_left, float(np.finfo(np.float64).tiny))
