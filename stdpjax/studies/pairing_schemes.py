"""Which pairs of spikes count: the paper's windowed rule beside the pairing schemes of Morrison et al. (2008)."""

import dataclasses
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax.drives import bounded_voltage, smooth_noise
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import (
    ORDERS,
    SCHEMES,
    Rule,
    effective_window,
    event_weight_change,
    expected_updates,
    lag_kernel,
    mean_update,
    merge_spike_times,
    pair_rule,
    ramp_gain,
    state_slope,
    train_updates,
    window_moments,
)
from stdpjax.rules.pair_schemes import Scheme
from stdpjax.spikes import lag_probability, sample_spikes
from stdpjax.stats import bootstrap, correlation_of_sums, pair_sums
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.figures.pairing_schemes import plot
from stdpjax.studies.scheme_claims import CLAIMS, NEAREST
from stdpjax.studies.settings import setting

WINDOWED = "windowed"
# Spikes of the picture, and NEST's example for the schemes; times in bins.
EXAMPLE = (np.array([0.0, 6.0, 14.0]), np.array([3.0, 9.0, 11.0, 20.0]))
WORKED = (np.array([10.0, 20.0]), np.array([20.0]))
# Bins at either end of a record that the traces take to settle.
_SETTLE = 60


@dataclasses.dataclass(frozen=True)
class PairingSchemesConfig:
    """Settings of the study of pairing schemes; probabilities per bin, times in bins."""

    tau: float = setting(10.0, "time constant of both sides of the window, in bins, from 1 to 20")
    window: int = setting(20, "longest lag of the windowed rule, in bins")
    pre_probability: float = setting(0.05, "presynaptic spike probability per bin, in (0, 1)")
    probabilities: tuple[float, ...] = setting(
        (0.01, 0.03, 0.1, 0.2, 0.3), "constant postsynaptic spike probabilities per bin, in (0, 1), rising"
    )
    max_probability: float = setting(0.05, "postsynaptic spike probability per bin at rate 1, for the drives")
    widths: tuple[float, ...] = setting((3.0, 10.0, 20.0), "widths of the random drives, in bins, above 0, rising")
    n_sequences: int = setting(100, "random drives of each width, and a tenth of that random rates to sample")
    n_trials: int = setting(1000, "pairs of spike trains for each rate")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        _checks.number("tau", self.tau, at_least=1, at_most=20)
        _checks.window(self.window)
        for name in ("pre_probability", "max_probability"):
            _checks.one_probability(name, getattr(self, name), below_one=True)
        for name in ("probabilities", "widths"):
            _checks.rising(name, getattr(self, name))
        for value in self.probabilities:
            _checks.one_probability("probabilities", value, below_one=True)
        for value in self.widths:
            _checks.number("widths", value, above=0)
        _checks.count("n_sequences", self.n_sequences, minimum=10)
        _checks.count("n_trials", self.n_trials, minimum=2, maximum=_checks.MAX_TRIALS)


def rule_of(scheme: Scheme, tau: float) -> Rule:
    """Return pairs with an antisymmetric window: the same time constant and amplitude on both sides."""
    return pair_rule(1.0, 1.0, tau, tau, scheme)


