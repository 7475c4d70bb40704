"""How changes go together with spikes that cause them, and with those that do not."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points
from stdpjax.stats import normal_interval


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the covariance by lag, its tail, the bias by weight, and a prescribed activity."""
    figure = new_figure(12.0, 8.2)
    whole, tail, bias, prescribed = figure.subplots(2, 2).flat
    whole.set_title("A spike goes together with the change it causes")
    _lags(whole, data, config, 0)
    whole.legend(loc="upper right")
    tail.set_title("Afterwards the leak takes the effect back")
    _lags(tail, data, config, 1)
    tail.legend(loc="lower right")
    _weights(bias, data)
    _prescribed(prescribed, data, config)
    return figure


def _printed(ax: Axes, words: str) -> None:
    """Draw the line of what the paper prints: no covariance."""
    ax.axhline(0, lw=1.2, ls="--", color=COLORS["eq1"], label=words, zorder=0)


def _lags(ax: Axes, data: xr.Dataset, config: Any, first: int) -> None:
    here = data.sel(weight=config.weight, lag_before=slice(first, None))
    for neuron, color, marker in (("connected", "sum", "o"), ("unconnected", "control", "s")):
        row = here.sel(neuron=neuron)
        covariance = normal_interval(row.covariance, row.covariance_error)
        points(ax, row.lag_before, covariance, marker, color, f"neuron that is {neuron}, 95 %")
    curve(ax, here.lag_before, here.covariance_exact, "-", "exact", "closed form", lw=1)
    _printed(ax, "as printed: Eq 2 has the mean of Eq 1")
    ticks = np.arange(first, config.max_lag + 1, max(1, config.max_lag // 10))
    frame(ax, "steps from spike to change", "covariance of change and spike", xticks=ticks)


def _weights(ax: Axes, data: xr.Dataset) -> None:
    for lag, color, marker, words in (
        (0, "sum", "o", "spike of the same step (Eq 2)"),
        (1, "nearest", "D", "spike of the step before (Eq 5)"),
    ):
        at = data.sel(neuron="connected", lag_before=lag)
        points(ax, at.weight, normal_interval(at.covariance, at.covariance_error), marker, color, words, ms=5)
        curve(ax, at.weight, at.covariance_exact, "-", "exact", None if lag else "closed form", lw=1)
    _printed(ax, "Eq 1: no change on average")
    ax.set_title("So each weight feeds on itself")
    frame(ax, "weight $W_{ij}$", "mean update per step at constant rates")
    ax.legend(loc="upper left")


def _prescribed(ax: Axes, data: xr.Dataset, config: Any) -> None:
    time = data.time + 1
    mean, spread = data.spike_update.cumsum(), np.sqrt(data.spike_variance.cumsum())
    predicted = np.sqrt(data.predicted_variance.cumsum())
    shade: dict[str, Any] = {"lw": 0, "alpha": 0.2, "color": COLORS["nearest"]}
    ax.fill_between(time, mean - spread, mean + spread, **shade, label="Eq 2, one s.d. over trains")
    curve(ax, time, mean, "-", "nearest", f"Eq 2, mean of {config.n_trains} trains", lw=2.5)
    curve(ax, time, data.rate_update.cumsum(), "--", "exact", "p times Eq 1", lw=1)
    curve(ax, time, mean + predicted, ":", "sum", "s.d. from p (1-p)", lw=1)
    curve(ax, time, mean - predicted, ":", "sum", lw=1)
    ax.set_title("Prescribed activity: no bias, only more spread")
    frame(ax, "time (steps)", "weight change so far", headroom=0.3)
    ax.legend(loc="upper left", ncols=2)
