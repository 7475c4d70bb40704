"""Learning curves with one and two hidden layers, beside what is learned without credit assignment."""

from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points
from stdpjax.stats import mean_interval

_LOOKS = {
    "paper": ("Eq 1 as printed: one pull", "sum", "s"),
    "symmetric": ("Eq 1, pull and push\n(= equilibrium propagation)", "eq1", "o"),
    "backpropagation": ("back-propagation", "exact", "D"),
}
_READOUTS = {"pixels": ("logistic regression", "--"), "frozen": ("frozen hidden layer", ":")}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw learning curves of one and two hidden layers, and final accuracies of the first."""
    figure = new_figure(14, 4.6)
    one, final, two = figure.subplots(1, 3)
    one.set_title(f"One hidden layer of {config.n_hidden} units: {config.data}")
    _curves(one, data, "")
    for name, (words, style) in _READOUTS.items():
        mean = 100 * float(data.readout_accuracy.sel(readout=name).mean())
        one.axhline(mean, color=COLORS["control"], ls=style, label=f"control: {words}")
    one.legend(loc="lower right")
    _final(final, data)
    two.set_title(f"Two hidden layers of {config.n_hidden} units: {config.deep_data}")
    _curves(two, data, "deep_")
    return figure


def _curves(ax: Axes, data: xr.Dataset, prefix: str) -> None:
    epochs, rule = data[f"{prefix}epoch"], f"{prefix}rule"
    for name in data[rule].values:
        words, color, marker = _LOOKS[name]
        accuracy = mean_interval(100 * data[f"{prefix}accuracy"].sel({rule: name}), axis=0)
        curve(ax, epochs, accuracy, f"{marker}-", color, words)
    frame(ax, "passes over the training images", "test images classified right (%)", ylim=(0, 102))


def _final(ax: Axes, data: xr.Dataset) -> None:
    rows = [(data.accuracy.sel(rule=name)[:, -1], *_LOOKS[name]) for name in data.rule.values]
    rows += [(data.readout_accuracy.sel(readout=name), words, "control", "x") for name, (words, _) in _READOUTS.items()]
    for place, (accuracy, _, color, marker) in enumerate(rows):
        values = 100 * accuracy.values
        points(ax, mean_interval(values), place, marker, color, ms=6, capsize=3)
        ax.text(1.02, place, f"{values.mean():.1f}", transform=ax.get_yaxis_transform(), va="center")
    ax.set_title("One hidden layer, after training")
    names = [words.replace(": ", ":\n") for _, words, _, _ in rows]
    frame(ax, "test images classified right (%)", "what was learned", ylim=(len(rows) - 0.5, -0.5), yticks=names)
