"""A unit at its kink, and networks that settle inside the active region or at kinks."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_LOW, _HIGH = -0.5, 0.5


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the chattering of a unit, and where networks settle with and without noise."""
    figure = plotting.new_figure(12.5, 7.2)
    axes = figure.subplots(2, 3)
    _chatter(axes[0, 0], data, config)
    _duty(axes[0, 1], data, config)
    _clip(axes[0, 2], data)
    _relaxed(axes[1, 0], data)
    _averages(axes[1, 1], data)
    _noise(axes[1, 2], data, config)
    return figure


def _chatter(ax: Axes, data: xr.Dataset, config: Any) -> None:
    field = max((u for u in config.fields if u <= 2), default=max(config.fields))
    field = field if field > _HIGH else max(config.fields)
    row, step = data.sel(drive=field), config.chatter_step
    low, high = (1 - step) * _HIGH, _HIGH + step * (field - _HIGH)
    ax.axhspan(low, high, color=plotting.COLORS["pre"], alpha=0.25, lw=0, label="predicted range")
    ax.axhline(_HIGH, color="black", lw=1, ls=":", label="kink")
    ax.plot(row.time, row.chatter, ".-", color=plotting.COLORS["eq1"], lw=0.8, ms=4, label="activity")
    ax.axhline(float(row.chatter_mean), color=plotting.COLORS["sum"], lw=1, label="time average")
    ax.set_ylim(low - 0.3 * (high - low), high + 0.75 * (high - low))
    plotting.label(ax, f"Driven past its kink (u = {field:g}) a unit chatters", "time (steps)", "activity $s$")
    ax.legend(loc="upper center", ncols=2)


def _duty(ax: Axes, data: xr.Dataset, config: Any) -> None:
    field = np.linspace(0.05, 1.05 * max(config.fields), 200)
    ax.plot(field, np.minimum(1, _HIGH / field), color=plotting.COLORS["exact"], lw=1, label="kink / u, at most 1")
    ax.plot(data.drive, data.duty, "o", color=plotting.COLORS["eq1"], label="simulated")
    ax.axhline(1, color=plotting.COLORS["points"], ls="--", lw=1, label="at rest, as Eq 25 has it")
    ax.set_ylim(0, 1.25)
    plotting.label(ax, "The kink acts as a slope below 1", "field u (units of activity)", "share of time active")
    ax.legend(loc="upper right")


def _clip(ax: Axes, data: xr.Dataset) -> None:
    field, state, at_kink = (data[name].values.ravel() for name in ("field", "minimum", "is_at_kink"))
    reach = 1.05 * max(np.abs(field).max(), 0.6)
    grid = np.linspace(-reach, reach, 101)
    ax.plot(grid, grid, "--", lw=1, color=plotting.COLORS["points"], label="printed: $s = b + W\\rho(s)$")
    ax.plot(grid, np.clip(grid, _LOW, _HIGH), lw=1, color=plotting.COLORS["exact"], label="clip at the kinks")
    ax.plot(field[~at_kink], state[~at_kink], ".", color=plotting.COLORS["nearest"], label="units inside")
    ax.plot(field[at_kink], state[at_kink], ".", color=plotting.COLORS["sum"], label="units at kinks")
    ax.set_ylim(-1.0, 1.0)
    plotting.label(
        ax, "Energy minima obey Eq 26 only inside", "field $b + W\\rho(s)$ (units of activity)", "state at the minimum"
    )
    ax.legend(loc="upper left")


def _relaxed(ax: Axes, data: xr.Dataset) -> None:
    minimum = data.minimum.values.ravel()
    ax.plot([_LOW, _HIGH], [_LOW, _HIGH], lw=1, color="0.75", zorder=0)
    ax.plot(minimum, data.linear.values.ravel(), "x", ms=4, color=plotting.COLORS["points"],
            label="Eq 26 solved, cut at the kinks")  # fmt: skip
    ax.plot(minimum, data.relaxed.values.ravel(), "o", ms=4, mfc="none", color=plotting.COLORS["nearest"],
            label="relaxed clip form")  # fmt: skip
    ax.set_ylim(-0.56, 0.78)
    plotting.label(
        ax, "The clip form finds the box minimum", "minimum on the box (units of activity)", "found (units of activity)"
    )
    ax.legend(loc="upper left")


def _averages(ax: Axes, data: xr.Dataset) -> None:
    error = np.abs(data.average - data.minimum).max("unit")
    for index, step in enumerate(data.step.values):
        ax.plot(np.full(data.sizes["network"], step), error.isel(step=index), "_", ms=10, alpha=0.5,
                color=plotting.COLORS["eq1"], label="one network" if index == 0 else None)  # fmt: skip
    worst = error.max("network")
    ax.plot(data.step, worst, "o-", color=plotting.COLORS["sum"], label="largest")
    ax.plot(data.step, data.step, "--", color="0.6", label="step")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(1e-6, 1.0)
    ax.set_xticks(data.step.values, [f"{step:g}" for step in data.step.values])
    ax.minorticks_off()
    plotting.label(
        ax, "Time averages: the box minimum, up to O(step)", "step size (units of $\\tau$, log scale)",
        "distance of the average (log scale)",
    )  # fmt: skip
    ax.legend(loc="lower right")


def _noise(ax: Axes, data: xr.Dataset, config: Any) -> None:
    average = data.noisy_average.values.ravel()
    reach = [float(data.smooth.min()) - 0.05, float(data.smooth.max()) + 0.05]
    ax.plot(reach, reach, lw=1, color="0.75", zorder=0)
    ax.plot(data.minimum.values.ravel(), average, "x", ms=4, color=plotting.COLORS["points"],
            label="against the kinks, without noise")  # fmt: skip
    ax.plot(data.smooth.values.ravel(), average, "o", ms=4, mfc="none", color=plotting.COLORS["nearest"],
            label="against the smoothed rate's fixed point")  # fmt: skip
    ax.set_ylim(reach[0], reach[1] + 0.35 * (reach[1] - reach[0]))
    plotting.label(
        ax, f"With noise {config.noise_std:g} the kinks are smoothed", "predicted state (units of activity)",
        "time average (units of activity)",
    )  # fmt: skip
    ax.legend(loc="upper left")
