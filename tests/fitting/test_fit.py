"""Fits: known answers, known intervals, coverage, the comparison of rules, and what cannot be fitted."""

# pyright: reportOptionalOperand=false, reportOptionalSubscript=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false

import math

import jax
import numpy as np
import pytest
from scipy import optimize

from stdpjax import fitting, protocols, random
from stdpjax.fitting import compare, fit, measurements, predict
from stdpjax.fitting.optimise import to_numbers, to_position

TRUTH = {"A_plus": 0.777, "A_minus": 0.273, "tau_plus": 16.8, "tau_minus": 33.7}
CURVE = fitting.bi_poo_2001()


def noisy(seed, sem=None):
    """Changes drawn about the truth, with known errors; or with `sem` for all, which the fit is not told."""
    key = random.named_key(random.key(seed), "noise")
    spread = CURVE.sem if sem is None else sem
    change = CURVE.change + spread * np.asarray(jax.random.normal(key, CURVE.change.shape))
    return measurements("synthetic", CURVE.protocols, change, CURVE.sem if sem is None else None, lag_ms=CURVE.lag_ms)


def test_positions_and_numbers_are_inverses_within_the_range():
    parameters = fitting.find_model("pair").parameters
    numbers = np.array([0.777, 1e-6, 1.001, 1999.0])
    np.testing.assert_allclose(to_numbers(to_position(numbers, parameters), parameters), numbers, rtol=1e-9)
    inside = to_numbers(to_position([0.0, 1e9, 0.1, 1e9], parameters), parameters)
    low, high = (np.array([getattr(parameter, end) for parameter in parameters]) for end in ("low", "high"))
    assert ((inside >= low) & (inside <= high)).all()


def test_points_on_the_curve_give_the_curve_back_from_every_start():
    found = fit(random.key(0), "pair", CURVE, n_starts=6, n_resamples=0)
    for name, value in TRUTH.items():
        assert found.parameters[name].value == pytest.approx(value, rel=1e-4)
        assert found.parameters[name].bootstrap is None
    assert found.sum_of_squares < 1e-8
    assert found.n_agreeing >= 4
    np.testing.assert_allclose(found.prediction, CURVE.change, atol=1e-6)


def test_one_amplitude_is_a_linear_problem_with_known_interval_and_criteria():
    data = noisy(0)
    held = {name: value for name, value in TRUTH.items() if name != "A_plus"}
    found = fit(random.key(0), "pair", data, fixed=held, n_starts=2, n_resamples=800)
    after = data.lag_ms > 0
    shape, weight = np.exp(-data.lag_ms[after] / 16.8), data.sem[after] ** -2
    error = np.sum(weight * shape**2) ** -0.5
    value = np.sum(weight * shape * data.change[after]) * error**2
    estimate = found.parameters["A_plus"]
    assert estimate.value == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(estimate.profile, (value - 1.95996 * error, value + 1.95996 * error), rtol=2e-3)
    assert estimate.simultaneous == estimate.profile
    # A percentile of 800 draws is known to about 0.1 standard errors.
    np.testing.assert_allclose(estimate.bootstrap, estimate.profile, atol=0.5 * error)
    assert found.held == held
    log_likelihood = -0.5 * np.sum(
        ((found.prediction - data.change) / data.sem) ** 2 + np.log(2 * math.pi * data.sem**2)
    )
    assert found.log_likelihood == pytest.approx(log_likelihood)
    assert found.aic == pytest.approx(2 - 2 * log_likelihood)
    assert found.bic == pytest.approx(math.log(28) - 2 * log_likelihood)
    assert found.mean_square == pytest.approx(found.sum_of_squares / 28)


def test_unknown_errors_are_estimated_and_widen_the_interval_by_students_law():
    data = noisy(1, sem=0.05)
    held = {name: value for name, value in TRUTH.items() if name != "A_plus"}
    found = fit(random.key(0), "pair", data, fixed=held, n_starts=2, n_resamples=400)
    after = data.lag_ms > 0
    shape = np.exp(-data.lag_ms[after] / 16.8)
    value = np.sum(shape * data.change[after]) / np.sum(shape**2)
    spread = math.sqrt(found.sum_of_squares / 27)
    error = spread * np.sum(shape**2) ** -0.5
    estimate = found.parameters["A_plus"]
    np.testing.assert_allclose(estimate.profile, (value - 2.05183 * error, value + 2.05183 * error), rtol=2e-3)
    np.testing.assert_allclose(estimate.bootstrap, estimate.profile, atol=error)
    assert found.aic == pytest.approx(4 - 2 * found.log_likelihood)


LAGS = np.array([10.0, 20.0, -10.0, -20.0, 40.0, -40.0])


