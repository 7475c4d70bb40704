"""The conditions of six energies, the factor of conditions 1 and 2, condition 3 at a kink, Eq 12."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the four panels."""
    figure = new_figure(12.5, 8.4)
    for ax, draw in zip(figure.subplots(2, 2).flat, (_table, _factor, _kink, _chain), strict=True):
        draw(ax, data, config)
    return figure


def _table(ax: Axes, data: xr.Dataset, config: Any) -> None:
    names = {
        "residual_1": "1: $\\partial f_i/\\partial W_{ij}$\nnot explained by $\\rho(s_j)$",
        "residual_2": "2: $\\partial R_i/\\partial W_{ij}$\nnot explained by $\\rho(s_j)$",
        "third_derivative": "3: largest\n$|\\partial^3E/\\partial s_i^2\\partial\\theta|$",
    }
    values = np.stack([data[name].mean("network").values for name in names], axis=1)
    # Three digits of a residual that is zero but for rounding.
    shown = np.where(values < 1e-4, 0.0, values)
    ax.imshow(shown > 0, cmap="coolwarm", vmin=-0.6, vmax=1.6, aspect="auto")
    for (row, column), value in np.ndenumerate(shown):
        ax.text(column, row, f"{value:.2f}" if value else "0: holds", ha="center", va="center")
    ax.set_title("The paper's energy meets conditions 1 and 2; others do not")
    energies = [str(name) for name in data.energy.values]
    frame(ax, "condition (mean over networks)", "energy", xticks=list(names.values()), yticks=energies)


def _factor(ax: Axes, data: xr.Dataset, config: Any) -> None:
    order = np.argsort(data.state.values.ravel())
    for index, color in enumerate(("eq1", "nearest", "sum")):
        row = data.isel(energy=index)
        x, slope, factor = (part.values.ravel()[order] for part in (data.state, row.slope, row.coefficient_1))
        steps = {"drawstyle": "steps-mid"} if index == 0 else {}
        curve(ax, x, config.step * slope, "-", color, lw=1, **steps)
        name = str(row.energy.item()).removeprefix("Eq 16, ")
        points(ax, x, factor, "o", color, name, ms=3, mfc="none", mew=0.7)
    ax.axhline(config.step, ls="--", lw=1, color=COLORS["control"], label="printed: a constant")
    ax.set_title("The factor of conditions 1 and 2 follows $\\rho'$: zero in saturation")
    ylabel = "factor of $\\rho(s_j)$ in $\\partial f_i/\\partial W_{ij}$"
    limits = -0.05 * config.step, 1.75 * config.step
    frame(ax, "activity $s_i$ (active region: -0.5 to 0.5)", ylabel, ylim=limits)
    ax.legend(loc="upper left", ncols=2, title="points: measured; lines: $\\epsilon\\,\\rho'(s_i)$")


def _kink(ax: Axes, data: xr.Dataset, config: Any) -> None:
    area = data.bend.integrate("activity")
    for index, color in zip(range(data.sizes["width"]), ("biology", "pre", "eq1", "nearest", "points"), strict=False):
        width = float(data.width[index])
        words = "hard: 0 but at the kink" if width == 0 else f"smoothed by {width:g}: area {float(area[index]):.3f}"
        curve(ax, data.activity, data.bend.isel(width=index), "-", color, words, lw=2 if width == 0 else 1.2)
    ax.axvline(-0.5, ls=":", lw=1, color="0.5")
    ax.set_title("Condition 3 at a kink: narrower, higher, never gone")
    ylabel = "$|\\partial^3E/\\partial s^2\\partial b|$ (1 / activity)"
    top = 1.12 * float(data.bend.max())
    frame(ax, "activity s about the lower kink (-0.5)", ylabel, xlim=(-0.9, -0.1), ylim=(None, top))
    ax.legend(loc="upper left")


def _chain(ax: Axes, data: xr.Dataset, config: Any) -> None:
    chain = data.isel(chain=0)
    ends = [float(chain.all_paths.min()), float(chain.all_paths.max())]
    curve(ax, ends, ends, "-", "exact", "equal", lw=1)
    for name, words, color, marker in (
        ("actual_state", "the state that emitted $x_t$", "rate", "s"),
        ("drawn_state", "a state drawn given the past", "sum", "^"),
        ("filtered", "mean over states given the past", "eq1", "o"),
    ):
        points(ax, chain.all_paths, chain[name], marker, color, words, ms=3.5, mew=0.7, mfc="none")
    ax.set_title("Eq 12 needs the mean over the hidden state")
    ylabel = "log of the product of $P(x_t|s_{t-1})$ (nats)"
    frame(ax, "exact log-likelihood of a sequence (nats)", ylabel, headroom=0.3)
    ax.legend(loc="upper left", title="factors with", ncols=2)
