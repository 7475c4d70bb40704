"""Filled-in halves, what hidden units see, the law that weights follow, and errors by method and by rule."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.plotting import COLORS

_ROWS = {
    "image": "image",
    "seen": "seen",
    "delta": "impatient\nscore matching",
    "pca": "PCA",
    "random_pixels": "autoencoder,\nrandom pixels",
    "halves": "autoencoder,\nthese halves",
}
_METHODS = {
    "delta": ("impatient\nscore matching", "eq1"),
    "pca": ("PCA, tuned", "exact"),
    "random_pixels": ("autoencoder,\nrandom pixels", "nearest"),
    "halves": ("autoencoder,\nthese halves", "rate"),
    "shuffled": ("control:\nshuffled pixels", "control"),
}
_RULES = {
    "delta": ("delta rule on\nclamped rows", "eq1"),
    "kept": ("… second\nderivative kept", "nearest"),
    "wide": ("… pixels reach\nthe kinks", "rate"),
    "wide_kept": ("… reach, and kept", "rate"),
    "hidden": ("… and Eq 1 on\nhidden rows", "sum"),
    "literal": ("Eq 1 alone\n(as printed)", "sum"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw examples, filters, the law, and errors."""
    figure = plotting.new_figure(13, 7.4)
    axes = figure.subplot_mosaic(
        [["examples", "law", "rules"], ["filters", "methods", "rules"]], width_ratios=(1.7, 1, 0.9)
    )
    _examples(axes["examples"], data.example.values)
    _tiles(axes["filters"], data["filter"].values)
    methods, rules = axes["methods"], axes["rules"]
    mean = data.baseline_error.sel(baseline="mean")
    rows = {
        name: (data.error.sel(rule=name) if name in data.rule.values else data.baseline_error.sel(baseline=name)) / mean
        for name in _METHODS
    }
    _bars(methods, rows, _METHODS, "Halves filled in: as good as PCA, not more")
    methods.set_xlim(0, 1.3)
    _bars(rules, {name: data.error.sel(rule=name) / mean for name in _RULES}, _RULES, "Which rule learns, and where")
    rules.set_xscale("log")
    rules.set_xlim(0.4, 2.2 * max(float((data.error / mean).max()), 2.0))
    untrained = float((data.untrained_error / mean).mean())
    rules.axvline(untrained, color=COLORS["points"], lw=1, ls="--")
    rules.text(untrained * 1.06, len(_RULES) - 0.5, "untrained", color=COLORS["points"], fontsize=7.5)
    _law(axes["law"], data)
    return figure


def _examples(ax: Axes, example: np.ndarray) -> None:
    n_rows, n_columns, height, width = example.shape
    # What is missing is -1 and shown in a colour of its own, as the gaps are.
    canvas = np.full((n_rows * (height + 1) - 1, n_columns * (width + 1) - 1), np.nan)
    for row in range(n_rows):
        for column in range(n_columns):
            tile = np.where(example[row, column] < -0.999, np.nan, np.clip(example[row, column], 0, 1))
            top, left = row * (height + 1), column * (width + 1)
            canvas[top : top + height, left : left + width] = tile
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    ax.set_facecolor("#cfe3f1")
    ax.set_yticks([row * (height + 1) + (height - 1) / 2 for row in range(n_rows)], list(_ROWS.values()))
    ax.set_xticks(
        [column * (width + 1) + (width - 1) / 2 for column in range(n_columns)], [str(n + 1) for n in range(n_columns)]
    )
    plotting.label(ax, "Held-out digits, one half missing (blue)", "example", "rates of the pixels")


def _tiles(ax: Axes, weights: np.ndarray) -> None:
    n_columns = 8
    n_rows = -(-len(weights) // n_columns)
    height, width = weights.shape[1:]
    canvas = np.full((n_rows * (height + 1) - 1, n_columns * (width + 1) - 1), np.nan)
    for number, tile in enumerate(weights):
        top, left = (number // n_columns) * (height + 1), (number % n_columns) * (width + 1)
        canvas[top : top + height, left : left + width] = tile
    reach = np.nanmax(np.abs(canvas))
    ax.imshow(canvas, cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="equal", interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    plotting.label(
        ax,
        f"Weights of {len(weights)} hidden units",
        f"hidden units (blue −{reach:.2g}, red +{reach:.2g})",
        "their pixels",
    )


def _bars(ax: Axes, rows: dict[str, xr.DataArray], words: dict[str, tuple[str, str]], title: str) -> None:
    for place, (name, (_, color)) in enumerate(words.items()):
        values = rows[name].values
        reach = 1.96 * values.std(ddof=1) / np.sqrt(values.size)
        ax.plot(values, place + np.linspace(-0.2, 0.2, values.size), ".", ms=4, color=COLORS[color], alpha=0.5)
        ax.errorbar(values.mean(), place, xerr=reach, fmt="o", color=COLORS[color], capsize=3)
        ax.text(1.01, place, f"{values.mean():.3g}", transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.axvline(1, color="0.6", lw=1, ls=":")
    ax.set_yticks(range(len(words)), [label for label, _ in words.values()])
    ax.set_ylim(len(words) - 0.3, -0.6)
    plotting.label(ax, title, "squared error (mean image = 1)", "method" if "shuffled" in words else "rule")


def _law(ax: Axes, data: xr.Dataset) -> None:
    learned, expected = data.square.values, data.expected_square.values
    mean, reach = learned.mean(axis=0), 1.96 * learned.std(axis=0, ddof=1) / np.sqrt(learned.shape[0])
    ax.errorbar(data.component, mean, yerr=reach, fmt=".", ms=5, color=COLORS["eq1"], label="learned, delta rule")
    ax.plot(data.component, expected.mean(axis=0), color=COLORS["exact"], lw=1, label="probabilistic PCA: 1 − T'/λ")
    ax.set_ylim(-0.05, 1.3)
    ax.legend(loc="upper right")
    plotting.label(ax, "It learns probabilistic PCA", "principal component", "squared weight along it")
