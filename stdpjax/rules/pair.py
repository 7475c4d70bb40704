"""Nearest-neighbour STDP: a presynaptic spike changes the weight by the kernel at its lag (section 5.1)."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from stdpjax import _checks
from stdpjax._checks import ArrayLike
from stdpjax._units import Measured
from stdpjax.rules.base import Rule, Sample, required
from stdpjax.spikes.pairing import Coincidence, Sides, check_options, pick_lag


def lag_update(lags: ArrayLike, kernel: ArrayLike) -> Float[Array, "..."]:
    """Return the weight change of each lag.

    Args:
        lags: lags in bins from `stdpjax.spikes.nearest_lag`, whole numbers, any shape; 0 means no update.
        kernel: weight change for each lag from -window to +window, 0 at lag 0, shape `[2 * window + 1]`.

    Returns:
        Weight changes, same shape as `lags`. A lag beyond the kernel is no pair and changes nothing.

    Raises:
        ValueError: the kernel has an even number of lags or a value at lag 0, or lags that are not whole numbers.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> kernel = stdpjax.rules.lag_kernel("inverse", window=4)
        >>> stdpjax.rules.lag_update(jnp.array([0, 2, -4]), kernel).tolist()
        [0.0, 0.5, -0.25]
    """
    kernel, window = check_kernel(kernel)
    lags = _checks.as_array("lags", lags)
    if lags.dtype.kind not in "iu":
        raise ValueError(f"lags: expected whole numbers of bins, got dtype {lags.dtype}")
    # What is farther than the window is one bin beyond it, so that nothing wraps around in a narrow or unsigned type.
    known = jnp.iinfo(lags.dtype)
    lags = lags.clip(max(known.min, -window - 1), min(known.max, window + 1)).astype(np.int32)
    lags = jnp.asarray(lags)
    return jnp.where(jnp.abs(lags) <= window, kernel[jnp.clip(lags, -window, window) + window], 0.0)


def mean_update(lag_table: ArrayLike, kernel: ArrayLike) -> Float[Array, "*batch"]:
    """Return the update per bin that a table of lags implies: its product with the kernel.

    Args:
        lag_table: counts or probabilities of lags, shape `[..., 2 * window + 1]`: from `expected_lag_counts` the
            exact mean update per trial, from `lag_probability` that per presynaptic spike, from
            `sample_lag_counts` the sum over trials.
        kernel: weight change for each lag, 0 at lag 0, shape `[2 * window + 1]`.

    Returns:
        Updates, shape `[...]`.

    Raises:
        ValueError: the table and the kernel have different lags, values that are not finite, or a kernel with a value
            at lag 0.

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


def nearest_neighbour_rule(
    kernel: ArrayLike, coincidence: Coincidence = "skip", *, sides: Sides = "one", bin_ms: Measured = 1.0
) -> Rule:
    """Return nearest-neighbour STDP as a rule for a scan over time.

    A presynaptic spike waits for the end of its window: step t emits the updates of the presynaptic spikes of step
    t - window. Spikes before the first step count as absent.

    Args:
        kernel: weight change for each lag from -window to +window, 0 at lag 0, shape `[2 * window + 1]`.
        coincidence: "skip" or "ignore", see `stdpjax.spikes.pairing`.
        sides: "one" or "both", likewise.
        bin_ms: width in ms, or with a unit, of the bins that the kernel has its lags in, above 0; bins of another
            width are refused where the rule is used.

    Returns:
        The rule; its state holds the spikes of one window.

    Raises:
        ValueError: the kernel has an even number of lags or a value at lag 0, or an option is unknown.

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
    bin_ms = _checks.milliseconds("bin_ms", bin_ms, above=0)
    if not _checks.is_concrete(bin_ms):
        raise ValueError("bin_ms: expected a known number, as the kernel's bins are, got a traced one")

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

    return Rule(init, update, bin_ms=float(bin_ms))


def _bins_to_first(spikes: Bool[Array, "window post"]) -> Int[Array, "post"]:
    """Bins to the first spike, counted from 1; window + 1 if there is none."""
    n_bins = spikes.shape[0]
    return jnp.where(jnp.any(spikes, axis=0), jnp.argmax(spikes, axis=0), n_bins).astype(jnp.int32) + 1


def check_kernel(kernel: ArrayLike) -> tuple[Float[Array, "lag"], int]:
    """Return a kernel of lags as a float array with its window, refusing a change where there is no pair.

    A presynaptic spike without a partner has the lag 0, and so has a coincident one: neither changes anything.
    """
    kernel, window = check_window(kernel)
    if not _checks.is_concrete(kernel):
        return kernel.at[window].set(0.0), window
    at_zero = float(np.asarray(kernel)[window])
    if at_zero != 0:
        raise ValueError(f"kernel: expected 0 at lag 0, which stands for no pair, got {at_zero:g}")
    return kernel, window


def check_window(kernel: ArrayLike, name: str = "kernel") -> tuple[Float[Array, "lag"], int]:
    """Return a window over lags as a float array with its half-width, refusing any but one value for each lag."""
    kernel = _checks.finite(name, kernel)
    if kernel.ndim != 1 or kernel.size < 3 or kernel.size % 2 == 0:
        raise ValueError(
            f"{name}: expected one value for each lag from -window to +window (odd length, at least 3), "
            f"got shape {kernel.shape}"
        )
    return kernel, kernel.size // 2
