"""Processes that are killed, fail, fall silent, never come, or differ: one line in each that is left, and soon.

What a killed run left is gone on with by the same command, to the same bits.
"""

import json
import random
import re
import signal
import textwrap
import time

import pytest

from stdpjax import cli, parallel
from stdpjax.parallel import watch
from tests.lab.sweep.test_processes import SMALL, contents, on_processes, working_folders
from tests.test_parallel import PROGRAM, environment, free_port, program, start

# Two blocks a chunk.
SWEEP = [*SMALL, "--grid", "max_probability=0.1:1:24", "--seeds", "4", "--memory", "1MiB", "--out", "out"]
RUN = ["run", "mine.py", "--smoke", "--out", "out"]
MINE = """
import dataclasses
from stdpjax import studies

first = studies.find("example_traces")
second = dataclasses.replace(first, name="second", claims=())
"""
FEW_SECONDS, BOUND = 5, 30


def launch(folders, *arguments, command=PROGRAM):
    connected = ["--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", str(len(folders)), "--process-id"]
    for folder in folders:
        (folder / "mine.py").write_text(MINE)
    return [
        # Killed while it writes there, a process leaves a damaged entry, of which JAX warns.
        start([*command, *arguments, *connected, str(number)], environment(JAX_ENABLE_COMPILATION_CACHE="0"), folder)
        for number, folder in enumerate(folders)
    ]


def end(processes, bound=120.0):
    """Code and errors of each, which ends within so many seconds."""
    try:
        said = [process.communicate(timeout=bound)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def only_line(errors):
    """What is said on standard error, which is one line beside those of progress."""
    (line,) = [line for line in errors.splitlines() if not re.match(r"\S+( \(.*\))?: \S+ of .* left", line)]
    return line


def wait_until(condition, processes, bound=120):
    start = time.monotonic()
    while not condition():
        assert all(process.poll() is None for process in processes), end(processes)
        assert time.monotonic() < start + bound
        time.sleep(0.05)


def n_blocks(out):
    manifest = out / "manifest.json"
    return len(json.loads(manifest.read_text())["checksums"]) if manifest.exists() else 0


def has_first_study(out):
    return any(out.glob("*/record.json"))


def kill_one_and_go_on(tmp_path, arguments, is_time, victim):
    """Kill one of two processes once it is time; return the folders of a run alone and of the one gone on with."""
    alone, *folders = working_folders(tmp_path, 3)
    processes = launch(folders, *arguments)
    wait_until(lambda: is_time(folders[0] / "out"), processes)
    processes[victim].kill()
    left = processes[1 - victim]
    ((code, errors),) = end([left], FEW_SECONDS)
    end([processes[victim]])
    assert code == 3, errors
    line = only_line(errors)
    assert line.startswith(f"stdpjax: error: process {victim} is lost"), line
    assert "the same command" in line
    assert [code for code, _ in end(launch(folders, *arguments))] == [0, 0]
    (alone / "mine.py").write_text(MINE)
    assert on_processes([alone], *arguments)[0][0] == 0
    return alone / "out", folders[0] / "out"


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_sweep_ends_when_a_process_is_killed_and_goes_on_to_the_same_bits(tmp_path, victim):
    alone, two = kill_one_and_go_on(tmp_path, SWEEP, lambda out: n_blocks(out) > 2, victim)
    assert contents(alone) == contents(two)


@pytest.mark.parametrize("victim", [pytest.param(0, marks=pytest.mark.slow), 1])
def test_studies_end_when_a_process_is_killed_and_go_on_to_the_same_bits(tmp_path, victim):
    alone, two = kill_one_and_go_on(tmp_path, RUN, has_first_study, victim)
    assert (alone / "ledger.json").read_bytes() == (two / "ledger.json").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [SWEEP, RUN])
