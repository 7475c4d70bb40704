"""Changes against frequency, errors of the rules, and of their refits to data that they made."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from scipy import special

from stdpjax.lab.plotting import COLORS, curve, frame, points
from stdpjax.studies.panels import panels

_SETS = (
    ("all_to_all", "visual_cortex_full", "all spikes, full", "eq1", "-"),
    ("all_to_all", "visual_cortex_minimal", "all spikes, minimal", "pre", "--"),
    ("nearest", "visual_cortex_full", "nearest spikes, full", "nearest", "-"),
    ("nearest", "visual_cortex_minimal", "nearest spikes, minimal", "points", "--"),
    ("all_to_all", "pair", "all pairs, best fit", "sum", "-"),
)


def _frequency(ax: Axes, data: xr.Dataset, lag: float) -> None:
    for scheme, rule, words, color, style in _SETS:
        change = data.curve.sel(order="read_before", scheme=scheme, rule=rule, pair_lag=lag)
        curve(ax, data.frequency, 100 * change, style, color, words, lw=1.4)
    point = data.isel(point=data.point_lag.values == lag)
    look: dict[str, Any] = {"fmt": "o", "ms": 5, "capsize": 2, "color": "black", "zorder": 3}
    label = "measured, standard error"
    ax.errorbar(point.point_frequency, 100 * point.measured, 100 * point.sem, label=label, **look)
    ax.set_title(f"Lag {lag:+g} ms: {'presynaptic' if lag > 0 else 'postsynaptic'} spike first")
    frame(ax, "frequency of pairs (Hz)", "weight change by 60 pairs (%)", zero="y", ylim=(-60, 150))
    ax.legend(loc="upper left")


def _errors(ax: Axes, data: xr.Dataset) -> None:
    rows = [(words, color, data.error.sel(scheme=scheme, rule=rule)) for scheme, rule, words, color, _ in _SETS[:4]]
    for words, color, scheme, rule in (
        ("all spikes, minimal, fitted", "kernel", "all_to_all", "triplet_minimal"),
        ("nearest, minimal, fitted", "kernel", "nearest", "triplet_minimal"),
        ("all pairs, fitted", "sum", "all_to_all", "pair"),
        ("nearest pairs, fitted", "sum", "nearest", "pair"),
    ):
        rows.append((words, color, data.error.sel(scheme=scheme, rule=rule)[:1]))
    rows.append(("paper's window, fitted", "sum", data.window_error.expand_dims("order")))
    for row, (_, color, errors) in enumerate(rows):
        error, *other = errors.values
        ax.barh(row, error, color=COLORS[color], height=0.6)
        ax.text(error * 1.12, row, f"{error:.3f}", va="center", fontsize=7.5)
        for after in other:
            points(ax, after, row, "x", "biology", ms=7, mew=2)
            ax.text(after * 1.3, row, f"{after:.3g}", va="center", fontsize=7.5)
    points(ax, [], [], "x", "biology", "traces read after adding the spike", ms=7, mew=2)
    ax.set_title("Errors on the ten points")
    limits: dict[str, Any] = {"xlim": (0.1, 900), "ylim": (len(rows) - 0.4, -1.4)}
    xlabel = "mean squared error (standard errors squared)"
    frame(ax, xlabel, "rule", log="x", yticks=[words for words, *_ in rows], **limits)
    ax.legend(loc="upper right")


def _refits(ax: Axes, data: xr.Dataset) -> None:
    edges, grid, n_points = np.linspace(0, 30, 31), np.linspace(0.01, 30, 300), data.sizes["point"]
    for name, n_fitted, words, color in (
        ("triplet_minimal", 3, "minimal triplets", "eq1"),
        ("pair", 4, "pairs", "sum"),
    ):
        drawn = np.minimum(data.refit.sel(drawn_from=name).values, 29.9)
        look: dict[str, Any] = {"density": True, "color": COLORS[color], "alpha": 0.35}
        ax.hist(drawn, edges.tolist(), label=f"{words}: refits of drawn data", **look)
        half = (n_points - n_fitted) / 2
        density = np.exp((half - 1) * np.log(grid / 2) - grid / 2 - special.gammaln(half)) / 2
        curve(ax, grid, density, "-", color, f"chi-square, {n_points - n_fitted} degrees of freedom", lw=1.3)
        observed = n_points * float(data.error.sel(scheme="all_to_all", order="read_before", rule=name))
        curve(ax, [observed] * 2, [0, 0.15], ":", color, f"{words}: measured points", lw=2)
    ax.set_title("Pairs fit worse than chance allows")
    frame(ax, "least sum of squares (standard errors squared)", "share per unit", ylim=(0, 0.3))
    ax.legend(loc="upper right")


plot = panels(10.0, 8.0, partial(_frequency, lag=10.0), partial(_frequency, lag=-10.0), _errors, _refits, n_rows=2)
