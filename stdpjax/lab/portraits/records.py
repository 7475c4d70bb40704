"""What a portrait shows to a rule: protocols of spikes, constant rates, ramps, and the paper's drives.

All rules see the same records, so that differences between them are none of chance. A record has rows of settings, and
for each setting trials with spikes of their own.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key
from numpy.typing import NDArray

from stdpjax import protocols, spikes
from stdpjax.drives import bounded_voltage, smooth_noise
from stdpjax.lab.portraits.settings import PortraitConfig
from stdpjax.protocols import COURSES
from stdpjax.random import member_keys, named_key

# Gaps between neighbouring spikes of a triplet in ms, as Wang et al. (2005) and Pfister & Gerstner (2006) have them.
GAPS_MS = ((5.0, 5.0), (10.0, 10.0), (15.0, 5.0), (5.0, 15.0))
ORDERS = ("pre-post-pre", "post-pre-post")
# Lower end of the active region of the paper's rate function, where rate and activity go together.
_THRESHOLD = -0.5


class Record(NamedTuple):
    """Activity that a rule sees, and in which bins its changes count."""

    pre_spikes: Bool[np.ndarray, "setting trial time"]
    post_spikes: Bool[np.ndarray, "setting trial time"]
    counted: Float[np.ndarray, "time"]
    """By how much the change of a bin is multiplied before all are summed."""
    pre_probability: Float[np.ndarray, "setting time"] | None = None
    """Of a spike per bin; None where there are only spikes."""
    post_probability: Float[np.ndarray, "setting time"] | None = None
    pre_rate: Float[np.ndarray, "setting time"] | None = None
    state: Float[np.ndarray, "setting time_plus_one"] | None = None
    """Postsynaptic activity, with that after the last bin."""


class Drives(NamedTuple):
    """The paper's drives, with presynaptic activity in the middle bin and without it."""

    active: Record
    silent: Record
    eq1: Float[np.ndarray, "sequence"]
    """Eq 1 in the middle bin at a presynaptic rate of 1: the change of the activity."""
    lag: Int[np.ndarray, "sequence train"]
    """From a presynaptic spike in the middle bin to the nearest postsynaptic one, in bins; 0 for none."""
    lag_law: Float[np.ndarray, "sequence lag"]
    """The probability of each lag, from -window to +window."""


def by_protocols(config: PortraitConfig) -> tuple[Record, dict[str, slice]]:
    """Return pairs by lag, pairs by frequency and triplets, and which rows these are; the last row is silence."""
    n, hz = config.n_pairs, config.window_hz
    signs = (1, -1)
    done = {
        "window": [protocols.pairs(float(lag), hz, n) for lag in lags_ms(config)],
        "frequency": [protocols.pairs(s * config.pair_lag_ms, f, n) for s in signs for f in config.frequencies_hz],
        "triplet": [protocols.triplets(s * first, -s * second, hz, n) for s in signs for first, second in GAPS_MS],
    }
    trains = [
        [np.asarray(train) for train in protocol.binned(config.bin_ms)] for part in done.values() for protocol in part
    ]
    n_bins = max(pre.size for pre, _ in trains) + config.bins("settle_ms")
    both = np.zeros((2, len(trains) + 1, 1, n_bins), bool)
    for row, (pre, post) in enumerate(trains):
        both[0, row, 0, : pre.size], both[1, row, 0, : post.size] = pre, post
    ends = np.cumsum([0, *map(len, done.values())])
    rows = {name: slice(start, end) for name, start, end in zip(done, ends[:-1], ends[1:], strict=True)}
    return Record(both[0], both[1], np.ones(n_bins)), rows


def lags_ms(config: PortraitConfig) -> NDArray[np.float64]:
    """Return the lags of the window by pairs."""
    reach = config.bins("window_ms")
    return np.arange(-reach, reach + 1, dtype=np.float64) * config.bin_ms


def at_constant_rates(key: Key[Array, ""], config: PortraitConfig) -> Record:
    """Return constant rates, a row for each postsynaptic one; the change per second once they have lasted counts."""
    n_before, n_counted = config.bins("before_ms"), config.bins("counted_ms")
    rate = np.tile(np.array(config.rates_hz)[:, None] / config.max_hz, n_before + n_counted + 1)
    counted = np.repeat([0.0, 1000 / (n_counted * config.bin_ms)], [n_before, n_counted])
    pre = np.full_like(rate[:, :-1], config.pre_hz / config.max_hz)
    return _with_spikes(key, config, pre, rate[:, :-1], _THRESHOLD + rate, counted, config.n_trials, paired=True)


