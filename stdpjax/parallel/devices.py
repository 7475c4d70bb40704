"""The devices of all processes along one axis, and a function applied to a block on each of them."""

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stdpjax.parallel import watch

AXIS = "device"
_ON_BLOCKS, _ON_ALL = PartitionSpec(AXIS), PartitionSpec()


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
        process. Integers are the same for every number of devices and processes. Floating-point numbers are as far as
        XLA's rounding does not depend on how many elements a device has: elementwise arithmetic does not, a matrix
        product may.

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
        with watch.together():
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
