"""Intervals by profile likelihood: how well the rest can make up for one parameter held elsewhere."""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from stdpjax.fitting.models import Parameter
from stdpjax.fitting.optimise import FARTHEST, Search, to_numbers
from stdpjax.fitting.task import Floats, Task, scale

# Distances from the best position at which a profile is taken, in standard errors; more follow, out to the range's end.
_PROFILE_AT = (0.7, 1.4, 2.0, 2.6, 3.3, 4.5, 7.0, 12.0)
_N_PROFILE_FAR = 4
# Places more between the two neighbours that an end of an interval lies between.
_N_FINER = 4
_N_ROUNDS = 3


class Interval(NamedTuple):
    """Lower and upper end; that of the parameter's range where the measurements set no bound."""

    low: float
    high: float


class Profile(NamedTuple):
    """Least sums of squares with one parameter held, for each parameter in turn, places increasing."""

    position: list[Floats]
    """Shape `[place, parameter]` each."""
    value: list[Floats]


def take_profile(task: Task, best: Search, confidence: float) -> Profile:
    """Return the least sums of squares with each parameter held in turn, dense where the intervals end."""
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
    for _ in range(_N_ROUNDS):
        finer = _search_held(
            task, [_between(task, best, first.position[i], first.value[i], i, confidence) for i in range(n_free)]
        )
        for i in range(n_free):
            position = np.concatenate([first.position[i], finer.position[i]])
            order = np.argsort(position[:, i], kind="stable")
            first.position[i], first.value[i] = position[order], np.concatenate([first.value[i], finer.value[i]])[order]
    return first


def _search_held(task: Task, starts: list[Floats]) -> Profile:
    """Search from starts of which those in the i-th array hold parameter i."""
    sizes = np.cumsum([len(start) for start in starts])[:-1]
    holds = np.repeat(np.arange(len(starts)), [len(start) for start in starts])
    found = task.search(np.concatenate(starts), np.arange(len(starts)) != holds[:, None])
    return Profile(list(np.split(found.position.copy(), sizes)), list(np.split(found.value.copy(), sizes)))


def _between(task: Task, best: Search, position: Floats, value: Floats, i: int, confidence: float) -> Floats:
    """Return places in the gaps that the ends of the intervals lie in, always equally many."""
    roots = np.sqrt(np.maximum(value - best.value, 0) / scale(task, float(best.value)))
    places = []
    for quantile in _quantiles(task, confidence):
        for side in (-1, 1):
            along = _outwards(position[:, i], float(best.position[i]), side)
            beyond = along[np.flatnonzero(roots[along] > quantile)[:1]]
            outer = position[beyond[0]] if beyond.size else position[along[-1]] if along.size else best.position
            before = along[: np.flatnonzero(along == beyond[0])[0]] if beyond.size else along
            inner = position[before[-1]] if before.size else best.position
            # From where the search on the near side ended: the one on the far side may have gone astray.
            starts = np.tile(inner, (_N_FINER, 1))
            starts[:, i] += (outer[i] - inner[i]) * np.arange(1, _N_FINER + 1) / (_N_FINER + 1)
            places.append(starts)
    return np.concatenate(places)


def _outwards(places: Floats, centre: float, side: int) -> NDArray[np.intp]:
    """Indices of the places on one side, the nearest first."""
    order = np.flatnonzero(side * (places - centre) > 0)
    return order[np.argsort(np.abs(places[order] - centre), kind="stable")]


def _quantiles(task: Task, confidence: float) -> tuple[float, float]:
    """Two-sided quantiles for one parameter and for all together.

    Of Student's law, or of the normal law where the errors are known.
    """
    n_free = len(task.free)
    levels = [1 - (1 - confidence) / 2 / n for n in (1, n_free)]
    law = special.ndtri if task.has_errors else partial(special.stdtrit, task.change.size - n_free)
    single, joint = (float(law(level)) for level in levels)
    return single, joint


def _local_errors(task: Task, best: Search) -> tuple[Floats, Floats]:
    """Standard errors of the positions from the curvature, and where the others go when one is moved."""
    _, slope = task.at(best.position)
    weighted = slope * task.weight[:, None]
    # The small number bounds the errors of what the measurements say nothing of.
    root = np.linalg.inv(np.linalg.qr(np.concatenate([weighted, 1e-2 * np.eye(len(task.free))]), mode="r"))
    covariance = root @ root.T
    variance = np.diag(covariance)
    error = np.sqrt(scale(task, float(best.value)) * variance)
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


def intervals(task: Task, best: Search, profile: Profile, confidence: float) -> list[tuple[Interval, Interval]]:
    """Return for each parameter the interval of its own, and the one that covers together with the others."""
    found = []
    for i, parameter in enumerate(task.free):
        roots = np.sqrt(np.maximum(profile.value[i] - best.value, 0) / scale(task, float(best.value)))
        single, joint = (
            _interval(profile.position[i][:, i], roots, float(best.position[i]), quantile, parameter)
            for quantile in _quantiles(task, confidence)
        )
        found.append((single, joint))
    return found


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
