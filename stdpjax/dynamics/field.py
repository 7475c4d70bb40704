"""What moves the units in one step."""

from dataclasses import dataclass

from jaxtyping import Array, Float

from stdpjax.clamps import Clamps, clamp_energy, clamp_target, hold_state
from stdpjax.energy import Params, energy_of, field_of, target_of
from stdpjax.rates import RateFunction


@dataclass(frozen=True, eq=False)
class Field:
    """What a kernel's units feel in one step: nothing that it gives leaves out the drive or the clamps."""

    params: Params
    """Weights, and biases with the drive added."""
    rate_fn: RateFunction
    drive: Float[Array, "unit"] | None = None
    """As it was added to the biases; None without one."""
    clamps: Clamps = ()

    def target(self, state: Float[Array, "unit"], at: Float[Array, "unit"] | None = None) -> Float[Array, "unit"]:
        """Return R(s), what the units relax towards; clamps see the state `at`, `state` itself by default."""
        return clamp_target(target_of(self.params, state, self.rate_fn), state if at is None else at, self.clamps)

    def driven_by(self, spikes: Float[Array, "unit"], state: Float[Array, "unit"]) -> Float[Array, "unit"]:
        """Return what the units relax towards where spikes, or other rates, take the place of rho(s)."""
        pulled = self.rate_fn.slope(state) * field_of(self.params, spikes)
        return clamp_target(pulled, state, self.clamps)

    def pull(self, state: Float[Array, "unit"]) -> Float[Array, "unit"]:
        """Return R(s) - s, how the units change in a unit of time."""
        return self.target(state) - state

    def gradient(self, state: Float[Array, "unit"]) -> Float[Array, "unit"]:
        """Return s - R(s): with tied weights the gradient of the energy, of the units that no clamp holds."""
        return state - self.target(state)

    def energy(self, state: Float[Array, "unit"]) -> Float[Array, ""]:
        """Return the energy, held units at their values, with that of soft clamps; input clamps have none."""
        held = self.hold(state)
        return energy_of(self.params, held, self.rate_fn) + clamp_energy(held, self.clamps)

    def hold(self, state: Float[Array, "unit"]) -> Float[Array, "unit"]:
        """Return the state with the clamped units at their values, which `simulate` does after every step."""
        return hold_state(state, self.clamps)
