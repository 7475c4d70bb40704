"""Sampled tables of lag counts: how often each lag occurs in each bin, summed over trials.

Trials are drawn and counted 32 at a time (`packed`, `packed_lags`). Blocks of sequences and of trials stream, so memory
does not grow with their number beyond the table itself. Several devices share the sequences, or the trials of few.
"""

import math
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.stages import Wrapped
from jaxtyping import Array, Float, Int32, Key, UInt32

from stdpjax import _checks, parallel
from stdpjax._checks import ArrayLike
from stdpjax._threads import map_threaded, n_cores
from stdpjax.random import member_keys
from stdpjax.spikes.packed import TRIALS_PER_WORD, sample_packed_pair
from stdpjax.spikes.packed_lags import count_packed_lags
from stdpjax.spikes.pairing import Boundary, Coincidence, Sides, check_options

# Words of one train that are worked on at once: the arrays of a block stay in the second-level cache, and there is
# enough to draw and to add up in it for XLA to share the work between a few cores.
_WORDS_AT_ONCE = 2**15


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
) -> Int32[Array, "*batch time lag"]:
    """Sample pairs of spike trains and count, for each bin, the lags that presynaptic spikes are given.

    Trials 32 w ... 32 w + 31 of sequence `i` have the key `fold_in(fold_in(key, i), w)`: the counts do not depend on
    how sequences or trials are grouped, more trials keep the first ones, and `sample_pair` replays any single one.
    Probabilities are rounded as `stdpjax.spikes.round_to_grid` does; bins on its finer grid take 2.5 times as long.

    All devices of all processes take part (of a CPU, all cores), with the same counts whatever their number, unless the
    call is traced or an argument was put on a device: then the caller has decided. With several processes each has to
    make the call.

    Args:
        key: a scalar threefry2x32 key, as `stdpjax.random.key` makes.
        pre_probability: presynaptic spike probability per bin, shape `[..., time]`. Leading axes are sequences,
            numbered in C order.
        post_probability: postsynaptic spike probability per bin, same shape.
        n_trials: pairs of trains for each sequence, from 0 to 2^31 - 1.
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
            range, an unknown option, or a key of another generator.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> probability = jnp.full((2, 60), 0.05)
        >>> counts = stdpjax.spikes.sample_lag_counts(
        ...     stdpjax.random.key(0), probability, probability, n_trials=100, window=5)
        >>> counts.shape, counts.dtype
        ((2, 60, 11), dtype('int32'))
    """
    _checks.key("key", key)
    pre_probability, post_probability = _checks.probabilities(pre_probability, post_probability)
    n_trials = _checks.count("n_trials", n_trials, minimum=0)
    if n_trials >= 2**31:
        raise ValueError(f"n_trials: expected at most 2^31 - 1, what a count can hold, got {n_trials}")
    *batch, n_steps = pre_probability.shape
    check_options(window, coincidence, sides, boundary, n_steps, may_exceed=False)
    n_sequences = math.prod(batch)
    first_sequence = _checks.count("first_sequence", first_sequence, minimum=0, maximum=2**32 - n_sequences)
    sequences = (
        member_keys(key, n_sequences, first_sequence),
        pre_probability.reshape(n_sequences, n_steps),
        post_probability.reshape(n_sequences, n_steps),
    )
    options = (window, coincidence, sides, boundary)
    is_traced = parallel.is_traced(sequences)
    is_left_to_caller = is_traced or parallel.is_placed((key, pre_probability, post_probability))
    n_words = -(-n_trials // TRIALS_PER_WORD)
    # Nothing can be compiled beforehand while compilation is switched off. The attribute is made at run time.
    is_compiled = not jax.config.jax_disable_jit  # pyright: ignore[reportAttributeAccessIssue]
    is_alone = parallel.n_devices() == 1 and not is_left_to_caller and is_compiled
    n_parts = _n_parts(n_words, n_sequences, n_steps) if is_alone else 1
    if n_parts > 1:
        counts = _count_in_threads(sequences, n_trials, n_parts, *options)
    elif is_left_to_caller or n_sequences == 0 or parallel.n_devices() == 1:
        sizes = _block_sizes(n_words, n_sequences, n_steps)
        count = _counter(*sizes, *options) if is_traced else _wide_counter(*sizes, *options)
        counts = count(*sequences, np.uint32(0), np.uint32(n_trials))
    elif n_sequences >= parallel.n_devices():
        counts = _count_by_sequence(sequences, n_trials, *options)
    else:
        counts = _count_by_trial(sequences, n_trials, *options)
    return counts.reshape(*batch, *counts.shape[1:])


def _n_parts(n_words: int, n_sequences: int, n_steps: int) -> int:
    """How many threads are worth starting: one for each core, but not for a few blocks of work."""
    if jax.default_backend() != "cpu":
        return 1
    return max(1, min(n_cores(), n_sequences, n_words * n_sequences * n_steps // (4 * _WORDS_AT_ONCE)))


def _count_in_threads(
    sequences: tuple[Array, Array, Array], n_trials: int, n_parts: int, *options: Any
) -> Int32[Array, "sequence counted lag"]:
    """One device of a CPU counts the sequences in parts, each from a thread of its own.

    XLA alone would share out single operations, microseconds of work, and a core would sleep and wake for each.
    """
    n_sequences, n_steps = sequences[1].shape
    n_each = -(-n_sequences // n_parts)
    # The last part starts early enough to be whole; what it repeats comes out the same.
    firsts = [min(part * n_each, n_sequences - n_each) for part in range(n_parts)]
    keys, *rates = sequences
    key_words, *rates = (np.asarray(array) for array in (jax.random.key_data(keys), *rates))
    parts = [
        (
            jax.random.wrap_key_data(jnp.asarray(key_words[first : first + n_each]), impl=jax.random.key_impl(keys)),
            *(rate[first : first + n_each] for rate in rates),
        )
        for first in firsts
    ]
    kinds = tuple(jax.ShapeDtypeStruct(array.shape, array.dtype) for array in parts[0])
    count = _compiled_counter(kinds, _block_sizes(-(-n_trials // TRIALS_PER_WORD), n_each, n_steps), options)

    def count_part(part: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(count(*part, np.uint32(0), np.uint32(n_trials)))

    counts = map_threaded(count_part, parts)
    table = np.empty((n_sequences, *counts[0].shape[1:]), counts[0].dtype)
    for first, part in zip(firsts, counts, strict=True):
        table[first : first + n_each] = part
    return jnp.asarray(table)


# Compiled beforehand, as a thread knows nothing of the settings (of precision, say) of the one that started it.
@lru_cache(maxsize=256)
def _compiled_counter(kinds: tuple[Any, ...], sizes: tuple[int, int], options: tuple[Any, ...]) -> Callable[..., Array]:
    number = jax.ShapeDtypeStruct((), np.uint32)
    return _wide_counter(*sizes, *options).lower(*kinds, number, number).compile()


def _count_by_sequence(
    sequences: tuple[Array, Array, Array], n_trials: int, *options: Any
) -> Int32[Array, "sequence counted lag"]:
    """Each device counts a block of the sequences."""
    n_sequences, n_steps = sequences[1].shape
    per_device = -(-n_sequences // parallel.n_devices())
    count = _counter(*_block_sizes(-(-n_trials // TRIALS_PER_WORD), per_device, n_steps), *options)
    shared = (np.uint32(0), np.uint32(n_trials))
    return jnp.asarray(parallel.map_blocks(count, *sequences, shared=shared, compiler_options=compiler_options()))


def _count_by_trial(
    sequences: tuple[Array, Array, Array], n_trials: int, *options: Any
) -> Int32[Array, "sequence counted lag"]:
    """Each device counts all sequences over a range of the words of trials; for fewer sequences than devices."""
    n_sequences, n_steps = sequences[1].shape
    n_devices, n_words = parallel.n_devices(), -(-n_trials // TRIALS_PER_WORD)
    edges = np.arange(n_devices + 1, dtype=np.uint64) * np.uint64(n_words) // np.uint64(n_devices)
    ends = np.minimum(edges[1:] * np.uint64(TRIALS_PER_WORD), np.uint64(n_trials))
    ranges = np.stack([edges[:-1], ends], axis=1).astype(np.uint32)
    count = _range_counter(*_block_sizes(-(-n_words // n_devices), n_sequences, n_steps), *options)
    parts = parallel.map_blocks(count, ranges, shared=sequences, compiler_options=compiler_options())
    return jnp.asarray(parts.sum(axis=0, dtype=np.int32))


# One object for each set of options, so that what is compiled for it is found again.
@lru_cache(maxsize=256)
def _counter(words_at_once: int, sequences_at_once: int, *options: Any) -> Callable[..., Array]:
    window, coincidence, sides, boundary = options
    return partial(
        _sample_lag_counts,
        words_at_once=words_at_once,
        sequences_at_once=sequences_at_once,
        window=window,
        coincidence=coincidence,
        sides=sides,
        boundary=boundary,
    )


@lru_cache(maxsize=256)
def _wide_counter(*settings: Any) -> Wrapped:
    count = _counter(*settings)
    return jax.jit(lambda *arguments: count(*arguments), compiler_options=dict(compiler_options()))


def compiler_options() -> tuple[tuple[str, Any], ...]:
    """Return XLA's options for a counter, in pairs; JAX takes them for an outermost `jit` only."""
    # Vectors of 512 bits where the processor has them: with XLA's default of 256 drawing takes half as long again.
    return (("xla_cpu_prefer_vector_width", 512),) if jax.default_backend() == "cpu" else ()


@lru_cache(maxsize=256)
def _range_counter(*settings: Any) -> Callable[..., Array]:
    count = _counter(*settings)
    return lambda ranges, *sequences: count(*sequences, ranges[0, 0], ranges[0, 1])[None]


def _block_sizes(n_words: int, n_sequences: int, n_steps: int) -> tuple[int, int]:
    """Words and sequences worked on at once; blocks of words are of one size, within one word."""
    most_words = max(1, _WORDS_AT_ONCE // n_steps)
    n_blocks = max(1, -(-n_words // most_words))
    words_at_once = max(1, -(-n_words // n_blocks))
    return words_at_once, min(max(1, n_sequences), max(1, most_words // words_at_once))


@partial(jax.jit, static_argnames=("words_at_once", "sequences_at_once", "window", "coincidence", "sides", "boundary"))
def _sample_lag_counts(
    sequence_keys: Key[Array, "sequence"],
    pre_probability: Float[Array, "sequence time"],
    post_probability: Float[Array, "sequence time"],
    first_word: UInt32[Array, ""],
    n_trials: UInt32[Array, ""],
    *,
    words_at_once: int,
    sequences_at_once: int,
    window: int,
    coincidence: Coincidence,
    sides: Sides,
    boundary: Boundary,
) -> Int32[Array, "sequence counted lag"]:
    n_sequences, n_steps = pre_probability.shape
    n_counted = n_steps - (2 * window if boundary == "valid" else 0)
    # Trials 32 * first_word ... n_trials - 1: none where the words end at the first one.
    n_words = (n_trials + np.uint32(TRIALS_PER_WORD - 1)) // np.uint32(TRIALS_PER_WORD) - first_word
    n_word_blocks = (n_words + np.uint32(words_at_once - 1)) // np.uint32(words_at_once)

    def count_sequences(index: Int32[Array, ""], table: Int32[Array, "sequence counted lag"]) -> Array:
        # The last block starts early enough to be whole; what it repeats comes out the same.
        first = jnp.minimum(index * sequences_at_once, n_sequences - sequences_at_once)
        keys, pre_rate, post_rate = (
            jax.lax.dynamic_slice_in_dim(array, first, sequences_at_once)
            for array in (sequence_keys, pre_probability, post_probability)
        )

        def add_words(index: UInt32[Array, ""], counts: Int32[Array, "block counted lag"]) -> Array:
            words = first_word + index * np.uint32(words_at_once) + jnp.arange(words_at_once, dtype=jnp.uint32)
            word_keys = jax.vmap(jax.vmap(jax.random.fold_in, in_axes=(None, 0)), in_axes=(0, None))(keys, words)
            pre, post = sample_packed_pair(word_keys, pre_rate[:, None], post_rate[:, None])
            pre = pre & _existing_trials(words, n_trials)[None, :, None]
            return counts + count_packed_lags(pre, post, window, coincidence, sides=sides, boundary=boundary)

        empty = jnp.zeros((sequences_at_once, n_counted, 2 * window + 1), jnp.int32)
        counts = jax.lax.fori_loop(np.uint32(0), n_word_blocks, add_words, empty)
        return jax.lax.dynamic_update_slice_in_dim(table, counts, first, axis=0)

    table = jnp.zeros((n_sequences, n_counted, 2 * window + 1), jnp.int32)
    if n_sequences == 0:
        return table
    n_blocks = -(-n_sequences // sequences_at_once)
    return jax.lax.fori_loop(np.int32(0), np.int32(n_blocks), count_sequences, table)


def _existing_trials(words: UInt32[Array, "word"], n_trials: UInt32[Array, ""]) -> UInt32[Array, "word"]:
    """Ones for the trials that exist: all of a full word, the low bits of the last, none of a word past it."""
    n_full, n_rest = n_trials // np.uint32(TRIALS_PER_WORD), n_trials % np.uint32(TRIALS_PER_WORD)
    last = (np.uint32(1) << n_rest) - np.uint32(1)
    return jnp.where(words < n_full, np.uint32(2**32 - 1), jnp.where(words == n_full, last, np.uint32(0)))
