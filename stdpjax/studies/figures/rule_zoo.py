"""All rules: who agrees with whom, windows, curves by lag, agreement by probability, drifts, and sampled means."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_NAMES = {
    "eq1": "Eq 1 (ds/dt)",
    "eq2": "Eq 2 (ds/dt at spikes)",
    "xie_seung": "Xie & Seung, +dρ/dt",
    "windowed": "windowed (the paper's)",
    "all_to_all": "pairs, all to all",
    "nearest_symmetric": "pairs, nearest symmetric",
    "presynaptic_centred": "pairs, pre-centred",
    "reduced_symmetric": "pairs, reduced symmetric",
    "song_miller_abbott_2000": "Song et al. 2000",
    "bi_poo_2001": "Bi & Poo 2001",
    "froemke_dan_2002": "Froemke & Dan 2002",
    "pfister_gerstner_2006_visual_cortex_all_to_all_minimal": "triplets, visual, all",
    "pfister_gerstner_2006_visual_cortex_nearest_minimal": "triplets, visual, nearest",
    "pfister_gerstner_2006_hippocampus_all_to_all_minimal": "triplets, hippocampal, all",
    "bcm": "BCM",
    "hebb": "Hebb",
}
_SHOWN = ("windowed", "all_to_all", "reduced_symmetric", "bi_poo_2001", "froemke_dan_2002", "bcm", "hebb")
_TRIPLETS = tuple(name for name in _NAMES if name.startswith("pfister"))
_COLORS = dict(
    zip(
        (*_SHOWN, *_TRIPLETS, "song_miller_abbott_2000", "eq1"),
        (plotting.COLORS[c] for c in ("nearest", "eq1", "rate", "sum", "points", "control", "biology",
                                      "pre", "eq1", "rate", "control", "eq1")),
        strict=True,
    )
)  # fmt: skip


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the matrix of correlations and what it rests on."""
    figure = plotting.new_figure(16.0, 12.5)
    grid = figure.add_gridspec(3, 3, height_ratios=(1, 1, 0.95))
    _matrix(figure.add_subplot(grid[:2, :2]), data, config)
    _windows(figure.add_subplot(grid[0, 2]), data, config)
    _by_lag(figure.add_subplot(grid[1, 2]), data, config)
    _by_probability(figure.add_subplot(grid[2, 0]), data, config)
    _drift(figure.add_subplot(grid[2, 1]), data)
    _scores(figure.add_subplot(grid[2, 2]), data)
    return figure


