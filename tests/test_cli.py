"""The command line: what it prints, what it writes, and one line for every mistake."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import jax
import platformdirs
import pytest

import stdpjax
from stdpjax import cli, studies
from stdpjax.lab import settings

TRACES = ("run", "example_traces", "--smoke", "--n-trials", "50")
# As the console script does, without needing the package to be installed.
PROGRAM = [sys.executable, "-c", "import sys; from stdpjax.cli import main; sys.exit(main())"]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def stdp(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Call the command line in an empty folder."""

    def call(*arguments: str) -> Outcome:
        try:
            code = cli.main(arguments)
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="backslashreplace",
        env={**os.environ, **environment},
    )


def configuration(out: Path, study: str) -> dict:
    return json.loads((out / study / "record.json").read_text(encoding="utf-8"))["configuration"]


def test_list_names_every_study_on_a_line_of_its_own(stdp):
    outcome = stdp("list")
    assert (outcome.code, outcome.err) == (0, "")
    assert [line.split()[0] for line in outcome.out.splitlines()] == [study.name for study in studies.STUDIES]


def test_version_is_that_of_the_package(stdp):
    assert stdp("--version") == (0, f"stdpjax {stdpjax.__version__}\n", "")


@pytest.mark.parametrize("command", [(), ("reproduce",), ("run",), *(("run", study.name) for study in studies.STUDIES)])
def test_help_explains_itself(stdp, command):
    outcome = stdp(*command, "--help")
    assert outcome.code == 0
    assert outcome.out.startswith("usage: stdpjax")
    assert outcome.err == ""


def test_help_shows_every_setting_with_its_default(stdp):
    text = " ".join(stdp("run", "constant_rate", "--help").out.split())
    for line in ("--window", "default: 20", "--causal-weights A,B,...", "default: 0.0,0.01,0.03"):
        assert line in text
    text = " ".join(stdp("run", "stdp_window", "--help").out.split())
    assert "random process behind the activities: smooth_noise, " in text
    for study in studies.STUDIES:
        assert all(field.metadata["help"] for field in dataclasses.fields(study.config))
    assert "--data FILE.csv" in stdp("run", "stdp_window", "--help").out


def test_run_writes_where_it_is_told_prints_each_claim_and_overwrites_only_by_force(stdp, folder):
    settings = ("--seed", "4", "--n-steps", "80", "--max-probability", "0.5")
    outcome = stdp(*TRACES, *settings, "--out", "here")
    assert (outcome.code, outcome.err) == (0, "")
    assert [path.name for path in folder.iterdir()] == ["here"]
    ledger = json.loads((folder / "here" / "ledger.json").read_text(encoding="utf-8"))
    lines = outcome.out.splitlines()
    for record in ledger:
        assert any(line.startswith(record["id"]) and record["verdict"] in line for line in lines)
    assert {record["seed"] for record in ledger} == {4}
    assert lines[0].startswith("example_traces: done in ")
    assert lines[-1] == "report: here/report.html"
    used = configuration(folder / "here", "example_traces")
    assert (used["n_steps"], used["n_trials"], used["max_probability"]) == (80, 50, 0.5)

    again = stdp(*TRACES, *settings, "--out", "here")
    assert (again.code, again.out) == (2, "")
    assert again.err.startswith("stdpjax: error: out: ")
    assert "give --force" in again.err
    forced = stdp(*TRACES, *settings, "--out", "here", "--force")
    assert forced.code == 0
    assert "overwriting here/example_traces" in forced.out


def test_run_prints_the_records_of_its_own_study_alone(stdp, monkeypatch):
    records = [
        {"id": f"{name}.one", "study": name, "verdict": verdict, "measured": 1.0, "claim": "one"}
        for name, verdict in (("example_traces", "inconclusive"), ("constant_rate", "met"))
    ]
    monkeypatch.setattr(studies, "run_into", lambda *_, **__: records)
    out = stdp(*TRACES).out
    assert "example_traces.one" in out
    assert "constant_rate.one" not in out
    assert "constant_rate.one" in stdp("reproduce").out


def test_results_is_the_folder_if_none_is_named(stdp, monkeypatch):
    seen = []
    monkeypatch.setattr(
        studies, "run_into", lambda out, chosen, **options: seen.append((str(out), [s.name for s in chosen])) or []
    )
    assert stdp(*TRACES).code == 0
    assert stdp("reproduce").code == 0
    assert seen == [("results", ["example_traces"]), ("results", [study.name for study in studies.STUDIES])]


