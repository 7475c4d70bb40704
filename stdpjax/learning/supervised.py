"""Supervised learning in two phases: settle with the inputs clamped, then pull the outputs towards their labels."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from stdpjax import _checks
from stdpjax.energy import Params
from stdpjax.learning.labelled import Labelled, check_inputs, check_labelled
from stdpjax.learning.layers import layer_slices
from stdpjax.learning.phases import Movement, Phases, Pull, free_units, run_phase
from stdpjax.learning.training import Metrics, Update
from stdpjax.rates import RateFunction, check_rate_fn
from stdpjax.rules.contrastive import contrastive_update

_GRADIENT = "_gradient"


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
    _checks.instance("phases", phases, Phases, "a stdpjax.learning.Phases")
    inputs = check_inputs(params, inputs, rate_fn, phases.sizes)
    return _settled(params, inputs, rate_fn, phases)


def _settled(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, phases: Phases
) -> Float[Array, "sample free"]:
    start = jnp.zeros((inputs.shape[0], params.bias.shape[0] - inputs.shape[1]), inputs.dtype)
    return run_phase(free_units(params, inputs, rate_fn, phases), start, rate_fn, phases, phases.n_settle)[0]


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
    _checks.instance("phases", phases, Phases, "a stdpjax.learning.Phases")
    n_outputs = _checked_n_outputs(n_outputs, phases)
    low, high = rate_fn.kinks or (-0.5, 0.5)

    def check(params: Params, data: Labelled) -> Labelled:
        return check_labelled(params, data, rate_fn, n_outputs, phases.sizes)

    def update(key: Key[Array, ""], params: Params, batch: Labelled, memory: Any) -> tuple[Params, Metrics, Any]:
        key = _checks.key("key", key)
        inputs, labels = check(params, batch)
        layers = None if phases.sizes is None else layer_slices(phases.sizes)
        free = free_units(params, inputs, rate_fn, phases)
        settled = _settled(params, inputs, rate_fn, phases)
        n_free = settled.shape[1]
        strength = jnp.asarray(phases.pull, inputs.dtype)
        is_label = jax.nn.one_hot(labels, n_outputs, dtype=inputs.dtype)
        goals = jnp.full((inputs.shape[0], n_free), low, inputs.dtype)
        goals = goals.at[:, n_free - n_outputs :].set(low + (high - low) * is_label)
        pull = Pull(jnp.arange(n_free) >= n_free - n_outputs, goals)

        def pulled(strength, movement: Movement | None = None):
            return run_phase(free, settled, rate_fn, phases, phases.n_pulled, pull, strength, movement)

        def all_rates(states: Float[Array, "sample free"]) -> Float[Array, "sample unit"]:
            return jnp.concatenate([rate_fn.value(inputs), rate_fn.value(states)], axis=1)

        def contrast(states, others, distance):
            return Params(*contrastive_update(all_rates(states), all_rates(others), distance, layers))

        def moved(strength, movement):
            _, summed = pulled(strength, movement)
            assert summed is not None
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
            both = [moved(each, Movement("midpoint", with_slope)) for each in (strength, -strength)]
            delta = jax.tree.map(lambda one, other: 0.5 * (one + other), *both)
        else:
            pairing = "midpoint" if rule == "paper_midpoint" else "current"
            delta = moved(strength, Movement(pairing, with_slope))
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
    _checks.instance("phases", phases, Phases, "a stdpjax.learning.Phases")
    n_outputs = _checked_n_outputs(n_outputs, phases)
    settled = settle(params, inputs, rate_fn, phases)
    n_outputs = _checks.count("n_outputs", n_outputs, maximum=settled.shape[1])
    return jnp.argmax(settled[:, -n_outputs:], axis=1)


def _energies(
    params: Params, inputs: Float[Array, "sample input"], states: Float[Array, "sample free"], rate_fn: RateFunction
) -> Float[Array, "sample"]:
    all_states = jnp.concatenate([inputs, states], axis=1)
    rates = rate_fn.value(all_states)
    quadratic = 0.5 * jnp.sum(all_states * all_states, axis=1)
    return quadratic - jnp.sum(rates * (0.5 * (rates @ params.weights.T) + params.bias[None]), axis=1)
