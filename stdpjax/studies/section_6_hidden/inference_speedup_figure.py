"""Relaxation times after learning, without inputs and with, beside those after random changes, of networks at rest."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stdpjax.lab.plotting import frame, new_figure, points
from stdpjax.stats import Estimate
from stdpjax.studies.section_6_hidden.relaxations import mean_ratio

_CHANGES = {"impatient": ("updates at every step", "eq1", "o"), "mode": ("as large, on the slowest mode", "exact", "s")}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw how much longer relaxations take after descent on J_h, and after impatient rather than patient updates."""
    figure = new_figure(12, 4.2)
    figure.suptitle("Does learning make inference faster?", fontweight="bold")
    still, noisy, clamped = figure.subplots(1, 3)
    free = {name: f"{name} rates" for name in ("low", "middle", "high")}
    rules = {"Eq 1": "Eq 1", "descent on J": "descent on J", "more of Eq 1": "8 times\nEq 1"}
    _ratios(still, data, "Time to forget, without noise", free)
    _ratios(noisy, data, "Time to forget, noisy chains", {f"{case}, noise": words for case, words in free.items()})
    rules |= {f"{case}, noise": f"{words}, noise" for case, words in rules.items()}
    _ratios(clamped, data, "Time to forget, inputs clamped", rules, "patient")
    return figure


def _ratios(ax: Axes, data: xr.Dataset, title: str, cases: dict[str, str], before: str = "none") -> None:
    for row, case in enumerate(cases):
        for place, (change, (words, color, marker)) in zip((-0.1, 0.1), _CHANGES.items(), strict=True):
            percent = Estimate(*(100 * np.expm1(part) for part in mean_ratio(data, case, change, before)[:3]))
            points(ax, percent, row + place, marker, color, words if row == 0 else "", ms=5, capsize=0)
    ax.set_title(title)
    xlabel = f"relative to {before.replace('none', 'before').replace('ent', 'ent updates')} (%), 95 %"
    frame(ax, xlabel, "network", zero="x", yticks=list(cases.values()), ylim=(len(cases) - 0.4, -1.2))
    ax.set_xscale("symlog", linthresh=1)
    ax.legend(loc="upper left")
