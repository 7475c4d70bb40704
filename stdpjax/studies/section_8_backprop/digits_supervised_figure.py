"""Learning curves, final accuracies, and how close the updates are to the gradient."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import curve, frame, new_figure, points
from stdpjax.stats import mean_interval

_LOOKS = {
    "paper": ("Eq 1 as printed: one pull", "sum", "s"),
    "symmetric": ("Eq 1, pull and push, midpoint\n(= equilibrium propagation)", "eq1", "o"),
    "backpropagation": ("back-propagation", "exact", "D"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw learning curves of one and two hidden layers, final accuracies, and alignments."""
    figure = new_figure(12.5, 7)
    one, two, final, alignment = figure.subplots(2, 2).flat
    one.set_title(f"One hidden layer of {config.n_hidden} units")
    _curves(one, data, "")
    one.legend(loc="center right", bbox_to_anchor=(1.0, 0.38))
    two.set_title(f"Two hidden layers of {config.n_hidden} units")
    _curves(two, data, "deep_")
    _final(final, data)
    _alignment(alignment, data)
    return figure


def _curves(ax: Axes, data: xr.Dataset, prefix: str) -> None:
    epochs, rule = data[f"{prefix}epoch"], f"{prefix}rule"
    for name in data[rule].values:
        words, color, marker = _LOOKS[name]
        accuracy = mean_interval(100 * data[f"{prefix}accuracy"].sel({rule: name}), axis=0)
        curve(ax, epochs, accuracy, f"{marker}-", color, words)
    shuffled = 100 * data[f"{prefix}shuffled_accuracy"].sel({rule: "symmetric"})
    curve(ax, epochs, shuffled, "--", "control", "control: shuffled labels")
    frame(ax, "passes over the training images", "test images classified right (%)", ylim=(0, 102))


def _final(ax: Axes, data: xr.Dataset) -> None:
    rows = [("", name, "one layer") for name in data.rule.values]
    rows += [("deep_", name, "two layers") for name in data.deep_rule.values]
    for place, (prefix, name, _) in enumerate(rows):
        values = 100 * data[f"{prefix}accuracy"].sel({f"{prefix}rule": name}).values[:, -1]
        _, color, marker = _LOOKS[name]
        points(ax, values, place + np.linspace(-0.2, 0.2, values.size), ".", color, alpha=0.5)
        points(ax, mean_interval(values), place, marker, color, ms=6, capsize=3)
        ax.text(1.02, place, f"{values.mean():.1f}", transform=ax.get_yaxis_transform(), va="center")
    ax.axvline(97, color="0.6", lw=1, ls=":")
    short = {"paper": "as printed", "symmetric": "pull and push"}
    names = [f"{depth}: {short.get(name, name)}" for _, name, depth in rows]
    ax.set_title("After training: pull and push keep up with back-propagation")
    limits = len(rows) - 0.5, -0.5
    frame(ax, "test images classified right (%)", "hidden layers: rule", ylim=limits, yticks=names)


def _alignment(ax: Axes, data: xr.Dataset) -> None:
    for name, words, style, color in (
        ("limit", "weak pull, long phases", "o-", "eq1"),
        ("alignment", "pull and phases as in training", "s-", "nearest"),
        ("misalignment", "control: gradient for other labels", "--", "control"),
    ):
        curve(ax, data.epoch, mean_interval(data[name].sel(rule="symmetric"), axis=0), style, color, words)
    ax.set_title("Pull and push follow the gradient of the settled network")
    ylabel = "cosine of update and minus gradient"
    frame(ax, "passes over the training images", ylabel, zero="y", ylim=(-1.05, 1.1))
    ax.legend(loc="lower right")
