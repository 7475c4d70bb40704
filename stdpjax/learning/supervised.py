"""Supervised learning in two phases: settle with the inputs clamped, then pull the outputs towards their labels.

The clamped inputs act on the other units like a bias, so the phases run on the free units alone.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from stdpjax import _checks
from stdpjax.clamps import SoftClamp
from stdpjax.energy import Params
from stdpjax.fixed_points import TOWARDS, clip_field, natural_form
from stdpjax.learning.labelled import Labelled, check_inputs, check_labelled
from stdpjax.learning.layers import LayeredWeights, layer_slices, take_layers
from stdpjax.learning.training import Metrics, Update
from stdpjax.rates import RateFunction, check_rate_fn
from stdpjax.rules.contrastive import contrastive_update, movement_update

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
_GRADIENT = "_gradient"
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


class _Pull(NamedTuple):
    """A soft clamp of the output units of each sample."""

    mask: Bool[Array, "free"]
    values: Float[Array, "sample free"]


def settle(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, phases: Phases
) -> Float[Array, "sample free"]:
    """Return the free units' states after the first phase.

    Args:
        params: weights and biases of all units, inputs first.
        inputs: activities of the input units, shape `[sample, input]`, in whatever floating-point type.
        rate_fn: the rate function rho.
        phases: number and size of the steps.

    Returns:
        States, shape `[sample, free]`, in the floating-point type of the weights; the last ones are the outputs.

    Raises:
        ValueError: parameters that are no network or not finite, or weights that the layers of `phases` do not have;
            inputs of another shape or width, that are not finite or, where they are known, are rates from 0 to 1
            instead of activities; "alternating" phases for a rate function without kinks.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.learning.random_layers(stdpjax.random.key(0), (3, 4, 2))
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> stdpjax.learning.settle(params, jnp.zeros((5, 3)), rho, stdpjax.learning.Phases()).shape
        (5, 6)
    """
    _check_phases(phases)
    inputs = check_inputs(params, inputs, rate_fn, phases.sizes)
    return _settled(params, inputs, rate_fn, phases)


def _settled(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, phases: Phases
) -> Float[Array, "sample free"]:
    start = jnp.zeros((inputs.shape[0], params.bias.shape[0] - inputs.shape[1]), inputs.dtype)
    states, _ = _phase(_free(params, inputs, rate_fn, phases), start, rate_fn, phases, phases.n_settle, None, 0.0, None)
    return states


def phase_update(rate_fn: RateFunction, phases: Phases, n_outputs: int) -> Update:
    """Return the function that turns a batch into an update of weights and biases.

    Args:
        rate_fn: a rate function; with kinks the phases relax in the clip form (see `stdpjax.fixed_points.relax`).
        phases: the rule and how the phases run.
        n_outputs: number of output units, the last ones. A label's unit is pulled to the upper kink (rate 1), the
            others to the lower; for smooth rate functions to activities 0.5 and -0.5.

    Returns:
        `update(key, params, batch, memory) -> (delta, metrics, memory)`: `delta` is to be added and estimates minus
        the gradient of the mean squared error / 2, with "paper", "paper_midpoint" and "paper_two_sided" only for rate
        functions whose slope is 1 (see `Phases`); the metrics are means over the batch of `loss`, `error` (share of
        wrong labels) and `energy`; there is nothing to remember. `update.check(params, data)` refuses, as `update`
        does, a network that is not finite or has weights that its layers have not, and samples that do not fit: inputs
        of another width, or rates from 0 to 1 instead of activities; labels that are one-hot, no whole numbers, or out
        of range where they are known. It returns the samples with inputs in the floating-point type of the weights.
        `update.sizes` are those of the layers, or None.

    Raises:
        ValueError: no rate function, no phases, or a number of outputs that is not that of the last layer.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.learning import Labelled, Phases, phase_update, random_layers
        >>> update = phase_update(stdpjax.rates.hard_sigmoid(), Phases(), n_outputs=2)
        >>> params = random_layers(stdpjax.random.key(0), (3, 4, 2))
        >>> batch = Labelled(jnp.zeros((5, 3)), jnp.array([0, 1, 1, 0, 1]))
        >>> delta, metrics, _ = update(stdpjax.random.key(1), params, batch, ())
        >>> delta.weights.shape, sorted(metrics)
        ((9, 9), ['energy', 'error', 'loss'])
    """
    check_rate_fn(rate_fn)
    _check_phases(phases)
    n_outputs = _checked_n_outputs(n_outputs, phases)
    low, high = rate_fn.kinks or (-0.5, 0.5)

    def check(params: Params, data: Labelled) -> Labelled:
        return check_labelled(params, data, rate_fn, n_outputs, phases.sizes)

    def update(key: Key[Array, ""], params: Params, batch: Labelled, memory: Any) -> tuple[Params, Metrics, Any]:
        key = _checks.key("key", key)
        inputs, labels = check(params, batch)
        layers = None if phases.sizes is None else layer_slices(phases.sizes)
        free = _free(params, inputs, rate_fn, phases)
        settled = _settled(params, inputs, rate_fn, phases)
        n_free = settled.shape[1]
        strength = jnp.asarray(phases.pull, inputs.dtype)
        is_label = jax.nn.one_hot(labels, n_outputs, dtype=inputs.dtype)
        goals = jnp.full((inputs.shape[0], n_free), low, inputs.dtype)
        goals = goals.at[:, n_free - n_outputs :].set(low + (high - low) * is_label)
        pull = _Pull(jnp.arange(n_free) >= n_free - n_outputs, goals)

        def pulled(strength, movement: _Movement | None = None):
            return _phase(free, settled, rate_fn, phases, phases.n_pulled, pull, strength, movement)

        def all_rates(states: Float[Array, "sample free"]) -> Float[Array, "sample unit"]:
            return jnp.concatenate([rate_fn.value(inputs), rate_fn.value(states)], axis=1)

        def contrast(states, others, distance):
            return Params(*contrastive_update(all_rates(states), all_rates(others), distance, layers))

        def moved(strength, movement):
            _, summed = pulled(strength, movement)
            change = jnp.concatenate([jnp.zeros_like(inputs), summed.change], axis=1)
            scaled = jax.tree.map(lambda leaf: leaf / strength, (summed.products, jnp.mean(change, axis=0)))
            return Params(*scaled)

        rule = phases.rule.removesuffix(_GRADIENT)
        with_slope = phases.rule != rule
        if rule == "symmetric":
            delta = contrast(pulled(strength)[0], pulled(-strength)[0], 2 * strength)
        elif rule == "one_sided":
            delta = contrast(pulled(strength)[0], settled, strength)
        elif rule == "random_sign":
            signed = strength * jax.random.rademacher(key, (), inputs.dtype)
            delta = contrast(pulled(signed)[0], settled, signed)
        elif rule == "paper_two_sided":
            both = [moved(each, _Movement("midpoint", with_slope)) for each in (strength, -strength)]
            delta = jax.tree.map(lambda one, other: 0.5 * (one + other), *both)
        else:
            pairing = "midpoint" if rule == "paper_midpoint" else "current"
            delta = moved(strength, _Movement(pairing, with_slope))
        outputs = settled[:, n_free - n_outputs :]
        metrics = {
            "loss": 0.5 * jnp.mean(jnp.sum((outputs - goals[:, n_free - n_outputs :]) ** 2, axis=1)),
            "error": jnp.mean((jnp.argmax(outputs, axis=1).astype(labels.dtype) != labels).astype(inputs.dtype)),
            "energy": jnp.mean(_energies(params, inputs, settled, rate_fn)),
        }
        return delta, metrics, memory

    update.check = check  # pyright: ignore[reportFunctionMemberAccess] -- read by `train_epoch`
    update.sizes = phases.sizes  # pyright: ignore[reportFunctionMemberAccess] -- read by `start`
    return update


def _check_phases(phases: Phases) -> None:
    if not isinstance(phases, Phases):
        raise ValueError(f"phases: expected a stdpjax.learning.Phases, got {phases!r:.60}")


def _checked_n_outputs(n_outputs: int, phases: Phases) -> int:
    n_outputs = _checks.count("n_outputs", n_outputs)
    if phases.sizes is not None and phases.sizes[-1] != n_outputs:
        raise ValueError(f"n_outputs: expected {phases.sizes[-1]}, the last of the layers' sizes, got {n_outputs}")
    return n_outputs


def predict(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, phases: Phases, n_outputs: int
) -> Int[Array, "sample"]:
    """Return the class of each sample: the output unit with the highest activity after the first phase.

    Args:
        params: weights and biases of all units, inputs first.
        inputs: activities of the input units, shape `[sample, input]`.
        rate_fn: the rate function rho.
        phases: number and size of the steps.
        n_outputs: number of output units, the last ones.

    Returns:
        Classes from 0 to `n_outputs - 1`, shape `[sample]`.

    Raises:
        ValueError: as in `settle`, more outputs than units that are no inputs, or another number than the last layer
            of `phases` has.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.learning import Phases, predict, random_layers
        >>> params = random_layers(stdpjax.random.key(0), (3, 4, 2))
        >>> predict(params, jnp.zeros((5, 3)), stdpjax.rates.hard_sigmoid(), Phases(), n_outputs=2).shape
        (5,)
    """
    _check_phases(phases)
    n_outputs = _checked_n_outputs(n_outputs, phases)
    settled = settle(params, inputs, rate_fn, phases)
    n_outputs = _checks.count("n_outputs", n_outputs, maximum=settled.shape[1])
    return jnp.argmax(settled[:, -n_outputs:], axis=1)


class _Movement(NamedTuple):
    """What is summed up on the way of a phase: the change of each unit times the rates of the others."""

    pairing: str
    """Which rates: "current" or "midpoint"."""
    with_slope: bool
    """Whether the change is of s_i times rho'(s_i) before the step, as in Eq 5, or of s_i, as in Eq 1."""


