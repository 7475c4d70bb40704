"""Running averages, hidden rows at equilibrium, and divergence from the truth along training."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import COLORS, bars, curve, frame, new_figure, points
from stdpjax.stats import mean_interval, normal_interval

_METHODS = {
    "dropped": ("second derivative dropped (paper)", "sum"),
    "literal": ("Eq 1 literally", "control"),
    "impatient": ("impatient, kept", "nearest"),
    "patient": ("patient, kept", "eq1"),
    "likelihood": ("maximum likelihood", "exact"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the bias of averages, Stein's identity, learning by method, and the mean flow."""
    figure = new_figure(12.0, 7.6)
    figure.suptitle("Section 6.3: EM by score matching, patient and impatient", fontweight="bold")
    draws = (_average, _rows, _gradient, _learning, _final, _flow)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data, config)
    return figure


def _average(ax: Axes, data: xr.Dataset, config: Any) -> None:
    points(ax, data.length, np.abs(data.bias), "o", "eq1", "running average, exact law", ms=6)
    curve(ax, data.length, abs(float(data.exact_transient)) / data.length, "--", "exact", "c / T", lw=1)
    ax.set_title("Impatience costs c / T")
    xlabel = "steps averaged over, T (log scale)"
    frame(ax, xlabel, "bias of the mean rate (log)", log="xy", xticks=data.length)
    ax.legend(loc="upper right")


def _rows(ax: Axes, data: xr.Dataset, config: Any) -> None:
    apart = ~np.eye(3, dtype=bool)
    names = [f"{post}←{pre}" for post, pre in zip(*np.nonzero(apart), strict=True)]
    terms = (("−g ρ'ρ: update, term dropped", "sum"), ("−ρ''ρ: the dropped term", "eq1"), ("Eq 1", "control"))
    for number, (words, color) in enumerate(terms):
        value, error, exact = (
            data[name][number].values[apart] for name in ("sampled_terms", "sampled_terms_error", "exact_terms")
        )
        place = np.arange(len(names)) + 0.2 * (number - 1)
        points(ax, place, normal_interval(value, error), "o", color, words, capsize=0)
        ax.hlines(exact, place - 0.1, place + 0.1, color=COLORS["exact"], lw=1)
    ax.set_title("Hidden rows learn the dropped term only")
    top = 1.6 * float(data.exact_terms[1].values[apart].max()) + 0.02
    frame(ax, "post ← pre unit", "mean update (activity)", zero="y", ylim=(None, top), xticks=names)
    ax.legend(loc="upper left", title="points: Langevin, 95 %; lines: quadrature")


def _gradient(ax: Axes, data: xr.Dataset, config: Any) -> None:
    cases = [("hard", "one"), ("hard", "both"), ("sigmoid", "one"), ("sigmoid", "both")]
    for shift, correction, color in ((-0.18, "kept", "nearest"), (0.18, "dropped", "sum")):
        one = np.abs(data.gradient.sel(correction=correction))
        sizes = [float(one.sel(rates=rates, clamped=clamped).max()) for rates, clamped in cases]
        bars(ax, np.arange(4) + shift, sizes, color, f"second derivative {correction}", width=0.34)
    ax.set_title("The truth is stationary with the term")
    names, top = [f"{rates},\n{clamped}" for rates, clamped in cases], 1.4 * float(np.abs(data.gradient).max())
    ylabel = "largest gradient at the truth (activity)"
    frame(ax, "rates and clamped units", ylabel, ylim=(None, top), xticks=names)
    ax.legend(loc="upper left")


def _learning(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, (words, color) in _METHODS.items():
        curve(ax, data["round"], mean_interval(data.divergence.sel(learner=name), "seed"), "-", color, words)
    ax.set_title("One visible, one hidden unit: learning")
    top = 1.75 * float(data.divergence.mean("seed").max())
    frame(ax, "updates", "divergence from the truth (nats)", ylim=(0, top))
    ax.legend(loc="upper right", title="mean over seeds and 95 %")


def _final(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for row, (name, (_, color)) in enumerate(_METHODS.items()):
        ends = data.weight.sel(learner=name).isel(round=-1)
        points(ax, ends, row, "o", color, mfc="none")
        points(ax, ends.mean(), row, "|", color, ms=16, mew=2)
    ax.axvline(config.truth[0], ls=":", color=COLORS["exact"])
    ax.text(config.truth[0], -0.6, "truth ", ha="right", va="center", fontsize=8)
    ax.axvline(config.start[0], color="0.75", lw=0.8, zorder=0)
    ax.text(config.start[0], -0.6, " start", va="center", fontsize=8)
    ax.set_title("The weight is weakly determined")
    limits = len(_METHODS) - 0.5, -1
    frame(ax, "final weight (seeds; bar: mean)", "method", yticks=list(_METHODS), ylim=limits)


def _flow(ax: Axes, data: xr.Dataset, config: Any) -> None:
    for name, words, color in (
        ("dropped", "dropped (paper)", "sum"),
        ("kept", "kept", "nearest"),
        ("likelihood", "likelihood", "exact"),
    ):
        curve(ax, data.flow_update, data.flow_divergence.sel(flow=name), "-", color, words)
    ax.set_title("Three units: kept, it reaches the truth")
    frame(ax, "mean updates (quadrature)", "divergence (nats, log scale)", log="y")
    ax.legend(loc="lower left")
