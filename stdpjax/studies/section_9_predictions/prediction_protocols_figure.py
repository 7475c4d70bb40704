"""The three arms, what each rule changes in them, and how many cells tell."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points
from stdpjax.stats import Estimate
from stdpjax.studies.section_9_predictions.prediction_rules import SYMMETRIC

_NAMES = {
    "windowed": "windowed (the paper's)",
    "eq_1": "Eq 1, rates",
    "eq_2": "Eq 2, presynaptic spikes",
    "all_to_all": "pairs, all to all",
    "presynaptic_centred": "pairs, presynaptic-centred",
    "reduced_symmetric": "pairs, reduced symmetric",
    "nearest_symmetric": "pairs, nearest symmetric",
    "windowed_bi_poo": "windowed, Bi & Poo",
    "bi_poo": "pairs, Bi & Poo",
    "song": "pairs, Song et al.",
    "triplet_visual": "triplets, visual cortex",
    "triplet_hippocampus": "triplets, hippocampus",
    "suppression": "suppression",
}
_ARMS = (("constant", "kernel", "s", 0.0), ("rising", "sum", "^", 0.25), ("falling", "eq1", "v", -0.25))
# Changes in percent up to this one are drawn to scale, larger ones by their logarithm.
_LINEAR = 20.0
_TICKS = (-200, -100, -50, -20, -10, 0, 10, 20, 50, 100, 200, 400)


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw rates, changes by arm and rule, and cells needed."""
    figure = new_figure(14, 6)
    axes = figure.subplots(1, 3, width_ratios=(1, 1.55, 1.2))
    for ax, draw in zip(axes, (_rates, _changes, _cells), strict=True):
        draw(ax, data, config)
    return figure


def _rates(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for course, color, _, _ in _ARMS:
        curve(ax, data.time, data.post_hz.sel(course=course), "-", color, course, drawstyle="steps-mid")
    ax.axhline(config.pre_hz, color=COLORS["pre"], ls="--", lw=1, label="presynaptic")
    ax.set_title(f"Three arms, {config.n_repeats} times")
    frame(ax, "time in a ramp (ms)", "firing rate (Hz)", ylim=(0, 1.45 * config.high_hz))
    ax.legend(ncols=2, loc="upper center", title="postsynaptic rate")


def _rows(ax: Axes, data: xr.Dataset) -> np.ndarray:
    """Shade every other row, part the kinds of rules, and return where the rows are."""
    position = -np.arange(data.sizes["rule"], dtype=float)
    for row in position[::2]:
        ax.axhspan(row - 0.5, row + 0.5, color="0.96", lw=0, zorder=0)
    # Rules of which the prediction holds come first.
    ax.axhline(0.5 - len(SYMMETRIC), color="0.6", lw=0.8, ls=":")
    ax.set_ylim(-data.sizes["rule"] + 0.5, 2.0)
    ax.tick_params(axis="y", length=0)
    return position


def _changes(ax: Axes, data: xr.Dataset, config: Any) -> None:
    position = _rows(ax, data)
    for course, color, marker, shift in _ARMS:
        row = 100 * data[["exact", "observed", "observed_low", "observed_high"]].sel(course=course)
        observed = Estimate(row.observed, row.observed_low, row.observed_high)
        points(ax, observed, position + shift, marker, color, course)
        exact = "exact" if course == "falling" else None
        points(ax, row.exact.values, position + shift, "|", "black", exact, ms=8, mew=1.5)
    ax.axvline(0, color="0.6", lw=0.8, zorder=0)
    ax.set_xscale("symlog", linthresh=_LINEAR, linscale=0.9)
    ax.set_title("What an experimenter would measure")
    frame(ax, f"change of the weight (%; logarithmic beyond ±{_LINEAR:g} %)", "rule")
    ends = ax.get_xlim()
    ax.set_xticks(_TICKS, [f"{tick:+g}" if tick else "0" for tick in _TICKS])
    ax.minorticks_off()
    ax.set_xlim(ends)
    ax.set_yticks(position, [_NAMES[name] for name in data.rule.values])
    ax.legend(ncols=4, loc="upper center", title=f"mean of {config.n_cells} cells, 95 %")


def _cells(ax: Axes, data: xr.Dataset, config: Any) -> None:
    position = _rows(ax, data)
    most, n_most = 2e4, data.cells_constant.attrs["most"]
    for name, shift, marker, color, words in (
        ("cells_contrast", 0.17, "o", "nearest", "rising differs from falling (in each arm)"),
        ("cells_constant", -0.17, "s", "kernel", "a constant rate changes something"),
    ):
        n, rows = data[name].values, position + shift
        points(ax, n[n < most], rows[n < most], marker, color, words, ms=5)
        for count, row in zip(n, rows, strict=True):
            is_shown, number = count < most, "no number suffices" if count == n_most else f"{count:.0f}"
            place, side = (1.25 * count, "left") if is_shown else (0.9 * most, "right")
            ax.text(place, row, number, va="center", ha=side, fontsize=7, color=COLORS[color])
    ax.set_title(f"Cells needed for {100 * config.power:g} % power at 5 %")
    xlabel = f"cells (standard deviation between cells {100 * config.between_cells:g} %)"
    frame(ax, xlabel, "rule, as on the left", log="x", xlim=(1.5, most))
    ax.set_yticks(position, [])
    ax.legend(loc="upper left", title="two-sided t-test that")
