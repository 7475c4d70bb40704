"""How changes go together with spikes that cause them, and with those that do not."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import COLORS, curve, frame, points
from stdpjax.stats import normal_interval
from stdpjax.studies.panels import panels


def _printed(ax: Axes) -> None:
    ax.axhline(0, lw=1.2, ls="--", color=COLORS["eq1"], label="as printed: Eq 2 has the mean of Eq 1", zorder=0)


def _lags(ax: Axes, data: xr.Dataset) -> None:
    here, longest = data.sel(weight=float(data.main_weight)), data.sizes["lag_before"] - 1
    for neuron, color, marker in (("connected", "sum", "o"), ("unconnected", "control", "s")):
        row = here.sel(neuron=neuron)
        covariance = normal_interval(row.covariance, row.covariance_error)
        points(ax, row.lag_before, covariance, marker, color, f"neuron that is {neuron}, 95 %")
    curve(ax, here.lag_before, here.covariance_exact, "-", "exact", "closed form", lw=1)
    _printed(ax)
    ax.set_title("A spike goes together with the change it causes; then the leak takes it back")
    ticks = np.arange(0, longest + 1, max(1, longest // 10))
    frame(ax, "steps from spike to change", "covariance of change and spike", xticks=ticks)
    ax.legend(loc="upper right")


def _weights(ax: Axes, data: xr.Dataset) -> None:
    looks = ((0, "sum", "o", "spike of the same step (Eq 2)"), (1, "nearest", "D", "spike of the step before (Eq 5)"))
    for lag, color, marker, words in looks:
        at = data.sel(neuron="connected", lag_before=lag)
        points(ax, at.weight, normal_interval(at.covariance, at.covariance_error), marker, color, words, ms=5)
        curve(ax, at.weight, at.covariance_exact, "-", "exact", None if lag else "closed form", lw=1)
    _printed(ax)
    ax.set_title("So each weight feeds on itself")
    frame(ax, "weight $W_{ij}$", "mean update per step at constant rates")
    ax.legend(loc="upper left")


plot = panels(12.0, 4.4, _lags, _weights)
