"""Rows of `stdpjax.rates`."""

import numpy as np

from stdpjax import rates
from tests.surface.table import Row, rows

ROWS = rows(
    Row(rates.check_rate_fn, {"rate_fn": ("rate_fn", rates.sigmoid())}),
    Row(
        rates.curvature,
        {"rate_fn": ("rate_fn", rates.sigmoid()), "activity": ("array", np.zeros(2, np.float32))},
        takes={("activity", "too many axes"): np.zeros((1, 2, 1, 2, 1, 2), np.float32)},
    ),
    Row(rates.hard_sigmoid, {"threshold": ("number", -0.5)}),
    Row(rates.smoothed_hard_sigmoid, {"noise_std": ("positive", 0.1), "threshold": ("number", -0.5)}),
    Row(rates.sigmoid, {"gain": ("positive", 4.0)}),
    Row(
        rates.either,
        {
            "is_second": ("truths", np.array(True)),
            "first": ("object", rates.sigmoid()),
            "second": ("object", rates.hard_sigmoid()),
        },
    ),
)
