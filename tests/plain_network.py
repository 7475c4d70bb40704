"""The network written as plain NumPy loops, for the tests to compare with."""

import numpy as np


def hard_value(state, low=-0.5):
    return np.clip(state - low, 0.0, 1.0)


def hard_slope(state, low=-0.5):
    return ((state >= low) & (state <= low + 1)).astype(state.dtype)


def energy(weights, bias, state, value=hard_value):
    """E(s), pair by pair."""
    rate = value(state)
    total = 0.0
    for i in range(len(state)):
        total += 0.5 * state[i] ** 2 - bias[i] * rate[i]
        for j in range(i + 1, len(state)):
            total -= weights[i, j] * rate[i] * rate[j]
    return total


def target(weights, bias, state, value=hard_value, slope=hard_slope):
    """R(s), unit by unit."""
    rate, steepness = value(state), slope(state)
    found = np.zeros_like(state)
    for i in range(len(state)):
        field = bias[i]
        for j in range(len(state)):
            field = field + weights[i, j] * rate[j]
        found[i] = steepness[i] * field
    return found


def in_double(params):
    return np.asarray(params.weights, np.float64), np.asarray(params.bias, np.float64)
