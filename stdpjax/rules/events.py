"""What a rule of traces makes of single spikes at any times, without steps in between."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from numpy.typing import NDArray

from stdpjax import _checks, _units
from stdpjax._checks import ArrayLike
from stdpjax._units import Measured
from stdpjax.rules.base import Rule, TraceRule
from stdpjax.rules.evaluate import apart, changes, check_start, traces_of
from stdpjax.rules.traces import Number
from stdpjax.spikes.times import join_coincident, refuse_seconds, time_tolerance


class SpikeEvents(NamedTuple):
    """Spikes of two neurons in order of time, those of the same instant as one event."""

    times: NDArray[np.float64]
    """In ms, rising, shape `[event]`."""
    pre_spikes: NDArray[np.bool_]
    """Whether the presynaptic neuron spikes, shape `[event]`."""
    post_spikes: NDArray[np.bool_]
    """Whether the postsynaptic neuron spikes, shape `[event]`."""


def merge_spike_times(pre_times: Measured, post_times: Measured, *, check_unit: bool = True) -> SpikeEvents:
    """Return the spike times of two neurons as one sequence of events.

    Two spikes are at the same instant if their times differ by no more than the resolution of their numbers, which
    `spikes.times.time_tolerance` gives. Each spike of one neuron coincides with one of the other at most.

    Args:
        pre_times: presynaptic spike times in ms, or with a unit, rising, shape `[pre_spike]`; may be empty.
        post_times: postsynaptic spike times, likewise, shape `[post_spike]`.
        check_unit: refuse plain numbers that look like seconds: ten spikes of a neuron or more that are less than
            0.5 ms apart on average.

    Returns:
        Each instant once, with who spikes then: `event_weight_change(rule, *events)`.

    Raises:
        ValueError: times that are not finite, not rising, in another unit as far as that shows, or have another shape.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.merge_spike_times([10.0, 20.0], [20.0]).post_spikes.tolist()
        [False, True]
        >>> stdpjax.rules.merge_spike_times([0.3], [0.1 + 0.2]).times.tolist()  # 0.30000000000000004
        [0.3]
    """
    check_unit = _checks.flag("check_unit", check_unit)
    given = {"pre_times": pre_times, "post_times": post_times}
    numbers = {name: _rising(name, values) for name, values in given.items()}
    for name, values in given.items():
        if check_unit and not _units.carries_unit(values):
            refuse_seconds(name, numbers[name])
    pre, post = join_coincident(*numbers.values())
    times = np.unique(np.concatenate([pre, post]))
    return SpikeEvents(times, np.isin(times, pre), np.isin(times, post))


def _rising(name: str, values: Measured) -> NDArray[Any]:
    """Return known times in ms in the precision that they came in."""
    if getattr(values, "ndim", 1) == 2 and min(values.shape) == 1:
        values = values.reshape(-1)  # a row or a column, as MATLAB has them
    times = _known_times(name, values)
    at = _first_same(times)
    if at is not None:
        same = f", the same to the resolution of {times.dtype}" if times[at + 1] > times[at] else ""
        raise ValueError(f"{name}: expected rising times, got {times[at]:.12g} and then {times[at + 1]:.12g}{same}")
    return times


def _first_same(times: NDArray[Any]) -> int | None:
    """Return the place of the first time that the next one is not later than, up to the resolution of the numbers."""
    gaps = np.diff(times.astype(np.float64))
    for at in np.flatnonzero(gaps <= time_tolerance(times)):
        if gaps[at] <= time_tolerance(times[at : at + 2]):
            return int(at)
    return None


def _known_times(name: str, values: Measured) -> NDArray[Any]:
    try:
        times = np.asarray(_units.in_unit(name, values, "ms"))
    except (TypeError, jax.errors.JAXTypeError) as error:
        raise ValueError(f"{name}: expected known times, got traced ones") from error
    if times.ndim != 1:
        raise ValueError(f"{name}: expected a sequence of times, got shape {times.shape}")
    if not times.size:
        return np.zeros(0)
    if times.dtype.kind not in "iuf":
        raise ValueError(f"{name}: expected numbers, the times in ms, got dtype {times.dtype}")
    _checks.finite_on_host(name, times)
    return times


def event_updates(
    rule: Rule, times: Measured, pre_spikes: ArrayLike, post_spikes: ArrayLike, *, weight: Number = 0.0
) -> Float[Array, "event"]:
    """Return the change of one weight at each event.

    Time passes between events without steps, so the cost is that of the spikes. Differentiable in the rule's numbers,
    the times and the weight; under `vmap`, fill short sequences up with events without spikes.

    Args:
        rule: a rule of traces.
        times: times of the events in ms, or with a unit, not falling, shape `[event]`. Differences are taken in double
            precision where the times are NumPy's; traced single-precision times should be whole numbers below 2^24,
            or the lags lose digits.
        pre_spikes: whether the presynaptic neuron spikes, shape `[event]`. Spikes of the same instant are one event,
            as `merge_spike_times` makes of them.
        post_spikes: whether the postsynaptic neuron spikes, shape `[event]`.
        weight: before the first event; matters to rules that depend on the weight.

    Returns:
        Changes, shape `[event]`.

    Raises:
        ValueError: a rule without traces, falling times, two events with spikes at the same instant, values that are
            not finite, different shapes, or a weight that the rule cannot start from.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 1.0, 10.0, 10.0)
        >>> stdpjax.rules.event_updates(rule, [0.0, 0.0001], [True, False], [False, True]).round(3).tolist()
        [0.0, 1.0]
    """
    traces = traces_of(rule)
    pre, post = _checks.spikes("pre_spikes", pre_spikes), _checks.spikes("post_spikes", post_spikes)
    elapsed = _elapsed(times, pre_spikes, post_spikes)
    _checks.same_shape("times", elapsed, "pre_spikes", pre)
    _checks.same_shape("times", elapsed, "post_spikes", post)
    check_start(rule, weight)
    functions, parameters = apart(traces)
    return _event_updates(functions, parameters, elapsed, pre, post, jnp.asarray(weight, elapsed.dtype))


def event_weight_change(
    rule: Rule, times: Measured, pre_spikes: ArrayLike, post_spikes: ArrayLike, *, weight: Number = 0.0
) -> Float[Array, ""]:
    """Return the change of one weight over a sequence of events: the sum of `event_updates`.

    Args:
        rule: a rule of traces.
        times: times of the events in ms, or with a unit, not falling, shape `[event]`.
        pre_spikes: whether the presynaptic neuron spikes, shape `[event]`.
        post_spikes: whether the postsynaptic neuron spikes, shape `[event]`.
        weight: before the first event.

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


