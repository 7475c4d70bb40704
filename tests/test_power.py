"""Power of t-tests: against quadrature, simulation, and published sizes."""

import math

import numpy as np
import pytest
from scipy import integrate
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
