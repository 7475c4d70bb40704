"""Pairing in plain Python, from the words of section 5.1 alone; tables train by train; words of 32 trials."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stdpjax.spikes import nearest_lag, sample_pair


def loop_nearest_lag(pre, post, window, coincidence="skip", sides="one", boundary="silent"):
    """Return the lag of every bin of one train, 0 for no update."""
    n_steps = len(pre)
    lags = []
    for t in range(n_steps):
        lag = 0
        if pre[t]:
            left = [t - u for u in range(max(0, t - window), t) if post[u]]
            right = [u - t for u in range(t + 1, min(n_steps, t + window + 1)) if post[u]]
            if post[t] and coincidence == "skip":
                lag = 0
            elif left and right:
                if sides == "both" and min(left) != min(right):
                    lag = min(right) if min(right) < min(left) else -min(left)
            elif right:
                lag = min(right)
            elif left:
                lag = -min(left)
        lags.append(lag)
    return lags if boundary == "silent" else lags[window : n_steps - window]


def lag_counts_by_train(key, pre, post, n_trials, window, coincidence: Any = "skip", *, first_sequence=0, **options):
    """Return the table of `sample_lag_counts`: each trial replayed by itself and paired by `nearest_lag`."""
    *batch, n_steps = pre.shape
    n_counted = n_steps - (2 * window if options.get("boundary") == "valid" else 0)

    @jax.jit
    def trial_lags(sequence, trial, pre_rate, post_rate):
        trains = sample_pair(key, pre_rate, post_rate, sequence=sequence, trial=trial)
        return nearest_lag(*trains, window, coincidence, **options)

    counts = np.zeros((*batch, n_counted, 2 * window + 1), np.int32)
    for sequence, place in enumerate(np.ndindex(*batch)):
        for trial in range(n_trials):
            number = np.uint32(first_sequence + sequence)
            lags = trial_lags(number, np.uint32(trial), pre[place], post[place])
            counts[(*place, np.arange(n_counted), np.asarray(lags) + window)] += 1
    counts[..., window] = 0  # lag 0 stands for "no update"
    return counts


def _places(n_rest):
    return np.arange(32, dtype=np.uint32).reshape(1, -1, *[1] * n_rest)


def pack(trials):
    """Return indicators [trial, ...] as words [ceil(trials / 32), ...]: trial k is bit k % 32 of word k // 32."""
    n_trials, *rest = np.shape(trials)
    n_words = -(-n_trials // 32)
    bits = np.zeros((32 * n_words, *rest), np.uint32)
    bits[:n_trials] = trials
    return jnp.asarray(np.sum(bits.reshape(n_words, 32, *rest) << _places(len(rest)), axis=1, dtype=np.uint32))


def unpack(words, n_trials=None):
    """Return the indicators in words, of all bits by default."""
    n_words, *rest = words.shape
    bits = (np.asarray(words)[:, None] >> _places(len(rest))) & np.uint32(1)
    return bits.astype(bool).reshape(32 * n_words, *rest)[:n_trials]
