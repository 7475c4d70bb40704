"""Filling in what is missing of an image: masks of halves, and what else can do it."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from stdpjax.random import named_key
from stdpjax.theory.principal_components import fill_linearly


def halves(height: int, width: int) -> dict[str, np.ndarray]:
    """Return which pixels are missing, flat, for each half of an image; one of a single row has no upper half."""
    place = np.indices((height, width)).reshape(2, -1)
    sides = {}
    for axis, size, names in ((0, height, ("upper", "lower")), (1, width, ("left", "right"))):
        if size > 1:
            first = place[axis] < size // 2
            sides |= {names[0]: first, names[1]: ~first}
    return sides


def completion_error(completed: np.ndarray, images: np.ndarray, missing: np.ndarray) -> float:
    """Return the squared error per missing pixel, averaged over masks `[mask, pixel]` and images `[image, pixel]`."""
    squares = (np.asarray(completed, np.float64) - images[None]) ** 2
    return float(np.mean([part[:, mask].mean() for part, mask in zip(squares, missing, strict=True)]))


def tune_components(training: np.ndarray, missing: np.ndarray, choices: Sequence[int], held_out: float = 0.2) -> int:
    """Return the number of components that fills a held-out share of the training images best."""
    n_held = max(1, int(held_out * len(training)))
    fitted, held = training[n_held:], training[:n_held]
    mean, covariance = fitted.mean(axis=0), np.cov(fitted.T)
    errors = [
        completion_error(fill_linearly(covariance, mean, held, missing, number), held, missing) for number in choices
    ]
    return choices[int(np.argmin(errors))]


class Encoder(NamedTuple):
    """A denoising autoencoder: linear units that decode rectified ones."""

    encode: Float[Array, "*network visible hidden"]
    decode: Float[Array, "*network hidden visible"]
    hidden_bias: Float[Array, "*network hidden"]
    visible_bias: Float[Array, "*network visible"]


def reconstruct(
    params: Encoder, mean: Float[Array, "visible"], seen: Float[Array, "sample visible"]
) -> Float[Array, "sample visible"]:
    """Return what an autoencoder makes of images, as seen."""
    hidden = jax.nn.relu(params.hidden_bias[None] + (seen - mean[None]) @ params.encode)
    return mean[None] + params.visible_bias[None] + hidden @ params.decode


@jax.jit
def fill_by_encoder(
    params: Encoder,
    mean: Float[Array, "visible"],
    images: Float[Array, "sample visible"],
    missing: Bool[Array, "mask visible"],
) -> Float[Array, "mask sample visible"]:
    """Return images whose missing pixels, seen at their mean, are what the autoencoder makes of them."""

    def one_mask(mask):
        return jnp.where(mask[None], reconstruct(params, mean, jnp.where(mask[None], mean[None], images)), images)

    return jax.lax.map(one_mask, missing)


@partial(jax.jit, static_argnames=("n_hidden", "batch_size"))
def train_encoders(
    keys: Key[Array, "network"],
    images: Float[Array, "network sample visible"],
    orders: Int[Array, "network epoch seen"],
    missing: Bool[Array, "mask visible"],
    knows_halves: Bool[Array, "network"],
    learning_rate,
    *,
    n_hidden: int,
    batch_size: int,
) -> Encoder:
    """Train denoising autoencoders by Adam, its steps falling to 0 along a cosine."""
    n_visible, (n_epochs, n_seen) = images.shape[2], orders.shape[1:]
    n_batches = n_seen // batch_size

    def one_network(key, images, orders, knows):
        mean, scale = jnp.mean(images, axis=0), 0.5 * (2 / (n_visible + n_hidden)) ** 0.5
        draws = scale * jax.random.normal(named_key(key, "weights"), (2, n_visible, n_hidden), float)
        first = Encoder(draws[0], draws[1].T, jnp.zeros(n_hidden), jnp.zeros(n_visible))
        optimizer = optax.scale_by_adam()

        def epoch(carry, numbered):
            number, order = numbered
            own = jax.random.fold_in(named_key(key, "masks"), number)
            # The first column decides which half is missing, the others which pixels: one draw for both.
            draws = jax.random.uniform(own, (n_batches, batch_size, 1 + n_visible), float)

            def batch(carry, part):
                params, memory = carry
                index, members, drawn = part
                goal = images[members]
                which = (drawn[:, 0] * missing.shape[0]).astype(jnp.int32)
                seen = jnp.where(jnp.where(knows, missing[which], drawn[:, 1:] < 0.5), mean[None], goal)
                slope = jax.grad(lambda now: jnp.mean((reconstruct(now, mean, seen) - goal) ** 2))(params)
                done = (number * n_batches + index).astype(goal.dtype) / (n_epochs * n_batches)
                rate = 0.5 * learning_rate * (1 + jnp.cos(jnp.pi * done))
                with jax.numpy_dtype_promotion("standard"):  # optax counts in whole numbers and multiplies by them
                    steps, memory = optimizer.update(slope, memory)
                return (jax.tree.map(lambda leaf, change: leaf - rate * change, params, steps), memory), None

            parts = (jnp.arange(n_batches, dtype=jnp.uint32), order.reshape(n_batches, batch_size), draws)
            return jax.lax.scan(batch, carry, parts)[0], None

        numbered = (jnp.arange(n_epochs, dtype=jnp.uint32), orders)
        (last, _), _ = jax.lax.scan(epoch, (first, optimizer.init(first)), numbered)
        return last

    return jax.vmap(one_network)(keys, images, orders, knows_halves)
