"""The paper's noise: variance of linear modes, what the noise adds up to, and the mean state."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import COLORS, bars, curve, frame, points
from stdpjax.stats import normal_interval
from stdpjax.studies.panels import panels


def _modes(ax: Axes, data: xr.Dataset) -> None:
    grid, noise = np.linspace(-0.7, 0.8, 301), float(data.noise_std)
    for step, color in zip(data.step.values, ("eq1", "nearest", "sum"), strict=False):
        cell = data.sel(step=step)
        law = step * noise**2 * grid**2 / (2 - step * (1 - grid))
        curve(ax, grid, np.where(law > 1e-6, law, np.nan), "-", color, lw=1)
        variance = normal_interval((1 - cell.mode) * cell.variance, (1 - cell.mode) * cell.variance_error)
        points(ax, cell.mode, variance, "o", color, f"step {step:g}", capsize=0)
    ax.axhline(1, ls="--", color=COLORS["control"], label="exp(-E), as printed")
    ax.set_title("Every mode has its own temperature")
    frame(ax, "eigenvalue $m$ of the weights", "(1 - m) variance (activity²)", log="y", ylim=(1e-5, 30))
    ax.legend(ncols=2, loc="upper center", title="points: measured; lines: corrected law")


def _sums(ax: Axes, data: xr.Dataset) -> None:
    measured, white = float(data.long_run_variance), float(data.white_long_run_variance)
    heights = [measured, float(data.predicted_long_run_variance), white, 2 * float(data.walk_step)]
    for place, (height, color) in enumerate(zip(heights, ("eq1", "exact", "pre", "control"), strict=True)):
        bars(ax, place, height, color, width=0.6)
    points(ax, 0, normal_interval(measured, float(data.long_run_variance_error)), "", "black", capsize=4)
    ax.set_title("Almost nothing of the noise adds up")
    names = ["measured", "step² noise²", "white, same\nvariance", "Langevin,\nas printed"]
    frame(ax, "noise in Eq 15", "long-run variance (activity² per step)", log="y", ylim=(1e-4, 1), xticks=names)


def _means(ax: Axes, data: xr.Dataset) -> None:
    points(ax, data.unit, data.plain_fixed_point, "x", "control", "R without noise", ms=7)
    points(ax, data.unit, data.smoothed_fixed_point, "D", "exact", "R with smoothed rates", ms=7)
    points(ax, data.unit, normal_interval(data.mean_state, data.mean_state_error), "o", "eq1", "measured", ms=4)
    ax.set_title("The mean follows rates that noise smooths")
    frame(ax, "unit", "mean state, fixed point (activity)", xticks=data.unit, headroom=0.25)
    ax.legend(loc="upper center")


plot = panels(13.0, 4.4, _modes, _sums, _means)
