"""Figure 2 right, the tables of correlations, and the saturating control."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw Figure 2 right, the table of correlations, and the saturating control."""
    figure = plotting.new_figure(12.0, 7.0)
    grid = figure.add_gridspec(2, 3)
    relation, table, binned = (figure.add_subplot(grid[0, column]) for column in range(3))
    theory, saturation = figure.add_subplot(grid[1, :2]), figure.add_subplot(grid[1, 2])

    low = data.update_sampled - data.update_sampled_low
    high = data.update_sampled_high - data.update_sampled
    relation.errorbar(
        data.eq1, data.update_sampled, np.maximum([low, high], 0), fmt="o", ms=3.5, color=plotting.COLORS["nearest"],
        label="sampled, 95 % interval", lw=1,
    )  # fmt: skip
    relation.plot(data.eq1, data.update_exact, "-", lw=1, color=plotting.COLORS["exact"], label="exact")
    relation.plot(data.eq1, data.update_control, ":", color=plotting.COLORS["control"], label="control: other sequence")
    plotting.zero_lines(relation)
    plotting.label(
        relation,
        f"Fig. 2 right (r = {config.max_probability:g}, correlation {float(data.binned_correlation_sampled):.3f})",
        r"Eq 1: $\dot s_i\,\rho(s_j)$ (1/bin)",
        "nearest-neighbour update per bin",
    )
    relation.legend(loc="upper left")

    for ax, name, title in ((table, "table_per_bin", "Correlation per bin (exact)"),
                            (binned, "table_binned", f"Correlation over {config.n_bins} bins (exact)")):  # fmt: skip
        plotting.table(ax, data[name], data.width, data.probability, low=0, centre=0.5, high=1)
        plotting.label(ax, title, "spike probability per bin, r", "drive width (bins)")

    for index, width in enumerate(config.widths):
        row = data.isel(width=index)
        theory.fill_between(data.probability, row.table_per_bin_low, row.table_per_bin_high, alpha=0.2, lw=0)
        (line,) = theory.plot(data.probability, row.table_per_bin, "o-", ms=3.5, label=f"width {width:g}")
        theory.plot(data.probability, row.table_reference, "x", ms=7, color=line.get_color())
        theory.axhline(float(row.linear_response), ls=":", lw=1, color=line.get_color())
    theory.set_xscale("log")
    theory.set_xticks(config.probabilities, [f"{p:g}" for p in config.probabilities])
    theory.minorticks_off()
    theory.set_ylim(0, 1.03)
    plotting.label(
        theory,
        "Exact correlation per bin; x: reference; dotted: linear response at low rate",
        "spike probability per bin, r",
        "correlation with Eq 1",
    )
    theory.legend(title="drive width (bins)", loc="lower left")

    for offset, name, color in ((-0.18, "unsaturated", "eq1"), (0.18, "saturating", "sum")):
        value = data[f"{name}_value"][:2]
        error = np.maximum([value - data[f"{name}_low"][:2], data[f"{name}_high"][:2] - value], 0)
        saturation.bar(
            np.arange(2) + offset, value, 0.34, yerr=error, color=plotting.COLORS[color], label=name, capsize=3
        )
        for position, number in enumerate(value.values):
            saturation.text(position + offset, 0.03, f"{number:.3f}", ha="center", color="white", fontsize=8)
    saturation.set_xticks([0, 1], [r"$ds_i/dt$", r"$d\rho(s_i)/dt$"])
    saturation.set_ylim(0, 1.25)
    plotting.label(
        saturation,
        f"Saturating control (width {config.saturating_width:g})",
        "postsynaptic factor",
        "correlation per bin",
    )
    saturation.legend(loc="upper center", ncols=2, title="drive")
    return figure