def _elapsed(times: Measured, pre_spikes: ArrayLike, post_spikes: ArrayLike) -> Float[Array, "event"]:
    """Return the time before each event, refusing known times out of order."""
    if not _checks.is_concrete(times):
        moments = jnp.asarray(times)
        elapsed = jnp.diff(moments, prepend=moments[:1])
        return elapsed if jnp.issubdtype(elapsed.dtype, jnp.floating) else elapsed.astype(float)
    moments = _known_times("times", times)
    elapsed = np.diff(moments.astype(np.float64), prepend=moments[:1].astype(np.float64))
    if np.any(elapsed < 0):
        at = int(np.argmax(elapsed < 0))
        raise ValueError(f"times: expected times in order, got {moments[at - 1]:g} and then {moments[at]:g}")
    if all(_checks.is_concrete(spikes) for spikes in (pre_spikes, post_spikes)):
        has_spike = np.asarray(pre_spikes).astype(bool) | np.asarray(post_spikes).astype(bool)
        if has_spike.shape == moments.shape:
            with_spikes = moments[has_spike]
            same = _first_same(with_spikes)
            if same is not None:
                raise ValueError(
                    "times: expected spikes of the same instant as one event, got two events at "
                    f"{with_spikes[same]:g} ms"
                )
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
    return changes(functions, parameters, elapsed, *spikes, weight.astype(elapsed.dtype)[None, None])
