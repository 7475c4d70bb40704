"""Relaxation times after learning, without inputs and with, beside those after random changes, of networks at rest."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import frame, new_figure, points
from stdpjax.stats import Estimate
from stdpjax.studies.section_6_hidden.relaxations import mean_ratio

_FREE = {"low": "low rates", "middle": "middle rates", "high": "high rates"}
_NOISY = {f"{case}, noise": words for case, words in _FREE.items()}
_CLAMPED = {
    "Eq 1": "Eq 1",
    "descent on J": "descent on J",
    "more of Eq 1": "8 times\nEq 1",
    "Eq 1, noise": "Eq 1,\nnoise",
    "descent on J, noise": "descent on J,\nnoise",
    "more of Eq 1, noise": "8 times\nEq 1, noise",
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw how much longer relaxations take after descent on J_h, and after impatient rather than patient updates."""
    figure = new_figure(12, 4.2)
    still, noisy, clamped = figure.subplots(1, 3)
    figure.suptitle("Does learning make inference faster?", fontweight="bold")
    looks = ("descent on $J_h$", "points", "^")
    _ratios(still, data, _FREE, "none", looks)
    still.set_title("No inputs, no noise")
    _ratios(noisy, data, _NOISY, "none", looks)
    noisy.set_title("No inputs, noisy chains")
    _ratios(clamped, data, _CLAMPED, "patient", ("updates at every step", "eq1", "o"))
    clamped.set_title("Inputs clamped")
    return figure


def _ratios(ax: Axes, data: xr.Dataset, cases: dict[str, str], before: str, looks: Any) -> None:
    changes = {"impatient": looks, "mode": ("as large, on the slowest mode", "exact", "s")}
    for row, case in enumerate(cases):
        for place, (change, (words, color, marker)) in enumerate(changes.items()):
            mean = mean_ratio(data, case, change, before)
            percent = Estimate(*(100 * np.expm1(part) for part in mean[:3]))
            points(ax, percent, row + 0.2 * (place - 0.5), marker, color, words if row == 0 else "", ms=5, capsize=0)
    words = "relative to before (%), 95 %" if before == "none" else "relative to patient updates (%), 95 %"
    frame(ax, f"time, {words}", "network", zero="x", yticks=list(cases.values()), ylim=(len(cases) - 0.4, -1.2))
    ax.set_xscale("symlog", linthresh=1)
    ax.legend(loc="upper left")
