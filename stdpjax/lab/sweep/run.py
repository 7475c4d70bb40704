"""Running a sweep: chunks of points are computed on all devices and written block by block.

Only the main process touches files; the others follow its lead. A device takes the points of a chunk one after the
other: vmapped, 16 points take 1.2 (500 sequences, 1000 trials) to 3 times (smoke size) the processor time on a CPU, and
come out different in the last bits of their drives, by which even counts can change.
"""

import contextlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

from stdpjax import parallel
from stdpjax.lab import folder
from stdpjax.lab.study import Study
from stdpjax.lab.sweep import store
from stdpjax.lab.sweep.grid import Group, point_of
from stdpjax.lab.sweep.memory import Program
from stdpjax.lab.sweep.plan import Plan, count_points, count_seeds, make_chunks, make_plan
from stdpjax.random import key, named_key


def sweep(
    study: Study,
    grid: Mapping[str, Any],
    *,
    seeds: int = 1,
    seed: int = 0,
    out: str | Path,
    memory: int | str = "1GiB",
    smoke: bool = False,
    show_progress: bool = True,
    say: Callable[[str], None] = print,
    **overrides: Any,
) -> xr.Dataset:
    """Compute a study's numbers at every point of a grid, for several seeds, into a zarr store.

    Started again after it was stopped, in whatever way, the same call checks all that the store holds, numbers,
    coordinates and metadata, makes again what is damaged, goes on, and ends with the store that an uninterrupted call
    makes. Numbers depend on the grid, the seeds and the settings alone, not on chunks, memory or the number of devices.

    All points of the grid share the random numbers of a seed, whichever values they have: differences along the grid
    are paired, with less noise than the curves themselves. The drives are not those that `stdpjax run` draws for the
    same seed, but others of the same law.

    Args:
        study: one that says what a sweep computes, its `point`.
        grid: parameter to values: a sequence, or a text as on the command line ("3,10,20" or "0.01:1:9:log").
        seeds: how many seeds, at least 1.
        seed: the first of them, 0 or more; all lie below 2**32.
        out: folder of the store; it is made if needed.
        memory: what the computation may use in each process, in bytes or as "2GiB". What one point needs is known from
            its compiled program.
        smoke: start from the study's smoke configuration.
        show_progress: a bar on a terminal or in a notebook, elsewhere a line now and then.
        say: receives one line of text at a time.
        **overrides: settings of the study that all points share.

    Returns:
        The store, opened lazily: the grid's parameters in the order given, `seed`, and the study's own dims. A process
        of a distributed run that does not see the main one's folder gets the coordinates alone.

    Raises:
        ValueError: an unknown parameter or setting, a study without a point, a value of the wrong type or out of range,
            too small a memory budget, or a folder that holds something else or that somebody else is writing.
        OSError: the store cannot be written; what was written stays, and the same call goes on.
        KeyboardInterrupt: after the chunk at work; the same call goes on.
        stdpjax.parallel.MainProcessError: in the other processes, where the main one raised any of these.

    Example:
        >>> import tempfile
        >>> from stdpjax import studies
        >>> from stdpjax.lab.sweep import sweep
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     data = sweep(
        ...         studies.find("rule_agreement"), {"max_probability": [0.05, 1.0]}, seeds=2, out=folder + "/store",
        ...         smoke=True, n_sequences=20, n_steps=40, show_progress=False, say=lambda line: None).load()
        >>> dict(data.sizes)
        {'max_probability': 2, 'seed': 2}
        >>> bool((data.per_bin_correlation_exact[0] > data.per_bin_correlation_exact[1]).all())
        True
    """
    out = folder.checked_path(out, say, smoke=smoke, show_progress=show_progress)
    plan = make_plan(study, grid, seeds, seed, memory, smoke, overrides)
    manifest: dict[str, Any] = {}  # the main process's alone
    with contextlib.ExitStack() as lock:
        todo = parallel.on_main_process(lambda: _open(out, plan, manifest, lock, say))
        _fill(out, plan, manifest, todo, show_progress, say)
    # The others may have a disk of their own, on which there is nothing.
    is_here = parallel.is_main_process() or (out / store.MANIFEST).exists()
    return xr.open_zarr(out, chunks=None) if is_here else plan.layout.template


def _fill(
    out: Path,
    plan: Plan,
    manifest: dict[str, Any],
    todo: Sequence[int],
    show_progress: bool,
    say: Callable[[str], None],
) -> None:
    """Compute the blocks that are still to do, chunk by chunk, and keep each."""
    study = plan.study.name
    n_points = math.prod(plan.layout.shape(next(iter(plan.layout.dims)))[: plan.layout.n_grid + 1])
    if not todo:
        if parallel.is_main_process():
            say(f"{study}: complete, {n_points} points in {out}")
        return
    n_done = n_points - count_points(plan.layout, todo)
    with (
        folder.progress(study, n_points, "points", n_done, show=show_progress) as advance,
        folder.interrupts("chunk") as is_interrupted,
    ):
        for group, program in zip(plan.groups, plan.programs, strict=True):
            chunks = make_chunks(plan, group, program, todo)
            length = max((count_points(plan.layout, chunk) for chunk in chunks), default=0)
            for chunk in chunks:
                results = _compute(plan, group, program, chunk, length)
                n_done += count_points(plan.layout, chunk)
                parallel.on_main_process(
                    lambda r=results, n=n_done: _keep(out, plan, manifest, r, n, n_points, is_interrupted())
                )
                advance(n_done)
    if parallel.is_main_process():
        say(f"{study}: done, {n_points} points in {out}")


