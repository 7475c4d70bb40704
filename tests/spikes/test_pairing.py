"""Pairing, event by event, against a plain loop."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stdpjax.spikes import BOUNDARIES, COINCIDENCES, SIDES, nearest_lag
from stdpjax.spikes.pairing import check_options
from tests.spikes.reference import loop_nearest_lag

# A few lengths only, because every length and window is compiled anew.
LENGTHS, WINDOWS = (1, 2, 7, 24), (1, 3, 20, 40)


@st.composite
def trains(draw):
    n_steps = draw(st.sampled_from(LENGTHS))
    train = st.lists(st.booleans(), min_size=n_steps, max_size=n_steps)
    return draw(train), draw(train)


@settings(max_examples=150, deadline=None)
@given(trains(), st.sampled_from(WINDOWS), st.sampled_from(COINCIDENCES), st.sampled_from(SIDES))
@example(([False] * 24, [False] * 24), 20, "skip", "one")
@example(([True] * 24, [True] * 24), 20, "ignore", "one")
@example(([True] * 24, [True] * 24), 3, "ignore", "both")
@example(([True] * 7, [False] * 7), 40, "skip", "one")
def test_equals_a_plain_loop(pair, window, coincidence, sides):
    pre, post = pair
    lags = nearest_lag(np.array(pre), np.array(post), window, coincidence, sides=sides)
    assert lags.tolist() == loop_nearest_lag(pre, post, window, coincidence, sides)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.99), st.sampled_from(COINCIDENCES), st.sampled_from(BOUNDARIES))
def test_equals_a_plain_loop_on_longer_trains(seed, density, coincidence, boundary):
    pre, post = np.random.default_rng(seed).random((2, 90)) < density
    lags = nearest_lag(pre, post, 20, coincidence, boundary=boundary)
    assert lags.tolist() == loop_nearest_lag(pre, post, 20, coincidence, boundary=boundary)


def test_batches_are_independent_trains():
    pre, post = np.random.default_rng(0).random((2, 3, 4, 50)) < 0.1
    lags = np.asarray(nearest_lag(pre, post, 5))
    assert lags.shape == (3, 4, 50)
    for index in np.ndindex(3, 4):
        assert lags[index].tolist() == loop_nearest_lag(pre[index], post[index], 5)


def test_mirrored_time_flips_the_lags():
    pre, post = np.random.default_rng(2).random((2, 80)) < 0.1
    np.testing.assert_array_equal(nearest_lag(pre[::-1], post[::-1], 9), -nearest_lag(pre, post, 9)[::-1])


def test_refusals():
    with pytest.raises(ValueError, match=r"post: expected the shape of pre, \(5,\), got \(4,\)"):
        nearest_lag(np.zeros(5, bool), np.zeros(4, bool))
    with pytest.raises(ValueError, match="window: expected a whole number of at least 1, got 0"):
        nearest_lag(np.zeros(5, bool), np.zeros(5, bool), 0)
    with pytest.raises(ValueError, match="window: expected at most 2 bins for complete windows"):
        nearest_lag(np.zeros(5, bool), np.zeros(5, bool), 3, boundary="valid")
    with pytest.raises(ValueError, match="pre: expected spike indicators"):
        nearest_lag(np.full(5, 0.5), np.zeros(5, bool))
    for option, value in ((1, "A"), (2, "left"), (3, "wrap")):
        arguments = [20, "skip", "one", "silent", 160]
        arguments[option] = value
        with pytest.raises(ValueError, match=f"expected one of .* got '{value}'"):
            check_options(*arguments)
