"""Running studies into a folder: what is written, what is kept, and what an interruption leaves."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

import stdpjax
from stdpjax.lab import Claim, Study, folder, plotting, within
from stdpjax.lab.folder import plain
from stdpjax.lab.identity import identity
from stdpjax.lab.provenance import provenance
from stdpjax.studies import find, index, run, run_into
from tests.lab.elsewhere import mean_claim

ROOT = Path(__file__).resolve().parents[2]
STUDY_FILES = {"figure.png", "figure.svg", "result.nc", "record.json"}
SUMMARY = {"ledger.json", "report.html", "statements.json"}
NAMES = ("first", "second", "third")


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 4
    width: float = 1.0
    levels: tuple[float, ...] = (0.5,)
    word: str = "yes"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size: expected a whole number of at least 1, got {self.size}")


def fake_study(name: str) -> Study:
    """A study of milliseconds, with everything that the runner asks of one."""

    def a_run(key: Any, config: Config, progress: Any) -> xr.Dataset:
        progress(0.0, "draw")
        values = np.asarray(jax.random.normal(key, (config.size,)), dtype=np.float64)
        return xr.Dataset({"value": ("time", values)}, coords={"time": np.arange(config.size)})

    def plot(data: xr.Dataset, config: Config) -> Figure:
        figure = plotting.new_figure(1, 1)
        figure.subplots().plot(data.time, data.value)
        return figure

    return Study(
        name=name,
        title=f"Study {name}",
        figure="none",
        source="tests",
        caption="A few random numbers.",
        config=Config(),
        smoke={"size": 2},
        claims=(
            mean_claim(name),
            Claim(
                f"{name}.one",
                "one",
                statement="Eq 0",
                criterion=within(1.0, 0.0),
                measure=lambda data: 1.0,
                control=lambda data: 0.0,
                control_is="zero",
                bearing="supports",
            ),
        ),
        run=a_run,
        plot=plot,
    )


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Three tiny studies in place of the real ones; a call replaces parts of one of them."""
    studies = {name: fake_study(name) for name in NAMES}

    def install() -> None:
        for module in (index, stdpjax.studies):
            monkeypatch.setattr(module, "STUDIES", tuple(studies.values()))

    def change(name: str, **parts: Any) -> None:
        studies[name] = dataclasses.replace(studies[name], **parts)
        install()

    install()
    return change


def write(out: Path, *names: str, said: list[str] | None = None, **options: Any) -> list[dict[str, Any]]:
    lines = said if said is not None else []
    return run_into(out, names or None, show_progress=False, say=lines.append, **options)


