"""Figure 1: biology, Eq 1 by lag, nearest-neighbour rule by lag; below, what the decay depends on."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.rules import lag_kernel


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 1: biology, Eq 1 by lag, nearest-neighbour rule by lag; below, what the decay depends on."""
    figure = plotting.new_figure(12.0, 7.4)
    axes = figure.subplots(2, 3)
    biology, eq1, nearest = axes[0]
    fine = 0.25 * config.bin_ms
    published = 100 * np.asarray(lag_kernel("bi_poo", 4 * config.window, bin_ms=fine), dtype=np.float64)
    published[published.size // 2] = np.nan  # the curve jumps at lag 0
    time_ms = fine * np.arange(-4 * config.window, 4 * config.window + 1)
    biology.plot(time_ms, published, color=plotting.COLORS["biology"], label="published fit")
    plotting.zero_lines(biology)
    if data.sizes["point"]:
        measured_lag, change, sem = data.measured.values.T
        error = None if np.isnan(sem).all() else np.nan_to_num(sem)
        biology.errorbar(measured_lag, change, error, fmt="o", ms=4, color=plotting.COLORS["points"], label="your data")
    plotting.label(
        biology, "Fig. 1 left: biology (Bi & Poo 2001)", "lag, post minus pre (ms)", "change of synaptic strength (%)"
    )
    biology.legend(loc="upper left")

    plotting.lag_curve(eq1, data, "eq1_mean", color=plotting.COLORS["eq1"], label="mean, sampled")
    plotting.label(
        eq1, "Fig. 1 middle: Eq 1", "lag, post minus pre (bins)", r"mean $\dot s_i$ at a presynaptic spike (1/bin)"
    )
    summed = eq1.twinx()
    plotting.lag_curve(summed, data, "eq1_sum", color=plotting.COLORS["sum"], label="sum (right axis)", linestyle="--")
    summed.set_ylabel(r"sum of $\dot s_i$ per train (1/bin)", color=plotting.COLORS["sum"])
    plotting.same_zero(eq1, summed)
    plotting.joint_legend(eq1, summed, loc="lower right")

    plotting.lag_curve(nearest, data, "nearest_neighbour_sum", color=plotting.COLORS["nearest"], label="sum, sampled")
    plotting.label(
        nearest, "Fig. 1 right: nearest-neighbour rule", "lag, post minus pre (bins)", "summed weight change per train"
    )
    kernel = nearest.twinx()
    kernel.plot(
        data.lag, data.nearest_neighbour_mean, ":", color=plotting.COLORS["kernel"], label="mean = kernel\n(right axis)"
    )
    kernel.set_ylabel("mean weight change", color=plotting.COLORS["kernel"])
    plotting.same_zero(nearest, kernel)
    plotting.joint_legend(nearest, kernel, loc="lower right")

    overlay, sparse, ramp = axes[1]
    for name, source, color in (
        ("Bi & Poo fit", data.biology, "biology"),
        ("Eq 1, mean", data.eq1_mean, "eq1"),
        ("Eq 1, sum", data.eq1_sum, "sum"),
        ("nearest nb., sum", data.nearest_neighbour_sum, "nearest"),
    ):
        curve = source.where(data.lag != 0)
        overlay.plot(data.lag, curve / np.abs(curve).max(), ".-", ms=3, color=plotting.COLORS[color], label=name)
    plotting.zero_lines(overlay)
    plotting.label(overlay, "Shapes compared", "lag, post minus pre (bins)", "change / largest change")
    overlay.legend(loc="lower right")

    half = data.sel(lag=slice(1, None))
    for name, curve, color in (
        (f"r = {config.max_probability:g}", half.eq1_mean_exact, "eq1"),
        (f"r = {config.sparse_probability:g}", half.eq1_mean_sparse, "sum"),
    ):
        sparse.plot(half.lag, curve / curve[0], ".-", color=plotting.COLORS[color], label=name)
    sparse.axhline(1, color="0.7", lw=0.8, zorder=0)
    sparse.set_ylim(bottom=0)
    plotting.label(
        sparse, "Decay needs frequent spikes (exact)", "lag, post minus pre (bins)", "mean change / that at lag 1"
    )
    sparse.legend(title="spike probability per bin")

    for q, profile, closed in zip(
        data.probability.values, data.ramp_profile.values, data.ramp_profile_closed_form.values, strict=True
    ):
        (line,) = ramp.plot(data.distance, profile / profile[0], ".", ms=5, label=f"q = {q:g}")
        ramp.plot(data.distance, closed / closed[0], "-", lw=1, color=line.get_color())
    ramp.axhline(1, color="0.7", lw=0.8, zorder=0)
    plotting.label(ramp, "Small linear ramp: exact (dots), formula", "lag (bins)", "mean slope / that at lag 1")
    ramp.legend(title=f"critical q = {float(data.critical_probability):.3f}")
    return figure
