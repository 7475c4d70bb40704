"""The study of gradients: its trajectories and gradients against loops, its verdicts against wrong models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import networks
from stdpjax.rates import RateFunction
from stdpjax.studies import run
from stdpjax.studies.section_3_rule import rule_is_semigradient as study
from stdpjax.studies.section_3_rule import steps_along_rule


def verdicts():
    result = run(study.STUDY.name, show_progress=False, n_networks=32)
    return {record["id"]: record["verdict"] for record in result.records}


def numbers(key, n_units=4):
    """One network, a state with active and saturated units, and noise."""
    params = jax.tree.map(lambda leaf: leaf[0], networks.random_networks(key, 1, n_units, 0.5))
    return params, jnp.array([0.1, 0.8, -0.3, -0.9]), 0.1 * jax.random.normal(key, (2, n_units), float)


def loop_step(weights, bias, state, noise, step):
    """One step of the leaky integrator, unit by unit."""
    noisy = state + noise
    rate = np.minimum(np.maximum(noisy + 0.5, 0), 1)
    after = []
    for i, own in enumerate(noisy):
        goal = (bias[i] + sum(weights[i][j] * rate[j] for j in range(len(rate)))) * (-0.5 <= own <= 0.5)
        after.append(state[i] + step * (goal - state[i]))
    return np.array(after)


def as_double(*arrays):
    return [np.asarray(array, np.float64) for array in arrays]


def test_two_steps_are_those_of_a_loop(key):
    params, state, noise = numbers(key)
    weights, bias, start, eta = as_double(params.weights, params.bias, state, noise)
    first = loop_step(weights, bias, start, eta[0], 0.3)
    current, reached = study.two_steps(params, state, noise, study.hard_sigmoid(), 0.3)
    np.testing.assert_allclose(current, first, atol=1e-6)
    np.testing.assert_allclose(reached, loop_step(weights, bias, first, eta[1], 0.3), atol=1e-6)


def test_gradients_are_those_of_finite_differences(key):
    params, state, noise = numbers(key)
    weights, bias, start, eta = as_double(params.weights, params.bias, state, noise)
    first = loop_step(weights, bias, start, eta[0], 0.3)
    goal = loop_step(weights, bias, first, eta[1], 0.3)
    found = jax.jit(study.formulas)(params, state, noise, 0.3)
    speed = study.half_squared_speed(params, state)
    for i in range(4):
        for j in range(4):
            if i == j:
                continue
            losses, speeds = [], []
            for sign in (1, -1):
                moved = weights.copy()
                moved[i, j] += 1e-4 * sign
                losses.append(0.5 * np.sum((loop_step(moved, bias, start, eta[0], 0.3) - goal) ** 2))
                speeds.append(0.5 * np.sum((loop_step(moved, bias, start, 0 * start, 1.0) - start) ** 2))
            assert float(found["semigradient"][i, j]) == pytest.approx(-(losses[0] - losses[1]) / 2e-4, abs=1e-6)
            assert float(found["speed_gradient"][i, j]) == pytest.approx((speeds[0] - speeds[1]) / 2e-4, abs=1e-6)
    at_rest = 0.5 * np.sum((loop_step(weights, bias, start, 0 * start, 1.0) - start) ** 2)
    assert float(speed) == pytest.approx(at_rest, abs=1e-6)


def test_a_step_along_the_rule_lowers_the_loss_with_a_fixed_target_and_raises_the_actual_one_as_much(key):
    params, _, noise = numbers(key)
    later = 0.1 * noise[::-1]
    start = jnp.array([0.1, 0.3, -0.3, -0.2])
    weights, bias, state, eta, eta_later = as_double(params.weights, params.bias, start, 0.1 * noise, later)
    first = loop_step(weights, bias, state, eta[0], 0.02)
    reached = loop_step(weights, bias, first, eta[1], 0.02)

    def losses(weights, goal=None):
        predicted = loop_step(weights, bias, reached, eta_later[0], 0.02)
        own = loop_step(weights, bias, predicted, eta_later[1], 0.02)
        return np.sum((predicted - (own if goal is None else goal)) ** 2), own

    before, following = losses(weights)
    outside = np.array([0.4, -0.2, 0.0, 0.1])

    def change(goal, held=None):
        along = np.outer(goal - first, np.clip(state + 0.5, 0, 1)) * (1 - np.eye(4))
        return losses(weights + along, held)[0] / (before if held is None else losses(weights, held)[0]) - 1

    actual, fixed, given = change(reached), change(reached, following), change(outside, outside)
    assert fixed < 0 < actual
    assert actual / fixed == pytest.approx(-1, abs=0.1)
    found = steps_along_rule.error_changes(params, start, 0.1 * noise, later, jnp.asarray(outside, float), 0.02)
    for name, expected in (("own", actual), ("held", fixed), ("outside", given)):
        assert float(found[f"{name}_change"]) == pytest.approx(expected, abs=1e-3)


def test_a_weight_of_both_directions_has_the_gradients_of_both(key):
    params, state, noise = numbers(key)

    def of_pairs(upper):
        pairs = jnp.triu(upper, 1)
        return study.stdp_objective(params._replace(weights=pairs + pairs.T), state, noise, study.hard_sigmoid(), 0.3)

    descent = -jax.grad(of_pairs)(params.weights)
    one_way = study.formulas(params, state, noise, 0.3)["semigradient"]
    np.testing.assert_allclose(descent, np.triu(one_way + one_way.T), atol=1e-6)
    current, reached = study.two_steps(params, state, noise, study.hard_sigmoid(), 0.3)
    rule = np.outer(reached - current, study.hard_sigmoid().value(state))
    found = study.directions(params, state, noise, jnp.zeros(4), jnp.asarray(0.3))
    for name, update in (("pair", np.triu(rule, 1)), ("both", np.triu(rule + rule.T, 1))):
        expected = np.sum(update * descent) / np.linalg.norm(update) / np.linalg.norm(descent)
        assert float(found[f"{name}_cosine"]) == pytest.approx(float(expected), abs=1e-5)


def test_rises_are_those_of_a_loop(key):
    params, _, _ = numbers(key)
    start = jnp.array([0.1, 0.3, -0.3, -0.2])
    weights, bias, state = as_double(params.weights, params.bias, start)

    def squared_speed(weights):
        return np.sum((loop_step(weights, bias, state, 0 * state, 1.0) - state) ** 2)

    rates = np.clip(state + 0.5, 0, 1)
    speed = loop_step(weights, bias, state, 0 * state, 1.0) - state
    rule, hebb = (np.outer(factor, rates) * (1 - np.eye(4)) for factor in (speed, state))
    hebb *= np.linalg.norm(rule) / np.linalg.norm(hebb)
    found = study.rises(params, start, 0.5)
    for name, by in (("rise", rule), ("hebb_rise", hebb)):
        expected = squared_speed(weights + 0.05 * by) / squared_speed(weights) - 1
        assert float(found[name]) == pytest.approx(expected, abs=1e-5)


def _gradient_of_everything(patch):
    right = study.stdp_objective
    patch.setattr(
        study,
        "stdp_objective",
        lambda params, state, noise, rate_fn, step, target="stop": right(params, state, noise, rate_fn, step, "free"),
    )


def _no_slope(patch):
    rho = study.hard_sigmoid()
    patch.setattr(study, "hard_sigmoid", lambda: RateFunction(rho.value, jnp.ones_like))


def _linear_rates(patch):
    patch.setattr(steps_along_rule, "sigmoid", lambda: RateFunction(lambda s: jnp.asarray(s) + 0.5, jnp.ones_like))


def _other_sign(patch):
    right = steps_along_rule.eq_1
    patch.setattr(steps_along_rule, "eq_1", lambda change, rates: -right(change, rates))


def _leak_twice(patch):
    right = steps_along_rule.transition

    def printed(params, state, noise, rate_fn, step):
        return right(params, state, noise, rate_fn, step) - step * (state + noise)

    patch.setattr(steps_along_rule, "transition", printed)


def _without_the_half(patch):
    right = study.stdp_objective
    patch.setattr(study, "stdp_objective", lambda *arguments: 2 * right(*arguments))


right_verdicts = functools.cache(verdicts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [
        (_gradient_of_everything, {"eq3.stop", "eq5.formula", "eq5.saturation"}),
        (_no_slope, {"eq5.saturation", "eq10.bias"}),
        (_leak_twice, {"eq5.formula"}),
        (_linear_rates, {"sec2.1.objective"}),
        (_other_sign, {"sec1.predict", "sec2.1.objective"}),
        (_without_the_half, {"eq5.formula", "eq9.order"}),
    ],
    ids=[
        "nothing held fixed",
        "no slope",
        "leak subtracted twice",
        "linear rates",
        "Eq 1 backwards",
        "J without the half",
    ],
)
def test_a_wrong_model_does_not_get_its_verdict(patch, lost, monkeypatch):
    assert set(right_verdicts().values()) == {"met"}
    patch(monkeypatch)
    wrong = verdicts()
    assert "met" not in {wrong[claim] for claim in lost}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": (0.1,)}, "steps: expected at least two increasing numbers"),
        ({"steps": (0.2, 0.1)}, "steps: expected at least two increasing numbers"),
        ({"finite_step": 0.05}, "finite_step: expected one of steps, got 0.05"),
        ({"exact_step": 1.5}, "exact_step: expected a finite number"),
        ({"n_units": 2}, "n_units: expected a whole number of at least 3"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        study.RuleIsSemigradientConfig(**settings)
