"""The mean update against a constant rate, the saturated decay, and the synapse that works."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the mean update against the rate, the saturated decay, and the synapse that works."""
    figure = plotting.new_figure(12.0, 7.0)
    axes = figure.subplots(2, 2)
    saturated, causal = axes[1]
    titles = ("Antisymmetric kernels: no change at any constant rate", "Asymmetric kernels: the prediction fails")
    for ax, title, chosen in zip(axes[0], titles, (data.is_antisymmetric, ~data.is_antisymmetric), strict=True):
        names = data.kernel.values[chosen.values]
        for index, name in enumerate(names):
            row = data.sel(kernel=name)
            shift = 1.03 ** (index - (len(names) - 1) / 2)  # side by side on a log axis
            (line,) = ax.plot(data.probability, row.exact, "-", lw=1)
            ax.errorbar(data.probability * shift, row.sampled, 1.96 * row.sampled_error, fmt="o", ms=3.5, capsize=2,
                        color=line.get_color(), label=name)  # fmt: skip
        known = data.reference.isel(kernel=chosen).stack(cell=("kernel", "probability")).dropna("cell")
        if known.size:
            ax.plot(known.probability, known, "x", ms=7, color="black", label="reference")
        ax.axhline(0, color="0.75", lw=0.8, zorder=0)
        ax.set_xscale("log")
        ax.set_xticks(config.probabilities, [f"{q:g}" for q in config.probabilities])
        ax.minorticks_off()
        plotting.label(
            ax, title, "constant postsynaptic spike probability per bin, q", "mean update per presynaptic spike"
        )
        ax.legend(title="lines: exact; points: sampled, 95 %", ncols=2)

    saturated.plot(data.time, data.saturated_activity, color=plotting.COLORS["eq1"], label="activity $s_i$")
    saturated.plot(data.time, data.saturated_rate, color=plotting.COLORS["rate"], label=r"rate $\rho(s_i)$")
    saturated.plot(
        data.time, data.saturated_eq1.cumsum(), "--", color=plotting.COLORS["sum"], label="summed change, Eq 1"
    )
    saturated.plot(
        data.time, data.saturated_spikes.cumsum(), ":", color=plotting.COLORS["nearest"], lw=2,
        label="summed change, nearest neighbour",
    )  # fmt: skip
    saturated.axhline(0, color="0.75", lw=0.8, zorder=0)
    plotting.label(saturated, "Constant rate, moving activity: saturation", "time (bins)", "activity, rate, change")
    saturated.legend(loc="upper right")

    position = np.arange(data.sizes["causal_weight"])
    causal.bar(position, data.causal_sampled, 0.5, yerr=1.96 * data.causal_sampled_error, capsize=4,
               color=plotting.COLORS["pre"], label="sampled, 95 %")  # fmt: skip
    causal.plot(
        position, data.causal_exact, "D", color=plotting.COLORS["exact"], label="exact, isolated presynaptic spike"
    )
    causal.axhline(0, color="0.75", lw=0.8, zorder=0)
    causal.set_xticks(position, [f"{weight:g}" for weight in config.causal_weights])
    plotting.label(
        causal,
        "A synapse that works is not independent",
        f"rise of probability {config.causal_probability:g} in the {config.causal_bins} bins after a presynaptic spike",
        "mean update per presynaptic spike",
    )
    causal.legend(loc="upper left")
    return figure