def six_points(sem, change=(0.4, 0.2, -0.2, -0.1, 0.05, -0.05)):
    done = [protocols.pairs(lag, n_pairs=1) for lag in LAGS]
    return measurements("six", done, change, sem, lag_ms=LAGS, check_unit=False)


@pytest.mark.parametrize("smallest", [1e-3, 1e-5, 1e-8, 1e-11])
def test_one_point_of_a_tiny_error_is_met_and_the_rest_decides_by_hand(smallest):
    # With the first point met, A_plus = 0.4 / x, x = exp(-10 / tau); the others leave ((0.2 - 0.4 x) / 0.05)^2 +
    # ((0.05 - 0.4 x^3) / 0.05)^2, which is 0 at 1/2.
    data = six_points([smallest, *[0.05] * 5])
    x = np.linspace(0.01, 0.99, 99_001)
    inside = 0.4 / x[((0.2 - 0.4 * x) / 0.05) ** 2 + ((0.05 - 0.4 * x**3) / 0.05) ** 2 <= 1.959964**2]
    for seed, n_starts in ((0, 8), (1, 3)):
        found = fit(random.key(seed), "pair", data, n_starts=n_starts, n_resamples=20)
        estimate = found.parameters["A_plus"]
        assert estimate.value == pytest.approx(0.8, rel=1e-4)
        assert found.parameters["tau_plus"].value == pytest.approx(10 / np.log(2), rel=1e-4)
        np.testing.assert_allclose(estimate.profile, (inside.min(), inside.max()), rtol=2e-2)
        assert found.prediction[0] == pytest.approx(0.4, abs=smallest)
        # Depression does not depend on it: what SciPy makes of its three points.
        (_, tau), _ = optimize.curve_fit(
            lambda lag, a, tau: a * np.exp(-lag / tau), [10, 20, 40], [0.2, 0.1, 0.05], (0.5, 20)
        )
        assert found.parameters["tau_minus"].value == pytest.approx(tau, rel=1e-4)
        assert np.isfinite(estimate.bootstrap).all()
        assert estimate.bootstrap[0] < 0.8 < estimate.bootstrap[1]


def test_tiny_errors_that_contradict_each_other_are_weighed_and_errors_too_far_apart_refused():
    # Two values for one lag, of errors 1 : 2, so 4 : 1 in weight.
    done = [protocols.pairs(lag, n_pairs=1) for lag in (10.0, *LAGS)]
    change = [0.5, 0.4, 0.2, -0.2, -0.1, 0.05, -0.05]
    found = fit(
        random.key(0), "pair", measurements("twice", done, change, [2e-8, 1e-8, *[0.05] * 5]), n_starts=4, n_resamples=0
    )
    assert found.prediction[0] == pytest.approx((4 * 0.4 + 0.5) / 5, rel=1e-9)
    with pytest.raises(ValueError, match=r"sem: expected standard errors of which the largest .* 1e\+12 times"):
        fit(random.key(0), "pair", six_points([1e-15, *[0.05] * 5]), n_starts=1, n_resamples=0)


def test_small_changes_of_unknown_error_are_fitted_like_large_ones():
    data = noisy(1, sem=0.05)
    small = data._replace(change=1e-5 * data.change)
    found, other = (fit(random.key(0), "pair", one, n_starts=4, n_resamples=0) for one in (data, small))
    for name, estimate in found.parameters.items():
        factor = 1e-5 if name.startswith("A") else 1.0
        assert other.parameters[name].value == pytest.approx(factor * estimate.value, rel=1e-4)
    assert other.sum_of_squares == pytest.approx(1e-10 * found.sum_of_squares, rel=1e-6)
    assert found.n_agreeing == other.n_agreeing == 4


def test_values_on_a_bound_or_without_a_say_of_the_data_are_marked():
    # Depression at every lag: no potentiation is wanted, and nothing says how long it would last.
    found = fit(
        random.key(0), "pair", six_points([0.05] * 6, [-0.1, -0.1, -0.2, -0.1, -0.1, -0.05]), n_starts=4, n_resamples=0
    )
    bounds = {name: estimate.bound for name, estimate in found.parameters.items()}
    assert bounds == {"A_plus": "low", "A_minus": None, "tau_plus": "both", "tau_minus": None}
    # Changes beyond the largest amplitude, and one that hardly falls with lag.
    big = [50.0, 50.0, -0.2, -0.1, 50.0, -0.05]
    found = fit(random.key(0), "pair", six_points([0.05] * 6, big), n_starts=4, n_resamples=0)
    assert found.parameters["A_plus"].bound == found.parameters["tau_plus"].bound == "high"
    clear = fit(random.key(0), "pair", CURVE, n_starts=4, n_resamples=0)
    assert {estimate.bound for estimate in clear.parameters.values()} == {None}


