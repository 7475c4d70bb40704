"""Labelled images: the handwritten digits that come with scikit-learn, or any `.npz` file."""

import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32

# Names that images and labels go by in files that people have; parts are joined, training samples first.
_IMAGES = (("images",), ("x_train", "x_test"), ("x",), ("data",))
_LABELS = (("labels",), ("y_train", "y_test"), ("y",), ("target",))


class Images(NamedTuple):
    """Images as rates, with their classes."""

    pixels: Float32[np.ndarray, "sample height width"]
    """In [0, 1]."""
    labels: Int32[np.ndarray, "sample"]
    """0 or more."""


def load_digits() -> Images:
    """Return the 1,797 handwritten digits of 8 x 8 pixels that are part of scikit-learn.

    Example:
        >>> import stdpjax
        >>> stdpjax.learning.load_digits().pixels.shape
        (1797, 8, 8)
    """
    from sklearn.datasets import load_digits as bundled  # half a second to import

    pixels, labels = bundled(return_X_y=True)
    pixels = np.asarray(pixels, np.float32).reshape(-1, 8, 8) / 16
    return Images(pixels, np.asarray(labels, np.int32))


def load_images(path: str | Path) -> Images:
    """Return the images and labels of an `.npz` file, such as MNIST's.

    Args:
        path: a file with `images` and `labels`, or with `x_train`, `y_train`, `x_test` and `y_test`, or `x` and `y`.
            Images have shape `[sample, height, width]` or `[sample, pixel]` with pixels from 0 to 1, or whole numbers
            from 0 to 255; labels are whole numbers of at least 0, shape `[sample]`.

    Returns:
        The images, scaled to [0, 1]; flat ones have height 1.

    Raises:
        ValueError: not such a file: what is missing, or which shape or range was found.
        OSError: the file cannot be read.

    Example:
        >>> import tempfile, numpy as np, stdpjax
        >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        ...     np.savez(file, images=np.zeros((3, 2, 2), np.uint8), labels=np.array([0, 1, 1]))
        ...     _ = file.flush()
        ...     stdpjax.learning.load_images(file.name).pixels.shape
        (3, 2, 2)
    """
    try:
        with Path(path).open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
    except OSError as error:
        raise OSError(f"data: expected a readable .npz file, got {str(path)!r} ({error.strerror or error})") from error
    # A lone array has no context; the others are what archives say that are none, or damaged.
    except (ValueError, TypeError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        raise ValueError(f"data: expected an .npz file of arrays, got {str(path)!r} ({error})") from error
    images, labels = _joined(content, _IMAGES, path), _joined(content, _LABELS, path)
    if images.ndim not in (2, 3) or images.size == 0:
        raise ValueError(
            f"data: expected images of shape [sample, height, width] or [sample, pixel], got {images.shape}"
        )
    if labels.shape != images.shape[:1]:
        raise ValueError(f"data: expected {images.shape[0]} labels, one for each image, got shape {labels.shape}")
    if labels.dtype.kind not in "biu" and not (labels.dtype.kind == "f" and np.all(labels == np.floor(labels))):
        raise ValueError(f"data: expected labels that are whole numbers, got dtype {labels.dtype}")
    if labels.min() < 0:
        raise ValueError(f"data: expected labels of at least 0, got {labels.min()}")
    if images.dtype.kind not in "biuf" or not np.all(np.isfinite(images)):
        raise ValueError(f"data: expected finite pixels, got dtype {images.dtype} or values that are not finite")
    highest = images.max()
    scale = 255.0 if highest > 1 and np.all(images == np.floor(images)) else 1.0
    if images.min() < 0 or highest > scale:
        raise ValueError(
            f"data: expected pixels from 0 to 1, or whole numbers from 0 to 255, got {images.min():g} to {highest:g}"
        )
    pixels = (images / scale).astype(np.float32)
    return Images(pixels if pixels.ndim == 3 else pixels[:, None, :], labels.astype(np.int32))


def count_classes(images: Images) -> int:
    """Return the number of classes: labels run from 0 to one less.

    Args:
        images: the images.

    Returns:
        The number.

    Raises:
        ValueError: fewer than two classes, or one without an image.

    Example:
        >>> import stdpjax
        >>> stdpjax.learning.count_classes(stdpjax.learning.load_digits())
        10
    """
    present = np.unique(images.labels)
    if len(present) < 2:
        raise ValueError(f"data: expected images of at least two classes, got label {present[0]} alone")
    missing = np.flatnonzero(present != np.arange(len(present)))
    if missing.size:
        raise ValueError(
            f"data: expected labels from 0 to {len(present) - 1}, one for each of {len(present)} classes, got none "
            f"that is {missing[0]} but some that are {present[-1]}"
        )
    return len(present)


def split(images: Images, test_share: float, seed: int) -> tuple[Images, Images]:
    """Return training and test images, drawn at random; the same seed gives the same split.

    Args:
        images: all of them.
        test_share: in (0, 1); both parts get at least one image.
        seed: of the order.

    Returns:
        Training images and test images.

    Raises:
        ValueError: fewer than two images.

    Example:
        >>> import stdpjax
        >>> train, test = stdpjax.learning.split(stdpjax.learning.load_digits(), 0.2, seed=0)
        >>> len(train.labels), len(test.labels)
        (1438, 359)
    """
    n_images = len(images.labels)
    if n_images < 2:
        raise ValueError(f"data: expected at least 2 images, got {n_images}")
    n_test = min(max(1, int(n_images * test_share)), n_images - 1)
    order = np.random.default_rng(seed).permutation(n_images)
    parts = order[: n_images - n_test], order[n_images - n_test :]
    return Images(*(array[parts[0]] for array in images)), Images(*(array[parts[1]] for array in images))


def _joined(content: dict[str, np.ndarray], names: tuple[tuple[str, ...], ...], path: str | Path) -> np.ndarray:
    for group in names:
        if all(name in content for name in group):
            parts = [content[name] for name in group]
            if any(part.ndim == 0 or part.shape[1:] != parts[0].shape[1:] for part in parts):
                shapes = " and ".join(f"{name} {part.shape}" for name, part in zip(group, parts, strict=True))
                raise ValueError(f"data: expected arrays whose parts have one shape for each sample, got {shapes}")
            return np.concatenate(parts)
    wanted = " or ".join(" and ".join(group) for group in names)
    raise ValueError(f"data: expected arrays named {wanted}, got {', '.join(content) or 'none'} in {str(path)!r}")
