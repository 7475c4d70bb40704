"""All rules on the same drives: which pairs of spikes count, who drifts at constant rates, who agrees with Eq 1."""

import dataclasses
from functools import partial
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import stats
from stdpjax.lab import Estimate, Progress, Study, at_least, at_most, estimate, keep_estimate
from stdpjax.lab.settings import configuration, setting
from stdpjax.random import named_key
from stdpjax.rules import (
    SCHEMES,
    effective_window,
    expected_updates,
    lag_kernel,
    mean_update,
    ramp_gain,
    window_moments,
)
from stdpjax.spikes import lag_probability
from stdpjax.studies.measures import beyond, labelled, merged, on_device
from stdpjax.studies.other_rules.rule_zoo_figure import plot
from stdpjax.studies.other_rules.zoo_rules import (
    BCM,
    EQ1,
    HEBB,
    NEAREST,
    PUBLISHED,
    RULES,
    STILL,
    WINDOWED,
    XIE_SEUNG,
    bcm_updates,
    matrix_sums,
    rules_of_traces,
    update_per_spike,
)
from stdpjax.studies.protocol import ProtocolConfig, Sequences, make_sequences, part_of

# Bins at constant rates that the traces of pairs take to settle.
_SETTLE = 60


@configuration
class RuleZooConfig:
    """Settings of the study of all rules; probabilities per bin, times in bins of 1 ms."""

    n_sequences: int = setting(100, "pairs of rate sequences", at_least=2)
    n_steps: int = setting(240, "length of a sequence and of what is simulated on either side, in bins", at_least=80)
    width: float = setting(20.0, "width of the random drives, in bins", above=0)
    window: int = setting(20, "longest lag of the windowed rule, in bins", at_most=_SETTLE - 1)
    tau: float = setting(10.0, "time constant of the antisymmetric windows, in bins", at_least=1, at_most=20)
    max_probability: float = setting(0.05, "spike probability per bin at rate 1, one of the probabilities")
    probabilities: tuple[float, ...] = setting(
        (0.02, 0.05, 0.1, 0.2), "spike probabilities per bin at rate 1", probability=True, below=1, increasing=True
    )
    pre_probability: float = setting(0.05, "presynaptic probability beside constant rates", probability=True, below=1)
    constant: tuple[float, ...] = setting(
        (0.01, 0.03, 0.1, 0.2, 0.3), "constant postsynaptic probabilities", probability=True, below=1, increasing=True
    )
    bcm_tau: float = setting(1000.0, "time constant of the threshold of BCM, in bins", above=0)
    n_resamples: int = setting(500, "bootstrap resamples of the sequences, for intervals", at_least=2)

    def __post_init__(self) -> None:
        if self.max_probability not in self.probabilities:
            raise ValueError(f"max_probability: expected one of probabilities, got {self.max_probability:g}")


def _relative_drift(data: xr.Dataset) -> xr.DataArray:
    """Return mean updates at constant rates over what potentiation by all pairs alone would do."""
    potentiation = data.constant / np.expm1(1 / data.tau)
    return np.abs(data.drift / potentiation)


def _relative_gain(data: xr.Dataset) -> xr.DataArray:
    return data.gain.isel(constant=-1) / data.gain.isel(constant=0)


def _correlation_of(data: xr.Dataset, name: str, other: str = EQ1) -> Estimate:
    return estimate(data.sel(probability=data.max_probability, rule=name, other=other), "agreement")


def _lowest_pair(data: xr.Dataset) -> tuple[str, str]:
    return min(combinations((EQ1, *STILL), 2), key=lambda pair: _correlation_of(data, *pair).value)


def _best_other(data: xr.Dataset) -> str:
    """Return which of the rules that drift at constant rates agrees most with Eq 1."""
    return max((NEAREST, *PUBLISHED, BCM, HEBB), key=lambda name: _correlation_of(data, name).value)


_of_schemes = partial(beyond, statement="Morrison, Diesmann & Gerstner 2008")

CLAIMS = (
    _of_schemes(
        "morrison2008.drift",
        "Largest mean update at constant rates over that of potentiation by all pairs alone, of the paper's rule and "
        "all schemes but nearest symmetric.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: _relative_drift(data).sel(still_rule=list(STILL)).max(),
        control=lambda data: _relative_drift(data).sel(still_rule=NEAREST).max(),
        control_is="nearest symmetric pairs, whose window is just as antisymmetric",
    ),
    _of_schemes(
        "morrison2008.gain",
        "Gain on a slow ramp at the highest rate over that at the lowest (largest of rules whose spikes hide others).",
        criterion=at_most(0.5),
        measure=lambda data: _relative_gain(data).drop_sel(still_rule="all_to_all").max(),
        control=lambda data: _relative_gain(data).sel(still_rule="all_to_all"),
        control_is="all-to-all pairs",
        note=lambda data: f"{_relative_gain(data).drop_sel(still_rule='all_to_all').idxmax().item()}.",
        revised="It asked the control, all-to-all pairs, for a ratio of 1, which they have by algebra.",
    ),
    _of_schemes(
        "morrison2008.agreement",
        "Lowest correlation per bin among Eq 1, the windowed rule and the antisymmetric pair rules without drift.",
        criterion=at_least(0.9),
        measure=lambda data: _correlation_of(data, *_lowest_pair(data)),
        control=lambda data: _correlation_of(data, _best_other(data)).value,
        control_is="the best with Eq 1 of BCM, Hebb, nearest symmetric pairs and five published sets",
        note=lambda data: f"{' and '.join(_lowest_pair(data))}; the control is {_best_other(data)}.",
    ),
)


