"""Sampled counts: replay, independence of chunking, and agreement with the exact law."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import stats
from stdpjax.random import key as make_key
from stdpjax.random import member_keys
from stdpjax.rules import LAG_KERNELS, lag_kernel
from stdpjax.spikes import (
    COINCIDENCES,
    counting,
    expected_lag_counts,
    nearest_lag,
    round_to_grid,
    sample_lag_counts,
    sample_pair,
    sample_spikes,
)
from tests.spikes.reference import lag_counts_by_train
from tests.tracing import is_traced, may_be_traced, watched


def probabilities(n_sequences, n_steps, top=0.25):
    rng = np.random.default_rng(0)
    return rng.uniform(0.01, top, (2, n_sequences, n_steps))


def test_spike_frequencies(key):
    p = np.array([0.0, 0.003, 0.2, 0.7, 1.0])
    trains = np.asarray(jax.vmap(lambda k: sample_spikes(k, p))(member_keys(key, 40_000)))
    assert trains.dtype == bool
    assert not trains[:, 0].any()
    assert trains[:, 4].all()
    z = (trains.mean(0) - p)[1:4] / np.sqrt(p * (1 - p) / 40_000)[1:4]
    assert np.abs(z).max() < 4
    wrong = 1.1 * p
    assert np.abs((trains.mean(0) - wrong)[1:4] / np.sqrt(p * (1 - p) / 40_000)[1:4]).max() > 8


def test_blocks_of_trials_and_of_sequences_change_nothing(key, monkeypatch):
    p, q = probabilities(5, 50)
    whole = sample_lag_counts(key, p, q, 137, 8)
    blocks = [sample_lag_counts(key, p[i : i + 2], q[i : i + 2], 137, 8, first_sequence=i) for i in range(0, 5, 2)]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    for words_at_once in (1, 100, 400):
        monkeypatch.setattr(counting, "_WORDS_AT_ONCE", words_at_once)
        np.testing.assert_array_equal(sample_lag_counts(key, p, q, 137, 8), whole)


@pytest.mark.parametrize("n_parts", [2, 3, 5])
def test_threads_change_nothing(n_parts, key, monkeypatch):
    p, q = probabilities(5, 50)
    options = {"window": 8, "boundary": "valid", "first_sequence": 3}
    whole = sample_lag_counts(key, p, q, 137, **options)
    monkeypatch.setattr(counting, "_n_parts", lambda *sizes: n_parts)
    in_threads = sample_lag_counts(key, p, q, 137, **options)
    np.testing.assert_array_equal(in_threads, whole, strict=True)
    for stock in (make_key(4), jax.random.key(4, impl="threefry2x32")):
        np.testing.assert_array_equal(
            sample_lag_counts(stock, p, q, 33, 8), sample_lag_counts(make_key(4), p, q, 33, 8)
        )


def test_threads_are_started_for_much_work_only():
    assert counting._n_parts(32, 1, 160) == 1
    assert counting._n_parts(1, 100, 160) == 1
    assert 1 <= counting._n_parts(32, 500, 160) <= 500


def test_more_trials_keep_the_first_ones(key):
    p, q = probabilities(1, 50)
    counts = [np.asarray(sample_lag_counts(key, p, q, n, 8)) for n in (40, 41)]
    added = counts[1] - counts[0]
    pair = sample_pair(key, jnp.asarray(p[0], float), jnp.asarray(q[0], float), trial=40)
    assert added.min() >= 0
    assert added.sum() == int((nearest_lag(*pair, 8) != 0).sum())


def test_same_key_same_counts_other_key_other_counts():
    p, q = probabilities(2, 50)
    first, again, other = (sample_lag_counts(make_key(seed), p, q, 20, 8) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (np.asarray(first) != np.asarray(other)).any()


def test_shapes_and_empty_cases(key):
    p = np.full((2, 3, 30), 0.1)
    assert sample_lag_counts(key, p, p, 5, 4).shape == (2, 3, 30, 9)
    assert sample_lag_counts(key, p, p, 5, 4, boundary="valid").shape == (2, 3, 22, 9)
    assert sample_lag_counts(key, p[0, 0], p[0, 0], 5, 4).shape == (30, 9)
    assert int(sample_lag_counts(key, p, p, 0, 4).sum()) == 0
    assert sample_lag_counts(key, p[:0], p[:0], 5, 4).shape == (0, 3, 30, 9)
    assert int(sample_lag_counts(key, np.zeros((1, 30)), np.ones((1, 30)), 5, 4).sum()) == 0


def test_nothing_is_recompiled_for_other_rates_seeds_and_trials(monkeypatch):
    draw = counting.sample_packed_pair

    @watched
    def drawn(*arguments):
        return draw(*arguments)

    monkeypatch.setattr(counting, "sample_packed_pair", drawn)
    p, q = probabilities(3, 51)
    with may_be_traced():
        sample_lag_counts(make_key(0), p, q, 21, 8)
    for seed in range(1, 4):
        sample_lag_counts(make_key(seed), p / seed, q, 21 + seed, 8)
    # Power: another window is another program.
    with is_traced():
        sample_lag_counts(make_key(0), p, q, 21, 9)


def test_known_and_traced_arguments_give_the_same_counts(key):
    p, q = (jnp.asarray(part, jnp.float32) for part in probabilities(3, 50))
    known = sample_lag_counts(key, p, q, 70, 8)
    np.testing.assert_array_equal(jax.jit(lambda key: sample_lag_counts(key, p, q, 70, 8))(key), known)
    np.testing.assert_array_equal(jax.jit(lambda: sample_lag_counts(key, p, q, 70, 8))(), known)
    numbers = jnp.arange(2)
    by_vmap = jax.vmap(lambda number: number + sample_lag_counts(key, p, q, 70, 8))(numbers)
    np.testing.assert_array_equal(by_vmap, known[None] + numbers[:, None, None, None])


def check_against_exact(n_trials, n_sequences, coincidence, key):
    """Spread of z over cells, spread of z of each kernel's update over bins, and chi-square per degree of freedom."""
    p, q = (np.asarray(round_to_grid(jnp.asarray(part, float))) for part in probabilities(n_sequences, 60, top=0.12))
    counts = np.asarray(sample_lag_counts(key, p, q, n_trials, 20, coincidence), dtype=np.float64)
    kernels = np.stack([np.asarray(lag_kernel(name), np.float64) for name in LAG_KERNELS])

    def statistics(reading, post=q):
        exact = np.asarray(expected_lag_counts(p, post, 20, reading), dtype=np.float64)
        variance = n_trials * exact * (1 - exact)
        cell_z = ((counts - n_trials * exact) / np.sqrt(np.where(variance > 0, variance, np.inf)))[variance > 0]
        mean, square = exact @ kernels.T, exact @ (kernels**2).T
        kernel_z = (counts @ kernels.T - n_trials * mean) / np.sqrt(n_trials * (square - mean**2))
        keep = np.arange(41) != 20
        chi_square = stats.chi_square_per_cell(counts[..., keep], exact[..., keep], n_trials)
        return cell_z.std(), kernel_z.reshape(-1, len(kernels)).std(0), chi_square

    other = COINCIDENCES[1 - COINCIDENCES.index(coincidence)]
    return statistics(coincidence), statistics(other), statistics(coincidence, 1.1 * q)


