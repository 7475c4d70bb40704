"""The processes of a run: how they find each other, and what one of them does for all."""

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax._src import clusters, xla_bridge  # not public: the launchers that JAX knows, and whether it has started
from jax.experimental import multihost_utils

import stdpjax
from stdpjax import _checks
from stdpjax.parallel import watch


class MainProcessError(RuntimeError):
    """What the other processes raise when the main one failed at something that it does for all."""

    is_refusal = False
    """Whether the main process refused what it was given, which it says itself."""


def initialize(
    coordinator: str | None = None,
    n_processes: int | None = None,
    process_id: int | None = None,
    *,
    start_timeout: float = 20.0,
    same: Mapping[str, Any] | None = None,
) -> None:
    """Connect this process with the others of a run; call it before anything is computed.

    What is not given comes from the launcher (those that `jax.distributed` knows: Slurm, Open MPI, Cloud TPU,
    Kubernetes jobs). On a plain machine with nothing given, and for one process, there is nothing to do. Under Slurm
    and Open MPI JAX gives each process of a node one of its GPUs; `JAX_LOCAL_DEVICE_IDS=0,1,...` gives it several.

    From then on the processes watch each other. When one is killed, fails or falls silent, each of the others ends
    within 30 s, whatever it is doing, with one line on standard error and exit code 3; nothing can catch that.

    Args:
        coordinator: "HOST:PORT", where process 0 can be reached by all.
        n_processes: number of processes, 1 or more.
        process_id: number of this process, from 0 to `n_processes - 1`.
        start_timeout: how many seconds process 0 waits for all others, and those for process 0: longer where a cluster
            starts some nodes later than others.
        same: names and values that must be the same in all processes, as versions, source and precision must.

    Raises:
        ValueError: an argument out of range, or missing where no launcher supplies it.
        RuntimeError: JAX has already started its devices, or is connected already.
        ConnectionError: the other processes did not come in time, or were started with something else.

    Example:
        >>> import stdpjax
        >>> stdpjax.parallel.initialize(n_processes=1)  # a single process: nothing to connect
    """
    if coordinator is not None:
        _checks.instance("coordinator", coordinator, str, "HOST:PORT")
    address = os.environ.get("JAX_COORDINATOR_ADDRESS") or None if coordinator is None else coordinator
    if address is not None:
        host, _, port = address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise ValueError(f"coordinator: expected HOST:PORT, got {address!r}")
    if n_processes is not None:
        n_processes = _checks.count("n_processes", n_processes)
    if process_id is not None:
        process_id = _checks.count("process_id", process_id, minimum=0)
        if n_processes is not None and process_id >= n_processes:
            raise ValueError(
                f"process_id: expected 0 to {n_processes - 1}, as there are {n_processes} processes, got {process_id}"
            )
    start_timeout = float(_checks.number("start_timeout", start_timeout, above=0))
    if same is not None:
        _checks.instance("same", same, Mapping, "names and values")
    if n_processes == 1:
        return
    given = {"coordinator": coordinator, "n_processes": n_processes, "process_id": process_id}
    is_given = any(value is not None for value in given.values())
    has_launcher = _has_launcher()
    if not has_launcher:
        if not is_given and address is None:
            return
        missing = [name for name, value in (given | {"coordinator": address}).items() if value is None]
        if missing:
            raise ValueError(
                f"{missing[0]}: expected coordinator, n_processes and process_id together, as no cluster launcher was "
                f"found, got {missing[0]}=None"
            )
    if jax.distributed.is_initialized():
        if is_given:
            raise RuntimeError("initialize: expected to be called once, got a process that is already connected")
        return
    if xla_bridge.backends_are_initialized():
        raise RuntimeError("initialize: expected to be called before JAX computes anything or lists its devices")
    if has_launcher:
        address, n_processes, process_id, _ = clusters.ClusterEnv.auto_detect_unset_distributed_params(
            address, n_processes, process_id, None, None, math.ceil(start_timeout)
        )
    if address is None or n_processes is None or process_id is None:
        raise ValueError(f"coordinator: expected a launcher that tells it, got {address}, {n_processes}, {process_id}")
    package = Path(stdpjax.__file__).parent
    source = b"".join(path.read_bytes() for path in sorted(package.rglob("*.py")))
    all_same = {
        "stdpjax": f"{stdpjax.__version__} ({hashlib.sha256(source).hexdigest()[:8]})",
        "jax": jax.__version__,
        "precision": jax.dtypes.canonicalize_dtype("float64"),
        **(same or {}),
    }
    port = watch.meet(address, n_processes, process_id, all_same, start_timeout)
    reached = f"127.0.0.1:{port}", n_processes, process_id
    try:
        jax.distributed.initialize(*reached, initialization_timeout=25, coordinator_bind_address=f"[::]:{port}")
    except RuntimeError as error:
        raise ConnectionError(f"coordinator: expected to reach all processes, got {error}") from error


def _has_launcher() -> bool:
    """Whether JAX finds a launcher that tells this process about the others.

    `jax.distributed.initialize` refuses to look once JAX has started, which a single process may well have done.
    """
    launchers = [launcher for launcher in clusters.ClusterEnv._cluster_types if not launcher.opt_in_only_method]
    if "JOB_COMPLETION_INDEX" not in os.environ:  # any pod looks like a cluster to JAX, a single one too
        launchers = [launcher for launcher in launchers if launcher.__name__ != "K8sCluster"]
    return any(launcher.is_env_present() for launcher in launchers)


def is_main_process() -> bool:
    """Return whether this process is the one that prints and writes: process 0, or the only one.

    Example:
        >>> import stdpjax
        >>> stdpjax.parallel.is_main_process()
        True
    """
    # Without a connection there is one process, and JAX need not be started to know.
    return not jax.distributed.is_initialized() or jax.process_index() == 0


def on_main_process(action: Callable[[], Any]) -> Any:
    """Do something in the main process alone, while the others wait for it and for what it returns.

    Args:
        action: takes nothing and returns JSON-able data. If it fails, all processes stop here.

    Returns:
        What the action returned, in every process.

    Raises:
        ValueError: what is given is no function.
        MainProcessError: in the other processes, when the action failed in the main one, which raises its own error.

    Example:
        >>> import stdpjax
        >>> stdpjax.parallel.on_main_process(lambda: [1, 2])
        [1, 2]
    """
    _checks.function("action", action, "")
    if not jax.distributed.is_initialized() or jax.process_count() == 1:
        return action()
    if not is_main_process():
        said = json.loads(_from_main(b""))
        if "error" in said:
            failure = MainProcessError(f"process 0, the main one, stopped: {said['error']}")
            failure.is_refusal = said["is_refusal"]
            raise failure
        return said["value"]
    try:
        value = action()
        text = json.dumps({"value": value})
    except BaseException as error:  # an interrupt too, or the others would wait forever
        said = {"error": f"{type(error).__name__}: {error}".rstrip(": "), "is_refusal": isinstance(error, ValueError)}
        _from_main(json.dumps(said).encode())
        raise
    _from_main(text.encode())
    return value


def _from_main(text: bytes) -> bytes:
    """Hand the main process's bytes to all."""
    with watch.together():
        content = np.zeros(int(multihost_utils.broadcast_one_to_all(np.int32(len(text)))), np.uint8)
        if is_main_process():
            content[:] = np.frombuffer(text, np.uint8)
        return multihost_utils.broadcast_one_to_all(content).tobytes()
