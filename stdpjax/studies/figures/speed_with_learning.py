"""Speed with and without learning: by drive and rate, what the effect is, and where it does not hold."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.plotting import COLORS


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the log ratios by drive and rate, held weights, the static equivalent, alignments and a table."""
    figure = plotting.new_figure(12.0, 8.4)
    (small, held, static), (wave, layer, cells) = figure.subplots(2, 3)
    figure.suptitle("Section 5.1: learning with Eq 1 makes a network's units move more, not less", fontweight="bold")
    logs, held_logs = np.log(data.speed), np.log(data.held_speed)
    ratios = logs - logs.sel(learning_rate=0.0, drop=True)
    held_ratios = held_logs - held_logs.sel(learning_rate=0.0, drop=True)
    four = data.drive.values[:4]
    position = np.arange(four.size, dtype=float)

    def points(ax: Any, at: np.ndarray, values: xr.DataArray, **options: Any) -> None:
        error = values.std("network", ddof=1) / np.sqrt(values.sizes["network"])
        ax.errorbar(at, values.mean("network"), yerr=1.96 * error, ls="", ms=5, capsize=2, **options)

    for ax, form in ((small, "Eq 1"), (held, "Eq 1")):
        ax.axhline(0, color="0.6", lw=0.8, zorder=0)
        for index, rate in enumerate(rate for rate in data.learning_rate.values if rate != 0):
            offset = 0.17 * (index - 1.5)
            color = COLORS["sum"] if rate > 0 else COLORS["eq1"]
            marker = "o" if abs(rate) == config.small_rate else "s"
            source = ratios if ax is small else held_ratios
            points(
                ax, position + offset, source.sel(form=form, learning_rate=rate, drive=four), color=color,
                marker=marker, label=f"{rate:+g}",
            )  # fmt: skip
        ax.set_xticks(position, [name.replace(" + ", "\n+ ") for name in four])
        ax.set_ylim(-0.42, 0.92)
    small.legend(title="learning rate", ncols=2, loc="upper left")
    unit = "log ratio of mean squared speed"
    plotting.label(small, "While learning: up for +, down for −", "drive (Eq 1, untied)", unit)
    plotting.label(held, "Weights then held: small rates leave nothing", "fresh drive (Eq 1, untied)", unit)

    rates = data.static_rate.values
    bars = [
        np.exp((np.log(values) - np.log(values).sel(static_rate=0.0)).mean("network")) - 1
        for values in (data.plastic_speed, data.static_speed)
    ]
    at = np.arange(rates.size)
    static.bar(at - 0.19, 100 * bars[0], 0.36, color=COLORS["eq1"], label="tied weights that learn")
    static.bar(at + 0.19, 100 * bars[1], 0.36, color=COLORS["control"], label="static weights, quartic energy")
    static.axhline(0, color="0.6", lw=0.8)
    for index in at:
        for shift, values in ((-0.19, bars[0]), (0.19, bars[1])):
            height = 100 * float(values[index])
            static.annotate(
                f"{height:+.2f}", (index + shift, height), (0, 3 if height >= 0 else -11), textcoords="offset points",
                ha="center", fontsize=7.5,
            )  # fmt: skip
    static.set_xticks(at, [f"{rate:+g}" if rate else "0" for rate in rates])
    static.set_ylim(-10, 11)
    static.legend(loc="upper left")
    plotting.label(
        static, "The effect is that of a softer, static energy", "learning rate", "change of mean squared speed (%)"
    )

    aligned = np.log(data.aligned_speed) - np.log(data.wave_speed)
    wave.axhline(0, color="0.6", lw=0.8, zorder=0)
    place = np.arange(data.sizes["pairing"], dtype=float)
    for rate, color in zip(data.small_rate.values, (COLORS["eq1"], COLORS["sum"]), strict=True):
        points(wave, place, aligned.sel(small_rate=rate), color=color, marker="o", label=f"{rate:+g}")
    wave.set_xticks(place, ["step before\n(Eq 5)", "start", "midpoint", "end"])
    wave.legend(title="learning rate", loc="upper center")
    plotting.label(wave, "On a travelling wave, alignment decides", "presynaptic rate taken at (tied)", unit)

    growth = data.layer_growth
    shown = np.arange(growth.sizes["layer_rate"])
    error = 1.96 * growth.std("network", ddof=1) / np.sqrt(growth.sizes["network"])
    layer.bar(shown, growth.mean("network"), 0.5, yerr=error, color=COLORS["pre"], capsize=4, label="measured")
    layer.plot(shown, data.layer_predicted, "D", color=COLORS["exact"], ms=6, label="exp(rate c T / (1 + τ))")
    layer.axhline(1, color="0.6", lw=0.8)
    layer.set_xticks(shown, [f"{rate:+g}" for rate in data.layer_rate.values])
    layer.set_ylim(0, 2.4)
    layer.legend(loc="upper left")
    plotting.label(layer, "From given inputs, weights grow or shrink", "learning rate", "weights, final over first")

    chosen = [float(rate) for rate in data.learning_rate.values if rate != 0]
    mean = (
        np.exp(ratios.mean("network"))
        .sel(learning_rate=chosen)
        .stack(row=("drive", "form"))
        .transpose("row", "learning_rate")
    )
    cells.set_axis_off()
    rows = [[f"{value:.3f}" if value < 10 else f"{value:.0f}" for value in row] for row in mean.values]
    names = [f"{drive}, {form}" for drive, form in mean.row.values]
    drawn = cells.table(
        rows, rowLabels=names, colLabels=[f"{rate:+g}" for rate in chosen], bbox=(0.42, 0.0, 0.6, 1.0), cellLoc="center"
    )  # fmt: skip
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(7)
    for (row, column), cell in drawn.get_celld().items():
        cell.set_linewidth(0.3)
        if row > 0 and column >= 0:
            value = mean.values[row - 1, column]
            cell.set_facecolor("#fbe3d6" if value > 1.005 else "#dbe9f4" if value < 0.995 else "white")
    cells.set_title("All ratios (red: faster)")
    return figure
