"""Sequence prediction: the delta rule against a plain loop, the sequences, the regression, and a twin."""

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
    assert ridge_error(frames[:25], frames[25:], 2, 1e-9) < 1e-12
    assert ridge_error(frames[:25], frames[25:], 1, 1e-9) > 1e-2


@pytest.mark.slow
def test_learning_with_the_wrong_sign_loses_every_verdict(monkeypatch):
    right = sequence_prediction.follow
    monkeypatch.setattr(
        sequence_prediction, "follow", lambda params, frames, step, rate: right(params, frames, step, -1e-4 * rate)
    )
    # A number of passes of its own: the programs compiled for others have the right sign in them.
    result = run("sequence_prediction", n_passes=3, show_progress=False)
    assert {record["verdict"] for record in result.records} == {"inconclusive"}
    assert np.isfinite(result.data.error.values).all()
