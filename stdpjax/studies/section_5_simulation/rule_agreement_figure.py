"""Figure 2 right, and the table of correlations over bins."""

from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab import plotting
from stdpjax.lab.plotting import curve, frame, new_figure, points
from stdpjax.stats import Estimate


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 2 right, and the table of correlations."""
    figure = new_figure(12.0, 4.2)
    relation, table = figure.subplots(1, 2)
    _relation(relation, data, config)
    table.set_title(f"Correlation over {config.n_bins} bins (exact)")
    plotting.table(table, data.table_binned, data.width, data.probability, low=0, centre=0.5, high=1)
    frame(table, "spike probability per bin, r", "drive width (bins)")
    return figure


def _relation(ax: Axes, data: xr.Dataset, config: Any) -> None:
    sampled = Estimate(data.update_sampled, data.update_sampled_low, data.update_sampled_high)
    points(ax, data.eq1, sampled, "o", "nearest", "sampled, 95 % interval", ms=3.5, capsize=0)
    curve(ax, data.eq1, data.update_exact, "-", "exact", "exact", lw=1)
    curve(ax, data.eq1, data.update_local, "--", "kernel", "first-order theory")
    curve(ax, data.eq1, data.update_control, ":", "control", "control: other sequence")
    correlation = float(data.binned_correlation_sampled)
    ax.set_title(f"Fig. 2 right (r = {config.max_probability:g}, correlation {correlation:.3f})")
    frame(ax, r"Eq 1: $\dot s_i\,\rho(s_j)$ (1/bin)", "nearest-neighbour update per bin", zero="xy")
    ax.legend(loc="upper left")
