"""Held-out errors while learning, beside fixed predictors, and predicted frames."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure
from stdpjax.stats import mean_interval

_WORDS = {"bars": "A bar that travels either way", "digits": "Digits scanned by columns"}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw, for bars and for digits, the errors and one held-out sequence."""
    figure = new_figure(12.5, 7)
    for (errors, frames), kind in zip(figure.subplots(2, 2, width_ratios=(1.2, 1)), data.kind.values, strict=True):
        errors.set_title(f"{_WORDS[kind]}: error of the next frame")
        _errors(errors, data.sel(kind=kind))
        frames.set_title(f"{_WORDS[kind]}: one held-out sequence")
        _frames(frames, data[f"{kind}_example"].values)
    return figure


def _errors(ax: Axes, data: xr.Dataset) -> None:
    curve(ax, data.epoch, mean_interval(data.error, axis=0), "o-", "eq1", "learned online, hidden units")
    for name, style in zip(data.baseline.values, (":", "--", "-."), strict=True):
        ax.axhline(float(data.baseline_error.sel(baseline=name).mean()), color="black", lw=1, ls=style, label=name)
    top = 1.6 * max(float(data.baseline_error.max()), float(data.error.isel(epoch=-1).mean("network").max()))
    frame(ax, "passes over the sequences", "squared error per pixel", ylim=(-0.02 * top, top))
    ax.legend(loc="upper right")


def _frames(ax: Axes, example: np.ndarray) -> None:
    # Pixels from top to bottom, time from left to right, one block under the other.
    gap, height = np.full((1, example.shape[1]), np.nan), example.shape[2]
    rows = np.concatenate([part for block in example for part in (np.clip(block, 0, 1).T, gap)])
    ax.imshow(rows[:-1], cmap="gray_r", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    ax.axhline(height, color=COLORS["eq1"], lw=1)
    frame(ax, "frame", "rates of the pixels", xticks=[str(number + 1) for number in range(example.shape[1])])
    ax.set_yticks([height / 2 - 0.5, height + 0.5 + height / 2], ["seen", "predicted"])
