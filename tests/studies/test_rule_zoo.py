"""All rules: updates per spike and sums against definitions, claims against twins."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import stats
from stdpjax.rules import expected_updates, pair_rule
from stdpjax.studies import protocol, run
from stdpjax.studies.other_rules import rule_zoo
from stdpjax.studies.other_rules.rule_zoo import RuleZooConfig
from stdpjax.studies.other_rules.zoo_rules import bcm_updates, matrix_sums, rules_of_traces, update_per_spike

QUICK: dict[str, Any] = {"n_sequences": 60, "n_resamples": 200}
RNG = np.random.default_rng(0)


def test_an_update_per_spike_is_what_one_more_spike_changes():
    rule = rules_of_traces(10.0)["presynaptic_centred"]
    pre, post = (jnp.asarray(RNG.uniform(0.05, 0.3, (2, 24)), float) for _ in range(2))
    found = update_per_spike(rule, pre, post)
    without, with_spike = (pre.at[1, 12].set(p) for p in (0.0, 1.0))
    change = expected_updates(rule, with_spike, post) - expected_updates(rule, without, post)
    assert float(found[1, 12]) == pytest.approx(float(change.sum()), rel=1e-4)


def test_sums_of_all_pairs_give_the_matrix_of_correlations():
    values = RNG.normal(size=(3, 4, 50)) + 5
    sums = [part.sum(0) for part in matrix_sums(values)]
    np.testing.assert_allclose(stats.correlation_of_sums(*sums), np.corrcoef(values.reshape(3, -1)), atol=1e-12)


def test_bcm_compares_the_rate_with_a_sliding_threshold():
    activity = RNG.uniform(-0.4, 0.4, (2, 30))
    found = bcm_updates(jnp.asarray(activity, float), jnp.asarray(50.0))
    threshold, share = np.full(2, 0.5), -np.expm1(-1 / 50)
    for step, rate in enumerate((activity + 0.5).T):
        np.testing.assert_allclose(found[:, step], rate * (rate - threshold), atol=1e-6)
        threshold += share * (rate**2 / 0.5 - threshold)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 60}, "n_steps: expected a whole number of at least 80"),
        ({"probabilities": (0.2, 0.05)}, "probabilities: expected at least two increasing numbers"),
        ({"probabilities": (0.05, 1.0)}, "probabilities: expected a finite number"),
        ({"max_probability": 0.07}, "max_probability: expected one of probabilities, got 0.07"),
        ({"constant": (0.2, 0.1)}, "constant: expected at least two increasing numbers"),
        ({"constant": (0.2, 1.0)}, "constant: expected a finite number"),
        ({"pre_probability": 0.0}, "pre_probability: expected a finite number above 0"),
        ({"window": 60}, "window: expected a whole number"),
        ({"tau": 30.0}, "tau: expected a finite number at least 1"),
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


def _one_side_ten_percent_weaker(patch):
    balanced = rules_of_traces

    def wrong(tau):
        return {**balanced(tau), "reduced_symmetric": pair_rule(1.0, 0.9, tau, tau, "reduced_symmetric")}

    patch.setattr(rule_zoo, "rules_of_traces", wrong)


def _a_window_that_does_not_balance(patch):
    balanced = rules_of_traces
    patch.setattr(
        rule_zoo, "rules_of_traces", lambda tau: {**balanced(tau), "all_to_all": pair_rule(0.777, 0.273, 16.8, 33.7)}
    )


def _slopes_with_the_wrong_sign(patch):
    slope = protocol.state_slope
    patch.setattr(protocol, "state_slope", lambda state: -slope(state))


def _spikes_that_hide_nothing(patch):
    window = rule_zoo.effective_window
    patch.setattr(
        rule_zoo, "effective_window", lambda rule, pre, post, **options: window(rule, 0.0, 0 * post, **options)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [
        (_one_side_ten_percent_weaker, {"morrison2008.drift"}),
        (_a_window_that_does_not_balance, {"morrison2008.drift", "morrison2008.agreement"}),
        (_slopes_with_the_wrong_sign, {"morrison2008.agreement"}),
        (_spikes_that_hide_nothing, {"morrison2008.gain"}),
    ],
)
def test_a_wrong_model_loses_its_claims(right, patch, lost, monkeypatch):
    assert {right[claim] for claim in lost} == {"met"}
    patch(monkeypatch)
    wrong = verdicts()
    assert "met" not in {wrong[claim] for claim in lost}
