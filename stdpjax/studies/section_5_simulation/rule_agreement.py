"""Figure 2 right: do nearest-neighbour STDP and the rate rule agree?"""

import dataclasses
from functools import partial

import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import stats
from stdpjax.lab import Claim, Progress, Study, at_least, at_most, estimate, keep_estimate, within
from stdpjax.lab.settings import configuration, setting
from stdpjax.random import named_key
from stdpjax.rules import slope_correlation
from stdpjax.studies.measures import labelled, largest, merged
from stdpjax.studies.protocol import (
    ProtocolConfig,
    Sequences,
    Voltage,
    kernel_of,
    make_sequences,
    mismatched,
    part_of,
    sampled_counts,
    slope_agreement,
    update_per_spike,
)
from stdpjax.studies.section_5_simulation.rule_agreement_figure import plot
from stdpjax.studies.section_5_simulation.sweep_points import RULE_AGREEMENT_POINT


@configuration
class RuleAgreementConfig(ProtocolConfig):
    """Settings of the rule agreement study."""

    max_probability: float = setting(0.05, "spike probability per bin at rate 1", probability=True)
    n_bins: int = setting(
        30, "bins of equal count of the value of Eq 1, as on the horizontal axis of Figure 2", at_least=3
    )
    probabilities: tuple[float, ...] = setting(
        (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0),
        "maximal spike probabilities per bin of the table",
        probability=True,
        distinct=True,
    )
    widths: tuple[float, ...] = setting((3.0, 10.0, 20.0), "drive widths of the table, in bins", above=0, distinct=True)
    highest_agreeing: float = setting(
        0.3, "spike probability per bin up to which the binned relation is claimed to be linear", above=0
    )
    saturating_scale: float = setting(0.6, "standard deviation of the activity in the saturating control", above=0)
    saturating_width: float = setting(20.0, "drive width of the saturating control, in bins", above=0)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        super().__post_init__()
        if min(self.probabilities) > self.highest_agreeing:
            raise ValueError(
                f"highest_agreeing: expected at least the lowest of probabilities, {min(self.probabilities):g}, "
                f"got {self.highest_agreeing:g}"
            )


# Correlation per bin of the exact mean update with Eq 1, by drive width and spike probability, from an independent
# double-precision implementation (bounded voltage, exponential kernel with tau 10, 500 sequences of 160 bins).
REFERENCE = {
    (3.0, 0.02): 0.66,
    (3.0, 0.05): 0.63,
    (3.0, 0.1): 0.59,
    (3.0, 0.3): 0.44,
    (3.0, 1.0): 0.15,
    (10.0, 0.02): 0.94,
    (10.0, 0.05): 0.93,
    (10.0, 0.1): 0.91,
    (10.0, 0.2): 0.82,
    (10.0, 0.3): 0.71,
    (10.0, 0.5): 0.52,
    (10.0, 1.0): 0.27,
    (20.0, 0.02): 0.99,
    (20.0, 0.05): 0.98,
    (20.0, 0.1): 0.96,
    (20.0, 0.2): 0.85,
    (20.0, 0.3): 0.71,
    (20.0, 0.5): 0.49,
    (20.0, 1.0): 0.24,
}


_HIGHEST = "the highest spike probability"

_related = partial(Claim, statement="Section 5.2, Figure 2 right")

