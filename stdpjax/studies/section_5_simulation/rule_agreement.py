"""Figure 2 right: do nearest-neighbour STDP and the rate rule agree?"""

import dataclasses
from itertools import product
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import stats
from stdpjax.lab import Progress, Study, at_least, at_most, estimate, keep_estimate
from stdpjax.lab.settings import configuration, setting
from stdpjax.random import named_key
from stdpjax.rules import ramp_gain
from stdpjax.studies.measures import labelled, limits, merged, supports
from stdpjax.studies.protocol import (
    ProtocolConfig,
    Sequences,
    kernel_of,
    make_sequences,
    part_of,
    sampled_counts,
    update_per_spike,
)
from stdpjax.studies.section_5_simulation.rule_agreement_figure import plot
from stdpjax.studies.section_5_simulation.sweep_points import RULE_AGREEMENT_POINT


@configuration
class RuleAgreementConfig(ProtocolConfig):
    """Settings of the rule agreement study."""

    max_probability: float = setting(0.05, "spike probability per bin at rate 1", probability=True)
    n_bins: int = setting(30, "bins of equal count of the value of Eq 1, as in Figure 2", at_least=3)
    probabilities: tuple[float, ...] = setting(
        (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0), "max_probability in the table", probability=True, distinct=True
    )
    widths: tuple[float, ...] = setting((3.0, 10.0, 20.0), "drive widths of the table, in bins", above=0, distinct=True)


CLAIMS = (
    supports(
        "fig2.binned",
        "Correlation of the two rules over bins of the value of Eq 1, from sampled spike trains.",
        criterion=at_least(0.97),
        measure=lambda data: estimate(data, "binned_correlation_sampled"),
        control=lambda data: data.binned_correlation_control,
        control_is="updates of another sequence, in the same bins",
        note=lambda data: f"Exact expectation: {float(data.binned_correlation_exact):.4f}.",
    ),
    limits(
        "fig2.steps",
        "Correlation of the two rules step by step, without averages over bins (exact).",
        criterion=at_most(0.97),
        measure=lambda data: data.step_correlation,
        control=lambda data: data.binned_correlation_exact,
        control_is="means over bins",
    ),
    limits(
        "fig2.gain",
        "Gain of the binned relation (update over Eq 1) in the outer half of the bins over that in the inner half: 1 "
        "if proportional.",
        criterion=at_most(0.8),
        measure=lambda data: estimate(data, "gain_sampled"),
        control=lambda data: data.gain_local,
        control_is="first-order theory, the slope times the gain at the rate of the moment",
        revised="The first criterion asked for an intercept of 0, which a bent relation has too; the second for a gain "
        "within 0.4 of 1, a tolerance set once 0.66 had been seen; this one asks for the loss itself.",
        note=lambda data: f"Exact expectation: {float(data.gain_exact):.4f}.",
    ),
    limits(
        "fig2.conditions",
        "Lowest binned correlation (exact) over all drive widths and spike probabilities up to 0.3 per bin.",
        criterion=at_least(0.97),
        measure=lambda data: data.table_binned.where(data.probability <= 0.3).min(),
        control=lambda data: data.table_binned.sel(probability=data.probability.max()).min(),
        control_is="the highest spike probability",
    ),
)


def run(key: Key[Array, ""], config: RuleAgreementConfig, progress: Progress) -> xr.Dataset:
    """Sample the figure's relation, then tabulate the exact correlations over rates and widths."""
    progress(0.0, "rate sequences")
    sequences = make_sequences(named_key(key, "sequences"), config)
    counts = sampled_counts(named_key(key, "spikes"), sequences, config, part_of(progress, 0.05, 0.6))
    return merged(
        _relation(key, sequences, counts, config),
        _table(key, config, part_of(progress, 0.6, 1.0)),
        bin=np.arange(config.n_bins),
        width=("width", np.array(config.widths), {"units": "bins"}),
        probability=("probability", np.array(config.probabilities), {"units": "1/bin"}),
    )


