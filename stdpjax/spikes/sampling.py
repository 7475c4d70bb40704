"""Spike trains: one Bernoulli draw per bin, the paper's approximation of a Poisson process."""

import jax
from jaxtyping import Array, Bool, Key

from stdpjax import _checks
from stdpjax._checks import ArrayLike


def sample_spikes(key: Key[Array, ""], probability: ArrayLike) -> Bool[Array, "*batch time"]:
    """Draw independent spikes with the given probability per bin.

    Args:
        key: a scalar key.
        probability: spike probability per bin in [0, 1], shape `[..., time]`. A rate in Hz becomes a probability
            when it is multiplied by the bin width in seconds.

    Returns:
        Spike indicators, same shape.

    Raises:
        ValueError: a probability is outside [0, 1] or not finite.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> train = stdpjax.spikes.sample_spikes(stdpjax.random.key(0), jnp.full(1000, 0.2))
        >>> bool(abs(train.mean() - 0.2) < 0.05)
        True
    """
    probability = _checks.probability("probability", probability)
    return jax.random.bernoulli(key, probability)
