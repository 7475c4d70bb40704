"""Which pairs of spikes count: the paper's windowed rule beside the pairing schemes of Morrison et al. (2008)."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import NDArray

from stdpjax.drives import bounded_voltage, smooth_noise
from stdpjax.lab import Claim, Progress, Study, at_least, at_most, estimate, keep_estimate, within
from stdpjax.lab.settings import TRIALS, configuration, setting
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
    per_spike_updates,
    ramp_gain,
    state_slope,
    train_updates,
    window_moments,
)
from stdpjax.rules.pair_schemes import Scheme
from stdpjax.spikes import lag_probability, sample_spikes
from stdpjax.stats import bootstrap, correlation_of_sums, normal_interval, pair_sums
from stdpjax.studies.measures import labelled, merged, on_host
from stdpjax.studies.other_rules.pairing_schemes_figure import plot

WINDOWED = "windowed"
# Spikes of the picture, and NEST's example for the schemes; times in bins.
EXAMPLE = (np.array([0.0, 6.0, 14.0]), np.array([3.0, 9.0, 11.0, 20.0]))
WORKED = (np.array([10.0, 20.0]), np.array([20.0]))
# Bins at either end of a record that the traces take to settle.
_SETTLE = 60


@configuration
class PairingSchemesConfig:
    """Settings of the study of pairing schemes; probabilities per bin, times in bins."""

    tau: float = setting(10.0, "time constant of both sides of the window, in bins", at_least=1, at_most=20)
    window: int = setting(20, "longest lag of the windowed rule, in bins")
    pre_probability: float = setting(0.05, "presynaptic spike probability per bin", probability=True, below=1)
    probabilities: tuple[float, ...] = setting(
        (0.01, 0.03, 0.1, 0.2, 0.3),
        "constant postsynaptic spike probabilities per bin",
        probability=True,
        below=1,
        increasing=True,
    )
    max_probability: float = setting(
        0.05, "postsynaptic spike probability per bin at rate 1, for the drives", probability=True, below=1
    )
    widths: tuple[float, ...] = setting(
        (3.0, 10.0, 20.0), "widths of the random drives, in bins", above=0, increasing=True
    )
    n_sequences: int = setting(
        100, "random drives of each width, and a tenth of that random rates to sample", at_least=10
    )
    n_trials: int = setting(1000, "pairs of spike trains for each rate", **TRIALS)


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
    window_at = partial(effective_window, rule, config.pre_probability, window=2 * _SETTLE, n_settle=2 * _SETTLE)
    return Measured(
        jnp.mean(updates, axis=0),
        jnp.std(updates, axis=0, ddof=1) / jnp.sqrt(jnp.asarray(config.n_trials, updates.dtype)),
        expected_updates(rule, jnp.full_like(rates, config.pre_probability), rates),
        jnp.mean(updates[..., updates.shape[-1] // 2 :], axis=-1),
        per_spike_updates(rule, jnp.full_like(driven, config.pre_probability), driven),
        jax.vmap(window_at)(jnp.asarray(config.probabilities, rates.dtype)),
    )


NEAREST = "nearest_symmetric"
# Rules that change nothing at constant rates, and those of them whose neighbours hide pairs.
_STILL = [name for name in (*SCHEMES, WINDOWED) if name != NEAREST]
_HIDING = [name for name in _STILL if name != "all_to_all"]


def _off_by(data: xr.Dataset, order: str) -> float:
    counted = data.worked_pairs.sel(scheme=data.scheme_with_neighbours.values, order=order)
    return float(np.abs(counted - 1).max())


def _relative_drift(data: xr.Dataset) -> xr.DataArray:
    """Return mean updates at constant rates over what potentiation alone would do."""
    window = data.effective_window.sel(scheme="all_to_all").isel(probability=0)
    return np.abs(data.drift / (data.probability * float(window.sel(lag=slice(1, None)).sum())))


def _sides(data: xr.Dataset) -> tuple[float, float]:
    """Return what each side of nearest symmetric pairs adds up to at the highest rate, per postsynaptic probability."""
    p, q, fade = float(data.pre_probability), float(data.probability[-1]), np.exp(-1 / float(data.tau))
    return fade / (1 - (1 - p) * fade), fade / (1 - (1 - q) * fade)


def _share_left(data: xr.Dataset, drift: xr.DataArray) -> float:
    """Return a mean update at the highest rate over the potentiation by nearest symmetric pairs."""
    return float(drift[-1]) / (float(data.probability[-1]) * _sides(data)[0])


def _law_of_share(data: xr.Dataset) -> float:
    up, down = _sides(data)
    return 1 - down / up


def _shares(data: xr.Dataset) -> str:
    sampled = data.sel(scheme=NEAREST)
    exact, mean, error = (
        _share_left(data, drift) for drift in (data.drift.sel(rule=NEAREST), sampled.drift_sampled, sampled.drift_error)
    )
    reach = normal_interval(mean, error).reach
    return f"At q = {float(data.probability[-1]):g}: {exact:.3f} of the potentiation, sampled {mean:.3f} ± {reach:.3f}."


def _relative_gain(data: xr.Dataset) -> xr.DataArray:
    return data.gain.isel(probability=-1) / data.gain.isel(probability=0)


def _least_agreeing(data: xr.Dataset) -> xr.Dataset:
    """Return the data of the rule without drift that agrees least with Eq 1 under slow drives."""
    slow = data.isel(width=-1).sel(rule=_STILL)
    return slow.isel(rule=int(slow.agreement.values.argmin()))


_CONSTANT = "On average the weight does not change when the postsynaptic firing rate is constant."
_SLOPE = "STDP corresponds to a weight change that follows the temporal derivative of the postsynaptic activity."
_NEAREST = "nearest symmetric pairs"

CLAIMS = (
    Claim(
        "PS.worked_case",
        "Pairs counted besides one, with presynaptic spikes at 10 and 20 and a postsynaptic one at 20 (largest).",
        statement="Section 5.1",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: _off_by(data, "read_before"),
        control=lambda data: _off_by(data, "read_after"),
        control_is="traces read after the spikes of the instant",
        bearing="supports",
    ),
    Claim(
        "PS.sampled",
        "Standard deviation of sampled less exact mean updates, in standard errors, over all schemes, rates and bins.",
        statement="Section 5.1",
        criterion=within(1.0, 0.05),
        measure=lambda data: data.z.std(),
        control=lambda data: data.z_all_to_all.std(),
        control_is="all-to-all means for the other schemes",
        bearing="supports",
        note=lambda data: f"{data.z.size} values.",
    ),
    Claim(
        "PS.constant_rate",
        "Largest mean update at constant rates over that of potentiation alone, of all rules but nearest symmetric.",
        statement="Sections 3.2 and 9",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: _relative_drift(data).sel(rule=_STILL).max(),
        control=lambda data: _relative_drift(data).sel(rule=NEAREST).max(),
        control_is=_NEAREST,
        bearing="limits",
        note="Relative to the potentiation of all-to-all pairs.",
    ),
    Claim(
        "PS.nearest_symmetric",
        "Mean update of nearest symmetric pairs at constant rates over its closed form.",
        statement="Sections 3.2 and 9",
        criterion=within(1.0, 1e-3),
        measure=lambda data: _share_left(data, data.drift.sel(rule=NEAREST)) / _law_of_share(data),
        control=lambda data: _share_left(data, data.drift.sel(rule="reduced_symmetric")) / _law_of_share(data),
        control_is="reduced symmetric pairs",
        bearing="refutes",
        note=_shares,
    ),
    Claim(
        "PS.gain",
        "Gain of all-to-all pairs on a slow ramp at the highest rate over that at the lowest.",
        statement="Section 5.1",
        criterion=within(1.0, 1e-3, double=1e-9),
        measure=lambda data: _relative_gain(data).sel(rule="all_to_all"),
        control=lambda data: _relative_gain(data).sel(rule=_HIDING).max(),
        control_is="the largest of the others whose neighbours hide pairs",
        bearing="limits",
    ),
    Claim(
        "PS.agreement",
        "Correlation per bin of the exact mean update with Eq 1, slow drives (lowest of all but nearest symmetric).",
        statement="Section 5.1, Eq 1",
        criterion=at_least(0.9),
        measure=lambda data: estimate(_least_agreeing(data), "agreement"),
        control=lambda data: data.agreement.isel(width=-1).sel(rule=NEAREST),
        control_is="nearest symmetric pairs, whose drift follows the rate itself",
        bearing="limits",
        note=lambda data: f"{_least_agreeing(data).rule.item()}, drives of width {float(data.width[-1]):g}.",
    ),
)


_PER_SPIKE = "mean update per presynaptic spike"
_OTHERS = [scheme for scheme in SCHEMES if scheme != "all_to_all"]


def run(key: Key[Array, ""], config: PairingSchemesConfig, progress: Progress) -> xr.Dataset:
    """Measure the schemes one after another, and the windowed rule by its exact law."""
    progress(0.0, "drives")
    activity = _drive(named_key(key, "drives"), config)
    driven = config.max_probability * hard_sigmoid().value(activity)
    random = jax.random.uniform(
        named_key(key, "rates"), (config.n_sequences // 10, 2 * _SETTLE), minval=0.02, maxval=0.4
    )
    constant = jnp.tile(jnp.asarray(config.probabilities, random.dtype)[:, None], (1, 2 * _SETTLE))
    rates = jnp.concatenate([random, constant])
    found = {}
    for index, scheme in enumerate(SCHEMES):
        progress(0.1 + 0.2 * index, scheme)
        pre_key, post_key = (named_key(named_key(key, scheme), side) for side in ("pre", "post"))
        pre = sample(pre_key, jnp.full_like(rates, config.pre_probability), config.n_trials)
        post = sample(post_key, rates, config.n_trials)
        measured = measure(pre, post, rates, driven, rule_of(scheme, config.tau), config)
        found[scheme] = on_host(measured)
    progress(0.9, "the windowed rule")
    return merged(
        _by_hand(config),
        _sampled(found, len(random), config),
        _at_constant_rates(found, constant, config),
        _agreement(named_key(key, "resampling"), found, driven, activity, config),
        scheme=list(SCHEMES),
        scheme_with_neighbours=_OTHERS,
        rule=[*SCHEMES, WINDOWED],
        order=list(ORDERS),
        pre_spike=("pre_spike", EXAMPLE[0], {"units": "bins"}),
        post_spike=("post_spike", EXAMPLE[1], {"units": "bins"}),
        cell=np.arange(len(random) * (2 * _SETTLE - 1)),
        probability=("probability", np.array(config.probabilities), {"units": "1/bin"}),
        width=("width", np.array(config.widths), {"units": "bins"}),
        lag=("lag", np.arange(-2 * _SETTLE, 2 * _SETTLE + 1), {"units": "bins"}),
        tau=((), config.tau, {"units": "bins"}),
        pre_probability=((), config.pre_probability, {"units": "1/bin"}),
    )


def _drive(key: Key[Array, ""], config: PairingSchemesConfig) -> Float[Array, "sequence driven_time"]:
    """Return the activity under drives of all widths, one width after the other."""
    keys = member_keys(key, config.n_sequences)
    drives = [jax.vmap(partial(smooth_noise, n_steps=4 * _SETTLE, width=width))(keys) for width in config.widths]
    return bounded_voltage(jnp.concatenate(drives))


def _by_hand(config: PairingSchemesConfig) -> xr.Dataset:
    """Return what is counted of the spikes of the picture and of the worked case."""
    scale, events = np.exp(-10 / config.tau), merge_spike_times(*WORKED)
    one_sided = [[pair_rule(1.0, 0.0, config.tau, config.tau, scheme, order) for order in ORDERS] for scheme in SCHEMES]
    worked = [[float(event_weight_change(rule, *events)) / scale for rule in row] for row in one_sided]
    changes = [pair_changes(rule_of(scheme, config.tau), *EXAMPLE) for scheme in SCHEMES]
    pairs = ("scheme", "pre_spike", "post_spike")
    return merged(
        labelled(pairs, "amplitude of a pair", pair_change=(changes, "change that a pair makes")),
        labelled(("scheme", "order"), worked_pairs=(worked, "pairs counted")),
    )


def _sampled(found: dict[str, Any], n_random: int, config: PairingSchemesConfig) -> xr.Dataset:
    """Return sampled less exact means in standard errors, for random rates after the first bin, which has no pairs."""

    def z(part: Any, exact: NDArray[np.float64]) -> NDArray[np.float64]:
        difference, error = (part.mean - exact)[:n_random, 1:], part.error[:n_random, 1:]
        return (difference / np.where(error > 0, error, np.inf)).ravel()

    own = [z(part, part.exact) for part in found.values()]
    wrong = [z(found[scheme], found["all_to_all"].exact) for scheme in _OTHERS]
    settled = np.stack([part.settled[:, n_random:] / config.pre_probability for part in found.values()])
    error = settled.std(1, ddof=1) / np.sqrt(config.n_trials)
    return merged(
        labelled(("scheme", "cell"), "standard errors", z=(own, "sampled less exact mean")),
        labelled(("scheme_with_neighbours", "cell"), "standard errors", z_all_to_all=wrong),
        labelled(
            ("scheme", "probability"),
            "amplitude of a pair",
            drift_sampled=(settled.mean(1), _PER_SPIKE),
            drift_error=(error, _PER_SPIKE),
        ),
    )


def _at_constant_rates(
    found: dict[str, Any], constant: Float[Array, "probability time"], config: PairingSchemesConfig
) -> xr.Dataset:
    """Return mean updates per presynaptic spike at constant rates, gains on ramps, and windows."""
    kernel = lag_kernel("exponential", config.window, tau=config.tau)
    n_constant = len(config.probabilities)
    drift = [part.exact[-n_constant:, _SETTLE:].mean(1) / config.pre_probability for part in found.values()]
    flat = lag_probability(constant[:, : 2 * config.window + 1], config.window, boundary="valid")
    windowed_drift = np.asarray(mean_update(flat, kernel), np.float64)[:, 0]
    slopes_of = jax.jit(jax.vmap(lambda window: window_moments(window).first))
    gains = [np.asarray(slopes_of(part.windows), np.float64) for part in found.values()]
    windowed_gain = np.asarray(jax.jit(jax.vmap(lambda q: ramp_gain(q, kernel)))(constant[:, 0]), np.float64)
    by_rate, windows = ("rule", "probability"), [part.windows for part in found.values()]
    return merged(
        labelled(by_rate, "amplitude of a pair", drift=([*drift, windowed_drift], _PER_SPIKE)),
        labelled(by_rate, "bins^2 amplitude", gain=[*gains, windowed_gain]),
        labelled(
            ("scheme", "probability", "lag"),
            "amplitude of a pair",
            effective_window=(windows, "change by one more pair"),
        ),
    )


def _agreement(
    key: Key[Array, ""],
    found: dict[str, Any],
    driven: Float[Array, "sequence driven_time"],
    activity: Float[Array, "sequence driven_time"],
    config: PairingSchemesConfig,
) -> xr.Dataset:
    """Return correlations per bin of the exact mean updates with Eq 1, by width of the drive."""
    inner = slice(_SETTLE, -_SETTLE)
    slope = np.asarray(state_slope(activity), np.float64)[:, _SETTLE - 1 : 1 - _SETTLE]
    law = lag_probability(driven, config.window, boundary="valid")
    off = slice(_SETTLE - config.window, 3 * _SETTLE - config.window)
    kernel = lag_kernel("exponential", config.window, tau=config.tau)
    windowed = np.asarray(mean_update(law, kernel), np.float64)[:, off]
    shape = (len(config.widths), config.n_sequences, 2 * _SETTLE)
    updates = [*(part.per_spike[:, inner] for part in found.values()), windowed]
    sums = [pair_sums(update.reshape(shape), slope.reshape(shape)) for update in updates]
    by_sequence = [np.moveaxis(np.stack(parts), -1, 0) for parts in zip(*sums, strict=True)]
    correlation = bootstrap(key, correlation_of_sums, *by_sequence)
    return xr.Dataset(keep_estimate("agreement", correlation, ("rule", "width"), long_name="correlation with Eq 1"))


STUDY = Study(
    name="pairing_schemes",
    title="Which pairs of spikes count",
    figure="Pairing schemes",
    source="Bengio et al. 2015, section 5.1; Morrison, Diesmann & Gerstner 2008",
    caption="The paper pairs a presynaptic spike with its nearest postsynaptic one and skips it if there are some on "
    "both sides. Others pair otherwise. With one antisymmetric window, all but one scheme change nothing at constant "
    "rates; all follow the slope of slow drives, each with its own gain.",
    config=PairingSchemesConfig(),
    smoke=dict(n_sequences=20, n_trials=100),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
