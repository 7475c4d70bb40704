"""A rule along activity against a plain loop, Eq 1 in numbers against its named forms, and one more spike."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import rates, rules
from stdpjax.rules import Sample, differential_rule, eq1_rule, rate_update, run_along

RHO = rates.hard_sigmoid()
PATH = jnp.asarray(np.random.default_rng(0).normal(0, 0.4, (6, 3)), float)
# A path that leaves the active region.
RECORD = Sample(PATH[:-1], PATH[1:], RHO.value(PATH[:-1]), post_slope=RHO.slope(PATH[:-1]))


def updates(rule):
    return run_along(rule, RECORD, jnp.zeros((3, 3))).updates


def test_a_rule_along_a_record_is_a_plain_loop():
    rule = rules.bounded_rule(differential_rule("previous"), -0.3, 0.3)
    found = run_along(rule, RECORD, jnp.full((3, 3), 0.1), learning_rate=0.5)
    weights = jnp.full((3, 3), 0.1)
    state = rule.init(weights)
    for step, (before, after) in enumerate(itertools.pairwise(PATH)):
        delta_w, state = rule.update(Sample(before, after, RHO.value(before)), state, weights)
        weights = weights + 0.5 * delta_w
        np.testing.assert_allclose(found.updates[step], delta_w, atol=1e-6)
        np.testing.assert_allclose(found.weights[step], weights, atol=1e-6)
    chex.assert_trees_all_close(found.rule_state, state, rtol=1e-7, atol=1e-6)


def test_bins_of_another_width_reach_the_rule():
    rule = rules.bcm_rule(RHO, 10.0)
    once, twice = (run_along(rule, RECORD._replace(bin_ms=width), jnp.zeros((3, 3))) for width in (1.0, 2.0))
    np.testing.assert_array_equal(once.updates[0], twice.updates[0])
    assert not np.allclose(once.updates[1], twice.updates[1])


@pytest.mark.parametrize(
    ("samples", "weights", "message"),
    [
        (RECORD, np.zeros(3), r"weights: expected the shape \[post, pre\]"),
        (RECORD._replace(pre_rate=RECORD.pre_rate[:-1]), np.zeros((3, 3)), "samples: expected a record of "),
        (jax.tree.map(lambda part: part[:0], RECORD), np.zeros((3, 3)), "samples: expected a record of "),
        (jax.tree.map(lambda part: part[0], RECORD), np.zeros((3, 3)), "samples: expected a record of "),
        (RECORD, np.zeros((2, 3)), "samples: expected a record of post_state of shape"),
        (
            RECORD._replace(weights=np.zeros((5, 3, 3))),
            np.zeros((3, 3)),
            "samples: expected a record of activity alone",
        ),
    ],
)
def test_a_record_that_does_not_fit_is_refused(samples, weights, message):
    with pytest.raises(ValueError, match=message):
        run_along(differential_rule(), samples, weights)


def test_a_rule_that_needs_what_the_record_lacks_is_refused():
    with pytest.raises(ValueError, match="post_slope: expected a sample that has it"):
        run_along(differential_rule(postsynaptic="gradient"), RECORD._replace(post_slope=None), np.zeros((3, 3)))


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ({}, {}),
        ({"gate": 1.0}, {"postsynaptic": "gradient"}),
        ({"tie": 1.0}, {"tied": True}),
        ({"tie": 1.0, "before": 1.0}, {"tied": True, "pairing": "previous"}),
    ],
)
def test_eq_1_in_numbers_is_the_differential_rule(form, options):
    found, expected = updates(eq1_rule(RHO, **form)), updates(differential_rule(**options))
    np.testing.assert_allclose(found, expected, atol=1e-7)
    assert np.abs(expected).max() > 0.01


@pytest.mark.parametrize(("after", "pairing"), [(0.5, "midpoint"), (1.0, "next")])
def test_later_rates_enter_at_once(after, pairing):
    rate = RHO.value(PATH)
    expected = rate_update(PATH[:-1], PATH[1:], rate[:-1], pairing=pairing, next_pre_rate=rate[1:])
    np.testing.assert_allclose(updates(eq1_rule(RHO, after=after)), expected, atol=1e-7)


def test_numbers_of_eq_1_can_be_traced():
    ties = jnp.array([0.0, 1.0])
    found = jax.vmap(lambda tie: updates(eq1_rule(RHO, tie=tie)))(ties)
    np.testing.assert_allclose(found[0], updates(eq1_rule(RHO)), atol=1e-7)
    np.testing.assert_allclose(found[1], updates(eq1_rule(RHO, tie=1.0)), atol=1e-7)


@pytest.mark.parametrize("name", ["song_miller_abbott_2000", "froemke_dan_2002"])
def test_an_update_per_spike_is_the_mean_with_a_spike_less_that_without(name):
    rule = rules.presets[name].rule()
    pre, post = (jnp.asarray(np.random.default_rng(1).uniform(0.05, 0.3, (2, 24)), float) for _ in range(2))
    without, with_spike = (rules.expected_updates(rule, pre.at[1, 12].set(p), post) for p in (0.0, 1.0))
    found = rules.per_spike_updates(rule, pre, post)
    assert float(found[1, 12]) == pytest.approx(float((with_spike - without).sum()), rel=1e-3)
