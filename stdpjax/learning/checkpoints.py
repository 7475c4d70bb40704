"""Checkpoints of a training run, through orbax: what learning needs to go on as if it had not stopped.

Each is written aside and counts once it is complete; a checksum says whether it still is what was written.
"""

import contextlib
import hashlib
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stdpjax.learning.training import TrainState

History = list[Mapping[str, float]]


class Checkpoint(NamedTuple):
    """Where a training run stands after an epoch."""

    state: TrainState
    history: History
    """The metrics of each epoch so far, so its length is the number of epochs."""


class Checkpoints:
    """The checkpoints in a folder, of which the last two are kept. Made by `opened`."""

    def __init__(self, folder: Path, manager: Any) -> None:
        self._folder, self._manager = folder, manager

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; it is there, complete, when this returns."""
        import orbax.checkpoint as ocp

        content = {
            "history": list(checkpoint.history),
            "arrays": _arrays(checkpoint.state),
            "checksum": checksum(checkpoint),
        }
        items = {"state": ocp.args.StandardSave(checkpoint.state), "about": ocp.args.JsonSave(content)}
        self._manager.save(len(checkpoint.history), args=ocp.args.Composite(**items))

    def latest(self, like: TrainState) -> Checkpoint | None:
        """Return the newest checkpoint, or None if there is none.

        Args:
            like: a state of the same structure.

        Raises:
            ValueError: a checkpoint that is damaged, or of something else.
        """
        import orbax.checkpoint as ocp

        epoch = self._manager.latest_step()
        if epoch is None:
            return None
        try:
            about = self._restored(epoch, about=ocp.args.JsonRestore())["about"]
            wrong = "its contents changed"
            if about["arrays"] != _arrays(like):
                wrong = "it is of another network or optimiser"
            elif len(about["history"]) == epoch:
                restored = self._restored(epoch, state=ocp.args.StandardRestore(like))["state"]
                # As fresh arrays: where they lie must not differ from those of a run that was not stopped.
                state = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), restored)
                found = Checkpoint(state, about["history"])
                if checksum(found) == about["checksum"]:
                    return found
        except Exception as error:  # whatever orbax and the libraries below it meet in damaged files
            wrong = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        earlier = [step for step in self._manager.all_steps() if step < epoch]
        how = f"the one of epoch {max(earlier)}" if earlier else "the beginning"
        raise ValueError(
            f"out: expected a readable checkpoint, got {str(self._folder / str(epoch))!r}, which is damaged or of "
            f"something else ({wrong}); move it away to go on from {how}"
        )

    def _restored(self, epoch: int, **items: Any) -> Any:
        import orbax.checkpoint as ocp

        return self._manager.restore(epoch, args=ocp.args.Composite(**items))


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Checkpoints]:
    """Open the checkpoints in a folder, which is made if needed; what a killed process was writing is cleared.

    Raises:
        OSError: the folder cannot be made.
    """
    import orbax.checkpoint as ocp  # takes seconds to import

    options = ocp.CheckpointManagerOptions(
        max_to_keep=2, enable_async_checkpointing=False, cleanup_tmp_directories=True
    )
    log = logging.getLogger("absl")
    level = log.level
    # It warns of an old checkpoint that a killed process was removing, which goes when the next one is saved.
    log.setLevel(logging.ERROR)
    try:
        with ocp.CheckpointManager(folder.absolute(), options=options) as manager:
            yield Checkpoints(folder, manager)
    finally:
        log.setLevel(level)


def _arrays(state: TrainState) -> list[str]:
    """Return type and shape of each array."""
    return [f"{leaf.dtype} {leaf.shape}" for leaf in jax.tree.leaves(state)]


def checksum(checkpoint: Checkpoint) -> str:
    """Return the SHA-256 of a checkpoint's arrays and history."""
    digest = hashlib.sha256(repr([sorted(metrics.items()) for metrics in checkpoint.history]).encode())
    for leaf in jax.tree.leaves(checkpoint.state):
        array = np.asarray(leaf)
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
