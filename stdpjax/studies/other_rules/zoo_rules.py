"""The rules that a modeller may choose from, and what each makes of one more spike, of trains and of constant rates."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray

from stdpjax import stats
from stdpjax.lab import keep_estimate
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import (
    SCHEMES,
    Rule,
    Sample,
    TraceRule,
    bcm_rule,
    expected_updates,
    lag_update,
    mean_update,
    pair_rule,
    per_spike_updates,
    presets,
    run_along,
    spike_update,
    trace_rule,
)
from stdpjax.spikes import expected_lag_counts, nearest_lag, sample_spikes

EQ1, EQ2, XIE_SEUNG, WINDOWED, BCM, HEBB = "eq1", "eq2", "xie_seung", "windowed", "bcm", "hebb"
SONG, BI_POO, FROEMKE_DAN = "song_miller_abbott_2000", "bi_poo_2001", "froemke_dan_2002"
TRIPLETS = tuple(
    f"pfister_gerstner_2006_{name}_minimal"
    for name in ("visual_cortex_all_to_all", "visual_cortex_nearest", "hippocampus_all_to_all")
)
# Published sets whose sides are far from balanced.
PUBLISHED = (BI_POO, FROEMKE_DAN, *TRIPLETS)
CONTROLS = (BCM, HEBB)
# Antisymmetric windows, and no change at constant rates whatever these are.
BALANCED = (WINDOWED, *(scheme for scheme in SCHEMES if scheme != "nearest_symmetric"))
RULES = (EQ1, EQ2, XIE_SEUNG, WINDOWED, *SCHEMES, SONG, *PUBLISHED, *CONTROLS)
# Presynaptic probability per bin at constant rates, and the bins after which every trace has settled.
_PRE_PROBABILITY, _SETTLED = 0.02, 1500
_N_RATES = 200
# Of the random rates to sample: bins, range, and blocks at the start that are left out.
_N_SAMPLED_BINS, _UNSETTLED = 120, 4
_SAMPLED_PROBABILITIES = (0.05, 0.2)
_MS_PER_SECOND = 1000.0


def rules_of_traces(tau: float) -> Mapping[str, Rule]:
    """Return the rules of traces by name: all schemes with an antisymmetric window, and published sets."""
    return {
        **{scheme: pair_rule(1.0, 1.0, tau, tau, scheme) for scheme in SCHEMES},
        **{name: presets[name].rule() for name in (SONG, *PUBLISHED)},
    }


class Measured(NamedTuple):
    """What is measured of one rule of traces."""

    per_spike: Float[Array, "row simulated"]
    """Mean of the whole change with a presynaptic spike in a bin, less that without."""
    mean: Float[Array, "sequence block"]
    """Sampled update of a block of bins, over the trials."""
    error: Float[Array, "sequence block"]
    """Its standard error."""
    exact: Float[Array, "sequence block"]


Trains = Float[Array, "trial_plus_one sequence time"]


def measure(
    rule: Rule,
    pre: Float[Array, "row simulated"],
    post: Float[Array, "row simulated"],
    trains: tuple[Trains, Trains],
    n_block: int,
) -> Measured:
    """Compute a rule's exact update per presynaptic spike, and its updates of sampled spikes beside their mean.

    The trains of both neurons, 0 or 1, come after the probabilities that they were drawn from: a rule makes its mean
    change of these.
    """
    assert rule.traces is not None
    functions = rule.traces._replace(parameters=None)
    return _measure(functions, rule.traces.parameters, pre, post, trains, n_block)


# One program for all rules that differ in their numbers alone.
@partial(jax.jit, static_argnums=(0, 5))
def _measure(
    functions: TraceRule,
    parameters: Any,
    pre: Float[Array, "row simulated"],
    post: Float[Array, "row simulated"],
    trains: tuple[Trains, Trains],
    n_block: int,
) -> Measured:
    rule = trace_rule(functions._replace(parameters=parameters))
    return Measured(per_spike_updates(rule, pre, post), *in_blocks(expected_updates(rule, *trains), n_block))


def in_blocks(
    updates: Float[Array, "trial_plus_one sequence time"], n_block: int
) -> tuple[Float[Array, "sequence block"], Float[Array, "sequence block"], Float[Array, "sequence block"]]:
    """Return mean and error over trials of sums over blocks of bins, and the sums of the mean, which comes first."""
    blocks = jnp.sum(updates.reshape(*updates.shape[:-1], -1, n_block), axis=-1)
    exact, sampled = blocks[0], blocks[1:]
    n_trials = jnp.asarray(len(sampled), blocks.dtype)
    return jnp.mean(sampled, axis=0), jnp.std(sampled, axis=0, ddof=1) / jnp.sqrt(n_trials), exact


@jax.jit
def bcm_updates(activity: Float[Array, "sequence time"], tau: Float[Array, ""]) -> Float[Array, "sequence time"]:
    """Return what the rule of Bienenstock, Cooper & Munro changes at a presynaptic rate of 1."""
    samples = Sample(activity.T, activity.T, jnp.ones((activity.shape[1], 1), activity.dtype))
    weights = jnp.zeros((len(activity), 1), activity.dtype)
    return run_along(bcm_rule(hard_sigmoid(), tau), samples, weights).updates[:, :, 0].T


def matrix_sums(values: NDArray[np.float64]) -> stats.PairSums:
    """Return sums for `stats.correlation_of_sums`, `[sequence, rule, rule]`, of updates `[rule, sequence, time]`."""
    centred = values - values.mean((1, 2), keepdims=True)
    products = np.einsum("ast,bst->sab", centred, centred, optimize=True)
    squares, sums = np.einsum("saa->sa", products), centred.sum(-1).T
    n = np.full((values.shape[1], 1, 1), float(values.shape[2]))
    return stats.PairSums(n, sums[:, :, None], sums[:, None, :], squares[:, :, None], squares[:, None, :], products)


def linear_correlation(response: NDArray[np.float64], width: float) -> float:
    """Return the correlation of an update with the slope of the rate, for small modulations by a smooth drive.

    `response` is the derivative of the update by the rate at each lag, from -K to K; `rules.slope_correlation` is this
    of the windowed rule with an antisymmetric kernel.
    """
    lags = np.arange(-(len(response) // 2), len(response) // 2 + 1)
    covariance = np.sum(response * lags * np.exp(-(lags**2) / (4 * width**2))) / (2 * width**2)
    autocorrelation = np.exp(-((lags[:, None] - lags[None, :]) ** 2) / (4 * width**2))
    return float(covariance / np.sqrt(response @ autocorrelation @ response / (2 * width**2)))


class Sampled(NamedTuple):
    """Updates of blocks of bins: sampled mean, its standard error, and the exact mean."""

    mean: NDArray[np.float64]
    error: NDArray[np.float64]
    exact: NDArray[np.float64]

    def z(self, exact: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return sampled less given means in standard errors, but for the first blocks, when traces build up.

        The blocks are alike, and so all get the root mean square of their errors: where changes are rare, the error
        of a single block depends on its mean.
        """
        error = np.sqrt(np.mean(self.error[:, _UNSETTLED:] ** 2))
        return ((self.mean - exact)[:, _UNSETTLED:] / (error if error > 0 else np.inf)).ravel()


