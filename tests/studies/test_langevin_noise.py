"""The study of the paper's noise: its laws against recursions and loops, and a wrong model that loses its verdicts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.dynamics import NoiseHyper, NoisyIntegrator, simulate
from stdpjax.energy import Params
from stdpjax.lab.reproduce import make_config
from stdpjax.rates import hard_sigmoid
from stdpjax.studies import find, network_runs, run
from stdpjax.studies.section_4_energy import langevin_noise
from stdpjax.theory.linear_noise import moving_average, weights_of_modes
from tests.wrong_kernels import AtTemperatureOneWhateverTheNoise

MODES = np.array([-0.5, 0.3, 0.6, -0.4])


def test_temperature_slope_tells_a_power_law_from_a_temperature():
    assert langevin_noise._temperature_slope(MODES, 3.0 / (1 - MODES)) == pytest.approx(0, abs=1e-12)
    assert langevin_noise._temperature_slope(MODES, np.abs(MODES) ** 1.5 / (1 - MODES)) == pytest.approx(1.5)


def test_settled_states_are_those_of_a_simulation_on_its_own():
    key, kernel = stdpjax.random.key(3), NoisyIntegrator(hard_sigmoid())
    params = network_runs.networks([np.zeros((2, 2)), np.array([[0, 0.5], [0.5, 0]])], [np.zeros(2), np.ones(2)])
    hyper = network_runs.cases(kernel, step=[0.1, 0.2], noise_std=0.3)
    found = network_runs.settled_states(key, params, kernel, hyper, n_trials=3, n_steps=12, n_settling=4, every=2)
    alone = simulate(
        key, Params(params.weights[1], params.bias[1]), kernel, NoiseHyper(step=0.2, noise_std=0.3),
        state=jnp.zeros((3, 2)), n_steps=12, trace_every=2,
    )  # fmt: skip
    assert alone.trace is not None
    np.testing.assert_allclose(found.states[1], alone.trace[:, 2:], atol=1e-6)
    assert found.is_finite.all()


def test_the_walk_is_the_dynamics_and_its_noise_term_a_moving_average():
    params = Params(jnp.asarray(weights_of_modes(MODES), float), jnp.full(4, 0.1))
    nu, off = langevin_noise._noisy_walks(
        stdpjax.random.key(0), params, jnp.asarray(0.1), jnp.asarray(0.3), n_walks=200, n_steps=100
    )
    assert float(off[:, 0].max()) < 2e-6
    assert float(off[:, 2].max()) < 2e-6
    assert float(off[:, 1].min()) > 1e-3
    series = np.asarray(nu, np.float64)
    # The standard error of a lag's product over independent walks; 4 of them.
    products = np.stack([(series[:, 3:] * series[:, 3 - lag : 100 - lag]).mean((1, 2)) for lag in range(3)])
    z = (products.mean(1) - moving_average(0.1, 0.3, 2)) / (products.std(1, ddof=1) / np.sqrt(200))
    assert np.abs(z).max() < 4
    white = moving_average(0.1, 0.3, 2) * np.array([1, 0, 0])
    assert np.abs((products.mean(1) - white) / (products.std(1, ddof=1) / np.sqrt(200))).max() > 20


def test_autocovariance_equals_a_plain_loop():
    series = np.random.default_rng(0).normal(size=(3, 6, 2))
    for lag, value in enumerate(langevin_noise._autocovariance(series, 2)):
        terms = [series[w, t, u] * series[w, t + lag, u] for w in range(3) for t in range(6 - lag) for u in range(2)]
        assert value == pytest.approx(np.mean(terms))


def test_long_run_variance_finds_what_a_moving_average_adds_up_to():
    eta = np.random.default_rng(1).normal(size=(2000, 401, 2))
    for series, expected in ((eta[:, 1:] - 0.9 * eta[:, :-1], 0.01), (eta, 1.0)):
        found = langevin_noise._long_run_variance(series)
        assert abs(found.value - expected) < 4 * found.standard_error


def test_the_mean_drift_is_that_of_the_smoothed_rates_and_not_that_of_the_rates():
    params = Params(jnp.asarray(weights_of_modes(MODES), float), jnp.full(4, 0.1))
    state = jnp.array([0.45, -0.4, 0.6, 0.0])
    mean, error = network_runs.drift_at(stdpjax.random.key(2), params, state, jnp.asarray(0.3), n_draws=20_000)
    smooth = stdpjax.energy.target(params, state, stdpjax.rates.smoothed_hard_sigmoid(0.3))
    assert float(jnp.max(jnp.abs(mean - smooth) / error)) < 4
    assert float(jnp.max(jnp.abs(mean - stdpjax.energy.target(params, state, hard_sigmoid())) / error)) > 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modes": (0.5, 0.5)}, "modes: expected three numbers"),
        ({"modes": (0.5, 0.5, 1.0)}, "modes: expected a finite number above -3 and below 1"),
        ({"n_linear_steps": 50}, "n_linear_steps: expected a multiple of 40"),
        ({"levels": (0.1, 1.0)}, "levels: expected increasing numbers, among them 0.3 and 1"),
        ({"steps": (0.1, 0.1)}, "steps: expected different values"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("langevin_noise"), True, settings)


@pytest.mark.slow
def test_langevin_noise_instead_of_the_papers_loses_the_verdicts(monkeypatch):
    right = {record["id"]: record["verdict"] for record in run("langevin_noise", show_progress=False).records}
    assert right == {claim.id: claim.verdict for claim in find("langevin_noise").claims}
    with monkeypatch.context() as patch:
        patch.setattr(langevin_noise, "NoisyIntegrator", AtTemperatureOneWhateverTheNoise)
        patch.setattr(
            langevin_noise, "_noisy_walks",
            lambda key, *_, n_walks, n_steps: (jax.random.normal(key, (n_walks, n_steps, 4)), jnp.ones((n_walks, 3))),
        )  # fmt: skip
        wrong = {record["id"]: record["verdict"] for record in run("langevin_noise", show_progress=False).records}
    kept = {name for name, verdict in wrong.items() if verdict != "inconclusive"}
    assert kept == {"E14.drift"}
