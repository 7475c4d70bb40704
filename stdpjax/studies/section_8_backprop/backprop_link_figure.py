"""Arrivals against the step, growth over time, and the direction, layer by layer."""

import itertools
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, bars, curve, frame, new_figure, points

_COLORS = ("biology", "eq1", "nearest", "rate", "sum", "points", "pre")


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw when and how strongly each layer moves, and whether it moves along the backpropagated gradient."""
    figure = new_figure(12.0, 7.2)
    (arrival, ratio, weights), (growth, angle, long) = figure.subplots(2, 3)
    names = ["x", *(f"$h_{k}$" for k in range(1, data.sizes["layer"]))]
    mean = data.mean("network")
    for k, (name, color) in enumerate(zip(names, itertools.cycle(_COLORS), strict=False)):
        layer = mean.isel(layer=k)
        hard, smooth = layer.sel(rate="hard"), layer.sel(rate="smooth")
        curve(arrival, data.step, -hard.corrected_law.sel(feedback="tied"), "-", color, lw=1)
        curve(arrival, data.step, hard.printed_law.sel(feedback="tied"), ":", color, lw=1)
        points(arrival, data.step, -hard.arrival.sel(feedback="tied"), "o", color, name, ms=4.5)
        curve(growth, data.theta, hard.growth, "-", color, name)
        if k:
            curve(angle, data.theta, hard.angle, "-", color, name)
            curve(angle, data.theta, smooth.angle, "--", color, lw=1)
            curve(long, data.long_time, 1 - layer.long_angle.sel(stability="stable"), "-", color, name)
            curve(long, data.long_time, 1 - layer.long_angle.sel(stability="unstable"), "--", color, lw=1.2)

    arrival.set_title("Layer k first moves by step to the power k+1")
    frame(arrival, r"step size $\epsilon = dt/\tau$", "|displacement| at first arrival", log="xy")
    arrival.set_xlim(right=20 * config.steps[-1])
    arrival.legend(title="points: measured\nlines: corrected law\ndotted: printed law", loc="lower right")
    growth.set_title("Each layer follows later than the one before")
    growth.axvline(1, color="0.8", lw=0.8, zorder=0)
    ylabel = r"displacement / ($\frac{1}{2}|\partial C/\partial h_k|$)"
    frame(growth, r"time ($\tau$)", ylabel, log="xy", ylim=(1e-8, 5))
    growth.legend(loc="lower right", ncols=2)
    angle.set_title("Later the direction slowly turns away")
    frame(angle, r"time ($\tau$)", r"1 - cosine with $-\partial C/\partial h_k$", log="xy", ylim=(1e-10, 1))
    words = "solid: hard rates, 1 - cosine ~ time$^4$\ndashed: smooth rates, ~ time$^2$"
    angle.legend(title=words, loc="lower right", ncols=2)
    long.set_title("Only a stable network stays aligned")
    frame(long, r"time ($\tau$)", r"cosine with $-\partial C/\partial h_k$", zero="y", ylim=(-0.4, 1.05))
    words = f"solid: stable, eigenvalue {config.largest:g}\ndashed: unstable, {config.unstable:g}"
    long.legend(title=words, loc="lower left", ncols=2)

    position = np.arange(1, data.sizes["layer"])
    cosine = 1 - data.arrival_angle.sel(rate="hard", layer=slice(1, None)).isel(step=-1)
    for offset, feedback, marker, color in ((-0.15, "tied", "o", "eq1"), (0.15, "untied", "s", "control")):
        values = cosine.sel(feedback=feedback).transpose("network", "layer")
        points(ratio, position + offset, values, marker, color, f"{feedback} weights", alpha=0.7)
    ratio.axhline(-1, ls=":", color=COLORS["sum"], label="printed sign (ascent)")
    ratio.set_title("At first arrival: minus the gradient, if tied")
    frame(ratio, "layer", r"cosine with $-\partial C/\partial h_k$", zero="y", ylim=(-1.15, 1.6))
    ratio.set_xticks(position, names[1:])
    ratio.legend(loc="upper center", ncols=2)

    cells = (("hard", "tied", "eq1"), ("smooth", "tied", "nearest"), ("hard", "untied", "control"))
    for offset, (rate, feedback, color) in zip((-0.27, 0, 0.27), cells, strict=True):
        error = mean.weight_error.sel(rate=rate, feedback=feedback)
        bars(weights, data.pair + offset, error, color, f"{rate} rates, {feedback} weights", width=0.25)
    weights.set_title("Eq 1 moves weights as backprop does")
    frame(weights, "weights between", "relative error of the change", log="y", ylim=(None, 3e3))
    weights.set_xticks(data.pair, [f"{near}–{far}" for near, far in itertools.pairwise(names)])
    weights.legend(loc="upper left")
    return figure
