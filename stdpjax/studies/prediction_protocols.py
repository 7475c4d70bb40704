"""The experiment that the paper calls for: constant, rising and falling postsynaptic rates under each rule."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax.power import sample_size, t_test_power
from stdpjax.protocols import COURSES
from stdpjax.random import named_key
from stdpjax.rules import presets
from stdpjax.stats import bootstrap, wilson_interval
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.figures.prediction_protocols import plot
from stdpjax.studies.prediction_claims import CLAIMS
from stdpjax.studies.prediction_experiments import (
    CONSTANT,
    FALLING,
    RISING,
    alarms,
    effects,
    experiments,
    statistics_of_sums,
)
from stdpjax.studies.prediction_rules import (
    ASYMMETRIC,
    NAMES,
    PUBLISHED,
    SPIKING,
    SYMMETRIC,
    draw_cells,
    exact_changes,
    make_protocol,
    pair_law,
    per_pair,
    sampled_changes,
)
from stdpjax.studies.settings import setting

Floats = NDArray[np.float64]
# More cells than an experiment has; stands for all larger numbers.
MOST_CELLS = 10**6
# Rules whose experiments are simulated, and with how many cells in each arm.
SIMULATED = ("windowed", "all_to_all", "bi_poo")
SIZES = (4, 8, 16, 32, 64, 128, 256)
_MOST_SIMULATED = 2000


@dataclasses.dataclass(frozen=True)
class PredictionProtocolsConfig:
    """Settings of the predicted experiment; bins of 1 ms."""

    pre_hz: float = setting(20.0, "presynaptic rate in Hz, above 0")
    low_hz: float = setting(5.0, "lowest postsynaptic rate of the ramps in Hz, at least 0")
    high_hz: float = setting(45.0, "highest one, above the lowest")
    duration_ms: float = setting(400.0, "length of a ramp in ms, a whole number")
    rest_ms: float = setting(500.0, "silence after each ramp in ms, a whole number of at least 400")
    n_repeats: int = setting(100, "ramps in each cell")
    amplitude: float = setting(0.013, "change by a pair, as a share of the weight, of the antisymmetric windows")
    tau: float = setting(10.0, "their time constant in ms, from 1 to 20")
    window: int = setting(20, "longest lag of the windowed rule in ms")
    between_cells: float = setting(
        0.25, "standard deviation of cells under the same spikes, as a share of the weight, above 0"
    )
    power: float = setting(0.8, "wanted probability of finding an effect at the level of 5 %, in (0.05, 1)")
    n_cells: int = setting(200, "cells sampled in each arm")
    n_experiments: int = setting(5000, "experiments simulated")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        _checks.number("amplitude", self.amplitude, above=0)
        _checks.number("tau", self.tau, at_least=1, at_most=20)
        _checks.number("pre_hz", self.pre_hz, above=0, at_most=1000)
        _checks.number("low_hz", self.low_hz, at_least=0)
        _checks.number("high_hz", self.high_hz, above=self.low_hz, at_most=1000)
        _checks.number("between_cells", self.between_cells, above=0)
        _checks.number("power", self.power, above=0.05, below=1)
        for name, least in (("duration_ms", 2), ("rest_ms", 400)):
            value = _checks.number(name, getattr(self, name), at_least=least)
            if value != round(value):
                raise ValueError(f"{name}: expected a whole number of ms, got {value:g}")
        if _checks.window(self.window) > self.duration_ms:
            raise ValueError(f"window: expected at most the ramp's {self.duration_ms:g} ms, got {self.window}")
        for name, least, most in (
            ("n_repeats", 1, 10_000), ("n_cells", 20, 10**5), ("n_experiments", 10, 10**6),
        ):  # fmt: skip
            _checks.count(name, getattr(self, name), minimum=least, maximum=most)


def run(key: Key[Array, ""], config: PredictionProtocolsConfig, progress: Progress) -> xr.Dataset:
    """Compute and sample the three arms under each rule, and simulate experiments with a few of them."""
    progress(0.0, "exact means")
    protocol = make_protocol(config)
    exact = exact_changes(config, protocol)
    progress(0.2, "spikes")
    cells = draw_cells(named_key(key, "cells"), protocol, config.n_cells, config.window)
    progress(0.5, "rules")
    sampled = sampled_changes(config, protocol, cells)
    nothing = np.zeros((len(COURSES), config.n_cells))
    by_spikes = np.stack([sampled.get(name, exact[name][:, None] + nothing) for name in NAMES])
    means, spike_sd = np.stack([exact[name] for name in NAMES]), by_spikes.std(axis=-1, ddof=1)

    progress(0.8, "effect sizes")
    noise = np.asarray(jax.random.normal(named_key(key, "between cells"), nothing.shape), np.float64)
    observed = np.moveaxis(by_spikes + config.between_cells * noise, -1, 0)
    estimate = bootstrap(
        named_key(key, "resampling"), statistics_of_sums, np.ones(config.n_cells), observed, observed**2
    )  # fmt: skip
    true = effects(means, np.hypot(spike_sd, config.between_cells))
    needed = {
        "constant": [sample_size(float(d), config.power) for d in true.arms[:, CONSTANT]],
        "contrast": [sample_size(float(d), config.power, n_groups=2) for d in true.contrast],
    }
    counts = {name: np.minimum(values, MOST_CELLS) for name, values in needed.items()}

    progress(0.9, "experiments")
    n_stated = int(min(counts["contrast"][NAMES.index(SIMULATED[0])], _MOST_SIMULATED))
    n_half = max(2, n_stated // 2)
    found = {}
    for name in SIMULATED:
        row = NAMES.index(name)
        residual = by_spikes[row] - by_spikes[row].mean(axis=-1, keepdims=True)
        drawn = np.asarray(
            experiments(
                named_key(named_key(key, "experiments"), name),
                jnp.asarray(means[row], float),
                jnp.asarray(residual, float),
                config.between_cells,
                max(*SIZES, n_stated),
                config.n_experiments,
            ),
            np.float64,
        )
        found[name] = [
            *(alarms(drawn[RISING, :, :n], drawn[FALLING, :, :n]).sum() for n in (*SIZES, n_stated, n_half)),
            alarms(drawn[CONSTANT, :, :n_stated]).sum(),
        ]
    n_found = np.stack([found[name] for name in SIMULATED])
    error = spike_sd / math.sqrt(config.n_cells)
    spiking = [NAMES.index(name) for name in SPIKING]
    share = {"units": "1", "long_name": "change as a share of the weight"}
    cohen = {"units": "1", "long_name": "Cohen's d"}
    n_arms = len(COURSES)
    simulated_d = true.contrast[[NAMES.index(name) for name in SIMULATED]]
    return xr.Dataset(
        {
            "post_hz": (("course", "time"), 1000 * np.asarray(protocol.repeat[1], np.float64), {"units": "Hz"}),
            "exact": (("rule", "course"), means, share),
            "spike_sd": (("rule", "course"), spike_sd, share),
            "sampled": (("rule", "course"), by_spikes.mean(axis=-1), share),
            "z": (
                ("spiking_rule", "course"),
                ((by_spikes.mean(axis=-1) - means)[spiking] / error[spiking]),
                {"units": "standard errors", "long_name": "sampled less exact mean"},
            ),
            "z_swapped": (
                ("spiking_rule", "course"),
                ((by_spikes.mean(axis=-1) - means[:, [CONSTANT, FALLING, RISING]])[spiking] / error[spiking]),
                {"units": "standard errors", "long_name": "the same with the exact means of the other ramp"},
            ),
            "observed": (("rule", "course"), estimate.value[:, :n_arms], share),
            "observed_low": (("rule", "course"), estimate.low[:, :n_arms], share),
            "observed_high": (("rule", "course"), estimate.high[:, :n_arms], share),
            "d": (("rule", "course"), true.arms, cohen),
            "d_observed": (("rule", "course"), estimate.value[:, n_arms:-1], cohen),
            "d_low": (("rule", "course"), estimate.low[:, n_arms:-1], cohen),
            "d_high": (("rule", "course"), estimate.high[:, n_arms:-1], cohen),
            "contrast_d": (("rule",), true.contrast, cohen),
            "contrast_d_observed": (("rule",), estimate.value[:, -1], cohen),
            "contrast_d_low": (("rule",), estimate.low[:, -1], cohen),
            "contrast_d_high": (("rule",), estimate.high[:, -1], cohen),
            "cells_constant": (("rule",), counts["constant"], {"units": "cells", "most": MOST_CELLS}),
            "cells_contrast": (("rule",), counts["contrast"], {"units": "cells in each arm", "most": MOST_CELLS}),
            "power_exact": (
                ("simulated_rule", "cells"),
                t_test_power(simulated_d[:, None], np.array(SIZES), n_groups=2),
            ),
            "n_found": (("simulated_rule", "cells"), n_found[:, : len(SIZES)], {"units": "experiments"}),
            "n_found_stated": (("simulated_rule",), n_found[:, -3]),
            "n_found_half": (("simulated_rule",), n_found[:, -2]),
            "n_false": (("simulated_rule",), n_found[:, -1]),
            "n_stated": ((), n_stated, {"units": "cells in each arm"}),
        },
        coords={
            "rule": list(NAMES),
            "spiking_rule": list(SPIKING),
            "simulated_rule": list(SIMULATED),
            "course": list(COURSES),
            "cells": ("cells", np.array(SIZES), {"units": "cells in each arm"}),
            "time": ("time", np.arange(-1, protocol.n_ramp + 1) + 0.5, {"units": "ms"}),
        },
    )  # fmt: skip


def share_off(changes: xr.DataArray) -> xr.DataArray:
    """Return what does not follow the slope, over what does: at a constant rate, or left by both ramps together."""
    constant, rising, falling = (changes.sel(course=course) for course in COURSES)
    left = abs(rising + falling) / 2
    return xr.where(abs(constant) > left, abs(constant), left) / (abs(rising - falling) / 2)


def contrast_over_law(data: xr.Dataset, config: PredictionProtocolsConfig) -> tuple[Floats, float]:
    """Return rising less falling over the closed form for three windows, and the same of the Bi & Poo rising arm."""
    windows = {"all_to_all": ((config.amplitude, config.amplitude), (config.tau, config.tau))}
    for name in ("bi_poo", "song"):
        (plus, minus), taus = per_pair(name).values(), presets[PUBLISHED[name]].parameters
        windows[name] = ((plus, minus), (taus["tau_plus"], taus["tau_minus"]))
    laws = np.stack([pair_law(*window, config) for window in windows.values()])
    odd = laws[:, RISING] - laws[:, FALLING]
    exact = data.exact.sel(rule=list(windows))
    ratio = (exact.sel(course="rising") - exact.sel(course="falling")).values / odd
    return ratio, float(2 * exact.sel(rule="bi_poo", course="rising")) / odd[1]


def judge(data: xr.Dataset, config: PredictionProtocolsConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    off = share_off(data.exact.sel(rule=[*SYMMETRIC, *ASYMMETRIC]))
    sampled = data.sel(rule=[name for name in SPIKING if name in (*SYMMETRIC, "hebb")])
    ramps = {course: sampled.sel(course=course) for course in ("rising", "falling")}
    error = np.hypot(*(ramp.spike_sd / math.sqrt(config.n_cells) for ramp in ramps.values()))
    slope_z = (ramps["rising"].sampled - ramps["falling"].sampled) / error
    ratio, rising_alone = contrast_over_law(data, config)
    farthest = int(np.argmax(np.abs(ratio - 1)))
    n, n_stated = config.n_experiments, int(data.n_stated)
    paper, bi_poo = data.sel(simulated_rule="windowed"), data.sel(simulated_rule="bi_poo")
    needed = data.sel(rule="windowed")
    asymmetric = off.sel(rule=list(ASYMMETRIC))
    least = int(np.argmin(asymmetric.values))
    return {
        "PP.prediction": Measurement(
            float(off.sel(rule=list(SYMMETRIC)).max()),
            control=float(asymmetric.sel(rule="nearest_symmetric")),
            note="Control: nearest symmetric pairs, with the same antisymmetric window.",
        ),
        "PP.slope": Measurement(
            float(slope_z.drop_sel(rule="hebb").min()),
            control=float(slope_z.sel(rule="hebb")),
            note=f"{config.n_cells} cells in each arm. Control: Hebb, which sees the mean rates alone.",
        ),
        "PP.sampled": Measurement(
            float(np.abs(data.z).max()),
            control=float(np.abs(data.z_swapped).max()),
            note=f"{data.z.size} means. Control: exact means of the other ramp.",
        ),
        "PP.fails": Measurement(
            float(asymmetric[least]),
            control=float(off.sel(rule="windowed")),
            note=f"Least: {asymmetric.rule.values[least]}. Control: the paper's windowed rule.",
        ),
        "PP.contrast": Measurement(
            float(ratio[farthest]),
            control=rising_alone,
            note="Control: the rising arm alone, under the window of Bi & Poo.",
        ),
        "PP.cells": Measurement(
            int(paper.n_found_stated) / n,
            wilson_interval(int(paper.n_found_stated), n),
            int(paper.n_found_half) / n,
            f"{n_stated} cells in each arm for d = {float(needed.contrast_d):.2f} "
            f"({float(needed.contrast_d_low):.2f} … {float(needed.contrast_d_high):.2f} in {config.n_cells} cells), "
            f"standard deviation between cells {config.between_cells:g}. Control: half as many cells.",
        ),
        "PP.false_alarms": Measurement(
            int(paper.n_false) / n,
            wilson_interval(int(paper.n_false), n),
            int(bi_poo.n_false) / n,
            f"{n_stated} cells. Control: all-to-all pairs with the window of Bi & Poo, for which "
            f"{float(data.cells_constant.sel(rule='bi_poo')):.0f} cells suffice.",
        ),
    }


STUDY = Study(
    name="prediction_protocols",
    title="The experiment that the paper calls for",
    figure="The predicted experiment",
    source="Bengio et al. 2015, sections 3.2 and 9",
    caption="Constant, rising and falling postsynaptic rates with the same mean, at a fixed presynaptic rate: what "
    "each rule changes, and how many cells it takes to see that. Under the paper's rule a constant rate changes "
    "nothing; asymmetric windows, triplets and suppression change as much then as with a slope. Rising less falling "
    "leaves what follows the slope. A sliding threshold (BCM) lags behind the rate, and so sees its slope too. Changes "
    "add up without bounds.",
    config=PredictionProtocolsConfig(),
    smoke=PredictionProtocolsConfig(n_repeats=10, n_cells=20, n_experiments=50),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)
