"""Rows of `stdpjax.dynamics`."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from stdpjax import clamps, dynamics, energy, random, rates, rules
from stdpjax.observers import mean_of
from tests.surface.table import Row, rows

KEY, RHO, STATE = ("key", random.key(0)), ("rate_fn", rates.hard_sigmoid()), ("array", np.array([0.1, 0.2], np.float32))
PARAMS = ("params", energy.make_params([[0.0, 0.5], [0.5, 0.0]]))
CLAMPS = ("object", (clamps.clamp_state([True, False], 0.25),))
_KERNEL = dynamics.NoisyIntegrator(rates.hard_sigmoid())
_MEAN = mean_of(lambda sample: sample.post_state)


def _kernel(make: type[dynamics.Kernel]) -> Callable[..., str]:
    """Return a function that makes a kernel and gives what it is, as a kernel is no pytree."""

    def kernel(**fields: Any) -> str:
        return repr(make(**fields).Hyper._fields)

    kernel.__module__, kernel.__qualname__ = "stdpjax.dynamics", make.__name__
    return kernel


def _hyper(make: type[dynamics.Kernel]) -> Callable[..., Any]:
    def hyper(**numbers: Any) -> Any:
        kernel = make(rates.hard_sigmoid())
        return kernel.check(PARAMS[1], kernel.Hyper(**numbers), (), jnp.float32)[0]

    hyper.__module__, hyper.__qualname__ = "stdpjax.dynamics", f"{make.__name__}.Hyper"
    return hyper


ROWS = rows(
    Row(dynamics.transition, {
        "params": PARAMS, "state": STATE, "noise": STATE, "rate_fn": RHO, "step": ("positive", 0.5), "clamps": CLAMPS,
    }),
    Row(_kernel(dynamics.NoisyIntegrator), {"rate_fn": RHO, "noise": ("choice", "added")}),
    *(
        Row(_kernel(make), {"rate_fn": RHO})
        for make in (
            dynamics.LeakyIntegrator, dynamics.PrintedIntegrator, dynamics.Langevin, dynamics.MetropolisLangevin,
            dynamics.SpikingIntegrator,
        )
    ),
    Row(_hyper(dynamics.LeakyIntegrator), {"step": ("positive", 0.5)}),
    Row(_hyper(dynamics.NoisyIntegrator), {"step": ("positive", 0.5), "noise_std": ("non-negative", 0.1)}),
    Row(_hyper(dynamics.Langevin), {"step": ("positive", 0.5), "temperature": ("non-negative", 0.1)}),
    Row(_hyper(dynamics.MetropolisLangevin), {"step": ("positive", 0.5), "temperature": ("positive", 0.1)}),
    Row(
        dynamics.advance,
        {
            "key": KEY, "params": PARAMS, "kernel": ("kernel", _KERNEL), "hyper": ("object", dynamics.NoiseHyper()),
            "state": STATE, "drive": STATE, "clamps": CLAMPS,
        },
        takes={("drive", "none"): np.zeros(2, np.float32)},
    ),
    Row(
        dynamics.simulate,
        {
            "key": KEY, "params": PARAMS, "kernel": ("kernel", _KERNEL), "hyper": ("object", dynamics.NoiseHyper()),
            "state": STATE, "drive": ("array", np.zeros((1, 2), np.float32)), "clamps": CLAMPS,
            "n_steps": ("count", 1), "rule": ("rule", rules.differential_rule()), "learning_rate": ("number", 0.1),
            "weight_bounds": ("object", (-1.0, 1.0)), "observe": ("object", {"state": _MEAN}),
            "trace_every": ("count", 1), "trace_weights": ("flag", False),
            "first_trial": ("count", 0), "resume": ("object", None),
            "bin_ms": ("positive time", 1.0),
        },
        takes={
            # No drive, all steps of the drive, and no trace, bounds, observers, or run to go on from.
            ("drive", "none"): np.zeros((1, 2), np.float32), ("n_steps", "none"): 1, ("weight_bounds", "none"): (-9, 9),
            **dict.fromkeys((("trace_every", "none"), ("observe", "none"), ("resume", "none"))),
        },
    ),
)  # fmt: skip
