"""The two phases of supervised learning: how they run, and what is summed up on the way.

The clamped inputs act on the other units like a bias, so the phases run on the free units alone.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from stdpjax import _checks
from stdpjax.clamps import SoftClamp
from stdpjax.energy import Params
from stdpjax.fixed_points import TOWARDS, clip_field, natural_form
from stdpjax.learning.layers import LayeredWeights, layer_slices, take_layers
from stdpjax.rates import RateFunction
from stdpjax.rules.contrastive import movement_update

PhaseRule = Literal[
    "paper",
    "paper_midpoint",
    "paper_two_sided",
    "paper_gradient",
    "paper_midpoint_gradient",
    "paper_two_sided_gradient",
    "one_sided",
    "random_sign",
    "symmetric",
]
PHASE_RULES: tuple[PhaseRule, ...] = get_args(PhaseRule)
Order = Literal["simultaneous", "alternating"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclasses.dataclass(frozen=True)
class Phases:
    """How the two phases run; static, so each combination is compiled once."""

    rule: PhaseRule = "symmetric"
    """"paper": Eq 1 with pairing "current", summed over the pulled phase; "paper_midpoint": with the midpoint;
    "paper_two_sided": the mean of that for a pull and for a push. Eq 1 has the change of s_i: it estimates a gradient
    where rho' is 1, as for the hard sigmoid, and for a smooth rate function it does not. "paper_gradient",
    "paper_midpoint_gradient" and "paper_two_sided_gradient" are the same with that change times rho'(s_i), the factor
    of Eq 5, and estimate it for smooth ones too; between the kinks of the hard sigmoid they are the same rules.
    "one_sided", "random_sign" (of the pull, one for each batch) and "symmetric" (pull and push): equilibrium
    propagation."""
    n_settle: int = 20
    """Steps of the first phase, from rest."""
    n_pulled: int = 6
    """Steps of the second phase."""
    step: float = 0.5
    """Step size, in (0, 1]."""
    pull: float | Array = 0.5
    """Strength beta, in (0, 1); or a traced number, so that strengths vary without compiling again, then unchecked."""
    sizes: tuple[int, ...] | None = None
    """Units in each layer of a layered network, whose phases then skip the products with weights that it does not
    have; None for any network."""
    order: Order = "simultaneous"
    """"simultaneous": in a step all units move together. "alternating", for a layered network and a rate function with
    kinks: every second layer moves, then the others, each unit all the way to where it minimises the energy given its
    neighbours (`step` plays no part). One step is one such sweep; it costs as many products as a simultaneous one,
    never raises the energy, and near a fixed point reduces the distance by the square of what a simultaneous step of
    size 1 does. The layers that were driven anew go first: above the inputs when settling, the outputs when pulled.
    As neighbours never move together, Eq 1 sums up to a difference of products with either pairing."""

    def __post_init__(self) -> None:
        """Refuse what cannot run."""
        _checks.choice("rule", self.rule, PHASE_RULES)
        _checks.choice("order", self.order, ORDERS)
        _checks.count("n_settle", self.n_settle)
        _checks.count("n_pulled", self.n_pulled)
        _checks.number("step", self.step, above=0, at_most=1)
        # A push of strength 1 leaves the outputs without a restoring force.
        _checks.number("pull", self.pull, above=0, below=1)
        if self.sizes is not None:
            layer_slices(self.sizes)
        elif self.order == "alternating":
            raise ValueError("sizes: expected the units in each layer for alternating layers, got None")


class Pull(NamedTuple):
    """A soft clamp of the output units of each sample."""

    mask: Bool[Array, "free"]
    values: Float[Array, "sample free"]


class Movement(NamedTuple):
    """What is summed up on the way of a phase: the change of each unit times the rates of the others."""

    pairing: str
    """Which rates: "current" or "midpoint"."""
    with_slope: bool
    """Whether the change is of s_i times rho'(s_i) before the step, as in Eq 5, or of s_i, as in Eq 1."""


class Summed(NamedTuple):
    """Eq 1 over a phase."""

    products: Float[Array, "unit unit"]
    change: Float[Array, "sample free"]
    """Of each unit, which the biases follow."""


class FreeUnits(NamedTuple):
    """The free units, driven by the inputs, and the inputs' rates."""

    weights: Float[Array, "free free"] | LayeredWeights
    drive: Float[Array, "sample free"]
    input_rates: Float[Array, "sample input"]


def free_units(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, phases: Phases
) -> FreeUnits:
    """Return the free units of a network whose inputs are held."""
    if phases.order == "alternating" and rate_fn.kinks is None:
        raise ValueError("order: expected 'simultaneous' for a rate function without kinks, got 'alternating'")
    n_inputs = inputs.shape[1]
    rates = rate_fn.value(inputs)
    drive = rates @ params.weights[n_inputs:, :n_inputs].T + params.bias[None, n_inputs:]
    recurrent = params.weights[n_inputs:, n_inputs:]
    if phases.sizes is not None and len(phases.sizes) > 2:
        return FreeUnits(take_layers(recurrent, phases.sizes[1:]), drive, rates)
    return FreeUnits(recurrent, drive, rates)


