"""All rules on the same drives and the same spikes: windows, curves by lag, drifts, and who agrees with whom."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import _checks, stats
from stdpjax.random import named_key
from stdpjax.rules import lag_kernel, lag_response, mean_update
from stdpjax.spikes import expected_lag_counts, lag_probability
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.figures.rule_zoo import plot
from stdpjax.studies.protocol import ProtocolConfig, Sequences, make_sequences, mismatched
from stdpjax.studies.rule_agreement import REFERENCE
from stdpjax.studies.settings import setting
from stdpjax.studies.zoo_claims import CLAIMS
from stdpjax.studies.zoo_rules import (
    BALANCED,
    BCM,
    BI_POO,
    CONTROLS,
    EQ1,
    EQ2,
    HEBB,
    PUBLISHED,
    RULES,
    SONG,
    TRIPLETS,
    WINDOWED,
    XIE_SEUNG,
    bcm_updates,
    linear_correlation,
    matrix_sums,
    measure,
    rules_of_traces,
)
from stdpjax.studies.zoo_samples import Sampled, by_lag, constant_rates, drifts, sample, sample_others

# Longest lag of the windows of rules without a longest lag, in bins.
_REACH = 60
_BLOCK = 5
RATE_RULES = (EQ1, HEBB, BCM)
# Rules that are linear in the spikes, or nearly so under small modulations: their window says it all.
LINEAR = (WINDOWED, "all_to_all", SONG, BI_POO)
# All-to-all triplets: one program for both.
TURNING = (TRIPLETS[0], TRIPLETS[2])
DRIFTING = (*TURNING, BI_POO, SONG)


@dataclasses.dataclass(frozen=True)
class RuleZooConfig:
    """Settings of the study of all rules; probabilities per bin, times in bins of 1 ms."""

    n_sequences: int = setting(100, "pairs of rate sequences")
    n_steps: int = setting(
        240, "length of a sequence, and of what is simulated on either side of it, in bins, at least 80"
    )
    n_trials: int = setting(400, "pairs of spike trains sampled for each sequence of rates")
    width: float = setting(20.0, "width of the random drives, in bins")
    window: int = setting(20, "longest lag of the windowed rule, in bins")
    tau: float = setting(10.0, "time constant of the antisymmetric windows, in bins, from 1 to 20")
    max_probability: float = setting(0.05, "spike probability per bin at rate 1, one of the probabilities")
    probabilities: tuple[float, ...] = setting(
        (0.02, 0.05, 0.1, 0.2), "spike probabilities per bin at rate 1, in (0, 1), rising"
    )
    saturating_scale: float = setting(0.6, "standard deviation of the activity under the saturating drive")
    small_scale: float = setting(0.2, "the same where modulations are small and linear theory holds")
    bcm_tau: float = setting(1000.0, "time constant of the threshold of BCM, in bins")
    highest_hz: float = setting(50.0, "highest of the constant postsynaptic rates, in Hz, above 0 and below 1000")
    n_resamples: int = setting(500, "bootstrap resamples of the sequences, for intervals")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        _checks.count("n_sequences", self.n_sequences, minimum=2)
        _checks.count("n_trials", self.n_trials, minimum=2, maximum=_checks.MAX_TRIALS)
        _checks.count("n_resamples", self.n_resamples, minimum=2)
        _checks.window(self.window)
        _checks.count("n_steps", self.n_steps, minimum=max(80, self.window))
        for name in ("width", "saturating_scale", "small_scale", "bcm_tau"):
            _checks.number(name, getattr(self, name), above=0)
        _checks.number("tau", self.tau, at_least=1, at_most=20)
        _checks.number("highest_hz", self.highest_hz, above=0, below=1000)
        _checks.rising("probabilities", self.probabilities)
        for value in self.probabilities:
            _checks.one_probability("probabilities", value, below_one=True)
        if self.max_probability not in self.probabilities:
            raise ValueError(f"max_probability: expected one of probabilities, got {self.max_probability:g}")


def drives_of(key: Key[Array, ""], config: RuleZooConfig) -> list[Sequences]:
    """Draw the rate sequences: one set for each probability, then a saturating and a small one, all of one key."""
    base = ProtocolConfig(
        n_sequences=config.n_sequences, n_steps=config.n_steps, window=config.n_steps, width=config.width
    )
    settings: list[dict[str, Any]] = [{"max_probability": probability} for probability in config.probabilities]
    for scale in (config.saturating_scale, config.small_scale):
        settings.append({"max_probability": config.max_probability, "voltage": "linear", "voltage_scale": scale})
    return [make_sequences(key, dataclasses.replace(base, **changes)) for changes in settings]


def run(key: Key[Array, ""], config: RuleZooConfig, progress: Progress) -> xr.Dataset:
    """Let all rules see the same drives and spikes."""
    progress(0.0, "drives and spikes")
    sets = drives_of(named_key(key, "sequences"), config)
    main = config.probabilities.index(config.max_probability)
    densest = sets[len(config.probabilities) - 1]
    counted = slice(config.n_steps, 2 * config.n_steps)
    trains = sample(named_key(key, "trains"), config.n_sequences, config.n_trials)
    # Two rows more, with and without a postsynaptic spike among constant rates: their difference is the window.
    level = jnp.full((2, 3 * config.n_steps), config.max_probability / 2, float)
    middle = 3 * config.n_steps // 2
    pre = jnp.concatenate([*(part.pre_probability for part in sets), level])
    with_spike = level.at[:, middle].set(jnp.array([0.0, 1.0]))
    post = jnp.concatenate([*(part.post_probability for part in sets), with_spike])
    lags = np.arange(-_REACH, _REACH + 1)

    updates, windows, sampled = {}, {}, {}
    for index, (name, rule) in enumerate(rules_of_traces(config.tau).items()):
        progress(0.1 + 0.07 * index, name)
        found = measure(rule, pre, post, trains, _BLOCK)
        per_spike = np.asarray(found.per_spike, np.float64)
        updates[name] = per_spike[:-2, counted]
        windows[name] = (per_spike[-1] - per_spike[-2])[middle - lags]
        sampled[name] = found[1:]

    progress(0.85, "the windowed rule and the rules of rates")
    kernel = lag_kernel("exponential", config.window, tau=config.tau)
    edge = config.n_steps - config.window
    law = lag_probability(post[:-2, edge:-edge], config.window, boundary="valid")
    updates[WINDOWED] = np.asarray(mean_update(law, kernel), np.float64)
    response = jax.jit(lag_response)(level[0, 0], kernel)
    windows[WINDOWED] = np.pad(np.asarray(response, np.float64), _REACH - config.window)
    for name, part in ((EQ1, "slope"), (EQ2, "slope"), (XIE_SEUNG, "rate_slope")):
        updates[name] = np.concatenate([np.asarray(getattr(drive, part), np.float64) for drive in sets])
    activity = jnp.concatenate([part.activity for part in sets])
    updates[BCM] = np.asarray(bcm_updates(activity, jnp.asarray(config.bcm_tau, activity.dtype)), np.float64)
    updates[HEBB] = np.concatenate([np.asarray(drive.post_probability, np.float64)[:, counted] for drive in sets])
    sampled |= sample_others(trains, kernel, _BLOCK)
    near = slice(edge, -edge)
    rates = densest.pre_probability[:, near], densest.post_probability[:, near]
    counts = np.asarray(expected_lag_counts(*rates, config.window, boundary="valid"), np.float64)

    progress(0.92, "correlations")
    values = np.stack([updates[name] for name in RULES]).reshape(len(RULES), len(sets), config.n_sequences, -1)
    resampling = named_key(key, "resampling")
    found = [
        stats.bootstrap(resampling, _correlations, *matrix_sums(values[:, index]), n_resamples=config.n_resamples)
        for index in range(len(sets))
    ]
    densest_values = values[[RULES.index(name) for name in RATE_RULES], len(config.probabilities) - 1]
    scored = {name: Sampled(*(np.asarray(part, np.float64) for part in parts)) for name, parts in sampled.items()}
    z = np.stack([part.z(part.exact) for part in scored.values()])
    return xr.Dataset(
        {
            **_agreement(found, main, config),
            **_linear(values[:, -1], windows, config),
            "mismatched": (
                "probability",
                [
                    _correlation(mismatched(values[RULES.index(EQ1), index]), values[RULES.index(WINDOWED), index])
                    for index in range(len(config.probabilities))
                ],
            ),
            "window": (("windowed_rule", "pair_lag"), list(windows.values()), {"units": "unit of the rule"}),
            "z": (("spike_rule", "cell"), z),
            "z_mismatched": (("spike_rule", "cell"), [part.z(mismatched(part.exact)) for part in scored.values()]),
            **by_lag(resampling, counts, densest_values, config.n_resamples),
            **drifts(DRIFTING, TURNING, config.highest_hz),
        },
        coords={
            "drive": ["unsaturated", "saturating"],
            "rule": list(RULES),
            "other": list(RULES),
            "probability": ("probability", np.array(config.probabilities), {"units": "1/bin"}),
            "linear_rule": list(LINEAR),
            "theory_width": ("theory_width", [config.width, config.width / 2], {"units": "bins"}),
            "windowed_rule": list(windows),
            "pair_lag": ("pair_lag", lags, {"units": "bins"}),
            "lag": ("lag", np.arange(-config.window, config.window + 1), {"units": "bins"}),
            "rate_rule": list(RATE_RULES),
            "spike_rule": list(scored),
            "cell": np.arange(z.shape[1]),
            "drifting_rule": list(DRIFTING),
            "turning_rule": list(TURNING),
            "constant_rate": ("constant_rate", constant_rates(config.highest_hz), {"units": "Hz"}),
        },
    )  # fmt: skip


def _correlations(*sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlations of all pairs, and with Xie & Seung's rule less with Eq 1 as one column more."""
    matrix = stats.correlation_of_sums(*sums)
    difference = matrix[..., RULES.index(XIE_SEUNG)] - matrix[..., RULES.index(EQ1)]
    return np.concatenate([matrix, difference[..., None]], axis=-1)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(stats.correlation(x.ravel(), y.ravel()))


