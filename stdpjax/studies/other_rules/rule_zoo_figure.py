"""All rules: who agrees with whom, windows, curves by lag, agreement by probability, drifts, and sampled means."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab import plotting
from stdpjax.lab.plotting import curve, frame, new_figure, points
from stdpjax.stats import Estimate

# Words, and the colour of those whose curves are drawn.
_LOOKS = {
    "eq1": ("Eq 1 (ds/dt)", "eq1"),
    "eq2": ("Eq 2 (ds/dt at spikes)", ""),
    "xie_seung": ("Xie & Seung, +dρ/dt", ""),
    "windowed": ("windowed (the paper's)", "nearest"),
    "all_to_all": ("pairs, all to all", "eq1"),
    "nearest_symmetric": ("pairs, nearest symmetric", ""),
    "presynaptic_centred": ("pairs, pre-centred", ""),
    "reduced_symmetric": ("pairs, reduced symmetric", "rate"),
    "song_miller_abbott_2000": ("Song et al. 2000", "control"),
    "bi_poo_2001": ("Bi & Poo 2001", "sum"),
    "froemke_dan_2002": ("Froemke & Dan 2002", "points"),
    "pfister_gerstner_2006_visual_cortex_all_to_all_minimal": ("triplets, visual, all", "pre"),
    "pfister_gerstner_2006_visual_cortex_nearest_minimal": ("triplets, visual, nearest", "eq1"),
    "pfister_gerstner_2006_hippocampus_all_to_all_minimal": ("triplets, hippocampal, all", "rate"),
    "bcm": ("BCM", "control"),
    "hebb": ("Hebb", "biology"),
}
_SHOWN = ("windowed", "all_to_all", "reduced_symmetric", "bi_poo_2001", "froemke_dan_2002", "bcm", "hebb")
_TRIPLET = "pfister_gerstner_2006_visual_cortex_all_to_all_minimal"


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the matrix of correlations and what it rests on."""
    figure = new_figure(16.0, 12.5)
    layout: list[Any] = [
        ["matrix", "matrix", "windows"],
        ["matrix", "matrix", "lag"],
        ["probability", "drift", "scores"],
    ]
    axes = figure.subplot_mosaic(layout, height_ratios=(1, 1, 0.95))
    draws = {"matrix": _matrix, "windows": _windows, "lag": _by_lag, "probability": _by_probability}
    for name, draw in {**draws, "drift": _drift, "scores": _scores}.items():
        draw(axes[name], data, config)
    return figure


def _line(name: str) -> str:
    """Return the style of a rule's line; triplets are dashed."""
    return "--" if name.startswith("pfister") else "-"


def _matrix(ax: Axes, data: xr.Dataset, config: Any) -> None:
    flat, saturating = (data.agreement.sel(drive=drive).values for drive in ("unsaturated", "saturating"))
    numbers = np.arange(len(flat))
    values = np.where(numbers[:, None] > numbers[None, :], flat, saturating)
    plotting.table(ax, values, numbers, numbers, low=-1, centre=0, high=1)
    edges = np.arange(len(flat) + 1) - 0.5
    ax.step(edges, edges, where="post", color="white", lw=3)
    conditions = f"(r = {config.max_probability:g}, drive width {config.width:g} bins)"
    halves = "below the diagonal: a drive that does not saturate; above: one that does"
    ax.set_title(f"Correlation per bin of exact updates per presynaptic spike {conditions}\n{halves}")
    names = [_LOOKS[name][0] for name in data.rule.values]
    frame(ax, "rule", "rule", yticks=names)
    ax.set_xticks(numbers, names, rotation=40, ha="right", rotation_mode="anchor")


def _windows(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name in (*_SHOWN[:5], _TRIPLET):
        words, color = _LOOKS[name]
        window = data.window.sel(windowed_rule=name)
        window = window.where(window.pair_lag != 0)
        curve(ax, data.pair_lag, window / np.abs(window).max(), _line(name), color, words)
    ax.set_title(f"What one more pair changes (q = {config.max_probability / 2:g})")
    frame(ax, "lag, post minus pre (bins)", "change (relative to its largest)", zero="xy")
    ax.legend(loc="upper left")


def _by_lag(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, color, words in (("eq1", "eq1", "Eq 1"), ("hebb", "biology", "Hebb"), ("bcm", "control", "BCM")):
        rule = data.sel(rate_rule=name)
        scale = np.abs(rule.by_lag).max()
        update = Estimate(*(part / scale for part in (rule.by_lag, rule.by_lag_low, rule.by_lag_high)))
        curve(ax, data.lag, update, "-", color, words)
    ax.set_title(f"Rules of rates by nearest spike (r = {max(config.probabilities):g})")
    xlabel, ylabel = "nearest lag, post minus pre (bins)", "mean update (relative to its largest)"
    frame(ax, xlabel, ylabel, zero="xy", ylim=(-1.9, 1.35))
    ax.set_yticks(np.arange(-1, 1.1, 0.5))
    ax.legend(title="exact; bands: 95 % over sequences", loc="lower right", ncols=3)


def _by_probability(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name in (*_SHOWN, _TRIPLET):
        row, (words, color) = data.sel(rule=name), _LOOKS[name]
        agreement = Estimate(row.with_eq1, row.with_eq1_low, row.with_eq1_high)
        curve(ax, data.probability, agreement, f"o{_line(name)}", color, words, ms=3.5)
    points(ax, data.probability, data.with_eq1_reference, "x", "black", "reference (windowed)", ms=8)
    ax.set_title("Agreement with Eq 1 (exact; bands: 95 % over sequences)")
    xlabel, limits = "spike probability per bin at rate 1, r", (-0.25, 1.75)
    frame(ax, xlabel, "correlation per bin", log="x", zero="y", ylim=limits, xticks=config.probabilities)
    ax.set_yticks(np.arange(-0.2, 1.1, 0.2))
    ax.legend(loc="upper left", ncols=2)


def _drift(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name in data.drifting_rule.values:
        drift, (words, color) = data.drift.sel(drifting_rule=name), _LOOKS[name]
        curve(ax, data.constant_rate, drift / np.abs(drift).max(), _line(name), color, words)
    for name in data.turning_rule.values:
        points(ax, data.turning_rate.sel(turning_rule=name), 0, "o", _LOOKS[name][1], ms=6)
    ax.set_title("Published rules drift at constant rates")
    ylabel = "mean update per presynaptic spike\n(relative to its largest)"
    frame(ax, "postsynaptic rate (Hz)", ylabel, zero="y", ylim=(-1.1, 2.0))
    ax.set_yticks(np.arange(-1, 1.1, 0.5))
    ax.legend(title="circles: rates at which nothing changes", loc="upper left", ncols=2)


def _scores(ax: Axes, data: xr.Dataset, config: Any) -> None:
    names = [_LOOKS[name][0] for name in data.spike_rule.values]
    ax.axvspan(0.95, 1.05, color="0.88", lw=0, label="1 ± 5 %")
    points(ax, data.z.std("cell"), np.arange(len(names)), "o", "nearest", "each rule's exact mean", ms=6)
    points(ax, data.z_mismatched.std("cell"), np.arange(len(names)), "x", "sum", "mean of another sequence", ms=6)
    ax.set_title("Sampled means meet the exact ones")
    xlabel = "standard deviation of differences (standard errors)"
    frame(ax, xlabel, "rule", yticks=names, ylim=(len(names) - 0.5, -3.6))
    ax.legend(loc="upper right")
