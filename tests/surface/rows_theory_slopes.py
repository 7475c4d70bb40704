"""Rows of `stdpjax.theory.slopes`."""

import numpy as np

from stdpjax import rates
from stdpjax.theory import slopes
from tests.surface.table import Row, rows

ROWS = rows(
    Row(
        slopes.slope_agreement,
        {
            "rate_fn": ("rate_fn", rates.hard_sigmoid()),
            "scale": ("positive", 0.6),
            "width": ("positive", 10.0),
            "response": ("array", np.ones(5)),
        },
    ),
)
