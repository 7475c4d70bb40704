"""Updates from two phases: equilibrium propagation, and the paper's rule summed over the second phase.

With the output pulled towards its label by a strength beta, the network moves from one equilibrium to another. Their
contrast d(r_i r_j) / beta is minus the gradient of the output's squared error as beta goes to 0 (Scellier & Bengio
2017); the paper's rule, summed over the movement in both directions of a pair, is the same total derivative up to the
pairing's drift (see `stdpjax.rules.differential`).
"""

import itertools

import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks

Layers = tuple[slice, ...]


def contrastive_update(
    rates: Float[Array, "sample unit"],
    other_rates: Float[Array, "sample unit"],
    distance: float | Array,
    layers: Layers | None = None,
) -> tuple[Float[Array, "unit unit"], Float[Array, "unit"]]:
    """Return the contrast of two equilibria as an update of tied weights and of biases, averaged over samples.

    Args:
        rates: rho(s) at the one, shape `[sample, unit]`.
        other_rates: rho(s) at the other, same shape.
        distance: what strength of pull, or of whatever parameter, lies between them; not 0.
        layers: where the layers of a layered network lie on the unit axis; the products of units that are not in
            neighbouring layers are then left out, and 0. Default: all pairs.

    Returns:
        `delta_w`, to be added, symmetric with 0 on the diagonal, shape `[unit, unit]`, and the update of the biases.

    Raises:
        ValueError: shapes that differ, numbers that are not finite, a distance of 0, or layers that are not slices of
            the units, one after the other.

    Source: Scellier & Bengio 2017; the tied form of Bengio et al. 2015, Eq 5, integrated.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> up = stdpjax.rules.contrastive_update(jnp.array([[1.0, 0.5]]), jnp.array([[0.5, 0.5]]), 0.5)
        >>> up[0].tolist(), up[1].tolist()
        ([[0.0, 0.5], [0.5, 0.0]], [1.0, 0.0])
    """
    rates, other_rates = _batch("rates", rates, layers), _batch("other_rates", other_rates, layers)
    _checks.same_shape("rates", rates, "other_rates", other_rates)
    distance = _checks.number("distance", distance)
    if _checks.is_concrete(distance) and distance == 0:
        raise ValueError("distance: expected a strength other than 0, got 0")
    scale = 1 / (rates.shape[0] * jnp.asarray(distance, rates.dtype))
    bias = scale * jnp.sum(rates - other_rates, axis=0)
    if layers is not None:
        blocks = [
            scale * (rates[:, above].T @ rates[:, below] - other_rates[:, above].T @ other_rates[:, below])
            for below, above in itertools.pairwise(layers)
        ]
        return _between(blocks, layers), bias
    products = scale * (rates.T @ rates - other_rates.T @ other_rates)
    return products - jnp.diag(jnp.diagonal(products)), bias


def movement_update(
    changes: Float[Array, "sample unit"], pre_rates: Float[Array, "sample unit"], layers: Layers | None = None
) -> Float[Array, "unit unit"]:
    """Return Eq 1 for one step of many samples, averaged, in both directions of each pair.

    Args:
        changes: change of activity of each unit in the step, shape `[sample, unit]`; 0 for clamped units.
        pre_rates: the rates that it pairs with, as the pairing has it, same shape.
        layers: as in `contrastive_update`.

    Returns:
        delta_w_ij + delta_w_ji with 0 on the diagonal, shape `[unit, unit]`.

    Raises:
        ValueError: shapes that differ, numbers that are not finite, or layers as in `contrastive_update`.

    Source: Bengio et al. 2015, Eq 1, for tied weights.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> stdpjax.rules.movement_update(jnp.array([[0.5, 0.0]]), jnp.array([[0.25, 1.0]])).tolist()
        [[0.0, 0.5], [0.5, 0.0]]
    """
    changes, pre_rates = _batch("changes", changes, layers), _batch("pre_rates", pre_rates, layers)
    _checks.same_shape("changes", changes, "pre_rates", pre_rates)
    if layers is not None:
        blocks = [
            (changes[:, above].T @ pre_rates[:, below] + pre_rates[:, above].T @ changes[:, below]) / changes.shape[0]
            for below, above in itertools.pairwise(layers)
        ]
        return _between(blocks, layers)
    one_way = changes.T @ pre_rates / changes.shape[0]
    both = one_way + one_way.T
    return both - jnp.diag(jnp.diagonal(both))


def _batch(name: str, values: Float[Array, "sample unit"], layers: Layers | None) -> Float[Array, "sample unit"]:
    values = _checks.finite(name, values)
    if values.ndim != 2 or not values.shape[0]:
        raise ValueError(f"{name}: expected shape [sample, unit] with a sample at least, got {values.shape}")
    if layers is not None:
        are_slices = isinstance(layers, tuple) and len(layers) > 1 and all(isinstance(one, slice) for one in layers)
        edges = [(one.start, one.stop) for one in layers] if are_slices else []
        follow = all(below[1] == above[0] for below, above in itertools.pairwise(edges))
        if not (edges and follow and edges[0][0] in (0, None) and edges[-1][1] == values.shape[1]):
            raise ValueError(
                f"layers: expected two slices at least, one after the other, that cover {values.shape[1]} units, got "
                f"{layers!r}"
            )
    return values


def _between(blocks: list[Float[Array, "_ _"]], layers: Layers) -> Float[Array, "unit unit"]:
    """Return the symmetric matrix with given blocks between neighbouring layers."""
    matrix = jnp.zeros((layers[-1].stop, layers[-1].stop), blocks[0].dtype)
    for (below, above), block in zip(itertools.pairwise(layers), blocks, strict=True):
        matrix = matrix.at[above, below].set(block).at[below, above].set(block.T)
    return matrix
