"""Figure 2 left, and what a rising rate implies for update, lag and cancellation."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 2 left, and what it implies for update, lag and cancellation."""
    figure = plotting.new_figure(12.0, 7.2)
    grid = figure.add_gridspec(2, 6)
    picture, update = figure.add_subplot(grid[0, :4]), figure.add_subplot(grid[0, 4:])
    lag, latency, sides = (figure.add_subplot(grid[1, start : start + 2]) for start in (0, 2, 4))

    probability = data.example_probability
    for start, end, color, name in ((-config.window, -1, "sum", "before"), (1, config.window, "nearest", "after")):
        expected = float(probability.sel(time=slice(start, end)).sum())
        picture.axvspan(start - 0.5, end + 0.5, color=plotting.COLORS[color], alpha=0.12, lw=0)
        picture.text(
            (start + end) / 2,
            1.02,
            f"window {name}: {expected:.2f} spikes expected",
            ha="center",
            transform=picture.get_xaxis_transform(),
            color=plotting.COLORS[color],
            fontsize=8,
        )
    picture.plot(data.time, probability, color=plotting.COLORS["rate"], lw=2, label="postsynaptic spike probability")
    picture.axvline(0, color=plotting.COLORS["pre"], lw=2, label="presynaptic spike")
    top = float(probability.max())
    for trial, row in enumerate(data.example_spikes.values):
        spikes = data.time.values[row]
        picture.plot(
            spikes,
            np.full(spikes.size, -top * (0.08 + 0.035 * trial)),
            "|",
            ms=3,
            color="0.25",
            label="postsynaptic spikes, one row a trial" if trial == 0 else None,
        )
    picture.set_yticks(np.arange(0, top + 1e-9, 0.02 if top < 0.1 else 0.1))
    picture.legend(loc="upper left")
    plotting.label(
        picture, "Fig. 2 left: a rising rate\n", "time from presynaptic spike (bins)", "spike probability per bin"
    )

    for index, q in enumerate(config.probabilities):
        row = data.isel(probability=index)
        (line,) = update.plot(data.slope * 1e4, row.mean_update, "o-", ms=4, label=f"q = {q:g}")
        update.plot(data.slope * 1e4, data.slope * float(row.gain_closed_form), ":", lw=1, color=line.get_color())
        change = row.mean_lag - row.mean_lag[0]
        lag.plot(data.slope * 1e4, change, "-", color=line.get_color())
        lag.errorbar(
            data.slope * 1e4,
            row.sampled_mean_lag - row.mean_lag[0],
            1.96 * row.sampled_mean_lag_error,
            fmt="o",
            ms=4,
            capsize=2,
            color=line.get_color(),
            label=f"q = {q:g}",
        )
        for position, style, name in ((-1, "-", "steepest"), (0, ":", "flat")):
            entry = name if index == 0 else None
            latency.plot(data.distance, row.spike_within[position], style, color=line.get_color(), label=entry)
    slope_label = r"slope of the spike probability ($10^{-4}$/bin$^2$)"
    plotting.label(update, "T2: steeper, larger change", slope_label, "mean update per presynaptic spike")
    update.legend(title="dotted: first-order theory")
    lag.axhline(0, color="0.75", lw=0.8, zorder=0)
    plotting.label(lag, "T2: the lag of pairs mostly grows", slope_label, "mean positive lag, change (bins)")
    lag.legend(title=f"shorter only above q = {float(data.critical_probability):.3f}\npoints: sampled, 95 %")
    latency.set_ylim(0, 1.02)
    plotting.label(
        latency, "T2: the next spike does come sooner", "bins after the presynaptic spike", "P(spike by then)"
    )
    latency.legend(loc="lower right", title="colours as on the left")

    for name, color, text in (
        ("eq1_one_sided", "eq1", "skipped (the rule)"),
        ("eq1_both_sides", "sum", "paired all the same"),
    ):
        curve = data[name].where(data.lag != 0) * 1e3
        sides.plot(data.lag, curve, ".-", ms=4, color=plotting.COLORS[color], label=text)
    plotting.zero_lines(sides)
    plotting.label(
        sides, "T3: spikes on both sides (exact)", "lag, post minus pre (bins)", r"mean $\dot s_i$ ($10^{-3}$/bin)"
    )
    sides.legend(loc="lower right", title="both-sided spikes")
    return figure
