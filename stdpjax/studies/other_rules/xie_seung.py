"""Xie & Seung's rule, d rho/dt, beside the paper's, ds/dt: where they part, and which one spikes follow."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import _checks, stats
from stdpjax.lab import Estimate, Progress, Study, at_least, at_most, estimate, keep_estimate
from stdpjax.lab.settings import configuration, setting
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid, sigmoid
from stdpjax.rules import lag_kernel, linear_response, mean_update, xie_seung_rule
from stdpjax.spikes import lag_probability
from stdpjax.studies.measures import beyond, labelled, largest, limits, merged, supports
from stdpjax.studies.other_rules.xie_seung_figure import plot
from stdpjax.studies.other_rules.xie_seung_parts import ASYMMETRIC, WINDOWS, slow_pairs, step_by_step
from stdpjax.studies.protocol import (
    ProtocolConfig,
    Sequences,
    kernel_of,
    make_sequences,
    part_of,
    slope_agreement,
    update_per_spike,
)
from stdpjax.theory.slopes import slope_agreement as slope_theory

_N_BINS = 30


@configuration
class XieSeungConfig:
    """Settings of the study of Xie & Seung's rule; probabilities per bin, times in bins."""

    n_sequences: int = setting(400, "pairs of rate sequences of each drive", at_least=2)
    n_steps: int = setting(160, "length of a sequence, in bins")
    window: int = setting(20, "longest lag of the nearest-neighbour rule, in bins")
    tau: float = setting(10.0, "time constant of its window, in bins", at_least=1, at_most=20)
    max_probability: float = setting(0.05, "spike probability per bin at rate 1", probability=True, below=1)
    rare_probability: float = setting(0.01, "the same for the theory of rare spikes", probability=True, below=1)
    scale: float = setting(0.6, "standard deviation of the activity under the saturating drive, one of scales", above=0)
    scales: tuple[float, ...] = setting(
        (0.1, 0.3, 0.45, 0.6, 1.0), "standard deviations of the sweep", above=0, increasing=True
    )
    seldom: float = setting(0.3, "largest of them at which the activity seldom saturates", above=0)
    width: float = setting(20.0, "width of the drives of that sweep, in bins", above=0)
    widths: tuple[float, ...] = setting(
        (3.0, 10.0, 20.0, 40.0), "widths of the saturating drives, in bins", above=0, increasing=True
    )
    gain: float = setting(4.0, "steepness of the smooth sigmoid", above=0)
    slow_widths: tuple[float, ...] = setting(
        (25.0, 50.0, 100.0, 200.0), "widths of the slow drives of pair rules, in bins", above=0, increasing=True
    )
    n_resamples: int = setting(500, "bootstrap resamples of the sequences, for intervals", at_least=2)

    def __post_init__(self) -> None:
        _checks.window(self.window, self.n_steps)
        if self.scale not in self.scales:
            raise ValueError(f"scale: expected one of scales, got {self.scale:g}")
        _checks.number("seldom", self.seldom, at_least=self.scales[0])


def drive_of(config: XieSeungConfig, **changes: Any) -> ProtocolConfig:
    """Return the protocol of the saturating drive, with changes."""
    names = ("n_sequences", "n_steps", "window", "tau", "max_probability", "width")
    same: dict[str, Any] = {name: getattr(config, name) for name in names}
    return ProtocolConfig(**{**same, "voltage": "linear", "voltage_scale": config.scale, **changes})


def _ratio(data: xr.Dataset, axis: str) -> xr.DataArray:
    """Return the correlations of STDP with ds/dt over those with d rho/dt."""
    values = data[f"{axis}_value"]
    return values.sel(slope="ds/dt", drop=True) / values.sel(slope="d rho/dt", drop=True)


def _off_theory(data: xr.Dataset, axis: str) -> float:
    pairs = ((_ratio(data, axis), "ratio_theory"), (data[f"{axis}_rules"], "rules_theory"))
    return max(largest(found.values - data[f"{axis}_{theory}"].values) for found, theory in pairs)


_of_xie_seung = partial(beyond, statement="Xie & Seung 2000")

