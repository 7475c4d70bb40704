"""The network in time: kernels, one step each, and `simulate`, the scan that runs them (Eq 6, 7, 14, 15, 17, 20).

A kernel is a frozen dataclass, `kernel(key, state, field, hyper) -> next_state` or `(next_state, info)`, one time step
of one trial, and comes with a `Hyper` of its own: a NamedTuple of numbers, which vary without compiling again, as
weights, drives and clamped values do. The field has what moves the units, under drive and clamps. An integrator of
your own takes three lines:

    class Heun(Kernel):
        def __call__(self, key, state, field, hyper):
            first = field.pull(state)
            return state + 0.5 * hyper.step * (first + field.pull(state + hyper.step * first))

`step` is epsilon = dt / tau; with theta = step * time, continuous time is counted in tau.
"""

from stdpjax.dynamics.field import Field
from stdpjax.dynamics.kernel import CarryingKernel, HeatHyper, Kernel, NoiseHyper, Spikes, StepHyper, advance
from stdpjax.dynamics.kernels import (
    Acceptance,
    Langevin,
    LeakyIntegrator,
    MetropolisLangevin,
    NoisyIntegrator,
    PrintedIntegrator,
    SpikingIntegrator,
    transition,
)
from stdpjax.dynamics.simulation import Simulation, simulate

__all__ = ["Acceptance", "CarryingKernel", "Field", "HeatHyper", "Kernel", "Langevin", "LeakyIntegrator"]
__all__ += ["MetropolisLangevin", "NoiseHyper", "NoisyIntegrator", "PrintedIntegrator", "Simulation", "Spikes"]
__all__ += ["SpikingIntegrator", "StepHyper", "advance", "simulate", "transition"]
