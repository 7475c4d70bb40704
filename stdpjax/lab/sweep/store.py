"""The zarr store of a sweep, and the manifest that says which of its blocks are there, and that all of it is.

A block is all variables of one grid cell for up to 16 seeds: one zarr chunk of each variable, so that blocks are
written and replaced alone. A block counts once the manifest holds its checksum, and the manifest is replaced whole.
Metadata and coordinates have checksums too; they follow from the sweep and are written again.
"""

import hashlib
import json
import math
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
import zarr
from zarr.errors import ZarrUserWarning

from stdpjax.lab import folder

SEEDS_PER_BLOCK = 16
MANIFEST = "manifest.json"
_FORMAT = 2


class Layout(NamedTuple):
    """The arrays of a store, apart from their values."""

    template: xr.Dataset
    """Coordinates and attributes."""
    dims: Mapping[str, tuple[str, ...]]
    """Variable to its dims: the grid's parameters, `seed`, the study's own."""
    dtypes: Mapping[str, np.dtype]
    attributes: Mapping[str, Mapping[str, str]]
    n_grid: int
    """How many of the dims are parameters of the grid."""

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a variable."""
        return tuple(self.template.sizes[dim] for dim in self.dims[name])

    @property
    def shape_of_blocks(self) -> tuple[int, ...]:
        """How many blocks there are along each parameter and along the seeds."""
        *grid, n_seeds = self.shape(next(iter(self.dims)))[: self.n_grid + 1]
        return *grid, -(-n_seeds // SEEDS_PER_BLOCK)

    def region(self, block: int) -> tuple[Any, ...]:
        """Return the index of a block in the leading dims of every variable."""
        *cell, seeds = (int(i) for i in np.unravel_index(block, self.shape_of_blocks))
        last = self.template.sizes["seed"]
        return *cell, slice(seeds * SEEDS_PER_BLOCK, min(last, (seeds + 1) * SEEDS_PER_BLOCK))


def fill_value(dtype: np.dtype) -> float | int:
    """Return what stands where nothing has been computed yet: NaN, or -1 for counts."""
    return np.nan if dtype.kind == "f" else -1


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of named arrays: names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {np.shape(arrays[name])} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def read_manifest(out: Path, description: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the manifest of the store in a folder, None where one can be made; refuse any other content."""
    if not out.exists():
        if any(parent.exists() and not parent.is_dir() for parent in out.absolute().parents):
            raise ValueError(f"out: expected a folder, got {str(out)!r}, which lies in a file")
        return None
    if not out.is_dir():
        raise ValueError(f"out: expected a folder, got {str(out)!r}, which is a file")
    expected = {"format": _FORMAT, **description}
    return folder.read_own(out, MANIFEST, "sweep", expected, _description, "give another --out")


def _description(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the numbers of a sweep, refusing a manifest that cannot be gone by."""
    for kind in ("checksums", "files"):
        if not all(isinstance(sum_, str) for sum_ in manifest[kind].values()):
            raise ValueError(f"{kind} that are no texts")
    if not all(block.isdecimal() for block in manifest["checksums"]):
        raise ValueError("blocks that are no numbers")
    for name in manifest["files"]:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"a file elsewhere, {name!r}")
    return {"format": manifest["format"], **manifest["description"]}


def create(out: Path, layout: Layout, description: Mapping[str, Any]) -> dict[str, Any]:
    """Make an empty store, where there is no folder or an empty one, and return its manifest, without any block."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with folder.folder_aside(out) as home:
        files = _write_empty(home, layout)
        manifest = {"format": _FORMAT, "description": dict(description), "files": files, "checksums": {}}
        write_manifest(home, manifest)
    return manifest


def _write_empty(home: Path, layout: Layout) -> dict[str, str]:
    """Write metadata and coordinates, and return the checksum of each file."""
    layout.template.to_zarr(home, mode="w", consolidated=False, zarr_format=3)
    group = zarr.open_group(home, mode="r+")
    for name, dims in layout.dims.items():
        shape = layout.shape(name)
        group.create_array(
            name,
            shape=shape,
            chunks=(*[1] * layout.n_grid, min(SEEDS_PER_BLOCK, shape[layout.n_grid]), *shape[layout.n_grid + 1 :]),
            dtype=layout.dtypes[name],
            fill_value=fill_value(layout.dtypes[name]),
            dimension_names=dims,
            attributes=dict(layout.attributes[name]),
        )
    with warnings.catch_warnings():
        # Consolidated metadata is not in the specification yet, but xarray warns where it is missing.
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(home)
    names = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    return folder.checksums(home, names)


def mend(out: Path, layout: Layout, manifest: dict[str, Any]) -> list[str]:
    """Write again what has changed of metadata and coordinates, and return the names of those files.

    The manifest, whose description the layout follows from, gets the checksums of what is written.
    """
    damaged = [name for name, expected in manifest["files"].items() if not _is_intact(out / name, expected)]
    if not damaged:
        return []
    with tempfile.TemporaryDirectory() as elsewhere:
        home = Path(elsewhere) / "store"
        written = _write_empty(home, layout)
        for name in damaged:
            if name not in written:
                raise ValueError(
                    f"out: expected a readable {MANIFEST}, got {str(out / MANIFEST)!r} with a file {name!r}"
                )
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            with folder.aside(out / name) as partial:
                shutil.copyfile(home / name, partial)
            manifest["files"][name] = written[name]
    write_manifest(out, manifest)
    return damaged


def _is_intact(path: Path, expected: str) -> bool:
    try:
        return folder.checksum(path) == expected
    except (FileNotFoundError, NotADirectoryError):
        return False
    except IsADirectoryError:
        raise ValueError(f"out: expected a file, got {str(path)!r}, which is a folder; move it away") from None


def remove_leftovers(out: Path) -> None:
    """Remove what a killed process was writing: zarr, `mend` and `write_manifest` write aside and rename."""
    for path in (*out.rglob("*.partial"), *out.rglob(".*.partial-*")):
        path.unlink()


def write_manifest(out: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest by one that is complete."""
    checksums = {block: manifest["checksums"][block] for block in sorted(manifest["checksums"], key=int)}
    text = json.dumps({**manifest, "checksums": checksums}, indent=1)
    folder.write_text(out / MANIFEST, text + "\n")


def write_blocks(out: Path, layout: Layout, blocks: Mapping[int, Mapping[str, np.ndarray]]) -> None:
    """Write blocks; they count only once their checksums are in the manifest."""
    for name in layout.dims:
        array = zarr.open_array(out / name, mode="r+")
        for block, arrays in blocks.items():
            array[layout.region(block)] = arrays[name]


def intact_blocks(out: Path, layout: Layout, manifest: Mapping[str, Any]) -> list[int]:
    """Return the blocks whose contents still have the checksum that the manifest holds."""
    arrays = {name: zarr.open_array(out / name, mode="r") for name in layout.dims}
    intact, n_blocks = [], math.prod(layout.shape_of_blocks)
    for block, expected in manifest["checksums"].items():
        if int(block) >= n_blocks:
            continue
        region = layout.region(int(block))
        try:
            contents = {name: np.asarray(array[region]) for name, array in arrays.items()}
        except (OSError, ValueError, RuntimeError):  # what zarr and its codecs raise for a damaged or missing file
            continue
        if checksum(contents) == expected:
            intact.append(int(block))
    return intact
