"""The lag table one train at a time: the plain statement of what `sample_lag_counts` computes.

Every trial is replayed by itself and paired by `nearest_lag`, so the two tables are equal, count by count. Slow, and
meant to be read and to be tested against.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Integer, Key

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.spikes.packed import sample_pair
from stdpjax.spikes.pairing import Boundary, Coincidence, Sides, check_options, nearest_lag


def sample_lag_counts_by_train(
    key: Key[Array, ""],
    pre_probability: ArrayLike,
    post_probability: ArrayLike,
    n_trials: int,
    window: int = 20,
    coincidence: Coincidence = "skip",
    *,
    sides: Sides = "one",
    boundary: Boundary = "silent",
    first_sequence: int = 0,
) -> Int32[Array, "*batch time lag"]:
    """Return the table of `sample_lag_counts`, drawn and counted train by train.

    Args:
        key: as for `sample_lag_counts`, and so are all others.
        pre_probability: presynaptic spike probability per bin, shape `[..., time]`.
        post_probability: postsynaptic spike probability per bin, same shape.
        n_trials: pairs of trains for each sequence.
        window: half-width of the window in bins.
        coincidence: "skip" or "ignore".
        sides: "one" or "both".
        boundary: "silent" or "valid".
        first_sequence: number of the first sequence.

    Returns:
        Counts summed over trials, shape `[..., time, 2 * window + 1]`.

    Raises:
        ValueError: as `sample_lag_counts`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> probability = jnp.full((2, 30), 0.1)
        >>> arguments = (stdpjax.random.key(0), probability, probability, 40, 5)
        >>> bool((sample_lag_counts_by_train(*arguments) == stdpjax.spikes.sample_lag_counts(*arguments)).all())
        True
    """
    _checks.key("key", key)
    pre_probability, post_probability = _checks.probabilities(pre_probability, post_probability)
    n_trials = _checks.count("n_trials", n_trials, minimum=0)
    *batch, n_steps = pre_probability.shape
    first_sequence = _checks.count("first_sequence", first_sequence, minimum=0, maximum=2**32 - math.prod(batch))
    check_options(window, coincidence, sides, boundary, n_steps, may_exceed=False)
    pair_up = partial(nearest_lag, window=window, coincidence=coincidence, sides=sides, boundary=boundary)
    n_counted = n_steps - (2 * window if boundary == "valid" else 0)

    @jax.jit
    def trial_lags(sequence: Integer[Array, ""], trial: Integer[Array, ""], pre_rate: Array, post_rate: Array) -> Array:
        return pair_up(*sample_pair(key, pre_rate, post_rate, sequence=sequence, trial=trial))

    counts = np.zeros((*batch, n_counted, 2 * window + 1), np.int32)
    for sequence, place in enumerate(np.ndindex(*batch)):
        for trial in range(n_trials):
            number = np.uint32(first_sequence + sequence)
            lags = trial_lags(number, np.uint32(trial), pre_probability[place], post_probability[place])
            counts[(*place, np.arange(n_counted), np.asarray(lags) + window)] += 1
    counts[..., window] = 0  # lag 0 stands for "no update"
    return jnp.asarray(counts)
