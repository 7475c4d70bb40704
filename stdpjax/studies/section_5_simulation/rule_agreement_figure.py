"""Figure 2 right, the tables of correlations, and the saturating control."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab import plotting
from stdpjax.lab.plotting import CYCLE, bars, curve, frame, new_figure, points
from stdpjax.stats import Estimate


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 2 right, the table of correlations, and the saturating control."""
    figure = new_figure(12.0, 7.0)
    axes = figure.subplot_mosaic([["relation", "per_bin", "binned"], ["theory", "theory", "saturation"]])
    _relation(axes["relation"], data, config)
    axes["per_bin"].set_title("Correlation per bin (exact)")
    axes["binned"].set_title(f"Correlation over {config.n_bins} bins (exact)")
    for name in ("per_bin", "binned"):
        plotting.table(axes[name], data[f"table_{name}"], data.width, data.probability, low=0, centre=0.5, high=1)
        frame(axes[name], "spike probability per bin, r", "drive width (bins)")
    _theory(axes["theory"], data, config)
    _saturation(axes["saturation"], data, config)
    return figure


def _relation(ax: Axes, data: xr.Dataset, config: Any) -> None:
    sampled = Estimate(data.update_sampled, data.update_sampled_low, data.update_sampled_high)
    points(ax, data.eq1, sampled, "o", "nearest", "sampled, 95 % interval", ms=3.5, capsize=0)
    curve(ax, data.eq1, data.update_exact, "-", "exact", "exact", lw=1)
    curve(ax, data.eq1, data.update_control, ":", "control", "control: other sequence")
    correlation = float(data.binned_correlation_sampled)
    ax.set_title(f"Fig. 2 right (r = {config.max_probability:g}, correlation {correlation:.3f})")
    frame(ax, r"Eq 1: $\dot s_i\,\rho(s_j)$ (1/bin)", "nearest-neighbour update per bin", zero="xy")
    ax.legend(loc="upper left")


def _theory(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for index, (width, color) in enumerate(zip(config.widths, CYCLE, strict=False)):
        row = data.isel(width=index)
        exact = Estimate(row.table_per_bin, row.table_per_bin_low, row.table_per_bin_high)
        curve(ax, data.probability, exact, "o-", color, f"width {width:g}", ms=3.5)
        points(ax, data.probability, row.table_reference, "x", color, ms=7)
        ax.axhline(float(row.linear_response), ls=":", lw=1, color=color)
    ax.set_title("Exact correlation per bin; x: reference; dotted: linear response at low rate")
    limits, xlabel = (0, 1.03), "spike probability per bin, r"
    frame(ax, xlabel, "correlation with Eq 1", log="x", ylim=limits, xticks=config.probabilities)
    ax.legend(title="drive width (bins)", loc="lower left")


def _saturation(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for offset, name, color in ((-0.18, "unsaturated", "eq1"), (0.18, "saturating", "sum")):
        value, *ends = (data[f"{name}_{part}"][:2] for part in ("value", "low", "high"))
        bars(ax, np.arange(2) + offset, Estimate(value, *ends), color, name, width=0.34)
        for position, number in enumerate(value.values):
            ax.text(position + offset, 0.03, f"{number:.3f}", ha="center", color="white", fontsize=8)
    ax.set_title(f"Saturating control (width {config.saturating_width:g})")
    names = [r"$ds_i/dt$", r"$d\rho(s_i)/dt$"]
    frame(ax, "postsynaptic factor", "correlation per bin", ylim=(0, 1.25), xticks=names)
    ax.legend(loc="upper center", ncols=2, title="drive")
