"""Arrivals against the step, growth over time, and the direction, layer by layer."""

import itertools
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting

_COLORS = ("biology", "eq1", "nearest", "rate", "sum", "points", "pre")


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw when and how strongly each layer moves, and whether it moves along the backpropagated gradient."""
    figure = plotting.new_figure(12.0, 7.2)
    (arrival, ratio, weights), (growth, angle, long) = figure.subplots(2, 3)
    names = ["x", *(f"$h_{k}$" for k in range(1, data.sizes["layer"]))]
    colors = [plotting.COLORS[_COLORS[k % len(_COLORS)]] for k in range(data.sizes["layer"])]
    tied = data.sel(rate="hard", feedback="tied").mean("network")

    for k, (name, color) in enumerate(zip(names, colors, strict=True)):
        row = tied.isel(layer=k)
        arrival.plot(data.step, row.corrected_law, "-", lw=1, color=color)
        arrival.plot(data.step, row.printed_law, ":", lw=1, color=color)
        arrival.plot(data.step, row.arrival, "o", ms=4.5, color=color, label=name)
    arrival.set_xscale("log")
    arrival.set_yscale("log")
    arrival.set_xlim(right=20 * config.steps[-1])
    plotting.label(
        arrival,
        "Layer k first moves by step to the power k+1",
        r"step size $\epsilon = dt/\tau$",
        "|displacement| at first arrival",
    )
    arrival.legend(title="points: measured\nlines: corrected law\ndotted: printed law", loc="lower right")

    position = np.arange(1, data.sizes["layer"])
    hidden = data.sel(rate="hard", layer=slice(1, None)).isel(step=-1)
    cosine = 1 - hidden.arrival_angle
    for offset, feedback, marker, color in ((-0.15, "tied", "o", "eq1"), (0.15, "untied", "s", "control")):
        values = cosine.sel(feedback=feedback)
        for network in range(data.sizes["network"]):
            ratio.plot(
                position + offset, values.isel(network=network), marker, ms=4, alpha=0.7,
                color=plotting.COLORS[color], label=f"{feedback} weights" if network == 0 else None,
            )  # fmt: skip
    ratio.axhline(-1, ls=":", color=plotting.COLORS["sum"], label="printed sign (ascent)")
    ratio.axhline(0, color="0.8", lw=0.8, zorder=0)
    ratio.set_xticks(position, names[1:])
    ratio.set_ylim(-1.15, 1.6)
    plotting.label(
        ratio, "At first arrival: minus the gradient, if tied", "layer", r"cosine with $-\partial C/\partial h_k$"
    )
    ratio.legend(loc="upper center", ncols=2)

    error = data.weight_error.mean("network")
    for offset, rate, feedback, color in (
        (-0.27, "hard", "tied", "eq1"),
        (0.0, "smooth", "tied", "nearest"),
        (0.27, "hard", "untied", "control"),
    ):
        values = error.sel(rate=rate, feedback=feedback)
        weights.bar(
            data.pair + offset, values, 0.25, color=plotting.COLORS[color], label=f"{rate} rates, {feedback} weights"
        )
    weights.set_yscale("log")
    weights.set_ylim(top=3e3)
    pairs = [f"{near}–{far}" for near, far in itertools.pairwise(names)]
    weights.set_xticks(data.pair, pairs)
    plotting.label(weights, "Eq 1 moves weights as backprop does", "weights between", "relative error of the change")
    weights.legend(loc="upper left")

    hard = data.sel(rate="hard")
    for k, (name, color) in enumerate(zip(names, colors, strict=True)):
        curve = hard.growth.isel(layer=k)
        growth.plot(data.theta, curve.mean("network"), color=color, lw=2, label=name)
        growth.plot(data.theta, data.binomial.isel(layer=k), "--", color=color, lw=1)
    growth.set_xscale("log")
    growth.set_yscale("log")
    growth.set_ylim(1e-6, 5)
    growth.axvline(1, color="0.8", lw=0.8, zorder=0)
    plotting.label(
        growth,
        "Each layer follows as the tail of a binomial law",
        r"time ($\tau$)",
        r"displacement / ($\frac{1}{2}|\partial C/\partial h_k|$)",
    )
    growth.legend(title="dashed: Pr[Bin(n, step) > k]", loc="lower right", ncols=2)

    for k, (name, color) in enumerate(zip(names, colors, strict=True)):
        if k:
            angle.plot(data.theta, hard.angle.isel(layer=k).mean("network"), color=color, label=name)
            smooth = data.sel(rate="smooth").angle.isel(layer=k).mean("network")
            angle.plot(data.theta, smooth, "--", lw=1, color=color)
    angle.set_xscale("log")
    angle.set_yscale("log")
    angle.set_ylim(1e-10, 1)
    plotting.label(
        angle, "Later the direction slowly turns away", r"time ($\tau$)", r"1 - cosine with $-\partial C/\partial h_k$"
    )
    angle.legend(
        title="solid: hard rates, 1 - cosine ~ time$^4$\ndashed: smooth rates, ~ time$^2$", loc="lower right", ncols=2
    )

    for k, (name, color) in enumerate(zip(names, colors, strict=True)):
        if k:
            cosines = (1 - data.long_angle.isel(layer=k)).mean("network")
            long.plot(data.long_time, cosines.sel(stability="stable"), color=color, label=name)
            long.plot(data.long_time, cosines.sel(stability="unstable"), "--", lw=1.2, color=color)
    long.axhline(0, color="0.8", lw=0.8, zorder=0)
    long.set_ylim(-0.4, 1.05)
    plotting.label(
        long,
        "Only a stable network stays aligned",
        r"time ($\tau$)",
        r"cosine with $-\partial C/\partial h_k$",
    )
    long.legend(
        title=f"solid: stable, eigenvalue {config.largest:g}\ndashed: unstable, {config.unstable:g}",
        loc="lower left", ncols=2,
    )  # fmt: skip
    return figure
