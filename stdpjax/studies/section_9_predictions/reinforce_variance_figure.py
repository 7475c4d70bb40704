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
    "own": ("each neuron's own cost only (control)", "control", "x"),
    "local": ("local rule: two phases", "nearest", "s"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the variances with their laws, those of the nonlinear network, and the growth exponents."""
    figure = new_figure(12.5, 4.6)
    law, measured, growth = figure.subplots(1, 3, width_ratios=[1.1, 1.1, 1])
    for row, (name, (words, color, marker)) in enumerate(_LOOK.items()):
        for ax, rates, shift, fill in ((law, "hard", -0.12, "none"), (measured, "sigmoid", 0.12, None)):
            one = data.sel(rates=rates, estimator=name)
            variance = Estimate(one.variance, one.variance_low, one.variance_high)
            points(ax, data.neurons, variance, marker, color, words, ms=5, capsize=0)
            if rates == "hard":
                curve(ax, data.neurons, one.exact_variance, "-", color, lw=1)
            slope = Estimate(one.slope, one.slope_low, one.slope_high)
            points(growth, slope, row + shift, marker, color, ms=6, mfc=fill, capsize=3)

    law.set_title("In the active region the variances are known")
    curve(law, [], [], "-", "exact", "lines: exact", lw=1)
    measured.set_title("Sigmoid network: only the local rule stays flat")
    first = data.sel(rates="sigmoid", estimator="centred").variance[0]
    linear = float(first) * data.neurons / data.neurons[0]
    curve(measured, data.neurons, linear, "--", "exact", "printed: linear growth", lw=1)
    for ax in (law, measured):
        ax.set_xscale("log", base=2)
        top, ylabel = 300 * float(data.variance.max()), "total variance / |gradient|² (log scale)"
        frame(ax, "neurons (log scale)", ylabel, log="y", ylim=(None, top), xticks=data.neurons)
        ax.legend(loc="upper left")

    growth.axvline(1, ls="--", color=COLORS["exact"], lw=1)
    growth.text(1.02, -0.75, "printed: 1", va="center", fontsize=8)
    growth.set_title("Exponent of the growth with size")
    names = ["no\nbaseline", "change\nof cost", "mean cost\nsubtracted", "own cost\nonly", "local\nrule"]
    xlabel = "log-log slope, 95 % (open: active, full: sigmoid)"
    frame(growth, xlabel, "estimator", zero="x", yticks=names, ylim=(len(names) - 0.4, -1))
    return figure
