"""How many points fit into a memory budget."""

import collections
import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np

from stdpjax import parallel
from stdpjax._threefry import UNROLLED_THREEFRY
from stdpjax.lab.study import Point

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
    """What is computed at one point, with the shapes of its results and an estimate of the memory it needs."""

    function: Any
    results: Mapping[str, jax.ShapeDtypeStruct]
    working_bytes: int


@functools.lru_cache(maxsize=256)
def make_program(point: Point, config: Any) -> Program:
    """Return the function of one point that `parallel.map_sharded` is given; the same object for the same arguments.

    A device takes its points one after the other. A point has a sequence axis of its own to fill the device with, and
    so every point runs through the same compiled body whatever the size of a chunk: results do not depend on it, to
    the last bit.

    Args:
        point: what a study computes.
        config: its settings, all but the traced ones.

    Returns:
        The function of key data and traced values, the shapes of what it returns, and an upper estimate of its memory.
        The estimate adds up the arrays that are alive at the same time when nothing is fused.

    Example:
        >>> from stdpjax import studies
        >>> study = studies.find("stdp_window")
        >>> make_program(study.point, study.configuration(is_smoke=True)).results["lag_count"]
        ShapeDtypeStruct(shape=(41,), dtype=int32)
    """

    @jax.custom_batching.sequential_vmap
    def function(key_data: jax.Array, values: dict[str, jax.Array]) -> dict[str, jax.Array]:
        return point.function(jax.random.wrap_key_data(key_data, impl=UNROLLED_THREEFRY), values, config)

    key_data = jax.ShapeDtypeStruct((2,), jnp.uint32)
    values = {name: jax.ShapeDtypeStruct((), jnp.zeros(()).dtype) for name in point.traced}
    jaxpr, results = jax.make_jaxpr(function, return_shape=True)(key_data, values)
    return Program(function, results, _peak_bytes(jaxpr.jaxpr))


def points_at_once(program: Program, result_bytes: int, budget: int, block: int) -> int:
    """Return how many points are computed before they are written.

    Args:
        program: what is computed.
        result_bytes: bytes that one point's results take in the store.
        budget: bytes that a process may use, beyond what JAX itself takes.
        block: points that are written together.

    Returns:
        A number of points, at least `block`.

    Raises:
        ValueError: not even one block fits; the message says what it needs.

    Example:
        >>> points_at_once(Program(None, {}, working_bytes=1000), result_bytes=100, budget=2000, block=1) >= 1
        True
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


def _peak_bytes(jaxpr: Any) -> int:
    """Most bytes alive at once when a program's equations run in order and nothing is fused."""
    last_use = {}
    for index, equation in enumerate(jaxpr.eqns):
        for variable in equation.invars:
            if not isinstance(variable, jax.extend.core.Literal):
                last_use[variable] = index
    for variable in jaxpr.outvars:
        if not isinstance(variable, jax.extend.core.Literal):
            last_use[variable] = len(jaxpr.eqns)
    alive = sum(_bytes(variable) for variable in (*jaxpr.invars, *jaxpr.constvars))
    peak = alive
    for index, equation in enumerate(jaxpr.eqns):
        alive += sum(_bytes(variable) for variable in equation.outvars)
        inner = max((_peak_bytes(body) for body in _bodies(equation.params)), default=0)
        peak = max(peak, alive + inner)
        ended = {v for v in equation.invars if not isinstance(v, jax.extend.core.Literal) and last_use[v] == index}
        unused = {v for v in equation.outvars if v not in last_use}
        alive -= sum(_bytes(variable) for variable in ended | unused)
    return peak


def _bodies(parameters: Mapping[str, Any]) -> list[Any]:
    """The programs inside an equation: of a loop, a branch, a nested `jit`."""
    bodies = []
    for value in parameters.values():
        for part in value if isinstance(value, tuple | list) else (value,):
            part = getattr(part, "jaxpr", part)
            if hasattr(part, "eqns"):
                bodies.append(part)
    return bodies


def _bytes(variable: Any) -> int:
    aval = variable.aval
    return int(np.prod(getattr(aval, "shape", ()), dtype=np.int64)) * getattr(
        getattr(aval, "dtype", None), "itemsize", 8
    )