CLAIMS = (
    _related(
        "T10.binned",
        "Correlation of the two rules over bins of the value of Eq 1, from sampled spike trains.",
        criterion=at_least(0.97),
        measure=lambda data: estimate(data, "binned_correlation_sampled"),
        control=lambda data: data.binned_correlation_control,
        control_is="updates of another sequence",
        bearing="supports",
        note=lambda data: f"Exact expectation: {float(data.binned_correlation_exact):.4f}.",
    ),
    _related(
        "T10.proportional",
        "Gain of the binned relation (update over Eq 1) in the outer half of the bins over that in the inner half.",
        criterion=within(1.0, 0.4),
        measure=lambda data: estimate(data, "gain_sampled"),
        control=lambda data: data.gain_frequent,
        control_is=_HIGHEST,
        bearing="limits",
        note=lambda data: f"Exact expectation: {float(data.gain_exact):.4f}.",
    ),
    _related(
        "T10.conditions",
        "Lowest binned correlation (exact) over all drive widths and spike probabilities up to 0.3 per bin.",
        criterion=at_least(0.97),
        measure=lambda data: data.table_binned.where(data.probability <= data.highest_agreeing).min(),
        control=lambda data: data.table_binned.sel(probability=data.probability.max()).min(),
        control_is=_HIGHEST,
        bearing="limits",
    ),
    _related(
        "T10.per_bin",
        "Largest difference of the correlation per bin from the reference table, over spike probability and width.",
        criterion=at_most(0.03),
        measure=lambda data: largest(data.table_per_bin - data.table_reference),
        control=lambda data: largest(data.table_per_bin_control - data.table_reference),
        control_is="slopes of another sequence",
        bearing="limits",
        note=lambda data: f"{int(data.table_reference.count())} cells.",
    ),
    _related(
        "5.4.linear_response",
        "Largest difference between the exact correlation per bin at the lowest rate and linear-response theory.",
        criterion=at_most(0.02),
        measure=lambda data: largest(data.sparse_correlation - data.linear_response),
        control=lambda data: largest(data.sparse_correlation - data.linear_response.values[::-1]),
        control_is="theory for the widths in reverse order",
        bearing="supports",
    ),
    Claim(
        "5.3.saturation",
        "With a saturating drive: correlation of nearest-neighbour STDP with d rho/dt minus that with ds/dt.",
        statement="Section 2.1, Eq 1",
        criterion=at_least(0.05),
        measure=lambda data: estimate(data.sel(postsynaptic="difference"), "saturating"),
        control=lambda data: data.unsaturated_value[-1],
        control_is="a drive that does not saturate",
        bearing="refutes",
        note=lambda data: (
            f"Correlations {float(data.saturating_value[0]):.3f} (ds/dt) and {float(data.saturating_value[1]):.3f} "
            "(d rho/dt)."
        ),
    ),
)


def run(key: Key[Array, ""], config: RuleAgreementConfig, progress: Progress) -> xr.Dataset:
    """Sample the figure's relation, then tabulate the exact correlations over rates and widths."""
    progress(0.0, "rate sequences")
    sequences = make_sequences(named_key(key, "sequences"), config)
    counts = sampled_counts(named_key(key, "spikes"), sequences, config, part_of(progress, 0.05, 0.6))
    resampling = named_key(key, "bootstrap")
    relation = _relation(key, resampling, sequences, counts, config)
    table = _table(key, resampling, config, part_of(progress, 0.6, 0.9))
    progress(0.9, "linear response and saturating control")
    voltages: dict[str, Voltage] = {"saturating": "linear", "unsaturated": "bounded"}
    saturation = [
        xr.Dataset(keep_estimate(name, _saturation(key, resampling, config, voltage), "postsynaptic", value="_value"))
        for name, voltage in voltages.items()
    ]
    return merged(
        relation,
        table,
        _linear_response(key, config),
        *saturation,
        bin=np.arange(config.n_bins),
        width=("width", np.array(config.widths), {"units": "bins"}),
        probability=("probability", np.array(config.probabilities), {"units": "1/bin"}),
        postsynaptic=["ds/dt", "d rho/dt", "difference"],
        highest_agreeing=((), config.highest_agreeing, {"units": "1/bin"}),
    )


def _relation(
    key: Key[Array, ""],
    resampling: Key[Array, ""],
    sequences: Sequences,
    counts: np.ndarray,
    config: RuleAgreementConfig,
) -> xr.Dataset:
    """Return the relation of both rules over bins of the value of Eq 1, with the gain and correlation in it."""
    pre_rate, slope = (np.asarray(part, dtype=np.float64) for part in (sequences.pre_rate, sequences.slope))
    eq1 = slope * pre_rate
    exact = config.max_probability * pre_rate * update_per_spike(sequences, config)
    # The negative control of proportionality: neurons that spike in every bin at rate 1.
    frequent = dataclasses.replace(config, max_probability=max(config.probabilities))
    updates = {
        "sampled": counts @ np.asarray(kernel_of(config), dtype=np.float64) / config.n_trials,
        "exact": exact,
        "control": mismatched(exact),
        "frequent": pre_rate * update_per_spike(make_sequences(named_key(key, "sequences"), frequent), frequent),
    }
    bins = stats.quantile_bins(eq1, config.n_bins)
    sizes, eq1_totals = (stats.sums_by_bin(bins, part, config.n_bins) for part in (np.ones_like(eq1), eq1))
    variables: dict = {"eq1": ("bin", eq1_totals.sum(0) / sizes.sum(0), {"units": "1/bin"})}
    statistics = {
        "update": lambda n, _, y: y / _positive(n),
        "binned_correlation": lambda n, x, y: stats.correlation(x / _positive(n), y / _positive(n)),
        "gain": lambda n, x, y: _relative_gain(x / _positive(n), y / _positive(n)),
    }
    for name, values in updates.items():
        sums = (sizes, eq1_totals, stats.sums_by_bin(bins, values, config.n_bins))
        for label, statistic in statistics.items():
            found = stats.bootstrap(resampling, statistic, *sums, n_resamples=config.n_resamples)
            variables |= keep_estimate(f"{label}_{name}", found, ("bin",) if label == "update" else ())
        variables[f"per_bin_correlation_{name}"] = float(stats.correlation(values.ravel(), eq1.ravel()))
    variables["reliability"] = float(stats.correlation(updates["sampled"].ravel(), exact.ravel())) ** 2
    return xr.Dataset(variables)


