"""What a sweep will do, worked out and checked before anything is computed."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from stdpjax import _checks
from stdpjax.lab.folder import plain
from stdpjax.lab.identity import source_of
from stdpjax.lab.provenance import provenance
from stdpjax.lab.settings import replace
from stdpjax.lab.study import Study
from stdpjax.lab.sweep import store
from stdpjax.lab.sweep.grid import Grid, Group, make_groups, point_of, read_grid
from stdpjax.lab.sweep.memory import Program, make_program, parse_memory, points_at_once

# A store is not continued by a version that may give other numbers.
_VERSIONS = ("stdpjax", "jax", "backend", "x64", "matmul_precision")


class Plan(NamedTuple):
    """A sweep that can be run: `groups` share a program each, `description` decides every number."""

    study: Study
    seeds: np.ndarray
    groups: Sequence[Group]
    programs: Sequence[Program]
    layout: store.Layout
    description: Mapping[str, Any]
    budget: int


def make_plan(
    study: Study,
    grid: Mapping[str, Any],
    seeds: int,
    seed: int,
    memory: int | str,
    smoke: bool,
    overrides: Mapping[str, Any],
) -> Plan:
    """Check a sweep's arguments, those of `sweep`, and return what is to be done."""
    point = point_of(study)
    values = read_grid(study, grid)
    n_seeds = _checks.count("seeds", seeds)
    seed = _checks.seed(seed, n_seeds)
    budget = parse_memory(memory)
    groups = make_groups(study, values, smoke, overrides)
    programs = [make_program(point, group.config) for group in groups]
    all_seeds = seed + np.arange(n_seeds, dtype=np.int64)
    origin = provenance()
    settings = plain(replace(study.configuration(smoke), overrides, study.name))
    description = {
        "study": study.name,
        **{f"grid.{name}": list(entries) for name, entries in values.items()},
        "parameters": list(values),
        "seed": seed,
        "seeds": n_seeds,
        **{name: value for name, value in settings.items() if name not in values},
        **{name: origin[name] for name in _VERSIONS},
        **source_of(study),
    }
    coords = _coords(study, values, all_seeds, groups)
    attributes = {
        "title": f"Sweep of {study.name}: {study.title}",
        "source": study.source,
        "study": study.name,
        "configuration": json.dumps({name: v for name, v in settings.items() if name not in values}),
        "grid": json.dumps({name: list(entries) for name, entries in values.items()}),
        "provenance": json.dumps(origin),
    }
    layout = store.Layout(
        template=xr.Dataset(coords=coords, attrs=attributes),
        dims={name: (*values, "seed", *variable.dims) for name, variable in point.variables.items()},
        dtypes={name: np.dtype(programs[0].results[name].dtype) for name in point.variables},
        attributes={name: variable.attributes for name, variable in point.variables.items()},
        n_grid=len(values),
    )
    plan = Plan(study, all_seeds, groups, programs, layout, description, budget)
    for program in programs:
        _points_at_once(plan, program)
    return plan


def _coords(study: Study, grid: Grid, seeds: np.ndarray, groups: Sequence[Group]) -> dict[str, Any]:
    point = point_of(study)
    coords: dict[str, Any] = {}
    for name, values in grid.items():
        array = np.array(values, dtype=object if isinstance(values[0], str) else None)
        coords[name] = (name, array, {"units": point.units[name]} if name in point.units else {})
    coords["seed"] = ("seed", seeds)
    of_groups = [point.coords(group.config) for group in groups]
    for name in of_groups[0]:
        # Increasing whole numbers: the union of all groups' is what the longest has.
        union = np.unique(np.concatenate([here[name] for here in of_groups]))
        coords[name] = (name, union, {"units": point.units[name]} if name in point.units else {})
    return coords


def make_chunks(plan: Plan, group: Group, program: Program, todo: Sequence[int]) -> list[list[int]]:
    """Blocks of a group that are still to do, in chunks of about one size that memory allows."""
    per_cell = plan.layout.shape_of_blocks[-1]
    own = set(group.cells.tolist())
    blocks = [block for block in todo if block // per_cell in own]
    most = _points_at_once(plan, program)
    n_points = count_points(plan.layout, blocks)
    even = min(most, -(-n_points // max(1, -(-n_points // most))) + min(store.SEEDS_PER_BLOCK, len(plan.seeds)) - 1)
    chunks: list[list[int]] = []
    for block in blocks:
        if not chunks or count_points(plan.layout, [*chunks[-1], block]) > even:
            chunks.append([])
        chunks[-1].append(block)
    return chunks


def _points_at_once(plan: Plan, program: Program) -> int:
    layout = plan.layout
    per_point = sum(
        math.prod(layout.shape(name)[layout.n_grid + 1 :]) * dtype.itemsize for name, dtype in layout.dtypes.items()
    )
    return points_at_once(program, per_point, plan.budget, min(store.SEEDS_PER_BLOCK, len(plan.seeds)))


def count_points(layout: store.Layout, blocks: Sequence[int]) -> int:
    """Return how many points some blocks hold."""
    return sum(count_seeds(layout, block) for block in blocks)


def count_seeds(layout: store.Layout, block: int) -> int:
    """Return how many seeds a block holds, which is how many points."""
    seeds = layout.region(block)[-1]
    return seeds.stop - seeds.start
