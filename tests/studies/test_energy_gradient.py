"""The study of the energy: derivatives and landscapes against plain loops, and its verdicts against wrong models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import networks
from stdpjax.energy import energy_of
from stdpjax.rates import hard_sigmoid, sigmoid
from stdpjax.studies import run
from stdpjax.studies.section_4_energy import energy_gradient as study


def network(key, n_units=4):
    return jax.tree.map(lambda leaf: leaf[0], networks.random_networks(key, 1, n_units, 0.8))


def loop_energy(params, state):
    """The energy of Eq 16, pair by pair."""
    weights, bias = np.asarray(params.weights, np.float64), np.asarray(params.bias, np.float64)
    rate = [min(max(s + 0.5, 0.0), 1.0) for s in state]
    total = sum(0.5 * s**2 for s in state) - sum(b * r for b, r in zip(bias, rate, strict=True))
    for i in range(len(rate)):
        for j in range(i):
            total -= weights[i, j] * rate[i] * rate[j]
    return total


def test_gradients_are_those_of_the_energy_pair_by_pair(key):
    params, state = network(key), np.array([0.1, 0.8, -0.3, -0.9])
    found = jax.jit(study.gradients)(params, jnp.asarray(state, float))
    for unit in range(4):
        move = 1e-5 * np.eye(4)[unit]
        slope = (loop_energy(params, state + move) - loop_energy(params, state - move)) / 2e-5
        for name in ("automatic", "away_from_target"):
            assert float(found[name][unit]) == pytest.approx(slope, abs=1e-5), name
    # Saturated units have no input; without the factor they would.
    assert abs(float(found["away_from_field"][1] - found["automatic"][1])) > 1e-3


def test_the_energy_is_bounded_below_and_falls_on_every_way_into_the_box(key):
    params = network(key)
    params = params._replace(weights=5.0 * params.weights)
    states = np.asarray(jax.random.uniform(key, (40, 4), float, -3, 3), np.float64)
    energies = jax.vmap(lambda state: energy_of(params, state, hard_sigmoid()))
    energy, moved, shrunk = (
        np.asarray(energies(jnp.asarray(at, float)))
        for at in (states, np.clip(states, -0.5, 0.5), np.clip(states, -0.25, 0.25))
    )
    assert (moved <= energy).all()
    assert (shrunk > moved).any()
    weights, bias = np.asarray(params.weights), np.asarray(params.bias)
    parabola = 0.5 * (states**2).sum(1)
    assert (energy >= parabola - np.abs(np.triu(weights)).sum() - np.abs(bias).sum()).all()
    assert (energy < parabola).any()


def test_the_asymmetry_of_a_plain_combination_is_that_of_its_closed_form(key):
    params, state = network(key), jnp.array([0.1, 0.3, -0.3, -0.2])
    found = jax.jit(study.asymmetries)(params, state)
    plain = np.asarray(params.weights) * np.asarray(sigmoid().slope(state))[None]
    expected = np.linalg.norm(plain - plain.T) / np.linalg.norm(plain)
    assert found.tolist()[1] == pytest.approx(expected, rel=1e-5)
    assert max(found.tolist()[::2]) < 1e-6


def test_the_gradient_with_two_weights_for_a_pair_is_not_the_one_with_their_mean(key):
    params, state = network(key), jnp.array([0.1, 0.3, -0.3, -0.2])
    untied = params._replace(weights=jnp.triu(params.weights))
    found = jax.jit(study.gradients)(untied, state)
    rate, mean = np.asarray(state) + 0.5, 0.5 * np.asarray(params.weights)
    np.testing.assert_allclose(found["automatic"], np.asarray(state) - params.bias - mean @ rate, atol=1e-6)
    assert float(jnp.abs(found["away_from_target"] - found["automatic"]).max()) > 1e-2


def test_slopes_are_those_of_lines_between_the_thresholds_and_beyond():
    state = jnp.array([-0.9, -0.56, -0.44, 0.0, 0.44, 0.56, 0.9])
    assert float(study.off_slopes(hard_sigmoid(), state).max()) < 1e-5
    rate = 1 / (1 + np.exp(-4 * (np.asarray(state)[None] + 0.05 * np.array([[1], [-1]]))))
    expected = np.abs((rate[0] - rate[1]) / 0.1 - (np.abs(state) < 0.5))
    np.testing.assert_allclose(study.off_slopes(sigmoid(), state), expected, atol=1e-5)


def verdicts(**settings):
    result = run(study.STUDY.name, show_progress=False, **{"n_networks": 8, "n_starts": 4, **settings})
    return {record["id"]: record["verdict"] for record in result.records}


right_verdicts = functools.cache(verdicts)


def _without_slope(patch):
    patch.setattr(
        study, "target_of", lambda params, state, rate_fn: study.field_of(params, rate_fn.value(state))
    )  # fmt: skip


def _no_kinks(patch):
    patch.setattr(study, "hard_sigmoid", sigmoid)


def _half_the_pairs(patch):
    right = study.energy_of
    patch.setattr(
        study,
        "energy_of",
        lambda params, state, rate_fn: right(params._replace(weights=0.5 * params.weights), state, rate_fn),
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "settings", "lost"),
    [
        (_without_slope, {}, {"eq13.linear", "eq16.gradient"}),
        (_no_kinks, {}, {"eq18.slope", "eq25.kinks"}),
        (_half_the_pairs, {}, {"eq16.gradient"}),
        (lambda patch: None, {"n_steps": 10}, {"eq25.kinks"}),
    ],
    ids=["no slope", "no kinks", "each pair counted half", "a descent cut short"],
)
def test_a_wrong_model_does_not_get_its_verdict(patch, settings, lost, monkeypatch):
    assert {*right_verdicts().values()} == {"met"}
    patch(monkeypatch)
    wrong = verdicts(**settings)
    assert "met" not in {wrong[claim] for claim in lost}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_scale": 0.0}, "weight_scale: expected a finite number above 0"),
        ({"reach": 1.0}, "reach: expected a finite number above 1"),
        ({"n_starts": 1}, "n_starts: expected a whole number of at least 2"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        study.EnergyGradientConfig(**settings)
