"""Xie & Seung's rule: steps and moments by hand, claims against twins."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import rates, rules
from stdpjax.studies import protocol, run
from stdpjax.studies.other_rules import xie_seung, xie_seung_parts
from stdpjax.studies.other_rules.xie_seung import XieSeungConfig
from stdpjax.studies.other_rules.xie_seung_parts import moments_of, rule_of, step_by_step

QUICK: dict[str, Any] = {"n_sequences": 200, "widths": (3.0, 20.0, 40.0), "slow_widths": (50.0, 200.0)}


def test_rules_of_rates_step_by_step_are_differences():
    activity = jnp.array([[0.0, 0.25, 0.75, 0.5]])
    eq1 = step_by_step(rules.differential_rule(), activity)
    published = step_by_step(rules.xie_seung_rule(rates.hard_sigmoid()), activity)
    np.testing.assert_allclose(eq1, [[0.25, 0.5, -0.25]])
    np.testing.assert_allclose(published, [[-0.25, -0.25, 0.0]])


def test_moments_and_updates_of_pairs_are_those_of_their_window():
    rule = rule_of("Bi & Poo 2001", 10.0)
    assert rule.traces is not None
    distance = np.arange(1, 200)
    plus, minus = 0.777 * np.exp(-distance / 16.8), 0.273 * np.exp(-distance / 33.7)
    zero, first = moments_of(rule)
    assert zero == pytest.approx(plus.sum() - minus.sum(), rel=0.01)
    assert first == pytest.approx(distance @ (plus + minus), rel=0.02)
    post = np.random.default_rng(2).uniform(0.1, 0.2, (1, 41))
    update = rules.per_spike_updates(rule, jnp.full((1, 41), 0.1), jnp.asarray(post, float))[0, 20]
    expected = plus[:20] @ post[0, 21:] - minus[:20] @ post[0, :20][::-1]
    assert float(update) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scales": (0.6,)}, "scales: expected at least two increasing numbers"),
        ({"widths": (20.0, 3.0)}, "widths: expected at least two increasing numbers"),
        ({"slow_widths": (0.0, 3.0)}, "slow_widths: expected a finite number above 0"),
        ({"rare_probability": 0.0}, "rare_probability: expected a finite number above 0"),
        ({"window": 200}, "window: expected at most the record's 160 bins"),
        ({"gain": -1.0}, "gain: expected a finite number above 0"),
        ({"scale": 0.7}, "scale: expected one of scales, got 0.7"),
        ({"seldom": 0.05}, "seldom: expected a finite number at least 0.1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        XieSeungConfig(**settings)


def verdicts():
    return {r["id"]: r["verdict"] for r in run("xie_seung", show_progress=False, **QUICK).records}


@pytest.fixture(scope="module")
def right():
    return verdicts()


def _unbounded_rates(patch):
    # Spikes that see the activity beyond saturation, up to the bounds of a probability.
    wide = rates.RateFunction(lambda s: jnp.clip(0.5 + s / 6, 0, 1), lambda s: jnp.full_like(s, 1 / 6))
    make = protocol.make_sequences

    def wrong(key, config, values=protocol.NO_VALUES, rate_fn=None):
        seen = make(key, config, values, wide)
        return make(key, config, values, rate_fn)._replace(post_probability=seen.post_probability)

    patch.setattr(xie_seung, "make_sequences", wrong)


def _rates_that_do_not_saturate(patch):
    wide = rates.RateFunction(lambda s: jnp.clip(0.5 + s / 10, 0, 1), lambda s: jnp.full_like(s, 0.1))
    patch.setattr(xie_seung, "sigmoid", lambda gain: wide)


def _larger_activity(patch):
    make = protocol.make_sequences

    def wrong(key, config, values=protocol.NO_VALUES, rate_fn=None):
        return make(key, dataclasses.replace(config, voltage_scale=4 * config.voltage_scale), values, rate_fn)

    patch.setattr(xie_seung, "make_sequences", wrong)


def _asymmetric_window(patch):
    wrong = rules.lag_kernel("bi_poo")
    patch.setattr(protocol, "kernel_of", lambda config, values=None: wrong)


def _other_sign(patch):
    update = xie_seung.update_per_spike
    patch.setattr(xie_seung, "update_per_spike", lambda *args: -update(*args))


def _sum_with_the_other_sign(patch):
    moments = xie_seung_parts.moments_of
    patch.setattr(xie_seung_parts, "moments_of", lambda rule: (-moments(rule)[0], moments(rule)[1]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [
        (_unbounded_rates, {"ours.slope_theory", "xie2000.followed"}),
        (_rates_that_do_not_saturate, {"xie2000.followed"}),
        (_larger_activity, {"sec2.1.active", "ours.slope_theory"}),
        (_asymmetric_window, {"xie2000.sign"}),
        (_other_sign, {"xie2000.sign", "xie2000.followed"}),
        (_sum_with_the_other_sign, {"xie2000.two_moments"}),
    ],
)
def test_a_wrong_model_loses_its_claims(right, patch, lost, monkeypatch):
    assert {right[claim] for claim in lost} == {"met"}
    patch(monkeypatch)
    wrong = verdicts()
    assert "met" not in {wrong[claim] for claim in lost}
