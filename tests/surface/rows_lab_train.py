"""Rows of `stdpjax.lab.train`."""

import dataclasses
import tempfile
from typing import Any

from stdpjax.lab import train
from stdpjax.lab.train import TrainConfig
from tests.surface.table import Made, Row, rows

SMALL = TrainConfig(hidden=(2,), n_epochs=1, n_settle=1, n_pulled=1, batch_size=700)


def config(**fields: Any) -> TrainConfig:
    """A class in the table's form, which is one of functions."""
    return TrainConfig(**fields)


_KINDS = {"data": "file name", "hidden": "tuple of counts", "rule": "choice", "optimizer": "choice",
          "schedule": "choice", "order": "choice", "layer_rates": "tuple of numbers"}  # fmt: skip

ROWS = rows(
    Row(
        train.make_learner,
        {"config": ("object", SMALL), "sizes": ("sizes", (3, 4, 2)), "n_updates": ("count", 1)},
    ),
    Row(
        train.train,
        {"config": ("optional object", SMALL), "seed": ("count", 0), "out": ("path", Made(tempfile.mkdtemp)),
         "given": ("names", ("hidden",)),
         "force": ("flag", False), "show_progress": ("flag", False), "say": ("callable", lambda line: None)},
    ),
    Row(config, {
        field.name: (_KINDS.get(field.name, "count" if field.type is int else "non-negative"), field.default)
        for field in dataclasses.fields(TrainConfig)
    }),
)  # fmt: skip
