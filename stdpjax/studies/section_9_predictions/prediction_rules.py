"""Rules that predict an experiment with three courses of the postsynaptic rate: exact means, and changes of cells."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import NDArray

from stdpjax.protocols import COURSES, predicted_rates
from stdpjax.random import member_keys, named_key
from stdpjax.rules import (
    SCHEMES,
    Rule,
    event_weight_change,
    expected_updates,
    lag_kernel,
    pair_rule,
    presets,
    state_slope,
)
from stdpjax.spikes import expected_lag_counts, nearest_lag, sample_spikes

Floats = NDArray[np.float64]
# A constant rate changes nothing under these, and a falling rate undoes what a rising one does.
SYMMETRIC = ("windowed", "eq_1", "eq_2", "all_to_all", "presynaptic_centred", "reduced_symmetric")
ASYMMETRIC = (
    "nearest_symmetric",
    "windowed_bi_poo",
    "bi_poo",
    "song",
    "triplet_visual",
    "triplet_hippocampus",
    "suppression",
)
NAMES = (*SYMMETRIC, *ASYMMETRIC)
PUBLISHED: Mapping[str, str] = {
    "bi_poo": "bi_poo_2001",
    "song": "song_miller_abbott_2000",
    "triplet_visual": "pfister_gerstner_2006_visual_cortex_all_to_all_minimal",
    "triplet_hippocampus": "pfister_gerstner_2006_hippocampus_all_to_all_minimal",
    "suppression": "froemke_dan_2002",
}
# The amplitudes of these were measured after 60 pairs.
PAIRS_MEASURED: Mapping[str, int] = {"bi_poo": 60, "suppression": 60}
# Numbers of events are rounded up to a multiple of this, so that other seeds need no other program.
_BLOCK = 256


class Protocol(NamedTuple):
    """The three arms of the experiment, in bins of 1 ms, a silent one first."""

    pre: Float[Array, "course time"]
    post: Float[Array, "course time"]
    n_ramp: int
    """Bins of a repeat with spikes."""
    n_period: int
    """Bins of a repeat with its rest."""
    n_repeats: int

    @property
    def repeat(self) -> tuple[Float[Array, "course bin"], Float[Array, "course bin"]]:
        """Probabilities of one repeat, between two silent bins."""
        return self.pre[:, : self.n_ramp + 2], self.post[:, : self.n_ramp + 2]


def make_protocol(config: Any) -> Protocol:
    """Return the arms that a configuration describes."""
    rates = [
        predicted_rates(
            course, config.pre_hz, config.low_hz, config.high_hz, config.duration_ms, config.n_repeats, config.rest_ms
        ).probabilities()
        for course in COURSES
    ]
    pre, post = (jnp.pad(jnp.stack(side), ((0, 0), (1, 0))) for side in zip(*rates, strict=True))
    n_ramp, n_rest = round(config.duration_ms), round(config.rest_ms)
    return Protocol(pre, post, n_ramp, n_ramp + n_rest, config.n_repeats)


class Cells(NamedTuple):
    """Spikes of cells, as the rules see them."""

    pre_counts: NDArray[np.int64]
    """Presynaptic spikes in each bin of a repeat, summed over repeats, shape `[course, cell, bin]`."""
    lag_counts: NDArray[np.int64]
    """Nearest lags, shape `[course, cell, lag]`; 0 where there is no update."""
    times: Float[Array, "course cell event"]
    pre_spikes: Bool[Array, "course cell event"]
    post_spikes: Bool[Array, "course cell event"]


@partial(jax.jit, static_argnums=(2, 3))
def _draw(
    key: Key[Array, ""], probability: Float[Array, "course bin"], n_cells: int, n_repeats: int
) -> Bool[Array, "cell course repeat bin"]:
    shape = (probability.shape[0], n_repeats, probability.shape[1])
    wanted = jnp.broadcast_to(probability[:, None], shape)
    return jax.vmap(lambda key: sample_spikes(key, wanted))(member_keys(key, n_cells))


def draw_cells(key: Key[Array, ""], protocol: Protocol, n_cells: int, window: int) -> Cells:
    """Draw the spikes of cells, the same ones for all rules."""
    pre, post = (
        jnp.moveaxis(_draw(named_key(key, side), probability, n_cells, protocol.n_repeats), 0, 1)
        for side, probability in zip(("pre", "post"), protocol.repeat, strict=True)
    )
    n_rows, n_bins, n_lags = len(COURSES) * n_cells, pre.shape[-1], 2 * window + 1
    # The rest after a repeat is longer than the window.
    lags = np.asarray(nearest_lag(pre, post, window)).reshape(n_rows, -1) + window
    lag_counts = np.stack([np.bincount(row, minlength=n_lags) for row in lags])
    trains = [np.asarray(pre), np.asarray(post)]
    rows = [train.reshape(n_rows, -1) for train in trains]
    row, place = np.nonzero(rows[0] | rows[1])
    n_events = np.bincount(row, minlength=n_rows)
    order = np.arange(row.size) - (np.cumsum(n_events) - n_events)[row]
    # Sequences are filled up with events without spikes, at the end of the record.
    n_most = _BLOCK * math.ceil(n_events.max() / _BLOCK)
    times = np.full((n_rows, n_most), float(protocol.n_repeats * protocol.n_period))
    repeat, bin_ = np.divmod(place, n_bins)
    times[row, order] = repeat * protocol.n_period + bin_
    spikes = np.zeros((2, *times.shape), bool)
    for side, train in zip(spikes, rows, strict=True):
        side[row, order] = train[row, place]
    shape = (len(COURSES), n_cells, -1)
    return Cells(
        trains[0].sum(axis=2),
        lag_counts.reshape(shape),
        jnp.asarray(times.reshape(shape), float),
        *(jnp.asarray(side.reshape(shape)) for side in spikes),
    )


def trace_rules(config: Any) -> Mapping[str, Rule]:
    """Return the rules of traces."""
    amplitude, tau = config.amplitude, config.tau
    rules = {scheme: pair_rule(amplitude, amplitude, tau, tau, scheme) for scheme in SCHEMES}
    for name, preset in PUBLISHED.items():
        rules[name] = presets[preset].rule(**(per_pair(name) if "triplet" not in name else {}))
    return rules


def kernels(config: Any) -> Mapping[str, Float[Array, "lag"]]:
    """Return the kernels of the windowed rules."""
    plus, minus = per_pair("bi_poo").values()
    return {
        "windowed": config.amplitude * lag_kernel("exponential", config.window, tau=config.tau),
        "windowed_bi_poo": lag_kernel("bi_poo", config.window, A_plus=plus, A_minus=minus),
    }


def per_pair(name: str) -> dict[str, float]:
    """Return the amplitudes of potentiation and depression by one pair, of a published pair or suppression rule."""
    parameters, n_pairs = presets[PUBLISHED[name]].parameters, PAIRS_MEASURED.get(name, 1)
    return {amplitude: parameters[amplitude] / n_pairs for amplitude in ("A_plus", "A_minus")}


def slope_gain(config: Any) -> float:
    """Strength of Eq 1 and 2: the first moment of the pairs' window, so that they agree on slow rates."""
    return config.amplitude / (2 * math.sinh(0.5 / config.tau) ** 2)