class _Summed(NamedTuple):
    products: Float[Array, "unit unit"]
    change: Float[Array, "sample free"]


class _Free(NamedTuple):
    """The free units, driven by the inputs, and the inputs' rates."""

    weights: Float[Array, "free free"] | LayeredWeights
    drive: Float[Array, "sample free"]
    input_rates: Float[Array, "sample input"]


def _free(params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, phases: Phases) -> _Free:
    if phases.order == "alternating" and rate_fn.kinks is None:
        raise ValueError("order: expected 'simultaneous' for a rate function without kinks, got 'alternating'")
    n_inputs = inputs.shape[1]
    rates = rate_fn.value(inputs)
    drive = rates @ params.weights[n_inputs:, :n_inputs].T + params.bias[None, n_inputs:]
    recurrent = params.weights[n_inputs:, n_inputs:]
    if phases.sizes is not None and len(phases.sizes) > 2:
        return _Free(take_layers(recurrent, phases.sizes[1:]), drive, rates)
    return _Free(recurrent, drive, rates)


def _phase(
    free: _Free,
    start: Float[Array, "sample free"],
    rate_fn: RateFunction,
    phases: Phases,
    n_steps: int,
    pull: _Pull | None,
    strength: float | Array,
    movement: _Movement | None,
) -> tuple[Float[Array, "sample free"], Any]:
    """Run a phase; also sum up Eq 1 on the way, as `movement` says."""
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
    return states, _Summed(n_steps * len(moves) * movement_update(changes, paired, layers), change)


Move = Callable[[Float[Array, "sample free"]], Float[Array, "sample free"]]


def _simultaneous(
    free: _Free, rate_fn: RateFunction, phases: Phases, pull: _Pull | None, strength: Float[Array, ""]
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
    free: _Free, rate_fn: RateFunction, phases: Phases, pull: _Pull | None, strength: Float[Array, ""]
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


def _energies(
    params: Params, inputs: Float[Array, "sample input"], states: Float[Array, "sample free"], rate_fn: RateFunction
) -> Float[Array, "sample"]:
    all_states = jnp.concatenate([inputs, states], axis=1)
    rates = rate_fn.value(all_states)
    quadratic = 0.5 * jnp.sum(all_states * all_states, axis=1)
    return quadratic - jnp.sum(rates * (0.5 * (rates @ params.weights.T) + params.bias[None]), axis=1)
