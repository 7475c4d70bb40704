"""Stationary laws of two units side by side, their marginals, and the share of active states by temperature."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.plotting import COLORS

_NAMES = {"metropolis": "Langevin with Metropolis step", "langevin": "Langevin", "paper": "the paper's noise"}
_TITLES = {
    "metropolis": "Metropolis Langevin: same",
    "langevin": "Langevin: nearly",
    "paper": "Paper's noise: one spot",
}
_SHORT = {"metropolis": "Metropolis", "langevin": "Langevin", "paper": "paper"}
_COLOR = {"metropolis": COLORS["nearest"], "langevin": COLORS["rate"], "paper": COLORS["eq1"]}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the densities that the dynamics sample beside exp(-E)."""
    figure = plotting.new_figure(12.0, 6.8)
    top, bottom = np.asarray(figure.subfigures(2, 1, height_ratios=(1, 0.95)))
    figure.suptitle("Eq 14: exp(-E) against what is sampled, two hard-sigmoid units", fontweight="bold")
    side = float(data.first[1] - data.first[0])
    centres = data.first.values
    exact = data.exact_probability.values / side**2
    titles = {"exact": "Goal: exp(-E)", **_TITLES}
    axes = top.subplots(1, 4, sharex=True, sharey=True)
    image = None
    for ax, (name, title) in zip(axes, titles.items(), strict=True):
        density = exact if name == "exact" else data.probability.sel(sampler=name).values / side**2
        shown = np.where(density >= 1e-3, density, np.nan)
        image = ax.pcolormesh(
            centres, centres, shown.T, cmap="viridis", norm=LogNorm(1e-3, 10), shading="nearest", rasterized=True
        )
        ax.contour(centres, centres, exact.T, levels=[0.01, 0.05, 0.1], colors=COLORS["sum"], linewidths=0.8)
        ax.set_xlim(-3.5, 3.5)
        ax.set_ylim(-3.5, 3.5)
        ax.set_aspect("equal")
        plotting.label(ax, title, "first unit $s_1$ (activity)", "second unit $s_2$ (activity)")
        if ax is not axes[0]:
            ax.set_ylabel(" ")
    bar = top.colorbar(image, ax=list(axes), shrink=0.75, pad=0.01).ax
    plotting.label(bar, "density", "(1/activity²)", "colours; red lines: exp(-E)")

    marginal, statistics, active = bottom.subplots(1, 3, width_ratios=(1.3, 1.1, 1))
    marginal.axvspan(-0.5, 0.5, color="0.93", zorder=0, label="between the kinks")
    marginal.plot(centres, data.exact_probability.sum("second") / side, color=COLORS["exact"], lw=2, label="exp(-E)")
    for name, marker in (("metropolis", "o"), ("langevin", "x"), ("paper", "D")):
        shares = data.probability.sel(sampler=name).sum("second") / side
        marginal.plot(
            centres, shares.where(shares > 0), marker, ms=4, color=_COLOR[name], label=_NAMES[name],
            ls="",
        )  # fmt: skip
        if name == "paper":
            marginal.vlines(centres, 0, shares.where(shares > 0), color=_COLOR[name], lw=2)
    marginal.set_yscale("log")
    marginal.set_ylim(1e-3, 300)
    marginal.set_xlim(-3.5, 3.5)
    marginal.legend(loc="upper left", ncols=2)
    plotting.label(marginal, "The paper's noise stays in one spot", "activity of one unit", "density (1/activity)")

    names = {"square": "E[s²]", "product": "E[ρρ]", "active": "P(active)"}
    position = np.arange(len(names))
    for shift, name in zip((-0.22, 0.0, 0.22), ("metropolis", "langevin", "paper"), strict=True):
        cell = data.sel(sampler=name)
        statistics.bar(
            position + shift, cell.measured, 0.2, yerr=1.96 * cell.measured_error, color=_COLOR[name],
            label=_SHORT[name], error_kw={"lw": 1},
        )  # fmt: skip
    for place, value in zip(position, data.exact.values, strict=True):
        statistics.hlines(value, place - 0.35, place + 0.35, color=COLORS["exact"], lw=1.5)
    statistics.hlines([], 0, 0, color=COLORS["exact"], lw=1.5, label="exp(-E), quadrature")
    statistics.set_xticks(position, list(names.values()))
    statistics.set_ylim(0, 1.5)
    statistics.legend(loc="upper center", ncols=2)
    plotting.label(statistics, "Langevin dynamics get the means right", "statistic of the two units", "mean")

    active.plot(data.temperature, data.active, "o-", ms=5, color=COLORS["exact"])
    for temperature, share in zip(data.temperature.values, data.active.values, strict=True):
        active.annotate(f"{share:.3f}", (temperature, share), textcoords="offset points", xytext=(6, 6), fontsize=8)
    active.set_xscale("log")
    active.set_ylim(0, 1.15)
    active.set_xlim(0.007, 2.5)
    plotting.label(
        active, "At T = 1 most saturate", "temperature T of exp(-E/T), one unit",
        "probability between the kinks",
    )  # fmt: skip
    return figure
