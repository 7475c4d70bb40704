"""What a rule makes of given spikes: at single events, over whole trains, and on average."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.rules.base import Rule, Sample, TraceRule
from stdpjax.rules.traces import Number, as_arrays, step


class SpikeEvents(NamedTuple):
    """Spikes of two neurons in order of time, those at the same time as one event."""

    times: NDArray[np.float64]
    pre_spikes: NDArray[np.bool_]
    post_spikes: NDArray[np.bool_]


def merge_spike_times(pre_times: ArrayLike, post_times: ArrayLike) -> SpikeEvents:
    """Return the spike times of two neurons as one sequence of events.

    Args:
        pre_times: presynaptic spike times, rising, shape `[pre_spike]`; may be empty.
        post_times: postsynaptic spike times, rising, shape `[post_spike]`; may be empty.

    Returns:
        Each time once, with who spikes then: `event_weight_change(rule, *events)`.

    Raises:
        ValueError: times that are not finite, not rising, or have another shape.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.merge_spike_times([10.0, 20.0], [20.0]).post_spikes.tolist()
        [False, True]
    """
    sorted_times = []
    for name, values in (("pre_times", pre_times), ("post_times", post_times)):
        times = np.asarray(values, np.float64)
        if times.ndim != 1:
            raise ValueError(f"{name}: expected a sequence of times, got shape {times.shape}")
        _checks.finite(name, times)
        falling = np.flatnonzero(np.diff(times) <= 0)
        if falling.size:
            at = int(falling[0])
            raise ValueError(f"{name}: expected rising times, got {times[at]:g} and then {times[at + 1]:g}")
        sorted_times.append(times)
    times = np.unique(np.concatenate(sorted_times))
    return SpikeEvents(times, np.isin(times, sorted_times[0]), np.isin(times, sorted_times[1]))


def event_updates(
    rule: Rule, times: ArrayLike, pre_spikes: ArrayLike, post_spikes: ArrayLike, *, weight: Number = 0.0
) -> Float[Array, "event"]:
    """Return the change of one weight at each event.

    Time passes between events without steps, so the cost is that of the spikes. Differentiable in the rule's numbers,
    the times and the weight; under `vmap`, fill short sequences up with events without spikes.

    Args:
        rule: a rule of traces.
        times: times of the events, not falling, in the unit of the time constants, shape `[event]`. Differences are
            taken in double precision where the times are NumPy's; traced single-precision times should be whole
            numbers below 2^24, or the lags lose digits.
        pre_spikes: whether the presynaptic neuron spikes, shape `[event]`. Spikes at the same time are one event.
        post_spikes: whether the postsynaptic neuron spikes, shape `[event]`.
        weight: before the first event; matters to rules that depend on the weight.

    Returns:
        Changes, shape `[event]`.

    Raises:
        ValueError: a rule without traces, falling times, two events with spikes at one time, values that are not
            finite, or different shapes.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 1.0, 10.0, 10.0)
        >>> stdpjax.rules.event_updates(rule, [0.0, 0.0001], [True, False], [False, True]).round(3).tolist()
        [0.0, 1.0]
    """
    traces = traces_of(rule)
    elapsed = _elapsed(times, pre_spikes, post_spikes)
    pre, post = _checks.spikes("pre_spikes", pre_spikes), _checks.spikes("post_spikes", post_spikes)
    _checks.same_shape("times", elapsed, "pre_spikes", pre)
    _checks.same_shape("times", elapsed, "post_spikes", post)
    _checks.number("weight", weight)
    functions, parameters, _ = _apart(traces)
    return _event_updates(functions, parameters, elapsed, pre, post, jnp.asarray(weight, elapsed.dtype))


def event_weight_change(
    rule: Rule, times: ArrayLike, pre_spikes: ArrayLike, post_spikes: ArrayLike, *, weight: Number = 0.0
) -> Float[Array, ""]:
    """Return the change of one weight over a sequence of events: the sum of `event_updates`.

    Args:
        rule: a rule of traces.
        times: times of the events, not falling, in the unit of the time constants, shape `[event]`.
        pre_spikes: whether the presynaptic neuron spikes, shape `[event]`.
        post_spikes: whether the postsynaptic neuron spikes, shape `[event]`.
        weight: before the first event.

    Returns:
        The change.

    Raises:
        ValueError: as `event_updates`.

    Example:
        >>> import jax, stdpjax
        >>> def change(tau):
        ...     rule = stdpjax.rules.pair_rule(1.0, 1.0, tau, tau)
        ...     return stdpjax.rules.event_weight_change(rule, [0.0, 10.0], [True, False], [False, True])
        >>> round(float(jax.grad(change)(10.0)), 4)  # of exp(-10 / tau)
        0.0368
    """
    return jnp.sum(event_updates(rule, times, pre_spikes, post_spikes, weight=weight))


def train_updates(
    rule: Rule, pre_spikes: ArrayLike, post_spikes: ArrayLike, *, weight: float = 0.0
) -> Float[Array, "*batch time"]:
    """Return the change of one weight in each time bin of whole trains, for any rule that needs spikes alone.

    Args:
        rule: a rule.
        pre_spikes: presynaptic spike indicators, shape `[..., time]`.
        post_spikes: postsynaptic spike indicators, same shape.
        weight: before the first bin; matters to rules that depend on the weight, which is carried along.

    Returns:
        Changes, shape `[..., time]`; that of a rule with a delay, as `nearest_neighbour_rule`, in the bin that
        emits it.

    Raises:
        ValueError: different shapes or values other than 0 and 1.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 0.5, 10.0, 10.0)
        >>> updates = stdpjax.rules.train_updates(rule, [1, 0, 0], [0, 0, 1])
        >>> [round(float(update), 3) for update in updates]  # exp(-2 / 10)
        [0.0, 0.0, 0.819]
    """
    pre, post = _checks.spikes("pre_spikes", pre_spikes), _checks.spikes("post_spikes", post_spikes)
    _checks.same_shape("pre_spikes", pre, "post_spikes", post)
    _checks.number("weight", weight)
    start = jnp.full((1, 1), weight, float)
    if rule.traces is not None:
        functions, parameters, bin_width = _apart(rule.traces)
        return _bin_updates(functions, parameters, bin_width, pre.astype(float), post.astype(float), start)
    return _rule_updates(rule, pre, post, start)


def expected_updates(
    rule: Rule, pre_probability: ArrayLike, post_probability: ArrayLike
) -> Float[Array, "*batch time"]:
    """Return the exact mean change of one weight in each time bin, for independent Bernoulli spikes.

    One pass over the bins, whatever the time constants. Exact because a change is of degree one in each of the
    quantities that are independent of each other: presynaptic past, postsynaptic past, and the spikes of the bin. The
    mean is therefore the change that the rule itself makes of the probabilities. Differentiable in the probabilities
    and in the rule's numbers.

    Args:
        rule: a rule of traces whose changes do not depend on the weight: pairs, triplets, suppression, and sums,
            multiples and masks of these. The windowed rule has `mean_update` and `expected_lag_counts`.
        pre_probability: presynaptic spike probability per bin, shape `[..., time]`.
        post_probability: postsynaptic spike probability per bin, same shape. All spikes are independent given these.

    Returns:
        Mean changes per trial, shape `[..., time]`.

    Raises:
        ValueError: a rule whose mean has no such form, probabilities outside [0, 1] or not finite, or different
            shapes.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 0.5, 10.0, 10.0)
        >>> updates = stdpjax.rules.expected_updates(rule, [0.5, 0.0, 0.0], [0.0, 0.0, 0.1])
        >>> [round(float(update), 4) for update in updates]  # 0.5 * 0.1 * exp(-2 / 10)
        [0.0, 0.0, 0.0409]
    """
    traces = traces_of(rule)
    if not traces.has_exact_mean:
        raise ValueError("rule: expected one whose changes do not depend on the weight, got one that is bounded")
    pre = _checks.probability("pre_probability", pre_probability)
    post = _checks.probability("post_probability", post_probability)
    _checks.same_shape("pre_probability", pre, "post_probability", post)
    dtype = jnp.result_type(pre, post)
    functions, parameters, bin_width = _apart(traces)
    return _bin_updates(
        functions, parameters, bin_width, pre.astype(dtype), post.astype(dtype), jnp.zeros((1, 1), dtype)
    )


def traces_of(rule: Rule) -> TraceRule:
    """Return the definition by traces that a caller needs."""
    if rule.traces is None:
        raise ValueError("rule: expected a rule of traces, which pair, triplet and suppression rules are, got another")
    return rule.traces


def _apart(traces: TraceRule) -> tuple[TraceRule, Any, Number]:
    """Return functions, which a program is compiled for, and numbers, which it takes."""
    bin_width = 1.0 if traces.bin_width is None else traces.bin_width
    return traces._replace(parameters=None, bin_width=None), traces.parameters, bin_width


def _elapsed(times: ArrayLike, pre_spikes: ArrayLike, post_spikes: ArrayLike) -> Float[Array, "event"]:
    """Return the time before each event, refusing known times out of order."""
    if not _checks.is_concrete(times):
        moments = jnp.asarray(times)
        return jnp.diff(moments, prepend=moments[:1])
    moments = np.asarray(times)
    if moments.ndim != 1:
        raise ValueError(f"times: expected a sequence of times, got shape {moments.shape}")
    _checks.finite("times", moments)
    elapsed = np.diff(moments.astype(np.float64), prepend=moments[:1].astype(np.float64))
    if np.any(elapsed < 0):
        at = int(np.argmax(elapsed < 0))
        raise ValueError(f"times: expected times in order, got {moments[at - 1]:g} and then {moments[at]:g}")
    if all(_checks.is_concrete(spikes) for spikes in (pre_spikes, post_spikes)):
        has_spike = np.asarray(pre_spikes).astype(bool) | np.asarray(post_spikes).astype(bool)
        if has_spike.shape == moments.shape and np.any(np.diff(moments[has_spike]) == 0):
            where = moments[has_spike][1:][np.diff(moments[has_spike]) == 0][0]
            raise ValueError(f"times: expected spikes at the same time as one event, got two events at {where:g}")
    return jnp.asarray(elapsed, float)


@partial(jax.jit, static_argnums=0)
def _event_updates(
    functions: TraceRule,
    parameters: Any,
    elapsed: Float[Array, "event"],
    pre: Bool[Array, "event"],
    post: Bool[Array, "event"],
    weight: Float[Array, ""],
) -> Float[Array, "event"]:
    spikes = pre.astype(elapsed.dtype), post.astype(elapsed.dtype)
    return _changes(functions, parameters, elapsed, *spikes, weight.astype(elapsed.dtype)[None, None])


@partial(jax.jit, static_argnums=0)
def _bin_updates(
    functions: TraceRule,
    parameters: Any,
    bin_width: Number,
    pre: Float[Array, "*batch time"],
    post: Float[Array, "*batch time"],
    weights: Float[Array, "1 1"],
) -> Float[Array, "*batch time"]:
    elapsed = jnp.full(pre.shape[-1], jnp.asarray(bin_width, weights.dtype))

    def one(pre: Float[Array, "time"], post: Float[Array, "time"]) -> Float[Array, "time"]:
        return _changes(functions, parameters, elapsed, pre, post, weights)

    return jnp.vectorize(one, signature="(t),(t)->(t)")(pre, post)


def _changes(
    functions: TraceRule,
    parameters: Any,
    elapsed: Float[Array, "time"],
    pre: Float[Array, "time"],
    post: Float[Array, "time"],
    weights: Float[Array, "1 1"],
) -> Float[Array, "time"]:
    numbers = as_arrays(parameters, weights.dtype)

    def advance(carry: Any, now: tuple[Array, Array, Array]) -> tuple[Any, Array]:
        state, weights = carry
        elapsed, pre, post = now
        delta_w, state = step(functions, numbers, state, elapsed, pre[None], post[None], weights)
        return (state, weights + delta_w), delta_w[0, 0]

    return jax.lax.scan(advance, (functions.init(weights), weights), (elapsed, pre, post))[1]


@partial(jax.jit, static_argnums=0)
def _rule_updates(
    rule: Rule, pre: Bool[Array, "*batch time"], post: Bool[Array, "*batch time"], weights: Float[Array, "1 1"]
) -> Float[Array, "*batch time"]:
    still = jnp.zeros(1, weights.dtype)

    def advance(carry: Any, now: tuple[Array, Array]) -> tuple[Any, Array]:
        state, weights = carry
        sample = Sample(still, still, still, now[0][None], now[1][None])
        delta_w, state = rule.update(sample, state, weights)
        return (state, weights + delta_w), delta_w[0, 0]

    def one(pre: Bool[Array, "time"], post: Bool[Array, "time"]) -> Float[Array, "time"]:
        return jax.lax.scan(advance, (rule.init(weights), weights), (pre, post))[1]

    return jnp.vectorize(one, signature="(t),(t)->(t)")(pre, post)
