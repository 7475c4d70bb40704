"""A unit at its kink, and networks that settle inside the active region or at kinks."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points

_LOW, _HIGH = -0.5, 0.5


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the chattering of a unit, and where networks settle with and without noise."""
    figure = new_figure(12.5, 7.2)
    draws = (_chatter, _duty, _clip, _relaxed, _averages, _noise)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data, config)
    return figure


def _chatter(ax: Axes, data: xr.Dataset, config: Any) -> None:
    field = max((u for u in config.fields if u <= 2), default=max(config.fields))
    field = field if field > _HIGH else max(config.fields)
    row, step = data.sel(drive=field), config.chatter_step
    low, high = (1 - step) * _HIGH, _HIGH + step * (field - _HIGH)
    ax.axhspan(low, high, color=COLORS["pre"], alpha=0.25, lw=0, label="predicted range")
    ax.axhline(_HIGH, color="black", lw=1, ls=":", label="kink")
    curve(ax, row.time, row.chatter, ".-", "eq1", "activity", lw=0.8)
    ax.axhline(float(row.chatter_mean), color=COLORS["sum"], lw=1, label="time average")
    ax.set_title(f"Driven past its kink (u = {field:g}) a unit chatters")
    limits = low - 0.3 * (high - low), high + 0.75 * (high - low)
    frame(ax, "time (steps)", "activity $s$", ylim=limits)
    ax.legend(loc="upper center", ncols=2)


def _duty(ax: Axes, data: xr.Dataset, config: Any) -> None:
    field = np.linspace(0.05, 1.05 * max(config.fields), 200)
    curve(ax, field, np.minimum(1, _HIGH / field), "-", "exact", "kink / u, at most 1", lw=1)
    points(ax, data.drive, data.duty, "o", "eq1", "simulated", ms=6)
    ax.axhline(1, color=COLORS["points"], ls="--", lw=1, label="at rest, as Eq 25 has it")
    ax.set_title("The kink acts as a slope below 1")
    frame(ax, "field u (units of activity)", "share of time active", ylim=(0, 1.25))
    ax.legend(loc="upper right")


def _clip(ax: Axes, data: xr.Dataset, config: Any) -> None:
    reach = 1.05 * max(float(np.abs(data.field).max()), 0.6)
    grid = np.linspace(-reach, reach, 101)
    curve(ax, grid, grid, "--", "points", "printed: $s = b + W\\rho(s)$", lw=1)
    curve(ax, grid, np.clip(grid, _LOW, _HIGH), "-", "exact", "clip at the kinks", lw=1)
    points(ax, data.field, data.minimum.where(~data.is_at_kink.astype(bool)), ".", "nearest", "units inside", ms=6)
    points(ax, data.field, data.minimum.where(data.is_at_kink.astype(bool)), ".", "sum", "units at kinks", ms=6)
    ax.set_title("Energy minima obey Eq 26 only inside")
    frame(ax, "field $b + W\\rho(s)$ (units of activity)", "state at the minimum", ylim=(-1.0, 1.0))
    ax.legend(loc="upper left")


def _relaxed(ax: Axes, data: xr.Dataset, config: Any) -> None:
    curve(ax, [_LOW, _HIGH], [_LOW, _HIGH], "-", "0.75", lw=1, zorder=0)
    points(ax, data.minimum, data.linear, "x", "points", "Eq 26 solved, cut at the kinks")
    points(ax, data.minimum, data.relaxed, "o", "nearest", "relaxed clip form", mfc="none")
    ax.set_title("The clip form finds the box minimum")
    frame(ax, "minimum on the box (units of activity)", "found (units of activity)", ylim=(-0.56, 0.78))
    ax.legend(loc="upper left")


def _averages(ax: Axes, data: xr.Dataset, config: Any) -> None:
    error = np.abs(data.average - data.minimum).max("unit")
    points(ax, data.step, error, "_", "eq1", "one network", ms=10, alpha=0.5)
    points(ax, data.step, error.max("network"), "o-", "sum", "largest", ms=6)
    curve(ax, data.step, data.step, "--", "0.6", "step")
    ax.set_title("Time averages: the box minimum, up to O(step)")
    xlabel, ylabel = "step size (units of $\\tau$, log scale)", "distance of the average (log scale)"
    frame(ax, xlabel, ylabel, log="xy", ylim=(1e-6, 1.0), xticks=data.step)
    ax.legend(loc="lower right")


def _noise(ax: Axes, data: xr.Dataset, config: Any) -> None:
    low, high = float(data.smooth.min()) - 0.05, float(data.smooth.max()) + 0.05
    curve(ax, [low, high], [low, high], "-", "0.75", lw=1, zorder=0)
    points(ax, data.minimum, data.noisy_average, "x", "points", "against the kinks, without noise")
    words = "against the smoothed rate's fixed point"
    points(ax, data.smooth, data.noisy_average, "o", "nearest", words, mfc="none")
    ax.set_title(f"With noise {config.noise_std:g} the kinks are smoothed")
    xlabel, ylabel = "predicted state (units of activity)", "time average (units of activity)"
    frame(ax, xlabel, ylabel, ylim=(low, high + 0.35 * (high - low)))
    ax.legend(loc="upper left")
