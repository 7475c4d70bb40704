"""J_h and J_x: exact forms, what one update does to either, and noise as weight decay."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import COLORS, curve, frame, points
from stdpjax.stats import normal_interval
from stdpjax.studies.panels import panels


def _index(ax: Axes, data: xr.Dataset) -> None:
    step = float(data.step[-1])
    one = data.isel(network=0).sel(step=step)
    one = one.sel(time=one.time * step <= 2 * float(data.late))
    time, scale = one.time * step, 0.5 * step**2
    curve(ax, time, one.hidden, "-", "eq1", "$J_h$", lw=4, alpha=0.4)
    curve(ax, time, scale * one.gradient_now**2, "-", "exact", "corrected: gradient at $h_t$", lw=1)
    curve(ax, time, scale * one.gradient_before**2, "--", "control", "printed: gradient at $h_{t-1}$", lw=1.2)
    ax.set_title("$J_h$ is the gradient one step later")
    frame(ax, f"time t (tau), step {step:g}", "objective (activity²)", log="y")
    ax.legend(loc="upper right")


def _displacement(ax: Axes, data: xr.Dataset) -> None:
    for step, color in zip(data.step.values, ("nearest", "sum", "points"), strict=False):
        cell = data.sel(step=step)
        cell = cell.sel(time=cell.time * step <= float(data.late))
        ratio, when = cell.two_steps / (step * cell.gradient_before), cell.time * step
        curve(ax, when, ratio.mean("network"), "-", color, f"measured, step {step:g}")
        ax.fill_between(when, *ratio.quantile([0.05, 0.95], "network").values, color=COLORS[color], alpha=0.2, lw=0)
    ax.axhline(0, ls="--", color=COLORS["control"], label="printed: 0 near a fixed point")
    ax.set_title("Two steps never become small")
    frame(ax, "time t (tau)", r"$|h_{t+1}-h_{t-1}|$ / (step · gradient)", ylim=(-0.1, 2.7))
    ax.legend(loc="upper right")


def _signs(ax: Axes, data: xr.Dataset) -> None:
    bars = {
        "clamped units,\nstep on $J_x$": (data.clamped_update, "nearest"),
        "hidden units,\nstep on $J_h$": (data.free_update, "sum"),
        "hidden units,\ntrue gradient": (data.true_update, "control"),
    }
    spread = np.linspace(-0.18, 0.18, data.sizes["network"])
    for place, (values, color) in enumerate(bars.values()):
        change = 100 * np.expm1(values)
        points(ax, place + spread, change, ".", color, ms=3)
        ax.hlines(change.mean(), place - 0.3, place + 0.3, color="black", lw=1.5)
    ax.set_title("Clamped units fall, hidden ones rise")
    frame(ax, "one weight update (points: networks)", "change of the gradient's norm (%)", zero="y", xticks=list(bars))
    ax.tick_params(axis="x", labelsize=7)


def _noise(ax: Axes, data: xr.Dataset) -> None:
    expected = 1e3 * data.decay_term
    beyond = normal_interval(1e3 * (data.noisy_mean - data.noise_free), 1e3 * data.noisy_error)
    points(ax, expected, beyond, "o", "eq1", "measured, 95 %", capsize=0)
    ends = [0, 1.15 * float(expected.max())]
    curve(ax, ends, ends, "-", "exact", "corrected: weight decay", lw=1)
    ax.axhline(0, ls="--", color=COLORS["control"], label="printed: noise ignored")
    ax.set_title("Noise in $J_x$ is a weight decay")
    frame(ax, "noise² |W|² / 2 (10⁻³ activity²)", "$J_x$ / step² beyond the noise-free (10⁻³ activity²)")
    ax.legend(loc="upper left")


plot = panels(9.0, 7.6, _index, _displacement, _signs, _noise, n_rows=2)