def exact_changes(config: Any, protocol: Protocol) -> dict[str, Floats]:
    """Return the mean change of each arm under each rule, shape `[course]`."""
    found: dict[str, Any] = {
        name: jnp.sum(expected_updates(rule, protocol.pre, protocol.post), axis=-1)
        for name, rule in trace_rules(config).items()
    }
    pre, post = protocol.repeat
    lags = np.asarray(expected_lag_counts(pre, post, config.window), np.float64).sum(axis=1)
    for name, kernel in kernels(config).items():
        found[name] = protocol.n_repeats * lags @ np.asarray(kernel)
    per_spike = slope_gain(config) * rate_slope(protocol)
    found["eq_1"] = found["eq_2"] = protocol.n_repeats * np.sum(np.asarray(pre)[:, 1:-1] * per_spike, axis=-1)
    return {name: np.asarray(found[name], np.float64) for name in NAMES}


def rate_slope(protocol: Protocol) -> Floats:
    """Return the change per bin of the postsynaptic rate in a repeat; in the linear range, that of the activity."""
    return np.asarray(state_slope(protocol.repeat[1]), np.float64)


def sampled_changes(config: Any, protocol: Protocol, cells: Cells) -> dict[str, Floats]:
    """Return the change of each cell under each rule that sees spikes, shape `[course, cell]`."""
    found: dict[str, Any] = {name: _event_changes(rule, cells) for name, rule in trace_rules(config).items()}
    for name, kernel in kernels(config).items():
        found[name] = cells.lag_counts @ np.asarray(kernel)
    slope = rate_slope(protocol)
    found["eq_2"] = slope_gain(config) * np.sum(cells.pre_counts[..., 1:-1] * slope[:, None], axis=-1)
    return {name: np.asarray(change, np.float64) for name, change in found.items()}


def _event_changes(rule: Rule, cells: Cells) -> Float[Array, "course cell"]:
    flat = (part.reshape(-1, part.shape[-1]) for part in (cells.times, cells.pre_spikes, cells.post_spikes))
    return jax.vmap(partial(event_weight_change, rule))(*flat).reshape(cells.times.shape[:2])
