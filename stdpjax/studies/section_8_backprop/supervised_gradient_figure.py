"""Errors against the pull and the length of the phase, and updates against the gradient."""

import itertools
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, bars, curve, frame, new_figure, points
from stdpjax.stats import mean_interval

_NAMES = {
    "symmetric": ("pull and push", "nearest"),
    "one_sided": ("pull alone: contrast", "pre"),
    "paper_midpoint": ("pull alone: Eq 1, midpoint", "eq1"),
    "paper": ("pull alone: Eq 1, current", "sum"),
    "random_sign": ("pull or push, at random", "points"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw how far the two-phase updates are from the gradient, and what decides."""
    figure = new_figure(12.0, 7.2)
    draws = (_first, _scatter, _pulls, _layers, _lengths, _conditions)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data, config)
    return figure


def _pairs(config: Any) -> list[str]:
    """Return what lies at either end of each matrix of weights."""
    names = ["inputs", *(f"hidden {k}" for k in range(1, len(config.sizes) - 1)), "outputs"]
    return [f"{near}–\n{far}" for near, far in itertools.pairwise(names)]


def _first(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for offset, feedback, color in ((-0.15, "tied", "eq1"), (0.15, "untied", "control")):
        error = data.first_error.sel(feedback=feedback)
        points(ax, data.arrival + offset, error, "o", color, f"{feedback} weights", alpha=0.7)
    ax.set_title("First arrival: Eq 1 is back-propagation")
    frame(ax, "weights between", "relative error of the weight change", log="y", ylim=(None, 1e3))
    ax.set_xticks(data.arrival, _pairs(config)[::-1])
    ax.legend(loc="upper left", ncols=2)


def _scatter(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for rule in ("paper_midpoint", "symmetric"):
        words, color = _NAMES[rule]
        points(ax, data.gradient_values, data.update_values.sel(rule=rule), "o", color, words, ms=3, alpha=0.6)
    reach = float(np.abs(data.gradient_values).max())
    curve(ax, [-reach, reach], [-reach, reach], "-", "exact", "equal", lw=1)
    ax.set_title(f"Every weight of one network (pull {config.pulls[-1]:g})")
    frame(ax, "minus gradient of the settled loss", "update")
    ax.legend(loc="upper left")


def _pulls(ax: Axes, data: xr.Dataset, config: Any) -> None:
    error = data.error.sel(rate="hard", kind=["layered", "all to all"]).mean(("kind", "network"))
    for rule, (words, color) in _NAMES.items():
        curve(ax, data.pull, error.sel(rule=rule), "o--" if rule == "paper_midpoint" else "o-", color, words)
    for power, factor in ((1, 8), (2, 0.4)):
        guide = factor * float(error.sel(rule="symmetric")[-1]) * (data.pull / data.pull[-1]) ** power
        curve(ax, data.pull, guide, ":", "0.5", lw=1)
        ax.text(float(data.pull[0]), float(guide[0]), f"slope {power}", fontsize=8, color="0.4", va="bottom")
    ax.set_title("The weaker the pull, the smaller the error")
    limits, ylabel = (None, 10 * float(error.max())), "relative error against the gradient"
    frame(ax, r"strength of the pull $\beta$", ylabel, log="xy", ylim=limits, xticks=config.pulls)
    ax.legend(loc="upper left")


def _layers(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for index, rule in enumerate(("symmetric", "paper_midpoint", "paper")):
        words, color = _NAMES[rule]
        words = f"{words}; cosine at least {float(data.pair_cosine.sel(rule=rule).min()):.4f}"
        ratio = mean_interval(data.pair_ratio.sel(rule=rule), "network")
        bars(ax, data.pair + 0.27 * (index - 1), ratio, color, words, width=0.25)
    ax.axhline(1, color=COLORS["exact"], lw=1)
    ax.set_title(f"Size of the update, layer by layer (pull {config.pulls[len(config.pulls) // 2]:g})")
    frame(ax, "weights between", "|update| / |gradient|", ylim=(0, 1.6))
    ax.set_xticks(data.pair, _pairs(config))
    ax.legend(loc="upper left")


def _lengths(ax: Axes, data: xr.Dataset, config: Any) -> None:
    colors = ("biology", "eq1", "nearest", "rate", "sum", "points", "pre")
    for pair, name in zip(data.pair.values, _pairs(config), strict=True):
        cosine = data.cosine_by_length.sel(pair=pair).mean("network")
        curve(ax, data.length, cosine, "o-", colors[pair % len(colors)], name.replace("\n", ""))
    ax.set_title("Each step reaches one more layer")
    xlabel, ylabel = f"length of the pulled phase (steps of {config.step:g} tau)", "cosine of Eq 1 with the gradient"
    frame(ax, xlabel, ylabel, log="x", ylim=(-0.05, 1.1), xticks=config.lengths)
    ax.legend(loc="lower right")


def _conditions(ax: Axes, data: xr.Dataset, config: Any) -> None:
    hard, smooth = (data.error.sel(rate=rate).isel(pull=0) for rate in ("hard", "smooth"))
    shown = {
        "layered": (hard.sel(rule="symmetric", kind="layered"), "nearest"),
        "all to all": (hard.sel(rule="symmetric", kind="all to all"), "nearest"),
        "smooth\nrates": (smooth.sel(rule="symmetric", kind="layered"), "nearest"),
        "Eq 1,\nhard": (hard.sel(rule="paper_two_sided", kind="layered"), "eq1"),
        "Eq 1,\nsmooth": (smooth.sel(rule="paper_two_sided", kind="layered"), "control"),
        "untied\nweights": (hard.sel(rule="symmetric", kind="untied"), "control"),
        "wrong\nsign": (data.flipped.sel(kind="layered"), "control"),
    }
    for index, (values, color) in enumerate(shown.values()):
        mean = float(values.mean())
        bars(ax, index, mean, color, width=0.7)
        ax.text(index, 1.3 * mean, f"{mean:.1g}", ha="center", fontsize=8)
    ax.set_title(f"What it needs (pull {config.pulls[0]:g})")
    xlabel, ylabel = "all with pull and push; grey: should fail", "relative error against the gradient"
    frame(ax, xlabel, ylabel, log="y", ylim=(None, 20), xticks=list(shown))
    ax.tick_params(axis="x", labelsize=7.5)
