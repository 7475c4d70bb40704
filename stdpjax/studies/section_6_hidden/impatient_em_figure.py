"""Running averages, hidden rows at equilibrium, and divergence from the truth along training."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import bars, curve, frame, points
from stdpjax.stats import mean_interval
from stdpjax.studies.panels import panels

_METHODS = {
    "dropped": ("second derivative dropped (paper)", "sum"),
    "impatient": ("impatient, kept", "nearest"),
    "patient": ("patient, kept", "eq1"),
    "likelihood": ("maximum likelihood", "exact"),
}


def _average(ax: Axes, data: xr.Dataset) -> None:
    points(ax, data.length, np.abs(data.bias), "o", "eq1", "running average, exact law", ms=6)
    curve(ax, data.length, abs(float(data.transient)) / data.length, "--", "exact", "c / T", lw=1)
    ax.set_title("Impatience costs c / T")
    xlabel = "steps averaged over, T (log scale)"
    frame(ax, xlabel, "bias of the mean rate (log)", log="xy", xticks=data.length)
    ax.legend(loc="upper right")


def _rows(ax: Axes, data: xr.Dataset) -> None:
    apart = ~np.eye(3, dtype=bool)
    names = [f"{post}←{pre}" for post, pre in zip(*np.nonzero(apart), strict=True)]
    looks = (("sum", "−g ρ'ρ: the frozen gradient"), ("eq1", "−ρ''ρ: the second derivative"), ("control", "Eq 1"))
    for number, (color, words) in enumerate(looks):
        place = np.arange(len(names)) + 0.27 * (number - 1)
        bars(ax, place, data.mean_update[number].values[apart], color, words, width=0.25)
    ax.set_title("Hidden rows learn the dropped term only")
    top = 1.5 * float(data.mean_update[1].values[apart].max()) + 0.02
    frame(ax, "post ← pre unit", "mean update (activity)", zero="y", ylim=(None, top), xticks=names)
    ax.legend(loc="upper left", title="under the model, by quadrature")


def _learning(ax: Axes, data: xr.Dataset) -> None:
    for name, (words, color) in _METHODS.items():
        curve(ax, data["round"], mean_interval(data.divergence.sel(learner=name), "seed"), "-", color, words)
    ax.set_title("One visible, one hidden unit: learning")
    top = 1.75 * float(data.divergence.mean("seed").max())
    frame(ax, "updates", "divergence from the truth (nats)", ylim=(0, top))
    ax.legend(loc="upper right", title="mean over seeds and 95 %")


def _flow(ax: Axes, data: xr.Dataset) -> None:
    looks = ("dropped", "dropped (paper)", "sum"), ("kept", "kept", "nearest"), ("likelihood", "likelihood", "exact")
    for name, words, color in looks:
        curve(ax, data.flow_update, data.flow_divergence.sel(flow=name), "-", color, words)
    ax.set_title("Three units: kept, it reaches the truth")
    frame(ax, "mean updates (quadrature)", "divergence (nats, log scale)", log="y")
    ax.legend(loc="lower left")


plot = panels(9.0, 7.6, _average, _rows, _learning, _flow, n_rows=2)
