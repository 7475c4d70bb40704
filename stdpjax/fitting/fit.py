"""Fits of rules to measured weight changes, with intervals by profile and by bootstrap, and their comparison."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax._units import Measured
from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.models import Model, as_model
from stdpjax.fitting.optimise import FARTHEST, Search, to_numbers
from stdpjax.fitting.own import RuleFunction, given_model
from stdpjax.fitting.profile import Interval, Profile, intervals, take_profile
from stdpjax.fitting.result import Bound, Estimate, Fit
from stdpjax.fitting.searches import random_positions
from stdpjax.fitting.task import Floats, Task, in_double, make_task, scale
from stdpjax.random import named_key

# Steps of the rough search from random starts.
_N_ROUGH = 200
# Two searches that end this close in the sum of squares, in units of the variance of a point, ended in the same place,
# for the count of those that agree.
_SAME_VALUE = 0.01
# An estimate is on a bound if this much, in the same units, is all that going there would add.
_NO_LOSS = 1e-3
_ROUNDS = 3


def fit(
    key: Key[Array, ""],
    model: Model | RuleFunction | str,
    data: Measurements,
    *,
    parameters: Mapping[str, Any] | None = None,
    n_starts: int = 20,
    n_resamples: int = 200,
    fixed: Mapping[str, Measured] = MappingProxyType({}),
    free: Sequence[str] = (),
    confidence: float = 0.95,
) -> Fit:
    """Fit a rule to measured weight changes.

    Least squares, weighted by the standard errors where they are known, from several random starts. The numbers stay
    within the ranges of the model's parameters.

    Args:
        key: a scalar key, of starts and resamples.
        model: a model, the name of one in `MODELS`, or a function of numbers by keyword that returns a rule.
        data: the measurements.
        parameters: of such a function, the ranges of its numbers as `model_of` takes them; None for other models.
        n_starts: random starts, at least 1.
        n_resamples: refits for the bootstrap, 0 for none, else at least 20. Errors are drawn from the standard errors,
            or, where these are not known, from the residuals.
        fixed: values of parameters that are not to be fitted, times in ms. They do not count in AIC and BIC.
        free: parameters to be fitted although the model holds them.
        confidence: of the intervals, in (0, 1).

    Raises:
        ValueError: an unknown model or parameter, fewer points than parameters, standard errors of too different sizes,
            or an argument out of range.

    Example:
        >>> import stdpjax
        >>> data = stdpjax.fitting.bi_poo_2001()  # points on the curve
        >>> found = stdpjax.fitting.fit(stdpjax.random.key(0), "pair", data, n_starts=4, n_resamples=0)
        >>> {name: round(estimate.value, 3) for name, estimate in found.parameters.items()}
        {'A_plus': 0.777, 'A_minus': 0.273, 'tau_plus': 16.8, 'tau_minus': 33.7}
    """
    key, n_starts = _checks.key("key", key), _checks.count("n_starts", n_starts)
    n_resamples = _checks.count("n_resamples", n_resamples, minimum=0)
    if 0 < n_resamples < 20:
        raise ValueError(f"n_resamples: expected 0 or at least 20, for percentiles, got {n_resamples}")
    _checks.number("confidence", confidence, above=0, below=1)
    model = given_model(model, parameters)
    with in_double():
        task = make_task(model, data, fixed, free)
        best, n_agreeing = _search_from(task, random_positions(key, task, n_starts))
        grid = take_profile(task, best, confidence)
        for _ in range(_ROUNDS):
            values, positions = np.concatenate(grid.value), np.concatenate(grid.position)
            if values.min() >= best.value - 1e-6 * (scale(task, best.value) + best.value):
                break
            # The profile came upon a better place than all starts.
            best, _ = _search_from(task, positions[None, np.argmin(values)])
            n_agreeing, grid = 0, take_profile(task, best, confidence)
        task.refuse_unfinished(best)
        drawn = _resample(named_key(key, "bootstrap"), task, best, n_resamples)
        return _report(task, data, best, grid, drawn, n_starts, n_agreeing, confidence)


def compare(
    key: Key[Array, ""], models: Sequence[Model | str], data: Measurements, *, n_starts: int = 20, **options: Any
) -> list[Fit]:
    """Fit several rules to the same measurements.

    Args:
        key: a scalar key.
        models: models or their names, each once; one's own rule by `model_of`.
        data: the measurements.
        n_starts: random starts of each.
        **options: of `fit`.

    Returns:
        The fits, the lowest AIC first, or where standard errors are not known the lowest AICc; all without a bootstrap
        unless `n_resamples` is given. A parameter that is `free` is so in those models that hold it.

    Raises:
        ValueError: as `fit`.

    Example:
        >>> import stdpjax
        >>> fits = stdpjax.fitting.compare(
        ...     stdpjax.random.key(0), ["pair", "window"], stdpjax.fitting.bi_poo_2001(), n_starts=4)
        >>> [found.model for found in fits]
        ['pair', 'window']
    """
    key = _checks.key("key", key)
    if not isinstance(models, Sequence) or isinstance(models, str | Model) or not models:
        raise ValueError(f"models: expected a list of models or their names, got {models!r}")
    listed = [as_model("models", model) for model in models]
    _checks.distinct("models", tuple(model.name for model in listed))
    options = {"n_resamples": 0, "free": (), **options}
    free = options.pop("free")
    for name in free:
        _checks.choice("free", name, sorted({held for model in listed for held in model.held}))
    fits = [
        fit(
            named_key(key, model.name),
            model,
            data,
            n_starts=n_starts,
            free=[name for name in free if name in model.held],
            **options,
        )
        for model in listed
    ]
    return sorted(fits, key=lambda found: found.aicc)


def _search_from(task: Task, starts: Floats) -> tuple[Search, int]:
    found = task.search(task.approach(starts, _N_ROUGH))
    best = int(np.argmin(found.value))
    if not np.isfinite(found.value[best]):
        raise ValueError(
            f"data: expected measurements that {task.model.name!r} can be compared with, got no finite fit"
        )
    least = float(found.value[best])
    # A perfect fit leaves no variance, and searches end within rounding.
    is_same = found.value <= least + _SAME_VALUE * scale(task, least) + 1e-8 * (1 + least)
    n_agreeing = int(np.sum(is_same))
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
    value = float(np.sum(((predicted - task.change) * task.weight) ** 2)) * task.unit
    # Where the error is not known it is one more number.
    n_fitted = len(task.free) + (0 if task.has_errors else 1)
    if data.sem is not None:
        log_likelihood = -0.5 * value - float(np.sum(np.log(data.sem * math.sqrt(2 * math.pi))))
    else:
        spread = max(value / n_points, float(np.finfo(np.float64).tiny))
        log_likelihood = -0.5 * n_points * (math.log(2 * math.pi * spread) + 1)
    aic, n_left = 2 * n_fitted - 2 * log_likelihood, n_points - n_fitted - 1
    correction = 2 * n_fitted * (n_fitted + 1) / n_left if n_left > 0 else math.inf
    numbers = to_numbers(best.position, task.free)
    bounds = _bounds(task, best)
    ends = intervals(task, best, grid, confidence)
    estimates = {}
    tail = 50 * (1 - confidence)
    for i, parameter in enumerate(task.free):
        percentiles = None
        if drawn is not None:
            low, high = np.percentile(drawn[:, i], [tail, 100 - tail])
            percentiles = Interval(float(low), float(high))
        estimates[parameter.name] = Estimate(float(numbers[i]), *ends[i], percentiles, parameter.unit, bounds[i])
    return Fit(
        task.model.name,
        estimates,
        {name: float(number) for name, number in task.problem.held.items()},
        predicted,
        value,
        n_points,
        log_likelihood,
        n_fitted,
        aic,
        aic if task.has_errors else aic + correction,
        n_fitted * math.log(n_points) - 2 * log_likelihood,
        n_starts,
        n_agreeing,
        confidence,
        task.has_errors,
        task.model,
        data,
    )


def _bounds(task: Task, best: Search) -> list[Bound | None]:
    """Return for each number the end of its range that it cannot be told from."""
    most = float(best.value) + _NO_LOSS * scale(task, float(best.value))

    def reaches(i: int, end: float) -> bool:
        # Pressed against the end it is there, whatever the last step would cost.
        if abs(best.position[i] - end) < 0.5 * FARTHEST:
            return True
        position = best.position.copy()
        position[i] = end
        predicted, _ = task.at(position)
        return bool(np.sum(((predicted - task.change) * task.weight) ** 2) <= most)

    names: dict[tuple[bool, bool], Bound | None]
    names = {(False, False): None, (True, False): "low", (False, True): "high", (True, True): "both"}
    return [names[reaches(i, -FARTHEST), reaches(i, FARTHEST)] for i in range(len(task.free))]
