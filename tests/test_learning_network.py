"""A network that learns while it runs: no unit connects to itself, and weights stay within bounds."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate
from stdpjax.energy import random_params
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import differential_rule

RHO = hard_sigmoid()
KERNEL = LeakyIntegrator(RHO)
HYPER = StepHyper(step=0.25)


def learn(rate=1.0, bounds=None, n_steps=30, rule=None):
    params = random_params(stdpjax.random.key(0), 4, 0.6)
    drive = 0.4 * jax.random.normal(stdpjax.random.key(1), (n_steps, 4))
    run = simulate(
        stdpjax.random.key(2), params, KERNEL, HYPER, drive=drive, state=jnp.zeros(4),
        rule=differential_rule() if rule is None else rule, learning_rate=rate, weight_bounds=bounds,
    )  # fmt: skip
    return params, np.asarray(drive, np.float64), run


@pytest.mark.parametrize("bounds", [None, (-0.31, 0.48)])
def test_a_learning_network_against_a_plain_loop(bounds):
    params, drive, run = learn(bounds=bounds)
    weights, bias = (np.asarray(part, np.float64) for part in params)
    state, reached = np.zeros(4), set()
    for now in drive:
        rate = np.clip(state + 0.5, 0, 1)
        after = state + 0.25 * ((np.abs(state) <= 0.5) * (weights @ rate + bias + now) - state)
        for post in range(4):
            for pre in range(4):
                if post != pre:
                    changed = weights[post, pre] + (after[post] - state[post]) * rate[pre]
                    if bounds is not None and not bounds[0] <= changed <= bounds[1]:
                        changed = bounds[0] if changed < bounds[0] else bounds[1]
                        reached.add(changed)
                    weights[post, pre] = changed
        state = after
    np.testing.assert_allclose(run.params.weights, weights, atol=2e-6)
    np.testing.assert_allclose(run.state, state, atol=2e-6)
    if bounds is not None:
        assert reached == set(bounds)


def test_a_unit_does_not_come_to_connect_to_itself():
    for rule in (differential_rule(), differential_rule(tied=True)):
        weights = np.asarray(learn(rule=rule)[2].params.weights)
        assert np.all(np.diagonal(weights) == 0)
        assert np.count_nonzero(weights) == 12


def test_bounds_that_are_not_reached_change_nothing():
    np.testing.assert_array_equal(learn(0.1, (-9.0, 9.0))[2].params.weights, learn(0.1)[2].params.weights)


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ((0.1, 3.0), "weight_bounds: expected a finite number at most 0"),
        ((-3.0, -1.0), "weight_bounds: expected a finite number at least 0"),
    ],
)
def test_bounds_without_0_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        learn(bounds=bounds)


def test_bounds_without_a_rule_are_refused():
    params = random_params(stdpjax.random.key(0), 2)
    with pytest.raises(ValueError, match="weight_bounds: expected None without a rule"):
        simulate(
            stdpjax.random.key(0), params, KERNEL, HYPER, state=jnp.zeros(2), n_steps=1,
            weight_bounds=(-1.0, 1.0),
        )  # fmt: skip
