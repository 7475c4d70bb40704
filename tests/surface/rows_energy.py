"""Rows of `stdpjax.energy`."""

import numpy as np

from stdpjax import energy
from tests.surface.rows_dynamics import KEY, PARAMS, RHO, STATE
from tests.surface.table import Row, rows

_WEIGHTS = ("array", np.array([[0.0, 0.5], [0.5, 0.0]], np.float32))

ROWS = rows(
    Row(
        energy.make_params,
        {"weights": _WEIGHTS, "bias": ("array", np.zeros(2, np.float32)), "tied": ("flag", True)},
        takes={("bias", "none"): np.zeros(2)},
    ),
    Row(energy.random_params, {
        "key": KEY, "n_units": ("count", 2), "scale": ("non-negative", 0.3), "tied": ("flag", False),
    }),
    Row(energy.tie, {"weights": _WEIGHTS}),
    *(
        Row(function, {"params": PARAMS, "state": STATE, "rate_fn": RHO})
        for function in (
            energy.energy, energy.target, energy.gradient, energy.target_jacobian, energy.hessian, energy.check_network,
        )
    ),
    Row(energy.check_state, {"params": PARAMS, "state": STATE}),
    Row(energy.check_params, {"params": PARAMS}),
)  # fmt: skip
