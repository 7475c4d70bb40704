"""Networks that come to rest between the kinks, and those that are driven past them and do not."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import curve, frame, points
from stdpjax.studies.panels import panels


def _rest(ax: Axes, data: xr.Dataset) -> None:
    reach, has_kinks = np.abs(data.solution).max("unit"), data.is_at_kink.any("unit")
    for chosen, color, words in ((~has_kinks, "nearest", "minimum inside"), (has_kinks, "sum", "units at kinks")):
        points(ax, reach.where(chosen), data.distance.where(chosen).clip(min=1e-9), "o", color, words, ms=4, alpha=0.7)
    ax.axvline(0.5, color="black", lw=1, ls=":", label="kink")
    ax.set_title("Driven past a kink, a network never rests")
    xlabel, ylabel = "largest |s| that solves $s = b + W\\rho(s)$", "|R(s) - s| at the end (log scale)"
    frame(ax, xlabel, ylabel, log="y", ylim=(1e-10, 10))
    ax.legend(loc="center right")


def _clip(ax: Axes, data: xr.Dataset) -> None:
    average, is_at_kink = data.average.sel(step=data.step.min()), data.is_at_kink.astype(bool)
    grid = np.linspace(-1.05, 1.05, 101) * max(float(np.abs(data.solution).max()), 0.6)
    curve(ax, grid, grid, "--", "points", "printed: $s = b + W\\rho(s)$", lw=1)
    curve(ax, grid, grid.clip(-0.5, 0.5), "-", "exact", "clip at the kinks", lw=1)
    points(ax, data.solution, average.where(~is_at_kink), ".", "nearest", "units inside", ms=6)
    points(ax, data.solution, average.where(is_at_kink), ".", "sum", "units at kinks", ms=6)
    ax.set_title("Time averages obey Eq 26 only inside")
    frame(ax, "field $b + W\\rho(s)$ (units of activity)", "time average (units of activity)", ylim=(-1.0, 1.0))
    ax.legend(loc="upper left")


def _averages(ax: Axes, data: xr.Dataset) -> None:
    error = np.abs(data.average - data.minimum).max("unit")
    points(ax, data.step, error, "_", "eq1", "one network", ms=10, alpha=0.5)
    points(ax, data.step, error.max("network"), "o-", "sum", "largest", ms=6)
    curve(ax, data.step, data.step, "--", "0.6", "step")
    ax.set_title("The averages are off by O(step)")
    xlabel, ylabel = "step size (units of $\\tau$, log scale)", "distance of the average (log scale)"
    frame(ax, xlabel, ylabel, log="xy", ylim=(1e-6, 1.0), xticks=data.step)
    ax.legend(loc="lower right")


plot = panels(12.5, 3.9, _rest, _clip, _averages)
