"""The comparison of speeds: the drives, one case among others, what tied weights become, and a wrong model."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.clamps import clamp_input
from stdpjax.dynamics import NoiseHyper, NoisyIntegrator, simulate
from stdpjax.energy import Params, random_params
from stdpjax.lab.reproduce import make_config
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import differential_rule
from stdpjax.studies import find, run
from stdpjax.studies.section_5_simulation import plastic_networks, speed_with_learning
from stdpjax.studies.section_5_simulation.plastic_networks import DRIVES, Case, drives_of

RHO = hard_sigmoid()


def test_drives_have_the_sizes_and_times_that_they_should():
    drives = np.asarray(
        jax.vmap(lambda key: drives_of(key, 8, 400))(stdpjax.random.member_keys(stdpjax.random.key(0), 64))
    )
    found = {name: drives[:, index] for index, name in enumerate(DRIVES)}
    # Standard deviations over networks, which are independent.
    for name, std in (("OU", 0.25), ("switching", 0.25), ("constant + noise", 0.15)):
        assert found[name][:, 100].std() == pytest.approx(std, rel=4 / np.sqrt(2 * 64 * 8))
    np.testing.assert_array_equal(found["OU"], found["OU + noise"])
    jumps = np.flatnonzero(np.any(np.diff(found["switching"], axis=1) != 0, axis=(0, 2))) + 1
    assert set(jumps) == set(range(50, 400, 50))
    assert all(len(np.unique(net[:, 0])) <= 4 for net in found["switching"])
    time, unit = np.arange(400)[:, None], np.arange(8)
    ripple = found["travelling wave"] - 0.3 * np.sin(2 * np.pi * (time / 80 - unit / 8))
    assert ripple.std() == pytest.approx(0.02, rel=0.05)
    assert np.ptp(found["constant + noise"], axis=1).max() == 0


def case_of(drive, rate, tie=0.0, after=(0.0, 0.0), shift: Any = 0):
    """Two cases; numbers that are not pairs are those of both."""
    columns = zip((drive, rate, tie, after, shift), (jnp.int32, *3 * (float,), jnp.int32), strict=True)
    return Case._make(jnp.broadcast_to(jnp.asarray(column, dtype), 2) for column, dtype in columns)


def learned(n_networks, n_steps, cases, scale=1.0):
    """Networks of 4 units after each case, with what they started from and what drove them."""
    keys = stdpjax.random.member_keys(stdpjax.random.key(3), n_networks)
    params = jax.vmap(lambda key: random_params(key, 4, 0.3))(keys)
    drives = scale * jax.vmap(lambda key: drives_of(key, 4, n_steps))(keys)
    start = Params(jnp.broadcast_to(params.weights, (len(cases.rate), n_networks, 4, 4)), params.bias)
    found = plastic_networks.learn(keys, start, drives, cases, jnp.asarray(3.0), n_dropped=20)
    return keys, params, drives, found


def test_a_case_among_others_is_a_simulation_on_its_own():
    keys, params, drives, found = learned(2, 60, case_of([1, 2], [0.5, -0.5]))
    alone = simulate(
        keys[1], Params(params.weights[1], params.bias[1]), NoisyIntegrator(RHO), NoiseHyper(0.1, 0.1),
        drive=drives[1, 1], state=jnp.zeros(4), rule=differential_rule(), learning_rate=0.5, trace_every=1,
    )  # fmt: skip
    np.testing.assert_allclose(found.weights[0, 1], alone.params.weights, atol=1e-6)
    assert alone.trace is not None
    path = np.asarray(alone.trace, np.float64)
    speed = (np.diff(path[19:], axis=0) ** 2).sum(1).mean() / 0.01
    assert float(found.speed[0, 1]) == pytest.approx(speed, rel=1e-3)


def test_tied_weights_with_rates_midway_follow_the_rates_of_the_moment():
    # So a network that learns is a static one whose energy has a quartic term. Weak drives: no unit saturates.
    cases = case_of([0, 0], [0.1, -0.1], 1.0, (0.5, 0.0))
    _, params, _, found = learned(3, 200, cases, scale=0.16)
    rates = np.asarray(RHO.value(found.state), np.float64)
    product = rates[..., :, None] * rates[..., None, :] - 0.25  # all start at rate 1/2
    expected = np.asarray(params.weights) + np.asarray(cases.rate)[:, None, None, None] * product * (1 - np.eye(4))
    np.testing.assert_allclose(found.weights[0], expected[0], atol=5e-6)
    # With the rate at the start of the step they do not.
    assert np.abs(found.weights[1] - expected[1]).max() > 2e-5


def test_units_whose_input_comes_from_outside_move_alike_whatever_is_learned(key):
    # As in the paper's own simulation.
    held = clamp_input(jnp.ones(4, bool), jnp.array([0.4, -0.3, 0.2, -0.1]))
    params = random_params(stdpjax.random.named_key(key, "weights"), 4, 0.3)
    options: dict[str, Any] = {"clamps": (held,), "state": jnp.zeros(4), "rule": differential_rule()}
    options |= {"n_steps": 60, "trace_every": 1}
    slow, fast = (
        simulate(key, params, NoisyIntegrator(RHO), NoiseHyper(0.1, 0.1), learning_rate=rate, **options)
        for rate in (0.01, 0.5)
    )
    np.testing.assert_array_equal(slow.trace, fast.trace)
    assert np.abs(slow.params.weights - fast.params.weights).max() > 0.01


def test_a_misplaced_change_is_that_of_the_units_before():
    # So slowly that the states of both cases stay alike.
    _, params, _, found = learned(3, 60, case_of([0, 0], [0.002, 0.002], shift=[0, 1]))
    right, misplaced = np.asarray(found.weights) - np.asarray(params.weights)
    assert np.abs(right).max() > 1e-4
    np.testing.assert_allclose(misplaced, np.roll(right, (1, 1), (1, 2)), atol=2e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_steps": 100}, "n_steps: expected a multiple of 3"),
        ({"small_rate": 0.2}, "large_rate: expected a finite number above 0.2"),
        ({"bound": 0.0}, "bound: expected a finite number above 0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("speed_with_learning"), True, settings)


@pytest.mark.slow
def test_the_opposite_rule_loses_the_verdicts(monkeypatch):
    small: dict[str, Any] = {"n_networks": 8, "n_steps": 3600}
    lost = {"sec5.1.rises", "sec5.1.wave"}

    def met():
        records = run("speed_with_learning", show_progress=False, **small).records
        return {record["id"] for record in records if record["verdict"] == "met"}

    assert lost <= met()
    right = speed_with_learning.cases

    def wrong(config):
        return {name: case._replace(rate=-case.rate) for name, case in right(config).items()}

    with monkeypatch.context() as patch:
        patch.setattr(speed_with_learning, "cases", wrong)
        assert not lost & met()
