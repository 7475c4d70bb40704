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
from stdpjax.studies.section_6_hidden.inference_speedup import InferenceSpeedupConfig
from stdpjax.studies.section_6_hidden.relaxations import CHANGES, STEP, Case, forgetting, learn, settle_networks

N_STEPS = 40
STARTS = np.random.default_rng(0).uniform(-0.4, 0.4, (3, 5))
NOISE = np.random.default_rng(1).normal(0, 0.1, (3, N_STEPS + 4, 5))


def _network(centre: float = 0.1) -> Params:
    return centred_network(stdpjax.random.key(1), centre, 5)


def _learned(rate: float, is_descent: float, is_patient: float, n_visible: int, noise: float = 0.0) -> np.ndarray:
    case = Case(*(jnp.asarray(number, float) for number in (n_visible, 0.1, rate, is_descent, 0.0, 0.0)))
    starts = jnp.asarray(STARTS, float)
    eta = noise * jnp.asarray(NOISE, float)
    weights = learn(_network(), starts, eta, case, jnp.asarray(is_patient, float), N_STEPS)
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


def _forgotten(params: Params, starts: np.ndarray, noise: float = 0.0, is_clamped: tuple[int, ...] = ()) -> np.ndarray:
    eta = noise * jax.random.normal(stdpjax.random.key(2), (200, 8, starts.shape[1]), float)
    clamped = jnp.isin(jnp.arange(starts.shape[1]), jnp.array(is_clamped, int))
    return np.asarray(jax.jit(forgetting)(params, jnp.asarray(starts, float), eta, clamped), np.float64)


def test_changes_that_are_compared_make_the_slowest_mode_faster():
    cases = Case(*jnp.asarray([[3.0], [0.0], [0.02], [0.0], [0.0], [0.0]], float))
    keys = stdpjax.random.member_keys(stdpjax.random.key(3), 4)
    config = InferenceSpeedupConfig(n_relaxations=4, n_relaxation_steps=40, n_inputs=2, n_starts=2, n_draws=1)
    found = np.asarray(settle_networks(keys, cases, config))
    assert found.shape == (4, 1, len(CHANGES), 2, 2)
    # The fall from the first share to the second.
    late = np.diff(found[:, 0], axis=-1)[..., 0].mean(axis=-1)
    assert np.all(late[:, CHANGES.index("mode")] < late[:, CHANGES.index("patient")])


def test_starts_are_forgotten_along_the_slowest_mode_as_fast_as_the_spectrum_has_it_and_with_little_noise_too():
    params = _network()
    values, modes = np.linalg.eigh(np.asarray(params.weights, np.float64))
    exact = -STEP / np.log(1 - STEP * (1 - values[-1])) * np.log([20, 200])
    starts = 0.1 + np.array([[-0.2], [0.2]]) * modes[None, :, -1]
    np.testing.assert_allclose(_forgotten(params, starts), exact, rtol=2e-3)
    # Between the kinks noise adds the same to both; large noise makes rates less steep.
    near = 0.1 + 0.25 * (starts - 0.1)
    np.testing.assert_allclose(_forgotten(params, near, 0.05), exact, rtol=5e-3)
    assert _forgotten(params, starts, 0.5)[0] < 0.9 * exact[0]
    other = _forgotten(params, 0.1 + np.array([[-0.2], [0.2]]) * modes[None, :, 0])
    assert np.all(other < 0.8 * exact)


def test_clamped_units_are_no_part_of_what_is_forgotten():
    params, (held, *free) = _network(), range(5)
    values, modes = np.linalg.eigh(np.asarray(params.weights, np.float64)[1:, 1:])
    starts = np.full((2, 5), 0.1)
    starts[:, free] += np.array([[-0.2], [0.2]]) * modes[None, :, -1]
    exact = -STEP / np.log(1 - STEP * (1 - values[-1])) * np.log([20, 200])
    np.testing.assert_allclose(_forgotten(params, starts, is_clamped=(held,)), exact, rtol=2e-3)


def test_units_driven_past_a_kink_never_come_to_rest_without_noise():
    params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]], [0.0, 5.3])
    assert np.isnan(_forgotten(params, np.array([[0.0, 0.1], [0.1, -0.3]]))[1])


@pytest.mark.slow
def test_without_updates_no_claim_is_met(monkeypatch):
    monkeypatch.setattr(relaxations, "objective_update", lambda params, *others: jnp.zeros_like(params.weights))
    jax.clear_caches()
    records = run("inference_speedup", show_progress=False).records
    jax.clear_caches()
    assert "met" not in {record["verdict"] for record in records}
