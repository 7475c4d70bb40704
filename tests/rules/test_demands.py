"""What a rule demands of its samples, what is demanded of a rule, and that exact means are exact."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import rates, rules
from stdpjax.rules import Rule, TraceRule, expected_updates, pair_rule, sum_rules, trace_rule, train_updates

RHO = rates.hard_sigmoid()
PRE, POST = [1, 0, 1, 0], [0, 1, 1, 0]


def of(update: Any) -> Rule:
    return Rule(lambda weights: (), update)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (rules.differential_rule(), "next_post_state"),
        (rules.differential_rule(presynaptic="spikes"), "next_post_state"),
        (rules.differential_rule(postsynaptic="gradient"), "next_post_state"),
        (rules.xie_seung_rule(RHO), "post_state"),
        (rules.bcm_rule(RHO, 10.0), "post_state"),
        (rules.hebb_rule(RHO), "post_state"),
        (rules.sum_rules(rules.hebb_rule(), rules.differential_rule()), "next_post_state"),
        (rules.scale_rule(rules.differential_rule(), 2.0), "next_post_state"),
        (of(lambda sample, state, weights: (sample.post_state[:, None] * weights, state)), "post_state"),
        (of(lambda sample, state, weights: (jnp.asarray(sample.pre_rate) * weights, state)), "pre_rate"),
        (of(lambda sample, state, weights: (2.0 * sample.pre_rate * weights, state)), "pre_rate"),
        (of(lambda sample, state, weights: (weights - sample.next_post_state, state)), "next_post_state"),
        (of(lambda sample, state, weights: (weights * sample.post_slope, state)), "post_slope"),
    ],
)
def test_trains_of_spikes_refuse_a_rule_that_reads_more(rule, field):
    with pytest.raises(ValueError, match=rf"{field}: expected|without .*{field}"):
        train_updates(rule, PRE, POST)


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (lambda sample, state, weights: (jnp.zeros(1), state), r"shape \[post, pre\], \(1, 1\), got \(1,\)"),
        (lambda sample, state, weights: (jnp.zeros((1, 2)), state), r"shape \[post, pre\], \(1, 1\), got \(1, 2\)"),
        (lambda sample, state, weights: (0.0, state), r"shape \[post, pre\], \(1, 1\), got \(\)"),
        (lambda sample, state, weights: jnp.zeros((1, 1)), r"that returns \(delta_w, rule_state\), got"),
    ],
)
def test_an_update_of_another_form_is_refused(update, message):
    with pytest.raises(ValueError, match=f"rule: expected .*{message}"):
        train_updates(of(update), PRE, POST)


@pytest.mark.parametrize(
    ("update", "got"),
    [
        (lambda state: state[:, None], r"float32\[1, 1\]"),
        (lambda state: (state, state), r"\(float32\[1\], float32\[1\]\)"),
        (lambda state: state.astype(int), r"int32\[1\]"),
        (lambda state: None, "None"),
    ],
)
def test_a_state_of_another_form_than_the_first_is_refused(update, got):
    rule = Rule(lambda weights: jnp.zeros(1, jnp.float32), lambda sample, state, weights: (0 * weights, update(state)))
    with pytest.raises(ValueError, match=rf"rule: expected .* a rule_state of the form .*, float32\[1\], got {got}"):
        train_updates(rule, PRE, POST)


@pytest.mark.parametrize("rule", [None, pair_rule, "pair", 3, [], {"a": 1}])
def test_what_is_no_rule_is_refused(rule):
    for use in (
        lambda: train_updates(rule, PRE, POST),
        lambda: expected_updates(rule, [0.5], [0.5]),
        lambda: rules.event_weight_change(rule, [0.0], [1], [0]),
        lambda: rules.scale_rule(rule, 1.0),
        lambda: rules.bounded_rule(rule, 0.0, 1.0),
        lambda: rules.mask_rule(rule, [[1]]),
        lambda: sum_rules(rules.hebb_rule(), rule),
    ):
        with pytest.raises(Exception, match=r"rules?: expected a plasticity rule|parameter 'rules?'"):
            use()


def traced(spikes: Any, **statement: Any) -> Rule:
    """A rule of one presynaptic trace."""
    return trace_rule(
        TraceRule(
            parameters=5.0,
            init=lambda weights: jnp.zeros((1, weights.shape[1])),
            decay=lambda tau, trace, elapsed: trace * jnp.exp(-elapsed / tau),
            spikes=spikes,
            **statement,
        )
    )


def squared(parameters, trace, pre, post, weights):
    return post[:, None] * trace**2, trace + pre[None, :]


def with_last_alone(parameters, trace, pre, post, weights):
    return post[:, None] * trace, jnp.maximum(trace, pre[None, :])


def by_weight(parameters, trace, pre, post, weights):
    return post[:, None] * trace * (1 - weights), trace + pre[None, :]


def own_spike_twice(parameters, trace, pre, post, weights):
    return post[:, None] * post[:, None] * trace, trace + pre[None, :]


@pytest.mark.parametrize("spikes", [squared, with_last_alone, by_weight, own_spike_twice])
def test_a_mean_that_is_not_exact_is_refused_although_the_rule_says_so(spikes):
    rule = traced(spikes)
    with pytest.raises(ValueError, match=r"rule: expected one whose changes are of degree one in each .* got one"):
        expected_updates(rule, [0.5, 0.2], [0.1, 0.5])
    with pytest.raises(ValueError, match="rule: expected one whose changes are of degree one"):
        expected_updates(sum_rules(pair_rule(1.0, 1.0, 5.0, 5.0), rule), [0.5, 0.2], [0.1, 0.5])
    with pytest.raises(ValueError, match="rule: expected one whose changes do not depend on the weight"):
        expected_updates(traced(spikes, has_exact_mean=False), [0.5, 0.2], [0.1, 0.5])


def test_a_rule_of_ones_own_with_an_exact_mean_is_taken():
    def linear(parameters, trace, pre, post, weights):
        return post[:, None] * trace, trace + pre[None, :]

    pre, post = np.full(50, 0.3), np.full(50, 0.2)
    found, wanted = (expected_updates(rule, pre, post) for rule in (traced(linear), pair_rule(1.0, 0.0, 5.0, 5.0)))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
