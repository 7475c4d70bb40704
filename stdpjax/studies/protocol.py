"""The protocol of section 5.1: random rate sequences, their slopes, and lag counts, sampled and exact.

The paper fixes the window (20), the number of sequences (500), their length (160) and the spike trains for each
(1000). What it leaves open has a default here, and the reason is given with each field.
"""

import math
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from stdpjax import _checks, stats
from stdpjax.drives import DRIVES, bounded_voltage
from stdpjax.lab.settings import TRIALS, configuration, setting
from stdpjax.lab.study import Progress
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, hard_sigmoid
from stdpjax.rules import LAG_KERNELS, lag_kernel, mean_update, state_slope
from stdpjax.spikes import COINCIDENCES, expected_lag_counts, lag_probability, sample_lag_counts
from stdpjax.spikes.pairing import Boundary, Coincidence, Sides

Edges = Literal["padded", "valid", "silent"]
Voltage = Literal["bounded", "linear"]

# Settings by name that are traced in place of the configuration's numbers.
Values = Mapping[str, Float[Array, ""]]
NO_VALUES: Values = MappingProxyType({})

_THRESHOLD = -0.5
_BLOCKS = 10


@configuration
class ProtocolConfig:
    """Settings of the section 5.1 simulation; times in bins."""

    n_sequences: int = setting(500, "pairs of rate sequences", at_least=2)
    n_steps: int = setting(160, "length of a sequence, in bins")
    n_trials: int = setting(1000, "spike trains sampled for each sequence", **TRIALS)
    window: int = setting(20, "longest lag on either side, in bins")
    # 0.2 gives a decaying curve by lag, 0.05 the best agreement of the rules.
    max_probability: float = setting(0.2, "spike probability per bin at rate 1", probability=True)
    # Differentiable, stationary and with one time scale, so that the slope means something.
    drive: str = setting("smooth_noise", "random process behind the activities", choices=DRIVES)
    # Half a window: the mean slope is visible, and so is the decay with lag.
    width: float = setting(10.0, "time scale of the drive, in bins", above=0)
    voltage: Voltage = setting(
        "bounded",
        'activity from drive; "bounded" stays in the active region, "linear" leaves it',
        choices=get_args(Voltage),
    )
    # 0.6 saturates in 40 % of bins.
    voltage_scale: float = setting(
        0.2, 'standard deviation of the activity for voltage "linear"', only={"voltage": ("linear",)}, above=0
    )
    edges: Edges = setting(
        "padded",
        'ends of the record; "padded" simulates a window more on either side, "valid" counts complete windows only, '
        '"silent" assumes no spikes outside, which biases the ends',
        choices=get_args(Edges),
    )
    coincidence: Coincidence = setting(
        "skip", 'a spike at lag 0; "skip": it is closest, so no update, "ignore": looked past', choices=COINCIDENCES
    )
    kernel: str = setting("exponential", "lag kernel of the nearest-neighbour rule", choices=LAG_KERNELS)
    tau: float = setting(10.0, "decay of the exponential kernel, in bins", only={"kernel": ("exponential",)}, above=0)
    n_resamples: int = setting(1000, "bootstrap resamples of the sequences, for intervals", at_least=2)

    def __post_init__(self) -> None:
        _checks.window(self.window, self.n_steps)
        if self.drive == "leaky_ornstein_uhlenbeck":
            _checks.number("width", self.width, above=1)
        if self.edges == "valid" and self.n_steps < 2 * self.window + 1:
            raise ValueError(
                f"n_steps: expected at least {2 * self.window + 1} bins for edges='valid', got {self.n_steps}"
            )

    @property
    def boundary(self) -> Boundary:
        """How the spike functions treat the ends of the simulated record."""
        return "silent" if self.edges == "silent" else "valid"

    @property
    def n_simulated(self) -> int:
        """Length of the simulated record."""
        return self.n_steps + (2 * self.window if self.edges == "padded" else 0)


class Sequences(NamedTuple):
    """Rate sequences: over the simulated record, and over the bins whose presynaptic spikes are counted."""

    pre_probability: Float[Array, "sequence simulated"]
    post_probability: Float[Array, "sequence simulated"]
    pre_rate: Float[Array, "sequence time"]
    """rho(s_j) in the counted bins."""
    slope: Float[Array, "sequence time"]
    """Centred difference of the postsynaptic activity s_i, per bin: the counterpart of the two-sided window."""
    rate_slope: Float[Array, "sequence time"]
    """The same of the postsynaptic rate rho(s_i)."""
    activity: Float[Array, "sequence time"]
    """Postsynaptic activity s_i."""