@pytest.mark.parametrize("coincidence", COINCIDENCES)
def test_sampled_table_agrees_with_the_exact_law(coincidence, key):
    (cells, kernels, chi_square), _, (wrong_cells, _, wrong_chi_square) = check_against_exact(
        20_000, 10, coincidence, key
    )
    assert abs(cells - 1) < 0.05
    assert 0.9 < chi_square < 1.1
    assert np.abs(kernels - 1).max() < 0.15  # 600 bins a kernel
    # Power: rates 10 % higher are refused.
    assert abs(wrong_cells - 1) > 0.05
    assert not 0.9 < wrong_chi_square < 1.1


@pytest.mark.slow
@pytest.mark.parametrize("coincidence", COINCIDENCES)
def test_sampled_table_agrees_with_the_exact_law_over_200000_trains(coincidence, key):
    (cells, kernels, chi_square), (wrong_cells, wrong_kernels, wrong_chi_square), _ = check_against_exact(
        200_000, 40, coincidence, key
    )
    print(f"{coincidence}: s.d. of z {cells:.4f}, by kernel {np.round(kernels, 3)}, chi-square/dof {chi_square:.4f}")
    assert abs(cells - 1) < 0.05
    assert 0.9 < chi_square < 1.1
    assert np.abs(kernels - 1).max() < 0.05
    # The other reading of a coincident spike is refused by the same checks.
    assert abs(wrong_cells - 1) > 0.05
    assert np.abs(wrong_kernels - 1).max() > 0.05
    assert not 0.9 < wrong_chi_square < 1.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pre_probability": [0.1, np.nan] * 15}, "pre_probability: expected finite numbers"),
        ({"post_probability": [20.0] * 30}, "post_probability: .* Hz"),
        ({"post_probability": [0.1] * 29}, "post_probability: expected the shape of pre_probability"),
        ({"n_trials": -1}, "n_trials: expected a whole number of at least 0, got -1"),
        ({"window": 0}, "window: expected a whole number of at least 1, got 0"),
        ({"window": 31}, "window: expected at most the record's 30 bins, got 31"),
        ({"first_sequence": -1}, "first_sequence: expected a whole number of at least 0, got -1"),
    ],
)
def test_refusals(changes, message):
    arguments = {"pre_probability": [0.1] * 30, "post_probability": [0.1] * 30, "n_trials": 5, "window": 10} | changes
    with pytest.raises(ValueError, match=message):
        sample_lag_counts(make_key(0), **arguments)


@pytest.mark.parametrize("low", [False, True])
def test_without_compilation_the_same_counts(key, low, no_annotations):
    p, q = (part * (1e-4 if low else 1) for part in probabilities(2, 9))
    want = sample_lag_counts(key, p, q, 33, window=3)
    with jax.disable_jit():
        np.testing.assert_array_equal(sample_lag_counts(key, p, q, 33, window=3), want)
        lags = nearest_lag(np.eye(9)[3], np.eye(9)[5], 3)
    assert lags.tolist() == [0, 0, 0, 2, 0, 0, 0, 0, 0]


def test_counts_of_low_rates_do_not_depend_on_grouping(key, monkeypatch):
    p, q = (part * 1e-2 for part in probabilities(5, 40))
    whole = np.asarray(sample_lag_counts(key, p, q, 3000, window=8))
    assert whole.sum() > 0
    monkeypatch.setattr(counting, "_WORDS_AT_ONCE", 100)
    np.testing.assert_array_equal(sample_lag_counts(key, p, q, 3000, window=8), whole)
    np.testing.assert_array_equal(sample_lag_counts(key, p[3:], q[3:], 3000, window=8, first_sequence=3), whole[3:])
    np.testing.assert_array_equal(jax.jit(lambda key: sample_lag_counts(key, p, q, 3000, window=8))(key), whole)
    np.testing.assert_array_equal(
        sample_lag_counts(key, p[1], q[1], 500, window=8, first_sequence=1),
        lag_counts_by_train(key, p[1], q[1], 500, window=8, first_sequence=1),
    )
