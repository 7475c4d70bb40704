"""Training runs: a layered network learns labelled images, into a folder.

One folder holds one run: `training.json`, which says of what, the checkpoints, and in the end `weights.npz`, the
learning curve and `record.json`. Its numbers depend on settings, seed and versions alone: one that was killed and
started again ends with the same bits as one that was not.
"""

import dataclasses
import json
import math
import shutil
import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from stdpjax import _checks
from stdpjax.lab import folder, plotting, settings
from stdpjax.lab.train_figure import plot
from stdpjax.lab.train_settings import BACKPROPAGATION, RATE, TrainConfig, make_learner
from stdpjax.lab.train_task import Task, make_task
from stdpjax.learning.backpropagation import forward_class
from stdpjax.learning.checkpoints import Checkpoint, Checkpoints, opened
from stdpjax.learning.layers import layered_mask, random_layers
from stdpjax.learning.supervised import predict
from stdpjax.learning.training import TrainState, start, train_epoch
from stdpjax.random import key, named_key
from stdpjax.stats import wilson_interval

__all__ = ["TrainConfig", "make_learner", "train"]

RECORD = "record.json"
WEIGHTS = "weights.npz"
CURVES = ("learning_curve.png", "learning_curve.svg")
DESCRIPTION = "training.json"
CHECKPOINTS = "checkpoints"