def pair_changes(rule: Rule, pre: NDArray[np.float64], post: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the change that each pair makes, read off the rule by moving its two spikes.

    A pair that counts makes an exponential of its lag, and that alone depends on both times: the second derivative by
    both is minus the change over tau^2. No two spikes may be at the same time.
    """
    events = merge_spike_times(pre, post)

    def change(times: Float[Array, "event"]) -> Float[Array, ""]:
        return event_weight_change(rule, times, events.pre_spikes, events.post_spikes)

    assert rule.traces is not None
    by_both = np.asarray(jax.jit(jax.hessian(change))(jnp.asarray(events.times, float)), np.float64)
    return -(rule.traces.parameters.tau_plus**2) * by_both[events.pre_spikes][:, events.post_spikes]


class Measured(NamedTuple):
    """What is measured of one scheme."""

    mean: Float[Array, "rate time"]
    """Update of each bin, over the trials."""
    error: Float[Array, "rate time"]
    """Its standard error."""
    exact: Float[Array, "rate time"]
    settled: Float[Array, "trial rate"]
    """Mean update over the second half of the bins."""
    per_spike: Float[Array, "sequence driven_time"]
    """What one more presynaptic spike would change on average."""
    windows: Float[Array, "probability lag"]
    """Effective windows at constant rates."""


@partial(jax.jit, static_argnames="n_trials")
def sample(key: Key[Array, ""], rates: Float[Array, "rate time"], n_trials: int) -> Bool[Array, "trial rate time"]:
    """Draw spike trains."""
    return jax.vmap(lambda key: sample_spikes(key, rates))(member_keys(key, n_trials))


@partial(jax.jit, static_argnames=("rule", "config"))
def measure(
    pre: Bool[Array, "trial rate time"],
    post: Bool[Array, "trial rate time"],
    rates: Float[Array, "rate time"],
    driven: Float[Array, "sequence driven_time"],
    rule: Rule,
    config: PairingSchemesConfig,
) -> Measured:
    """Let a rule see spikes of some rates; compute its exact means, updates per presynaptic spike, and windows."""
    updates = train_updates(rule, pre, post)

    def total(pre: Float[Array, "sequence driven_time"]) -> Float[Array, ""]:
        return jnp.sum(expected_updates(rule, pre, driven))

    def window_at(q: Float[Array, ""]) -> Float[Array, "lag"]:
        return effective_window(rule, config.pre_probability, q, 2 * _SETTLE, n_settle=2 * _SETTLE)

    return Measured(
        jnp.mean(updates, axis=0),
        jnp.std(updates, axis=0, ddof=1) / jnp.sqrt(jnp.asarray(config.n_trials, updates.dtype)),
        expected_updates(rule, jnp.full_like(rates, config.pre_probability), rates),
        jnp.mean(updates[..., updates.shape[-1] // 2 :], axis=-1),
        jax.grad(total)(jnp.full_like(driven, config.pre_probability)),
        jax.vmap(window_at)(jnp.asarray(config.probabilities, rates.dtype)),
    )


def run(key: Key[Array, ""], config: PairingSchemesConfig, progress: Progress) -> xr.Dataset:
    """Measure the schemes one after another, and the windowed rule by its exact law."""
    progress(0.0, "drives")
    n_bins, n_random = 4 * _SETTLE, config.n_sequences // 10
    keys = member_keys(named_key(key, "drives"), config.n_sequences)
    drives = [jax.vmap(partial(smooth_noise, n_steps=n_bins, width=width))(keys) for width in config.widths]
    activity = bounded_voltage(jnp.concatenate(drives))
    driven = config.max_probability * hard_sigmoid().value(activity)
    inner = slice(_SETTLE, n_bins - _SETTLE)
    slope = np.asarray(state_slope(activity), np.float64)[:, _SETTLE - 1 : n_bins - _SETTLE - 1]

    random = jax.random.uniform(named_key(key, "rates"), (n_random, 2 * _SETTLE), minval=0.02, maxval=0.4)
    constant = jnp.broadcast_to(
        jnp.asarray(config.probabilities, random.dtype)[:, None], (len(config.probabilities), 2 * _SETTLE)
    )
    rates = jnp.concatenate([random, constant])
    found = {}
    for index, scheme in enumerate(SCHEMES):
        progress(0.1 + 0.2 * index, scheme)
        pre_key, post_key = (named_key(named_key(key, scheme), side) for side in ("pre", "post"))
        pre = sample(pre_key, jnp.full_like(rates, config.pre_probability), config.n_trials)
        post = sample(post_key, rates, config.n_trials)
        measured = measure(pre, post, rates, driven, rule_of(scheme, config.tau), config)
        found[scheme] = jax.tree.map(lambda part: np.asarray(part, np.float64), measured)

    progress(0.9, "the windowed rule")
    kernel = lag_kernel("exponential", config.window, tau=config.tau)
    law = lag_probability(driven, config.window, boundary="valid")
    off = slice(_SETTLE - config.window, n_bins - _SETTLE - config.window)
    windowed = np.asarray(mean_update(law, kernel), np.float64)[:, off]
    flat = lag_probability(constant[:, : 2 * config.window + 1], config.window, boundary="valid")
    windowed_drift = np.asarray(mean_update(flat, kernel), np.float64)[:, 0]
    gain_at = jax.jit(jax.vmap(lambda q: ramp_gain(q, kernel)))
    windowed_gain = np.asarray(gain_at(constant[:, 0]), np.float64)

    # Per presynaptic spike, as the windowed rule counts.
    half = slice(_SETTLE, None)
    drift = [part.exact[n_random:, half].mean(1) / config.pre_probability for part in found.values()]
    settled = [part.settled[:, n_random:] / config.pre_probability for part in found.values()]
    slopes_of = jax.jit(jax.vmap(lambda window: window_moments(window).first))
    gains = [np.asarray(slopes_of(part.windows), np.float64) for part in found.values()]
    shape = (len(config.widths), config.n_sequences, 2 * _SETTLE)
    all_updates = [*(part.per_spike[:, inner] for part in found.values()), windowed]
    sums = [pair_sums(update.reshape(shape), slope.reshape(shape)) for update in all_updates]
    by_sequence = [np.moveaxis(np.stack(parts), -1, 0) for parts in zip(*sums, strict=True)]
    agreement = bootstrap(named_key(key, "resampling"), correlation_of_sums, *by_sequence)
    scale, events = np.exp(-10 / config.tau), merge_spike_times(*WORKED)
    worked = [
        [
            float(event_weight_change(pair_rule(1.0, 0.0, config.tau, config.tau, scheme, order), *events)) / scale
            for order in ORDERS
        ]
        for scheme in SCHEMES
    ]
    z = [z_scores(part, part.exact, n_random) for part in found.values()]
    other = [
        z_scores(part, found["all_to_all"].exact, n_random) for name, part in found.items() if name != "all_to_all"
    ]
    per_spike = {"units": "amplitude of a pair", "long_name": "mean update per presynaptic spike"}
    return xr.Dataset(
        {
            "pair_change": (
                ("scheme", "pre_spike", "post_spike"),
                [pair_changes(rule_of(scheme, config.tau), *EXAMPLE) for scheme in SCHEMES],
                {"units": "amplitude of a pair", "long_name": "change that a pair makes"},
            ),
            "worked_pairs": (("scheme", "order"), worked, {"long_name": "pairs counted"}),
            "z": (("scheme", "cell"), z, {"units": "standard errors", "long_name": "sampled less exact mean"}),
            "z_all_to_all": (("scheme_with_neighbours", "cell"), other, {"units": "standard errors"}),
            "drift": (("rule", "probability"), [*drift, windowed_drift], per_spike),
            "drift_sampled": (("scheme", "probability"), [part.mean(0) for part in settled], per_spike),
            "drift_error": (
                ("scheme", "probability"),
                [part.std(0, ddof=1) / np.sqrt(config.n_trials) for part in settled], per_spike,
            ),
            "gain": (("rule", "probability"), [*gains, windowed_gain], {"units": "bins^2 amplitude"}),
            "effective_window": (
                ("scheme", "probability", "lag"), [part.windows for part in found.values()],
                {"units": "amplitude of a pair", "long_name": "change by one more pair"},
            ),
            "agreement": (("rule", "width"), agreement.value, {"long_name": "correlation with Eq 1"}),
            "agreement_low": (("rule", "width"), agreement.low, {"long_name": "lower end, 95 %"}),
            "agreement_high": (("rule", "width"), agreement.high, {"long_name": "upper end, 95 %"}),
        },
        coords={
            "scheme": list(SCHEMES),
            "scheme_with_neighbours": [scheme for scheme in SCHEMES if scheme != "all_to_all"],
            "rule": [*SCHEMES, WINDOWED],
            "order": list(ORDERS),
            "pre_spike": ("pre_spike", EXAMPLE[0], {"units": "bins"}),
            "post_spike": ("post_spike", EXAMPLE[1], {"units": "bins"}),
            "probability": ("probability", np.array(config.probabilities), {"units": "1/bin"}),
            "width": ("width", np.array(config.widths), {"units": "bins"}),
            "lag": ("lag", np.arange(-2 * _SETTLE, 2 * _SETTLE + 1), {"units": "bins"}),
            "cell": np.arange(len(z[0])),
        },
    )  # fmt: skip


def z_scores(part: Measured, exact: NDArray[np.float64], n_random: int) -> NDArray[np.float64]:
    """Return sampled less exact means in standard errors, for random rates after the first bin, which has no pairs."""
    difference = (np.asarray(part.mean) - exact)[:n_random, 1:]
    error = np.asarray(part.error)[:n_random, 1:]
    return (difference / np.where(error > 0, error, np.inf)).ravel()


def judge(data: xr.Dataset, config: PairingSchemesConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    with_neighbours = [scheme for scheme in SCHEMES if scheme != "all_to_all"]
    off_by = np.abs(data.worked_pairs.sel(scheme=with_neighbours) - 1).max("scheme")
    # What potentiation alone would do, at each rate.
    kernel = data.effective_window.sel(scheme="all_to_all").isel(probability=0)
    potentiation = data.probability * float(kernel.sel(lag=slice(1, None)).sum())
    relative = np.abs(data.drift / potentiation)
    still = [name for name in data.rule.values if name != NEAREST]
    highest = data.isel(probability=-1)
    p, q, fade = config.pre_probability, float(highest.probability), np.exp(-1 / config.tau)
    up, down = fade / (1 - (1 - p) * fade), fade / (1 - (1 - q) * fade)
    share = float(highest.drift.sel(rule=NEAREST)) / (q * up)
    reach = 1.96 * float(highest.drift_error.sel(scheme=NEAREST)) / (q * up)
    sampled = float(highest.drift_sampled.sel(scheme=NEAREST)) / (q * up)
    gain = data.gain / data.gain.isel(probability=0)
    slow = data.isel(width=-1).sel(rule=still)
    lowest = int(np.argmin(slow.agreement.values))
    return {
        "PS.worked_case": Measurement(
            float(off_by.sel(order="read_before")),
            control=float(off_by.sel(order="read_after")),
            note="Control: traces read after the spikes of the instant.",
        ),
        "PS.sampled": Measurement(
            float(data.z.std()),
            control=float(data.z_all_to_all.std()),
            note=f"{data.z.size} values, {config.n_trials} trials. Control: all-to-all means for the other schemes.",
        ),
        "PS.constant_rate": Measurement(
            float(relative.sel(rule=still).max()),
            control=float(relative.sel(rule=NEAREST).max()),
            note="Relative to the potentiation of all-to-all pairs. Control: nearest symmetric pairs.",
        ),
        "PS.nearest_symmetric": Measurement(
            share / (1 - down / up),
            control=float(highest.drift.sel(rule="reduced_symmetric")) / (q * up) / (1 - down / up),
            note=f"At q = {q:g}: {share:.3f} of the potentiation, sampled {sampled:.3f} ± {reach:.3f}. "
            "Control: reduced symmetric pairs.",
        ),
        "PS.gain": Measurement(
            float(gain.sel(rule="all_to_all").isel(probability=-1)),
            control=float(gain.sel(rule=still[1:]).isel(probability=-1).max()),
            note="Control: the largest of the others whose neighbours hide pairs.",
        ),
        "PS.agreement": Measurement(
            float(slow.agreement[lowest]),
            (float(slow.agreement_low[lowest]), float(slow.agreement_high[lowest])),
            float(data.agreement.isel(width=-1).sel(rule=NEAREST)),
            f"{slow.rule.values[lowest]}, drives of width {float(slow.width):g}. Control: nearest symmetric pairs, "
            "whose drift follows the rate itself.",
        ),
    }


STUDY = Study(
    name="pairing_schemes",
    title="Which pairs of spikes count",
    figure="Pairing schemes",
    source="Bengio et al. 2015, section 5.1; Morrison, Diesmann & Gerstner 2008",
    caption="The paper pairs a presynaptic spike with its nearest postsynaptic one and skips it if there are some on "
    "both sides. Others pair otherwise. With one antisymmetric window, all but one scheme change nothing at constant "
    "rates; all follow the slope of slow drives, each with its own gain.",
    config=PairingSchemesConfig(),
    smoke=PairingSchemesConfig(n_sequences=20, n_trials=100),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)