def test_reproduce_runs_every_study_with_the_settings_given(stdp, monkeypatch):
    seen = {}
    monkeypatch.setattr(studies, "run_into", lambda out, chosen, **options: seen.update(options, chosen=chosen) or [])
    outcome = stdp(
        "reproduce", "--smoke", "--set", "rule_agreement.widths=3,10", "--set", "stdp_window.kernel=sign",
        "--set", "rule_agreement.n_bins=9", "--seed", "7",
    )  # fmt: skip
    assert outcome.code == 0
    assert seen["chosen"] == studies.STUDIES
    assert seen["overrides"] == {
        "rule_agreement": {"widths": (3.0, 10.0), "n_bins": 9},
        "stdp_window": {"kernel": "sign"},
    }
    assert (seen["seed"], seen["smoke"], seen["force"], seen["jobs"]) == (7, True, False, None)
    assert stdp("reproduce", "--jobs", "3").code == 0
    assert seen["jobs"] == 3


def test_compiled_programs_are_kept_in_the_users_cache_folder_unless_told_otherwise(stdp, folder, monkeypatch):
    monkeypatch.setattr(studies, "run_into", lambda *_, **__: [])
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: "home")
    monkeypatch.delenv("STDPJAX_CACHE")
    seen: dict[str, object] = {}
    monkeypatch.setattr(jax.config, "update", seen.__setitem__)
    is_set = bool(jax.config.jax_compilation_cache_dir)  # pyright: ignore[reportAttributeAccessIssue]
    for option, chosen, expected in (
        ((), None, "home"),
        ((), "there", "there"),
        ((), "", None),
        (("--no-cache",), "there", None),
    ):
        seen.clear()
        with monkeypatch.context() as patch:
            if chosen is not None:
                patch.setenv("STDPJAX_CACHE", chosen)
            assert stdp(*TRACES, *option).code == stdp("reproduce", *option).code == 0
        assert seen.get("jax_compilation_cache_dir") == (None if is_set else expected)
    (folder / "file").touch()
    monkeypatch.setenv("STDPJAX_CACHE", "file/below")  # which cannot be made
    assert (stdp(*TRACES).code, seen) == (0, {})


@pytest.mark.slow
def test_programs_of_one_run_are_found_by_the_next_one(tmp_path):
    def run(out: str, **environment: str) -> None:
        process = start(*TRACES, "--out", str(tmp_path / out), JAX_COMPILATION_CACHE_DIR="", **environment)
        _, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")

    def kept() -> set[str]:
        return {path.name for path in (tmp_path / "cache").glob("*")}

    run("first", STDPJAX_CACHE=str(tmp_path / "cache"))
    programs = kept()
    assert programs
    run("second", STDPJAX_CACHE=str(tmp_path / "cache"))
    assert kept() == programs
    ledgers = [(tmp_path / out / "ledger.json").read_bytes() for out in ("first", "second")]
    assert ledgers[0] == ledgers[1]


@pytest.mark.parametrize(
    ("study", "name", "text", "value"),
    [
        ("rule_agreement", "widths", "3,10.5", (3.0, 10.5)),
        ("rule_agreement", "widths", " 3 , 1e1 ", (3.0, 10.0)),
        ("rule_agreement", "widths", "3", (3.0,)),
        ("stdp_window", "window", "12", 12),
        ("stdp_window", "tau", "12", 12.0),
        ("stdp_window", "kernel", "bi_poo", "bi_poo"),
    ],
)
def test_a_setting_is_read_with_the_type_it_has(study, name, text, value):
    read = settings.parse(studies.find(study).config, name, text, study)
    assert read == value
    assert type(read) is type(value)


def test_measured_points_are_read_from_their_file(folder):
    (folder / "points.csv").write_text("lag_ms,change_percent\n10,45.5\n")
    assert settings.parse(studies.find("stdp_window").config, "data", "points.csv", "stdp_window") == ((10.0, 45.5),)


