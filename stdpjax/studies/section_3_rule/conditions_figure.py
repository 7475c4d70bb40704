"""The factor of condition 2, and condition 3 at a kink."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab.plotting import COLORS, curve, frame, points
from stdpjax.studies.panels import panels


def _factor(ax: Axes, data: xr.Dataset) -> None:
    order = np.argsort(data.state.values.ravel())
    for index, color in enumerate(("eq1", "nearest", "sum")):
        row = data.isel(energy=index)
        x, slope, factor = (part.values.ravel()[order] for part in (data.state, row.slope, row.coefficient))
        curve(ax, x, slope, "-", color, lw=1, **({} if index else {"drawstyle": "steps-mid"}))
        points(ax, x, factor, "o", color, row.energy.item().removeprefix("Eq 16, "), ms=3, mfc="none", mew=0.7)
    ax.axhline(1, ls="--", lw=1, color=COLORS["control"], label="printed: a constant")
    ax.set_title("The factor of condition 2 follows $\\rho'$: zero in saturation")
    ylabel = "factor of $\\rho(s_j)$ in $\\partial R_i/\\partial W_{ij}$"
    frame(ax, "activity $s_i$ (active region: -0.5 to 0.5)", ylabel, ylim=(-0.05, 1.75))
    ax.legend(loc="upper left", ncols=2, title="points: measured; lines: $\\rho'(s_i)$")


def _kink(ax: Axes, data: xr.Dataset) -> None:
    area = data.bend.integrate("activity")
    for index, color in zip(range(data.sizes["width"]), ("biology", "pre", "eq1", "nearest", "points"), strict=False):
        width = float(data.width[index])
        words = "hard: 0 but at the kink" if width == 0 else f"smoothed by {width:g}: area {float(area[index]):.3f}"
        curve(ax, data.activity, data.bend.isel(width=index), "-", color, words, lw=2 if width == 0 else 1.2)
    ax.axvline(-0.5, ls=":", lw=1, color="0.5")
    ax.set_title("Condition 3 at a kink: narrower, higher, never gone")
    ylabel = "$|\\partial^3E/\\partial s^2\\partial b|$ (1 / activity)"
    top = 1.12 * float(data.bend.max())
    frame(ax, "activity s about the lower kink (-0.5)", ylabel, xlim=(-0.9, -0.1), ylim=(None, top))
    ax.legend(loc="upper left")


plot = panels(12.0, 4.6, _factor, _kink)
