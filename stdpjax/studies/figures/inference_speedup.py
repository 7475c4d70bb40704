"""Relaxation times along learning, what the slowest mode's change follows, and networks that learn digits."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.plotting import COLORS

_LESSONS = {
    "Eq 1": ("Eq 1 (the paper's rule)", "sum", "o"),
    "Eq 1 reversed": ("Eq 1 reversed", "eq1", "s"),
    "descent on J_h": ("descent on $J_h$", "points", "^"),
    "frozen": ("frozen weights (control)", "control", "x"),
    "weight decay": ("weight decay (control)", "nearest", "v"),
}
_CENTRES = {"low": "low", "centre": "middle", "high": "high"}
_COURSES = {
    "strong": ("strong at first", "sum", "o-"),
    "strong, frozen": ("strong, frozen", "control", "x--"),
    "weak": ("weak at first", "eq1", "s-"),
    "weak, wrong sign": ("weak, wrong sign", "kernel", "v:"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw relaxation times at three fixed points, the law of small changes, two measures, and the task."""
    figure = plotting.new_figure(14, 7.8)
    (*courses, ratios), (law, both, task, weights) = figure.subplots(2, 4)
    figure.suptitle("Does learning make inference faster?", fontweight="bold")
    titles = (
        "Low rates: either sign slows", "Middle rates: hardly a change", "High rates: Eq 1 runs to kinks",
    )  # fmt: skip
    for ax, centre, title in zip(courses, _CENTRES, titles, strict=True):
        _course(ax, data.sel(centre=centre), title)
    top = max(ax.get_ylim()[1] for ax in courses)
    for ax in courses:
        ax.set_ylim(0.9, 1.1 * top)
    courses[2].legend(loc="upper left", title="mean over networks, 95 %")
    _ratios(ratios, data)
    _law(law, data)
    _both(both, data)
    _task(task, data)
    _weights(weights, data)
    return figure


def _band(ax: Axes, x: np.ndarray, values: np.ndarray, style: str, color: str, label: str) -> None:
    """Mean over the first axis of values, and its 95 % interval."""
    number = np.isfinite(values).sum(axis=0)
    mean, reach = np.nanmean(values, axis=0), 1.96 * np.nanstd(values, axis=0, ddof=1) / np.sqrt(number)
    ax.plot(x, mean, style, ms=4, color=COLORS[color], label=label)
    ax.fill_between(x, mean - reach, mean + reach, color=COLORS[color], alpha=0.2, lw=0)


def _course(ax: Axes, data: xr.Dataset, title: str) -> None:
    for name, (words, color, marker) in _LESSONS.items():
        one = data.sel(lesson=name)
        # A network with a unit at a kink has lost a mode; where most have, there is nothing to compare.
        is_interior = one.is_interior.transpose("network", "stage").values
        n_shown = int((is_interior.mean(axis=0) > 0.5).cumprod().sum())
        if n_shown:
            values = np.where(is_interior, one.relaxation_time.transpose("network", "stage").values, np.nan)
            _band(ax, data.stage.values[:n_shown], values[:, :n_shown], f"{marker}-", color, words)
        if n_shown < data.sizes["stage"] and name == "Eq 1":
            ax.text(
                0.97, 0.27, "Eq 1: units at kinks,\nthe network chatters", transform=ax.transAxes, ha="right",
                fontsize=8, color=COLORS[color],
            )  # fmt: skip
    ax.axhline(-0.1 / np.log(0.9), ls=":", lw=1, color=COLORS["exact"])
    ax.text(data.stage.values[-1], -0.1 / np.log(0.9) + 0.02, "a lone unit", ha="right", va="bottom", fontsize=8)
    plotting.label(ax, title, "relaxations with learning", "slowest mode's time constant (tau)")