def train(
    config: TrainConfig | None = None,
    seed: int = 0,
    out: str | Path = "training",
    *,
    given: Collection[str] = (),
    force: bool = False,
    show_progress: bool = True,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train a network on labelled images into a folder, or go on where a run into it stopped.

    After each epoch there is a checkpoint. An interrupt (Ctrl-C) stops after the next one, a second interrupt at once.
    A run that is complete already is not repeated.

    Args:
        config: the settings; None for the defaults.
        seed: whole number, 0 or more and below 2**32, of the split (but where the data come with one), the initial
            weights and the order of the images.
        out: the folder; it is made if needed.
        given: names of settings that were given although they have their defaults: where they have no effect they are
            refused, as those are that have not.
        force: start over, replacing a training that the folder holds; files of others are refused all the same.
        show_progress: a bar with loss, accuracy, energy and time left on a terminal or in a notebook, elsewhere a
            line now and then.
        say: receives one line of text at a time.

    Returns:
        The record, also in `record.json`: configuration, provenance, test accuracy with its 95 % interval (Wilson's,
        over test images), metrics of each epoch, seconds.

    Raises:
        ValueError: a setting out of range or without effect beside the others, data that do not fit, a folder with
            something else in it or that somebody else is writing, a damaged checkpoint, or weights that became
            infinite or NaN, or too large for their energy or loss to be finite.
        OSError: data or folder cannot be read or written.
        KeyboardInterrupt: with a message that says how to go on.

    Example:
        >>> import tempfile
        >>> from stdpjax.lab.train import TrainConfig, train
        >>> config = TrainConfig(hidden=(8,), n_epochs=1, n_settle=5, batch_size=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     record = train(config, out=folder, show_progress=False, say=lambda line: None)
        >>> record["n_updates"], record["test_accuracy"]["n_images"]
        (14, 359)
    """
    out = folder.checked_path(out, say, force=force, show_progress=show_progress)
    config = TrainConfig() if config is None else config
    _checks.instance("config", config, TrainConfig, "a TrainConfig or None")
    if isinstance(given, str) or not isinstance(given, Collection):
        raise ValueError(f"given: expected names of settings, got {given!r:.60}")
    names = [field.name for field in dataclasses.fields(config)]
    for name in given:
        _checks.choice("given", name, names)
    given = [name for name in names if name in given or name in settings.changed(config)]
    settings.refuse_without_effect(config, given)
    task = make_task(config, _checks.seed(seed), given)
    with folder.held(out, (DESCRIPTION, WEIGHTS, RECORD, *CURVES)):
        if force:
            _clear(out)
        how = "give --force to start over or another --out"
        if folder.read_own(out, DESCRIPTION, "training", task.description, lambda found: found, how) is None:
            folder.write_text(out / DESCRIPTION, folder.as_text(task.description))
        record = _finished(out)
        if record is not None:
            say(f"train: kept, already done; {_in_words(record)}")
            return record
        if task.has_split:
            n_training, n_test = len(task.training.labels), len(task.test.labels)
            say(f"train: the data's own split, {n_training} images and {n_test} for the test")
        with opened(out / CHECKPOINTS) as checkpoints:
            checkpoint = _train(task, checkpoints, out, show_progress, say)
        record = _write(task, checkpoint, out)
    say(f"train: {_in_words(record)}")
    say(f"weights, learning curve and record: {out}")
    return record


def _clear(out: Path) -> None:
    """Remove an earlier training, `training.json` last: while it is there the rest is known to be one."""
    if not (out / DESCRIPTION).exists():
        return
    for name in (RECORD, WEIGHTS, *CURVES):
        (out / name).unlink(missing_ok=True)
    if (out / CHECKPOINTS).exists():
        shutil.rmtree(out / CHECKPOINTS)
    (out / DESCRIPTION).unlink()


def _finished(out: Path) -> dict[str, Any] | None:
    """Return the record if all that a run writes is there, as it was written; what is not is written again."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
        _in_words(record)
        if record["files"] == folder.checksums(out, (WEIGHTS, *CURVES)):
            return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _train(
    task: Task, checkpoints: Checkpoints, out: Path, show_progress: bool, say: Callable[[str], None]
) -> Checkpoint:
    """Go through the epochs that are left."""
    random = named_key(key(task.seed), "train")
    mask = layered_mask(task.sizes)
    params = random_layers(named_key(random, "weights"), task.sizes, task.config.gain, task.input_rate)
    first = start(task.learner, params)
    checkpoint = checkpoints.latest(first) or Checkpoint(first, [])
    n_done, n_epochs = len(checkpoint.history), task.config.n_epochs
    if n_done > n_epochs:
        raise ValueError(f"out: expected checkpoints of at most {n_epochs} epochs, got {n_done} in {str(out)!r}")
    if n_done:
        say(f"train: going on after epoch {n_done} of {n_epochs}")
    with (
        folder.progress("train", n_epochs, "epochs", n_done, show=show_progress) as advance,
        folder.interrupts("epoch") as is_interrupted,
    ):
        for epoch in range(n_done + 1, n_epochs + 1):
            began = time.perf_counter()
            epoch_key = jax.random.fold_in(named_key(random, "epochs"), epoch)
            state, metrics = train_epoch(
                epoch_key, task.learner, checkpoint.state, task.training, mask, task.config.batch_size
            )
            measured = {name: float(value) for name, value in metrics.items()}
            _refuse_infinite(state, measured, epoch)
            accuracy = _n_right(task, state) / len(task.test.labels)
            seconds = round(time.perf_counter() - began, 3)
            metrics = {**measured, "test_accuracy": accuracy, "seconds": seconds}
            checkpoint = Checkpoint(state, [*checkpoint.history, metrics])
            checkpoints.save(checkpoint)
            shown = ("loss", "test_accuracy", "energy")
            advance(epoch, ", ".join(f"{name} {metrics[name]:.4g}" for name in shown if name in metrics))
            if is_interrupted():
                raise KeyboardInterrupt(f"epoch {epoch} of {n_epochs} is saved and the same command goes on from there")
    return checkpoint


def _refuse_infinite(state: TrainState, measured: dict[str, float], epoch: int) -> None:
    infinite = [f"{name} {value:g}" for name, value in measured.items() if not math.isfinite(value)]
    if not bool(state.is_finite):
        got = f"others in update {int(state.n_updates) + 1}"
    elif infinite:
        got = f"some so large that they make {' and '.join(infinite)}"
    else:
        return
    stays = f"the checkpoint of epoch {epoch - 1} stays" if epoch > 1 else "there is no checkpoint yet"
    raise ValueError(
        f"learning_rate: expected weights that stay finite, got {got} (epoch {epoch}); {stays}; try a lower "
        "learning_rate, a clip_norm or a weight_bound"
    )


def _n_right(task: Task, state: TrainState) -> int:
    return int(_count_right(state.params, task.test, task.config, task.sizes))


@partial(jax.jit, static_argnames=("config", "sizes"))
def _count_right(params, test, config, sizes):
    if config.rule == BACKPROPAGATION:
        found = forward_class(params, test.inputs, RATE, sizes)
    else:
        found = predict(params, test.inputs, RATE, config.phases(sizes), sizes[-1])
    return jnp.sum(found == test.labels.astype(found.dtype))


def _write(task: Task, checkpoint: Checkpoint, out: Path) -> dict[str, Any]:
    """Write weights, learning curve and, once they are there, the record."""
    state, history = checkpoint
    n_right, n_images = _n_right(task, state), len(task.test.labels)
    interval = wilson_interval(n_right, n_images)
    record = {
        "configuration": folder.plain(task.config),
        "seed": task.seed,
        "sizes": list(task.sizes),
        "n_training_images": len(task.training.labels),
        "n_updates": int(state.n_updates),
        "test_accuracy": {"value": n_right / n_images, "interval": list(interval), "n_images": n_images},
        "history": history,
        "seconds": round(sum(metrics["seconds"] for metrics in history), 3),
        "finished": folder.now(),
        "checksum of data": task.description["checksum of data"],
        "provenance": task.origin,
    }
    with folder.aside(out / WEIGHTS) as partial_file:
        np.savez(partial_file, weights=state.params.weights, bias=state.params.bias, sizes=np.array(task.sizes))
    with plotting.style():
        curve = plot(history, interval, f"{'-'.join(map(str, task.sizes))}, {task.config.rule}")
        folder.save_figure(curve, *(out / name for name in CURVES))
    record["files"] = folder.checksums(out, (WEIGHTS, *CURVES))
    folder.write_text(out / RECORD, folder.as_text(record))
    return record


def _in_words(record: dict[str, Any]) -> str:
    accuracy = record["test_accuracy"]
    low, high = accuracy["interval"]
    return (
        f"test accuracy {accuracy['value']:.4g} (95 %: {low:.3f} … {high:.3f}) on {accuracy['n_images']} images after "
        f"{len(record['history'])} epochs in {record['seconds']:.1f} s"
    )
