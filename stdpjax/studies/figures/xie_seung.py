"""Change of activity or of rate: an example, sweeps of saturation and width, gains, signs, and two moments."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_SLOPES = {"ds/dt": ("eq1", r"$ds/dt$ (Eq 1)"), "d rho/dt": ("sum", r"$d\rho/dt$ (Xie & Seung)")}
_FUNCTIONS = {"hard": ("-", "o", "hard sigmoid"), "smooth": ("--", "s", "smooth sigmoid")}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw where the two rules part and which of them spikes follow."""
    figure = plotting.new_figure(14.0, 8.0)
    axes = figure.subplots(2, 3)
    _example(axes[0, 0], data)
    _scales(axes[0, 1], data, config)
    _widths(axes[0, 2], data, config)
    _gains(axes[1, 0], data)
    _signs(axes[1, 1], data)
    _form(axes[1, 2], data)
    return figure


def _example(ax: Axes, data: xr.Dataset) -> None:
    is_saturated = np.abs(data.example_activity.values) > 0.5
    ax.fill_between(
        data.time, 0, 1, where=is_saturated, transform=ax.get_xaxis_transform(), color="0.9", lw=0, label="saturated"
    )
    for rule, (color, text) in zip(data.rule.values, _SLOPES.values(), strict=True):
        ax.plot(data.time, data.example_slopes.sel(rule=rule), color=plotting.COLORS[color], label=text)
    # On one axis: as large as the slope of the rate is.
    scale = np.sqrt(np.mean(data.example_slopes[1] ** 2) / np.maximum(np.mean(data.example_update**2), 1e-30))
    ax.plot(data.time, scale * data.example_update, color=plotting.COLORS["nearest"], label="STDP, exact (scaled)")
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.45 * (high - low))
    plotting.label(ax, "One drive that saturates", "time (bins)", "change (1/bin)")
    ax.legend(loc="upper left", ncols=2)


