"""Eigenvalues and the disc of stability, random networks, and attractors of large weights."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from stdpjax import plotting

_STABLE, _UNSTABLE = plotting.COLORS["nearest"], plotting.COLORS["sum"]


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the counterexamples in the complex plane, and what random networks do."""
    figure = plotting.new_figure(12.5, 7.6)
    axes = figure.subplots(2, 3)
    _plane(axes[0, 0], data, ["A"], "A: determinant below 1, unstable")
    _plane(axes[0, 1], data, ["A'"], "A': smaller determinant, more unstable")
    _plane(axes[0, 2], data, ["B", "B, larger step"], "B: determinant above 1, stable")
    _random(axes[1, 0], data, config)
    _decay(axes[1, 1], data)
    _attractors(axes[1, 2], data)
    return figure


def _plane(ax: Axes, data: xr.Dataset, names: list[str], title: str) -> None:
    lines = []
    for name, style in zip(names, ("-", "--"), strict=False):
        row = data.sel(example=name)
        step, values = float(row.example_step), np.unique(row.example_eigenvalue.values.round(9))
        inside = np.abs(1 - step + step * values) < 1
        fill = plotting.COLORS["pre"] if style == "-" else "none"
        ax.add_patch(Circle((1 - 1 / step, 0), 1 / step, fc=fill, alpha=0.25, lw=0))
        ax.add_patch(Circle((1 - 1 / step, 0), 1 / step, fc="none", ec="0.3", lw=1, ls=style))
        words = {True: "stable", False: "unstable"}
        lines.append(f"step {step:g}: {words[bool(float(row.example_left) < 1e-4)]} (simulated)")
        if style == "-":
            ax.scatter(values, np.zeros_like(values), s=45, zorder=3, color=np.where(inside, _STABLE, _UNSTABLE))
            determinant = float(row.example_determinant)
            lines.insert(0, f"determinant {determinant:.3g}: printed verdict {words[determinant < 1]}")
    ax.text(0.03, 0.97, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=8)
    ax.text(0.03, 0.04, "shaded: |1 - step + step $\\lambda$| < 1", transform=ax.transAxes, fontsize=8, color="0.3")
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_xlim(-3.0, 2.6)
    ax.set_ylim(-2.2, 2.9)
    ax.set_aspect("equal")
    plotting.label(ax, title, "real part of the eigenvalues $\\lambda$ of $R'$", "imaginary part")


def _random(ax: Axes, data: xr.Dataset, config: Any) -> None:
    left = np.maximum(data.left.values, 1e-9)
    says_stable = data.determinant.values < 1
    for chosen, color, words in ((says_stable, _STABLE, "stable"), (~says_stable, _UNSTABLE, "unstable")):
        ax.plot(data.radius.values[chosen], left[chosen], ".", ms=5, alpha=0.6, color=color,
                label=f"determinant says {words}")  # fmt: skip
    ax.axvline(1, color="black", lw=1, ls=":")
    ax.set_yscale("log")
    ax.set_ylim(3e-10, 3e3)
    ax.set_yticks([1e-9, 1e-6, 1e-3, 1], ["≤ $10^{-9}$", "$10^{-6}$", "$10^{-3}$", "1"])
    plotting.label(
        ax, "Random networks: the spectral radius decides", "largest |1 - step + step $\\lambda$|",
        f"deviation left of 0.001 after {config.n_judged} steps",
    )  # fmt: skip
    ax.legend(loc="upper left")


def _decay(ax: Axes, data: xr.Dataset) -> None:
    span = [0.9 * float(data.predicted_time.min()), 1.1 * float(data.predicted_time.max())]
    ax.plot(span, span, color="0.75", lw=1, zorder=0)
    ax.plot(data.determinant_time.clip(min=0), data.decay_time, "x", ms=4, color=plotting.COLORS["points"],
            label="1 / (1 - determinant)")  # fmt: skip
    ax.plot(data.predicted_time, data.decay_time, "o", ms=4, mfc="none", color=_STABLE,
            label="-step / ln(spectral radius)")  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(0.3, 1.3 * span[1])
    ticks = [0.5, 1, 2, 5, 10]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks(ticks[1:], [f"{tick:g}" for tick in ticks[1:]])
    ax.minorticks_off()
    plotting.label(
        ax, "Stable tied networks: how fast they settle", "predicted decay time (units of $\\tau$, log scale)",
        "measured decay time (units of $\\tau$, log scale)",
    )  # fmt: skip
    ax.legend(loc="lower right")


def _attractors(ax: Axes, data: xr.Dataset) -> None:
    for index, step in enumerate(data.step.values):
        row = data.isel(step=index)
        place = step * np.array([0.94, 1.06])
        saddle = row.to_saddle.values[row.to_saddle.values > 0]
        ax.plot(np.full(data.sizes["strong"], place[0]), row.to_minimum, "_", ms=10, alpha=0.6, color=_STABLE,
                label="to the nearest box minimum" if index == 0 else None)  # fmt: skip
        ax.plot(np.full(saddle.size, place[1]), saddle, "_", ms=10, alpha=0.6, color=plotting.COLORS["points"],
                label="to the nearest other stationary point" if index == 0 else None)  # fmt: skip
    ax.plot(data.step, data.step, "--", color="0.6", label="step")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(1e-5, 20)
    ax.set_xticks(data.step.values, [f"{step:g}" for step in data.step.values])
    ax.minorticks_off()
    plotting.label(
        ax, "Large weights: attractors all the same", "step size (units of $\\tau$, log scale)",
        "distance of the time average (log scale)",
    )  # fmt: skip
    ax.legend(loc="upper left")
