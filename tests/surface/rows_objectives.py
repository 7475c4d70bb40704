"""Rows of `stdpjax.objectives`."""

import numpy as np

from stdpjax import energy, objectives, rates
from tests.surface.rows_dynamics import CLAMPS, PARAMS, RHO, STATE
from tests.surface.table import Row, rows

_STEP, _STATES = ("positive", 0.5), ("array", np.zeros((3, 2), np.float32))
_ENERGY = ("callable", lambda params, state: energy.energy_of(params, state, rates.sigmoid()))
_MASK = ("array", np.array([True, False]))

ROWS = rows(
    Row(objectives.stdp_objective, {
        "params": PARAMS, "state": STATE, "noise": ("array", np.zeros((2, 2), np.float32)), "rate_fn": RHO,
        "step": _STEP, "target": ("choice", "free"),
    }),
    Row(
        objectives.prediction_error,
        {
            "params": PARAMS, "state": STATE, "noise": STATE, "goal": STATE, "rate_fn": RHO, "step": _STEP,
            "mask": _MASK, "clamps": CLAMPS,
        },
        takes={("mask", "none"): np.ones(2, bool)},
    ),
    Row(objectives.condition_1, {
        "energy_fn": _ENERGY, "params": PARAMS, "state": STATE, "rate_fn": RHO, "step": _STEP,
    }),
    Row(objectives.condition_2, {"energy_fn": _ENERGY, "params": PARAMS, "state": STATE, "rate_fn": RHO}),
    Row(objectives.condition_3, {"energy_fn": _ENERGY, "params": PARAMS, "state": STATE}),
    Row(
        objectives.score_matching,
        {
            "params": PARAMS, "states": _STATES, "rate_fn": RHO, "correction": ("choice", "exact"), "visible": _MASK,
            "sample_weights": ("array", np.full(3, 1 / 3, np.float32)),
            "kink_density": ("array", np.zeros((3, 2, 2), np.float32)), "temperature": ("positive", 1.0),
        },
        takes={("visible", "none"): np.ones(2, bool), ("sample_weights", "none"): np.full(3, 1 / 3, np.float32)},
    ),
    Row(objectives.conditional_density, {
        "params": PARAMS, "states": _STATES, "at": ("array", np.zeros(2, np.float32)), "rate_fn": RHO,
        "temperature": ("positive", 1.0),
    }),
    Row(objectives.kernel_density_at_kinks, {"states": _STATES, "rate_fn": RHO, "bandwidth": ("positive", 0.1)}),
)  # fmt: skip
