"""Moments of what a rule changes over the trials of one part of a sample: drawn, run and summed in one program."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, UInt32

from stdpjax.rules.base import Rule, Sample, TraceRule, absent, change_by
from stdpjax.rules.traces import Number, as_arrays, step
from stdpjax.spikes.packed import TRIALS_PER_WORD, sample_packed_pair

Moments = tuple[Float[Any, "... column"], Float[Any, "... column"]]
"""Means, and sums of squared deviations from them."""

WORDS_PER_PART = 1024
ACTIVITY = ("post_state", "next_post_state", "pre_rate", "post_slope")


def merged(one: Moments, n_one: UInt32[Array, ""], other: Moments, n_other: UInt32[Array, ""]) -> Moments:
    """Merge means and squared deviations of two sets of trials (Chan, Golub & LeVeque 1983)."""
    n_before, n_here = n_one.astype(one[0].dtype), n_other.astype(one[0].dtype)
    share = n_here / (n_before + n_here)
    gap = other[0] - one[0]
    return one[0] + gap * share, one[1] + other[1] + gap * gap * (n_before * share)


def part_moments(
    functions: Rule | TraceRule,
    key_kind: Any,
    words_at_once: int,
    sequences_at_once: int,
    sequences: Any,
    shared: Any,
    first_word: UInt32[Array, ""],
) -> Moments:
    """Return means and squared deviations of the trials of a part, per sequence, for each bin and then the total."""
    n_sequences, n_steps = sequences[1].shape
    n_trials = shared[-1]
    n_words = (n_trials + np.uint32(TRIALS_PER_WORD - 1)) // np.uint32(TRIALS_PER_WORD) - first_word
    n_words = jnp.minimum(n_words, np.uint32(WORDS_PER_PART))
    n_blocks = (n_words + np.uint32(words_at_once - 1)) // np.uint32(words_at_once)
    empty = jnp.zeros((n_sequences, n_steps + 1), shared[2].dtype)

    def add_sequences(index: Int32[Array, ""], table: Moments) -> Moments:
        # The last block starts early enough to be whole; what it repeats comes out the same.
        at = jnp.minimum(index * sequences_at_once, n_sequences - sequences_at_once)
        some = jax.tree.map(lambda array: jax.lax.dynamic_slice_in_dim(array, at, sequences_at_once), sequences)
        keys = jax.random.wrap_key_data(some[0], impl=key_kind)

        def add_words(index: UInt32[Array, ""], moments: Moments) -> Moments:
            first = first_word + index * np.uint32(words_at_once)
            words = first + jnp.arange(words_at_once, dtype=jnp.uint32)
            word_keys = jax.vmap(jax.vmap(jax.random.fold_in, in_axes=(None, 0)), in_axes=(0, None))(keys, words)
            trains = sample_packed_pair(word_keys, some[1][:, None], some[2][:, None])
            n_before = index * np.uint32(words_at_once * TRIALS_PER_WORD)
            n_left = n_trials - first * np.uint32(TRIALS_PER_WORD)
            n_here = jnp.minimum(n_left, np.uint32(words_at_once * TRIALS_PER_WORD))
            block = _block_moments(functions, shared, trains, some[3], n_here)
            return merged(moments, n_before, block, n_here)

        nothing = jnp.zeros((sequences_at_once, n_steps + 1), empty.dtype)
        moments = jax.lax.fori_loop(np.uint32(0), n_blocks, add_words, (nothing, nothing))
        return jax.tree.map(lambda table, rows: jax.lax.dynamic_update_slice_in_dim(table, rows, at, 0), table, moments)

    n_groups = -(-n_sequences // sequences_at_once)
    return jax.lax.fori_loop(np.int32(0), np.int32(n_groups), add_sequences, (empty, empty))


def _block_moments(
    functions: Rule | TraceRule,
    shared: Any,
    trains: UInt32[Array, "2 sequence word time"],
    fields: dict[str, Float[Array, "sequence time"]],
    n_trials: UInt32[Array, ""],
) -> Moments:
    """Return the moments of the first trials of a block of words."""
    parameters, bin_ms, start, _ = shared
    _, n_sequences, n_words, _ = trains.shape
    # Trial 32 w + b of sequence s is lane [b, s, w]: neighbours in memory are unpacked by the same shift.
    lanes = (TRIALS_PER_WORD, n_sequences, n_words)
    dtype = start.dtype
    bit, word = (jax.lax.broadcasted_iota(jnp.uint32, lanes, axis) for axis in (0, 2))
    exists = (word * np.uint32(TRIALS_PER_WORD) + bit < n_trials).astype(dtype)
    if isinstance(functions, TraceRule):
        change = _change_of_traces(functions, parameters, bin_ms, dtype)
    else:
        change = _change_of_rule(functions, bin_ms)
    each_word = jax.vmap(change, in_axes=(0, 0, 0, None))
    change = jax.vmap(jax.vmap(each_word), in_axes=(0, 0, 0, None))
    state, weights = jax.tree.map(
        lambda leaf: jnp.broadcast_to(leaf, (*lanes, *jnp.shape(leaf))), (functions.init(start), start)
    )

    def sums(changes: Float[Array, "bit sequence word"]) -> tuple[Any, Any, Any]:
        first = changes[:1, :, :1]
        gap = (changes - first) * exists
        return first[0, :, 0], jnp.sum(gap, 0), jnp.sum(gap * gap, 0)

    def advance(carry: Any, now: Any) -> Any:
        state, weights, total = carry
        words, fields = now
        places = jax.lax.broadcasted_iota(jnp.uint32, (2, *lanes), 1)
        bits = ((words[:, None] >> places) & np.uint32(1)).astype(jnp.int32)
        delta_w, state = change(state, weights, (bits[0], bits[1]), fields)
        changes = delta_w[..., 0, 0]
        return (state, weights + delta_w, total + changes), sums(changes)

    steps = (jnp.moveaxis(trains, -1, 0), jax.tree.map(lambda field: field.T, fields))
    (_, _, total), in_bins = jax.lax.scan(advance, (state, weights, jnp.zeros(lanes, dtype)), steps)
    first, plain, squared = (
        jnp.concatenate([bins, whole[None]]) for bins, whole in zip(in_bins, sums(total), strict=True)
    )
    plain, squared = jnp.sum(plain, -1), jnp.sum(squared, -1)
    count = n_trials.astype(dtype)
    return (first + plain / count).T, jnp.maximum(squared - plain * plain / count, 0).T


def _change_of_traces(functions: TraceRule, parameters: Any, bin_ms: Number, dtype: Any) -> Callable[..., Any]:
    numbers = as_arrays(parameters, dtype)

    def change(state: Any, weights: Array, bits: tuple[Array, Array], fields: dict[str, Array]) -> Any:
        del fields
        pre, post = (bit.astype(dtype)[None] for bit in bits)
        return step(functions, numbers, state, bin_ms, pre, post, weights)

    return change


def _change_of_rule(rule: Rule, bin_ms: Number) -> Callable[..., Any]:
    def change(state: Any, weights: Array, bits: tuple[Array, Array], fields: dict[str, Array]) -> Any:
        pre, post = (bit.astype(bool)[None] for bit in bits)
        given = {name: fields[name][None] if name in fields else absent(name) for name in ACTIVITY}
        if "post_slope" not in fields:
            given["post_slope"] = None
        return change_by(rule, Sample(**given, pre_spikes=pre, post_spikes=post, bin_ms=bin_ms), state, weights)

    return change
