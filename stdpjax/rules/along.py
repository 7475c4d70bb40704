"""A rule along activity that is given: what it changes at each step, and where that takes the weights."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.rules.base import Rule, RuleState, Sample, change_by, check_use
from stdpjax.rules.traces import Number


class Along(NamedTuple):
    """What a rule makes of a record of activity."""

    updates: Float[Array, "time post pre"]
    """Change of each step, before it is multiplied by the learning rate."""
    weights: Float[Array, "time post pre"]
    """Weights after each step."""
    rule_state: RuleState
    """State of the rule after the last."""


def run_along(rule: Rule, samples: Sample, weights: ArrayLike, *, learning_rate: Number = 1.0) -> Along:
    """Return what a rule changes along activity that its weights do not move.

    Args:
        rule: any rule.
        samples: the record: each field that is there has time as its first axis, so `[time, post]` or `[time, pre]`,
            but for `bin_ms`, which is one number. There are no `weights` and no `info`. A rule that needs a field that
            is not there is refused.
        weights: at the start, shape `[post, pre]`; the rule sees them as they change.
        learning_rate: factor on each change.

    Returns:
        Updates, weights and the last state of the rule. Under `jax.jit`, what is not used is not kept.

    Raises:
        ValueError: what is no rule, samples of different lengths or without steps, weights of another shape, numbers
            that are not finite, or bins that the rule cannot use.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> state = jnp.array([[0.0], [0.5], [0.25]])
        >>> samples = stdpjax.rules.Sample(state[:-1], state[1:], pre_rate=jnp.ones((2, 1)))
        >>> along = stdpjax.rules.run_along(stdpjax.rules.differential_rule(), samples, jnp.zeros((1, 1)))
        >>> along.updates.ravel().tolist(), along.weights.ravel().tolist()
        ([0.5, -0.25], [0.5, 0.25])
    """
    _checks.instance("samples", samples, Sample, "a record of activity, as `Sample(state, next_state, pre_rate)`")
    if samples.weights is not None or samples.info is not None:
        raise ValueError("samples: expected a record of activity alone, got weights, which the rule moves, or info")
    weights = _checks.finite("weights", weights)
    if weights.ndim != 2:
        raise ValueError(f"weights: expected the shape [post, pre], got {weights.shape}")
    bin_ms = check_use(rule, 1.0 if samples.bin_ms is None else samples.bin_ms, weights)
    _checks.number("learning_rate", learning_rate)
    steps = jax.tree.map(jnp.asarray, samples._replace(bin_ms=None))
    n_steps = max(*jnp.shape(steps.post_state)[:1], 1, 1)
    for name, part in steps._asdict().items():
        wanted = (n_steps, weights.shape[name.startswith("pre_")])
        if part is not None and part.shape != wanted:
            raise ValueError(
                f"samples: expected a record of {name} of shape {wanted}, [time, unit] with the units of weights, "
                f"{weights.shape}, got {part.shape}"
            )
    return _run_along(rule, steps, weights, jnp.asarray(learning_rate, weights.dtype), bin_ms)


@partial(jax.jit, static_argnums=0)
def _run_along(
    rule: Rule, steps: Sample, weights: Float[Array, "post pre"], learning_rate: Float[Array, ""], bin_ms: Any
) -> Along:
    return scan_rule(rule, lambda step: step._replace(bin_ms=bin_ms), steps, weights, learning_rate)


def scan_rule(
    rule: Rule,
    sample_of: Callable[[Any], Sample],
    inputs: Any,
    weights: Float[Array, "post pre"],
    learning_rate: Float[Array, ""] | float,
) -> Along:
    """Scan a rule over the samples that are made of each step's inputs."""

    def advance(carry: Any, now: Any) -> tuple[Any, tuple[Array, Array]]:
        rule_state, weights = carry
        delta_w, rule_state = change_by(rule, sample_of(now), rule_state, weights)
        weights = weights + learning_rate * delta_w
        return (rule_state, weights), (delta_w, weights)

    (rule_state, _), (updates, path) = jax.lax.scan(advance, (rule.init(weights), weights), inputs)
    return Along(updates, path, rule_state)
