"""Stationary laws of two units side by side, their means, and how many runs come from one mode to the other."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, bars, frame, new_figure
from stdpjax.stats import mean_interval, normal_interval

# Title, legend entry and colour.
_SAMPLERS = {
    "metropolis": ("Metropolis Langevin: same", "Metropolis", "nearest"),
    "langevin": ("Langevin: nearly", "Langevin", "rate"),
    "paper": ("Paper's noise: one spot", "paper", "eq1"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the densities that the dynamics sample beside exp(-E)."""
    figure = new_figure(12.0, 6.8)
    top, bottom = np.asarray(figure.subfigures(2, 1, height_ratios=(1, 0.95)))
    figure.suptitle("Eq 14: exp(-E) against what is sampled, two hard-sigmoid units", fontweight="bold")
    side = float(data.first[1] - data.first[0])
    centres, exact = data.first.values, data.exact_probability.values / side**2
    densities = {"Goal: exp(-E)": exact}
    densities |= {look[0]: data.probability.sel(sampler=name).values / side**2 for name, look in _SAMPLERS.items()}
    axes, image = top.subplots(1, 4, sharex=True, sharey=True), None
    for ax, (title, density) in zip(axes, densities.items(), strict=True):
        shown = np.where(density >= 1e-3, density, np.nan).T
        norm = LogNorm(1e-3, 10)
        image = ax.pcolormesh(centres, centres, shown, cmap="viridis", norm=norm, shading="nearest", rasterized=True)
        ax.contour(centres, centres, exact.T, levels=[0.01, 0.05, 0.1], colors=COLORS["sum"], linewidths=0.8)
        ax.set_aspect("equal")
        ax.set_title(title)
        ylabel = "second unit $s_2$ (activity)" if ax is axes[0] else " "
        frame(ax, "first unit $s_1$ (activity)", ylabel, xlim=(-3.5, 3.5), ylim=(-3.5, 3.5))
    bar = top.colorbar(image, ax=list(axes), shrink=0.75, pad=0.01).ax
    # To the right: in the middle it would run into the title of the panel beside it.
    bar.set_title("density", ha="left")
    frame(bar, "(1/activity²)", "colours; red lines: exp(-E)")
    for ax, draw in zip(bottom.subplots(1, 2), (_statistics, _moved), strict=True):
        draw(ax, data)
    return figure


def _statistics(ax: Axes, data: xr.Dataset) -> None:
    position = np.arange(3)
    for shift, (name, (_, words, color)) in zip((-0.22, 0.0, 0.22), _SAMPLERS.items(), strict=True):
        cell = data.sel(sampler=name)
        measured = normal_interval(cell.measured, cell.measured_error)
        bars(ax, position + shift, measured, color, words, width=0.2, capsize=0)
    ax.hlines(data.exact, position - 0.35, position + 0.35, color=COLORS["exact"], lw=1.5, label="exp(-E), quadrature")
    ax.set_title("Langevin dynamics get the means right")
    frame(ax, "statistic of the two units", "mean", ylim=(0, 1.5), xticks=["E[s²]", "E[ρρ]", "P(active)"])
    ax.legend(loc="upper center", ncols=2)


def _moved(ax: Axes, data: xr.Dataset) -> None:
    bars(ax, np.arange(data.sizes["noise"]), mean_interval(data.has_moved, "trial"), "eq1", width=0.5)
    ax.axhline(0.5, ls="--", color=COLORS["exact"], label="exp(-E)")
    ax.set_title("Two modes: who finds the other")
    frame(ax, "noise", "share of runs that end there", ylim=(0, 0.8), xticks=list(data.noise.values))
    ax.legend(loc="upper left")
