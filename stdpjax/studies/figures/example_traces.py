"""Figure 3: presynaptic spikes, postsynaptic activity, weight."""

from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 3: presynaptic spikes, postsynaptic activity, weight."""
    figure = plotting.new_figure(9.0, 6.6)
    pre, post, weight = figure.subplots(3, 1, sharex=True, height_ratios=(1, 1.3, 1.6))
    spikes = data.time.values[data.pre_spikes.values]
    pre.vlines(spikes, 0, 1, color=plotting.COLORS["pre"], lw=1.2, label=r"spikes $\xi_j$")
    pre.plot(data.time, data.pre_rate, color=plotting.COLORS["rate"], label=r"rate $\rho(s_j)$")
    pre.set_ylim(0, 1.05)
    plotting.label(pre, "Fig. 3: one example", "", "presynaptic")
    post.plot(data.time, data.post_activity, color=plotting.COLORS["eq1"], label="activity $s_i$")
    at_spikes = data.post_activity.sel(time=spikes)
    post.plot(spikes, at_spikes, "o", ms=3, color=plotting.COLORS["pre"], label="at presynaptic spikes")
    plotting.label(post, "", "", "postsynaptic")
    band = 1.96 * data.mean_weight_error
    weight.step(data.time, data.weight, where="post", color=plotting.COLORS["sum"], label="Eq 2, this spike train")
    weight.fill_between(data.time, data.mean_weight - data.weight_std, data.mean_weight + data.weight_std, lw=0,
                        color=plotting.COLORS["nearest"], alpha=0.15, label="Eq 2, one s.d. over trains")  # fmt: skip
    weight.plot(data.time, data.mean_weight, color=plotting.COLORS["nearest"], lw=2,
                label=f"Eq 2, mean of {config.n_trials} trains (95 % ±{float(band.max()):.1g})")  # fmt: skip
    weight.plot(data.time, data.expected_weight, "--", lw=1, color=plotting.COLORS["exact"], label="Eq 1 times r")
    plotting.label(weight, "", "time (bins)", "weight $W_{ij}$")
    for ax in (pre, post, weight):
        ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
