"""Rows of `stdpjax.parallel`."""

from functools import wraps

import numpy as np

from stdpjax import parallel
from tests.surface.table import Row, rows


def square(number):
    """Something to apply."""
    return number**2


def answer():
    """Something to do."""
    return 42


@wraps(parallel.map_sharded)
def map_sharded(function):
    """With something to map over."""
    return parallel.map_sharded(function, np.arange(3))


@wraps(parallel.map_blocks)
def map_blocks(function):
    """Likewise."""
    return parallel.map_blocks(function, np.arange(3))


ROWS = rows(
    Row(
        parallel.initialize,
        {
            "coordinator": ("path", "localhost:1234"),
            "n_processes": ("count", 1),
            "process_id": ("count", 0),
            "start_timeout": ("positive", 20.0),
            "same": ("mapping or none", {"seed": 0}),
        },
        # What is not given comes from the launcher.
        takes={("coordinator", "none"): None, ("process_id", "none"): None, ("same", "unhashable"): None},
    ),
    Row(map_sharded, {"function": ("callable", square)}),
    Row(map_blocks, {"function": ("callable", square)}),
    Row(parallel.on_main_process, {"action": ("callable", answer)}),
    Row(parallel.is_main_process, {}),
    Row(parallel.n_devices, {}),
    Row(parallel.mesh, {}),
    Row(parallel.is_traced, {"tree": ("any", np.zeros(2))}),
    Row(parallel.is_placed, {"tree": ("any", np.zeros(2))}),
)
