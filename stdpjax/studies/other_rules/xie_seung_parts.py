"""Parts of the study of Xie & Seung's rule: states of saturation, moments of windows."""

import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import stats
from stdpjax.rules import Rule, lag_kernel, pair_rule, per_spike_updates, presets, window_moments
from stdpjax.studies.protocol import Sequences

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
    names = ("A_plus", "A_minus", "tau_plus", "tau_minus")
    numbers = {name: getattr(rule.traces.parameters, name) for name in names}
    moments = window_moments(lag_kernel("bi_poo", _MOMENT_WINDOW, **numbers))
    return float(moments.zero), float(moments.first)


def saturation_states(rate: NDArray[np.float64], window: int) -> NDArray[np.int64]:
    """Return whether a bin is active (0), saturated with slopes in its window (1), or throughout its window (2)."""
    is_moving = (rate > 1e-6) & (rate < 1 - 1e-6)
    windows = np.lib.stride_tricks.sliding_window_view(is_moving, 2 * window + 1, axis=-1)
    return np.where(is_moving[:, window:-window], 0, np.where(windows.any(-1), 1, 2))


def gains(
    key: Key[Array, ""],
    states: NDArray[np.int64],
    slope: NDArray[np.float64],
    pre_probability: NDArray[np.float64],
    update: NDArray[np.float64],
    n_resamples: int,
) -> stats.Estimate:
    """Return the least-squares gain of updates on a slope in each state, and as a last number saturated over active."""
    is_in = states[:, None, :] == np.arange(len(STATES))[:, None]
    products = np.sum(np.where(is_in, (update * slope)[:, None, :], 0.0), axis=-1)
    squares = np.sum(np.where(is_in, (pre_probability * slope**2)[:, None, :], 0.0), axis=-1)

    def gain(products: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
        found = products / np.maximum(squares, 1e-12)
        return np.concatenate([found, found[..., 2:] / found[..., :1]], axis=-1)

    return stats.bootstrap(key, gain, products, squares, n_resamples=n_resamples)


def form_errors(sequences: Sequences, counted: slice, max_probability: float, tau: float) -> dict[str, list[float]]:
    """Return how far updates of each window are from its first two moments, or one of them, over their spread."""
    rate = np.asarray(sequences.post_probability[:, counted], np.float64)
    slope = max_probability * np.asarray(sequences.rate_slope, np.float64)
    errors: dict[str, list[float]] = {"two_terms": [], "without_b0": [], "without_b1": []}
    for name in WINDOWS:
        rule = rule_of(name, tau)
        exact = per_spike_updates(rule, sequences.pre_probability, sequences.post_probability)[:, counted]
        update = np.asarray(exact, np.float64)
        zero, first = moments_of(rule)
        for part, form in zip(errors, (zero * rate + first * slope, first * slope, zero * rate), strict=True):
            errors[part].append(float(np.sqrt(np.mean((update - form) ** 2)) / update.std()))
    return errors
