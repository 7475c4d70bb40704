"""Spike trains: one Bernoulli draw per bin, the paper's approximation of a Poisson process."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from stdpjax import _checks
from stdpjax._checks import ArrayLike

# Share of a probability by which the coarseness of a uniform number may change it.
COARSE = 1e-3


def sample_spikes(key: Key[Array, ""], probability: ArrayLike) -> Bool[Array, "*shape"]:
    """Draw independent spikes with the given probability per bin.

    Equal to `jax.random.bernoulli`, but for probabilities in less than single precision, which are drawn in single
    precision, and for those that JAX would change by more than one part in a thousand: its single-precision uniform
    numbers are multiples of 2^-23, so that 1e-9 would come 119 times too often. These get finer numbers.

    Args:
        key: a scalar key.
        probability: spike probability per bin in [0, 1], of any shape. A rate in Hz becomes a probability
            when it is multiplied by the bin width in seconds.

    Returns:
        Spike indicators, same shape.

    Raises:
        ValueError: a probability is outside [0, 1] or not finite, or no key.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> train = stdpjax.spikes.sample_spikes(stdpjax.random.key(0), jnp.full(1000, 0.2))
        >>> bool(abs(train.mean() - 0.2) < 0.05)
        True
    """
    _checks.key("key", key)
    return _sample_spikes(key, at_least_single(_checks.probability("probability", probability)))


@jax.jit
def _sample_spikes(key: Key[Array, ""], probability: Float[Array, "*shape"]) -> Bool[Array, "*shape"]:
    shape, dtype = probability.shape, probability.dtype
    step = jnp.finfo(dtype).eps  # between the uniform numbers, which are its multiples
    uniform = jax.random.uniform(key, shape, dtype)
    in_steps = probability / step
    is_coarse = jnp.ceil(in_steps) - in_steps > COARSE * in_steps
    finer = jax.lax.cond(
        jnp.any(is_coarse),
        lambda: jnp.where(is_coarse, step * jax.random.uniform(jax.random.fold_in(key, np.uint32(1)), shape, dtype), 0),
        lambda: jnp.zeros(shape, dtype),
    )
    # The finer number is added on the other side, where nothing is lost to rounding.
    return finer < probability - uniform


def at_least_single(probability: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Return half-precision probabilities in single precision, which all drawing and all laws need; others as is."""
    return probability.astype(_checks.at_least_single(probability.dtype))
