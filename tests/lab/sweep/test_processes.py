"""Sweeps on several processes: the same store, written by the main one alone, and errors in every one."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.test_parallel import PROGRAM, environment, free_port, start, without_connection_notes

SMALL = [
    "sweep",
    "stdp_window",
    "--smoke",
    "--n-sequences",
    "6",
    "--n-steps",
    "24",
    "--n-trials",
    "40",
    "--window",
    "4",
]


def on_processes(folders: list[Path], *arguments: str) -> list[tuple[int, str, str]]:
    """Run a command on as many connected processes as there are working folders; code, output and errors of each."""
    connected = []
    if len(folders) > 1:
        connected = ["--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", str(len(folders)), "--process-id"]
    processes = [
        start([*PROGRAM, *arguments, *connected, *([str(number)] if connected else [])], environment(), folder)
        for number, folder in enumerate(folders)
    ]
    try:
        said = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]


def working_folders(tmp_path: Path, n_processes: int) -> list[Path]:
    """A disk for each, so that nothing is right by reading what the main process wrote."""
    folders = [tmp_path / str(number) for number in range(n_processes)]
    for folder in folders:
        folder.mkdir()
    return folders


def contents(store: Path) -> dict[str, Any]:
    """Every file, without the number of devices and processes that made it."""
    found: dict[str, Any] = {
        str(file.relative_to(store)): file.read_bytes() for file in store.rglob("*") if file.is_file()
    }
    metadata = json.loads(found["zarr.json"])
    origin = json.loads(metadata["attributes"]["provenance"])
    del origin["n_devices"], origin["n_processes"]
    metadata["attributes"]["provenance"] = origin
    manifest = json.loads(found["manifest.json"])
    del manifest["files"]["zarr.json"]
    return {**found, "zarr.json": metadata, "manifest.json": manifest}


@pytest.mark.parametrize(
    ("n_processes", "grid"),
    [
        (2, ("max_probability=0.2,0.5,1",)),
        pytest.param(3, ("window=3,5", "tau=3"), marks=pytest.mark.slow),  # more processes than points
    ],
)
def test_several_processes_make_the_store_that_one_makes(tmp_path, n_processes, grid):
    alone, *folders = working_folders(tmp_path, 1 + n_processes)
    base = SMALL[:-2] if any(text.startswith("window") for text in grid) else SMALL
    arguments = [*base, *(part for text in grid for part in ("--grid", text)), "--out", "store"]
    assert on_processes([alone], *arguments)[0][0] == 0
    (code, out, _), *others = on_processes(folders, *arguments)
    assert code == 0
    assert without_connection_notes(out)[-1].startswith("stdp_window: done, ")
    for code, out, err in others:
        assert (code, without_connection_notes(out)) == (0, []), err
    assert contents(folders[0] / "store") == contents(alone / "store")
    assert [path.name for path in folders[0].iterdir()] == ["store"]
    assert all(list(folder.iterdir()) == [] for folder in folders[1:])


def test_what_the_main_process_refuses_ends_all_with_one_line(tmp_path):
    main, other = working_folders(tmp_path, 2)
    (main / "store").mkdir()
    (main / "store" / "mine").write_text("mine")
    (code, _, err), (other_code, out, other_err) = on_processes(
        [main, other], *SMALL, "--grid", "tau=3", "--out", "store"
    )
    assert (code, other_code) == (2, 2)
    errors = [line for line in err.splitlines() if line.startswith("stdpjax")]
    assert len(errors) == 1
    assert "out: expected an empty folder or one of a sweep, got 'store' with mine" in errors[0]
    assert without_connection_notes(out) == []
    assert "stdpjax" not in other_err
    assert [path.name for path in main.rglob("*")] == ["store", "mine"]
