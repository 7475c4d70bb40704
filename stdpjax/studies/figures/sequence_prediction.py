"""Held-out errors while learning, beside fixed predictors, and predicted frames."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_COLORS = (plotting.COLORS["eq1"], plotting.COLORS["sum"], plotting.COLORS["control"])
_LINES = ("o-", "s-", "--")
_WORDS = {"bars": "A bar that travels either way", "digits": "Digits scanned by columns"}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw, for bars and for digits, the errors and one held-out sequence."""
    figure = plotting.new_figure(12.5, 7)
    axes = figure.subplots(2, 2, width_ratios=(1.2, 1))
    for row, kind in enumerate(data.kind.values):
        _errors(axes[row, 0], data.sel(kind=kind), _WORDS[kind])
        _frames(axes[row, 1], data[f"{kind}_example"].values, _WORDS[kind])
    return figure


def _errors(ax: Axes, data: xr.Dataset, words: str) -> None:
    for name, line, color in zip(data.model.values, _LINES, _COLORS, strict=True):
        values = data.error.sel(model=name).values
        mean, reach = values.mean(axis=0), 1.96 * values.std(axis=0, ddof=1) / np.sqrt(values.shape[0])
        ax.fill_between(data.epoch, mean - reach, mean + reach, color=color, alpha=0.2, lw=0)
        label = f"control: {name}" if "order" in name else f"learned online, {name}"
        ax.plot(data.epoch, mean, line, ms=4, color=color, label=label)
    for name, style in zip(data.baseline.values, (":", "-.", "--"), strict=True):
        ax.axhline(float(data.baseline_error.sel(baseline=name).mean()), color="black", lw=1, ls=style, label=name)
    highest = max(float(data.baseline_error.max()), float(data.error.isel(epoch=-1).mean("network").max()))
    top = 1.6 * highest
    ax.set_ylim(-0.02 * top, top)
    plotting.label(ax, f"{words}: error of the next frame", "passes over the sequences", "squared error per pixel")
    ax.legend(loc="upper right", ncols=2)


def _frames(ax: Axes, example: np.ndarray, words: str) -> None:
    names = ("seen", "predicted,\nno hidden units", "predicted,\nhidden units")
    # Pixels from top to bottom, time from left to right, one block under the other.
    gap = np.full((1, example.shape[1]), np.nan)
    rows = np.concatenate([part for block in example for part in (np.clip(block, 0, 1).T, gap)])
    ax.imshow(rows[:-1], cmap="gray_r", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    height = example.shape[2]
    for number in (1, 2):
        ax.axhline((height + 1) * number - 1, color=plotting.COLORS["eq1"], lw=1)
    ax.set_yticks([(height + 1) * number + height / 2 - 0.5 for number in range(3)], names)
    ax.set_xticks(range(example.shape[1]), [str(number + 1) for number in range(example.shape[1])])
    plotting.label(ax, f"{words}: one held-out sequence", "frame", "rates of the pixels")