def run_phase(
    free: FreeUnits,
    start: Float[Array, "sample free"],
    rate_fn: RateFunction,
    phases: Phases,
    n_steps: int,
    pull: Pull | None = None,
    strength: float | Array = 0.0,
    movement: Movement | None = None,
) -> tuple[Float[Array, "sample free"], Summed | None]:
    """Run a phase; also sum up Eq 1 on the way, as `movement` says, if it is given."""
    strength = jnp.asarray(strength, start.dtype)
    if phases.order == "alternating":
        moves = _alternating(free, rate_fn, phases, pull, strength)
    else:
        moves = [_simultaneous(free, rate_fn, phases, pull, strength)]

    def advance(states, _):
        passed = []
        for move in moves:
            moved = move(states)
            if movement is not None:
                before, after = rate_fn.value(states), rate_fn.value(moved)
                change = moved - states
                if movement.with_slope:
                    change = rate_fn.slope(states) * change
                passed.append((change, before if movement.pairing == "current" else 0.5 * (before + after)))
            states = moved
        return states, passed

    states, passed = jax.lax.scan(advance, start, None, length=n_steps)
    if movement is None:
        return states, None

    def whole(clamped, parts):
        # Steps and samples make one axis: their sum is one product.
        every = jnp.stack(parts).reshape(-1, *start.shape)
        held = jnp.broadcast_to(clamped, (every.shape[0], *clamped.shape))
        return jnp.concatenate([held, every], axis=2).reshape(-1, clamped.shape[1] + start.shape[1])

    changes = whole(jnp.zeros_like(free.input_rates), [change for change, _ in passed])
    paired = whole(free.input_rates, [rates for _, rates in passed])
    layers = None if phases.sizes is None else layer_slices(phases.sizes)
    # Without slopes the changes of a unit add up to how far it has come.
    change = states - start
    if movement.with_slope:
        change = jnp.sum(jnp.stack([jnp.sum(one, axis=0) for one, _ in passed]), axis=0)
    return states, Summed(n_steps * len(moves) * movement_update(changes, paired, layers), change)


Move = Callable[[Float[Array, "sample free"]], Float[Array, "sample free"]]


def _simultaneous(
    free: FreeUnits, rate_fn: RateFunction, phases: Phases, pull: Pull | None, strength: Float[Array, ""]
) -> Move:
    """Return a step of all units."""
    towards = TOWARDS[natural_form(rate_fn)]

    def goal(drive, state, value):
        clamps = () if pull is None else (SoftClamp(pull.mask, value, strength),)
        # Of the weights nothing but their product with rates is used.
        params = Params(free.weights, drive)  # pyright: ignore[reportArgumentType]
        return towards(params, rate_fn, clamps, state)

    def move(states):
        values = states if pull is None else pull.values
        return states + jnp.asarray(phases.step, states.dtype) * (jax.vmap(goal)(free.drive, states, values) - states)

    return move


def _alternating(
    free: FreeUnits, rate_fn: RateFunction, phases: Phases, pull: Pull | None, strength: Float[Array, ""]
) -> list[Move]:
    """Return the two halves of a sweep: every second layer moves given its neighbours, then the others do."""
    assert phases.sizes is not None
    inputs, *above = layer_slices(phases.sizes)
    layers = [slice(each.start - inputs.stop, each.stop - inputs.stop) for each in above]
    weights = free.weights if isinstance(free.weights, LayeredWeights) else LayeredWeights((), ())

    def minimum(number: int, rates: list[Array]) -> Array:
        field = free.drive[:, layers[number]]
        if number > 0:
            field = field + rates[number - 1] @ weights.upward[number - 1].T
        if number < len(layers) - 1:
            field = field + rates[number + 1] @ weights.downward[number].T
        layer = layers[number]

        def lowest(field, values):
            clamps = () if pull is None else (SoftClamp(pull.mask[layer], values, strength),)
            return clip_field(field, rate_fn, clamps)

        return jax.vmap(lowest)(field, field if pull is None else pull.values[:, layer])

    def half(moving: set[int], states):
        rates = [rate_fn.value(states[:, layer]) for layer in layers]
        moved = [
            minimum(number, rates) if number in moving else states[:, layer] for number, layer in enumerate(layers)
        ]
        return jnp.concatenate(moved, axis=1)

    first = 0 if pull is None else len(layers) - 1
    halves = [{number for number in range(len(layers)) if (number - first) % 2 == parity} for parity in (0, 1)]
    return [partial(half, moving) for moving in halves]
