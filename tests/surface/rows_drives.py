"""Rows of `stdpjax.drives`."""

import numpy as np

from stdpjax import drives, random
from tests.surface.table import Row, rows

_RANDOM = {"key": ("key", random.key(0)), "n_steps": ("count", 5), "width": ("positive", 2.0)}
ROWS = rows(
    Row(
        drives.smooth_noise,
        {**_RANDOM, "support": ("count", 8)},
        # Without it the length follows from the width: another drive of the same law.
        takes={("support", "none"): None},
    ),
    Row(drives.ornstein_uhlenbeck, _RANDOM),
    Row(drives.leaky_ornstein_uhlenbeck, _RANDOM),
    Row(drives.sinusoids, _RANDOM),
    Row(drives.ramp, {"n_steps": ("count", 3), "centre": ("number", 0.5), "slope": ("number", 0.1)}),
    Row(drives.constant, {"n_steps": ("count", 3), "level": ("number", 0.5)}),
    Row(
        drives.bounded_voltage,
        {"drive": ("array", np.zeros(3, np.float32)), "threshold": ("number", -0.5), "margin": ("non-negative", 0.02)},
        # Any number of axes.
        takes={("drive", "too many axes"): np.zeros((1, 2, 1, 2, 1, 2))},
    ),
)
