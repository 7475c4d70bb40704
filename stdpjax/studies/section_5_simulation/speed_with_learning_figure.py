"""Speed with and without learning: while weights change, once they are held, and on a travelling wave."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import frame, new_figure, points
from stdpjax.stats import mean_interval

_UNIT = "log ratio of mean squared speed"


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the log ratios by drive and rate, while learning and with weights held, and those on a wave."""
    figure = new_figure(12.0, 8.0)
    axes = figure.subplot_mosaic([["Eq 1", "Eq 1", "held"], ["tied", "tied", "wave"]])
    figure.suptitle("Section 5.1: learning with Eq 1 makes a network's units move more, not less", fontweight="bold")
    for form, title in (("Eq 1", "While learning (untied): up for +, down for −"), ("tied", "The same, tied")):
        axes[form].set_title(title)
        _drives(axes[form], data.speed.sel(form=form), config, "drive")
    axes["held"].set_title("Weights then held (untied)")
    _drives(axes["held"], data.held_speed.sel(form="Eq 1"), config, "fresh drive")
    axes["Eq 1"].legend(title="learning rate", ncols=2, loc="upper left")
    logs = np.log(data.wave_speed)
    found = mean_interval((logs[1:] - logs[0]), "network")
    points(axes["wave"], np.arange(2), found, "o", "sum", f"{config.small_rate:+g}", ms=5)
    axes["wave"].set_title("On a travelling wave the moment decides")
    frame(axes["wave"], "presynaptic rate taken at (tied)", _UNIT, zero="y", xticks=["start", "midpoint"])
    axes["wave"].legend(title="learning rate", loc="upper left")
    return figure


def _drives(ax: Axes, speed: xr.DataArray, config: Any, xlabel: str) -> None:
    logs = speed.copy(data=np.log(speed.values))
    for index, rate in enumerate(rate for rate in speed.learning_rate.values if rate != 0):
        color, marker = "sum" if rate > 0 else "eq1", "o" if abs(rate) == config.small_rate else "s"
        row = mean_interval(logs.sel(learning_rate=rate) - logs.sel(learning_rate=0.0), "network")
        points(ax, np.arange(speed.drive.size) + 0.17 * (index - 1.5), row, marker, color, f"{rate:+g}", ms=5)
    names = [name.replace(" + ", "\n+ ") for name in speed.drive.values]
    frame(ax, xlabel, _UNIT, zero="y", ylim=(-0.42, 0.92), xticks=names)
