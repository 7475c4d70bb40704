"""Directions of the three gradients, losses along Eq 1, saturation, the value of J, the tied update, the factor 2."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

# Cosines of one network, from an independent double-precision implementation.
_REFERENCE = {"stop": (0.9998,) * 3, "predictor_stop": (-0.9855, -0.9996, -1.0), "free": (-0.9662, -0.9996, -1.0)}
_REFERENCE_STEPS = (0.2, 0.02, 0.002)
_NAMES = {"stop": "target held fixed", "predictor_stop": "prediction held fixed", "free": "nothing held fixed"}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the six panels."""
    figure = plotting.new_figure(14.0, 8.4)
    (cosines, losses, saturation), (value, tied, factor) = figure.subplots(2, 3)
    _cosines(cosines, data)
    _losses(losses, data, config)
    _saturation(saturation, data)
    _value(value, data)
    _tied(tied, data)
    _factor(factor, data)
    return figure


def _cosines(ax: Axes, data: xr.Dataset) -> None:
    colors = {name: plotting.COLORS[color] for name, color in zip(_NAMES, ("eq1", "nearest", "sum"), strict=True)}
    markers = dict(zip(_NAMES, ("o", "s", "^"), strict=True))
    for name, words in _NAMES.items():
        row = data.cosine.sel(target=name)
        error = 1.96 * row.std("network", ddof=1) / np.sqrt(row.sizes["network"])
        ax.errorbar(data.step, row.mean("network"), error, fmt=markers[name] + "-", ms=5, lw=1, capsize=2, mfc="none",
                    color=colors[name], label=words)  # fmt: skip
        ax.plot(_REFERENCE_STEPS, _REFERENCE[name], "x", ms=7, color="black",
                label="reference, one network" if name == "stop" else None)  # fmt: skip
    ax.set_xscale("log")
    ax.set_ylim(-1.15, 1.15)
    ax.axhline(0, color="0.75", lw=0.8, zorder=0)
    plotting.label(
        ax,
        "Eq 1 descends $J$ only while the target is frozen",
        "step $\\epsilon$ = dt / $\\tau$",
        "cosine of Eq 1 with $-\\partial J/\\partial W$",
    )
    ax.legend(loc="center left", bbox_to_anchor=(0.02, 0.36), title="mean over networks, 95 %")


def _losses(ax: Axes, data: xr.Dataset, config: Any) -> None:
    rows = {
        "fixed_target_loss": ("$J$, target frozen", "eq1", "-"),
        "actual_loss": ("$J$ as it is", "sum", "-"),
        "squared_speed": ("$|\\dot s|^2/2$ at the same state", "biology", "--"),
    }
    for name, (words, color, style) in rows.items():
        row = 100 * data[name]
        ax.plot(data.rate, row.mean("network"), style, color=plotting.COLORS[color], label=words)
        ax.fill_between(data.rate, row.min("network"), row.max("network"), lw=0, alpha=0.12,
                        color=plotting.COLORS[color])  # fmt: skip
    plotting.zero_lines(ax)
    plotting.label(
        ax,
        "A move along Eq 1 raises $J$ itself",
        f"move of the weights, in updates of Eq 1 ($\\epsilon$ = {config.finite_step:g})",
        "change of the loss (%)",
    )
    ax.legend(loc="upper center", title="mean and range over networks")


def _saturation(ax: Axes, data: xr.Dataset) -> None:
    is_saturated = data.is_saturated.astype(bool).broadcast_like(data.plain_rule).values
    is_pair = np.broadcast_to(~np.eye(data.sizes["post"], dtype=bool), is_saturated.shape)
    x, y = 1000 * data.plain_rule.values, 1000 * data.semigradient.values
    reach = float(np.abs(x).max())
    ax.plot([-reach, reach], [-reach, reach], "-", lw=1, color="0.6", label="printed: proportional to Eq 1")
    for words, mask, color in (
        ("postsynaptic unit active", ~is_saturated, "eq1"),
        ("postsynaptic unit saturated", is_saturated, "sum"),
    ):
        ax.plot(x[mask & is_pair], y[mask & is_pair], ".", ms=2.5, color=plotting.COLORS[color], label=words)
    plotting.zero_lines(ax)
    plotting.label(
        ax,
        "In saturation Eq 1 moves weights, $J$ does not",
        "$\\epsilon$ times Eq 1, $\\epsilon\\,\\Delta s_i\\,\\rho(s_j)$  (0.001 activity)",
        "$-\\partial J/\\partial W_{ij}$, target frozen (0.001 activity$^2$)",
    )
    ax.legend(loc="upper left", markerscale=3)


def _value(ax: Axes, data: xr.Dataset) -> None:
    ax.plot(data.step, data.objective_of_speed.mean("network"), "-", lw=1, color=plotting.COLORS["exact"],
            label="$\\epsilon^2|\\dot s|^2/2$")  # fmt: skip
    ax.plot(data.step, data.objective.mean("network"), "o", ms=6, mfc="none", color=plotting.COLORS["eq1"],
            label="$J_{STDP}$, Eq 3")  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    plotting.label(
        ax,
        "The value of $J$ is $\\epsilon^2$ times half the squared speed",
        "step $\\epsilon$ = dt / $\\tau$",
        "objective, mean over networks (activity$^2$)",
    )
    ax.legend(loc="upper left")


def _tied(ax: Axes, data: xr.Dataset) -> None:
    for name, words, color in (
        ("one_term_difference", "one term, $\\Delta s_i r_j$ (printed)", "sum"),
        ("tied_difference", "two terms, $\\Delta s_i r_j + \\Delta s_j r_i$", "eq1"),
    ):
        low, middle, high = data[name].quantile([0.025, 0.5, 0.975], "network").values
        ax.fill_between(data.step, low, high, lw=0, alpha=0.2, color=plotting.COLORS[color])
        ax.plot(data.step, middle, "o-", ms=4, lw=1, color=plotting.COLORS[color], label=words)
    ax.plot((0.1, 0.01, 0.001), (0.117, 0.0145, 0.00148), "x", ms=7, color="black", label="reference, one network")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(top=8)
    plotting.label(
        ax,
        "With tied weights the rule becomes $d(r_i r_j)/dt$",
        "step $\\epsilon$ = dt / $\\tau$",
        "relative difference from $\\Delta(r_i r_j)$",
    )
    ax.legend(loc="upper left", ncols=1, title="median and 95 % of networks")


def _factor(ax: Axes, data: xr.Dataset) -> None:
    x, y = data.speed_formula.values.ravel(), data.speed_gradient.values.ravel()
    reach = np.array([-1, 1]) * float(np.abs(x).max())
    ax.plot(x, y, ".", ms=3, color=plotting.COLORS["eq1"], label="automatic differentiation")
    ax.plot(reach, reach, "-", lw=1, color=plotting.COLORS["exact"], label="corrected: factor 1")
    ax.plot(reach, 2 * reach, "--", lw=1, color=plotting.COLORS["sum"], label="printed: factor 2")
    plotting.zero_lines(ax)
    plotting.label(
        ax,
        "The gradient of $|\\dot s|^2/2$ has no factor 2",
        "$\\dot s_i\\,\\rho'(s_i)\\,\\rho(s_j)$ (activity / $\\tau^2$)",
        "$\\partial(|\\dot s|^2/2)/\\partial W_{ij}$",
    )
    ax.legend(loc="upper left", markerscale=3)
