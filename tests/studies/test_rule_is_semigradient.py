"""The study of gradients: its trajectories and gradients against loops, its verdicts against wrong models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import networks
from stdpjax.rates import RateFunction
from stdpjax.studies import measures, run
from stdpjax.studies.section_3_rule import rule_is_semigradient as study


def verdicts():
    result = run(study.STUDY.name, show_progress=False, n_networks=8)
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
    current, reached = study.two_steps(params, state, noise, 0.3)
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


def test_losses_start_from_zero_and_their_slopes_are_those_of_the_gradients(key):
    params, _, noise = numbers(key)
    state = jnp.array([0.1, 0.3, -0.3, -0.2])
    losses = jax.jit(study.losses_along_the_rule)(params, state, 0.1 * noise, 0.02)
    middle = study.RATES.size // 2
    current, reached = study.two_steps(params, state, 0.1 * noise, 0.02)
    rule = measures.off_diagonal((reached - current)[:, None] * jnp.clip(state + 0.5, 0, 1)[None, :])
    found = jax.jit(study.formulas)(params, state, 0.1 * noise, 0.02)
    # Relative to J, half the squared change.
    expected = -float(jnp.sum(found["semigradient"] * rule) / (0.5 * jnp.sum((reached - current) ** 2)))
    for loss in losses.values():
        assert float(loss[middle]) == pytest.approx(0.0, abs=1e-6)
    fixed = losses["fixed_target_loss"]
    spacing = study.RATES[middle + 1] - study.RATES[middle - 1]
    assert float(fixed[middle + 1] - fixed[middle - 1]) / spacing == pytest.approx(expected, rel=0.01)


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


def _leak_twice(patch):
    right = study.transition

    def printed(params, state, noise, rate_fn, hyper):
        return right(params, state, noise, rate_fn, hyper) - hyper.step * (state + noise)

    patch.setattr(study, "transition", printed)


right_verdicts = functools.cache(verdicts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [
        (_gradient_of_everything, {"E3.stop", "E5.formula", "E5.tied", "E5.saturation"}),
        (_no_slope, {"E5.saturation", "E10.bias"}),
        (_leak_twice, {"E3.value", "E5.formula"}),
    ],
    ids=["nothing held fixed", "no slope", "leak subtracted twice"],
)
def test_a_wrong_model_does_not_get_its_verdict(patch, lost, monkeypatch):
    assert "inconclusive" not in right_verdicts().values()
    patch(monkeypatch)
    wrong = verdicts()
    assert {wrong[claim] for claim in lost} == {"inconclusive"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": (0.1,)}, "steps: expected two or more step sizes, decreasing"),
        ({"steps": (0.1, 0.2)}, "steps: expected two or more step sizes, decreasing"),
        ({"exact_step": 1.5}, "exact_step: expected a finite number"),
        ({"n_units": 2}, "n_units: expected a whole number of at least 3"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        study.RuleIsSemigradientConfig(**settings)
