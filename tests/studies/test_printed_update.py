"""The update as printed: its energy pair by pair, Eq 6 to the letter, the reference solution, and a twin."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.dynamics import LeakyIntegrator, NoiseHyper, PrintedIntegrator, StepHyper, advance
from stdpjax.energy import Params, make_params
from stdpjax.random import key as key_of
from stdpjax.rates import hard_sigmoid, sigmoid
from stdpjax.studies import run
from stdpjax.studies.network_runs import path_from
from stdpjax.studies.section_4_energy import printed_update
from stdpjax.studies.section_4_energy.printed_update import (
    Midpoint,
    PrintedUpdateConfig,
    reference,
)

QUICK: dict[str, Any] = {"n_networks": 3, "n_units": 4, "n_steps": 400, "steps": (0.2, 0.5), "halvings": 2}


def test_a_printed_step_descends_the_energy_with_its_quadratic_term_doubled():
    params = make_params([[0.0, 0.5, -0.2], [0.5, 0.0, 0.3], [-0.2, 0.3, 0.0]], [0.1, -0.1, 0.2])
    start = jnp.array([0.1, -0.3, 0.4])

    def energy(state, quadratic):
        """Eq 16 pair by pair, its first term times a factor."""
        rate = hard_sigmoid().value(state)
        pairs = sum(params.weights[i, j] * rate[i] * rate[j] for i in range(3) for j in range(i))
        return 0.5 * quadratic * jnp.sum(state**2) - pairs - jnp.sum(params.bias * rate)

    moved = advance(key_of(0), params, PrintedIntegrator(hard_sigmoid()), NoiseHyper(0.2, 0.0), state=start)[0] - start
    np.testing.assert_allclose(moved, -0.2 * jax.grad(energy)(start, 2.0), atol=1e-6)
    assert float(jnp.abs(moved + 0.2 * jax.grad(energy)(start, 1.0)).max()) > 0.05


def test_deviations_from_a_target_that_stays_shrink_by_one_less_the_step():
    params = make_params([[0.0, 0.0], [0.0, 0.0]], [0.2, -0.1])
    deviations = []
    for kernel in (LeakyIntegrator, PrintedIntegrator):
        start = jnp.array([0.4, -0.4])
        path = path_from(kernel(hard_sigmoid()), params, start, kernel.Hyper(0.2), 6, key_of(0))
        deviations.append(path - params.bias[None])
    np.testing.assert_allclose(deviations[0][1:], 0.8 * deviations[0][:-1], atol=1e-6)
    assert float(jnp.abs(deviations[1][1:] - 0.8 * deviations[1][:-1]).max()) > 0.01


def test_a_midpoint_step_takes_the_exponential_to_second_order():
    params = make_params(np.zeros((2, 2)), [0.2, -0.1])
    moved = advance(key_of(0), params, Midpoint(hard_sigmoid()), StepHyper(0.4), state=jnp.zeros(2))[0].tolist()
    # 1 - exp(-x) = x - x^2 / 2 + ...; the leaky step takes the first term alone.
    assert moved == pytest.approx([0.2 * (0.4 - 0.08), -0.1 * (0.4 - 0.08)])
    assert moved[0] != pytest.approx(0.2 * 0.4, rel=0.1)


def test_the_reference_solution_is_exact_where_one_is_known():
    # Without weights and bias units decay exponentially.
    params = Params(jnp.zeros((2, 3, 3), float), jnp.zeros((2, 3), float))
    start = np.array([[0.1, 0.2, 0.3], [-0.4, 0.0, 0.4]])
    np.testing.assert_allclose(reference(params, start, 2.0), np.exp(-2) * start, rtol=1e-9)
    # And at a fixed point nothing moves.
    rate = sigmoid()
    weights, rest = jnp.array([[0.0, 0.4], [0.4, 0.0]]), jnp.zeros(2, float)
    bias = -weights @ rate.value(rest)
    np.testing.assert_allclose(reference(Params(weights[None], bias[None]), np.zeros((1, 2)), 3.0), 0, atol=1e-7)


def verdicts():
    return {r["id"]: r["verdict"] for r in run("printed_update", show_progress=False, **QUICK).records}


@pytest.mark.slow
def test_with_the_two_updates_exchanged_the_claims_on_them_are_lost(monkeypatch):
    lost = {"eq17.half", "eq6.leak", "sec3.3.eigenvectors", "eq7.order"}
    right = verdicts()
    assert {right[claim] for claim in lost} == {"met"}
    kernels = printed_update.PrintedIntegrator, printed_update.LeakyIntegrator
    monkeypatch.setattr(printed_update, "LeakyIntegrator", kernels[0])
    monkeypatch.setattr(printed_update, "PrintedIntegrator", kernels[1])
    wrong = verdicts()
    assert "met" not in {wrong[claim] for claim in lost}


def test_an_odd_number_of_units_cannot_be_halved():
    with pytest.raises(ValueError, match="n_units: expected a multiple of 2, got 3"):
        PrintedUpdateConfig(n_units=3)
