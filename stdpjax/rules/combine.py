"""Rules made of rules: sums, multiples, masks, and changes that depend on the weight and stay in bounds.

What is made of rules of traces is one again, so that events and, but for bounds, exact means work for it.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.rules.base import Rule, RuleState, Sample, TraceRule, change_by, check_rule
from stdpjax.rules.traces import Number, as_arrays, trace_rule

Change = Float[Array, "post pre"]
# (numbers, change, weights) -> change
Adjustment = Callable[[Any, Change, Change], Change]


def sum_rules(*rules: Rule) -> Rule:
    """Return the rule whose change is the sum of the changes of others.

    Args:
        *rules: at least one; those that hold a kernel for bins hold it for the same ones.

    Raises:
        ValueError: no rule, or rules whose bins differ.

    Example:
        >>> import stdpjax
        >>> rules = stdpjax.rules
        >>> both = rules.sum_rules(rules.hebb_rule(), rules.pair_rule(1.0, 0.0, 10.0, 10.0))
        >>> updates = rules.train_updates(both, [1, 0], [1, 1])
        >>> [round(float(update), 3) for update in updates]
        [1.0, 0.905]
    """
    if not rules:
        raise ValueError("rules: expected at least one rule, got none")
    for rule in rules:
        check_rule(rule, name="rules")
    widths = sorted({rule.bin_ms for rule in rules if rule.bin_ms is not None})
    if len(widths) > 1:
        raise ValueError(f"rules: expected kernels for one width of bins, got {widths} ms")

    def check_weights(weights: ArrayLike) -> None:
        for rule in rules:
            rule.check_weights(weights)

    traces = [rule.traces for rule in rules if rule.traces is not None]
    if len(traces) == len(rules):
        functions = _sum_of(tuple(part._replace(parameters=None) for part in traces))
        parameters = tuple(part.parameters for part in traces)
        return trace_rule(functions._replace(parameters=parameters))._replace(check_weights=check_weights)

    def init(weights: Change) -> tuple[RuleState, ...]:
        return tuple(rule.init(weights) for rule in rules)

    def update(sample: Sample, states: tuple[RuleState, ...], weights: Change) -> tuple[Change, tuple[RuleState, ...]]:
        parts = [change_by(rule, sample, state, weights) for rule, state in zip(rules, states, strict=True)]
        first, *others = (delta_w for delta_w, _ in parts)
        return sum(others, first), tuple(state for _, state in parts)

    return Rule(init, update, bin_ms=widths[0] if widths else None, check_weights=check_weights)


def _sum_of(parts: tuple[TraceRule, ...]) -> TraceRule:
    def init(weights: Change) -> tuple[RuleState, ...]:
        return tuple(part.init(weights) for part in parts)

    def decay(parameters: Any, states: tuple[RuleState, ...], elapsed: Float[Array, ""]) -> tuple[RuleState, ...]:
        return tuple(
            part.decay(numbers, state, elapsed) for part, numbers, state in zip(parts, parameters, states, strict=True)
        )

    def spikes(
        parameters: Any,
        states: tuple[RuleState, ...],
        pre: Float[Array, "pre"],
        post: Float[Array, "post"],
        weights: Change,
    ) -> tuple[Change, tuple[RuleState, ...]]:
        changed = [
            part.spikes(numbers, state, pre, post, weights)
            for part, numbers, state in zip(parts, parameters, states, strict=True)
        ]
        first, *others = (delta_w for delta_w, _ in changed)
        return sum(others, first), tuple(state for _, state in changed)

    return TraceRule(None, init, decay, spikes, has_exact_mean=all(part.has_exact_mean for part in parts))


def scale_rule(rule: Rule, factor: Number) -> Rule:
    """Return a rule with its changes times a factor.

    Args:
        rule: a rule.
        factor: finite; below 0 turns the rule round.

    Raises:
        ValueError: a factor that is not finite.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.scale_rule(stdpjax.rules.hebb_rule(), -0.5)
        >>> stdpjax.rules.train_updates(rule, [1, 1], [1, 1]).tolist()
        [-0.5, -0.5]
    """
    check_rule(rule)
    return _adjusted(rule, _multiplied, _checks.number("factor", factor))


def mask_rule(rule: Rule, mask: ArrayLike) -> Rule:
    """Return a rule that changes some of the weights alone.

    Args:
        rule: a rule.
        mask: True (or 1) for weights that change, shape `[post, pre]`.

    Returns:
        The rule. A simulation is compiled for the rule, so make it once.

    Raises:
        ValueError: a mask of another rank, or values other than 0 and 1; where the rule is used, weights of another
            shape than the mask.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rule = stdpjax.rules.mask_rule(stdpjax.rules.hebb_rule(), [[True, False]])
        >>> spikes, weights = jnp.ones(2, bool), jnp.zeros((1, 2))
        >>> sample = stdpjax.rules.Sample(jnp.zeros(1), jnp.zeros(1), jnp.zeros(2), spikes, spikes[:1])
        >>> rule.update(sample, rule.init(weights), weights)[0].tolist()
        [[1.0, 0.0]]
    """
    check_rule(rule)
    mask = _checks.spikes("mask", mask)
    if mask.ndim != 2:
        raise ValueError(f"mask: expected shape [post, pre], got {mask.shape}")
    return _adjusted(rule, _masked, mask)


class _Bounds(NamedTuple):
    lower: Number
    upper: Number
    exponent: Number
    exponent_minus: Number


def bounded_rule(
    rule: Rule,
    lower: Number,
    upper: Number,
    exponent: Number | Literal["hard", "soft"] = "hard",
    exponent_minus: Number | Literal["hard", "soft"] | None = None,
) -> Rule:
    """Return a rule whose changes depend on the weight, from additive to multiplicative, and end within bounds.

    Potentiation is multiplied by ((upper - w) / (upper - lower))^exponent, depression by
    ((w - lower) / (upper - lower))^exponent_minus; what would still cross a bound ends at it. The change of a step or
    an event is taken as a whole: potentiation and depression of one bin are one change. Steps times a learning rate
    of up to 1, from a weight within the bounds, never leave them, not by rounding either. A start outside them is
    refused where it is known; nothing but spikes moves a weight.

    Args:
        rule: a rule.
        lower: least weight, finite.
        upper: greatest weight, above `lower`.
        exponent: of potentiation, at least 0: "hard" or 0 for additive changes with hard bounds, "soft" or 1 for
            multiplicative ones, in between as Gütig et al.
        exponent_minus: of depression; None for the same.

    Raises:
        ValueError: bounds reversed or not finite, or an exponent below 0.

    Source: Gütig, Aharonov, Rotter & Sompolinsky 2003 (J Neurosci 23:3697); van Rossum, Bi & Turrigiano 2000.

    Example:
        >>> import stdpjax
        >>> for exponent in ("hard", 0.5, "soft"):
        ...     rule = stdpjax.rules.bounded_rule(stdpjax.rules.hebb_rule(), 0.0, 4.0, exponent)
        ...     print(stdpjax.rules.train_updates(rule, [1], [1], weight=3.0).round(2).tolist())
        [1.0]
        [0.5]
        [0.25]
    """
    check_rule(rule)
    lower = _checks.number("lower", lower)
    upper = _checks.number("upper", upper, above=float(lower) if _checks.is_concrete(lower) else None)
    plus = _check_exponent("exponent", exponent)
    minus = plus if exponent_minus is None else _check_exponent("exponent_minus", exponent_minus)
    made = _adjusted(rule, _within, _Bounds(lower, upper, plus, minus), keeps_mean=False)

    def check_weights(weights: ArrayLike) -> None:
        rule.check_weights(weights)
        if not (_checks.is_concrete(lower) and _checks.is_concrete(upper)):
            return
        values = np.asarray(weights)
        outside = values[(values < np.asarray(lower, values.dtype)) | (values > np.asarray(upper, values.dtype))]
        if outside.size:
            raise ValueError(
                f"weights: expected a start within the rule's bounds, {float(lower):g} to {float(upper):g}, got "
                f"{outside.size} outside, the first at {outside[0]:g}"
            )

    return made._replace(check_weights=check_weights)


def _check_exponent(name: str, exponent: Number | Literal["hard", "soft"]) -> Number:
    if isinstance(exponent, str):
        _checks.choice(name, exponent, ("hard", "soft"))
        return 0.0 if exponent == "hard" else 1.0
    return _checks.number(name, exponent, at_least=0)


def _multiplied(factor: Array, change: Change, weights: Change) -> Change:
    del weights
    return jnp.broadcast_to(factor, change.shape) * change


def _masked(mask: Array, change: Change, weights: Change) -> Change:
    if mask.shape != weights.shape:
        raise ValueError(f"mask: expected the weights' shape [post, pre], {weights.shape}, got {mask.shape}")
    return mask * change


def _within(bounds: _Bounds, change: Change, weights: Change) -> Change:
    span = bounds.upper - bounds.lower
    # Outside the bounds there is no room, and nothing pulls back.
    room_above, room_below = (
        jnp.where(room < 0, 0.0, room) for room in (bounds.upper - weights, weights - bounds.lower)
    )
    plus = _power(jnp.clip(room_above / span, 0.0, 1.0), bounds.exponent)
    minus = _power(jnp.clip(room_below / span, 0.0, 1.0), bounds.exponent_minus)
    # Short of the bound by what rounding may add.
    nearly = 1 - 2 * float(np.finfo(change.dtype).eps)
    return jnp.clip(change * jnp.where(change > 0, plus, minus), -nearly * room_below, nearly * room_above)


def _power(base: Change, exponent: Number) -> Change:
    # At a bound the slope by the weight would be infinite for exponents between 0 and 1.
    inside = base > 0
    at_bound = (jnp.asarray(exponent) == 0).astype(base.dtype)
    return jnp.where(inside, jnp.where(inside, base, 1.0) ** exponent, at_bound)


def _adjusted(rule: Rule, adjust: Adjustment, numbers: Any, keeps_mean: bool = True) -> Rule:
    if rule.traces is not None:
        functions = _adjusted_traces(rule.traces._replace(parameters=None), adjust, keeps_mean)
        parameters = (rule.traces.parameters, numbers)
        return trace_rule(functions._replace(parameters=parameters))._replace(check_weights=rule.check_weights)

    def update(sample: Sample, state: RuleState, weights: Change) -> tuple[Change, RuleState]:
        delta_w, state = change_by(rule, sample, state, weights)
        return adjust(as_arrays(numbers, weights.dtype), delta_w, weights), state

    return Rule(rule.init, update, bin_ms=rule.bin_ms, check_weights=rule.check_weights)


def _adjusted_traces(traces: TraceRule, adjust: Adjustment, keeps_mean: bool) -> TraceRule:
    def decay(parameters: Any, state: RuleState, elapsed: Float[Array, ""]) -> RuleState:
        return traces.decay(parameters[0], state, elapsed)

    def spikes(
        parameters: Any, state: RuleState, pre: Float[Array, "pre"], post: Float[Array, "post"], weights: Change
    ) -> tuple[Change, RuleState]:
        delta_w, state = traces.spikes(parameters[0], state, pre, post, weights)
        return adjust(parameters[1], delta_w, weights), state

    return TraceRule(None, traces.init, decay, spikes, has_exact_mean=keeps_mean and traces.has_exact_mean)
