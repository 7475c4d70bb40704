"""The experiment that the paper calls for: constant, rising and falling postsynaptic rates under each rule."""

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax.lab import Progress, Study, at_least, estimate, keep_estimate, within
from stdpjax.lab.settings import configuration, setting
from stdpjax.power import sample_size, simulate_experiments, t_test_alarms, t_test_power
from stdpjax.protocols import COURSES
from stdpjax.random import named_key
from stdpjax.stats import Estimate, bootstrap, wilson_interval
from stdpjax.studies.measures import labelled, limits, merged, on_device, supports
from stdpjax.studies.section_9_predictions import prediction_rules as rules
from stdpjax.studies.section_9_predictions.prediction_protocols_figure import plot

Floats = NDArray[np.float64]
CONSTANT, RISING, FALLING = (COURSES.index(course) for course in ("constant", "rising", "falling"))
# More cells than an experiment has; stands for all larger numbers.
MOST_CELLS = 10**6
# The rule whose experiments are simulated, and the least and largest number of cells drawn in each arm.
SIMULATED = "windowed"
_N_DRAWN = (256, 2000)
_WORDS = "change as a share of the weight"


@configuration
class PredictionProtocolsConfig:
    """Settings of the predicted experiment; bins of 1 ms."""

    pre_hz: float = setting(20.0, "presynaptic rate in Hz", above=0, at_most=1000)
    low_hz: float = setting(5.0, "lowest postsynaptic rate of the ramps in Hz", at_least=0)
    high_hz: float = setting(45.0, "highest one, above the lowest", at_most=1000)
    duration_ms: float = setting(400.0, "length of a ramp in ms, a whole number", at_least=2)
    rest_ms: float = setting(500.0, "silence after each ramp in ms, a whole number", at_least=400)
    n_repeats: int = setting(100, "ramps in each cell", at_most=10_000)
    amplitude: float = setting(0.013, "relative change by a pair under the antisymmetric windows", above=0)
    tau: float = setting(10.0, "their time constant in ms", at_least=1, at_most=20)
    window: int = setting(20, "longest lag of the windowed rule in ms")
    between_cells: float = setting(0.25, "relative standard deviation of cells under the same spikes", above=0)
    power: float = setting(0.8, "wanted probability of finding an effect at the level of 5 %", above=0.05, below=1)
    n_cells: int = setting(200, "cells sampled in each arm", at_least=20, at_most=10**5)
    n_experiments: int = setting(5000, "experiments simulated", at_least=10, at_most=10**6)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _checks.number("high_hz", self.high_hz, above=self.low_hz)
        for name in ("duration_ms", "rest_ms"):
            if getattr(self, name) != round(getattr(self, name)):
                raise ValueError(f"{name}: expected a whole number of ms, got {getattr(self, name):g}")
        if self.window > self.duration_ms:
            raise ValueError(f"window: expected at most the ramp's {self.duration_ms:g} ms, got {self.window}")


def _share_found(data: xr.Dataset, name: str) -> Estimate:
    n_found, n = int(data[name]), int(data.n_experiments)
    return Estimate(n_found / n, *wilson_interval(n_found, n))


def _published(data: xr.Dataset) -> xr.DataArray:
    """Return the power to find a change at a constant rate under published rules."""
    return data.power_constant.sel(rule=list(rules.PUBLISHED))


def _cells(data: xr.Dataset) -> str:
    d, low, high = estimate(data.sel(rule=SIMULATED), "contrast_d")[:3]
    return (
        f"{int(data.n_stated)} cells in each arm for d = {d:.2f} ({low:.2f} … {high:.2f} in {int(data.n_cells)} "
        f"cells), standard deviation between cells {float(data.between_cells):g}."
    )


CLAIMS = (
    supports(
        "sec9.others",
        "Power to find a change at a constant rate with the stated number of cells, median of five published rules of "
        "pairs, triplets and suppression.",
        criterion=at_least(0.8),
        measure=lambda data: _published(data).median(),
        control=lambda data: data.power_constant.sel(rule=list(rules.SYMMETRIC)).max(),
        control_is="of six rules without change at a constant rate, the paper's among them, that which is found most",
        note=lambda data: f"Least: {_published(data).idxmin('rule').item()}, {float(_published(data).min()):.1%}.",
    ),
    limits(
        "sec9.constant",
        "Power to find with as many cells a change at a constant rate under the nearest-neighbour rule of section 5 "
        "with the window of Bi & Poo, whose sides differ.",
        criterion=at_least(0.8),
        measure=lambda data: data.power_constant.sel(rule="windowed_bi_poo"),
        control=lambda data: data.power_constant.sel(rule=SIMULATED),
        control_is="the same rule with equal sides",
    ),
    supports(
        "sec9.cells",
        "Share of simulated experiments that tell rising from falling under the same rule, with that number of cells.",
        criterion=within(0.8, 0.03),
        measure=lambda data: _share_found(data, "n_found_stated"),
        control=lambda data: _share_found(data, "n_found_half").value,
        control_is="half as many cells",
        note=_cells,
    ),
)


