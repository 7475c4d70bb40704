"""Rows of `stdpjax.stats`."""

import numpy as np

from stdpjax import random, stats
from tests.surface.table import Row, rows

_X, _SIX = ("array", np.arange(6.0).reshape(2, 3)), np.zeros((1, 2, 1, 2, 1, 2))


def _bootstrap(key, statistic, per_sequence, n_resamples, confidence) -> stats.Estimate:
    return stats.bootstrap(key, statistic, per_sequence, n_resamples=n_resamples, confidence=confidence)


_bootstrap.__module__, _bootstrap.__qualname__ = "stdpjax.stats", "bootstrap"

ROWS = rows(
    Row(_bootstrap, {
        "key": ("key", random.key(0)), "statistic": ("callable", lambda total: total), "per_sequence": _X,
        "n_resamples": ("count", 3), "confidence": ("one probability", 0.9),
    }),
    # Elementwise, and what is not finite stays so.
    Row(
        stats.mean_interval,
        {"values": ("array", np.arange(6.0).reshape(2, 3)), "axis": ("optional count", None)},
        takes=dict.fromkeys(("values", label) for label in ("too many axes", "all nan", "one infinite")),
    ),
    Row(
        stats.normal_interval,
        {"value": ("array", np.ones(2)), "standard_error": ("array", np.ones(2))},
        takes=dict.fromkeys(
            (name, label) for name in ("value", "standard_error") for label in ("all nan", "one infinite")
        ),
    ),
    Row(stats.wilson_interval, {
        "n_right": ("count", 1), "n": ("count", 2), "confidence": ("one probability", 0.9),
    }),
    Row(stats.pair_sums, {"x": _X, "y": _X}),
    Row(stats.correlation, {"x": _X, "y": _X}),
    Row(
        stats.correlation_of_sums,
        {"n": ("array", np.full(2, 3.0)), **{name: ("array", np.ones(2)) for name in ("x", "y", "xx", "yy", "xy")}},
        # Elementwise, whatever the shape.
        takes=dict.fromkeys((name, "too many axes") for name in ("n", "x", "y", "xx", "yy", "xy")),
    ),
    Row(
        stats.quantile_bins,
        {"values": ("array", np.arange(6.0)), "n_bins": ("count", 2)},
        takes={("values", "too many axes"): _SIX},
    ),
    Row(stats.sums_by_bin, {
        "bins": ("array", np.zeros((1, 2), int)), "values": ("array", np.ones((1, 2))), "n_bins": ("count", 2),
    }),
    Row(stats.chi_square_per_cell, {
        "counts": ("array", np.ones((2, 2))), "probability": ("probability", np.full((2, 2), 0.3)),
        "n_trials": ("count", 9),
    }),
)  # fmt: skip
