"""Studies of milliseconds that another process can import; one can end its process, others can wait, and one fails."""

import dataclasses
import os
import signal
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from stdpjax.lab import Claim, Study, at_most, plotting


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 4
    levels: tuple[float, ...] = (0.5, 1.0)


def a_run(key: Any, config: Config, progress: Any) -> xr.Dataset:
    progress(0.5, "draw")
    print("what a study prints")
    # Where a test asks for it: which process this is.
    if folder := os.environ.get("ELSEWHERE_PIDS"):
        (Path(folder) / str(os.getpid())).touch()
    values = np.asarray(jax.random.normal(key, (config.size,)), dtype=np.float64)
    return xr.Dataset({"value": ("time", values)}, coords={"time": np.arange(config.size)})


def wait(key: Any, config: Config, progress: Any) -> xr.Dataset:
    data = a_run(key, config, progress)
    if "ELSEWHERE_WAITS" in os.environ:
        time.sleep(600)
    return data


def fail(key: Any, config: Config, progress: Any) -> xr.Dataset:
    raise ValueError("size: expected another one")


def plot(data: xr.Dataset, config: Config) -> Figure:
    figure = plotting.new_figure(1, 1)
    figure.subplots().plot(data.time, data.value)
    return figure


def die(data: xr.Dataset, config: Config) -> Figure:
    """End the process while its folder is half written."""
    if "ELSEWHERE_DIES" in os.environ:
        os.kill(os.getpid(), signal.SIGKILL)
    return plot(data, config)


def mean_claim(study: str) -> Claim:
    return Claim(
        f"{study}.mean",
        "mean",
        statement="Eq 0",
        criterion=at_most(9.0),
        measure=lambda data: data.value.mean(),
        control=lambda data: 10.0,
        control_is="ten",
        bearing="supports",
    )


def a_study(name: str, **parts: Any) -> Study:
    shared = {"title": name, "figure": "none", "source": "tests", "caption": "A few random numbers.", "smoke": {}}
    return Study(
        **{
            "name": name,
            "config": Config(),
            "claims": (mean_claim(name),),
            "run": a_run,
            "plot": plot,
            **shared,
            **parts,
        }
    )


FIRST, SECOND, THIRD = (a_study(name) for name in ("first", "second", "third"))
DIES = a_study("dies", plot=die)
WAITS, WAITS_TOO = a_study("waits", run=wait), a_study("waits_too", run=wait)
FAILS = a_study("fails", run=fail)
