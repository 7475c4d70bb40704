"""Parts of the study of Xie & Seung's rule: rules stepped over activities, states of saturation, moments of windows."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray

from stdpjax import stats
from stdpjax.rules import Rule, Sample, lag_kernel, pair_rule, presets, window_moments
from stdpjax.studies.protocol import Sequences
from stdpjax.studies.zoo_rules import per_spike_updates

STATES = ("active", "partly saturated", "saturated")
_PRESETS = {"Bi & Poo 2001": "bi_poo_2001", "Song et al. 2000": "song_miller_abbott_2000"}
WINDOWS = ("balanced", "balanced, reversed", *_PRESETS)
ASYMMETRIC = tuple(_PRESETS)
_MOMENT_WINDOW = 400


def rule_of(name: str, tau: float) -> Rule:
    """Return the pair rule (all to all) of a window."""
    if name in _PRESETS:
        return presets[_PRESETS[name]].rule()
    amplitude = -1.0 if name == "balanced, reversed" else 1.0
    return pair_rule(amplitude, amplitude, tau, tau)


def moments_of(rule: Rule) -> tuple[float, float]:
    """Return b0 and b1 of a pair rule: sum and first moment of its window."""
    assert rule.traces is not None
    numbers = rule.traces.parameters
    window = lag_kernel(
        "bi_poo",
        _MOMENT_WINDOW,
        A_plus=numbers.A_plus,
        A_minus=numbers.A_minus,
        tau_plus=numbers.tau_plus,
        tau_minus=numbers.tau_minus,
    )
    moments = window_moments(window)
    return float(moments.zero), float(moments.first)


@partial(jax.jit, static_argnames="rule")
def rate_rule_updates(rule: Rule, activity: Float[Array, "sequence time"]) -> Float[Array, "sequence step"]:
    """Return the change of each step under a rule of rates, at a presynaptic rate of 1."""
    weights = jnp.zeros((len(activity), 1), activity.dtype)
    rate = jnp.ones(1, activity.dtype)

    def step(state: Any, now: tuple[Array, Array]) -> tuple[Any, Float[Array, "sequence"]]:
        delta_w, state = rule.update(Sample(now[0], now[1], rate), state, weights)
        return state, delta_w[:, 0]

    return jax.lax.scan(step, rule.init(weights), (activity[:, :-1].T, activity[:, 1:].T))[1].T


def saturation_states(rate: NDArray[np.float64], window: int) -> NDArray[np.int64]:
    """Return whether a bin is active (0), saturated with slopes in its window (1), or throughout its window (2).

    Args:
        rate: postsynaptic rates from 0 to 1, shape `[sequence, simulated]`.
        window: longest lag; as many bins at both ends have no state.

    Returns:
        Index into `STATES`, shape `[sequence, time]`.
    """
    is_moving = (rate > 1e-6) & (rate < 1 - 1e-6)
    windows = np.lib.stride_tricks.sliding_window_view(is_moving, 2 * window + 1, axis=-1)
    now = is_moving[:, window:-window]
    return np.where(now, 0, np.where(windows.any(-1), 1, 2))


def gains(
    key: Key[Array, ""],
    states: NDArray[np.int64],
    slope: NDArray[np.float64],
    pre_probability: NDArray[np.float64],
    update: NDArray[np.float64],
    n_resamples: int,
) -> stats.Estimate:
    """Return the gain of updates on a slope in each state, and as a last number saturated over active.

    Args:
        key: for the bootstrap over sequences.
        states: as `saturation_states` has them.
        slope: of the activity, same shape.
        pre_probability: presynaptic spike probability, same shape.
        update: mean update of each bin, same shape.
        n_resamples: bootstrap resamples.

    Returns:
        Gains per presynaptic spike, by least squares through 0.
    """
    is_in = states[:, None, :] == np.arange(len(STATES))[:, None]
    products = np.sum(np.where(is_in, (update * slope)[:, None, :], 0.0), axis=-1)
    squares = np.sum(np.where(is_in, (pre_probability * slope**2)[:, None, :], 0.0), axis=-1)

    def gain(products: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
        found = products / np.maximum(squares, 1e-12)
        return np.concatenate([found, found[..., 2:] / found[..., :1]], axis=-1)

    return stats.bootstrap(key, gain, products, squares, n_resamples=n_resamples)


def form_errors(sequences: Sequences, counted: slice, max_probability: float, tau: float) -> dict[str, list[float]]:
    """Return how far updates of pair rules are from their first two moments, or one of them, over their spread.

    Args:
        sequences: slow drives.
        counted: bins with a complete past and future.
        max_probability: spike probability per bin at rate 1.
        tau: time constant of the balanced windows.

    Returns:
        Root mean square errors for each of `WINDOWS`.
    """
    rate = np.asarray(sequences.post_probability[:, counted], np.float64)
    slope = max_probability * np.asarray(sequences.rate_slope, np.float64)
    errors: dict[str, list[float]] = {"two_terms": [], "without_b0": [], "without_b1": []}
    for name in WINDOWS:
        rule = rule_of(name, tau)
        exact = per_spike_updates(rule, sequences.pre_probability, sequences.post_probability)[:, counted]
        update = np.asarray(exact, np.float64)
        zero, first = moments_of(rule)
        for part, form in (
            ("two_terms", zero * rate + first * slope),
            ("without_b0", first * slope),
            ("without_b1", zero * rate),
        ):
            errors[part].append(float(np.sqrt(np.mean((update - form) ** 2)) / update.std()))
    return errors
