"""J_h and J_x: exact forms, what one update does to either, noise as weight decay, and learning over relaxations."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import plotting
from stdpjax.plotting import COLORS


def plot(data: xr.Dataset, config: Any) -> Figure:
    """Draw the two parts of the objective, the two signs of an update, and learning over repeated relaxations."""
    figure = plotting.new_figure(12.0, 7.6)
    (index, displacement, signs), (noise, speed, times) = figure.subplots(2, 3)
    figure.suptitle("Section 6: what the hidden and the clamped part of the objective do", fontweight="bold")

    step = config.steps[-1]
    one = data.isel(network=0).sel(step=step)
    until = one.sel(time=one.time * step <= 2 * config.late)
    time = until.time * step
    index.plot(time, until.hidden, color=COLORS["eq1"], lw=4, alpha=0.4, label="$J_h$")
    index.plot(
        time, 0.5 * step**2 * until.gradient_now**2, color=COLORS["exact"], lw=1, label="corrected: gradient at $h_t$"
    )
    index.plot(
        time, 0.5 * step**2 * until.gradient_before**2, "--", color=COLORS["control"], lw=1.2,
        label="printed: gradient at $h_{t-1}$",
    )  # fmt: skip
    index.set_yscale("log")
    index.legend(loc="upper right")
    plotting.label(
        index, "$J_h$ is the gradient one step later", f"time t (tau), step {step:g}", "objective (activity²)"
    )

    for value, color in zip(config.steps, ("nearest", "sum", "points"), strict=False):
        cell = data.sel(step=value)
        cell = cell.sel(time=cell.time * value <= config.late)
        ratio = cell.two_steps / (value * cell.gradient_before)
        when = cell.time * value
        displacement.plot(when, ratio.mean("network"), color=COLORS[color], label=f"measured, step {value:g}")
        low, high = ratio.quantile([0.05, 0.95], "network").values
        displacement.fill_between(when, low, high, color=COLORS[color], alpha=0.2, lw=0)
    displacement.axhline(0, ls="--", color=COLORS["control"], label="printed: 0 near a fixed point")
    displacement.set_ylim(-0.1, 2.7)
    displacement.legend(loc="upper right")
    plotting.label(
        displacement, "Two steps never become small", "time t (tau)", r"$|h_{t+1}-h_{t-1}|$ / (step · gradient)"
    )

    bars = {
        "clamped units,\nstep on $J_x$": (data.clamped_update, "nearest"),
        "clamped units,\nEq 1 literally": (data.literal_update, "control"),
        "hidden units,\nstep on $J_h$": (data.free_update, "sum"),
        "hidden units,\ntrue gradient": (data.true_update, "control"),
    }
    rng = np.linspace(-0.18, 0.18, data.sizes["network"])
    for place, (values, color) in enumerate(bars.values()):
        change = 100 * np.expm1(values)
        signs.plot(place + rng, change, ".", ms=3, color=COLORS[color])
        signs.hlines(change.mean(), place - 0.3, place + 0.3, color="black", lw=1.5)
    signs.axhline(0, color="0.75", lw=0.8, zorder=0)
    signs.set_xticks(range(len(bars)), list(bars), fontsize=7)
    plotting.label(
        signs, "Clamped units fall, hidden ones rise", "one weight update (points: networks)",
        "change of the gradient's norm (%)",
    )  # fmt: skip

    expected = 1e3 * data.decay_term
    noise.errorbar(
        expected, 1e3 * (data.noisy_mean - data.noise_free), yerr=1.96e3 * data.noisy_error, fmt="o", ms=4,
        color=COLORS["eq1"], label="measured, 95 %",
    )  # fmt: skip
    top = 1.15 * float(expected.max())
    noise.plot([0, top], [0, top], color=COLORS["exact"], lw=1, label="corrected: weight decay")
    noise.axhline(0, ls="--", color=COLORS["control"], label="printed: noise ignored")
    noise.legend(loc="upper left")
    plotting.label(
        noise, "Noise in $J_x$ is a weight decay", "noise² |W|² / 2 (10⁻³ activity²)",
        "$J_x$ / step² beyond the noise-free (10⁻³ activity²)",
    )  # fmt: skip

    styles = {config.learning_rate: "-", -config.learning_rate: ":"}
    colors = {"high": COLORS["sum"], "centre": COLORS["eq1"], "low": COLORS["nearest"]}
    signs_of = {config.learning_rate: "Eq 1", -config.learning_rate: "reversed"}
    count = np.arange(data.sizes["relaxation"])
    for rate, style in styles.items():
        for centre, color in colors.items():
            cell = data.sel(rate=rate, centre=centre)
            mean = cell.speed.mean("learner")
            error = 1.96 * cell.speed.std("learner", ddof=1) / np.sqrt(data.sizes["learner"])
            speed.plot(count, mean, style, color=color, label=f"{signs_of[rate]}, {centre}")
            speed.fill_between(count, mean - error, mean + error, color=color, alpha=0.15, lw=0)
            width = max(1, count.size // 12)
            usual = cell.convergence_time.mean("learner").rolling(relaxation=width, center=True, min_periods=1).mean()
            times.plot(count, usual, style, color=color)
    for ax in (speed, times):
        ax.set_yscale("log")
    speed.set_ylim(top=3 * float(data.speed.mean("learner").max()))
    speed.legend(loc="upper left", ncols=2, title="rule and rates at the fixed point; bands: 95 %")
    plotting.label(speed, "Eq 1 makes the network faster ...", "relaxations so far", "speed at random states (1/tau)")
    plotting.label(
        times, "... which may take it longer to settle", "relaxations so far", "time to 5 % of the way (tau)"
    )
    return figure
