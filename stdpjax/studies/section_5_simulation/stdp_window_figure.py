"""Figure 1: biology, Eq 1 by lag, nearest-neighbour rule by lag; below, what the decay depends on."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure
from stdpjax.rules import lag_kernel
from stdpjax.stats import Estimate

_LAG = "lag, post minus pre (bins)"
# Colour, title and what is measured.
_BY_LAG = {
    "eq1_mean": ("eq1", "Fig. 1 middle: Eq 1", r"mean $\dot s_i$ at a presynaptic spike (1/bin)"),
    "nearest_neighbour": ("nearest", "Fig. 1 right: nearest-neighbour rule", "summed weight change per train"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 1: biology, Eq 1 by lag, nearest-neighbour rule by lag; below, what the decay depends on."""
    figure = new_figure(12.0, 7.4)
    axes = figure.subplot_mosaic("aabbcc;dddeee")
    _biology(axes["a"], data, config)
    for place, name in zip("bc", _BY_LAG, strict=True):
        _by_lag(axes[place], data, name)
    _overlay(axes["d"], data)
    _sparse(axes["e"], data, config)
    return figure


def _biology(ax: Axes, data: xr.Dataset, config: Any) -> None:
    fine = 0.25 * config.bin_ms
    published = 100 * np.asarray(lag_kernel("bi_poo", 4 * config.window, bin_ms=fine), dtype=np.float64)
    published[published.size // 2] = np.nan  # the curve jumps at lag 0
    curve(ax, fine * np.arange(-4 * config.window, 4 * config.window + 1), published, "-", "biology", "published fit")
    if data.sizes["point"]:
        measured_lag, change, sem = data.measured.values.T
        error = None if np.isnan(sem).all() else np.nan_to_num(sem)
        ax.errorbar(measured_lag, change, error, fmt="o", ms=4, color=COLORS["points"], label="your data")
    ax.set_title("Fig. 1 left: biology (Bi & Poo 2001)")
    frame(ax, "lag, post minus pre (ms)", "change of synaptic strength (%)", zero="xy")
    ax.legend(loc="upper left")


def _by_lag(ax: Axes, data: xr.Dataset, name: str) -> None:
    """Draw what was sampled, with its interval, and the exact expectation; at lag 0 there is no update."""
    color, title, ylabel = _BY_LAG[name]
    data = data.where(data.lag != 0)
    sampled = Estimate(data[name], data[f"{name}_low"], data[f"{name}_high"])
    curve(ax, data.lag, sampled, ".", color, "sampled", ms=5)
    curve(ax, data.lag, data[f"{name}_exact"], "-", color, "exact", lw=1)
    ax.set_title(title)
    frame(ax, _LAG, ylabel, zero="xy")
    ax.legend(loc="lower right")


def _overlay(ax: Axes, data: xr.Dataset) -> None:
    for words, source, color in (
        ("Bi & Poo fit", data.biology, "biology"),
        ("Eq 1, mean", data.eq1_mean, "eq1"),
        ("Eq 1, sum", data.eq1_sum, "sum"),
        ("nearest nb., sum", data.nearest_neighbour, "nearest"),
        ("its kernel", data.kernel, "kernel"),
    ):
        shape = source.where(data.lag != 0)
        curve(ax, data.lag, shape / np.abs(shape).max(), ".-", color, words, ms=3)
    ax.set_title("Shapes compared")
    frame(ax, _LAG, "change / largest change", zero="xy")
    ax.legend(loc="lower right")


def _sparse(ax: Axes, data: xr.Dataset, config: Any) -> None:
    half = data.sel(lag=slice(1, None))
    for r, words, values, color in (
        (config.max_probability, "", half.eq1_mean_exact, "eq1"),
        (config.sparse_probability, "", half.eq1_mean_sparse, "sum"),
        (config.sparse_probability, ", Ornstein-Uhlenbeck drive", half.eq1_mean_rough, "nearest"),
    ):
        curve(ax, half.lag, values / values[0], ".-", color, f"r = {r:g}{words}", ms=6)
    ax.axhline(1, color="0.7", lw=0.8, zorder=0)
    ax.set_title("Decay: frequent spikes or a rough drive (exact)")
    frame(ax, _LAG, "mean change / that at lag 1", ylim=(0, None))
    ax.legend(title="spike probability per bin")
