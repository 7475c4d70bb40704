"""Any number of devices and processes: one axis of devices, one contiguous block of the leading axis on each.

Blocks never talk to each other; the only communication is the gathering of what they computed. With several
processes every one of them calls the same functions with the same arguments in the same order, and gets the whole
result.
"""

import json
import os
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax._src import clusters  # what JAX knows about launchers, which is not public: see `_has_launcher`
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stdpjax import _checks

AXIS = "device"
_ON_BLOCKS, _ON_ALL = PartitionSpec(AXIS), PartitionSpec()


class MainProcessError(RuntimeError):
    """What the other processes raise when the main one failed at something that it does for all."""


def initialize(coordinator: str | None = None, n_processes: int | None = None, process_id: int | None = None) -> None:
    """Connect this process with the others of a run; call it before anything is computed.

    What is not given comes from the launcher (those that `jax.distributed` knows: Slurm, Open MPI, Cloud TPU,
    Kubernetes jobs). On a plain machine with nothing given, and for one process, there is nothing to do. Under Slurm
    and Open MPI JAX gives each process of a node one of its GPUs; `JAX_LOCAL_DEVICE_IDS=0,1,...` gives it several.

    Args:
        coordinator: "HOST:PORT", where process 0 can be reached by all.
        n_processes: number of processes, 1 or more.
        process_id: number of this process, from 0 to `n_processes - 1`.

    Raises:
        ValueError: an argument out of range, or missing where no launcher supplies it.
        RuntimeError: JAX has already started its devices, or is connected already.
        ConnectionError: the other processes were not reached.

    Example:
        >>> import stdpjax
        >>> stdpjax.parallel.initialize(n_processes=1)  # a single process: nothing to connect
    """
    if coordinator is not None:
        if not isinstance(coordinator, str):
            raise ValueError(f"coordinator: expected HOST:PORT, got {coordinator!r}")
        host, _, port = coordinator.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise ValueError(f"coordinator: expected HOST:PORT, got {coordinator!r}")
    if n_processes is not None:
        n_processes = _checks.count("n_processes", n_processes)
    if process_id is not None:
        process_id = _checks.count("process_id", process_id, minimum=0)
        if n_processes is not None and process_id >= n_processes:
            raise ValueError(
                f"process_id: expected 0 to {n_processes - 1}, as there are {n_processes} processes, got {process_id}"
            )
    if n_processes == 1:
        return
    settings = {"coordinator": coordinator, "n_processes": n_processes, "process_id": process_id}
    is_given = any(value is not None for value in settings.values())
    if not _has_launcher():
        if not is_given and "JAX_COORDINATOR_ADDRESS" not in os.environ:
            return
        if "JAX_COORDINATOR_ADDRESS" in os.environ:
            settings.pop("coordinator")
        missing = [name for name, value in settings.items() if value is None]
        if missing:
            raise ValueError(
                f"{missing[0]}: expected coordinator, n_processes and process_id together, as no cluster launcher was "
                f"found, got {missing[0]}=None"
            )
    if jax.distributed.is_initialized():
        if is_given:
            raise RuntimeError("initialize: expected to be called once, got a process that is already connected")
        return
    try:
        jax.distributed.initialize(coordinator, n_processes, process_id)
    except RuntimeError as error:
        if "must be called before" in str(error):
            raise RuntimeError(
                "initialize: expected to be called before JAX computes anything or lists its devices"
            ) from error
        raise ConnectionError(f"coordinator: expected to reach all processes, got {error}") from error


