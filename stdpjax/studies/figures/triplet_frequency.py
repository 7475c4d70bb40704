"""Changes against frequency, errors of the rules, and pairs and triplets of the hippocampus."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import special

from stdpjax import plotting

_SETS = (
    ("all_to_all", "visual_cortex_full", "all spikes, full", "eq1", "-"),
    ("all_to_all", "visual_cortex_minimal", "all spikes, minimal", "pre", "--"),
    ("nearest", "visual_cortex_full", "nearest spikes, full", "nearest", "-"),
    ("nearest", "visual_cortex_minimal", "nearest spikes, minimal", "points", "--"),
    ("all_to_all", "pair", "all pairs, best fit", "sum", "-"),
    ("all_to_all", "pair_of_window", "pairs, window's time constants", "rate", "-"),
)


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the ten points with the curves of each rule, and what else the rules make."""
    figure = plotting.new_figure(13.0, 8.0)
    axes = figure.subplots(2, 3)
    _frequency(axes[0, 0], data, 10.0)
    _frequency(axes[0, 1], data, -10.0)
    _errors(axes[0, 2], data)
    _pairs(axes[1, 0], data)
    _motifs(axes[1, 1], data)
    _refits(axes[1, 2], data)
    return figure


def _frequency(ax: Axes, data: xr.Dataset, lag: float) -> None:
    right = data.sel(order="read_before")
    for scheme, rule, text, color, style in _SETS:
        ax.plot(
            data.frequency,
            100 * right.curve.sel(scheme=scheme, rule=rule, pair_lag=lag),
            style,
            color=plotting.COLORS[color],
            lw=1.4,
            label=text,
        )
    chosen = data.point_lag.values == lag
    ax.errorbar(
        data.point_frequency.values[chosen],
        100 * data.measured.values[chosen],
        100 * data.sem.values[chosen],
        fmt="o",
        ms=5,
        capsize=2,
        color="black",
        zorder=3,
        label="measured, standard error",
    )
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_ylim(-60, 150)
    order = "presynaptic spike first" if lag > 0 else "postsynaptic spike first"
    plotting.label(ax, f"Lag {lag:+g} ms: {order}", "frequency of pairs (Hz)", "weight change by 60 pairs (%)")
    ax.legend(loc="upper left")


def _errors(ax: Axes, data: xr.Dataset) -> None:
    rows = [(text, scheme, rule, color) for scheme, rule, text, color, _ in _SETS[:4]]
    rows += [("all spikes, minimal, fitted", "all_to_all", "triplet_minimal", "kernel")]
    rows += [("nearest, minimal, fitted", "nearest", "triplet_minimal", "kernel")]
    rows += [("all pairs, fitted", "all_to_all", "pair", "sum"), ("nearest pairs, fitted", "nearest", "pair", "sum")]
    names = [text for text, *_ in rows] + ["paper's window, fitted"]
    for row, (_, scheme, rule, color) in enumerate(rows):
        before, after = (float(data.error.sel(scheme=scheme, rule=rule, order=o)) for o in data.order.values)
        ax.barh(row, before, color=plotting.COLORS[color], height=0.6)
        ax.text(before * 1.12, row, f"{before:.3f}", va="center", fontsize=7.5)
        if row < 4:
            ax.plot(after, row, "x", ms=7, mew=2, color=plotting.COLORS["biology"])
            ax.text(after * 1.3, row, f"{after:.3g}", va="center", fontsize=7.5)
    ax.barh(len(rows), float(data.window_error), color=plotting.COLORS["sum"], height=0.6)
    ax.text(float(data.window_error) * 1.12, len(rows), f"{float(data.window_error):.3f}", va="center", fontsize=7.5)
    ax.plot([], [], "x", ms=7, mew=2, color=plotting.COLORS["biology"], label="traces read after adding the spike")
    ax.set_xscale("log")
    ax.set_xlim(0.1, 900)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -1.4)
    plotting.label(ax, "Errors on the ten points", "mean squared error (standard errors squared)", "")
    ax.set_ylabel("rule")
    ax.legend(loc="upper right")