def _open(
    out: Path, plan: Plan, manifest: dict[str, Any], lock: contextlib.ExitStack, say: Callable[[str], None]
) -> list[int]:
    """Lock the store, read its manifest, and return the blocks still to compute; make the store if there is none."""
    n_blocks = math.prod(plan.layout.shape_of_blocks)
    try:
        store.read_manifest(out, plan.description)  # before anything is made, refuse what is no place for a store
        for file in _lock_files(out):
            lock.enter_context(folder.sole_writer(file, out))
            folder.recover(out)
        found = store.read_manifest(out, plan.description)
        if found is None:
            manifest.update(store.create(out, plan.layout, plan.description))
            return list(range(n_blocks))
        manifest.update(found)
        store.remove_leftovers(out)
        for name in store.mend(out, plan.layout, manifest):
            say(f"{plan.study.name}: {name} fails its checksum and is written again")
    except PermissionError as error:
        raise ValueError(f"out: expected a folder that can be written, got {str(out)!r} ({error.strerror})") from error
    intact = set(store.intact_blocks(out, plan.layout, manifest))
    n_recorded = len(manifest["checksums"])
    if len(intact) < n_recorded:
        n_lost = n_recorded - len(intact)
        say(f"{plan.study.name}: {n_lost} of {n_recorded} stored blocks fail their checksum and are computed again")
        manifest["checksums"] = {block: sum_ for block, sum_ in manifest["checksums"].items() if int(block) in intact}
    if 0 < len(intact) < n_blocks:
        say(f"{plan.study.name}: going on after {len(intact)} of {n_blocks} blocks")
    return [block for block in range(n_blocks) if block not in intact]


def _lock_files(out: Path) -> list[Path]:
    """The lock file of a store: beside it, as it is put in place by renaming, or within where nothing else will do."""
    home = out.resolve()
    home.parent.mkdir(parents=True, exist_ok=True)
    places = [home.parent / f".{home.name}{folder.LOCK}", *([home / folder.LOCK] if home.exists() else [])]
    able = [file for file in places if os.access(file.parent, os.W_OK)]
    return able[:1]  # none where nothing can be written: a complete store can still be read


def _compute(
    plan: Plan, group: Group, program: Program, chunk: Sequence[int], length: int
) -> dict[int, dict[str, np.ndarray]]:
    """Compute the points of some blocks; return the arrays of each block as they are stored.

    They are filled up to `length` points, by repeating the last, so that a shorter chunk needs no compilation.
    """
    layout, per_cell = plan.layout, plan.layout.shape_of_blocks[-1]
    sizes = [count_seeds(layout, block) for block in chunk]
    places = np.searchsorted(group.cells, [block // per_cell for block in chunk])
    fill = (0, length - sum(sizes))
    cells = np.pad(np.repeat(places, sizes), fill, mode="edge")
    seeds = np.pad(np.concatenate([plan.seeds[layout.region(block)[-1]] for block in chunk]), fill, mode="edge")
    dtype = np.dtype(jax.numpy.zeros(()).dtype)
    values = {name: column[cells].astype(dtype) for name, column in group.values.items()}
    different = [int(seed) for seed in np.unique(seeds)]
    keys = {seed: np.asarray(jax.random.key_data(named_key(key(seed), plan.study.name))) for seed in different}
    key_data = np.stack([keys[int(seed)] for seed in seeds])
    results = parallel.map_sharded(program.function, key_data, values)
    coords = point_of(plan.study).coords(group.config)
    blocks, ends = {}, np.cumsum(sizes)
    for block, end, size in zip(chunk, ends, sizes, strict=True):
        blocks[block] = {name: _laid_out(layout, name, results[name][end - size : end], coords) for name in layout.dims}
    return blocks


def _laid_out(layout: store.Layout, name: str, values: np.ndarray, coords: Mapping[str, np.ndarray]) -> np.ndarray:
    """Put results at their places on the store's axes, which may be longer; NaN, or 0 for counts, elsewhere."""
    dtype, own_dims = layout.dtypes[name], layout.dims[name][layout.n_grid + 1 :]
    full = np.full((len(values), *layout.shape(name)[layout.n_grid + 1 :]), np.nan if dtype.kind == "f" else 0, dtype)
    places = [np.searchsorted(layout.template[dim].values, coords[dim]) for dim in own_dims]
    if dtype.kind == "f":
        values = np.where(np.isnan(values), dtype.type(np.nan), values)  # one NaN, so that checksums agree
    full[np.ix_(np.arange(len(values)), *places)] = values
    return full


def _keep(
    out: Path,
    plan: Plan,
    manifest: dict[str, Any],
    results: Mapping[int, Mapping[str, np.ndarray]],
    n_done: int,
    n_points: int,
    is_interrupted: bool,
) -> None:
    """Write a chunk's blocks, then say so in the manifest."""
    n_before = n_done - count_points(plan.layout, list(results))
    try:
        store.write_blocks(out, plan.layout, results)
        new = {str(block): store.checksum(arrays) for block, arrays in results.items()}
        store.write_manifest(out, {**manifest, "checksums": {**manifest["checksums"], **new}})
    except OSError as error:
        raise OSError(
            error.errno,
            f"{error.strerror or error}; {n_before} of {n_points} points are in {out}, and the same command goes on",
        ) from error
    manifest["checksums"].update(new)
    if is_interrupted and n_done < n_points:
        raise KeyboardInterrupt(f"{n_done} of {n_points} points are in {out}; the same command goes on")