CLAIMS = (
    supports(
        "sec2.1.active",
        "Lowest correlation of ds/dt with d rho/dt while units seldom saturate, over both rate functions.",
        criterion=at_least(0.9),
        measure=lambda data: data.scale_rules.where(data.scale <= data.seldom).min(),
        control=lambda data: data.scale_rules.isel(scale=-1).max(),
        control_is="the drive that saturates most, for the rate function that shows it less",
        note=lambda data: f"Where units saturate {float(data.scale_rules.sel(scale=data.main_scale).min()):.2f}.",
    ),
    _of_xie_seung(
        "xie2000.followed",
        "Smooth sigmoid, slow drives: correlation of STDP with d rho/dt less that with ds/dt where units saturate.",
        criterion=at_least(0.05),
        measure=lambda data: estimate(data.sel(function="smooth", slope="difference", scale=data.main_scale), "scale"),
        control=lambda data: data.width_value.sel(function="smooth", slope="difference")[0],
        control_is="drives much faster than the window",
    ),
    _of_xie_seung(
        "xie2000.sign",
        "Correlation of the published, anti-Hebbian rule with STDP whose window depresses where pre comes before post.",
        criterion=at_least(0.9),
        measure=lambda data: estimate(data.sel(pair_sign="reversed"), "sign"),
        control=lambda data: data.sign_value.sel(pair_sign="depressing"),
        control_is="a window that depresses whichever comes first",
    ),
    limits(
        "xie2000.two_moments",
        "Relative error of b0 q + b1 dq/dt for pairs under the slowest drive (root mean square, worst window).",
        criterion=at_most(0.05),
        measure=lambda data: data.form_two_terms[-1].max(),
        control=lambda data: data.form_without_b0[-1].sel(pair_window=list(ASYMMETRIC)).min(),
        control_is="without b0, of the windows that do not balance the one that needs it least",
    ),
    beyond(
        "ours.slope_theory",
        "Largest difference from theory of the correlation of ds/dt with d rho/dt, and of the ratio of those that STDP "
        "has with either, over widths and scales.",
        statement="theory.slopes",
        criterion=at_most(0.03),
        measure=lambda data: max(_off_theory(data, "scale"), _off_theory(data, "width")),
        control=lambda data: largest(_ratio(data, "width").values - data.width_rules_theory.values),
        control_is="the limit of slow drives at every width",
    ),
)


def run(key: Key[Array, ""], config: XieSeungConfig, progress: Progress) -> xr.Dataset:
    """Sweep saturation, width and rate function; put signs beside windows, and pairs beside their two moments."""
    progress(0.0, "saturating drive")
    resampling, drive_key = named_key(key, "resampling"), named_key(key, "sequences")
    saturating = drive_of(config)
    sequences = make_sequences(drive_key, saturating)
    sweeps = _sweeps(resampling, drive_key, config, part_of(progress, 0.1, 0.6))
    progress(0.6, "slow drives of pairs")
    return merged(
        _example(sequences, update_per_spike(sequences, saturating)),
        *sweeps,
        _signs(resampling, drive_key, config),
        slow_pairs(drive_key, saturating, config.slow_widths),
        slope=["ds/dt", "d rho/dt", "difference"],
        function=["hard", "smooth"],
        scale=("scale", np.array(config.scales), {"units": "1"}),
        main_scale=((), config.scale, {"units": "1"}),
        seldom=((), config.seldom, {"units": "1"}),
        width=("width", np.array(config.widths), {"units": "bins"}),
        pair_sign=["reversed", "depressing"],
        bin=np.arange(_N_BINS),
        slow_width=("slow_width", np.array(config.slow_widths), {"units": "bins"}),
        pair_window=list(WINDOWS),
        moment=["b0", "b1"],
        rule=["Eq 1", "Xie & Seung"],
        time=("time", np.arange(config.n_steps), {"units": "bins"}),
    )


def _example(sequences: Sequences, update: NDArray[np.float64]) -> xr.Dataset:
    """Return the sequence that saturates about as often as all do."""
    is_out = np.abs(np.asarray(sequences.activity)) > 0.5
    example = int(np.abs(is_out.mean(-1) - is_out.mean()).argmin())
    return merged(
        labelled("time", "1", example_activity=sequences.activity[example]),
        labelled(("rule", "time"), "1/bin", example_slopes=[sequences.slope[example], sequences.rate_slope[example]]),
        labelled("time", "amplitude of a pair", example_update=update[example]),
    )