def snapshot(home: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its bytes and time of change."""
    return {
        str(path.relative_to(home)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in home.rglob("*")
        if path.is_file()
    }


def hidden(home: Path) -> list[str]:
    return sorted(path.name for path in home.glob(".*"))


def read_ledger(out: Path) -> list[dict[str, Any]]:
    return json.loads((out / "ledger.json").read_text(encoding="utf-8"))


# What is written.


def test_a_reproduction_is_exactly_the_files_that_the_architecture_names(fakes, tmp_path):
    out = tmp_path / "deep" / "results"
    write(out)
    expected = SUMMARY | {f"{name}/{file}" for name in NAMES for file in STUDY_FILES}
    assert set(snapshot(out)) == expected
    assert json.loads((out / "statements.json").read_text(encoding="utf-8")) == []  # none of these studies' own
    assert hidden(out) == []


def test_the_files_of_a_real_study_are_what_their_names_say(tmp_path):
    ledger = write(tmp_path, "example_traces", smoke=True, seed=3)
    folder = tmp_path / "example_traces"
    assert {path.name for path in folder.iterdir()} == STUDY_FILES
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "<svg" in (folder / "figure.svg").read_text(encoding="utf-8")[:2000]
    result = run("example_traces", seed=3, smoke=True, show_progress=False)
    with xr.open_dataset(folder / "result.nc", engine="h5netcdf") as stored:
        assert json.loads(stored.attrs["configuration"]) == plain(find("example_traces").configuration(is_smoke=True))
        assert stored.attrs["seed"] == 3
        assert stored.attrs["study"] == "example_traces"
        assert json.loads(stored.attrs["is_smoke"]) is True
        assert stored.attrs["source"] == find("example_traces").source
        origin = stored.attrs
        xr.testing.assert_equal(stored.load(), result.data)
    assert origin["stdpjax"] == stdpjax.__version__
    assert origin["jax"] == jax.__version__
    assert {"commit", "is_dirty", "python", "jaxlib", "numpy", "backend", "device", "n_devices", "x64"} <= set(origin)
    assert ledger == list(result.records)


def test_the_record_of_a_study_says_what_was_run(fakes, tmp_path):
    write(tmp_path, "first", seed=5, overrides={"first": {"size": 3}})
    record = json.loads((tmp_path / "first" / "record.json").read_text(encoding="utf-8"))
    assert record["study"] == "first"
    assert record["configuration"] == {"size": 3, "width": 1.0, "levels": [0.5], "word": "yes"}
    assert (record["seed"], record["is_smoke"]) == (5, False)
    assert record["identity"] == identity(find("first"), Config(size=3), 5, False, record["provenance"])
    assert record["seconds"] >= 0
    assert [claim["id"] for claim in record["claims"]] == ["first.mean", "first.one"]


def test_the_ledger_has_one_record_for_each_claim_in_the_order_of_the_studies(fakes, tmp_path):
    write(tmp_path, "third")
    returned = write(tmp_path, "first")
    ids = ["first.mean", "first.one", "third.mean", "third.one"]
    assert [record["id"] for record in returned] == ids
    assert read_ledger(tmp_path) == returned
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert all(claim in page for claim in ids)
    assert "second.mean" not in page


def test_files_and_folders_get_the_permissions_that_the_user_asks_for(fakes, tmp_path):
    # Temporary files start out private; what is put in place must not stay so.
    before = os.umask(0o027)
    try:
        write(tmp_path, "first")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in [*tmp_path.iterdir(), *(tmp_path / "first").iterdir()]}
    assert modes.pop("first") == 0o750
    assert set(modes.values()) == {0o640}


def test_two_runs_of_one_seed_differ_in_the_time_alone(fakes, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    write(one)
    write(two)
    for file in ("ledger.json", "first/figure.svg", "first/figure.png"):
        assert (one / file).read_bytes() == (two / file).read_bytes()


# What is kept and what is refused.


def test_the_same_run_again_is_refused_and_changes_nothing(fakes, tmp_path):
    write(tmp_path, "first", "third")
    before = snapshot(tmp_path)
    with pytest.raises(ValueError, match=r"first, third would be overwritten; give --force"):
        write(tmp_path, "first", "third")
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "options",
    [{"seed": 1}, {"smoke": True}, {"overrides": {"second": {"width": 2.0}}}],
    ids=["seed", "smoke", "setting"],
)
def test_results_of_another_configuration_are_not_overwritten(fakes, tmp_path, options):
    write(tmp_path, "second")
    before = snapshot(tmp_path)
    with pytest.raises(
        ValueError, match=r"second \(of another configuration, seed or version, or damaged\) would be overwritten"
    ):
        write(tmp_path, "first", "second", **options)
    assert snapshot(tmp_path) == before
    assert not (tmp_path / "first").exists()


def test_a_folder_that_is_no_study_of_ours_is_not_overwritten(fakes, tmp_path):
    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "diary.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"first .* would be overwritten"):
        write(tmp_path)
    with pytest.raises(ValueError, match=r"first \(not made by a run\) would be overwritten; move them away"):
        write(tmp_path, "first", force=True)
    assert list(snapshot(tmp_path)) == ["first/diary.txt"]


@pytest.mark.parametrize("name", sorted(SUMMARY))
def test_a_ledger_or_report_that_is_not_ours_is_not_overwritten(fakes, tmp_path, name):
    (tmp_path / name).write_text("mine")
    for force in (False, True):
        with pytest.raises(ValueError, match=rf"out: .* where {name} \(not made by a run\) would be overwritten"):
            write(tmp_path, "first", force=force)
    assert list(snapshot(tmp_path)) == [name]
    assert (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["result.nc", "figure.png", "figure.svg", "record.json"])
@pytest.mark.parametrize("damage", ["empty", "cut off", "gone"])
def test_a_damaged_file_of_a_finished_study_is_named_and_not_taken_for_done(fakes, tmp_path, name, damage):
    write(tmp_path, "first")
    path = tmp_path / "first" / name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    message = "not made by a run" if (name, damage) == ("record.json", "gone") else rf"or damaged: first/{name}"
    with pytest.raises(ValueError, match=message):
        write(tmp_path, "first")


@pytest.mark.parametrize("name", sorted(SUMMARY))
@pytest.mark.parametrize("text", [None, "", "[{"])
def test_a_damaged_ledger_or_report_is_written_again(fakes, tmp_path, name, text):
    write(tmp_path, "first", "third")
    before = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).unlink() if text is None else (tmp_path / name).write_text(text)
    said: list[str] = []
    ledger = write(tmp_path, "first", "third", said=said)
    assert said == ["first: kept, already done", "third: kept, already done"]
    assert (tmp_path / name).read_text(encoding="utf-8") == before
    assert read_ledger(tmp_path) == ledger


def test_studies_already_done_are_kept_and_only_the_others_run(fakes, tmp_path):
    write(tmp_path, "first")
    before = snapshot(tmp_path / "first")
    said: list[str] = []
    ledger = write(tmp_path, said=said)
    assert snapshot(tmp_path / "first") == before
    assert said[0] == "first: kept, already done"
    assert [line.split(" in ")[0] for line in said[1:]] == ["second: done", "third: done"]
    assert len(ledger) == 6


def test_force_overwrites_and_says_so(fakes, tmp_path):
    write(tmp_path, "first")
    (tmp_path / "first" / "stray.txt").write_text("left from before")
    said: list[str] = []
    ledger = write(tmp_path, "first", seed=1, force=True, said=said)
    assert said[0].startswith("first: overwriting ")
    assert {record["seed"] for record in ledger} == {1}
    assert {path.name for path in (tmp_path / "first").iterdir()} == STUDY_FILES
    assert hidden(tmp_path) == []


def _without_claims(folder: Path) -> None:
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    del record["claims"]
    (folder / "record.json").write_text(json.dumps(record))


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "no figure": lambda folder: (folder / "figure.svg").unlink(),
    "no claims": _without_claims,
    "half a record": lambda folder: (folder / "record.json").write_text('{"study": "fir'),
    "a list": lambda folder: (folder / "record.json").write_text("[]"),
    "not text": lambda folder: (folder / "record.json").write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_study_is_left_out_and_named_once(fakes, tmp_path, damage):
    write(tmp_path, "first")
    DAMAGE[damage](tmp_path / "first")
    said: list[str] = []
    ledger = write(tmp_path, "second", "third", said=said)
    assert {record["study"] for record in ledger} == {"second", "third"}
    assert read_ledger(tmp_path) == ledger
    named = [line for line in said if line.startswith("first: left out of ledger and report, ")]
    assert len(named) == 1
    assert "\n" not in named[0]
    with pytest.raises(ValueError, match=r"first .* or damaged"):
        write(tmp_path, "first")
    assert len(write(tmp_path, "first", force=True)) == 6


# Interruptions.


def interrupt(*_: Any, **__: Any) -> Any:
    raise KeyboardInterrupt


def dropped_interrupt(*arguments: Any) -> Any:
    with contextlib.suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    return fake_study("second").run(*arguments)


def no_space(*arguments: Any, **_: Any) -> Any:
    # A full disk shows when some of the file is already there.
    target = next(argument for argument in arguments if isinstance(argument, Path))
    target.write_bytes(b"half")
    raise OSError(28, "No space left on device")


def no_space_at_the_end(*_: Any) -> Any:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("stop", [interrupt, dropped_interrupt])
def test_an_interrupted_run_keeps_what_is_finished_and_goes_on_where_it_stopped(fakes, tmp_path, stop):
    works = fake_study("second").run
    fakes("second", run=stop)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path)
    assert set(snapshot(tmp_path)) == SUMMARY | {f"first/{file}" for file in STUDY_FILES}
    assert [record["id"] for record in read_ledger(tmp_path)] == ["first.mean", "first.one"]
    assert hidden(tmp_path) == []
    finished = snapshot(tmp_path / "first")

    fakes("second", run=works)
    write(tmp_path)
    assert snapshot(tmp_path / "first") == finished
    write(tmp_path / "whole")
    assert (tmp_path / "ledger.json").read_bytes() == (tmp_path / "whole" / "ledger.json").read_bytes()


@pytest.mark.parametrize(
    ("owner", "method", "failure", "error"),
    [
        (xr.Dataset, "to_netcdf", no_space, OSError),
        (Figure, "savefig", no_space, OSError),
        (Figure, "savefig", interrupt, KeyboardInterrupt),
        (folder, "_put_in_place", no_space_at_the_end, OSError),
    ],
    ids=["result.nc, disk full", "figure, disk full", "figure, interrupted", "put in place, disk full"],
)
def test_a_failure_while_writing_leaves_nothing_half_written(
    fakes, tmp_path, monkeypatch, owner, method, failure, error
):
    write(tmp_path, "first")
    before = snapshot(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, failure)
        with pytest.raises(error):
            write(tmp_path)
        assert snapshot(tmp_path) == before
        with pytest.raises(error):
            write(tmp_path, "first", seed=1, force=True)
    assert snapshot(tmp_path) == before
    assert hidden(tmp_path) == []
    assert len(write(tmp_path)) == 6


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")], ids=repr)
def test_a_failure_while_a_result_is_replaced_brings_the_earlier_one_back(fakes, tmp_path, monkeypatch, error):
    write(tmp_path, "first")
    before = snapshot(tmp_path / "first")
    rename = Path.rename

    def fail_to_put_in_place(path: Path, target: Path) -> Path:
        if ".partial-" in path.name:
            raise error
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail_to_put_in_place)
        with pytest.raises(type(error)):
            write(tmp_path, "first", seed=1, force=True)
    # At the latest when the folder is used again.
    write(tmp_path, "second")
    assert snapshot(tmp_path / "first") == before
    assert hidden(tmp_path) == []


def test_a_failure_while_the_ledger_is_written_keeps_the_earlier_one(fakes, tmp_path, monkeypatch):
    write(tmp_path, "first")
    before = read_ledger(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", no_space_at_the_end)
        with pytest.raises(OSError, match="No space left"):
            write(tmp_path, "second")
    assert read_ledger(tmp_path) == before
    assert hidden(tmp_path) == []
    # The study itself was complete, so the next call only has to add it to the ledger.
    assert len(write(tmp_path, "second", "third")) == 6


def test_what_a_killed_run_left_behind_is_cleared(fakes, tmp_path):
    write(tmp_path, "first")
    finished = snapshot(tmp_path / "first")
    for name in (".second.partial-abc", ".first.partial-x", ".first.old-abc"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.nc").write_bytes(b"half")
    (tmp_path / ".ledger.json.partial-k2j3").write_text("[")
    (tmp_path / ".report.html.partial-k2j3").write_text("<")
    write(tmp_path, "second")
    assert hidden(tmp_path) == []
    assert snapshot(tmp_path / "first") == finished


def test_a_result_that_a_killed_run_had_put_aside_comes_back(fakes, tmp_path):
    write(tmp_path, "first")
    finished = snapshot(tmp_path / "first")
    (tmp_path / "first").rename(tmp_path / ".first.old-abc")
    (tmp_path / ".first.partial-abc").mkdir()
    assert len(write(tmp_path, "second")) == 4
    assert snapshot(tmp_path / "first") == finished
    assert hidden(tmp_path) == []


def test_hidden_files_that_are_not_ours_are_left_alone(fakes, tmp_path):
    (tmp_path / ".vim.old-notes").mkdir()
    (tmp_path / ".rsync.partial-dir").mkdir()
    (tmp_path / ".rsync.partial-dir" / "thesis.tex").write_text("mine")
    (tmp_path / ".profile.old-2020").write_text("mine")
    write(tmp_path, "first")
    assert hidden(tmp_path) == [".profile.old-2020", ".rsync.partial-dir", ".vim.old-notes"]
    assert (tmp_path / ".rsync.partial-dir" / "thesis.tex").read_text() == "mine"


KILLED_WHILE_DRAWING = """
import dataclasses, os, signal, sys
from stdpjax.studies import run_into
from tests.lab import test_reproduce
studies = [test_reproduce.fake_study(name) for name in test_reproduce.NAMES]
studies[1] = dataclasses.replace(studies[1], plot=lambda data, config: os.kill(os.getpid(), signal.SIGKILL))
run_into(sys.argv[1], studies, show_progress=False, say=lambda line: None)
"""


def test_a_process_killed_while_writing_loses_only_the_study_it_was_at(fakes, tmp_path):
    out = tmp_path / "killed"
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_DRAWING, str(out)], cwd=ROOT, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL
    assert (out / "first" / "record.json").exists()
    assert not (out / "second").exists()
    left = hidden(out)
    assert left[0] == ".lock"
    assert left[1].startswith(".second.partial-")  # else it was not killed where it hurts
    finished = snapshot(out / "first")
    write(out)
    write(tmp_path / "whole")
    assert hidden(out) == []
    assert snapshot(out / "first") == finished
    assert (out / "ledger.json").read_bytes() == (tmp_path / "whole" / "ledger.json").read_bytes()


REAL_STUDIES = """
import sys
from stdpjax.studies import run_into
overrides = {"constant_rate": {"n_trials": 3000, "probabilities": [0.01, 0.1]}}
run_into(sys.argv[1], ["example_traces", "constant_rate"], smoke=True, overrides=overrides, show_progress=False)
"""


@pytest.mark.slow
def test_real_studies_killed_and_started_again_give_the_same_ledger_byte_for_byte(tmp_path):
    command = [sys.executable, "-c", REAL_STUDIES]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen([*command, str(killed)], stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while not (killed / "example_traces").exists() and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait(timeout=30)
    assert (killed / "example_traces").exists()
    assert not (killed / "constant_rate").exists()
    for out in (killed, whole):
        subprocess.run([*command, str(out)], check=True, timeout=120, stdout=subprocess.DEVNULL)
    assert (killed / "ledger.json").read_bytes() == (whole / "ledger.json").read_bytes()
    assert hidden(killed) == []


# Bad input. Each is refused before anything is written.


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("fourth",), {}, r"studies: expected one of first, second, third, or a Study, got 'fourth'"),
        ((), {"overrides": {"fourth": {}}}, r"overrides: expected settings of a study that is run \(first, second"),
        (("first",), {"overrides": {"second": {"size": 3}}}, r"overrides: expected settings of a study that is run"),
        ((), {"overrides": {"first": {"height": 1}}}, r"height: .* of first \(size, width, levels, word\)"),
        ((), {"overrides": {"first": {"size": 2.5}}}, r"size: expected int, got 2\.5"),
        ((), {"overrides": {"first": {"size": True}}}, r"size: expected int, got True"),
        ((), {"overrides": {"first": {"width": "wide"}}}, r"width: expected float, got 'wide'"),
        ((), {"overrides": {"first": {"levels": 0.5}}}, r"levels: expected a sequence, got 0\.5"),
        ((), {"overrides": {"first": {"levels": "0.5"}}}, r"levels: expected a sequence, got '0\.5'"),
        ((), {"overrides": {"first": {"word": 3}}}, r"word: expected str, got 3"),
        ((), {"overrides": {"third": {"size": 0}}}, r"size: expected a whole number of at least 1, got 0"),
        ((), {"seed": -1}, r"seed: expected a whole number of at least 0, got -1"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_written(fakes, tmp_path, names, options, message):
    with pytest.raises(ValueError, match=message):
        write(tmp_path / "out", *names, **options)
    assert list(tmp_path.iterdir()) == []


def test_an_out_that_is_a_file_or_lies_below_one_is_refused(fakes, tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    for out in (file, file / "below", file / "deep" / "below"):
        with pytest.raises(ValueError, match=r"out: expected a folder, got .* which is or lies in a file"):
            write(out)
    assert file.read_text() == "mine"


def test_run_takes_settings_by_keyword_and_writes_nothing(fakes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("first", seed=2, size=6, levels=[1, 2.5], width=3, show_progress=False)
    assert result.config == Config(size=6, levels=(1, 2.5), width=3.0)
    assert isinstance(result.config.width, float)
    assert result.data.sizes["time"] == 6
    assert {record["seed"] for record in result.records} == {2}
    assert result.figure().axes
    assert list(tmp_path.iterdir()) == []


def test_a_study_does_not_depend_on_which_others_run_before_it(fakes, tmp_path):
    alone = run("third", show_progress=False).data
    write(tmp_path)
    with xr.open_dataset(tmp_path / "third" / "result.nc", engine="h5netcdf") as stored:
        xr.testing.assert_equal(stored.load(), alone)
    assert not run("first", show_progress=False).data.identical(alone)


ORIGIN = {
    "stdpjax": "1", "commit": "abc", "is_dirty": False, "diff": None, "jax": "1", "backend": "cpu", "x64": "False",
    "machine": "here",
}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"config": Config(width=2.0)},
        {"is_smoke": True},
        {"study": fake_study("second")},
        *({"origin": {**ORIGIN, name: "other"}} for name in ("stdpjax", "commit", "diff", "jax")),
    ],
    ids=["seed", "setting", "smoke", "study", "stdpjax", "commit", "diff", "jax"],
)
def test_the_identity_of_a_run_changes_with_everything_that_decides_its_numbers(change):
    same: dict[str, Any] = {
        "study": fake_study("first"),
        "config": Config(),
        "seed": 0,
        "is_smoke": False,
        "origin": ORIGIN,
    }
    assert identity(**same) == identity(**{**same, "study": fake_study("first")})
    assert identity(**same) != identity(**{**same, **change})
    elsewhere = {**ORIGIN, "machine": "there"}
    assert identity(**same) == identity(**{**same, "origin": elsewhere})


def test_the_commit_comes_with_a_hash_of_what_tracked_files_change(tmp_path, monkeypatch):
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    module = tmp_path / "stdpjax" / "__init__.py"
    module.parent.mkdir()
    module.write_text("one = 1\n")
    git("init")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-m", "one")
    monkeypatch.setattr(stdpjax, "__file__", str(module))
    clean = provenance()
    assert (clean["is_dirty"], clean["diff"], len(clean["commit"])) == (False, None, 40)
    (tmp_path / "untracked.txt").write_text("mine")
    assert provenance() == clean
    module.write_text("one = 2\n")
    changed = provenance()
    module.write_bytes(b"one = 3  # \xff\n")
    assert changed["is_dirty"] is True
    assert None is not changed["diff"] != provenance()["diff"]
