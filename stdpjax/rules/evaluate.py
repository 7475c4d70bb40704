"""What a rule makes of binned spikes: over whole trains, and on average."""

import itertools
import math
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Shaped

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax._units import Measured
from stdpjax.rules.along import scan_rule
from stdpjax.rules.base import Rule, Sample, TraceRule, absent, check_rule, check_use
from stdpjax.rules.traces import Number, as_arrays, step


def train_updates(
    rule: Rule, pre_spikes: ArrayLike, post_spikes: ArrayLike, *, weight: Number = 0.0, bin_ms: Measured = 1.0
) -> Float[Array, "*batch time"]:
    """Return the change of one weight in each time bin of whole trains, for any rule that needs spikes alone.

    Args:
        rule: a rule that reads spikes; one that reads states or rates is refused.
        pre_spikes: presynaptic spike indicators, shape `[..., time]`.
        post_spikes: postsynaptic spike indicators, same shape.
        weight: before the first bin; matters to rules that depend on the weight, which is carried along.
        bin_ms: width of a bin of the trains in ms, or with a unit, above 0. Rules hold their time constants in ms.

    Returns:
        Changes, shape `[..., time]`; that of a rule with a delay, as `nearest_neighbour_rule`, in the bin that
        emits it.

    Raises:
        ValueError: different shapes, values other than 0 and 1, a rule that reads more than spikes, whose kernel has
            bins of another width, or that cannot start from the weight.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 0.5, 10.0, 10.0)
        >>> updates = stdpjax.rules.train_updates(rule, [1, 0, 0], [0, 0, 1])
        >>> [round(float(update), 3) for update in updates]  # exp(-2 / 10)
        [0.0, 0.0, 0.819]
        >>> updates = stdpjax.rules.train_updates(rule, [1, 0, 0], [0, 0, 1], bin_ms=0.1)
        >>> [round(float(update), 3) for update in updates]  # exp(-0.2 / 10)
        [0.0, 0.0, 0.98]
    """
    pre, post = _checks.spikes("pre_spikes", pre_spikes), _checks.spikes("post_spikes", post_spikes)
    _checks.same_shape("pre_spikes", pre, "post_spikes", post)
    bin_ms = check_start(rule, weight, bin_ms)
    start = jnp.full((1, 1), weight, float)
    if rule.traces is not None:
        functions, parameters = apart(rule.traces)
        return _bin_updates(functions, parameters, bin_ms, pre, post, start)
    return _rule_updates(rule, bin_ms, pre, post, start)


def expected_updates(
    rule: Rule, pre_probability: ArrayLike, post_probability: ArrayLike, *, bin_ms: Measured = 1.0
) -> Float[Array, "*batch time"]:
    """Return the exact mean change of one weight in each time bin, for independent Bernoulli spikes.

    One pass over the bins, whatever the time constants. Exact because a change is of degree one in each of the
    quantities that are independent of each other: presynaptic past, postsynaptic past, and the spikes of the bin. The
    mean is therefore the change that the rule itself makes of the probabilities. That a rule is so is not believed:
    the first call for a definition enumerates all spikes of a few bins. Differentiable in the probabilities and in the
    rule's numbers.

    Args:
        rule: a rule of traces whose changes do not depend on the weight: pairs, triplets, suppression, and sums,
            multiples and masks of these. The windowed rule has `mean_update` and `expected_lag_counts`.
        pre_probability: presynaptic spike probability per bin, shape `[..., time]`.
        post_probability: postsynaptic spike probability per bin, same shape. All spikes are independent given these.
        bin_ms: width of a bin in ms, or with a unit, above 0. Rules hold their time constants in ms.

    Returns:
        Mean changes per trial, shape `[..., time]`.

    Raises:
        ValueError: a rule whose mean has no such form, probabilities outside [0, 1] or not finite, or different shapes.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 0.5, 10.0, 10.0)
        >>> updates = stdpjax.rules.expected_updates(rule, [0.5, 0.0, 0.0], [0.0, 0.0, 0.1])
        >>> [round(float(update), 4) for update in updates]  # 0.5 * 0.1 * exp(-2 / 10)
        [0.0, 0.0, 0.0409]
    """
    return _bin_updates(*_mean_arguments(rule, pre_probability, post_probability, bin_ms))


