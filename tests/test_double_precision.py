"""The network in double precision, in a process of its own: JAX takes the switch once."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np
from stdpjax import clamps, dynamics, energy, fixed_points, objectives, observers, rates, rules
from stdpjax.dynamics import StepHyper, simulate
from stdpjax.random import key as make_key

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")
key, n = make_key(3), 6
params = energy.random_params(key, n, scale=0.5)
assert params.weights.dtype == jnp.float64
state = jnp.array([0.1, -0.3, 0.21, -0.9, 1.3, 0.05])
eye = jnp.eye(n)

def slopes(function, at, h=1e-6):
    return jnp.stack([(function(at + h * e) - function(at - h * e)) / (2 * h) for e in eye], axis=-1)

# A tanh of one's own, besides ours.
own = rates.RateFunction(lambda s: 0.5 + 0.5 * jnp.tanh(s), lambda s: 0.5 / jnp.cosh(s) ** 2)
hard, smooth = rates.hard_sigmoid(), rates.sigmoid()
for rho in (hard, smooth, rates.smoothed_hard_sigmoid(0.2), own):
    found = slopes(lambda s: energy.energy(params, s, rho), state)
    np.testing.assert_allclose(energy.gradient(params, state, rho), found, atol=1e-8)
    found = slopes(lambda s: energy.target(params, s, rho), state)
    np.testing.assert_allclose(energy.target_jacobian(params, state, rho), found, atol=1e-7)
    jacobian = energy.target_jacobian(params, state, rho)
    assert float(jnp.abs(jacobian - jacobian.T).max()) < 1e-12

# A prescribed fixed point, from the corrected step and by relaxing; the printed step ends at R / 2.
goal = 0.8 * (jax.random.uniform(key, (n,)) - 0.5)
params = params._replace(bias=goal - params.weights @ hard.value(goal))
def end(kernel):
    return simulate(key, params, kernel, kernel.Hyper(0.2), state=jnp.zeros(n), n_steps=2000).state
assert float(jnp.abs(end(dynamics.LeakyIntegrator(hard)) - goal).max()) < 1e-12
printed = end(dynamics.PrintedIntegrator(hard))
assert float(jnp.abs(printed - energy.target(params, printed, hard) / 2).max()) < 1e-12
for form in ("clip", "gradient"):
    found = fixed_points.relax(params, jnp.zeros(n), hard, form=form, tolerance=1e-14)
    assert bool(found.converged) and float(jnp.abs(found.state - goal).max()) < 1e-12

# Implicit derivatives against finite differences, both forms, some units past the kinks in the clip form.
pushed = params._replace(bias=params.bias + jnp.array([2.0, -2.0, 0, 0, 0, 0]))
for rho, form in ((hard, "clip"), (smooth, "gradient")):
    def settle(bias):
        soft = clamps.clamp_softly(jnp.arange(n) == 3, 0.1, 0.7)
        start = jnp.zeros(n)
        at = pushed._replace(bias=bias)
        return fixed_points.relax(at, start, rho, clamps=(soft,), form=form, tolerance=1e-14).state
    found = slopes(settle, pushed.bias, 1e-5)
    np.testing.assert_allclose(jax.jacfwd(settle)(pushed.bias), found, atol=1e-8)
    np.testing.assert_allclose(jax.jacrev(settle)(pushed.bias), found, atol=1e-8)
    assert float(jnp.abs(found).max()) > 0.1

# A network between the kinks grows as its eigenvalue says.
three = energy.make_params(0.7 * (np.ones((3, 3)) - np.eye(3)), np.full(3, -0.7))
run = simulate(key, three, dynamics.LeakyIntegrator(hard), StepHyper(0.1),
               state=np.full(3, 1e-6), n_steps=100)
np.testing.assert_allclose(jnp.log(run.state / 1e-6) / 100, np.log(1.04), atol=1e-9)
stability = fixed_points.spectral_stability(three, jnp.zeros(3), hard, 0.1)
np.testing.assert_allclose(stability.spectral_radius, 1.04, atol=1e-12)

# Gradients of the objective against the formula.
noise = 0.1 * jax.random.normal(key, (2, n))
first = dynamics.transition(params, state, noise[0], smooth, 0.2)
second = dynamics.transition(params, first, noise[1], smooth, 0.2)
seen = state + noise[0]
expected = -0.2 * ((second - first) * smooth.slope(seen))[:, None] * smooth.value(seen)[None, :]
found = jax.grad(objectives.stdp_objective)(params, state, noise, smooth, 0.2).weights
np.testing.assert_allclose(found, expected, atol=1e-12)

# Score matching: implicit and explicit objective of one unit differ by a constant.
grid = (np.arange(16000) - 8000 + 0.5) * 0.001
weight = np.exp(0.5 * grid * 0 + 0.5 * np.asarray(smooth.value(grid)) - 0.5 * grid**2)
probabilities, states = jnp.asarray(weight / weight.sum()), jnp.asarray(grid[:, None])
def implicit(bias):
    return objectives.score_matching(energy.make_params([[0.0]], [bias]), states, smooth, sample_weights=probabilities)
def explicit(bias):
    return 0.5 * jnp.sum(probabilities * ((0.5 - bias) * smooth.slope(jnp.asarray(grid))) ** 2)
gaps = [float(implicit(bias) - explicit(bias)) for bias in (-1.0, 0.2, 0.5, 2.0)]
assert max(gaps) - min(gaps) < 1e-8, gaps

# Everything keeps double precision, with a rule, clamps, drive and observers.
observe = {"mean": observers.mean_of(lambda sample: sample.next_post_state),
           "covariance": observers.autocovariance_of(lambda sample: sample.next_post_state, 2)}
held = (clamps.clamp_state(jnp.arange(n) == 0, 0.1), clamps.clamp_softly(jnp.arange(n) == 1, 0.1, 1.0))
for kernel in (dynamics.NoisyIntegrator(hard), dynamics.Langevin(hard), dynamics.MetropolisLangevin(hard)):
    run = simulate(key, params, kernel, kernel.Hyper(0.1, 0.1), drive=np.zeros((5, n), np.float32), clamps=held,
                   state=np.zeros((2, n), np.float32), rule=rules.differential_rule(), learning_rate=0.01,
                   observe=observe, trace_every=1)
    for leaf in jax.tree.leaves((run.state, run.params, run.trace, run.observed)):
        assert leaf.dtype in (jnp.float64, jnp.int32), leaf.dtype
"""

