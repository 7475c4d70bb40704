"""Arrivals against the step, growth over time, and the direction, layer by layer."""

from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw when and how strongly each layer moves, and whether it moves along the backpropagated gradient."""
    figure = plotting.new_figure(1, 1)
    ax = figure.subplots()
    ax.plot([0, 1])
    plotting.label(ax, "a", "b", "c")
    return figure
