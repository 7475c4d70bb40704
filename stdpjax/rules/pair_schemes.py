"""Pair-based STDP with exponential windows, under the pairing schemes of Morrison, Diesmann & Gerstner (2008).

| scheme | pairs that count |
|---|---|
| all_to_all | every presynaptic spike with every postsynaptic one |
| nearest_symmetric | each spike with the last one of the other neuron |
| presynaptic_centred | each presynaptic spike with the last postsynaptic one before it and the first after it |
| reduced_symmetric | as nearest_symmetric, but only where no other spike of either neuron lies between the two |

The paper's windowed rule, which skips presynaptic spikes with neighbours on both sides, is `nearest_neighbour_rule`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args

import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._units import Measured
from stdpjax.rules.base import Rule, TraceRule
from stdpjax.rules.traces import (
    Number,
    Order,
    acting,
    added,
    check_reading,
    checked_numbers,
    faded,
    read_other,
    trace_rule,
)
from stdpjax.spikes.pairing import Coincidence

Scheme = Literal["all_to_all", "nearest_symmetric", "presynaptic_centred", "reduced_symmetric"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)


class _Kind(NamedTuple):
    """How a trace treats spikes."""

    sums: bool
    """Its neuron's spikes add up; otherwise the last one alone counts."""
    is_cleared: bool
    """A spike of the other neuron takes the earlier ones away."""


# Scheme -> (presynaptic trace, postsynaptic trace).
_KINDS: Mapping[str, tuple[_Kind, _Kind]] = MappingProxyType(
    {
        "all_to_all": (_Kind(True, False), _Kind(True, False)),
        "nearest_symmetric": (_Kind(False, False), _Kind(False, False)),
        "presynaptic_centred": (_Kind(True, True), _Kind(False, False)),
        "reduced_symmetric": (_Kind(False, True), _Kind(False, True)),
    }
)


class _Parameters(NamedTuple):
    A_plus: Number
    A_minus: Number
    tau_plus: Number
    tau_minus: Number


class _Traces(NamedTuple):
    """One value for each neuron, or for each synapse where the other neuron clears it."""

    pre: Float[Array, "#post pre"]
    post: Float[Array, "post #pre"]


def pair_rule(
    A_plus: Number,
    A_minus: Number,
    tau_plus: Measured,
    tau_minus: Measured,
    scheme: Scheme = "all_to_all",
    order: Order = "read_before",
    coincidence: Coincidence = "ignore",
) -> Rule:
    """Return pair-based STDP: A_plus exp(-lag / tau_plus) for post after pre, else minus the other side.

    Args:
        A_plus: change by a pair at lag 0+, finite.
        A_minus: minus the change by a pair at lag 0-, finite; above 0 for depression.
        tau_plus: time constant of the presynaptic trace in ms, above 0.
        tau_minus: time constant of the postsynaptic trace in ms, above 0.
        scheme: which pairs count, see the module.
        order: "read_before" or "read_after", see `stdpjax.rules.traces`.
        coincidence: "ignore" or "skip", likewise. With "skip" both orders are the same.

    Returns:
        The rule. Numbers may be traced, as in fits.

    Raises:
        ValueError: a number out of range or an unknown option.

    Source: Morrison, Diesmann & Gerstner 2008 (Biol Cybern 98:459), section 4 and Fig 7.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 0.5, 16.8, 33.7, scheme="reduced_symmetric")
        >>> events = stdpjax.rules.merge_spike_times([10.0, 20.0], [20.0])  # one pair: 20 after 10
        >>> round(float(stdpjax.rules.event_weight_change(rule, *events)), 4)
        0.5514
    """
    parameters = checked_numbers(_Parameters(A_plus, A_minus, tau_plus, tau_minus))
    _checks.choice("scheme", scheme, SCHEMES)
    check_reading(order, coincidence)
    return trace_rule(_definition(scheme, order, coincidence)._replace(parameters=parameters))


def _definition(scheme: Scheme, order: Order, coincidence: Coincidence) -> TraceRule:
    pre_kind, post_kind = _KINDS[scheme]

    def init(weights: Float[Array, "post pre"]) -> _Traces:
        n_post, n_pre = weights.shape
        return _Traces(
            jnp.zeros((n_post if pre_kind.is_cleared else 1, n_pre), weights.dtype),
            jnp.zeros((n_post, n_pre if post_kind.is_cleared else 1), weights.dtype),
        )

    def decay(parameters: _Parameters, traces: _Traces, elapsed: Float[Array, ""]) -> _Traces:
        return _Traces(
            faded(traces.pre, elapsed, jnp.asarray(parameters.tau_plus)),
            faded(traces.post, elapsed, jnp.asarray(parameters.tau_minus)),
        )

    def after(
        trace: Float[Array, "_ _"], own: Float[Array, "_ _"], other: Float[Array, "_ _"], kind: _Kind
    ) -> Float[Array, "_ _"]:
        if not kind.is_cleared:
            return added(trace, own, kind.sums)
        if order == "read_after" and coincidence == "ignore":
            # The coincident spike has been paired with; a skipped one has not.
            return added(trace, own, kind.sums) * (1 - other)
        return added(trace * (1 - other), own, kind.sums)

    def spikes(
        parameters: _Parameters,
        traces: _Traces,
        pre: Float[Array, "pre"],
        post: Float[Array, "post"],
        weights: Float[Array, "post pre"],
    ) -> tuple[Float[Array, "post pre"], _Traces]:
        del weights
        pre_row, post_column = pre[None, :], post[:, None]
        pre_acts, post_acts = acting(pre_row, post_column, coincidence)
        seen_pre = read_other(traces.pre, pre_row, pre_kind.sums, order, coincidence)
        seen_post = read_other(traces.post, post_column, post_kind.sums, order, coincidence)
        change = parameters.A_plus * (post_acts * seen_pre) - parameters.A_minus * (pre_acts * seen_post)
        return change, _Traces(
            after(traces.pre, pre_row, post_column, pre_kind), after(traces.post, post_column, pre_row, post_kind)
        )

    return TraceRule(None, init, decay, spikes)
