"""The parts of a portrait of one rule: estimates by name, and why a part is missing."""

import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax.lab.portraits.records import GAPS_MS, ORDERS, Drives, Record, lags_ms
from stdpjax.lab.portraits.runs import Needs, Totals, totals
from stdpjax.lab.portraits.settings import PortraitConfig
from stdpjax.power import sample_size
from stdpjax.protocols import COURSES
from stdpjax.rules import Rule
from stdpjax.stats import Estimate, bootstrap, mean_interval, normal_interval, pair_sums

Floats = NDArray[np.float64]
_RISING, _FALLING, _CONSTANT = (COURSES.index(course) for course in ("rising", "falling", "constant"))


class Part(NamedTuple):
    """A variable of a portrait."""

    dims: tuple[str, ...]
    units: str
    words: str
    found: Estimate
    missing: str = ""
    """Why the rule has no such number; it is NaN then."""


Parts = dict[str, Part]


def of_protocols(rule: Rule, needs: Needs, record: Record, rows: dict[str, slice], config: PortraitConfig) -> Parts:
    """Return what one pair or triplet of spikes changes, beyond what as long a silence does."""
    shapes = {
        "window": (("lag",), "change by a pair of spikes, by lag"),
        "frequency": (("pair_lag", "pairs_hz"), "change by a pair of spikes, by frequency"),
        "triplet": (("order", "gaps"), "change by a triplet of spikes"),
    }
    sizes = {"lag": lags_ms(config).size, "pair_lag": 2, "pairs_hz": len(config.frequencies_hz)}
    sizes |= {"order": len(ORDERS), "gaps": len(GAPS_MS)}
    changes = np.full(len(record.pre_spikes), np.nan)
    if not needs.states:
        changes = totals(rule, needs, record, config).trials[:, 0]
        changes = (changes - changes[-1]) / config.n_pairs
    found = {}
    for name, (dims, words) in shapes.items():
        values = changes[rows[name]].reshape([sizes[dim] for dim in dims])
        missing = f"protocols of spikes have no activity: {needs.states}" if needs.states else ""
        found[name] = Part(dims, "weight", words, Estimate(values, values, values), missing)
    return found


def of_constant_rates(rule: Rule, needs: Needs, record: Record, config: PortraitConfig) -> Parts:
    """Return the change per second at constant rates."""
    found = totals(rule, needs, record, config)
    return _means("drift", ("post_hz",), "weight/s", "change per second at constant rates", found)


def of_ramps(rule: Rule, needs: Needs, record: Record, config: PortraitConfig) -> Parts:
    """Return the change by a ramp of the postsynaptic rate, and the cells that an experiment needs to see it."""
    found = totals(rule, needs, record, config)
    trials = found.trials[:-1] - found.trials[-1:].mean()
    exact = None if found.exact is None else found.exact[:-1] - found.exact[-1]
    parts = _means("ramp", ("course",), "weight", "change by a ramp of the postsynaptic rate", Totals(trials, exact))
    mean, error = parts["ramp"].found.value, parts["ramp"].found.standard_error
    by_cell = config.n_ramps * mean
    between = config.between_cells * np.abs(by_cell).max()
    by_spikes = trials.std(axis=1, ddof=1) if trials.shape[1] > 1 else np.zeros(len(mean))
    deviation = np.sqrt(config.n_ramps * by_spikes**2 + between**2)
    differences = trials[_RISING] - trials[_FALLING]
    error_of_contrast = differences.std(ddof=1) / np.sqrt(differences.size) if exact is None else 0.0
    contrast = np.sqrt((deviation[_RISING] ** 2 + deviation[_FALLING] ** 2) / 2)
    effects = {
        "cells_contrast": (mean[_RISING] - mean[_FALLING], error_of_contrast, contrast, 2),
        "cells_constant": (mean[_CONSTANT], error[_CONSTANT], deviation[_CONSTANT], 1),
    }
    words = {
        "cells_contrast": "cells in each arm to tell a rising rate from a falling one",
        "cells_constant": "cells to see a change at a constant rate",
    }
    for name, (effect, error_of_effect, sd, n_groups) in effects.items():

        def cells(effect: float, sd: float = sd, n_groups: int = n_groups) -> float:
            d = config.n_ramps * effect / sd if sd > 0 else 0.0
            return sample_size(float(d), config.power, n_groups=n_groups)

        reach = 1.96 * float(error_of_effect)
        ends = (abs(float(effect)) + reach, max(0.0, abs(float(effect)) - reach))
        parts[name] = Part((), "cells", words[name], Estimate(cells(abs(float(effect))), *map(cells, ends)))
    return parts


