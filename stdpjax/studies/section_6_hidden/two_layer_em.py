"""Impatient EM for a layer of clamped visible and one of hidden units, whose one block of weights is all there is.

The updates are those of `stdpjax.learning.em_update`, with the chains after their step, which are less out of date, at
a fraction of the work and with numbers as coefficients, so that networks of several rules train in one program.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from stdpjax.lab.train_settings import RATE
from stdpjax.random import named_key


class Layers(NamedTuple):
    """Weights between two layers and the biases of both."""

    weights: Float[Array, "*network visible hidden"]
    visible_bias: Float[Array, "*network visible"]
    hidden_bias: Float[Array, "*network hidden"]


class Setting(NamedTuple):
    """What one network learns by, all of it numbers; with Adam a common factor of both parts does not matter."""

    on_clamped: Float[Array, "*network"]
    """Share of the delta rule (x - R_x) rho'(x) rho(h) on the clamped rows."""
    on_hidden: Float[Array, "*network"]
    """Share of Eq 1, h-dot rho(x), on the hidden rows."""
    temperature: Float[Array, "*network"]
    """Of the chains, in units of activity squared."""
    step: Float[Array, "*network"]
    """Of the chains, in (0, 1]."""
    learning_rate: Float[Array, "*network"]
    """Largest step of Adam, or factor on plain updates; it falls to 0 along a cosine."""
    is_plain: Float[Array, "*network"]
    """1: updates as they are; 0: scaled by Adam."""
    gain: Float[Array, "*network"]
    """Spread of the initial weights, as in `stdpjax.learning.random_layers`."""


def balanced_layers(weights: Float[Array, "visible hidden"], values: Float[Array, "sample visible"]) -> Layers:
    """Return a network with the biases that keep both layers at their mean activity, 0 for the hidden one."""
    half = jnp.full(weights.shape[1], 0.5, float)
    return Layers(weights, jnp.mean(values, axis=0) - weights @ half, -jnp.mean(RATE.value(values), axis=0) @ weights)


def step_hidden(
    params: Layers, values: Float[Array, "sample visible"], hidden: Float[Array, "sample hidden"], kick, step
) -> Float[Array, "sample hidden"]:
    """Return the hidden units after one Langevin step with the visible units clamped; `kick` is its noise."""
    field = params.hidden_bias[None] + RATE.value(values) @ params.weights
    return hidden + step * (RATE.slope(hidden) * field - hidden) + kick


def em_delta(
    params: Layers,
    values: Float[Array, "sample visible"],
    hidden: Float[Array, "sample hidden"],
    moved: Float[Array, "sample hidden"],
    on_clamped: Float[Array, ""],
    on_hidden: Float[Array, ""],
) -> Layers:
    """Return the update that one step of the chains gives, averaged over samples and to be added."""
    slopes, rates = RATE.slope(values), RATE.value(moved)
    towards = slopes * (params.visible_bias[None] + rates @ params.weights.T)
    rows = on_clamped * slopes * (values - towards)
    changes = on_hidden * (moved - hidden)
    weights = (rows.T @ rates + RATE.value(values).T @ changes) / values.shape[0]
    return Layers(weights, jnp.mean(rows, axis=0), jnp.mean(changes, axis=0))


@partial(jax.jit, static_argnames=("n_hidden", "batch_size"))
def train_layers(
    keys: Key[Array, "network"],
    values: Float[Array, "network sample visible"],
    orders: Int[Array, "network epoch seen"],
    settings: Setting,
    *,
    n_hidden: int,
    batch_size: int,
) -> tuple[Layers, Layers, Bool[Array, "network"]]:
    """Train networks on their images, each by its own rule; each image has a chain, one step of it for each update."""
    n_samples, (n_epochs, n_seen) = values.shape[1], orders.shape[1:]
    n_batches = n_seen // batch_size

    def one_network(key, values, orders, setting: Setting):
        n_visible = values.shape[1]
        draws = jax.random.normal(named_key(key, "starts"), (n_visible + n_samples, n_hidden), float)
        first = balanced_layers(setting.gain * (2 / (n_visible + n_hidden)) ** 0.5 * draws[:n_visible], values)
        optimizer = optax.scale_by_adam()
        loudness = jnp.sqrt(2 * setting.step * setting.temperature)

        def epoch(carry, numbered):
            number, order = numbered
            kick_key = jax.random.fold_in(named_key(key, "kicks"), number)
            kicks = loudness * jax.random.normal(kick_key, (n_seen, n_hidden), float)

            def batch(carry, part):
                params, memory = carry
                index, seen, hidden, kick = part
                moved = step_hidden(params, seen, hidden, kick, setting.step)
                delta = em_delta(params, seen, hidden, moved, setting.on_clamped, setting.on_hidden)
                done = (number * n_batches + index).astype(values.dtype) / (n_epochs * n_batches)
                rate = 0.5 * setting.learning_rate * (1 + jnp.cos(jnp.pi * done))
                with jax.numpy_dtype_promotion("standard"):  # optax counts in whole numbers and multiplies by them
                    scaled, memory = optimizer.update(delta, memory)
                plain = setting.is_plain
                steps = jax.tree.map(lambda one, other: plain * one + (1 - plain) * other, delta, scaled)
                return (jax.tree.map(lambda leaf, change: leaf + rate * change, params, steps), memory), moved

            params, memory, chains = carry
            parts = (leaf.reshape(n_batches, batch_size, -1) for leaf in (values[order], chains[order], kicks))
            (params, memory), moved = jax.lax.scan(
                batch, (params, memory), (jnp.arange(n_batches, dtype=jnp.uint32), *parts)
            )
            return (params, memory, chains.at[order].set(moved.reshape(-1, n_hidden))), None

        carry = (first, optimizer.init(first), jnp.sqrt(setting.temperature) * draws[n_visible:])
        (last, _, _), _ = jax.lax.scan(epoch, carry, (jnp.arange(n_epochs, dtype=jnp.uint32), orders))
        is_finite = jax.tree.reduce(jnp.logical_and, jax.tree.map(lambda leaf: jnp.all(jnp.isfinite(leaf)), last))
        return first, last, is_finite

    return jax.vmap(one_network)(keys, values, orders, settings)


@partial(jax.jit, static_argnames="n_steps")
def complete(
    params: Layers,
    values: Float[Array, "sample visible"],
    missing: Bool[Array, "mask visible"],
    guess: Float[Array, "visible"],
    *,
    n_steps: int,
) -> tuple[Float[Array, "mask sample visible"], Float[Array, ""]]:
    """Return images whose missing pixels have settled where the energy is least, the others clamped.

    Both layers in turn go to where they minimise the energy between the kinks, the other one held: the fixed point of
    the clip form, since no layer has connections of its own.
    """
    low, high = RATE.kinks or (-0.5, 0.5)

    def one_mask(mask):
        def turn(seen, _):
            hidden = jnp.clip(params.hidden_bias[None] + RATE.value(seen) @ params.weights, low, high)
            filled = jnp.clip(params.visible_bias[None] + RATE.value(hidden) @ params.weights.T, low, high)
            filled = jnp.where(mask[None], filled, values)
            return filled, jnp.max(jnp.abs(filled - seen))

        last, changes = jax.lax.scan(turn, jnp.where(mask[None], guess[None], values), None, length=n_steps)
        return last, changes[-1]

    completed, changes = jax.lax.map(one_mask, missing)
    return completed, jnp.max(changes)
