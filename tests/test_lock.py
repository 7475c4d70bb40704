"""One writer at a time: a second one is refused while the first lives, whatever it leaves behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stdpjax import _lock, cli

HOLD = """
import sys
from pathlib import Path
from stdpjax._lock import sole_writer
with sole_writer(Path(sys.argv[1]), Path("out")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the lock file until its standard input ends."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / ".lock")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def test_a_second_writer_is_refused_and_told_who_writes(holder, tmp_path):
    file = tmp_path / ".lock"
    who = rf"out: .* got 'here', which process {holder.pid} on .* is writing; wait"
    with pytest.raises(ValueError, match=who), _lock.sole_writer(file, Path("here")):
        pytest.fail("both write")
    assert file.exists()  # the refused one has not taken it away
    holder.communicate(timeout=30)
    assert not file.exists()
    with _lock.sole_writer(file, Path("here")):
        assert file.exists()
    assert not file.exists()


def test_what_a_killed_writer_leaves_behind_does_not_block(holder, tmp_path):
    file = tmp_path / ".lock"
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=30)
    assert file.exists()
    with _lock.sole_writer(file, Path("here")):
        assert file.read_text().startswith(f"process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_two_writers_in_one_process_are_rivals_too_and_an_error_lets_go(tmp_path):
    file = tmp_path / ".lock"

    def write_twice() -> None:
        with _lock.sole_writer(file, tmp_path), _lock.sole_writer(file, tmp_path):
            pytest.fail("both write")

    with pytest.raises(ValueError, match="nobody else writes into"):
        write_twice()
    with _lock.sole_writer(file, tmp_path):
        pass
    assert not file.exists()


def test_a_file_that_its_holder_removes_between_opening_and_locking_is_not_taken(tmp_path, monkeypatch):
    file, plain, n_opened = tmp_path / ".lock", _lock._try_to_lock, []

    def removed_first(handle: int) -> bool:
        n_opened.append(handle)
        if len(n_opened) == 1:
            file.unlink()
        return plain(handle)

    monkeypatch.setattr(_lock, "_try_to_lock", removed_first)
    with _lock.sole_writer(file, tmp_path):
        assert len(n_opened) == 2
        with pytest.raises(ValueError, match="nobody else"), _lock.sole_writer(file, tmp_path):
            pass


COMMANDS = {
    "run": (["run", "example_traces", "--smoke", "--n-trials", "50"], "out/.lock"),
    "reproduce": (["reproduce", "--smoke"], "out/.lock"),
    "sweep": (
        ["sweep", "stdp_window", "--smoke", "--n-sequences", "6", "--n-steps", "24", "--n-trials", "40",
         "--grid", "window=3"],
        ".out.lock",
    ),
}  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_a_second_command_is_refused_in_one_line_and_touches_nothing(command, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, name = COMMANDS[command]
    (tmp_path / "out").mkdir()
    partial = tmp_path / ("out/.example_traces.partial-1" if name.startswith("out") else ".out.partial-1")
    partial.mkdir()  # what the first one may be writing
    with _lock.sole_writer(tmp_path / name, tmp_path / "out"):
        assert cli.main([*arguments, "--out", "out"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("stdpjax: error: out: expected a folder that nobody else writes into, got 'out'")
        assert captured.err.count("\n") == 1
        assert sorted(path.name for path in tmp_path.rglob("*")) == sorted(["out", partial.name, Path(name).name])


# As the console script does, without needing the package to be installed.
PROGRAM = [sys.executable, "-c", "import sys; from stdpjax.cli import main; sys.exit(main())"]


def test_two_real_commands_cannot_share_a_folder_and_a_kill_frees_it(tmp_path, capsys):
    out = tmp_path / "out"
    # Half a minute's work, to be killed.
    long_run = [*PROGRAM, "run", "constant_rate", "--n-trials", "20000000", "--out", str(out)]
    first = subprocess.Popen(long_run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not (out / ".lock").exists() and first.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        second = [*COMMANDS["run"][0], "--out", str(out)]
        assert cli.main(second) == 2
        assert f"which process {first.pid} on " in capsys.readouterr().err
        assert first.poll() is None
    finally:
        first.kill()
        first.wait(timeout=60)
    assert (out / ".lock").exists()
    assert cli.main(second) == 0
    assert not (out / ".lock").exists()
