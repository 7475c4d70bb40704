"""Pairing schemes: pairs by hand, updates per spike against differences, claims against twins."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.rules import SCHEMES, expected_updates
from stdpjax.studies import run
from stdpjax.studies.other_rules import pairing_schemes
from stdpjax.studies.other_rules.pairing_schemes import PairingSchemesConfig, measure, pair_changes, rule_of
from tests.rules.reference import counted_pairs

QUICK: dict[str, Any] = {"n_sequences": 20, "n_trials": 400}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_pairs_of_the_picture_are_those_that_a_list_of_pairs_has(scheme):
    pre, post = pairing_schemes.EXAMPLE
    expected = np.zeros((len(pre), len(post)))
    counted = counted_pairs(pre.tolist(), post.tolist(), scheme, "read_before", "ignore")
    for sign, pairs in zip((1, -1), counted, strict=True):
        for s, t in pairs:
            expected[pre == s, post == t] += sign * np.exp(-abs(t - s) / 10)
    found = pair_changes(rule_of(scheme, 10.0), pre, post)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_update_per_spike_is_what_one_more_spike_changes():
    config = PairingSchemesConfig(n_sequences=10, n_trials=2, probabilities=(0.1, 0.2))
    rng = np.random.default_rng(0)
    rates, driven = (jnp.asarray(rng.uniform(0.05, 0.3, (2, 30)), float) for _ in range(2))
    rule = rule_of("presynaptic_centred", 10.0)
    silent = jnp.zeros((2, 2, 30), bool)
    found = measure(silent, silent, rates, driven, rule, config)
    without, with_spike = (jnp.full((2, 30), config.pre_probability).at[1, 12].set(p) for p in (0.0, 1.0))
    change = expected_updates(rule, with_spike, driven) - expected_updates(rule, without, driven)
    assert float(found.per_spike[1, 12]) == pytest.approx(float(change.sum()), rel=1e-4)
    assert not found.mean.any()
    np.testing.assert_allclose(
        found.exact, expected_updates(rule, jnp.full_like(rates, config.pre_probability), rates), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tau": 0.5}, "tau: expected a finite number at least 1"),
        ({"probabilities": (0.2, 0.1)}, "probabilities: expected at least two increasing numbers"),
        ({"probabilities": (0.2, 1.0)}, "probabilities: expected a finite number"),
        ({"widths": (3.0,)}, "widths: expected at least two increasing numbers"),
        ({"widths": (0.0, 3.0)}, "widths: expected a finite number above 0"),
        ({"n_sequences": 5}, "n_sequences: expected a whole number of at least 10"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PairingSchemesConfig(**settings)


def verdicts():
    return {r["id"]: r["verdict"] for r in run("pairing_schemes", show_progress=False, **QUICK).records}


@pytest.mark.slow
def test_a_window_that_is_not_antisymmetric_loses_its_claims(monkeypatch):
    lost = {"PS.constant_rate", "PS.nearest_symmetric"}
    right = verdicts()
    assert "inconclusive" not in {right[claim] for claim in lost}
    monkeypatch.setattr(
        pairing_schemes, "rule_of", lambda scheme, tau: pairing_schemes.pair_rule(1.0, 0.9, tau, tau, scheme)
    )
    wrong = verdicts()
    assert {wrong[claim] for claim in lost} == {"inconclusive"}
    assert wrong["PS.sampled"] == "holds"


@pytest.mark.slow
def test_spikes_at_another_rate_are_found_out(monkeypatch):
    right = pairing_schemes.sample
    assert verdicts()["PS.sampled"] == "holds"
    monkeypatch.setattr(pairing_schemes, "sample", lambda key, rates, n_trials: right(key, 0.9 * rates, n_trials))
    assert verdicts()["PS.sampled"] == "inconclusive"
