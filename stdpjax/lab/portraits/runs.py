"""A rule along records: the whole change of each, whichever bins it is emitted in."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import NDArray

from stdpjax.lab.portraits.records import Record
from stdpjax.lab.portraits.settings import PortraitConfig
from stdpjax.rules import Rule, Sample, TraceRule, expected_updates, trace_rule
from stdpjax.rules.base import absent, change_by, check_use
from stdpjax.rules.evaluate import apart

# Bins of all trials that go through a rule at once: more would leave the caches of a CPU.
_BINS_AT_ONCE = 2**22
_STATES = ("post_state", "next_post_state", "pre_rate", "post_slope")
_SPIKES = ("pre_spikes", "post_spikes")


class Needs(NamedTuple):
    """Why a rule cannot do without states, and why not without spikes; empty where it can."""

    states: str
    spikes: str


class Totals(NamedTuple):
    """The whole change of each setting."""

    trials: Float[np.ndarray, "setting trial"]
    """Of each trial."""
    exact: Float[np.ndarray, "setting"] | None
    """The mean, where it is known without chance."""


def needs_of(rule: Rule, name: str, config: PortraitConfig) -> Needs:
    """Return what a rule needs, refusing one that does not run where it has all.

    Raises:
        ValueError: names the rule.
    """
    check_use(rule, config.bin_ms, np.full((1, 1), config.weight))
    try:
        _try(rule, config, (*_STATES, *_SPIKES))
    except Exception as error:
        raise ValueError(f"rule: expected one that runs, got {name} with {type(error).__name__}: {error}") from error
    reasons = []
    for fields in (_SPIKES, _STATES):
        try:
            _try(rule, config, fields)
            reasons.append("")
        except ValueError as error:
            reasons.append(str(error))
    return Needs(*reasons)


def _try(rule: Rule, config: PortraitConfig, fields: tuple[str, ...]) -> None:
    """Trace a step of a rule with some fields of a sample."""
    record = {field: jnp.zeros(1, bool if field in _SPIKES else float) for field in fields}
    numbers = jnp.ones(1), jnp.asarray(config.weight, float), jnp.asarray(config.bin_ms, float)
    jax.eval_shape(partial(_along, rule), record, *numbers)


def totals(rule: Rule, needs: Needs, record: Record, config: PortraitConfig) -> Totals:
    """Return the whole change of each setting of a record, at a weight that is held.

    Args:
        rule: the rule.
        needs: what it needs.
        record: with states too, or a rule that needs them is refused.
        config: weight and width of a bin.
    """
    if not needs.spikes and record.state is not None:
        alone = _sampled(rule, record, config, (*_STATES,), 1)
        return Totals(alone, alone[:, 0])
    fields = _SPIKES if record.state is None else (*_STATES, *_SPIKES)
    trials = _sampled(rule, record, config, fields, record.pre_spikes.shape[1])
    exact = trials[:, 0] if record.state is None else _exact(rule, needs, record, config)
    return Totals(trials, exact)


def _exact(rule: Rule, needs: Needs, record: Record, config: PortraitConfig) -> NDArray[np.float64] | None:
    if rule.traces is None or not rule.traces.has_exact_mean or needs.states:
        return None
    assert record.pre_probability is not None
    assert record.post_probability is not None
    rates = (jnp.asarray(part, float) for part in (record.pre_probability, record.post_probability))
    try:
        updates = expected_updates(rule, *rates, bin_ms=config.bin_ms)
    except ValueError:  # a mean that is not the change at the mean, as enumerating short trains shows
        return None
    return np.asarray(updates, np.float64) @ record.counted


def _sampled(
    rule: Rule, record: Record, config: PortraitConfig, fields: tuple[str, ...], n_trials: int
) -> NDArray[np.float64]:
    """Return the change of each trial, `[setting, trial]`."""
    n_settings, _, n_bins = record.pre_spikes.shape
    at_once = max(1, min(n_settings, _BINS_AT_ONCE // (n_trials * n_bins)))
    functions, parameters = (rule, ()) if rule.traces is None else apart(rule.traces)
    numbers = (jnp.asarray(part, float) for part in (record.counted, config.weight, config.bin_ms))
    counted, weight, bin_ms = numbers
    found = []
    for start in range(0, n_settings, at_once):
        # The last block has the size of all others, for one program.
        first = min(start, n_settings - at_once)
        block = {name: jnp.asarray(part) for name, part in _fields(record, fields, slice(first, first + at_once))}
        changes = _by_trial(functions, parameters, block, counted, weight, bin_ms, n_trials)
        found.append(np.asarray(changes, np.float64)[start - first :])
    return np.concatenate(found)


def _fields(record: Record, names: tuple[str, ...], rows: slice) -> list[tuple[str, NDArray[Any]]]:
    made: dict[str, Any] = {"pre_spikes": record.pre_spikes[rows], "post_spikes": record.post_spikes[rows]}
    if record.state is not None and record.pre_rate is not None:
        state = record.state[rows, None].astype(jax.dtypes.canonicalize_dtype(float))
        # Within its active region the paper's rate function has the slope 1.
        made |= {"post_state": state[..., :-1], "next_post_state": state[..., 1:]}
        made |= {"post_slope": np.ones_like(state[..., 1:])}
        made |= {"pre_rate": record.pre_rate[rows, None].astype(state.dtype)}
    return [(name, made[name]) for name in names]


# One program for all rules of traces that differ in their numbers alone.
@partial(jax.jit, static_argnums=(0, 6))
def _by_trial(
    functions: Rule | TraceRule,
    parameters: Any,
    fields: dict[str, Array],
    counted: Float[Array, "time"],
    weight: Float[Array, ""],
    bin_ms: Float[Array, ""],
    n_trials: int,
) -> Float[Array, "setting trial"]:
    is_rule = isinstance(functions, Rule)
    rule = functions if is_rule else trace_rule(functions._replace(parameters=parameters))
    wide = {
        name: jnp.broadcast_to(part, (part.shape[0], n_trials, part.shape[2])) if part.shape[1] == 1 else part
        for name, part in fields.items()
    }
    return jax.vmap(jax.vmap(lambda one: _along(rule, one, counted, weight, bin_ms)))(wide)


def _along(
    rule: Rule,
    fields: dict[str, Array],
    counted: Float[Array, "time"],
    weight: Float[Array, ""],
    bin_ms: Float[Array, ""],
) -> Float[Array, ""]:
    """Return the whole change of one trial; nothing is kept of single bins."""
    weights = weight[None, None]
    without = {name: absent(name) for name in _STATES[:3]} | dict.fromkeys(("post_slope", *_SPIKES))
    without["info"] = ()  # or what fails of itself would be put down to that

    def advance(carry: Any, now: Any) -> tuple[Any, None]:
        state, total = carry
        seen, share = now
        sample = Sample(**{**without, **{name: part[None] for name, part in seen.items()}}, bin_ms=bin_ms)
        delta_w, state = change_by(rule, sample, state, weights)
        return (state, total + share * delta_w[0, 0]), None

    return jax.lax.scan(advance, (rule.init(weights), jnp.zeros((), weights.dtype)), (fields, counted))[0][1]
