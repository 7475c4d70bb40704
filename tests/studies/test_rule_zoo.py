"""All rules: updates per spike, windows and drifts against definitions, claims against twins."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import stats
from stdpjax.rules import effective_window, expected_updates, lag_kernel, pair_rule, slope_correlation, train_updates
from stdpjax.studies import protocol, run
from stdpjax.studies.other_rules import rule_zoo, zoo_rules
from stdpjax.studies.other_rules.rule_zoo import RuleZooConfig
from stdpjax.studies.other_rules.zoo_rules import (
    TRIPLETS,
    bcm_updates,
    linear_correlation,
    matrix_sums,
    measure,
    rules_of_traces,
)

QUICK: dict[str, Any] = {"n_sequences": 60, "n_trials": 400, "n_resamples": 200}
RNG = np.random.default_rng(0)


def test_an_update_per_spike_is_what_one_more_spike_changes_and_sampled_blocks_are_those_of_trains():
    rule = rules_of_traces(10.0)["presynaptic_centred"]
    pre, post = (jnp.asarray(RNG.uniform(0.05, 0.3, (2, 24)), float) for _ in range(2))
    spikes = [RNG.random((30, 2, 24)) < np.asarray(rate) for rate in (pre, post)]
    trains = [
        jnp.concatenate([rate[None], jnp.asarray(part, float)]) for rate, part in zip((pre, post), spikes, strict=True)
    ]
    found = measure(rule, pre, post, (trains[0], trains[1]), 4)
    without, with_spike = (pre.at[1, 12].set(p) for p in (0.0, 1.0))
    change = expected_updates(rule, with_spike, post) - expected_updates(rule, without, post)
    assert float(found.per_spike[1, 12]) == pytest.approx(float(change.sum()), rel=1e-4)
    blocks = np.asarray(train_updates(rule, *spikes)).reshape(30, 2, 6, 4).sum(-1)
    np.testing.assert_allclose(found.mean, blocks.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.error, blocks.std(0, ddof=1) / np.sqrt(30), rtol=1e-4, atol=1e-6)
    exact = np.asarray(expected_updates(rule, pre, post)).reshape(2, 6, 4).sum(-1)
    np.testing.assert_allclose(found.exact, exact, rtol=1e-4, atol=1e-6)


def test_sums_of_all_pairs_give_the_matrix_of_correlations():
    values = RNG.normal(size=(3, 4, 50)) + 5
    sums = [part.sum(0) for part in matrix_sums(values)]
    np.testing.assert_allclose(stats.correlation_of_sums(*sums), np.corrcoef(values.reshape(3, -1)), atol=1e-12)


def test_linear_theory_is_that_of_the_windowed_rule_where_spikes_are_rare():
    kernel = lag_kernel("exponential")
    assert linear_correlation(np.asarray(kernel, np.float64), 10.0) == pytest.approx(
        float(slope_correlation(1e-6, kernel, 10.0)), abs=1e-5
    )
    assert linear_correlation(np.array([0.0, 1.0, 0.0]), 10.0) == 0  # Hebb


def test_bcm_compares_the_rate_with_a_sliding_threshold():
    activity = RNG.uniform(-0.4, 0.4, (2, 30))
    found = bcm_updates(jnp.asarray(activity, float), jnp.asarray(50.0))
    threshold, share = np.full(2, 0.5), -np.expm1(-1 / 50)
    for step, rate in enumerate((activity + 0.5).T):
        np.testing.assert_allclose(found[:, step], rate * (rate - threshold), atol=1e-6)
        threshold += share * (rate**2 / 0.5 - threshold)


def test_the_drift_of_triplets_is_its_closed_form_and_turns_where_that_does():
    def settled(tau):
        return np.exp(-1 / tau) / (1 - np.exp(-1 / tau))

    rate = 0.03
    drift = rate * (6.5e-3 * settled(16.8) * rate * settled(114.0) - 7.1e-3 * settled(33.7))
    found = zoo_rules.constant_rate_drift(TRIPLETS[0], jnp.array([rate, 0.01]))
    assert float(found[0]) == pytest.approx(drift, rel=1e-4)
    turn = 1000 * 7.1e-3 * settled(33.7) / (6.5e-3 * settled(16.8) * settled(114.0))
    assert turn == pytest.approx(19.60, abs=0.005)
    rates = np.array([10.0, 30.0])
    assert zoo_rules._turn(rates, np.array([-1.0, 1.0])) == 20.0
    assert np.isnan(zoo_rules._turn(rates, np.array([1.0, 2.0])))


def test_windows_are_those_of_the_rules():
    result = run("rule_zoo", smoke=True, show_progress=False)
    window = result.data.window.sel(windowed_rule="reduced_symmetric")
    level = result.config.max_probability / 2
    expected = effective_window(rules_of_traces(10.0)["reduced_symmetric"], level, level, 60, n_settle=80)
    np.testing.assert_allclose(window, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 60}, "n_steps: expected a whole number of at least 80"),
        ({"probabilities": (0.2, 0.05)}, "probabilities: expected at least two increasing numbers"),
        ({"probabilities": (0.05, 1.0)}, "probabilities: expected a finite number"),
        ({"max_probability": 0.07}, "max_probability: expected one of probabilities, got 0.07"),
        ({"tau": 30.0}, "tau: expected a finite number at least 1"),
        ({"highest_hz": 1000.0}, "highest_hz: expected a finite number above 0"),
        ({"bcm_tau": 0.0}, "bcm_tau: expected a finite number above 0"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        RuleZooConfig(**settings)


def verdicts():
    return {r["id"]: r["verdict"] for r in run("rule_zoo", show_progress=False, **QUICK).records}


@pytest.fixture(scope="module")
def right():
    return verdicts()


@pytest.mark.slow
def test_windows_that_do_not_balance_lose_their_claims(right, monkeypatch):
    lost = {"RZ.balanced", "RZ.published"}
    assert "inconclusive" not in {right[claim] for claim in lost}
    balanced = rules_of_traces

    def wrong(tau):
        return {**balanced(tau), "all_to_all": pair_rule(0.777, 0.273, 16.8, 33.7)}

    monkeypatch.setattr(rule_zoo, "rules_of_traces", wrong)
    found = verdicts()
    assert {found[claim] for claim in lost} == {"inconclusive"}
    assert found["RZ.sampled"] == "holds"


@pytest.mark.slow
def test_slopes_with_the_wrong_sign_are_found_out(right, monkeypatch):
    lost = {"RZ.windowed", "RZ.balanced", "RZ.linear_response", "RZ.saturation"}
    assert "inconclusive" not in {right[claim] for claim in lost}
    slope = protocol.state_slope
    monkeypatch.setattr(protocol, "state_slope", lambda state: -slope(state))
    found = verdicts()
    assert {found[claim] for claim in lost} == {"inconclusive"}


@pytest.mark.slow
def test_means_at_other_rates_are_found_out(right, monkeypatch):
    assert right["RZ.sampled"] == "holds"
    drawn = rule_zoo.sample

    def wrong(key, n_sequences, n_trials):
        return tuple(part.at[0].multiply(0.9) for part in drawn(key, n_sequences, n_trials))

    monkeypatch.setattr(rule_zoo, "sample", wrong)
    assert verdicts()["RZ.sampled"] == "inconclusive"
