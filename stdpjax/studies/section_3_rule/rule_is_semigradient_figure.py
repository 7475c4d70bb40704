"""Directions of the three gradients, saturation, and the factor 2."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import curve, frame, points
from stdpjax.stats import mean_interval
from stdpjax.studies.panels import panels

_TARGETS = {
    "stop": ("target held fixed", "eq1", "o"),
    "predictor_stop": ("prediction held fixed", "nearest", "s"),
    "free": ("nothing held fixed", "sum", "^"),
}


def _cosines(ax: Axes, data: xr.Dataset) -> None:
    for name, (words, color, marker) in _TARGETS.items():
        cosine = mean_interval(data.cosine.sel(target=name), "network")
        points(ax, data.step, cosine, f"{marker}-", color, words, ms=5, mfc="none")
    ax.set_title("Eq 1 descends $J$ only while the target is frozen")
    ylabel = "cosine of Eq 1 with $-\\partial J/\\partial W$"
    frame(ax, "step $\\epsilon$ = dt / $\\tau$", ylabel, log="x", zero="y", ylim=(-1.15, 1.15))
    ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.36), title="mean over networks, 95 %")


def _saturation(ax: Axes, data: xr.Dataset) -> None:
    is_saturated = data.is_saturated.broadcast_like(data.plain_rule).values
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


def _factor(ax: Axes, data: xr.Dataset) -> None:
    reach = np.array([-1, 1]) * float(np.abs(data.speed_formula).max())
    points(ax, data.speed_formula, data.speed_gradient, ".", "eq1", "automatic differentiation", ms=3)
    curve(ax, reach, reach, "-", "exact", "corrected: factor 1", lw=1)
    curve(ax, reach, 2 * reach, "--", "sum", "printed: factor 2", lw=1)
    ax.set_title("The gradient of $|\\dot s|^2/2$ has no factor 2")
    xlabel = "$\\dot s_i\\,\\rho'(s_i)\\,\\rho(s_j)$ (activity / $\\tau^2$)"
    frame(ax, xlabel, "$\\partial(|\\dot s|^2/2)/\\partial W_{ij}$", zero="xy")
    ax.legend(loc="upper left", markerscale=3)


plot = panels(14.0, 4.4, _cosines, _saturation, _factor)
