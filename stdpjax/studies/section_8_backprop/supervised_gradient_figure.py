"""Errors at first arrival, errors against the pull, and what decides."""

import itertools

import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import bars, curve, frame, points
from stdpjax.studies.panels import panels

_NAMES = {
    "symmetric": ("pull and push: contrast", "nearest"),
    "paper_two_sided": ("pull and push: Eq 1", "pre"),
    "paper_midpoint": ("pull alone: Eq 1", "eq1"),
}


def _first(ax: Axes, data: xr.Dataset) -> None:
    for offset, gradient, color in ((-0.15, "back-propagation", "eq1"), (0.15, "settled outputs", "control")):
        error = data.first_error.sel(gradient=gradient)
        points(ax, data.arrival + offset, error, "o", color, f"gradient: {gradient}", alpha=0.7)
    names = ["outputs", *(f"hidden {k}" for k in range(data.sizes["arrival"] - 1, 0, -1)), "inputs"]
    ax.set_title("First arrival: Eq 1 is back-propagation")
    frame(ax, "weights between", "relative error of the weight change", log="y", ylim=(None, 1e3))
    ax.set_xticks(data.arrival, [f"{near}–\n{far}" for near, far in itertools.pairwise(names)])
    ax.legend(loc="upper left")


def _pulls(ax: Axes, data: xr.Dataset) -> None:
    error = data.error.sel(kind=["layered", "all to all"]).mean(("kind", "network"))
    for rule, (words, color) in _NAMES.items():
        style = "o--" if rule == "paper_two_sided" else "o-"
        curve(ax, data.pull, error.sel(rule=rule, rate="hard"), style, color, words)
    curve(ax, data.pull, error.sel(rule="paper_midpoint", rate="smooth"), "o:", "control", "the same, smooth rates")
    ax.set_title("The weaker the pull, the smaller the error")
    limits, ylabel = (None, 20 * float(error.max())), "relative error against the gradient"
    frame(ax, r"strength of the pull $\beta$", ylabel, log="xy", ylim=limits, xticks=data.pull)
    ax.legend(loc="upper left")


def _conditions(ax: Axes, data: xr.Dataset) -> None:
    hard, smooth = (data.error.sel(rate=rate, rule="paper_two_sided").isel(pull=0) for rate in ("hard", "smooth"))
    shown = {
        "layered": (hard.sel(kind="layered"), "eq1"),
        "all to all": (hard.sel(kind="all to all"), "eq1"),
        "smooth\nrates": (smooth.sel(kind="layered"), "control"),
        "untied\nweights": (hard.sel(kind="untied"), "control"),
    }
    for index, (values, color) in enumerate(shown.values()):
        mean = float(values.mean())
        bars(ax, index, mean, color, width=0.7)
        ax.text(index, 1.3 * mean, f"{mean:.1g}", ha="center", fontsize=8)
    ax.set_title(f"What Eq 1 needs (pull {float(data.pull[0]):g})")
    xlabel, ylabel = "pull and push; grey: should fail", "relative error against the gradient"
    frame(ax, xlabel, ylabel, log="y", ylim=(None, 20), xticks=list(shown))


plot = panels(12.5, 3.9, _first, _pulls, _conditions)
