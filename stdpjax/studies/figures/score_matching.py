"""Estimates by score matching in its variants, against the truth."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax import plotting

_COLORS = {"exact": plotting.COLORS["nearest"], "dropped": plotting.COLORS["sum"], "printed": plotting.COLORS["points"]}
_WORDS = {
    "exact": "corrected: kinks kept",
    "dropped": "second derivative dropped (Eq 24)",
    "printed": "printed sign (Eq 23)",
}
_MARKERS = {"exact": "o", "dropped": "s", "printed": "^"}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw fitted against true parameters, the objectives, and when the dropped term matters."""
    figure = plotting.new_figure(12.5, 7.2)
    axes = figure.subplots(2, 3)
    _estimates(axes[0, 0], data)
    _objectives(axes[0, 1], data, config)
    _gaussian(axes[0, 2], data, config)
    _temperature(axes[1, 0], data, config)
    _smoothing(axes[1, 1], data)
    _samples(axes[1, 2], data, config)
    return figure


def _estimates(ax: Axes, data: xr.Dataset) -> None:
    place = np.arange(data.sizes["parameter"])
    ax.hlines(place, -2, 2, color="0.92", lw=0.8, zorder=0)
    ax.plot(data.truth, place, "|", ms=12, mew=2, color="black", label="truth")
    for name in ("printed", "dropped", "exact"):
        ax.plot(data.estimate.sel(estimator=name), place, _MARKERS[name], color=_COLORS[name], label=_WORDS[name])
    ax.set_yticks(place, [str(name).replace("b = ", "b=") for name in data.parameter.values])
    ax.set_ylim(len(place) + 2.4, -0.6)
    ax.set_xlim(-1.6, 1.75)
    plotting.label(ax, "Only the corrected objective finds the truth", "fitted parameter (units of activity)", "data")
    ax.legend(loc="lower center")


def _objectives(ax: Axes, data: xr.Dataset, config: Any) -> None:
    ax.plot(
        data.bias, data.objective.sel(form="explicit"), color="0.75", lw=5, label="explicit: knows the data's score"
    )
    for name in ("exact", "dropped", "printed"):
        ax.plot(data.bias, data.objective.sel(form=name), color=_COLORS[name], label=_WORDS[name])
    ax.axvline(config.biases[-1], color="black", lw=1, ls=":")
    ax.text(config.biases[-1], 1.0, " truth", transform=ax.get_xaxis_transform(), va="top")
    top = float(data.objective.sel(form="exact").max())
    ax.set_ylim(-0.05 * top, 1.9 * top)
    plotting.label(
        ax, f"One hard unit, b = {config.biases[-1]:g}: where the minimum lies",
        "bias of the model (units of activity)",
        "objective less its least value",
    )  # fmt: skip
    ax.legend(loc="upper left")


def _gaussian(ax: Axes, data: xr.Dataset, config: Any) -> None:
    precision = np.linspace(-1.6, 1.6, 81) / config.variance
    for sign, name in ((-1, "exact"), (1, "printed")):
        words = "minus (corrected)" if sign < 0 else "plus (printed)"
        ax.plot(precision, 0.5 * config.variance * precision**2 + sign * precision, color=_COLORS[name], label=words)
        fitted = float(data.gaussian[0 if sign < 0 else 1])
        ax.plot(fitted, 0.5 * config.variance * fitted**2 + sign * fitted, _MARKERS[name], color=_COLORS[name])
    ax.axvline(1 / config.variance, color="black", lw=1, ls=":")
    ax.text(1 / config.variance, 1.0, "1 / variance ", transform=ax.get_xaxis_transform(), va="top", ha="right")
    plotting.label(
        ax, f"Gaussian data, variance {config.variance:g}: the sign", "precision of the model",
        r"$|\partial E|^2/2 \mp \partial^2 E$, mean",
    )  # fmt: skip
    ax.set_ylim(-0.75, None)
    ax.legend(loc="lower center", title="second derivative with a", ncols=2)


def _temperature(ax: Axes, data: xr.Dataset, config: Any) -> None:
    ax.axhline(config.cold_bias, color="black", lw=1, ls=":")
    for name in ("exact", "dropped"):
        ax.plot(data.temperature, data.cold_estimate.sel(estimator=name), _MARKERS[name], ls="-", color=_COLORS[name],
                label=_WORDS[name])  # fmt: skip
    ax.plot(data.temperature, data.cold_prediction_error, "o", ms=10, mfc="none", color=plotting.COLORS["eq1"],
            label="minimum of $J_x$")  # fmt: skip
    ax.plot(data.temperature, data.cold_reference, "x", color="black", label="reference")
    ax.set_xscale("log")
    ax.set_ylim(0, 1.15 * config.cold_bias)
    plotting.label(
        ax, "Dropping the term is right for cold data only", "temperature of the data (log scale)",
        "fitted bias (units of activity)",
    )  # fmt: skip
    ax.legend(loc="lower left")


def _smoothing(ax: Axes, data: xr.Dataset) -> None:
    hard = data.estimate.sel(estimator="exact")[data.sizes["hard_bias"] - 1]
    for name in ("exact", "dropped"):
        away = np.abs(data.smooth_estimate.sel(estimator=name) - hard)
        ax.loglog(data.noise_std, away, _MARKERS[name], ls="-", color=_COLORS[name],
                  label="second derivative " + ("kept" if name == "exact" else "dropped"))  # fmt: skip
    first = float(np.abs(data.smooth_estimate.sel(estimator="exact") - hard)[0])
    ax.loglog(data.noise_std, first * data.noise_std / data.noise_std[0], "--", color="0.6", label="slope 1")
    ax.set_xticks(data.noise_std.values, [f"{std:.2g}" for std in data.noise_std.values])
    ax.minorticks_off()
    plotting.label(
        ax, "Smooth rates approach the kinks' terms", "smoothing of the rate (units of activity, log scale)",
        "distance from the estimate with kinks",
    )  # fmt: skip
    ax.legend(loc="center left")


def _samples(ax: Axes, data: xr.Dataset, config: Any) -> None:
    place = np.arange(2)
    ax.plot([config.pair_weight, config.pair_bias], place, "|", ms=20, mew=2, color="black", label="truth")
    for shift, name in ((-0.08, "exact"), (0.08, "dropped")):
        row = data.sel(estimator=name)
        reach = np.stack([row.sampled - row.sampled_low, row.sampled_high - row.sampled])
        ax.errorbar(row.sampled, place + shift, xerr=reach, fmt=_MARKERS[name], color=_COLORS[name], capsize=3,
                    label=_WORDS[name] + ", 95 %")  # fmt: skip
    ax.axvline(0, color="0.75", lw=0.8, zorder=0)
    ax.set_yticks(place, ["weight w", "bias b"])
    ax.set_ylim(2.6, -0.5)
    n_samples = config.n_batches * config.n_samples
    plotting.label(
        ax, f"Two units, {n_samples:,} proposed samples", "fitted parameter (units of activity)", "parameter"
    )
    ax.legend(loc="lower center")
