"""Work shared out over all devices of all processes, one element of a leading axis at a time."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec


def map_sharded(function: Callable[..., Any], *arrays: Any) -> Any:
    """Apply a function to every element of a leading axis, shared out over all devices of all processes.

    Args:
        function: pure function of one element of each array; it may take and return pytrees.
        *arrays: arrays, or pytrees of arrays, with one common leading axis.

    Returns:
        What `vmap` gives, as NumPy arrays of the true length, in every process.

    Example:
        >>> import numpy as np
        >>> from stdpjax.parallel import map_sharded
        >>> map_sharded(lambda x: x + x, np.arange(3)).tolist()
        [0, 2, 4]
    """
    length = len(jax.tree.leaves(arrays)[0])
    n_padded = -(-length // n_devices()) * n_devices()
    # Padding repeats the last element, so that nothing undefined is ever computed with.
    padded = jax.tree.map(lambda array: np.concatenate([array, array[-1:].repeat(n_padded - length, 0)]), arrays)
    results = _compiled(function, n_devices())(*padded)
    return jax.tree.map(lambda array: np.asarray(array)[:length], results)


def n_devices() -> int:
    """Return the number of devices of all processes."""
    return jax.device_count()


def is_main_process() -> bool:
    """Whether this is the process that writes files."""
    return jax.process_index() == 0


@functools.lru_cache(maxsize=64)
def _compiled(function: Callable[..., Any], n: int) -> Callable[..., Any]:
    mesh = Mesh(np.array(jax.devices()[:n]), ("device",))
    spec = PartitionSpec("device")
    return jax.jit(jax.shard_map(jax.vmap(function), mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False))
