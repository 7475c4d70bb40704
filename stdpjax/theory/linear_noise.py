"""Linear networks under the paper's noise: modes that are chosen, and the laws of their variances and energies."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks

# Orthonormal, with entries of equal size: eigenvalues that sum to 0 then leave 0 on the diagonal.
BASIS = 0.5 * np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], float)


def weights_of_modes(eigenvalues: ArrayLike) -> NDArray[np.float64]:
    """Return symmetric weights of four units with given eigenvalues, and 0 on the diagonal.

    Args:
        eigenvalues: four numbers whose sum is 0; the columns of `BASIS` are their modes.

    Raises:
        ValueError: other than four numbers whose sum is 0.

    Example:
        >>> import numpy as np
        >>> from stdpjax.theory.linear_noise import weights_of_modes
        >>> np.linalg.eigvalsh(weights_of_modes([-0.5, -0.4, 0.3, 0.6])).round(6).tolist()
        [-0.5, -0.4, 0.3, 0.6]
    """
    eigenvalues = _checks.finite_numbers("eigenvalues", eigenvalues)
    if eigenvalues.shape != (4,) or abs(eigenvalues.sum()) > 1e-6:
        raise ValueError(f"eigenvalues: expected four numbers whose sum is 0, got {eigenvalues}")
    weights = BASIS @ np.diag(eigenvalues) @ BASIS.T
    return weights - np.diag(np.diag(weights))


def linear_variance(mode: ArrayLike, step: ArrayLike, noise_std: float) -> NDArray[np.float64]:
    """Return the stationary variance of a linear mode under the paper's noise.

    Args:
        mode: eigenvalues m of the weights, below 1.
        step: step over time constant, in (0, 1].
        noise_std: standard deviation of eta, 0 or more.

    Returns:
        step noise_std^2 m^2 / ((1 - m) (2 - step (1 - m))).

    Raises:
        ValueError: numbers out of range.

    Example:
        >>> from stdpjax.theory.linear_noise import linear_variance
        >>> float(linear_variance(0.5, 1.0, 1.0).round(6))
        0.333333
    """
    mode, step = _checks.finite_numbers("mode", mode), _checks.finite_numbers("step", step)
    _checks.number("mode", mode.max(), below=1)
    _checks.number("step", step.min(), above=0)
    noise_std = _checks.number("noise_std", noise_std, at_least=0)
    return np.asarray(step * noise_std**2 * mode**2 / ((1 - mode) * (2 - step * (1 - mode))))


def mean_energy(
    weights: ArrayLike, start: ArrayLike, step: float, noise_std: float, n_steps: int
) -> NDArray[np.float64]:
    """Return the exact mean energy above its minimum over time, with the paper's noise and all units active.

    Args:
        weights: tied, shape `[unit, unit]`.
        start: the first state, as a difference from the fixed point, shape `[unit]`.
        step: step over time constant, in (0, 1].
        noise_std: standard deviation of eta, 0 or more.
        n_steps: how many.

    Returns:
        (m^T H m + tr(H C)) / 2 with mean m and covariance C of the linear dynamics and H = 1 - W; shape
        `[n_steps + 1]`, the start included.

    Raises:
        ValueError: arrays that do not fit together, or numbers out of range.

    Example:
        >>> from stdpjax.theory.linear_noise import mean_energy
        >>> mean_energy([[0.0]], [0.2], 0.5, 0.0, 1).round(6).tolist()
        [0.02, 0.005]
    """
    weights, mean = _checks.finite_numbers("weights", weights), _checks.finite_numbers("start", start)
    if weights.shape != 2 * mean.shape:
        raise ValueError(f"start: expected one activity for each unit of weights {weights.shape}, got {mean.shape}")
    step = _checks.number("step", step, above=0, at_most=1)
    noise_std = _checks.number("noise_std", noise_std, at_least=0)
    hessian = np.eye(len(weights)) - weights
    keep = np.eye(len(weights)) - step * hessian
    kicks = step**2 * noise_std**2 * weights @ weights.T
    covariance, energies = np.zeros_like(weights), []
    for _ in range(_checks.count("n_steps", n_steps) + 1):
        energies.append(0.5 * (mean @ hessian @ mean + np.trace(hessian @ covariance)))
        mean, covariance = keep @ mean, keep @ covariance @ keep.T + kicks
    return np.array(energies)
