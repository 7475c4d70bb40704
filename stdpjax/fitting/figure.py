"""The picture of a fit: measurements and rule, parameters with their intervals, the comparison of rules."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from stdpjax import protocols
from stdpjax.fitting.measurements import Measurements
from stdpjax.fitting.models import predict
from stdpjax.fitting.result import Fit
from stdpjax.plotting import COLORS, CYCLE, curve, frame, new_figure, points
from stdpjax.protocols import Protocol
from stdpjax.stats import Estimate

_N_CURVE = 120
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


class Panel(NamedTuple):
    """Curves over lags or over frequencies."""

    xlabel: str
    curves: tuple[Curve, ...]


def draw(found: Fit, compared: Sequence[Fit] = ()) -> Figure:
    """Draw a fit: its curves, or without any predictions against measurements, its parameters, and all fits."""
    shown = panels_of(found)
    seen = np.zeros(found.n_points, bool)
    for panel in shown:
        seen |= np.any([one.is_measured for one in panel.curves], axis=0)
    # What no curve goes through is still measured.
    n_left = len(shown) + (not seen.all())
    n_panels = n_left + 1 + (len(compared) > 1)
    figure = new_figure(4.6 * n_panels, 3.9)
    axes = figure.subplots(1, n_panels, width_ratios=(1.3, *[1] * (n_panels - 1)))
    for ax, panel in zip(axes, shown, strict=False):
        _draw_curves(ax, found, found.data, panel.curves, panel.xlabel)
    if not seen.all():
        _draw_predictions(axes[n_left - 1], found, found.data)
    _draw_parameters(axes[n_left], found)
    if len(compared) > 1:
        _draw_comparison(axes[-1], found, sorted(compared, key=lambda one: one.aicc))
    return figure


def panels_of(found: Fit) -> list[Panel]:
    """Return what the rule makes of pairs at lags and at frequencies between the measured ones."""
    data, lag = found.data, found.data.lag_ms
    if lag is None:
        return []
    is_pairs = np.array([isinstance(protocol, Protocol) for protocol in data.protocols]) & np.isfinite(lag)
    n_pairs = {one.pre_ms.size for one, here in zip(data.protocols, is_pairs, strict=True) if here}  # pyright: ignore
    if len(n_pairs) != 1:
        return []
    n, hz = n_pairs.pop(), np.ones(lag.size) if data.frequency_hz is None else data.frequency_hz
    is_pairs &= np.isfinite(hz)
    # A lag at one frequency alone is a point of that frequency's curve over lags, if there are more of them.
    is_alone = is_pairs & np.array([np.unique(hz[is_pairs & (lag == one)]).size == 1 for one in lag])
    over_lags = is_pairs & np.array([np.unique(lag[is_alone & (hz == one)]).size > 1 for one in hz])
    found_panels = []
    if over_lags.any():
        chosen = [over_lags & (hz == one) for one in np.unique(hz[over_lags])]
        labels = [f"data, {hz[here][0]:g} Hz" if len(chosen) > 1 or not is_alone.all() else "data" for here in chosen]
        curves = [
            _over_lags(found, lag, here, float(hz[here][0]), n, name) for here, name in zip(chosen, labels, strict=True)
        ]
        found_panels.append(Panel("lag, post minus pre (ms)", tuple(curves)))
    over_hz = is_pairs & (~is_alone | ~over_lags)
    if over_hz.any():
        chosen = [over_hz & (lag == one) for one in np.unique(lag[over_hz])[::-1]]
        curves = [_over_frequencies(found, hz, here, float(lag[here][0]), n) for here in chosen]
        found_panels.append(Panel("pairs per second (Hz)", tuple(curves)))
    return found_panels


def _over_lags(found: Fit, lag: Any, here: Any, hz: float, n_pairs: int, label: str) -> Curve:
    x = np.linspace(lag[here].min(), lag[here].max(), _N_CURVE)
    change = predict(found.source, found.numbers, [protocols.pairs(one, hz, n_pairs) for one in x])
    # The curve jumps at lag 0.
    change = np.where(np.abs(x) < np.ptp(x) / _N_CURVE, np.nan, change)
    return Curve(label, x, change, here, lag[here])


def _over_frequencies(found: Fit, hz: Any, here: Any, lag: float, n_pairs: int) -> Curve:
    x = np.linspace(hz[here].min(), hz[here].max(), _N_CURVE // 2)
    change = predict(found.source, found.numbers, [protocols.pairs(lag, float(one), n_pairs) for one in x])
    return Curve(f"data, lag {lag:+g} ms", x, change, here, hz[here])


def _with_bars(data: Measurements, chosen: Any = slice(None)) -> Estimate | NDArray[np.float64]:
    """Return measured changes in percent, with bars of one standard error where those are known."""
    change = 100 * data.change[chosen]
    if data.sem is None:
        return change
    reach = 100 * data.sem[chosen]
    return Estimate(change, change - reach, change + reach)


def _draw_curves(ax: Axes, found: Fit, data: Measurements, curves: Sequence[Curve], xlabel: str) -> None:
    # Points of two series may lie on each other.
    for one, color, marker in zip(curves, CYCLE[:6] * len(curves), "osD^v<" * len(curves), strict=False):
        curve(ax, one.x, 100 * one.change, "-", color)
        shown = _with_bars(data, one.is_measured)
        points(ax, one.measured_x, shown, marker, color, one.label, ms=4.5, mec="white", mew=0.5)
    of_all = CYCLE[0] if len(curves) == 1 else "0.4"
    curve(ax, [], [], "-", of_all, f"fitted rule: {found.model}")
    errors = "" if data.sem is None else ", bars: standard errors"
    ax.set_title(f"{data.name}: points and fit")
    frame(ax, f"{xlabel}{errors}", "weight change (%)", zero="y")
    # Below the axes, where it covers nothing whatever the measurements are.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def _draw_predictions(ax: Axes, found: Fit, data: Measurements) -> None:
    look = {} if data.sem is None else {"capsize": 0}
    points(ax, 100 * found.prediction, _with_bars(data), "o", "eq1", "protocols", **look)
    ends = 100 * np.array([np.min([found.prediction, data.change]), np.max([found.prediction, data.change])])
    curve(ax, ends, ends, "-", "exact", "equal", lw=1)
    ax.set_title(f"{data.name}: against the fit")
    frame(ax, f"weight change by {found.model} (%)", "measured weight change (%)")
    ax.legend()


def _draw_parameters(ax: Axes, found: Fit) -> None:
    """Intervals as multiples of the estimate, so that all fit on one logarithmic axis."""
    kinds = [("simultaneous", "profile, all parameters together", "control", 5.0)]
    kinds += [("profile", "profile, each by itself", "eq1", 2.5)]
    if next(iter(found.parameters.values())).bootstrap is not None:
        kinds += [("bootstrap", "bootstrap", "sum", 2.5)]
    shortest, longest = 1e-3, 1e3
    # A decade to either side at least, or the labels of the ticks are many.
    lowest, highest = 0.1, 10.0
    ranges = {parameter.name: (parameter.low, parameter.high) for parameter in found.source.parameters}
    is_open, names = False, []
    for row, (name, estimate) in enumerate(found.parameters.items()):
        for offset, (kind, words, color, width) in zip((0.0, 0.0, 0.22), kinds, strict=False):
            ends = [end / estimate.value for end in getattr(estimate, kind)]
            low, high = np.clip(ends, shortest, longest)
            lowest, highest = min(lowest, low), max(highest, high)
            for end, at, marker, of_range in zip(ends, (low, high), "<>", ranges[name], strict=True):
                # The measurements set no end there.
                at_range = math.isclose(end * estimate.value, of_range, rel_tol=0.01)
                is_open |= at_range
                if at_range or end != at:
                    shown, size = (marker, 5) if end != at else ("|", 8)
                    points(ax, at, row + offset, shown, color, ms=size, mew=1.5, clip_on=False)
            look: dict[str, Any] = {"lw": width, "alpha": 0.6 if kind == "simultaneous" else 1}
            label = None if row else words
            curve(ax, [low, high], [row + offset] * 2, "-", color, label, solid_capstyle="butt", **look)
        fill = "white" if estimate.bound else COLORS["biology"]
        points(ax, 1, row, "o", "biology", ms=4.5, mfc=fill, zorder=5)
        unit, bound = " ms" if estimate.unit == "ms" else "", _BOUNDS[estimate.bound] if estimate.bound else ""
        names.append(f"{name}\n{estimate.value:.3g}{unit}{bound}")
    if any(estimate.bound for estimate in found.parameters.values()):
        points(ax, [], [], "o", "biology", "value on a bound, or not determined", ms=4.5, mfc="white")
    if is_open:
        points(ax, [], [], "|", "biology", "end of the range of the fit", ms=8, mew=1.5)
    curve(ax, [1, 1], [-0.4, len(names) - 0.4], "-", "0.75", lw=0.8, zorder=0)
    is_cut = lowest <= shortest or highest >= longest
    xlabel = "value / best value" + (", arrows: beyond a factor of 1000" if is_cut else "")
    ax.set_title(f"What the data say: {100 * found.confidence:g} % intervals")
    limits: dict[str, Any] = {"xlim": (lowest / 1.3, highest * 1.3), "ylim": (len(names) - 0.4, -0.6)}
    frame(ax, xlabel, "", log="x", yticks=names, **limits)
    # Below the axes, as that of the points.
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)


def _draw_comparison(ax: Axes, found: Fit, compared: Sequence[Fit]) -> None:
    criterion = "AIC" if found.has_errors else "AICc"
    with np.errstate(invalid="ignore"):
        differences = np.array([one.aicc - compared[0].aicc for one in compared])
    # Too few points for the correction.
    is_known = np.isfinite(differences)
    differences = np.where(is_known, differences, 0.0)
    widest = max(1.0, float(differences.max()))
    for row, one in enumerate(compared):
        color = COLORS["eq1" if one.model == found.model else "control"]
        ax.barh(row, differences[row], color=color, height=0.6)
        number = f"{differences[row]:.1f}" if is_known[row] else "too few points"
        ax.text(differences[row] + 0.02 * widest, row, f"{number} (k = {one.n_fitted})", va="center", fontsize=7.5)
    xlabel = f"{criterion} above the best rule's, k numbers fitted"
    if not is_known.any():
        ax.set_xticks([])
        xlabel = f"{criterion} needs k + 2 points, these are {found.n_points}"
    ax.set_title(f"Which rule: {criterion}, less is better")
    limits: dict[str, Any] = {"xlim": (0, 1.7 * widest), "ylim": (len(compared) - 0.4, -0.6)}
    frame(ax, xlabel, "", yticks=[one.model for one in compared], **limits)
