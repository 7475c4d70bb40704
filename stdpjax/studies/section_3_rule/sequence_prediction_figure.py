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
    looks = (("o-", "eq1"), ("s-", "sum"), ("--", "control"))
    for name, look in zip(data.model.values, looks, strict=True):
        words = f"control: {name}" if "order" in name else f"learned online, {name}"
        curve(ax, data.epoch, mean_interval(data.error.sel(model=name), axis=0), *look, words)
    for name, style in zip(data.baseline.values, (":", "-.", "--"), strict=True):
        ax.axhline(float(data.baseline_error.sel(baseline=name).mean()), color="black", lw=1, ls=style, label=name)
    top = 1.6 * max(float(data.baseline_error.max()), float(data.error.isel(epoch=-1).mean("network").max()))
    frame(ax, "passes over the sequences", "squared error per pixel", ylim=(-0.02 * top, top))
    ax.legend(loc="upper right", ncols=2)


def _frames(ax: Axes, example: np.ndarray) -> None:
    names = ("seen", "predicted,\nno hidden units", "predicted,\nhidden units")
    # Pixels from top to bottom, time from left to right, one block under the other.
    gap = np.full((1, example.shape[1]), np.nan)
    rows = np.concatenate([part for block in example for part in (np.clip(block, 0, 1).T, gap)])
    ax.imshow(rows[:-1], cmap="gray_r", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
    height = example.shape[2]
    for number in (1, 2):
        ax.axhline((height + 1) * number - 1, color=COLORS["eq1"], lw=1)
    frame(ax, "frame", "rates of the pixels", xticks=[str(number + 1) for number in range(example.shape[1])])
    ax.set_yticks([(height + 1) * number + height / 2 - 0.5 for number in range(3)], names)