def _sweeps(
    resampling: Key[Array, ""], key: Key[Array, ""], config: XieSeungConfig, progress: Progress
) -> list[xr.Dataset]:
    """Correlate updates of rare spikes with both slopes; beside theory."""
    functions = {"hard": hard_sigmoid(), "smooth": sigmoid(config.gain)}
    kernel = lag_kernel("exponential", config.window, tau=config.tau)
    response = np.asarray(linear_response(config.rare_probability / 2, kernel), np.float64)
    sweeps = []
    for index, (axis, name, values) in enumerate(
        (("scale", "voltage_scale", config.scales), ("width", "width", config.widths))
    ):
        progress(index / 2, f"drives of several {axis}s")
        found, rows = [], []
        for rate_fn in functions.values():
            for value in values:
                drive = drive_of(config, max_probability=config.rare_probability, **{name: value})
                sequences = make_sequences(key, drive, rate_fn=rate_fn)
                update = update_per_spike(sequences, drive)
                found.append(slope_agreement(resampling, sequences, update, config.n_resamples)[:3])
                theory = slope_theory(rate_fn, drive.voltage_scale, drive.width, response)
                slopes = [np.ravel(part) for part in (sequences.slope, sequences.rate_slope)]
                rows.append((np.corrcoef(slopes)[0, 1], theory.of_rules, theory.ratio))
        shape, dims = (len(functions), len(values)), ("function", axis)
        estimates = np.reshape(found, (*shape, 3, 3))
        names = ("rules", "rules_theory", "ratio_theory")
        columns = zip(names, np.transpose(rows), strict=True)
        sweeps += [
            xr.Dataset(keep_estimate(axis, Estimate(*np.moveaxis(estimates, 2, 0)), (*dims, "slope"), value="_value")),
            labelled(dims, **{f"{axis}_{name}": column.reshape(shape) for name, column in columns}),
        ]
    return sweeps


def _signs(resampling: Key[Array, ""], key: Key[Array, ""], config: XieSeungConfig) -> xr.Dataset:
    """Put the published rule beside windows that are reversed, and that depress on both sides."""
    drive = drive_of(config, voltage="bounded")
    sequences = make_sequences(key, drive)
    published = step_by_step(xie_seung_rule(hard_sigmoid()), sequences.activity)
    law = lag_probability(sequences.post_probability, config.window, boundary="valid")
    depressing = np.asarray(mean_update(law, -abs(kernel_of(drive))), np.float64)
    updates = [part[:, :-1] for part in (-update_per_spike(sequences, drive), depressing)]
    bins = stats.quantile_bins(published, _N_BINS)
    sums = [stats.sums_by_bin(bins, part, _N_BINS).sum(0) for part in (np.ones_like(published), published, *updates)]
    resampled = partial(stats.bootstrap, resampling, stats.correlation_of_sums, n_resamples=config.n_resamples)
    found = [resampled(*stats.pair_sums(published, update))[:3] for update in updates]
    return merged(
        labelled("bin", "1/bin", binned_published=sums[1] / sums[0]),
        labelled(("pair_sign", "bin"), "amplitude of a pair", binned_update=np.array(sums[2:]) / sums[0]),
        xr.Dataset(keep_estimate("sign", Estimate(*np.transpose(found)), "pair_sign", value="_value")),
    )


STUDY = Study(
    name="xie_seung",
    title="Change of activity or change of rate",
    figure="Xie & Seung",
    source="Bengio et al. 2015, sections 2.1 and 9; Xie & Seung 2000",
    caption="In the active region of the rate function its change and that of the activity are the same; where it "
    "saturates, spikes follow the rate, except under drives faster than the window. Slow rates meet a window by two "
    "numbers, its sum and its first moment; the sign of the rule is that of the window.",
    config=XieSeungConfig(),
    smoke=dict(n_sequences=40, n_steps=100, n_resamples=100, widths=(3.0, 20.0), slow_widths=(25.0, 100.0)),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
