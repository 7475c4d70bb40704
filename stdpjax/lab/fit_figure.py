"""The picture of a fit: measurements and rule, parameters with their intervals, the comparison of rules."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stdpjax import plotting
from stdpjax.fitting.fit import Fit
from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.models import find_model

# At the value in the figure.
_BOUNDS = {"low": " (lower bound)", "high": " (upper bound)", "both": " (not determined)"}


class Curve(NamedTuple):
    """What the fitted rule makes of pairs between the measured ones."""

    label: str
    x: NDArray[np.float64]
    change: NDArray[np.float64]
    is_measured: NDArray[np.bool_]
    """Which measurements belong to it, shape `[point]`."""
    measured_x: NDArray[np.float64]


def plot(found: Fit, data: Measurements, curves: Sequence[Curve], xlabel: str, compared: Sequence[Fit]) -> Figure:
    """Draw a fit.

    Args:
        found: the fit.
        data: what was fitted.
        curves: of the rule; without any, predictions are drawn against measurements.
        xlabel: what the curves are over.
        compared: fits of other rules and of this one, the lowest AIC first; may be empty.

    Returns:
        The figure.
    """
    n_panels = 3 if len(compared) > 1 else 2
    figure = plotting.new_figure(4.6 * n_panels, 3.9)
    axes = figure.subplots(1, n_panels, width_ratios=(1.3, *[1] * (n_panels - 1)))
    if curves:
        _draw_curves(axes[0], found, data, curves, xlabel)
    else:
        _draw_predictions(axes[0], found, data)
    _draw_parameters(axes[1], found)
    if n_panels == 3:
        _draw_comparison(axes[2], found, compared)
    return figure


def _draw_curves(ax: Axes, found: Fit, data: Measurements, curves: Sequence[Curve], xlabel: str) -> None:
    colors = [plotting.COLORS[name] for name in ("eq1", "sum", "nearest", "points", "rate", "pre")]
    # Points of two series may lie on each other.
    for curve, color, marker in zip(curves, colors * len(curves), "osD^v<" * len(curves), strict=False):
        ax.plot(curve.x, 100 * curve.change, color=color, lw=1.5)
        chosen = curve.is_measured
        error = None if data.sem is None else 100 * data.sem[chosen]
        ax.errorbar(
            curve.measured_x,
            100 * data.change[chosen],
            error,
            fmt=marker,
            ms=4.5,
            mec="white",
            mew=0.5,
            color=color,
            label=curve.label,
            lw=1,
            capsize=2,
        )
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    of_all = colors[0] if len(curves) == 1 else "0.4"
    ax.plot([], [], color=of_all, lw=1.5, label=f"fitted rule: {found.model}")
    # Below the axes, where it covers nothing whatever the measurements are.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    errors = "" if data.sem is None else ", bars: standard errors"
    plotting.label(ax, f"{data.name}: points and fit", f"{xlabel}{errors}", "weight change (%)")


def _draw_predictions(ax: Axes, found: Fit, data: Measurements) -> None:
    error = None if data.sem is None else 100 * data.sem
    ax.errorbar(
        100 * found.prediction, 100 * data.change, error, fmt="o", ms=4, color=plotting.COLORS["eq1"], label="protocols"
    )
    ends = 100 * np.array([np.min([found.prediction, data.change]), np.max([found.prediction, data.change])])
    ax.plot(ends, ends, color=plotting.COLORS["exact"], lw=1, label="equal")
    ax.legend()
    plotting.label(
        ax, f"{data.name}: against the fit", f"weight change by {found.model} (%)", "measured weight change (%)"
    )


def _draw_parameters(ax: Axes, found: Fit) -> None:
    """Intervals as multiples of the estimate, so that all fit on one logarithmic axis."""
    names = list(found.parameters)
    kinds = [("simultaneous", "profile, all parameters together", "control", 5.0)]
    kinds += [("profile", "profile, each by itself", "eq1", 2.5)]
    if found.parameters[names[0]].bootstrap is not None:
        kinds += [("bootstrap", "bootstrap", "sum", 2.5)]
    shortest, longest = 1e-3, 1e3
    # A decade to either side at least, or the labels of the ticks are many.
    lowest, highest = 0.1, 10.0
    edge = plotting.COLORS["biology"]
    ranges = {parameter.name: (parameter.low, parameter.high) for parameter in find_model(found.model).parameters}
    is_open = False
    for row, name in enumerate(names):
        estimate = found.parameters[name]
        for offset, (kind, label, color, width) in zip((0.0, 0.0, 0.22), kinds, strict=False):
            ends = [end / estimate.value for end in getattr(estimate, kind)]
            low, high = np.clip(ends, shortest, longest)
            lowest, highest = min(lowest, low), max(highest, high)
            for end, at, marker, of_range in zip(ends, (low, high), "<>", ranges[name], strict=True):
                # The measurements set no end there.
                at_range = math.isclose(end * estimate.value, of_range, rel_tol=0.01)
                is_open |= at_range
                if at_range or end != at:
                    shown, size = (marker, 5) if end != at else ("|", 8)
                    ax.plot(at, row + offset, shown, ms=size, mew=1.5, color=plotting.COLORS[color], clip_on=False)
            ax.plot(
                [low, high],
                [row + offset] * 2,
                color=plotting.COLORS[color],
                lw=width,
                alpha=0.6 if kind == "simultaneous" else 1,
                label=label if row == 0 else None,
                solid_capstyle="butt",
            )
        ax.plot(1, row, "o", ms=4.5, color=edge, mfc="white" if estimate.bound else edge, zorder=5)
    if any(estimate.bound for estimate in found.parameters.values()):
        ax.plot([], [], "o", ms=4.5, color=edge, mfc="white", label="value on a bound, or not determined")
    if is_open:
        ax.plot([], [], "|", ms=8, mew=1.5, color=edge, label="end of the range of the fit")
    ax.set_xscale("log")
    ax.set_xlim(lowest / 1.3, highest * 1.3)
    ax.plot([1, 1], [-0.4, len(names) - 0.4], color="0.75", lw=0.8, zorder=0)
    ax.set_yticks(
        range(len(names)),
        [
            f"{name}\n{estimate.value:.3g}{' ms' if estimate.unit == 'ms' else ''}"
            + (_BOUNDS[estimate.bound] if estimate.bound else "")
            for name, estimate in found.parameters.items()
        ],
    )
    # Below the axes, as that of the points.
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    percent = f"{100 * found.confidence:g} %"
    is_cut = lowest <= shortest or highest >= longest
    xlabel = "value / best value" + (", arrows: beyond a factor of 1000" if is_cut else "")
    plotting.label(ax, f"What the data say: {percent} intervals", xlabel, "")


def _draw_comparison(ax: Axes, found: Fit, compared: Sequence[Fit]) -> None:
    names = [one.model for one in compared]
    colors = [plotting.COLORS["eq1" if one.model == found.model else "control"] for one in compared]
    criterion = "AIC" if found.has_errors else "AICc"
    with np.errstate(invalid="ignore"):
        differences = np.array([one.aicc - compared[0].aicc for one in compared])
    # Too few points for the correction.
    is_known = np.isfinite(differences)
    differences = np.where(is_known, differences, 0.0)
    ax.barh(range(len(names)), differences, color=colors, height=0.6)
    widest = max(1.0, float(differences.max()))
    for row, one in enumerate(compared):
        text = (
            f"{differences[row]:.1f} (k = {one.n_fitted})" if is_known[row] else f"too few points (k = {one.n_fitted})"
        )
        ax.text(differences[row] + 0.02 * widest, row, text, va="center", fontsize=7.5)
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlim(0, 1.7 * widest)
    if is_known.any():
        xlabel = f"{criterion} above the best rule's, k numbers fitted"
    else:
        ax.set_xticks([])
        xlabel = f"{criterion} needs k + 2 points, these are {found.n_points}"
    plotting.label(ax, f"Which rule: {criterion}, less is better", xlabel, "")
