"""Studies of a run in several processes: the same files as from one, whatever becomes of a process."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import pytest
import xarray as xr

from stdpjax.lab import from_file, workers
from stdpjax.lab.own import places
from stdpjax.studies import STUDIES, run_into
from stdpjax.studies.index import FIRST
from tests.lab import elsewhere
from tests.lab.test_reproduce import ROOT, hidden, read_ledger

ALL = (elsewhere.FIRST, elsewhere.SECOND, elsewhere.THIRD)


def write(out: Path, *studies: Any, said: list[str] | None = None, jobs: int = 2, **options: Any) -> list[Any]:
    lines = said if said is not None else []
    return run_into(out, studies or ALL, show_progress=False, say=lines.append, jobs=jobs, **options)


def contents(out: Path) -> dict[str, Any]:
    """All files but for the times in them."""
    found: dict[str, Any] = {}
    for path in out.rglob("*"):
        name = str(path.relative_to(out))
        if path.suffix == ".nc":
            with xr.open_dataset(path, engine="h5netcdf") as data:
                found[name] = data.load().drop_attrs().to_dict(), {**data.attrs, "finished": ""}
        elif path.suffix == ".png":
            found[name] = path.read_bytes()
        elif path.is_file():
            text = path.read_text(encoding="utf-8")
            text = re.sub(r'"finished": "[^"]*"|"seconds": [\d.]+|[\d.]+ s, \d{4}-[\dT:+-]+', "", text)
            found[name] = re.sub(r'"result.nc": "\w+"', "", text)  # has the time in it
    return found


@pytest.fixture
def pids(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file for each process in which one of the studies ran."""
    home = tmp_path_factory.mktemp("pids")
    monkeypatch.setenv("ELSEWHERE_PIDS", str(home))
    return home


def ran_in(home: Path) -> set[int]:
    return {int(path.name) for path in home.iterdir()}


def test_two_processes_write_the_same_bytes_as_one(tmp_path, pids):
    one, two = tmp_path / "one", tmp_path / "two"
    ledger = write(one, jobs=1)
    assert ran_in(pids) == {os.getpid()}
    assert write(two) == ledger
    assert len(ran_in(pids)) == 3
    assert contents(two) == contents(one)
    assert (two / "ledger.json").read_bytes() == (one / "ledger.json").read_bytes()
    assert (two / "first" / "figure.svg").read_bytes() == (one / "first" / "figure.svg").read_bytes()
    assert hidden(two) == []


def test_settings_seed_and_what_is_set_in_jax_reach_the_other_processes(tmp_path):
    with jax.enable_x64(True):
        options: dict[str, Any] = {"seed": 3, "overrides": {"second": {"size": 7, "levels": [2.0]}}}
        write(tmp_path / "one", jobs=1, **options)
        write(tmp_path / "two", **options)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    with xr.open_dataset(tmp_path / "two" / "second" / "result.nc", engine="h5netcdf") as data:
        assert (data.sizes["time"], data.attrs["seed"], data.attrs["x64"]) == (7, 3, "True")


def test_what_is_done_is_kept_and_the_rest_goes_on_in_two_processes(tmp_path):
    write(tmp_path, elsewhere.SECOND, jobs=1)
    said: list[str] = []
    ledger = write(tmp_path, said=said)
    assert said[0] == "second: kept, already done"
    assert sorted(line.split(" in ")[0] for line in said[1:]) == ["first: done", "third: done"]
    assert [record["study"] for record in ledger] == ["first", "second", "third"]
    with pytest.raises(ValueError, match=r"first, second, third would be overwritten; give --force"):
        write(tmp_path)


def test_a_process_that_dies_is_one_line_with_its_study_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("ELSEWHERE_DIES", "yes")
    with pytest.raises(ChildProcessError, match=r"^dies: its process ended with signal 9 before it was done; [^\n]*$"):
        write(tmp_path, elsewhere.DIES, *ALL)
    assert [record["study"] for record in read_ledger(tmp_path)] == ["first", "second", "third"]
    assert hidden(tmp_path) == []
    monkeypatch.delenv("ELSEWHERE_DIES")
    said: list[str] = []
    assert len(write(tmp_path, elsewhere.DIES, *ALL, said=said)) == 4
    assert said[:3] == [f"{name}: kept, already done" for name in ("first", "second", "third")]


