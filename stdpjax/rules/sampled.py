"""Means and variances of what a rule changes, over sampled spike trains, for rules that have no exact mean.

Trials stream, so memory does not grow with their number. A block of trials is summed about its first one, and blocks
are merged by their counts, means and squared deviations in the order of the trials: nothing large cancels. Blocks and
their order follow from the number of trials alone.
"""

import math
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, UInt32

from stdpjax import _checks, parallel
from stdpjax._checks import ArrayLike
from stdpjax._threads import map_threaded, n_cores
from stdpjax._units import Measured
from stdpjax.random import member_keys
from stdpjax.rules.base import Rule, Sample
from stdpjax.rules.evaluate import apart, check_start
from stdpjax.rules.traces import Number
from stdpjax.rules.trial_moments import ACTIVITY, WORDS_PER_PART, Moments, merged, part_moments
from stdpjax.spikes.counting import compiler_options
from stdpjax.spikes.packed import TRIALS_PER_WORD

# What a program is compiled for: the rule or its functions, the kind of key, words that are summed at once.
_Options = tuple[Any, Any, int]

# Words of trials that are summed at once.
_WORDS_AT_ONCE = 32
# Trials of all sequences that take a step at once: their traces stay in the first cache, and a step is worth its call.
_LANES = {"cpu": 2**12}
_LANES_ELSEWHERE = 2**19


class SampledUpdates(NamedTuple):
    """Weight changes over sampled trials; the columns of a time bin and their total over time."""

    mean: Float[Array, "*batch time"]
    """Mean change per trial in each bin."""
    variance: Float[Array, "*batch time"]
    """Variance over trials of the change in each bin, unbiased."""
    total_mean: Float[Array, "*batch"]
    """Mean of the change of a whole trial."""
    total_variance: Float[Array, "*batch"]
    """Variance over trials of the change of a whole trial, unbiased; changes of different bins are correlated."""
    n_trials: int
    """Trials of each sequence."""

    @property
    def standard_error(self) -> Float[Array, "*batch time"]:
        """Standard error of `mean`."""
        return jnp.sqrt(self.variance / self.n_trials)

    @property
    def total_standard_error(self) -> Float[Array, "*batch"]:
        """Standard error of `total_mean`."""
        return jnp.sqrt(self.total_variance / self.n_trials)


