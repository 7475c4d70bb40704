"""A network that a drive moves about its fixed point for ever, and its mean update under Eq 1, sampled and exact."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import NDArray

from stdpjax.drives import ornstein_uhlenbeck
from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate
from stdpjax.energy import Params, tie
from stdpjax.networks import Interior, resting_bias
from stdpjax.observers import mean_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import Sample, rate_update

STEP = 0.1
"""Step over time constant of the network."""
WIDTH, SHARED = 20.0, 0.25
"""Of the drive, one Ornstein-Uhlenbeck process a unit: correlation time in steps, share of variance in common."""


def driven_network(key: Key[Array, ""], n_units: int) -> Interior:
    """Return a network at rest whose weights are far from symmetric, as pairs mostly pull opposite ways."""
    rate_fn = hard_sigmoid()
    raw = jax.random.normal(key, (n_units, n_units), float)
    weights = 0.5 * (raw - raw.T) + 0.5 * tie(raw)
    weights = 1.5 * weights / jnp.max(jnp.sum(jnp.abs(weights), axis=1))
    rest = jnp.zeros(n_units, float)
    return Interior(Params(weights, resting_bias(weights, rest, rate_fn)), rest, rest)


def _update(sample: Sample) -> Float[Array, "post pre"]:
    following = hard_sigmoid().value(sample.next_post_state)
    arguments = sample.post_state, sample.next_post_state, sample.pre_rate
    return rate_update(*arguments, pairing="midpoint", next_pre_rate=following)


def _reach(sample: Sample) -> Float[Array, ""]:
    return jnp.mean(hard_sigmoid().slope(sample.post_state))


@partial(jax.jit, static_argnames=("std", "n_steps", "n_trials"))
def drive_network(
    key: Key[Array, ""], network: Interior, std: float, n_steps: tuple[int, int], n_trials: int
) -> tuple[Float[Array, "trial post pre"], Bool[Array, "trial"]]:
    """Return means of Eq 1, the rate read midway, over the second of two numbers of steps, and which trials are active.

    Each trial is run twice, with a drive and with its mirror image: what is odd in the drive averages out.
    """
    n_units = network.fixed_point.size

    def one(key: Key[Array, ""]) -> Float[Array, "time unit"]:
        keys = jax.random.split(key, n_units + 1)
        paths = jax.vmap(lambda key: ornstein_uhlenbeck(key, sum(n_steps), WIDTH))(keys).T
        own, shared = float(np.sqrt(1 - SHARED)), float(np.sqrt(SHARED))
        return std * (own * paths[:, 1:] + shared * paths[:, :1])

    paths = jax.vmap(one)(member_keys(named_key(key, "drive"), n_trials))
    paths = jnp.concatenate([paths, -paths])
    start = jnp.broadcast_to(network.fixed_point, (2 * n_trials, n_units))
    simulated = partial(simulate, key, network.params, LeakyIntegrator(hard_sigmoid()), StepHyper(STEP))
    settled = simulated(state=start, drive=paths[:, : n_steps[0]])
    observe = {"update": mean_of(_update), "active": mean_of(_reach)}
    run = simulated(state=settled.state, drive=paths[:, n_steps[0] :], observe=observe)

    def of_pair(values: Array) -> Array:
        return values.reshape(2, n_trials, *values.shape[1:])

    stays_active = run.is_finite & (run.observed["active"].mean == 1)
    return of_pair(run.observed["update"].mean).mean(0), of_pair(stays_active).all(0)


def driven_mean(weights: NDArray[np.float64], std: float) -> NDArray[np.float64]:
    """Return the exact mean update `[post, pre]` of the driven network, the rate read midway, in the active region.

    State and drive together are linear: z <- A z + noise, with stationary covariance S = A S A^T + Q.
    """
    n_units, decay = len(weights), np.exp(-1 / WIDTH)
    identity, zero = np.eye(n_units), np.zeros((n_units, n_units))
    a = np.block([[(1 - STEP) * identity + STEP * weights, STEP * identity], [zero, decay * identity]])
    kicks = std**2 * (1 - decay**2) * ((1 - SHARED) * identity + SHARED)
    q = np.block([[zero, zero], [zero, kicks]])
    size = 2 * n_units
    covariance = np.linalg.solve(np.eye(size**2) - np.kron(a, a), q.ravel()).reshape(size, size)
    one_step = (a @ covariance)[:n_units, :n_units]
    return 0.5 * (one_step - one_step.T)
