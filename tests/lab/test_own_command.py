"""A study of one's own by the command line: interrupted and gone on with, and run by several processes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stdpjax.lab.own import new_study
from tests.test_parallel import free_port

PROGRAM = [sys.executable, "-c", "import sys; from stdpjax.cli import main; sys.exit(main())"]
ROOT = Path(__file__).parent.parent.parent
# A second study in the file waits until it is told to go on.
WAITS = """
import dataclasses, os, time

def wait(key, config, progress):
    open("waiting", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.05)
    return run(key, config, progress)

claims = tuple(dataclasses.replace(claim, id="later.ratio") for claim in CLAIMS)
LATER = dataclasses.replace(STUDY, name="later", run=wait, claims=claims)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a file of two studies."""
    monkeypatch.chdir(tmp_path)
    file = new_study("mine.py")
    file.write_text(file.read_text(encoding="utf-8") + WAITS, encoding="utf-8")
    return tmp_path


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [*PROGRAM, "run", "mine.py", "--smoke", "--out", "out", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def ids(out: str) -> list[str]:
    return [record["id"] for record in json.loads(Path(out, "ledger.json").read_text(encoding="utf-8"))]


def test_interrupted_it_keeps_what_is_done_and_the_same_command_goes_on(home):
    first = start("--jobs", "1")
    deadline = time.monotonic() + 120
    while not Path("waiting").exists() and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    first.send_signal(signal.SIGINT)
    _, err = first.communicate(timeout=60)
    assert (first.returncode, err.splitlines()[-1]) == (
        130,
        "stdpjax: interrupted; the same command goes on with the studies not yet done",
    )
    assert ids("out") == ["mine.ratio"]
    done = Path("out/mine/record.json").read_bytes()
    Path("go").touch()
    again = start("--jobs", "1")
    out, err = again.communicate(timeout=120)
    assert (again.returncode, err) == (0, "")
    assert out.startswith("mine: kept, already done\nlater: done in ")
    assert Path("out/mine/record.json").read_bytes() == done
    assert ids("out") == ["mine.ratio", "later.ratio"]
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert all(name in page for name in ids("out"))


def test_several_processes_together_and_side_by_side_give_the_same_ledger(home):
    Path("go").touch()
    shared = ("--coordinator", f"127.0.0.1:{free_port()}", "--num-processes", "2", "--start-timeout", "60")
    together = [start(*shared, "--process-id", str(number), "--jobs", "1") for number in range(2)]
    ended = [process.communicate(timeout=180) for process in together]
    assert [process.returncode for process in together] == [0, 0], ended
    ledger = Path("out/ledger.json").read_bytes()
    Path("out").rename("together")
    side_by_side = start("--jobs", "2")
    _, err = side_by_side.communicate(timeout=120)
    assert (side_by_side.returncode, err) == (0, "")
    assert Path("out/ledger.json").read_bytes() == ledger