def make_sequences(
    key: Key[Array, ""], config: ProtocolConfig, values: Values = NO_VALUES, rate_fn: RateFunction | None = None
) -> Sequences:
    """Draw the rate sequences of a configuration; sequence `i` has its own key whatever their number.

    Traced `values` stand in for settings of the same name. With a traced width `config.width` is the largest that may
    come, and the drives are others of the same law (see `stdpjax.drives.smooth_noise`). `rate_fn` None is the paper's.
    """
    pre = _activities(named_key(key, "pre"), config, values)
    post = _activities(named_key(key, "post"), config, values)
    rho = (rate_fn or hard_sigmoid(_THRESHOLD)).value
    pre_rate, post_rate = rho(pre), rho(post)
    edge = config.window if config.boundary == "valid" else 0
    counted = slice(edge, config.n_simulated - edge)
    max_probability = values.get("max_probability", config.max_probability)
    return Sequences(
        pre_probability=max_probability * pre_rate[:, 1:-1],
        post_probability=max_probability * post_rate[:, 1:-1],
        pre_rate=pre_rate[:, 1:-1][:, counted],
        slope=state_slope(post)[:, counted],
        rate_slope=state_slope(post_rate)[:, counted],
        activity=post[:, 1:-1][:, counted],
    )


def _activities(
    key: Key[Array, ""], config: ProtocolConfig, values: Values
) -> Float[Array, "sequence simulated_plus_two"]:
    keys = member_keys(key, config.n_sequences)
    n_steps = config.n_simulated + 2  # one bin more on either side, for the centred difference
    if "width" in values:
        options = {"support": math.ceil(4 * config.width)} if config.drive == "smooth_noise" else {}
        drives = jax.vmap(lambda key: DRIVES[config.drive](key, n_steps, values["width"], **options))(keys)
    else:
        drives = _draw(keys, config.drive, n_steps, config.width)
    if config.voltage == "linear":
        return values.get("voltage_scale", config.voltage_scale) * drives
    return bounded_voltage(drives, _THRESHOLD)


# Compiled once for each drive, length and width, however many configurations share them.
@partial(jax.jit, static_argnames=("drive", "n_steps", "width"))
def _draw(
    keys: Key[Array, "sequence"], drive: str, n_steps: int, width: float
) -> Float[Array, "sequence simulated_plus_two"]:
    return jax.vmap(lambda key: DRIVES[drive](key, n_steps, width))(keys)


def exact_counts(
    sequences: Sequences, config: ProtocolConfig, sides: Sides = "one"
) -> Float[Array, "sequence time lag"]:
    """Return the exact mean lag counts per trial in the counted bins."""
    rates = sequences.pre_probability, sequences.post_probability
    return expected_lag_counts(*rates, config.window, config.coincidence, sides=sides, boundary=config.boundary)


def sampled_counts(
    key: Key[Array, ""], sequences: Sequences, config: ProtocolConfig, progress: Progress
) -> Int[np.ndarray, "sequence time lag"]:
    """Sample the lag counts, block of sequences by block, so that progress shows and an interrupt is heard."""
    blocks = np.array_split(np.arange(config.n_sequences), min(_BLOCKS, config.n_sequences))
    counts = []
    for index, block in enumerate(blocks):
        progress(index / len(blocks), f"spike trains of sequence {block[0] + 1} of {config.n_sequences}")
        pre, post = (part[block[0] : block[-1] + 1] for part in (sequences.pre_probability, sequences.post_probability))
        options: dict[str, Any] = {"boundary": config.boundary, "first_sequence": int(block[0])}
        sampled = sample_lag_counts(key, pre, post, config.n_trials, config.window, config.coincidence, **options)
        counts.append(np.asarray(sampled))
    return np.concatenate(counts)


def kernel_of(config: ProtocolConfig, values: Values = NO_VALUES) -> Float[Array, "lag"]:
    """Return the lag kernel that a configuration names; `values` as in `make_sequences`."""
    parameters = {"tau": values.get("tau", config.tau)} if config.kernel == "exponential" else {}
    return lag_kernel(config.kernel, config.window, **parameters)


def update_per_spike(sequences: Sequences, config: ProtocolConfig) -> np.ndarray:
    """Return the exact mean nearest-neighbour update of each counted bin, given a presynaptic spike there."""
    law = lag_probability(sequences.post_probability, config.window, config.coincidence, boundary=config.boundary)
    return np.asarray(mean_update(law, kernel_of(config)), dtype=np.float64)


def slope_agreement(
    resample_key: Key[Array, ""], sequences: Sequences, update: np.ndarray, n_resamples: int
) -> stats.Estimate:
    """Return the correlations per bin of an update with ds/dt and with d rho/dt, and the second less the first."""
    sums = [*stats.pair_sums(sequences.slope, update), *stats.pair_sums(sequences.rate_slope, update)]

    def both(*sums: np.ndarray) -> np.ndarray:
        activity, rate = stats.correlation_of_sums(*sums[:6]), stats.correlation_of_sums(*sums[6:])
        return np.stack([activity, rate, rate - activity], axis=-1)

    return stats.bootstrap(resample_key, both, *sums, n_resamples=n_resamples)


def lags_of(config: ProtocolConfig) -> Int[np.ndarray, "lag"]:
    """Return the lags from -window to +window, in bins, as int array."""
    return np.arange(-config.window, config.window + 1)


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """Return a progress report that covers only the part from `start` to `end` of the whole."""

    def report(fraction: float, stage: str) -> None:
        progress(start + fraction * (end - start), stage)

    return report
