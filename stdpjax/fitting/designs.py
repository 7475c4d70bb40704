"""Protocols as arrays that do not depend on the numbers of a rule, so that a fit is compiled once."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from stdpjax import rules, spikes
from stdpjax.protocols import Protocol, RateProtocol
from stdpjax.spikes.times import milliseconds

Protocols = Sequence[Protocol | RateProtocol]
Design = Any
# Half-width of the paper's window, 20 bins of 1 ms, and what rounding may add to a lag or take from it.
WINDOW_MS = 20.0
_ROUNDING_MS = 1e-6


class EventDesign(NamedTuple):
    """Spikes of each protocol in order of time, filled up with events without spikes."""

    times: Float[Array, "point event"]
    pre_spikes: Array
    post_spikes: Array


class RateDesign(NamedTuple):
    """Spike probabilities per bin, filled up with silence."""

    pre_probability: Float[Array, "point time"]
    post_probability: Float[Array, "point time"]
    bin_ms: Float[Array, ""]


class LagDesign(NamedTuple):
    """How often each lag comes in each protocol: counts, or means; filled up with lags that never come."""

    lag_ms: Float[Array, "point lag"]
    counts: Float[Array, "point lag"]


class BothDesign(NamedTuple):
    """Protocols of times and of rates, of a form each."""

    times: Any
    rates: Any
    place: Array
    """Where the changes of a point stand among those of the times and then those of the rates, shape `[point]`."""

    def gather(self, change_of: Callable[[Any], Float[Array, "_"]]) -> Float[Array, "point"]:
        """Return the changes of all points, from a function of one form."""
        return jnp.concatenate([change_of(self.times), change_of(self.rates)])[self.place]


def both(protocols: Protocols, of_times: Callable[[Protocols], Any], of_rates: Callable[[Protocols], Any]) -> Any:
    """Return protocols of times or rates as one function makes them of each, or as both do."""
    is_rate = np.array([isinstance(protocol, RateProtocol) for protocol in protocols])
    if is_rate.all() or not is_rate.any():
        return (of_rates if is_rate[0] else of_times)(protocols)
    times, rates = ([one for one, here in zip(protocols, is_rate, strict=True) if here == kind] for kind in (0, 1))
    place = np.where(is_rate, len(times) + np.cumsum(is_rate) - 1, np.cumsum(~is_rate) - 1)
    return BothDesign(of_times(times), of_rates(rates), place)  # pyright: ignore[reportArgumentType]


def trace_design(protocols: Protocols) -> EventDesign | RateDesign | BothDesign:
    """Return protocols as a trace rule takes them."""
    return both(protocols, _event_design, rate_design)


def _event_design(protocols: Protocols) -> EventDesign:
    merged = [rules.merge_spike_times(protocol.pre_ms, protocol.post_ms) for protocol in protocols]  # pyright: ignore
    longest = max(1, *(len(events.times) for events in merged))
    times, pre, post = np.zeros((len(merged), longest)), *np.zeros((2, len(merged), longest), bool)
    for i, events in enumerate(merged):
        n = len(events.times)
        times[i, :n], pre[i, :n], post[i, :n] = events
        times[i, n:] = events.times[-1] if n else 0.0
    return EventDesign(times, pre, post)  # pyright: ignore[reportArgumentType]


def rate_design(protocols: Protocols) -> RateDesign:
    """Return rates as spike probabilities of one width of bins."""
    widths = [milliseconds("bin_ms", protocol.bin_ms, above=0) for protocol in protocols]  # pyright: ignore
    if max(widths) - min(widths) > 1e-9 * max(widths):
        raise ValueError(f"protocols: expected one width of bins, got {sorted(set(widths))} ms")
    made = [protocol.probabilities() for protocol in protocols]  # pyright: ignore[reportAttributeAccessIssue]
    pre, post = np.zeros((2, len(made), max(one.size for one, _ in made)))
    for i, both in enumerate(made):
        for table, probability in zip((pre, post), both, strict=True):
            table[i, : probability.size] = probability
    return RateDesign(pre, post, np.float64(widths[0]))  # pyright: ignore[reportArgumentType]


def lag_design(protocols: Protocols) -> LagDesign | BothDesign:
    """Return how often the paper's pairing meets each lag in protocols, or the means of that."""
    return both(protocols, _counted_lags, _expected_lags)


def _expected_lags(protocols: Protocols) -> LagDesign:
    pre, post, bin_ms = rate_design(protocols)
    window = int((WINDOW_MS + _ROUNDING_MS) / bin_ms)
    if window < 1:
        raise ValueError(f"bin_ms: expected bins of at most {WINDOW_MS:g} ms, half the window, got {bin_ms:g} ms")
    counts = np.asarray(spikes.expected_lag_counts(pre, post, window).sum(axis=1), np.float64)
    lag_ms = np.broadcast_to(bin_ms * np.arange(-window, window + 1), counts.shape)
    return LagDesign(lag_ms, counts)  # pyright: ignore[reportArgumentType]


def _counted_lags(protocols: Protocols) -> LagDesign:
    found = [np.unique(_paired_lags(protocol), return_counts=True) for protocol in protocols]  # pyright: ignore
    lag_ms, counts = np.zeros((2, len(found), max(1, *(lags.size for lags, _ in found))))
    for i, (lags, how_often) in enumerate(found):
        lag_ms[i, : lags.size], counts[i, : lags.size] = lags, how_often
    return LagDesign(lag_ms, counts)  # pyright: ignore[reportArgumentType]


def _paired_lags(protocol: Protocol) -> NDArray[np.float64]:
    """Lags in ms of the presynaptic spikes that change the weight, as `spikes.nearest_lag` pairs them, in no bins.

    Lags that differ by rounding are one.
    """
    moments, *has_spike = rules.merge_spike_times(protocol.pre_ms, protocol.post_ms)
    pre, post = (moments[is_spike] for is_spike in has_spike)
    ends = np.concatenate([[-np.inf], post, [np.inf]])
    first_not_before, first_after = (np.searchsorted(ends, pre, side) for side in ("left", "right"))
    before, after = (np.round(gap, 9) for gap in (pre - ends[first_not_before - 1], ends[first_after] - pre))
    has_before, has_after = (gap <= WINDOW_MS + _ROUNDING_MS for gap in (before, after))
    is_paired = (has_before != has_after) & (first_not_before == first_after)
    return np.where(has_after, after, -before)[is_paired]
