"""The predicted experiment: cells against whole trains, laws against rules, claims, twins."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax import rules, spikes
from stdpjax.studies import run
from stdpjax.studies.section_9_predictions import prediction_protocols, prediction_rules
from stdpjax.studies.section_9_predictions.prediction_protocols import PredictionProtocolsConfig
from stdpjax.studies.section_9_predictions.prediction_rules import (
    draw_cells,
    exact_changes,
    make_protocol,
    per_pair,
    sampled_changes,
)

SHORT = PredictionProtocolsConfig(
    n_repeats=2, n_cells=20, duration_ms=60.0, pre_hz=200.0, low_hz=20.0, high_hz=220.0, rest_ms=400.0
)
QUICK: dict[str, Any] = {"n_cells": 100, "n_experiments": 2000}


@pytest.fixture(scope="module")
def protocol():
    return make_protocol(SHORT)


@pytest.fixture(scope="module")
def exact(protocol):
    return exact_changes(SHORT, protocol)


@pytest.fixture(scope="module")
def cells(protocol):
    return draw_cells(stdpjax.random.key(0), protocol, SHORT.n_cells, SHORT.window)


@pytest.fixture(scope="module")
def sampled(protocol, cells):
    return sampled_changes(SHORT, protocol, cells)


def whole_trains(cells, protocol):
    """Spikes of the first cell of each arm in every bin of the record."""
    trains = np.zeros((2, 3, protocol.pre.shape[1] + prediction_rules._BLOCK), bool)
    for course in range(3):
        times = np.asarray(cells.times[course, 0]).astype(int)
        trains[0, course, times] |= np.asarray(cells.pre_spikes[course, 0])
        trains[1, course, times] |= np.asarray(cells.post_spikes[course, 0])
    return trains[..., : protocol.pre.shape[1]]


def stepwise(rule, post, pre_rate, pre_spikes):
    """Total change by a rule of activities, whose updates are added up."""

    def step(state, now):
        delta_w, state = rule.update(rules.Sample(*(value[None] for value in now)), state, jnp.zeros((1, 1)))
        return state, delta_w[0, 0]

    updates = jax.lax.scan(step, rule.init(jnp.zeros((1, 1))), (post[:-1], post[1:], pre_rate[:-1], pre_spikes[:-1]))[1]
    return float(updates.sum())


def test_a_cell_changes_as_its_whole_trains_say(protocol, cells, sampled):
    pre, post = whole_trains(cells, protocol)
    assert pre.sum() > 20 < post.sum()
    for name in ("all_to_all", "triplet_visual", "suppression"):
        expected = rules.train_updates(prediction_rules.trace_rules(SHORT)[name], pre, post).sum(-1)
        np.testing.assert_allclose(sampled[name][:, 0], expected, rtol=1e-4, atol=1e-6, err_msg=name)
    lags = spikes.nearest_lag(pre, post, SHORT.window)
    for name, kernel in prediction_rules.kernels(SHORT).items():
        np.testing.assert_allclose(sampled[name][:, 0], rules.lag_update(lags, kernel).sum(-1), rtol=1e-4, atol=1e-6)


def test_eq_1_and_eq_2_are_the_midpoint_rules(protocol, cells, exact, sampled):
    pre = jnp.asarray(whole_trains(cells, protocol)[0, 1])
    assert pre.any()
    found: dict[Any, Any] = {"rate": exact["eq_1"][1], "spikes": sampled["eq_2"][1, 0]}
    for presynaptic, change in found.items():
        rule = rules.differential_rule("midpoint", presynaptic)
        expected = stepwise(rule, protocol.post[1], protocol.pre[1], pre)
        assert change == pytest.approx(prediction_rules.slope_gain(SHORT) * expected, rel=1e-4), presynaptic


def test_the_gain_of_eq_1_is_the_first_moment_of_the_window():
    kernel = SHORT.amplitude * rules.lag_kernel("exponential", 300, tau=SHORT.tau)
    assert prediction_rules.slope_gain(SHORT) == pytest.approx(float(rules.window_moments(kernel).first), rel=1e-5)


@pytest.mark.parametrize("name", ["all_to_all", "bi_poo", "song"])
def test_all_to_all_pairs_change_as_the_sum_over_lags_says(name):
    config = PredictionProtocolsConfig(duration_ms=50.0, n_repeats=2, window=20)
    (plus, minus), taus = (config.amplitude,) * 2, (config.tau,) * 2
    if name != "all_to_all":
        parameters = rules.presets[prediction_rules.PUBLISHED[name]].parameters
        (plus, minus), taus = per_pair(name).values(), (parameters["tau_plus"], parameters["tau_minus"])
    t = np.arange(50)
    lag = t[:, None] - t[None, :]
    window = np.where(lag > 0, plus * np.exp(-np.abs(lag) / taus[0]), -minus * np.exp(-np.abs(lag) / taus[1]))
    rising = (5 + 40 * (t + 0.5) / 50) / 1000
    expected = [2 * 0.02 * (post @ (window * (lag != 0))).sum() for post in (np.full(50, 0.025), rising, rising[::-1])]
    # Pairs of one repeat with the next, past the rest, come on top.
    found = exact_changes(config, make_protocol(config))[name]
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-5)


def test_a_constant_rate_changes_nothing_and_the_ramps_cancel_under_the_rules_of_the_prediction(exact):
    def share_off(name):
        constant, rising, falling = exact[name]
        return max(abs(constant), abs(rising + falling) / 2) / (abs(rising - falling) / 2)

    assert max(share_off(name) for name in prediction_rules.SYMMETRIC) < 1e-4
    assert min(share_off(name) for name in prediction_rules.ASYMMETRIC) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("thinned", [1.0, 0.9])
def test_the_means_of_cells_are_the_exact_ones_unless_spikes_are_drawn_at_another_rate(monkeypatch, thinned):
    config = PredictionProtocolsConfig(n_repeats=20, n_cells=200)
    draw = prediction_rules._draw
    monkeypatch.setattr(prediction_rules, "_draw", lambda key, p, *sizes: draw(key, thinned * p, *sizes))
    protocol = make_protocol(config)
    exact = exact_changes(config, protocol)
    found = sampled_changes(config, protocol, draw_cells(stdpjax.random.key(0), protocol, config.n_cells, 20))
    off = [(cells.mean(-1) - exact[name]) / (cells.std(-1, ddof=1) / np.sqrt(200)) for name, cells in found.items()]
    assert len(off) == 12
    assert (np.abs(off).max() < 4) == (thinned == 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"high_hz": 5.0}, "high_hz: expected a finite number above 5"),
        ({"duration_ms": 400.5}, "duration_ms: expected a whole number of ms, got 400.5"),
        ({"rest_ms": 100.0}, "rest_ms: expected a finite number at least 400"),
        ({"between_cells": 0.0}, "between_cells: expected a finite number above 0"),
        ({"power": 0.05}, "power: expected a finite number above 0.05"),
        ({"window": 30, "duration_ms": 20.0}, "window: expected at most the ramp's 20 ms, got 30"),
        ({"n_cells": 5}, "n_cells: expected a whole number of at least 20"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        PredictionProtocolsConfig(**settings)


def verdicts():
    return {r["id"]: r["verdict"] for r in run("prediction_protocols", show_progress=False, **QUICK).records}


@pytest.mark.slow
def test_wrong_windows_and_cells_are_found_out(monkeypatch):
    assert set(verdicts().values()) == {"met"}

    kernels = prediction_rules.kernels
    with monkeypatch.context() as patch:
        wrong_window = lambda config: {**kernels(config), "windowed": kernels(config)["windowed_bi_poo"]}  # noqa: E731
        patch.setattr(prediction_rules, "kernels", wrong_window)
        assert verdicts()["sec9.others"] != "met"

    drawn = prediction_protocols.simulate_experiments
    with monkeypatch.context() as patch:
        patch.setattr(
            prediction_protocols,
            "simulate_experiments",
            lambda key, mean, residual, between_cells, *sizes: drawn(key, mean, residual, 1.5 * between_cells, *sizes),
        )
        wrong = verdicts()
        assert {claim for claim in wrong if wrong[claim] != "met"} == {"sec9.cells"}
