"""The study of J_h and J_x: its parts against plain loops and finite differences, and wrong models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.lab.reproduce import make_config
from stdpjax.rules import Rule, differential_rule
from stdpjax.studies import find, run
from stdpjax.studies.section_6_hidden import hidden_objective


def rho(state):
    return np.clip(state + 0.5, 0, 1)


def pulled(weights, bias, state):
    """R(s), written out."""
    active = (np.abs(state) <= 0.5).astype(float)
    return active * (bias + weights @ rho(state))


@pytest.fixture
def network(key):
    params, state = hidden_objective.clamped_network(key, 2, 3)
    return params, state


def test_the_parts_of_the_objective_equal_a_plain_loop(network):
    params, start = network
    found = jax.jit(lambda: hidden_objective.relaxation(params, start, jnp.asarray(0.2), 2, 6))()
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
        assert found["visible"][t - 1] == pytest.approx(error[:2].sum(), rel=1e-4)
        assert found["total"][t - 1] == pytest.approx(error.sum(), rel=1e-4)
        slope = now - pulled(weights, bias, now)
        assert found["gradient_now"][t - 1] == pytest.approx(np.linalg.norm(slope[2:]), rel=1e-4)
        assert found["two_steps"][t - 1] == pytest.approx(np.linalg.norm(after - before), rel=1e-4)
    assert float(jnp.max(found["off_clamped"])) < 1e-6
    assert float(jnp.max(found["off_scores"])) < 1e-6


def test_one_update_moves_the_gradients_as_the_formulas_say(network):
    params, before = network
    step, rate = 0.2, 0.5
    found = jax.jit(lambda: hidden_objective.one_update(params, before, jnp.asarray(step), jnp.asarray(rate), 2))()
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

    def log_ratio(mask, is_frozen):
        slope = np.zeros_like(weights)
        for place in np.ndindex(weights.shape):
            shift = np.zeros_like(weights)
            shift[place] = 1e-6
            slope[place] = (loss(weights + shift, mask, is_frozen) - loss(weights - shift, mask, is_frozen)) / 2e-6
        sizes = [np.linalg.norm((state - pulled(w, bias, state)) * mask) for w in (weights, weights - rate * slope)]
        return np.log(sizes[1] / sizes[0])

    visible = np.array([1.0, 1.0, 0.0, 0.0, 0.0])
    assert found[0] == pytest.approx(log_ratio(visible, True), rel=1e-2)
    assert found[1] == pytest.approx(0, abs=1e-6)
    assert found[2] == pytest.approx(log_ratio(1 - visible, True), rel=1e-2)
    assert found[3] == pytest.approx(log_ratio(1 - visible, False), rel=1e-2)
    assert found[0] < 0 < found[2]
    assert found[4] == 0


def test_noise_adds_its_weight_decay_to_the_clamped_part(key, network):
    params, state = network
    mean, error, plain, decay = (
        float(part) for part in hidden_objective.noisy_objective(key, params, 0.5 * state, jnp.asarray(0.1), 2, 50_000)
    )
    assert abs(mean - plain - decay) < 4 * error
    assert abs(mean - plain) > 8 * error


def test_relaxations_without_learning_keep_their_speed_and_with_it_gain(key):
    centre = jnp.zeros(())
    still, _, is_finite = hidden_objective.learning_relaxations(key, centre, centre, n_relaxations=4, n_steps=40)
    faster, time, _ = hidden_objective.learning_relaxations(key, centre, centre + 0.1, n_relaxations=4, n_steps=40)
    assert bool(is_finite)
    np.testing.assert_allclose(still, still[0], rtol=1e-6)
    assert faster[-1] > 1.02 * faster[0]
    assert faster[0] == still[0]
    assert float(time.min()) > 0
    assert float(time.max()) <= 4.0


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


def reversed_rule():
    right = differential_rule()

    def update(sample, rule_state, weights):
        delta_w, rule_state = right.update(sample, rule_state, weights)
        return -delta_w, rule_state

    return Rule(right.init, update)


@pytest.mark.slow
def test_wrong_models_lose_their_verdicts(monkeypatch):
    def verdicts():
        jax.clear_caches()
        return {record["id"]: record["verdict"] for record in run("hidden_objective", show_progress=False).records}

    assert verdicts() == {claim.id: claim.verdict for claim in find("hidden_objective").claims}
    plain = stdpjax.energy.energy_of
    with monkeypatch.context() as patch:
        patch.setattr(hidden_objective, "differential_rule", reversed_rule)
        patch.setattr(hidden_objective, "energy_of", lambda *arguments: 1.01 * plain(*arguments))
        patch.setattr(hidden_objective, "smoothed_hard_sigmoid", lambda noise_std: hidden_objective.hard_sigmoid())
        wrong = verdicts()
    lost = {
        "T12.faster",
        "T12.slower",
        "E21.clamped",
        "E22.exact",
        "6.2.exact_index",
        "6.2.scores",
        "E20.drift",
        "6.2.late_index",
    }
    assert {name for name, verdict in wrong.items() if verdict == "inconclusive"} == lost
    jax.clear_caches()
