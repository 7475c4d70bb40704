"""Derivatives of fixed points, a unit at its kink, the usual equation, and a twin with the printed leak."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate
from stdpjax.energy import Params
from stdpjax.fixed_points import relax
from stdpjax.networks import tied_networks
from stdpjax.rates import hard_sigmoid
from stdpjax.studies import network_runs, run
from stdpjax.studies.section_7_fixed_points import fixed_points
from tests.wrong_kernels import PrintedLeak


@pytest.mark.parametrize("transform", [jax.jacfwd, jax.jacrev])
def test_fixed_points_have_derivatives_forward_and_reverse(transform):
    params = stdpjax.energy.make_params(
        [[0.0, 0.4, -0.3], [0.4, 0.0, 0.2], [-0.3, 0.2, 0.0]], [0.1, -0.2, 2.0]
    )  # the last at its kink

    def state(params: Params):
        return relax(params, jnp.zeros(3), hard_sigmoid(), tolerance=1e-6).state

    found = jax.jit(transform(state))(params)
    weights = np.asarray(params.weights, np.float64)
    is_free = np.array([True, True, False])
    inverse = np.linalg.inv(np.eye(3) - weights * is_free[:, None]) * is_free[None, :]
    np.testing.assert_allclose(found.bias, inverse, atol=1e-5)
    rate = np.asarray(state(params)) + 0.5
    np.testing.assert_allclose(found.weights, inverse[:, :, None] * rate, atol=1e-5)


def test_the_number_of_steps_and_the_start_have_no_derivative():
    params = stdpjax.energy.make_params([[0.0, 0.4], [0.4, 0.0]], [0.1, -0.2])

    def total(start):
        found = relax(params, start, hard_sigmoid())
        return jnp.sum(found.state), found.n_steps

    gradient, n_steps = jax.grad(total, has_aux=True)(jnp.zeros(2))
    assert gradient.tolist() == [0.0, 0.0]
    assert int(n_steps) > 5


def test_a_unit_driven_past_its_kink_chatters_about_it():
    step, drives = 0.01, np.array([0.25, 0.7, 1.0, 2.0, 4.0])
    params = stdpjax.energy.make_params(np.zeros((5, 5)), drives)
    settling = simulate(
        stdpjax.random.key(0),
        params,
        LeakyIntegrator(hard_sigmoid()),
        StepHyper(step),
        state=jnp.zeros(5),
        n_steps=4000,
        trace_every=1,
    )
    assert settling.trace is not None
    states = np.asarray(settling.trace)[2000:]
    np.testing.assert_allclose(states[:, 0], 0.25, atol=1e-6)
    past, drives = states[:, 1:], drives[1:]
    assert np.all(past > (1 - step) * 0.5 - 1e-6)
    assert np.all(past <= 0.5 + step * (drives - 0.5) + 1e-6)
    # The kink acts as a slope of kink / drive, the share of time in which the unit is active.
    np.testing.assert_allclose(np.mean(past <= 0.5, axis=0), 0.5 / drives, atol=0.01)


def test_the_solution_solves_the_usual_equation():
    weights, bias = tied_networks(stdpjax.random.key(1), 10, 5, (0.2, 0.9), 0.35)
    data = fixed_points._enumerated(weights, bias)
    rate = np.clip(data.solution.values + 0.5, 0, 1)
    np.testing.assert_allclose(data.solution, bias + np.einsum("nij,nj->ni", weights, rate), atol=1e-9)
    is_saturated = np.abs(data.solution).max("unit") > 0.5
    assert 0 < is_saturated.sum() == data.n_saturated_without_slope.sum()


@pytest.mark.slow
def test_the_printed_leak_loses_the_claims_on_the_dynamics(monkeypatch):
    def verdicts(n_steps: int) -> dict[str, str]:
        # Settings of its own for each model: what was compiled for the other has its leak in it.
        result = run("fixed_points", show_progress=False, n_networks=20, n_steps=n_steps)
        return {record["id"]: record["verdict"] for record in result.records}

    assert set(verdicts(20_010).values()) == {"met"}
    monkeypatch.setattr(network_runs, "LeakyIntegrator", PrintedLeak)
    lost = {"eq25.interior", "eq26.clip", "sec7.solution"}
    assert {claim for claim, verdict in verdicts(20_020).items() if verdict != "met"} == lost
