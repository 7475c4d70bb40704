"""Stationary laws of two units side by side, their marginals, and the share of active states by temperature."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, bars, curve, frame, new_figure, points
from stdpjax.stats import normal_interval

# Title, legend entries where there is room and where there is none, colour and marker.
_SAMPLERS = {
    "metropolis": ("Metropolis Langevin: same", "Langevin with Metropolis step", "Metropolis", "nearest", "o"),
    "langevin": ("Langevin: nearly", "Langevin", "Langevin", "rate", "x"),
    "paper": ("Paper's noise: one spot", "the paper's noise", "paper", "eq1", "D"),
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
    bar.set_title("density")
    frame(bar, "(1/activity²)", "colours; red lines: exp(-E)")
    marginal, statistics, active = bottom.subplots(1, 3, width_ratios=(1.3, 1.1, 1))
    _marginal(marginal, data, side)
    _statistics(statistics, data)
    _active(active, data)
    return figure


def _marginal(ax: Axes, data: xr.Dataset, side: float) -> None:
    ax.axvspan(-0.5, 0.5, color="0.93", zorder=0, label="between the kinks")
    curve(ax, data.first, data.exact_probability.sum("second") / side, "-", "exact", "exp(-E)", lw=2)
    for name, (_, words, _, color, marker) in _SAMPLERS.items():
        density = data.probability.sel(sampler=name).sum("second") / side
        density = density.where(density > 0)
        points(ax, data.first, density, marker, color, words)
        if name == "paper":
            ax.vlines(data.first, 0, density, color=COLORS[color], lw=2)
    ax.set_title("The paper's noise stays in one spot")
    frame(ax, "activity of one unit", "density (1/activity)", log="y", xlim=(-3.5, 3.5), ylim=(1e-3, 300))
    ax.legend(loc="upper left", ncols=2)


def _statistics(ax: Axes, data: xr.Dataset) -> None:
    position = np.arange(3)
    for shift, (name, (_, _, words, color, _)) in zip((-0.22, 0.0, 0.22), _SAMPLERS.items(), strict=True):
        cell = data.sel(sampler=name)
        measured = normal_interval(cell.measured, cell.measured_error)
        bars(ax, position + shift, measured, color, words, width=0.2, capsize=0)
    ax.hlines(data.exact, position - 0.35, position + 0.35, color=COLORS["exact"], lw=1.5, label="exp(-E), quadrature")
    ax.set_title("Langevin dynamics get the means right")
    frame(ax, "statistic of the two units", "mean", ylim=(0, 1.5), xticks=["E[s²]", "E[ρρ]", "P(active)"])
    ax.legend(loc="upper center", ncols=2)


def _active(ax: Axes, data: xr.Dataset) -> None:
    curve(ax, data.temperature, data.active, "o-", "exact", ms=5)
    for place in zip(data.temperature.values, data.active.values, strict=True):
        ax.annotate(f"{place[1]:.3f}", place, textcoords="offset points", xytext=(6, 6), fontsize=8)
    ax.set_title("At T = 1 most saturate")
    xlabel = "temperature T of exp(-E/T), one unit"
    frame(ax, xlabel, "probability between the kinks", log="x", xlim=(0.007, 2.5), ylim=(0, 1.15))
