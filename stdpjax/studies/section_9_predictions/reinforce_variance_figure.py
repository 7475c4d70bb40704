"""Variance of gradient estimates against the number of neurons, and the slopes."""

from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points
from stdpjax.stats import Estimate

_LOOK = {
    "raw": ("REINFORCE, no baseline", "points", "^"),
    "change": ("REINFORCE, cost without noise subtracted", "rate", "v"),
    "centred": ("REINFORCE, mean cost subtracted", "sum", "o"),
    "local": ("local rule: two phases", "nearest", "s"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the variances and the exponents of their growth."""
    figure = new_figure(10, 4.6)
    measured, growth = figure.subplots(1, 2, width_ratios=[1.2, 1])
    for row, (name, (words, color, marker)) in enumerate(_LOOK.items()):
        one = data.sel(estimator=name)
        variance = Estimate(one.variance, one.variance_low, one.variance_high)
        points(measured, data.neurons, variance, marker, color, words, ms=5, capsize=0)
        slope = Estimate(one.slope, one.slope_low, one.slope_high)
        points(growth, slope, row, marker, color, ms=6, capsize=3)

    measured.set_title("Only the local rule stays flat")
    linear = float(data.variance.sel(estimator="centred")[0]) * data.neurons / data.neurons[0]
    curve(measured, data.neurons, linear, "--", "exact", "the paper: linear growth", lw=1)
    measured.set_xscale("log", base=2)
    top, ylabel = 300 * float(data.variance.max()), "total variance / |gradient|² (log scale)"
    frame(measured, "neurons (log scale)", ylabel, log="y", ylim=(None, top), xticks=data.neurons)
    measured.legend(loc="upper left")

    growth.axvline(1, ls="--", color=COLORS["exact"], lw=1)
    growth.text(1.02, -0.75, "the paper: 1", va="center", fontsize=8)
    growth.set_title("Exponent of the growth with size")
    names = ["no\nbaseline", "change\nof cost", "mean cost\nsubtracted", "local\nrule"]
    frame(growth, "log-log slope, 95 %", "estimator", zero="x", yticks=names, ylim=(len(names) - 0.4, -1))
    return figure
