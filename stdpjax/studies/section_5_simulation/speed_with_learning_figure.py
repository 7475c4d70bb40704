"""Speed with and without learning: on every drive, with misplaced changes, and by the moment of the rate on a wave."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import frame, new_figure, points
from stdpjax.stats import mean_interval

_UNIT = "log ratio of mean squared speed"


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the log ratios by drive and rate, those of misplaced changes, and those on a wave."""
    figure = new_figure(12.0, 8.0)
    axes = figure.subplot_mosaic([["Eq 1", "Eq 1", "misplaced"], ["tied", "tied", "wave"]])
    figure.suptitle("Section 5.1: but for a travelling wave, units move more, not less, with Eq 1", fontweight="bold")
    for form, title in (("Eq 1", "While learning (untied): up for +, down for −"), ("tied", "The same, tied")):
        axes[form].set_title(title)
        _drives(axes[form], data.log_ratio.sel(form=form), config)
    axes["Eq 1"].legend(title="learning rate", ncols=2, loc="lower left")
    for index, (form, color) in enumerate(zip(data.form.values, ("eq1", "sum"), strict=True)):
        row = mean_interval(data.misplaced_log_ratio.sel(form=form), "network")
        points(axes["misplaced"], np.arange(row.value.size) + 0.17 * (index - 0.5), row, "o", color, str(form), ms=5)
    axes["misplaced"].set_title(f"Changes between other units ({config.small_rate:+g})")
    frame(axes["misplaced"], "drive", _UNIT, zero="y", xticks=_names(data.misplaced_log_ratio))
    axes["misplaced"].legend(loc="upper left")
    at_start = data.log_ratio.sel(form="tied", learning_rate=config.small_rate)[-1]
    moments = np.stack([at_start.values, data.midway_log_ratio.values])
    points(axes["wave"], np.arange(2), mean_interval(moments, axis=1), "o", "sum", None, ms=5)
    axes["wave"].set_title(f"On a wave the moment decides (tied, {config.small_rate:+g})")
    frame(axes["wave"], "presynaptic rate taken at", _UNIT, zero="y", xticks=["start", "midpoint"])
    return figure


def _names(logs: xr.DataArray) -> list[str]:
    return [name.replace(" + ", "\n+ ").replace("ling ", "ling\n") for name in logs.drive.values]


def _drives(ax: Axes, logs: xr.DataArray, config: Any) -> None:
    for index, rate in enumerate(rate for rate in logs.learning_rate.values if rate != 0):
        color, marker = "sum" if rate > 0 else "eq1", "o" if abs(rate) == config.small_rate else "s"
        row = mean_interval(logs.sel(learning_rate=rate), "network")
        points(ax, np.arange(logs.drive.size) + 0.17 * (index - 1.5), row, marker, color, f"{rate:+g}", ms=5)
    frame(ax, "drive", _UNIT, zero="y", xticks=_names(logs))
