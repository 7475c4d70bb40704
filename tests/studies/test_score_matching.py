"""Score matching: the objective against its definition, densities at the kinks, and twins with wrong densities."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax import objectives
from stdpjax.energy import energy_of, gradient
from stdpjax.rates import hard_sigmoid, sigmoid, smoothed_hard_sigmoid
from stdpjax.studies import run
from stdpjax.studies.section_6_hidden import score_matching
from stdpjax.studies.section_6_hidden.score_matching import ScoreMatchingConfig
from stdpjax.theory import score_laws
from stdpjax.theory.score_laws import (
    Law,
    explicit,
    gradients_at_corners,
    implicit,
    model_law,
    nodes,
    one_unit,
    stationary_points,
    two_units,
)

HARD = hard_sigmoid()
RNG = np.random.default_rng(0)


def test_nodes_integrate_what_is_smooth_between_the_breaks():
    place, weight = nodes(jnp.array([-1.0, 0.0, 2.0]), 10)
    np.testing.assert_allclose(float(jnp.sum(weight * jnp.abs(place) ** 3)), 0.25 + 4.0, rtol=1e-6)


def test_stationary_points_are_those_of_a_linear_solve():
    matrix, vector = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([1.0, -2.0])

    def one(theta):
        return 0.5 * theta @ jnp.asarray(matrix, float) @ theta - jnp.asarray(vector, float) @ theta

    found = stationary_points(gradients_at_corners(lambda theta: jnp.stack([one(theta), -2 * one(theta)]), 2))
    np.testing.assert_allclose(found, np.linalg.solve(matrix, vector)[:, None] @ np.ones((1, 2)), rtol=1e-5)


@pytest.mark.parametrize("rate_fn", [sigmoid(), smoothed_hard_sigmoid(0.3)])
def test_the_objective_of_smooth_rates_is_its_definition_with_automatic_derivatives(rate_fn):
    params = stdpjax.energy.random_params(stdpjax.random.key(0), 3, 1.0)
    states = jnp.asarray(RNG.normal(size=(7, 3)), float)
    temperature = 0.7

    def score(state):
        return jax.grad(lambda state: -energy_of(params, state, rate_fn) / temperature)(state)

    @jax.jit
    def both(states):
        # T times Hyvarinen's objective.
        terms = jax.vmap(lambda state: 0.5 * jnp.sum(score(state) ** 2) + jnp.trace(jax.jacfwd(score)(state)))(states)
        return objectives.score_matching(params, states, rate_fn, temperature=temperature), jnp.mean(terms)

    found, expected = both(states)
    np.testing.assert_allclose(float(found), temperature * float(expected), rtol=1e-4)


def test_the_objective_with_kinks_differs_from_the_explicit_one_by_the_datas_own_score():
    @jax.jit
    def differences(bias):
        line, measure = nodes(jnp.array([-7.5, -0.5, 0.5, 7.5]), 40)
        truth = jnp.array([0.8])
        law = model_law(one_unit, truth, line[:, None], measure, HARD, jnp.asarray(0.5))
        own = jax.vmap(lambda state: jnp.sum(gradient(one_unit(truth), state, HARD) ** 2))(law.states)
        constant = jnp.sum(law.sample_weights * own) / (2 * 0.5)
        theta = bias[None]
        first = explicit(theta, law, one_unit, HARD) - constant
        return jnp.stack([first - implicit(theta, law, one_unit, HARD, which) for which in ("exact", "dropped")])

    for bias in (-1.0, 0.3, 2.0):
        exact, dropped = differences(jnp.asarray(bias))
        assert float(exact) == pytest.approx(0, abs=2e-5)
        assert abs(float(dropped)) > 0.05


@pytest.mark.parametrize(("bias", "temperature"), [(0.3, 1.0), (-1.5, 0.3), (1.5, 0.01), (-2.0, 0.005), (0.0, 0.003)])
def test_the_conditional_density_is_that_of_exp_minus_energy(bias, temperature):
    params = stdpjax.energy.make_params([[0.0, 0.6], [0.6, 0.0]], [bias, bias])
    state = jnp.array([[0.1, -0.2]])
    at = jnp.array([-0.5, 0.5, 0.9])
    density_at = jax.jit(objectives.conditional_density, static_argnums=3)
    found = np.asarray(density_at(params, state, at, HARD, temperature))[0]
    grid = np.unique(np.concatenate([np.linspace(-8, 8, 400_001), np.asarray(at, np.float64)]))
    for unit, other in ((0, -0.2), (1, 0.1)):
        field = bias + 0.6 * np.clip(other + 0.5, 0, 1)
        exponent = (field * np.clip(grid + 0.5, 0, 1) - 0.5 * grid**2) / temperature
        density = np.exp(exponent - exponent.max())
        density /= np.trapezoid(density, grid)
        expected = density[np.searchsorted(grid, np.asarray(at, np.float64))]
        # At T = 0.003 single precision leaves 1e-7 / T of the exponent.
        np.testing.assert_allclose(found[unit], expected, rtol=2e-3, atol=1e-30)


def test_the_kernel_estimate_at_the_models_own_kinks_is_biased_in_the_first_order_unless_extrapolated():
    width = 0.05

    @jax.jit
    def biases():
        line, measure = nodes(jnp.array([-7.5, -1.3, -0.9, -0.5, -0.1, 0.1, 0.5, 0.9, 1.3, 7.5]), 40)
        law = model_law(one_unit, jnp.array([0.8]), line[:, None], measure, HARD, jnp.asarray(1.0))
        assert law.kink_density is not None
        density = law.kink_density[0, 0]
        weights = law.sample_weights[:, None]
        estimates = [
            jnp.sum(weights * objectives.kernel_density_at_kinks(law.states, HARD, factor * width)[:, 0], axis=0)
            for factor in (1.0, 2.0)
        ]
        return density, estimates[0] - density, estimates[1] - density

    density, bias, wide = (np.asarray(part, np.float64) for part in biases())
    # The density's slope jumps by u p: up at the lower kink, down at the upper one.
    np.testing.assert_allclose(bias, 0.8 * density * width / np.sqrt(2 * np.pi) * np.array([1, -1]), rtol=0.15)
    assert np.all(np.abs(2 * bias - wide) < 0.15 * np.abs(bias))


def fitted(slope, curve, at_kinks, states, weights):
    """The bias that makes (1/2) (dE/dx)^2 - sign d^2E/dx^2 stationary: sign 0 (dropped), 1 (exact), -1 (printed)."""
    push, bend = np.sum(weights * states * slope), np.sum(weights * curve) + at_kinks
    return np.array([push, push - bend, push + bend]) / np.sum(weights * slope**2)


@pytest.mark.parametrize("temperature", [1.0, 0.03])
def test_fits_of_one_unit_are_those_of_a_plain_sum(temperature):
    config = ScoreMatchingConfig(temperatures=(0.02, temperature), n_objectives=2)
    data = score_matching.run(stdpjax.random.key(0), config, lambda *_: None)
    states = (np.arange(600_000) - 300_000 + 0.5) * 2e-5

    def law(rate, bias, temperature):
        weights = np.exp((bias * rate - 0.5 * states**2) / temperature)
        return weights / weights.sum()

    def hard(bias, temperature):
        rate = np.clip(states + 0.5, 0, 1)
        weights = law(rate, bias, temperature)
        at_kinks = np.interp([-0.5, 0.5], states, weights / 2e-5)
        # Of E / T, so that the second derivative counts T times.
        bend = temperature * (at_kinks[0] - at_kinks[1])
        return fitted((np.abs(states) < 0.5).astype(float), 0.0, bend, states, weights)

    for place, bias in enumerate(config.biases):
        np.testing.assert_allclose(data.estimate[place], hard(bias, 1.0), atol=2e-4)
    np.testing.assert_allclose(data.cold_estimate[1], hard(config.cold_bias, temperature), atol=2e-4)
    rate = 1 / (1 + np.exp(-4 * states))
    slope = 4 * rate * (1 - rate)
    curve = 4 * slope * (1 - 2 * rate)
    expected = fitted(slope, curve, 0.0, states, law(rate, config.smooth_bias, 1.0))
    np.testing.assert_allclose(data.estimate[len(config.biases)], expected, atol=2e-4)
    # The term kept finds the truth.
    np.testing.assert_allclose(data.estimate.sel(estimator="exact"), data.truth, atol=1e-4)


def test_samples_with_estimated_densities_at_the_kinks_find_the_weight_that_is_lost_without():
    rng, weight, bias = np.random.default_rng(0), 1.5, -0.75
    states = rng.normal(size=(400_000, 2))
    first, second = np.clip(states + 0.5, 0, 1).T
    # By rejection: what the law has beyond the normal one is at most 1, where both rates are 0 or 1.
    states = states[rng.random(len(states)) < np.exp(weight * first * second + bias * (first + second))]
    narrow, wide = (objectives.kernel_density_at_kinks(jnp.asarray(states, float), HARD, width) for width in (0.1, 0.2))
    weights = jnp.full(len(states), 1 / len(states), float)
    law = Law(jnp.asarray(states, float), weights, 2 * narrow - wide, jnp.ones(()), jnp.array([weight, bias]))

    def objective(theta):
        return jnp.stack([implicit(theta, law, two_units, HARD, which) for which in ("exact", "dropped")])

    exact, dropped = stationary_points(jax.jit(lambda: gradients_at_corners(objective, 2))())[0] / weight
    assert abs(exact - 1) < 0.1
    assert dropped < 0.2


@pytest.mark.slow
def test_wrong_densities_at_the_kinks_and_a_term_that_stays_lose_the_verdicts_that_rest_on_them(monkeypatch):
    def verdicts(**settings):
        # Settings of its own: the programs compiled for others have what is right in them.
        result = run("score_matching", show_progress=False, **settings)
        return {record["id"] for record in result.records if record["verdict"] == "met"}

    assert verdicts() == {"eq23.sign", "eq24.dropped", "sec6.1.cold", "sec6.3.joint"}
    density, error = score_laws.conditional_density, score_laws.prediction_error
    with monkeypatch.context() as patch:
        patch.setattr(score_laws, "conditional_density", lambda *arguments: 0.95 * density(*arguments))
        assert verdicts(n_nodes=41) == {"eq24.dropped", "sec6.1.cold", "sec6.3.joint"}
    with monkeypatch.context() as patch:
        patch.setattr(
            score_matching, "implicit", lambda *given: implicit(given[0], given[1], given[2], given[3], "exact")
        )
        assert verdicts(n_nodes=42) == {"sec6.1.cold", "sec6.3.joint"}
    with monkeypatch.context() as patch:
        patch.setattr(
            score_laws, "prediction_error", lambda params, state, *others: error(params, 1.1 * state, *others)
        )
        assert verdicts(n_nodes=43) == {"eq23.sign", "eq24.dropped"}
