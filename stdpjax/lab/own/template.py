"""Does a pair rule drift at constant rates as its exact mean says? Ask something of your own instead.

stdpjax run my_study.py --smoke            seconds, without a verdict
stdpjax run my_study.py --n-trials 4000    into results/: report.html, ledger.json, my_study/
"""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax import random, rules, spikes, stats
from stdpjax.lab import Claim, Study, configuration, estimate, keep_estimate, setting, within


# Each setting is an option of the command line; values out of range are refused.
@configuration
class Config:
    """Settings; times in ms, bins of 1 ms."""

    rate: float = setting(0.03, "spike probability per bin of both neurons", probability=True)
    tau: float = setting(20.0, "time constant of potentiation, in ms", above=0)
    tau_minus: float = setting(40.0, "time constant of depression, in ms", above=0)
    n_bins: int = setting(500, "bins of a trial", at_least=2)
    n_trials: int = setting(2000, "independent trials", at_least=2)


def run(key, config, progress):
    """Return labelled data: what claims measure and the figure shows. The same key gives the same numbers."""
    rule = rules.pair_rule(0.01, 0.01, config.tau, config.tau_minus)
    # More trials keep the first ones, as each has a key of its own.
    trial_keys = random.member_keys(random.named_key(key, "trials"), config.n_trials)
    probability = jnp.full(config.n_bins, config.rate)

    @jax.jit
    @jax.vmap
    def drift(trial_key):
        pre, post = (spikes.sample_spikes(random.named_key(trial_key, name), probability) for name in ("pre", "post"))
        return rules.train_updates(rule, pre, post).sum()

    progress(0.0, "trials")
    drifts = np.asarray(drift(trial_keys), float)
    exact = float(rules.expected_updates(rule, probability, probability).sum())
    areas = 0.01 * (config.tau - config.tau_minus)
    return xr.Dataset(
        {
            "drift": ("trial", drifts, {"units": "weight"}),
            "exact": exact,
            "by_areas": areas * config.n_bins * config.rate**2,
            **keep_estimate("ratio", stats.mean_interval(drifts / exact)),
        }
    )


# Written before the first run: a number, the criterion that it has to meet with the whole of its interval, and as a
# control the same number from the strongest wrong model that could have passed.
CLAIMS = (
    Claim(
        "my_study.ratio",
        "Mean change at constant rates as a multiple of the exact one.",
        statement="a pair rule drifts at constant rates",
        criterion=within(1.0, 0.08),
        measure=lambda data: estimate(data, "ratio"),
        control=lambda data: data.by_areas / data.exact,
        control_is="the areas of the window times the pairs, as if the first spikes had a past",
        bearing="supports",
    ),
)


def plot(data, config):
    """Return the figure."""
    figure = Figure(figsize=(4.5, 3), layout="constrained")
    axes = figure.subplots()
    axes.hist(data.drift, bins=30, color="0.75")
    axes.axvline(data.drift.mean(), color="C0", label="mean of the trials")
    axes.axvline(data.exact, color="C1", linestyle="--", label="exact mean")
    axes.set(xlabel="change of the weight in a trial", ylabel="trials")
    axes.legend()
    return figure


STUDY = Study(
    name="my_study",  # also its folder in the results
    title="Drift of a pair rule",
    figure="none",
    source="a question of my own",
    caption="Changes of a weight in trials at constant rates, their mean, and the exact mean.",
    config=Config(),
    smoke={"n_trials": 20},
    claims=CLAIMS,
    run=run,
    plot=plot,
)