def per_spike_updates(
    rule: Rule, pre_probability: ArrayLike, post_probability: ArrayLike, *, bin_ms: Measured = 1.0
) -> Float[Array, "*batch time"]:
    """Return what one more presynaptic spike in each bin changes on average, at once and later.

    Exact: the mean of the whole change is of degree one in the probability of each presynaptic bin, so its derivative
    is the mean with a spike there less the mean without.

    Args:
        rule: as in `expected_updates`.
        pre_probability: presynaptic spike probability per bin, shape `[..., time]`.
        post_probability: postsynaptic spike probability per bin, same shape.
        bin_ms: width of a bin in ms, or with a unit, above 0.

    Returns:
        Mean changes per spike, shape `[..., time]`.

    Raises:
        ValueError: as `expected_updates`.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.pair_rule(1.0, 0.5, 10.0, 10.0)
        >>> updates = stdpjax.rules.per_spike_updates(rule, [0.5, 0.0, 0.0], [0.0, 0.0, 0.1])
        >>> [round(float(update), 4) for update in updates]  # 0.1 * exp(-2 / 10), 0.1 * exp(-1 / 10)
        [0.0819, 0.0905, 0.0]
    """
    functions, parameters, bin_ms, pre, post, weights = _mean_arguments(rule, pre_probability, post_probability, bin_ms)

    def total(pre: Float[Array, "*batch time"]) -> Float[Array, ""]:
        return jnp.sum(_bin_updates(functions, parameters, bin_ms, pre, post, weights))

    return jax.grad(total)(pre)


def _mean_arguments(rule: Rule, pre_probability: ArrayLike, post_probability: ArrayLike, bin_ms: Measured) -> Any:
    """Return what `_bin_updates` takes for the mean, refusing a rule without one and probabilities that are none."""
    traces = traces_of(rule)
    bin_ms = check_use(rule, bin_ms, np.zeros((1, 1)))
    if not traces.has_exact_mean:
        raise ValueError("rule: expected one whose changes do not depend on the weight, got one that is bounded")
    pre, post = _checks.probabilities(pre_probability, post_probability)
    dtype = _checks.at_least_single(jnp.result_type(pre, post))
    functions, parameters = apart(traces)
    _refuse_other_degree(functions, parameters)
    return functions, parameters, bin_ms, pre.astype(dtype), post.astype(dtype), jnp.zeros((1, 1), dtype)


def traces_of(rule: Rule) -> TraceRule:
    """Return the definition by traces that a caller needs."""
    check_rule(rule)
    if rule.traces is None:
        raise ValueError("rule: expected a rule of traces, which pair, triplet and suppression rules are, got another")
    return rule.traces


def check_start(rule: Rule, weight: Number, bin_ms: Measured = 1.0) -> Any:
    """Return the width of a time bin in ms, refusing what the rule cannot use or start from."""
    weight = _checks.number("weight", weight)
    return check_use(rule, bin_ms, np.full((1, 1), weight) if _checks.is_concrete(weight) else weight)


def apart(traces: TraceRule) -> tuple[TraceRule, Any]:
    """Return functions, which a program is compiled for, and numbers, which it takes."""
    return traces._replace(parameters=None), traces.parameters


# Bins of the enumeration: enough for two spikes of each neuron in any order.
_ENUMERATED_BINS = 4


def _refuse_other_degree(functions: TraceRule, parameters: Any) -> None:
    leaves, tree = jax.tree.flatten(parameters)
    error = _error_of_mean(functions, tree, tuple(jnp.shape(leaf) for leaf in leaves))
    # Rounding in single precision is far below this, a square far above.
    if not error < 1e-3:
        raise ValueError(
            "rule: expected one whose changes are of degree one in each spike (`has_exact_mean`), got one whose mean "
            f"over all trains of {_ENUMERATED_BINS} bins is {error:.2g} of its greatest change away from its change at "
            "the mean; give it has_exact_mean=False, and average `train_updates` over sampled trains"
        )


