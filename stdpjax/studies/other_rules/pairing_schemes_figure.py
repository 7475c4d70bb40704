"""The pairs that each scheme counts, their windows, drifts and gains, and how far they agree with Eq 1."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, bars, curve, frame, new_figure, points
from stdpjax.stats import Estimate, normal_interval

_LOOKS = {
    "all_to_all": ("eq1", "all to all"),
    "nearest_symmetric": ("sum", "nearest symmetric"),
    "presynaptic_centred": ("points", "presynaptic-centred"),
    "reduced_symmetric": ("rate", "reduced symmetric"),
    "windowed": ("nearest", "windowed (the paper's)"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the schemes on one example, and what becomes of them on average."""
    figure = new_figure(13.0, 7.4)
    draws = (_pairs, _windows, _drift, _gain, _agreement, _scores)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data, config)
    return figure


def _pairs(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for row, scheme in enumerate(data.scheme.values):
        top, bottom = -row + 0.22, -row - 0.22
        for (i, j), change in np.ndenumerate(data.pair_change.sel(scheme=scheme).values):
            if abs(change) > 1e-3:
                ends = [data.pre_spike.values[i], data.post_spike.values[j]]
                curve(ax, ends, [top, bottom], "-", "sum" if change > 0 else "pre", lw=1.4)
        for spikes, height, words in ((data.pre_spike, top, "pre"), (data.post_spike, bottom, "post")):
            points(ax, spikes, height, "|", "black", ms=8, mew=2)
            ax.text(-1.2, height, words, ha="right", va="center", fontsize=7)
    curve(ax, [], [], "-", "sum", "potentiates")
    curve(ax, [], [], "-", "pre", "depresses")
    ax.set_title("Pairs that count, on one example")
    frame(ax, "time (bins)", "scheme", xlim=(-4.5, 21), ylim=(-data.sizes["scheme"] + 0.5, 0.95))
    names = ["\n".join(_LOOKS[scheme][1].rsplit(" ", 1)) for scheme in data.scheme.values]
    ax.set_yticks(-np.arange(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.legend(loc="upper right", ncols=2)


def _windows(ax: Axes, data: xr.Dataset, config: Any) -> None:
    middle = len(config.probabilities) // 2
    near = data.isel(probability=middle).sel(lag=slice(-30, 30))
    near = near.where(near.lag != 0)
    for scheme in data.scheme.values:
        curve(ax, near.lag, near.effective_window.sel(scheme=scheme), "-", *_LOOKS[scheme])
    ax.set_title(f"Frequent spikes hide pairs: windows at q = {config.probabilities[middle]:g}")
    frame(ax, "lag, post minus pre (bins)", "change by one more pair (amplitudes)", zero="xy")
    ax.legend(loc="lower right")


def _drift(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for index, rule in enumerate(data.rule.values):
        color, words = _LOOKS[rule]
        curve(ax, data.probability, data.drift.sel(rule=rule), "-", color, words)
        if rule in data.scheme.values:
            row, beside = data.sel(scheme=rule), data.probability * 1.04 ** (index - 1.5)
            points(ax, beside, normal_interval(row.drift_sampled, row.drift_error), "o", color, ms=3.5)
    ax.set_title("Constant rates: one scheme drifts")
    xlabel = f"postsynaptic probability per bin, q (presynaptic {config.pre_probability:g})"
    frame(ax, xlabel, "mean update per presynaptic spike", log="x", zero="y", xticks=config.probabilities)
    ax.legend(title="lines: exact; points: sampled, 95 %", loc="upper left")


def _gain(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for rule in data.rule.values:
        curve(ax, data.probability, data.gain.sel(rule=rule), "o-", *_LOOKS[rule], ms=3.5)
    ax.set_title("Slow ramps: gain falls unless every pair counts")
    xlabel, ylabel = "postsynaptic probability per bin, q", "update per spike / slope (bins² amplitude)"
    frame(ax, xlabel, ylabel, log="x", ylim=(0, None), xticks=config.probabilities)
    ax.legend()


def _agreement(ax: Axes, data: xr.Dataset, config: Any) -> None:
    position = np.arange(data.sizes["width"])
    for index, rule in enumerate(data.rule.values):
        row = data.sel(rule=rule)
        agreement = Estimate(row.agreement, row.agreement_low, row.agreement_high)
        bars(ax, position + 0.16 * (index - 2), agreement, *_LOOKS[rule], width=0.15, capsize=0)
    ax.set_title("Slow drives: schemes without drift follow Eq 1")
    names = [f"{width:g}" for width in data.width.values]
    frame(ax, "width of the random drive (bins)", "correlation per bin with Eq 1", ylim=(0, 1.42), xticks=names)
    ax.set_yticks(np.arange(0, 1.1, 0.2))
    ax.legend(loc="upper left", ncols=2)


def _scores(ax: Axes, data: xr.Dataset, config: Any) -> None:
    edges = np.linspace(-5, 5, 41).tolist()
    for values, color, words in (
        (data.z_all_to_all, "control", "against the mean of all-to-all pairs"),
        (data.z, "nearest", "against each scheme's own mean"),
    ):
        cut = np.clip(values.values.ravel(), -5, 5)
        ax.hist(cut, edges, density=True, color=COLORS[color], alpha=0.7, label=words)
    grid = np.linspace(-5, 5, 201)
    curve(ax, grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), "-", "black", "standard normal", lw=1)
    ax.set_title("Sampled means meet the exact ones")
    frame(ax, "difference (standard errors; beyond 5 at 5)", "share of bins per unit", ylim=(None, 0.6))
    ax.legend(loc="upper left")
