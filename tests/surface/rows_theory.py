"""Rows of `stdpjax.theory`."""

import numpy as np

from stdpjax.theory import linear_noise, principal_components
from tests.surface.table import Row, rows

_COVARIANCE = ("array", np.array([[2.0, 0.5], [0.5, 1.0]], np.float32))

ROWS = rows(
    Row(linear_noise.weights_of_modes, {"eigenvalues": ("array", np.array([-0.5, 0.25, 0.5, -0.25], np.float32))}),
    Row(
        linear_noise.linear_variance,
        {
            "mode": ("array", np.array([0.5, -0.5])), "step": ("array", np.array([0.5])),
            "noise_std": ("non-negative", 0.3),
        },
        # Elementwise, whatever the shape.
        takes={("mode", "too many axes"): None},
    ),
    Row(
        linear_noise.mean_energy,
        {
            "weights": ("array", np.array([[0.0, 0.5], [0.5, 0.0]])), "start": ("array", np.array([0.1, 0.2])),
            "step": ("positive", 0.5), "noise_std": ("non-negative", 0.1), "n_steps": ("count", 2),
        },
    ),
    Row(
        principal_components.probabilistic_components, {"covariance": _COVARIANCE, "variance": ("positive", 0.5)}
    ),
    Row(
        principal_components.fill_linearly,
        {
            "covariance": _COVARIANCE, "mean": ("array", np.zeros(2)), "images": ("array", np.ones((1, 2))),
            "missing": ("any", np.array([[True, False]])), "n_components": ("count", 1),
        },
    ),
)  # fmt: skip
