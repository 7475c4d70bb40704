"""Speed with and without learning: by drive and rate, what the effect is, and where it does not hold."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from stdpjax.lab.plotting import bars, frame, new_figure, points
from stdpjax.stats import mean_interval

_UNIT = "log ratio of mean squared speed"


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the log ratios by drive and rate, held weights, the static equivalent, alignments and a table."""
    figure = new_figure(12.0, 8.4)
    (small, held, static), (wave, layer, cells) = figure.subplots(2, 3)
    figure.suptitle("Section 5.1: learning with Eq 1 makes a network's units move more, not less", fontweight="bold")
    ratios, held_ratios = (
        np.log(speed) - np.log(speed).sel(learning_rate=0.0, drop=True) for speed in (data.speed, data.held_speed)
    )
    small.set_title("While learning: up for +, down for −")
    _drives(small, ratios, config, "drive (Eq 1, untied)")
    small.legend(title="learning rate", ncols=2, loc="upper left")
    held.set_title("Weights then held: small rates leave nothing")
    _drives(held, held_ratios, config, "fresh drive (Eq 1, untied)")
    _static(static, data)
    _wave(wave, data)
    _layer(layer, data)
    _cells(cells, np.exp(ratios.mean("network")))
    return figure


def _drives(ax: Axes, ratios: xr.DataArray, config: Any, xlabel: str) -> None:
    four = ratios.drive.values[:4]
    for index, rate in enumerate(rate for rate in ratios.learning_rate.values if rate != 0):
        color, marker = "sum" if rate > 0 else "eq1", "o" if abs(rate) == config.small_rate else "s"
        row = mean_interval(ratios.sel(form="Eq 1", learning_rate=rate, drive=four), "network")
        points(ax, np.arange(four.size) + 0.17 * (index - 1.5), row, marker, color, f"{rate:+g}", ms=5)
    names = [name.replace(" + ", "\n+ ") for name in four]
    frame(ax, xlabel, _UNIT, zero="y", ylim=(-0.42, 0.92), xticks=names)


def _static(ax: Axes, data: xr.Dataset) -> None:
    for shift, speed, color, words in (
        (-0.19, data.plastic_speed, "eq1", "tied weights that learn"),
        (0.19, data.static_speed, "control", "static weights, quartic energy"),
    ):
        ratio = np.exp((np.log(speed) - np.log(speed).sel(static_rate=0.0)).mean("network"))
        places, heights = np.arange(ratio.size) + shift, 100 * (ratio.values - 1)
        bars(ax, places, heights, color, words, width=0.36)
        for place in zip(places, heights, strict=True):
            options: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "fontsize": 7.5}
            ax.annotate(f"{place[1]:+.2f}", place, (0, 3 if place[1] >= 0 else -11), **options)
    ax.set_title("The effect is that of a softer, static energy")
    names = [f"{rate:+g}" if rate else "0" for rate in data.static_rate.values]
    frame(ax, "learning rate", "change of mean squared speed (%)", zero="y", ylim=(-10, 11), xticks=names)
    ax.legend(loc="upper left")


def _wave(ax: Axes, data: xr.Dataset) -> None:
    aligned = np.log(data.aligned_speed) - np.log(data.wave_speed)
    for rate, color in zip(data.small_rate.values, ("eq1", "sum"), strict=True):
        mean = mean_interval(aligned.sel(small_rate=rate), "network")
        points(ax, np.arange(data.sizes["pairing"]), mean, "o", color, f"{rate:+g}", ms=5)
    ax.set_title("On a travelling wave, alignment decides")
    names = ["step before\n(Eq 5)", "start", "midpoint", "end"]
    frame(ax, "presynaptic rate taken at (tied)", _UNIT, zero="y", xticks=names)
    ax.legend(title="learning rate", loc="upper center")


def _layer(ax: Axes, data: xr.Dataset) -> None:
    place = np.arange(data.sizes["layer_rate"])
    bars(ax, place, mean_interval(data.layer_growth, "network"), "pre", "measured", width=0.5, capsize=4)
    points(ax, place, data.layer_predicted, "D", "exact", "exp(rate c T / (1 + τ))", ms=6)
    ax.axhline(1, color="0.6", lw=0.8)
    ax.set_title("From given inputs, weights grow or shrink")
    names = [f"{rate:+g}" for rate in data.layer_rate.values]
    frame(ax, "learning rate", "weights, final over first", ylim=(0, 2.4), xticks=names)
    ax.legend(loc="upper left")


def _cells(ax: Axes, ratio: xr.DataArray) -> None:
    ratio = ratio.sel(learning_rate=ratio.learning_rate != 0).stack(row=("drive", "form"))
    ratio = ratio.transpose("row", "learning_rate")
    ax.set_axis_off()
    ax.set_title("All ratios (red: faster)")
    rows = [[f"{value:.3f}" if value < 10 else f"{value:.0f}" for value in row] for row in ratio.values]
    names: dict[str, Any] = {"rowLabels": [f"{drive}, {form}" for drive, form in ratio.row.values]}
    names["colLabels"] = [f"{rate:+g}" for rate in ratio.learning_rate.values]
    drawn = ax.table(rows, **names, bbox=Bbox.from_bounds(0.42, 0.0, 0.6, 1.0), cellLoc="center")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(7)
    for (row, column), cell in drawn.get_celld().items():
        cell.set_linewidth(0.3)
        if row > 0 and column >= 0:
            value = ratio.values[row - 1, column]
            cell.set_facecolor("#fbe3d6" if value > 1.005 else "#dbe9f4" if value < 0.995 else "white")
