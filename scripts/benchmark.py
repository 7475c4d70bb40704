"""Time the generator and the lag table against their alternatives, interleaved; needs numba.

Prints ratios of medians first, then the medians with the range of the runs in seconds.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

import stdpjax
from stdpjax.spikes.packed import sample_packed_pair


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


@jax.jit
def packed_draws(sequence_keys, pre_probability, post_probability):
    """Draw the words of the protocol, 1024 trials a sequence and 10 sequences at once, and keep next to nothing."""
    fold_in_words = jax.vmap(jax.vmap(jax.random.fold_in, in_axes=(None, 0)), in_axes=(0, None))

    def draw(carry, block):
        keys, pre_rate, post_rate = block
        word_keys = fold_in_words(keys, jnp.arange(32, dtype=jnp.uint32))
        words = sample_packed_pair(word_keys, pre_rate[:, None], post_rate[:, None])
        return carry, words[0, 0, 0, 0]

    blocks = [array.reshape(-1, 10, *array.shape[1:]) for array in (sequence_keys, pre_probability, post_probability)]
    return jax.lax.scan(draw, None, blocks)[1]


def interleaved(ways: Mapping[str, Callable[[], object]], n_repeats: int) -> dict[str, list[float]]:
    """Time every way once per round, after one untimed round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(n_repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            jax.block_until_ready(way())
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def report(title: str, seconds: Mapping[str, list[float]], ours: str) -> None:
    """Print the ratio of our median to each other one, and the medians."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(title)
    for name, median in medians.items():
        if name != ours:
            pairs = [a / b for a, b in zip(seconds[ours], seconds[name], strict=True)]
            print(f"  {medians[ours] / median:6.3f} of {name}  (single rounds {min(pairs):.3f} to {max(pairs):.3f})")
    for name, median in medians.items():
        print(f"  {median:8.4f} s {name}  ({min(seconds[name]):.4f} to {max(seconds[name]):.4f})")


def time_generator(n_repeats: int, size: int) -> None:
    """Compare draws from our key with draws from JAX's."""
    draws = {
        "bits": lambda key: jax.random.bits(key, (size,)),
        "uniform": lambda key: jax.random.uniform(key, (size,)),
        "bernoulli": lambda key: jax.random.bernoulli(key, 0.1, (size,)),
        "normal": lambda key: jax.random.normal(key, (size,)),
    }
    ours, stock = stdpjax.random.key(0), jax.random.key(0, impl="threefry2x32")
    for name, draw in draws.items():
        jitted = jax.jit(draw)
        ways = {"stdpjax.random.key": lambda f=jitted: f(ours), "jax.random.key": lambda f=jitted: f(stock)}
        report(f"{name}, {size} elements", interleaved(ways, n_repeats), "stdpjax.random.key")


def time_lag_table(n_repeats: int, n_sequences: int, n_steps: int, n_trials: int, window: int) -> None:
    """Compare the lag table of the protocol with Numba's, NumPy's, and with its draws alone."""
    generator = np.random.default_rng(0)
    rates = generator.uniform(0, 0.2, (2, n_sequences, n_steps)).astype(np.float32)
    pre, post = jnp.asarray(rates)
    pre_rates, post_rates = rates
    pre_threshold, post_threshold = np.round(rates.astype(np.float64) * 2**32).astype(np.uint64)
    key = stdpjax.random.key(0)
    sequence_keys = stdpjax.random.member_keys(key, n_sequences)
    start = time.perf_counter()
    table = np.asarray(stdpjax.spikes.sample_lag_counts(key, pre, post, n_trials, window))
    print(f"first call, with compilation: {time.perf_counter() - start:.2f} s")
    other = numba_lag_counts(0, pre_threshold, post_threshold, n_trials, window)
    third = numpy_lag_counts(generator, pre_rates, post_rates, min(n_trials, 100), window)
    per_trial = [float(counts.sum()) / n for counts, n in ((table, n_trials), (other, n_trials), (third, 100))]
    print(f"lags counted per trial, all sequences: {per_trial}")
    ways = {
        "sample_lag_counts": lambda: stdpjax.spikes.sample_lag_counts(key, pre, post, n_trials, window),
        "numba": lambda: numba_lag_counts(1, pre_threshold, post_threshold, n_trials, window),
        "its draws alone": lambda: packed_draws(sequence_keys, pre, post),
    }
    title = f"lag table, {n_sequences} sequences x {n_steps} steps x {n_trials} trials, window {window}"
    report(title, interleaved(ways, n_repeats), "sample_lag_counts")
    ways = {
        "sample_lag_counts": ways["sample_lag_counts"],
        "numpy": lambda: numpy_lag_counts(generator, pre_rates, post_rates, n_trials, window),
    }
    report(title, interleaved(ways, min(n_repeats, 2)), "sample_lag_counts")


def main() -> None:
    """Parse the arguments and time what they ask for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--size", type=int, default=2**22, help="elements of the generator's arrays")
    parser.add_argument("--sequences", type=int, default=500)
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--window", type=int, default=20)
    parser.add_argument("--skip-generator", action="store_true")
    arguments = parser.parse_args()
    if not arguments.skip_generator:
        time_generator(arguments.repeats, arguments.size)
    time_lag_table(arguments.repeats, arguments.sequences, arguments.steps, arguments.trials, arguments.window)


if __name__ == "__main__":
    main()
