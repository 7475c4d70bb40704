"""Power of t-tests: against quadrature, simulation, and published sizes."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, special
from scipy import stats as distributions

from stdpjax import power


@pytest.mark.parametrize("n_groups", [1, 2])
@pytest.mark.parametrize(("effect", "n"), [(0.0, 5), (0.5, 2), (0.5, 20), (-1.2, 6), (0.1, 300)])
def test_power_is_the_normal_tail_averaged_over_the_estimated_deviation(effect, n, n_groups):
    freedom, shift = n_groups * (n - 1), effect * math.sqrt(n / n_groups)
    limit = distributions.t.ppf(0.975, freedom)

    def given_deviation(u):
        bound = limit * u / math.sqrt(freedom)
        tails = distributions.norm.sf(bound - shift) + distributions.norm.cdf(-bound - shift)
        return tails * distributions.chi.pdf(u, freedom)

    low, high = max(0.0, math.sqrt(freedom) - 9), math.sqrt(freedom) + 9
    expected, _ = integrate.quad(given_deviation, low, high, epsabs=1e-10, limit=200)
    assert float(power.t_test_power(effect, n, n_groups)) == pytest.approx(expected, abs=1e-7)


def by_integration(effect, n, n_groups, level):
    """Over the noncentral statistic's deviation, split where the tail falls, by SciPy's adaptive rule."""
    freedom, shift = n_groups * (n - 1), abs(effect) * math.sqrt(n / n_groups)
    limit = distributions.t.isf(level / 2, freedom) / math.sqrt(freedom)

    def given_deviation(u):
        tails = distributions.norm.sf(limit * u - shift) + distributions.norm.cdf(-limit * u - shift)
        return tails * distributions.chi.pdf(u, freedom)

    low, high = max(0.0, math.sqrt(freedom) - 12), math.sqrt(freedom) + 12
    middle = [(shift + by) / limit for by in (-8, 0, 8)]
    ends = sorted({low, high, math.sqrt(freedom), *(at for at in middle if low < at < high)})
    return sum(
        integrate.quad(given_deviation, a, b, epsabs=1e-12, epsrel=1e-10, limit=200)[0] for a, b in pairwise(ends)
    )


@pytest.mark.parametrize("n_groups", [1, 2])
@pytest.mark.parametrize("level", [0.5, 0.05, 0.01, 1e-3, 1e-8])
def test_power_against_adaptive_integration(level, n_groups):
    for effect in (0.0, 0.1, 0.7, 2.0, 3.75, 9.0):
        for n in (2, 3, 4, 7, 30, 400):
            found = float(power.t_test_power(effect, n, n_groups, level))
            assert found == pytest.approx(by_integration(effect, n, n_groups, level), abs=1e-9), (effect, n)


def tail_by_normal(effect, n, n_groups, level):
    """The same, integrated over the normal variable by the trapezium rule: another variable and another rule."""
    n = np.asarray(n, float)
    freedom, shift = n_groups * (n - 1), effect * np.sqrt(n / n_groups)
    limit = distributions.t.isf(level / 2, freedom) / np.sqrt(freedom)
    z = np.linspace(-9, 9, 1001)[:, None]
    total = 0.0
    for sign in (1, -1):
        beyond = np.maximum(z + sign * shift, 0) / limit
        total = total + np.trapezoid(
            distributions.norm.pdf(z) * special.gammainc(freedom / 2, beyond**2 / 2), z, axis=0
        )
    return total


def test_sizes_are_the_least_on_a_grid():
    # At the size that is found the power is enough, and at one less it is not, by an integral of its own.
    grid = [
        (effect, wanted, n_groups, level)
        for effect in np.concatenate([np.linspace(0.3, 2, 18), np.linspace(2.25, 8, 24)])
        for wanted in (0.5, 0.8, 0.9, 0.95)
        for n_groups in (1, 2)
        for level in (0.05, 0.02, 0.01, 0.001)
    ]
    assert len(grid) >= 1312
    sizes = np.array([power.sample_size(*point) for point in grid])
    wanted = np.array([point[1] for point in grid])
    at, before = np.empty(len(grid)), np.zeros(len(grid))
    for index, (effect, _, n_groups, level) in enumerate(grid):
        n = sizes[index]
        both = tail_by_normal(effect, [max(n - 1, 2), n], n_groups, level)
        at[index], before[index] = both[1], both[0] if n > 2 else 0.0
    assert np.all(at >= wanted - 1e-5)
    assert np.all(before < wanted + 1e-5)


def test_cases_in_which_the_noncentral_t_distribution_of_scipy_fails():
    assert float(power.t_test_power(3.75, 4, level=0.01)) == pytest.approx(0.80598, abs=1e-5)
    assert power.sample_size(3.75, 0.8, level=0.01) == 4


@pytest.mark.parametrize(("effect", "n"), [(1e-3, 7_848_863), (9e-4, 9_689_954), (8e-4, math.inf)])
def test_sizes_of_millions(effect, n):
    # The normal test needs as many, less one or two; its upper and lower tail both count.
    assert power.sample_size(effect) == n
    if n < math.inf:
        limit, shift = distributions.norm.isf(0.025), effect * math.sqrt(n - 1.92)
        tails = distributions.norm.sf(limit - shift) + distributions.norm.cdf(-limit - shift)
        assert tails == pytest.approx(0.8, abs=1e-7)


def test_power_is_the_share_of_simulated_tests_that_alarm():
    values = np.random.default_rng(0).normal(0.6, 1.0, (20_000, 15))
    found = np.mean(np.asarray(distributions.ttest_1samp(values, 0, axis=1))[1] < 0.01)
    error = math.sqrt(found * (1 - found) / len(values))
    assert abs(found - power.t_test_power(0.6, 15, level=0.01)) < 4 * error
    assert abs(found - power.t_test_power(0.6, 15)) > 4 * error  # another level


@pytest.mark.parametrize(
    ("effect", "n_groups", "wanted", "n"),
    [(0.5, 2, 0.8, 64), (0.8, 2, 0.8, 26), (0.5, 1, 0.8, 34), (1.0, 2, 0.9, 23), (-0.5, 1, 0.8, 34), (50.0, 1, 0.8, 2)],
)
def test_sizes_are_those_of_tables_and_the_smallest(effect, n_groups, wanted, n):
    assert power.sample_size(effect, wanted, n_groups) == n
    assert n == 2 or power.t_test_power(effect, n - 1, n_groups) < wanted <= power.t_test_power(effect, n, n_groups)


def test_without_an_effect_no_number_suffices():
    assert power.sample_size(0.0) == math.inf
    assert float(power.t_test_power(0.0, 10**6)) == pytest.approx(0.05)
    assert power.t_test_power([1e3, -1e3], 50).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"effect_size": math.nan}, "effect_size: expected"),
        ({"power": 0.04}, "power: expected a finite number above 0.05"),
        ({"n_groups": 3}, "n_groups: expected a whole number of at most 2"),
        ({"level": 0.0}, "level: expected a finite number above 0"),
    ],
)
def test_what_is_out_of_range_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        power.sample_size(**{"effect_size": 0.5, **arguments})


@pytest.mark.parametrize("n", [1, 2.5, []])
def test_a_group_has_two_measurements_or_more(n):
    with pytest.raises(ValueError, match="n: expected whole numbers of at least 2"):
        power.t_test_power(0.5, n)


def test_alarms_are_those_of_scipy():
    rng = np.random.default_rng(0)
    one, other = rng.normal(0.5, 1, (200, 12)), rng.normal(0, 1.5, (200, 12))
    found = power.t_test_alarms(one), power.t_test_alarms(one, other)
    np.testing.assert_array_equal(found[0], np.asarray(distributions.ttest_1samp(one, 0, axis=1))[1] < 0.05)
    np.testing.assert_array_equal(found[1], np.asarray(distributions.ttest_ind(one, other, axis=1))[1] < 0.05)


def test_experiments_have_the_power_of_their_effect_size(key):
    residual = np.random.default_rng(1).normal(0, 0.15, (3, 400))
    residual -= residual.mean(axis=1, keepdims=True)
    mean, deviation = np.array([0.0, 0.1, -0.1]), np.hypot(residual.std(axis=1), 0.2)
    drawn = power.simulate_experiments(key, mean, residual, 0.2, 20, 4000)
    contrast = (mean[1] - mean[2]) / np.sqrt((deviation[1] ** 2 + deviation[2] ** 2) / 2)
    for expected, found in (
        (power.t_test_power(contrast, 20, n_groups=2), power.t_test_alarms(drawn[1], drawn[2]).mean()),
        (power.t_test_power(mean[1] / deviation[1], 20), power.t_test_alarms(drawn[1]).mean()),
        (0.05, power.t_test_alarms(drawn[0]).mean()),
    ):
        error = np.sqrt(expected * (1 - expected) / 4000)
        assert abs(found - expected) < 4 * error
        assert abs(found - power.t_test_power(contrast, 12, n_groups=2)) > 4 * error  # fewer cells


def test_experiments_that_do_not_fit_are_refused(key):
    with pytest.raises(ValueError, match=r"residuals: expected \[arm, cell\]"):
        power.simulate_experiments(key, np.zeros(3), np.zeros((2, 5)), 0.2, 20, 10)
    with pytest.raises(ValueError, match="groups: expected one or two, got 3"):
        power.t_test_alarms(np.ones(3), np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="groups: expected the same shape with at least 2 measurements"):
        power.t_test_alarms(np.ones(3), np.ones(4))
