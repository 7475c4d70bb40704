"""Filled-in halves, errors by method and by rule, and the law that weights follow."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import curve, frame, new_figure, points
from stdpjax.stats import mean_interval

_METHODS = {
    "delta": ("delta rule\ninto x", "eq1"),
    "descent": ("the same, Eq 1\nreversed into h", "eq1"),
    "pca": ("PCA, tuned", "exact"),
    "wide": ("descent, pixels\nreach the kinks", "rate"),
    "eq_1": ("delta rule, plain, and\nEq 1 into h", "sum"),
    "literal": ("Eq 1 alone,\nplain", "sum"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw examples, errors, and the law."""
    figure = new_figure(15, 4.6)
    examples, errors, law = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
    _examples(examples, data)
    _errors(errors, data)
    _law(law, data)
    return figure


def _examples(ax: Axes, data: xr.Dataset) -> None:
    n_rows, n_columns, height, width = (example := data.example.values).shape
    # What is missing is -1 and shown in a colour of its own, as the gaps between the images are.
    shown = np.where(example < -0.999, np.nan, np.clip(example, 0, 1))
    padded = np.pad(shown, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    canvas = padded.transpose(0, 2, 1, 3).reshape(n_rows * (height + 1), -1)[:-1, :-1]
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, aspect="equal", interpolation="nearest")
    ax.set_facecolor("#cfe3f1")
    ax.set_title("Held-out digits, one half missing (blue)")
    frame(ax, "example", "rates of the pixels")
    ax.set_yticks((height + 1) * np.arange(n_rows) + (height - 1) / 2, list(data.shown.values))
    ax.set_xticks((width + 1) * np.arange(n_columns) + (width - 1) / 2, [str(n + 1) for n in range(n_columns)])


def _errors(ax: Axes, data: xr.Dataset) -> None:
    for place, (name, (_, color)) in enumerate(_METHODS.items()):
        error = data.pca_error if name == "pca" else data.error.sel(rule=name)
        values = (error / data.mean_error).values
        points(ax, mean_interval(values), place, "o", color, ms=6, capsize=3)
        ax.text(1.01, place, f"{values.mean():.3g}", transform=ax.get_yaxis_transform(), va="center", fontsize=8)
    ax.axvline(1, color="0.6", lw=1, ls=":")
    ax.set_title("Halves filled in: as good as PCA, or a blow-up")
    names = [label for label, _ in _METHODS.values()]
    limits = len(names) - 0.3, -0.6
    frame(ax, "squared error (mean image = 1; logarithmic)", "method", log="x", ylim=limits, yticks=names)


def _law(ax: Axes, data: xr.Dataset) -> None:
    points(ax, data.component, mean_interval(data.square, axis=0), ".", "eq1", "learned, delta rule", ms=5)
    expected = data.expected_square.values.mean(axis=0)
    curve(ax, data.component, expected, "-", "exact", "probabilistic PCA: 1 − T'/λ", lw=1)
    ax.set_title("It learns probabilistic PCA")
    frame(ax, "principal component", "squared weight along it", ylim=(-0.05, 1.3))
    ax.legend(loc="upper right")