@cache
def _error_of_mean(functions: TraceRule, tree: Any, shapes: tuple[tuple[int, ...], ...]) -> float:
    """Return how far the mean over all short trains is from the change at the mean, for made-up numbers of a rule."""
    rng = np.random.default_rng(0)
    numbers = jax.tree.unflatten(tree, [rng.uniform(0.5, 2.0, shape).astype(np.float32) for shape in shapes])
    rates = rng.uniform(0.2, 0.8, (2, _ENUMERATED_BINS))
    trains = np.array(list(itertools.product([0.0, 1.0], repeat=_ENUMERATED_BINS)))
    pre, post = np.repeat(trains, len(trains), axis=0), np.tile(trains, (len(trains), 1))
    share = np.prod(
        [np.where(train == 1, rate, 1 - rate) for train, rate in zip((pre, post), rates, strict=True)], (0, 2)
    )
    # The caller may be in the middle of a trace.
    with jax.ensure_compile_time_eval():
        pre_rows, post_rows = (
            jnp.asarray(np.vstack(rows), jnp.float32) for rows in ((pre, rates[0]), (post, rates[1]))
        )
        updates = _bin_updates(functions, numbers, 1.0, pre_rows, post_rows, jnp.zeros((1, 1), jnp.float32))
    *each, at_mean = np.asarray(updates, np.float64)
    greatest = np.max(np.abs(each))
    return float(np.max(np.abs(share @ np.asarray(each) - at_mean)) / greatest) if greatest else 0.0


# Trains that take a step together on a CPU: a step reads one bin of each, so that their bins have to stay in the cache.
_TRAINS_AT_ONCE = 1000


@partial(jax.jit, static_argnums=0)
def _bin_updates(
    functions: TraceRule,
    parameters: Any,
    bin_ms: Number,
    pre: Shaped[Array, "*batch time"],
    post: Shaped[Array, "*batch time"],
    weights: Float[Array, "1 1"],
) -> Float[Array, "*batch time"]:
    elapsed = jnp.full(pre.shape[-1], jnp.asarray(bin_ms, weights.dtype))

    def one(pre: Shaped[Array, "time"], post: Shaped[Array, "time"]) -> Float[Array, "time"]:
        spikes = pre.astype(weights.dtype), post.astype(weights.dtype)
        return changes(functions, parameters, elapsed, *spikes, weights)

    n_trains = math.prod(pre.shape[:-1])
    if n_trains <= _TRAINS_AT_ONCE or jax.default_backend() != "cpu":
        return jnp.vectorize(one, signature="(t),(t)->(t)")(pre, post)
    rows = (pre.reshape(n_trains, -1), post.reshape(n_trains, -1))
    return jax.lax.map(lambda pair: one(*pair), rows, batch_size=_TRAINS_AT_ONCE).reshape(pre.shape)


def changes(
    functions: TraceRule,
    parameters: Any,
    elapsed: Float[Array, "time"],
    pre: Float[Array, "time"],
    post: Float[Array, "time"],
    weights: Float[Array, "1 1"],
) -> Float[Array, "time"]:
    """Return the change of one weight at each of a sequence of spikes, `elapsed` ms after the ones before."""
    numbers = as_arrays(parameters, weights.dtype)

    def advance(carry: Any, now: tuple[Array, Array, Array]) -> tuple[Any, Array]:
        state, weights = carry
        elapsed, pre, post = now
        delta_w, state = step(functions, numbers, state, elapsed, pre[None], post[None], weights)
        return (state, weights + delta_w), delta_w[0, 0]

    return jax.lax.scan(advance, (functions.init(weights), weights), (elapsed, pre, post))[1]


@partial(jax.jit, static_argnums=0)
def _rule_updates(
    rule: Rule,
    bin_ms: Number,
    pre: Bool[Array, "*batch time"],
    post: Bool[Array, "*batch time"],
    weights: Float[Array, "1 1"],
) -> Float[Array, "*batch time"]:
    without = Sample(*map(absent, ("post_state", "next_post_state", "pre_rate")), bin_ms=bin_ms)

    def sample_of(spikes: tuple[Array, Array]) -> Sample:
        return without._replace(pre_spikes=spikes[0][None], post_spikes=spikes[1][None])

    def one(pre: Bool[Array, "time"], post: Bool[Array, "time"]) -> Float[Array, "time"]:
        return scan_rule(rule, sample_of, (pre, post), weights, 1.0).updates[:, 0, 0]

    return jnp.vectorize(one, signature="(t),(t)->(t)")(pre, post)