def run(key: Key[Array, ""], config: RuleZooConfig, progress: Progress) -> xr.Dataset:
    """Let all rules see the same drives, and those with antisymmetric windows constant rates and ramps."""
    progress(0.0, "drives")
    base = ProtocolConfig(
        n_sequences=config.n_sequences, n_steps=config.n_steps, window=config.n_steps, width=config.width
    )
    sets = [
        make_sequences(named_key(key, "sequences"), dataclasses.replace(base, max_probability=probability))
        for probability in config.probabilities
    ]
    updates = _updates(sets, config, part_of(progress, 0.1, 0.7))
    values = np.stack([updates[name] for name in RULES]).reshape(len(RULES), len(sets), config.n_sequences, -1)
    progress(0.7, "constant rates and ramps")
    still = _at_constant_rates(config)
    progress(0.9, "correlations")
    return merged(
        _agreement(named_key(key, "resampling"), values, config),
        still,
        rule=list(RULES),
        other=list(RULES),
        still_rule=[*SCHEMES, WINDOWED],
        scheme=list(SCHEMES),
        probability=("probability", np.array(config.probabilities), {"units": "1/bin"}),
        max_probability=((), config.max_probability, {"units": "1/bin"}),
        constant=("constant", np.array(config.constant), {"units": "1/bin"}),
        pair_lag=("pair_lag", np.arange(-2 * _SETTLE, 2 * _SETTLE + 1), {"units": "bins"}),
        tau=((), config.tau, {"units": "bins"}),
    )


def _updates(sets: list[Sequences], config: RuleZooConfig, progress: Progress) -> dict[str, NDArray[np.float64]]:
    """Return each rule's exact update per presynaptic spike, or at a presynaptic rate of 1, `[sequence, time]`."""
    counted, edge = slice(config.n_steps, 2 * config.n_steps), config.n_steps - config.window
    joined = Sequences(*(jnp.concatenate(parts) for parts in zip(*sets, strict=True)))
    pre, post = joined.pre_probability, joined.post_probability
    updates: dict[str, Any] = {}
    rules = rules_of_traces(config.tau)
    for index, (name, rule) in enumerate(rules.items()):
        progress(index / len(rules), name)
        updates[name] = update_per_spike(rule, pre, post)[:, counted]
    law = lag_probability(post[:, edge:-edge], config.window, boundary="valid")
    updates |= {
        WINDOWED: mean_update(law, lag_kernel("exponential", config.window, tau=config.tau)),
        EQ1: joined.slope,
        XIE_SEUNG: joined.rate_slope,
        BCM: bcm_updates(joined.activity, jnp.asarray(config.bcm_tau, joined.activity.dtype)),
        HEBB: post[:, counted],
    }
    return {name: np.asarray(part, np.float64) for name, part in updates.items()}


def _agreement(key: Key[Array, ""], values: NDArray[np.float64], config: RuleZooConfig) -> xr.Dataset:
    """Return correlations of all pairs of rules by probability, with intervals over sequences."""
    resampled = partial(stats.bootstrap, key, stats.correlation_of_sums, n_resamples=config.n_resamples)
    found = [resampled(*matrix_sums(values[:, index]))[:3] for index in range(values.shape[1])]
    parts = Estimate(*np.moveaxis(np.array(found), 1, 0))
    return xr.Dataset(keep_estimate("agreement", parts, ("probability", "rule", "other")))


def _at_constant_rates(config: RuleZooConfig) -> xr.Dataset:
    """Return exact mean updates per presynaptic spike at constant rates, gains on slow ramps, and windows."""
    rules = rules_of_traces(config.tau)
    reach = 2 * _SETTLE
    post = on_device(np.tile(np.array(config.constant)[:, None], reach))
    drift, windows = [], []
    for scheme in SCHEMES:
        exact = expected_updates(rules[scheme], jnp.full_like(post, config.pre_probability), post)
        drift.append(np.asarray(exact[:, _SETTLE:], np.float64).mean(1) / config.pre_probability)
        window_at: Any = partial(effective_window, rules[scheme], config.pre_probability, window=reach, n_settle=reach)
        windows.append(jax.jit(jax.vmap(window_at))(post[:, 0]))
    kernel = lag_kernel("exponential", config.window, tau=config.tau)
    law = lag_probability(post[:, : 2 * config.window + 1], config.window, boundary="valid")
    gains = [jax.vmap(lambda window: window_moments(window).first)(each) for each in windows]
    by_rate, words = ("still_rule", "constant"), "mean update per presynaptic spike"
    return merged(
        labelled(by_rate, "amplitude of a pair", drift=([*drift, np.asarray(mean_update(law, kernel))[:, 0]], words)),
        labelled(by_rate, "bins^2 amplitude", gain=[*gains, jax.vmap(lambda q: ramp_gain(q, kernel))(post[:, 0])]),
        labelled(("scheme", "constant", "pair_lag"), "amplitude of a pair", window=(windows, "what a pair adds")),
    )


STUDY = Study(
    name="rule_zoo",
    title="All rules on the same drives",
    figure="All rules",
    source="Bengio et al. 2015, sections 2.1 and 5; Xie & Seung 2000; Froemke & Dan 2002; Pfister & Gerstner 2006; "
    "Morrison, Diesmann & Gerstner 2008",
    caption="Exact mean updates per presynaptic spike of rules of rates, pairs, triplets and suppression. With one "
    "antisymmetric window, all but one scheme change nothing at constant rates and agree with Eq 1 under slow drives, "
    "each with a gain of its own. Published windows, which do not balance, follow the rate as well; BCM and Hebb "
    "follow the rate alone.",
    config=RuleZooConfig(),
    smoke=dict(n_sequences=10, n_steps=80, n_resamples=100),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
