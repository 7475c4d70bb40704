"""Packed trains against unpacked ones, event for event, and their statistics against the exact laws."""

import os
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import stdpjax
from stdpjax import spikes
from stdpjax.random._threefry import threefry_hash
from stdpjax.spikes import counting, packed, packed_lags
from stdpjax.spikes.pairing import BOUNDARIES, COINCIDENCES, SIDES
from tests.spikes.reference import lag_counts_by_train, pack, unpack

OPTIONS = [(c, s, b) for c in COINCIDENCES for s in SIDES for b in BOUNDARIES]


def random_trains(seed, shape, probability):
    return np.random.default_rng(seed).random(shape) < probability


def counts_by_event(pre, post, window, coincidence, sides, boundary):
    """Unpacked trains [trial, time] -> table, by `nearest_lag`."""
    lags = np.asarray(spikes.nearest_lag(pre, post, window, coincidence=coincidence, sides=sides, boundary=boundary))
    table = np.stack([(lags == lag).sum(0) for lag in range(-window, window + 1)], axis=-1)
    table[:, window] = 0
    return table


def packed_counts(pre, post, window, coincidence, sides, boundary):
    words = pack(pre), pack(post)
    return packed_lags.count_packed_lags(*words, window, coincidence, sides=sides, boundary=boundary)


