"""Where the printed and the corrected update lead, how fast, and how close to the differential equation."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import curve, frame, points
from stdpjax.stats import mean_interval
from stdpjax.studies.panels import panels

_LOOKS = {"corrected": ("corrected", "nearest", "o"), "printed": ("as printed", "sum", "s")}


def _way(ax: Axes, data: xr.Dataset) -> None:
    styles = ("-", "--", "-.", ":")
    for update, (words, color, _) in _LOOKS.items():
        for index, step in enumerate(data.step.values):
            time, row = step * data.time, data.distance.sel(update=update, step=step)
            label = rf"{words}, $\varepsilon$ = {step:g}"
            curve(ax, time.where(time <= 10), row, styles[index % len(styles)], color, label, lw=1.2)
    ax.set_title("Printed, the network stops half way")
    ylabel = "distance from fixed point, $|s - s^*| / |s^*|$"
    frame(ax, "time (time constants)", ylabel, log="y", ylim=(1e-3, None))
    ax.legend(loc="lower left", ncols=2)


def _rest(ax: Axes, data: xr.Dataset) -> None:
    for update, (words, color, marker) in _LOOKS.items():
        end = data.end.isel(step=-1).sel(update=update)
        points(ax, data.fixed_point, end, marker, color, words, ms=3, mew=0)
    reach = np.array([float(data.fixed_point.min()), float(data.fixed_point.max())])
    curve(ax, reach, reach, "-", "exact", "$s^*$", lw=1)
    curve(ax, reach, 0.5 * reach, "--", "exact", "half of $s^*$", lw=1)
    ax.set_title("Where each unit comes to rest")
    frame(ax, "fixed point of Eq 26, $s_i^*$", "activity at rest, $s_i$", zero="xy")
    ax.legend(loc="upper left")


def _error(ax: Axes, data: xr.Dataset) -> None:
    size = data["size"]
    for scheme, color, marker in (("Eq 6", "nearest", "o"), ("midpoint", "control", "s")):
        error = mean_interval(data.error.sel(scheme=scheme), "network")
        points(ax, size, error, f"{marker}-", color, f"{scheme}, mean of networks, 95 %")
    guide = 0.6 * float(data.error.sel(scheme="Eq 6").isel(size=0).mean()) * size / size[0]
    curve(ax, size, guide, ":", "exact", "proportional to the step")
    ax.set_title("Half the step is half the error")
    xlabel, ylabel = r"step $\varepsilon$ (time constants)", "distance from differential equation"
    frame(ax, xlabel, ylabel, log="xy", xticks=size)
    ax.legend(loc="center left", bbox_to_anchor=(0.0, 0.62))


plot = panels(15.0, 4.4, _way, _rest, _error)
