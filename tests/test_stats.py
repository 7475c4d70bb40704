"""Statistics against NumPy, and the bootstrap against theory."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stdpjax import stats
from stdpjax.random import key


def test_bootstrap_of_a_mean_has_its_textbook_error():
    sizes, seeds = 400, range(40)
    covered = 0
    errors = []
    for seed in seeds:
        values = np.random.default_rng(seed).normal(2.0, 3.0, sizes)
        estimate = stats.bootstrap(key(seed), lambda total, n: total / n, values, np.ones(sizes))
        assert estimate.value == pytest.approx(values.mean())
        covered += estimate.low <= 2.0 <= estimate.high
        errors.append(float(estimate.standard_error))
    assert np.mean(errors) == pytest.approx(3 / np.sqrt(sizes), rel=0.05)
    assert covered >= 34  # 95 % of 40 is 38; fewer than 34 has probability 2e-3


def test_bootstrap_resamples_whole_sequences():
    # Values that are equal within a sequence: treating bins as independent would shrink the error tenfold.
    rng = np.random.default_rng(0)
    values = np.repeat(rng.normal(size=(200, 1)), 100, axis=1)
    estimate = stats.bootstrap(key(0), lambda total: total / 20_000, values.sum(1))
    assert float(estimate.standard_error) == pytest.approx(1 / np.sqrt(200), rel=0.2)


def test_bootstrap_is_reproducible_and_treats_axes_elementwise():
    values = np.random.default_rng(0).normal(size=(30, 4))
    first, again = (stats.bootstrap(key(5), lambda total: total / 30, values, n_resamples=50) for _ in range(2))
    assert first.value.shape == first.low.shape == (4,)
    np.testing.assert_array_equal(first.low, again.low)
    assert np.all(first.low < first.value)
    assert np.all(first.value < first.high)


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ((np.ones(3), np.ones(4)), {}, "per_sequence: expected arrays with the same number of sequences"),
        ((np.ones(1),), {}, "per_sequence: expected .* at least 2"),
        ((np.ones(3),), {"n_resamples": 1}, "n_resamples: expected a whole number of at least 2"),
        ((np.ones(3),), {"confidence": 1.0}, "confidence: expected a finite number above 0 and below 1"),
    ],
)
def test_bootstrap_refusals(arrays, options, message):
    with pytest.raises(ValueError, match=message):
        stats.bootstrap(key(0), lambda *sums: sums[0], *arrays, **options)


@pytest.mark.parametrize(
    "statistic",
    [
        lambda total, n: total[0] / total[1],  # of the first two resamples, not of the two columns
        lambda total, n: total.max() / n,
        lambda total, n: total.sum(),
    ],
)
def test_bootstrap_refuses_a_statistic_that_mixes_resamples(statistic):
    values = np.random.default_rng(0).uniform(1, 2, (50, 2))
    with pytest.raises(ValueError, match="statistic: expected a function that treats each resample"):
        stats.bootstrap(key(0), statistic, values, np.ones((50, 2)))
    apart = stats.bootstrap(key(0), lambda total: total[..., 0] / total[..., 1], values)
    assert float(apart.standard_error) == pytest.approx(0.0368, abs=0.003)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=3, max_size=40))
def test_correlation_equals_numpy(pairs):
    x, y = np.array(pairs).T
    if min(x.std(), y.std()) < 1e-3:
        return
    expected = np.corrcoef(x, y)[0, 1]
    assert float(stats.correlation(x, y)) == pytest.approx(expected, abs=1e-9)
    assert float(stats.correlation_of_sums(*(np.sum(part) for part in stats.pair_sums(x, y)))) == pytest.approx(
        expected, abs=1e-6
    )


@pytest.mark.parametrize("constant", [1.0, 0.1, 1e9 + 0.3])
def test_correlation_of_a_constant_is_nan(constant):
    # The mean of three times 0.1 is not 0.1.
    assert np.isnan(stats.correlation([constant] * 3, [1.0, 2.0, 4.0]))
    assert np.isnan(stats.correlation([1.0, 2.0, 4.0], [constant] * 3))


@pytest.mark.parametrize("scale", [1e-160, 1e-90, 1e80, 1e160])
def test_a_correlation_does_not_depend_on_the_scale(scale):
    x, y = np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0])
    assert stats.correlation(scale * x, y / scale) == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-12)


def test_masked_values_are_refused():
    masked = np.ma.masked_array([1.0, 2.0, 3.0, -999.0], [False, False, False, True])
    with pytest.raises(ValueError, match="x: expected values without a mask, got 1 of 4 masked"):
        stats.correlation(masked, [1.0, 2.0, 3.0, 4.0])
    assert stats.correlation(np.ma.masked_array([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]) == pytest.approx(1)


def test_sums_that_have_lost_their_digits_give_no_correlation():
    x = np.array([[0.0, 1.0, 2.0], [1e9, 1e9 + 1, 1e9 + 2]])
    y = np.array([[0.0, 1.0, 3.0], [0.0, 1.0, 3.0]])
    apart = [stats.correlation_of_sums(*stats.pair_sums(x[row], y[row])) for row in (0, 1)]
    np.testing.assert_allclose(apart, np.corrcoef(x[0], y[0])[0, 1], rtol=1e-6)
    # About the overall mean, 5e8, the squares have no digit left of a variance near 1.
    assert np.isnan(stats.correlation_of_sums(*stats.pair_sums(x, y))).all()


def test_sums_over_sequences_give_the_pooled_correlation():
    x, y = np.random.default_rng(0).normal(size=(2, 20, 30)) + 1e4
    pooled = stats.correlation_of_sums(*(part.sum(0) for part in stats.pair_sums(x, y)))
    assert float(pooled) == pytest.approx(np.corrcoef(x.ravel(), y.ravel())[0, 1], abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=60), st.integers(1, 60))
def test_quantile_bins_have_equal_counts_in_order(values, n_bins):
    if n_bins > len(values):
        with pytest.raises(ValueError, match="n_bins: expected at most"):
            stats.quantile_bins(values, n_bins)
        return
    bins = stats.quantile_bins(values, n_bins)
    counts = np.bincount(bins, minlength=n_bins)
    assert counts.max() - counts.min() <= 1
    assert np.all(np.diff(bins[np.argsort(values, kind="stable")]) >= 0)


def test_sums_by_bin_equal_a_loop():
    rng = np.random.default_rng(0)
    bins, values = rng.integers(0, 5, (4, 30)), rng.normal(size=(4, 30))
    expected = [[values[s][bins[s] == b].sum() for b in range(5)] for s in range(4)]
    np.testing.assert_allclose(stats.sums_by_bin(bins, values, 5), expected)
    np.testing.assert_array_equal(
        stats.sums_by_bin(bins.astype(np.uint64), values, 5), stats.sums_by_bin(bins, values, 5)
    )
    with pytest.raises(ValueError, match="values: expected the shape of bins"):
        stats.sums_by_bin(bins, values[:2], 5)


def test_chi_square_is_one_for_the_true_law_and_not_for_another():
    rng = np.random.default_rng(0)
    law = np.array([0.001, 0.05, 0.2])
    counts = rng.multinomial(500, [*law, 1 - law.sum()], size=3000)[:, :3]
    right = stats.chi_square_per_cell(counts, np.broadcast_to(law, counts.shape), 500)
    wrong = stats.chi_square_per_cell(counts, np.broadcast_to(1.2 * law, counts.shape), 500)
    assert abs(right - 1) < 0.05
    assert wrong > 1.5


def test_an_impossible_count_gives_infinity():
    assert stats.chi_square_per_cell([[1, 0]], [[0.0, 0.5]], 10) == float("inf")
    with pytest.raises(ValueError, match="n_trials"):
        stats.chi_square_per_cell([[1, 0]], [[0.0, 0.5]], 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("law", [[0.9, 0.1], [0.7, 0.3], [1 / 3, 2 / 3], [0.1, 0.2, 0.7]])
def test_rounding_of_a_complete_law_is_no_outcome(law, dtype):
    counts = [[92, 8], [50, 30, 20]][len(law) - 2]
    expected = sum((count - 100 * p) ** 2 / (100 * p) for count, p in zip(counts, law, strict=True)) / (len(law) - 1)
    assert stats.chi_square_per_cell([counts], np.array([law], dtype), 100) == pytest.approx(expected, rel=1e-4)


def test_a_single_outcome_has_no_chi_square():
    with pytest.raises(ValueError, match="probability: expected a row with two possible outcomes"):
        stats.chi_square_per_cell([[0]], [[0.0]], 100)


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(1000):
        mean, low, high, _ = stats.mean_interval(rng.normal(size=100))
        assert low < mean < high
        covered.append(low < 0 < high)
    assert abs(np.mean(covered) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 1000)


def test_the_interval_of_a_mean_keeps_the_other_axes():
    values = np.random.default_rng(1).normal(size=(4, 50, 3))
    found = stats.mean_interval(values, axis=1)
    error = values.std(axis=1, ddof=1) / np.sqrt(50)
    np.testing.assert_array_equal(found.value, values.mean(axis=1))
    np.testing.assert_allclose(found.reach, 1.96 * error, rtol=1e-12)
    np.testing.assert_array_equal(found.standard_error, error)
    one = stats.mean_interval(values[0, :, 0])
    np.testing.assert_allclose(one[:3], [end[0, 0] for end in found[:3]], rtol=1e-12)


def test_a_mean_that_is_not_finite_has_no_finite_interval():
    found = stats.mean_interval([1.0, np.nan, 2.0])
    assert np.isnan([found.value, found.low, found.high]).all()


def test_numbers_in_half_precision_have_an_interval_too():
    half = jnp.array([1.0, 2.0, 3.0], jnp.bfloat16)
    assert stats.mean_interval(half) == stats.mean_interval([1.0, 2.0, 3.0])
