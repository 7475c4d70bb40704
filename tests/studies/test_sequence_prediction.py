"""Sequence prediction: the delta rule against a plain loop, the sequences, the regression, and a twin."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.energy import Params
from stdpjax.studies import run
from stdpjax.studies.section_3_rule import sequence_prediction
from stdpjax.studies.section_3_rule.sequence_prediction import (
    SequencePredictionConfig,
    follow,
    ridge_error,
    travelling_bars,
)

RNG = np.random.default_rng(0)


def test_following_a_sequence_is_a_plain_loop_over_its_frames():
    n_visible, n_units, step, rate = 3, 5, 0.5, 0.1
    weights, bias = RNG.normal(size=(n_units, n_units)), RNG.normal(size=n_units)
    frames = RNG.uniform(-0.5, 0.5, (6, n_visible))
    params, predicted = follow(
        Params(jnp.asarray(weights, float), jnp.asarray(bias, float)), jnp.asarray(frames, float), step, rate
    )
    hidden = np.zeros(n_units - n_visible)
    for number in range(5):
        rates = np.clip(np.concatenate([frames[number], hidden]) + 0.5, 0, 1)
        towards = bias + weights @ rates
        np.testing.assert_allclose(predicted[number], towards[:n_visible], rtol=1e-4, atol=1e-5)
        for post in range(n_visible):
            error = frames[number + 1, post] - towards[post]
            weights[post] += rate * error * rates
            bias[post] += rate * error
        hidden += step * (towards[n_visible:] - hidden)
    np.testing.assert_allclose(params.weights, weights, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(params.bias, bias, rtol=1e-4, atol=1e-5)


def test_bars_travel_one_pixel_a_frame_either_way_around_the_ring():
    config = SequencePredictionConfig()
    bars = np.asarray(travelling_bars(stdpjax.random.key(0), 40, config)) + 0.5
    assert bars.shape == (40, config.n_frames, config.n_pixels)
    np.testing.assert_array_equal(bars.sum(axis=2), 3)
    forth, back = (np.roll(bars[:, :-1], way, axis=2) for way in (1, -1))
    is_forth, is_back = ((bars[:, 1:] == moved).all(axis=(1, 2)) for moved in (forth, back))
    assert (is_forth ^ is_back).all()
    assert is_forth.any()
    assert is_back.any()


def test_the_regression_finds_a_linear_law_of_two_frames_and_only_with_two():
    frames = np.zeros((50, 8, 2))
    frames[:, :2] = RNG.normal(size=(50, 2, 2))
    for number in range(2, 8):
        frames[:, number] = 0.9 * frames[:, number - 1] - 0.8 * frames[:, number - 2]
    fit = partial(ridge_error, frames, frames, n_training=25, penalty=1e-9)
    assert fit(n_past=2) < 1e-12
    assert fit(n_past=1) > 1e-2


def test_what_a_frame_shows_is_itself_and_the_rates_of_hidden_units_that_see_nothing_else(key):
    frames = jnp.asarray(RNG.uniform(-0.5, 0.5, (1, 4, 3, 2)), float)
    keys = stdpjax.random.member_keys(key, 1)
    _, shown = sequence_prediction._learn(keys, frames, 0.5, 0.0, n_hidden=3, n_passes=1, n_training=2)
    rates = np.asarray(frames) + 0.5
    first = sequence_prediction._first_params(
        stdpjax.random.named_key(keys[0], "weights"), 2, 3, jnp.asarray(rates[0, :2].mean())
    )
    at_rest = np.concatenate([rates, np.full((1, 4, 3, 3), 0.5)], axis=-1)
    hidden = at_rest @ np.asarray(first.weights).T + np.asarray(first.bias)
    np.testing.assert_allclose(shown[..., :2], frames)
    np.testing.assert_allclose(shown[..., 2:], np.clip(hidden[..., 2:] + 0.5, 0, 1), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("of_step", "of_rate", "n_passes"), [(1.0, -1e-4, 3), (0.0, 1.0, 4)], ids=["wrong sign", "hidden units at rest"]
)
def test_a_wrong_model_loses_every_verdict(of_step, of_rate, n_passes, monkeypatch):
    right = sequence_prediction.follow
    monkeypatch.setattr(
        sequence_prediction,
        "follow",
        lambda params, frames, step, rate: right(params, frames, of_step * step, of_rate * rate),
    )
    # A number of passes of its own: the programs compiled for others have the right model in them.
    result = run("sequence_prediction", n_passes=n_passes, show_progress=False)
    verdicts = {record["id"]: record["verdict"] for record in result.records}
    assert verdicts == {"eq12.bars": "not met", "eq12.digits": "not met"}
    assert np.isfinite(result.data.error.values).all()
