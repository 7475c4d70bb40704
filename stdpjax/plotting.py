"""Pictures of results: labelled data to axes. Nothing here simulates or touches files.

Functions draw into the axes they are given; an `stats.Estimate` in the place of numbers brings its 95 % interval.
Figures are plain `matplotlib.figure.Figure` objects, so no window system and no global state is involved; save them
with `figure.savefig`.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import xarray as xr
from cycler import cycler
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm, is_color_like
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks
from stdpjax.stats import Estimate

# Okabe and Ito's colours, told apart with the common forms of colour blindness.
COLORS = {
    "eq1": "#0072B2",
    "sum": "#D55E00",
    "nearest": "#009E73",
    "kernel": "#777777",
    "biology": "#222222",
    "points": "#CC79A7",
    "exact": "#222222",
    "control": "#999999",
    "rate": "#E69F00",
    "pre": "#56B4E9",
}
CYCLE = [COLORS[name] for name in ("eq1", "sum", "nearest", "points", "rate", "pre", "biology")]

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titley": 1.0,  # where it is anyway with ticks below; to look for it measures every tick
    "axes.spines.top": False,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "legend.title_fontsize": 7.5,
    "legend.handlelength": 1.4,
    "legend.borderpad": 0.2,
    "axes.prop_cycle": cycler(color=CYCLE),
    "svg.hashsalt": "stdpjax",
    "svg.fonttype": "path",
    "savefig.dpi": 150,
}


def style() -> AbstractContextManager[None]:
    """Return a context in which figures get the house style when drawn and when saved."""
    return rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, sizes in inches, that keeps its parts from overlapping."""
    size = float(_checks.number("width", width, above=0)), float(_checks.number("height", height, above=0))
    return Figure(figsize=size, layout="constrained")


def frame(
    ax: Axes,
    xlabel: str,
    ylabel: str,
    *,
    log: str = "",
    zero: str = "",
    xlim: Sequence[float | None] | None = None,
    ylim: Sequence[float | None] | None = None,
    headroom: float = 0.0,
    xticks: Any = None,
    yticks: Any = None,
) -> None:
    """Put what belongs around the things drawn: both labels, scales, lines through zero, limits and ticks.

    Args:
        ax: axes that show all they are to show.
        xlabel: what the horizontal axis measures, with its unit.
        ylabel: what the vertical axis measures, with its unit.
        log: axes on a logarithmic scale: "", "x", "y" or "xy".
        zero: axes with a thin line where they are zero: "", "x", "y" or "xy".
        xlim: lower and upper limit; None leaves an end, or both, to what is drawn.
        ylim: likewise.
        headroom: share of the height to add above what is drawn, for a legend, at least 0.
        xticks: the only ticks: numbers where they are, or words at 0, 1, 2 and so on.
        yticks: likewise.

    Raises:
        ValueError: no axes, a label that is no text, an axis of another name, the zero of a logarithmic axis, or ticks
            that are not numbers or words.

    Example:
        >>> from stdpjax import plotting
        >>> ax = plotting.new_figure(4, 3).subplots()
        >>> plotting.curve(ax, [1, 10, 100], [0.0, 0.5, 1.0], "o-", "sum", "measured")
        >>> plotting.frame(ax, "spikes", "share", log="x", zero="y", ylim=(-0.1, 1.1))
        >>> ax.get_xlabel(), ax.get_xscale(), float(ax.get_ylim()[1])
        ('spikes', 'log', 1.1)
    """
    _checks.instance("ax", ax, Axes, "matplotlib axes")
    ax.set_xlabel(_checks.text("xlabel", xlabel))
    ax.set_ylabel(_checks.text("ylabel", ylabel))
    for name, chosen in (("log", log), ("zero", zero)):
        _checks.choice(name, chosen, ("", "x", "y", "xy"))
    if both := {*log} & {*zero}:
        raise ValueError(f"zero: expected no logarithmic axis, which has no zero, got {min(both)!r}, which is in log")
    _checks.number("headroom", headroom, at_least=0)
    for axis, line, limits, ticks in (("x", ax.axvline, xlim, xticks), ("y", ax.axhline, ylim, yticks)):
        if axis in zero:
            line(0, color="0.75", lw=0.8, zorder=0)
        if axis in log:
            ax.set(**{f"{axis}scale": "log"})
        if limits is not None:
            ax.set(**{f"{axis}lim": _limits(f"{axis}lim", limits)})
        if axis == "y" and headroom:
            low, high = ax.get_ylim()
            ax.set_ylim(low, high + headroom * (high - low))
        if ticks is not None:
            places, words = _ticks(f"{axis}ticks", ticks)
            getattr(ax, f"set_{axis}ticks")(places, words)
            getattr(ax, f"set_{axis}ticks")([], minor=True)


