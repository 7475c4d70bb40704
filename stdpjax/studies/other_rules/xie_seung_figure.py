"""Change of activity or of rate: an example, sweeps of saturation and width, signs, and two moments."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import curve, frame, new_figure, points
from stdpjax.stats import Estimate

_SLOPES = {"ds/dt": ("eq1", r"$ds/dt$ (Eq 1)"), "d rho/dt": ("sum", r"$d\rho/dt$ (Xie & Seung)")}
_FUNCTIONS = {"hard": ("-", "o", "hard sigmoid"), "smooth": ("--", "s", "smooth sigmoid")}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw where the two rules part and which of them spikes follow."""
    figure = new_figure(14.0, 8.0)
    axes = figure.subplot_mosaic([["example", "example", "signs"], ["scales", "widths", "form"]])
    for name, draw in (
        ("example", _example),
        ("scales", _scales),
        ("widths", _widths),
        ("signs", _signs),
        ("form", _form),
    ):
        draw(axes[name], data, config)
    return figure


def _example(ax: Axes, data: xr.Dataset, config: Any) -> None:
    is_saturated = np.abs(data.example_activity.values) > 0.5
    shade: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "color": "0.9", "lw": 0, "label": "saturated"}
    ax.fill_between(data.time, 0, 1, where=is_saturated, **shade)
    for rule, look in zip(data.rule.values, _SLOPES.values(), strict=True):
        curve(ax, data.time, data.example_slopes.sel(rule=rule), "-", *look)
    # On one axis: as large as the slope of the rate is.
    scale = np.sqrt(np.mean(data.example_slopes[1] ** 2) / np.maximum(np.mean(data.example_update**2), 1e-30))
    curve(ax, data.time, scale * data.example_update, "-", "nearest", "STDP, exact (scaled)")
    ax.set_title("One drive that saturates")
    frame(ax, "time (bins)", "change (1/bin)", zero="y", headroom=0.45)
    ax.legend(loc="upper left", ncols=2)


def _scales(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for function, (style, marker, words) in _FUNCTIONS.items():
        both = data.sel(function=function)
        for slope, (color, name) in _SLOPES.items():
            row = both.sel(slope=slope)
            correlation = Estimate(row.scale_value, row.scale_low, row.scale_high)
            curve(ax, data.scale, correlation, f"{marker}{style}", color, f"STDP with {name}, {words}")
        curve(ax, data.scale, both.scale_rules_theory, style, "control", lw=1)
        points(ax, data.scale, both.scale_rules, marker, "control", f"the two rules, {words}", ms=5, mfc="none")
    ax.set_title(f"The more it saturates, the more they part (width {config.width:g})")
    xlabel = "standard deviation of the activity (active region: ±0.5)"
    frame(ax, xlabel, "correlation per bin", ylim=(0.1, 1.03))
    ax.legend(loc="lower left")


def _widths(ax: Axes, data: xr.Dataset, config: Any) -> None:
    values = data.width_value
    ratio = values.sel(slope="ds/dt", drop=True) / values.sel(slope="d rho/dt", drop=True)
    for (function, (style, marker, words)), color in zip(_FUNCTIONS.items(), ("eq1", "points"), strict=True):
        points(ax, data.width, ratio.sel(function=function), marker, color, words, ms=6)
        curve(ax, data.width, data.width_ratio_theory.sel(function=function), style, color, lw=1.2)
    curve(ax, [], [], "-", "black", "lines: theory for rare spikes", lw=1.2)
    ax.axhline(1, color="0.6", lw=0.8, zorder=0)
    ax.axvline(config.window, color="0.6", lw=0.8, ls=":", zorder=0)
    ax.text(config.window, 1.12, " window", fontsize=7.5, va="center")
    ax.set_title(f"Slow drives: STDP follows the rate (std {config.scale:g})")
    ylabel = r"correlation with $ds/dt$ over that with $d\rho/dt$"
    frame(ax, "width of the drive (bins)", ylabel, log="x", ylim=(0.75, 1.2), xticks=config.widths)
    ax.legend(loc="lower left")


def _signs(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for sign, color, words in (
        ("reversed", "points", "reversed: pre before post depresses"),
        ("depressing", "control", "depresses whichever comes first"),
    ):
        row = data.sel(pair_sign=sign)
        words = f"{words} (correlation per bin {float(row.sign_value):+.2f})"
        curve(ax, data.binned_published, row.binned_update, "o-", color, words, ms=3.5)
    ax.set_title("The published sign is that of a reversed window")
    xlabel = r"Xie & Seung's rule as published, $-d\rho/dt$ (1/bin)"
    frame(ax, xlabel, "update per presynaptic spike (amplitudes)", zero="xy", headroom=0.25)
    ax.legend(loc="upper center")


def _form(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, color in (("balanced", "nearest"), ("Bi & Poo 2001", "sum"), ("Song et al. 2000", "eq1")):
        row = data.sel(pair_window=name)
        zero, first = (float(part) for part in row.moments)
        share = 0.0 if abs(zero) < 1e-4 * abs(first) else zero / first
        words = f"{name} ($b_0/b_1$ = {share:.4f} per bin)"
        curve(ax, data.slow_width, row.form_two_terms, "o-", color, words)
        if name != "balanced":
            curve(ax, data.slow_width, row.form_without_b0, "x--", color, ms=6)
    curve(ax, [], [], "x--", "0.4", r"without $b_0 q$", ms=6)
    ax.set_title(r"Slow rates: pairs change by $b_0 q + b_1 dq/dt$")
    ylabel = "error (standard deviations of the update)"
    frame(ax, "width of the drive (bins)", ylabel, log="xy", ylim=(None, 40), xticks=data.slow_width)
    ax.legend(loc="upper left")
