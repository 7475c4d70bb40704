"""Learning over relaxations and relaxation times: a plain loop, closed forms, and twins with another rule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.energy import Params
from stdpjax.networks import centred_network
from stdpjax.studies import run
from stdpjax.studies.section_6_hidden import inference_speedup
from stdpjax.studies.section_6_hidden.relaxations import (
    STEP,
    Lesson,
    learn_networks,
    learn_stages,
    settle_networks,
    settling,
)

SIZES = {"n_stages": 2, "n_relaxations": 2, "n_steps": 60}


def _network(centre: float = 0.1) -> Params:
    return centred_network(stdpjax.random.key(1), centre, 5)


def _learned(**rates: float) -> np.ndarray:
    lesson = Lesson(*(jnp.asarray(rates.get(name, 0.0), float) for name in Lesson._fields))
    weights, is_finite = learn_stages(stdpjax.random.key(2), _network(), lesson, **SIZES)
    assert bool(is_finite)
    weights = np.asarray(weights, np.float64)
    # No unit connects to itself, so the rates of all modes have the sum that they had.
    np.testing.assert_allclose(np.linalg.eigvals(weights[-1]).sum(), 0, atol=1e-5)
    return weights


def test_tied_learning_adds_what_products_of_rates_gain_and_untied_learning_does_not():
    first = np.asarray(_network().weights, np.float64)
    bias = np.asarray(_network().bias, np.float64)
    weights = _learned(eq1=0.05, tie=1.0)
    keys = stdpjax.random.member_keys(stdpjax.random.key(2), SIZES["n_stages"] * SIZES["n_relaxations"])
    # A plain loop, in which each relaxation runs with the weights that the one before it left.
    expected = first.copy()
    for key in keys:
        state = np.asarray(jax.random.uniform(key, (5,), float, -0.5, 0.5), np.float64)
        rate = begin = state + 0.5
        for _ in range(SIZES["n_steps"]):
            field = bias + expected @ rate
            state = state + STEP * (np.where(np.abs(state) <= 0.5, field, 0) - state)
            after = np.clip(state + 0.5, 0, 1)
            gain = np.outer(after, after) - np.outer(rate, rate)
            expected = expected + 0.05 * (gain - np.diag(np.diag(gain)))
            rate = after
        assert np.abs(begin - rate).max() > 0.1
    np.testing.assert_allclose(weights[-1], expected, atol=5e-5)
    assert np.abs(weights[-1] - first).max() > 1e-2
    untied = _learned(eq1=0.05)
    assert np.abs(untied[-1] - untied[-1].T).max() > 1e-3


def test_decay_is_exponential_and_nothing_changes_frozen_weights():
    first = np.asarray(_network().weights, np.float64)
    np.testing.assert_allclose(_learned(decay=1e-3)[-1], first * (1 - 1e-3) ** 240, rtol=1e-4)
    frozen = _learned()
    np.testing.assert_array_equal(frozen, np.broadcast_to(frozen[0], frozen.shape))


def test_descent_on_the_speed_is_eq1_reversed_for_small_steps():
    first = np.asarray(_network().weights, np.float64)
    down, back = (
        _learned(**rates)[-1] - first for rates in ({"descent": 0.01, "tie": 1.0}, {"eq1": -0.01, "tie": 1.0})
    )
    assert np.sum(down * back) / np.linalg.norm(down) / np.linalg.norm(back) > 0.95


@pytest.mark.parametrize("is_clipped", [False, True])
def test_relaxation_along_the_slowest_mode_is_the_spectrums(is_clipped: bool):
    params = _network()
    values, modes = np.linalg.eigh(np.asarray(params.weights, np.float64))
    start = 0.1 + 0.2 * modes[:, -1]
    found = settling(params, jnp.asarray(start[None], float), n_steps=200, is_clipped=is_clipped)
    exact = -STEP / np.log(1 - STEP * (1 - values[-1]))
    np.testing.assert_allclose(found.relaxation_time, exact, rtol=1e-4)
    np.testing.assert_allclose(found.late_time, exact, rtol=2e-3)
    np.testing.assert_allclose(found.time, exact * np.log(20), rtol=2e-3)
    np.testing.assert_allclose(found.speed, 0.2 * (1 - values[-1]), rtol=1e-4)
    assert bool(found.is_interior)
    other = settling(params, jnp.asarray(0.1 + 0.2 * modes[None, :, 0], float), n_steps=200)
    assert float(other.time) < 0.8 * exact * np.log(20)


def test_a_unit_at_a_kink_is_no_part_of_a_mode_and_never_comes_to_rest():
    params = stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]], [0.0, 5.3])
    found = settling(params, jnp.zeros((1, 2)), n_steps=200)
    assert not bool(found.is_interior)
    np.testing.assert_allclose(found.relaxation_time, -STEP / np.log(1 - STEP), rtol=1e-5)
    assert np.isnan(float(found.late_time))
    assert np.isfinite(float(settling(params, jnp.zeros((1, 2)), n_steps=200, is_clipped=True).late_time))


def test_eq1_makes_a_network_faster_at_random_states_and_frozen_weights_do_not():
    def speeds(rate):
        lessons = Lesson(*(jnp.asarray([rate if name == "eq1" else 0.0], float) for name in Lesson._fields))
        keys = stdpjax.random.member_keys(stdpjax.random.key(3), 1)
        networks, is_finite = learn_networks(keys, jnp.zeros(1), lessons, n_stages=1, n_relaxations=4, n_steps=40)
        assert bool(is_finite.all())
        return np.asarray(settle_networks(keys, networks, n_starts=8, n_steps=100).speed, np.float64)[0, 0, 0]

    still, faster = speeds(0.0), speeds(0.1)
    np.testing.assert_allclose(still[1], still[0], rtol=1e-6)
    assert faster[0] == still[0]
    assert faster[1] > 1.02 * faster[0]


@pytest.mark.slow
def test_without_lessons_the_claims_that_rest_on_them_are_lost(monkeypatch):
    def frozen(config):
        return Lesson(*(jnp.zeros(len(inference_speedup.LESSONS)) for _ in Lesson._fields))

    monkeypatch.setattr(inference_speedup, "_lessons", frozen)
    result = run("inference_speedup", show_progress=False)
    met = {record["id"] for record in result.records if record["verdict"] == "met"}
    assert met == {"sec6.3.task", "sec6.3.strong"}
