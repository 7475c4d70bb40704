"""Box minima by enumeration against an optimiser, derivatives of fixed points, and a twin with the printed leak."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.dynamics import PrintedIntegrator
from stdpjax.energy import Params
from stdpjax.fixed_points import relax
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


@pytest.mark.slow
def test_the_printed_leak_loses_the_verdicts_on_averages(monkeypatch):
    def verdicts(n_steps: int) -> dict[str, str]:
        # Settings of its own for each model: what was compiled for the other has its leak in it.
        result = run("fixed_points", show_progress=False, n_networks=20, n_steps=n_steps, n_noisy=n_steps // 5)
        return {record["id"]: record["verdict"] for record in result.records}

    assert "inconclusive" not in verdicts(20_010).values()
    for module in (fixed_points, network_runs):
        monkeypatch.setattr(module, "LeakyIntegrator", PrintedLeak)
    monkeypatch.setattr(network_runs, "NoisyIntegrator", PrintedIntegrator)
    lost = {"E25.average", "E25.chatter_range", "E25.duty_cycle", "E26.noise"}
    assert {claim for claim, verdict in verdicts(20_020).items() if verdict == "inconclusive"} == lost
