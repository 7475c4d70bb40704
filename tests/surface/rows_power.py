"""Rows of `stdpjax.power`."""

import numpy as np

from stdpjax import power, random
from tests.surface.table import Row, rows

_ALARM = {"level": ("one probability", 0.05)}
_LEVEL = {"n_groups": ("count", 1), **_ALARM}


def _t_test_alarms(groups, other, level):
    return power.t_test_alarms(groups, other, level=level)


_t_test_alarms.__module__, _t_test_alarms.__qualname__ = "stdpjax.power", "t_test_alarms"

ROWS = rows(
    Row(
        power.t_test_power,
        {"effect_size": ("array", np.array([0.5, 1.0])), "n": ("count", 5), **_LEVEL},
        takes={
            # Of any shape: of one that holds nothing, nothing.
            ("effect_size", "too many axes"): np.zeros((1, 2, 1, 2, 1, 2)),
        },
    ),
    Row(
        _t_test_alarms,
        {"groups": ("array", np.arange(6.0).reshape(2, 3)), "other": ("any", np.ones((2, 3))), **_ALARM},
    ),
    Row(
        power.simulate_experiments,
        {
            "key": ("key", random.key(0)),
            "mean": ("array", np.zeros(2)),
            "residuals": ("array", np.ones((2, 3))),
            "between": ("non-negative", 0.5),
            "n": ("count", 3),
            "n_experiments": ("count", 4),
        },
    ),
    Row(power.sample_size, {"effect_size": ("number", 0.5), "power": ("one probability", 0.8), **_LEVEL}),
)
