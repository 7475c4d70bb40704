"""What is fitted: a rule whose numbers are free within ranges, and the weight changes that it predicts.

Trace rules are evaluated event by event for protocols of spike times, and by their exact expectation for protocols of
rates; the paper's windowed rule through its lags, of any size for spike times and of whole bins, in their exact mean,
for rates. One's own rule is a model by `stdpjax.fitting.own`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stdpjax import _checks, rules
from stdpjax._units import Measured
from stdpjax.fitting.designs import (
    WINDOW_MS,
    BothDesign,
    Design,
    EventDesign,
    LagDesign,
    RateDesign,
    lag_design,
    trace_design,
)
from stdpjax.protocols import Protocol, RateProtocol

Numbers = Mapping[str, float | Float[Array, ""]]


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
    make_rule: Callable[..., rules.Rule] | None = None
    """The rule of given numbers; None for a model of changes alone."""

    def at(self, numbers: Numbers) -> rules.Rule:
        """Return the rule of given numbers.

        Raises:
            ValueError: a model without one.
        """
        if self.make_rule is None:
            raise ValueError(f"model: expected one that has a rule for each set of numbers, got {self.name!r}")
        return self.make_rule(**numbers)


def _predict_traces(
    make_rule: Callable[..., rules.Rule], numbers: Numbers, design: EventDesign | RateDesign | BothDesign
) -> Array:
    if isinstance(design, BothDesign):
        return design.gather(partial(_predict_traces, make_rule, numbers))
    rule = make_rule(**numbers)
    if isinstance(design, RateDesign):
        updates = rules.expected_updates(rule, design.pre_probability, design.post_probability, bin_ms=design.bin_ms)
        return jnp.sum(updates, axis=-1)
    return jax.vmap(partial(rules.event_weight_change, rule))(*design)


def _predict_window(numbers: Numbers, design: LagDesign | BothDesign) -> Array:
    if isinstance(design, BothDesign):
        return design.gather(partial(_predict_window, numbers))
    shape, _ = rules.LAG_KERNELS["bi_poo"]
    lag_ms = design.lag_ms.ravel()
    depression, potentiation = shape(jnp.abs(lag_ms), bin_ms=1.0, **numbers)
    kernel = jnp.where(lag_ms == 0, 0.0, jnp.where(lag_ms > 0, potentiation, depression))
    return jnp.sum(design.counts * kernel.reshape(design.counts.shape), axis=-1)


def _window_rule(**numbers: Any) -> rules.Rule:
    return rules.nearest_neighbour_rule(rules.lag_kernel("bi_poo", int(WINDOW_MS), **numbers))


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
    make = partial(make_rule, **options)
    return Model(name, parameters, MappingProxyType(dict(held)), trace_design, partial(_predict_traces, make), make)


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
            Model("window", _PAIR, MappingProxyType({}), lag_design, _predict_window, _window_rule),
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
    """Return protocols, refusing none and what is no protocol."""
    if not isinstance(protocols, Iterable) or isinstance(protocols, str | Mapping | Protocol | RateProtocol):
        raise ValueError(f"{argument}: expected a list of protocols, as `stdpjax.protocols` makes, got {protocols!r}")
    listed = tuple(protocols)
    if not listed:
        raise ValueError(f"{argument}: expected at least one, got none")
    others = [one for one in listed if not isinstance(one, Protocol | RateProtocol)]
    if others:
        raise ValueError(f"{argument}: expected protocols, as `stdpjax.protocols` makes, got {others[0]!r}")
    return listed


def predict(model: Model | str, numbers: Mapping[str, Measured], protocols: Sequence[Protocol | RateProtocol]) -> Any:
    """Return the weight changes that a rule makes of protocols.

    Args:
        model: a model or its name.
        numbers: a value for each of its parameters, times in ms and above 0; those it holds may be left out.
        protocols: of times, of rates, or both.

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