def on_ramps(key: Key[Array, ""], config: PortraitConfig) -> Record:
    """Return a postsynaptic rate that is constant, rises or falls while the presynaptic neuron is active; then silence.

    The activity stays where it was led: its return would undo the change, and is not a part of the experiment.
    """
    n_ramp, n_after = config.bins("ramp_ms"), config.bins("settle_ms")
    duration = n_ramp * config.bin_ms
    rows = []
    for course in COURSES:
        made = protocols.predicted_rates(
            course, config.pre_hz, config.low_hz, config.high_hz, duration, rest_ms=0, bin_ms=config.bin_ms
        )
        rate, step = made.post_hz / config.max_hz, (made.post_hz[-1] - made.post_hz[-2]) / config.max_hz
        activity = np.concatenate([rate, np.full(n_after + 1, rate[-1] + step)])
        rows.append((made.pre_hz / config.max_hz, rate, _THRESHOLD + activity))
    rows.append((np.zeros(n_ramp), np.zeros(n_ramp), np.full(n_ramp + n_after + 1, _THRESHOLD)))
    pre, post, state = (np.stack(part) for part in zip(*rows, strict=True))
    pre, post = (np.pad(rate, ((0, 0), (0, n_after))) for rate in (pre, post))
    return _with_spikes(key, config, pre, post, state, np.ones(n_ramp + n_after), config.n_ramp_trials, paired=True)


def on_drives(key: Key[Array, ""], config: PortraitConfig) -> Drives:
    """Return random drives as those of section 5.1, and what becomes of the middle bin."""
    middle = config.bins("reach_ms")
    n_bins = 2 * middle + 1
    draw = jax.jit(jax.vmap(lambda one: bounded_voltage(smooth_noise(one, n_bins + 1, config.width), _THRESHOLD)))
    pre, post = (
        np.asarray(draw(member_keys(named_key(key, side), config.n_sequences)), np.float64) for side in ("pre", "post")
    )
    rate = pre[:, :-1] - _THRESHOLD
    counted = np.ones(n_bins)
    drawn = _with_spikes(key, config, rate, post[:, :-1] - _THRESHOLD, post, counted, config.n_trains)
    active, silent = (_with_middle(drawn, middle, value) for value in (1, 0))
    near = slice(middle - config.window, middle + config.window + 1)
    lag = spikes.nearest_lag(active.pre_spikes[..., near], active.post_spikes[..., near], config.window)
    assert active.post_probability is not None
    law = spikes.lag_probability(jnp.asarray(active.post_probability[:, near], float), config.window, boundary="valid")
    return Drives(
        active,
        silent,
        post[:, middle + 1] - post[:, middle],
        np.asarray(lag)[..., config.window],
        np.asarray(law, np.float64)[:, 0],
    )


def _with_middle(record: Record, middle: int, value: int) -> Record:
    """Return a record with full presynaptic activity in its middle bin, or none."""
    changed = {}
    for name in ("pre_spikes", "pre_probability", "pre_rate"):
        changed[name] = getattr(record, name).copy()
        changed[name][..., middle] = value
    return record._replace(**changed)


def _with_spikes(
    key: Key[Array, ""],
    config: PortraitConfig,
    pre_rate: Float[np.ndarray, "setting time"],
    post_rate: Float[np.ndarray, "setting time"],
    state: Float[np.ndarray, "setting time_plus_one"],
    counted: Float[np.ndarray, "time"],
    n_trials: int,
    *,
    paired: bool = False,
) -> Record:
    """Return a record with spikes drawn at rates of 1 for `max_hz`, by the same random numbers for all settings or not.

    Differences between settings that share them are paired.
    """
    share = config.max_hz * config.bin_ms / 1000
    probabilities = pre_rate * share, post_rate * share
    shape = (len(pre_rate), n_trials, len(counted))
    drawn = []
    for side, probability in zip(("pre spikes", "post spikes"), probabilities, strict=True):
        own = named_key(key, side)
        rows = jnp.broadcast_to(jnp.asarray(probability, float)[:, None], shape)
        parts = [spikes.sample_spikes(own, row) for row in rows] if paired else spikes.sample_spikes(own, rows)
        drawn.append(np.asarray(parts))
    return Record(drawn[0], drawn[1], counted, *probabilities, pre_rate, state)
