"""Curves of weight change by lag: how they are made of counts, and what their shapes have in common."""

import numpy as np
from numpy.typing import ArrayLike

Sums = tuple[np.ndarray, np.ndarray]


def sums_by_lag(signal: ArrayLike, counts: np.ndarray) -> Sums:
    """Return what a signal `[sequence, time]` adds up to at each lag of each sequence, and how often the lag occurs."""
    return np.einsum("st,stl->sl", np.asarray(signal, dtype=np.float64), counts), counts.sum(1)


def mean_by_lag(change: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the mean change at each lag, `[..., lag]`; NaN where the lag does not occur."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return change / count


def net_area(curve: np.ndarray) -> np.ndarray:
    """Return the area of a curve over that regardless of sign; at lag 0 there is no update."""
    sides = np.delete(curve, curve.shape[-1] // 2, axis=-1)
    return np.asarray(sides.sum(-1) / np.abs(sides).sum(-1))


def shape_explained(curve: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the share of the other curve's variation of size with lag that a curve has; no scale is free but sides'.

    A correlation would take any decay, however small, for the other.
    """
    reference = _sizes(other)
    return np.asarray(1 - ((_sizes(curve) - reference) ** 2).sum(-1) / ((reference - 1) ** 2).sum())


def _sizes(values: np.ndarray) -> np.ndarray:
    window = values.shape[-1] // 2
    sides = (-values[..., :window][..., ::-1], values[..., window + 1 :])
    # By the size of the mean: a side of the wrong sign stays wrong.
    return np.concatenate([side / np.abs(side.mean(-1, keepdims=True)) for side in sides], axis=-1)
