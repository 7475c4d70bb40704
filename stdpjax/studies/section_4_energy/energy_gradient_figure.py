"""A landscape with descents, gradients two ways, asymmetry of R', the bound, the way into the box, the kinks."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the six panels."""
    figure = new_figure(14.0, 8.6)
    draws = (_landscape, _gradient, _asymmetry, _bound, _box, _kinks)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data)
    return figure


def _landscape(ax: Axes, data: xr.Dataset) -> None:
    ax.contour(data.first, data.second, data.pair_energy.transpose("second", "first"), 24, cmap="Greys", linewidths=0.7)
    for index in range(data.sizes["path"]):
        path = data.pair_path.isel(path=index)
        curve(ax, path[:, 0], path[:, 1], "-", "eq1", None if index else "descents, $R(s)-s$", lw=1.1)
    ends = data.pair_path.isel(path_time=-1)
    points(ax, ends[:, 0], ends[:, 1], "o", "sum", "where they end", ms=6)
    ax.add_patch(Rectangle((-0.5, -0.5), 1, 1, fill=False, lw=1.5, ls="--", color=COLORS["nearest"]))
    curve(ax, [], [], "--", "nearest", "box")
    ax.set_title("All minima lie in the closed box")
    frame(ax, "activity $s_1$", "activity $s_2$", ylim=(-1.2, 1.85))
    words = "two units, W = 1.5, b = -0.75; grey: lines of equal energy"
    ax.legend(loc="upper center", ncols=3, title=words, columnspacing=1.0)


def _gradient(ax: Axes, data: xr.Dataset) -> None:
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
    for at, (form, color) in enumerate(zip(data.form.values, ("eq1", "rate", "sum"), strict=True)):
        for index, rate_function in enumerate(data.rate_function.values):
            place, row = at + 4 * index, data.asymmetry.sel(form=form, rate_function=rate_function)
            words = None if index else str(form).replace("slope", "$\\rho'$")
            points(ax, place + spread, row, ".", color, words, ms=3)
            ax.annotate(f"{float(row.mean()):.2f}", (place, -0.1), ha="center", fontsize=8)
    ax.axvline(3, color="0.8", lw=0.8)
    ax.set_title("With the factor $\\rho'$ and tied weights $R$ is a gradient")
    xlabel, ylabel = "rate function; a dot is a network, the number its mean", "asymmetry $|R' - R'^T|\\,/\\,|R'|$"
    frame(ax, xlabel, ylabel, zero="y", ylim=(-0.2, 2.0))
    ax.set_xticks([1, 5], ["hard sigmoid,\nactive region", "sigmoid"])
    ax.legend(loc="upper left", markerscale=3)


def _bound(ax: Axes, data: xr.Dataset) -> None:
    shown = data.isel(network=slice(0, 8))
    for index, energy in enumerate(shown.ray_energy.transpose("network", ...)):
        curve(ax, data.radius, energy, "-", "eq1", None if index else "energy along a ray, 8 networks", lw=1)
    bound = "lowest bound $|s|^2/2 - \\sum|W|/2 - \\sum|b|$"
    curve(ax, data.radius, shown.ray_bound.min("network"), "--", "sum", bound)
    ax.set_title("The energy grows as a parabola")
    frame(ax, "distance from rest $|s|$ (activity)", "energy (activity$^2$)")
    ax.legend(loc="upper left")


def _box(ax: Axes, data: xr.Dataset) -> None:
    for name, words, color in (
        ("projected_change", "from anywhere to the box", "eq1"),
        ("shrunk_change", "from where descents end\nto a box of half the width", "sum"),
    ):
        values = np.sort(data[name].values.ravel())
        share = np.arange(1, values.size + 1) / values.size
        words = f"{words}: {100 * (values > 0).mean():.0f} % go up"
        curve(ax, values, share, "-", color, words, drawstyle="steps-post")
    ax.axvline(0, color="0.5", lw=0.8)
    ax.set_xscale("symlog", linthresh=0.1)
    ax.set_title("Moving a state into the box never raises the energy")
    frame(ax, "change of energy (activity$^2$)", "share of states with at most that change", ylim=(0, 1.35))
    ax.legend(loc="upper left")


def _kinks(ax: Axes, data: xr.Dataset) -> None:
    curve(ax, data.activity, data.rate, "-", "rate", "rate $\\rho$")
    curve(ax, data.activity, data.slope_written, "-", "eq1", "slope $\\rho'$", lw=1, drawstyle="steps-mid")
    kinks = data.sel(activity=[-0.5, 0.5])
    points(ax, kinks.activity, kinks.slope_written, "o", "eq1", "at the kinks: 1", ms=7)
    points(ax, kinks.activity, kinks.slope_of_clip, "X", "sum", "automatic derivative of a clip: 1/2", ms=7)
    ax.set_title("At the kinks the slope is 1 by convention")
    frame(ax, "activity v", "rate, slope", ylim=(-0.08, 1.75))
    ax.legend(loc="upper left", ncols=2)
