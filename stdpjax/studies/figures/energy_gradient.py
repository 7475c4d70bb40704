"""A landscape with descents, gradients two ways, asymmetry of R', the bound, the way into the box, the kinks."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the six panels."""
    figure = plotting.new_figure(14.0, 8.6)
    (landscape, gradient, asymmetry), (bound, box, kinks) = figure.subplots(2, 3)
    _landscape(landscape, data)
    _gradient(gradient, data)
    _asymmetry(asymmetry, data)
    _bound(bound, data)
    _box(box, data)
    _kinks(kinks, data)
    return figure


def _landscape(ax: Axes, data: xr.Dataset) -> None:
    ax.contour(data.first, data.second, data.pair_energy.transpose("second", "first"), 24, cmap="Greys", linewidths=0.7)
    for index in range(data.sizes["path"]):
        path = data.pair_path.isel(path=index)
        ax.plot(path[:, 0], path[:, 1], "-", lw=1.1, color=plotting.COLORS["eq1"],
                label="descents, $R(s)-s$" if index == 0 else None)  # fmt: skip
    ends = data.pair_path.isel(path_time=-1)
    ax.plot(ends[:, 0], ends[:, 1], "o", ms=6, color=plotting.COLORS["sum"], label="where they end")
    ax.add_patch(Rectangle((-0.5, -0.5), 1, 1, fill=False, lw=1.5, ls="--", color=plotting.COLORS["nearest"]))
    ax.plot([], [], "--", color=plotting.COLORS["nearest"], label="box")
    ax.set_ylim(-1.2, 1.85)
    plotting.label(ax, "All minima lie in the closed box", "activity $s_1$", "activity $s_2$")
    ax.legend(
        loc="upper center",
        ncols=3,
        title="two units, W = 1.5, b = -0.75; grey: lines of equal energy",
        columnspacing=1.0,
    )


def _gradient(ax: Axes, data: xr.Dataset) -> None:
    x = data.automatic.values.ravel()
    reach = np.array([x.min(), x.max()])
    ax.plot(x, data.away_from_field.values.ravel(), ".", ms=3, color=plotting.COLORS["sum"],
            label="without $\\rho'$: $s - (b + W\\rho(s))$")  # fmt: skip
    ax.plot(x, data.away_from_target.values.ravel(), ".", ms=3, color=plotting.COLORS["eq1"],
            label="with $\\rho'$: $s - R(s)$")  # fmt: skip
    ax.plot(reach, reach, "-", lw=0.8, color=plotting.COLORS["exact"], label="equal")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.25 * (high - low))
    plotting.label(
        ax,
        "$R(s) - s$ is the slope of the energy, factor 1",
        "$\\partial E/\\partial s_i$ by automatic differentiation (activity)",
        "from the formula (activity)",
    )
    ax.legend(loc="upper left", markerscale=3)


def _asymmetry(ax: Axes, data: xr.Dataset) -> None:
    places, names = [], []
    colors = [plotting.COLORS[name] for name in ("eq1", "rate", "sum")]
    spread = np.linspace(-0.25, 0.25, data.sizes["network"])
    for at, form in enumerate(data.form.values):
        for index, rate_function in enumerate(data.rate_function.values):
            place = at + 4 * index
            row = data.asymmetry.sel(form=form, rate_function=rate_function).values
            ax.plot(
                place + spread,
                row,
                ".",
                ms=3,
                color=colors[at],
                label=str(form).replace("slope", "$\\rho'$") if index == 0 else None,
            )
            places.append(place)
            names.append(f"{row.mean():.2f}")
    for place, name in zip(places, names, strict=True):
        ax.annotate(name, (place, -0.1), ha="center", fontsize=8)
    ax.axvline(3, color="0.8", lw=0.8)
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_xticks([1, 5], ["hard sigmoid,\nactive region", "sigmoid"])
    ax.set_ylim(-0.2, 2.0)
    plotting.label(
        ax,
        "With the factor $\\rho'$ and tied weights $R$ is a gradient",
        "rate function; a dot is a network, the number its mean",
        "asymmetry $|R' - R'^T|\\,/\\,|R'|$",
    )
    ax.legend(loc="upper left", markerscale=3)


def _bound(ax: Axes, data: xr.Dataset) -> None:
    for index in range(min(8, data.sizes["network"])):
        ax.plot(data.radius, data.ray_energy.isel(network=index), "-", lw=1, color=plotting.COLORS["eq1"],
                label="energy along a ray, 8 networks" if index == 0 else None)  # fmt: skip
    ax.plot(data.radius, data.ray_bound.isel(network=slice(0, 8)).min("network"), "--", color=plotting.COLORS["sum"],
            label="lowest bound $|s|^2/2 - \\sum|W|/2 - \\sum|b|$")  # fmt: skip
    plotting.label(ax, "The energy grows as a parabola", "distance from rest $|s|$ (activity)", "energy (activity$^2$)")
    ax.legend(loc="upper left")


def _box(ax: Axes, data: xr.Dataset) -> None:
    for name, words, color in (
        ("projected_change", "from anywhere to the box", "eq1"),
        ("shrunk_change", "from where descents end\nto a box of half the width", "sum"),
    ):
        values = np.sort(data[name].values.ravel())
        share = np.arange(1, values.size + 1) / values.size
        ax.step(values, share, where="post", lw=1.5, color=plotting.COLORS[color],
                label=f"{words}: {100 * (values > 0).mean():.0f} % go up")  # fmt: skip
    ax.axvline(0, color="0.5", lw=0.8)
    ax.set_xscale("symlog", linthresh=0.1)
    ax.set_ylim(0, 1.35)
    plotting.label(
        ax,
        "Moving a state into the box never raises the energy",
        "change of energy (activity$^2$)",
        "share of states with at most that change",
    )
    ax.legend(loc="upper left")


def _kinks(ax: Axes, data: xr.Dataset) -> None:
    ax.plot(data.activity, data.rate, "-", lw=1.5, color=plotting.COLORS["rate"], label="rate $\\rho$")
    ax.plot(data.activity, data.slope_written, "-", lw=1, color=plotting.COLORS["eq1"], drawstyle="steps-mid",
            label="slope $\\rho'$")  # fmt: skip
    kinks = data.sel(activity=[-0.5, 0.5])
    ax.plot(kinks.activity, kinks.slope_written, "o", ms=7, color=plotting.COLORS["eq1"], label="at the kinks: 1")
    ax.plot(kinks.activity, kinks.slope_of_clip, "X", ms=7, color=plotting.COLORS["sum"],
            label="automatic derivative of a clip: 1/2")  # fmt: skip
    ax.set_ylim(-0.08, 1.75)
    plotting.label(ax, "At the kinks the slope is 1 by convention", "activity v", "rate, slope")
    ax.legend(loc="upper left", ncols=2)