def _has_launcher() -> bool:
    """Whether JAX finds a launcher that tells this process about the others.

    Asking `jax.distributed.initialize` would do, but it refuses to look once JAX has started, which a single process
    may well have done.
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


def n_devices() -> int:
    """Return the number of devices of all processes together.

    Example:
        >>> import stdpjax
        >>> stdpjax.parallel.n_devices() >= 1
        True
    """
    return jax.device_count()


def mesh() -> Mesh:
    """Return all devices of all processes along one axis, those of a process next to each other.

    Example:
        >>> import stdpjax
        >>> stdpjax.parallel.mesh().size == stdpjax.parallel.n_devices()
        True
    """
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    return Mesh(np.array(devices), (AXIS,))


def map_sharded(function: Callable[..., Any], *arrays: Any) -> Any:
    """Apply a function to each element of the leading axis, a block of elements on each device.

    The function is compiled once for each function object, shape and dtype: define it once, outside the loop that
    calls this. With several processes each has to make the same call.

    Args:
        function: takes one element of each of `arrays` and returns arrays (pytrees on either side); pure, jittable
            and hashable.
        *arrays: arrays, keys, or pytrees of them, with one common length along their leading axes. A length that the
            devices do not divide is padded with copies of the last element, which are dropped afterwards.

    Returns:
        The function's results stacked along the leading axis, as numpy arrays (keys as their words), whole in every
        process. Integers are
        the same for every number of devices and processes. Floating-point numbers are as far as XLA's rounding does
        not depend on how many elements a device has: elementwise arithmetic does not, a matrix product may.

    Raises:
        ValueError: no arrays, no leading axis, different lengths, or a call under `jit`, `vmap` or `grad` (use
            `jax.vmap` there).

    Example:
        >>> import numpy as np, stdpjax
        >>> def square(number):
        ...     return number**2
        >>> stdpjax.parallel.map_sharded(square, np.arange(5)).tolist()
        [0, 1, 4, 9, 16]
    """
    _check_callable("function", function)
    if is_traced(arrays):
        raise ValueError("arrays: expected known values, got traced ones; under jit, vmap or grad use jax.vmap")
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(arrays)]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(f"arrays: expected arrays with leading axes of one length, got shapes {shapes}")
    if shapes[0][0] == 0:
        result = jax.eval_shape(lambda *arrays: _plain(jax.vmap(function)(*arrays)), *arrays)
        return jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), result)
    return map_blocks(_by_element(function), *arrays)


# One object for each function, so that what is compiled for it is found again.
@lru_cache(maxsize=256)
def _by_element(function: Callable[..., Any]) -> Callable[..., Any]:
    return jax.vmap(function)


def map_blocks(
    function: Callable[..., Any],
    *arrays: Any,
    shared: Sequence[Any] = (),
    compiler_options: tuple[tuple[str, Any], ...] = (),
) -> Any:
    """Apply a function to one contiguous block of the leading axis on each device.

    Args:
        function: takes a block of each of `arrays` and then `shared`, and returns arrays (pytrees) of as many
            elements as the block has; compiled once for each function object.
        *arrays: arrays, keys, or pytrees of them, with one common length of at least 1 along their leading axes.
        shared: arrays, keys, or pytrees of them, that every device gets whole.
        compiler_options: XLA's, as for `jax.jit`, in pairs.

    Returns:
        The blocks' results, joined, as numpy arrays, whole in every process.

    Raises:
        ValueError: no function, no arrays, no leading axis, or different lengths.

    Example:
        >>> import jax.numpy as jnp, numpy as np, stdpjax
        >>> def times(numbers, factor):
        ...     return numbers * factor
        >>> stdpjax.parallel.map_blocks(times, np.arange(3), shared=[np.int32(2)]).tolist()
        [0, 2, 4]
    """
    _check_callable("function", function)
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(arrays)]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1 or shapes[0][0] == 0:
        raise ValueError(f"arrays: expected arrays with leading axes of one length above 0, got shapes {shapes}")
    devices = mesh()
    leaves, structure = jax.tree.flatten(arrays)
    shared_leaves, shared_structure = jax.tree.flatten(tuple(shared))
    n_elements = np.shape(leaves[0])[0]
    key_kinds = tuple(_key_kind(leaf) for leaf in [*leaves, *shared_leaves])
    compiled = compiled_blocks(function, devices, structure, shared_structure, key_kinds, compiler_options)
    blocks = [_place(_padded(_on_host(leaf), devices.size), devices, _ON_BLOCKS) for leaf in _plain(leaves)]
    result = compiled(blocks, [_place(_on_host(leaf), devices, _ON_ALL) for leaf in _plain(shared_leaves)])
    if jax.process_count() > 1:
        result = multihost_utils.process_allgather(result, tiled=True)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:n_elements], result)


def _check_callable(name: str, value: Any) -> None:
    """Refuse what is no function, or none that can be found again by its hash."""
    if not callable(value) or not isinstance(value, Hashable):
        raise ValueError(f"{name}: expected a hashable function, got {value!r}")


@lru_cache(maxsize=256)
def compiled_blocks(
    function: Callable[..., Any],
    devices: Mesh,
    structure: Any,
    shared_structure: Any,
    key_kinds: tuple[Any, ...],
    compiler_options: tuple[tuple[str, Any], ...] = (),
) -> Callable[..., Any]:
    """Return the jitted program of `map_blocks`: leaves of the blocks, leaves of what is shared, sharded results."""

    def on_one_device(blocks: list[Any], shared: list[Any]) -> Any:
        leaves = [
            words if kind is None else jax.random.wrap_key_data(words, impl=kind)
            for words, kind in zip([*blocks, *shared], key_kinds, strict=True)
        ]
        arguments = jax.tree.unflatten(structure, leaves[: len(blocks)])
        return _plain(function(*arguments, *jax.tree.unflatten(shared_structure, leaves[len(blocks) :])))

    return jax.jit(
        # Nothing is exchanged inside, so there is nothing for JAX to check about what differs between devices.
        jax.shard_map(
            on_one_device, mesh=devices, in_specs=(_ON_BLOCKS, _ON_ALL), out_specs=_ON_BLOCKS, check_vma=False
        ),
        compiler_options=dict(compiler_options),
    )


def _key_kind(leaf: Any) -> Any:
    """The generator of a key, None for another array."""
    is_key = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_impl(leaf) if is_key else None


def _plain(tree: Any) -> Any:
    """The tree with the words of each key in the key's place: devices of other processes take no typed keys."""
    return jax.tree.map(lambda leaf: leaf if _key_kind(leaf) is None else jax.random.key_data(leaf), tree)


