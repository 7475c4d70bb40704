"""`simulate`, the scan over time, with observers and rules in it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PyTree

from stdpjax import _checks
from stdpjax._units import Measured
from stdpjax.clamps import Clamps, hold_state
from stdpjax.dynamics.inputs import check_inputs
from stdpjax.dynamics.kernel import Kernel, check_kernel
from stdpjax.dynamics.scan import Carry, DriveFunction, Numbers, Program, first_carry, run_program
from stdpjax.energy import Params, check_params
from stdpjax.observers import Observer
from stdpjax.random import member_keys
from stdpjax.rules import Rule
from stdpjax.rules.base import check_use


class Simulation(NamedTuple):
    """Where a simulation stands, and what was observed; `[trial]` leads every array if there is a trial axis."""

    state: Float[Array, "*trial unit"]
    params: Params
    """As given, or what the rule has made of them."""
    rule_state: PyTree
    """None without a rule."""
    observed: Mapping[str, PyTree]
    """The observers' statistics, by name."""
    trace: Float[Array, "*trial time unit"] | None
    """The state after every `trace_every` steps, of this call."""
    weights_trace: Float[Array, "*trial time post pre"] | None
    """The weights after every `trace_every` steps, of this call, where they were asked for."""
    is_finite: Bool[Array, "*trial"]
    """Whether states and weights have stayed finite."""
    n_steps: int
    """Steps done since the start."""