def run(key: Key[Array, ""], config: PredictionProtocolsConfig, progress: Progress) -> xr.Dataset:
    """Compute and sample the three arms under each rule, and simulate experiments with the paper's."""
    progress(0.0, "exact means")
    protocol = rules.make_protocol(config)
    exact = rules.exact_changes(config, protocol)
    progress(0.2, "spikes")
    cells = rules.draw_cells(named_key(key, "cells"), protocol, config.n_cells, config.window)
    progress(0.5, "rules")
    sampled = rules.sampled_changes(config, protocol, cells)
    by_spikes = np.stack([sampled.get(name, np.repeat(row[:, None], config.n_cells, 1)) for name, row in exact.items()])
    means = np.stack([*exact.values()])
    progress(0.8, "effect sizes")
    sizes = _effect_sizes(key, means, by_spikes, config)
    progress(0.9, "experiments")
    return merged(
        labelled(("course", "time"), "Hz", post_hz=1000 * np.asarray(protocol.repeat[1], np.float64)),
        labelled(("rule", "course"), "1", exact=(means, _WORDS), spike_sd=(by_spikes.std(axis=-1, ddof=1), _WORDS)),
        sizes,
        _simulated(key, means, by_spikes, sizes, config),
        rule=list(rules.NAMES),
        course=list(COURSES),
        n_cells=((), config.n_cells, {"units": "cells in each arm"}),
        n_experiments=((), config.n_experiments, {"units": "experiments"}),
        between_cells=((), config.between_cells, {"units": "1", "long_name": "standard deviation of cells"}),
        time=("time", np.arange(-1, protocol.n_ramp + 1) + 0.5, {"units": "ms"}),
    )


def _contrast(mean: Floats, deviation: Floats) -> Floats:
    """Return Cohen's d of rising against falling, from mean and standard deviation of each arm, the last axis."""
    pooled = np.sqrt((deviation[..., RISING] ** 2 + deviation[..., FALLING] ** 2) / 2)
    return (mean[..., RISING] - mean[..., FALLING]) / pooled


def _statistics_of_sums(n: Floats, total: Floats, squares: Floats) -> Floats:
    """Return the mean of each arm and d of the contrast, along the last axis, from sums over cells."""
    n = n[..., None, None]
    mean = total / n
    contrast = _contrast(mean, np.sqrt((squares - n * mean**2) / (n - 1)))
    return np.concatenate([mean, contrast[..., None]], axis=-1)


def _effect_sizes(
    key: Key[Array, ""], means: Floats, by_spikes: Floats, config: PredictionProtocolsConfig
) -> xr.Dataset:
    """Return effect sizes, true and as seen in the sampled cells, and the numbers of cells that they take."""
    noise = np.asarray(jax.random.normal(named_key(key, "between cells"), by_spikes.shape[1:]), np.float64)
    seen = np.moveaxis(by_spikes + config.between_cells * noise, -1, 0)
    found = np.array(
        bootstrap(named_key(key, "resampling"), _statistics_of_sums, np.ones(len(seen)), seen, seen**2)[:3]
    )
    observed, contrast = Estimate(*found[..., :-1]), Estimate(*found[..., -1])
    deviation = np.hypot(by_spikes.std(axis=-1, ddof=1), config.between_cells)
    alone, true = (means / deviation)[:, CONSTANT], _contrast(means, deviation)

    def cells(effect: Floats, n_groups: int) -> tuple:
        numbers = [min(sample_size(float(d), config.power, n_groups=n_groups), MOST_CELLS) for d in effect]
        return "rule", np.array(numbers), {"units": "cells in each arm", "most": MOST_CELLS}

    return merged(
        xr.Dataset({"cells_constant": cells(alone, 1), "cells_contrast": cells(true, 2)}),
        xr.Dataset(keep_estimate("observed", observed, ("rule", "course"), units="1", long_name=_WORDS)),
        xr.Dataset(keep_estimate("contrast_d", contrast, "rule", value="_observed", units="1")),
        labelled("rule", "1", contrast_d=(true, "Cohen's d of rising against falling"), constant_d=alone),
    )


def _simulated(
    key: Key[Array, ""], means: Floats, by_spikes: Floats, sizes: xr.Dataset, config: PredictionProtocolsConfig
) -> xr.Dataset:
    """Simulate experiments with the windowed rule, and count those that find something."""
    row = rules.NAMES.index(SIMULATED)
    least, most = _N_DRAWN
    n_stated = int(min(sizes.cells_contrast[row], most))
    own = named_key(named_key(key, "experiments"), SIMULATED)
    parts = means[row], by_spikes[row] - by_spikes[row].mean(axis=-1, keepdims=True)
    mean, away = map(on_device, parts)
    drawn = simulate_experiments(own, mean, away, config.between_cells, max(least, n_stated), config.n_experiments)
    drawn = np.asarray(drawn, np.float64)

    def n_found(n: int) -> int:
        return int(t_test_alarms(drawn[RISING, :, :n], drawn[FALLING, :, :n]).sum())

    at_constant = t_test_power(sizes.constant_d.values, n_stated)
    return merged(
        labelled("rule", power_constant=(at_constant, "power to find a change at a constant rate")),
        labelled((), "experiments", n_found_stated=n_found(n_stated), n_found_half=n_found(max(2, n_stated // 2))),
        labelled((), "cells in each arm", n_stated=n_stated),
    )


STUDY = Study(
    name="prediction_protocols",
    title="The experiment that the paper calls for",
    figure="The predicted experiment",
    source="Bengio et al. 2015, sections 3.2 and 9",
    caption="Constant, rising and falling postsynaptic rates with the same mean, at a fixed presynaptic rate: what "
    "each rule changes, and how many cells it takes to see that. Under the paper's rule a constant rate changes "
    "nothing; asymmetric windows, triplets and suppression change as much then as with a slope. Rising less falling "
    "leaves what follows the slope. Changes add up without bounds.",
    config=PredictionProtocolsConfig(),
    smoke=dict(n_repeats=10, n_cells=20, n_experiments=50),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
