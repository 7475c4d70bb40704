"""Rows of `stdpjax.protocols`."""

import numpy as np

from stdpjax import protocols, random
from tests.surface.table import Row, rows

_BIN = {"bin_ms": ("positive time", 1.0)}
_LENGTH = {"duration_ms": ("positive time", 4.0), **_BIN}
_BY_HAND = protocols.Protocol(np.array([1.0]), np.array([2.0]), 5.0)
_RATES_BY_HAND = protocols.RateProtocol(np.ones(3), np.ones(3), 1.0)

ROWS = rows(
    Row(_BY_HAND.binned, _BIN),
    Row(_BY_HAND.falls_on_bins, _BIN),
    Row(_RATES_BY_HAND.probabilities, {}),
    Row(_RATES_BY_HAND.sample, {"key": ("key", random.key(0))}),
    Row(
        protocols.pairs,
        {
            "lag_ms": ("time", 10.0),
            "frequency_hz": ("positive rate", 2.0),
            "n_pairs": ("count", 3),
            "lead_ms": ("time", 0.0),
        },
        takes={("lead_ms", "none"): 0.0},
    ),
    Row(
        protocols.triplets,
        {
            "first_lag_ms": ("time", 5.0),
            "second_lag_ms": ("time", -5.0),
            "frequency_hz": ("positive rate", 2.0),
            "n_triplets": ("count", 3),
        },
    ),
    Row(
        protocols.quadruplets,
        {
            "interval_ms": ("time", 20.0),
            "lag_ms": ("positive time", 5.0),
            "frequency_hz": ("positive rate", 2.0),
            "n_quadruplets": ("count", 3),
        },
    ),
    Row(
        protocols.bursts,
        {
            "lag_ms": ("time", 10.0),
            "within_hz": ("positive rate", 20.0),
            "n_pre": ("count", 2),
            "n_post": ("count", 2),
            "frequency_hz": ("positive rate", 0.1),
            "n_bursts": ("count", 2),
        },
    ),
    Row(
        protocols.repeated,
        {
            "pre_ms": ("times", [0.0, 4.0]),
            "post_ms": ("times", [2.0]),
            "frequency_hz": ("positive rate", 2.0),
            "n_repeats": ("count", 3),
        },
    ),
    Row(protocols.constant_rates, {"pre_hz": ("rate", 20.0), "post_hz": ("rate", 10.0), **_LENGTH}),
    Row(
        protocols.ramping_rates,
        {"pre_hz": ("rate", 20.0), "post_start_hz": ("rate", 1.0), "post_stop_hz": ("rate", 9.0), **_LENGTH},
    ),
    Row(
        protocols.modulated_rates,
        {
            "pre_hz": ("rate", 20.0),
            "post_hz": ("rate", 10.0),
            "depth": ("non-negative", 0.5),
            "frequency_hz": ("positive rate", 10.0),
            **_LENGTH,
            "lag_ms": ("time", 2.0),
        },
        # Without it the presynaptic rate is constant.
        takes={("lag_ms", "none"): None},
    ),
    Row(
        protocols.predicted_rates,
        {
            "course": ("choice", "rising"),
            "pre_hz": ("rate", 20.0),
            "low_hz": ("rate", 5.0),
            "high_hz": ("rate", 45.0),
            **_LENGTH,
            "n_repeats": ("count", 2),
            "rest_ms": ("time", 2.0),
        },
    ),
)
