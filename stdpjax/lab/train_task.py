"""What a training run is of: its network, its data, and all else that decides its numbers."""

import hashlib
from collections.abc import Collection
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from stdpjax import _checks
from stdpjax.lab import folder
from stdpjax.lab.provenance import DECISIVE, provenance
from stdpjax.lab.train_settings import RATE, TrainConfig, make_learner
from stdpjax.learning.data import Images, count_classes, load_digits, load_images, split
from stdpjax.learning.labelled import Labelled
from stdpjax.learning.training import Learner

_FORMAT = 1


class Task(NamedTuple):
    """What is trained, on what."""

    config: TrainConfig
    seed: int
    sizes: tuple[int, ...]
    learner: Learner
    training: Labelled
    test: Labelled
    input_rate: float
    origin: dict[str, Any]
    description: dict[str, Any]
    """All that decides the numbers."""
    has_split: bool
    """Whether the data came split into training and test."""


def make_task(config: TrainConfig, seed: int, given: Collection[str]) -> Task:
    """Load the data and build the network, refusing settings that do not fit the data."""
    images = load_digits() if config.data == "digits" else load_images(config.data)
    sizes = (int(np.prod(images.pixels.shape[1:])), *config.hidden, count_classes(images))
    has_split = images.is_test is not None
    if has_split and "test_share" in given:
        raise ValueError(
            "test_share: expected it to be left out for data that come split into training and test, got "
            f"{config.test_share!r}"
        )
    for_training, for_test = split(images, None if has_split else config.test_share, seed)
    n_training = len(for_training.labels)
    _checks.count("batch_size", config.batch_size, maximum=n_training)
    origin = {**provenance(), "optax": optax.__version__}
    description = {
        "format": _FORMAT,
        **folder.plain(config),
        "seed": seed,
        "checksum of data": _checksum(images),
        **{name: origin[name] for name in (*DECISIVE, "optax")},
    }
    return Task(
        config,
        seed,
        sizes,
        make_learner(config, sizes, config.n_epochs * (n_training // config.batch_size)),
        as_rates(for_training),
        as_rates(for_test),
        float(for_training.pixels.mean()),
        origin,
        description,
        has_split,
    )


def _checksum(images: Images) -> str:
    digest = hashlib.sha256(images.pixels.tobytes() + images.labels.tobytes())
    if images.is_test is not None:
        digest.update(images.is_test.tobytes())
    return digest.hexdigest()[:16]


def as_rates(images: Images) -> Labelled:
    """Return activities at which the input units' rates are the pixels."""
    assert RATE.kinks is not None
    rates = jnp.asarray(images.pixels.reshape(len(images.labels), -1), float)
    return Labelled(rates + RATE.kinks[0], jnp.asarray(images.labels))
