"""Rules of rates step by step, and the two moments through which slow rates see a window of pairs."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray

from stdpjax.rules import (
    Rule,
    Sample,
    lag_kernel,
    pair_rule,
    per_spike_updates,
    presets,
    run_along,
    window_moments,
)
from stdpjax.studies.measures import labelled, merged
from stdpjax.studies.protocol import ProtocolConfig, Sequences, make_sequences

_PRESETS = {"Bi & Poo 2001": "bi_poo_2001", "Song et al. 2000": "song_miller_abbott_2000"}
WINDOWS = ("balanced", *_PRESETS)
ASYMMETRIC = tuple(_PRESETS)
_MOMENT_WINDOW = 400
# Slow drives: sequences, bins to count and on either side of them, and a modulation without saturation.
_N_SLOW, _SETTLE, _SMALL = 40, 200, 0.1


def step_by_step(rule: Rule, activity: Float[Array, "sequence time"]) -> NDArray[np.float64]:
    """Return the change of each step under a rule of rates at a presynaptic rate of 1, `[sequence, step]`."""
    states, n_steps = activity.T, activity.shape[1] - 1
    samples = Sample(states[:-1], states[1:], jnp.ones((n_steps, 1), activity.dtype))
    weights = jnp.zeros((len(activity), 1), activity.dtype)
    return np.asarray(run_along(rule, samples, weights).updates[:, :, 0].T, np.float64)


def rule_of(name: str, tau: float) -> Rule:
    """Return the pair rule (all to all) of a window."""
    return presets[_PRESETS[name]].rule() if name in _PRESETS else pair_rule(1.0, 1.0, tau, tau)


def moments_of(rule: Rule) -> tuple[float, float]:
    """Return b0 and b1 of a pair rule: sum and first moment of its window."""
    assert rule.traces is not None
    names = ("A_plus", "A_minus", "tau_plus", "tau_minus")
    numbers = {name: getattr(rule.traces.parameters, name) for name in names}
    moments = window_moments(lag_kernel("bi_poo", _MOMENT_WINDOW, **numbers))
    return float(moments.zero), float(moments.first)


def form_errors(sequences: Sequences, counted: slice, max_probability: float, tau: float) -> list[list[float]]:
    """Return how far updates of each window are from its two moments, and from the first alone, over their spread."""
    rate = np.asarray(sequences.post_probability[:, counted], np.float64)
    slope = max_probability * np.asarray(sequences.rate_slope, np.float64)
    errors = []
    for name in WINDOWS:
        rule = rule_of(name, tau)
        exact = per_spike_updates(rule, sequences.pre_probability, sequences.post_probability)[:, counted]
        update: NDArray[np.float64] = np.asarray(exact, np.float64)
        zero, first = moments_of(rule)
        forms = (zero * rate + first * slope, first * slope)
        errors.append([float(np.sqrt(np.mean((update - form) ** 2)) / update.std()) for form in forms])
    return errors


def slow_pairs(key: Key[Array, ""], base: ProtocolConfig, widths: tuple[float, ...]) -> xr.Dataset:
    """Put updates of pairs under slow drives beside the moments of their windows."""
    forms, counted = [], slice(_SETTLE, 2 * _SETTLE)
    for width in widths:
        slow = dataclasses.replace(
            base, n_sequences=_N_SLOW, n_steps=_SETTLE, window=_SETTLE, width=width, voltage_scale=_SMALL
        )
        forms.append(form_errors(make_sequences(key, slow), counted, base.max_probability, base.tau))
    moments = [moments_of(rule_of(name, base.tau)) for name in WINDOWS]
    two_terms, without_b0 = np.moveaxis(np.array(forms), -1, 0)
    return merged(
        labelled(("slow_width", "pair_window"), form_two_terms=two_terms, form_without_b0=without_b0),
        labelled(("pair_window", "moment"), moments=moments),
    )