def _agreement(found: list[stats.Estimate], main: int, config: RuleZooConfig) -> dict[str, Any]:
    """Return the matrices and their intervals, and agreement with Eq 1 by probability."""
    variables: dict[str, Any] = {}
    eq1 = RULES.index(EQ1)
    for field, end in (("value", ""), ("low", "_low"), ("high", "_high")):
        parts = [np.asarray(getattr(part, field)) for part in found]
        both = np.stack([parts[main], parts[-2]])
        variables[f"agreement{end}"] = (("drive", "rule", "other"), both[..., :-1])
        variables[f"difference{end}"] = (("drive", "rule"), both[..., -1])
        by_probability = np.stack(parts[: len(config.probabilities)], axis=1)[..., eq1]
        variables[f"with_eq1{end}"] = (("rule", "probability"), by_probability)
    reference = [REFERENCE.get((config.width, probability), np.nan) for probability in config.probabilities]
    return {**variables, "with_eq1_reference": ("probability", reference)}


def _linear(
    values: NDArray[np.float64], windows: dict[str, NDArray[np.float64]], config: RuleZooConfig
) -> dict[str, Any]:
    """Return correlations with Eq 1 under small modulations, and what the windows say they are."""
    found = [_correlation(values[RULES.index(name)], values[RULES.index(EQ1)]) for name in LINEAR]
    widths = (config.width, config.width / 2)
    theory = [[linear_correlation(windows[name], width) for name in LINEAR] for width in widths]
    return {
        "small_modulation": ("linear_rule", found),
        "linear_theory": (("theory_width", "linear_rule"), theory),
    }


