"""The study of the paper's noise: its laws against recursions and loops, and a wrong model that loses its verdicts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import stdpjax
from stdpjax.dynamics import NoiseHyper, NoisyIntegrator, simulate, transition
from stdpjax.energy import Params
from stdpjax.lab.reproduce import make_config
from stdpjax.rates import hard_sigmoid
from stdpjax.studies import find, network_runs, run
from stdpjax.studies.section_4_energy import langevin_noise
from stdpjax.theory.linear_noise import linear_variance, weights_of_modes
from tests.wrong_kernels import AtTemperatureOneWhateverTheNoise

MODES = np.array([-0.5, 0.3, 0.6, -0.4])


def test_a_step_descends_at_the_noisy_state_and_adds_the_noise(key):
    params = Params(jnp.asarray(weights_of_modes(MODES), float), jnp.full(4, 0.1))
    state, eta = jnp.array([0.2, -0.1, 0.3, 0.0]), 0.3 * jax.random.normal(key, (4,))
    slope = jax.grad(lambda state: stdpjax.energy.energy(params, state, hard_sigmoid()))
    moved = transition(params, state, eta, hard_sigmoid(), jnp.asarray(0.1)) - state
    np.testing.assert_allclose(moved, 0.1 * (eta - slope(state + eta)), atol=1e-6)
    assert float(jnp.abs(moved - 0.1 * (eta - slope(state))).max()) > 1e-3


def test_a_unit_without_inputs_and_bias_never_feels_the_noise(key):
    spread = []
    for bias in (0.0, 0.4):
        params, kernel = Params(jnp.zeros((1, 1)), jnp.full(1, bias)), NoisyIntegrator(hard_sigmoid())
        ended = simulate(key, params, kernel, NoiseHyper(0.1, 0.3), state=jnp.zeros((50, 1)), n_steps=100)
        spread.append(float(jnp.std(ended.state)))
    assert spread[0] == 0
    assert spread[1] > 1e-3


def test_one_temperature_fits_variances_of_one_temperature_alone():
    stiffness, steps = 1 - MODES, np.array([0.05, 0.2])
    paper = linear_variance(MODES[None], steps[:, None], 0.3)
    for variance, is_fitted in ((np.outer([0.3, 2.0], 1 / stiffness), True), (paper, False)):
        data = xr.Dataset({"variance": (("step", "mode"), variance)}, {"mode": MODES})
        off = np.abs(langevin_noise._at_one_temperature(data) / variance - 1).max()
        assert (off < 1e-12) == is_fitted
        assert is_fitted or off > 0.5


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
    assert float(off[:, ::2].max()) < 2e-6
    assert float(off[:, 1::2].min()) > 1e-3
    series = np.asarray(nu, np.float64)
    # The standard error of a lag's product over independent walks; 4 of them.
    products = np.stack([(series[:, 3:] * series[:, 3 - lag : 100 - lag]).mean((1, 2)) for lag in range(3)])
    # Of nu_t = eta_{t+1} - 0.9 eta_t at lags 0, 1, 2.
    law = 0.3**2 * np.array([1 + 0.9**2, -0.9, 0.0])
    z = (products.mean(1) - law) / (products.std(1, ddof=1) / np.sqrt(200))
    assert np.abs(z).max() < 4
    white = law * np.array([1, 0, 0])
    assert np.abs((products.mean(1) - white) / (products.std(1, ddof=1) / np.sqrt(200))).max() > 20


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
        ({"n_mean_steps": 100}, "n_mean_steps: expected a multiple of 45"),
        ({"steps": (0.1, 0.1)}, "steps: expected different values"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("langevin_noise"), True, settings)


class Wandering(NoisyIntegrator):
    """Units that noise moves and nothing brings back."""

    def __call__(self, key, state, field, hyper):
        return state + hyper.step * hyper.noise_std * jax.random.normal(key, state.shape, state.dtype)


def _white_walks(key, *_, n_walks, n_steps):
    return jax.random.normal(key, (n_walks, n_steps, 4)), jnp.ones((n_walks, 4))


def verdicts():
    return {record["id"]: record["verdict"] for record in run("langevin_noise", show_progress=False).records}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wrong", "lost"),
    [
        ("NoisyIntegrator", AtTemperatureOneWhateverTheNoise, {"sec4.1.variance", "eq7.smoothed"}),
        ("NoisyIntegrator", lambda rho: NoisyIntegrator(rho, "added"), {"sec4.1.variance", "eq7.smoothed"}),
        ("NoisyIntegrator", Wandering, {"sec3.3.bounded", "sec4.1.variance"}),
        ("_noisy_walks", _white_walks, {"sec4.1.long_run", "eq14.algebra", "eq15.algebra"}),
    ],
    ids=["Langevin noise", "noise added to the step", "a random walk", "white noise"],
)
def test_other_noise_instead_of_the_papers_loses_the_verdicts(name, wrong, lost, monkeypatch):
    monkeypatch.setattr(langevin_noise, name, wrong)
    found = verdicts()
    assert "met" not in {found[claim] for claim in lost}
