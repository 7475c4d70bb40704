"""Networks of many sizes settled together, and estimates of their cost's gradient.

The cost is half the squared distance of all units from targets, and the parameters are the biases. Noise on the biases
moves the settled state; REINFORCE correlates it with the cost, the local rule contrasts two pulled phases.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from stdpjax.clamps import SoftClamp
from stdpjax.dynamics import transition
from stdpjax.energy import Params
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, curvature, sigmoid

SMOOTH = sigmoid()
ESTIMATORS = ("raw", "change", "centred", "local")
"""REINFORCE with the cost itself, its change by the noise and its deviation from the mean; two phases."""


class Packed(NamedTuple):
    """Networks of different sizes as blocks on the diagonals of sheets of one size, so that one program runs all."""

    weights: Float[Array, "sheet unit unit"]
    rest: Float[Array, "sheet unit"]
    """Where the units settle without noise."""
    goal: Float[Array, "sheet unit"]
    member: Float[Array, "network sheet unit"]
    """1 for the units of a network."""


class Noise(NamedTuple):
    """Numbers of the experiment."""

    noise_std: Float[Array, ""]
    strength: Float[Array, ""]
    """Of the pull towards the targets, and away from them."""


def places(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return sheet and first unit of each network: the largest has a sheet of its own, the others fill one."""
    offsets = np.concatenate([[0], np.cumsum(sizes[:-1])])
    return [*((0, int(offset)) for offset in offsets[:-1]), (1, 0)]


def pack(key: Key[Array, ""], sizes: tuple[int, ...], radius: float, spread: float, distance: float) -> Packed:
    """Return random networks that settle at given states, each unit a given distance from its target."""
    widest = sizes[-1]
    member, weights = np.zeros((len(sizes), 2, widest)), np.zeros((2, widest, widest))
    drawn_weights, drawn_rest, sides = (np.asarray(part, np.float64) for part in _draw(key, widest))
    for number, ((sheet, first), size) in enumerate(zip(places(sizes), sizes, strict=True)):
        block = slice(first, first + size)
        member[number, sheet, block] = 1
        lower = np.tril(drawn_weights[sheet, block, block], -1)
        tied = lower + lower.T
        weights[sheet, block, block] = radius * tied / np.abs(np.linalg.eigvalsh(tied)).max()
    used = member.sum(0)
    rest = spread * drawn_rest * used
    goal = rest + distance * sides * used
    return Packed(*(jnp.asarray(part, float) for part in (weights, rest, goal, member)))


@partial(jax.jit, static_argnames="widest")
def _draw(key: Key[Array, ""], widest: int) -> tuple[Array, Array, Array]:
    return (
        jax.random.normal(named_key(key, "weights"), (2, widest, widest), float),
        jax.random.uniform(named_key(key, "rest"), (2, widest), float, -1.0, 1.0),
        jax.random.rademacher(named_key(key, "sides"), (2, widest), float),
    )


def biases(packed: Packed, rate_fn: RateFunction) -> Float[Array, "sheet unit"]:
    """Return the biases with which the networks settle where they should: R(s) = s."""
    rates = rate_fn.value(packed.rest)
    return packed.rest / rate_fn.slope(packed.rest) - jnp.einsum("sij,sj->si", packed.weights, rates)


def _settle(packed: Packed, bias: Float[Array, "sheet unit"], strength, rate_fn: RateFunction, n_steps: int):
    """Settled states under given biases and pull, and the largest last change in each sheet."""

    def one(weights, bias, start, goal):
        clamp = SoftClamp(jnp.ones(goal.shape, bool), goal, strength)

        def step(state, _):
            moved = transition(Params(weights, bias), state, jnp.zeros_like(state), rate_fn, 0.9, (clamp,))
            return moved, jnp.max(jnp.abs(moved - state))

        state, changes = jax.lax.scan(step, start, None, length=n_steps)
        return state, changes[-1]

    return jax.vmap(one)(packed.weights, bias, packed.rest, packed.goal)


@partial(jax.jit, static_argnames=("n_trials", "n_steps", "rate_fn"))
def estimates(
    key: Key[Array, ""], packed: Packed, numbers: Noise, *, n_trials: int, n_steps: int, rate_fn: RateFunction = SMOOTH
) -> tuple[Float[Array, "estimator trial sheet unit"], Float[Array, "trial"]]:
    """Return each trial's estimates of the gradient of the cost by the biases, and how far its states still moved."""
    bias = biases(packed, rate_fn)
    settled = 0.5 * (packed.rest - packed.goal) ** 2

    def in_network(values):
        return jnp.einsum("nsu,nv->vsu", packed.member, jnp.einsum("nsu,vsu->nv", packed.member, values))

    def trial(key):
        # Each phase of the local rule has noise of its own: nothing cancels between them.
        eta = jax.random.normal(key, (3, *bias.shape), bias.dtype)
        noisy = bias[None] + numbers.noise_std * eta
        pulls = jnp.stack([jnp.zeros_like(numbers.strength), numbers.strength, -numbers.strength])
        states, change = jax.vmap(lambda bias, pull: _settle(packed, bias, pull, rate_fn, n_steps))(noisy, pulls)
        rates = rate_fn.value(states)
        return eta[0], 0.5 * (states[0] - packed.goal) ** 2, rates[1] - rates[2], jnp.max(change)

    eta, own, contrast, change = jax.vmap(trial)(member_keys(named_key(key, "noise"), n_trials))
    total = in_network(own)
    # The mean over the other trials: that over all would correlate with the trial's own noise.
    centred = (total - jnp.mean(total, axis=0, keepdims=True)) * (n_trials / (n_trials - 1))
    rewards = jnp.stack([total, total - in_network(settled[None]), centred])
    reinforce = rewards * (eta / numbers.noise_std)[None]
    return jnp.concatenate([reinforce, -contrast[None] / (2 * numbers.strength)]), change


def gradients(packed: Packed, rate_fn: RateFunction = SMOOTH) -> np.ndarray:
    """Return the exact gradient of the cost by the biases, in double precision."""
    slope, bend = rate_fn.slope(packed.rest), curvature(rate_fn, packed.rest)
    weights, rest, goal, slope, bend = (
        np.asarray(part, np.float64) for part in (packed.weights, packed.rest, packed.goal, slope, bend)
    )
    field = rest / slope
    moved = slope[:, :, None] * weights * slope[:, None] + np.eye(rest.shape[1]) * (bend * field)[:, :, None]
    return slope * np.linalg.solve(np.eye(rest.shape[1]) - moved, (rest - goal)[..., None])[..., 0]