BAD = {
    "no command": ([], "required: reproduce|run"),
    "unknown command": (["simulate"], "'simulate'"),
    "unknown study": (["run", "stdp"], "'stdp_window', 'rising_rate', 'rule_agreement', 'example_traces'"),
    "unknown setting": (["run", "example_traces", "--steps", "80"], "--steps"),
    "bad number": (["run", "example_traces", "--n-steps", "many"], "n_steps: expected int, got 'many'"),
    "not whole": (["run", "example_traces", "--n-steps", "80.5"], "n_steps: expected int, got '80.5'"),
    "not finite": (["run", "example_traces", "--width", "nan"], "width: expected a finite number above 0"),
    "bad tuple": (["run", "rule_agreement", "--widths", "3,x"], "numbers separated by commas, got '3,x'"),
    "empty tuple": (["run", "rule_agreement", "--widths", ""], "widths: expected numbers separated by commas"),
    "no window": (["run", "stdp_window", "--window", "0"], "window: expected a whole number of at least 1, got 0"),
    "long window": (["run", "stdp_window", "--window", "161"], "expected at most the record's 160 bins, got 161"),
    "rate in Hz": (["run", "example_traces", "--max-probability", "20"], "Hz"),
    "rates in Hz": (["run", "rule_agreement", "--probabilities", "5,20"], "Hz"),
    "unknown kernel": (["run", "stdp_window", "--kernel", "mexican"], "'exponential', 'sign', 'inverse', 'linear'"),
    "no effect": (
        ["run", "stdp_window", "--kernel", "sign", "--tau", "3"],
        "tau: expected it to be left out, as it has no effect with kernel 'sign', got 3.0",
    ),
    "no effect of a set": (["reproduce", "--set", "stdp_window.voltage_scale=0.3"], "no effect with voltage 'bounded'"),
    "no setting of sweeps": (["sweep", "stdp_window", "--grid", "tau=3", "--out", "x", "--bin-ms", "2"], "--bin-ms"),
    "unknown drive": (["run", "example_traces", "--drive", "square"], "drive: expected one of "),
    "no jobs": (["reproduce", "--jobs", "0"], "jobs: expected a whole number of at least 1, got 0"),
    "jobs of one study": (["run", "example_traces", "--jobs", "2"], "--jobs"),
    "negative seed": (["run", "example_traces", "--seed", "-1"], "seed: expected a whole number of at least 0, got -1"),
    "large seed": (["run", "example_traces", "--seed", "4294967296"], "seed: expected a whole number below 2**32"),
    "bad seed": (["run", "example_traces", "--seed", "one"], "'one'"),
    "out is a file": (["run", "example_traces", "--out", "file"], "out: expected a folder, got 'file'"),
    "out below a file": (["run", "example_traces", "--out", "file/below"], "which is or lies in a file"),
    "malformed CSV": (["run", "stdp_window", "--data", "bad.csv"], "line 3 of 'bad.csv', got 'much'"),
    "missing CSV": (["run", "stdp_window", "--data", "none.csv"], "data: expected a readable CSV file, got 'none.csv'"),
    "set without value": (["reproduce", "--set", "stdp_window.window"], "--set: expected STUDY.NAME=VALUE"),
    "set without name": (["reproduce", "--set", "window=3"], "--set: expected STUDY.NAME=VALUE, got 'window=3'"),
    "set of no study": (["reproduce", "--set", "stdp.window=3"], "--set: expected a study of stdp_window, "),
    "set of no setting": (["reproduce", "--set", "stdp_window.windows=3"], "a setting of stdp_window (n_sequences,"),
    "set out of range": (["reproduce", "--set", "rule_agreement.n_bins=2"], "n_bins: expected a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_gets_one_line_and_code_2_and_writes_nothing(stdp, folder, case):
    (folder / "file").write_text("mine")
    (folder / "bad.csv").write_text("lag_ms,change_percent\n1,2\n5,much\n")
    arguments, part = BAD[case]
    outcome = stdp(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("stdpjax: error: ")
    assert part in outcome.err
    assert outcome.err.count("\n") == 1
    assert sorted(path.name for path in folder.rglob("*")) == ["bad.csv", "file"]
    assert (folder / "file").read_text() == "mine"


def test_an_interrupt_ends_with_130_and_says_how_to_go_on(stdp, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(studies, "run_into", interrupted)
    outcome = stdp("reproduce")
    assert outcome.code == 130
    assert "the same command goes on with the studies not yet done" in outcome.err
    forced = stdp("reproduce", "--force")
    assert forced.code == 130
    assert "the same command starts over; without --force the studies that are done are kept" in forced.err
    assert "goes on" not in forced.err


def test_a_full_disk_is_one_line(stdp, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(studies, "run_into", full)
    outcome = stdp("reproduce")
    assert (outcome.code, outcome.err) == (2, "stdpjax: error: [Errno 28] No space left on device\n")


@pytest.mark.slow
def test_a_real_interrupt_of_a_real_process_leaves_no_file(tmp_path):
    out = tmp_path / "out"
    process = start("run", "constant_rate", "--out", str(out))
    try:
        until = time.monotonic() + 60
        while not out.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "stdpjax: interrupted; the same command goes on" in err
    assert "Traceback" not in err
    assert list(out.rglob("*")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["list"], 0, "constant_rate"),
        (["run", "nothing"], 2, "'nothing'"),
        # Refused by the annotation checks in this process, by the library in one without them.
        (["run", "stdp_window", "--edges", "open"], 2, "'padded', 'valid', 'silent'"),
        (["run", "stdp_window", "--coincidence", "count"], 2, "'skip', 'ignore'"),
    ],
)
def test_a_real_process_exits_with_the_code_and_no_traceback(tmp_path, arguments, code, part):
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert part in (err if code else out)
    assert (out == "", err.count("\n")) == (code == 2, 1 if code else 0)


@pytest.mark.slow
def test_results_are_written_in_utf_8_whatever_the_locale(tmp_path):
    # A terminal without UTF-8, as on a cluster node or an old Windows.
    process = start(*TRACES, "--out", str(tmp_path), LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    _, err = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in err) == (0, False)
    assert "≤" in (tmp_path / "report.html").read_text(encoding="utf-8")
