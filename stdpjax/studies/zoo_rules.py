"""The rules that a modeller may choose from, and what each makes of one more presynaptic spike."""

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from stdpjax.rates import hard_sigmoid
from stdpjax.rules import (
    SCHEMES,
    Rule,
    Sample,
    TraceRule,
    bcm_rule,
    expected_updates,
    pair_rule,
    per_spike_updates,
    presets,
    run_along,
    trace_rule,
)
from stdpjax.stats import PairSums

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


def matrix_sums(values: NDArray[np.float64]) -> PairSums:
    """Return sums for `stats.correlation_of_sums`, `[sequence, rule, rule]`, of updates `[rule, sequence, time]`."""
    centred = values - values.mean((1, 2), keepdims=True)
    products = np.einsum("ast,bst->sab", centred, centred, optimize=True)
    squares, sums = np.einsum("saa->sa", products), centred.sum(-1).T
    n = np.full((values.shape[1], 1, 1), float(values.shape[2]))
    return PairSums(n, sums[:, :, None], sums[:, None, :], squares[:, :, None], squares[:, None, :], products)


def linear_correlation(response: NDArray[np.float64], width: float) -> float:
    """Return the correlation of an update with the slope of the rate, for small modulations by a smooth drive.

    `response` is the derivative of the update by the rate at each lag, from -K to K; `rules.slope_correlation` is this
    of the windowed rule with an antisymmetric kernel.
    """
    lags = np.arange(-(len(response) // 2), len(response) // 2 + 1)
    covariance = np.sum(response * lags * np.exp(-(lags**2) / (4 * width**2))) / (2 * width**2)
    autocorrelation = np.exp(-((lags[:, None] - lags[None, :]) ** 2) / (4 * width**2))
    return float(covariance / np.sqrt(response @ autocorrelation @ response / (2 * width**2)))
