"""What the four readings of Eq 1 add up to, and the antisymmetric update of a driven network."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_LOOKS = {
    "previous": ("one step earlier (Eq 5 as printed)", plotting.COLORS["sum"], "v", -3),
    "current": ("before the step", plotting.COLORS["eq1"], "o", -1),
    "midpoint": ("midway", plotting.COLORS["nearest"], "D", 0),
    "next": ("after the step", plotting.COLORS["points"], "^", 1),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw an example, the drift, its size against the step, and the driven network."""
    figure = plotting.new_figure(12.0, 8.6)
    example, drift, order, driven = figure.subplots(2, 2).flat
    _draw_example(example, data)
    _draw_drift(drift, data)
    _draw_order(order, data)
    _draw_driven(driven, data)
    return figure


def _draw_example(ax: Axes, data: xr.Dataset) -> None:
    for pairing, (label, color, _, _) in _LOOKS.items():
        gap = data.example_update.sel(pairing=pairing) - data.example_boundary
        ax.plot(data.time, gap, color=color, lw=1.5, label=label)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.45 * (high - low))
    plotting.label(
        ax, "A driven pair: read midway, the update does not drift", "time (steps)",
        r"update so far less change of $r_i r_j$",
    )  # fmt: skip
    ax.legend(title="rate read", loc="upper left", ncols=2)


def _draw_drift(ax: Axes, data: xr.Dataset) -> None:
    smallest = data.isel(step=0)
    x = smallest.co_movement.values.ravel()
    reach = np.array([x.min(), x.max()])
    for pairing, (_, color, marker, coefficient) in _LOOKS.items():
        ax.plot(x, smallest.gap.sel(pairing=pairing).values.ravel(), marker, ms=2.5, alpha=0.7, mew=0, color=color)
        measured = round(float(smallest.slope.sel(pairing=pairing).mean()), 2) + 0.0  # no -0.00
        ax.plot(reach, coefficient * reach, lw=1, color=color, label=f"{coefficient:d} (measured {measured:.2f})")
    plotting.zero_lines(ax)
    plotting.label(
        ax,
        f"Relaxing networks: how much each reading drifts (step {float(smallest.step):g})",
        r"co-movement, sum of $\Delta s_i\,\Delta s_j$ over the path",
        r"update less change of $r_i r_j$",
    )
    ax.legend(title="slope in theory", loc="upper right")


def _draw_order(ax: Axes, data: xr.Dataset) -> None:
    sizes = np.abs(data.gap).mean(("network", "pair"))
    for pairing, (label, color, marker, _) in _LOOKS.items():
        ax.plot(data.step, sizes.sel(pairing=pairing), marker + "-", ms=5, lw=1, color=color, label=label)
    middle = sizes.sel(pairing="current")
    guide = 0.5 * float(middle[0]) * data.step / data.step[0]
    ax.plot(data.step, guide, ":", color=plotting.COLORS["exact"], label="proportional to the step")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(data.step.values, [f"{step:g}" for step in data.step.values])
    ax.minorticks_off()
    plotting.label(
        ax, "The drift vanishes with the step", r"step $\varepsilon$ (time constants)",
        r"mean |update less change of $r_i r_j$|",
    )  # fmt: skip
    ax.legend(loc="center right")


def _draw_driven(ax: Axes, data: xr.Dataset) -> None:
    first, second = np.triu_indices(data.sizes["post"], 1)
    n_trials = data.sizes["trial"]
    scale = 1e4
    for name, color, marker, label in (
        ("driven_next", plotting.COLORS["points"], "^", "read after the step"),
        ("driven_update", plotting.COLORS["nearest"], "D", "read midway, 95 %"),
    ):
        mean = scale * data[name].mean("trial").values
        reach = scale * 1.96 * data[name].std("trial", ddof=1).values / np.sqrt(n_trials)
        ax.errorbar(mean[first, second], mean[second, first], reach[second, first], reach[first, second], fmt=marker,
                    ms=4, color=color, lw=1, label=label)  # fmt: skip
    exact = scale * data.driven_exact.values
    ax.plot(exact[first, second], exact[second, first], "x", ms=9, color=plotting.COLORS["exact"],
            label="read midway, closed form")  # fmt: skip
    reach = 1.2 * np.abs(exact).max()
    ax.plot([-reach, reach], [reach, -reach], color="0.75", lw=0.8, zorder=0)
    ax.plot(0, 0, "*", ms=12, color=plotting.COLORS["sum"], label="as printed: no change")
    plotting.zero_lines(ax)
    plotting.label(
        ax,
        "Driven for ever: opposite changes in the two directions",
        r"mean change of $W_{ij}$ per step ($10^{-4}$)",
        r"mean change of $W_{ji}$ ($10^{-4}$)",
    )
    ax.legend(loc="upper right")
