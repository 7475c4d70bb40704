"""Rules of decaying traces: one definition for time bins, for single events, and for exact means.

A trace jumps at spikes and decays in between. What is common to all such rules is here: the step of a time bin, the
reading of a trace before or after the spikes of its own instant, and the checks of the options.

- order: "read_before" reads all traces before the spikes of the instant are added to them, so a pair at lag 0 does
  nothing, and a neuron's own trace holds its earlier spikes alone; "read_after" adds the spikes first, so a coincident
  pair both potentiates and depresses.
- coincidence (a presynaptic and a postsynaptic spike at the same time): "ignore" lets each act as the order has it;
  "skip" changes nothing at that time, while the traces take in both.
"""

from typing import Any, Literal, TypeVar, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax.rules.base import Rule, RuleState, Sample, TraceRule, required
from stdpjax.spikes.pairing import COINCIDENCES, Coincidence

Order = Literal["read_before", "read_after"]
ORDERS: tuple[Order, ...] = get_args(Order)
Number = float | Float[Array, ""]

_Numbers = TypeVar("_Numbers", bound=Any)


def trace_rule(traces: TraceRule) -> Rule:
    """Return the rule for a scan over time bins that a definition by traces implies.

    Args:
        traces: the definition.

    Returns:
        The rule: each step the traces decay by one bin, of the sample's `bin_ms`, and take in the spikes of the bin.

    Raises:
        ValueError: no `TraceRule`.

    Example:
        >>> import jax.numpy as jnp
        >>> from stdpjax import rules
        >>> def spikes(parameters, trace, pre, post, weights):  # every postsynaptic spike adds what is left of a trace
        ...     return post[:, None] * trace, trace + pre[None, :]
        >>> fading = rules.trace_rule(rules.TraceRule(
        ...     parameters=10.0, init=lambda weights: jnp.zeros((1, weights.shape[1])),
        ...     decay=lambda tau, trace, elapsed: trace * jnp.exp(-elapsed / tau), spikes=spikes))
        >>> [round(float(update), 3) for update in rules.train_updates(fading, [1, 0, 0], [0, 0, 1], bin_ms=0.5)]
        [0.0, 0.0, 0.905]
    """
    _checks.instance("traces", traces, TraceRule, "a `TraceRule`")

    def update(
        sample: Sample, state: RuleState, weights: Float[Array, "post pre"]
    ) -> tuple[Float[Array, "post pre"], RuleState]:
        pre = required(sample, "pre_spikes").astype(weights.dtype)
        post = required(sample, "post_spikes").astype(weights.dtype)
        elapsed = 1.0 if sample.bin_ms is None else sample.bin_ms
        return step(traces, as_arrays(traces.parameters, weights.dtype), state, elapsed, pre, post, weights)

    return Rule(traces.init, update, traces)


def step(
    traces: TraceRule,
    parameters: RuleState,
    state: RuleState,
    elapsed: Number,
    pre: Float[Array, "pre"],
    post: Float[Array, "post"],
    weights: Float[Array, "post pre"],
) -> tuple[Float[Array, "post pre"], RuleState]:
    """Let the time since the last step pass, then take in the spikes."""
    state = traces.decay(parameters, state, jnp.asarray(elapsed, weights.dtype))
    return traces.spikes(parameters, state, pre, post, weights)


def as_arrays(parameters: RuleState, dtype: jnp.dtype) -> RuleState:
    """Return numbers as arrays of one type."""
    return jax.tree.map(lambda number: jnp.asarray(number, dtype), parameters)


def faded(trace: Float[Array, "..."], elapsed: Float[Array, ""], tau: Float[Array, ""]) -> Float[Array, "..."]:
    """Return a trace after some time."""
    return trace * jnp.exp(-elapsed / tau)


def added(trace: Float[Array, "..."], spike: Float[Array, "..."], sums: bool) -> Float[Array, "..."]:
    """Return a trace with a spike: added to the earlier ones, or in their place."""
    return trace + spike if sums else spike + (1 - spike) * trace


def read_other(
    trace: Float[Array, "..."], spike: Float[Array, "..."], sums: bool, order: Order, coincidence: Coincidence
) -> Float[Array, "..."]:
    """Return what a spike of the other neuron reads of a trace whose own neuron may spike at the same time."""
    # A skipped coincidence reads nothing, which leaves the value without a spike.
    return added(trace, spike, sums) if order == "read_after" and coincidence == "ignore" else trace


def read_own(trace: Float[Array, "..."], sums: bool, order: Order) -> Float[Array, "..."]:
    """Return what a neuron's spike reads of its own trace."""
    return added(trace, jnp.ones_like(trace), sums) if order == "read_after" else trace


def acting(
    pre: Float[Array, "1 pre"], post: Float[Array, "post 1"], coincidence: Coincidence
) -> tuple[Float[Array, "#post pre"], Float[Array, "post #pre"]]:
    """Return the spikes that may change a weight."""
    return (pre * (1 - post), post * (1 - pre)) if coincidence == "skip" else (pre, post)


def check_reading(order: str, coincidence: str) -> None:
    """Refuse unknown options."""
    _checks.choice("order", order, ORDERS)
    _checks.choice("coincidence", coincidence, COINCIDENCES)


def checked_numbers(numbers: _Numbers) -> _Numbers:
    """Return the numbers of a rule, those that begin with tau as times in ms above 0."""
    checked = {
        name: _checks.milliseconds(name, value, above=0) if name.startswith("tau") else _checks.number(name, value)
        for name, value in numbers._asdict().items()
    }
    return numbers._replace(**checked)
