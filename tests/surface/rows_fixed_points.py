"""Rows of `stdpjax.fixed_points`."""

import jax.numpy as jnp
import numpy as np

from stdpjax import energy, fixed_points, rates
from tests.surface.rows_dynamics import CLAMPS, PARAMS, RHO, STATE
from tests.surface.table import Row, rows

_STABILITY = fixed_points.spectral_stability(
    energy.make_params([[0.0, 0.5], [0.5, 0.0]]), jnp.zeros(2), rates.hard_sigmoid(), 0.1
)

ROWS = rows(
    Row(
        fixed_points.relax,
        {
            "params": PARAMS, "state": STATE, "rate_fn": RHO, "clamps": CLAMPS, "form": ("choice", "clip"),
            "step": ("positive", 0.5), "tolerance": ("positive", 1e-3), "max_steps": ("count", 100),
        },
        # The form that the rate function has, and the step that the network asks for.
        takes={("form", "none"): "clip", ("step", "none"): 0.5},
    ),
    Row(
        fixed_points.spectral_stability,
        {"params": PARAMS, "state": STATE, "rate_fn": RHO, "step": ("positive", 0.5), "clamps": CLAMPS,
         "is_free": ("truths", np.ones(2, bool))},
        takes={("is_free", "none"): np.ones(2, bool)},
    ),
    Row(fixed_points.relaxation_time, {"stability": ("object", _STABILITY), "step": ("positive", 0.1)}),
    Row(fixed_points.natural_form, {"rate_fn": RHO}),
)  # fmt: skip
