"""Which units are connected, and what the weights start from."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Key

from stdpjax import _checks
from stdpjax.energy import Params


def layer_slices(sizes: tuple[int, ...]) -> tuple[slice, ...]:
    """Return where each layer's units lie on the unit axis.

    Args:
        sizes: units in each layer, at least two layers of at least one unit.

    Returns:
        One slice for each layer.

    Raises:
        ValueError: fewer than two layers, or a size that is not a whole number of at least 1.

    Example:
        >>> import stdpjax
        >>> stdpjax.learning.layer_slices((3, 2))
        (slice(0, 3, None), slice(3, 5, None))
    """
    if isinstance(sizes, str) or not isinstance(sizes, Sequence) or len(sizes) < 2:
        raise ValueError(f"sizes: expected the units in each of at least two layers, got {sizes!r}")
    edges = (0, *itertools.accumulate(_checks.count("sizes", size) for size in sizes))
    return tuple(slice(low, high) for low, high in itertools.pairwise(edges))


def layered_mask(sizes: tuple[int, ...]) -> Bool[Array, "unit unit"]:
    """Return which pairs are connected if each layer is connected with its neighbours, both ways.

    Args:
        sizes: units in each layer.

    Returns:
        Symmetric, shape `[unit, unit]`.

    Raises:
        ValueError: as in `layer_slices`.

    Example:
        >>> import stdpjax
        >>> stdpjax.learning.layered_mask((1, 1, 1)).astype(int).tolist()
        [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    """
    return jnp.asarray(_mask(sizes))


def _mask(sizes: tuple[int, ...]) -> np.ndarray:
    layers = layer_slices(sizes)
    mask = np.zeros((layers[-1].stop, layers[-1].stop), bool)
    for below, above in itertools.pairwise(layers):
        mask[below, above] = mask[above, below] = True
    return mask


def check_layers(weights: Float[Array, "unit unit"], sizes: tuple[int, ...]) -> None:
    """Refuse a matrix of other units than the layers have, and known weights that layers do not have.

    Raises:
        ValueError: sizes as in `layer_slices` or that do not sum to the number of units, or weights other than 0
            between units that are not in neighbouring layers.

    Example:
        >>> import stdpjax
        >>> from stdpjax.learning.layers import check_layers
        >>> check_layers(stdpjax.learning.random_layers(stdpjax.random.key(0), (3, 2)).weights, (3, 2))
    """
    mask = _mask(sizes)
    if weights.shape != mask.shape:
        raise ValueError(f"sizes: expected a sum of {weights.shape[0]}, the number of units, got {sizes!r}")
    n_others = np.count_nonzero(np.asarray(weights)[~mask]) if _checks.is_concrete(weights) else 0
    if n_others:
        raise ValueError(
            f"weights: expected 0 but between neighbouring layers of sizes {sizes!r}, got {n_others} others; see "
            "`layered_mask`, or leave the sizes out"
        )


def all_to_all_mask(n_units: int) -> Bool[Array, "unit unit"]:
    """Return the mask of a network in which every unit is connected with every other.

    Example:
        >>> import stdpjax
        >>> stdpjax.learning.all_to_all_mask(2).tolist()
        [[False, True], [True, False]]
    """
    return ~jnp.eye(_checks.count("n_units", n_units), dtype=bool)


def random_layers(
    key: Key[Array, ""], sizes: tuple[int, ...], gain: float = 0.5, input_rate: float | Array = 0.25
) -> Params:
    """Return a layered network with tied normal weights, at rest near the middle of its rates.

    Args:
        key: a scalar key.
        sizes: units in each layer, inputs first.
        gain: standard deviation of the weights between two layers in units of sqrt(2 / (their sizes' sum)), at least
            0. From about 0.7 on the network has several equilibria, and learning may fail.
        input_rate: mean rate of the inputs, in [0, 1], which the biases balance; the other layers' is 1/2.

    Returns:
        Weights, 0 outside of the layers' mask, and biases.

    Raises:
        ValueError: no key, sizes as in `layer_slices`, or a gain below 0 or rate outside [0, 1].

    Example:
        >>> import stdpjax
        >>> params = stdpjax.learning.random_layers(stdpjax.random.key(0), (3, 2))
        >>> bool((params.weights == params.weights.T).all()), params.bias.shape
        (True, (5,))
    """
    key = _checks.key("key", key)
    layers = layer_slices(sizes)
    n_units = layers[-1].stop
    scale = np.zeros((n_units, n_units))
    for below, above in itertools.pairwise(layers):
        scale[below, above] = np.sqrt(2 / (above.stop - below.start))
    half = jax.random.normal(key, (n_units, n_units), float) * jnp.asarray(
        _checks.number("gain", gain, at_least=0) * scale, float
    )
    weights = half + half.T
    rates = (
        jnp.full(n_units, 0.5, float).at[layers[0]].set(_checks.number("input_rate", input_rate, at_least=0, at_most=1))
    )
    return Params(weights, -weights @ rates)


class LayeredWeights(NamedTuple):
    """Weights between neighbouring layers alone; multiplies like the matrix whose other blocks are zero."""

    upward: tuple[Float[Array, "above below"], ...]
    """For each pair of neighbouring layers, what the upper one gets from the lower."""
    downward: tuple[Float[Array, "below above"], ...]

    def __matmul__(self, rates: Float[Array, "unit"]) -> Float[Array, "unit"]:
        sizes = [block.shape[1] for block in self.upward] + [self.upward[-1].shape[0]]
        layers = jnp.split(rates, tuple(itertools.accumulate(sizes[:-1])))
        from_below = [weights @ layer for weights, layer in zip(self.upward, layers[:-1], strict=True)]
        from_above = [weights @ layer for weights, layer in zip(self.downward, layers[1:], strict=True)]
        between = [one + other for one, other in zip(from_below[:-1], from_above[1:], strict=True)]
        return jnp.concatenate([from_above[0], *between, from_below[-1]])


def take_layers(weights: Float[Array, "unit unit"], sizes: tuple[int, ...]) -> LayeredWeights:
    """Return the blocks of a matrix that connect neighbouring layers, for products that skip the others.

    Args:
        weights: shape `[unit, unit]`.
        sizes: units in each layer, at least two layers.

    Returns:
        The blocks; `blocks @ rates` equals `weights @ rates` for a layered network, but for the order of its sums.

    Raises:
        ValueError: sizes as in `layer_slices` or that do not sum to the number of units, weights that are not square
            or not finite, or known ones that the layers do not have.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> params = stdpjax.learning.random_layers(stdpjax.random.key(0), (3, 4, 2))
        >>> rates = jnp.linspace(0, 1, 9)
        >>> blocks = stdpjax.learning.take_layers(params.weights, (3, 4, 2))
        >>> bool(jnp.allclose(blocks @ rates, params.weights @ rates, atol=1e-6))
        True
    """
    layers = layer_slices(sizes)
    weights = _checks.finite("weights", weights)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise ValueError(f"weights: expected a square matrix [post, pre], got shape {weights.shape}")
    check_layers(weights, sizes)
    pairs = tuple(itertools.pairwise(layers))
    return LayeredWeights(
        tuple(weights[above, below] for below, above in pairs), tuple(weights[below, above] for below, above in pairs)
    )


def scale_layers(sizes: tuple[int, ...], factors: tuple[float, ...]) -> optax.GradientTransformation:
    """Return a transformation that multiplies the steps of each connection between two layers.

    Args:
        sizes: units in each layer.
        factors: one for each pair of neighbouring layers, for their weights and the upper one's biases.

    Returns:
        The transformation, to be chained after the optimiser's own scaling.

    Raises:
        ValueError: not one factor for each pair, or one below 0.

    Example:
        >>> import jax.numpy as jnp
        >>> from stdpjax import energy, learning
        >>> steps = energy.Params(jnp.ones((3, 3)), jnp.ones(3))
        >>> scaled, _ = learning.scale_layers((1, 1, 1), (2.0, 0.0)).update(steps, ())
        >>> scaled.weights.tolist(), scaled.bias.tolist()
        ([[1.0, 2.0, 1.0], [2.0, 1.0, 0.0], [1.0, 0.0, 1.0]], [1.0, 2.0, 0.0])
    """
    pairs = list(itertools.pairwise(layer_slices(sizes)))
    if not isinstance(factors, Sequence) or isinstance(factors, str):
        raise ValueError(f"factors: expected one for each pair of neighbouring layers, got {factors!r:.80}")
    for factor in factors:
        _checks.number("factors", factor, at_least=0)
    if len(factors) != len(pairs):
        raise ValueError(
            f"factors: expected {len(pairs)}, one for each pair of neighbouring layers, got {len(factors)}"
        )
    weights, bias = np.ones((sum(sizes), sum(sizes))), np.ones(sum(sizes))
    for (below, above), factor in zip(pairs, factors, strict=True):
        weights[below, above] = weights[above, below] = bias[above] = factor

    def scale(steps: Params, params: Params | None = None) -> Params:
        del params
        return Params(
            steps.weights * jnp.asarray(weights, steps.weights.dtype), steps.bias * jnp.asarray(bias, steps.bias.dtype)
        )

    return optax.stateless(scale)  # pyright: ignore[reportArgumentType]