def _table(
    key: Key[Array, ""], resampling: Key[Array, ""], config: RuleAgreementConfig, progress: Progress
) -> xr.Dataset:
    """Tabulate the exact correlations over drive widths and spike probabilities."""
    cells = [(width, probability) for width in config.widths for probability in config.probabilities]
    rows = []
    for index, (width, probability) in enumerate(cells):
        progress(index / len(cells), f"exact table, width {width:g}, probability {probability:g}")
        rows.append(_table_cell(key, resampling, config, width, probability))
    dims, shape = ("width", "probability"), (len(config.widths), len(config.probabilities))
    names = ("per_bin", "per_bin_low", "per_bin_high", "binned", "per_bin_control")
    reference = [REFERENCE.get(cell, np.nan) for cell in cells]
    columns = {**dict(zip(names, zip(*rows, strict=True), strict=True)), "reference": reference}
    return labelled(dims, **{f"table_{name}": np.reshape(column, shape) for name, column in columns.items()})


def _table_cell(
    key: Key[Array, ""], resampling: Key[Array, ""], config: RuleAgreementConfig, width: float, probability: float
) -> tuple[float, float, float, float, float]:
    setting = dataclasses.replace(config, width=width, max_probability=probability)
    sequences = make_sequences(named_key(key, f"table {width:g}"), setting)
    slope, update = np.asarray(sequences.slope, dtype=np.float64), update_per_spike(sequences, setting)
    sums = stats.pair_sums(slope, update)
    per_bin = stats.bootstrap(resampling, stats.correlation_of_sums, *sums, n_resamples=config.n_resamples)
    pre_rate = np.asarray(sequences.pre_rate, dtype=np.float64)
    bins = stats.quantile_bins(pre_rate * slope, config.n_bins)
    means = [stats.sums_by_bin(bins, pre_rate * values, config.n_bins).sum(0) for values in (slope, update)]
    binned = stats.correlation(*means)  # bins of equal count: sums are as good as means
    control = stats.correlation(mismatched(slope).ravel(), update.ravel())
    return float(per_bin.value), float(per_bin.low), float(per_bin.high), float(binned), float(control)


def _linear_response(key: Key[Array, ""], config: RuleAgreementConfig) -> xr.Dataset:
    """Put correlations at the lowest rate, of a voltage that is not bounded, beside linear-response theory."""
    kernel = np.asarray(kernel_of(config), dtype=np.float64)
    lowest, found = min(config.probabilities), []
    for width in config.widths:
        setting = dataclasses.replace(config, width=width, max_probability=lowest, voltage="linear", voltage_scale=0.2)
        sequences = make_sequences(named_key(key, f"table {width:g}"), setting)
        found.append(float(stats.correlation(np.ravel(sequences.slope), update_per_spike(sequences, setting).ravel())))
    theory = [float(slope_correlation(0.5 * lowest, kernel, width)) for width in config.widths]
    return labelled("width", sparse_correlation=found, linear_response=theory)


def _saturation(
    key: Key[Array, ""], resampling: Key[Array, ""], config: RuleAgreementConfig, voltage: Voltage
) -> stats.Estimate:
    setting = dataclasses.replace(
        config, width=config.saturating_width, voltage=voltage, voltage_scale=config.saturating_scale
    )
    sequences = make_sequences(named_key(key, "saturating"), setting)
    return slope_agreement(resampling, sequences, update_per_spike(sequences, setting), config.n_resamples)


def _positive(count: np.ndarray) -> np.ndarray:
    """A resample can leave a bin empty only when there are very few sequences; its mean is then 0."""
    return np.maximum(count, 1)


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
    caption="Top left: the paper's Figure 2 (right), the nearest-neighbour update against the value of Eq 1 in bins "
    "of equal count. Tables: how the agreement depends on spike probability and on the time scale of the drive, per "
    "bin and binned. Bottom right: where the drive saturates, nearest-neighbour STDP follows the change of the rate, "
    "not of the activity.",
    config=RuleAgreementConfig(),
    smoke=dict(n_sequences=40, n_trials=50, n_resamples=200, probabilities=(0.02, 0.1, 1.0), widths=(3.0, 10.0)),
    claims=CLAIMS,
    run=run,
    plot=plot,
    point=RULE_AGREEMENT_POINT,
)
