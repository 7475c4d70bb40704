"""All rules: who agrees with whom, agreement by probability, windows, and drifts and gains at constant rates."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab import plotting
from stdpjax.lab.plotting import curve, frame, new_figure
from stdpjax.stats import Estimate

# Words, and the colour of those whose curves are drawn.
_LOOKS = {
    "eq1": ("Eq 1 (ds/dt)", ""),
    "xie_seung": ("Xie & Seung, +dρ/dt", ""),
    "windowed": ("windowed (the paper's)", "nearest"),
    "all_to_all": ("pairs, all to all", "eq1"),
    "nearest_symmetric": ("pairs, nearest symmetric", "sum"),
    "presynaptic_centred": ("pairs, pre-centred", "points"),
    "reduced_symmetric": ("pairs, reduced symmetric", "rate"),
    "song_miller_abbott_2000": ("Song et al. 2000", ""),
    "bi_poo_2001": ("Bi & Poo 2001", "pre"),
    "froemke_dan_2002": ("Froemke & Dan 2002", "kernel"),
    "pfister_gerstner_2006_visual_cortex_all_to_all_minimal": ("triplets, visual, all", ""),
    "pfister_gerstner_2006_visual_cortex_nearest_minimal": ("triplets, visual, nearest", ""),
    "pfister_gerstner_2006_hippocampus_all_to_all_minimal": ("triplets, hippocampal, all", ""),
    "bcm": ("BCM", "control"),
    "hebb": ("Hebb", "biology"),
}
_DRIFTING = {"nearest_symmetric", "bi_poo_2001", "froemke_dan_2002", "bcm", "hebb"}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the matrix of correlations and what it rests on."""
    figure = new_figure(17.0, 8.5)
    layout: list[Any] = [["matrix", "probability", "windows"], ["matrix", "drift", "gain"]]
    axes = figure.subplot_mosaic(layout, width_ratios=(1.6, 1, 1))
    _matrix(axes["matrix"], data, config)
    _by_probability(axes["probability"], data, config)
    _windows(axes["windows"], data, config)
    _by_constant_rate(axes, data, config)
    return figure


def _matrix(ax: Axes, data: xr.Dataset, config: Any) -> None:
    main, densest = data.agreement.sel(probability=config.max_probability), data.agreement.isel(probability=-1)
    numbers = np.arange(data.sizes["rule"])
    values = np.where(numbers[:, None] > numbers[None, :], main, densest)
    plotting.table(ax, values, numbers, numbers, low=-1, centre=0, high=1)
    edges = np.arange(len(numbers) + 1) - 0.5
    ax.step(edges, edges, where="post", color="white", lw=3)
    halves = f"below the diagonal: r = {config.max_probability:g}; above: r = {max(config.probabilities):g}"
    ax.set_title(f"Correlation per bin of exact updates (drive width {config.width:g} bins)\n{halves}")
    names = [_LOOKS[name][0] for name in data.rule.values]
    frame(ax, "rule", "rule", yticks=names)
    ax.set_xticks(numbers, names, rotation=40, ha="right", rotation_mode="anchor")


def _by_probability(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, (words, color) in _LOOKS.items():
        if color:
            row = data.sel(rule=name, other="eq1")
            agreement = Estimate(row.agreement, row.agreement_low, row.agreement_high)
            style = "o--" if name in _DRIFTING else "o-"
            curve(ax, data.probability, agreement, style, color, words, ms=3.5)
    ax.set_title("Agreement with Eq 1 (bands: 95 % over sequences)")
    xlabel, limits = "spike probability per bin at rate 1, r", (-0.25, 1.9)
    frame(ax, xlabel, "correlation per bin", log="x", zero="y", ylim=limits, xticks=config.probabilities)
    ax.set_yticks(np.arange(-0.2, 1.1, 0.2))
    ax.legend(title="dashed: rules that drift at constant rates", loc="upper left", ncols=2)


def _windows(ax: Axes, data: xr.Dataset, config: Any) -> None:
    middle = len(config.constant) // 2
    near = data.isel(constant=middle).sel(pair_lag=slice(-30, 30))
    near = near.where(near.pair_lag != 0)
    for scheme in data.scheme.values:
        words, color = _LOOKS[scheme]
        curve(ax, near.pair_lag, near.window.sel(scheme=scheme), "-", color, words)
    ax.set_title(f"Frequent spikes hide pairs: windows at q = {config.constant[middle]:g}")
    frame(ax, "lag, post minus pre (bins)", "change by one more pair (amplitudes)", zero="xy")
    ax.legend(loc="lower right")


def _by_constant_rate(axes: dict[str, Axes], data: xr.Dataset, config: Any) -> None:
    drift, gain = axes["drift"], axes["gain"]
    for name in data.still_rule.values:
        words, color = _LOOKS[name]
        curve(drift, data.constant, data.drift.sel(still_rule=name), "-", color, words)
        curve(gain, data.constant, data.gain.sel(still_rule=name), "o-", color, words, ms=3.5)
    drift.set_title("Constant rates: one scheme drifts")
    xlabel = "postsynaptic probability per bin, q"
    of_both = f"{xlabel} (presynaptic {config.pre_probability:g})"
    frame(drift, of_both, "mean update per presynaptic spike", log="x", zero="y", xticks=config.constant)
    drift.legend(loc="upper left")
    gain.set_title("Slow ramps: gain falls unless every pair counts")
    ylabel = "update per spike / slope (bins² amplitude)"
    frame(gain, xlabel, ylabel, log="x", ylim=(0, None), xticks=config.constant)
    gain.legend()
