"""Held-out errors while learning, beside fixed predictors."""

from functools import partial

import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import curve, frame
from stdpjax.stats import mean_interval
from stdpjax.studies.panels import panels

_WORDS = {"bars": "A bar that travels either way", "digits": "Digits scanned by columns"}


def _errors(ax: Axes, data: xr.Dataset, kind: str) -> None:
    data = data.sel(kind=kind)
    curve(ax, data.epoch, mean_interval(data.error, axis=0), "o-", "eq1", "learned online, hidden units")
    for name, style in zip(data.baseline.values, (":", "--", "-."), strict=True):
        ax.axhline(float(data.baseline_error.sel(baseline=name).mean()), color="black", lw=1, ls=style, label=name)
    top = 1.6 * max(float(data.baseline_error.max()), float(data.error.isel(epoch=-1).mean("network").max()))
    ax.set_title(f"{_WORDS[kind]}: error of the next frame")
    frame(ax, "passes over the sequences", "squared error per pixel", ylim=(-0.02 * top, top))
    ax.legend(loc="upper right")


plot = panels(12.5, 4.2, *(partial(_errors, kind=kind) for kind in _WORDS))