def _pairs(ax: Axes, data: xr.Dataset) -> None:
    right = data.sel(order="read_before")
    for scheme, color, text in (("all_to_all", "eq1", "all spikes"), ("nearest", "nearest", "nearest spikes")):
        for terms, style in (("full", "-"), ("minimal", "--")):
            change = right.window.sel(scheme=scheme, rule=f"hippocampus_{terms}")
            for side in (data.lag > 0, data.lag < 0):
                ax.plot(
                    data.lag[side],
                    100 * change[side],
                    style,
                    color=plotting.COLORS[color],
                    label=f"{text}, {terms}" if bool(side[-1]) else None,
                )
    plotting.zero_lines(ax)
    plotting.label(ax, "Hippocampal sets: pairs", "lag, post minus pre (ms)", "weight change by 60 pairs at 1 Hz (%)")
    ax.legend(loc="upper left")


def _motifs(ax: Axes, data: xr.Dataset) -> None:
    right = data.sel(order="read_before")
    position = np.arange(data.sizes["motif"])
    bars = (
        ("all_to_all", "hippocampus_full", "all spikes, full", "eq1"),
        ("nearest", "hippocampus_full", "nearest spikes, full", "nearest"),
        ("all_to_all", "hippocampus_pairs", "all spikes, pairs alone", "control"),
    )
    for index, (scheme, rule, text, color) in enumerate(bars):
        change = 100 * right.motif_change.sel(scheme=scheme, rule=rule)
        ax.bar(position + 0.27 * (index - 1), change, 0.25, color=plotting.COLORS[color], label=text)
        for x, value in zip(position + 0.27 * (index - 1), change.values, strict=True):
            ax.text(x, value + (0.7 if value >= 0 else -0.7), f"{value:.1f}", ha="center", fontsize=6.5,
                    va="bottom" if value >= 0 else "top")  # fmt: skip
    times = ("+10 ms", "-10 ms", "5, -5 ms", "-5, 5 ms")
    ax.set_xticks(
        position, [f"{motif}\n{time}" for motif, time in zip(data.motif.values, times, strict=True)], fontsize=8
    )
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_ylim(-20, 48)
    plotting.label(
        ax, "Triplets of either order differ", "hippocampal sets: motif, 60 times at 1 Hz", "weight change (%)"
    )
    ax.legend(loc="upper left")


def _refits(ax: Axes, data: xr.Dataset) -> None:
    edges = np.linspace(0, 30, 31)
    grid = np.linspace(0.01, 30, 300)
    n_points = data.sizes["point"]
    for name, n_fitted, text, color in (
        ("triplet_minimal", 3, "minimal triplets", "eq1"),
        ("pair", 4, "pairs", "sum"),
    ):
        drawn = np.minimum(data.refit.sel(drawn_from=name).values, 29.9)
        ax.hist(drawn, edges.tolist(), density=True, color=plotting.COLORS[color], alpha=0.35,
                label=f"{text}: refits of drawn data")  # fmt: skip
        half = (n_points - n_fitted) / 2
        density = np.exp((half - 1) * np.log(grid / 2) - grid / 2 - special.gammaln(half)) / 2
        ax.plot(grid, density, color=plotting.COLORS[color], lw=1.3,
                label=f"chi-square, {n_points - n_fitted} degrees of freedom")  # fmt: skip
        observed = n_points * float(data.error.sel(scheme="all_to_all", order="read_before", rule=name))
        ax.plot([observed] * 2, [0, 0.15], ":", color=plotting.COLORS[color], lw=2, label=f"{text}: measured points")
    ax.set_ylim(0, 0.3)
    plotting.label(
        ax, "Pairs fit worse than chance allows", "least sum of squares (standard errors squared)", "share per unit"
    )
    ax.legend(loc="upper right")