def test_ten_random_moments(tmp_path, arguments):
    alone, *folders = working_folders(tmp_path, 3)
    draw = random.Random(0)
    for _ in range(10):
        processes, victim = launch(folders, *arguments), draw.randrange(2)
        time.sleep(draw.uniform(5, 25))  # imports take the first seconds
        processes[victim].kill()
        begin = time.monotonic()
        ((code, errors),) = end([processes[1 - victim]], BOUND + 5)  # the import may be still to come
        was_done = end([processes[victim]])[0][0] in (0, 2)
        print(victim, code, f"{time.monotonic() - begin:.2f} s", errors)
        assert was_done or (code == 3 and only_line(errors).startswith("stdpjax: error: "))
    codes = [code for code, _ in end(launch(folders, *arguments))]
    assert codes == [0, 0] or (arguments is RUN and codes == [2, 2])  # nothing is left to do
    (alone / "mine.py").write_text(MINE)
    assert on_processes([alone], *arguments)[0][0] == 0
    if arguments is RUN:
        assert (alone / "out/ledger.json").read_bytes() == (folders[0] / "out/ledger.json").read_bytes()
    else:
        assert contents(alone / "out") == contents(folders[0] / "out")


@pytest.mark.slow
def test_of_three_processes_the_others_name_the_same_one(tmp_path):
    folders = working_folders(tmp_path, 3)
    processes = launch(folders, *SWEEP)
    wait_until(lambda: n_blocks(folders[0] / "out") > 2, processes)
    processes[2].kill()
    for code, errors in end(processes[:2], FEW_SECONDS):
        assert code == 3
        assert only_line(errors).startswith("stdpjax: error: process 2 is lost")
    end(processes[2:])


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_falls_silent_is_lost(tmp_path, victim):
    folders = working_folders(tmp_path, 2)
    processes = launch(folders, *SWEEP)
    wait_until(lambda: n_blocks(folders[0] / "out") > 2, processes)
    processes[victim].send_signal(signal.SIGSTOP)
    ((code, errors),) = end([processes[1 - victim]], BOUND)
    processes[victim].kill()
    end([processes[victim]])
    assert code == 3
    assert f"process {victim} is lost: not heard for 15 s" in only_line(errors)


FAILS = """
    import sys
    from stdpjax import parallel

    parallel.initialize(sys.argv[2], 2, int(sys.argv[-1]))
    assert parallel.on_main_process(lambda: 1) == 1
    if not parallel.is_main_process():
        raise SystemExit("failed")
    parallel.on_main_process(lambda: 2)
"""


@pytest.mark.slow
def test_a_process_that_fails_alone_ends_all(tmp_path):
    folders = working_folders(tmp_path, 2)
    (code, errors), _ = end(launch(folders, command=program(FAILS)), BOUND + 15)
    assert code == 3
    assert only_line(errors).startswith("stdpjax: error: process 1 is lost: it has ended while others wait for it")


FULL = """
    import errno, sys
    from stdpjax.cli import main
    from stdpjax.lab import folder

    def full(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    if sys.argv[-1] == "0":
        folder.aside = full
    sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [SWEEP, RUN])
def test_a_main_process_that_cannot_write_ends_all(tmp_path, arguments):
    folders = working_folders(tmp_path, 2)
    (code, errors), (other, other_errors) = end(
        launch(folders, *arguments, command=[PROGRAM[0], "-c", textwrap.dedent(FULL)]), 60
    )
    assert (code, other) == (2, 2), (errors, other_errors)
    assert "No space left" in only_line(errors)
    assert other_errors == ""


def test_processes_with_other_settings_are_refused_in_one_line_each(tmp_path):
    folders = working_folders(tmp_path, 2)
    seed = "import sys; sys.argv += ['--seed', '1'] if sys.argv[-1] == '1' else []; "
    for code, errors in end(launch(folders, *SWEEP, command=[*PROGRAM[:2], seed + PROGRAM[2]]), BOUND):
        assert code == 3
        assert "expected the same in all processes, got seed 0 in process 0 and 1 in process 1" in only_line(errors)


@pytest.mark.parametrize(
    ("number", "message"),
    [(0, "expected 2 processes within .* got none of number 1"), (1, "expected process 0 within")],
)
def test_processes_that_never_come_are_not_waited_for(monkeypatch, number, message):
    monkeypatch.setattr(watch, "_MEETING", 0.3)
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionError, match=f"coordinator: at {address} {message}"):
        watch.meet(address, 2, number, {})


def test_the_command_line_ends_with_code_3_where_no_process_comes(monkeypatch, capsys):
    def nobody(*arguments, **options):
        raise ConnectionError("coordinator: at here:1 expected process 0")

    monkeypatch.setattr(parallel, "initialize", nobody)
    assert cli.main(["run", "example_traces", "--smoke"]) == 3
    assert capsys.readouterr().err == "stdpjax: error: --coordinator: at here:1 expected process 0\n"
