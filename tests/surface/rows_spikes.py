"""Rows of `stdpjax.spikes`."""

import numpy as np

from stdpjax import random, spikes
from tests.surface.table import Row, rows

_KEY = {"key": ("key", random.key(0))}
_POST = {"post_probability": ("probability", np.full(9, 0.2, np.float32))}
_RATES = {"pre_probability": ("probability", np.full(9, 0.1, np.float32)), **_POST}
_PAIRING = {
    "window": ("count", 2),
    "coincidence": ("choice", "skip"),
    "sides": ("choice", "one"),
    "boundary": ("choice", "silent"),
}
_SAMPLED = {**_KEY, **_RATES, "n_trials": ("count", 3), **_PAIRING, "first_sequence": ("count", 1)}
_ANY_SHAPE = np.zeros((1, 2, 1, 2, 1, 2))
_TRAIN = np.array([0, 1, 0, 0, 1, 0, 0, 0, 1], np.int32)

ROWS = rows(
    Row(
        spikes.sample_spikes,
        {**_KEY, "probability": _RATES["pre_probability"]},
        takes={("probability", "too many axes"): _ANY_SHAPE},
    ),
    Row(
        spikes.round_to_grid,
        {"probability": _RATES["pre_probability"]},
        takes={("probability", "too many axes"): _ANY_SHAPE},
    ),
    Row(spikes.sample_lag_counts, _SAMPLED),
    Row(spikes.sample_pair, {**_KEY, **_RATES, "sequence": ("count", 1), "trial": ("count", 40)}),
    Row(spikes.expected_lag_counts, {**_RATES, **_PAIRING}),
    # Its time axis is of 2 bins, as the window is.
    Row(spikes.lag_probability, {**_POST, **_PAIRING}, takes={("post_probability", "too many axes"): _ANY_SHAPE}),
    Row(spikes.nearest_lag, {"pre": ("spikes", _TRAIN), "post": ("spikes", _TRAIN[::-1]), **_PAIRING}),
    Row(
        spikes.from_times,
        {
            "times": ("times", [1.0, 3.0]),
            "start": ("time", 0.0),
            "stop": ("positive time", 10.0),
            "bin_ms": ("positive time", 1.0),
            "check_unit": ("flag", True),
        },
    ),
    Row(
        spikes.to_times,
        {"spikes": ("spikes", _TRAIN), "start": ("time", 0.0), "bin_ms": ("positive time", 1.0)},
    ),
)
