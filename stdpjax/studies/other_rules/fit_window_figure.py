"""The window with its fits, the coverage of intervals, and the comparison of rules."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from scipy import special

from stdpjax.lab.plotting import COLORS, CYCLE, curve, frame, points
from stdpjax.stats import Estimate, wilson_interval
from stdpjax.studies.panels import panels

_RULES = {
    "pair": ("pairs, two sides", "eq1"),
    "window": ("paper's window, two sides", "sum"),
    "pair_antisymmetric": ("pairs, equal sides", "nearest"),
}
_SYMBOLS = {
    "A_plus": "amplitude, potentiation",
    "A_minus": "amplitude, depression",
    "tau_plus": "time constant, potentiation",
    "tau_minus": "time constant, depression",
}


def _window(ax: Axes, data: xr.Dataset) -> None:
    # The curves jump at lag 0.
    jump = data.sel(lag=data.lag != 0).reindex(lag=np.union1d(data.lag, [0.0]))
    for rule, (words, color) in _RULES.items():
        curve(ax, jump.lag, 100 * jump.curve.sel(rule=rule), "-", color, words)
    curve(ax, jump.lag, 100 * jump.published, ":", "black", "published fit")
    drawn: dict[str, Any] = {"fmt": "o", "ms": 3.5, "capsize": 1.5, "lw": 0.9, "color": COLORS["kernel"], "zorder": 0}
    label = "drawn points, standard error"
    ax.errorbar(data.data_lag, 100 * data.change, 100 * data.sem, **drawn, label=label)
    ax.set_title("Points drawn from Bi & Poo's fit")
    frame(ax, "lag, post minus pre (ms)", "weight change (%)", zero="xy", xlim=(-86, 86))
    # Room for the legend below the points of potentiation.
    low, high = ax.get_ylim()
    ax.set_ylim(bottom=low - 0.35 * (high - low))
    ax.legend(loc="lower right")


def _coverage(ax: Axes, data: xr.Dataset) -> None:
    ratio, stated = np.geomspace(0.4, 2.2, 60), np.array([0.5, 0.7, 1.0, 1.4, 2.0])
    n_seeds, quantile = data.sizes["seed"], special.ndtri(0.975)

    curve(ax, ratio, 2 * special.ndtr(quantile * ratio) - 1, "-", "black", "expected of one", lw=1)
    for index, name in enumerate(data.parameter.values):
        root = data.root.sel(parameter=name).values
        counts = [int((root / factor <= quantile).sum()) for factor in stated]
        ends = np.array([wilson_interval(count, n_seeds) for count in counts]).T
        share, beside = Estimate(np.array(counts) / n_seeds, *ends), 1.025 ** (index - 1.5)
        points(ax, stated * beside, share, "o", CYCLE[index], _SYMBOLS[name], ms=3.5, capsize=0)
    ax.axhline(0.95, color="0.75", lw=0.8, zorder=0)
    ax.set_title(f"Intervals of {n_seeds} synthetic data sets")
    frame(ax, "stated / true error", "share that holds the truth", log="x", xticks=stated, ylim=(0.35, 1.02))
    ax.legend(loc="lower right")


def _comparison(ax: Axes, data: xr.Dataset) -> None:
    made = (("pair", "eq1", "made by pairs with two sides"), ("itself", "rate", "made by this rule"))
    names, aic_of_rule = [], data.sum_of_squares + 2 * data.n_fitted
    for row, rule in enumerate(data.other.values):
        n_fitted = int(data.n_fitted.sel(rule=rule))
        for place, (maker, color, words) in zip((row - 0.2, row + 0.2), made, strict=True):
            aic = np.sort(data.aic_above.sel(other=rule, maker=maker).values)
            spread = place + 0.3 * (np.arange(len(aic)) / len(aic) - 0.5)
            points(ax, aic, spread, ".", color, None if row else words, ms=3, alpha=0.6)
            bar = [place - 0.17, place + 0.17]
            curve(ax, [aic.mean()] * 2, bar, "-", "black", "mean" if place > 1 else None, lw=2.5)
            ax.text(1.02, place, f"{aic.mean():+.1f}", transform=ax.get_yaxis_transform(), va="center", fontsize=8)
        drawn = float(aic_of_rule.sel(rule=rule) - aic_of_rule.sel(rule="pair"))
        words = None if row else "the drawn points"
        points(ax, drawn, row - 0.2, "D", "sum", words, ms=6, mfc="none", mew=1.5)
        names.append(f"{_RULES[rule][0].replace(', ', chr(10))}\n({n_fitted} numbers)")
    ax.set_title("Which rule made the data")
    xlabel = "AIC above that of pairs with two sides (4 numbers)"
    frame(ax, xlabel, "rule", zero="x", yticks=names, ylim=(len(names) - 0.4, -1.2))
    ax.legend(loc="upper right", ncols=2)


plot = panels(14.0, 4.5, _window, _coverage, _comparison)
