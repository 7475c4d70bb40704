"""Thirty-two trials to a word: spike trains drawn, and lags counted, by the bit.

All trials of a sequence share their spike probabilities, so the trial axis can be the bit axis of unsigned words.
Trial k is bit k % 32 of word k // 32. Drawing and pairing are then AND, OR and shifts along time, and a sum over
trials is a count of bits. Words come before time: sums over the leading of the two axes vectorise.

Probabilities are rounded to multiples of 2^-16, both ends included, so an event of probability p is drawn with an
error of at most 2^-17; `round_to_grid` gives the probability that was drawn.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int32, Key, UInt32

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax._threefry import threefry_hash
from stdpjax.spikes.pairing import Boundary, Coincidence, Sides, check_options

TRIALS_PER_WORD = 32
GRID_BITS = 16
_DRAWS = GRID_BITS // 2  # a hash gives two words, one for each of two levels


def pack(trials: ArrayLike) -> UInt32[Array, "word *rest"]:
    """Pack indicators, 32 trials to a word.

    Args:
        trials: indicators, shape `[trial, ...]`.

    Returns:
        Words, shape `[ceil(trials / 32), ...]`; the bits past the last trial are 0.

    Raises:
        ValueError: values other than 0 and 1, or no trial axis.

    Example:
        >>> import jax.numpy as jnp
        >>> pack(jnp.array([True, False, True])).tolist()
        [5]
    """
    trials = _checks.spikes("trials", trials)
    _checks.same_shape("trials", trials, "trials", trials)
    n_trials, *rest = trials.shape
    n_words = -(-n_trials // TRIALS_PER_WORD)
    padding = [(0, n_words * TRIALS_PER_WORD - n_trials)] + [(0, 0)] * len(rest)
    bits = jnp.pad(trials, padding).reshape(n_words, TRIALS_PER_WORD, *rest).astype(jnp.uint32)
    return jnp.sum(bits << _bit_places(len(rest)), axis=1, dtype=jnp.uint32)


def unpack(words: UInt32[Array, "word *rest"], n_trials: int | None = None) -> Bool[Array, "trial *rest"]:
    """Undo `pack`.

    Args:
        words: words of 32 trials, shape `[word, ...]`.
        n_trials: how many trials there are; None for all bits.

    Returns:
        Indicators, shape `[trial, ...]`.

    Raises:
        ValueError: there are fewer trials in the words than asked for.

    Example:
        >>> import jax.numpy as jnp
        >>> unpack(jnp.array([5], jnp.uint32), n_trials=4).tolist()
        [True, False, True, False]
    """
    n_words, *rest = words.shape
    n_bits = n_words * TRIALS_PER_WORD
    n_trials = n_bits if n_trials is None else _checks.count("n_trials", n_trials, minimum=0)
    if n_trials > n_bits:
        raise ValueError(f"n_trials: expected at most the {n_bits} bits of the words, got {n_trials}")
    bits = jnp.expand_dims(words, 1) >> _bit_places(len(rest))
    return (bits & np.uint32(1)).astype(bool).reshape(n_bits, *rest)[:n_trials]


def _bit_places(n_rest: int) -> UInt32[Array, "1 bit *rest"]:
    return jnp.arange(TRIALS_PER_WORD, dtype=jnp.uint32).reshape(1, -1, *[1] * n_rest)


def round_to_grid(probability: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return the probability that is drawn for `probability`: the nearest multiple of 2^-16.

    Args:
        probability: probabilities in [0, 1].

    Returns:
        Rounded probabilities, in at least single precision; 0 and 1 stay.

    Example:
        >>> import jax.numpy as jnp
        >>> float(round_to_grid(jnp.float32(0.1)) * 2**16)
        6554.0
    """
    if jnp.finfo(probability.dtype).bits < 32:  # too narrow for 2^16 steps
        probability = probability.astype(jnp.float32)
    return jnp.round(probability * 2**GRID_BITS) / 2**GRID_BITS


