"""The rules that a modeller may choose from, and what each makes of one more presynaptic spike."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from stdpjax import stats
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import (
    SCHEMES,
    Rule,
    Sample,
    TraceRule,
    bcm_rule,
    pair_rule,
    per_spike_updates,
    presets,
    run_along,
    trace_rule,
)

EQ1, XIE_SEUNG, WINDOWED, BCM, HEBB = "eq1", "xie_seung", "windowed", "bcm", "hebb"
NEAREST = "nearest_symmetric"
SONG = "song_miller_abbott_2000"
# Published sets whose sides are far from balanced.
PUBLISHED = (
    "bi_poo_2001",
    "froemke_dan_2002",
    "pfister_gerstner_2006_visual_cortex_all_to_all_minimal",
    "pfister_gerstner_2006_visual_cortex_nearest_minimal",
    "pfister_gerstner_2006_hippocampus_all_to_all_minimal",
)
# Antisymmetric windows, and no change at constant rates whatever these are.
STILL = (WINDOWED, *(scheme for scheme in SCHEMES if scheme != NEAREST))
RULES = (EQ1, XIE_SEUNG, WINDOWED, *SCHEMES, SONG, *PUBLISHED, BCM, HEBB)


def rules_of_traces(tau: float) -> Mapping[str, Rule]:
    """Return the rules of traces by name: all schemes with an antisymmetric window, and published sets."""
    return {
        **{scheme: pair_rule(1.0, 1.0, tau, tau, scheme) for scheme in SCHEMES},
        **{name: presets[name].rule() for name in (SONG, *PUBLISHED)},
    }


def update_per_spike(
    rule: Rule, pre: Float[Array, "row time"], post: Float[Array, "row time"]
) -> Float[Array, "row time"]:
    """Return the mean of the whole change with a presynaptic spike in a bin, less that without."""
    assert rule.traces is not None
    return _per_spike(rule.traces._replace(parameters=None), rule.traces.parameters, pre, post)


# One program for all rules that differ in their numbers alone.
@partial(jax.jit, static_argnums=0)
def _per_spike(
    functions: TraceRule, parameters: Any, pre: Float[Array, "row time"], post: Float[Array, "row time"]
) -> Float[Array, "row time"]:
    return per_spike_updates(trace_rule(functions._replace(parameters=parameters)), pre, post)


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
