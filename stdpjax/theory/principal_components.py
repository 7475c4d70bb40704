"""Probabilistic principal components: what linear hidden units learn, and how they fill in what is missing."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks


def probabilistic_components(covariance: ArrayLike, variance: float) -> NDArray[np.float64]:
    """Return W W^T of maximum likelihood for linear hidden units.

    A linear network with energy |x|^2 / 2 + |h|^2 / 2 - x W h has covariance T / (1 - w^2) along a singular vector of
    W, which is the data's for w^2 = 1 - T / lambda, and w = 0 for those eigenvalues lambda that are below T.

    Args:
        covariance: of the data, shape `[visible, visible]`.
        variance: T, of the noise, above 0.

    Returns:
        Shape `[visible, visible]`.

    Raises:
        ValueError: no square of finite numbers, or a variance out of range.

    Source: Tipping & Bishop 1999.

    Example:
        >>> from stdpjax.theory.principal_components import probabilistic_components
        >>> probabilistic_components([[4.0, 0.0], [0.0, 0.5]], 1.0).tolist()
        [[0.75, 0.0], [0.0, 0.0]]
    """
    variance = _checks.number("variance", variance, above=0)
    values, vectors = np.linalg.eigh(_square(covariance))
    return (vectors * np.maximum(0.0, 1 - variance / np.maximum(values, 1e-12))) @ vectors.T


def fill_linearly(
    covariance: ArrayLike, mean: ArrayLike, images: ArrayLike, missing: ArrayLike, n_components: int
) -> NDArray[np.float64]:
    """Return images filled by the conditional mean of probabilistic PCA with so many components.

    Args:
        covariance: of the training images, shape `[pixel, pixel]`.
        mean: of the training images, shape `[pixel]`.
        images: to be filled, shape `[image, pixel]`.
        missing: masks, bool, shape `[mask, pixel]`.
        n_components: principal components; the other variance is noise, the same for all pixels.

    Returns:
        Shape `[mask, image, pixel]`.

    Raises:
        ValueError: arrays that do not fit together, or as many components as pixels.

    Example:
        >>> import numpy as np
        >>> from stdpjax.theory.principal_components import fill_linearly
        >>> seen, mask = np.array([[1.0, 0.0]]), np.array([[False, True]])
        >>> fill_linearly([[1.0, 1.0], [1.0, 1.0]], np.zeros(2), seen, mask, 1).round(6).tolist()
        [[[1.0, 1.0]]]
    """
    covariance, mean = _square(covariance), _checks.finite_numbers("mean", mean)
    images, missing = _checks.finite_numbers("images", images), np.asarray(missing)
    n_pixels = len(covariance)
    for name, array, shape in (
        ("mean", mean, "[pixel]"),
        ("images", images, "[n, pixel]"),
        ("missing", missing, "[n, pixel]"),
    ):
        if array.ndim != shape.count(",") + 1 or array.shape[-1] != n_pixels:
            raise ValueError(
                f"{name}: expected shape {shape} of {n_pixels} pixels, as of covariance, got {array.shape}"
            )
    if missing.dtype != bool:
        raise ValueError(f"missing: expected truth values, got {missing.dtype}")
    n_components = _checks.count("n_components", n_components, maximum=n_pixels - 1)
    values, vectors = np.linalg.eigh(covariance)
    noise = max(values[:-n_components].mean(), 1e-9)
    kept = vectors[:, -n_components:]
    model = (kept * np.maximum(values[-n_components:] - noise, 0)) @ kept.T + noise * np.eye(n_pixels)
    filled = np.repeat(images[None], len(missing), axis=0)
    for number, mask in enumerate(missing):
        gain = np.linalg.solve(model[np.ix_(~mask, ~mask)], model[np.ix_(~mask, mask)])
        filled[number][:, mask] = mean[mask] + (images - mean)[:, ~mask] @ gain
    return filled


def _square(covariance: ArrayLike) -> NDArray[np.float64]:
    array = _checks.finite_numbers("covariance", covariance)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"covariance: expected a square matrix, got shape {array.shape}")
    return array
