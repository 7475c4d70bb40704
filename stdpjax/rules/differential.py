"""The paper's rule: presynaptic activity times temporal change of postsynaptic activity (Eq 1 and Eq 2).

The time at which the presynaptic factor is read is not innocent. Summed over time, the four pairings differ by a
drift proportional to the product of the two changes, with a secular coefficient of -3, -1, 0 and +1 (for weights
tied in pairs) for "previous", "current", "midpoint" and "next". Eq 5 read literally is "previous"; "midpoint" is
the only one whose symmetric part is an exact total derivative.
"""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.rates import RateFunction, check_rate_fn
from stdpjax.rules.base import Rule, Sample, required
from stdpjax.rules.traces import Number

Pairing = Literal["previous", "current", "midpoint", "next"]
PAIRINGS: tuple[Pairing, ...] = get_args(Pairing)
# Pairing -> the rates that it reads beside those before the step.
_OTHER_RATES: Mapping[Pairing, str | None] = {
    "previous": "previous_pre_rate",
    "current": None,
    "midpoint": "next_pre_rate",
    "next": "next_pre_rate",
}
Difference = Literal["forward", "centred"]


def rate_update(
    state: ArrayLike,
    next_state: ArrayLike,
    pre_rate: ArrayLike,
    *,
    pairing: Pairing = "current",
    previous_pre_rate: ArrayLike | None = None,
    next_pre_rate: ArrayLike | None = None,
) -> Float[Array, "*batch post pre"]:
    """Return the weight update of Eq 1 for one time step: change of s_i times presynaptic rate rho(s_j).

    Args:
        state: postsynaptic activity s before the step, shape `[..., post]`.
        next_state: the same after the step, same shape.
        pre_rate: presynaptic rate before the step, in [0, 1], shape `[..., pre]`.
        pairing: which presynaptic rate multiplies the change: "previous" (one step earlier, Eq 5 as printed),
            "current", "midpoint" (mean of current and next) or "next".
        previous_pre_rate: rate one step earlier, needed by "previous"; shape `[..., pre]`.
        next_pre_rate: rate after the step, needed by "midpoint" and "next"; shape `[..., pre]`.

    Returns:
        `delta_w`, to be added, shape `[..., post, pre]`, per unit of learning rate and per step (not per tau).

    Raises:
        ValueError: unknown pairing, a missing rate or one that it does not read, different shapes, or values that are
            not finite.

    Source: Bengio et al. 2015, Eq 1.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.rate_update([0.0, 1.0], [0.5, 1.0], [0.5, 0.25]).tolist()
        [[0.25, 0.125], [0.0, 0.0]]
    """
    _checks.choice("pairing", pairing, PAIRINGS)
    others = {"previous_pre_rate": previous_pre_rate, "next_pre_rate": next_pre_rate}
    for name, other in others.items():
        is_needed = name == _OTHER_RATES[pairing]
        if is_needed and other is None:
            raise ValueError(f"{name}: expected the presynaptic rates that pairing {pairing!r} needs, got None")
        if other is not None and not is_needed:
            raise ValueError(f"{name}: expected None with pairing {pairing!r}, which does not read it, got rates")
    rate = _checks.finite("pre_rate", pre_rate)
    change = _change(state, next_state, "pre_rate", rate)
    name = _OTHER_RATES[pairing]
    if name is not None:
        other = _checks.finite(name, others[name])  # pyright: ignore[reportArgumentType] -- None was refused before
        _checks.same_shape("pre_rate", rate, name, other)
        rate = 0.5 * (rate + other) if pairing == "midpoint" else other
    return change[..., :, None] * rate[..., None, :]


def spike_update(state: ArrayLike, next_state: ArrayLike, pre_spikes: ArrayLike) -> Float[Array, "*batch post pre"]:
    """Return the weight update of Eq 2 for one time step: change of s_i where neuron j spikes.

    Its mean equals Eq 1 with the spike probability as rate only if the spike does not itself move s_i in that
    step; otherwise the mean is larger by the covariance of the two.

    Args:
        state: postsynaptic activity s before the step, shape `[..., post]`.
        next_state: the same after the step, same shape.
        pre_spikes: presynaptic spike indicators, shape `[..., pre]`.

    Returns:
        `delta_w`, to be added, shape `[..., post, pre]`.

    Raises:
        ValueError: different shapes, values that are not finite, or spikes other than 0 and 1.

    Source: Bengio et al. 2015, Eq 2.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.spike_update([0.0], [0.5], [True, False]).tolist()
        [[0.5, 0.0]]
    """
    pre_spikes = _checks.spikes("pre_spikes", pre_spikes)
    change = _change(state, next_state, "pre_spikes", pre_spikes)
    return change[..., :, None] * pre_spikes[..., None, :].astype(change.dtype)


