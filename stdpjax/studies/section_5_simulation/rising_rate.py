"""Figure 2 left: what a rising postsynaptic rate does to the lags, and why spikes on both sides must cancel."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax import _checks, stats
from stdpjax.drives import ramp
from stdpjax.lab import Claim, Estimate, Progress, Study, at_least, at_most, estimate, keep_estimate, within
from stdpjax.lab.settings import TRIALS, configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.rules import lag_kernel, mean_update, ramp_gain
from stdpjax.spikes import lag_probability, sample_lag_counts, sample_spikes
from stdpjax.studies.measures import labelled, largest_z, merged
from stdpjax.studies.protocol import ProtocolConfig, bisect_probability, exact_counts, make_sequences, part_of
from stdpjax.studies.section_5_simulation.rising_rate_figure import plot


@configuration
class RisingRateConfig:
    """Settings of the rising-rate study; probabilities per bin, times in bins."""

    window: int = setting(20, "longest lag on either side, in bins")
    probabilities: tuple[float, ...] = setting(
        (0.02, 0.05, 0.2), "postsynaptic spike probabilities per bin at the presynaptic spike", distinct=True
    )
    slopes: tuple[float, ...] = setting(
        (0.0, 2e-4, 5e-4, 9e-4), "rises of the spike probability per bin: 0 and then increasing", at_least=0
    )
    n_trials: int = setting(200_000, "presynaptic spikes sampled for each probability and slope", **TRIALS)
    n_sequences: int = setting(500, "random rising rates (T1) and random drives (T3)", at_least=2)
    max_probability: float = setting(
        0.05, "spike probability per bin at rate 1 of the random drives (T3)", probability=True
    )
    tau: float = setting(10.0, "decay of the exponential lag kernel, in bins", above=0)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if len(self.slopes) < 2 or self.slopes[0] != 0 or any(low >= high for low, high in pairwise(self.slopes)):
            raise ValueError(f"slopes: expected 0 and then increasing numbers, got {self.slopes}")
        reach = max(self.slopes) * self.window
        for value in self.probabilities:
            _checks.number("probabilities", value, above=reach, below=1 - reach)


# Mean lag given that exactly the right window has a spike, from an independent double-precision implementation.
REFERENCE = {
    (0.02, 0.0): 9.83,
    (0.02, 9e-4): 10.56,
    (0.05, 0.0): 8.82,
    (0.05, 9e-4): 9.03,
    (0.2, 0.0): 4.767,
    (0.2, 9e-4): 4.714,
}


def _share_positive(cell: xr.Dataset) -> Estimate:
    """Return the share of positive lags among those sampled on one ramp."""
    n_lags = float(cell.sampled_count.sum())
    share = float(cell.sampled_count.where(cell.lag > 0).sum()) / n_lags
    return stats.normal_interval(share, (share * (1 - share) / n_lags) ** 0.5)


def _middle(data: xr.Dataset) -> xr.Dataset:
    return data.isel(probability=data.probability.size // 2)


def _farthest_gain(data: xr.Dataset) -> float:
    ratio = (data.gain / data.gain_closed_form).values
    return float(ratio[np.argmax(np.abs(ratio - 1))])


def _lag_change(data: xr.Dataset) -> xr.DataArray:
    return data.mean_lag.isel(slope=-1) - data.mean_lag.isel(slope=0)


def _lag_z(data: xr.Dataset) -> float:
    return largest_z(data.sampled_mean_lag - data.mean_lag, data.sampled_mean_lag_error)


def _known(data: xr.Dataset) -> list[tuple[float, float]]:
    """Return the probabilities and slopes of which there are reference values."""
    return [(q, a) for q, a in REFERENCE if q in data.probability.values and a in data.slope.values]


def _deviation(data: xr.Dataset, lags: xr.DataArray) -> float:
    differences = [abs(float(lags.sel(probability=q, slope=a)) - REFERENCE[q, a]) for q, a in _known(data)]
    return max(differences, default=np.nan)


_MORE_AFTER = (
    "Postsynaptic spikes are more likely in a window following the presynaptic spike than in one preceding it."
)
_SHORTER = "A stronger slope also reduces the spike timing difference."

_steeper = partial(Claim, statement="Section 2.2")

CLAIMS = (
    Claim(
        "T1.more_after",
        "Smallest excess of the probability of a spike within d bins after over that before, over random rising rates.",
        statement="Section 2.2, Figure 2 left",
        criterion=at_least(1e-4),
        measure=lambda data: data.excess_after.min(),
        control=lambda data: data.excess_after_falling.min(),
        control_is="the same rates falling",
        bearing="supports",
    ),
    Claim(
        "T1.sampled",
        "Share of positive lags among sampled lags on a rising rate.",
        statement="Section 2.2, Figure 2 left",
        criterion=at_least(0.5),
        measure=lambda data: _share_positive(_middle(data).isel(slope=-1)),
        control=lambda data: _share_positive(_middle(data).isel(slope=0)).low,
        control_is="a flat rate (lower end of its interval)",
        bearing="supports",
    ),
    Claim(
        "T2.gain",
        "Mean update on a small ramp over slope, divided by the closed-form gain.",
        statement="Section 2.2",
        criterion=within(1.0, 1e-3),
        measure=_farthest_gain,
        control=lambda data: data.gain[0] / data.gain_closed_form[-1],
        control_is="the gain of another probability",
        bearing="supports",
        note="The ratio farthest from 1 over spike probabilities.",
    ),
    _steeper(
        "T2.latency",
        "Smallest gain, over d and slopes, in the probability that the next spike comes within d bins.",
        criterion=at_least(1e-5),
        measure=lambda data: data.spike_within.diff("slope").min(),
        control=lambda data: data.spike_within_falling.diff("slope").min(),
        control_is="rates that fall as steeply",
        bearing="limits",
    ),
    _steeper(
        "T2.conditional_lag",
        "Change of the mean lag of potentiating pairs from a flat to the steepest rate, at the sparsest rate (bins).",
        criterion=within(0.725, 0.01),
        measure=lambda data: _lag_change(data)[0],
        control=lambda data: _lag_change(data)[-1],
        control_is="the highest spike probability",
        bearing="refutes",
        note=lambda data: f"Largest |z| of the sampled mean lags: {_lag_z(data):.2f}.",
    ),
    _steeper(
        "T2.table",
        "Largest difference of the conditional mean lags from the reference values (bins).",
        criterion=at_most(0.01),
        measure=lambda data: _deviation(data, data.mean_lag),
        control=lambda data: _deviation(data, data.mean_lag.isel(slope=0).broadcast_like(data.mean_lag)),
        control_is="lags of the flat rate",
        bearing="refutes",
        note=lambda data: f"{len(_known(data))} values.",
    ),
    _steeper(
        "T2.critical_probability",
        "Spike probability above which a steeper rise does shorten the conditional mean lag.",
        criterion=within(0.105, 2e-3),
        measure=lambda data: data.critical_probability,
        control=lambda data: data.critical_probability_half_window,
        control_is="half the window",
        bearing="refutes",
    ),
    Claim(
        "T3.cancellation",
        "Mean change of Eq 1 at lag 1 over that at lag 10 when spikes on both sides are paired all the same.",
        statement="Section 2.2",
        criterion=at_most(0.3),
        measure=lambda data: estimate(data, "jump_both_sides"),
        control=lambda data: data.jump_one_sided,
        control_is="the rule as stated",
        bearing="supports",
        note="Exact for each sequence of rates.",
    ),
)


def run(key: Key[Array, ""], config: RisingRateConfig, progress: Progress) -> xr.Dataset:
    """Compute the exact lag laws on ramps, and sample them."""
    progress(0.0, "exact lag laws on ramps")
    laws = np.array([[_law_on_ramp(q, a, config.window) for a in config.slopes] for q in config.probabilities])
    exact = _on_ramps(laws.astype(np.float64), config)
    sampled = _sampled_on_ramps(named_key(key, "spikes"), config, part_of(progress, 0.1, 0.8))
    progress(0.8, "random rising rates")
    rising = _rising_rates(named_key(key, "rising"), config)
    progress(0.9, "spikes on both sides")
    both = _both_sides(named_key(key, "drives"), named_key(key, "bootstrap"), config)
    lags = np.arange(-config.window, config.window + 1)
    return merged(
        exact,
        sampled,
        rising,
        both,
        _example(named_key(key, "example"), config),
        probability=("probability", np.array(config.probabilities), {"units": "1/bin"}),
        slope=("slope", np.array(config.slopes), {"units": "1/bin^2"}),
        distance=("distance", np.arange(1, config.window + 1), {"units": "bins"}),
        lag=("lag", lags, {"units": "bins", "long_name": "post minus pre"}),
        time=("time", lags, {"units": "bins"}),
    )


_CELLS = ("probability", "slope")


def _on_ramps(laws: np.ndarray, config: RisingRateConfig) -> xr.Dataset:
    """Return mean updates, gains and mean lags by the exact law of lags on each ramp."""
    window, kernel = config.window, lag_kernel("exponential", config.window, tau=config.tau)
    gains = [float(jax.grad(lambda a, q=q: mean_update(_law(q, a, window), kernel))(0.0)) for q in config.probabilities]
    update = np.asarray(mean_update(laws, kernel), dtype=np.float64)
    closed = [float(ramp_gain(q, kernel)) for q in config.probabilities]
    critical = [_critical_probability(size) for size in (window, max(2, window // 2))]
    return merged(
        labelled((*_CELLS, "lag"), law=laws),
        labelled(_CELLS, mean_update=update),
        labelled(_CELLS, "bins", mean_lag=_conditional_mean_lag(laws)),
        labelled("probability", gain=gains, gain_closed_form=closed),
        labelled((), critical_probability=critical[0], critical_probability_half_window=critical[1]),
    )


def _sampled_on_ramps(key: Key[Array, ""], config: RisingRateConfig, progress: Progress) -> xr.Dataset:
    window, distance = config.window, np.arange(1, config.window + 1)
    counts = np.zeros((len(config.probabilities), len(config.slopes), 2 * window + 1))
    for index in np.ndindex(counts.shape[:2]):
        progress((index[0] * counts.shape[1] + index[1]) / counts[..., 0].size, "sampled lags on ramps")
        ramped = ramp(2 * window + 1, config.probabilities[index[0]], float(config.slopes[index[1]]))
        only_centre = jnp.zeros(2 * window + 1, ramped.dtype).at[window].set(1)
        cell_key = named_key(key, f"{index}")
        counts[index] = sample_lag_counts(cell_key, only_centre, ramped, config.n_trials, window, boundary="valid")[0]
    positive = counts[..., window + 1 :]
    mean, n = _conditional_mean_lag(counts), positive.sum(-1)
    error = np.sqrt((positive @ distance**2 / n - mean**2) / n)
    return merged(
        labelled(_CELLS, "bins", sampled_mean_lag=mean, sampled_mean_lag_error=error),
        labelled((*_CELLS, "lag"), sampled_count=counts),
    )


def _rising_rates(key: Key[Array, ""], config: RisingRateConfig) -> xr.Dataset:
    """Return how much likelier a spike is after than before on random rising rates, and how soon it comes on ramps."""
    window, slopes = config.window, np.array(config.slopes)
    # Every bin rises, by up to 0.004 in an uneven way, so that no excess is 0 for want of a slope.
    increments = jax.vmap(lambda k: jax.random.uniform(k, (2 * window + 1,), dtype=float, minval=0.1))(
        member_keys(key, config.n_sequences)
    )
    rising = 0.01 + np.cumsum(np.asarray(increments, dtype=np.float64), axis=1) * min(4e-3, 0.5 / window)
    return merged(
        labelled(
            "distance",
            excess_after=_excess_after(rising, window),
            excess_after_falling=_excess_after(rising[:, ::-1], window),
        ),
        labelled(
            (*_CELLS, "distance"),
            spike_within=_spike_within(config, slopes),
            spike_within_falling=_spike_within(config, -slopes),
        ),
    )


def _both_sides(key: Key[Array, ""], resampling: Key[Array, ""], config: RisingRateConfig) -> xr.Dataset:
    """Return the curve of Eq 1 by lag with spikes on one side paired, or on both, and its jump at lag 0."""
    window = config.window
    drives = ProtocolConfig(
        n_sequences=config.n_sequences, window=window, max_probability=config.max_probability, n_steps=max(160, window)
    )
    sequences = make_sequences(key, drives)
    slope = np.asarray(sequences.slope, dtype=np.float64)
    near, far = window + 1, window + min(10, window)

    def jump(change: np.ndarray, count: np.ndarray) -> np.ndarray:
        return np.asarray(change[..., near] / count[..., near] / (change[..., far] / count[..., far]))

    curves, jumps = {}, {}
    for sides in ("one", "both"):
        counts = np.asarray(exact_counts(sequences, drives, sides), dtype=np.float64)
        sums = (np.einsum("st,stl->sl", slope, counts), counts.sum(1))
        with np.errstate(invalid="ignore"):
            curves[sides] = sums[0].sum(0) / sums[1].sum(0)
        jumps[sides] = stats.bootstrap(resampling, jump, *sums)
    return xr.Dataset(
        {
            "jump_one_sided": jumps["one"].value,
            **keep_estimate("jump_both_sides", jumps["both"]),
            "eq1_one_sided": ("lag", curves["one"]),
            "eq1_both_sides": ("lag", curves["both"]),
        }
    )


def _example(key: Key[Array, ""], config: RisingRateConfig) -> xr.Dataset:
    """Draw spikes on the steepest ramp."""
    probabilities = config.probabilities
    steepest = ramp(2 * config.window + 1, probabilities[len(probabilities) // 2], float(config.slopes[-1]))
    spikes = jax.vmap(lambda k: sample_spikes(k, steepest))(member_keys(key, 24))
    return xr.Dataset(
        {
            "example_spikes": (("trial", "time"), np.asarray(spikes)),
            "example_probability": ("time", np.asarray(steepest)),
        }
    )


def _conditional_mean_lag(law: np.ndarray) -> np.ndarray:
    """Return the mean lag, from probabilities or counts, given that only the right window has a spike."""
    window = law.shape[-1] // 2
    positive = law[..., window + 1 :]
    return np.asarray(positive @ np.arange(1, window + 1) / positive.sum(-1))


def _critical_probability(window: int) -> float:
    """Return the spike probability at which a small slope leaves the conditional mean lag unchanged, by bisection."""
    distance = jnp.arange(1, window + 1, dtype=float)

    @jax.jit
    def change(probability: Float[Array, ""]) -> Float[Array, ""]:
        def mean_lag(slope: Float[Array, ""]) -> Float[Array, ""]:
            positive = _law(probability, slope, window)[window + 1 :]
            return positive @ distance / positive.sum()

        return jax.grad(mean_lag)(jnp.zeros(()))

    return bisect_probability(change)


def _law(probability: float | Array, slope: float | Array, window: int) -> Float[Array, "lag"]:
    """Law of the lag of a presynaptic spike in the middle of a ramp."""
    time = jnp.arange(-window, window + 1, dtype=float)
    return lag_probability(probability + slope * time, window, boundary="valid")[0]


def _law_on_ramp(probability: float, slope: float, window: int) -> np.ndarray:
    return np.asarray(_law(probability, slope, window))


def _spike_within(config: RisingRateConfig, slopes: np.ndarray) -> np.ndarray:
    """Probability that the next spike comes within d bins, `[probability, slope, distance]`."""
    distance = np.arange(1, config.window + 1)
    probability = np.array(config.probabilities)[:, None, None] + slopes[None, :, None] * distance[None, None, :]
    return 1 - np.cumprod(1 - probability, axis=-1)


def _excess_after(probability: np.ndarray, window: int) -> np.ndarray:
    """Smallest excess, over sequences, of P(spike within d bins after) over P(within d bins before)."""
    after = np.cumprod(1 - probability[:, window + 1 :], axis=1)
    before = np.cumprod(1 - probability[:, :window][:, ::-1], axis=1)
    return (before - after).min(axis=0)


STUDY = Study(
    name="rising_rate",
    title="Why it works: a rising rate",
    figure="Figure 2, left",
    source="Bengio et al. 2015, Figure 2 (left) and section 2.2",
    caption="Top left: the paper's Figure 2 (left), with sampled spikes. A rising rate makes later spikes more likely "
    "(T1) and a steeper one a larger mean update (T2, first half). The second half of T2, that a steeper slope "
    "shortens the lag, is false for the pairs that change the weight, unless the rate is high. Bottom right: without "
    "the cancellation of both-sided spikes the curve would not jump at lag 0 (T3).",
    config=RisingRateConfig(),
    smoke=dict(n_trials=2000, n_sequences=40),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
