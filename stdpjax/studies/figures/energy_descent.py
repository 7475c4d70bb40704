"""The energy inside, at kinks and with noise, and the return from saturation."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the energy over time in three situations, the share of upward steps, its size, and the return."""
    figure = plotting.new_figure(15.0, 8.2)
    inside, chatter, share, size, noise, back = figure.subplots(2, 3).flat
    _draw_inside(inside, data)
    _draw_chatter(chatter, data)
    _draw_share(share, data)
    _draw_size(size, data)
    _draw_noise(noise, data)
    _draw_return(back, data)
    return figure


def _draw_inside(ax: Axes, data: xr.Dataset) -> None:
    first = data.inside_energy.isel(network=0, inside_time=slice(0, 40))
    lowest = float(data.inside_energy.isel(network=0).sel(side="below").min())
    for side, color, label in (
        ("below", "nearest", "5 % below the bound"),
        ("above", "sum", "5 % above it"),
    ):
        up = float(data.inside_up.sel(side=side).mean())
        ax.plot(first.inside_time, first.sel(side=side) - lowest, ".-", lw=1, ms=4, color=plotting.COLORS[color],
                label=f"step {label}: {100 * up:.0f} % of steps go up")  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(1e-4, None)
    plotting.label(
        ax, r"Inside: downhill if $\varepsilon < 2/\lambda_{max}$", "time (steps)", "energy above the minimum"
    )
    ax.legend(loc="best")


def _draw_chatter(ax: Axes, data: xr.Dataset) -> None:
    for index, color in ((-1, "sum"), (0, "eq1")):
        row = data.kink_energy.isel(step=index)
        ax.plot(row.kink_time, row - row.min(), ".-", lw=1, ms=4, color=plotting.COLORS[color],
                label=rf"$\varepsilon$ = {float(row.step):g}")  # fmt: skip
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.15 * (high - low))
    plotting.label(
        ax, "At kinks: up and down for ever", "time (steps, after settling)", "energy above its lowest in view"
    )
    ax.legend(loc="upper right", ncols=2)


def _draw_share(ax: Axes, data: xr.Dataset) -> None:
    mean = data.single_up.mean("network")
    reach = 1.96 * data.single_up.std("network", ddof=1) / np.sqrt(data.sizes["network"])
    ax.errorbar(data.field, mean, reach, fmt="o", ms=5, capsize=2, color=plotting.COLORS["sum"], label="one unit, 95 %")
    field = np.linspace(0.5, float(data.field.max()) * 1.05, 200)
    ax.plot(
        field,
        2 * (0.5 / field) * (1 - 0.5 / field),
        color=plotting.COLORS["exact"],
        lw=1,
        label="2 d (1-d), d = 1/2 over input",
    )
    several = float(data.kink_up.mean())
    ax.axhline(several, ls="--", lw=1, color=plotting.COLORS["nearest"], label=f"networks at kinks, mean {several:.2f}")
    ax.axhline(0, ls=":", lw=1.5, color=plotting.COLORS["eq1"], label="as printed: none")
    ax.set_ylim(-0.03, 0.8)
    plotting.label(ax, "How often the energy rises at a kink", "input to the unit (threshold 1/2)", "share of steps up")
    ax.legend(loc="upper right")


def _draw_size(ax: Axes, data: xr.Dataset) -> None:
    for name, color, marker, label in (
        ("langevin_rise", "control", "s", "Langevin noise, T = 0.01"),
        ("kink_rise", "sum", "o", "no noise"),
    ):
        mean = data[name].mean("network")
        reach = 1.96 * data[name].std("network", ddof=1) / np.sqrt(data.sizes["network"])
        ax.errorbar(data.step, mean, reach, fmt=marker + "-", ms=4, lw=1, capsize=2, color=plotting.COLORS[color],
                    label=label)  # fmt: skip
    guide = 0.6 * float(data.kink_rise.isel(step=0).mean()) * data.step / data.step[0]
    ax.plot(data.step, guide, ":", color=plotting.COLORS["exact"], label="proportional to the step")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(data.step.values, [f"{step:g}" for step in data.step.values])
    ax.minorticks_off()
    plotting.label(
        ax, "At kinks: rises shrink with the step", r"step $\varepsilon$ (time constants)", "largest rise of the energy"
    )
    ax.legend(loc="upper left")


def _draw_noise(ax: Axes, data: xr.Dataset) -> None:
    for start, color, label in (("above", "eq1", "from above"), ("minimum", "sum", "from the minimum")):
        row = data.sel(start=start)
        ax.errorbar(row.time, row.noisy_energy, 1.96 * row.noisy_error, fmt="o", ms=3, color=plotting.COLORS[color],
                    label=f"{label}, mean of trials, 95 %")  # fmt: skip
        ax.plot(row.time, row.noisy_exact, lw=1, color=plotting.COLORS["exact"],
                label="closed form" if start == "above" else None)  # fmt: skip
    ax.plot(data.time, data.noisy_frozen, ":", color=plotting.COLORS["control"], label="without noise")
    ax.set_yscale("log")
    smallest = float(data.noisy_exact.sel(start="minimum").isel(time=1))
    ax.set_ylim(0.3 * smallest, None)
    plotting.label(ax, "With noise: down from above, up from the minimum", "time (steps)", "energy above the minimum")
    ax.legend(loc="upper right")


def _draw_return(ax: Axes, data: xr.Dataset) -> None:
    for index, (step, color) in enumerate(zip(data.return_step.values, plotting.CYCLE, strict=False)):
        row = data.sel(return_step=step)
        far = np.abs(row.return_start.values) / 0.5
        order = np.argsort(far)
        ax.step(far[order], row.return_formula.values[order], lw=1, color=color, where="post",
                label=rf"formula, $\varepsilon$ = {step:g}")  # fmt: skip
        ax.plot(far, row.return_count, "o", ms=3, color=color, mew=0, label="counted" if index == 0 else None)
        seen = row.return_printed.values >= 0
        ax.plot(far[seen], row.return_printed.values[seen], "x", ms=3, color=plotting.COLORS["control"],
                label="Eq 17 as printed" if index == 0 else None)  # fmt: skip
    ax.set_xscale("log")
    plotting.label(
        ax, "Back from saturation, on time", "start over threshold, $|s_0| / |\\beta|$", "steps until active"
    )
    ax.legend(loc="center right")