def test_only_what_was_free_counts_and_few_points_count_more_where_the_error_is_unknown():
    held = {"tau_plus": 16.8, "tau_minus": 33.7}
    data = noisy(1, sem=0.05)
    found = fit(random.key(0), "pair", data, fixed=held, n_starts=2, n_resamples=0)
    # Two amplitudes and the error: 2 k (k + 1) / (n - k - 1) = 24 / 24 for k = 3, n = 28.
    assert found.n_fitted == 3
    assert found.aic == pytest.approx(6 - 2 * found.log_likelihood)
    assert found.aicc == pytest.approx(found.aic + 1)
    known = fit(random.key(0), "pair", noisy(1), fixed=held, n_starts=2, n_resamples=0)
    assert (known.n_fitted, known.aicc) == (2, known.aic)
    assert known.bic == pytest.approx(2 * math.log(28) - 2 * known.log_likelihood)
    # Six points, four parameters and the error: nothing is left to correct with.
    few = fit(random.key(0), "pair", six_points(None), n_starts=2, n_resamples=0)
    assert few.aicc == math.inf


def test_what_is_free_in_a_comparison_is_so_in_the_models_that_hold_it():
    points = fitting.sjostrom_2001()
    fits = compare(random.key(0), ["pair", "triplet_minimal"], points, n_starts=1, free=["tau_plus"])
    by_name = {found.model: found for found in fits}
    assert set(by_name["triplet_minimal"].parameters) == {"A3_plus", "A2_minus", "tau_y", "tau_plus"}
    with pytest.raises(ValueError, match=r"free: expected one of 'A2_plus', .*, got 'tau'"):
        compare(random.key(0), ["pair", "triplet_minimal"], points, free=["tau"])


def test_a_fit_works_without_compilation():
    data = measurements("six", [protocols.pairs(lag, n_pairs=1) for lag in LAGS], six_points(None).change, [0.05] * 6)
    held = {name: value for name, value in TRUTH.items() if name != "A_plus"}
    with jax.disable_jit():
        found = fitting.search("pair", data, [[0.5]], fixed=held)
    expected = fitting.search("pair", data, [[0.5]], fixed=held)
    np.testing.assert_allclose(found.numbers, expected.numbers, rtol=1e-6)


def test_intervals_nest_hold_the_estimate_and_end_with_the_range_where_the_data_say_nothing():
    depression = CURVE.lag_ms < 0
    done = [protocol for protocol, is_chosen in zip(CURVE.protocols, depression, strict=True) if is_chosen]
    data = measurements("one side", done, CURVE.change[depression], CURVE.sem[depression])
    found = fit(random.key(0), "pair", data, n_starts=4, n_resamples=20)
    for estimate in found.parameters.values():
        (low, high), (wide_low, wide_high) = estimate.profile, estimate.simultaneous
        assert wide_low <= low <= estimate.value <= high <= wide_high
    for name, ends in (("tau_plus", (1.0, 2000.0)), ("tau_minus", None)):
        interval = found.parameters[name].profile
        assert (tuple(interval) == ends) == (ends is not None)


def test_the_best_of_searches_from_the_same_starts_is_the_fit():
    data = noisy(2)
    found = fitting.search("pair", data, fitting.random_starts(random.key(3), "pair", data, 3))
    expected = fit(random.key(3), "pair", data, n_starts=3, n_resamples=0)
    assert found.sum_of_squares.min() == pytest.approx(expected.sum_of_squares, rel=1e-8)
    for name, value in found.best().items():
        assert value == pytest.approx(expected.parameters[name].value, rel=1e-4)


def test_the_same_key_gives_the_same_fit_and_more_starts_none_that_is_worse():
    data = noisy(2)
    first, again = (fit(random.key(3), "pair", data, n_starts=3, n_resamples=20) for _ in range(2))
    assert first.parameters == again.parameters
    more = fit(random.key(3), "pair", data, n_starts=12, n_resamples=0)
    assert more.sum_of_squares <= first.sum_of_squares + 1e-6


@pytest.mark.slow
def test_a_fit_to_the_ten_points_is_no_worse_than_the_published_numbers():
    found = fit(random.key(0), "triplet_minimal", fitting.sjostrom_2001(), n_starts=6, n_resamples=0)
    assert set(found.parameters) == {"A3_plus", "A2_minus", "tau_y"}
    assert found.mean_square < 0.356
    # Pairs cannot do what triplets do.
    pair = fit(random.key(0), "pair", fitting.sjostrom_2001(), n_starts=6, n_resamples=0)
    assert pair.mean_square > 1.5
    assert pair.aic > found.aic + 10