def state_slope(state: ArrayLike, difference: Difference = "centred") -> Float[Array, "*batch inner"]:
    """Return the temporal change of s at each inner bin of a record.

    Args:
        state: activity, shape `[..., time]` with at least 3 bins.
        difference: "centred", (s[t+1] - s[t-1]) / 2, the counterpart of a window with two sides, or "forward",
            s[t+1] - s[t], as in Eq 5.

    Returns:
        Change per bin at bins 1 ... time-2, shape `[..., time - 2]`.

    Raises:
        ValueError: fewer than 3 bins, values that are not finite, or an unknown difference.

    Example:
        >>> import stdpjax
        >>> stdpjax.rules.state_slope([0.0, 1.0, 4.0, 9.0]).tolist()
        [2.0, 4.0]
        >>> stdpjax.rules.state_slope([0.0, 1.0, 4.0, 9.0], "forward").tolist()
        [3.0, 5.0]
    """
    _checks.choice("difference", difference, get_args(Difference))
    state = _checks.finite("state", state)
    if state.ndim < 1 or state.shape[-1] < 3:
        raise ValueError(f"state: expected at least 3 bins of time on the last axis, got shape {state.shape}")
    if difference == "centred":
        return 0.5 * (state[..., 2:] - state[..., :-2])
    return state[..., 2:] - state[..., 1:-1]


class _Memory(NamedTuple):
    """What the pairings other than "current" remember of the last steps."""

    change: Float[Array, "post"]
    pre_rate: Float[Array, "pre"]


def differential_rule(
    pairing: Pairing = "current",
    presynaptic: Literal["rate", "spikes"] = "rate",
    postsynaptic: Literal["state", "gradient"] = "state",
    tied: bool = False,
) -> Rule:
    """Return Eq 1 (rates) or Eq 2 (spikes) as a rule for a scan over time.

    The pairings "midpoint" and "next" need the presynaptic activity after the step, which is known one step later:
    their update is emitted then, and the last step's never. "previous" has no update in the first step.

    Args:
        pairing: as in `rate_update`.
        presynaptic: "rate" for Eq 1, "spikes" for Eq 2.
        postsynaptic: "state" for the change of s_i, as in Eq 1, or "gradient" for that times rho'(s_i) before the
            step, which is what Eq 5 has and which is silent in saturation.
        tied: add the same for the other direction of each pair, with 0 on the diagonal: one weight for each pair, of
            a network whose units are both pre- and postsynaptic.

    Returns:
        The rule; its `delta_w` is per unit of learning rate. Weights from a unit to itself are left to the caller
        unless `tied`.

    Raises:
        ValueError: unknown pairing or factor, or `tied` that is no truth value.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rule = stdpjax.rules.differential_rule()
        >>> sample = stdpjax.rules.Sample(
        ...     post_state=jnp.zeros(1), next_post_state=jnp.ones(1), pre_rate=jnp.array([0.25]),
        ...     pre_spikes=jnp.array([False]), post_spikes=jnp.array([False]))
        >>> weights = jnp.zeros((1, 1))
        >>> delta_w, _ = rule.update(sample, rule.init(weights), weights)
        >>> delta_w.tolist()
        [[0.25]]
    """
    _checks.choice("postsynaptic", postsynaptic, ("state", "gradient"))
    _checks.flag("tied", tied)

    def change_of(sample: Sample) -> Float[Array, "post"]:
        change = required(sample, "next_post_state") - required(sample, "post_state")
        return change * required(sample, "post_slope") if postsynaptic == "gradient" else change

    return change_rule(change_of, pairing, presynaptic, tied)


