"""Eigenvalues and the disc of stability, random networks, and attractors of large weights."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the counterexamples in the complex plane, and what random networks do."""
    figure = new_figure(12.5, 7.6)
    planes, (random, decay, attractors) = figure.subplots(2, 3)
    examples = {
        "A": "A: determinant below 1, unstable",
        "A'": "A': smaller determinant, more unstable",
        "B": "B: determinant above 1, stable",
    }
    for ax, (name, title) in zip(planes, examples.items(), strict=True):
        ax.set_title(title)
        _plane(ax, data.sel(example=name))
    _random(random, data, config)
    _decay(decay, data)
    _attractors(attractors, data)
    return figure


def _plane(ax: Axes, row: xr.Dataset) -> None:
    step, values = float(row.example_step), np.unique(row.example_eigenvalue.values.round(9))
    disc = (1 - 1 / step, 0), 1 / step
    ax.add_patch(Circle(*disc, fc=COLORS["pre"], alpha=0.25, lw=0))
    ax.add_patch(Circle(*disc, fc="none", ec="0.3", lw=1))
    colors = np.where(np.abs(1 - step + step * values) < 1, COLORS["nearest"], COLORS["sum"])
    ax.scatter(values, np.zeros_like(values), s=45, zorder=3, color=colors)
    words, determinant = {True: "stable", False: "unstable"}, float(row.example_determinant)
    lines = [
        f"determinant {determinant:.3g}: printed verdict {words[determinant < 1]}",
        f"step {step:g}: {words[bool(float(row.example_left) < 1e-4)]} (simulated)",
    ]
    ax.text(0.03, 0.97, "\n".join(lines), transform=ax.transAxes, va="top", fontsize=8)
    ax.text(0.03, 0.04, "shaded: |1 - step + step $\\lambda$| < 1", transform=ax.transAxes, fontsize=8, color="0.3")
    ax.set_aspect("equal")
    xlabel = "real part of the eigenvalues $\\lambda$ of $R'$"
    frame(ax, xlabel, "imaginary part", zero="y", xlim=(-3.0, 2.6), ylim=(-2.2, 2.9))


def _random(ax: Axes, data: xr.Dataset, config: Any) -> None:
    left, says_stable = np.maximum(data.left, 1e-9), data.determinant < 1
    for chosen, color, words in ((says_stable, "nearest", "stable"), (~says_stable, "sum", "unstable")):
        label = f"determinant says {words}"
        points(ax, data.radius.where(chosen), left.where(chosen), ".", color, label, ms=5, alpha=0.6)
    ax.axvline(1, color="black", lw=1, ls=":")
    ax.set_title("Random networks: the spectral radius decides")
    xlabel, ylabel = "largest |1 - step + step $\\lambda$|", f"deviation left of 0.001 after {config.n_judged} steps"
    frame(ax, xlabel, ylabel, log="y", ylim=(3e-10, 3e3))
    ax.set_yticks([1e-9, 1e-6, 1e-3, 1], ["≤ $10^{-9}$", "$10^{-6}$", "$10^{-3}$", "1"])
    ax.legend(loc="upper left")


def _decay(ax: Axes, data: xr.Dataset) -> None:
    span = [0.9 * float(data.predicted_time.min()), 1.1 * float(data.predicted_time.max())]
    curve(ax, span, span, "-", "0.75", lw=1, zorder=0)
    ax.axvline(1, color=COLORS["points"], lw=1, ls=":", label="a unit on its own")
    points(ax, data.predicted_time, data.decay_time, "o", "nearest", "-step / ln(spectral radius)", mfc="none")
    ax.set_title("Stable tied networks: how fast they settle")
    xlabel, ylabel = (f"{word} decay time (units of $\\tau$, log scale)" for word in ("predicted", "measured"))
    frame(ax, xlabel, ylabel, log="xy", xticks=[0.5, 1, 2, 5, 10], yticks=[1, 2, 5, 10], xlim=(0.3, 1.3 * span[1]))
    ax.legend(loc="lower right")


def _attractors(ax: Axes, data: xr.Dataset) -> None:
    for shift, distance, color, words in (
        (0.94, data.to_minimum, "nearest", "to the nearest box minimum"),
        (1.06, data.to_corner, "points", "to the nearest corner of the box"),
    ):
        points(ax, shift * data.step, distance, "_", color, words, ms=10, alpha=0.6)
    curve(ax, data.step, data.step, "--", "0.6", "step")
    ax.set_title("Large weights: attractors all the same")
    xlabel, ylabel = "step size (units of $\\tau$, log scale)", "distance of the time average (log scale)"
    frame(ax, xlabel, ylabel, log="xy", ylim=(1e-5, 20), xticks=data.step)
    ax.legend(loc="upper left")
