"""The window with its fits, intervals and their coverage, the comparison of rules, and fits of triplets."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import special

from stdpjax import plotting
from stdpjax.stats import wilson_interval

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
    figure = plotting.new_figure(13.0, 8.0)
    axes = figure.subplots(2, 3)
    _window(axes[0, 0], data)
    _intervals(axes[0, 1], data)
    _coverage(axes[0, 2], data)
    _estimates(axes[1, 0], data)
    _comparison(axes[1, 1], data)
    _starts(axes[1, 2], data)
    return figure


def _window(ax: Axes, data: xr.Dataset) -> None:
    for index, side in enumerate((data.lag > 0, data.lag < 0)):
        lag = data.lag[side]
        ax.fill_between(lag, 100 * data.band_low[side], 100 * data.band_high[side], color=plotting.COLORS["eq1"],
                        alpha=0.2, lw=0, label=None if index else "pairs, 95 % of refits")  # fmt: skip
        for rule, (text, color) in _RULES.items():
            ax.plot(lag, 100 * data.curve.sel(rule=rule)[side], color=plotting.COLORS[color], lw=1.5,
                    label=None if index else text)  # fmt: skip
        ax.plot(lag, 100 * data.published[side], ":", color="black", lw=1.5, label=None if index else "published fit")
    ax.errorbar(data.data_lag, 100 * data.change, 100 * data.sem, fmt="o", ms=3.5, capsize=1.5, lw=0.9,
                color=plotting.COLORS["kernel"], zorder=0, label="drawn points, standard error")  # fmt: skip
    plotting.zero_lines(ax)
    ax.set_xlim(-86, 86)
    # Room for the legend below the points of potentiation.
    low, high = ax.get_ylim()
    ax.set_ylim(bottom=low - 0.35 * (high - low))
    plotting.label(ax, "Points drawn from Bi & Poo's fit", "lag, post minus pre (ms)", "weight change (%)")
    ax.legend(loc="lower right")


def _intervals(ax: Axes, data: xr.Dataset) -> None:
    for row, name in enumerate(data.parameter.values):
        one = data.sel(parameter=name)
        scale = float(one.truth)
        for kind, color, width in (("simultaneous", "pre", 7), ("profile", "eq1", 3)):
            ax.plot(
                one.interval.sel(kind=kind) / scale,
                [row, row],
                color=plotting.COLORS[color],
                lw=width,
                solid_capstyle="butt",
                label={"simultaneous": "95 %, all numbers together", "profile": "95 %, each by itself"}[kind]
                if row == 0
                else None,
            )
        ax.plot(one.fitted / scale, row, "o", color="black", ms=5, label="fitted" if row == 0 else None)
    ax.axvline(1, color="black", ls=":", lw=1.5, label="published")
    ax.set_xscale("log")
    ticks = [0.5, 0.7, 1.0, 1.5, 2.0]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    units = [" ms" if name.startswith("tau") else "" for name in data.parameter.values]
    ax.set_yticks(
        range(data.sizes["parameter"]),
        [
            f"{_SYMBOLS[name].replace(', ', chr(10))}\n{value:.3g}{unit}"
            for name, value, unit in zip(data.parameter.values, data.fitted.values, units, strict=True)
        ],
    )
    ax.set_ylim(data.sizes["parameter"] - 0.4, -1.9)
    plotting.label(ax, "What the points say of the window", "number / published number", "fitted number")
    ax.legend(loc="upper left", ncols=2)


def _coverage(ax: Axes, data: xr.Dataset) -> None:
    ratio = np.geomspace(0.4, 2.2, 60)
    quantile = special.ndtri(0.975)
    n_seeds, n = data.sizes["seed"], data.sizes["parameter"]
    joint = special.ndtri(1 - 0.025 / n)
    stated = np.array([0.5, 0.7, 1.0, 1.4, 2.0])
    ax.plot(ratio, 2 * special.ndtr(quantile * ratio) - 1, color="black", lw=1, label="expected of one")
    for index, name in enumerate(data.parameter.values):
        root = data.root.sel(parameter=name).values
        counts = [int((root / c <= quantile).sum()) for c in stated]
        _shares(ax, stated * 1.025 ** (index - 1.5), counts, n_seeds, plotting.CYCLE[index], _SYMBOLS[name], "o")
    counts = [int((data.root.values / c <= joint).all(axis=1).sum()) for c in stated]
    _shares(ax, stated * 1.09, counts, n_seeds, "black", "all, intervals for all together", "s")
    ax.axhline(0.95, color="0.75", lw=0.8, zorder=0)
    ax.set_xscale("log")
    ax.set_xticks(stated, [f"{c:g}" for c in stated])
    ax.minorticks_off()
    ax.set_ylim(0.35, 1.02)
    plotting.label(
        ax, f"Intervals of {n_seeds} synthetic data sets", "stated / true error", "share that holds the truth"
    )
    ax.legend(loc="lower right")


def _shares(ax: Axes, x: Any, counts: list[int], n: int, color: str, text: str, marker: str) -> None:
    share = np.array(counts) / n
    ends = np.array([wilson_interval(count, n) for count in counts]).T
    ax.errorbar(x, share, np.abs(ends - share), fmt=marker, ms=3.5, lw=1, color=color, label=text)


def _estimates(ax: Axes, data: xr.Dataset) -> None:
    for sign, color, text in (("plus", "sum", "potentiation"), ("minus", "eq1", "depression")):
        x, y = (data.estimate.sel(parameter=f"{kind}_{sign}") for kind in ("tau", "A"))
        ax.plot(x, y, ".", ms=3, alpha=0.5, color=plotting.COLORS[color], label=f"{text}: fits to synthetic data")
        x, y = (data.truth.sel(parameter=f"{kind}_{sign}") for kind in ("tau", "A"))
        ax.plot(x, y, "+", ms=13, mew=2, color="black", label="published, which made them" if sign == "minus" else None)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks, heights = [5, 10, 20, 50, 100], [0.2, 0.5, 1, 2]
    ax.set_xticks(ticks, [f"{tick}" for tick in ticks])
    ax.set_yticks(heights, [f"{tick:g}" for tick in heights])
    ax.minorticks_off()
    plotting.label(ax, "Amplitude against time constant", "time constant (ms)", "amplitude (share of the weight)")
    ax.legend(loc="upper right")


def _comparison(ax: Axes, data: xr.Dataset) -> None:
    made = (("pair", "eq1", "made by pairs with two sides"), ("itself", "rate", "made by this rule"))
    for row, rule in enumerate(data.other.values):
        more = float(data.n_fitted.sel(rule=rule) - data.n_fitted.sel(rule="pair"))
        for offset, (maker, color, text) in zip((-0.2, 0.2), made, strict=True):
            aic = np.sort(data.above.sel(other=rule, maker=maker).values + 2 * more)
            spread = row + offset + 0.3 * (np.arange(len(aic)) / len(aic) - 0.5)
            ax.plot(aic, spread, ".", ms=3, color=plotting.COLORS[color], alpha=0.6, label=None if row else text)
            ax.plot([aic.mean()] * 2, [row + offset - 0.17, row + offset + 0.17], color="black", lw=2.5,
                    label="mean" if row + offset > 1 else None)  # fmt: skip
            ax.text(
                1.02, row + offset, f"{aic.mean():+.1f}", transform=ax.get_yaxis_transform(), va="center", fontsize=8
            )
        points = float((data.sum_of_squares - data.sum_of_squares.sel(rule="pair")).sel(rule=rule)) + 2 * more
        ax.plot(points, row - 0.2, "D", ms=6, mfc="none", mew=1.5, color=plotting.COLORS["sum"],
                label=None if row else "the drawn points")  # fmt: skip
    ax.axvline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_yticks(
        range(data.sizes["other"]),
        [f"{_RULES[rule][0].replace(', ', chr(10))}\n({int(data.n_fitted.sel(rule=rule))} numbers)"
         for rule in data.other.values],
    )  # fmt: skip
    ax.set_ylim(data.sizes["other"] - 0.4, -1.2)
    plotting.label(ax, "Which rule made the data", "AIC above that of pairs with two sides (4 numbers)", "rule")
    ax.legend(loc="upper right", ncols=2)


def _starts(ax: Axes, data: xr.Dataset) -> None:
    start = np.arange(1, data.sizes["start"] + 1)
    for terms, color, text in (("triplets", "eq1", "triplets, fitted"), ("pairs", "sum", "pairs, fitted")):
        ax.plot(
            start,
            np.minimum(data.triplet_error.sel(terms=terms), 30),
            "o-",
            ms=3.5,
            color=plotting.COLORS[color],
            label=text,
        )
    for terms, style in (("full", "--"), ("minimal", ":")):
        ax.axhline(float(data.published_error.sel(published_terms=terms)), color="black", ls=style, lw=1.2,
                   label=f"triplets, published ({terms})")  # fmt: skip
    ax.set_yscale("log")
    ax.set_ylim(0.2, 150)
    ax.set_xticks(start[:: max(1, len(start) // 5)])
    plotting.label(
        ax, "Fits to the ten points of frequency", "random start, sorted by where it ends",
        "mean squared error (cut at 30)",
    )  # fmt: skip
    ax.legend(loc="upper left", ncols=2)