def _relation(key: Key[Array, ""], sequences: Sequences, counts: np.ndarray, config: RuleAgreementConfig) -> xr.Dataset:
    """Return the relation of both rules over bins of the value of Eq 1, with the gain and correlation in it."""
    pre_rate, slope = (np.asarray(part, dtype=np.float64) for part in (sequences.pre_rate, sequences.slope))
    eq1 = slope * pre_rate
    exact = config.max_probability * pre_rate * update_per_spike(sequences, config)
    updates = {
        "sampled": counts @ np.asarray(kernel_of(config), dtype=np.float64) / config.n_trials,
        "exact": exact,
        "control": np.roll(exact, 1, axis=0),  # of another sequence, which is independent
        "local": config.max_probability * pre_rate * _local_update(sequences, config),
    }
    bins = stats.quantile_bins(eq1, config.n_bins)
    sizes, eq1_totals = (stats.sums_by_bin(bins, part, config.n_bins) for part in (np.ones_like(eq1), eq1))
    variables: dict = {"eq1": ("bin", eq1_totals.sum(0) / sizes.sum(0), {"units": "1/bin"})}
    statistics = {"update": lambda _, y: y, "binned_correlation": stats.correlation, "gain": _relative_gain}
    for name, values in updates.items():
        sums = (sizes, eq1_totals, stats.sums_by_bin(bins, values, config.n_bins))
        for label, statistic in statistics.items():

            def of_sums(n: np.ndarray, x: np.ndarray, y: np.ndarray, of_means: Any = statistic) -> np.ndarray:
                # A resample can leave a bin empty only when there are very few sequences; its mean is then 0.
                return of_means(x / np.maximum(n, 1), y / np.maximum(n, 1))

            found = stats.bootstrap(named_key(key, "bootstrap"), of_sums, *sums, n_resamples=config.n_resamples)
            variables |= keep_estimate(f"{label}_{name}", found, ("bin",) if label == "update" else ())
    steps = labelled((), step_correlation=stats.correlation(eq1.ravel(), exact.ravel()))
    return merged(xr.Dataset(variables), steps)


def _local_update(sequences: Sequences, config: RuleAgreementConfig) -> np.ndarray:
    """Return what a ramp with the rate and the slope of the moment would change, per presynaptic spike."""
    kernel, slope = kernel_of(config), np.asarray(config.max_probability * sequences.rate_slope, np.float64)
    edge = (sequences.post_probability.shape[1] - slope.shape[1]) // 2
    rate = sequences.post_probability[:, edge : edge + slope.shape[1]]
    gain = jax.jit(jax.vmap(lambda q: ramp_gain(q, kernel)))(rate.ravel())
    return slope * np.asarray(gain, np.float64).reshape(slope.shape)


def _table(key: Key[Array, ""], config: RuleAgreementConfig, progress: Progress) -> xr.Dataset:
    shape, binned = (len(config.widths), len(config.probabilities)), []
    for width, probability in product(config.widths, config.probabilities):
        progress(len(binned) / np.prod(shape), f"exact table, width {width:g}, probability {probability:g}")
        cell = dataclasses.replace(config, width=width, max_probability=probability)
        sequences = make_sequences(named_key(key, f"table {width:g}"), cell)
        pre_rate, slope = (np.asarray(part, dtype=np.float64) for part in (sequences.pre_rate, sequences.slope))
        bins = stats.quantile_bins(pre_rate * slope, config.n_bins)
        pair = (slope, update_per_spike(sequences, cell))
        # Bins of equal count: sums are as good as means.
        means = [stats.sums_by_bin(bins, pre_rate * values, config.n_bins).sum(0) for values in pair]
        binned.append(stats.correlation(*means))
    return labelled(("width", "probability"), table_binned=np.reshape(binned, shape))


def _relative_gain(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gain y / x by least squares in the outer half of the bins, over that in the inner half; 1 if proportional."""
    is_outer = np.abs(x) > np.median(np.abs(x), axis=-1, keepdims=True)
    outer, inner = (
        np.where(part, x * y, 0).sum(-1) / np.where(part, x * x, 0).sum(-1) for part in (is_outer, ~is_outer)
    )
    return np.asarray(outer / inner)


STUDY = Study(
    name="rule_agreement",
    title="The two rules compared",
    figure="Figure 2, right",
    source="Bengio et al. 2015, Figure 2 (right) and section 5.2",
    caption="Left: the paper's Figure 2 (right), the nearest-neighbour update against the value of Eq 1 in bins of "
    "equal count; for large changes it falls short of the line that first-order theory draws. Right: how the "
    "correlation over bins depends on spike probability and on the time scale of the drive.",
    config=RuleAgreementConfig(),
    smoke=dict(n_sequences=40, n_trials=50, n_resamples=200, probabilities=(0.02, 0.1, 1.0), widths=(3.0, 10.0)),
    claims=CLAIMS,
    run=run,
    plot=plot,
    point=RULE_AGREEMENT_POINT,
)
