"""Pictures of results: labelled data to axes. Nothing here simulates or touches files.

Functions draw into the axes they are given. Figures are plain `matplotlib.figure.Figure` objects, so no window
system and no global state is involved; save them with `figure.savefig`.
"""

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import xarray as xr
from cycler import cycler
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm, is_color_like
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from stdpjax import _checks

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
LINESTYLES = ("-", "--", "-.", ":", "none")
CYCLE = [COLORS[name] for name in ("eq1", "sum", "nearest", "points", "rate", "pre", "biology")]

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
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


def _check_axes(**axes: Any) -> None:
    for name, ax in axes.items():
        if not isinstance(ax, Axes):
            raise ValueError(f"{name}: expected matplotlib axes, got {ax!r:.60}")


def style() -> AbstractContextManager[None]:
    """Return a context in which figures get the house style when drawn and when saved."""
    return rc_context(_STYLE)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, sizes in inches, that keeps its parts from overlapping."""
    size = float(_checks.number("width", width, above=0)), float(_checks.number("height", height, above=0))
    return Figure(figsize=size, layout="constrained")


def label(ax: Axes, title: str, xlabel: str, ylabel: str) -> None:
    """Give axes a title and both labels."""
    _check_axes(ax=ax)
    for name, text in (("title", title), ("xlabel", xlabel), ("ylabel", ylabel)):
        _checks.text(name, text)
    ax.set_title(title)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)


def zero_lines(ax: Axes) -> None:
    """Draw thin lines through the origin."""
    _check_axes(ax=ax)
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    ax.axvline(0, color="0.75", lw=0.8, zorder=0)


def lag_curve(ax: Axes, data: xr.Dataset, name: str, *, color: str, label: str, linestyle: str = "-") -> Axes:
    """Draw a sampled curve by lag with its 95 % band, and the exact expectation as a line.

    Args:
        ax: axes to draw into.
        data: holds `name`, `name_low`, `name_high` and `name_exact` along the dimension `lag` (bins).
        name: variable to draw; lag 0, which means no update, is left out.
        color: colour of points, band and line.
        label: legend entry of the sampled points.
        linestyle: style of the exact line.

    Returns:
        The axes.

    Raises:
        ValueError: no axes, data without these variables, or a colour or style that matplotlib does not know.
    """
    _check_axes(ax=ax)
    if not isinstance(data, xr.Dataset):
        raise ValueError(f"data: expected an xarray.Dataset, got {type(data).__name__}")
    _checks.text("name", name)
    for needed in (name, f"{name}_low", f"{name}_high", f"{name}_exact", "lag"):
        if needed not in data:
            raise ValueError(f"name: expected one with the variable {needed!r} in data, got {name!r}")
    if not is_color_like(color):
        raise ValueError(f"color: expected a colour of matplotlib, got {color!r}")
    _checks.text("label", label)
    _checks.choice("linestyle", linestyle, LINESTYLES)
    data = data.where(data.lag != 0)
    ax.fill_between(data.lag, data[f"{name}_low"], data[f"{name}_high"], color=color, alpha=0.2, lw=0)
    ax.plot(data.lag, data[name], ".", ms=5, color=color, label=label)
    ax.plot(data.lag, data[f"{name}_exact"], linestyle, lw=1, color=color, label="exact")
    zero_lines(ax)
    return ax


def same_zero(left: Axes, right: Axes) -> None:
    """Give two axes that share x symmetric limits, so that their zeros coincide."""
    _check_axes(left=left, right=right)
    for ax in (left, right):
        low, high = ax.get_ylim()
        reach = max(abs(low), abs(high))
        ax.set_ylim(-reach, reach)


def joint_legend(left: Axes, right: Axes, **options: Any) -> None:
    """One legend for two axes that share x, without repeated entries."""
    _check_axes(left=left, right=right)
    handles, labels = [], []
    for ax in (left, right):
        for handle, text in zip(*ax.get_legend_handles_labels(), strict=True):
            if text not in labels:
                handles.append(handle)
                labels.append(text)
    left.legend(handles, labels, **options)


def table(
    ax: Axes, values: ArrayLike, rows: ArrayLike, columns: ArrayLike, *, low: float, centre: float, high: float
) -> Axes:
    """Draw a small table of numbers as coloured cells with the numbers in them.

    Args:
        ax: axes to draw into.
        values: numbers, shape `[row, column]`.
        rows: row labels.
        columns: column labels.
        low: value of the lowest colour.
        centre: value of the neutral colour.
        high: value of the highest colour.

    Returns:
        The axes.

    Raises:
        ValueError: no axes, numbers that are not finite or of other shapes, or colours' values that do not rise.
    """
    _check_axes(ax=ax)
    # As plain numbers: labels may come with the unit that the axis names.
    plain = [array.values if isinstance(array, xr.DataArray) else array for array in (values, rows, columns)]
    values, rows, columns = (
        _checks.as_array(name, array) for name, array in zip(("values", "rows", "columns"), plain, strict=True)
    )
    for name, array in (("values", values), ("rows", rows), ("columns", columns)):
        _checks.finite(name, array)
    values, rows, columns = np.asarray(values), np.asarray(rows), np.asarray(columns)
    if values.ndim != 2:
        raise ValueError(f"values: expected the shape [row, column], got {values.shape}")
    for name, labels, n in (("rows", rows, values.shape[0]), ("columns", columns, values.shape[1])):
        if labels.shape != (n,):
            raise ValueError(f"{name}: expected {n} labels, got shape {labels.shape}")
    _checks.number("low", low)
    _checks.number("centre", centre, above=low)
    _checks.number("high", high, above=centre)
    ax.imshow(values, cmap="RdBu", norm=TwoSlopeNorm(centre, low, high), aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        is_dark = value > centre + 0.7 * (high - centre) or value < centre - 0.7 * (centre - low)
        ax.text(
            column, row, f"{value:.2f}", ha="center", va="center", color="white" if is_dark else "black", fontsize=8
        )
    ax.set_xticks(range(len(np.asarray(columns))), [f"{value:g}" for value in np.asarray(columns)])
    ax.set_yticks(range(len(np.asarray(rows))), [f"{value:g}" for value in np.asarray(rows)])
    return ax
