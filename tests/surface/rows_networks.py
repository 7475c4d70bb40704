"""Rows of `stdpjax.networks`."""

import numpy as np

from stdpjax import energy, networks
from tests.surface.rows_dynamics import KEY, PARAMS, RHO, STATE
from tests.surface.table import Row, rows

_WEIGHTS = ("array", np.array([[0.0, 0.5], [0.5, 0.0]], np.float32))
_MASK = np.array([[False, True], [True, False]])

ROWS = rows(
    Row(
        networks.random_networks,
        {"key": KEY, "n_networks": ("count", 2), "n_units": ("count", 3), "scale": ("non-negative", 0.3)},
    ),
    Row(
        networks.random_states,
        {
            "key": KEY, "n_networks": ("count", 2), "n_units": ("count", 3), "reach": ("positive", 1.0),
            "kinks": ("tuple of numbers", (-0.5, 0.5)), "margin": ("non-negative", 0.1),
        },
        takes={("kinks", "empty"): ()},
    ),
    Row(networks.resting_bias, {"weights": _WEIGHTS, "state": STATE, "rate_fn": RHO}),
    Row(
        networks.interior_network,
        {
            "key": KEY, "n_units": ("count", 3), "coupling": ("non-negative", 0.6), "spread": ("non-negative", 0.2),
            "distance": ("non-negative", 0.2), "tied": ("flag", True),
        },
    ),
    Row(networks.centred_network, {"key": KEY, "centre": ("number", 0.2), "n_units": ("count", 3)}),
    Row(
        networks.network_at_rest,
        {
            "key": KEY, "state": STATE, "mask": ("array", _MASK), "rate_fn": RHO, "largest": ("positive", 0.8),
        },
    ),
    Row(
        networks.untie,
        {
            "params": PARAMS, "other": ("params", energy.make_params([[0.0, 0.2], [0.2, 0.0]])), "state": STATE,
            "rate_fn": RHO,
        },
    ),
    Row(
        networks.tied_networks,
        {
            "key": KEY, "n_networks": ("count", 2), "n_units": ("count", 3),
            "eigenvalues": ("tuple of numbers", (0.2, 0.9)), "bias_std": ("non-negative", 0.1),
        },
    ),
    Row(
        networks.is_active,
        {"states": ("array", np.zeros((1, 2), np.float32)), "rate_fn": RHO},
        # States of any number of trials, and those that have become infinite, which are not active.
        takes={("states", label): None for label in ("too many axes", "all nan", "one infinite")},
    ),
)  # fmt: skip
