"""Figure 2 left, and what a rising rate implies for update, lag and cancellation."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, CYCLE, curve, frame, new_figure, points


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 2 left, and what it implies for update, lag and cancellation."""
    figure = new_figure(12.0, 7.2)
    axes = figure.subplot_mosaic([["picture"] * 3, ["update", "lag", "sides"]])
    _picture(axes["picture"], data, config)
    _ramps(axes["update"], axes["lag"], data, config)
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


def _ramps(update: Axes, lag: Axes, data: xr.Dataset, config: Any) -> None:
    for index, (q, color) in enumerate(zip(config.probabilities, CYCLE, strict=False)):
        row = data.isel(probability=index)
        curve(update, data.rise, row.mean_update, "o-", color, f"q = {q:g}")
        curve(update, data.rise, row.slope * float(row.gain), ":", color, lw=1)
        curve(lag, data.rise, row.mean_lag - row.mean_lag[0], "o-", color, f"q = {q:g}")
        curve(lag, data.rise, row.mean_lag_both - row.mean_lag_both[0], "--", color, lw=1)
    xlabel = "rise of the spike probability over the window, relative"
    update.set_title("Steeper, larger change")
    frame(update, xlabel, "mean update per presynaptic spike")
    update.legend(title="dotted: first-order theory")
    lag.set_title("The lag of pairs grows, unless spikes are frequent")
    frame(lag, xlabel, "mean positive lag, change (bins)", zero="y")
    lag.legend(title="dashed: the nearest on either side")


def _sides(ax: Axes, data: xr.Dataset) -> None:
    for values, color, words in (
        (data.eq1_one_sided, "eq1", "skipped (the rule)"),
        (data.eq1_both_sides, "sum", "paired all the same"),
    ):
        curve(ax, data.lag, values.where(data.lag != 0) * 1e3, ".-", color, words)
    ax.set_title("Spikes on both sides (exact)")
    frame(ax, "lag, post minus pre (bins)", r"mean $\dot s_i$ ($10^{-3}$/bin)", zero="xy")
    ax.legend(loc="lower right", title="both-sided spikes")
