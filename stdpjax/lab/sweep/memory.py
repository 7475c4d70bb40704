"""How many points fit into a memory budget."""

import collections
import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stdpjax import parallel
from stdpjax.lab.study import Point
from stdpjax.random._threefry import UNROLLED_THREEFRY

_UNITS = {"": 1, "B": 1} | {
    f"{letter}{suffix}": base**power
    for power, letter in enumerate("KMGT", start=1)
    for suffix, base in (("", 1024), ("iB", 1024), ("B", 1000))
}
# No more points than this on one device before they are written: the budget is a limit, and a chunk is also what an
# interrupt waits for.
_POINTS_AT_ONCE = 16


def parse_memory(memory: int | str) -> int:
    """Return a memory budget in bytes.

    Args:
        memory: bytes, or a text such as "2GiB", "500MB" or "4G" (which is 4 GiB).

    Returns:
        Bytes, at least 1.

    Raises:
        ValueError: a text of another form, or less than one byte.

    Example:
        >>> parse_memory("1.5KiB")
        1536
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]*)\s*", str(memory))
    is_known = isinstance(memory, int | np.integer | str) and not isinstance(memory, bool)
    if not is_known or not match or match[2] not in _UNITS or float(match[1]) * _UNITS[match[2]] < 1:
        raise ValueError(f"memory: expected bytes, or a text such as '2GiB' or '500MB', got {memory!r}")
    return int(float(match[1]) * _UNITS[match[2]])


class Program(NamedTuple):
    """What is computed at one point, the shapes of its results, and the memory that its compiled program takes."""

    function: Any
    results: Mapping[str, jax.ShapeDtypeStruct]
    working_bytes: int


@functools.lru_cache(maxsize=256)
def make_program(point: Point, config: Any) -> Program:
    """Return what is computed at one point: a function of key data and traced values, the same for the same arguments.

    A device takes its points one after the other. A point has a sequence axis of its own to fill the device with, and
    so every point runs through the same compiled body whatever the size of a chunk: results do not depend on it, to
    the last bit.
    """

    @jax.custom_batching.sequential_vmap
    def function(key_data: jax.Array, values: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return point.function(jax.random.wrap_key_data(key_data, impl=UNROLLED_THREEFRY), values, config)

    key_data = jax.ShapeDtypeStruct((2,), jnp.uint32)
    values = {name: jax.ShapeDtypeStruct((), jnp.zeros(()).dtype) for name in point.traced}
    lowered = jax.jit(function).lower(key_data, values)
    used = lowered.compile().memory_analysis()  # None where the backend tells nothing
    n_bytes = 0 if used is None else used.temp_size_in_bytes + used.argument_size_in_bytes + used.output_size_in_bytes
    results = {name: jax.ShapeDtypeStruct(one.shape, one.dtype) for name, one in lowered.out_info.items()}
    return Program(function, results, n_bytes)


def points_at_once(program: Program, result_bytes: int, budget: int, block: int) -> int:
    """Return how many points are computed before they are written, at least `block`, which are written together.

    `budget` is what a process may use beyond what JAX itself takes; less than one block needs is refused.
    """
    # Every device of a process works on one point; results lie on the device, on the host, and padded. The process with
    # most devices decides, as all have to take the same chunks.
    most_devices = max(collections.Counter(device.process_index for device in jax.devices()).values())
    fixed = program.working_bytes * most_devices
    need = fixed + 3 * result_bytes * block
    if need > budget:
        what = "one point needs" if block == 1 else f"one point with {block} seeds needs"
        raise ValueError(f"memory: expected at least {_as_text(need)}, what {what}, got {_as_text(budget)}")
    fitting = (budget - fixed) // (3 * result_bytes)
    return max(block, min(fitting, _POINTS_AT_ONCE * parallel.n_devices()))


def _as_text(n_bytes: int) -> str:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if n_bytes >= _UNITS[unit]:
            # Rounded up, so that the number can be given back as it is printed.
            return f"{np.ceil(100 * n_bytes / _UNITS[unit]) / 100:g}{unit}"
    return f"{n_bytes}B"
