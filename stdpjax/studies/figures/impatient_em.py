"""Running averages, hidden rows at equilibrium, and divergence from the truth along training."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.plotting import COLORS

_METHODS = {
    "dropped": ("second derivative dropped (paper)", "sum"),
    "literal": ("Eq 1 literally", "control"),
    "impatient": ("impatient, kept", "nearest"),
    "patient": ("patient, kept", "eq1"),
    "likelihood": ("maximum likelihood", "exact"),
}
_FLOWS = {"dropped": ("dropped (paper)", "sum"), "kept": ("kept", "nearest"), "likelihood": ("likelihood", "exact")}


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the bias of averages, Stein's identity, learning by method, and the mean flow."""
    figure = plotting.new_figure(12.0, 7.6)
    (average, rows, gradient), (learning, final, flow) = figure.subplots(2, 3)
    figure.suptitle("Section 6.3: EM by score matching, patient and impatient", fontweight="bold")

    average.loglog(data.length, np.abs(data.bias), "o", color=COLORS["eq1"], label="running average, exact law")
    c = float(data.exact_transient)
    average.loglog(data.length, abs(c) / data.length, "--", color=COLORS["exact"], lw=1, label="c / T")
    average.set_xticks(data.length.values, [str(length) for length in data.length.values])
    average.minorticks_off()
    average.legend(loc="upper right")
    plotting.label(
        average, "Impatience costs c / T", "steps averaged over, T (log scale)", "bias of the mean rate (log)"
    )

    apart = ~np.eye(3, dtype=bool)
    names = [f"{post}←{pre}" for post, pre in zip(*np.nonzero(apart), strict=True)]
    place = np.arange(len(names))
    for number, (words, color, shift) in enumerate(
        (("−g ρ'ρ: update, term dropped", "sum", -0.2), ("−ρ''ρ: the dropped term", "eq1", 0.0),
         ("Eq 1", "control", 0.2))
    ):  # fmt: skip
        value, error = (data[name][number].values[apart] for name in ("sampled_terms", "sampled_terms_error"))
        rows.errorbar(place + shift, value, yerr=1.96 * error, fmt="o", ms=4, color=COLORS[color], label=words)
        rows.hlines(data.exact_terms[number].values[apart], place + shift - 0.1, place + shift + 0.1,
                    color=COLORS["exact"], lw=1)  # fmt: skip
    rows.axhline(0, color="0.75", lw=0.8, zorder=0)
    rows.set_ylim(top=1.6 * float(data.exact_terms[1].values[apart].max()) + 0.02)
    rows.set_xticks(place, names)
    rows.legend(loc="upper left", title="points: Langevin, 95 %; lines: quadrature")
    plotting.label(rows, "Hidden rows learn the dropped term only", "post ← pre unit", "mean update (activity)")

    cases = [("hard", "one"), ("hard", "both"), ("sigmoid", "one"), ("sigmoid", "both")]
    for shift, correction, color in ((-0.18, "kept", "nearest"), (0.18, "dropped", "sum")):
        sizes = [float(np.abs(data.gradient.sel(rates=rates, clamped=clamped, correction=correction)).max())
                 for rates, clamped in cases]  # fmt: skip
        gradient.bar(np.arange(4) + shift, sizes, 0.34, color=COLORS[color], label=f"second derivative {correction}")
    gradient.set_xticks(range(4), [f"{rates},\n{clamped}" for rates, clamped in cases])
    gradient.set_ylim(top=1.4 * float(np.abs(data.gradient).max()))
    gradient.legend(loc="upper left")
    plotting.label(gradient, "The truth is stationary with the term", "rates and clamped units",
                   "largest gradient at the truth (activity)")  # fmt: skip

    for name, (words, color) in _METHODS.items():
        path = data.divergence.sel(learner=name)
        mean, reach = path.mean("seed"), 1.96 * path.std("seed", ddof=1) / np.sqrt(path.sizes["seed"])
        learning.plot(data["round"], mean, color=COLORS[color], label=words)
        learning.fill_between(data["round"], mean - reach, mean + reach, color=COLORS[color], alpha=0.2, lw=0)
    learning.set_ylim(0, 1.75 * float(data.divergence.mean("seed").max()))
    learning.legend(loc="upper right", title="mean over seeds and 95 %")
    plotting.label(learning, "One visible, one hidden unit: learning", "updates", "divergence from the truth (nats)")

    for row, (name, (_, color)) in enumerate(_METHODS.items()):
        ends = data.weight.sel(learner=name).isel(round=-1)
        final.plot(ends, np.full(ends.size, row), "o", ms=4, mfc="none", color=COLORS[color])
        final.plot(ends.mean(), row, "|", ms=16, mew=2, color=COLORS[color])
    final.axvline(config.truth[0], ls=":", color=COLORS["exact"])
    final.text(config.truth[0], -0.6, "truth ", ha="right", va="center", fontsize=8)
    final.axvline(config.start[0], color="0.75", lw=0.8, zorder=0)
    final.text(config.start[0], -0.6, " start", va="center", fontsize=8)
    final.set_yticks(range(len(_METHODS)), ["dropped", "literal", "impatient", "patient", "likelihood"])
    final.set_ylim(len(_METHODS) - 0.5, -1)
    plotting.label(final, "The weight is weakly determined", "final weight (seeds; bar: mean)", "method")

    for name, (words, color) in _FLOWS.items():
        flow.plot(data.flow_update, data.flow_divergence.sel(flow=name), color=COLORS[color], label=words)
    flow.set_yscale("log")
    flow.legend(loc="lower left")
    plotting.label(flow, "Three units: kept, it reaches the truth", "mean updates (quadrature)",
                   "divergence (nats, log scale)")  # fmt: skip
    return figure