def change_rule(
    change_of: Callable[[Sample], Float[Array, "post"]],
    pairing: Pairing,
    presynaptic: Literal["rate", "spikes"],
    tied: bool,
) -> Rule:
    """Return the product of a postsynaptic change and presynaptic activity as a rule, as `differential_rule` has it."""
    _checks.choice("pairing", pairing, PAIRINGS)
    _checks.choice("presynaptic", presynaptic, ("rate", "spikes"))

    def init(weights: Float[Array, "post pre"]) -> _Memory:
        n_post, n_pre = weights.shape
        return _Memory(jnp.zeros(n_post, weights.dtype), jnp.zeros(n_pre, weights.dtype))

    def update(
        sample: Sample, memory: _Memory, weights: Float[Array, "post pre"]
    ) -> tuple[Float[Array, "post pre"], _Memory]:
        del weights
        change = change_of(sample)
        factor = required(sample, "pre_rate" if presynaptic == "rate" else "pre_spikes").astype(change.dtype)
        pairs = {
            "previous": (change, memory.pre_rate),
            "current": (change, factor),
            "midpoint": (memory.change, 0.5 * (memory.pre_rate + factor)),
            "next": (memory.change, factor),
        }
        post_factor, pre_factor = pairs[pairing]
        delta_w = post_factor[:, None] * pre_factor[None, :]
        if tied:
            delta_w = delta_w + delta_w.T - 2 * jnp.diag(jnp.diagonal(delta_w))
        return delta_w, _Memory(change, factor)

    return Rule(init, update)


def eq1_rule(
    rate_fn: RateFunction, *, gate: Number = 0.0, tie: Number = 0.0, before: Number = 0.0, after: Number = 0.0
) -> Rule:
    """Return Eq 1 in a form that traced numbers give, so that one program runs all its forms and those between.

    With `before` and `after` 0 it is `differential_rule`, with `before` 1 its pairing "previous". With `after` 1/2 or 1
    the presynaptic rate is that midway or after the step, at once, where that rule has to wait a step for it.

    Args:
        rate_fn: rate function of the presynaptic units, which are the postsynaptic ones unless `after` is 0.
        gate: 1 for the change of s_i times rho'(s_i), as Eq 5 has it; 0 for the change as it is.
        tie: 1 for the sum of both directions of a pair, with 0 on the diagonal; 0 for each direction by its own. Of a
            network whose units are both pre- and postsynaptic.
        before: share of the presynaptic rate one step before the change; 0 before the first step.
        after: share of that after the change. The rest is the rate at its start.

    Returns:
        The rule; its `delta_w` is per unit of learning rate and per step.

    Raises:
        ValueError: no rate function, or a number that is not finite.

    Source: Bengio et al. 2015, Eq 1 and 5.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rho = stdpjax.rates.hard_sigmoid()
        >>> rule = stdpjax.rules.eq1_rule(rho, after=0.5)
        >>> state, weights = jnp.array([[0.0], [0.5]]), jnp.zeros((1, 1))
        >>> samples = stdpjax.rules.Sample(
        ...     state[:1], state[1:], rho.value(state[:1]), post_slope=rho.slope(state[:1]))
        >>> stdpjax.rules.run_along(rule, samples, weights).updates.tolist()  # 0.5 * (0.5 + 1) / 2
        [[[0.375]]]
    """
    check_rate_fn(rate_fn)
    for name, number in {"gate": gate, "tie": tie, "before": before, "after": after}.items():
        _checks.number(name, number)

    def init(weights: Float[Array, "post pre"]) -> Float[Array, "pre"]:
        return jnp.zeros(weights.shape[1], weights.dtype)

    def update(
        sample: Sample, previous: Float[Array, "pre"], weights: Float[Array, "post pre"]
    ) -> tuple[Float[Array, "post pre"], Float[Array, "pre"]]:
        del weights
        slope = 1 + gate * (required(sample, "post_slope") - 1)
        change = slope * (required(sample, "next_post_state") - required(sample, "post_state"))
        rate, later = required(sample, "pre_rate"), rate_fn.value(sample.next_post_state)
        read = rate + before * (previous - rate) + after * (later - rate)
        delta_w = change[:, None] * read[None, :]
        if _checks.is_concrete(tie) and tie == 0:  # weights that are not square have no other direction
            return delta_w, rate
        return delta_w + tie * (delta_w.T - 2 * jnp.diag(jnp.diagonal(delta_w))), rate

    return Rule(init, update)


def _change(state: ArrayLike, next_state: ArrayLike, name: str, presynaptic: Array) -> Float[Array, "*batch post"]:
    """Return the change of activity, refusing shapes that differ, also from those of the presynaptic neurons."""
    state, next_state = _checks.finite("state", state), _checks.finite("next_state", next_state)
    _checks.same_shape("state", state, "next_state", next_state)
    if presynaptic.ndim < 1 or presynaptic.shape[:-1] != state.shape[:-1]:
        raise ValueError(
            f"{name}: expected the leading axes of state, {state.shape[:-1]}, before that of the presynaptic neurons, "
            f"got shape {presynaptic.shape}"
        )
    return next_state - state
