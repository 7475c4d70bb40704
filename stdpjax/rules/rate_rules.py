"""Rules of rates to put beside the paper's: Xie & Seung's, which follows d rho/dt, and BCM and Hebb as controls.

Eq 1 and Hinton's rule follow the change of the activity s (`differential_rule`); Xie & Seung's follows that of the
rate, which saturation keeps still. The controls follow no change at all.
"""

from typing import Literal, get_args

import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._units import Measured
from stdpjax.rates import RateFunction, check_rate_fn
from stdpjax.rules.base import Rule, Sample, TraceRule, required
from stdpjax.rules.differential import Pairing, change_rule
from stdpjax.rules.traces import trace_rule

Sign = Literal["anti_hebbian", "hebbian"]


def xie_seung_rule(
    rate_fn: RateFunction,
    sign: Sign = "anti_hebbian",
    pairing: Pairing = "current",
    presynaptic: Literal["rate", "spikes"] = "rate",
) -> Rule:
    """Return presynaptic activity times the change of the postsynaptic rate, d rho(s_i) / dt.

    Args:
        rate_fn: the postsynaptic rate function.
        sign: "anti_hebbian", as published (a rising postsynaptic rate depresses), or "hebbian", as Eq 1.
        pairing: which presynaptic activity multiplies the change, as in `rate_update`.
        presynaptic: "rate" or "spikes".

    Returns:
        The rule; its `delta_w` is per unit of learning rate and per step.

    Raises:
        ValueError: no rate function, or an unknown option.

    Source: Xie & Seung 2000 (NIPS 12:199).

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rule = stdpjax.rules.xie_seung_rule(stdpjax.rates.hard_sigmoid(), "hebbian")
        >>> sample = stdpjax.rules.Sample(
        ...     post_state=jnp.array([0.0, 0.5]), next_post_state=jnp.array([0.25, 0.75]), pre_rate=jnp.ones(1))
        >>> weights = jnp.zeros((2, 1))
        >>> rule.update(sample, rule.init(weights), weights)[0].tolist()  # the second neuron is saturated
        [[0.25], [0.0]]
    """
    check_rate_fn(rate_fn)
    _checks.choice("sign", sign, get_args(Sign))

    def change_of(sample: Sample) -> Float[Array, "post"]:
        before, after = required(sample, "post_state"), required(sample, "next_post_state")
        change = rate_fn.value(after) - rate_fn.value(before)
        return -change if sign == "anti_hebbian" else change

    return change_rule(change_of, pairing, presynaptic, tied=False)


def bcm_rule(rate_fn: RateFunction, tau_threshold: Measured, target: float | Float[Array, ""] = 0.5) -> Rule:
    """Return the rule of Bienenstock, Cooper & Munro: rho_j rho_i (rho_i - threshold), with a sliding threshold.

    The threshold is the running mean of rho_i^2 / target; it starts at the target.

    Args:
        rate_fn: the postsynaptic rate function.
        tau_threshold: time constant of the running mean in ms, above 0.
        target: the rate at which a constant postsynaptic neuron changes nothing, above 0.

    Returns:
        The rule; its `delta_w` is per unit of learning rate and per step.

    Raises:
        ValueError: no rate function, or a number out of range.

    Source: Bienenstock, Cooper & Munro 1982 (J Neurosci 2:32), in the form of Intrator & Cooper 1992.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rule = stdpjax.rules.bcm_rule(stdpjax.rates.hard_sigmoid(), tau_threshold=100.0)
        >>> post = jnp.array([-0.25, 0.0, 0.25])  # below, at and above the threshold
        >>> sample = stdpjax.rules.Sample(post_state=post, next_post_state=post, pre_rate=jnp.ones(1))
        >>> weights = jnp.zeros((3, 1))
        >>> rule.update(sample, rule.init(weights), weights)[0].tolist()
        [[-0.0625], [0.0], [0.1875]]
    """
    check_rate_fn(rate_fn)
    tau_threshold = _checks.milliseconds("tau_threshold", tau_threshold, above=0)
    target = _checks.number("target", target, above=0)

    def init(weights: Float[Array, "post pre"]) -> Float[Array, "post"]:
        return jnp.full(weights.shape[0], jnp.asarray(target, weights.dtype))

    def update(
        sample: Sample, threshold: Float[Array, "post"], weights: Float[Array, "post pre"]
    ) -> tuple[Float[Array, "post pre"], Float[Array, "post"]]:
        elapsed = 1.0 if sample.bin_ms is None else sample.bin_ms
        wanted, elapsed, tau = (jnp.asarray(number, weights.dtype) for number in (target, elapsed, tau_threshold))
        post_rate = rate_fn.value(required(sample, "post_state"))
        delta_w = (post_rate * (post_rate - threshold))[:, None] * required(sample, "pre_rate")[None, :]
        share = -jnp.expm1(-elapsed / tau)
        return delta_w, threshold + share * (post_rate**2 / wanted - threshold)

    return Rule(init, update)


def hebb_rule(rate_fn: RateFunction | None = None) -> Rule:
    """Return plain Hebb: the product of both rates or, without a rate function, of the spikes of the same step.

    Args:
        rate_fn: the postsynaptic rate function; None for spikes.

    Returns:
        The rule; its `delta_w` is per unit of learning rate and per step.

    Raises:
        ValueError: no rate function.

    Example:
        >>> import stdpjax
        >>> rule = stdpjax.rules.hebb_rule()
        >>> stdpjax.rules.train_updates(rule, [1, 1, 0], [0, 1, 1]).tolist()
        [0.0, 1.0, 0.0]
    """
    if rate_fn is None:
        return trace_rule(TraceRule((), _nothing, _still, _coincidences))
    check_rate_fn(rate_fn)

    def update(sample: Sample, nothing: tuple[()], weights: Float[Array, "post pre"]):
        del weights
        post_rate = rate_fn.value(required(sample, "post_state"))
        return post_rate[:, None] * required(sample, "pre_rate")[None, :], nothing

    return Rule(_nothing, update)


def _nothing(weights: Float[Array, "post pre"]) -> tuple[()]:
    del weights
    return ()


def _still(parameters: tuple[()], nothing: tuple[()], elapsed: Float[Array, ""]) -> tuple[()]:
    del parameters, elapsed
    return nothing


def _coincidences(
    parameters: tuple[()],
    nothing: tuple[()],
    pre: Float[Array, "pre"],
    post: Float[Array, "post"],
    weights: Float[Array, "post pre"],
) -> tuple[Float[Array, "post pre"], tuple[()]]:
    del parameters, weights
    return post[:, None] * pre[None, :], nothing