def _scales(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for function, (style, marker, text) in _FUNCTIONS.items():
        for slope, (color, name) in _SLOPES.items():
            row = data.sel(function=function, slope=slope)
            ax.fill_between(data.scale, row.scale_low, row.scale_high, color=plotting.COLORS[color], alpha=0.15, lw=0)
            ax.plot(
                data.scale, row.scale_value, style, marker=marker, ms=4, color=plotting.COLORS[color],
                label=f"STDP with {name}, {text}",
            )  # fmt: skip
        row = data.sel(function=function)
        ax.plot(data.scale, row.scale_rules_theory, style, lw=1, color=plotting.COLORS["control"])
        ax.plot(
            data.scale, row.scale_rules, marker, ms=5, mfc="none", color=plotting.COLORS["control"],
            label=f"the two rules, {text} (line: theory)",
        )  # fmt: skip
    ax.set_ylim(0.1, 1.03)
    plotting.label(
        ax,
        f"The more it saturates, the more they part (width {config.width:g})",
        "standard deviation of the activity (active region: ±0.5)",
        "correlation per bin",
    )
    ax.legend(loc="lower left")


def _widths(ax: Axes, data: xr.Dataset, config: Any) -> None:
    values = data.width_value
    ratio = values.sel(slope="ds/dt", drop=True) / values.sel(slope="d rho/dt", drop=True)
    for function, (style, marker, text) in _FUNCTIONS.items():
        color = plotting.COLORS["eq1" if function == "hard" else "points"]
        ax.plot(data.width, ratio.sel(function=function), marker, ms=6, color=color, label=text)
        ax.plot(data.width, data.width_ratio_theory.sel(function=function), style, lw=1.2, color=color)
    ax.plot([], [], color="black", lw=1.2, label="lines: theory for rare spikes")
    ax.axhline(1, color="0.6", lw=0.8, zorder=0)
    ax.axvline(config.window, color="0.6", lw=0.8, ls=":", zorder=0)
    ax.text(config.window, 1.12, " window", fontsize=7.5, va="center")
    ax.set_xscale("log")
    ax.set_xticks(config.widths, [f"{width:g}" for width in config.widths])
    ax.minorticks_off()
    ax.set_ylim(0.75, 1.2)
    plotting.label(
        ax,
        f"Slow drives: STDP follows the rate (std {config.scale:g})",
        "width of the drive (bins)",
        r"correlation with $ds/dt$ over that with $d\rho/dt$",
    )
    ax.legend(loc="lower left")


def _gains(ax: Axes, data: xr.Dataset) -> None:
    scale = float(data.gain_exact_value[0])
    position = np.arange(data.sizes["state"])
    ax.bar(position - 0.2, data.gain_eq1_value, 0.36, color=plotting.COLORS["eq1"], label="Eq 1")
    ax.bar(position + 0.2, data.gain_exact_value / scale, 0.36, color=plotting.COLORS["nearest"], label="STDP, exact")
    reach = np.stack(
        [data.gain_sampled_value - data.gain_sampled_low, data.gain_sampled_high - data.gain_sampled_value]
    )
    ax.errorbar(
        position + 0.2, data.gain_sampled_value / scale, np.maximum(reach, 0) / scale, fmt="o", ms=4, capsize=3,
        color="black", label="STDP, sampled, 95 %",
    )  # fmt: skip
    ax.axhline(0, color="0.75", lw=0.8)
    names = ("in the active\nregion", "saturated,\nnot so nearby", "saturated in the\nwhole window")
    ax.set_xticks(
        position, [f"{name}\n({share:.0%} of bins)" for name, share in zip(names, data.share.values, strict=True)]
    )
    ax.set_ylim(-0.2, 1.55)
    plotting.label(
        ax,
        "Saturated: Eq 1 moves, STDP does not",
        "postsynaptic neuron",
        r"gain on $ds/dt$ (active region: 1)",
    )
    ax.legend(loc="upper right")


def _signs(ax: Axes, data: xr.Dataset) -> None:
    for sign, color, text in (
        ("paper's", "nearest", "the paper's window"),
        ("reversed", "points", "reversed: pre before post depresses"),
    ):
        row = data.sel(sign=sign)
        ax.plot(
            data.binned_published, row.binned_update, "o-", ms=3.5, color=plotting.COLORS[color],
            label=f"{text} (correlation per bin {float(row.sign_value):+.2f})",
        )  # fmt: skip
    plotting.zero_lines(ax)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.25 * (high - low))
    plotting.label(
        ax,
        "The published sign is that of a reversed window",
        r"Xie & Seung's rule as published, $-d\rho/dt$ (1/bin)",
        "update per presynaptic spike (amplitudes)",
    )
    ax.legend(loc="upper center")


def _form(ax: Axes, data: xr.Dataset) -> None:
    for name, color in (("balanced", "nearest"), ("Bi & Poo 2001", "sum"), ("Song et al. 2000", "eq1")):
        row = data.sel(pair_window=name)
        zero, first = (float(part) for part in row.moments)
        share = 0.0 if abs(zero) < 1e-4 * abs(first) else zero / first
        text = f"{name} ($b_0/b_1$ = {share:.4f} per bin)"
        ax.plot(data.slow_width, row.form_two_terms, "o-", ms=4, color=plotting.COLORS[color], label=text)
        if name != "balanced":
            ax.plot(data.slow_width, row.form_without_b0, "x--", ms=6, color=plotting.COLORS[color])
    ax.plot([], [], "x--", color="0.4", label=r"without $b_0 q$")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(data.slow_width.values, [f"{width:g}" for width in data.slow_width.values])
    ax.minorticks_off()
    ax.set_ylim(top=40)
    plotting.label(
        ax,
        r"Slow rates: pairs change by $b_0 q + b_1 dq/dt$",
        "width of the drive (bins)",
        "error (standard deviations of the update)",
    )
    ax.legend(loc="upper left")
