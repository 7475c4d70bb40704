"""Training runs: the only place of learning that shows progress and touches files.

One folder holds one run: `training.json`, which says of what, the checkpoints, and in the end `weights.npz`, the
learning curve and `record.json`. Its numbers depend on settings, seed and versions alone: one that was killed and
started again ends with the same bits as one that was not.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from stdpjax import _checks, settings
from stdpjax._files import aside, file_checksum, folder_path, make_folder, remove_leftovers, write_aside
from stdpjax._interrupts import on_interrupt
from stdpjax._lock import sole_writer
from stdpjax._progress import is_watched
from stdpjax.learning.backpropagation import forward_class
from stdpjax.learning.checkpoints import Checkpoint, Checkpoints, opened
from stdpjax.learning.config import BACKPROPAGATION, RATE, TrainConfig, make_learner
from stdpjax.learning.data import Images, count_classes, load_digits, load_images, split
from stdpjax.learning.layers import layered_mask, random_layers
from stdpjax.learning.supervised import Labelled, predict
from stdpjax.learning.training import Learner, TrainState, start, train_epoch
from stdpjax.provenance import DECISIVE, differences, provenance
from stdpjax.random import key, named_key
from stdpjax.stats import wilson_interval

RECORD = "record.json"
WEIGHTS = "weights.npz"
CURVES = ("learning_curve.png", "learning_curve.svg")
DESCRIPTION = "training.json"
CHECKPOINTS = "checkpoints"
_LOCK = ".lock"
_FORMAT = 1


class _Task(NamedTuple):
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
        show_progress: draw a bar with loss, accuracy, energy and time left on a terminal or in a notebook.
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
        >>> from stdpjax import learning
        >>> config = learning.TrainConfig(hidden=(8,), n_epochs=1, n_settle=5, batch_size=100)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     record = learning.train(config, out=folder, show_progress=False, say=lambda line: None)
        >>> record["n_updates"], record["test_accuracy"]["n_images"]
        (14, 359)
    """
    out = folder_path(out)
    config = TrainConfig() if config is None else config
    if not isinstance(config, TrainConfig):
        raise ValueError(f"config: expected a stdpjax.learning.TrainConfig, got {config!r:.60}")
    for name, value in (("force", force), ("show_progress", show_progress)):
        _checks.flag(name, value)
    if not callable(say):
        raise ValueError(f"say: expected a function that takes a line of text, got {say!r}")
    if isinstance(given, str) or not isinstance(given, Collection):
        raise ValueError(f"given: expected names of settings, got {given!r:.60}")
    names = [field.name for field in dataclasses.fields(config)]
    for name in given:
        _checks.choice("given", name, names)
    given = [name for name in names if name in given or name in settings.changed(config)]
    settings.refuse_without_effect(config, given)
    task = _make_task(config, _checks.seed(seed), given)
    make_folder(out)
    with sole_writer(out / _LOCK, out):
        for name in (DESCRIPTION, WEIGHTS, RECORD, *CURVES):
            remove_leftovers(out / name)
        if force:
            _clear(out)
        if not _holds(task, out):
            write_aside(out / DESCRIPTION, json.dumps(task.description, indent=2, allow_nan=False) + "\n")
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


