"""Variance of gradient estimates against the number of neurons, and the slopes."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.plotting import COLORS

_LOOK = {
    "raw": ("REINFORCE, no baseline", "points", "^"),
    "change": ("REINFORCE, cost without noise subtracted", "rate", "v"),
    "centred": ("REINFORCE, mean cost subtracted", "sum", "o"),
    "own": ("each neuron's own cost only (control)", "control", "x"),
    "local": ("local rule: two phases", "nearest", "s"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the variances with their laws, those of the nonlinear network, and the growth exponents."""
    figure = plotting.new_figure(12.5, 4.6)
    law, measured, growth = figure.subplots(1, 3, width_ratios=[1.1, 1.1, 1])
    sizes = data.neurons.values
    for ax, rates in ((law, "hard"), (measured, "sigmoid")):
        for name, (words, color, marker) in _LOOK.items():
            one = data.sel(rates=rates, estimator=name)
            reach = np.stack([one.variance - one.variance_low, one.variance_high - one.variance])
            ax.errorbar(sizes, one.variance, yerr=np.maximum(reach, 0), fmt=marker, ms=5, color=COLORS[color],
                        label=words)  # fmt: skip
            if rates == "hard":
                ax.plot(sizes, one.exact_variance, color=COLORS[color], lw=1)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks(sizes, [str(size) for size in sizes])
        ax.minorticks_off()
    law.plot([], [], color=COLORS["exact"], lw=1, label="lines: exact")
    middle = data.sel(rates="sigmoid", estimator="centred").variance
    measured.plot(sizes, float(middle[0]) * sizes / sizes[0], "--", color=COLORS["exact"], lw=1,
                  label="printed: linear growth")  # fmt: skip
    top = float(data.variance.max())
    for ax in (law, measured):
        ax.set_ylim(top=top * 300)
        ax.legend(loc="upper left")
    axis = "neurons (log scale)", "total variance / |gradient|² (log scale)"
    plotting.label(law, "In the active region the variances are known", *axis)
    plotting.label(measured, "Sigmoid network: only the local rule stays flat", *axis)

    place = np.arange(len(_LOOK))
    for shift, rates, fill in ((-0.12, "hard", "none"), (0.12, "sigmoid", None)):
        for row, (name, (_, color, marker)) in enumerate(_LOOK.items()):
            one = data.sel(rates=rates, estimator=name)
            reach = [[max(0.0, float(one.slope - one.slope_low))], [max(0.0, float(one.slope_high - one.slope))]]
            growth.errorbar(one.slope, row + shift, xerr=reach, fmt=marker, mfc=fill, color=COLORS[color], capsize=3)
    growth.axvline(1, ls="--", color=COLORS["exact"], lw=1)
    growth.text(1.02, -0.75, "printed: 1", va="center", fontsize=8)
    growth.axvline(0, color="0.75", lw=0.8, zorder=0)
    growth.set_yticks(
        place, ["no\nbaseline", "change\nof cost", "mean cost\nsubtracted", "own cost\nonly", "local\nrule"]
    )
    growth.set_ylim(len(place) - 0.4, -1)
    plotting.label(
        growth, "Exponent of the growth with size", "log-log slope, 95 % (open: active, full: sigmoid)", "estimator"
    )  # fmt: skip
    return figure
