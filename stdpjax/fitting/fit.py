"""Fits of rules to measured weight changes, with intervals by profile and by bootstrap, and their comparison."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.models import Model, find_model
from stdpjax.fitting.optimise import Search, to_numbers
from stdpjax.fitting.profile import Interval, Profile, intervals, take_profile
from stdpjax.fitting.searches import random_positions
from stdpjax.fitting.task import Floats, Task, in_double, make_task
from stdpjax.random import named_key

# Steps of the rough search from random starts.
_N_ROUGH = 200
# Two searches that end this close in the sum of squares ended in the same place, for the count of those that agree.
_SAME_VALUE = 0.01
_ROUNDS = 3


class Estimate(NamedTuple):
    """A fitted parameter."""

    value: float
    profile: Interval
    """Where the profile likelihood stays within the quantile: covers this parameter."""
    simultaneous: Interval
    """The same at a confidence that covers all parameters together (Bonferroni)."""
    bootstrap: Interval | None
    """Percentiles of refits to data drawn anew; None without resamples."""
    unit: str


class Fit(NamedTuple):
    """A rule fitted to measurements."""

    model: str
    parameters: dict[str, Estimate]
    held: dict[str, float]
    prediction: Floats
    """Changes at the best parameters, shape `[point]`."""
    sum_of_squares: float
    """Of residuals, each divided by its standard error where that is known."""
    n_points: int
    log_likelihood: float
    aic: float
    bic: float
    n_starts: int
    n_agreeing: int
    """Starts that ended at the best sum of squares."""
    confidence: float

    @property
    def mean_square(self) -> float:
        """Mean squared residual, E of Pfister & Gerstner (2006) where standard errors are known."""
        return self.sum_of_squares / self.n_points


def fit(
    key: Key[Array, ""],
    model: Model | str,
    data: Measurements,
    *,
    n_starts: int = 20,
    n_resamples: int = 200,
    fixed: Mapping[str, float] = MappingProxyType({}),
    free: Sequence[str] = (),
    confidence: float = 0.95,
) -> Fit:
    """Fit a rule to measured weight changes.

    Least squares, weighted by the standard errors where they are known, from several random starts. The numbers stay
    within the ranges of the model's parameters.

    Args:
        key: a scalar key, of starts and resamples.
        model: a model, or the name of one in `MODELS`.
        data: the measurements.
        n_starts: random starts, at least 1.
        n_resamples: refits for the bootstrap, 0 for none, else at least 20. Errors are drawn from the standard errors,
            or, where these are not known, from the residuals.
        fixed: values of parameters that are not to be fitted.
        free: parameters to be fitted although the model holds them.
        confidence: of the intervals, in (0, 1).

    Returns:
        The fit.

    Raises:
        ValueError: an unknown model or parameter, fewer points than parameters, or an argument out of range.

    Example:
        >>> import stdpjax
        >>> data = stdpjax.fitting.bi_poo_2001()  # points on the curve
        >>> found = stdpjax.fitting.fit(stdpjax.random.key(0), "pair", data, n_starts=4, n_resamples=0)
        >>> {name: round(estimate.value, 3) for name, estimate in found.parameters.items()}
        {'A_plus': 0.777, 'A_minus': 0.273, 'tau_plus': 16.8, 'tau_minus': 33.7}
    """
    n_starts = _checks.count("n_starts", n_starts)
    n_resamples = _checks.count("n_resamples", n_resamples, minimum=0)
    if 0 < n_resamples < 20:
        raise ValueError(f"n_resamples: expected 0 or at least 20, for percentiles, got {n_resamples}")
    _checks.number("confidence", confidence, above=0, below=1)
    with in_double():
        task = make_task(find_model(model) if isinstance(model, str) else model, data, fixed, free)
        best, n_agreeing = _search_from(task, random_positions(key, task, n_starts))
        grid = take_profile(task, best, confidence)
        for _ in range(_ROUNDS):
            values, positions = np.concatenate(grid.value), np.concatenate(grid.position)
            if values.min() >= best.value - 1e-6 * (1 + best.value):
                break
            # The profile came upon a better place than all starts.
            best, _ = _search_from(task, positions[None, np.argmin(values)])
            n_agreeing, grid = 0, take_profile(task, best, confidence)
        drawn = _resample(named_key(key, "bootstrap"), task, best, n_resamples)
        return _report(task, data, best, grid, drawn, n_starts, n_agreeing, confidence)


def compare(
    key: Key[Array, ""], models: Sequence[Model | str], data: Measurements, *, n_starts: int = 20, **options: Any
) -> list[Fit]:
    """Fit several rules to the same measurements.

    Args:
        key: a scalar key.
        models: models or their names, each once.
        data: the measurements.
        n_starts: random starts of each.
        **options: of `fit`.

    Returns:
        The fits, the lowest AIC first; all without a bootstrap unless `n_resamples` is given.

    Raises:
        ValueError: as `fit`.

    Example:
        >>> import stdpjax
        >>> fits = stdpjax.fitting.compare(
        ...     stdpjax.random.key(0), ["pair", "window"], stdpjax.fitting.bi_poo_2001(), n_starts=4)
        >>> [found.model for found in fits]
        ['pair', 'window']
    """
    names = [model if isinstance(model, str) else model.name for model in models]
    if len(set(names)) < len(names):
        raise ValueError(f"models: expected different ones, got {names}")
    options = {"n_resamples": 0, **options}
    fits = [
        fit(named_key(key, name), model, data, n_starts=n_starts, **options)
        for name, model in zip(names, models, strict=True)
    ]
    return sorted(fits, key=lambda found: found.aic)


def _search_from(task: Task, starts: Floats) -> tuple[Search, int]:
    found = task.search(task.approach(starts, _N_ROUGH))
    best = int(np.argmin(found.value))
    if not np.isfinite(found.value[best]):
        raise ValueError(
            f"data: expected measurements that {task.model.name!r} can be compared with, got no finite fit"
        )
    n_agreeing = int(np.sum(found.value <= found.value[best] + _SAME_VALUE))
    return Search(found.position[best], found.value[best], found.n_steps[best]), n_agreeing


def _resample(key: Key[Array, ""], task: Task, best: Search, n_resamples: int) -> Floats | None:
    """Numbers of refits to data drawn anew, shape `[resample, parameter]`."""
    if not n_resamples:
        return None
    predicted, _ = task.at(best.position)
    n_points = task.change.size
    if task.has_errors:
        errors = np.asarray(jax.random.normal(key, (n_resamples, n_points))) / task.weight
    else:
        residual = task.change - predicted
        # Residuals of a fit are smaller than the errors.
        residual = (residual - residual.mean()) * math.sqrt(n_points / (n_points - len(task.free)))
        errors = residual[np.asarray(jax.random.randint(key, (n_resamples, n_points), 0, n_points))]
    starts = np.broadcast_to(best.position, (n_resamples, len(task.free)))
    found = task.search(starts, change=predicted + errors)
    return to_numbers(found.position[np.isfinite(found.value)], task.free)


def _report(
    task: Task,
    data: Measurements,
    best: Search,
    grid: Profile,
    drawn: Floats | None,
    n_starts: int,
    n_agreeing: int,
    confidence: float,
) -> Fit:
    n_points = task.change.size
    predicted, _ = task.at(best.position)
    value = float(np.sum(((predicted - task.change) * task.weight) ** 2))
    if data.sem is not None:
        n_numbers = len(task.free)
        log_likelihood = -0.5 * value - float(np.sum(np.log(data.sem * math.sqrt(2 * math.pi))))
    else:
        # The error is one more number.
        n_numbers = len(task.free) + 1
        spread = max(value / n_points, float(np.finfo(np.float64).tiny))
        log_likelihood = -0.5 * n_points * (math.log(2 * math.pi * spread) + 1)
    numbers = to_numbers(best.position, task.free)
    ends = intervals(task, best, grid, confidence)
    estimates = {}
    tail = 50 * (1 - confidence)
    for i, parameter in enumerate(task.free):
        percentiles = None
        if drawn is not None:
            low, high = np.percentile(drawn[:, i], [tail, 100 - tail])
            percentiles = Interval(float(low), float(high))
        estimates[parameter.name] = Estimate(float(numbers[i]), *ends[i], percentiles, parameter.unit)
    return Fit(
        task.model.name,
        estimates,
        {name: float(number) for name, number in task.problem.held.items()},
        predicted,
        value,
        n_points,
        log_likelihood,
        2 * n_numbers - 2 * log_likelihood,
        n_numbers * math.log(n_points) - 2 * log_likelihood,
        n_starts,
        n_agreeing,
        confidence,
    )
