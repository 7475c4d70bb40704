"""The window with its fits, intervals and their coverage, the comparison of rules, and fits of triplets."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import special

from stdpjax.lab.plotting import COLORS, CYCLE, curve, frame, new_figure, points
from stdpjax.stats import Estimate, wilson_interval

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


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw fits and what they are worth."""
    figure = new_figure(13.0, 8.0)
    draws = (_window, _intervals, _coverage, _estimates, _comparison, _starts)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data)
    return figure


def _window(ax: Axes, data: xr.Dataset) -> None:
    # The curves jump at lag 0.
    jump = data.sel(lag=data.lag != 0).reindex(lag=np.union1d(data.lag, [0.0]))
    ends = 100 * jump.band_low, 100 * jump.band_high
    ax.fill_between(jump.lag, *ends, color=COLORS["eq1"], alpha=0.2, lw=0, label="pairs, 95 % of refits")
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


def _intervals(ax: Axes, data: xr.Dataset) -> None:
    kinds = (("simultaneous", "pre", 7, "95 %, all numbers together"), ("profile", "eq1", 3, "95 %, each by itself"))
    names = []
    for row, name in enumerate(data.parameter.values):
        one = data.sel(parameter=name)
        for kind, color, width, words in kinds:
            ends, label = one.interval.sel(kind=kind) / one.truth, None if row else words
            curve(ax, ends, [row, row], "-", color, label, lw=width, solid_capstyle="butt")
        points(ax, one.fitted / one.truth, row, "o", "black", None if row else "fitted", ms=5)
        unit = " ms" if name.startswith("tau") else ""
        names.append(f"{_SYMBOLS[name].replace(', ', chr(10))}\n{float(one.fitted):.3g}{unit}")
    ax.axvline(1, color="black", ls=":", lw=1.5, label="published")
    ax.set_title("What the points say of the window")
    frame(ax, "number / published number", "fitted number", log="x", xticks=[0.5, 0.7, 1, 1.5, 2], yticks=names)
    ax.set_ylim(len(names) - 0.4, -1.9)
    ax.legend(loc="upper left", ncols=2)


def _coverage(ax: Axes, data: xr.Dataset) -> None:
    ratio, stated = np.geomspace(0.4, 2.2, 60), np.array([0.5, 0.7, 1.0, 1.4, 2.0])
    n_seeds, n = data.sizes["seed"], data.sizes["parameter"]
    quantile, joint = special.ndtri(0.975), special.ndtri(1 - 0.025 / n)

    def shares(beside: float, holds: list[np.ndarray], style: str, color: str, words: str) -> None:
        counts = [int(each.sum()) for each in holds]
        ends = np.array([wilson_interval(count, n_seeds) for count in counts]).T
        share = Estimate(np.array(counts) / n_seeds, *ends)
        points(ax, stated * beside, share, style, color, words, ms=3.5, capsize=0)

    curve(ax, ratio, 2 * special.ndtr(quantile * ratio) - 1, "-", "black", "expected of one", lw=1)
    for index, name in enumerate(data.parameter.values):
        root = data.root.sel(parameter=name).values
        shares(1.025 ** (index - 1.5), [root / c <= quantile for c in stated], "o", CYCLE[index], _SYMBOLS[name])
    together = [(data.root.values / c <= joint).all(axis=1) for c in stated]
    shares(1.09, together, "s", "black", "all, intervals for all together")
    ax.axhline(0.95, color="0.75", lw=0.8, zorder=0)
    ax.set_title(f"Intervals of {n_seeds} synthetic data sets")
    frame(ax, "stated / true error", "share that holds the truth", log="x", xticks=stated, ylim=(0.35, 1.02))
    ax.legend(loc="lower right")


def _estimates(ax: Axes, data: xr.Dataset) -> None:
    for sign, color, words in (("plus", "sum", "potentiation"), ("minus", "eq1", "depression")):
        tau, amplitude = (data.sel(parameter=f"{kind}_{sign}") for kind in ("tau", "A"))
        words = f"{words}: fits to synthetic data"
        points(ax, tau.estimate, amplitude.estimate, ".", color, words, ms=3, alpha=0.5)
        words = "published, which made them" if sign == "minus" else None
        points(ax, tau.truth, amplitude.truth, "+", "black", words, ms=13, mew=2)
    ax.set_title("Amplitude against time constant")
    xticks, yticks = [5, 10, 20, 50, 100], [0.2, 0.5, 1, 2]
    frame(ax, "time constant (ms)", "amplitude (share of the weight)", log="xy", xticks=xticks, yticks=yticks)
    ax.legend(loc="upper right")


def _comparison(ax: Axes, data: xr.Dataset) -> None:
    made = (("pair", "eq1", "made by pairs with two sides"), ("itself", "rate", "made by this rule"))
    names = []
    for row, rule in enumerate(data.other.values):
        n_fitted = int(data.n_fitted.sel(rule=rule))
        more = 2 * (n_fitted - float(data.n_fitted.sel(rule="pair")))
        for place, (maker, color, words) in zip((row - 0.2, row + 0.2), made, strict=True):
            aic = np.sort(data.above.sel(other=rule, maker=maker).values + more)
            spread = place + 0.3 * (np.arange(len(aic)) / len(aic) - 0.5)
            points(ax, aic, spread, ".", color, None if row else words, ms=3, alpha=0.6)
            bar = [place - 0.17, place + 0.17]
            curve(ax, [aic.mean()] * 2, bar, "-", "black", "mean" if place > 1 else None, lw=2.5)
            ax.text(1.02, place, f"{aic.mean():+.1f}", transform=ax.get_yaxis_transform(), va="center", fontsize=8)
        drawn = data.sum_of_squares.sel(rule=rule) - data.sum_of_squares.sel(rule="pair") + more
        words = None if row else "the drawn points"
        points(ax, drawn, row - 0.2, "D", "sum", words, ms=6, mfc="none", mew=1.5)
        names.append(f"{_RULES[rule][0].replace(', ', chr(10))}\n({n_fitted} numbers)")
    ax.set_title("Which rule made the data")
    xlabel = "AIC above that of pairs with two sides (4 numbers)"
    frame(ax, xlabel, "rule", zero="x", yticks=names, ylim=(len(names) - 0.4, -1.2))
    ax.legend(loc="upper right", ncols=2)


def _starts(ax: Axes, data: xr.Dataset) -> None:
    start = np.arange(1, data.sizes["start"] + 1)
    for terms, color in (("triplets", "eq1"), ("pairs", "sum")):
        error = np.minimum(data.triplet_error.sel(terms=terms), 30)
        curve(ax, start, error, "o-", color, f"{terms}, fitted", ms=3.5)
    for terms, style in (("full", "--"), ("minimal", ":")):
        error = float(data.published_error.sel(published_terms=terms))
        ax.axhline(error, color="black", ls=style, lw=1.2, label=f"triplets, published ({terms})")
    ax.set_title("Fits to the ten points of frequency")
    xlabel, ylabel = "random start, sorted by where it ends", "mean squared error (cut at 30)"
    frame(ax, xlabel, ylabel, log="y", ylim=(0.2, 150), xticks=start[:: max(1, len(start) // 5)])
    ax.legend(loc="upper left", ncols=2)
