"""Rows of `stdpjax.learning`."""

import tempfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from stdpjax import dynamics, learning, random, rates
from stdpjax.energy import Params
from stdpjax.learning import Clamped, Labelled, Learner, Phases
from tests.surface.rows_dynamics import CLAMPS
from tests.surface.table import Made, Row, rows

KEY, SIZES, RHO = random.key(0), (3, 4, 2), rates.hard_sigmoid()
PARAMS = learning.random_layers(KEY, SIZES)
MASK, INPUTS = learning.layered_mask(SIZES), jnp.zeros((5, 3))
DATA = Labelled(INPUTS, jnp.array([0, 1, 1, 0, 1]))
PHASES = Phases(n_settle=1, n_pulled=1)
UPDATE = learning.phase_update(RHO, PHASES, 2)
LEARNER = Learner(UPDATE, optax.sgd(0.1))
STATE = learning.start(LEARNER, PARAMS)
VISIBLE, VALUES = jnp.array([True, False]), jnp.zeros((4, 2))
IMAGES = learning.Images(np.zeros((4, 1, 2), np.float32), np.array([0, 1, 1, 0], np.int32))


def file_of_images() -> str:
    path = Path(tempfile.mkdtemp()) / "images.npz"
    np.savez(path, images=IMAGES.pixels, labels=IMAGES.labels)
    return str(path)


# Updates and classes in the table's form, which is one of functions.
def measured(key: Any, params: Any, batch: Any) -> Any:
    return UPDATE(key, params, batch, ())[0]


def measured_inputs(inputs: Any) -> Any:
    return UPDATE(KEY, PARAMS, Labelled(inputs, DATA.labels), ())[0]


def measured_labels(labels: Any) -> Any:
    return UPDATE(KEY, PARAMS, Labelled(INPUTS, labels), ())[0]


def backpropagated(key: Any, params: Any, batch: Any) -> Any:
    return learning.backpropagation_update(RHO, SIZES)(key, params, batch, ())[0]


def trained_inputs(inputs: Any) -> Any:
    return learning.train_epoch(KEY, LEARNER, STATE, Labelled(inputs, DATA.labels), MASK, 5)[0].params


def trained_labels(labels: Any) -> Any:
    return learning.train_epoch(KEY, LEARNER, STATE, Labelled(INPUTS, labels), MASK, 5)[0].params


def sampled(key: Any, params: Any, batch: Any) -> Any:
    update = learning.em_update(RHO, dynamics.Langevin(RHO), VISIBLE, dynamics.HeatHyper(step=0.1))
    return update(key, params, batch, VALUES)[0]


def phases(**fields: Any) -> Phases:
    return Phases(**fields)


TWO = Params(jnp.zeros((2, 2)), jnp.zeros(2))
_NETWORK = {"params": ("params", PARAMS), "inputs": ("activities", INPUTS), "rate_fn": ("rate_fn", RHO)}

ROWS = rows(
    Row(learning.all_to_all_mask, {"n_units": ("count", 2)}),
    Row(learning.layer_slices, {"sizes": ("sizes", SIZES)}),
    Row(learning.layered_mask, {"sizes": ("sizes", SIZES)}),
    Row(
        learning.random_layers,
        {"key": ("key", KEY), "sizes": ("sizes", SIZES), "gain": ("non-negative", 0.5),
         "input_rate": ("one probability", 0.25)},
    ),
    Row(learning.take_layers, {"weights": ("array", PARAMS.weights), "sizes": ("sizes", SIZES)}),
    Row(learning.scale_layers, {"sizes": ("sizes", SIZES), "factors": ("factors", (1.0, 0.5))}),
    Row(learning.forward, {**_NETWORK, "sizes": ("sizes", SIZES)}),
    Row(learning.forward_class, {**_NETWORK, "sizes": ("sizes", SIZES)}),
    Row(learning.settle, {**_NETWORK, "phases": ("object", PHASES)}),
    Row(learning.predict, {**_NETWORK, "phases": ("object", PHASES), "n_outputs": ("count", 2)}),
    Row(learning.phase_update, {"rate_fn": ("rate_fn", RHO), "phases": ("object", PHASES), "n_outputs": ("count", 2)}),
    Row(learning.backpropagation_update, {"rate_fn": ("rate_fn", RHO), "sizes": ("sizes", SIZES)}),
    Row(
        learning.em_update,
        {"rate_fn": ("rate_fn", RHO), "kernel": ("kernel", dynamics.Langevin(RHO)), "visible": ("truths", VISIBLE),
         "hyper": ("object", dynamics.HeatHyper(step=0.1)), "clamps": CLAMPS, "rule": ("choice", "exact"),
         "n_steps": ("count", 1), "n_burn_in": ("count", 0), "bandwidth": ("optional positive", 0.1)},
    ),
    Row(
        learning.start_chains,
        {"key": ("key", KEY), "values": ("array", VALUES), "visible": ("truths", VISIBLE)},
    ),
    Row(measured, {"key": ("key", KEY), "params": ("params", PARAMS), "batch": ("object", DATA)}),
    Row(backpropagated, {"key": ("key", KEY), "params": ("params", PARAMS), "batch": ("object", DATA)}),
    Row(sampled, {"key": ("key", KEY), "params": ("params", TWO), "batch": ("object", Clamped(VALUES, jnp.arange(4)))}),
    Row(measured_inputs, {"inputs": ("activities", INPUTS)}),
    Row(trained_inputs, {"inputs": ("activities", INPUTS)}),
    Row(measured_labels, {"labels": ("labels", DATA.labels)}, takes={("labels", "bytes"): DATA.labels}),
    Row(trained_labels, {"labels": ("labels", DATA.labels)}, takes={("labels", "bytes"): DATA.labels}),
    Row(learning.start, {"learner": ("object", LEARNER), "params": ("params", PARAMS)}),
    Row(
        learning.apply_update,
        {"learner": ("object", LEARNER), "state": ("object", STATE), "delta": ("params", PARAMS),
         "mask": ("truths", MASK)},
    ),
    Row(
        learning.train_epoch,
        {"key": ("key", KEY), "learner": ("object", LEARNER), "state": ("object", STATE), "data": ("any", DATA),
         "mask": ("truths", MASK), "batch_size": ("count", 5)},
    ),
    Row(learning.load_digits, {}),
    Row(learning.load_mnist, {}),
    Row(learning.load_images, {"path": ("path", Made(file_of_images))}),
    Row(learning.count_classes, {"images": ("object", IMAGES)}),
    Row(
        learning.split,
        {"images": ("object", IMAGES), "test_share": ("positive", 0.5), "seed": ("count", 0)},
    ),
    Row(phases, {"rule": ("choice", "paper"), "n_settle": ("count", 1), "n_pulled": ("count", 1),
                 "step": ("positive", 0.5), "pull": ("positive", 0.5), "order": ("choice", "simultaneous")}),
)  # fmt: skip
