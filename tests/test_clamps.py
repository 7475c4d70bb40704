"""Clamps of the three kinds: in a step, in the dynamics and in the energy."""

from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from stdpjax import clamps, energy, rates
from stdpjax.dynamics import (
    HeatHyper,
    LeakyIntegrator,
    MetropolisLangevin,
    NoiseHyper,
    NoisyIntegrator,
    SpikingIntegrator,
    StepHyper,
    advance,
    simulate,
)
from stdpjax.random import key as make_key

RHO = rates.hard_sigmoid()
PARAMS = energy.make_params([[0.0, 0.6, -0.3], [0.6, 0.0, 0.2], [-0.3, 0.2, 0.0]], [0.1, -0.2, 0.3])
FIRST = jnp.array([True, False, False])


def run(hyper, n_steps, *held, state=(0.2, -0.1, 0.3), kernel=None, key=None, **options):
    kernel = kernel or LeakyIntegrator(RHO)
    key = make_key(0) if key is None else key
    settings = {"state": jnp.asarray(state), "n_steps": n_steps, "clamps": held}
    return simulate(key, PARAMS, kernel, hyper, **settings, **options)


def trace_of(*arguments, **options):
    trace = run(*arguments, trace_every=1, **options).trace
    assert trace is not None
    return trace


def test_a_clamped_state_acts_from_the_first_step_on():
    hyper, held = StepHyper(0.5), clamps.clamp_state(FIRST, 0.4)
    trace = trace_of(hyper, 3, held, state=(-1.0, -0.1, 0.3))
    np.testing.assert_array_equal(trace[:, 0], np.float32(0.4))
    same = trace_of(hyper, 3, held, state=(0.4, -0.1, 0.3))
    np.testing.assert_array_equal(trace, same)
    with_own_start = trace_of(hyper, 1, state=(-1.0, -0.1, 0.3))
    assert abs(float(trace[0, 1] - with_own_start[0, 1])) > 0.05


def test_a_clamped_input_is_approached_exponentially():
    trace = trace_of(StepHyper(0.25), 10, clamps.clamp_input(FIRST, 0.4))
    expected = 0.4 - 0.75 ** np.arange(1, 11) * (0.4 - 0.2)
    np.testing.assert_allclose(trace[:, 0], expected, rtol=1e-6)
    assert float(jnp.abs(run(StepHyper(0.25), 10).state[0] - expected[-1])) > 0.01


def test_a_soft_clamp_pulls_with_its_strength():
    soft = clamps.clamp_softly(FIRST, 0.4, 2.0)
    state = jnp.array([0.2, -0.1, 0.3])
    pull = energy.target(PARAMS, state, RHO) - state + jnp.array([2.0 * (0.4 - 0.2), 0.0, 0.0])
    np.testing.assert_allclose(run(StepHyper(0.25), 1, soft).state, state + 0.25 * pull, rtol=1e-6)


def test_a_soft_clamp_is_the_gradient_of_its_energy():
    soft = (clamps.clamp_softly(FIRST, 0.4, 2.0), clamps.clamp_softly([True, True, False], 0.1, 0.5))
    state = jnp.array([0.2, -0.1, 0.3])
    pull = clamps.clamp_target(jnp.zeros(3), state, soft)
    np.testing.assert_allclose(pull, -jax.grad(clamps.clamp_energy)(state, soft), rtol=1e-6)


def test_clamps_apply_in_their_order_and_those_of_the_state_last():
    hard, other = clamps.clamp_input(FIRST, 0.4), clamps.clamp_input(FIRST, -0.2)
    state = jnp.zeros(3)
    assert float(clamps.clamp_target(jnp.zeros(3), state, (hard, other))[0]) == np.float32(-0.2)
    assert float(clamps.clamp_target(jnp.zeros(3), state, (other, hard))[0]) == np.float32(0.4)
    both = (clamps.clamp_state(FIRST, 0.1), hard)
    assert float(run(StepHyper(0.5), 4, *both).state[0]) == np.float32(0.1)


@pytest.mark.parametrize(
    ("make", "hyper"), [(SpikingIntegrator, StepHyper(0.5)), (MetropolisLangevin, HeatHyper(0.5, 0.1))]
)
def test_held_units_stay_and_others_move(make, hyper, key):
    trace = trace_of(hyper, 50, clamps.clamp_state(FIRST, 0.4), kernel=make(RHO), key=key)
    np.testing.assert_array_equal(trace[:, 0], np.float32(0.4))
    assert float(trace[:, 1].std()) > 0.01


def test_a_batch_of_values_is_a_vmap(key):
    values = jnp.array([[0.1, 0.0, 0.0], [0.4, 0.0, 0.0]])

    def end(value):
        held = clamps.clamp_state(FIRST, value)
        return run(NoiseHyper(0.2, 0.1), 5, held, kernel=NoisyIntegrator(RHO), key=key).state

    np.testing.assert_allclose(jax.vmap(end)(values), jnp.stack([end(value) for value in values]), atol=1e-6)


def test_a_clamp_made_by_hand_of_lists_is_the_one_that_is_made_of_arrays():
    by_hand: Any = clamps.SoftClamp
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        listed, *rest = clamps.check_clamps((by_hand([True, False, False], [0.4, 0.0, 0.0], 2),), 3, jnp.float32)
        held = (by_hand([True, False, False], [0.4, 0.0, 0.0], 2),)
        step = StepHyper(0.25)
        moved = advance(make_key(0), PARAMS, LeakyIntegrator(RHO), step, state=jnp.zeros(3), clamps=held)[0]
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
    assert rest == []
    made = clamps.clamp_softly(FIRST, [0.4, 0.0, 0.0], 2.0)
    for one, other in zip(listed, made, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    expected = 0.25 * (energy.target(PARAMS, jnp.zeros(3), RHO) + jnp.array([0.8, 0.0, 0.0]))
    np.testing.assert_allclose(moved, expected, rtol=1e-6)
