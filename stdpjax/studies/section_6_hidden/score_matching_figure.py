"""Estimates by score matching in its variants, against the truth."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import curve, frame, new_figure, points
from stdpjax.stats import Estimate

# Words, colour, marker.
_LOOKS = {
    "printed": ("printed sign (Eq 23)", "points", "^"),
    "dropped": ("second derivative dropped (Eq 24)", "sum", "s"),
    "exact": ("corrected: kinks kept", "nearest", "o"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw fitted against true parameters, the objectives, and when the dropped term matters."""
    figure = new_figure(12.5, 7.2)
    draws = (_estimates, _objectives, _gaussian, _temperature, _smoothing, _samples)
    for ax, draw in zip(figure.subplots(2, 3).flat, draws, strict=True):
        draw(ax, data, config)
    return figure


def _estimates(ax: Axes, data: xr.Dataset, config: Any) -> None:
    place = np.arange(data.sizes["parameter"])
    ax.hlines(place, -2, 2, color="0.92", lw=0.8, zorder=0)
    points(ax, data.truth, place, "|", "black", "truth", ms=12, mew=2)
    for name, (words, color, marker) in _LOOKS.items():
        points(ax, data.estimate.sel(estimator=name), place, marker, color, words, ms=6)
    ax.set_title("Only the corrected objective finds the truth")
    names = [str(name).replace("b = ", "b=") for name in data.parameter.values]
    limits = len(place) + 2.4, -0.6
    frame(ax, "fitted parameter (units of activity)", "data", yticks=names, xlim=(-1.6, 1.75), ylim=limits)
    ax.legend(loc="lower center")


def _objectives(ax: Axes, data: xr.Dataset, config: Any) -> None:
    explicit = data.objective.sel(form="explicit")
    curve(ax, data.bias, explicit, "-", "0.75", "explicit: knows the data's score", lw=5)
    for name in ("exact", "dropped", "printed"):
        words, color, _ = _LOOKS[name]
        curve(ax, data.bias, data.objective.sel(form=name), "-", color, words)
    truth, top = config.biases[-1], float(data.objective.sel(form="exact").max())
    ax.axvline(truth, color="black", lw=1, ls=":")
    ax.text(truth, 1.0, " truth", transform=ax.get_xaxis_transform(), va="top")
    ax.set_title(f"One hard unit, b = {truth:g}: where the minimum lies")
    xlabel, ylabel = "bias of the model (units of activity)", "objective less its least value"
    frame(ax, xlabel, ylabel, ylim=(-0.05 * top, 1.9 * top))
    ax.legend(loc="upper left")


def _gaussian(ax: Axes, data: xr.Dataset, config: Any) -> None:
    def objective(precision: Any, sign: int) -> Any:
        return 0.5 * config.variance * precision**2 + sign * precision

    grid = np.linspace(-1.6, 1.6, 81) / config.variance
    for index, (name, sign, words) in enumerate((("exact", -1, "minus (corrected)"), ("printed", 1, "plus (printed)"))):
        _, color, marker = _LOOKS[name]
        curve(ax, grid, objective(grid, sign), "-", color, words)
        points(ax, data.gaussian[index], objective(data.gaussian[index], sign), marker, color, ms=6)
    ax.axvline(1 / config.variance, color="black", lw=1, ls=":")
    ax.text(1 / config.variance, 1.0, "1 / variance ", transform=ax.get_xaxis_transform(), va="top", ha="right")
    ax.set_title(f"Gaussian data, variance {config.variance:g}: the sign")
    frame(ax, "precision of the model", r"$|\partial E|^2/2 \mp \partial^2 E$, mean", ylim=(-0.75, None))
    ax.legend(loc="lower center", title="second derivative with a", ncols=2)


def _temperature(ax: Axes, data: xr.Dataset, config: Any) -> None:
    ax.axhline(config.cold_bias, color="black", lw=1, ls=":")
    for name in ("exact", "dropped"):
        words, color, marker = _LOOKS[name]
        curve(ax, data.temperature, data.cold_estimate.sel(estimator=name), f"{marker}-", color, words, ms=6)
    points(ax, data.temperature, data.cold_prediction_error, "o", "eq1", "minimum of $J_x$", ms=10, mfc="none")
    points(ax, data.temperature, data.cold_reference, "x", "black", "reference", ms=6)
    ax.set_title("Dropping the term is right for cold data only")
    xlabel, ylabel = "temperature of the data (log scale)", "fitted bias (units of activity)"
    frame(ax, xlabel, ylabel, log="x", ylim=(0, 1.15 * config.cold_bias))
    ax.legend(loc="lower left")


def _smoothing(ax: Axes, data: xr.Dataset, config: Any) -> None:
    hard = data.estimate.sel(estimator="exact")[data.sizes["hard_bias"] - 1]
    away = np.abs(data.smooth_estimate - hard)
    for name, words in (("exact", "kept"), ("dropped", "dropped")):
        _, color, marker = _LOOKS[name]
        values = away.sel(estimator=name)
        curve(ax, data.noise_std, values, f"{marker}-", color, f"second derivative {words}", ms=6)
    guide = float(away.sel(estimator="exact")[0]) * data.noise_std / data.noise_std[0]
    curve(ax, data.noise_std, guide, "--", "0.6", "slope 1")
    ax.set_title("Smooth rates approach the kinks' terms")
    xlabel, ylabel = "smoothing of the rate (units of activity, log scale)", "distance from the estimate with kinks"
    frame(ax, xlabel, ylabel, log="xy", xticks=data.noise_std)
    ax.legend(loc="center left")


def _samples(ax: Axes, data: xr.Dataset, config: Any) -> None:
    place = np.arange(2)
    points(ax, [config.pair_weight, config.pair_bias], place, "|", "black", "truth", ms=20, mew=2)
    for shift, name in ((-0.08, "exact"), (0.08, "dropped")):
        row, (words, color, marker) = data.sel(estimator=name), _LOOKS[name]
        fitted = Estimate(row.sampled, row.sampled_low, row.sampled_high)
        points(ax, fitted, place + shift, marker, color, f"{words}, 95 %", ms=6, capsize=3)
    ax.set_title(f"Two units, {config.n_batches * config.n_samples:,} proposed samples")
    xlabel, names = "fitted parameter (units of activity)", ["weight w", "bias b"]
    frame(ax, xlabel, "parameter", zero="x", yticks=names, ylim=(2.6, -0.5))
    ax.legend(loc="lower center")
