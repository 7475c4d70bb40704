"""The picture of a portrait: small panels, one colour for each rule, 95 % intervals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import _checks
from stdpjax.plotting import CYCLE, curve, frame, new_figure, points
from stdpjax.stats import Estimate

# More cells than an experiment has.
_MOST_CELLS = 10_000.0
_MARKERS = "osD^v<>"


def figure(data: xr.Dataset) -> Figure:
    """Draw a portrait, or several side by side.

    Args:
        data: what `portrait` returned. Of several rules, whose amplitudes have units of their own, each is drawn in
            shares of its largest change in the panel.

    Returns:
        The figure, a panel for each part.

    Raises:
        ValueError: no portrait.

    Example:
        >>> from stdpjax import lab
        >>> from stdpjax.lab import portraits
        >>> small = dict(n_pairs=1, n_trials=2, n_ramp_trials=2, n_sequences=4, n_trains=2, n_resamples=2)
        >>> data = lab.portrait("hebb", **small)
        >>> len(portraits.figure(data).axes)
        8
    """
    check_portrait(data)
    whole = new_figure(15.5, 7.6)
    whole.get_layout_engine().set(h_pad=0.12, w_pad=0.08)  # pyright: ignore[reportOptionalMemberAccess, reportCallIssue]
    axes = whole.subplots(2, 4)
    for ax, draw in zip(axes.flat, _PANELS, strict=True):
        draw(ax, data)
    names = [str(name) for name in data.rule.values]
    handles = [axes.flat[0].plot([], [], "o-", color=_color(i), ms=4, label=name)[0] for i, name in enumerate(names)]
    n_columns = max(1, min(len(names), 160 // (6 + max(map(len, names)))))
    whole.legend(handles=handles, loc="outside lower center", ncols=n_columns, fontsize=9)
    return whole


def check_portrait(data: xr.Dataset) -> None:
    """Refuse what is no portrait."""
    _checks.instance("data", data, xr.Dataset, "a portrait, as `stdpjax.lab.portrait` returns")
    if missing := [name for name in ("rule", "window", "ramp", "curve", "agreement") if name not in data]:
        raise ValueError(f"data: expected a portrait, as `stdpjax.lab.portrait` returns, got one without {missing[0]}")


def _color(index: int) -> str:
    return CYCLE[index % len(CYCLE)]


def _estimates(data: xr.Dataset, name: str) -> list[Estimate]:
    """Return a part of each rule with its interval, of several rules in shares of the largest size of each."""
    found = []
    for index in range(data.sizes["rule"]):
        value, low, high = (data[f"{name}{end}"].values[index] for end in ("", "_low", "_high"))
        # With the interval: a mean that is nothing but chance is not blown up.
        largest = np.nanmax(np.abs([value, low, high]), initial=0.0)
        scale = largest if data.sizes["rule"] > 1 and largest > 0 else 1.0
        found.append(Estimate(value / scale, low / scale, high / scale))
    return found


def _unit(data: xr.Dataset, name: str) -> str:
    return "change / largest of the rule" if data.sizes["rule"] > 1 else f"change ({data[name].units})"


def _part(estimate: Estimate, *place: int | slice) -> Estimate:
    return Estimate(*(part[place] for part in estimate[:3]))


def _with_missing(xlabel: str, data: xr.Dataset, name: str) -> str:
    """Return a label that says which rules have no answer."""
    without = [str(rule) for rule in data.rule.values if np.isnan(data[name].sel(rule=rule)).all()]
    return f"{xlabel}\n(no answer: {', '.join(without)})" if without else xlabel


def _along(ax: Axes, data: xr.Dataset, name: str, dim: str, title: str, xlabel: str) -> None:
    for index, estimate in enumerate(_estimates(data, name)):
        x = data[dim].values
        if dim.endswith("lag"):  # the curve jumps where the spikes coincide
            at_zero = np.where(x == 0, np.nan, 1.0)
            estimate = Estimate(*(part * at_zero for part in estimate[:3]))
        curve(ax, x, estimate, "-", _color(index))
    ax.set_title(title)
    frame(ax, _with_missing(xlabel, data, name), _unit(data, name), zero="xy" if dim.endswith("lag") else "y")


def _window(ax: Axes, data: xr.Dataset) -> None:
    _along(ax, data, "window", "lag", f"Pairs at {data.attrs['window_hz']:g} Hz", "lag, post minus pre (ms)")


def _frequency(ax: Axes, data: xr.Dataset) -> None:
    for index, estimate in enumerate(_estimates(data, "frequency")):
        for row, style in enumerate(("o-", "s--")):
            curve(ax, data.pairs_hz.values, _part(estimate, row), style, _color(index), ms=3.5)
    for lag, style in zip(data.pair_lag.values, ("o-", "s--"), strict=True):
        curve(ax, [], [], style, "0.3", f"lag {lag:+g} ms")
    ax.set_title("Pairs by frequency")
    xlabel = _with_missing("pairs per second (Hz)", data, "frequency")
    frame(ax, xlabel, _unit(data, "frequency"), zero="y", headroom=0.15)
    ax.legend(loc="upper center", ncols=2)


def _triplets(ax: Axes, data: xr.Dataset) -> None:
    n_rules, n_gaps = data.sizes["rule"], data.sizes["gaps"]
    for index, estimate in enumerate(_estimates(data, "triplet")):
        x = np.arange(2 * n_gaps) + 0.5 * ((index + 0.5) / n_rules - 0.5)
        x[n_gaps:] += 0.5
        points(ax, x, estimate.value.ravel(), _MARKERS[index % len(_MARKERS)], _color(index), ms=4.5)
    ax.axvline(n_gaps - 0.25, color="0.75", lw=0.8)
    places = [*range(n_gaps), *(n_gaps + 0.5 + np.arange(n_gaps))]
    ax.set_title(f"Triplets at {data.attrs['window_hz']:g} Hz")
    low, high = data.order.values
    frame(ax, _with_missing(f"gaps (ms): {low}  |  {high}", data, "triplet"), _unit(data, "triplet"), zero="y")
    ax.set_xticks(places, [text.replace(", ", "+") for text in data.gaps.values] * 2, fontsize=7)


def _drift(ax: Axes, data: xr.Dataset) -> None:
    title = f"Constant rates, pre {data.attrs['pre_hz']:g} Hz"
    _along(ax, data, "drift", "post_hz", title, "postsynaptic rate (Hz)")


def _curve(ax: Axes, data: xr.Dataset) -> None:
    _along(ax, data, "curve", "nearest_lag", "By lag on the paper's drives", "lag of the nearest spike (ms)")


def _agreement(ax: Axes, data: xr.Dataset) -> None:
    n_rules = data.sizes["rule"]
    for index in range(n_rules):
        found = Estimate(*(data[f"agreement{end}"].values[[index]] for end in ("", "_low", "_high")))
        points(ax, found, [index], "o", _color(index), ms=6)
        text = "none" if np.isnan(found.value[0]) else f"{found.value[0]:.2f}"
        ax.text(1.08, index, text, va="center", fontsize=7.5, color=_color(index))
    ax.set_title("Correlation with Eq 1 on the drives")
    frame(ax, "correlation", "", zero="x", xlim=(-1.05, 1.3), ylim=(n_rules - 0.5, -0.5), yticks=[""] * n_rules)
    ax.set_xticks([-1, -0.5, 0, 0.5, 1])


def _ramps(ax: Axes, data: xr.Dataset) -> None:
    n_rules = data.sizes["rule"]
    courses = [str(course) for course in data.course.values]
    for index, estimate in enumerate(_estimates(data, "ramp")):
        x = np.arange(len(courses)) + 0.7 * ((index + 0.5) / n_rules - 0.5)
        reach = [estimate.value - estimate.low, estimate.high - estimate.value]
        look = {"yerr": np.maximum(reach, 0), "error_kw": {"lw": 1}, "capsize": 2}
        ax.bar(x, estimate.value, 0.6 / n_rules, color=_color(index), **look)
    ax.set_title("A ramp of the postsynaptic rate")
    low, high = data.attrs["low_hz"], data.attrs["high_hz"]
    frame(ax, f"postsynaptic rate, {low:g} to {high:g} Hz", _unit(data, "ramp"), zero="y", xticks=courses)


def _cells(ax: Axes, data: xr.Dataset) -> None:
    n_rules = data.sizes["rule"]
    kinds = (
        ("cells_contrast", "o", -0.12, "a rising rate against a falling one"),
        ("cells_constant", "s", 0.12, "a constant rate against none"),
    )
    for name, marker, offset, words in kinds:
        for index in range(n_rules):
            low, n, high = (float(data[f"{name}{end}"].values[index]) for end in ("_low", "", "_high"))
            ends = np.minimum([low, high], _MOST_CELLS)
            curve(ax, ends, [index + offset] * 2, "-", _color(index), lw=1)
            is_beyond = n > _MOST_CELLS
            fill = {} if name == "cells_contrast" else {"mfc": "white"}
            shown = ">" if is_beyond else marker
            points(ax, min(n, _MOST_CELLS), index + offset, shown, _color(index), ms=6, clip_on=False, **fill)
        points(ax, [], [], marker, "0.3", words, **({} if name == "cells_contrast" else {"mfc": "white"}))
    ax.set_title("Cells that an experiment needs")
    limits: dict[str, Any] = {"xlim": (1.5, _MOST_CELLS), "ylim": (n_rules - 0.5, -0.5 - 0.28 * (n_rules + 1))}
    frame(ax, "cells in each arm (arrow: more)", "", log="x", yticks=[""] * n_rules, **limits)
    ax.legend(loc="upper left")


_PANELS: tuple[Callable[[Axes, xr.Dataset], None], ...] = (
    *(_window, _frequency, _triplets, _drift),
    *(_curve, _agreement, _ramps, _cells),
)
