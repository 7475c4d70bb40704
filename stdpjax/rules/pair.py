"""Nearest-neighbour STDP: a presynaptic spike changes the weight by the kernel at its lag (section 5.1)."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax.rules.base import Rule, Sample, required
from stdpjax.spikes.pairing import Coincidence, Sides, check_options, pick_lag


def lag_update(lags: ArrayLike, kernel: ArrayLike) -> Float[Array, "..."]:
    """Return the weight change of each lag.

    Args:
        lags: lags in bins from `stdpjax.spikes.nearest_lag`, any shape; 0 means no update.
        kernel: weight change for each lag from -window to +window, shape `[2 * window + 1]`.

    Returns:
        Weight changes, same shape as `lags`.

    Raises:
        ValueError: the kernel has an even number of lags.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> kernel = stdpjax.rules.lag_kernel("inverse", window=4)
        >>> stdpjax.rules.lag_update(jnp.array([0, 2, -4]), kernel).tolist()
        [0.0, 0.5, -0.25]
    """
    kernel, window = check_kernel(kernel)
    return kernel[jnp.asarray(lags) + window]


def mean_update(lag_table: ArrayLike, kernel: ArrayLike) -> Float[Array, "*batch"]:
    """Return the update per bin that a table of lags implies: its product with the kernel.

    Args:
        lag_table: counts or probabilities of lags, shape `[..., 2 * window + 1]`: from `expected_lag_counts` the
            exact mean update per trial, from `lag_probability` that per presynaptic spike, from
            `sample_lag_counts` the sum over trials.
        kernel: weight change for each lag, shape `[2 * window + 1]`.

    Returns:
        Updates, shape `[...]`.

    Raises:
        ValueError: the table and the kernel have different lags, or values that are not finite.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> rising = jnp.linspace(0.02, 0.10, 61)
        >>> law = stdpjax.spikes.lag_probability(rising, boundary="valid")
        >>> bool((stdpjax.rules.mean_update(law, stdpjax.rules.lag_kernel("exponential")) > 0).all())
        True
    """
    kernel, _ = check_kernel(kernel)
    lag_table = _checks.finite("lag_table", lag_table)
    if lag_table.ndim < 1 or lag_table.shape[-1] != kernel.size:
        raise ValueError(
            f"lag_table: expected {kernel.size} lags on the last axis, as the kernel has, got shape {lag_table.shape}"
        )
    return jnp.matmul(lag_table, kernel.astype(lag_table.dtype), precision="highest")


class _History(NamedTuple):
    """Spikes of the last bins, oldest first."""

    pre: Bool[Array, "half_window pre"]
    post: Bool[Array, "full_window post"]


def nearest_neighbour_rule(kernel: ArrayLike, coincidence: Coincidence = "skip", *, sides: Sides = "one") -> Rule:
    """Return nearest-neighbour STDP as a rule for a scan over time.

    A presynaptic spike waits for the end of its window: step t emits the updates of the presynaptic spikes of step
    t - window. Spikes before the first step count as absent.

    Args:
        kernel: weight change for each lag from -window to +window, shape `[2 * window + 1]`.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.
        sides: "one" or "both", likewise.

    Returns:
        The rule; its state holds the spikes of one window.

    Raises:
        ValueError: the kernel has an even number of lags, or an option is unknown.

    Example:
        >>> import jax, jax.numpy as jnp, stdpjax
        >>> rule = stdpjax.rules.nearest_neighbour_rule(stdpjax.rules.lag_kernel("sign", window=2))
        >>> pre, post = jnp.array([1, 0, 0, 0, 0], bool), jnp.array([0, 0, 1, 0, 0], bool)
        >>> def step(rule_state, spikes):
        ...     sample = stdpjax.rules.Sample(jnp.zeros(1), jnp.zeros(1), jnp.zeros(1), spikes[:1], spikes[1:])
        ...     delta_w, rule_state = rule.update(sample, rule_state, jnp.zeros((1, 1)))
        ...     return rule_state, delta_w[0, 0]
        >>> jax.lax.scan(step, rule.init(jnp.zeros((1, 1))), jnp.stack([pre, post], axis=1))[1].tolist()
        [0.0, 0.0, 1.0, 0.0, 0.0]
    """
    kernel, window = check_kernel(kernel)
    check_options(window, coincidence, sides, "silent", 0)

    def init(weights: Float[Array, "post pre"]) -> _History:
        n_post, n_pre = weights.shape
        return _History(jnp.zeros((window + 1, n_pre), bool), jnp.zeros((2 * window + 1, n_post), bool))

    def update(
        sample: Sample, history: _History, weights: Float[Array, "post pre"]
    ) -> tuple[Float[Array, "post pre"], _History]:
        del weights
        pre = jnp.concatenate([history.pre[1:], required(sample, "pre_spikes")[None]])
        post = jnp.concatenate([history.post[1:], required(sample, "post_spikes")[None]])
        before, after = _bins_to_first(post[:window][::-1]), _bins_to_first(post[window + 1 :])
        lag = pick_lag(before, after, post[window], window, coincidence, sides)
        delta_w = kernel[lag + window][:, None] * pre[0][None, :].astype(kernel.dtype)
        return delta_w, _History(pre, post)

    return Rule(init, update)


def _bins_to_first(spikes: Bool[Array, "window post"]) -> Int[Array, "post"]:
    """Bins to the first spike, counted from 1; window + 1 if there is none."""
    n_bins = spikes.shape[0]
    return jnp.where(jnp.any(spikes, axis=0), jnp.argmax(spikes, axis=0), n_bins).astype(jnp.int32) + 1


def check_kernel(kernel: ArrayLike) -> tuple[Float[Array, "lag"], int]:
    """Return a kernel as a float array with its window, refusing any but one value for each lag."""
    kernel = _checks.finite("kernel", kernel)
    if kernel.ndim != 1 or kernel.size < 3 or kernel.size % 2 == 0:
        raise ValueError(
            f"kernel: expected one value for each lag from -window to +window (odd length, at least 3), "
            f"got shape {kernel.shape}"
        )
    return kernel, kernel.size // 2
