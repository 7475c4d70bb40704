"""Figure 2 left, and what a rising rate implies for update, lag and cancellation."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, CYCLE, curve, frame, new_figure, points
from stdpjax.stats import normal_interval


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 2 left, and what it implies for update, lag and cancellation."""
    figure = new_figure(12.0, 7.2)
    axes = figure.subplot_mosaic([["picture", "picture", "update"], ["lag", "next", "sides"]])
    _picture(axes["picture"], data, config)
    _ramps(axes["update"], axes["lag"], axes["next"], data, config)
    _sides(axes["sides"], data)
    return figure


def _picture(ax: Axes, data: xr.Dataset, config: Any) -> None:
    probability = data.example_probability
    for start, end, color, name in ((-config.window, -1, "sum", "before"), (1, config.window, "nearest", "after")):
        ax.axvspan(start - 0.5, end + 0.5, color=COLORS[color], alpha=0.12, lw=0)
        words = f"window {name}: {float(probability.sel(time=slice(start, end)).sum()):.2f} spikes expected"
        place: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "ha": "center"}
        ax.text((start + end) / 2, 1.02, words, color=COLORS[color], fontsize=8, **place)
    curve(ax, data.time, probability, "-", "rate", "postsynaptic spike probability", lw=2)
    ax.axvline(0, color=COLORS["pre"], lw=2, label="presynaptic spike")
    top = float(probability.max())
    for trial, spikes in enumerate(data.example_spikes.values):
        label = None if trial else "postsynaptic spikes, one row a trial"
        points(ax, data.time[spikes], -top * (0.08 + 0.035 * trial), "|", "0.25", label, ms=3)
    ax.set_title("Fig. 2 left: a rising rate\n")
    frame(ax, "time from presynaptic spike (bins)", "spike probability per bin")
    ax.set_yticks(np.arange(0, top + 1e-9, 0.02 if top < 0.1 else 0.1))
    ax.legend(loc="upper left")


def _ramps(update: Axes, lag: Axes, latency: Axes, data: xr.Dataset, config: Any) -> None:
    slope = data.slope * 1e4
    for index, (q, color) in enumerate(zip(config.probabilities, CYCLE, strict=False)):
        row = data.isel(probability=index)
        curve(update, slope, row.mean_update, "o-", color, f"q = {q:g}")
        curve(update, slope, data.slope * float(row.gain_closed_form), ":", color, lw=1)
        curve(lag, slope, row.mean_lag - row.mean_lag[0], "-", color)
        sampled = normal_interval(row.sampled_mean_lag - row.mean_lag[0], row.sampled_mean_lag_error)
        points(lag, slope, sampled, "o", color, f"q = {q:g}")
        for position, style, name in ((-1, "-", "steepest"), (0, ":", "flat")):
            curve(latency, data.distance, row.spike_within[position], style, color, None if index else name)
    xlabel = r"slope of the spike probability ($10^{-4}$/bin$^2$)"
    update.set_title("T2: steeper, larger change")
    frame(update, xlabel, "mean update per presynaptic spike")
    update.legend(title="dotted: first-order theory")
    lag.set_title("T2: the lag of pairs mostly grows")
    frame(lag, xlabel, "mean positive lag, change (bins)", zero="y")
    lag.legend(title=f"shorter only above q = {float(data.critical_probability):.3f}\npoints: sampled, 95 %")
    latency.set_title("T2: the next spike does come sooner")
    frame(latency, "bins after the presynaptic spike", "P(spike by then)", ylim=(0, 1.02))
    latency.legend(loc="lower right", title="colours as on the left")


def _sides(ax: Axes, data: xr.Dataset) -> None:
    for values, color, words in (
        (data.eq1_one_sided, "eq1", "skipped (the rule)"),
        (data.eq1_both_sides, "sum", "paired all the same"),
    ):
        curve(ax, data.lag, values.where(data.lag != 0) * 1e3, ".-", color, words)
    ax.set_title("T3: spikes on both sides (exact)")
    frame(ax, "lag, post minus pre (bins)", r"mean $\dot s_i$ ($10^{-3}$/bin)", zero="xy")
    ax.legend(loc="lower right", title="both-sided spikes")