def _limits(name: str, limits: Any) -> list[float | None]:
    if not isinstance(limits, tuple | list) or len(limits) != 2:
        raise ValueError(f"{name}: expected a lower and an upper limit or None, got {limits!r:.60}")
    return [end if end is None else _checks.number(name, end) for end in limits]


def _ticks(name: str, ticks: Any) -> tuple[NDArray[Any], list[str]]:
    """Return where ticks stand and what they say."""
    if isinstance(ticks, list | tuple) and all(isinstance(word, str) for word in ticks):
        return np.arange(len(ticks)), list(ticks)
    numbers = _checks.finite_numbers(name, _unlabelled(ticks))
    if numbers.ndim != 1:
        raise ValueError(f"{name}: expected a list of numbers or of words, got shape {numbers.shape}")
    return numbers, [f"{number:g}" for number in numbers]


def _unlabelled(values: Any) -> Any:
    return list(values) if isinstance(values, tuple) else getattr(values, "values", values)


def _numbers(name: str, values: Any) -> Any:
    """Return real numbers, labelled ones with their labels; gaps may be in them."""
    array = _checks.real_numbers(name, _unlabelled(values))
    return values if isinstance(values, xr.DataArray) else array


def _together(x: Any, y: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both as flat arrays with an element for each pair; axes of labelled numbers go together by their names."""
    x, y = _numbers("x", x), _numbers("y", y)
    if isinstance(x, xr.DataArray) and isinstance(y, xr.DataArray):
        x, y = xr.broadcast(x, y)
    try:
        x, y = np.broadcast_arrays(x, y)
    except ValueError as error:
        raise ValueError(f"y: expected the shape of x, {np.shape(x)}, got {np.shape(y)}") from error
    return x.ravel(), y.ravel()


def _reach(estimate: Estimate) -> NDArray[Any]:
    """Lengths of the bars below and above; an end that rounding put beyond the value gives none."""
    value, low, high = (np.asarray(part, dtype=float).ravel() for part in estimate[:3])
    return np.maximum([value - low, high - value], 0)


def _look(ax: Axes, color: str, label: str | None) -> dict[str, Any]:
    """Return the colour of that name, of the house or of matplotlib, and the legend entry."""
    _checks.instance("ax", ax, Axes, "matplotlib axes")
    color = COLORS.get(_checks.text("color", color), color)
    if not is_color_like(color):
        raise ValueError(f"color: expected one of {', '.join(COLORS)} or a colour of matplotlib, got {color!r}")
    return {"color": color, "label": label if label is None else _checks.text("label", label)}


def curve(
    ax: Axes, x: Any, y: Any, style: str = "-", color: str = "eq1", label: str | None = None, **options: Any
) -> None:
    """Draw numbers along x as a line; an estimate gets a band of its 95 % interval.

    Args:
        ax: axes to draw into.
        x: numbers, shape `[point]`.
        y: numbers or an `Estimate` of that shape.
        style: line and marker, as matplotlib writes them.
        color: a name of `COLORS` or a colour of matplotlib.
        label: legend entry; None for none.
        **options: of matplotlib's line.

    Raises:
        ValueError: no axes, no numbers, different shapes, or a colour that is not known.
    """
    look, style = _look(ax, color, label), _checks.text("style", style)
    if isinstance(y, Estimate):
        low, high = (_together(x, end)[1] for end in (y.low, y.high))
        ax.fill_between(_together(x, y.value)[0], low, high, color=look["color"], alpha=0.2, lw=0)
        y = y.value
    ax.plot(*_together(x, y), style, **{"ms": 4, **options, **look})


def points(
    ax: Axes, x: Any, y: Any, style: str = "o", color: str = "eq1", label: str | None = None, **options: Any
) -> None:
    """Draw a marker for each pair of numbers; an estimate, in either place, gets bars of its 95 % interval.

    Args:
        ax: axes to draw into.
        x: numbers or an `Estimate`.
        y: the same; both are broadcast to one shape, labelled numbers by the names of their dimensions.
        style: marker, and line if wanted, as matplotlib writes them.
        color: a name of `COLORS` or a colour of matplotlib.
        label: legend entry; None for none.
        **options: of matplotlib's line or error bars.

    Raises:
        ValueError: no axes, no numbers, shapes that do not fit, or a colour that is not known.

    Example:
        >>> from stdpjax import stats
        >>> from stdpjax import plotting
        >>> ax = plotting.new_figure(4, 3).subplots()
        >>> speeds = [[1.0, 2.0], [1.2, 2.6], [0.8, 2.4]]
        >>> plotting.points(ax, [0.1, 0.2], stats.mean_interval(speeds, axis=0), "s", "sum", "3 networks, 95 %")
    """
    options = {"ms": 4, **options, **_look(ax, color, label)}
    xerr, yerr = (_reach(value) if isinstance(value, Estimate) else None for value in (x, y))
    x, y = _together(*(value.value if isinstance(value, Estimate) else value for value in (x, y)))
    if xerr is None and yerr is None:
        ax.plot(x, y, _checks.text("style", style), **options)
    else:
        ax.errorbar(x, y, yerr, xerr, fmt=_checks.text("style", style), **{"capsize": 2, "lw": 1, **options})


def bars(
    ax: Axes, x: Any, y: Any, color: str = "eq1", label: str | None = None, *, width: float = 0.35, **options: Any
) -> None:
    """Draw upright bars; estimates get their 95 % intervals.

    Args:
        ax: axes to draw into.
        x: centres of the bars, numbers of shape `[bar]`.
        y: heights, finite numbers or an `Estimate`; NaN leaves a bar out.
        color: a name of `COLORS` or a colour of matplotlib.
        label: legend entry; None for none.
        width: of a bar, above 0.
        **options: of matplotlib's bars.

    Raises:
        ValueError: no axes, no numbers, different shapes, a width out of range, or a colour that is not known.
    """
    look = _look(ax, color, label)
    if isinstance(y, Estimate):
        options = {"capsize": 3, "error_kw": {"lw": 1}, **options, "yerr": _reach(y)}
        y = y.value
    x, y = _together(x, y)
    for name, array in (("x", x), ("y", y)):
        if np.isinf(array).any():
            raise ValueError(f"{name}: expected finite numbers for bars, got {np.isinf(array).sum()} infinite ones")
    ax.bar(x, y, _checks.number("width", width, above=0), **{**options, **look})


def table(
    ax: Axes, values: ArrayLike, rows: ArrayLike, columns: ArrayLike, *, low: float, centre: float, high: float
) -> None:
    """Draw a small table of numbers as coloured cells with the numbers in them.

    Args:
        ax: axes to draw into.
        values: numbers, shape `[row, column]`.
        rows: row labels.
        columns: column labels.
        low: value of the lowest colour.
        centre: value of the neutral colour.
        high: value of the highest colour.

    Raises:
        ValueError: no axes, numbers that are not finite or of other shapes, or colours' values that do not rise.
    """
    _checks.instance("ax", ax, Axes, "matplotlib axes")
    # As plain numbers: labels may come with the unit that the axis names.
    values, rows, columns = (
        _checks.finite_numbers(name, _unlabelled(array))
        for name, array in (("values", values), ("rows", rows), ("columns", columns))
    )
    if values.ndim != 2:
        raise ValueError(f"values: expected the shape [row, column], got {values.shape}")
    for name, labels, n in (("rows", rows, values.shape[0]), ("columns", columns, values.shape[1])):
        if labels.shape != (n,):
            raise ValueError(f"{name}: expected {n} labels, got shape {labels.shape}")
    _checks.number("high", high, above=_checks.number("centre", centre, above=_checks.number("low", low)))
    ax.imshow(values, cmap="RdBu", norm=TwoSlopeNorm(centre, low, high), aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        color = "white" if value > centre + 0.7 * (high - centre) or value < centre - 0.7 * (centre - low) else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(columns.size), [f"{value:g}" for value in columns])
    ax.set_yticks(range(rows.size), [f"{value:g}" for value in rows])
