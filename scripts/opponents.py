"""The protocol of section 5.1 as one would write it without this library: NumPy, and Numba on all cores in two ways.

Each returns the whole table of lags, int32 `[sequence, time, 2 * window + 1]`, for coincidence "skip" and silence
outside the record. They are written to be fast: a weak opponent proves nothing.
"""

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic


@numba.njit(inline="always")
def rotate_left(word: np.uint64, places: int) -> np.uint64:
    """Rotate a 64-bit word."""
    return (word << np.uint64(places)) | (word >> np.uint64(64 - places))


@numba.njit
def seeded_state(seed: int) -> tuple[np.uint64, np.uint64]:
    """Spread a seed over the two words of a xoroshiro state (splitmix64)."""
    counter = np.uint64(seed)
    words = np.empty(2, np.uint64)
    for k in range(2):
        counter += np.uint64(0x9E3779B97F4A7C15)
        word = counter
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        words[k] = word ^ (word >> np.uint64(31))
    return words[0], words[1]


@intrinsic
def trailing_zeros(typing_context, word):
    """Count the zeros below the lowest set bit."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic
def leading_zeros(typing_context, word):
    """Count the zeros above the highest set bit."""

    def generate(context, builder, signature, arguments):
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@numba.njit(parallel=True, boundscheck=False, error_model="numpy")
def numba_lag_counts(seed, pre_threshold, post_threshold, n_trials, window):
    """Count lags bin by bin with running distances to the last and to the next spike: what one writes first.

    One xoroshiro128+ a sequence; thresholds of 32 bits, one 64-bit number for pre and post.
    """
    n_sequences, n_steps = pre_threshold.shape
    counts = np.zeros((n_sequences, n_steps, 2 * window + 1), np.int32)
    far = np.int32(window + 1)
    for sequence in numba.prange(n_sequences):
        first, second = seeded_state(seed * n_sequences + sequence)
        table = counts[sequence]
        pre_rate, post_rate = pre_threshold[sequence], post_threshold[sequence]
        unpaired = np.empty(n_steps, np.bool_)
        post = np.empty(n_steps, np.bool_)
        before = np.empty(n_steps, np.int32)
        for _ in range(n_trials):
            distance = far
            for step in range(n_steps):
                number = first + second
                second ^= first
                first = rotate_left(first, 24) ^ second ^ (second << np.uint64(16))
                second = rotate_left(second, 37)
                here = (number & np.uint64(0xFFFFFFFF)) < post_rate[step]
                post[step] = here
                unpaired[step] = ((number >> np.uint64(32)) < pre_rate[step]) & (not here)
                before[step] = distance
                distance = np.int32(1) if here else min(distance + np.int32(1), far)
            distance = far
            for step in range(n_steps - 1, -1, -1):
                if unpaired[step] and (before[step] <= window) != (distance <= window):
                    lag = distance if distance <= window else -before[step]
                    table[step, window + lag] += 1
                distance = np.int32(1) if post[step] else min(distance + np.int32(1), far)
    return counts


@numba.njit(parallel=True, boundscheck=False, error_model="numpy")
def numba_lag_counts_by_bit(seed, pre_threshold, post_threshold, n_trials, window):
    """Count lags with one xoroshiro128+ a sequence; thresholds of 32 bits, one 64-bit number for pre and post.

    Time is the bit axis here, 64 bins to a word: drawing does not branch, and both windows of a presynaptic spike
    are two shifts away. Windows of up to 63 bins.
    """
    one = np.uint64(1)
    n_sequences, n_steps = pre_threshold.shape
    n_words = (n_steps + 63) // 64
    counts = np.zeros((n_sequences, n_steps, 2 * window + 1), np.int32)
    window_bits = (one << np.uint64(window)) - one
    for sequence in numba.prange(n_sequences):
        first, second = seeded_state(seed * n_sequences + sequence)
        table = counts[sequence]
        pre_rate, post_rate = pre_threshold[sequence], post_threshold[sequence]
        pre = np.zeros(n_words, np.uint64)
        post = np.zeros(n_words + 2, np.uint64)  # silence on either side
        for _ in range(n_trials):
            for word in range(n_words):
                pre_bits, post_bits = np.uint64(0), np.uint64(0)
                start = 64 * word
                for k in range(min(64, n_steps - start)):
                    number = first + second
                    second ^= first
                    first = rotate_left(first, 24) ^ second ^ (second << np.uint64(16))
                    second = rotate_left(second, 37)
                    pre_bits |= np.uint64((number >> np.uint64(32)) < pre_rate[start + k]) << np.uint64(k)
                    post_bits |= np.uint64((number & np.uint64(0xFFFFFFFF)) < post_rate[start + k]) << np.uint64(k)
                pre[word], post[word + 1] = pre_bits, post_bits
            for word in range(n_words):
                here = post[word + 1]
                unpaired = pre[word] & ~here
                while unpaired:
                    k = trailing_zeros(unpaired)  # pyright: ignore[reportCallIssue]
                    unpaired &= unpaired - one
                    above = np.uint64(63) - k
                    after = (((here >> k) >> one) | (post[word + 2] << above)) & window_bits
                    before = (((here << above) << one) | (post[word] >> k)) >> np.uint64(64 - window)
                    if (after != 0) != (before != 0):
                        if after:
                            lag = 1 + np.int64(trailing_zeros(after))
                        else:
                            lag = np.int64(64 - window) - 1 - np.int64(leading_zeros(before))
                        table[64 * word + np.int64(k), window + lag] += 1
    return counts


def numpy_lag_counts(generator, pre_probability, post_probability, n_trials, window):
    """Count lags with NumPy, a sequence at a time, vectorised over its trials."""
    n_sequences, n_steps = pre_probability.shape
    table = np.zeros((n_sequences, n_steps, 2 * window + 1), np.int32)
    far = window + 1
    for sequence in range(n_sequences):
        pre = generator.random((n_steps, n_trials), np.float32) < pre_probability[sequence][:, None]
        post = generator.random((n_steps, n_trials), np.float32) < post_probability[sequence][:, None]
        distance = np.full(n_trials, far, np.int16)
        before = np.empty((n_steps, n_trials), np.int16)
        after = np.empty_like(before)
        for steps, distances in ((range(n_steps), before), (range(n_steps - 1, -1, -1), after)):
            distance[:] = far
            for step in steps:
                distances[step] = distance
                np.minimum(distance + 1, far, out=distance)
                distance[post[step]] = 1
        is_paired = pre & ~post & ((before <= window) != (after <= window))
        step, trial = np.nonzero(is_paired)
        lag = np.where(after <= window, after, -before)[step, trial]
        cells = step * (2 * window + 1) + lag + window
        table[sequence] = np.bincount(cells, minlength=table[sequence].size).reshape(n_steps, -1)
    return table


@numba.njit(parallel=True, boundscheck=False, error_model="numpy")
def numba_sampled_updates(seed, pre_threshold, post_threshold, n_trials, numbers, fades):
    """Mean and variance of a triplet rule's change per bin, one xoroshiro128+ a sequence.

    `numbers` are A2+, A3+, A2- and A3-, `fades` what a bin leaves of the traces of tau_plus, tau_minus, tau_x, tau_y.
    A pair rule has no A3, and its compiled loop no slow traces.
    """
    n_sequences, n_steps = pre_threshold.shape
    has_triplets = len(fades) == 4
    mean = np.zeros((n_sequences, n_steps), np.float32)
    variance = np.zeros((n_sequences, n_steps), np.float32)
    zero, one = np.float32(0), np.float32(1)
    for sequence in numba.prange(n_sequences):
        first, second = seeded_state(seed * n_sequences + sequence)
        pre_rate, post_rate = pre_threshold[sequence], post_threshold[sequence]
        sums = np.zeros(n_steps, np.float32)
        squares = np.zeros(n_steps, np.float32)
        for _ in range(n_trials):
            pre_trace = post_trace = slow_pre = slow_post = zero
            for step in range(n_steps):
                number = first + second
                second ^= first
                first = rotate_left(first, 24) ^ second ^ (second << np.uint64(16))
                second = rotate_left(second, 37)
                post = one if (number & np.uint64(0xFFFFFFFF)) < post_rate[step] else zero
                pre = one if (number >> np.uint64(32)) < pre_rate[step] else zero
                pre_trace *= fades[0]
                post_trace *= fades[1]
                plus, minus = numbers[0], numbers[2]
                if has_triplets:
                    slow_pre *= fades[2]
                    slow_post *= fades[3]
                    plus += numbers[1] * slow_post
                    minus += numbers[3] * slow_pre
                    slow_pre += pre
                    slow_post += post
                change = post * pre_trace * plus - pre * post_trace * minus
                pre_trace += pre
                post_trace += post
                sums[step] += change
                squares[step] += change * change
        mean[sequence] = sums / np.float32(n_trials)
        variance[sequence] = (squares - sums * mean[sequence]) / np.float32(n_trials - 1)
    return mean, variance


@numba.njit(parallel=True, boundscheck=False, error_model="numpy")
def numba_train_updates(pre_spikes, post_spikes, numbers, fades):
    """Change of an all-to-all pair rule in each bin of given trains, in time order, train by train."""
    n_trains, n_steps = pre_spikes.shape
    updates = np.empty((n_trains, n_steps), np.float32)
    zero, one = np.float32(0), np.float32(1)
    for train in numba.prange(n_trains):
        pre_trace = post_trace = zero
        for step in range(n_steps):
            pre = one if pre_spikes[train, step] else zero
            post = one if post_spikes[train, step] else zero
            pre_trace *= fades[0]
            post_trace *= fades[1]
            updates[train, step] = numbers[0] * post * pre_trace - numbers[1] * pre * post_trace
            pre_trace += pre
            post_trace += post
    return updates


@numba.njit(parallel=True, boundscheck=False, error_model="numpy")
def numba_train_changes(pre_spikes, post_spikes, numbers, fades):
    """The same summed over time, without an array of the bins."""
    n_trains, n_steps = pre_spikes.shape
    changes = np.empty(n_trains, np.float32)
    zero, one = np.float32(0), np.float32(1)
    for train in numba.prange(n_trains):
        pre_trace = post_trace = total = zero
        for step in range(n_steps):
            pre = one if pre_spikes[train, step] else zero
            post = one if post_spikes[train, step] else zero
            pre_trace *= fades[0]
            post_trace *= fades[1]
            total += numbers[0] * post * pre_trace - numbers[1] * pre * post_trace
            pre_trace += pre
            post_trace += post
        changes[train] = total
    return changes
