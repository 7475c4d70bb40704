"""Thirty-two trials to a word: spike trains drawn by the bit.

All trials of a sequence share their spike probabilities, so the trial axis can be the bit axis of unsigned words.
Trial k is bit k % 32 of word k // 32. Words come before time: sums over the leading of the two axes vectorise.

What is drawn is the probability that `round_to_grid` gives, on a finer grid below 0.0076 only. Each bin decides for
itself, and the finer levels have random words of their own, so a bin's spikes depend on nothing but its key, its time
and its probability; only the bins with finer levels take longer, 2.5 times as long.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int32, Integer, Key, UInt32

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.random._threefry import threefry_hash
from stdpjax.spikes.sampling import COARSE, at_least_single

TRIALS_PER_WORD = 32
GRID_BITS = 16
# Levels below those, where they are needed: with 40 in all a probability of 1e-9 is off by one part in two thousand.
FINER_BITS = 24
# A hash gives two words, one for each of two levels.
_DRAWS, _FINER_DRAWS = GRID_BITS // 2, FINER_BITS // 2
# Bins with finer levels that are drawn at once: little is drawn in vain for a few, and few loops go over many.
_BINS_AT_ONCE = 64


def round_to_grid(probability: ArrayLike) -> Float[Array, "*shape"]:
    """Return the probability that is drawn for `probability`: the nearest multiple of 2^-16, or of 2^-40.

    The finer grid is taken where the coarser one changes a probability by more than one part in a thousand. From 1e-9
    on the one that is drawn is within one part in a thousand of the one asked for, below 2^-41 it is 0.

    Args:
        probability: probabilities in [0, 1].

    Returns:
        Rounded probabilities, in at least single precision; 0 and 1 stay.

    Raises:
        ValueError: probabilities outside [0, 1] or not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> float(round_to_grid(jnp.float32(0.1)) * 2**16)
        6554.0
        >>> float(round_to_grid(jnp.float32(1e-5)) * 2.0**40).is_integer()
        True
    """
    scaled = at_least_single(_checks.probability("probability", probability)) * 2**GRID_BITS
    nearest = jnp.round(scaled)
    # All of this is exact but for the rounding that is asked for, and so the same on every device.
    is_coarse = jnp.abs(nearest - scaled) > COARSE * scaled
    return jnp.where(is_coarse, jnp.round(scaled * 2**FINER_BITS) / 2**FINER_BITS, nearest) / 2**GRID_BITS


def sample_packed_pair(
    word_keys: Key[Array, "*batch"],
    pre_probability: Float[Array, "*#batch time"],
    post_probability: Float[Array, "*#batch time"],
) -> UInt32[Array, "2 *batch time"]:
    """Draw the presynaptic and the postsynaptic trains of 32 trials for each key.

    A trial spikes where a uniform number of 16 bits, continued by 24 more where `round_to_grid` takes the finer grid,
    lies below the probability times 2^16. Those numbers depend on the key and the time alone: raising a probability
    only adds spikes, a longer record keeps the spikes of its beginning, and the two trains are independent.

    Args:
        word_keys: threefry2x32 keys, one for each word.
        pre_probability: presynaptic spike probability per bin, in [0, 1]; time is the last axis, and the others
            broadcast with those of the keys.
        post_probability: postsynaptic spike probability per bin, likewise.

    Returns:
        Words, presynaptic and then postsynaptic along the first axis.

    Raises:
        ValueError: the keys are not threefry2x32 keys.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> never, always = jnp.zeros(3), jnp.ones(3)
        >>> sample_packed_pair(stdpjax.random.key(0), never, always).tolist()
        [[0, 0, 0], [4294967295, 4294967295, 4294967295]]
    """
    key_words = jax.random.key_data(word_keys)
    if key_words.shape != (*word_keys.shape, 2):
        raise ValueError(f"key: expected threefry2x32 keys, as of stdpjax.random.key, got {word_keys.dtype}")
    return _sample_packed_pair(key_words, round_to_grid(jnp.stack([pre_probability, post_probability])))


# Jitted, or each call outside `jit` would compile its loops anew.
@jax.jit
def _sample_packed_pair(
    key_words: UInt32[Array, "*batch 2"], probability: Float[Array, "2 *#batch time"]
) -> UInt32[Array, "2 *batch time"]:
    scaled = probability * 2**GRID_BITS
    thresholds = jnp.floor(scaled).astype(jnp.uint32)
    rests = ((scaled - jnp.floor(scaled)) * 2**FINER_BITS).astype(jnp.uint32)
    shape = (2, *key_words.shape[:-1], probability.shape[-1])
    below = jax.lax.cond(
        jnp.any(rests != 0), lambda: _compare_rests(key_words, rests, shape), lambda: jnp.zeros(shape, jnp.uint32)
    )
    key_words = key_words[None, ..., None, :]  # an axis for the two trains, and one for time
    train = jax.lax.broadcasted_iota(jnp.uint32, shape, 0)
    time = jax.lax.broadcasted_iota(jnp.uint32, shape, len(shape) - 1)
    below = _compare_digits(below, thresholds, (key_words[..., 0], key_words[..., 1]), train, time, _DRAWS)
    return below | _spread_bit(thresholds, np.uint32(GRID_BITS))  # probability 1 is one step above the last digit


def _compare_digits(
    below: UInt32[Array, "*shape"],
    thresholds: UInt32[Array, "*#shape"],
    key_words: tuple[UInt32[Array, "*#shape"], UInt32[Array, "*#shape"]],
    stream: UInt32[Array, "*#shape"],
    time: UInt32[Array, "*#shape"],
    n_draws: int,
) -> UInt32[Array, "*shape"]:
    """Where uniform numbers of `2 n_draws` bits are below the thresholds; `below` decides where they are equal."""

    def compare(draw: Int32[Array, ""], below: UInt32[Array, "*shape"]) -> UInt32[Array, "*shape"]:
        """Compare two more binary digits of uniform numbers and thresholds, from the lowest digit up."""
        draw = jnp.asarray(draw, jnp.uint32)
        random_words = threefry_hash(key_words, (stream, time * np.uint32(n_draws) + draw))
        for offset, digit in enumerate(random_words):
            wanted = _spread_bit(thresholds, draw * np.uint32(2) + np.uint32(offset))
            # The digit is the complement of the random bit. A higher digit overrules the lower ones unless it
            # equals the threshold's; "digit 0 under 1: below, 1 over 0: not, else as before" is a majority vote.
            below = (below & digit) | (wanted & (below | digit))
        return below

    # A loop, since XLA would draw again for every later sum if it could see the draws as plain arithmetic.
    return jax.lax.fori_loop(np.int32(0), np.int32(n_draws), compare, below)


def _compare_rests(
    key_words: UInt32[Array, "*batch 2"], rests: UInt32[Array, "2 *#batch time"], shape: tuple[int, ...]
) -> UInt32[Array, "2 *batch time"]:
    """Where uniform numbers of 24 bits are below what the thresholds of 16 bits leave: nowhere where that is nothing.

    Only the bins that need it are drawn, some at a time.
    """
    batch = shape[1:-1]
    # Axes along which keys have probabilities of their own, and those along which they share them.
    own = [axis for axis, size in enumerate(batch) if rests.shape[1 + axis] == size]
    order = own + [axis for axis in range(len(batch)) if axis not in own]
    n_own = math.prod(batch[axis] for axis in own)
    keys = jnp.transpose(key_words, (*order, len(batch))).reshape(n_own, -1, 2)
    n_steps = shape[-1]
    rests = rests.reshape(-1)
    padded = -(-rests.size // _BINS_AT_ONCE) * _BINS_AT_ONCE
    # The places with a rest, and then places past the last one.
    place = np.arange(padded, dtype=np.int32)
    with_rest = jnp.sort(jnp.where(jnp.pad(rests, (0, padded - rests.size)) != 0, place, np.int32(rests.size)))

    def draw_some(part: Int32[Array, ""], words: UInt32[Array, "place shared"]) -> UInt32[Array, "place shared"]:
        place = jax.lax.dynamic_slice_in_dim(with_rest, part * np.int32(_BINS_AT_ONCE), _BINS_AT_ONCE)
        # Not `divmod`, whose cases for signs take long to compile.
        row, time = jax.lax.div(place, np.int32(n_steps)), jax.lax.rem(place, np.int32(n_steps))
        train, owner = jax.lax.div(row, np.int32(n_own)), jax.lax.rem(row, np.int32(n_own))
        own_keys = keys[owner]
        below = _compare_digits(
            jnp.zeros(own_keys.shape[:2], jnp.uint32),
            rests[place][:, None],
            (own_keys[..., 0], own_keys[..., 1]),
            train[:, None].astype(jnp.uint32) + np.uint32(2),  # streams 0 and 1 are those of the first 16 bits
            time[:, None].astype(jnp.uint32),
            _FINER_DRAWS,
        )
        # Places past the last one are outside, and nothing is written there.
        return words.at[place].set(below, mode="drop")

    n_parts = (jnp.count_nonzero(rests) + (_BINS_AT_ONCE - 1)) // _BINS_AT_ONCE
    words = jnp.zeros((rests.size, keys.shape[1]), jnp.uint32)
    words = jax.lax.fori_loop(np.int32(0), n_parts.astype(np.int32), draw_some, words)
    words = jnp.moveaxis(words.reshape(2, n_own, n_steps, -1), 2, 3).reshape(2, *(batch[axis] for axis in order), -1)
    return jnp.transpose(words, (0, *(1 + np.argsort(order)), len(shape) - 1))


def _spread_bit(values: UInt32[Array, "*shape"], place: UInt32[Array, ""] | np.uint32) -> UInt32[Array, "*shape"]:
    """A word of ones where the bit at `place` is 1, of zeros elsewhere."""
    return np.uint32(0) - ((values >> place) & np.uint32(1))


def sample_pair(
    key: Key[Array, ""],
    pre_probability: ArrayLike,
    post_probability: ArrayLike,
    *,
    sequence: int | Integer[Array, ""] = 0,
    trial: int | Integer[Array, ""] = 0,
) -> tuple[Bool[Array, "time"], Bool[Array, "time"]]:
    """Draw the presynaptic and the postsynaptic train of one trial, as `sample_lag_counts` does.

    Args:
        key: the scalar key that `sample_lag_counts` was given.
        pre_probability: presynaptic spike probability per bin, in [0, 1], shape `[time]`.
        post_probability: postsynaptic spike probability per bin, same shape.
        sequence: number of the sequence.
        trial: number of the trial.

    Returns:
        Presynaptic and postsynaptic spike indicators, each `[time]`.

    Raises:
        ValueError: the key is of another generator, probabilities outside [0, 1], not finite or of different shapes or
            with leading axes, or a number below 0.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> pre, post = stdpjax.spikes.sample_pair(
        ...     stdpjax.random.key(0), jnp.full(60, 0.1), jnp.full(60, 0.2), sequence=2, trial=7)
        >>> pre.shape, post.shape
        ((60,), (60,))
    """
    _checks.key("key", key)
    pre_probability, post_probability = _checks.probabilities(pre_probability, post_probability)
    if pre_probability.ndim > 1:
        raise ValueError(f"pre_probability: expected one sequence, shape [time], got {pre_probability.shape}")
    sequence, trial = _index("sequence", sequence), _index("trial", trial)
    word, bit = jnp.divmod(jnp.asarray(trial, jnp.uint32), np.uint32(TRIALS_PER_WORD))
    word_key = jax.random.fold_in(jax.random.fold_in(key, sequence), word)
    pre, post = ((sample_packed_pair(word_key, pre_probability, post_probability) >> bit) & np.uint32(1)).astype(bool)
    return pre, post


def _index(name: str, value: int | Integer[Array, ""]) -> UInt32[Array, ""]:
    """The number of a sequence or a trial, which may be traced."""
    if isinstance(value, jax.Array):
        if value.ndim or value.dtype.kind not in "iu":
            raise ValueError(f"{name}: expected one whole number, got shape {value.shape} of dtype {value.dtype}")
        if not _checks.is_concrete(value):
            return value.astype(jnp.uint32)
        value = int(value)
    return jnp.asarray(_checks.count(name, value, minimum=0, maximum=2**32 - 1), jnp.uint32)
