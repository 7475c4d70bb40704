"""Objectives against formulas, automatic differentiation and quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import energy, objectives, rates
from stdpjax.dynamics import transition
from stdpjax.energy import Params

HARD, SMOOTH = rates.hard_sigmoid(), rates.sigmoid()
STEP = 0.2


@pytest.fixture
def setting(key):
    """Untied parameters, a state and noise for two steps, some units saturated."""
    params = energy.random_params(key, 5, scale=1.0, tied=False)
    state = 0.5 * jax.random.normal(jax.random.fold_in(key, 1), (5,))
    noise = 0.2 * jax.random.normal(jax.random.fold_in(key, 2), (2, 5))
    return params, state, noise


def path(setting, rate_fn, step=STEP):
    params, state, noise = setting
    first = transition(params, state, noise[0], rate_fn, step)
    return first, transition(params, first, noise[1], rate_fn, step)


def weight_slope(setting, rate_fn, target, step=STEP):
    params, state, noise = setting
    return jax.grad(objectives.stdp_objective)(params, state, noise, rate_fn, step, target).weights


@pytest.mark.parametrize("rate_fn", [HARD, SMOOTH], ids=["hard", "smooth"])
def test_gradients_of_the_three_targets(setting, rate_fn):
    params, state, noise = setting
    first, second = path(setting, rate_fn)
    seen, later = state + noise[0], first + noise[1]
    change = second - first
    predictor = -STEP * (change * rate_fn.slope(seen))[:, None] * rate_fn.value(seen)[None, :]
    reached = STEP * (change * rate_fn.slope(later))[:, None] * rate_fn.value(later)[None, :]
    np.testing.assert_allclose(weight_slope(setting, rate_fn, "stop"), predictor, atol=1e-6)
    np.testing.assert_allclose(weight_slope(setting, rate_fn, "predictor_stop"), reached, atol=1e-6)
    # What the weights do to the prediction comes back through the second step.
    jacobian = (1 - STEP) * jnp.eye(5) + STEP * energy.target_jacobian(params, later, rate_fn)
    through = STEP * ((jacobian.T @ change) * rate_fn.slope(seen))[:, None] * rate_fn.value(seen)[None, :]
    np.testing.assert_allclose(weight_slope(setting, rate_fn, "free"), predictor + reached + through, atol=2e-6)


def test_the_value_does_not_depend_on_what_is_held(setting):
    params, state, noise = setting
    first, second = path(setting, HARD)
    for target in ("stop", "free", "predictor_stop"):
        value = objectives.stdp_objective(params, state, noise, HARD, STEP, target)
        np.testing.assert_allclose(value, 0.5 * jnp.sum((second - first) ** 2), rtol=1e-5)


def test_only_the_held_target_descends_along_equation_1(key):
    params = energy.random_params(key, 6, scale=0.5)
    state = 0.2 * jax.random.normal(key, (6,))
    setting = params, state, jnp.zeros((2, 6))
    first, second = path(setting, HARD, 0.02)
    rule = (second - first)[:, None] * HARD.value(state)[None, :]

    def cosine(target):
        slope = -weight_slope(setting, HARD, target, 0.02)
        return float(jnp.sum(slope * rule) / jnp.linalg.norm(slope) / jnp.linalg.norm(rule))

    assert cosine("stop") > 0.999
    assert cosine("predictor_stop") < -0.99
    assert cosine("free") < -0.99


def test_parts_add_up_to_the_whole(setting):
    params, state, noise = setting
    _first, second = path(setting, SMOOTH)
    visible = jnp.array([True, True, False, False, False])

    def part(mask):
        return objectives.prediction_error(params, state, noise[0], second, SMOOTH, STEP, mask)

    whole = objectives.stdp_objective(params, state, noise, SMOOTH, STEP)
    np.testing.assert_allclose(part(visible) + part(~visible), whole, rtol=1e-5)
    np.testing.assert_allclose(part(None), whole, rtol=1e-5)
    assert float(part(visible)) > 0 < float(part(~visible))


def test_without_noise_the_visible_part_is_the_energy_gradient(key):
    params = energy.random_params(key, 5)
    state = 0.3 * jax.random.normal(key, (5,))
    visible = jnp.array([True, True, False, False, False])
    part = objectives.prediction_error(params, state, jnp.zeros(5), state, SMOOTH, STEP, visible)
    gradient = energy.gradient(params, state, SMOOTH)
    np.testing.assert_allclose(part, 0.5 * STEP**2 * jnp.sum(gradient[:2] ** 2), rtol=1e-5)


def test_noise_adds_weight_decay(key):
    params = energy.random_params(key, 5, scale=1.0)
    state, noise_std = 0.1 * jax.random.normal(key, (5,)), 0.05
    noise = noise_std * jax.random.normal(jax.random.fold_in(key, 1), (100_000, 5))
    visible = jnp.arange(5) < 2

    def one(noise):
        return objectives.prediction_error(params, state, noise, state, HARD, STEP, visible)

    values = np.asarray(jax.vmap(one)(noise), np.float64) / STEP**2
    error = values.std() / np.sqrt(len(values))
    without = 0.5 * float(jnp.sum(energy.gradient(params, state, HARD)[:2] ** 2))
    decay = 0.5 * noise_std**2 * float(jnp.sum(params.weights[:2] ** 2))
    assert abs(values.mean() - without - decay) < 4 * error
    assert abs(values.mean() - without) > 8 * error


def network(rate_fn):
    return lambda params, state: energy.energy(params, state, rate_fn)


@pytest.mark.parametrize("rate_fn", [HARD, SMOOTH], ids=["hard", "smooth"])
def test_conditions_1_and_2_hold_with_the_slope_as_coefficient(rate_fn, key):
    params = energy.random_params(key, 4)
    state = jnp.array([0.1, -0.2, 0.7, 0.3])
    second = objectives.condition_2(network(rate_fn), params, state, rate_fn)
    np.testing.assert_allclose(second.coefficient, rate_fn.slope(state), atol=1e-5)
    assert float(second.residual) < 1e-5 < float(second.other_rows)
    first = objectives.condition_1(network(rate_fn), params, state, rate_fn, STEP)
    np.testing.assert_allclose(first.coefficient, STEP * rate_fn.slope(state), atol=1e-5)

    def with_squares(params, state):
        return 0.5 * jnp.sum(state**2) - 0.5 * state @ (params.weights @ state)

    assert float(objectives.condition_2(with_squares, params, state, rate_fn).residual) > 0.1


def test_conditions_without_any_rate_are_numbers():
    params = energy.make_params(jnp.zeros((2, 2)))
    silent = objectives.condition_2(network(HARD), params, jnp.array([-1.0, -1.0]), HARD)
    assert silent.coefficient.tolist() == [0.0, 0.0]
    assert float(silent.residual) == float(silent.other_rows) == 0.0


def test_condition_3_is_the_third_derivative(key):
    params = energy.random_params(key, 3)
    state = jnp.array([0.1, -0.2, 0.3])
    found = objectives.condition_3(network(SMOOTH), params, state)
    bend, rate = rates.curvature(SMOOTH, state), SMOOTH.value(state)
    one_way = jnp.abs(bend[:, None] * rate[None, :])
    expected = jnp.maximum(one_way, one_way.T) * (1 - jnp.eye(3))
    np.testing.assert_allclose(found.weights, expected, atol=1e-5)
    np.testing.assert_allclose(found.bias, jnp.abs(bend), atol=1e-5)
    hard = objectives.condition_3(network(HARD), params, state)
    assert float(hard.weights.max()) == float(hard.bias.max()) == 0.0


def test_score_matching_of_a_smooth_network_by_automatic_differentiation(key):
    params = energy.random_params(key, 4)
    states = 0.5 * jax.random.normal(key, (7, 4))
    visible = jnp.array([True, True, True, False])

    def direct(state, sign):
        slope = jax.grad(lambda s: energy.energy(params, s, SMOOTH))(state)
        second = jnp.diagonal(jax.hessian(lambda s: energy.energy(params, s, SMOOTH))(state))
        return jnp.sum(jnp.where(visible, slope**2 / (2 * 0.7) + sign * second, 0.0))

    signs: dict[objectives.Correction, float] = {"exact": -1.0, "dropped": 0.0, "printed": 1.0}
    for correction, sign in signs.items():
        found = objectives.score_matching(params, states, SMOOTH, correction, visible=visible, temperature=0.7)
        expected = jnp.mean(jax.vmap(lambda state, sign=sign: direct(state, sign))(states))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def two_units(params, temperature, n_points=401):
    """Grid, probabilities and states of two units under exp(-E/T), in double precision in NumPy."""
    # No point on a kink, which lie half way between two.
    grid = (np.arange(n_points) - n_points // 2 + 0.5) * 0.02
    first, second = (array.ravel() for array in np.meshgrid(grid, grid, indexing="ij"))
    states = np.stack([first, second], axis=1)
    rate = np.clip(states + 0.5, 0, 1)
    (w, (b, c)) = float(params.weights[0, 1]), np.asarray(params.bias, np.float64)
    total = 0.5 * (states**2).sum(1) - w * rate[:, 0] * rate[:, 1] - b * rate[:, 0] - c * rate[:, 1]
    density = np.exp(-total / temperature)
    return grid, density / density.sum(), states


@pytest.mark.parametrize("temperature", [1.0, 0.1])
def test_conditional_density_against_quadrature(temperature):
    params = energy.make_params([[0.0, 0.8], [0.8, 0.0]], [0.3, -0.2])
    at = jnp.linspace(-6.0, 6.0, 6001)
    others = jnp.array([[9.0, -0.7], [9.0, 0.2], [9.0, 1.5]])
    density = objectives.conditional_density(params, others, at, HARD, temperature)
    np.testing.assert_allclose(jnp.sum(density, axis=-1) * 0.002, 1, rtol=2e-4)
    field = 0.3 + 0.8 * np.clip(np.asarray(others[:, 1]) + 0.5, 0, 1)
    grid = np.asarray(at, np.float64)
    unscaled = np.exp((field[:, None] * np.clip(grid + 0.5, 0, 1) - 0.5 * grid**2) / temperature)
    expected = unscaled / (unscaled.sum(1, keepdims=True) * 0.002)
    np.testing.assert_allclose(density[:, 0], expected, rtol=5e-4, atol=1e-5)


def test_conditional_density_of_a_cold_unit_does_not_overflow():
    params = energy.make_params([[0.0]], [2.0])
    temperature = 0.003
    at = jnp.linspace(0.3, 0.7, 4001)
    density = objectives.conditional_density(params, jnp.zeros((1, 1)), at, HARD, temperature)
    assert bool(jnp.isfinite(density).all())
    np.testing.assert_allclose(jnp.sum(density) * 1e-4, 1, rtol=1e-2)


def minimiser(correction, states, probabilities, density):
    """The bias of one unit that minimises the objective, which is a parabola in it."""

    def value(bias):
        params = energy.make_params([[0.0]]), bias
        return objectives.score_matching(
            Params(params[0].weights, jnp.full(1, bias)),
            states,
            HARD,
            correction,
            sample_weights=probabilities,
            kink_density=None if correction == "dropped" else density,
        )

    low, middle, high = (float(value(bias)) for bias in (-1.0, 0.0, 1.0))
    return -0.5 * (high - low) / (high - 2 * middle + low)


@pytest.mark.parametrize(
    ("bias", "dropped", "printed"), [(0.25, 0.0201, -0.210), (0.5, 0.0401, -0.420), (1.5, 0.1168, -1.266)]
)
def test_only_the_exact_correction_finds_the_truth(bias, dropped, printed):
    grid = (np.arange(6000) - 3000 + 0.5) * 0.002
    weight = np.exp(bias * np.clip(grid + 0.5, 0, 1) - 0.5 * grid**2)
    probabilities = jnp.asarray(weight / weight.sum(), jnp.float32)
    states = jnp.asarray(grid[:, None], jnp.float32)
    truth = energy.make_params([[0.0]], [bias])
    density = objectives.conditional_density(truth, states, jnp.array([-0.5, 0.5]), HARD)
    for correction, expected in (("exact", bias), ("dropped", dropped), ("printed", printed)):
        assert abs(minimiser(correction, states, probabilities, density) - expected) < 1e-3


def test_two_units_are_stationary_at_the_truth_with_the_kinks_alone():
    truth = energy.make_params([[0.0, 1.5], [1.5, 0.0]], [-0.75, -0.75])
    _, probabilities, states = two_units(truth, 1.0)
    states = jnp.asarray(states, jnp.float32)
    density = objectives.conditional_density(truth, states, jnp.array([-0.5, 0.5]), HARD)

    def slopes(correction):
        found = jax.grad(objectives.score_matching)(
            truth,
            states,
            HARD,
            correction,
            sample_weights=jnp.asarray(probabilities, jnp.float32),
            kink_density=None if correction == "dropped" else density,
        )
        return max(float(jnp.abs(found.bias).max()), abs(float(found.weights[0, 1] + found.weights[1, 0])))

    assert slopes("exact") < 2e-3
    assert slopes("dropped") > 0.05


def test_kernel_density_equals_the_exact_correction_on_average(key):
    # The unit under its own law: a mixture of three normal pieces, drawn by inverting the summed density.
    bias, n = 0.5, 400_000
    grid = (np.arange(12_000) - 6000 + 0.5) * 0.001
    weight = np.exp(bias * np.clip(grid + 0.5, 0, 1) - 0.5 * grid**2)
    uniform = np.asarray(jax.random.uniform(key, (n,)), np.float64)
    states = jnp.asarray(np.interp(uniform, np.cumsum(weight) / weight.sum(), grid)[:, None], jnp.float32)
    estimate = np.asarray(objectives.kernel_density_at_kinks(states, HARD, 0.05))[:, 0]
    truth = energy.make_params([[0.0]], [bias])
    exact = objectives.conditional_density(truth, states[:1], jnp.array([-0.5, 0.5]), HARD)[0, 0]
    error = estimate.std(0) / np.sqrt(n)
    # The kernel's bias at a kink: half of the jump of the slope, here b p, times E|eta| / 2.
    bound = 4 * error + 0.5 * bias * np.asarray(exact) * 0.05
    assert np.all(np.abs(estimate.mean(0) - np.asarray(exact)) < bound)
    assert np.all(np.abs(estimate.mean(0)[::-1] - np.asarray(exact)) > bound)