@partial(jax.jit, static_argnames=("n_sequences", "n_trials"))
def sample(key: Key[Array, ""], n_sequences: int, n_trials: int) -> tuple[Trains, Trains]:
    """Draw presynaptic and postsynaptic trains, after the probabilities that they are drawn from.

    The probabilities are drawn anew in each bin, none of them rare, so that means over trials are close to normal.
    """

    def draw(side: str) -> Trains:
        spikes_key, rates_key = named_key(key, side), named_key(key, f"{side} rates")
        rates = jax.random.uniform(rates_key, (n_sequences, _N_SAMPLED_BINS), float, *_SAMPLED_PROBABILITIES)
        drawn = jax.vmap(lambda key: sample_spikes(key, rates))(member_keys(spikes_key, n_trials))
        return jnp.concatenate([rates[None], drawn.astype(rates.dtype)])

    return draw("pre"), draw("post")


@partial(jax.jit, static_argnames="n_block")
def sample_others(trains: tuple[Trains, Trains], kernel: Float[Array, "lag"], n_block: int) -> dict[str, Any]:
    """Return sampled and exact updates by rules that are not of traces.

    For Eq 2 the activity moves as the postsynaptic probability does. The kernel is that of the windowed rule.
    """
    pre, post = trains
    window = kernel.size // 2
    slope = jnp.diff(post[0], append=post[0, :, :1])
    still = jnp.zeros_like(slope)[..., None]
    updates = {
        EQ2: jax.vmap(lambda pre: spike_update(still, slope[..., None], pre[..., None])[..., 0, 0])(pre[1:]),
        WINDOWED: lag_update(nearest_lag(pre[1:], post[1:], window), kernel),
        HEBB: pre[1:] * post[1:],
    }
    exact = {
        EQ2: pre[0] * slope,
        WINDOWED: mean_update(expected_lag_counts(pre[0], post[0], window), kernel),
        HEBB: pre[0] * post[0],
    }
    return {name: in_blocks(jnp.concatenate([exact[name][None], part]), n_block) for name, part in updates.items()}