def simulate(
    key: Key[Array, ""],
    params: Params,
    kernel: Kernel,
    hyper: Any,
    *,
    state: _checks.ArrayLike | None = None,
    n_steps: int | None = None,
    drive: _checks.ArrayLike | DriveFunction | None = None,
    inputs: PyTree = None,
    clamps: Clamps = (),
    rule: Rule | None = None,
    learning_rate: float | Array | None = None,
    weight_bounds: tuple[float | Array, float | Array] | None = None,
    observe: Mapping[str, Observer] | None = None,
    trace_every: int | None = None,
    trace_weights: bool = False,
    resume: Simulation | None = None,
    first_trial: int = 0,
    bin_ms: Measured = 1.0,
) -> Simulation:
    """Run a network for some steps, and observe it on the way.

    Memory does not grow with the number of steps unless a trace is asked for. Step t of trial i has the key
    `fold_in(fold_in(key, i), t)` (without a trial axis `fold_in(key, t)`), so a run cut into several calls, by
    `resume` or by `first_trial`, gives the states of the whole, bit for bit on the same backend and batch size, and to
    rounding in other batch sizes, for which XLA may order a matrix product's sums in another way.

    Kernels, rules, observers and functions are compared by what they do: one that is made anew in a loop, a lambda
    written in place included, is not compiled again.

    Args:
        key: a scalar key.
        params: weights `[post, pre]` (0 on the diagonal) and biases `[unit]`.
        kernel: from this module, or your own.
        hyper: the kernel's `Hyper`, the numbers that it reads.
        state: initial state, `[unit]` or `[trial, unit]` for independent trials; not with `resume`. Computed with in
            the floating-point type of the weights.
        n_steps: how many; may be left out where `drive` is an array.
        drive: added to the biases: `[time, unit]`, of time steps from the start of this call; `[trial, time, unit]`;
            a function of the step number (counted from the very start); or None.
        inputs: what else reaches the network, such as a reward, which rules and observers read as `sample.inputs`: an
            array or a pytree of arrays `[time, ...]`, with a trial axis of the state `[trial, time, ...]`, from the
            start of this call; a function of the step number that gives those of a step, for all trials; or None.
        clamps: units held at values, see `stdpjax.clamps`.
        rule: a plasticity rule whose updates, times `learning_rate`, are added to the weights after each step, but for
            those from a unit to itself, which stay 0; every trial then has weights of its own. It is for watching a
            rule at work; `stdpjax.learning` trains.
        learning_rate: of the rule, which needs one; None without a rule.
        weight_bounds: least and largest weight, the first at most 0 and the other at least 0; what the rule makes of
            the weights is clipped to them after each step. None for no bounds.
        observe: observers by name, see `stdpjax.observers`; they see each step's sample.
        trace_every: keep the state after every so many steps; must divide `n_steps`.
        trace_weights: keep the weights of a rule as well.
        resume: where an earlier call of the same settings ended; goes on from there, with a rule from the weights
            that it had reached.
        first_trial: number of the first trial, for a block of a longer trial axis.
        bin_ms: length of a step in ms, or with a unit, above 0, for the time constants of a rule.

    Returns:
        The simulation. Trials that have left the finite numbers are flagged, and the others are not affected.

    Raises:
        ValueError: a parameter out of range, shapes that do not fit, a known state or drive that is not finite, a
            `trace_every` that does not divide, a rule or observers that the resumed run had not, numbers that are not
            the kernel's, an option that nothing reads (`learning_rate` without a rule, `trace_weights` without a rule
            or a trace), a drive, kernel or rule whose results have another shape, steps or trials beyond 2**32, a
            sample without what the rule or an observer reads (spikes where only rates are simulated), bins or weights
            that the rule cannot use, or what the kernel refuses.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import NoisyIntegrator, simulate
        >>> from stdpjax.observers import mean_of
        >>> params = stdpjax.energy.random_params(stdpjax.random.key(0), 8)
        >>> kernel = NoisyIntegrator(stdpjax.rates.hard_sigmoid())
        >>> run = simulate(
        ...     stdpjax.random.key(1), params, kernel, kernel.Hyper(step=0.1, noise_std=0.2),
        ...     state=jnp.zeros((100, 8)), n_steps=50,
        ...     observe={"state": mean_of(lambda sample: sample.next_post_state)})
        >>> run.observed["state"].mean.shape, bool(run.is_finite.all())
        ((100, 8), True)
    """
    key, kernel, observe = _checks.key("key", key), check_kernel(kernel), _check_observers(observe)
    # The weights that a rule has made of them may have an axis of trials, and are finite only in good trials.
    if resume is None or rule is None:
        check_params(params)
    else:
        _checks.instance("params", params, Params, "weights and biases")
    _check_resumed(state, resume, observe, rule)
    start = _check_start(params, state, resume)
    function, array, n_steps = _check_drive(drive, start, n_steps)
    inputs_function, records = check_inputs(inputs, start, n_steps)
    if trace_every is not None and n_steps % _checks.count("trace_every", trace_every):
        raise ValueError(f"trace_every: expected a divisor of {n_steps} steps, got {trace_every}")
    if _checks.flag("trace_weights", trace_weights) and (rule is None or trace_every is None):
        raise ValueError("trace_weights: expected a rule, which alone changes weights, and trace_every, got True")
    hyper, clamps = kernel.check(params, hyper, clamps, start.dtype)
    start = hold_state(start, clamps) if start.ndim == 1 else jax.vmap(hold_state, in_axes=(0, None))(start, clamps)
    rate, bounds, bin_ms = _check_learning(params, rule, learning_rate, weight_bounds, bin_ms, resume is not None)
    first_step = 0 if resume is None else resume.n_steps
    if first_step + n_steps > 2**32:
        raise ValueError(f"n_steps: expected at most 2**32 in all, whose keys differ, got {first_step} + {n_steps}")

    program = Program(
        kernel, rule, tuple(observe.values()), function, inputs_function, n_steps, trace_every, trace_weights
    )
    rest = (jnp.asarray(bin_ms, start.dtype), jnp.asarray(first_step, jnp.uint32))
    numbers = Numbers(params, array, records, hyper, clamps, jnp.asarray(rate, start.dtype), bounds, *rest)
    keys = _trial_keys(key, start, first_trial)
    if resume is None:
        carry = first_carry(keys, start, numbers, program)
    else:
        is_finite = jnp.broadcast_to(resume.is_finite[..., None], start.shape)
        weights = None if rule is None else resume.params.weights
        carry = Carry(start, weights, resume.rule_state, tuple(resume.observed.values()), is_finite)
    last, is_finite, (trace, weights_trace) = run_program(keys, carry, numbers, program)
    return Simulation(
        last.state,
        params if last.weights is None else params._replace(weights=last.weights),
        last.rule_state,
        dict(zip(observe, last.observed, strict=True)),
        trace,
        weights_trace,
        is_finite,
        first_step + n_steps,
    )


def _check_observers(observe: Mapping[str, Observer] | None) -> dict[str, Observer]:
    if observe is None:
        return {}
    _checks.instance("observe", observe, Mapping, "observers by name or None")
    for name, observer in observe.items():
        expected = "an observer, as `stdpjax.observers.mean_of(function)` gives"
        _checks.instance(f"observe {name!r}", observer, Observer, expected)
    return dict(observe)


def _check_resumed(state: Any, resume: Simulation | None, observe: Mapping[str, Observer], rule: Rule | None) -> None:
    if resume is not None:
        _checks.instance("resume", resume, Simulation, "a simulation or None")
    if (state is None) == (resume is None):
        raise ValueError("state: expected an initial state, or a simulation to resume, got both or neither")
    if resume is not None and tuple(resume.observed) != tuple(observe):
        raise ValueError(f"observe: expected {tuple(resume.observed)}, as before, got {tuple(observe)}")
    if resume is not None and (rule is None) != (resume.rule_state is None):
        raise ValueError(f"rule: expected {'none' if resume.rule_state is None else 'one'}, as before, got {rule!r}")


