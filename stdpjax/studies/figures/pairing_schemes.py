"""The pairs that each scheme counts, their windows, drifts and gains, and how far they agree with Eq 1."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_NAMES = {
    "all_to_all": "all to all",
    "nearest_symmetric": "nearest symmetric",
    "presynaptic_centred": "presynaptic-centred",
    "reduced_symmetric": "reduced symmetric",
    "windowed": "windowed (the paper's)",
}
_COLORS = dict(zip(_NAMES, (plotting.COLORS[c] for c in ("eq1", "sum", "points", "rate", "nearest")), strict=True))


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the schemes on one example, and what becomes of them on average."""
    figure = plotting.new_figure(13.0, 7.4)
    axes = figure.subplots(2, 3)
    _pairs(axes[0, 0], data)
    _windows(axes[0, 1], data, config)
    _drift(axes[0, 2], data, config)
    _gain(axes[1, 0], data, config)
    _agreement(axes[1, 1], data)
    _scores(axes[1, 2], data)
    return figure


def _pairs(ax: Axes, data: xr.Dataset) -> None:
    for row, scheme in enumerate(data.scheme.values):
        top, bottom = -row + 0.22, -row - 0.22
        for (i, j), change in np.ndenumerate(data.pair_change.sel(scheme=scheme).values):
            if abs(change) > 1e-3:
                color = plotting.COLORS["sum" if change > 0 else "pre"]
                ax.plot([data.pre_spike[i], data.post_spike[j]], [top, bottom], color=color, lw=1.4)
        ax.plot(data.pre_spike, np.full(data.sizes["pre_spike"], top), "|", color="black", ms=8, mew=2)
        ax.plot(data.post_spike, np.full(data.sizes["post_spike"], bottom), "|", color="black", ms=8, mew=2)
        for height, text in ((top, "pre"), (bottom, "post")):
            ax.text(-1.2, height, text, ha="right", va="center", fontsize=7)
    ax.plot([], [], color=plotting.COLORS["sum"], label="potentiates")
    ax.plot([], [], color=plotting.COLORS["pre"], label="depresses")
    ax.set_yticks(
        -np.arange(data.sizes["scheme"]), ["\n".join(_NAMES[scheme].rsplit(" ", 1)) for scheme in data.scheme.values]
    )
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(-4.5, 21)
    ax.set_ylim(-data.sizes["scheme"] + 0.5, 0.95)
    plotting.label(ax, "Pairs that count, on one example", "time (bins)", "scheme")
    ax.legend(loc="upper right", ncols=2)


def _windows(ax: Axes, data: xr.Dataset, config: Any) -> None:
    middle = len(config.probabilities) // 2
    near = data.isel(probability=middle).sel(lag=slice(-30, 30))
    near = near.where(near.lag != 0)
    for scheme in data.scheme.values:
        ax.plot(near.lag, near.effective_window.sel(scheme=scheme), color=_COLORS[scheme], label=_NAMES[scheme])
    plotting.zero_lines(ax)
    plotting.label(
        ax,
        f"Frequent spikes hide pairs: windows at q = {config.probabilities[middle]:g}",
        "lag, post minus pre (bins)",
        "change by one more pair (amplitudes)",
    )
    ax.legend(loc="lower right")


def _drift(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for index, rule in enumerate(data.rule.values):
        ax.plot(data.probability, data.drift.sel(rule=rule), color=_COLORS[rule], label=_NAMES[rule])
        if rule in data.scheme.values:
            row = data.sel(scheme=rule)
            beside = data.probability * 1.04 ** (index - 1.5)
            ax.errorbar(
                beside, row.drift_sampled, 1.96 * row.drift_error, fmt="o", ms=3.5, capsize=2, color=_COLORS[rule]
            )
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    _rates(ax, config)
    plotting.label(
        ax,
        "Constant rates: one scheme drifts",
        f"postsynaptic probability per bin, q (presynaptic {config.pre_probability:g})",
        "mean update per presynaptic spike",
    )
    ax.legend(title="lines: exact; points: sampled, 95 %", loc="upper left")


def _gain(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for rule in data.rule.values:
        ax.plot(data.probability, data.gain.sel(rule=rule), "o-", ms=3.5, color=_COLORS[rule], label=_NAMES[rule])
    _rates(ax, config)
    ax.set_ylim(bottom=0)
    plotting.label(
        ax,
        "Slow ramps: gain falls unless every pair counts",
        "postsynaptic probability per bin, q",
        "update per spike / slope (bins² amplitude)",
    )
    ax.legend()


def _agreement(ax: Axes, data: xr.Dataset) -> None:
    position = np.arange(data.sizes["width"])
    for index, rule in enumerate(data.rule.values):
        row = data.sel(rule=rule)
        reach = np.abs(np.stack([row.agreement - row.agreement_low, row.agreement_high - row.agreement]))
        ax.bar(position + 0.16 * (index - 2), row.agreement, 0.15, yerr=reach, color=_COLORS[rule], label=_NAMES[rule],
               error_kw={"lw": 1})  # fmt: skip
    ax.set_xticks(position, [f"{width:g}" for width in data.width.values])
    ax.set_ylim(0, 1.42)
    ax.set_yticks(np.arange(0, 1.1, 0.2))
    plotting.label(
        ax,
        "Slow drives: schemes without drift follow Eq 1",
        "width of the random drive (bins)",
        "correlation per bin with Eq 1",
    )
    ax.legend(loc="upper left", ncols=2)


def _scores(ax: Axes, data: xr.Dataset) -> None:
    edges = np.linspace(-5, 5, 41).tolist()
    for values, color, text in (
        (data.z_all_to_all, plotting.COLORS["control"], "against the mean of all-to-all pairs"),
        (data.z, plotting.COLORS["nearest"], "against each scheme's own mean"),
    ):
        ax.hist(np.clip(values.values.ravel(), -5, 5), edges, density=True, color=color, alpha=0.7, label=text)
    grid = np.linspace(-5, 5, 201)
    ax.plot(grid, np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi), color="black", lw=1, label="standard normal")
    ax.set_ylim(top=0.6)
    plotting.label(
        ax,
        "Sampled means meet the exact ones",
        "difference (standard errors; beyond 5 at 5)",
        "share of bins per unit",
    )
    ax.legend(loc="upper left")


def _rates(ax: Axes, config: Any) -> None:
    ax.set_xscale("log")
    ax.set_xticks(config.probabilities, [f"{q:g}" for q in config.probabilities])
    ax.minorticks_off()
