"""What is fitted: a rule whose numbers are free within ranges, and the weight changes that it predicts.

Trace rules are evaluated event by event for protocols of spike times, and by their exact expectation for protocols of
rates; the paper's windowed rule through its lags, of any size for spike times and of whole bins, in their exact mean,
for rates. A protocol enters as arrays that do not depend on the numbers, so a fit is compiled once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from stdpjax import _checks, rules, spikes
from stdpjax._units import Measured
from stdpjax.protocols import Protocol, RateProtocol
from stdpjax.spikes.times import milliseconds

Numbers = Mapping[str, float | Float[Array, ""]]
Design = Any
# Half-width of the paper's window, 20 bins of 1 ms, and what rounding may add to a lag or take from it.
WINDOW_MS = 20.0
_ROUNDING_MS = 1e-6


class Parameter(NamedTuple):
    """A number of a rule and its range, in which it is fitted on a logarithmic scale."""

    name: str
    low: float
    high: float
    first_low: float
    """Fits start between these two."""
    first_high: float
    unit: str


class Model(NamedTuple):
    """A rule to be fitted."""

    name: str
    parameters: tuple[Parameter, ...]
    held: Mapping[str, float]
    """Numbers that are not fitted unless asked for."""
    design: Callable[[Sequence[Protocol | RateProtocol]], Design]
    """Arrays of the protocols, in double precision on the host."""
    predict: Callable[[Numbers, Design], Float[Array, "point"]]
    """Changes at given numbers, differentiable in them."""


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


def trace_design(protocols: Sequence[Protocol | RateProtocol]) -> EventDesign | RateDesign:
    """Return protocols as a trace rule takes them."""
    if isinstance(protocols[0], RateProtocol):
        return _rate_design(protocols)
    merged = [rules.merge_spike_times(protocol.pre_ms, protocol.post_ms) for protocol in protocols]  # pyright: ignore
    longest = max(1, *(len(events.times) for events in merged))
    times, pre, post = np.zeros((len(merged), longest)), *np.zeros((2, len(merged), longest), bool)
    for i, events in enumerate(merged):
        n = len(events.times)
        times[i, :n], pre[i, :n], post[i, :n] = events
        times[i, n:] = events.times[-1] if n else 0.0
    return EventDesign(times, pre, post)  # pyright: ignore[reportArgumentType]


def _rate_design(protocols: Sequence[Protocol | RateProtocol]) -> RateDesign:
    widths = [milliseconds("bin_ms", protocol.bin_ms, above=0) for protocol in protocols]  # pyright: ignore
    if max(widths) - min(widths) > 1e-9 * max(widths):
        raise ValueError(f"protocols: expected one width of bins, got {sorted(set(widths))} ms")
    made = [protocol.probabilities() for protocol in protocols]  # pyright: ignore[reportAttributeAccessIssue]
    pre, post = np.zeros((2, len(made), max(one.size for one, _ in made)))
    for i, both in enumerate(made):
        for table, probability in zip((pre, post), both, strict=True):
            table[i, : probability.size] = probability
    return RateDesign(pre, post, np.float64(widths[0]))  # pyright: ignore[reportArgumentType]


def lag_design(protocols: Sequence[Protocol | RateProtocol]) -> LagDesign:
    """Return how often the paper's pairing meets each lag in protocols, or the means of that."""
    if isinstance(protocols[0], RateProtocol):
        pre, post, bin_ms = _rate_design(protocols)
        window = int((WINDOW_MS + _ROUNDING_MS) / bin_ms)
        if window < 1:
            raise ValueError(f"bin_ms: expected bins of at most {WINDOW_MS:g} ms, half the window, got {bin_ms:g} ms")
        counts = np.asarray(spikes.expected_lag_counts(pre, post, window).sum(axis=1), np.float64)
        lag_ms = np.broadcast_to(bin_ms * np.arange(-window, window + 1), counts.shape)
        return LagDesign(lag_ms, counts)  # pyright: ignore[reportArgumentType]
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


def _predict_traces(make_rule: Callable[..., rules.Rule], numbers: Numbers, design: EventDesign | RateDesign) -> Array:
    rule = make_rule(**numbers)
    if isinstance(design, RateDesign):
        updates = rules.expected_updates(rule, design.pre_probability, design.post_probability, bin_ms=design.bin_ms)
        return jnp.sum(updates, axis=-1)
    return jax.vmap(partial(rules.event_weight_change, rule))(*design)


def _predict_window(numbers: Numbers, design: LagDesign) -> Array:
    shape, _ = rules.LAG_KERNELS["bi_poo"]
    lag_ms = design.lag_ms.ravel()
    depression, potentiation = shape(jnp.abs(lag_ms), bin_ms=1.0, **numbers)
    kernel = jnp.where(lag_ms == 0, 0.0, jnp.where(lag_ms > 0, potentiation, depression))
    return jnp.sum(design.counts * kernel.reshape(design.counts.shape), axis=-1)


def _amplitude(name: str) -> Parameter:
    return Parameter(name, 1e-9, 10.0, 1e-4, 1.0, "share of the weight")


def _tau(name: str) -> Parameter:
    return Parameter(name, 1.0, 2000.0, 5.0, 300.0, "ms")


