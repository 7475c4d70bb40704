"""The paper's noise: variance of linear modes, correlation in time, mean drift, dependence on its size."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.plotting import COLORS


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw what the noise of Eq 14 and 15 does to variances, correlations and means."""
    figure = plotting.new_figure(11.0, 7.6)
    (modes, lags, sums), (levels, drift, lonely) = figure.subplots(2, 3)
    figure.suptitle("Eq 14 and 15: the noise inside R is not Langevin noise", fontweight="bold")

    grid = np.linspace(-0.7, 0.8, 301)
    for step, color in zip(data.step.values, ("eq1", "nearest", "sum"), strict=False):
        cell = data.sel(step=step)
        law = step * config.noise_std**2 * grid**2 / (2 - step * (1 - grid))
        modes.plot(grid, np.where(law > 1e-6, law, np.nan), color=COLORS[color], lw=1)
        modes.errorbar(
            cell.mode, (1 - cell.mode) * cell.variance, yerr=1.96 * (1 - cell.mode) * cell.variance_error, fmt="o",
            ms=4, color=COLORS[color], label=f"step {step:g}",
        )  # fmt: skip
    modes.axhline(1, ls="--", color=COLORS["control"], label="exp(-E), as printed")
    modes.set_yscale("log")
    modes.set_ylim(1e-5, 30)
    modes.legend(ncols=2, loc="upper center", title="points: measured; lines: corrected law")
    plotting.label(
        modes, "Every mode has its own temperature", "eigenvalue $m$ of the weights", "(1 - m) variance (activity²)"
    )

    width = 0.38
    lags.bar(data.lag - width / 2, data.autocovariance, width, color=COLORS["eq1"], label=r"measured $\nu$")
    langevin = np.where(data.lag == 0, 2 * config.walk_step, 0.0)
    lags.bar(data.lag + width / 2, langevin, width, color=COLORS["control"], label="Langevin noise, as printed")
    lags.plot(
        data.lag - width / 2, data.predicted_autocovariance, "D", ms=4, color=COLORS["exact"], label="corrected law"
    )
    lags.axhline(0, color="0.75", lw=0.8, zorder=0)
    lags.set_xticks(data.lag.values)
    lags.legend(loc="upper right")
    plotting.label(lags, "Each noise term takes back the last one", "lag (steps)", "autocovariance (activity²)")

    bars = {
        "measured": float(data.long_run_variance),
        "corrected:\nstep² noise²": config.walk_step**2 * config.noise_std**2,
        "white, same\nvariance": float(data.white_long_run_variance),
        "Langevin,\nas printed": 2 * config.walk_step,
    }
    sums.bar(list(bars), list(bars.values()), 0.6, color=[COLORS[name] for name in ("eq1", "exact", "pre", "control")])
    sums.errorbar([0], [bars["measured"]], yerr=1.96 * float(data.long_run_variance_error), color="black", capsize=4)
    sums.set_yscale("log")
    sums.set_ylim(1e-4, 1)
    plotting.label(sums, "So almost nothing adds up", "noise in Eq 15", "long-run variance (activity² per step)")

    for network in range(min(data.sizes["network"], 12)):
        levels.plot(data.level, data.level_variance[network], color=COLORS["pre"], lw=0.5, alpha=0.6)
    levels.plot([], [], color=COLORS["pre"], lw=0.5, label="single networks")
    levels.plot(data.level, data.level_variance.mean("network"), "o-", ms=4, color=COLORS["eq1"], label="mean")
    levels.axhline(1, ls="--", color=COLORS["control"], label="exp(-E), about")
    levels.set_xscale("log")
    levels.set_yscale("log")
    levels.set_ylim(top=10)
    levels.set_xticks(data.level.values, [f"{value:g}" for value in data.level.values])
    levels.minorticks_off()
    levels.legend(loc="center left", bbox_to_anchor=(0.0, 0.72))
    plotting.label(
        levels, "More noise is not more temperature", "standard deviation of the noise (activity)",
        "variance of the state (activity²)",
    )  # fmt: skip

    limits = [float(data.plain_drift.min()) - 0.1, float(data.plain_drift.max()) + 0.1]
    drift.plot(limits, limits, lw=0.8, color="0.6")
    plain, smooth = data.plain_drift.values.ravel(), data.smoothed_drift.values.ravel()
    sampled, error = data.drift.values.ravel(), 1.96 * data.drift_error.values.ravel()
    drift.plot(plain, sampled, "x", ms=6, color=COLORS["control"], label="printed: R at the state")
    drift.errorbar(smooth, sampled, yerr=error, fmt="o", ms=4, color=COLORS["eq1"], label="corrected: smoothed rates")
    drift.legend(loc="upper left")
    plotting.label(
        drift, "The mean follows another energy", "expected mean of R (activity)", "mean of R(s + η) (activity)"
    )

    position = np.arange(data.sizes["unit"])
    lonely.bar(position, data.lonely_variance, 0.5, color=COLORS["eq1"], label="measured")
    lonely.plot(position, data.lonely_predicted_variance, "D", ms=5, color=COLORS["exact"], label="corrected law")
    lonely.axhline(1, ls="--", color=COLORS["control"], label="exp(-E), as printed")
    lonely.set_yscale("symlog", linthresh=1e-4)
    lonely.set_ylim(0, 30)
    lonely.set_xticks(position, [f"{value:g}" for value in data.lonely_bias.values])
    lonely.legend(loc="upper left", ncols=2)
    plotting.label(lonely, "Without weights, hardly any noise", "bias of the unit", "variance of the state (activity²)")
    return figure
