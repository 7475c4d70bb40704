"""What the studies of single networks share: many random networks at random states, and measures of agreement."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from stdpjax.energy import Params, random_params
from stdpjax.random import member_keys, named_key


def random_networks(key: Key[Array, ""], n_networks: int, n_units: int, scale: float) -> Params:
    """Return independent tied networks, stacked along a leading axis, see `stdpjax.energy.random_params`."""
    keys = member_keys(named_key(key, "networks"), n_networks)
    return jax.vmap(lambda network_key: random_params(network_key, n_units, scale))(keys)


def centred_network(key: Key[Array, ""], centre: float | Array, n_units: int) -> Params:
    """Return a random tied network whose fixed point, between the kinks, is the same activity in all units."""
    weights = random_params(key, n_units, 0.3).weights
    return Params(weights, centre - weights @ jnp.full(n_units, centre + 0.5))


def random_states(
    key: Key[Array, ""],
    n_networks: int,
    n_units: int,
    *,
    reach: float,
    kinks: Sequence[float] = (),
    margin: float = 0.0,
) -> Float[Array, "network unit"]:
    """Return states uniform in [-reach, reach], those closer to a kink than the margin moved inwards to it."""
    keys = member_keys(named_key(key, "states"), n_networks)
    states = jax.vmap(lambda k: jax.random.uniform(k, (n_units,), float, -reach, reach))(keys)
    for kink in kinks:
        inside = kink - margin if kink > 0 else kink + margin
        states = jnp.where(jnp.abs(states - kink) < margin, inside, states)
    return states


def relative_difference(found: Float[Array, "..."], expected: Float[Array, "..."]) -> Float[Array, ""]:
    """Return the norm of the difference of two arrays relative to the norm of the second."""
    return jnp.linalg.norm(jnp.ravel(found - expected)) / jnp.linalg.norm(jnp.ravel(expected))


def cosine(first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
    """Return the cosine of the angle between two arrays taken as vectors."""
    first, second = jnp.ravel(first), jnp.ravel(second)
    return jnp.dot(first, second) / (jnp.linalg.norm(first) * jnp.linalg.norm(second))


def off_diagonal(matrix: Float[Array, "post pre"]) -> Float[Array, "post pre"]:
    """Return a matrix with 0 on the diagonal: no unit connects to itself."""
    return matrix - jnp.diag(jnp.diagonal(matrix))
