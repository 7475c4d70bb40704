"""Processes that are killed, fail, fall silent, never come, or differ: one line in each that is left, and soon.

What a killed run left is gone on with by the same command, to the same bits.
"""

import contextlib
import json
import re
import signal
import socket
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stdpjax import cli, parallel
from stdpjax.parallel import watch
from tests.lab.sweep.test_processes import SMALL, working_folders
from tests.test_parallel import PROGRAM, environment, free_port, program, start

# Two blocks a chunk.
SWEEP = [*SMALL, "--grid", "max_probability=0.1:1:24", "--seeds", "4", "--memory", "1MiB", "--out", "out"]
RUN = ["run", "mine.py", "--smoke", "--out", "out"]
MINE = """
import dataclasses
from stdpjax import studies

first = studies.find("example_traces")
second, third = (dataclasses.replace(first, name=name, claims=()) for name in ("second", "third"))
"""
FEW_SECONDS, BOUND = 5, 30
IS_LOST = "stdpjax: error: process {} is lost: "


def launch(folders, *arguments, command=PROGRAM):
    """Start a command on as many processes as there are folders; what they read and write is in those."""
    connected = ["--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", str(len(folders)), "--process-id"]
    for folder in folders:
        (folder / "mine.py").write_text(MINE)
    return [
        # Killed while it writes there, a process leaves a damaged entry, of which JAX warns.
        start([*command, *arguments, *connected, str(number)], environment(JAX_ENABLE_COMPILATION_CACHE="0"), folder)
        for number, folder in enumerate(folders)
    ]


def end(processes, bound=240.0):
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


def wait_until(condition, processes):
    begin = time.monotonic()
    while not condition():
        assert all(process.poll() is None for process in processes), end(processes)
        assert time.monotonic() < begin + 240
        time.sleep(0.05)


def has_blocks(out):
    """Whether a sweep has begun."""
    manifest = out / "manifest.json"
    return manifest.exists() and len(json.loads(manifest.read_text())["checksums"]) > 2


KILLED = """
    import os, signal, sys, time
    from stdpjax import parallel

    parallel.initialize(sys.argv[3], 2, number := int(sys.argv[-1]))
    parallel.on_main_process(lambda: None)
    if number == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)
"""


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_process_that_is_killed_ends_the_other_whatever_it_does(tmp_path, victim):
    command = [*program(KILLED), str(victim)]
    outcomes = end(launch(working_folders(tmp_path, 2), command=command), BOUND)
    (code, errors), (killed, _) = outcomes[1 - victim], outcomes[victim]
    assert (code, killed) == (3, -signal.SIGKILL)
    assert only_line(errors) == IS_LOST.format(victim) + f"it was killed or has failed; {watch.GO_ON}"


def come(port, line):
    """Say something to process 0 once it is there, and return what it says until it hangs up."""
    while True:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(line)
            return connection.makefile().read()
        time.sleep(0.01)


def introduction(number, **same):
    return json.dumps({"process": number, "n_processes": "3", "seed": "0", **same}).encode() + b"\n"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([introduction(1, seed="1")], "expected the same in all processes, got seed 0 in process 0 and 1 in process 1"),
        ([introduction(1, n_processes="2")], "got n_processes 3 in process 0 and 2 in process 1; start all again"),
        ([introduction(2), introduction(2)], "expected each process from 1 to 2 once, got another 2"),
        ([introduction(1)], "expected 3 processes within start_timeout = 0.5 s, got none of number 2"),
        ([b"GET / HTTP/1.1\r\n\r\n"], "expected 3 processes within start_timeout = 0.5 s, got none of number 1, 2"),
    ],
)
def test_process_0_tells_all_who_have_come_what_is_wrong(lines, message):
    port = free_port()
    with ThreadPoolExecutor() as pool:
        told = [pool.submit(come, port, line) for line in lines]
        with pytest.raises(ConnectionError, match=re.escape(message)):
            watch.meet(f"localhost:{port}", 3, 0, {"seed": 0}, 0.5)
    if b"GET" not in lines[0]:
        assert all(message in json.loads(each.result().splitlines()[-1])["wrong"] for each in told)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_the_others_wait_for_process_0_and_as_long_as_it_waits(host):
    with pytest.raises(ConnectionError, match=r"expected process 0 within start_timeout = 0.3 s, got: .*; start all"):
        watch.meet(f"{host}:{free_port()}", 2, 1, {}, 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        other = pool.submit(watch.meet, f"127.0.0.1:{server.getsockname()[1]}", 2, 1, {"seed": 5}, 0.3)
        with server.accept()[0] as connection:
            heard = json.loads(connection.makefile().readline())
            for said in (b"{}\n", b"{}\n", b'{"wrong": "all"}\n'):
                time.sleep(0.3)
                connection.sendall(said)
        with pytest.raises(ConnectionError, match=r"^coordinator: at 127\.0\.0\.1:\d+ all$"):
            other.result()
    assert heard == {"n_processes": "2", "process": 1, "seed": "5"}


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ConnectionError, match=f"coordinator: at 127.0.0.1:{port} Address already in use"):
            watch.meet(f"127.0.0.1:{port}", 2, 0, {}, 0.3)


