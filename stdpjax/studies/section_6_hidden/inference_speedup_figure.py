"""Relaxation times along learning, simulated times and speeds, and networks that learn digits."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points
from stdpjax.stats import Estimate, mean_interval, normal_interval

_LESSONS = {
    "Eq 1": ("Eq 1 (the paper's rule)", "sum", "o"),
    "descent on J_h": ("descent on $J_h$", "points", "^"),
    "weight decay": ("weight decay (control)", "nearest", "v"),
}
_CENTRES = {"low": ("low rates", "v"), "centre": ("middle rates", "o"), "high": ("high rates", "^")}
_COURSES = {"strong": ("strong at first", "sum", "o-"), "weak": ("weak at first", "eq1", "s-")}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw relaxation times at three fixed points, simulated times and speeds, and the task."""
    figure = new_figure(12, 7.8)
    courses, (times, speeds, task) = figure.subplots(2, 3)
    figure.suptitle("Does learning make inference faster?", fontweight="bold")
    titles = ("Low rates: slower", "Middle rates: hardly a change", "High rates: Eq 1 runs to kinks")
    for ax, centre, title in zip(courses, _CENTRES, titles, strict=True):
        ax.set_title(title)
        _course(ax, data.sel(centre=centre))
    top = max(ax.get_ylim()[1] for ax in courses)
    for ax in courses:
        ax.set_ylim(0.9, 1.1 * top)
    courses[2].legend(loc="upper left", title="mean over networks, 95 %")
    _ratios(times, data.where(data.settles.all("stage")).time, "change of the time to 5 % (%), 95 %")
    times.set_title("Simulated, from random starts")
    _ratios(speeds, data.speed, "change of the speed (%), 95 %")
    speeds.set_title("Speed at random states")
    _task(task, data)
    return figure


def _course(ax: Axes, data: xr.Dataset) -> None:
    for name, (words, color, marker) in _LESSONS.items():
        one = data.sel(lesson=name)
        # A network with a unit at a kink has lost a mode; where most have, there is nothing to compare.
        n_shown = int((one.is_interior.mean("network") > 0.5).values.cumprod().sum())
        if n_shown:
            shown = one.isel(stage=slice(0, n_shown))
            times = shown.relaxation_time.where(shown.is_interior)
            error = times.std("network", ddof=1) / np.sqrt(times.count("network"))
            curve(ax, shown.stage, normal_interval(times.mean("network"), error), f"{marker}-", color, words)
        if n_shown < data.sizes["stage"] and name == "Eq 1":
            words = "Eq 1: units at kinks,\nthe network chatters"
            ax.text(0.97, 0.52, words, transform=ax.transAxes, ha="right", fontsize=8, color=COLORS[color])
    lone = -0.1 / np.log(0.9)
    ax.axhline(lone, ls=":", lw=1, color=COLORS["exact"])
    ax.text(data.stage.values[-1], lone + 0.02, "a lone unit", ha="right", va="bottom", fontsize=8)
    frame(ax, "relaxations with learning", "slowest mode's time constant (tau)")


def _ratios(ax: Axes, values: xr.DataArray, words: str) -> None:
    for number, (centre, (rates, marker)) in enumerate(_CENTRES.items()):
        points(ax, [], [], marker, "0.5", rates, ms=5)
        for row, (name, (_, color, _)) in enumerate(_LESSONS.items()):
            cell = values.sel(lesson=name, centre=centre)
            ratio = cell.isel(stage=-1) / cell.isel(stage=0)
            ratio = ratio.copy(data=np.log(ratio.values)).dropna("network")
            # Of networks that chatter too few are left to compare.
            if ratio.size >= max(2, 0.5 * cell.sizes["network"]):
                mean = mean_interval(ratio)
                change = Estimate(*(100 * np.expm1(part) for part in mean[:3]))
                points(ax, change, row + 0.22 * (number - 1), marker, color, ms=5, capsize=0)
    names = ["Eq 1", "descent\non $J_h$", "weight\ndecay"]
    frame(ax, words, "lesson", zero="x", yticks=names, ylim=(len(names) - 0.4, -1.5))
    ax.legend(loc="upper left")


def _task(ax: Axes, data: xr.Dataset) -> None:
    times = data.task_relaxation_time.mean("probe")
    for name, (words, color, style) in _COURSES.items():
        right = float(data.accuracy.sel(course=name).isel({"pass": -1}).mean())
        mean = mean_interval(times.sel(course=name), "learner")
        curve(ax, data["pass"], mean, style, color, f"{words}: {right:.0%} right")
    ax.set_title("Learning digits does either")
    limits = 0.7, 1.7 * float(times.mean("learner").max())
    frame(ax, "passes over the images", "slowest mode, input clamped (tau)", ylim=limits, xticks=data["pass"])
    ax.legend(loc="upper left")
