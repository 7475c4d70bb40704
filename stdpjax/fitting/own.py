"""One's own rule as a model: any function of numbers, given by keyword, that returns a rule."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from stdpjax import _alike, _checks, rules
from stdpjax._units import Measured
from stdpjax.fitting.designs import BothDesign, Design, EventDesign, Protocols, RateDesign, both, trace_design
from stdpjax.fitting.models import Model, Numbers, Parameter, as_model, checked_number
from stdpjax.rules.along import scan_rule
from stdpjax.rules.base import Rule, Sample, absent, check_rule, check_use
from stdpjax.rules.evaluate import changes

RuleFunction = Callable[..., Rule]
# A rule without traces goes through every bin of every search.
_MOST_BINS = 100_000


class BinDesign(NamedTuple):
    """Spikes of each protocol in bins, filled up with silence."""

    pre_spikes: Bool[Array, "point time"]
    post_spikes: Bool[Array, "point time"]


class _Predict(NamedTuple):
    """Changes by a rule that is made anew of each set of numbers; alike for alike functions."""

    make_rule: RuleFunction
    weight: float
    bin_ms: float

    __eq__, __hash__ = _alike.by("make_rule", "weight", "bin_ms")

    def __call__(self, numbers: Numbers, design: Design) -> Float[Array, "point"]:
        return _predicted(self, numbers, design)


@partial(jax.jit, static_argnums=0)
def _predicted(model: _Predict, numbers: Numbers, design: Design) -> Float[Array, "point"]:
    if isinstance(design, BothDesign):
        return design.gather(partial(_predicted, model, numbers))
    # The rule may have closed over its numbers, which are traced: nothing is compiled by itself from here on.
    rule = model.make_rule(**numbers)
    start = jnp.full((1, 1), model.weight, float)

    def by_traces(elapsed: Array, pre: Array, post: Array) -> Array:
        assert rule.traces is not None
        functions = rule.traces._replace(parameters=None)
        return jnp.sum(changes(functions, rule.traces.parameters, elapsed, pre, post, start))

    def by_bins(pre: Array, post: Array) -> Array:
        without = Sample(*map(absent, ("post_state", "next_post_state", "pre_rate")), bin_ms=model.bin_ms)
        sample = lambda now: without._replace(pre_spikes=now[0][None], post_spikes=now[1][None])  # noqa: E731
        return jnp.sum(scan_rule(rule, sample, (pre, post), start, 1.0).updates)

    if isinstance(design, EventDesign):
        elapsed = jnp.diff(design.times, prepend=design.times[:, :1], axis=1)
        spikes = design.pre_spikes.astype(start.dtype), design.post_spikes.astype(start.dtype)
        change = jax.vmap(by_traces)(elapsed, *spikes)
    elif isinstance(design, RateDesign):
        elapsed = jnp.full(design.pre_probability.shape[1], design.bin_ms)
        change = jax.vmap(partial(by_traces, elapsed))(design.pre_probability, design.post_probability)
    else:
        change = jax.vmap(by_bins)(*design)
    return change / model.weight


def model_of(
    make_rule: RuleFunction,
    parameters: Mapping[str, Any],
    *,
    name: str | None = None,
    held: Mapping[str, Measured] = MappingProxyType({}),
    weight: float = 1.0,
    bin_ms: Measured = 1.0,
) -> Model:
    """Return one's own rule as a model, to be fitted and compared as those in `MODELS`.

    A rule of traces (`stdpjax.rules.trace_rule`) is evaluated event by event for spike times, and by its exact mean for
    rates. Any other rule that reads spikes alone goes through the protocols bin by bin, which is slow for long ones,
    and has no mean for rates.

    Args:
        make_rule: a function of numbers by keyword that returns the rule, with `jax.numpy` for what it computes.
        parameters: for each of its numbers the range `(low, high)` in which it is fitted, on a logarithmic scale, so
            both are above 0; or a `Parameter`; or a dictionary of `low`, `high`, and optionally `starts`, two numbers
            between which fits start (otherwise the range) or one that they start at half to twice of, and `unit`, such
            as "ms".
        name: of the model; None for that of the function.
        held: values of parameters that are not fitted unless they are `free`.
        weight: before the protocols, of which the changes are shares; matters to rules that depend on the weight.
        bin_ms: width of the bins, in ms or with a unit, for a rule without traces.

    Raises:
        ValueError: no function, one that does not take these numbers by keyword or does not return a rule, no
            parameter, or a range or a number that cannot be.

    Example:
        >>> import stdpjax
        >>> def antisymmetric(A, tau):
        ...     return stdpjax.rules.pair_rule(A, A, tau, tau)
        >>> model = stdpjax.fitting.model_of(
        ...     antisymmetric, {"A": (0.01, 2), "tau": {"low": 1, "high": 200, "unit": "ms"}})
        >>> done = [stdpjax.protocols.pairs(lag, n_pairs=1) for lag in (10, -10)]
        >>> stdpjax.fitting.predict(model, {"A": 0.5, "tau": 10}, done).round(3).tolist()  # 0.5 / e
        [0.184, -0.184]
    """
    if not callable(make_rule) or isinstance(make_rule, Model | type):
        raise ValueError(
            f"make_rule: expected a function of numbers that returns a rule, got {_checks.described(make_rule)}"
        )
    wanted = "ranges by the names of parameters"
    _checks.instance("parameters", parameters, Mapping, wanted)
    if not parameters:
        raise ValueError(f"parameters: expected {wanted}, got none")
    known = {each: _parameter(each, given) for each, given in parameters.items()}
    if name is None:
        function = make_rule
        while isinstance(function, partial):
            function = function.func
        name = str(getattr(function, "__name__", type(function).__name__))
    _checks.instance("held", held, Mapping, "values by the names of parameters")
    values = {
        each: checked_number(f"held {each!r}", known[_checks.choice("held", each, known)], value)
        for each, value in held.items()
    }
    weight = float(_checks.number("weight", weight, above=0))
    bin_ms = float(_checks.milliseconds("bin_ms", bin_ms, above=0))
    middle = {each: math.sqrt(one.first_low * one.first_high) for each, one in known.items()} | values
    rule = _made(make_rule, middle)
    check_use(rule, rule.bin_ms if rule.bin_ms and rule.traces is None else bin_ms, np.full((1, 1), weight))
    of_times = trace_design if rule.traces is not None else partial(_bin_design, rule, bin_ms)
    design = partial(both, of_times=of_times, of_rates=partial(_mean_design, rule))
    predict = _Predict(make_rule, weight, bin_ms)
    listed = tuple(known.values())
    return Model(_checks.text("name", name), listed, MappingProxyType(values), design, predict, make_rule)


def given_model(model: Any, parameters: Mapping[str, Any] | None) -> Model:
    """Return a model, that of a name, or that of a function with the ranges of its numbers."""
    if parameters is not None:
        if isinstance(model, Model | str):
            own = model if isinstance(model, str) else model.name
            raise ValueError(f"parameters: expected None for {own!r}, which has its own, got {parameters!r}")
        return model_of(model, parameters)
    if callable(model) and not isinstance(model, Model):
        raise ValueError("parameters: expected the ranges of the numbers of one's own rule, got None")
    return as_model("model", model)


def _parameter(name: Any, given: Any) -> Parameter:
    """Return a parameter of a range, a dictionary or a parameter."""
    where = f"parameters {name!r}"
    if not (isinstance(name, str) and name.isidentifier()):
        raise ValueError(f"parameters: expected names of numbers, got {name!r}")
    if isinstance(given, Parameter):
        given = {"low": given.low, "high": given.high, "starts": given[3:5], "unit": given.unit}
    elif isinstance(given, tuple | list) and len(given) == 2:
        given = {"low": given[0], "high": given[1]}
    if not isinstance(given, Mapping) or {"low", "high"} - {*given}:
        raise ValueError(f"{where}: expected (low, high), or a dictionary with low and high, got {given!r}")
    unknown = [key for key in given if key not in ("low", "high", "starts", "unit")]
    if unknown:
        raise ValueError(f"{where}: expected low, high, starts and unit, got {unknown[0]!r}")
    low = float(_checks.number(f"{where} low on a logarithmic scale", given["low"], above=0))
    high = float(_checks.number(f"{where} high", given["high"], above=low))
    starts = given.get("starts", (low, high))
    if not isinstance(starts, tuple | list):
        start = float(_checks.number(f"{where} starts", starts, at_least=low, at_most=high))
        starts = max(low, start / 2), min(high, start * 2)
    if len(starts) != 2:
        raise ValueError(f"{where} starts: expected two numbers, got {starts!r}")
    first = float(_checks.number(f"{where} starts", starts[0], at_least=low, at_most=high))
    last = float(_checks.number(f"{where} starts", starts[1], at_least=first, at_most=high))
    return Parameter(
        name, low, high, first, last, _checks.text(f"{where} unit", given.get("unit", ""), may_be_empty=True)
    )


def _made(make_rule: RuleFunction, numbers: Mapping[str, float]) -> Rule:
    try:
        rule = make_rule(**numbers)
    except TypeError as error:
        raise ValueError(
            f"make_rule: expected a function that takes {', '.join(numbers)} by keyword, got one that fails: {error}"
        ) from error
    check_rule(rule, "make_rule")
    return rule


def _mean_design(rule: Rule, protocols: Protocols) -> Design:
    """Return rates, refusing a rule without an exact mean."""
    if rule.traces is None:
        raise ValueError(
            "data: expected protocols of spike times for a rule without traces, whose mean is not known, got rates"
        )
    # By numbers that are known, before anything is traced, in the precision that it looks at short trains in.
    with jax.enable_x64(False):
        rules.expected_updates(rule, [0.5], [0.5])
    return trace_design(protocols)


def _bin_design(rule: Rule, bin_ms: float, protocols: Protocols) -> BinDesign:
    """Return spikes in bins, refusing what would take for ever and a rule that reads more than spikes."""
    check_use(rule, bin_ms, np.ones((1, 1)))
    for protocol in protocols:
        if (n_bins := protocol.duration_ms / bin_ms) > _MOST_BINS:  # pyright: ignore[reportAttributeAccessIssue]
            raise ValueError(
                f"data: expected protocols of at most {_MOST_BINS} bins of {bin_ms:g} ms for a rule without traces, "
                f"got one of {n_bins:.0f}; give the rule traces, or fewer repeats"
            )
    # One bin tells whether it reads spikes alone.
    rules.train_updates(rule, [True], [True], weight=1.0, bin_ms=bin_ms)
    made = [protocol.binned(bin_ms) for protocol in protocols]  # pyright: ignore[reportAttributeAccessIssue]
    pre, post = np.zeros((2, len(made), max(one.size for one, _ in made)), bool)
    for i, trains in enumerate(made):
        for table, train in zip((pre, post), trains, strict=True):
            table[i, : train.size] = train
    return BinDesign(pre, post)  # pyright: ignore[reportArgumentType]
