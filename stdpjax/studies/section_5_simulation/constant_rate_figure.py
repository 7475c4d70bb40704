"""The mean update against a constant rate, the saturated decay, and the synapse that works."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax.lab.plotting import CYCLE, bars, curve, frame, new_figure, points
from stdpjax.stats import normal_interval


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the mean update against the rate, the saturated decay, and the synapse that works."""
    figure = new_figure(12.0, 7.0)
    *kernels, saturated, causal = figure.subplots(2, 2).flat
    ylabel = "mean update per presynaptic spike"
    titles = ("Antisymmetric kernels: no change at any constant rate", "An asymmetric kernel: the prediction fails")
    for ax, title, chosen in zip(kernels, titles, (data.is_antisymmetric, ~data.is_antisymmetric), strict=True):
        names = data.kernel.values[chosen.values]
        for index, (name, color) in enumerate(zip(names, CYCLE, strict=False)):
            row = data.sel(kernel=name)
            beside = data.probability * 1.03 ** (index - (len(names) - 1) / 2)
            curve(ax, data.probability, row.exact, "-", color, lw=1)
            points(ax, beside, normal_interval(row.sampled, row.sampled_error), "o", color, name, ms=3.5)
        ax.set_title(title)
        xlabel = "constant postsynaptic spike probability per bin, q"
        frame(ax, xlabel, ylabel, log="x", zero="y", xticks=config.probabilities)
        ax.legend(title="lines: exact; points: sampled, 95 %", ncols=2)

    for values, style, color, words in (
        (data.saturated_activity, "-", "eq1", "activity $s_i$, mean of units"),
        (data.saturated_rate, "-", "rate", r"rate $\rho(s_i)$, lowest"),
        (data.saturated_eq1.cumsum(), "--", "sum", "summed change, Eq 1"),
        (data.saturated_eq5.cumsum(), "-.", "kernel", r"the same with $\rho'(\tilde s_i)$ (Eq 5)"),
    ):
        curve(saturated, data.time, values, style, color, words, lw=1.5)
    saturated.set_title("Constant rate, moving activity: saturation")
    frame(saturated, "time (bins)", "activity, rate, change", zero="y", ylim=(-1.3, 3.0))
    saturated.legend(loc="upper right", ncols=2)

    position = np.arange(data.sizes["causal_weight"])
    sampled = normal_interval(data.causal_sampled, data.causal_sampled_error)
    bars(causal, position, sampled, "pre", "sampled, 95 %", width=0.5)
    points(causal, position, data.causal_exact, "D", "exact", "exact, isolated presynaptic spike", ms=6)
    causal.set_title("A synapse that works is not independent")
    after = f"in the {config.causal_bins} bins after a presynaptic spike"
    xlabel = f"rise of probability {config.causal_probability:g} {after}"
    frame(causal, xlabel, ylabel, zero="y", xticks=[f"{weight:g}" for weight in config.causal_weights])
    causal.legend(loc="upper left")
    return figure
