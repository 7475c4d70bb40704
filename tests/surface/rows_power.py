"""Rows of `stdpjax.power`."""

import numpy as np

from stdpjax import power
from tests.surface.table import Row, rows

_LEVEL = {"n_groups": ("count", 1), "level": ("one probability", 0.05)}

ROWS = rows(
    Row(
        power.t_test_power,
        {"effect_size": ("array", np.array([0.5, 1.0])), "n": ("count", 5), **_LEVEL},
        takes={
            # Of any shape: of one that holds nothing, nothing.
            ("effect_size", "too many axes"): np.zeros((1, 2, 1, 2, 1, 2)),
        },
    ),
    Row(power.sample_size, {"effect_size": ("number", 0.5), "power": ("one probability", 0.8), **_LEVEL}),
)