def by_lag(
    key: Key[Array, ""], counts: NDArray[np.float64], updates: NDArray[np.float64], n_resamples: int
) -> dict[str, Any]:
    """Return exact mean updates of rules of rates by nearest lag, with intervals over sequences; NaN where no pair is.

    Counts of lags are `[sequence, time, lag]`, updates of each rule at a presynaptic spike `[rule, sequence, time]`.
    """
    is_pair = np.arange(counts.shape[-1]) != counts.shape[-1] // 2

    def mean(total: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(is_pair, total / np.maximum(n, 1e-9)[..., None, :], np.nan)

    totals = np.einsum("rst,stl->srl", updates, counts, optimize=True)
    found = stats.bootstrap(key, mean, totals, counts.sum(1), n_resamples=n_resamples)
    return keep_estimate("by_lag", found, ("rate_rule", "lag"), units="update per presynaptic spike")


def constant_rate_drift(name: str, probability: Float[Array, "rate"]) -> Float[Array, "rate"]:
    """Return the mean update of a published rule per presynaptic spike at constant postsynaptic rates."""
    post = jnp.broadcast_to(probability[:, None], (len(probability), _SETTLED))
    updates = expected_updates(presets[name].rule(), jnp.full_like(post, _PRE_PROBABILITY), post)
    return updates[:, -1] / _PRE_PROBABILITY


def drifts(names: tuple[str, ...], turning: tuple[str, ...], highest_hz: float) -> Mapping[str, Any]:
    """Return drifts by constant rate, and the rates (Hz) at which the drifts of some rules turn from down to up."""
    rates = constant_rates(highest_hz)
    probability = jnp.asarray(rates / _MS_PER_SECOND, float)
    table = {name: np.asarray(constant_rate_drift(name, probability), np.float64) for name in names}
    return {
        "drift": (("drifting_rule", "constant_rate"), list(table.values()), {"units": "unit of the rule"}),
        "turning_rate": ("turning_rule", [_turn(rates, table[name]) for name in turning], {"units": "Hz"}),
    }


def constant_rates(highest_hz: float) -> NDArray[np.float64]:
    """Return the rates at which drifts are computed, in Hz."""
    return np.linspace(0.0, highest_hz, _N_RATES + 1)[1:]


def _turn(rates: NDArray[np.float64], drift: NDArray[np.float64]) -> float:
    """Return where a drift rises through 0, by a line between the neighbours; NaN where it does not."""
    before = np.flatnonzero((drift[:-1] < 0) & (drift[1:] >= 0))
    if not before.size:
        return float("nan")
    at = slice(int(before[0]), int(before[0]) + 2)
    return float(np.interp(0.0, drift[at], rates[at]))