def test_held_numbers_can_be_freed_and_others_fixed():
    points = fitting.sjostrom_2001()
    found = fit(
        random.key(0), "triplet_minimal", points, n_starts=1, n_resamples=0, free=["tau_plus"], fixed={"tau_y": 114.0}
    )
    assert set(found.parameters) == {"A3_plus", "A2_minus", "tau_plus"}
    assert found.held["tau_y"] == 114.0


def test_rates_are_fitted_through_the_exact_mean():
    rates = [
        protocols.predicted_rates(course, 40, low, high, 200, rest_ms=0)
        for course in protocols.COURSES
        for low, high in ((10, 60), (20, 120), (0, 200))
    ]
    change = predict("window", TRUTH, rates)
    found = fit(
        random.key(0), "window", measurements("rates", rates, change, np.full(9, 1e-4)), n_starts=8, n_resamples=0
    )
    assert found.sum_of_squares < 1e-3
    for name, value in TRUTH.items():
        low, high = found.parameters[name].profile
        assert low <= value <= high
        assert high / low < 1.5


def test_the_rule_that_made_the_data_has_the_lowest_aic():
    data = noisy(4)
    fits = compare(random.key(0), ["window", "pair"], data, n_starts=3)
    assert [found.model for found in fits] == ["pair", "window"]
    assert fits[1].aic > fits[0].aic + 10


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("pair", CURVE), {"n_starts": 0}, "n_starts: "),
        (("pair", CURVE), {"n_resamples": 5}, "n_resamples: expected 0 or at least 20"),
        (("pair", CURVE), {"confidence": 1.0}, "confidence: "),
        (("stdp", CURVE), {}, "model: expected one of 'pair'"),
        (("pair", CURVE), {"fixed": {"tau": 1.0}}, "fixed: expected one of 'A_plus'"),
        (("pair", CURVE), {"free": ["tau"]}, "free: expected one of"),
        (("pair", CURVE), {"fixed": {"tau_plus": 0.0}}, "fixed: tau_plus: expected a finite number above 0"),
        (
            ("pair", CURVE),
            {"fixed": {"tau_plus": 1.0}, "free": ["tau_plus"]},
            "free: expected parameters that are not fixed as well, got 'tau_plus'",
        ),
        (
            ("pair", CURVE),
            {"free": ["tau_plus"]},
            r"free: expected parameters that 'pair' holds \(none\), got 'tau_plus'",
        ),
        (("pair", CURVE), {"free": "tau_plus"}, "free: expected a list of names"),
        (("pair", CURVE), {"fixed": TRUTH}, "fixed: expected at least one parameter of 'pair' to be left"),
        (("pair", CURVE._replace(sem=-CURVE.sem)), {}, "sem: expected standard errors above 0"),
        (("pair", CURVE._replace(change=CURVE.change[:3])), {}, "change: expected one for each of 28"),
        (("pair", measurements("few", CURVE.protocols[:3], [1, 2, 3], [1, 1, 1])), {}, "at least 4 points .* got 3"),
        (("pair", measurements("few", CURVE.protocols[:5], [1, 2, 3, 4, 5])), {}, "at least 6 points .* unknown error"),
    ],
)
def test_refusals(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        fit(random.key(0), *arguments, **options)


def test_refused_comparisons():
    with pytest.raises(ValueError, match="models: expected different values"):
        compare(random.key(0), ["pair", "pair"], CURVE)
    for wrong in ([], "pair"):
        with pytest.raises(ValueError, match="models: expected a list of models"):
            compare(random.key(0), wrong, CURVE)


def covered(seed, stated=1.0):
    """Which true numbers lie in the intervals of a fit to drawn data, for each kind of interval."""
    data = noisy(seed)
    found = fit(random.key(seed), "pair", data._replace(sem=stated * data.sem), n_starts=6, n_resamples=0)

    def holds(name, kind):
        low, high = getattr(found.parameters[name], kind)
        return low <= TRUTH[name] <= high

    return [[holds(name, kind) for name in TRUTH] for kind in ("profile", "simultaneous")]


@pytest.mark.slow
def test_intervals_cover_the_truth_as_often_as_they_say():
    single, together = np.array([covered(seed) for seed in range(100)]).transpose(1, 0, 2)
    # Each interval by itself: 95 of 100, four standard errors below which are 86; all at once: at least 95.
    assert (single.sum(axis=0) >= 87).all(), single.sum(axis=0)
    assert together.all(axis=1).sum() >= 90
    # Intervals from standard errors that are stated too small do not.
    wrong = np.array([covered(seed, stated=0.5) for seed in range(30)])[:, 1]
    assert wrong.all(axis=1).sum() < 27