MIXED = """
import jax, jax.numpy as jnp, numpy as np, optax
from stdpjax import clamps, dynamics, energy, fixed_points, learning, objectives, rates
from stdpjax.dynamics import simulate
from stdpjax.random import key as make_key

jax.config.update("jax_numpy_dtype_promotion", STRICTNESS)
key, hard = make_key(0), rates.hard_sigmoid()
soft = clamps.clamp_softly([True, False], 0.25, 0.5)
for of_params in (np.float32, np.float64):
    params = energy.make_params(np.array([[0, 0.5], [0.5, 0]], of_params), np.array([0.1, -0.2], of_params))
    for of_state in (np.float32, np.float64):
        state = jnp.zeros(2, of_state)
        for form in ("clip", "gradient"):
            # s_0 = (0.1 + (s_1 + 0.5) / 2 + 0.125) / 1.5 and s_1 = -0.2 + (s_0 + 0.5) / 2.
            found = fixed_points.relax(params, state, hard, clamps=(soft,), form=form).state
            np.testing.assert_allclose(found, [0.4, 0.25], atol=3e-6)
            assert found.dtype == of_params
        assert bool(fixed_points.spectral_stability(params, state, hard, 0.1, (soft,)).stable)
        for make in (dynamics.MetropolisLangevin, dynamics.Langevin, dynamics.LeakyIntegrator):
            settings = {"kernel": make(hard), "hyper": make.Hyper(0.1), "state": state, "clamps": (soft,)}
            assert dynamics.advance(key, params, drive=np.ones(2), **settings)[0].dtype == of_params
            assert simulate(key, params, n_steps=2, **settings).state.dtype == of_params
        states = jnp.zeros((3, 2), of_state)
        density = objectives.conditional_density(params, states, np.array([-0.5, 0.5]), hard, np.float64(0.5))
        found = objectives.score_matching(params, states, hard, kink_density=density, temperature=np.float64(0.5))
        assert found.dtype == of_params
        found = objectives.prediction_error(params, state, np.zeros(2), np.zeros(2), hard, np.float64(0.1))
        assert found.dtype == of_params

# Images in single precision and weights in double, and the other way round.
sizes = (3, 4, 2)
for of_params, of_inputs in ((np.float64, np.float32), (np.float32, np.float64)):
    params = jax.tree.map(lambda leaf: leaf.astype(of_params), learning.random_layers(key, sizes))
    inputs = jnp.linspace(-0.5, 0.5, 18).reshape(6, 3).astype(of_inputs)
    data = learning.Labelled(inputs, jnp.array([0, 1, 1, 0, 1, 0]))
    phases = learning.Phases("random_sign", pull=np.float64(0.3), step=np.float64(0.5), sizes=sizes)
    for update in (learning.phase_update(hard, phases, 2), learning.backpropagation_update(hard, sizes)):
        learner = learning.Learner(update, optax.sgd(0.1))
        state = learning.start(learner, params)
        state, metrics = learning.train_epoch(key, learner, state, data, learning.layered_mask(sizes), 2)
        assert state.params.weights.dtype == of_params and int(state.n_updates) == 3
    found = learning.settle(params, inputs, hard, phases)
    np.testing.assert_allclose(found, learning.settle(params, inputs.astype(of_params), hard, phases), atol=1e-6)
    assert found.dtype == of_params
    assert learning.predict(params, inputs, hard, phases, 2).shape == (6,)
    assert learning.forward(params, inputs, hard, sizes).dtype == of_params
    visible = jnp.arange(9) < 3
    for rule in learning.EM_RULES:
        update = learning.em_update(
            hard, dynamics.Langevin(hard), visible, dynamics.HeatHyper(np.float64(0.1)), rule=rule)
        values = jnp.zeros((4, 9), of_inputs)
        chains = learning.start_chains(key, values, visible)
        learner = learning.Learner(update, optax.sgd(0.1))
        state = learning.start(learner, params, chains)
        state, _ = learning.train_epoch(
            key, learner, state, learning.Clamped(values, jnp.arange(4)), learning.all_to_all_mask(9), 2)
        assert state.params.weights.dtype == of_params and state.memory.dtype == of_inputs
"""

SINGLE = """
import jax.numpy as jnp
from stdpjax import energy, objectives, rates
params = energy.make_params([[0.0, 0.5], [0.5, 0.0]])
for options in ({"visible": jnp.array([True])}, {"visible": jnp.ones(2)}, {"sample_weights": jnp.ones(2)}):
    try:
        objectives.score_matching(params, jnp.zeros((3, 2)), rates.sigmoid(), **options)
    except ValueError as error:
        assert str(error).startswith(next(iter(options))) and ": expected " in str(error), error
    else:
        raise AssertionError(options)
"""


def run_alone(program, **environment):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_double_precision():
    run_alone(PROGRAM, JAX_ENABLE_X64="1")


@pytest.mark.parametrize("strictness", ["strict", "standard"])
def test_precisions_may_be_mixed(strictness):
    run_alone(MIXED.replace("STRICTNESS", repr(strictness)), JAX_ENABLE_X64="1")


def test_shapes_are_refused_without_the_type_checker_too():
    run_alone(SINGLE)
