"""The study of J_h and J_x: its parts against plain loops and finite differences, and wrong models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.lab.reproduce import make_config
from stdpjax.studies import find, run
from stdpjax.studies.section_6_hidden import clamped_networks, hidden_objective


def rho(state):
    return np.clip(state + 0.5, 0, 1)


def pulled(weights, bias, state):
    """R(s), written out."""
    active = (np.abs(state) <= 0.5).astype(float)
    return active * (bias + weights @ rho(state))


@pytest.fixture
def network(key):
    params, state = clamped_networks.clamped_network(key, 2, 3)
    return params, state


def test_the_parts_of_the_objective_equal_a_plain_loop(network):
    params, start = network
    found = jax.jit(lambda: clamped_networks.relaxation(params, start, jnp.asarray(0.2), 2, 6))()
    weights, bias = np.asarray(params.weights, np.float64), np.asarray(params.bias, np.float64)
    path = [np.asarray(start, np.float64)]
    for _ in range(7):
        following = path[-1] + 0.2 * (pulled(weights, bias, path[-1]) - path[-1])
        following[:2] = path[0][:2]
        path.append(following)
    for t in range(1, 7):
        before, now, after = path[t - 1], path[t], path[t + 1]
        prediction = before + 0.2 * (pulled(weights, bias, before) - before)
        error = 0.5 * (after - prediction) ** 2
        assert found["hidden"][t - 1] == pytest.approx(error[2:].sum(), rel=1e-4)
        assert found["total"][t - 1] == pytest.approx(error.sum(), rel=1e-4)
        # What the paper says of scores: of clamped units x - f_x, of hidden ones the change over two steps.
        score, next_score = (pulled(weights, bias, state) - state for state in (before, now))
        assert 0.2 * found["visible_gradient"][t - 1] == pytest.approx(np.sqrt(2 * error[:2].sum()), rel=1e-4)
        np.testing.assert_allclose((after - before)[2:], 0.2 * (score + next_score)[2:], atol=1e-14)
        assert found["gradient_before"][t - 1] == pytest.approx(np.linalg.norm(score[2:]), rel=1e-4)
        assert found["gradient_now"][t - 1] == pytest.approx(np.linalg.norm(next_score[2:]), rel=1e-4)
        printed = (0.5 * np.sum((after - before - 0.2 * pull) ** 2) for pull in (score, next_score))
        assert found["printed"][t - 1] == pytest.approx(next(printed), rel=1e-4)
        assert found["printed_now"][t - 1] == pytest.approx(next(printed), rel=1e-4)
        assert found["two_steps"][t - 1] == pytest.approx(np.linalg.norm(after - before), rel=1e-4)


def test_one_update_moves_the_gradients_as_the_formulas_say(key, network):
    params, before = network
    step, rate = 0.2, 0.5
    found = jax.jit(lambda: clamped_networks.one_update(key, params, before, jnp.asarray(step), jnp.asarray(rate), 2))()
    weights, bias = np.asarray(params.weights, np.float64), np.asarray(params.bias, np.float64)
    state = np.asarray(before, np.float64)

    def move(weights, state):
        following = state + step * (pulled(weights, bias, state) - state)
        following[:2] = state[:2]
        return following

    def loss(trial, mask, is_frozen):
        kept = weights if is_frozen else trial
        goal = move(kept, move(kept, state))
        prediction = state + step * (pulled(trial, bias, state) - state)
        return 0.5 * np.sum(((prediction - goal) * mask) ** 2)

    def log_ratio(mask, is_frozen, is_hidden=True):
        slope = np.zeros_like(weights)
        for i, j in zip(*np.triu_indices(len(weights), 1), strict=True):
            shift = np.zeros_like(weights)
            shift[i, j] = shift[j, i] = 1e-6
            slope[i, j] = slope[j, i] = (
                loss(weights + shift, mask, is_frozen) - loss(weights - shift, mask, is_frozen)
            ) / 2e-6

        def size(weights):
            # What J_x asks for is at h_{t-1}, what J_h asks for at h_t.
            at = move(weights, state) if is_hidden else state
            return np.linalg.norm((at - pulled(weights, bias, at)) * mask)

        return np.log(size(weights - rate * slope) / size(weights))

    visible = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
    assert found[0] == pytest.approx(log_ratio(visible, True, is_hidden=False), rel=1e-2)
    assert found[1] == pytest.approx(log_ratio(1 - visible, True), rel=1e-2)
    assert found[2] == pytest.approx(log_ratio(1 - visible, False), rel=1e-2)
    assert found[0] < 0 < found[1]
    assert found[2] < 0
    assert abs(found[3]) < abs(found[1])


def test_noise_adds_its_weight_decay_to_the_clamped_part(key, network):
    params, state = network
    mean, error, plain, decay = (
        float(part) for part in clamped_networks.noisy_objective(key, params, 0.5 * state, jnp.asarray(0.1), 2, 50_000)
    )
    assert abs(mean - plain - decay) < 4 * error
    assert abs(mean - plain) > 8 * error


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": (0.2, 0.02)}, "steps: expected at least two increasing numbers"),
        ({"steps": (0.2,)}, "steps: expected at least two increasing numbers"),
        ({"noise_std": 0.0}, "noise_std: expected a finite number above 0"),
        ({"n_hidden": 0}, "n_hidden: expected a whole number"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("hidden_objective"), True, settings)


@pytest.mark.slow
def test_wrong_models_lose_their_verdicts(monkeypatch):
    def verdicts():
        jax.clear_caches()
        return {record["id"]: record["verdict"] for record in run("hidden_objective", show_progress=False).records}

    assert set(verdicts().values()) == {"met"}
    energy, part = clamped_networks.energy_of, clamped_networks.prediction_error

    def another_energy(patch):
        patch.setattr(clamped_networks, "energy_of", lambda *arguments: 1.01 * energy(*arguments))
        patch.setattr(hidden_objective, "smoothed_hard_sigmoid", lambda noise_std: stdpjax.rates.hard_sigmoid())
        return {"eq19.parts", "eq20.step", "eq20.drift", "eq21.gradient", "eq22.weight_decay", "sec6.2.index"}

    def opposite_goal(patch):
        # The change that is to be predicted, backwards: hidden units that predict it descend.
        def wrong(params, state, noise, goal, *others):
            return part(params, state, noise, 2 * state - goal, *others)

        patch.setattr(clamped_networks, "prediction_error", wrong)
        return {"eq19.parts", "eq21.gradient", "sec6.2.ascends", "sec6.2.index", "sec6.2.late", "sec6.2.ratio"}

    for change in (another_energy, opposite_goal):
        with monkeypatch.context() as patch:
            lost = change(patch)
            wrong = verdicts()
        assert {name for name, verdict in wrong.items() if verdict != "met"} == lost
    jax.clear_caches()
