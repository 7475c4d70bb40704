"""Relaxation times along learning, what the slowest mode's change follows, and networks that learn digits."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points
from stdpjax.stats import Estimate, mean_interval, normal_interval

_LESSONS = {
    "Eq 1": ("Eq 1 (the paper's rule)", "sum", "o"),
    "Eq 1 reversed": ("Eq 1 reversed", "eq1", "s"),
    "descent on J_h": ("descent on $J_h$", "points", "^"),
    "frozen": ("frozen weights (control)", "control", "x"),
    "weight decay": ("weight decay (control)", "nearest", "v"),
}
_CENTRES = {"low": ("low rates", "v"), "centre": ("middle rates", "o"), "high": ("high rates", "^")}
_COURSES = {
    "strong": ("strong at first", "sum", "o-"),
    "strong, frozen": ("strong, frozen", "control", "x--"),
    "weak": ("weak at first", "eq1", "s-"),
    "weak, wrong sign": ("weak, wrong sign", "kernel", "v:"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw relaxation times at three fixed points, the law of small changes, two measures, and the task."""
    figure = new_figure(14, 7.8)
    (*courses, ratios), (law, both, task, weights) = figure.subplots(2, 4)
    figure.suptitle("Does learning make inference faster?", fontweight="bold")
    titles = ("Low rates: either sign slows", "Middle rates: hardly a change", "High rates: Eq 1 runs to kinks")
    for ax, centre, title in zip(courses, _CENTRES, titles, strict=True):
        ax.set_title(title)
        _course(ax, data.sel(centre=centre))
    top = max(ax.get_ylim()[1] for ax in courses)
    for ax in courses:
        ax.set_ylim(0.9, 1.1 * top)
    courses[2].legend(loc="upper left", title="mean over networks, 95 %")
    for ax, draw in ((ratios, _ratios), (law, _law), (both, _both), (task, _task), (weights, _weights)):
        draw(ax, data)
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


def _ratios(ax: Axes, data: xr.Dataset) -> None:
    for number, (centre, (words, marker)) in enumerate(_CENTRES.items()):
        points(ax, [], [], marker, "0.5", words, ms=5)
        for row, name in enumerate(name for name in _LESSONS if name != "frozen"):
            cell = data.sel(lesson=name, centre=centre)
            ratio = np.log(cell.time.isel(stage=-1) / cell.time.isel(stage=0))[cell.settles.all("stage").values]
            if ratio.size >= max(2, 0.5 * data.sizes["network"]):
                mean = float(ratio.mean())
                percent, reach = 100 * np.expm1(mean), 100 * float(mean_interval(ratio).reach)
                change = Estimate(percent, percent - reach, percent + reach)
                points(ax, change, row + 0.22 * (number - 1), marker, _LESSONS[name][1], ms=5, capsize=0)
    ax.set_title("Simulated, from random starts")
    names = ["Eq 1", "reversed", "descent\non $J_h$", "weight\ndecay"]
    frame(ax, "change of the time to 5 % (%), 95 %", "lesson", zero="x", yticks=names, ylim=(len(names) - 0.4, -1.5))
    ax.legend(loc="upper left")


def _law(ax: Axes, data: xr.Dataset) -> None:
    for (centre, (words, _)), color in zip(_CENTRES.items(), ("nearest", "eq1", "sum"), strict=True):
        cell = data.sel(centre=centre)
        points(ax, cell.predicted_shift, cell.slow_shift, "o", color, words, mfc="none")
    ends = [float(data.predicted_shift.min()), float(data.predicted_shift.max())]
    curve(ax, ends, ends, "-", "exact", "law", lw=1)
    ax.set_title("A mode that gains slows down")
    xlabel = "$v^T$(change of $rr^T$)$v$, off the diagonal"
    frame(ax, xlabel, "change of eigenvalue / rate", zero="xy")
    ax.legend(loc="upper left")


def _both(ax: Axes, data: xr.Dataset) -> None:
    still = data.where(data.is_interior & data.settles)
    for name, (_, color, marker) in _LESSONS.items():
        cell = still.sel(lesson=name).isel(stage=-1)
        points(ax, cell.relaxation_time, cell.late_time, marker, color, ms=3, alpha=0.7)
    ends = [0.9, float(still.relaxation_time.max())]
    curve(ax, ends, ends, "-", "exact", "equal", lw=1)
    ax.set_title("Simulation follows the spectrum")
    frame(ax, "slowest mode's time constant (tau)", "simulated fall (tau)")
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


def _weights(ax: Axes, data: xr.Dataset) -> None:
    for name, (words, color, style) in _COURSES.items():
        if name != "weak, wrong sign":
            largest = mean_interval(data.largest.sel(course=name), "learner")
            curve(ax, data["pass"], largest, style, color, words)
    ax.axhline(1, ls=":", lw=1, color=COLORS["exact"])
    ax.text(0, 1.02, "1: unstable without kinks", fontsize=8)
    ax.set_title("The weights alone would slow it")
    frame(ax, "passes over the images", "largest eigenvalue", ylim=(0, 1.45), xticks=data["pass"])
    ax.legend(loc="upper left")