def failed(is_refusal):
    error = parallel.MainProcessError("process 0, the main one, stopped: OSError: no space")
    error.is_refusal = is_refusal
    return error


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConnectionError("coordinator: at here:1 nobody"), 3, "coordinator: at here:1 nobody\n"),
        (ChildProcessError("mine: its process ended"), 3, "mine: its process ended\n"),
        (failed(is_refusal=False), 3, f"{failed(is_refusal=False)}; {watch.GO_ON}\n"),
        (failed(is_refusal=True), 2, ""),
        (PermissionError("cannot write"), 2, "cannot write\n"),
    ],
)
def test_the_command_line_ends_with_code_3_where_a_process_is_lost(error, code, message, monkeypatch, capsys):
    def fail(options):
        raise error

    monkeypatch.setitem(cli._COMMANDS, "list", cli._COMMANDS["list"]._replace(run=fail))
    assert cli.main(["list"]) == code
    assert capsys.readouterr().err == f"{'stdpjax: error: ' * bool(message)}{message}"


def check_lost(victim, code, errors):
    """One line that names the lost process, also where it did not come to meet the others."""
    line = only_line(errors)
    assert code == 3, errors
    never_came = f"got none of number {victim};" if victim else "expected process 0 within"
    assert line.startswith(IS_LOST.format(victim)) or (line.startswith("stdpjax: error: ") and never_came in line)


@pytest.mark.slow
def test_of_three_processes_the_others_name_the_same_one(tmp_path):
    folders = working_folders(tmp_path, 3)
    processes = launch(folders, *SWEEP)
    wait_until(lambda: has_blocks(folders[0] / "out"), processes)
    processes[2].kill()
    for outcome in end(processes[:2], FEW_SECONDS):
        check_lost(2, *outcome)
    end(processes[2:])


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_a_process_that_falls_silent_is_lost(tmp_path, victim):
    folders = working_folders(tmp_path, 2)
    processes = launch(folders, *SWEEP)
    wait_until(lambda: has_blocks(folders[0] / "out"), processes)
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
    (code, errors), _ = end(launch(working_folders(tmp_path, 2), command=program(FAILS)), BOUND)
    assert code == 3
    assert only_line(errors) == IS_LOST.format(1) + f"it has ended while others wait for it; {watch.GO_ON}"


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
    command = [PROGRAM[0], "-c", textwrap.dedent(FULL)]
    (code, errors), (other, other_errors) = end(launch(working_folders(tmp_path, 2), *arguments, command=command))
    assert (code, other) == (2, 3), (errors, other_errors)
    assert "No space left" in only_line(errors)
    assert only_line(other_errors).startswith(
        "stdpjax: error: process 0, the main one, stopped: OSError: [Errno 28] No"
    )


@pytest.mark.slow
def test_processes_with_other_settings_are_refused_in_one_line_each(tmp_path):
    seed = "import sys; sys.argv += ['--seed', '1'] if sys.argv[-1] == '1' else []; "
    command = [*PROGRAM[:2], seed + PROGRAM[2]]
    for code, errors in end(launch(working_folders(tmp_path, 2), *SWEEP, command=command), BOUND):
        assert code == 3
        line = only_line(errors)
        assert line.startswith("stdpjax: error: --coordinator: at 127.0.0.1:")
        assert "expected the same in all processes, got seed 0 in process 0 and 1 in process 1; start all" in line