_PAIR = (_amplitude("A_plus"), _amplitude("A_minus"), _tau("tau_plus"), _tau("tau_minus"))
_SUPPRESSION = (*_PAIR, _tau("tau_pre"), _tau("tau_post"))
_TRIPLET = (
    *(_amplitude(f"A{order}_{sign}") for sign in ("plus", "minus") for order in (2, 3)),
    *(_tau(f"tau_{name}") for name in ("plus", "minus", "x", "y")),
)
# Pfister & Gerstner (2006) took these from Bi & Poo (2001) and fitted the rest.
_TRIPLET_HELD = {"tau_plus": 16.8, "tau_minus": 33.7}
_MINIMAL_HELD = {**_TRIPLET_HELD, "A2_plus": 0.0, "A3_minus": 0.0, "tau_x": 100.0}


def _trace_model(
    name: str,
    parameters: tuple[Parameter, ...],
    make_rule: Callable[..., rules.Rule],
    held: Mapping[str, float] = MappingProxyType({}),
    **options: str,
) -> Model:
    predict = partial(_predict_traces, partial(make_rule, **options))
    return Model(name, parameters, MappingProxyType(dict(held)), trace_design, predict)


MODELS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            _trace_model("pair", _PAIR, rules.pair_rule),
            *(
                _trace_model(f"pair_{scheme}", _PAIR, rules.pair_rule, scheme=scheme)
                for scheme in rules.SCHEMES
                if scheme != "all_to_all"
            ),
            Model("window", _PAIR, MappingProxyType({}), lag_design, _predict_window),
            _trace_model("suppression", _SUPPRESSION, rules.suppression_rule),
            _trace_model("triplet_minimal", _TRIPLET, rules.triplet_rule, _MINIMAL_HELD),
            _trace_model("triplet_nearest_minimal", _TRIPLET, rules.triplet_rule, _MINIMAL_HELD, scheme="nearest"),
            _trace_model("triplet", _TRIPLET, rules.triplet_rule, _TRIPLET_HELD),
            _trace_model("triplet_nearest", _TRIPLET, rules.triplet_rule, _TRIPLET_HELD, scheme="nearest"),
        )
    }
)


def find_model(name: str) -> Model:
    """Return the model of a rule's name.

    Args:
        name: a name of `MODELS`.

    Raises:
        ValueError: an unknown name (the known ones are listed).

    Example:
        >>> import stdpjax
        >>> [parameter.name for parameter in stdpjax.fitting.find_model("pair").parameters]
        ['A_plus', 'A_minus', 'tau_plus', 'tau_minus']
    """
    return MODELS[_checks.choice("name", name, MODELS)]


def as_model(argument: str, model: Model | str) -> Model:
    """Return a model itself, or that of a name."""
    return model if isinstance(model, Model) else MODELS[_checks.choice(argument, model, MODELS)]


def checked_number(argument: str, parameter: Parameter, value: Measured) -> float:
    """Return the value of a parameter, which may lie outside the range of its fits: an amplitude may be 0 or below."""
    if parameter.unit == "ms":
        return float(_checks.milliseconds(argument, value, above=0))
    return float(_checks.number(argument, value))


def checked_protocols(argument: str, protocols: Any) -> tuple[Protocol | RateProtocol, ...]:
    """Return protocols, refusing none, what is no protocol, and both kinds together."""
    if not isinstance(protocols, Iterable) or isinstance(protocols, str | Mapping | Protocol | RateProtocol):
        raise ValueError(f"{argument}: expected a list of protocols, as `stdpjax.protocols` makes, got {protocols!r}")
    listed = tuple(protocols)
    if not listed:
        raise ValueError(f"{argument}: expected at least one, got none")
    others = [one for one in listed if not isinstance(one, Protocol | RateProtocol)]
    if others:
        raise ValueError(f"{argument}: expected protocols, as `stdpjax.protocols` makes, got {others[0]!r}")
    if len({type(protocol) for protocol in listed}) > 1:
        raise ValueError(f"{argument}: expected all of spike times or all of rates, got both kinds")
    return listed


def predict(model: Model | str, numbers: Mapping[str, Measured], protocols: Sequence[Protocol | RateProtocol]) -> Any:
    """Return the weight changes that a rule makes of protocols.

    Args:
        model: a model or its name.
        numbers: a value for each of its parameters, times in ms and above 0; those it holds may be left out.
        protocols: all of times or all of rates.

    Returns:
        Changes as shares of the weight before, shape `[point]`, in double precision.

    Raises:
        ValueError: an unknown model, a missing or unknown parameter, or a number out of range.

    Example:
        >>> import stdpjax
        >>> numbers = {"A_plus": 0.8, "A_minus": 0.3, "tau_plus": 10, "tau_minus": 20}
        >>> protocols = [stdpjax.protocols.pairs(lag, n_pairs=1) for lag in (10, -20)]
        >>> stdpjax.fitting.predict("pair", numbers, protocols).round(3).tolist()  # 0.8 / e and -0.3 / e
        [0.294, -0.11]
    """
    found = as_model("model", model)
    known = {parameter.name: parameter for parameter in found.parameters}
    _checks.instance("numbers", numbers, Mapping, "values by the names of parameters")
    for name in numbers:
        _checks.choice("numbers", name, known)
    values = {**found.held, **numbers}
    missing = [name for name in known if name not in values]
    if missing:
        raise ValueError(f"numbers: expected a value of {missing[0]}, got {', '.join(map(str, numbers)) or 'none'}")
    exact = {name: checked_number(f"numbers: {name}", known[name], value) for name, value in values.items()}
    listed = checked_protocols("protocols", protocols)
    with jax.enable_x64(True):
        design = found.design(listed)
        at = {name: jnp.asarray(value, np.float64) for name, value in exact.items()}
        return np.asarray(found.predict(at, jax.tree.map(jnp.asarray, design)))
