"""Learning curves, final accuracies, and how close the updates are to the gradient."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_WORDS = {
    "paper": "Eq 1 as printed: one pull",
    "symmetric": "Eq 1, pull and push, midpoint\n(= equilibrium propagation)",
    "backpropagation": "back-propagation",
}
_COLORS = {
    "paper": plotting.COLORS["sum"],
    "symmetric": plotting.COLORS["eq1"],
    "backpropagation": plotting.COLORS["exact"],
}
_MARKERS = {"paper": "s", "symmetric": "o", "backpropagation": "D"}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw learning curves of one and two hidden layers, final accuracies, and alignments."""
    figure = plotting.new_figure(12.5, 7)
    axes = figure.subplots(2, 2)
    _curves(axes[0, 0], data, "", "rule", f"One hidden layer of {config.n_hidden} units")
    _curves(axes[0, 1], data, "deep_", "deep_rule", f"Two hidden layers of {config.n_hidden} units")
    _final(axes[1, 0], data)
    _alignment(axes[1, 1], data)
    return figure


def _reach(values: np.ndarray) -> np.ndarray | np.floating:
    """Half of the 95 % interval of the mean over the first axis."""
    return 1.96 * values.std(axis=0, ddof=1) / np.sqrt(values.shape[0])


def _curves(ax: Axes, data: xr.Dataset, prefix: str, rule: str, title: str) -> None:
    epochs = data[f"{prefix}epoch"]
    for name in data[rule].values:
        values = data[f"{prefix}accuracy"].sel({rule: name}).values
        mean, reach = 100 * values.mean(axis=0), 100 * _reach(values)
        ax.fill_between(epochs, mean - reach, mean + reach, color=_COLORS[name], alpha=0.2, lw=0)
        ax.plot(epochs, mean, color=_COLORS[name], marker=_MARKERS[name], ms=4, label=_WORDS[name])
    shuffled = 100 * data[f"{prefix}shuffled_accuracy"].sel({rule: "symmetric"})
    ax.plot(epochs, shuffled, "--", color=plotting.COLORS["control"], label="control: shuffled labels")
    ax.set_ylim(0, 102)
    plotting.label(ax, title, "passes over the training images", "test images classified right (%)")
    if not prefix:
        ax.legend(loc="center right", bbox_to_anchor=(1.0, 0.38))


def _final(ax: Axes, data: xr.Dataset) -> None:
    rows = [("", "rule", name, "one") for name in data.rule.values]
    rows += [("deep_", "deep_rule", name, "two") for name in data.deep_rule.values]
    place = range(len(rows))
    for height, (prefix, rule, name, _) in zip(place, rows, strict=True):
        values = 100 * data[f"{prefix}accuracy"].sel({rule: name}).values[:, -1]
        jitter = np.linspace(-0.2, 0.2, values.size)
        ax.plot(values, height + jitter, ".", ms=4, color=_COLORS[name], alpha=0.5)
        ax.errorbar(values.mean(), height, xerr=_reach(values), fmt=_MARKERS[name], color=_COLORS[name], capsize=3)
        ax.text(1.02, height, f"{values.mean():.1f}", transform=ax.get_yaxis_transform(), va="center")
    short = {"paper": "as printed", "symmetric": "pull and push"}
    ax.set_yticks(
        place, [f"{depth} layer{'s' * (depth == 'two')}: {short.get(name, name)}" for *_, name, depth in rows]
    )
    ax.axvline(97, color="0.6", lw=1, ls=":")
    ax.set_ylim(len(rows) - 0.5, -0.5)
    plotting.label(
        ax, "After training: pull and push keep up with back-propagation", "test images classified right (%)",
        "hidden layers: rule",
    )  # fmt: skip


def _alignment(ax: Axes, data: xr.Dataset) -> None:
    curves = (
        ("limit", "weak pull, long phases", "o-"),
        ("alignment", "pull and phases as in training", "s-"),
        ("misalignment", "control: gradient for other labels", "--"),
    )
    for (name, words, line), color in zip(curves, ("eq1", "nearest", "control"), strict=True):
        values = data[name].sel(rule="symmetric").values
        mean, reach = values.mean(axis=0), _reach(values)
        ax.fill_between(data.epoch, mean - reach, mean + reach, color=plotting.COLORS[color], alpha=0.2, lw=0)
        ax.plot(data.epoch, mean, line, ms=4, color=plotting.COLORS[color], label=words)
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_ylim(-1.05, 1.1)
    plotting.label(
        ax, "Pull and push follow the gradient of the settled network", "passes over the training images",
        "cosine of update and minus gradient",
    )  # fmt: skip
    ax.legend(loc="lower right")
