"""What Eq 1 adds up to: sums against plain loops, means under noise against a recursion, and a twin."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.networks import interior_network
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import PAIRINGS
from stdpjax.studies import run
from stdpjax.studies.section_3_rule import pairing_drift
from stdpjax.studies.section_3_rule.pairing_drift import PairingDriftConfig, noisy_means, slopes, totals_of

QUICK: dict[str, Any] = {"n_networks": 8, "n_steps": 1000, "n_trials": 16, "n_noisy_steps": 100, "n_burn_in": 50}


def test_totals_are_those_of_a_plain_loop(key):
    path = jax.random.uniform(key, (7, 3), float, -0.4, 0.4)
    rates = np.asarray(hard_sigmoid().value(path), np.float64)
    expected = np.zeros((4, 3, 3))
    together = np.zeros((3, 3))
    for t in range(6):
        change = np.asarray(path[t + 1] - path[t], np.float64)
        together += np.outer(change, change)
        readings = (rates[max(t - 1, 0)], rates[t], 0.5 * (rates[t] + rates[t + 1]), rates[t + 1])
        for index, rate in enumerate(readings):
            expected[index] += np.outer(change, rate)
    totals = totals_of(path, hard_sigmoid().value(path))
    tied = expected + np.swapaxes(expected, 1, 2)
    np.testing.assert_allclose(totals.one_way, expected, atol=2e-6)
    np.testing.assert_allclose(totals.co_movement, together, atol=1e-6)
    # The identity itself, for a path that no network has made.
    for pairing, c in (("current", -1), ("midpoint", 0), ("next", 1)):
        np.testing.assert_allclose(tied[PAIRINGS.index(pairing)], totals.boundary + c * together, atol=1e-6)


def test_an_interior_network_rests_at_its_fixed_point_and_never_gets_farther(key):
    rho = hard_sigmoid()
    network = interior_network(key, 5, tied=False)
    state, reach = network.start, float(jnp.max(jnp.abs(network.start - network.fixed_point)))
    for _ in range(50):
        field = network.params.bias + network.params.weights @ rho.value(state)
        state = state + 0.7 * (field - state)
        assert float(jnp.max(jnp.abs(state - network.fixed_point))) <= reach + 1e-6
    np.testing.assert_allclose(state, network.fixed_point, atol=1e-5)


def test_means_under_noise_are_those_of_a_long_recursion():
    weights = np.array([[0.0, 0.5, -0.2], [0.5, 0.0, 0.3], [-0.2, 0.3, 0.0]])
    # Second moments step by step, from rest: of the state, and of the state after a step with that before it.
    keep, covariance = 0.9 * np.eye(3) + 0.1 * weights, np.zeros((3, 3))
    for _ in range(3000):
        covariance = keep @ covariance @ keep.T + (0.1 * 0.06) ** 2 * weights @ weights.T
    after_before = keep @ covariance
    earlier, before, midway, after = noisy_means(weights, 0.1, 0.06)
    np.testing.assert_allclose(earlier, keep @ after_before - after_before, rtol=1e-9)
    np.testing.assert_allclose(before, after_before - covariance, rtol=1e-9)
    np.testing.assert_allclose(midway, 0.5 * (after_before - after_before.T), atol=1e-15)
    np.testing.assert_allclose(after, covariance - after_before.T, rtol=1e-9)


def test_slopes_of_made_up_numbers():
    together = np.array([[1.0, -2.0, 0.5]])
    assert slopes(-3 * together, together) == pytest.approx([-3.0])


def verdicts(**settings):
    return {r["id"]: r["verdict"] for r in run("pairing_drift", show_progress=False, **{**QUICK, **settings}).records}


def _rate_after_the_step_in_place_of_midway(patch):
    update = pairing_drift.rate_update

    def wrong(*arguments, pairing, **others):
        return update(*arguments, pairing="next" if pairing == "midpoint" else pairing, **others)

    patch.setattr(pairing_drift, "rate_update", wrong)


def _noise_added_to_the_state(patch):
    right = pairing_drift.NoisyIntegrator
    patch.setattr(pairing_drift, "NoisyIntegrator", lambda rate_fn: right(rate_fn, "added"))


# Enough trials to tell the mean update under noise from none.
LONGER = {"n_trials": 128, "n_noisy_steps": 1000, "n_burn_in": 200}
right_verdicts = functools.cache(lambda: verdicts(**LONGER))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [(_rate_after_the_step_in_place_of_midway, "eq1.drift"), (_noise_added_to_the_state, "sec8.noise")],
    ids=["rate after the step", "noise added to the state"],
)
def test_a_wrong_model_does_not_get_its_verdict(patch, lost, monkeypatch):
    assert right_verdicts()[lost] == "met"
    patch(monkeypatch)
    assert verdicts(**LONGER)[lost] != "met"


def test_a_network_that_leaves_the_active_region_decides_nothing():
    assert set(verdicts(noise_std=0.5).values()) == {"inconclusive"}


def test_steps_have_to_increase():
    with pytest.raises(ValueError, match="steps: expected at least two increasing numbers"):
        PairingDriftConfig(steps=(0.2, 0.1))
