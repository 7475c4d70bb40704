"""Rows of `stdpjax.clamps`."""

import numpy as np

from stdpjax import clamps
from tests.surface.rows_dynamics import CLAMPS
from tests.surface.table import Row, rows

_MASK_AND_VALUE = {"mask": ("array", np.array([True, False])), "value": ("array", np.zeros(2, np.float32))}

ROWS = rows(
    Row(clamps.clamp_state, _MASK_AND_VALUE),
    Row(clamps.clamp_input, _MASK_AND_VALUE),
    Row(clamps.clamp_softly, {**_MASK_AND_VALUE, "strength": ("number", 0.5)}),
    Row(clamps.check_clamps, {"clamps": CLAMPS, "n_units": ("any", 2), "dtype": ("any", float)}),
)
