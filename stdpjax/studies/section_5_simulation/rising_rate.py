"""Figure 2 left: what a rising postsynaptic rate does to the lags, and why spikes on both sides must cancel."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks, stats
from stdpjax.drives import ramp
from stdpjax.lab import Progress, Study, at_least, at_most, estimate, keep_estimate, within
from stdpjax.lab.settings import configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.rules import lag_kernel, mean_update, ramp_gain
from stdpjax.spikes import lag_probability, sample_spikes
from stdpjax.studies.measures import labelled, limits, merged, on_host, supports
from stdpjax.studies.protocol import ProtocolConfig, Sequences, exact_counts, make_sequences
from stdpjax.studies.section_5_simulation.lag_curves import mean_by_lag, sums_by_lag
from stdpjax.studies.section_5_simulation.rising_rate_figure import plot


@configuration
class RisingRateConfig:
    """Settings of the rising-rate study; probabilities per bin, times in bins."""

    window: int = setting(20, "longest lag on either side, in bins")
    probabilities: tuple[float, ...] = setting(
        (0.02, 0.05, 0.2), "postsynaptic spike probabilities per bin at the presynaptic spike", increasing=True
    )
    rises: tuple[float, ...] = setting(
        (0.0, 0.1, 0.45, 0.9), "rises in the window over the rate, the first 0", at_least=0, below=1, increasing=True
    )
    n_sequences: int = setting(500, "random rising rates and random drives", at_least=2)
    max_probability: float = setting(0.05, "spike probability per bin at rate 1 of the random drives", probability=True)
    tau: float = setting(10.0, "decay of the exponential lag kernel, in bins", above=0)

    def __post_init__(self) -> None:
        if self.rises[0] != 0:
            raise ValueError(f"rises: expected 0, a steady rate, and then others, got {self.rises}")
        for value in self.probabilities:
            _checks.number("probabilities", value, above=0, below=1 / (1 + self.rises[-1]))


def _gains(data: xr.Dataset, update: str = "mean_update") -> np.ndarray:
    """Return mean updates over slopes, `[probability, ramp]`, of the ramps that rise, the gentlest first."""
    return data[update].values[:, 1:] / data.slope.values[:, 1:]


CLAIMS = (
    supports(
        "sec2.2.after",
        "Smallest excess of the probability of a spike within d bins after over that before, over random rising rates.",
        criterion=at_least(1e-4),
        measure=lambda data: data.excess_after.min(),
        control=lambda data: data.excess_after_at_spike.min(),
        control_is="rates of the protocol that rise at the presynaptic spike, but not all through the window",
    ),
    supports(
        "sec2.2.one_spike",
        "Smallest probability, over random rising rates, that a spike which is the only one in the window lies after.",
        criterion=at_least(0.52),
        measure=lambda data: data.alone_after,
        control=lambda data: data.alone_after_at_spike,
        control_is="rates of the protocol that rise at the presynaptic spike, but not all through the window",
    ),
    supports(
        "sec2.2.falling",
        "Largest mean update over falling ramps under a kernel that is antisymmetric in time (exact).",
        criterion=at_most(-1e-4),
        measure=lambda data: data.falling_update[:, 1:].max(),
        control=lambda data: data.falling_update_hebb[:, 1:].max(),
        control_is="the same kernel without its sign: neurons that fire together strengthen, in whichever order",
    ),
    limits(
        "sec2.2.fitted",
        "Largest mean update over falling ramps under the published curve of Bi & Poo (exact).",
        criterion=at_least(1e-4),
        measure=lambda data: data.falling_update_bi_poo[:, 1:].max(),
        control=lambda data: data.falling_update_even[:, 1:].max(),
        control_is="that curve with each side scaled to the same area",
    ),
    supports(
        "sec2.2.gain",
        "Mean update over slope and closed-form gain on the gentlest ramp, at the highest spike probability (exact).",
        criterion=within(1.0, 0.05),
        measure=lambda data: _gains(data)[-1, 0] / data.gain[-1],
        control=lambda data: _gains(data)[-1, 0] / data.sparse_gain,
        control_is="the gain of rare spikes, which knows of no other spike in the window",
    ),
    supports(
        "sec2.2.faster",
        "That ratio on the steepest ramp.",
        criterion=at_least(1.5),
        measure=lambda data: _gains(data)[-1, -1] / data.gain[-1],
        control=lambda data: _gains(data)[0, -1] / data.gain[0],
        control_is="the lowest probability, where the update is in proportion to the slope",
    ),
    limits(
        "sec2.2.steep",
        "Mean update on the gentlest ramp at the highest probability over that on the steepest at the lowest (exact).",
        criterion=at_most(0.5),
        measure=lambda data: data.mean_update[-1, 1] / data.mean_update[0, -1],
        control=lambda data: data.slope[-1, 1] / data.slope[0, -1],
        control_is="an update that goes by the slope alone; the steepest at the lowest is the less steep one",
    ),
    limits(
        "sec2.2.conditional_lag",
        "Change of the mean lag of potentiating pairs from a flat to the steepest rate, at the sparsest rate (bins).",
        criterion=at_least(0.0),
        measure=lambda data: data.mean_lag[0, -1] - data.mean_lag[0, 0],
        control=lambda data: data.mean_lag[-1, -1] - data.mean_lag[-1, 0],
        control_is="the highest spike probability, at which the lag does become shorter",
        revised="It asked for 0.725 within 0.01, the number of an earlier run; the statement needs no more than that "
        "the lag does not become shorter.",
    ),
    supports(
        "sec2.2.soon",
        "Gain of the probability of a spike within half a window after, from a flat to the steepest rate, if sparse.",
        criterion=at_least(0.01),
        measure=lambda data: data.spike_soon[0, -1] - data.spike_soon[0, 0],
        control=lambda data: data.spike_near[0, -1] - data.spike_near[0, 0],
        control_is="a spike within half a window on either side: the nearest one need not come closer",
    ),
    supports(
        "sec2.2.longer",
        "Change of that lag at the highest spike probability if the nearest spike on either side counts, whether or "
        "not the other side has one (bins).",
        criterion=at_least(0.0),
        measure=lambda data: data.mean_lag_both[-1, -1] - data.mean_lag_both[-1, 0],
        control=lambda data: data.mean_lag[-1, -1] - data.mean_lag[-1, 0],
        control_is="the rule as stated",
    ),
    limits(
        "sec2.2.growth",
        "Mean update over slope on the steepest ramp over that on the gentlest, at the highest spike probability, if "
        "the nearest spike on either side counts (exact).",
        criterion=within(1.0, 0.05),
        measure=lambda data: np.divide(*_gains(data, "mean_update_both")[-1, [-1, 0]]),
        control=lambda data: np.divide(*_gains(data)[-1, [-1, 0]]),
        control_is="the rule as stated, under which it grows faster where spikes are frequent",
    ),
    supports(
        "sec2.2.cancellation",
        "Exact mean change of Eq 1 at lag 1 over that at lag 10 when spikes on both sides are paired all the same.",
        criterion=at_most(0.3),
        measure=lambda data: estimate(data, "jump_both_sides"),
        control=lambda data: data.jump_one_sided,
        control_is="the rule as stated",
    ),
)


def run(key: Key[Array, ""], config: RisingRateConfig, progress: Progress) -> xr.Dataset:
    """Compute the exact lag laws on ramps and on random rates."""
    progress(0.0, "exact lag laws on ramps")
    ramps = _on_ramps(config)
    progress(0.5, "random rates")
    sizes = {name: getattr(config, name) for name in ("n_sequences", "window", "max_probability")}
    drives = ProtocolConfig(**sizes, n_steps=max(160, config.window))
    sequences = make_sequences(named_key(key, "drives"), drives)
    rising = _rising_rates(named_key(key, "rising"), sequences, config)
    progress(0.7, "spikes on both sides")
    lags = np.arange(-config.window, config.window + 1)
    return merged(
        ramps,
        rising,
        _both_sides(named_key(key, "bootstrap"), sequences, drives),
        _example(named_key(key, "example"), config),
        probability=("probability", np.array(config.probabilities), {"units": "1/bin"}),
        rise=("rise", np.array(config.rises), {"units": "1", "long_name": "rise over the window, relative"}),
        distance=("distance", np.arange(1, config.window + 1), {"units": "bins"}),
        lag=("lag", lags, {"units": "bins", "long_name": "post minus pre"}),
        time=("time", lags, {"units": "bins"}),
    )


def _on_ramps(config: RisingRateConfig) -> xr.Dataset:
    """Return mean updates, gains and mean lags by the exact law of lags on each ramp."""
    window, cells = config.window, ("probability", "rise")
    distance, slopes = np.arange(1, window + 1), np.outer(config.probabilities, config.rises) / window
    pairs = zip(config.probabilities, slopes.tolist(), strict=True)
    ramps = jnp.stack([ramp(2 * window + 1, q, slope) for q, row in pairs for slope in row])
    shape = *slopes.shape, 2 * window + 1
    law = partial(lag_probability, ramps, window, boundary="valid")
    laws, both = (law(sides=sides).reshape(shape) for sides in ("one", "both"))
    kernel = lag_kernel("exponential", window, tau=config.tau)
    # A ramp that falls is one that rises, run backwards.
    bi_poo = lag_kernel("bi_poo", window)
    area = jnp.where(jnp.arange(2 * window + 1) < window, -jnp.sum(bi_poo[:window]), jnp.sum(bi_poo[window:]))
    kernels = {"": kernel, "_hebb": jnp.abs(kernel), "_bi_poo": bi_poo, "_even": bi_poo / area}
    falls = {f"falling_update{name}": mean_update(laws[..., ::-1], each) for name, each in kernels.items()}
    # Without the silence of all other bins: 2 sum of d kernel(d).
    sparse_gain = 2 * np.sum(distance * np.asarray(kernel[window + 1 :], np.float64))
    lags = [part @ distance / part.sum(-1) for part in (on_host(one)[..., window + 1 :] for one in (laws, both))]
    silent = 1 - np.asarray(ramps, np.float64).reshape(shape)
    half = max(1, window // 2)
    after, before = silent[..., window + 1 :][..., :half].prod(-1), silent[..., window - half : window].prod(-1)
    return merged(
        labelled(cells, mean_update=mean_update(laws, kernel), mean_update_both=mean_update(both, kernel)),
        labelled(cells, spike_soon=1 - after, spike_near=1 - after * before),
        labelled(cells, "bins", mean_lag=lags[0], mean_lag_both=lags[1]),
        labelled(cells, slope=slopes, **falls),
        labelled("probability", gain=[float(ramp_gain(q, kernel)) for q in config.probabilities]),
        labelled((), sparse_gain=sparse_gain),
    )


def _rising_rates(key: Key[Array, ""], sequences: Sequences, config: RisingRateConfig) -> xr.Dataset:
    """Return how much likelier a spike is after than before on rates that rise, throughout or at the spike alone."""
    window = config.window
    # Every bin rises, by up to 0.004 in an uneven way, so that no excess is 0 for want of a slope.
    increments = jax.vmap(lambda k: jax.random.uniform(k, (2 * window + 1,), dtype=float, minval=0.1))(
        member_keys(key, config.n_sequences)
    )
    rising = 0.01 + np.cumsum(np.asarray(increments, dtype=np.float64), axis=1) * min(4e-3, 0.5 / window)
    drives = np.asarray(sequences.post_probability, dtype=np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(drives, 2 * window + 1, axis=1)
    at_spike = windows[np.asarray(sequences.slope) > 0]
    found = [(_excess_after(rates, window), _alone_after(rates, window)) for rates in (rising, at_spike)]
    excess, alone = zip(*found, strict=True)
    return merged(
        labelled("distance", excess_after=excess[0], excess_after_at_spike=excess[1]),
        labelled((), alone_after=alone[0], alone_after_at_spike=alone[1]),
    )


def _both_sides(resampling: Key[Array, ""], sequences: Sequences, drives: ProtocolConfig) -> xr.Dataset:
    """Return the curve of Eq 1 by lag with spikes on one side paired, or on both, and its jump at lag 0."""
    near, far = drives.window + 1, drives.window + min(10, drives.window)

    def jump(change: np.ndarray, count: np.ndarray) -> np.ndarray:
        curve = mean_by_lag(change, count)
        return np.asarray(curve[..., near] / curve[..., far])

    counts = {sides: np.asarray(exact_counts(sequences, drives, sides), np.float64) for sides in ("one", "both")}
    one, both = (sums_by_lag(sequences.slope, table) for table in counts.values())
    total_one, total_both = ([part.sum(0) for part in sums] for sums in (one, both))
    return merged(
        labelled((), jump_one_sided=jump(*total_one)),
        labelled("lag", eq1_one_sided=mean_by_lag(*total_one), eq1_both_sides=mean_by_lag(*total_both)),
        xr.Dataset(keep_estimate("jump_both_sides", stats.bootstrap(resampling, jump, *both))),
    )


def _example(key: Key[Array, ""], config: RisingRateConfig) -> xr.Dataset:
    middle, window = config.probabilities[len(config.probabilities) // 2], config.window
    steepest = ramp(2 * window + 1, middle, middle * config.rises[-1] / window)
    spikes = jax.vmap(partial(sample_spikes, probability=steepest))(member_keys(key, 24))
    return labelled(("trial", "time"), example_spikes=spikes).assign(example_probability=("time", np.asarray(steepest)))


def _excess_after(probability: np.ndarray, window: int) -> np.ndarray:
    """Smallest excess, over rates, of P(spike within d bins after) over P(within d bins before)."""
    after = np.cumprod(1 - probability[:, window + 1 :], axis=1)
    before = np.cumprod(1 - probability[:, :window][:, ::-1], axis=1)
    return (before - after).min(axis=0)


def _alone_after(probability: np.ndarray, window: int) -> float:
    """Smallest probability, over rates, that a spike lies after, if it is the only one in the window."""
    odds = np.delete(probability / (1 - probability), window, axis=1)
    return float((odds[:, window:].sum(1) / odds.sum(1)).min())


STUDY = Study(
    name="rising_rate",
    title="Why it works: a rising rate",
    figure="Figure 2, left",
    source="Bengio et al. 2015, Figure 2 (left) and section 2.2",
    caption="Top: the paper's Figure 2 (left), with sampled spikes. A rising rate makes later spikes more likely and a "
    "steeper one the mean update larger. A steeper slope does not shorten the lag of the pairs that change the weight, "
    "unless the rate is high. Bottom right: if spikes on both sides did not cancel, the curve would not jump at lag 0.",
    config=RisingRateConfig(),
    smoke=dict(n_sequences=40),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