def of_drives(key: Key[Array, ""], rule: Rule, needs: Needs, drives: Drives, config: PortraitConfig) -> Parts:
    """Return what a presynaptic spike in the middle bin changes: by the lag of its nearest spike, and beside Eq 1.

    The change is that of the whole record with the spike less that without it, so that it belongs to the spike
    whenever the rule emits it.
    """
    active, silent = (totals(rule, needs, record, config) for record in (drives.active, drives.silent))
    change = active.trials - silent.trials
    exact = None if active.exact is None or silent.exact is None else active.exact - silent.exact
    lags = np.arange(-config.window, config.window + 1)
    if change.shape[1] == 1:  # whatever the spikes are, so that their law can stand for them
        counts = drives.lag_law
        sums = change * counts
    else:
        sums, counts = np.zeros((2, len(change), lags.size))
        row = np.arange(len(change))[:, None]
        np.add.at(sums, (row, drives.lag + config.window), change)
        np.add.at(counts, (row, drives.lag + config.window), 1)
    n = counts.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        curve = np.where(lags == 0, np.nan, sums.sum(0) / n)
        error = np.sqrt(((sums - curve * counts) ** 2).sum(0)) / n
    dims, words = ("nearest_lag",), "change by a presynaptic spike on the drives, by the lag of its nearest spike"
    parts = {"curve": Part(dims, "weight", words, normal_interval(curve, error))}
    mean = change.mean(1) if exact is None else exact
    noise = np.zeros_like(mean) if exact is not None else change.var(1, ddof=1) / change.shape[1]
    sums_of_pairs = pair_sums(drives.eq1[:, None], mean[:, None])

    def relation(n: Any, x: Any, y: Any, xx: Any, yy: Any, xy: Any, noise: Any) -> Floats:
        of_x, of_xy = xx - x * x / n, xy - x * y / n
        # What chance adds to the variance of the changes is known, and taken off.
        of_y = yy - y * y / n - noise
        with np.errstate(invalid="ignore", divide="ignore"):
            agreement = np.where(of_y > 0, np.clip(of_xy / np.sqrt(of_x * np.maximum(of_y, 0)), -1, 1), np.nan)
        return np.stack([agreement, of_xy / of_x], axis=-1)

    found = bootstrap(key, relation, *sums_of_pairs, noise, n_resamples=config.n_resamples)
    for place, (name, units, words) in enumerate(
        (
            ("agreement", "1", "correlation with Eq 1 over the drives"),
            ("gain", "1", "change by a presynaptic spike over the change of activity, by least squares"),
        )
    ):
        one = Estimate(*(np.asarray(part)[place] for part in found))
        missing = "" if math.isfinite(one.value) else "a presynaptic spike changes the same on all drives"
        parts[name] = Part((), units, words, one, missing)
    return parts


def _means(name: str, dims: tuple[str, ...], units: str, words: str, found: Totals) -> Parts:
    """Return means: the exact one where there is one, and that of the trials, which checks it."""
    if found.trials.shape[1] > 1:
        sampled = mean_interval(found.trials, axis=1)
    else:
        sampled = normal_interval(found.trials[:, 0], np.zeros(len(found.trials)))
    best = sampled if found.exact is None else normal_interval(found.exact, np.zeros(len(found.exact)))
    return {
        name: Part(dims, units, words, best),
        f"{name}_sampled": Part(dims, units, f"{words}, mean of sampled trials", sampled),
    }
