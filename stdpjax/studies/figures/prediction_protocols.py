"""The three arms, what each rule changes in them, and how many cells tell."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from stdpjax import plotting
from stdpjax.plotting import COLORS
from stdpjax.stats import wilson_interval

_NAMES = {
    "windowed": "windowed (the paper's)",
    "eq_1": "Eq 1, rates",
    "eq_2": "Eq 2, presynaptic spikes",
    "all_to_all": "pairs, all to all",
    "presynaptic_centred": "pairs, presynaptic-centred",
    "reduced_symmetric": "pairs, reduced symmetric",
    "nearest_symmetric": "pairs, nearest symmetric",
    "windowed_bi_poo": "windowed, Bi & Poo",
    "bi_poo": "pairs, Bi & Poo",
    "song": "pairs, Song et al.",
    "triplet_visual": "triplets, visual cortex",
    "triplet_hippocampus": "triplets, hippocampus",
    "suppression": "suppression",
    "bcm": "BCM, sliding threshold",
    "hebb": "Hebb",
}
_ARMS = {
    "constant": ("constant", COLORS["kernel"], "s"),
    "rising": ("rising", COLORS["sum"], "^"),
    "falling": ("falling", COLORS["eq1"], "v"),
}
_CURVES = {"windowed": COLORS["nearest"], "all_to_all": COLORS["points"], "bi_poo": COLORS["rate"]}
# Changes in percent up to this one are drawn to scale, larger ones by their logarithm.
_LINEAR = 20.0


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw rates, changes by arm and rule, cells needed, and power against the number of cells."""
    figure = plotting.new_figure(14, 7.4)
    grid = figure.add_gridspec(2, 3, width_ratios=(1, 1.55, 1.2))
    _rates(figure.add_subplot(grid[0, 0]), data, config)
    _power(figure.add_subplot(grid[1, 0]), data, config)
    changes = figure.add_subplot(grid[:, 1])
    _changes(changes, data, config)
    _cells(figure.add_subplot(grid[:, 2]), data, config)
    return figure


def _rates(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for course, (text, color, _) in _ARMS.items():
        ax.plot(data.time, data.post_hz.sel(course=course), color=color, drawstyle="steps-mid", label=text)
    ax.axhline(config.pre_hz, color=COLORS["pre"], ls="--", lw=1, label="presynaptic")
    ax.set_ylim(0, 1.45 * config.high_hz)
    plotting.label(ax, f"Three arms, {config.n_repeats} times", "time in a ramp (ms)", "firing rate (Hz)")
    ax.legend(ncols=2, loc="upper center", title="postsynaptic rate")


def _rows(ax: Axes, data: xr.Dataset) -> np.ndarray:
    position = -np.arange(data.sizes["rule"], dtype=float)
    for row in position[::2]:
        ax.axhspan(row - 0.5, row + 0.5, color="0.96", lw=0, zorder=0)
    # Rules of which the prediction holds come first, rules of rates or coincidences last.
    for row in (5.5, 12.5):
        ax.axhline(-row, color="0.6", lw=0.8, ls=":")
    ax.set_ylim(-data.sizes["rule"] + 0.5, 2.0)
    return position


def _changes(ax: Axes, data: xr.Dataset, config: Any) -> None:
    position = _rows(ax, data)
    for shift, (course, (text, color, marker)) in zip((0.0, 0.25, -0.25), _ARMS.items(), strict=True):
        row = 100 * data[["exact", "observed", "observed_low", "observed_high"]].sel(course=course)
        reach = [row.observed - row.observed_low, row.observed_high - row.observed]
        ax.errorbar(
            row.observed, position + shift, xerr=reach, fmt=marker, ms=4, color=color, lw=1, capsize=2, label=text
        )
        ax.plot(row.exact, position + shift, "|", ms=8, mew=1.5, color="black", label="exact" if shift < 0 else None)
    ax.axvline(0, color="0.6", lw=0.8, zorder=0)
    ax.set_xscale("symlog", linthresh=_LINEAR, linscale=0.9)
    ticks = (-200, -100, -50, -20, -10, 0, 10, 20, 50, 100, 200, 400)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
    ax.set_yticks(position, [_NAMES[name] for name in data.rule.values])
    ax.tick_params(axis="y", length=0)
    plotting.label(
        ax,
        "What an experimenter would measure",
        f"change of the weight (%; logarithmic beyond ±{_LINEAR:g} %)",
        "rule",
    )
    ax.legend(ncols=4, loc="upper center", title=f"mean of {config.n_cells} cells, 95 %")


def _cells(ax: Axes, data: xr.Dataset, config: Any) -> None:
    position = _rows(ax, data)
    most, n_most = 2e4, data.cells_constant.attrs["most"]
    for name, marker, color, text in (
        ("cells_contrast", "o", COLORS["nearest"], "rising differs from falling (in each arm)"),
        ("cells_constant", "s", COLORS["kernel"], "a constant rate changes something"),
    ):
        shift = 0.17 if marker == "o" else -0.17
        n = data[name].values
        shown = n < most
        ax.plot(n[shown], (position + shift)[shown], marker, ms=5, color=color, label=text)
        for count, row in zip(n[shown], (position + shift)[shown], strict=True):
            ax.text(1.25 * count, row, f"{count:.0f}", va="center", fontsize=7, color=color)
        for count, row in zip(n[~shown], (position + shift)[~shown], strict=True):
            many = "no number suffices" if count == n_most else f"{count:.0f}"
            ax.text(0.9 * most, row, many, va="center", ha="right", fontsize=7, color=color)
    ax.set_xscale("log")
    ax.set_xlim(1.5, most)
    ax.set_yticks(position, [])
    ax.tick_params(axis="y", length=0)
    plotting.label(
        ax,
        f"Cells needed for {100 * config.power:g} % power at 5 %",
        f"cells (standard deviation between cells {100 * config.between_cells:g} %)",
        "rule, as on the left",
    )
    ax.legend(loc="upper left", title="two-sided t-test that")


def _power(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for index, (name, color) in enumerate(_CURVES.items()):
        row = data.sel(simulated_rule=name)
        ax.plot(data.cells, row.power_exact, color=color, lw=1.2)
        share = row.n_found / config.n_experiments
        ends = np.array([wilson_interval(int(found), config.n_experiments) for found in row.n_found.values])
        reach = np.abs(ends.T - share.values)
        beside = data.cells * 1.06 ** (index - 1)
        ax.errorbar(beside, share, reach, fmt="o", ms=3.5, capsize=2, lw=1, color=color, label=_NAMES[name])
    ax.axhline(config.power, color="0.6", lw=0.8, ls=":")
    ax.set_xscale("log")
    ax.set_xticks(data.cells.values, [f"{n:g}" for n in data.cells.values])
    ax.minorticks_off()
    ax.set_ylim(0, 1.42)
    ax.set_yticks(np.arange(0, 1.1, 0.2))
    plotting.label(ax, "Power: as computed, and simulated", "cells in each arm", "share that tells rising from falling")
    ax.legend(loc="upper left", title="lines: noncentral t; points: simulated, 95 %")
