"""Rows of `stdpjax.dynamics`."""

import jax.numpy as jnp
import numpy as np

from stdpjax import clamps, dynamics, energy, random, rates, rules
from stdpjax.observers import mean_of
from tests.surface.table import Row, rows

KEY, RHO, STATE = ("key", random.key(0)), ("rate_fn", rates.hard_sigmoid()), ("array", np.array([0.1, 0.2], np.float32))
PARAMS = ("params", energy.make_params([[0.0, 0.5], [0.5, 0.0]]))
CLAMPS = ("object", (clamps.clamp_state([True, False], 0.25),))
_KERNEL = dynamics.leaky_integrator(rates.hard_sigmoid(), "none")
_MEAN = mean_of(lambda sample: sample.post_state)


def _hyper(step: float, noise_std: float, temperature: float, clamps: clamps.Clamps) -> dynamics.Hyper:
    return dynamics.check_hyper(dynamics.Hyper(step, noise_std, temperature, clamps), 2, jnp.float32)


_hyper.__module__, _hyper.__qualname__ = "stdpjax.dynamics", "Hyper"

ROWS = rows(
    Row(dynamics.transition, {
        "params": PARAMS, "state": STATE, "noise": STATE, "rate_fn": RHO, "hyper": ("object", dynamics.Hyper()),
    }),
    Row(dynamics.leaky_integrator, {"rate_fn": RHO, "noise": ("choice", "added")}),
    *(
        Row(make, {"rate_fn": RHO})
        for make in (
            dynamics.printed_integrator, dynamics.langevin, dynamics.metropolis_langevin, dynamics.spiking_integrator,
        )
    ),
    Row(
        dynamics.simulate,
        {
            "key": KEY, "params": PARAMS, "drive": ("array", np.zeros((1, 2), np.float32)),
            "hyper": ("object", dynamics.Hyper()), "kernel": ("kernel", _KERNEL), "state": STATE,
            "n_steps": ("count", 1), "rule": ("rule", rules.differential_rule()), "learning_rate": ("number", 0.1),
            "weight_bounds": ("object", (-1.0, 1.0)), "observe": ("object", {"state": _MEAN}),
            "trace_every": ("count", 1), "first_trial": ("count", 0), "resume": ("object", None),
            "bin_ms": ("positive time", 1.0),
        },
        takes={
            # No drive, all steps of the drive, and no trace, bounds, observers, or run to go on from.
            ("drive", "none"): np.zeros((1, 2), np.float32), ("n_steps", "none"): 1, ("weight_bounds", "none"): (-9, 9),
            **dict.fromkeys((("trace_every", "none"), ("observe", "none"), ("resume", "none"))),
        },
    ),
    Row(dynamics.check_hyper, {"hyper": ("object", dynamics.Hyper()), "n_units": ("any", 2), "dtype": ("any", float)}),
    Row(
        _hyper,
        {
            "step": ("positive", 0.5), "noise_std": ("non-negative", 0.1), "temperature": ("non-negative", 0.1),
            "clamps": CLAMPS,
        },
        # What is not given has its default.
        takes={("noise_std", "none"): 0.0, ("temperature", "none"): 1.0},
    ),
)  # fmt: skip
