"""Learning over relaxations and relaxation times: a plain loop, closed forms, and twins with another rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.energy import Params
from stdpjax.networks import centred_network
from stdpjax.studies import run
from stdpjax.studies.section_6_hidden import relaxations
from stdpjax.studies.section_6_hidden.relaxations import CHANGES, STEP, Case, learn, settle_networks, settling

N_STEPS = 40
STARTS = np.random.default_rng(0).uniform(-0.4, 0.4, (3, 5))
NOISE = np.random.default_rng(1).normal(0, 0.1, (3, N_STEPS + 4, 5))


def _network(centre: float = 0.1) -> Params:
    return centred_network(stdpjax.random.key(1), centre, 5)


def _learned(rate: float, is_descent: float, is_patient: float, n_visible: int, noise: float = 0.0) -> np.ndarray:
    case = Case(*(jnp.asarray(number, float) for number in (0.1, rate, is_descent)))
    starts = jnp.asarray(STARTS, float)
    eta = noise * jnp.asarray(NOISE, float)
    weights = learn(_network(), starts, eta, case, jnp.asarray(is_patient, float), n_visible, N_STEPS)
    return np.asarray(weights, np.float64) - np.asarray(_network().weights, np.float64)


@pytest.mark.parametrize("is_patient", [0.0, 1.0])
@pytest.mark.parametrize("is_descent", [0.0, 1.0])
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_learning_is_a_plain_loop_down_the_objective_with_one_weight_for_a_pair(is_patient, is_descent, noise):
    first, bias = (np.asarray(leaf, np.float64) for leaf in _network())
    n_visible, rate, weights = 2, 0.05, first.copy()

    def move(weights, state, eta):
        field = bias + weights @ np.clip(state + eta + 0.5, 0, 1)
        return state + STEP * (np.where(np.abs(state + eta) <= 0.5, field, 0) - state)

    def clamped(weights, state, eta):
        return np.append(state[:n_visible], move(weights, state, eta)[n_visible:])

    def update(weights, state, eta, later):
        def objective(trial):
            kept = trial if is_descent else weights
            return 0.5 * np.sum((clamped(kept, clamped(kept, state, eta), later) - move(trial, state, eta)) ** 2)

        down = np.zeros_like(weights)
        for i, j in zip(*np.triu_indices(5, 1), strict=True):
            shift = np.zeros_like(weights)
            shift[i, j] = shift[j, i] = 1e-5
            down[i, j] = down[j, i] = (objective(weights - shift) - objective(weights + shift)) / 2e-5
        return down / STEP

    for start, etas in zip(STARTS, noise * NOISE, strict=True):
        state, late = start, []
        for time in range(N_STEPS + 3):
            change = update(weights, state, etas[time], etas[time + 1])
            state = clamped(weights, state, etas[time])
            if time >= N_STEPS:
                late.append(change)
            elif not is_patient:
                weights = weights + rate * change
        weights = weights + is_patient * N_STEPS * rate * np.mean(late, axis=0)
    found = _learned(rate, is_descent, is_patient, n_visible, noise)
    np.testing.assert_allclose(found, weights - first, atol=5e-5)
    assert np.abs(found).max() > 1e-2


def test_descent_is_eq1_reversed_for_small_steps_and_patience_teaches_nothing_without_inputs():
    down, back = (_learned(0.01, is_descent, 0.0, 0) for is_descent in (1.0, 0.0))
    assert np.sum(down * back) / np.linalg.norm(down) / np.linalg.norm(back) < -0.95
    assert np.abs(_learned(0.01, 1.0, 1.0, 0)).max() < 0.2 * np.abs(down).max()


def test_changes_that_are_compared_make_the_slowest_mode_faster_or_leave_it():
    cases = Case(*jnp.asarray([[0.0], [0.02], [0.0]], float))
    keys = stdpjax.random.member_keys(stdpjax.random.key(3), 4)
    sizes = {"n_visible": 3, "n_relaxations": 4, "n_relaxation_steps": 40, "n_inputs": 2, "n_starts": 2, "n_steps": 200}
    found = settle_networks(keys, cases, **sizes)
    assert found.time.shape == (4, 1, len(CHANGES), 2)
    mode = np.asarray(found.relaxation_time, np.float64)[:, 0].mean(axis=-1)
    assert np.all(mode[:, CHANGES.index("mode")] < mode[:, CHANGES.index("patient")])


def test_relaxation_along_the_slowest_mode_is_the_spectrums():
    params = _network()
    values, modes = np.linalg.eigh(np.asarray(params.weights, np.float64))
    start = 0.1 + 0.2 * modes[:, -1]
    found = settling(params, jnp.asarray(start[None], float), n_steps=200)
    exact = -STEP / np.log(1 - STEP * (1 - values[-1]))
    np.testing.assert_allclose(found.relaxation_time, exact, rtol=1e-4)
    np.testing.assert_allclose(found.late_time, exact, rtol=2e-3)
    np.testing.assert_allclose(found.time, exact * np.log(20), rtol=2e-3)
    other = settling(params, jnp.asarray(0.1 + 0.2 * modes[None, :, 0], float), n_steps=200)
    assert float(other.time) < 0.8 * exact * np.log(20)


def test_noisy_chains_forget_their_start_along_the_slowest_mode_as_fast_as_the_spectrum_has_it():
    params = _network()
    values, modes = np.linalg.eigh(np.asarray(params.weights, np.float64))
    starts = jnp.asarray(0.1 + np.array([[-0.1], [0.1]]) * modes[None, :, -1], float)
    noise = 0.05 * jax.random.normal(stdpjax.random.key(2), (200, 8, 5), float)
    exact = -STEP / np.log(1 - STEP * (1 - values[-1])) * np.log(20)
    # Between the kinks noise adds the same to all.
    np.testing.assert_allclose(relaxations.forgetting(params, starts, noise), exact, rtol=2e-3)
    assert float(relaxations.forgetting(params, starts, 8 * noise)) < 0.95 * exact


def test_a_unit_at_a_kink_is_no_part_of_a_mode_and_never_comes_to_rest():
    params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]], [0.0, 5.3])
    found = settling(params, jnp.zeros((1, 2)), n_steps=200)
    np.testing.assert_allclose(found.relaxation_time, -STEP / np.log(1 - STEP), rtol=1e-5)
    assert np.isnan(float(found.late_time))


@pytest.mark.slow
def test_without_updates_no_claim_is_met(monkeypatch):
    monkeypatch.setattr(relaxations, "objective_update", lambda params, *others: jnp.zeros_like(params.weights))
    jax.clear_caches()
    records = run("inference_speedup", show_progress=False).records
    jax.clear_caches()
    assert "met" not in {record["verdict"] for record in records}
