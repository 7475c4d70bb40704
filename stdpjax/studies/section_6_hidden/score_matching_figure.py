"""Estimates by score matching in its variants, against the truth."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import curve, frame, points
from stdpjax.studies.panels import panels

# Words, colour, marker.
_LOOKS = {
    "printed": ("printed sign (Eq 23)", "points", "^"),
    "dropped": ("second derivative dropped (Eq 24)", "sum", "s"),
    "exact": ("corrected: kinks kept", "nearest", "o"),
}


def _estimates(ax: Axes, data: xr.Dataset) -> None:
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


def _objectives(ax: Axes, data: xr.Dataset) -> None:
    explicit = data.objective.sel(form="explicit")
    curve(ax, data.bias, explicit, "-", "0.75", "explicit: knows the data's score", lw=5)
    for name in ("exact", "dropped", "printed"):
        words, color, _ = _LOOKS[name]
        curve(ax, data.bias, data.objective.sel(form=name), "-", color, words)
    truth, top = float(data.hard_bias[-1]), float(data.objective.sel(form="exact").max())
    ax.axvline(truth, color="black", lw=1, ls=":")
    ax.text(truth, 1.0, " truth", transform=ax.get_xaxis_transform(), va="top")
    ax.set_title(f"One hard unit, b = {truth:g}: where the minimum lies")
    xlabel, ylabel = "bias of the model (units of activity)", "objective less its least value"
    frame(ax, xlabel, ylabel, ylim=(-0.05 * top, 1.9 * top))
    ax.legend(loc="upper left")


def _temperature(ax: Axes, data: xr.Dataset) -> None:
    ax.axhline(float(data.cold_bias), color="black", lw=1, ls=":")
    for name in ("exact", "dropped"):
        words, color, marker = _LOOKS[name]
        curve(ax, data.temperature, data.cold_estimate.sel(estimator=name), f"{marker}-", color, words, ms=6)
    ax.set_title("Only cold data do without the term")
    xlabel, ylabel = "temperature of the data (log scale)", "fitted bias (units of activity)"
    frame(ax, xlabel, ylabel, log="x", ylim=(0, 1.15 * float(data.cold_bias)))
    ax.legend(loc="lower left")


plot = panels(12.5, 4.0, _estimates, _objectives, _temperature)
