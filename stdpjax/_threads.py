"""Several computations at a time on one device."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def n_cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_threaded(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return the function's value for each item, as many at a time as there are processor cores.

    On a CPU a compiled loop over small products runs on one core; several such loops leave none idle. The values do
    not depend on the number of cores.
    """
    with ThreadPoolExecutor(n_cores()) as pool:
        return list(pool.map(function, items))
