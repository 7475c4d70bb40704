"""Fits of rules to measured weight changes, with intervals by profile and by bootstrap, and their comparison."""

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray
from scipy import stats as distributions

from stdpjax import _checks
from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.models import Model, Parameter, find_model
from stdpjax.fitting.optimise import FARTHEST, Problem, Search, minimise, predict_at, to_numbers, to_position
from stdpjax.random import member_keys, named_key

# Steps of the rough search from random starts.
_N_ROUGH = 200
# Distances from the best position at which a profile is taken, in standard errors; more follow, out to the range's end.
_PROFILE_AT = (0.7, 1.4, 2.0, 2.6, 3.3, 4.5, 7.0, 12.0)
_N_PROFILE_FAR = 4
# Places more between the two neighbours that an end of an interval lies between.
_N_FINER = 4
# Two searches that end this close in the sum of squares ended in the same place, for the count of those that agree.
_SAME_VALUE = 0.01
_ROUNDS = 3

Floats = NDArray[np.float64]


class Interval(NamedTuple):
    """Lower and upper end; that of the parameter's range where the measurements set no bound."""

    low: float
    high: float


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


class _Task(NamedTuple):
    """A fit while it is being made."""

    model: Model
    free: tuple[Parameter, ...]
    problem: Problem
    change: Floats
    weight: Floats
    has_errors: bool
    """Whether standard errors are known."""

    def search(self, start: Floats, is_free: Any = True, change: Floats | None = None, n_rough: int = 0) -> Search:
        start = np.atleast_2d(start)
        change = self.change if change is None else change
        names = tuple(parameter.name for parameter in self.free)
        found = minimise(
            self.model.predict,
            names,
            n_rough,
            self.problem,
            jnp.asarray(np.broadcast_to(change, (len(start), self.change.size))),
            jnp.asarray(self.weight),
            jnp.asarray(start),
            jnp.asarray(np.broadcast_to(is_free, start.shape)),
        )
        value = np.asarray(found.value)
        # A search that leaves the numbers behind counts as no search.
        return Search(np.asarray(found.position), np.where(np.isfinite(value), value, np.inf), found.n_steps)

    def at(self, position: Floats) -> tuple[Floats, Floats]:
        names = tuple(parameter.name for parameter in self.free)
        value, slope = predict_at(self.model.predict, names, self.problem, jnp.asarray(position))
        return np.asarray(value), np.asarray(slope)


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
        {'amplitude_plus': 0.777, 'amplitude_minus': 0.273, 'tau_plus': 16.8, 'tau_minus': 33.7}
    """
    n_starts = _checks.count("n_starts", n_starts)
    n_resamples = _checks.count("n_resamples", n_resamples, minimum=0)
    if 0 < n_resamples < 20:
        raise ValueError(f"n_resamples: expected 0 or at least 20, for percentiles, got {n_resamples}")
    _checks.number("confidence", confidence, above=0, below=1)
    # Sums of squares are compared to many digits, which single precision lacks; optax mixes kinds of numbers.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        task = _task(find_model(model) if isinstance(model, str) else model, data, fixed, free)
        best, n_agreeing = _search_from(task, _starts(key, task, n_starts))
        for _ in range(_ROUNDS):
            grid = _profile(task, best, confidence)
            values, positions = np.concatenate(grid.value), np.concatenate(grid.position)
            if values.min() >= best.value - 1e-6 * (1 + best.value):
                break
            # The profile came upon a better place than all starts.
            best, _ = _search_from(task, positions[np.argmin(values)])
            n_agreeing = 0
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


def _task(model: Model, data: Measurements, fixed: Mapping[str, float], free: Sequence[str]) -> _Task:
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
    return _Task(model, fitted, problem, data.change, weight, data.sem is not None)


def _starts(key: Key[Array, ""], task: _Task, n_starts: int) -> Floats:
    """Random starts, of which more leave the first ones as they are."""
    keys = member_keys(named_key(key, "starts"), n_starts)
    share = np.asarray(jax.vmap(lambda one: jax.random.uniform(one, (len(task.free),), jnp.float32))(keys), np.float64)
    low, high = (np.array([getattr(parameter, end) for parameter in task.free]) for end in ("first_low", "first_high"))
    return to_position(low * (high / low) ** share, task.free)


def _search_from(task: _Task, starts: Floats) -> tuple[Search, int]:
    found = task.search(starts, n_rough=_N_ROUGH)
    best = int(np.argmin(found.value))
    if not np.isfinite(found.value[best]):
        raise ValueError(
            f"data: expected measurements that {task.model.name!r} can be compared with, got no finite fit"
        )
    n_agreeing = int(np.sum(found.value <= found.value[best] + _SAME_VALUE))
    return Search(found.position[best], found.value[best], found.n_steps[best]), n_agreeing


class _Profile(NamedTuple):
    """Least sums of squares with one parameter held, for each parameter in turn, places increasing."""

    position: list[Floats]
    """Shape `[place, parameter]` each."""
    value: list[Floats]


def _profile(task: _Task, best: Search, confidence: float) -> _Profile:
    n_free = len(task.free)
    error, direction = _local_errors(task, best)
    starts = []
    for i in range(n_free):
        places = _places(float(best.position[i]), float(error[i]))
        # Along the valley that the curvature tells of, near the best place.
        shift = np.clip((places[:, None] - best.position[i]) * direction[i], -2.0, 2.0)
        starts.append(np.clip(best.position + shift, -FARTHEST, FARTHEST))
        starts[-1][:, i] = places
    first = _search_held(task, starts)
    # Once more from where the neighbour towards the best place ended: a search of its own may get stuck.
    half = len(starts[0]) // 2
    again = []
    for i, position in enumerate(first.position):
        inner = np.concatenate([position[1:half], [best.position] * 2, position[half:-1]])
        inner[:, i] = position[:, i]
        again.append(inner)
    second = _search_held(task, again)
    for i in range(n_free):
        is_better = second.value[i] < first.value[i]
        first.position[i][is_better] = second.position[i][is_better]
        first.value[i][is_better] = second.value[i][is_better]
    finer = _search_held(
        task, [_between(task, best, first.position[i], first.value[i], i, confidence) for i in range(n_free)]
    )
    for i in range(n_free):
        position = np.concatenate([first.position[i], finer.position[i]])
        order = np.argsort(position[:, i], kind="stable")
        first.position[i], first.value[i] = position[order], np.concatenate([first.value[i], finer.value[i]])[order]
    return first


def _search_held(task: _Task, starts: list[Floats]) -> _Profile:
    """Search from starts of which those in the i-th array hold parameter i."""
    sizes = np.cumsum([len(start) for start in starts])[:-1]
    holds = np.repeat(np.arange(len(starts)), [len(start) for start in starts])
    found = task.search(np.concatenate(starts), np.arange(len(starts)) != holds[:, None])
    return _Profile(list(np.split(found.position.copy(), sizes)), list(np.split(found.value.copy(), sizes)))


def _between(task: _Task, best: Search, position: Floats, value: Floats, i: int, confidence: float) -> Floats:
    """Return places in the gaps that the ends of the intervals lie in, always equally many."""
    roots = np.sqrt(np.maximum(value - best.value, 0) / _scale(task, float(best.value)))
    places = []
    for quantile in _quantiles(task, confidence):
        for side in (-1, 1):
            along = _outwards(position[:, i], float(best.position[i]), side)
            beyond = along[np.flatnonzero(roots[along] > quantile)[:1]]
            outer = position[beyond[0]] if beyond.size else position[along[-1]] if along.size else best.position
            before = along[: np.flatnonzero(along == beyond[0])[0]] if beyond.size else along
            inner = position[before[-1]] if before.size else best.position
            places.append(inner + (outer - inner) * (np.arange(1, _N_FINER + 1) / (_N_FINER + 1))[:, None])
    return np.concatenate(places)


def _outwards(places: Floats, centre: float, side: int) -> NDArray[np.intp]:
    """Indices of the places on one side, the nearest first."""
    order = np.flatnonzero(side * (places - centre) > 0)
    return order[np.argsort(np.abs(places[order] - centre), kind="stable")]


def _scale(task: _Task, value: float) -> float:
    """Variance of a weighted residual: 1, or the estimate of it where standard errors are not known."""
    if task.has_errors:
        return 1.0
    n_left = task.change.size - len(task.free)
    # A perfect fit leaves what rounding leaves.
    return max(value / n_left, float(np.finfo(np.float64).tiny))


def _quantiles(task: _Task, confidence: float) -> tuple[float, float]:
    """Two-sided quantiles for one parameter and for all together.

    Of Student's law, or of the normal law where the errors are known.
    """
    n_free = len(task.free)
    law = distributions.norm() if task.has_errors else distributions.t(task.change.size - n_free)
    single, joint = (float(law.ppf(1 - (1 - confidence) / 2 / n)) for n in (1, n_free))
    return single, joint


def _local_errors(task: _Task, best: Search) -> tuple[Floats, Floats]:
    """Standard errors of the positions from the curvature, and where the others go when one is moved."""
    _, slope = task.at(best.position)
    weighted = slope * task.weight[:, None]
    # The small number bounds the errors of what the measurements say nothing of.
    covariance = np.linalg.inv(weighted.T @ weighted + 1e-4 * np.eye(len(task.free)))
    variance = np.diag(covariance)
    error = np.sqrt(_scale(task, float(best.value)) * variance)
    return np.clip(error, 1e-6, FARTHEST), covariance / variance[:, None]


def _places(centre: float, error: float) -> Floats:
    """Positions of a profile: on either side steps of the standard error, and on to the end of the range."""
    sides = []
    for side in (-1.0, 1.0):
        room = FARTHEST - side * centre
        near = np.array(_PROFILE_AT) * min(error, room / (1.5 * _PROFILE_AT[-1]))
        far = near[-1] + (room - near[-1]) * (np.arange(1, _N_PROFILE_FAR + 1) / _N_PROFILE_FAR) ** 2
        sides.append(centre + side * np.concatenate([near, far]))
    return np.concatenate([sides[0][::-1], sides[1]])


def _resample(key: Key[Array, ""], task: _Task, best: Search, n_resamples: int) -> Floats | None:
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
    task: _Task,
    data: Measurements,
    best: Search,
    grid: _Profile,
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
    estimates = {}
    tail = 50 * (1 - confidence)
    for i, parameter in enumerate(task.free):
        roots = np.sqrt(np.maximum(grid.value[i] - value, 0) / _scale(task, value))
        intervals = [
            _interval(grid.position[i][:, i], roots, float(best.position[i]), quantile, parameter)
            for quantile in _quantiles(task, confidence)
        ]
        percentiles = None
        if drawn is not None:
            low, high = np.percentile(drawn[:, i], [tail, 100 - tail])
            percentiles = Interval(float(low), float(high))
        estimates[parameter.name] = Estimate(float(numbers[i]), *intervals, percentiles, parameter.unit)
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


def _interval(places: Floats, roots: Floats, centre: float, quantile: float, parameter: Parameter) -> Interval:
    """Where the root of the profile first passes the quantile on either side; it is nearly straight there."""
    ends = []
    for side in (-1, 1):
        order = _outwards(places, centre, side)
        along = np.concatenate([[centre], places[order]])
        height = np.concatenate([[0.0], roots[order]])
        beyond = np.flatnonzero(height > quantile)
        if not beyond.size:
            ends.append(parameter.low if side < 0 else parameter.high)
            continue
        j = int(beyond[0])
        share = (quantile - height[j - 1]) / (height[j] - height[j - 1]) if np.isfinite(height[j]) else 0.0
        at = along[j - 1] + share * (along[j] - along[j - 1])
        ends.append(float(to_numbers([at], [parameter])[0]))
    return Interval(*ends)
