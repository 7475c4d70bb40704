"""Kills at random moments: one line, soon, and the same command goes on to the same bits."""

import os
import random
import re
import signal
import time
from pathlib import Path

import pytest

from tests.lab.sweep.test_processes import contents, on_processes, working_folders
from tests.test_lost_processes import BOUND, MINE, RUN, SWEEP, check_lost, end, launch, only_line, wait_until
from tests.test_parallel import PROGRAM, environment, start

pytestmark = pytest.mark.slow


def folders_of(tmp_path, name, n_processes=2):
    (tmp_path / name).mkdir()
    return working_folders(tmp_path / name, n_processes)


def same_bits(expected, got):
    if (expected / "manifest.json").exists():
        assert contents(expected) == contents(got)
    else:
        assert (expected / "ledger.json").read_bytes() == (got / "ledger.json").read_bytes()


@pytest.mark.parametrize("arguments", [SWEEP, RUN])
def test_at_ten_random_moments_one_line_and_then_the_same_bits(tmp_path, arguments):
    """From the start to the end of the two, whichever of them is killed."""
    (alone,) = working_folders(tmp_path, 1)
    (alone / "mine.py").write_text(MINE)
    assert on_processes([alone], *arguments)[0][0] == 0
    draw, begin = random.Random(0), time.monotonic()
    assert [code for code, _ in end(launch(folders_of(tmp_path, "whole"), *arguments))] == [0, 0]
    duration, n_lost = time.monotonic() - begin, 0
    for moment in sorted(draw.uniform(0, duration) for _ in range(10)):
        victim, folders = draw.randrange(2), folders_of(tmp_path, f"{moment}")
        processes = launch(folders, *arguments)
        time.sleep(moment)
        processes[victim].kill()
        begin = time.monotonic()
        (outcome,) = end([processes[1 - victim]], BOUND)
        seconds, (killed, _) = time.monotonic() - begin, end([processes[victim]])[0]
        print(f"{moment:5.1f} of {duration:.1f} s, process {victim}: {outcome[0]} after {seconds:.1f} s {outcome[1]}")
        if killed == -signal.SIGKILL and outcome[0] != 0:
            n_lost += 1
            check_lost(victim, *outcome)
        codes = [code for code, _ in end(launch(folders, *arguments))]
        assert codes == [0, 0] or (arguments is RUN and codes == [2, 2])  # nothing was left to do
        same_bits(alone / "out", folders[0] / "out")
    assert n_lost >= 5


def workers_of(process):
    return [int(text) for text in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for the children of a process")
def test_at_ten_random_moments_a_worker_that_is_killed_costs_its_study_alone(tmp_path):
    arguments, draw, n_lost = ["run", "mine.py", "--smoke", "--out", "out"], random.Random(0), 0
    (alone,) = working_folders(tmp_path, 1)
    (alone / "mine.py").write_text(MINE)
    assert on_processes([alone], *arguments, "--jobs", "1")[0][0] == 0
    for number in range(10):
        (folder,) = folders_of(tmp_path, f"moment {number}", 1)
        (folder / "mine.py").write_text(MINE)
        process = start([*PROGRAM, *arguments, "--jobs", "2"], environment(JAX_ENABLE_COMPILATION_CACHE="0"), folder)
        wait_until(lambda process=process: len(workers_of(process)) == 2, [process])
        time.sleep(draw.uniform(0, 12))
        if victims := workers_of(process) if process.poll() is None else []:
            os.kill(draw.choice(victims), signal.SIGKILL)
        ((code, errors),) = end([process])
        print(f"{len(victims)} workers, {code}: {errors}")
        if code != 0:
            n_lost += 1
            line = only_line(errors)
            assert code == 3
            assert re.match(r"stdpjax: error: (example_traces|second|third): its process ended with signal 9 ", line)
            ((code, errors),) = end([start([*PROGRAM, *arguments, "--jobs", "2"], environment(), folder)])
            assert code == 0, errors
        same_bits(alone / "out", folder / "out")
    assert n_lost >= 5
