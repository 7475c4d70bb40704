"""A landscape with descents, gradients two ways, the asymmetry of R', and where units come to rest."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from stdpjax.lab.plotting import COLORS, bars, curve, frame, points
from stdpjax.studies.panels import panels


def _landscape(ax: Axes, data: xr.Dataset) -> None:
    ax.contour(data.first, data.second, data.pair_energy.transpose("second", "first"), 24, cmap="Greys", linewidths=0.7)
    for index in range(data.sizes["path"]):
        path = data.pair_path.isel(path=index)
        curve(ax, path[:, 0], path[:, 1], "-", "eq1", None if index else "descents, $R(s)-s$", lw=1.1)
    ends = data.pair_path.isel(path_time=-1)
    points(ax, ends[:, 0], ends[:, 1], "o", "sum", "where they end", ms=6)
    ax.add_patch(Rectangle((-0.5, -0.5), 1, 1, fill=False, lw=1.5, ls="--", color=COLORS["nearest"]))
    curve(ax, [], [], "--", "nearest", "thresholds")
    ax.set_title("Descents end at thresholds")
    frame(ax, "activity $s_1$", "activity $s_2$", ylim=(-1.2, 1.85))
    words = "two units, W = 1.5, b = -0.75; grey: lines of equal energy"
    ax.legend(loc="upper center", ncols=3, title=words, columnspacing=1.0)


def _gradient(ax: Axes, data: xr.Dataset) -> None:
    data = data.sel(pair="one weight")
    without = "without $\\rho'$: $s - (b + W\\rho(s))$"
    points(ax, data.automatic, data.away_from_field, ".", "sum", without, ms=3)
    points(ax, data.automatic, data.away_from_target, ".", "eq1", "with $\\rho'$: $s - R(s)$", ms=3)
    ends = [float(data.automatic.min()), float(data.automatic.max())]
    curve(ax, ends, ends, "-", "exact", "equal", lw=0.8)
    ax.set_title("$R(s) - s$ is the slope of the energy, factor 1")
    xlabel = "$\\partial E/\\partial s_i$ by automatic differentiation (activity)"
    frame(ax, xlabel, "from the formula (activity)", headroom=0.25)
    ax.legend(loc="upper left", markerscale=3)


def _asymmetry(ax: Axes, data: xr.Dataset) -> None:
    spread = np.linspace(-0.25, 0.25, data.sizes["network"])
    for place, color in enumerate(("eq1", "rate", "sum")):
        row = data.asymmetry.isel(form=place)
        points(ax, place + spread, row, ".", color, ms=3)
        ax.annotate(f"{float(row.mean()):.2f}", (place, -0.05), ha="center", fontsize=8)
    ax.set_title("With the factor $\\rho'$ $R$ is a gradient")
    names = [str(form).replace("rho'", "$\\rho'$") for form in data.form.values]
    xlabel, ylabel = "form of $R$; a dot is a network, the number the mean", "asymmetry $|R' - R'^T|\\,/\\,|R'|$"
    frame(ax, xlabel, ylabel, zero="y", ylim=(-0.1, 0.6), xticks=names)


def _ends(ax: Axes, data: xr.Dataset) -> None:
    edges = np.linspace(-0.6, 0.6, 25)
    for is_steep, color, words in ((True, "eq1", "up to above 1"), (False, "control", "all below 1")):
        ends = data.end_state[(data.largest_eigenvalue > 1) == is_steep]
        share = np.histogram(ends, edges)[0] / max(ends.size, 1)
        bars(
            ax, 0.5 * (edges[1:] + edges[:-1]), share, color, f"largest eigenvalue of W {words}", width=0.05, alpha=0.6
        )
    ax.set_title("Strong weights: units come to thresholds")
    frame(ax, "activity of a unit at the end", "share of units", headroom=0.2)
    ax.legend(loc="upper center")


plot = panels(10.5, 8.6, _landscape, _gradient, _asymmetry, _ends, n_rows=2)
