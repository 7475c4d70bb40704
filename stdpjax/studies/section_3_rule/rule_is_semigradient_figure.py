"""Directions of the three gradients, losses along Eq 1, saturation, the value of J, the tied update, the factor 2."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, curve, frame, new_figure, points
from stdpjax.stats import Estimate, mean_interval

# Words, colour, marker, and the cosines of one network from an independent double-precision implementation.
_TARGETS = {
    "stop": ("target held fixed", "eq1", "o", (0.9998, 0.9998, 0.9998)),
    "predictor_stop": ("prediction held fixed", "nearest", "s", (-0.9855, -0.9996, -1.0)),
    "free": ("nothing held fixed", "sum", "^", (-0.9662, -0.9996, -1.0)),
}
_REFERENCE_STEPS = (0.2, 0.02, 0.002)
_STEP = "step $\\epsilon$ = dt / $\\tau$"


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the six panels."""
    figure = new_figure(14.0, 8.4)
    draws = (_cosines, _losses, _saturation, _value, _tied, _factor)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data, config)
    return figure


def _cosines(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, (words, color, marker, reference) in _TARGETS.items():
        cosine = mean_interval(data.cosine.sel(target=name), "network")
        points(ax, data.step, cosine, f"{marker}-", color, words, ms=5, mfc="none")
        label = "reference, one network" if name == "stop" else None
        points(ax, _REFERENCE_STEPS, reference, "x", "black", label, ms=7)
    ax.set_title("Eq 1 descends $J$ only while the target is frozen")
    frame(ax, _STEP, "cosine of Eq 1 with $-\\partial J/\\partial W$", log="x", zero="y", ylim=(-1.15, 1.15))
    ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.36), title="mean over networks, 95 %")


def _losses(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, words, color, style in (
        ("fixed_target_loss", "$J$, target frozen", "eq1", "-"),
        ("actual_loss", "$J$ as it is", "sum", "-"),
        ("squared_speed", "$|\\dot s|^2/2$ at the same state", "biology", "--"),
    ):
        row = 100 * data[name]
        curve(ax, data.rate, row.mean("network"), style, color, words)
        ax.fill_between(data.rate, row.min("network"), row.max("network"), lw=0, alpha=0.12, color=COLORS[color])
    ax.set_title("A move along Eq 1 raises $J$ itself")
    xlabel = f"move of the weights, in updates of Eq 1 ($\\epsilon$ = {config.finite_step:g})"
    frame(ax, xlabel, "change of the loss (%)", zero="xy")
    ax.legend(loc="upper center", title="mean and range over networks")


def _saturation(ax: Axes, data: xr.Dataset, config: Any) -> None:
    is_saturated = data.is_saturated.astype(bool).broadcast_like(data.plain_rule).values
    is_pair = np.broadcast_to(~np.eye(data.sizes["post"], dtype=bool), is_saturated.shape)
    x, y = 1000 * data.plain_rule.values, 1000 * data.semigradient.values
    reach = float(np.abs(x).max())
    curve(ax, [-reach, reach], [-reach, reach], "-", "0.6", "printed: proportional to Eq 1", lw=1)
    for words, mask, color in (("active", ~is_saturated, "eq1"), ("saturated", is_saturated, "sum")):
        points(ax, x[mask & is_pair], y[mask & is_pair], ".", color, f"postsynaptic unit {words}", ms=2.5)
    ax.set_title("In saturation Eq 1 moves weights, $J$ does not")
    xlabel = "$\\epsilon$ times Eq 1, $\\epsilon\\,\\Delta s_i\\,\\rho(s_j)$  (0.001 activity)"
    ylabel = "$-\\partial J/\\partial W_{ij}$, target frozen (0.001 activity$^2$)"
    frame(ax, xlabel, ylabel, zero="xy")
    ax.legend(loc="upper left", markerscale=3)


def _value(ax: Axes, data: xr.Dataset, config: Any) -> None:
    mean = data.mean("network")
    curve(ax, data.step, mean.objective_of_speed, "-", "exact", "$\\epsilon^2|\\dot s|^2/2$", lw=1)
    points(ax, data.step, mean.objective, "o", "eq1", "$J_{STDP}$, Eq 3", ms=6, mfc="none")
    ax.set_title("The value of $J$ is $\\epsilon^2$ times half the squared speed")
    frame(ax, _STEP, "objective, mean over networks (activity$^2$)", log="xy")
    ax.legend(loc="upper left")


def _tied(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, words, color in (
        ("one_term_difference", "one term, $\\Delta s_i r_j$ (printed)", "sum"),
        ("tied_difference", "two terms, $\\Delta s_i r_j + \\Delta s_j r_i$", "eq1"),
    ):
        low, middle, high = data[name].quantile([0.025, 0.5, 0.975], "network").values
        curve(ax, data.step, Estimate(middle, low, high), "o-", color, words, lw=1)
    reference = (0.1, 0.01, 0.001), (0.117, 0.0145, 0.00148)
    points(ax, *reference, "x", "black", "reference, one network", ms=7)
    ax.set_title("With tied weights the rule becomes $d(r_i r_j)/dt$")
    frame(ax, _STEP, "relative difference from $\\Delta(r_i r_j)$", log="xy", ylim=(None, 8))
    ax.legend(loc="upper left", ncols=1, title="median and 95 % of networks")


def _factor(ax: Axes, data: xr.Dataset, config: Any) -> None:
    reach = np.array([-1, 1]) * float(np.abs(data.speed_formula).max())
    points(ax, data.speed_formula, data.speed_gradient, ".", "eq1", "automatic differentiation", ms=3)
    curve(ax, reach, reach, "-", "exact", "corrected: factor 1", lw=1)
    curve(ax, reach, 2 * reach, "--", "sum", "printed: factor 2", lw=1)
    ax.set_title("The gradient of $|\\dot s|^2/2$ has no factor 2")
    xlabel = "$\\dot s_i\\,\\rho'(s_i)\\,\\rho(s_j)$ (activity / $\\tau^2$)"
    frame(ax, xlabel, "$\\partial(|\\dot s|^2/2)/\\partial W_{ij}$", zero="xy")
    ax.legend(loc="upper left", markerscale=3)
