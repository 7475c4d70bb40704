"""Rules of more than two spikes: triplets (Pfister & Gerstner 2006) and suppression (Froemke & Dan 2002)."""

from typing import Any, Literal, NamedTuple, get_args

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
    read_own,
    trace_rule,
)
from stdpjax.spikes.pairing import Coincidence

Interaction = Literal["all_to_all", "nearest"]
INTERACTIONS: tuple[Interaction, ...] = get_args(Interaction)


class _TripletParameters(NamedTuple):
    A2_plus: Number
    A3_plus: Number
    A2_minus: Number
    A3_minus: Number
    tau_plus: Number
    tau_minus: Number
    tau_x: Number
    tau_y: Number


class _Traces(NamedTuple):
    """Two of each neuron, in the order of the time constants, which are a rule's last four parameters."""

    pre: Float[Array, "1 pre"]
    """r1 of triplets; the trace of effective spikes of suppression."""
    post: Float[Array, "post 1"]
    """o1, or likewise."""
    own_pre: Float[Array, "1 pre"]
    """r2 of triplets; what is missing in the efficacy of the next spike of suppression."""
    own_post: Float[Array, "post 1"]
    """o2, or likewise."""


def _at_rest(weights: Float[Array, "post pre"]) -> _Traces:
    n_post, n_pre = weights.shape
    row, column = jnp.zeros((1, n_pre), weights.dtype), jnp.zeros((n_post, 1), weights.dtype)
    return _Traces(row, column, row, column)


def _decay(parameters: Any, traces: _Traces, elapsed: Float[Array, ""]) -> _Traces:
    pairs = zip(traces, parameters[-4:], strict=True)
    return _Traces(*(faded(trace, elapsed, jnp.asarray(tau)) for trace, tau in pairs))


def triplet_rule(
    A2_plus: Number,
    A3_plus: Number,
    A2_minus: Number,
    A3_minus: Number,
    tau_plus: Measured,
    tau_minus: Measured,
    tau_x: Measured,
    tau_y: Measured,
    scheme: Interaction = "all_to_all",
    order: Order = "read_before",
    coincidence: Coincidence = "ignore",
) -> Rule:
    """Return the triplet rule: pairs whose effect grows with earlier spikes of the neuron that spikes last.

    A postsynaptic spike adds r1 (A2_plus + A3_plus o2), a presynaptic spike takes away o1 (A2_minus + A3_minus r2); r1
    and r2 are presynaptic traces of tau_plus and tau_x, o1 and o2 postsynaptic ones of tau_minus and tau_y.

    Args:
        A2_plus: potentiation by a pair, finite.
        A3_plus: potentiation by a triplet post-pre-post, finite.
        A2_minus: depression by a pair, finite; above 0 for depression.
        A3_minus: depression by a triplet pre-post-pre, finite; above 0 for depression.
        tau_plus: time constant of r1 in ms, above 0.
        tau_minus: time constant of o1 in ms, above 0.
        tau_x: time constant of r2 in ms, above 0.
        tau_y: time constant of o2 in ms, above 0.
        scheme: "all_to_all" (spikes add up in all traces) or "nearest" (the last one alone counts).
        order: "read_before", as published, or "read_after", see `stdpjax.rules.traces`.
        coincidence: "ignore" or "skip", likewise.

    Returns:
        The rule. Numbers may be traced, as in fits.

    Raises:
        ValueError: a number out of range or an unknown option.

    Source: Pfister & Gerstner 2006 (J Neurosci 26:9673), Eq 3 and 4.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.triplet_rule(1.0, 2.0, 0.0, 0.0, 10.0, 20.0, 30.0, 40.0)
        >>> events = stdpjax.rules.merge_spike_times([5.0], [0.0, 10.0])  # post, pre, post
        >>> round(float(stdpjax.rules.event_weight_change(rule, *events)), 4)  # exp(-5 / 10) (1 + 2 exp(-10 / 40))
        1.5513
    """
    numbers = checked_numbers(
        _TripletParameters(A2_plus, A3_plus, A2_minus, A3_minus, tau_plus, tau_minus, tau_x, tau_y)
    )
    _checks.choice("scheme", scheme, INTERACTIONS)
    check_reading(order, coincidence)
    return trace_rule(_triplets(scheme, order, coincidence)._replace(parameters=numbers))