def _check_start(params: Params, state: Any, resume: Simulation | None) -> Float[Array, "*trial unit"]:
    n_units = params.bias.shape[-1]
    start = _checks.finite("state", state) if resume is None else resume.state
    start = start.astype(params.weights.dtype)
    if start.ndim not in (1, 2) or start.shape[-1] != n_units:
        raise ValueError(f"state: expected shape [unit] or [trial, unit] with {n_units} units, got {start.shape}")
    return start


def _check_drive(
    drive: Any, start: Float[Array, "*trial unit"], n_steps: int | None
) -> tuple[DriveFunction | None, Float[Array, "*driven time unit"] | None, int]:
    """Return the drive as a function or as an array, and the number of steps."""
    if callable(drive) or drive is None:
        function = None if drive is None else _checks.function("drive", drive, "step")
        if n_steps is None:
            raise ValueError("n_steps: expected the number of steps, as the drive does not say, got None")
        return function, None, _checks.count("n_steps", n_steps)
    array, n_units = _checks.finite("drive", drive).astype(start.dtype), start.shape[-1]
    if array.ndim not in (2, 1 + start.ndim) or array.shape[-1] != n_units:
        raise ValueError(
            f"drive: expected shape [time, unit] or [trial, time, unit] with {n_units} units and the state's "
            f"trials, got {array.shape}"
        )
    if array.ndim == 3 and array.shape[0] != start.shape[0]:
        raise ValueError(f"drive: expected {start.shape[0]} trials, as the state has, got {array.shape[0]}")
    n_steps = _checks.count("n_steps", array.shape[-2] if n_steps is None else n_steps)
    if array.shape[-2] < n_steps:
        raise ValueError(f"drive: expected at least {n_steps} steps, got {array.shape[-2]}")
    return None, array, n_steps


def _check_learning(
    params: Params, rule: Rule | None, learning_rate: Any, weight_bounds: Any, bin_ms: Any, is_resumed: bool
) -> tuple[Any, tuple[Float[Array, ""], Float[Array, ""]] | None, Any]:
    """Return learning rate, bounds of the weights and width of a bin."""
    rate = _checks.number("learning_rate", 0.0 if learning_rate is None else learning_rate)
    if rule is None:
        if not (_checks.is_concrete(rate) and rate == 0):
            raise ValueError(f"learning_rate without a rule: expected 0, as rules alone learn, got {rate}")
        if not (_checks.is_concrete(bin_ms) and _checks.milliseconds("bin_ms", bin_ms) == 1):
            raise ValueError(
                f"bin_ms without a rule: expected 1, as only rules have time constants in ms, got {bin_ms}"
            )
        if weight_bounds is not None:
            raise ValueError("weight_bounds: expected None without a rule, which alone changes weights, got bounds")
        return rate, None, bin_ms
    # The weights from a unit to itself stay 0, whatever the rule's bounds.
    are_known = not is_resumed and _checks.is_concrete(params.weights)
    others = np.asarray(params.weights)[~np.eye(params.bias.shape[-1], dtype=bool)] if are_known else np.zeros(0)
    bin_ms = check_use(rule, bin_ms, others)
    if learning_rate is None:
        raise ValueError("learning_rate: expected a number for the rule, got None")
    return rate, None if weight_bounds is None else _check_bounds(weight_bounds, params.weights), bin_ms


def _check_bounds(bounds: Any, weights: Array) -> tuple[Float[Array, ""], Float[Array, ""]]:
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ValueError(f"weight_bounds: expected the least and the largest weight, got {bounds!r}")
    # Within them 0, where the diagonal stays.
    low = _checks.number("weight_bounds", bounds[0], at_most=0)
    high = _checks.number("weight_bounds", bounds[1], at_least=0)
    if all(_checks.is_concrete(part) for part in (low, high, weights)):
        numbers = np.asarray(weights)
        least, largest = numbers.min(initial=0), numbers.max(initial=0)
        if least < np.asarray(low, numbers.dtype) or largest > np.asarray(high, numbers.dtype):
            raise ValueError(f"weight_bounds: expected weights within them, got some from {least:g} to {largest:g}")
    return jnp.asarray(low, weights.dtype), jnp.asarray(high, weights.dtype)


def _trial_keys(key: Key[Array, ""], start: Float[Array, "*trial unit"], first_trial: int) -> Key[Array, "*trial"]:
    first_trial = _checks.count("first_trial", first_trial, minimum=0)
    if start.ndim == 1:
        if first_trial:
            raise ValueError(f"first_trial: expected 0 for a state without trials, got {first_trial}")
        return key
    if first_trial + start.shape[0] > 2**32:
        trials = f"{start.shape[0]} trials below 2**32, whose keys differ"
        raise ValueError(f"first_trial: expected the first of {trials}, got {first_trial}")
    return member_keys(key, start.shape[0], first_trial)