def sample_packed_pair(
    word_keys: Key[Array, "*batch"],
    pre_probability: Float[Array, "*#batch time"],
    post_probability: Float[Array, "*#batch time"],
) -> UInt32[Array, "2 *batch time"]:
    """Draw the presynaptic and the postsynaptic trains of 32 trials for each key.

    A trial spikes where a uniform number of 16 bits lies below the probability times 2^16. Those numbers depend on
    the key and the time alone: raising a probability only adds spikes, a longer record keeps the spikes of its
    beginning, and the two trains are independent.

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
    key_words = key_words[None, ..., None, :]  # an axis for the two trains, and one for time
    thresholds = (round_to_grid(jnp.stack([pre_probability, post_probability])) * 2**GRID_BITS).astype(jnp.uint32)
    shape = (2, *word_keys.shape, pre_probability.shape[-1])
    train = jax.lax.broadcasted_iota(jnp.uint32, shape, 0)
    time = jax.lax.broadcasted_iota(jnp.uint32, shape, len(shape) - 1)

    def compare(draw: Int32[Array, ""], below: UInt32[Array, "2 *batch time"]) -> UInt32[Array, "2 *batch time"]:
        """Compare two more binary digits of uniform numbers and thresholds, from the lowest digit up."""
        draw = draw.astype(jnp.uint32)
        random_words = threefry_hash((key_words[..., 0], key_words[..., 1]), (train, time * np.uint32(_DRAWS) + draw))
        for offset, digit in enumerate(random_words):
            wanted = _spread_bit(thresholds, draw * np.uint32(2) + np.uint32(offset))
            # The digit is the complement of the random bit. A higher digit overrules the lower ones unless it
            # equals the threshold's; "digit 0 under 1: below, 1 over 0: not, else as before" is a majority vote.
            below = (below & digit) | (wanted & (below | digit))
        return below

    # A loop, since XLA would draw again for every later sum if it could see the draws as plain arithmetic.
    below = jax.lax.fori_loop(np.int32(0), np.int32(_DRAWS), compare, jnp.zeros(shape, jnp.uint32))
    return below | _spread_bit(thresholds, np.uint32(GRID_BITS))  # probability 1 is one step above the last digit


def _spread_bit(values: UInt32[Array, "*shape"], place: UInt32[Array, ""] | np.uint32) -> UInt32[Array, "*shape"]:
    """A word of ones where the bit at `place` is 1, of zeros elsewhere."""
    return np.uint32(0) - ((values >> place) & np.uint32(1))


def count_packed_lags(
    pre: UInt32[Array, "..."],
    post: UInt32[Array, "..."],
    window: int = 20,
    coincidence: Coincidence = "skip",
    *,
    sides: Sides = "one",
    boundary: Boundary = "silent",
) -> Int32[Array, "*batch counted lag"]:
    """Count the lags that `nearest_lag` gives, summed over the trials of all words.

    Args:
        pre: presynaptic spikes, 32 trials to a word.
        post: postsynaptic spikes, likewise. Trials that do not exist are left out by clearing their bits in `pre`.
        window: half-width of the window in bins, at least 1. With boundary "silent" it may exceed the record.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.
        sides: "one" or "both", likewise.
        boundary: "silent" or "valid", likewise.

    Returns:
        Counts, shape `[..., time, 2 * window + 1]`, lags from -window to +window; the middle column is 0. With
        boundary "valid" time is `2 * window` bins shorter.

    Raises:
        ValueError: different shapes, an unknown option, a window below 1, or for boundary "valid" a record shorter
            than one complete window.

    Example:
        >>> import jax.numpy as jnp
        >>> pre, post = pack(jnp.array([[0, 1, 0, 0]])), pack(jnp.array([[0, 0, 0, 1]]))
        >>> count_packed_lags(pre, post, window=2)[1].tolist()
        [0, 0, 0, 0, 1]
    """
    _checks.same_shape("pre", pre, "post", post)
    check_options(window, coincidence, sides, boundary, post.shape[-1])
    return _count_packed_lags(pre, post, window, coincidence, sides, boundary)


@partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _count_packed_lags(
    pre: UInt32[Array, "*batch word time"],
    post: UInt32[Array, "*batch word time"],
    window: int,
    coincidence: Coincidence,
    sides: Sides,
    boundary: Boundary,
) -> Int32[Array, "*batch counted lag"]:
    n_steps = pre.shape[-1]
    if boundary == "silent":
        padded = _pad_time(post, window, window)
    else:
        padded = post
        n_steps -= 2 * window
        pre, post = (train[..., window : window + n_steps] for train in (pre, post))

    def post_at(offset: Int[Array, ""]) -> UInt32[Array, "*batch word counted"]:
        return jax.lax.dynamic_slice_in_dim(padded, window + offset, n_steps, axis=-1)

    def outward_if_one_side(
        waiting: tuple[Array, Array], distance: Int[Array, ""]
    ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """One bin further out: the presynaptic spikes still without a spike on the left, and on the right."""
        left, right = waiting
        left, right = left & ~post_at(-distance), right & ~post_at(distance)
        return (left, right), (_total(left), _total(right))

    def outward_if_closer(waiting: Array, distance: Int[Array, ""]) -> tuple[Array, tuple[Array, Array]]:
        """One bin further out: those still without any spike, and those whose only spike here is on one side."""
        left, right = post_at(-distance), post_at(distance)
        counts = (_total(waiting & left & ~right), _total(waiting & right & ~left))
        return waiting & ~(left | right), counts

    eligible = pre & ~post if coincidence == "skip" else pre
    distances = jnp.arange(1, window + 1, dtype=jnp.int32)
    if sides == "one":
        near = _any_ahead(padded, window)  # near[i]: a spike in the bins i ... i + window - 1 of `padded`
        silent_right, silent_left = ~near[..., window + 1 : window + 1 + n_steps], ~near[..., :n_steps]
        waiting = (eligible & silent_right, eligible & silent_left)
        # Counts are what each distance takes away from those who wait. Sums over the hits themselves would read the
        # old state beside the new one, which costs XLA a copy at every distance: three times slower.
        _, still = jax.lax.scan(outward_if_one_side, waiting, distances)
        left_counts, right_counts = (
            -jnp.diff(after, axis=0, prepend=_total(before)[None]) for before, after in zip(waiting, still, strict=True)
        )
    else:
        _, (left_counts, right_counts) = jax.lax.scan(outward_if_closer, eligible, distances)
    counts = jnp.concatenate([left_counts[::-1], jnp.zeros_like(left_counts[:1]), right_counts])
    return jnp.moveaxis(counts, 0, -1)


def _any_ahead(words: UInt32[Array, "*batch time"], width: int) -> UInt32[Array, "*batch time"]:
    """OR of each bin and the `width - 1` bins after it, by doubling; silence after the end."""
    shifts, reach = [], 1
    while reach < width:
        shifts.append(min(reach, width - reach))
        reach += shifts[-1]

    # A scan rather than an unrolled loop: fused into one expression, every doubling would be computed twice.
    def widen(near: UInt32[Array, "*batch time"], shift: Int[Array, ""]) -> tuple[UInt32[Array, "*batch time"], None]:
        ahead = jax.lax.dynamic_slice_in_dim(_pad_time(near, 0, width), shift, near.shape[-1], axis=-1)
        return near | ahead, None

    return jax.lax.scan(widen, words, jnp.array(shifts, jnp.int32))[0]


def _pad_time(words: UInt32[Array, "*batch time"], before: int, after: int) -> UInt32[Array, "*batch padded"]:
    return jnp.pad(words, [(0, 0)] * (words.ndim - 1) + [(before, after)])


def _total(words: UInt32[Array, "*batch word time"]) -> Int32[Array, "*batch time"]:
    return jnp.sum(jax.lax.population_count(words).astype(jnp.int32), axis=-2, dtype=jnp.int32)
