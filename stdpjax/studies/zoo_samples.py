"""Spike trains that all rules see, and what rules without traces make of them."""

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
from stdpjax.rules import expected_updates, lag_update, mean_update, presets, spike_update
from stdpjax.spikes import expected_lag_counts, nearest_lag, sample_spikes
from stdpjax.studies.zoo_rules import EQ2, HEBB, WINDOWED, Trains, in_blocks

# Presynaptic probability per bin at constant rates, and the bins after which every trace has settled.
_PRE_PROBABILITY, _SETTLED = 0.02, 1500
_N_RATES = 200
# Of the random rates to sample: bins, range, and blocks at the start that are left out.
_N_SAMPLED_BINS, _UNSETTLED = 120, 4
_SAMPLED_PROBABILITIES = (0.05, 0.2)
_MS_PER_SECOND = 1000.0


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
    updates = {
        EQ2: jax.vmap(partial(_eq2, slope))(pre[1:]),
        WINDOWED: lag_update(nearest_lag(pre[1:], post[1:], window), kernel),
        HEBB: pre[1:] * post[1:],
    }
    exact = {
        EQ2: pre[0] * slope,
        WINDOWED: mean_update(expected_lag_counts(pre[0], post[0], window), kernel),
        HEBB: pre[0] * post[0],
    }
    return {name: in_blocks(jnp.concatenate([exact[name][None], part]), n_block) for name, part in updates.items()}


def _eq2(slope: Float[Array, "sequence time"], pre: Float[Array, "sequence time"]) -> Float[Array, "sequence time"]:
    return spike_update(jnp.zeros_like(slope)[..., None], slope[..., None], pre[..., None])[..., 0, 0]


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