def judge(data: xr.Dataset, config: RuleZooConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    spread, wrong = data.z.std("cell"), data.z_mismatched.std("cell")
    worst, least_wrong = spread[np.abs(spread.values - 1).argmax()], wrong[np.abs(wrong.values - 1).argmin()]
    flat = data.sel(drive="unsaturated")
    block = [EQ1, *BALANCED]

    def entry(data: xr.Dataset, name: str, other: str) -> tuple[float, tuple[float, float]]:
        ends = [float(data[f"agreement{end}"].sel(rule=name, other=other)) for end in ("", "_low", "_high")]
        return ends[0], (ends[1], ends[2])

    pairs = [(a, b) for index, a in enumerate(block) for b in block[:index]]
    lowest = min(pairs, key=lambda pair: entry(flat, *pair)[0])
    control = max(CONTROLS, key=lambda name: abs(entry(flat, name, EQ1)[0]))
    highest = max(PUBLISHED, key=lambda name: entry(flat, name, EQ1)[0])
    saturating = data.sel(drive="saturating", rule=list(BALANCED))
    least = saturating.isel(rule=int(saturating.difference.values.argmin()))
    windowed = data.with_eq1.sel(rule=WINDOWED)
    theory = data.linear_theory

    def off(values: xr.DataArray) -> float:
        return float(np.abs(values - data.with_eq1_reference).max())

    return {
        "RZ.sampled": Measurement(
            float(worst),
            control=float(least_wrong),
            note=f"{worst.spike_rule.item()}, of {data.sizes['spike_rule']} rules, {data.sizes['cell']} values each, "
            f"{config.n_trials} trials. Control: means of another sequence, the rule that shows it least.",
        ),
        "RZ.windowed": Measurement(
            off(windowed), control=off(data.mismatched), note="Control: slopes of another sequence."
        ),
        "RZ.balanced": Measurement(
            *entry(flat, *lowest),
            max(abs(entry(flat, name, other)[0]) for name in CONTROLS for other in block),
            f"{' and '.join(lowest)}. Control: BCM or Hebb with any of them.",
        ),
        "RZ.controls": Measurement(
            *entry(flat, control, EQ1), entry(flat, WINDOWED, EQ1)[0], f"{control}. Control: the windowed rule."
        ),
        "RZ.published": Measurement(
            *entry(flat, highest, EQ1),
            entry(flat, "all_to_all", EQ1)[0],
            f"{highest}. Control: all-to-all pairs with a balanced window.",
        ),
        "RZ.linear_response": Measurement(
            float(np.abs(data.small_modulation - theory[0]).max()),
            control=float(np.abs(data.small_modulation - theory[1]).max()),
            note="Control: theory for drives of half the width.",
        ),
        "RZ.threshold": Measurement(
            float(data.turning_rate[0]),
            control=float(data.turning_rate[1]),
            note="Control: triplets of the hippocampus.",
        ),
        "RZ.saturation": Measurement(
            float(least.difference),
            (float(least.difference_low), float(least.difference_high)),
            float(flat.difference.sel(rule=least.rule)),
            f"{least.rule.item()}. Control: a drive that does not saturate.",
        ),
    }


STUDY = Study(
    name="rule_zoo",
    title="All rules on the same spikes",
    figure="All rules",
    source="Bengio et al. 2015, sections 2.1 and 5; Xie & Seung 2000; Froemke & Dan 2002; Pfister & Gerstner 2006; "
    "Morrison, Diesmann & Gerstner 2008",
    caption="Exact mean updates per presynaptic spike of rules of rates, pairs, triplets and suppression. Balanced "
    "windows follow the slope of slow drives and agree with Eq 1; published windows, which do not balance, follow the "
    "rate as well; BCM and Hebb follow the rate alone. Where a drive saturates, all follow the rate.",
    config=RuleZooConfig(),
    smoke=RuleZooConfig(n_sequences=10, n_steps=80, n_trials=40, n_resamples=100),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)
