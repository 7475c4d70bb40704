"""The energy along paths: closed forms against plain loops, and twins."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.dynamics import Kernel, LeakyIntegrator, StepHyper
from stdpjax.energy import Params
from stdpjax.rates import hard_sigmoid
from stdpjax.studies import run
from stdpjax.studies.section_4_energy import energy_descent
from stdpjax.studies.section_4_energy.energy_descent import (
    EnergyDescentConfig,
    _at_kink,
    _inhibited_network,
    _noisy_network,
    returns,
    steps_until_active,
)
from stdpjax.theory.linear_noise import mean_energy
from tests.wrong_kernels import AtTemperatureOne, AtTemperatureOneWhateverTheNoise, PrintedLeak

QUICK: dict[str, Any] = {"n_networks": 8, "n_steps": 40, "n_kink_steps": 400, "n_trials": 200, "n_returns": 20}


@pytest.mark.parametrize("step", [0.02, 0.3])
def test_saturated_units_come_back_when_a_plain_loop_does(key, step):
    starts = np.array([[0.51, -0.7, 3.0, -0.95, 0.6]])
    counts = []
    for start in starts[0]:
        state, n_steps = start, 0
        while abs(state) > 0.5:
            state, n_steps = (1 - step) * state, n_steps + 1
        counts.append(n_steps)
    assert steps_until_active(starts, np.array([[step]])).tolist() == [counts]
    kernel = LeakyIntegrator(hard_sigmoid())
    found = returns(jnp.asarray(starts, float), StepHyper(jnp.array([step], float)), key, kernel, 100)
    assert found.tolist() == [counts]


def test_energy_changes_at_a_threshold_as_in_a_plain_loop(key):
    step, field = 0.05, 1.3
    kink = _at_kink(
        Params(jnp.zeros((1, 1), float), jnp.array([field], float)), jnp.array([0.1], float),
        StepHyper(jnp.asarray(step, float)), 200, key, LeakyIntegrator(hard_sigmoid()),
    )  # fmt: skip
    state, energies = 0.1, []
    for _ in range(201):
        energies.append(0.5 * state**2 - field * min(max(state + 0.5, 0.0), 1.0))
        state += step * ((field if -0.5 <= state <= 0.5 else 0.0) - state)
    rises = np.diff(energies[100:])
    assert float(kink["up"]) == pytest.approx((rises > 2e-6).mean(), abs=0.011)
    assert float(kink["change"]) == pytest.approx(energies[-1] - energies[0], abs=1e-3)
    assert energies[-1] < energies[0]


def test_the_mean_energy_with_noise_settles_at_the_trace_of_the_stationary_covariance(key):
    config = EnergyDescentConfig(n_noise_steps=2000)
    params = _noisy_network(key, config.n_units)
    weights = np.asarray(params.weights, np.float64)
    values, vectors = np.linalg.eigh(weights)
    # Along an eigenvector: variance of a first-order autoregression.
    step = config.noise_step
    variance = (step * config.noise_std * values) ** 2 / (1 - (1 - step * (1 - values)) ** 2)
    energies = mean_energy(weights, 0.2 * vectors[:, 0], step, config.noise_std, config.n_noise_steps)
    assert energies[-1] == pytest.approx(0.5 * np.sum((1 - values) * variance), rel=1e-6)
    assert energies[0] == pytest.approx(0.5 * 0.04 * (1 - values[0]), rel=1e-6)


def test_the_inhibited_network_rests_at_0_and_has_a_bound_below_1(key):
    params, start = _inhibited_network(key, 6)
    field = params.bias + params.weights @ hard_sigmoid().value(jnp.zeros(6))
    np.testing.assert_allclose(field, 0, atol=1e-6)
    values = np.linalg.eigvalsh(np.asarray(params.weights))
    assert values[-1] < 1
    assert 2 / (1 - values[0]) < 1
    assert float(jnp.linalg.norm(start)) == pytest.approx(0.45, rel=1e-5)


def verdicts():
    return {r["id"]: r["verdict"] for r in run("energy_descent", show_progress=False, **QUICK).records}


@pytest.mark.slow
def test_with_the_leak_subtracted_twice_the_claims_on_the_dynamics_are_lost(monkeypatch):
    right = verdicts()
    assert {right[claim] for claim in ("sec4.2.steps", "sec9.noise")} == {"met"}
    monkeypatch.setattr(energy_descent, "LeakyIntegrator", PrintedLeak)
    assert verdicts()["sec4.2.steps"] != "met"


class ToTheBox(Kernel):
    """Units that relax to their input cut off at the thresholds: at the minimum of the energy they stay."""

    def __call__(self, key: Any, state: Any, field: Any, hyper: Any) -> Any:
        pulled = field.params.bias + field.params.weights @ jnp.clip(state + 0.5, 0, 1)
        return state + hyper.step * (jnp.clip(pulled, -0.5, 0.5) - state)


@pytest.mark.slow
def test_without_chatter_the_energy_does_not_rise_from_its_minimum(monkeypatch):
    assert verdicts()["sec9.thresholds"] == "met"
    monkeypatch.setattr(energy_descent, "LeakyIntegrator", ToTheBox)
    assert verdicts()["sec9.thresholds"] != "met"


@pytest.mark.slow
def test_with_noise_of_temperature_one_the_energy_does_not_fall(monkeypatch):
    monkeypatch.setattr(energy_descent, "NoisyIntegrator", AtTemperatureOneWhateverTheNoise)
    assert verdicts()["sec9.noise"] != "met"


@pytest.mark.slow
def test_with_noise_added_to_the_steps_inside_the_energy_does_rise(monkeypatch):
    monkeypatch.setattr(energy_descent, "LeakyIntegrator", AtTemperatureOne)
    assert verdicts()["sec9.interior"] != "met"


def test_noise_that_drives_units_into_saturation_is_refused():
    with pytest.raises(ValueError, match=r"noise_std: expected a finite number above 0 and at most 0\.05"):
        EnergyDescentConfig(noise_std=0.2)