@settings(max_examples=10, deadline=None)
@given(n_trials=st.integers(0, 70), rest=st.lists(st.integers(0, 3), max_size=2).map(tuple), seed=st.integers(0, 99))
def test_unpacking_undoes_packing(n_trials, rest, seed):
    trials = random_trains(seed, (n_trials, *rest), 0.5)
    words = pack(trials)
    assert words.shape == (-(-n_trials // 32), *rest)
    assert words.dtype == jnp.uint32
    np.testing.assert_array_equal(unpack(words, n_trials), trials)
    assert not unpack(words)[n_trials:].any()


def test_packing_puts_trial_k_into_bit_k():
    trials = np.zeros((70, 1), bool)
    trials[[0, 5, 33, 69]] = True
    np.testing.assert_array_equal(pack(trials)[:, 0], [2**0 + 2**5, 2**1, 2**5])


@pytest.mark.parametrize(("coincidence", "sides", "boundary"), OPTIONS)
@pytest.mark.parametrize("n_trials", [1, 31, 32, 75])
def test_counts_equal_those_of_unpacked_trains(n_trials, coincidence, sides, boundary):
    for seed, density in enumerate((0.03, 0.2, 0.7)):
        pre, post = random_trains(seed, (2, n_trials, 40), density)
        options = (7, coincidence, sides, boundary)
        np.testing.assert_array_equal(packed_counts(pre, post, *options), counts_by_event(pre, post, *options))


@settings(max_examples=25, deadline=None)
@given(
    options=st.sampled_from(OPTIONS),
    n_trials=st.sampled_from([1, 2, 33]),
    n_steps=st.sampled_from([1, 3, 12]),
    window=st.sampled_from([1, 2, 5, 15]),
    densities=st.tuples(*[st.sampled_from([0.0, 0.1, 0.5, 1.0])] * 2),
    seed=st.integers(0, 2**20),
)
def test_counts_at_the_edges(options, n_trials, n_steps, window, densities, seed):
    """Empty and full trains, windows longer than the record, records of one bin."""
    coincidence, sides, boundary = options
    if boundary == "valid":
        n_steps += 2 * window
    pre, post = (random_trains(seed + k, (n_trials, n_steps), density) for k, density in enumerate(densities))
    options = (window, coincidence, sides, boundary)
    np.testing.assert_array_equal(packed_counts(pre, post, *options), counts_by_event(pre, post, *options))


def test_counts_keep_leading_axes():
    pre, post = random_trains(0, (2, 3, 2, 40, 15), 0.3).reshape(2, 3, 2, 40, 15)
    pre_words, post_words = (jnp.moveaxis(pack(np.moveaxis(trials, 2, 0)), 0, 2) for trials in (pre, post))
    table = packed_lags.count_packed_lags(pre_words, post_words, 4)
    assert table.shape == (3, 2, 15, 9)
    for place in np.ndindex(3, 2):
        np.testing.assert_array_equal(
            table[place], counts_by_event(pre[place], post[place], 4, "skip", "one", "silent")
        )


def test_counting_refuses_bad_options():
    words = jnp.zeros((1, 10), jnp.uint32)
    with pytest.raises(ValueError, match="window: expected at most 4 bins"):
        packed_lags.count_packed_lags(words, words, 5, boundary="valid")
    with pytest.raises(ValueError, match="post: expected the shape of pre"):
        packed_lags.count_packed_lags(words, words[:, 1:], 2)


def unrounded_comparison(key, probability, train):
    """What the drawing states, in NumPy and one bit at a time: a uniform number of 16 bits below the threshold."""
    key_words = jax.random.key_data(key)
    threshold = np.round(np.asarray(probability, float) * 2**16).astype(int)
    trains = np.zeros((32, threshold.size), bool)
    for time in range(threshold.size):
        number = np.zeros(32, int)
        for draw in range(8):
            counters = (jnp.uint32(train), jnp.uint32(8 * time + draw))
            for offset, word in enumerate(threefry_hash((key_words[0], key_words[1]), counters)):
                bits = (int(word) >> np.arange(32)) & 1
                number += (1 - bits) << (2 * draw + offset)
        trains[:, time] = number < threshold[time]
    return trains


def test_a_spike_is_a_uniform_number_below_the_threshold():
    key = stdpjax.random.key(4)
    pre = np.array([0, 1, 0.5, 2**-16, 1 - 2**-16, 0.3, 0.71])
    pre, post = jnp.asarray(pre), jnp.asarray(pre[::-1].copy())
    words = packed.sample_packed_pair(key, pre, post)
    for train, probability in enumerate((pre, post)):
        np.testing.assert_array_equal(unpack(words[train][None])[:, :], unrounded_comparison(key, probability, train))


def test_probabilities_zero_and_one_are_exact():
    keys = stdpjax.random.member_keys(stdpjax.random.key(0), 50)
    never, always = packed.sample_packed_pair(keys, jnp.zeros((1, 40)), jnp.ones((1, 40)))
    assert not never.any()
    assert (np.asarray(always) == 2**32 - 1).all()


def test_raising_a_probability_only_adds_spikes():
    key = stdpjax.random.key(9)
    before = packed.sample_packed_pair(key, jnp.full(300, 0.2), jnp.full(300, 0.2))
    after = packed.sample_packed_pair(key, jnp.full(300, 0.21), jnp.full(300, 0.35))
    assert not (before & ~after).any()
    assert (before != after).any()


def test_a_longer_record_keeps_its_beginning():
    key, rate = stdpjax.random.key(9), jnp.linspace(0.0, 1.0, 50)
    np.testing.assert_array_equal(
        packed.sample_packed_pair(key, rate[:20], rate[:20]), packed.sample_packed_pair(key, rate, rate)[..., :20]
    )


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_rounding_is_to_the_nearest_multiple(dtype):
    probability = jnp.linspace(0.0, 1.0, 1001).astype(dtype)
    rounded = np.asarray(packed.round_to_grid(probability), float)
    exact = np.asarray(probability, float)
    nearest = np.round(exact * 2**16) / 2**16
    is_coarse = np.abs(nearest - exact) > 1e-3 * exact
    assert is_coarse.any()
    np.testing.assert_array_equal(rounded, np.where(is_coarse, np.round(exact * 2**40) / 2**40, nearest))
    assert (rounded[0], rounded[-1]) == (0.0, 1.0)


def test_every_probability_from_1e_9_on_is_kept_within_one_part_in_a_thousand():
    exact = np.concatenate([np.geomspace(1e-9, 1, 20_001), [7e-6, 1e-5, 1e-7]]).astype(np.float32)
    rounded = np.asarray(packed.round_to_grid(exact), float)
    error = np.abs(rounded / exact.astype(float) - 1)
    assert error.max() <= 1e-3
    # The 16 levels alone do not do it: 7e-6 never comes, and 1e-5 comes 53 % too often.
    alone = np.round(exact.astype(float) * 2**16) / 2**16
    assert np.abs(alone / exact - 1).max() == 1
    assert alone[-3] == 0
    assert alone[-2] / 1e-5 == pytest.approx(1.526, abs=1e-3)
    # Higher probabilities are drawn with no lower ones.
    rising = np.asarray(packed.round_to_grid(np.linspace(0, 0.01, 200_001, dtype=np.float32)))
    assert (np.diff(rising) >= 0).all()


hashed = jax.jit(threefry_hash)


def digits_below(key_words, threshold, stream, time, n_digits):
    """A uniform number of 32 trials from its random words, in NumPy, and where it is below and at the threshold."""
    number = np.zeros(32, np.int64)
    n_draws = n_digits // 2
    counters = (
        jnp.full(n_draws, stream, jnp.uint32),
        jnp.arange(n_draws, dtype=jnp.uint32) + np.uint32(n_draws * time),
    )
    words = np.asarray(hashed((key_words[0], key_words[1]), counters))
    for place, word in enumerate(words.T.ravel()):
        bits = (int(word) >> np.arange(32)) & 1
        number += (1 - bits) << place
    return number < threshold, number == threshold


def test_low_probabilities_are_compared_with_a_uniform_number_of_40_bits():
    probability = np.array([0.3, 2.3e-5, 0.0041, 0.0, 1.7e-5, 1e-9, 1.0, 7.11e-3, 0.5] * 9, np.float32)
    grid = np.round(np.asarray(packed.round_to_grid(probability), float) * 2**40).astype(np.int64)
    assert (grid % 2**24 != 0).sum() > packed._BINS_AT_ONCE / 2
    keys = stdpjax.random.member_keys(stdpjax.random.key(4), 4).reshape(2, 2)
    rate = jnp.asarray(probability)[None, None]
    words = np.asarray(packed.sample_packed_pair(keys, rate, rate))
    for train, owner, word, time in np.ndindex(2, 2, 2, 8):
        high, low = divmod(int(grid[time]), 2**24)
        key_words = jax.random.key_data(keys[owner, word])
        is_below, is_equal = digits_below(key_words, high, train, time, 16)
        rest_below, _ = digits_below(key_words, low, train + 2, time, 24)
        want = is_below | (is_equal & rest_below)
        np.testing.assert_array_equal((int(words[train, owner, word, time]) >> np.arange(32)) & 1, want)


@pytest.mark.parametrize("probability", [1e-5, 7e-6, 1e-7])
def test_low_probabilities_come_as_often_as_they_should(probability):
    n_trials = 32 * 400
    pre = np.full(10_000, probability, np.float32)
    keys = stdpjax.random.member_keys(stdpjax.random.key(6), n_trials // 32)
    drawn = jax.jit(
        lambda pre: jax.lax.map(
            lambda key: jnp.sum(jax.lax.population_count(packed.sample_packed_pair(key, pre, pre)).astype(jnp.int32)),
            keys,
        )
    )(pre)
    n = 2 * pre.size * n_trials

    def z(claimed):
        return (float(np.sum(np.asarray(drawn, np.int64))) - n * claimed) / np.sqrt(n * claimed)

    assert abs(z(probability)) < 4
    # The grid of 16 levels would be seen.
    alone = np.round(probability * 2**16) / 2**16
    assert abs(z(max(alone, 1e-12))) > 4


def test_low_bins_leave_the_others_as_they_are():
    rng = np.random.default_rng(8)
    fine = np.round(rng.uniform(0, 0.4, (4, 60)) * 2**16).astype(np.float32) / 2**16
    low = np.where(rng.random(fine.shape) < 0.2, np.float32(1.1e-5), fine)
    key = stdpjax.random.member_keys(stdpjax.random.key(4), 4)
    before, after = (
        np.asarray(packed.sample_packed_pair(key, jnp.asarray(rate), jnp.asarray(fine))) for rate in (fine, low)
    )
    is_same = low == fine
    np.testing.assert_array_equal(before[0][is_same], after[0][is_same])
    np.testing.assert_array_equal(before[1], after[1])
    assert not after[0][~is_same].any()


def test_the_mean_of_the_table_is_the_law_at_low_rates():
    """Pre and post at 0.01 Hz and the law, in a window wide enough to see pairs."""
    pre, post = np.full((200, 40), 1e-5, np.float32), np.full((200, 40), 0.003, np.float32)
    n_trials = 32 * 2000
    counts = np.asarray(spikes.sample_lag_counts(stdpjax.random.key(3), pre, post, n_trials, 10), float)
    law = np.asarray(spikes.expected_lag_counts(pre, post, 10), float)
    expected = n_trials * law.sum()
    assert abs(counts.sum() - expected) < 4 * np.sqrt(expected)
    assert abs(counts.sum() - 1.526 * expected) > 4 * np.sqrt(expected)


def test_the_law_of_half_precision_probabilities_is_that_of_their_values():
    half = jnp.linspace(0.001, 0.3, 30, dtype=jnp.bfloat16)
    single = half.astype(jnp.float32)
    for law in (spikes.expected_lag_counts(half, half, 5), spikes.lag_probability(half, 5)):
        assert law.dtype == jnp.float32
    np.testing.assert_array_equal(spikes.lag_probability(half, 5), spikes.lag_probability(single, 5))


def bernoulli_chi_square(claimed, drawn_from):
    """Sum over probabilities of squared deviations in standard errors, from 2^21 trials each; mean: their number."""
    keys = stdpjax.random.member_keys(stdpjax.random.key(17), 2**13)
    total = jnp.zeros((2, len(claimed)))
    for part in range(8):
        words = packed.sample_packed_pair(
            keys[part * 2**10 : (part + 1) * 2**10], jnp.asarray(drawn_from)[None], jnp.asarray(drawn_from)[None]
        )
        total = total + jnp.sum(jax.lax.population_count(words).astype(jnp.int32), axis=1).astype(total.dtype)
    n = 32 * 2**13
    return float((((np.asarray(total, float) - n * claimed) ** 2) / (n * claimed * (1 - claimed))).sum())


def test_frequencies_of_grid_probabilities():
    # Every single digit of the threshold, all digits, and some others; 2 trains of 24 probabilities.
    steps = np.array([*(2**k for k in range(16)), 2**16 - 1, 6554, 12345, 43691, 21845, 40000, 3277, 60000])
    claimed = steps / 2**16
    freedom = 2 * len(claimed)
    limit = freedom + 4 * np.sqrt(2 * freedom)
    assert bernoulli_chi_square(claimed, claimed.astype(np.float32)) < limit
    # The same check sees an error of 2 % of each probability.
    assert bernoulli_chi_square(claimed, np.minimum(claimed * 1.02, 1).astype(np.float32)) > limit


def test_trials_words_and_trains_are_uncorrelated():
    keys = stdpjax.random.member_keys(stdpjax.random.key(3), 400)
    rate = jnp.full((1, 200), 0.3)
    words = packed.sample_packed_pair(keys, rate, rate)
    bits = np.asarray(unpack(words.reshape(1, -1))).reshape(32, 2, 400, 200) - 0.3
    for shifted in (
        bits * np.roll(bits, 1, axis=0),
        bits[:, 0] * bits[:, 1],
        bits[:, :, 1:] * bits[:, :, :-1],
        bits[..., 1:] * bits[..., :-1],
    ):
        z = shifted.mean() / (0.21 / np.sqrt(shifted.size))
        assert abs(z) < 4


@pytest.mark.parametrize(("coincidence", "sides", "boundary"), OPTIONS)
def test_sampled_table_equals_the_train_by_train_one(coincidence, sides, boundary):
    rng = np.random.default_rng(5)
    pre, post = jnp.asarray(rng.uniform(0, 0.5, (2, 3, 24)).astype(np.float32))
    arguments = (stdpjax.random.key(8), pre, post, 45, 4, coincidence)
    options = {"sides": sides, "boundary": boundary, "first_sequence": 11}
    np.testing.assert_array_equal(
        spikes.sample_lag_counts(*arguments, **options), lag_counts_by_train(*arguments, **options)
    )


@pytest.mark.parametrize("n_trials", [0, 1, 32, 33, 100])
def test_counts_do_not_depend_on_blocks(monkeypatch, n_trials):
    rng = np.random.default_rng(6)
    pre, post = jnp.asarray(rng.uniform(0, 0.4, (2, 7, 30)).astype(np.float32))
    key = stdpjax.random.key(1)
    whole = spikes.sample_lag_counts(key, pre, post, n_trials, 5)
    for words_at_once in (1, 60, 100, 250):
        monkeypatch.setattr(counting, "_WORDS_AT_ONCE", words_at_once)
        np.testing.assert_array_equal(spikes.sample_lag_counts(key, pre, post, n_trials, 5), whole)
    parts = [
        spikes.sample_lag_counts(key, pre[part], post[part], n_trials, 5, first_sequence=part.start)
        for part in (slice(0, 3), slice(3, 7))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_more_trials_keep_the_first_ones():
    pre, post = jnp.full((2, 30), 0.2)
    key = stdpjax.random.key(1)
    tables = [np.asarray(spikes.sample_lag_counts(key, pre, post, n, 5)) for n in (40, 41, 100)]
    one_more = spikes.nearest_lag(*spikes.sample_pair(key, pre, post, trial=40), window=5)
    expected = tables[0].copy()
    expected[np.arange(30), np.asarray(one_more) + 5] += 1
    expected[:, 5] = 0
    np.testing.assert_array_equal(tables[1], expected)
    assert (tables[2] >= tables[1]).all()


def test_stock_and_packaged_keys_give_the_same_table():
    pre, post = jnp.full((2, 30), 0.2)
    tables = [
        spikes.sample_lag_counts(key, pre, post, 50, 5)
        for key in (stdpjax.random.key(1), jax.random.key(1, impl="threefry2x32"))
    ]
    np.testing.assert_array_equal(tables[0], tables[1])
    with pytest.raises(ValueError, match="key: expected threefry2x32 keys"):
        spikes.sample_lag_counts(jax.random.key(1, impl="rbg"), pre, post, 50, 5)


def test_shapes_empty_axes_and_vmap():
    key = stdpjax.random.key(1)
    rates = jnp.full((2, 3, 20), 0.3)
    table = spikes.sample_lag_counts(key, rates, rates, 64, 5)
    assert table.shape == (2, 3, 20, 11)
    assert table.dtype == jnp.int32
    assert spikes.sample_lag_counts(key, rates[:0], rates[:0], 64, 5).shape == (0, 3, 20, 11)
    assert not spikes.sample_lag_counts(key, rates, rates, 0, 5).any()
    jitted = jax.jit(lambda key, rates: spikes.sample_lag_counts(key, rates, rates, 64, 5))
    np.testing.assert_array_equal(jitted(key, rates), table)
    flat = rates.reshape(6, 20)
    by_vmap = jax.vmap(lambda rate: spikes.sample_lag_counts(key, rate, rate, 64, 5))(flat)
    np.testing.assert_array_equal(by_vmap[0], table[0, 0])  # each is sequence 0 of its own call


def test_counts_that_int32_cannot_hold_are_refused():
    with pytest.raises(ValueError, match="n_trials: expected at most"):
        spikes.sample_lag_counts(stdpjax.random.key(0), jnp.zeros(5), jnp.zeros(5), 2**31, 2)


def test_memory_does_not_grow_with_trials_or_sequences():
    def scratch(n_sequences, n_trials):
        words_at_once, sequences_at_once = counting._block_sizes(-(-n_trials // 32), n_sequences, 160)
        rates = jnp.zeros((n_sequences, 160), jnp.float32)
        keys = stdpjax.random.member_keys(stdpjax.random.key(0), n_sequences)
        compiled = counting._sample_lag_counts.lower(
            keys, rates, rates, np.uint32(0), np.uint32(n_trials), words_at_once=words_at_once,
            sequences_at_once=sequences_at_once, window=20, coincidence="skip", sides="one", boundary="silent",
        ).compile()  # fmt: skip
        analysis = compiled.memory_analysis()
        assert analysis is not None
        return analysis.temp_size_in_bytes

    few = scratch(4, 1000)
    assert scratch(4, 1_000_000) < few + 20 * 2**20
    # The table is built in place: the one output, and no second copy of it.
    assert scratch(2000, 1000) < few + 4 * 2000 * 160 * 41 + 20 * 2**20


def standardised(counts, expected, n_trials):
    """Deviations of the table from its law, in standard errors: each cell is a binomial number of trials."""
    probability = np.clip(expected, 0, 1)
    error = np.sqrt(n_trials * probability * (1 - probability))
    is_possible = error > 0
    assert not counts[~is_possible].any()
    common = is_possible & (n_trials * probability > 20)
    return (counts - n_trials * expected)[common] / error[common]


@pytest.mark.parametrize(("coincidence", "sides", "boundary"), OPTIONS)
def test_sampled_table_follows_the_exact_law(coincidence, sides, boundary):
    n_trials, window = 400_000, 6
    time = np.linspace(0, 3, 60)
    pre = packed.round_to_grid(jnp.asarray(0.1 + 0.05 * np.sin(2 * time), jnp.float32))
    post = packed.round_to_grid(jnp.asarray(0.12 + 0.08 * np.cos(3 * time), jnp.float32))
    options = {"sides": sides, "boundary": boundary}
    counts = np.asarray(
        spikes.sample_lag_counts(stdpjax.random.key(21), pre, post, n_trials, window, coincidence, **options)
    )

    def largest_and_mean_square(post):
        law = np.asarray(spikes.expected_lag_counts(pre, post, window, coincidence, **options), float)
        z = standardised(counts, law, n_trials)
        return np.abs(z).max(), (z**2).mean() - 1, np.sqrt(2 / z.size)

    largest, excess, excess_error = largest_and_mean_square(post)
    assert largest < 5
    # Cells of one bin exclude each other and cells of neighbouring bins share spikes: nearly independent, not quite.
    assert abs(excess) < 6 * excess_error
    # The same check refuses a rate that is 3 % higher.
    _, excess, excess_error = largest_and_mean_square(jnp.minimum(post * 1.03, 1.0))
    assert excess > 6 * excess_error


def test_the_check_of_the_law_refuses_another_reading():
    rate = packed.round_to_grid(jnp.full(60, 0.1, jnp.float32))
    counts = np.asarray(spikes.sample_lag_counts(stdpjax.random.key(22), rate, rate, 40_000, 6, "skip"))
    law = np.asarray(spikes.expected_lag_counts(rate, rate, 6, "ignore"), float)
    assert (standardised(counts, law, 40_000) ** 2).mean() > 1.5


SHARDED = """
    import jax, jax.numpy as jnp, numpy as np
    from jax.sharding import NamedSharding, PartitionSpec
    import stdpjax

    assert jax.device_count() == 8
    rates = np.random.default_rng(2).uniform(0, 0.4, (2, 16, 30)).astype(np.float32)
    key = stdpjax.random.key(3)
    alone = np.asarray(stdpjax.spikes.sample_lag_counts(key, *jnp.asarray(rates), 50, 5))
    mesh = jax.make_mesh((8,), ("sequence",), axis_types=(jax.sharding.AxisType.Auto,))
    pre, post = (jax.device_put(rate, NamedSharding(mesh, PartitionSpec("sequence"))) for rate in rates)
    np.testing.assert_array_equal(np.asarray(stdpjax.spikes.sample_lag_counts(key, pre, post, 50, 5)), alone)

    # Every device its own block of sequences.
    count = lambda number, pre, post: stdpjax.spikes.sample_lag_counts(
        key, pre, post, 50, 5, first_sequence=2 * number)
    parts = [
        count(number, *(jax.device_put(rate[2 * number : 2 * number + 2], device) for rate in rates))
        for number, device in enumerate(jax.devices())
    ]
    np.testing.assert_array_equal(np.concatenate([np.asarray(part) for part in parts]), alone)
    print("same counts")
"""


def test_counts_do_not_depend_on_the_number_of_devices():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SHARDED)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.stdout.strip() == "same counts", done.stderr[-3000:]
