"""The energy inside, at thresholds and with noise, and the return from saturation."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab import Estimate
from stdpjax.lab.plotting import CYCLE, curve, frame, points
from stdpjax.studies.panels import panels


def _inside(ax: Axes, data: xr.Dataset) -> None:
    energy = data.inside_energy
    first, lowest = energy.isel(inside_time=slice(0, 40)), float(energy.sel(side="below").min())
    for side, color, words in (("below", "nearest", "5 % below the bound"), ("above", "sum", "5 % above it")):
        up = 100 * float(data.inside_up.sel(side=side).mean())
        words = f"step {words}: {up:.0f} % of steps go up"
        curve(ax, first.inside_time, first.sel(side=side) - lowest, ".-", color, words, lw=1)
    ax.set_title(r"Inside: downhill if $\varepsilon < 2/\lambda_{max}$")
    frame(ax, "time (steps)", "energy above the minimum", log="y", ylim=(1e-4, None))
    ax.legend(loc="best")


def _chatter(ax: Axes, data: xr.Dataset) -> None:
    for index, color in ((-1, "sum"), (0, "eq1")):
        row = data.kink_energy.isel(step=index)
        curve(ax, row.kink_time, row - row.min(), ".-", color, rf"$\varepsilon$ = {float(row.step):g}", lw=1)
    share = f"{100 * float(data.kink_up.mean()):.0f} % of steps go up"
    ax.set_title("At thresholds: up and down for ever")
    frame(ax, "time (steps, after settling)", "energy above its lowest in view", headroom=0.15)
    ax.legend(loc="upper right", ncols=2, title=share)


def _noise(ax: Axes, data: xr.Dataset) -> None:
    for start, color, words in (("above", "eq1", "from above"), ("minimum", "sum", "from the minimum")):
        row = data.sel(start=start)
        energy = Estimate(row.noisy_energy, row.noisy_energy_low, row.noisy_energy_high)
        points(ax, row.time, energy, "o", color, f"{words}, mean of trials, 95 %", ms=3, capsize=0)
        curve(ax, row.time, row.noisy_exact, "-", "exact", "closed form" if start == "above" else None, lw=1)
    smallest = float(data.noisy_exact.sel(start="minimum").isel(time=1))
    ax.set_title("With noise: down from above, up from the minimum")
    frame(ax, "time (steps)", "energy above the minimum", log="y", ylim=(0.3 * smallest, None))
    ax.legend(loc="upper right")


def _return(ax: Axes, data: xr.Dataset) -> None:
    for index, (step, color) in enumerate(zip(data.return_step.values, CYCLE, strict=False)):
        row = data.sel(return_step=step)
        row = row.sortby(np.abs(row.return_start))
        far, label = np.abs(row.return_start) / 0.5, rf"formula, $\varepsilon$ = {step:g}"
        curve(ax, far, row.return_formula, "-", color, label, lw=1, drawstyle="steps-post")
        points(ax, far, row.return_count, "o", color, None if index else "counted", ms=3, mew=0)
        smooth = row.return_smooth.where(row.return_smooth >= 0)
        points(ax, far, smooth, "x", "control", None if index else "thresholds rounded off", ms=3)
    ax.set_title("Back from saturation, on time")
    frame(ax, "start over threshold, $|s_0| / |\\beta|$", "steps until active", log="x")
    ax.legend(loc="lower right")


plot = panels(12.5, 8.2, _inside, _chatter, _noise, _return, n_rows=2)
