"""Sampled tables of lag counts: how often each lag occurs in each bin, summed over trials.

This is the readable path: one key a trial, one train a key. Sequences and blocks of trials stream, so memory does
not grow with their number.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.random import member_keys
from stdpjax.spikes.pairing import Boundary, Coincidence, Sides, _nearest_lag, check_options

_TRIALS_AT_ONCE = 1024


def sample_lag_counts(
    key: Key[Array, ""],
    pre_probability: ArrayLike,
    post_probability: ArrayLike,
    n_trials: int,
    window: int = 20,
    coincidence: Coincidence = "skip",
    *,
    sides: Sides = "one",
    boundary: Boundary = "silent",
    first_sequence: int = 0,
) -> Int[Array, "*batch time lag"]:
    """Sample pairs of spike trains and count, for each bin, the lags that presynaptic spikes are given.

    Trial `k` of sequence `i` has the key `fold_in(fold_in(key, i), k)`: the counts do not depend on how sequences
    or trials are grouped, more trials keep the first ones, and `sample_pair` replays any single one.

    Args:
        key: a scalar key.
        pre_probability: presynaptic spike probability per bin, shape `[..., time]`. Leading axes are sequences,
            numbered in C order.
        post_probability: postsynaptic spike probability per bin, same shape.
        n_trials: pairs of trains for each sequence, 0 or more.
        window: half-width of the window in bins, from 1 to the length of the record.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.
        sides: "one" or "both", likewise.
        boundary: "silent" or "valid", likewise.
        first_sequence: number of the first sequence, so that a block of a longer list gets its own trials.

    Returns:
        Counts summed over trials, shape `[..., time, 2 * window + 1]`, lags from -window to +window. The middle
        column (lag 0, no update) is 0. With boundary "valid" time is `2 * window` bins shorter.

    Raises:
        ValueError: probabilities outside [0, 1] or not finite, different shapes, a window or a count out of
            range, or an unknown option.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> probability = jnp.full((2, 60), 0.05)
        >>> counts = stdpjax.spikes.sample_lag_counts(
        ...     stdpjax.random.key(0), probability, probability, n_trials=100, window=5)
        >>> counts.shape, counts.dtype
        ((2, 60, 11), dtype('int32'))
    """
    pre_probability = _checks.probability("pre_probability", pre_probability)
    post_probability = _checks.probability("post_probability", post_probability)
    _checks.same_shape("pre_probability", pre_probability, "post_probability", post_probability)
    n_trials = _checks.count("n_trials", n_trials, minimum=0)
    *batch, n_steps = pre_probability.shape
    _checks.window(window, n_steps)
    check_options(window, coincidence, sides, boundary, n_steps)
    sequence_keys = member_keys(key, int(jnp.prod(jnp.array(batch, int))) if batch else 1, first_sequence)
    counts = _count_lags(
        sequence_keys,
        pre_probability.reshape(-1, n_steps),
        post_probability.reshape(-1, n_steps),
        n_trials,
        window=window,
        coincidence=coincidence,
        sides=sides,
        boundary=boundary,
    )
    return counts.reshape(*batch, *counts.shape[1:])


def sample_pair(
    trial_key: Key[Array, ""],
    pre_probability: Float[Array, "time"],
    post_probability: Float[Array, "time"],
) -> tuple[Bool[Array, "time"], Bool[Array, "time"]]:
    """Draw the presynaptic and the postsynaptic train of one trial.

    Args:
        trial_key: the trial's key; `fold_in(fold_in(key, sequence), trial)` replays a trial of
            `sample_lag_counts`.
        pre_probability: presynaptic spike probability per bin, in [0, 1], shape `[time]`.
        post_probability: postsynaptic spike probability per bin, same shape.

    Returns:
        Presynaptic and postsynaptic spike indicators, each `[time]`.

    Example:
        >>> import jax, jax.numpy as jnp, stdpjax
        >>> trial_key = jax.random.fold_in(jax.random.fold_in(stdpjax.random.key(0), 2), 7)
        >>> pre, post = stdpjax.spikes.sample_pair(trial_key, jnp.full(60, 0.1), jnp.full(60, 0.2))
        >>> pre.shape, post.shape
        ((60,), (60,))
    """
    both = jnp.stack([pre_probability, post_probability])
    pre, post = jax.random.bernoulli(trial_key, both)
    return pre, post


@partial(jax.jit, static_argnames=("n_trials", "window", "coincidence", "sides", "boundary"))
def _count_lags(
    sequence_keys: Key[Array, "sequence"],
    pre_probability: Float[Array, "sequence time"],
    post_probability: Float[Array, "sequence time"],
    n_trials: int,
    *,
    window: int,
    coincidence: Coincidence,
    sides: Sides,
    boundary: Boundary,
) -> Int[Array, "sequence counted lag"]:
    block = min(n_trials, _TRIALS_AT_ONCE)
    n_blocks = -(-n_trials // block) if block else 0
    n_counted = pre_probability.shape[-1] - (2 * window if boundary == "valid" else 0)

    def count_sequence(
        sequence: tuple[Key[Array, ""], Float[Array, "time"], Float[Array, "time"]],
    ) -> Int[Array, "counted lag"]:
        sequence_key, pre_rate, post_rate = sequence

        def add_block(index: Int[Array, ""], counts: Int[Array, "counted lag"]) -> Int[Array, "counted lag"]:
            trials = index * block + jnp.arange(block)
            trial_keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(sequence_key, trials)
            pre, post = jax.vmap(sample_pair, in_axes=(0, None, None))(trial_keys, pre_rate, post_rate)
            # The last block may reach past the last trial.
            pre &= (trials < n_trials)[:, None]
            lags = _nearest_lag(pre, post, window=window, coincidence=coincidence, sides=sides, boundary=boundary)
            return counts + jax.vmap(partial(_histogram, window=window), in_axes=1)(lags)

        empty = jnp.zeros((n_counted, 2 * window + 1), jnp.int32)
        return jax.lax.fori_loop(0, n_blocks, add_block, empty)

    return jax.lax.map(count_sequence, (sequence_keys, pre_probability, post_probability))


def _histogram(lags: Int[Array, "trial"], window: int) -> Int[Array, "lag"]:
    counts = jnp.zeros(2 * window + 1, jnp.int32).at[lags + window].add(1)
    return counts.at[window].set(0)  # lag 0 stands for "no update"
