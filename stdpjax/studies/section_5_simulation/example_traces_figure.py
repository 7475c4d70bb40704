"""Figure 3: presynaptic spikes, postsynaptic activity, weight."""

from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points
from stdpjax.stats import normal_interval


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 3: presynaptic spikes, postsynaptic activity, weight."""
    figure = new_figure(9.0, 6.6)
    pre, post, weight = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1.3, 1.6))
    spikes = data.time.values[data.pre_spikes.values]
    pre.set_title("Fig. 3: one example")
    pre.vlines(spikes, 0, 1, color=COLORS["pre"], lw=1.2, label=r"spikes $\xi_j$")
    curve(pre, data.time, data.pre_rate, "-", "rate", r"rate $\rho(s_j)$")
    frame(pre, "", "presynaptic", ylim=(0, 1.05))
    curve(post, data.time, data.post_activity, "-", "eq1", "activity $s_i$")
    points(post, spikes, data.post_activity.sel(time=spikes), "o", "pre", "at presynaptic spikes", ms=3)
    frame(post, "", "postsynaptic")
    curve(weight, data.time, data.weight, "-", "sum", "Eq 2, this spike train", drawstyle="steps-post")
    spread = (data.mean_weight - data.weight_std, data.mean_weight + data.weight_std)
    words = "Eq 2, one s.d. over trains"
    weight.fill_between(data.time, *spread, lw=0, color=COLORS["nearest"], alpha=0.15, label=words)
    reach = normal_interval(data.mean_weight, data.mean_weight_error).reach.max()
    words = f"Eq 2, mean of {config.n_trials} trains (95 % ±{reach:.1g})"
    curve(weight, data.time, data.mean_weight, "-", "nearest", words, lw=2)
    curve(weight, data.time, data.expected_weight, "--", "exact", "Eq 1 times r", lw=1)
    frame(weight, "time (bins)", "weight $W_{ij}$")
    for ax in (pre, post, weight):
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