def sampled_updates(
    key: Key[Array, ""],
    rule: Rule,
    pre_probability: ArrayLike,
    post_probability: ArrayLike,
    n_trials: int,
    *,
    activity: Sample | None = None,
    weight: Number = 0.0,
    bin_ms: Measured = 1.0,
) -> SampledUpdates:
    """Return mean and variance of the change of one weight in each time bin, over independent Bernoulli spikes.

    For any rule: with delays, bounds, or states beside the spikes, where `expected_updates` has no exact mean. Trial
    `k` of sequence `i` has the spikes that `stdpjax.spikes.sample_pair(key, ..., sequence=i, trial=k)` gives, whatever
    the number of trials. Probabilities are rounded as `stdpjax.spikes.round_to_grid` does.

    All devices of all processes take part (of a CPU, all cores), unless the call is traced or an argument was put on a
    device: then the caller has decided. The results are the same bits for any number of cores and of devices of a
    kind; within the caller's `jit` they may differ by rounding. With several processes each has to make the call.

    Args:
        key: a scalar threefry2x32 key, as `stdpjax.random.key` makes.
        rule: any rule of one synapse.
        pre_probability: presynaptic spike probability per bin, shape `[..., time]`. Leading axes are sequences,
            numbered in C order.
        post_probability: postsynaptic spike probability per bin, same shape.
        n_trials: pairs of trains for each sequence, from 2 to 2^31 - 1.
        activity: states and rates of each bin, the same in all trials, for rules that read them: a `Sample` whose
            fields `post_state`, `next_post_state`, `pre_rate` and `post_slope` have the shape of the probabilities, or
            are None where the rule does without. None for a rule of spikes alone.
        weight: before the first bin; matters to rules that depend on the weight, which is carried along in each trial.
        bin_ms: width of a bin in ms, or with a unit, above 0. Rules hold their time constants in ms.

    Returns:
        Means and variances over trials per bin and of the total over time, and standard errors of the means. The
        change of a rule with a delay is in the bin that emits it.

    Raises:
        ValueError: probabilities outside [0, 1], different shapes, a number of trials out of range, a rule that needs
            what `activity` lacks or that cannot start from the weight, or a key of another generator.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rule = stdpjax.rules.bounded_rule(stdpjax.rules.pair_rule(0.1, 0.1, 10.0, 10.0), 0.0, 1.0)
        >>> updates = stdpjax.rules.sampled_updates(
        ...     stdpjax.random.key(0), rule, jnp.full(50, 0.2), jnp.full(50, 0.2), n_trials=1000, weight=0.8)
        >>> bool(updates.total_mean < -5 * updates.total_standard_error)  # nearer to its upper bound
        True
    """
    _checks.key("key", key)
    pre, post = _checks.probabilities(pre_probability, post_probability)
    n_trials = _checks.count("n_trials", n_trials, minimum=2, maximum=2**31 - 1)
    bin_ms = check_start(rule, weight, bin_ms)
    start = jnp.full((1, 1), weight, float)
    *batch, n_steps = pre.shape
    n_sequences = math.prod(batch)
    fields = _checked_activity(activity, pre)
    rows = jax.tree.map(
        lambda array: array.reshape(n_sequences, n_steps),
        (pre, post, {name: field.astype(start.dtype) for name, field in fields.items()}),
    )
    sequences = (jax.random.key_data(member_keys(key, n_sequences)), *rows)
    functions, parameters = (rule, ()) if rule.traces is None else apart(rule.traces)
    n_words = -(-n_trials // TRIALS_PER_WORD)
    words_at_once = -(-n_words // -(-n_words // min(_WORDS_AT_ONCE, n_words)))
    if n_words > WORDS_PER_PART:
        words_at_once = _WORDS_AT_ONCE  # a part is a whole number of these
    options = (functions, jax.random.key_impl(key), words_at_once)
    shared = (parameters, bin_ms, start, np.uint32(n_trials))
    if n_sequences == 0:
        mean = squares = jnp.zeros((0, n_steps + 1), start.dtype)
    elif parallel.is_traced((sequences, shared)):
        mean, squares = _in_a_trace(sequences, shared, options, n_words)
    else:
        is_left_to_caller = parallel.is_placed((key, pre_probability, post_probability))
        mean, squares = _merged_on_host(_parts(sequences, shared, options, n_words, is_left_to_caller), n_trials)
    variance = squares / (n_trials - 1)
    columns = [jnp.asarray(array, start.dtype).reshape(*batch, n_steps + 1) for array in (mean, variance)]
    mean, variance = (column[..., :-1] for column in columns)
    return SampledUpdates(mean, variance, columns[0][..., -1], columns[1][..., -1], n_trials)


def _checked_activity(activity: Sample | None, probability: Array) -> dict[str, Array]:
    """Return the fields that are there, refusing what is no record of states and rates in the trials' bins."""
    if activity is None:
        return {}
    _checks.instance("activity", activity, Sample, "states and rates, as `Sample(state, next_state, pre_rate)`")
    fields = {name: value for name, value in activity._asdict().items() if value is not None}
    others = sorted(set(fields) - set(ACTIVITY))
    if others:
        raise ValueError(f"activity: expected {', '.join(ACTIVITY)} alone, got {', '.join(others)}")
    fields = {name: _checks.finite(f"activity.{name}", value) for name, value in fields.items()}
    for name, field in fields.items():
        _checks.same_shape("pre_probability", probability, f"activity.{name}", field)
    return fields


def _firsts(n_words: int) -> np.ndarray:
    """Return the first word of each part."""
    return np.arange(0, n_words, WORDS_PER_PART, dtype=np.uint32)


def _merged_on_host(parts: Iterator[Moments], n_trials: int) -> Moments:
    """Return means and squared deviations of all trials from those of parts in their order, in double precision."""
    n_part, count = WORDS_PER_PART * TRIALS_PER_WORD, 0
    mean = squares = np.zeros(())
    for part_mean, part_squares in parts:
        n_here = min(n_part, n_trials - count)
        gap = part_mean.astype(np.float64) - mean
        mean = mean + gap * (n_here / (count + n_here))
        squares = squares + part_squares + gap**2 * (count * n_here / (count + n_here))
        count += n_here
    return mean, squares


def _in_a_trace(sequences: Any, shared: Any, options: _Options, n_words: int) -> Moments:
    sizes = _sizes(options, sequences[1].shape[0])

    def add(moments: Moments, first: UInt32[Array, ""]) -> tuple[Moments, None]:
        part = part_moments(*options, sizes, sequences, shared, first)
        count = first * np.uint32(TRIALS_PER_WORD)
        n_here = jnp.minimum(shared[-1] - count, np.uint32(WORDS_PER_PART * TRIALS_PER_WORD))
        return merged(moments, count, part, n_here), None

    nothing = jnp.zeros((sequences[1].shape[0], sequences[1].shape[1] + 1), shared[2].dtype)
    return jax.lax.scan(add, (nothing, nothing), jnp.asarray(_firsts(n_words)))[0]


def _parts(sequences: Any, shared: Any, options: _Options, n_words: int, is_left_to_caller: bool) -> Iterator[Moments]:
    """Yield the moments of each part in order, a few parts or the sequences of one at a time."""
    n_sequences, firsts = sequences[1].shape[0], _firsts(n_words)
    n_devices = 1 if is_left_to_caller else parallel.n_devices()
    # Nothing can be compiled beforehand while compilation is switched off. The attribute is made at run time.
    is_compiled = not jax.config.jax_disable_jit  # pyright: ignore[reportAttributeAccessIssue]
    n_workers = n_cores() if is_compiled and jax.default_backend() == "cpu" and not is_left_to_caller else 1
    if n_devices > 1 and n_sequences >= n_devices:
        count = _by_sequence(options, _sizes(options, -(-n_sequences // n_devices)))
        for first in firsts:
            yield parallel.map_blocks(count, *sequences, shared=(shared, first), compiler_options=compiler_options())
    elif n_devices > 1:
        count = _by_part(options, _sizes(options, n_sequences))
        for start in range(0, len(firsts), 4 * n_devices):
            some, settings = firsts[start : start + 4 * n_devices], (sequences, shared)
            mean, squares = parallel.map_blocks(count, some, shared=settings, compiler_options=compiler_options())
            yield from zip(mean, squares, strict=True)
    else:
        yield from _in_threads(sequences, shared, options, firsts, n_workers)


def _in_threads(
    sequences: Any, shared: Any, options: _Options, firsts: np.ndarray, n_workers: int
) -> Iterator[Moments]:
    """Yield the moments of parts on one device, from a thread for each core."""
    n_sequences = sequences[1].shape[0]
    n_blocks = min(n_workers, n_sequences)
    n_each = -(-n_sequences // n_blocks)
    # The last block starts early enough to be whole; what it repeats comes out the same.
    starts = [min(block * n_each, n_sequences - n_each) for block in range(n_blocks)]
    if n_blocks > 1:
        sequences = jax.tree.map(np.asarray, sequences)
    blocks = [jax.tree.map(lambda array, at=at: array[at : at + n_each], sequences) for at in starts]
    sizes = _sizes(options, n_each)
    leaves, structure = jax.tree.flatten((blocks[0], shared, firsts[0]))
    kinds = tuple(jax.typeof(leaf) for leaf in leaves)
    is_alone = n_workers == 1
    count = _program(options, sizes) if is_alone else _compiled(options, sizes, structure, kinds)
    at_once = max(1, n_workers // n_blocks)

    def one(task: tuple[Any, Any]) -> Moments:
        mean, squares = count(task[0], shared, task[1])
        return np.asarray(mean), np.asarray(squares)

    for start in range(0, len(firsts), at_once):
        tasks = [(block, first) for first in firsts[start : start + at_once] for block in blocks]
        done = list(map(one, tasks)) if is_alone or len(tasks) == 1 else map_threaded(one, tasks)
        for part in range(0, len(done), n_blocks):
            found = [np.empty((n_sequences, *done[0][0].shape[1:]), done[0][0].dtype) for _ in range(2)]
            for at, moments in zip(starts, done[part : part + n_blocks], strict=True):
                for whole, block in zip(found, moments, strict=True):
                    whole[at : at + n_each] = block
            yield found[0], found[1]


@lru_cache(maxsize=256)
def _program(options: _Options, sizes: Any) -> Any:
    program = partial(part_moments, *options, sizes)
    return jax.jit(lambda *arguments: program(*arguments), compiler_options=dict(compiler_options()))


# Compiled beforehand, as a thread knows nothing of the settings (of precision, say) of the one that started it.
@lru_cache(maxsize=256)
def _compiled(options: _Options, sizes: Any, structure: Any, kinds: Any) -> Any:
    return _program(options, sizes).lower(*jax.tree.unflatten(structure, kinds)).compile()


@lru_cache(maxsize=256)
def _by_sequence(options: _Options, sizes: Any) -> Callable[..., Any]:
    return lambda key_words, pre, post, fields, shared, first: part_moments(
        *options, sizes, (key_words, pre, post, fields), shared, first
    )


@lru_cache(maxsize=256)
def _by_part(options: _Options, sizes: Any) -> Callable[..., Any]:
    return lambda firsts, sequences, shared: jax.lax.map(
        lambda first: part_moments(*options, sizes, sequences, shared, first), firsts
    )


def _sizes(options: _Options, n_sequences: int) -> int:
    """Return how many sequences take a step at once."""
    lanes = _LANES.get(jax.default_backend(), _LANES_ELSEWHERE)
    return min(n_sequences, max(1, lanes // (options[-1] * TRIALS_PER_WORD)))
