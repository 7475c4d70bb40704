"""Learning curves with one and two hidden layers, beside what is learned without credit assignment."""

from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure
from stdpjax.stats import mean_interval

_LOOKS = {
    "paper": ("Eq 1 as printed", "sum", "s"),
    "patient": ("the same, more steps pulled", "nearest", "^"),
    "settled": ("the same, more steps to settle", "eq1", "o"),
    "backpropagation": ("back-propagation", "exact", "D"),
}
_READOUTS = {"pixels": ("logistic regression", "--"), "frozen": ("frozen hidden layer", ":")}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw learning curves of one and two hidden layers, the first beside the readouts."""
    figure = new_figure(12.5, 4.6)
    one, two = figure.subplots(1, 2)
    one.set_title(f"One hidden layer of {config.n_hidden} units: {config.data}")
    _curves(one, data, "")
    for name, (words, style) in _READOUTS.items():
        mean = 100 * float(data.readout_accuracy.sel(readout=name).mean())
        one.axhline(mean, color=COLORS["control"], ls=style, label=f"control: {words}")
    one.legend(loc="upper left")
    two.set_title(f"Two hidden layers of {config.n_deep_hidden} units: {config.deep_data}")
    _curves(two, data, "deep_")
    two.legend(loc="center right")
    return figure


def _curves(ax: Axes, data: xr.Dataset, prefix: str) -> None:
    epochs, rule = data[f"{prefix}epoch"], f"{prefix}rule"
    for name in data[rule].values:
        words, color, marker = _LOOKS[name]
        accuracy = mean_interval(100 * data[f"{prefix}accuracy"].sel({rule: name}), axis=0)
        curve(ax, epochs, accuracy, f"{marker}-", color, words)
    frame(ax, "passes over the training images", "test images classified right (%)")
