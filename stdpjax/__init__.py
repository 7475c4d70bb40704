"""Bengio et al. 2015, "An objective function for STDP", as an executable, checked JAX research library."""

from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from stdpjax import (
    clamps,
    drives,
    dynamics,
    energy,
    fixed_points,
    objectives,
    observers,
    parallel,
    protocols,
    random,
    rates,
    rules,
    spikes,
)

__version__ = version("stdpjax")
__all__ = ["clamps", "drives", "dynamics", "energy", "fixed_points", "objectives", "observers", "parallel", "protocols"]
__all__ += ["random", "rates", "rules", "spikes"]

# These bring in optax, matplotlib and xarray, which the numerical core does without; they load on first use.
_LAZY = ("fitting", "lab", "learning", "networks", "plotting", "power", "stats", "studies", "theory")


def __getattr__(name: str) -> ModuleType:
    if name in _LAZY:
        return import_module(f"stdpjax.{name}")
    raise AttributeError(f"module 'stdpjax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