def test_a_study_that_fails_elsewhere_raises_what_it_raises_here(tmp_path):
    with pytest.raises(ValueError, match="size: expected another one") as here:
        write(tmp_path / "here", elsewhere.FAILS, jobs=1)
    with pytest.raises(type(here.value), match="size: expected another one") as there:
        write(tmp_path / "there", elsewhere.FAILS, *ALL)
    assert "in fail" in there.value.__notes__[0]
    assert hidden(tmp_path / "there") == []


def test_a_study_that_no_other_process_can_import_runs_in_this_one(tmp_path, pids):
    own = elsewhere.a_study("own")
    assert places.places_of([own]) == {}
    assert len(write(tmp_path, own, *ALL)) == 4
    assert os.getpid() in ran_in(pids)


@pytest.mark.parametrize("place", ["tests.lab.elsewhere:SECOND", "tests.lab.elsewhere:NOTHING", "no.such.module:FIRST"])
def test_a_study_that_is_another_one_elsewhere_runs_here(tmp_path, pids, monkeypatch, place):
    monkeypatch.setattr(places, "places_of", lambda studies: {"first": place})
    assert len(write(tmp_path)) == 3
    assert ran_in(pids) == {os.getpid()}


FILE = """
from tests.lab.elsewhere import a_study
import dataclasses
ONE, TWO = a_study("one"), a_study("two")
"""


def test_the_studies_of_a_file_run_in_other_processes(tmp_path, pids):
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    studies = from_file.read_studies(str(file))
    assert places.places_of(studies) == {"one": f"{file}:ONE", "two": f"{file}:TWO"}
    assert len(write(tmp_path / "out", *studies)) == 2
    assert os.getpid() not in ran_in(pids)


WAITING = """
import sys
from stdpjax.studies import STUDIES, run_into
from stdpjax.studies.index import FIRST
from tests.lab import elsewhere
studies = [elsewhere.FIRST, elsewhere.WAITS, elsewhere.WAITS_TOO]
run_into(sys.argv[1], studies, jobs=2, say=lambda line: None)
"""


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_leaves_no_process_and_goes_on(tmp_path, pids, monkeypatch, stop):
    out = tmp_path / "out"
    command = [sys.executable, "-c", WAITING, str(out)]
    monkeypatch.setenv("ELSEWHERE_WAITS", "yes")
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8", start_new_session=True)
    try:
        until = time.monotonic() + 120
        while not ((out / "first").exists() and len(ran_in(pids)) == 2) and time.monotonic() < until:
            time.sleep(0.05)
        if stop == signal.SIGINT:
            os.killpg(process.pid, stop)  # as a terminal does
        else:
            process.send_signal(stop)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    if stop == signal.SIGINT:
        assert err.count("KeyboardInterrupt") == 1
        assert hidden(out) == []
    until = time.monotonic() + 10
    while (left := [pid for pid in ran_in(pids) if is_alive(pid)]) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []
    monkeypatch.delenv("ELSEWHERE_WAITS")
    said: list[str] = []
    assert len(write(out, elsewhere.FIRST, elsewhere.WAITS, elsewhere.WAITS_TOO, said=said, jobs=1)) == 3
    assert said[0] == "first: kept, already done"


def test_the_studies_to_begin_with_are_there_and_every_study_can_be_sent():
    assert {*FIRST} <= {study.name for study in STUDIES}
    at = places.places_of(STUDIES)
    assert [places.found_at(at[study.name], study.name) for study in STUDIES] == [*STUDIES]


def test_processes_are_as_many_as_cores_and_memory_allow(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "n_cores", lambda: 5)
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {3 * 2**21} kB\n")
    monkeypatch.setattr(workers, "_LIMITS", ())
    assert workers.n_workers(None) == 5
    monkeypatch.setattr(workers, "_LIMITS", ((str(tmp_path / "meminfo"), r"MemAvailable: +(\d+)", 1024),))
    assert workers.n_workers(None) == 3
    assert workers.n_workers(7) == 7
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert workers.n_workers(None) == 1
    with pytest.raises(ValueError, match="jobs: expected a whole number of at most 1, got 2"):
        workers.n_workers(2)
    with pytest.raises(ValueError, match="jobs: expected a whole number of at least 1, got 0"):
        workers.n_workers(0)