def _make_task(config: TrainConfig, seed: int, given: Collection[str]) -> _Task:
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
        **json.loads(json.dumps(dataclasses.asdict(config))),
        "seed": seed,
        "checksum of data": _checksum(images),
        **{name: origin[name] for name in (*DECISIVE, "optax")},
    }
    return _Task(
        config,
        seed,
        sizes,
        make_learner(config, sizes, config.n_epochs * (n_training // config.batch_size)),
        _as_rates(for_training),
        _as_rates(for_test),
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


def _as_rates(images: Images) -> Labelled:
    """Return activities at which the input units' rates are the pixels."""
    assert RATE.kinks is not None
    rates = jnp.asarray(images.pixels.reshape(len(images.labels), -1), float)
    return Labelled(rates + RATE.kinks[0], jnp.asarray(images.labels))


def _clear(out: Path) -> None:
    """Remove an earlier training, `training.json` last: while it is there the rest is known to be one."""
    if not (out / DESCRIPTION).exists():
        return
    for name in (RECORD, WEIGHTS, *CURVES):
        (out / name).unlink(missing_ok=True)
    if (out / CHECKPOINTS).exists():
        shutil.rmtree(out / CHECKPOINTS)
    (out / DESCRIPTION).unlink()


def _holds(task: _Task, out: Path) -> bool:
    """Whether the folder holds this training, begun or complete; refuse any other content."""
    others = sorted(path.name for path in out.iterdir() if path.name != _LOCK)
    if not others:
        return False
    try:
        found = json.loads((out / DESCRIPTION).read_text(encoding="utf-8"))
        different = differences(task.description, found)
    except FileNotFoundError:
        raise ValueError(
            f"out: expected an empty folder or one of a training, got {str(out)!r} with {', '.join(others[:5])}; give "
            "another --out"
        ) from None
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"out: expected a readable {DESCRIPTION}, got {str(out / DESCRIPTION)!r} with {error}; give --force to "
            "start over or another --out"
        ) from error
    if different:
        raise ValueError(
            f"out: expected a folder of this training, got {str(out)!r} of another: {'; '.join(different)}; give "
            "--force to start over or another --out"
        )
    return True


def _finished(out: Path) -> dict[str, Any] | None:
    """Return the record if all that a run writes is there, as it was written; what is not is written again."""
    try:
        record = json.loads((out / RECORD).read_text(encoding="utf-8"))
        _in_words(record)
        if record["files"] == {name: file_checksum(out / name) for name in (WEIGHTS, *CURVES)}:
            return record
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def _train(
    task: _Task, checkpoints: Checkpoints, out: Path, show_progress: bool, say: Callable[[str], None]
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
    with _bar(n_done, n_epochs, show_progress) as advance, _interrupt_between_epochs() as interrupted:
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
            advance(metrics)
            if interrupted():
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


def _n_right(task: _Task, state: TrainState) -> int:
    return int(_count_right(state.params, task.test, task.config, task.sizes))


@partial(jax.jit, static_argnames=("config", "sizes"))
def _count_right(params, test, config, sizes):
    if config.rule == BACKPROPAGATION:
        found = forward_class(params, test.inputs, RATE, sizes)
    else:
        found = predict(params, test.inputs, RATE, config.phases(sizes), sizes[-1])
    return jnp.sum(found == test.labels.astype(found.dtype))


def _write(task: _Task, checkpoint: Checkpoint, out: Path) -> dict[str, Any]:
    """Write weights, learning curve and, once they are there, the record."""
    from stdpjax import plotting  # matplotlib takes a second to import
    from stdpjax.learning import figure

    state, history = checkpoint
    n_right, n_images = _n_right(task, state), len(task.test.labels)
    interval = wilson_interval(n_right, n_images)
    record = {
        "configuration": json.loads(json.dumps(dataclasses.asdict(task.config))),
        "seed": task.seed,
        "sizes": list(task.sizes),
        "n_training_images": len(task.training.labels),
        "n_updates": int(state.n_updates),
        "test_accuracy": {"value": n_right / n_images, "interval": list(interval), "n_images": n_images},
        "history": history,
        "seconds": round(sum(metrics["seconds"] for metrics in history), 3),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "checksum of data": task.description["checksum of data"],
        "provenance": task.origin,
    }
    with aside(out / WEIGHTS) as partial_file:
        np.savez(partial_file, weights=state.params.weights, bias=state.params.bias, sizes=np.array(task.sizes))
    title = f"{'-'.join(map(str, task.sizes))}, {task.config.rule}"
    with plotting.style():
        curve = figure.plot(history, interval, title)
        for name in CURVES:
            with aside(out / name) as partial_file:
                curve.savefig(partial_file, metadata={"Date": None} if name.endswith("svg") else None)
    record["files"] = {name: file_checksum(out / name) for name in (WEIGHTS, *CURVES)}
    write_aside(out / RECORD, json.dumps(record, indent=2, allow_nan=False) + "\n")
    return record


def _in_words(record: dict[str, Any]) -> str:
    accuracy = record["test_accuracy"]
    low, high = accuracy["interval"]
    return (
        f"test accuracy {accuracy['value']:.4g} (95 %: {low:.3f} … {high:.3f}) on {accuracy['n_images']} images after "
        f"{len(record['history'])} epochs in {record['seconds']:.1f} s"
    )


@contextlib.contextmanager
def _interrupt_between_epochs() -> Iterator[Callable[[], bool]]:
    """Hold back a first interrupt, for `interrupted()` to tell of; a second one goes through."""
    asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt("the epoch was left; the same command goes on after the last complete one")
        asked = True

    with on_interrupt(ask):
        yield lambda: asked


@contextlib.contextmanager
def _bar(n_done: int, n_epochs: int, show: bool) -> Iterator[Callable[[dict[str, float]], None]]:
    """A progress bar over epochs on a terminal or in a notebook, nothing elsewhere."""
    if not (show and is_watched()):
        yield lambda metrics: None
        return
    from tqdm import tqdm

    with tqdm(total=n_epochs, initial=n_done, desc="train", unit="epoch", leave=False) as bar:

        def advance(metrics: dict[str, float]) -> None:
            shown = {"loss": metrics["loss"], "accuracy": metrics["test_accuracy"]}
            if "energy" in metrics:
                shown["energy"] = metrics["energy"]
            bar.set_postfix({name: f"{value:.4g}" for name, value in shown.items()}, refresh=False)
            bar.update()

        yield advance
