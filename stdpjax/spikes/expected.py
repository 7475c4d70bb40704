"""Exact lag law of nearest-spike pairing for independent Bernoulli spikes (no sampling).

Given the postsynaptic probabilities q, with survival S_right(d) = prod_{k<=d} (1 - q[t+k]) and S_left likewise,

    P_t(+d) = z_t S_left(window) S_right(d-1) q[t+d],    P_t(-d) = z_t S_right(window) S_left(d-1) q[t-d],

where z_t is 1 - q[t] if coincident spikes are skipped and 1 if they are ignored. Everything is differentiable in
the probabilities, so a rule's mean update is too.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.spikes.pairing import Boundary, Coincidence, Sides, check_options
from stdpjax.spikes.sampling import at_least_single


def expected_lag_counts(
    pre_probability: ArrayLike,
    post_probability: ArrayLike,
    window: int = 20,
    coincidence: Coincidence = "skip",
    *,
    sides: Sides = "one",
    boundary: Boundary = "silent",
) -> Float[Array, "*batch time lag"]:
    """Return the exact mean, per trial, of the table that `sample_lag_counts` samples.

    The sampler rounds probabilities, by one part in a thousand at most from 1e-9 on: the mean of its table is exactly
    that of `round_to_grid(probability)`. Probabilities in half precision are taken to single precision first.

    The mean is exact although the windows of neighbouring presynaptic spikes overlap (means add). Variances do not
    add over bins: for standard errors use independent trials.

    Args:
        pre_probability: presynaptic spike probability per bin, shape `[..., time]`.
        post_probability: postsynaptic spike probability per bin, same shape. Pre and post spikes are independent
            given these; a postsynaptic rate that reacts to presynaptic spikes needs another law.
        window: half-width of the window in bins, from 1 to the length of the record.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.
        sides: "one" or "both", likewise.
        boundary: "silent" or "valid", likewise.

    Returns:
        Expected counts, shape `[..., time, 2 * window + 1]`, lags from -window to +window, 0 in the middle. With
        boundary "valid" time is `2 * window` bins shorter.

    Raises:
        ValueError: probabilities outside [0, 1] or not finite, different shapes, a window out of range, or an
            unknown option.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> probability = jnp.full(60, 0.1)
        >>> table = stdpjax.spikes.expected_lag_counts(probability, probability, window=5, boundary="valid")
        >>> bool(jnp.allclose(table, table[:, ::-1]))  # constant rate: no lag is favoured over its mirror image
        True
    """
    pre_probability, post_probability = map(at_least_single, _checks.probabilities(pre_probability, post_probability))
    n_steps = post_probability.shape[-1]
    check_options(window, coincidence, sides, boundary, n_steps, may_exceed=False)
    return _expected_lag_counts(pre_probability, post_probability, window, coincidence, sides, boundary)


# One program with the law, so that the table is written once.
@partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _expected_lag_counts(
    pre_probability: Float[Array, "*batch time"],
    post_probability: Float[Array, "*batch time"],
    window: int,
    coincidence: Coincidence,
    sides: Sides,
    boundary: Boundary,
) -> Float[Array, "*batch counted lag"]:
    law = _lag_probability(post_probability, window, coincidence, sides, boundary)
    if boundary == "valid":
        pre_probability = pre_probability[..., window : pre_probability.shape[-1] - window]
    return pre_probability[..., None].astype(law.dtype) * law


def lag_probability(
    post_probability: ArrayLike,
    window: int = 20,
    coincidence: Coincidence = "skip",
    *,
    sides: Sides = "one",
    boundary: Boundary = "silent",
) -> Float[Array, "*batch time lag"]:
    """Return the probability of each lag given a presynaptic spike in the bin.

    Args:
        post_probability: postsynaptic spike probability per bin, shape `[..., time]`.
        window: half-width of the window in bins, from 1 to the length of the record.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.
        sides: "one" or "both", likewise.
        boundary: "silent" or "valid", likewise.

    Returns:
        Probabilities, shape `[..., time, 2 * window + 1]`, lags from -window to +window, 0 in the middle; the rest
        to 1 is the probability of no update. With boundary "valid" time is `2 * window` bins shorter.

    Raises:
        ValueError: probabilities outside [0, 1] or not finite, no time axis, a window out of range, or an unknown
            option.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> law = stdpjax.spikes.lag_probability(jnp.array([0.0, 0.0, 0.5]), window=1)
        >>> law[1].tolist()
        [0.0, 0.0, 0.5]
    """
    post_probability = at_least_single(_checks.probability("post_probability", post_probability))
    _checks.same_shape("post_probability", post_probability, "post_probability", post_probability)
    n_steps = post_probability.shape[-1]
    check_options(window, coincidence, sides, boundary, n_steps, may_exceed=False)
    return _lag_probability(post_probability, window, coincidence, sides, boundary)


@partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _lag_probability(
    post_probability: Float[Array, "*batch time"],
    window: int,
    coincidence: Coincidence,
    sides: Sides,
    boundary: Boundary,
) -> Float[Array, "*batch counted lag"]:
    n_steps = post_probability.shape[-1]
    if boundary == "silent":
        no_padding = [(0, 0)] * (post_probability.ndim - 1)
        padded = jnp.pad(post_probability, [*no_padding, (window, window)])
        centre = post_probability
    else:
        padded = post_probability
        n_steps -= 2 * window
        centre = post_probability[..., window : window + n_steps]

    def shifted(offset: Array) -> Float[Array, "*batch counted"]:
        return jax.lax.dynamic_slice_in_dim(padded, window + offset, n_steps, axis=-1)

    def step(silence, distance):
        """One bin further out: first spike at `distance` on either side, and silence up to it."""
        silent_left, silent_right = silence
        post_left, post_right = shifted(-distance), shifted(distance)
        first_left, first_right = silent_left * post_left, silent_right * post_right
        silent_left, silent_right = silent_left * (1 - post_left), silent_right * (1 - post_right)
        # Other side silent as far out as `distance`: the competition that "both" needs.
        closer = (first_left * silent_right, first_right * silent_left)
        return (silent_left, silent_right), (first_left, first_right) if sides == "one" else closer

    silent = (jnp.ones_like(centre), jnp.ones_like(centre))
    (silent_left, silent_right), (left, right) = jax.lax.scan(step, silent, jnp.arange(1, window + 1))
    if sides == "one":
        left, right = left * silent_right[None], right * silent_left[None]
    law = jnp.concatenate([left[::-1], jnp.zeros_like(centre)[None], right])
    if coincidence == "skip":
        law = law * (1 - centre)[None]
    return jnp.moveaxis(law, 0, -1)
