"""Networks that learn by Eq 1 while they run: many drives, forms of the rule and rates in one program.

All cases see the same random numbers, so a case and its control without learning are paired. What differs between
cases is traced numbers: the form of the rule too, which is compiled once for all.
"""

import math
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, Key

from stdpjax.drives import ornstein_uhlenbeck
from stdpjax.dynamics import NoiseHyper, NoisyIntegrator, simulate
from stdpjax.energy import Params
from stdpjax.observers import mean_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import Rule, Sample, eq1_rule

STEP = 0.1
"""Step over time constant of every network here."""

DRIVES = ("OU", "OU + noise", "switching", "constant + noise", "travelling wave")
NOISE_STD = (0.0, 0.1, 0.0, 0.2, 0.0)
"""Noise eta inside R that goes with each drive."""


class Case(NamedTuple):
    """What one case is, in numbers, each of shape `[case]`; `tie` and `after` as in `rules.eq1_rule`."""

    drive: Int32[Array, "*case"]
    rate: Float[Array, "*case"]
    tie: Float[Array, "*case"]
    after: Float[Array, "*case"]
    shift: Int32[Array, "*case"]
    """By how many units each change of a weight is misplaced, at both of its ends."""


def _misplaced(rule: Rule, shift: Int32[Array, ""]) -> Rule:
    def update(sample: Sample, rule_state: Any, weights: Float[Array, "post pre"]) -> Any:
        delta_w, rule_state = rule.update(sample, rule_state, weights)
        return jnp.roll(jnp.roll(delta_w, shift, 0), shift, 1), rule_state

    return Rule(rule.init, update)


class Learned(NamedTuple):
    """What became of each case and network."""

    speed: Float[Array, "*case"]
    """Mean of |ds/dt|^2 once the first steps are dropped, in (activity / tau)^2."""
    weights: Float[Array, "*case post pre"]
    state: Float[Array, "*case unit"]
    is_finite: Array


def drives_of(key: Key[Array, ""], n_units: int, n_steps: int) -> Float[Array, "drive time unit"]:
    """Return a sample of each drive in `DRIVES`, activities to be added to the biases of one network.

    OU (standard deviation 0.25, 20 steps), which "OU + noise" has too; one of 4 patterns of standard deviation 0.25,
    drawn anew every 50 steps; a constant pattern of standard deviation 0.15; a wave of amplitude 0.3, 80 steps and one
    round over the units, with white noise of 0.02.
    """
    keys = {name: named_key(key, name) for name in ("OU", "patterns", "choice", "wave")}
    ou = jax.vmap(lambda key: ornstein_uhlenbeck(key, n_steps, 20.0), out_axes=1)(member_keys(keys["OU"], n_units))
    patterns = jax.random.normal(keys["patterns"], (5, n_units), float)
    chosen = jnp.floor(4 * jax.random.uniform(keys["choice"], (-(-n_steps // 50),), float)).astype(jnp.int32)
    switching = 0.25 * patterns[jnp.repeat(chosen, 50)[:n_steps]]
    constant = jnp.broadcast_to(0.15 * patterns[4], (n_steps, n_units))
    phase = jnp.arange(n_steps, dtype=float)[:, None] / 80 - jnp.arange(n_units, dtype=float)[None] / n_units
    wave = 0.3 * jnp.sin(2 * math.pi * phase) + 0.02 * jax.random.normal(keys["wave"], (n_steps, n_units), float)
    return jnp.stack([0.25 * ou, 0.25 * ou, switching, constant, wave])


def _speed(sample: Sample) -> Float[Array, ""]:
    slope = (sample.next_post_state - sample.post_state) / STEP
    return jnp.sum(slope * slope)


@partial(jax.jit, static_argnames="n_dropped")
def learn(
    keys: Key[Array, "network"],
    params: Params,
    drives: Float[Array, "network drive time unit"],
    cases: Case,
    bound: Float[Array, ""],
    *,
    n_dropped: int,
) -> Learned:
    """Run every case of every network from rest; results have the leading axes `[case, network]`.

    Each network has a key for its noise and a sample of each drive, the same in all cases; weights are
    `[case, network, post, pre]`, biases `[network, unit]`.
    """
    n_steps, n_units = drives.shape[-2:]
    noise_std = jnp.asarray(NOISE_STD, float)

    def one(weights, case, key, bias, drives):
        rule = eq1_rule(hard_sigmoid(), tie=case.tie, after=case.after)
        run = simulate(
            key,
            Params(weights, bias),
            NoisyIntegrator(hard_sigmoid()),
            NoiseHyper(STEP, noise_std[case.drive]),
            state=jnp.zeros(n_units, float),
            n_steps=n_steps,
            drive=lambda number: drives[case.drive, number],
            observe={"late": mean_of(_speed, burn_in=n_dropped)},
            rule=_misplaced(rule, case.shift),
            learning_rate=case.rate,
            weight_bounds=(-bound, bound),
        )
        return Learned(run.observed["late"].mean, run.params.weights, run.state, run.is_finite)

    one = jax.vmap(one, (0, None, 0, 0, 0))
    return jax.vmap(one, (0, 0, None, None, None))(params.weights, cases, keys, params.bias, drives)
