"""How changes go together with spikes that cause them, and with those that do not."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the covariance by lag, its tail, the bias by weight, and a prescribed activity."""
    figure = plotting.new_figure(12.0, 8.2)
    whole, tail, bias, prescribed = figure.subplots(2, 2).flat
    _draw_lags(whole, data, config, 0)
    plotting.label(
        whole, "A spike goes together with the change it causes", "steps from spike to change",
        "covariance of change and spike",
    )  # fmt: skip
    whole.legend(loc="upper right")
    _draw_lags(tail, data, config, 1)
    plotting.label(
        tail,
        "Afterwards the leak takes the effect back",
        "steps from spike to change",
        "covariance of change and spike",
    )
    tail.legend(loc="lower right")
    _draw_weights(bias, data, config)
    _draw_prescribed(prescribed, data, config)
    return figure


def _draw_lags(ax: Axes, data: xr.Dataset, config: Any, first: int) -> None:
    here = data.sel(weight=config.weight, lag_before=slice(first, None))
    for neuron, color, marker in (("connected", "sum", "o"), ("unconnected", "control", "s")):
        row = here.sel(neuron=neuron)
        ax.errorbar(row.lag_before, row.covariance, 1.96 * row.covariance_error, fmt=marker, ms=4, capsize=2,
                    color=plotting.COLORS[color], label=f"neuron that is {neuron}, 95 %")  # fmt: skip
    ax.plot(here.lag_before, here.covariance_exact, "-", lw=1, color=plotting.COLORS["exact"], label="closed form")
    ax.axhline(
        0, lw=1.2, ls="--", color=plotting.COLORS["eq1"], label="as printed: Eq 2 has the mean of Eq 1", zorder=0
    )
    ax.set_xticks(range(first, config.max_lag + 1, max(1, config.max_lag // 10)))


def _draw_weights(ax: Axes, data: xr.Dataset, config: Any) -> None:
    row = data.sel(neuron="connected")
    for lag, color, marker, label in (
        (0, "sum", "o", "spike of the same step (Eq 2)"),
        (1, "nearest", "D", "spike of the step before (Eq 5)"),
    ):
        at = row.sel(lag_before=lag)
        ax.errorbar(at.weight, at.covariance, 1.96 * at.covariance_error, fmt=marker, ms=5, capsize=2,
                    color=plotting.COLORS[color], label=label)  # fmt: skip
        ax.plot(at.weight, at.covariance_exact, "-", lw=1, color=plotting.COLORS["exact"],
                label="closed form" if lag == 0 else None)  # fmt: skip
    ax.axhline(0, lw=1.2, ls="--", color=plotting.COLORS["eq1"], label="Eq 1: no change on average", zorder=0)
    plotting.label(
        ax, "So each weight feeds on itself", "weight $W_{ij}$", "mean update per step at constant rates"
    )  # fmt: skip
    ax.legend(loc="upper left")


def _draw_prescribed(ax: Axes, data: xr.Dataset, config: Any) -> None:
    time = data.time + 1
    mean, spread = data.spike_update.cumsum(), np.sqrt(data.spike_variance.cumsum())
    predicted = np.sqrt(data.predicted_variance.cumsum())
    ax.fill_between(time, mean - spread, mean + spread, lw=0, alpha=0.2, color=plotting.COLORS["nearest"],
                    label="Eq 2, one s.d. over trains")  # fmt: skip
    ax.plot(time, mean, color=plotting.COLORS["nearest"], lw=2.5, label=f"Eq 2, mean of {config.n_trains} trains")
    ax.plot(time, data.rate_update.cumsum(), "--", lw=1, color=plotting.COLORS["exact"], label="p times Eq 1")
    ax.plot(time, mean + predicted, ":", lw=1, color=plotting.COLORS["sum"], label="s.d. from p (1-p)")
    ax.plot(time, mean - predicted, ":", lw=1, color=plotting.COLORS["sum"])
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.3 * (high - low))
    plotting.label(ax, "Prescribed activity: no bias, only more spread", "time (steps)", "weight change so far")
    ax.legend(loc="upper left", ncols=2)
