"""Filling in what is missing of an image: masks of halves, and principal components that do it."""

from collections.abc import Sequence

import numpy as np

from stdpjax.theory.principal_components import fill_linearly


def halves(height: int, width: int) -> dict[str, np.ndarray]:
    """Return which pixels are missing, flat, for each half of an image; one of a single row has no upper half."""
    place = np.indices((height, width)).reshape(2, -1)
    sides = {}
    for axis, size, names in ((0, height, ("upper", "lower")), (1, width, ("left", "right"))):
        if size > 1:
            first = place[axis] < size // 2
            sides |= {names[0]: first, names[1]: ~first}
    return sides


def completion_error(completed: np.ndarray, images: np.ndarray, missing: np.ndarray) -> float:
    """Return the squared error per missing pixel, averaged over masks `[mask, pixel]` and images `[image, pixel]`."""
    squares = (np.asarray(completed, np.float64) - images[None]) ** 2
    return float(np.mean([part[:, mask].mean() for part, mask in zip(squares, missing, strict=True)]))


def tune_components(training: np.ndarray, missing: np.ndarray, choices: Sequence[int], held_out: float = 0.2) -> int:
    """Return the number of components that fills a held-out share of the training images best."""
    n_held = max(1, int(held_out * len(training)))
    fitted, held = training[n_held:], training[:n_held]
    mean, covariance = fitted.mean(axis=0), np.cov(fitted.T)
    errors = [
        completion_error(fill_linearly(covariance, mean, held, missing, number), held, missing) for number in choices
    ]
    return choices[int(np.argmin(errors))]
