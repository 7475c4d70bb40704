"""Figures whose panels need nothing but the data."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import new_figure


def panels(
    width: float, height: float, *draws: Callable[[Axes, xr.Dataset], None], n_rows: int = 1
) -> Callable[[xr.Dataset, Any], Figure]:
    """Return a study's `plot`: a figure of that size, in inches, with a panel by each of the functions, row by row."""

    def plot(data: xr.Dataset, config: Any) -> Figure:
        figure = new_figure(width, height)
        for ax, draw in zip(np.ravel(figure.subplots(n_rows, len(draws) // n_rows)), draws, strict=True):
            draw(ax, data)
        return figure

    return plot