def _triplets(scheme: Interaction, order: Order, coincidence: Coincidence) -> TraceRule:
    sums = scheme == "all_to_all"

    def spikes(
        parameters: _TripletParameters,
        traces: _Traces,
        pre: Float[Array, "pre"],
        post: Float[Array, "post"],
        weights: Float[Array, "post pre"],
    ) -> tuple[Float[Array, "post pre"], _Traces]:
        del weights
        pre_row, post_column = pre[None, :], post[:, None]
        pre_acts, post_acts = acting(pre_row, post_column, coincidence)
        seen_pre = read_other(traces.pre, pre_row, sums, order, coincidence)
        seen_post = read_other(traces.post, post_column, sums, order, coincidence)
        plus = parameters.A2_plus + parameters.A3_plus * read_own(traces.own_post, sums, order)
        minus = parameters.A2_minus + parameters.A3_minus * read_own(traces.own_pre, sums, order)
        change = post_acts * seen_pre * plus - pre_acts * seen_post * minus
        return change, _Traces(
            added(traces.pre, pre_row, sums),
            added(traces.post, post_column, sums),
            added(traces.own_pre, pre_row, sums),
            added(traces.own_post, post_column, sums),
        )

    return TraceRule(None, _at_rest, _decay, spikes)


class _SuppressionParameters(NamedTuple):
    A_plus: Number
    A_minus: Number
    tau_plus: Number
    tau_minus: Number
    tau_pre: Number
    tau_post: Number


def suppression_rule(
    A_plus: Number,
    A_minus: Number,
    tau_plus: Measured,
    tau_minus: Measured,
    tau_pre: Measured,
    tau_post: Measured,
    scheme: Interaction = "all_to_all",
    order: Order = "read_before",
    coincidence: Coincidence = "ignore",
) -> Rule:
    """Return the suppression rule: pair-based STDP of spikes whose efficacy an earlier spike of their neuron lowers.

    The efficacy of a spike is 1 - exp(-interval / tau) with the interval since the neuron's last spike, 1 for the
    first; a pair changes the weight by the product of both efficacies and its window.

    Args:
        A_plus: change by a pair at lag 0+, finite.
        A_minus: minus the change by a pair at lag 0-, finite; above 0 for depression.
        tau_plus: time constant of potentiation in ms, above 0.
        tau_minus: time constant of depression in ms, above 0.
        tau_pre: recovery time of presynaptic efficacy in ms, above 0.
        tau_post: recovery time of postsynaptic efficacy in ms, above 0.
        scheme: "all_to_all" or "nearest" (the last spike alone counts in each trace).
        order: "read_before" or "read_after", see `stdpjax.rules.traces`; the efficacy is always that of the intervals
            before a spike.
        coincidence: "ignore" or "skip", likewise.

    Returns:
        The rule. Numbers may be traced, as in fits.

    Raises:
        ValueError: a number out of range or an unknown option.

    Source: Froemke & Dan 2002 (Nature 416:433).

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.suppression_rule(1.0, 0.0, 10.0, 20.0, 30.0, 40.0)
        >>> events = stdpjax.rules.merge_spike_times([0.0], [5.0, 10.0])  # the second postsynaptic spike is weak
        >>> round(float(stdpjax.rules.event_weight_change(rule, *events)), 4)
        0.6498
    """
    numbers = checked_numbers(_SuppressionParameters(A_plus, A_minus, tau_plus, tau_minus, tau_pre, tau_post))
    _checks.choice("scheme", scheme, INTERACTIONS)
    check_reading(order, coincidence)
    return trace_rule(_suppression(scheme, order, coincidence)._replace(parameters=numbers))


def _suppression(scheme: Interaction, order: Order, coincidence: Coincidence) -> TraceRule:
    sums = scheme == "all_to_all"

    def with_spike(
        trace: Float[Array, "_ _"], spike: Float[Array, "_ _"], effective: Float[Array, "_ _"]
    ) -> Float[Array, "_ _"]:
        return effective + (trace if sums else (1 - spike) * trace)

    def spikes(
        parameters: _SuppressionParameters,
        traces: _Traces,
        pre: Float[Array, "pre"],
        post: Float[Array, "post"],
        weights: Float[Array, "post pre"],
    ) -> tuple[Float[Array, "post pre"], _Traces]:
        del weights
        pre_row, post_column = pre[None, :], post[:, None]
        pre_efficacy, post_efficacy = 1 - traces.own_pre, 1 - traces.own_post
        pre_trace = with_spike(traces.pre, pre_row, pre_row * pre_efficacy)
        post_trace = with_spike(traces.post, post_column, post_column * post_efficacy)
        # A skipped coincidence reads nothing, which leaves the values without a spike.
        reads_new = order == "read_after" and coincidence == "ignore"
        seen_pre, seen_post = (pre_trace, post_trace) if reads_new else (traces.pre, traces.post)
        pre_acts, post_acts = acting(pre_row, post_column, coincidence)
        change = parameters.A_plus * (post_acts * post_efficacy * seen_pre) - parameters.A_minus * (
            pre_acts * pre_efficacy * seen_post
        )
        return change, _Traces(
            pre_trace,
            post_trace,
            added(traces.own_pre, pre_row, sums=False),
            added(traces.own_post, post_column, sums=False),
        )

    return TraceRule(None, _at_rest, _decay, spikes)
