"""Errors against the pull and the length of the phase, and updates against the gradient."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting

_NAMES = {
    "symmetric": ("pull and push", "nearest"),
    "one_sided": ("pull alone: contrast", "pre"),
    "paper_midpoint": ("pull alone: Eq 1, midpoint", "eq1"),
    "paper": ("pull alone: Eq 1, current", "sum"),
    "random_sign": ("pull or push, at random", "points"),
}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw how far the two-phase updates are from the gradient, and what decides."""
    figure = plotting.new_figure(12.0, 7.2)
    (first, scatter, pulls), (layers, lengths, conditions) = figure.subplots(2, 3)

    position = data.arrival.values
    for offset, feedback, color in ((-0.15, "tied", "eq1"), (0.15, "untied", "control")):
        values = data.first_error.sel(feedback=feedback)
        for network in range(data.sizes["network"]):
            first.plot(
                position + offset, values.isel(network=network), "o", ms=4, alpha=0.7, color=plotting.COLORS[color],
                label=f"{feedback} weights" if network == 0 else None,
            )  # fmt: skip
    n_layers = len(config.sizes)
    names = ["inputs", *(f"hidden {k}" for k in range(1, n_layers - 1)), "outputs"]
    pairs = [f"{names[k]}–\n{names[k + 1]}" for k in range(n_layers - 1)]
    first.set_yscale("log")
    first.set_ylim(top=1e3)
    first.set_xticks(position, pairs[::-1])
    plotting.label(
        first, "First arrival: Eq 1 is back-propagation", "weights between", "relative error of the weight change"
    )
    first.legend(loc="upper left", ncols=2)

    for rule in ("paper_midpoint", "symmetric"):
        label, color = _NAMES[rule]
        scatter.plot(
            data.gradient_values, data.update_values.sel(rule=rule), "o", ms=3, alpha=0.6,
            color=plotting.COLORS[color], label=label,
        )  # fmt: skip
    reach = float(np.abs(data.gradient_values).max())
    scatter.plot([-reach, reach], [-reach, reach], "-", lw=1, color=plotting.COLORS["exact"], label="equal")
    plotting.label(
        scatter,
        f"Every weight of one network (pull {config.pulls[-1]:g})",
        "minus gradient of the settled loss",
        "update",
    )
    scatter.legend(loc="upper left")

    error = data.error.sel(rate="hard", kind=["layered", "all to all"]).mean(("kind", "network"))
    for rule, (label, color) in _NAMES.items():
        pulls.plot(data.pull, error.sel(rule=rule), marker="o", ms=4, color=plotting.COLORS[color], label=label,
                   ls="--" if rule == "paper_midpoint" else "-")  # fmt: skip
    start = error.sel(rule="symmetric").values[-1]
    for power in (1, 2):
        guide = start * (data.pull / data.pull[-1]) ** power * (8 if power == 1 else 0.4)
        pulls.plot(data.pull, guide, ":", lw=1, color="0.5")
        pulls.text(float(data.pull[0]), float(guide[0]), f"slope {power}", fontsize=8, color="0.4", va="bottom")
    pulls.set_xscale("log")
    pulls.set_yscale("log")
    pulls.set_xticks(config.pulls, [f"{value:g}" for value in config.pulls])
    pulls.minorticks_off()
    pulls.set_ylim(top=10 * float(error.max()))
    plotting.label(
        pulls, "The weaker the pull, the smaller the error", r"strength of the pull $\beta$",
        "relative error against the gradient",
    )  # fmt: skip
    pulls.legend(loc="upper left")

    chosen = config.pulls[len(config.pulls) // 2]
    shown = ("symmetric", "paper_midpoint", "paper")
    for index, rule in enumerate(shown):
        label, color = _NAMES[rule]
        ratio = data.pair_ratio.sel(rule=rule)
        cosine = float(data.pair_cosine.sel(rule=rule).min())
        layers.bar(data.pair + 0.27 * (index - 1), ratio.mean("network"), 0.25,
                   yerr=1.96 * ratio.std("network", ddof=1) / np.sqrt(data.sizes["network"]), capsize=3,
                   color=plotting.COLORS[color], label=f"{label}; cosine at least {cosine:.4f}")  # fmt: skip
    layers.axhline(1, color=plotting.COLORS["exact"], lw=1)
    layers.set_ylim(0, 1.6)
    layers.set_xticks(data.pair, pairs)
    plotting.label(
        layers, f"Size of the update, layer by layer (pull {chosen:g})", "weights between", "|update| / |gradient|"
    )
    layers.legend(loc="upper left")

    colors = ("biology", "eq1", "nearest", "rate", "sum", "points", "pre")
    for pair, name in zip(data.pair.values, pairs, strict=True):
        lengths.plot(
            data.length, data.cosine_by_length.sel(pair=pair).mean("network"), "o-", ms=4,
            color=plotting.COLORS[colors[pair % len(colors)]], label=name.replace("\n", ""),
        )  # fmt: skip
    lengths.set_xscale("log")
    lengths.set_xticks(config.lengths, [f"{n}" for n in config.lengths])
    lengths.minorticks_off()
    lengths.set_ylim(-0.05, 1.1)
    plotting.label(
        lengths,
        "Each step reaches one more layer",
        f"length of the pulled phase (steps of {config.step:g} tau)",
        "cosine of Eq 1 with the gradient",
    )
    lengths.legend(loc="lower right")

    weakest, smooth = (data.error.sel(rate=rate).isel(pull=0) for rate in ("hard", "smooth"))
    bars = [
        ("layered", weakest.sel(rule="symmetric", kind="layered"), "nearest"),
        ("all to all", weakest.sel(rule="symmetric", kind="all to all"), "nearest"),
        ("smooth\nrates", smooth.sel(rule="symmetric", kind="layered"), "nearest"),
        ("Eq 1,\nhard", weakest.sel(rule="paper_two_sided", kind="layered"), "eq1"),
        ("Eq 1,\nsmooth", smooth.sel(rule="paper_two_sided", kind="layered"), "control"),
        ("untied\nweights", weakest.sel(rule="symmetric", kind="untied"), "control"),
        ("wrong\nsign", data.flipped.sel(kind="layered"), "control"),
    ]
    for index, (_, values, color) in enumerate(bars):
        conditions.bar(index, float(values.mean()), 0.7, color=plotting.COLORS[color])
        conditions.text(index, 1.3 * float(values.mean()), f"{float(values.mean()):.1g}", ha="center", fontsize=8)
    conditions.set_yscale("log")
    conditions.set_ylim(top=20)
    conditions.set_xticks(range(len(bars)), [name for name, _, _ in bars], fontsize=7.5)
    plotting.label(
        conditions,
        f"What it needs (pull {config.pulls[0]:g})",
        "all with pull and push; grey: should fail",
        "relative error against the gradient",
    )
    return figure
