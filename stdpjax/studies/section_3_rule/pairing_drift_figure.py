"""What the four readings of Eq 1 add up to, and the mean update of a network with noise."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import curve, frame, points
from stdpjax.stats import Estimate, mean_interval
from stdpjax.studies.panels import panels

_LOOKS = {
    "previous": ("one step earlier (Eq 5 as printed)", "sum", "v"),
    "current": ("before the step", "eq1", "o"),
    "midpoint": ("midway", "nearest", "D"),
    "next": ("after the step", "points", "^"),
}


def _drift(ax: Axes, data: xr.Dataset) -> None:
    smallest = data.isel(step=0)
    moved = 1e3 * smallest.co_movement
    reach = np.array([float(moved.min()), float(moved.max())])
    for pairing, (_, color, marker) in _LOOKS.items():
        row = smallest.sel(pairing=pairing)
        theory = float(row.drift_exact)
        points(ax, moved, 1e3 * row.gap, marker, color, ms=2.5, alpha=0.7, mew=0)
        measured = round(float(row.drift.mean()), 2) + 0.0  # no -0.00
        curve(ax, reach, theory * reach, "-", color, f"{theory:g} (measured {measured:.2f})", lw=1)
    ax.set_title(f"How much each reading drifts (step {float(smallest.step):g})")
    xlabel = r"co-movement, sum of $\Delta s_i\,\Delta s_j$ over the path ($10^{-3}$)"
    ylabel = r"update less change of $r_i r_j$ ($10^{-3}$)"
    frame(ax, xlabel, ylabel, zero="xy")
    ax.legend(title="slope in theory", loc="upper right")


def _order(ax: Axes, data: xr.Dataset) -> None:
    sizes = np.abs(data.gap).mean(("network", "pair"))
    for pairing, (words, color, marker) in _LOOKS.items():
        curve(ax, data.step, sizes.sel(pairing=pairing), f"{marker}-", color, words, ms=5, lw=1)
    guide = 0.5 * float(sizes.sel(pairing="current")[0]) * data.step / data.step[0]
    curve(ax, data.step, guide, ":", "exact", "proportional to the step")
    ax.set_title("The drift vanishes with the step")
    xlabel, ylabel = r"step $\varepsilon$ (time constants)", r"mean |update less change of $r_i r_j$|"
    frame(ax, xlabel, ylabel, log="xy", xticks=data.step)
    ax.legend(loc="center right", title="rate read")


def _noisy(ax: Axes, data: xr.Dataset) -> None:
    first, second = np.triu_indices(data.sizes["post"], 1)
    exact = 1e6 * data.noisy_exact.sel(pairing="current").values[first, second]
    for pairing in ("previous", "current", "midpoint"):
        words, color, marker = _LOOKS[pairing]
        mean = mean_interval(1e6 * data.noisy_update.sel(pairing=pairing), "trial")
        of_pairs = Estimate(*(np.asarray(part)[first, second] for part in mean[:3]))
        points(ax, exact, of_pairs, marker, color, f"{words}, 95 %", capsize=0)
    reach = 1.2 * np.abs(exact).max()
    curve(ax, [-reach, reach], [-reach, reach], "-", "exact", "closed form, before", lw=1, zorder=0)
    curve(ax, [-reach, reach], [0, 0], "--", "0.5", "as printed: no change", lw=1, zorder=0)
    ax.set_title("Under noise for ever: 0 on average only midway")
    xlabel = r"closed form, rate read before the step ($10^{-6}$)"
    frame(ax, xlabel, r"mean change of $W_{ij}$ per step ($10^{-6}$)", zero="xy")
    ax.legend(title="rate read", loc="lower right")


plot = panels(15.0, 4.6, _drift, _order, _noisy)
