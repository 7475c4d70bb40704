"""The conditions of six energies, the factor of conditions 1 and 2, condition 3 at a kink, Eq 12."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the four panels."""
    figure = plotting.new_figure(12.5, 8.4)
    (table, factor), (kink, chain) = figure.subplots(2, 2)
    _table(table, data)
    _factor(factor, data, config)
    _kink(kink, data)
    _chain(chain, data)
    return figure


def _table(ax: Axes, data: xr.Dataset) -> None:
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
    ax.set_xticks(range(len(names)), list(names.values()))
    ax.set_yticks(range(data.sizes["energy"]), [str(name) for name in data.energy.values])
    plotting.label(ax, "The paper's energy meets conditions 1 and 2; others do not", "condition (mean over networks)",
                   "energy")  # fmt: skip


def _factor(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for index, color in enumerate(("eq1", "nearest", "sum")):
        row = data.isel(energy=index)
        order = np.argsort(data.state.values.ravel())
        x = data.state.values.ravel()[order]
        name = str(row.energy.item()).removeprefix("Eq 16, ")
        ax.plot(
            x,
            config.step * row.slope.values.ravel()[order],
            "-",
            lw=1,
            drawstyle="steps-mid" if index == 0 else "default",
            color=plotting.COLORS[color],
        )
        ax.plot(x, row.coefficient_1.values.ravel()[order], "o", ms=3, mfc="none", mew=0.7,
                color=plotting.COLORS[color], label=name)  # fmt: skip
    ax.axhline(config.step, ls="--", lw=1, color=plotting.COLORS["control"], label="printed: a constant")
    ax.set_ylim(-0.05 * config.step, 1.75 * config.step)
    plotting.label(
        ax,
        "The factor of conditions 1 and 2 follows $\\rho'$: zero in saturation",
        "activity $s_i$ (active region: -0.5 to 0.5)",
        "factor of $\\rho(s_j)$ in $\\partial f_i/\\partial W_{ij}$",
    )
    ax.legend(loc="upper left", ncols=2, title="points: measured; lines: $\\epsilon\\,\\rho'(s_i)$")


def _kink(ax: Axes, data: xr.Dataset) -> None:
    area = data.bend.integrate("activity")
    for index, color in zip(range(data.sizes["width"]), ("biology", "pre", "eq1", "nearest", "points"), strict=False):
        row, width = data.bend.isel(width=index), float(data.width[index])
        words = "hard: 0 but at the kink" if width == 0 else f"smoothed by {width:g}: area {float(area[index]):.3f}"
        ax.plot(data.activity, row, "-", lw=2 if width == 0 else 1.2, color=plotting.COLORS[color], label=words)
    ax.axvline(-0.5, ls=":", lw=1, color="0.5")
    ax.set_xlim(-0.9, -0.1)
    ax.set_ylim(top=1.12 * float(data.bend.max()))
    plotting.label(
        ax,
        "Condition 3 at a kink: narrower, higher, never gone",
        "activity s about the lower kink (-0.5)",
        "$|\\partial^3E/\\partial s^2\\partial b|$ (1 / activity)",
    )
    ax.legend(loc="upper left")


def _chain(ax: Axes, data: xr.Dataset) -> None:
    chain = data.isel(chain=0)
    low, high = float(chain.all_paths.min()), float(chain.all_paths.max())
    ax.plot([low, high], [low, high], "-", lw=1, color=plotting.COLORS["exact"], label="equal")
    for name, words, color, marker in (
        ("actual_state", "the state that emitted $x_t$", "rate", "s"),
        ("drawn_state", "a state drawn given the past", "sum", "^"),
        ("filtered", "mean over states given the past", "eq1", "o"),
    ):
        ax.plot(chain.all_paths, chain[name], marker, ms=3.5, mew=0.7, mfc="none", color=plotting.COLORS[color],
                label=words)  # fmt: skip
    bottom, top = ax.get_ylim()
    ax.set_ylim(bottom, top + 0.3 * (top - bottom))
    plotting.label(
        ax,
        "Eq 12 needs the mean over the hidden state",
        "exact log-likelihood of a sequence (nats)",
        "log of the product of $P(x_t|s_{t-1})$ (nats)",
    )
    ax.legend(loc="upper left", title="factors with", ncols=2)
