"""How the scripts time: several ways interleaved, ratios of medians, fresh processes, and where numbers come from."""

import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax

import stdpjax

Row = dict[str, Any]


def interleaved(ways: Mapping[str, Callable[[], object]], n_repeats: int) -> dict[str, list[float]]:
    """Return the seconds of each way, one run of each per round, after an untimed round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(n_repeats + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            jax.block_until_ready(way())
            if repeat:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio_row(what: str, seconds: Mapping[str, list[float]], ours: str, other: str, bound: float | None) -> Row:
    """Return one line: the ratio of medians, its range over rounds, both medians, and the bound it should keep."""
    rounds = [a / b for a, b in zip(seconds[ours], seconds[other], strict=True)]
    return {
        "what": what,
        "ratio": statistics.median(seconds[ours]) / statistics.median(seconds[other]),
        "range": [min(rounds), max(rounds)],
        "bound": bound,
        "seconds": [statistics.median(seconds[ours]), statistics.median(seconds[other])],
    }


# The peak that getrusage tells is inherited from the process that started this one.
REPORT = """
import json, re
from pathlib import Path
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps(result | {"peak": int(peak) / 1024}))
"""


def in_fresh_process(program: str, environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """Run a program in a new interpreter and return its dictionary `result`, with its peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", program + REPORT],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> dict[str, Any]:
    """Describe where the numbers come from."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": unknown")
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "cpu": cpu.split(":", 1)[1].strip(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "device": jax.devices()[0].device_kind,
        "backend": jax.default_backend(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "stdpjax": stdpjax.__version__,
    }
