"""The paper's noise: variance of linear modes, correlation in time, mean drift, dependence on its size."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, bars, curve, frame, new_figure, points
from stdpjax.stats import normal_interval


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw what the noise of Eq 14 and 15 does to variances, correlations and means."""
    figure = new_figure(11.0, 7.6)
    figure.suptitle("Eq 14 and 15: the noise inside R is not Langevin noise", fontweight="bold")
    draws = (_modes, _lags, _sums, _levels, _drift, _lonely)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data, config)
    return figure


def _modes(ax: Axes, data: xr.Dataset, config: Any) -> None:
    grid = np.linspace(-0.7, 0.8, 301)
    for step, color in zip(data.step.values, ("eq1", "nearest", "sum"), strict=False):
        cell = data.sel(step=step)
        law = step * config.noise_std**2 * grid**2 / (2 - step * (1 - grid))
        curve(ax, grid, np.where(law > 1e-6, law, np.nan), "-", color, lw=1)
        variance = normal_interval((1 - cell.mode) * cell.variance, (1 - cell.mode) * cell.variance_error)
        points(ax, cell.mode, variance, "o", color, f"step {step:g}", capsize=0)
    ax.axhline(1, ls="--", color=COLORS["control"], label="exp(-E), as printed")
    ax.set_title("Every mode has its own temperature")
    frame(ax, "eigenvalue $m$ of the weights", "(1 - m) variance (activity²)", log="y", ylim=(1e-5, 30))
    ax.legend(ncols=2, loc="upper center", title="points: measured; lines: corrected law")


def _lags(ax: Axes, data: xr.Dataset, config: Any) -> None:
    left, right = data.lag - 0.19, data.lag + 0.19
    bars(ax, left, data.autocovariance, "eq1", r"measured $\nu$", width=0.38)
    langevin = np.where(data.lag == 0, 2 * config.walk_step, 0.0)
    bars(ax, right, langevin, "control", "Langevin noise, as printed", width=0.38)
    points(ax, left, data.predicted_autocovariance, "D", "exact", "corrected law")
    ax.set_title("Each noise term takes back the last one")
    frame(ax, "lag (steps)", "autocovariance (activity²)", zero="y", xticks=data.lag)
    ax.legend(loc="upper right")


def _sums(ax: Axes, data: xr.Dataset, config: Any) -> None:
    measured, white = float(data.long_run_variance), float(data.white_long_run_variance)
    heights = [measured, config.walk_step**2 * config.noise_std**2, white, 2 * config.walk_step]
    for place, (height, color) in enumerate(zip(heights, ("eq1", "exact", "pre", "control"), strict=True)):
        bars(ax, place, height, color, width=0.6)
    interval = normal_interval(measured, float(data.long_run_variance_error))
    points(ax, 0, interval, "", "black", capsize=4)
    ax.set_title("So almost nothing adds up")
    names = ["measured", "corrected:\nstep² noise²", "white, same\nvariance", "Langevin,\nas printed"]
    frame(ax, "noise in Eq 15", "long-run variance (activity² per step)", log="y", ylim=(1e-4, 1), xticks=names)


def _levels(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for index, variance in enumerate(data.level_variance.transpose("network", "level")[:12]):
        curve(ax, data.level, variance, "-", "pre", None if index else "single networks", lw=0.5, alpha=0.6)
    curve(ax, data.level, data.level_variance.mean("network"), "o-", "eq1", "mean")
    ax.axhline(1, ls="--", color=COLORS["control"], label="exp(-E), about")
    ax.set_title("More noise is not more temperature")
    xlabel, ylabel = "standard deviation of the noise (activity)", "variance of the state (activity²)"
    frame(ax, xlabel, ylabel, log="xy", ylim=(None, 10), xticks=data.level)
    ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.72))


def _drift(ax: Axes, data: xr.Dataset, config: Any) -> None:
    limits = [float(data.plain_drift.min()) - 0.1, float(data.plain_drift.max()) + 0.1]
    curve(ax, limits, limits, "-", "0.6", lw=0.8)
    points(ax, data.plain_drift, data.drift, "x", "control", "printed: R at the state", ms=6)
    sampled = normal_interval(data.drift, data.drift_error)
    points(ax, data.smoothed_drift, sampled, "o", "eq1", "corrected: smoothed rates", capsize=0)
    ax.set_title("The mean follows another energy")
    frame(ax, "expected mean of R (activity)", "mean of R(s + η) (activity)")
    ax.legend(loc="upper left")


def _lonely(ax: Axes, data: xr.Dataset, config: Any) -> None:
    position = np.arange(data.sizes["unit"])
    bars(ax, position, data.lonely_variance, "eq1", "measured", width=0.5)
    points(ax, position, data.lonely_predicted_variance, "D", "exact", "corrected law", ms=5)
    ax.axhline(1, ls="--", color=COLORS["control"], label="exp(-E), as printed")
    ax.set_yscale("symlog", linthresh=1e-4)
    ax.set_title("Without weights, hardly any noise")
    names = [f"{value:g}" for value in data.lonely_bias.values]
    frame(ax, "bias of the unit", "variance of the state (activity²)", ylim=(0, 30), xticks=names)
    ax.legend(loc="upper left", ncols=2)
