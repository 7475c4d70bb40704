"""The scan over time behind `simulate`: what it is compiled for, what it takes, and what it carries; unchecked."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key, PyTree, UInt32

from stdpjax import _alike
from stdpjax.clamps import Clamps
from stdpjax.dynamics.kernel import CarryingKernel, Kernel, drive_for, field_at, step
from stdpjax.energy import Params
from stdpjax.observers import Observer
from stdpjax.rules import Rule, Sample
from stdpjax.rules.base import change_by

DriveFunction = Callable[[UInt32[Array, ""]], Float[Array, "unit"]]


class Program(NamedTuple):
    """What a program is compiled for."""

    kernel: Kernel
    rule: Rule | None
    observers: tuple[Observer, ...]
    drive: DriveFunction | None
    inputs: Callable[[UInt32[Array, ""]], PyTree] | None
    n_steps: int
    trace_every: int | None
    traces_weights: bool

    __eq__, __hash__ = _alike.by(
        "kernel", "rule", "observers", "drive", "inputs", "n_steps", "trace_every", "traces_weights"
    )


class Numbers(NamedTuple):
    """What it takes, the same for all trials but for a drive of theirs."""

    params: Params
    drive: Float[Array, "*trial time unit"] | None
    inputs: PyTree
    """Arrays `[*trial, time, ...]`, or None."""
    hyper: Any
    clamps: Clamps
    learning_rate: Float[Array, ""]
    bounds: tuple[Float[Array, ""], Float[Array, ""]] | None
    bin_ms: Float[Array, ""]
    first_step: UInt32[Array, ""]


class Carry(NamedTuple):
    """What one trial carries from step to step."""

    state: Float[Array, "unit"]
    weights: Float[Array, "post pre"] | None
    """What the rule has made of the weights; None without a rule, as what loops carry is not optimised as well."""
    rule_state: PyTree
    observed: tuple[PyTree, ...]
    is_finite: Bool[Array, "unit"]
    """By unit: all units at once would be one more loop in each step."""
    known: PyTree = None
    """What a carrying kernel knows of the state."""


def _over_trials(one: Callable[..., Any], keys: Key[Array, "*trial"], drive: Array | None) -> Callable[..., Any]:
    """Return a function of `(key, what a trial has, numbers)` for all trials, if there are any."""
    if not keys.ndim:
        return one
    drive_axis = 0 if drive is not None and drive.ndim == 3 else None
    axes = Numbers(*[None] * len(Numbers._fields))._replace(drive=drive_axis, inputs=0)  # pyright: ignore
    return jax.vmap(one, in_axes=(0, 0, axes))


def first_carry(keys: Array, start: Float[Array, "*trial unit"], numbers: Numbers, program: Program) -> Carry:
    """Return what is carried into the first step, with the statistics of no step."""
    weights = None if program.rule is None else numbers.params.weights
    rule_state = None if program.rule is None else program.rule.init(numbers.params.weights)
    observed = _first_observed(keys, start, numbers, program) if program.observers else ()

    def first(state: Float[Array, "unit"]) -> Carry:
        return Carry(state, weights, rule_state, (), jnp.ones(state.shape, bool))

    carry = first(start) if start.ndim == 1 else jax.vmap(first)(start)
    return carry._replace(observed=observed)


@partial(jax.jit, static_argnames="program")
def _first_observed(keys: Array, start: Float[Array, "*trial unit"], numbers: Numbers, program: Program) -> Any:
    def first(key: Key[Array, ""], state: Float[Array, "unit"], numbers: Numbers) -> tuple[PyTree, ...]:
        sample = jax.eval_shape(lambda: _sample(program, key, state, numbers, numbers.first_step, None, None)[0])
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), sample)
        return tuple(observer.init(nothing) for observer in program.observers)

    return _over_trials(first, keys, numbers.drive)(keys, start, numbers)


@partial(jax.jit, static_argnames="program")
def run_program(keys: Array, carry: Carry, numbers: Numbers, program: Program) -> Any:
    """Return what is carried after the last step, whether all was finite, and the traces of states and weights."""
    one = partial(_run_trial, program)
    return _over_trials(one, keys, numbers.drive)(keys, carry, numbers)


def _sample(
    program: Program, key: Array, state: Array, numbers: Numbers, index: Array, weights: Array | None, known: PyTree
) -> tuple[Any, PyTree]:
    """Return the sample of one step, by its place in this call, and what a carrying kernel knows after it."""
    number = numbers.first_step + index
    drive = numbers.drive[index] if numbers.drive is not None else None
    if program.drive is not None:
        drive = drive_for(state, program.drive(number), "a function that gives ")
    params = numbers.params if weights is None else numbers.params._replace(weights=weights)
    now = jax.random.fold_in(key, number)
    sample, known = step(program.kernel, now, state, params, drive, numbers.clamps, numbers.hyper, known)[1:]
    inputs = jax.tree.map(lambda record: record[index], numbers.inputs)
    return sample._replace(inputs=inputs if program.inputs is None else program.inputs(number)), known


def _run_trial(
    program: Program, key: Key[Array, ""], carry: Carry, numbers: Numbers
) -> tuple[Carry, Bool[Array, ""], tuple[Array | None, Array | None]]:
    kernel, rule = program.kernel, program.rule

    def one_step(carry: Carry, index: UInt32[Array, ""]) -> tuple[Carry, None]:
        sample, known = _sample(program, key, carry.state, numbers, index, carry.weights, carry.known)
        state, weights, rule_state = sample.next_post_state, carry.weights, carry.rule_state
        is_finite = carry.is_finite & jnp.isfinite(state)
        number, pairs = numbers.first_step + index, zip(program.observers, carry.observed, strict=True)
        observed = tuple(_observed(observer, number, sample, so_far) for observer, so_far in pairs)
        if rule is not None:
            seen = sample._replace(bin_ms=numbers.bin_ms)
            delta_w, rule_state = change_by(rule, seen, rule_state, sample.weights)
            itself = jnp.eye(delta_w.shape[0], dtype=bool)
            weights = sample.weights + numbers.learning_rate * jnp.where(itself, 0.0, delta_w)
            if numbers.bounds is not None:
                weights = jnp.clip(weights, *numbers.bounds)
            is_finite = is_finite & jnp.all(jnp.isfinite(weights))
        return Carry(state, weights, rule_state, observed, is_finite, known), None

    if isinstance(kernel, CarryingKernel) and rule is None and numbers.drive is None and program.drive is None:
        field = field_at(kernel, numbers.params, None, numbers.clamps)
        carry = carry._replace(known=kernel.begin(carry.state, field, numbers.hyper))
    indices = jnp.arange(program.n_steps, dtype=jnp.uint32)
    if program.trace_every is None:
        last, kept = jax.lax.scan(one_step, carry, indices)[0], (None, None)
    else:

        def stretch(carry: Carry, indices: UInt32[Array, "step"]) -> tuple[Carry, tuple[Array, Array | None]]:
            carry, _ = jax.lax.scan(one_step, carry, indices)
            return carry, (carry.state, carry.weights if program.traces_weights else None)

        last, kept = jax.lax.scan(stretch, carry, indices.reshape(-1, program.trace_every))
    return last._replace(known=None), jnp.all(last.is_finite), kept


def _observed(observer: Observer, number: UInt32[Array, ""], sample: Sample, so_far: PyTree) -> PyTree:
    """Return an observer's statistics after a step, which during the burn-in stay as they are."""
    new = observer.update(sample, so_far)
    if not observer.burn_in:
        return new
    return jax.tree.map(lambda new, old: jnp.where(number >= observer.burn_in, new, old), new, so_far)
