"""Stationary points of the hard sigmoid's energy on the box between its kinks, by enumeration of active sets.

Between the kinks the energy is the quadratic |s|^2 / 2 - rho W rho / 2 - b rho with rho = s - low. Each unit is at the
lower kink, free, or at the upper one: 3^n linear solves find all points that meet the optimality conditions, without
iteration. Small networks only; NumPy in double precision, whatever JAX computes in.
"""

from itertools import product
from typing import NamedTuple

import numpy as np

MAX_UNITS = 8


class BoxPoints(NamedTuple):
    """One candidate for each network and each pattern of active bounds."""

    state: np.ndarray
    """`[network, pattern, unit]`."""
    is_stationary: np.ndarray
    """`[network, pattern]`: inside the box, with the energy's slope pointing out of it at each kink."""
    is_minimum: np.ndarray
    """`[network, pattern]`: and the energy curved upwards in the free directions."""
    energy: np.ndarray
    """`[network, pattern]`; infinite where the point is not stationary."""


def box_points(weights: np.ndarray, bias: np.ndarray, low: float = -0.5, slack: float = 1e-9) -> BoxPoints:
    """Return the stationary points of the energy on the box [low, low + 1]^n.

    Args:
        weights: tied weights, `[network, unit, unit]`.
        bias: `[network, unit]`.
        low: the lower kink.
        slack: how far a condition may be missed, for rounding.

    Returns:
        All candidates, with flags for those that are stationary points and minima.

    Raises:
        ValueError: more units than can be enumerated.

    Example:
        >>> import numpy as np
        >>> from stdpjax.theory.box_minima import box_points
        >>> found = box_points(np.zeros((1, 2, 2)), np.array([[0.2, 3.0]]))
        >>> found.state[found.is_minimum].tolist()
        [[0.2, 0.5]]
    """
    weights, bias = np.asarray(weights, np.float64), np.asarray(bias, np.float64)
    n_units = bias.shape[-1]
    if n_units > MAX_UNITS:
        raise ValueError(f"weights: expected at most {MAX_UNITS} units, got {n_units}")
    patterns = np.array(list(product((-1, 0, 1), repeat=n_units)))
    is_free = patterns == 0
    held = np.where(patterns < 0, low, low + 1.0)
    identity = np.eye(n_units)
    curvature = identity - weights  # [network, unit, unit]
    constant = bias - low * weights.sum(axis=-1)
    matrix = np.where(is_free[None, :, :, None], curvature[:, None], identity)
    right = np.where(is_free[None], constant[:, None], held[None])
    state = np.linalg.solve(matrix, right[..., None])[..., 0]
    slope = np.einsum("nij,npj->npi", curvature, state) - constant[:, None]
    is_inside = np.all((state >= low - slack) & (state <= low + 1 + slack), axis=-1)
    is_held = np.all(is_free | (patterns * slope <= slack), axis=-1)
    is_stationary = is_inside & is_held
    # Held directions are given curvature 1, which leaves the sign of the free ones.
    both_free = is_free[:, :, None] & is_free[:, None, :]
    free_curvature = np.where(both_free[None], curvature[:, None], identity)
    is_minimum = is_stationary & (np.linalg.eigvalsh(free_curvature)[..., 0] > 0)
    rate = state - low
    energy = 0.5 * np.sum(state**2, axis=-1) - np.sum(
        rate * (0.5 * np.einsum("nij,npj->npi", weights, rate) + bias[:, None]), axis=-1
    )
    return BoxPoints(state, is_stationary, is_minimum, np.where(is_stationary, energy, np.inf))


def box_minimum(weights: np.ndarray, bias: np.ndarray, low: float = -0.5) -> np.ndarray:
    """Return the global minimum of the energy on the box, `[network, unit]`; arguments as in `box_points`."""
    found = box_points(weights, bias, low)
    return np.take_along_axis(found.state, np.argmin(found.energy, axis=1)[:, None, None], axis=1)[:, 0]


def linear_fixed_points(
    weights: np.ndarray, bias: np.ndarray, with_slope: bool, low: float = -0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Return where the hard sigmoid's network stands still, piece by piece.

    On each of the 3^n pieces, on which each unit is below, between or above the kinks, the equation is linear.

    Args:
        weights: `[network, unit, unit]`.
        bias: `[network, unit]`.
        with_slope: solve s = R(s), whose factor rho' is 0 beyond the kinks; else s = b + W rho(s), without that factor.
        low: the lower kink.

    Returns:
        How many solutions each network has with all units between the kinks, and with a unit beyond them.

    Example:
        >>> import numpy as np
        >>> from stdpjax.theory.box_minima import linear_fixed_points
        >>> [linear_fixed_points(np.zeros((1, 1, 1)), np.array([[2.0]]), slope) for slope in (True, False)]
        [(array([0]), array([0])), (array([0]), array([1]))]
    """
    n_units = bias.shape[-1]
    patterns = np.array(list(product((-1, 0, 1), repeat=n_units)))
    is_free = patterns == 0
    weights = np.asarray(weights, np.float64)[:, None]
    drives = np.where(is_free[:, :, None] | (not with_slope), weights, 0)
    fixed_rate = (patterns > 0) - low * is_free
    matrix = np.eye(n_units) - drives * is_free[:, None, :]
    right = np.where(is_free | (not with_slope), bias[:, None], 0) + np.einsum("npij,pj->npi", drives, fixed_rate)
    state = np.linalg.solve(matrix, right[..., None])[..., 0]
    piece = np.where(state < low, -1, np.where(state > low + 1, 1, 0))
    is_solution = np.all(piece == patterns, axis=-1)
    is_inside = np.all(is_free, axis=-1)
    return np.sum(is_solution & is_inside, axis=1), np.sum(is_solution & ~is_inside, axis=1)
