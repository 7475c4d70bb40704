"""Figures of panels, each drawn by a function of its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax.lab.plotting import new_figure


def panels(
    width: float,
    height: float,
    *draws: Callable[..., None],
    n_rows: int = 1,
    title: str = "",
    with_config: bool = False,
    mosaic: Any = None,
    **layout: Any,
) -> Callable[[xr.Dataset, Any], Figure]:
    """Return a study's `plot`: a figure of that size, in inches, with a panel by each of the functions, row by row.

    They take the axes and the data, and where `with_config` the configuration. Where the panels lie is what `subplots`
    or, with a `mosaic`, `subplot_mosaic` makes of the rest.
    """

    def plot(data: xr.Dataset, config: Any) -> Figure:
        figure = new_figure(width, height)
        if title:
            figure.suptitle(title, fontweight="bold")
        if mosaic is None:
            axes = np.ravel(figure.subplots(n_rows, len(draws) // n_rows, **layout))
        else:
            axes = figure.subplot_mosaic(mosaic, **layout).values()
        for ax, draw in zip(axes, draws, strict=True):
            draw(ax, data, *([config] if with_config else []))
        return figure

    return plot
