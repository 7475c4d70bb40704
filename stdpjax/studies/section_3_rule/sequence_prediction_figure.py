"""Held-out errors while learning, beside fixed predictors."""

from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import curve, frame, new_figure
from stdpjax.stats import mean_interval

_WORDS = {"bars": "A bar that travels either way", "digits": "Digits scanned by columns"}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the errors for bars and for digits."""
    figure = new_figure(12.5, 4.2)
    for ax, kind in zip(figure.subplots(1, 2), data.kind.values, strict=True):
        ax.set_title(f"{_WORDS[kind]}: error of the next frame")
        _errors(ax, data.sel(kind=kind))
    return figure


def _errors(ax: Axes, data: xr.Dataset) -> None:
    curve(ax, data.epoch, mean_interval(data.error, axis=0), "o-", "eq1", "learned online, hidden units")
    for name, style in zip(data.baseline.values, (":", "--", "-."), strict=True):
        ax.axhline(float(data.baseline_error.sel(baseline=name).mean()), color="black", lw=1, ls=style, label=name)
    top = 1.6 * max(float(data.baseline_error.max()), float(data.error.isel(epoch=-1).mean("network").max()))
    frame(ax, "passes over the sequences", "squared error per pixel", ylim=(-0.02 * top, top))
    ax.legend(loc="upper right")