def _matrix(ax: Axes, data: xr.Dataset, config: Any) -> None:
    flat, saturating = (data.agreement.sel(drive=drive).values for drive in ("unsaturated", "saturating"))
    n = len(flat)
    numbers = np.arange(n)
    values = np.where(numbers[:, None] > numbers[None, :], flat, saturating)
    plotting.table(ax, values, numbers, numbers, low=-1, centre=0, high=1)
    names = [_NAMES[name] for name in data.rule.values]
    ax.set_xticks(numbers, names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(numbers, names)
    edges = np.arange(n + 1) - 0.5
    ax.step(edges, edges, where="post", color="white", lw=3)
    plotting.label(
        ax,
        f"Correlation per bin of exact updates per presynaptic spike (r = {config.max_probability:g}, drive width "
        f"{config.width:g} bins)\nbelow the diagonal: a drive that does not saturate; above: one that does",
        "rule",
        "rule",
    )


def _windows(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name in (*_SHOWN[:5], _TRIPLETS[0]):
        window = data.window.sel(windowed_rule=name)
        window = window.where(window.pair_lag != 0)
        style = "--" if name in _TRIPLETS else "-"
        ax.plot(data.pair_lag, window / np.abs(window).max(), style, color=_COLORS[name], label=_NAMES[name])
    plotting.zero_lines(ax)
    plotting.label(
        ax,
        f"What one more pair changes (q = {config.max_probability / 2:g})",
        "lag, post minus pre (bins)",
        "change (relative to its largest)",
    )
    ax.legend(loc="upper left")


def _by_lag(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, color, text in (("eq1", "eq1", "Eq 1"), ("hebb", "biology", "Hebb"), ("bcm", "control", "BCM")):
        rule = data.sel(rate_rule=name)
        scale = np.abs(rule.by_lag).max()
        ax.fill_between(
            data.lag, rule.by_lag_low / scale, rule.by_lag_high / scale, color=plotting.COLORS[color], alpha=0.2, lw=0
        )
        ax.plot(data.lag, rule.by_lag / scale, color=plotting.COLORS[color], label=text)
    plotting.zero_lines(ax)
    ax.set_ylim(-1.9, 1.35)
    ax.set_yticks(np.arange(-1, 1.1, 0.5))
    plotting.label(
        ax,
        f"Rules of rates by nearest spike (r = {max(config.probabilities):g})",
        "nearest lag, post minus pre (bins)",
        "mean update (relative to its largest)",
    )
    ax.legend(title="exact; bands: 95 % over sequences", loc="lower right", ncols=3)


def _by_probability(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name in (*_SHOWN, _TRIPLETS[0]):
        row = data.sel(rule=name)
        style = "--" if name in _TRIPLETS else "-"
        ax.fill_between(data.probability, row.with_eq1_low, row.with_eq1_high, color=_COLORS[name], alpha=0.2, lw=0)
        ax.plot(data.probability, row.with_eq1, "o" + style, ms=3.5, color=_COLORS[name], label=_NAMES[name])
    ax.plot(data.probability, data.with_eq1_reference, "x", ms=8, color="black", label="reference (windowed)")
    ax.set_xscale("log")
    ax.set_xticks(config.probabilities, [f"{p:g}" for p in config.probabilities])
    ax.minorticks_off()
    ax.set_ylim(-0.25, 1.75)
    ax.set_yticks(np.arange(-0.2, 1.1, 0.2))
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    plotting.label(
        ax,
        "Agreement with Eq 1 (exact; bands: 95 % over sequences)",
        "spike probability per bin at rate 1, r",
        "correlation per bin",
    )
    ax.legend(loc="upper left", ncols=2)


def _drift(ax: Axes, data: xr.Dataset) -> None:
    for name in data.drifting_rule.values:
        drift = data.drift.sel(drifting_rule=name)
        style = "--" if name in _TRIPLETS else "-"
        ax.plot(data.constant_rate, drift / np.abs(drift).max(), style, color=_COLORS[name], label=_NAMES[name])
    for name in data.turning_rule.values:
        ax.plot(data.turning_rate.sel(turning_rule=name), 0, "o", ms=6, color=_COLORS[name])
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_ylim(-1.1, 2.0)
    ax.set_yticks(np.arange(-1, 1.1, 0.5))
    plotting.label(
        ax,
        "Published rules drift at constant rates",
        "postsynaptic rate (Hz)",
        "mean update per presynaptic spike\n(relative to its largest)",
    )
    ax.legend(title="circles: rates at which nothing changes", loc="upper left", ncols=2)


def _scores(ax: Axes, data: xr.Dataset) -> None:
    rows = np.arange(data.sizes["spike_rule"])
    right, wrong = data.z.std("cell"), data.z_mismatched.std("cell")
    ax.axvspan(0.95, 1.05, color="0.88", lw=0, label="1 ± 5 %")
    ax.plot(right, rows, "o", color=plotting.COLORS["nearest"], label="each rule's exact mean")
    ax.plot(wrong, rows, "x", color=plotting.COLORS["sum"], label="mean of another sequence")
    ax.set_yticks(rows, [_NAMES[name] for name in data.spike_rule.values])
    ax.set_ylim(len(rows) - 0.5, -3.6)
    plotting.label(
        ax,
        "Sampled means meet the exact ones",
        "standard deviation of differences (standard errors)",
        "rule",
    )
    ax.legend(loc="upper right")