def _on_host(leaf: Any) -> np.ndarray:
    array = np.asarray(leaf)
    return array.astype(jax.dtypes.canonicalize_dtype(array.dtype), copy=False)


def _padded(array: np.ndarray, multiple: int) -> np.ndarray:
    n_missing = -array.shape[0] % multiple
    return np.concatenate([array, np.repeat(array[-1:], n_missing, axis=0)]) if n_missing else array


def _place(array: np.ndarray, devices: Mesh, parts: PartitionSpec) -> jax.Array:
    """The array over all devices; each process fills its own, which `jax.device_put` would compare over all."""
    return jax.make_array_from_callback(array.shape, NamedSharding(devices, parts), lambda index: array[index])


def is_traced(tree: Any) -> bool:
    """Return whether any array of a tree is known only by its shape, as under `jit`, `vmap` and `grad`."""
    return any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(tree))


def is_placed(tree: Any) -> bool:
    """Return whether somebody chose the devices: of an array of the tree (`jax.device_put`), or by default."""
    arrays = [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, jax.Array)]
    # The attribute is made at run time.
    default = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    return default is not None or any(array.committed for array in arrays)


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
    _check_callable("action", action)
    if not jax.distributed.is_initialized() or jax.process_count() == 1:
        return action()
    if not is_main_process():
        said = json.loads(_from_main(b""))
        if "error" in said:
            raise MainProcessError(f"the main process stopped: {said['error']}")
        return said["value"]
    try:
        value = action()
        text = json.dumps({"value": value})
    except BaseException as error:  # an interrupt too, or the others would wait forever
        _from_main(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        raise
    _from_main(text.encode())
    return value


def _from_main(text: bytes) -> bytes:
    """Hand the main process's bytes to all."""
    length = int(multihost_utils.broadcast_one_to_all(np.int32(len(text))))
    content = np.zeros(length, np.uint8)
    if is_main_process():
        content[:] = np.frombuffer(text, np.uint8)
    return multihost_utils.broadcast_one_to_all(content).tobytes()