def _ratios(ax: Axes, data: xr.Dataset) -> None:
    names = [name for name in _LESSONS if name != "frozen"]
    for row, name in enumerate(names):
        _, color, _ = _LESSONS[name]
        for number, (centre, marker) in enumerate(zip(_CENTRES, ("v", "o", "^"), strict=True)):
            cell = data.sel(lesson=name, centre=centre)
            ratio = np.log(cell.time.isel(stage=-1) / cell.time.isel(stage=0)).values
            ratio = ratio[cell.settles.all("stage").values]
            if ratio.size < 2 or ratio.size < 0.5 * data.sizes["network"]:
                continue
            ax.errorbar(
                100 * np.expm1(ratio.mean()), row + 0.22 * (number - 1), fmt=marker, ms=5, color=COLORS[color],
                xerr=100 * 1.96 * ratio.std(ddof=1) / np.sqrt(ratio.size),
            )  # fmt: skip
    for centre, marker in zip(_CENTRES, ("v", "o", "^"), strict=True):
        ax.plot([], [], marker, ms=5, color="0.5", label=f"{_CENTRES[centre]} rates")
    ax.axvline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_yticks(range(len(names)), ["Eq 1", "reversed", "descent\non $J_h$", "weight\ndecay"])
    ax.set_ylim(len(names) - 0.4, -1.5)
    ax.legend(loc="upper left")
    plotting.label(ax, "Simulated, from random starts", "change of the time to 5 % (%), 95 %", "lesson")


def _law(ax: Axes, data: xr.Dataset) -> None:
    for centre, color in zip(_CENTRES, ("nearest", "eq1", "sum"), strict=True):
        cell = data.sel(centre=centre)
        ax.plot(
            cell.predicted_shift, cell.slow_shift, "o", ms=4, mfc="none", color=COLORS[color],
            label=f"{_CENTRES[centre]} rates",
        )  # fmt: skip
    ends = [float(data.predicted_shift.min()), float(data.predicted_shift.max())]
    ax.plot(ends, ends, color=COLORS["exact"], lw=1, label="law")
    plotting.zero_lines(ax)
    ax.legend(loc="upper left")
    plotting.label(
        ax, "A mode that gains slows down", "$v^T$(change of $rr^T$)$v$, off the diagonal",
        "change of eigenvalue / rate",
    )  # fmt: skip


def _both(ax: Axes, data: xr.Dataset) -> None:
    still = data.is_interior & data.settles
    for name, (_, color, marker) in _LESSONS.items():
        cell = data.sel(lesson=name).isel(stage=-1)
        shown = still.sel(lesson=name).isel(stage=-1).values.ravel()
        ax.plot(
            cell.relaxation_time.values.ravel()[shown], cell.late_time.values.ravel()[shown], marker, ms=3, alpha=0.7,
            color=COLORS[color],
        )  # fmt: skip
    top = float(data.relaxation_time.where(still).max())
    ax.plot([0.9, top], [0.9, top], color=COLORS["exact"], lw=1, label="equal")
    ax.legend(loc="upper left")
    plotting.label(ax, "Simulation follows the spectrum", "slowest mode's time constant (tau)", "simulated fall (tau)")


def _task(ax: Axes, data: xr.Dataset) -> None:
    for name, (words, color, style) in _COURSES.items():
        values = data.task_relaxation_time.sel(course=name).mean("probe").transpose("learner", "pass").values
        right = float(data.accuracy.sel(course=name).isel({"pass": -1}).mean())
        _band(ax, data["pass"].values, values, style, color, f"{words}: {right:.0%} right")
    ax.set_ylim(0.7, 1.7 * float(data.task_relaxation_time.mean(("probe", "learner")).max()))
    ax.set_xticks(data["pass"].values)
    ax.legend(loc="upper left")
    plotting.label(ax, "Learning digits does either", "passes over the images", "slowest mode, input clamped (tau)")


def _weights(ax: Axes, data: xr.Dataset) -> None:
    for name, (words, color, style) in _COURSES.items():
        if name != "weak, wrong sign":
            _band(ax, data["pass"].values, data.largest.sel(course=name).transpose("learner", "pass").values, style,
                  color, words)  # fmt: skip
    ax.axhline(1, ls=":", lw=1, color=COLORS["exact"])
    ax.set_ylim(0, 1.45)
    ax.set_xticks(data["pass"].values)
    ax.text(0, 1.02, "1: unstable without kinks", fontsize=8)
    ax.legend(loc="upper left")
    plotting.label(ax, "The weights alone would slow it", "passes over the images", "largest eigenvalue")
