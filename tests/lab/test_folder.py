"""Folders of runs: one writer at a time, whatever it leaves behind; what is said of progress; interrupts."""

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import pytest

from stdpjax import cli
from stdpjax.lab import folder

HOLD = """
import sys
from pathlib import Path
from stdpjax.lab.folder import sole_writer
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
    with pytest.raises(ValueError, match=who), folder.sole_writer(file, Path("here")):
        pytest.fail("both write")
    assert file.exists()  # the refused one has not taken it away
    holder.communicate(timeout=30)
    assert not file.exists()
    with folder.sole_writer(file, Path("here")):
        assert file.exists()
    assert not file.exists()


def test_what_a_killed_writer_leaves_behind_does_not_block(holder, tmp_path):
    file = tmp_path / ".lock"
    holder.send_signal(signal.SIGKILL)
    holder.wait(timeout=30)
    assert file.exists()
    with folder.sole_writer(file, Path("here")):
        assert file.read_text().startswith(f"process {os.getpid()} on ")
    assert list(tmp_path.iterdir()) == []


def test_two_writers_in_one_process_are_rivals_too_and_an_error_lets_go(tmp_path):
    file = tmp_path / ".lock"

    def write_twice() -> None:
        with folder.sole_writer(file, tmp_path), folder.sole_writer(file, tmp_path):
            pytest.fail("both write")

    with pytest.raises(ValueError, match="nobody else writes into"):
        write_twice()
    with folder.sole_writer(file, tmp_path):
        pass
    assert not file.exists()


def test_a_file_that_its_holder_removes_between_opening_and_locking_is_not_taken(tmp_path, monkeypatch):
    file, plain, n_tries = tmp_path / ".lock", fcntl.flock, []

    def removed_first(*arguments: int) -> None:
        n_tries.append(1)
        if len(n_tries) == 1:
            file.unlink()
        plain(*arguments)

    monkeypatch.setattr(fcntl, "flock", removed_first)
    with folder.sole_writer(file, tmp_path):
        assert len(n_tries) > 1
        assert file.exists()
        with pytest.raises(ValueError, match="nobody else"), folder.sole_writer(file, tmp_path):
            pass


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_written_all_the_same(tmp_path, monkeypatch, code):
    def unable(*_: int) -> None:
        raise OSError(code, "no locks")

    monkeypatch.setattr(fcntl, "flock", unable)
    with folder.sole_writer(tmp_path / ".lock", tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


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
    with folder.sole_writer(tmp_path / name, tmp_path / "out"):
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


# Progress and interrupts.


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.undo()  # the limits that users have
    one = Clock()
    monkeypatch.setattr(folder, "time", one)
    return one


def test_a_log_gets_a_line_after_30_seconds_or_5_percent_and_none_of_a_short_run(clock, capsys):
    with folder.progress("train", 200, "epochs", 20) as advance:
        for second in range(1, 61):
            clock.now = float(second)
            advance(20 + second / 2, "loss 0.5")
        slow = capsys.readouterr().err.splitlines()
        for second in range(61, 72):
            clock.now = float(second)
            advance(50 + 3 * (second - 60))
        fast = capsys.readouterr().err.splitlines()
    with folder.progress("short", 10, "points") as advance:
        for n in range(10):
            clock.now += 0.4
            advance(n)
    assert slow == [
        "train: 30 of 200 epochs, 0.5 epochs/s, 05:40 left (loss 0.5)",
        "train: 40 of 200 epochs, 0.5 epochs/s, 05:20 left (loss 0.5)",
        "train: 50 of 200 epochs, 0.5 epochs/s, 05:00 left (loss 0.5)",
    ]
    assert [line.split(" of ")[0] for line in fast] == ["train: 65", "train: 80"]
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_and_nothing_is_shown_unless_asked_for(monkeypatch, capsys, clock):
    with folder.progress("quiet", 10, "points", show=False) as advance:
        clock.now = 100.0
        advance(5, "half")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(folder, "is_watched", lambda: True)
    with folder.progress("sweep", 10, "points", 2) as advance:
        advance(5, "half")
    assert re.search(r"sweep: +50%.* 5/10 .*points.*half", capsys.readouterr().err)


def test_an_interrupt_waits_for_a_piece_of_work_and_is_raised_at_once_without_one(capsys):
    with folder.interrupts("epoch") as was_interrupted:
        assert not was_interrupted()
        signal.raise_signal(signal.SIGINT)
        assert was_interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert capsys.readouterr().err == "\nstdpjax: stopping after this epoch; interrupt again to stop at once\n"
    with folder.interrupts() as was_interrupted:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert was_interrupted()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_handles_interrupts_already_goes_on_doing_so():
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    try:
        with folder.interrupts("epoch") as was_interrupted:
            signal.raise_signal(signal.SIGINT)
            assert not was_interrupted()
        assert heard == [1]
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("has_kernel", [True, False])
def test_progress_shows_in_a_notebook_but_not_because_a_part_of_jupyter_is_imported(has_kernel, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    shell = types.SimpleNamespace(kernel=None) if has_kernel else None
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert folder.is_watched() is has_kernel
