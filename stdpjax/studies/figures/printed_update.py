"""Where the printed and the corrected update lead, how fast, and how close to the differential equation."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_LOOKS = {
    "corrected": ("corrected", plotting.COLORS["nearest"], "o"),
    "printed": ("as printed", plotting.COLORS["sum"], "s"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the way to rest, the places of rest, their distance by step, and the error against the step."""
    figure = plotting.new_figure(12.0, 8.2)
    way, rest, distance, error = figure.subplots(2, 2).flat
    _draw_way(way, data)
    _draw_rest(rest, data)
    _draw_distance(distance, data)
    _draw_error(error, data)
    return figure


def _draw_way(ax: Axes, data: xr.Dataset) -> None:
    styles = ("-", "--", "-.", ":")
    for update, (label, color, _) in _LOOKS.items():
        for index, step in enumerate(data.step.values):
            row = data.distance.sel(update=update, step=step)
            time = step * row.time
            ax.plot(time.where(time <= 10), row, styles[index % len(styles)], lw=1.2, color=color,
                    label=rf"{label}, $\varepsilon$ = {step:g}")  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(1e-3, None)
    plotting.label(
        ax,
        "Printed, the network stops half way",
        "time (time constants)",
        "distance from fixed point, $|s - s^*| / |s^*|$",
    )
    ax.legend(loc="lower left", ncols=2)


def _draw_rest(ax: Axes, data: xr.Dataset) -> None:
    place = data.fixed_point.values.ravel()
    for update, (label, color, marker) in _LOOKS.items():
        end = data.end.isel(step=-1).sel(update=update)
        ax.plot(place, end.transpose("network", "unit").values.ravel(), marker, ms=3, mew=0, color=color, label=label)
    reach = np.array([place.min(), place.max()])
    ax.plot(reach, reach, lw=1, color=plotting.COLORS["exact"], label="$s^*$")
    ax.plot(reach, 0.5 * reach, "--", lw=1, color=plotting.COLORS["exact"], label="half of $s^*$")
    plotting.zero_lines(ax)
    plotting.label(ax, "Where each unit comes to rest", "fixed point of Eq 26, $s_i^*$", "activity at rest, $s_i$")
    ax.legend(loc="upper left")


def _draw_distance(ax: Axes, data: xr.Dataset) -> None:
    position = np.arange(data.sizes["step"])
    for update, (label, color, marker) in _LOOKS.items():
        values = data.end_distance.sel(update=update).transpose("network", "step").values
        shift = np.linspace(-0.2, 0.2, len(values))[:, None]
        ax.plot((position + shift).ravel(), values.ravel(), marker, ms=3, mew=0, color=color,
                label=f"{label}, {len(values)} networks")  # fmt: skip
    mean = float(data.closed_distance.mean())
    ax.axhline(mean, ls="--", lw=1, color=plotting.COLORS["exact"], label=f"closed form, mean {mean:.3f}")
    ax.set_xticks(position, [f"{step:g}" for step in data.step.values])
    ax.set_ylim(-0.05, 0.9)
    plotting.label(
        ax, "No step size mends it", r"step $\varepsilon$ (time constants)", "distance at rest, $|s - s^*| / |s^*|$"
    )
    ax.legend(loc="upper right", ncols=3)


def _draw_error(ax: Axes, data: xr.Dataset) -> None:
    for update, (label, color, marker) in _LOOKS.items():
        mean = data.error.sel(update=update).mean("network")
        reach = 1.96 * data.error.sel(update=update).std("network", ddof=1) / np.sqrt(data.sizes["network"])
        ax.errorbar(data["size"], mean, reach, fmt=marker + "-", ms=4, lw=1, capsize=2, color=color,
                    label=f"{label}, mean of networks, 95 %")  # fmt: skip
    guide = 0.6 * float(data.error.sel(update="corrected").isel(size=0).mean()) * data["size"] / data["size"][0]
    ax.plot(data["size"], guide, ":", color=plotting.COLORS["exact"], label="proportional to the step")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(data["size"].values, [f"{size:g}" for size in data["size"].values])
    ax.minorticks_off()
    plotting.label(
        ax, "Corrected, half the step is half the error", r"step $\varepsilon$ (time constants)",
        "distance from differential equation",
    )  # fmt: skip
    ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.62))
