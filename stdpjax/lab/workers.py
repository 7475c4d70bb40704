"""Calls in other processes: each is a new Python that does one after the other and tells how far it is.

They are started by hand and not by `multiprocessing`, which would run a user's script again in each of them.
"""

import contextlib
import gc
import math
import os
import pickle
import queue
import re
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import jax

from stdpjax import _checks, _compiled
from stdpjax._threads import n_cores

_Process = subprocess.Popen[bytes]
_Queue = queue.SimpleQueue[Any]

# What the largest study takes, with JAX and matplotlib.
_BYTES = 2 * 2**30
_LIMITS = (("/proc/meminfo", r"MemAvailable: +(\d+)", 1024), ("/sys/fs/cgroup/memory.max", r"\d+", 1))
# A Ctrl-C reaches all processes of a terminal; the one that asks hears it for all.
_START = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from stdpjax.lab import workers; workers.serve()"


def n_workers(jobs: int | None) -> int:
    """Return how many processes are to work: `jobs`, or as many as cores and memory can take.

    An accelerator, and processes that run together already, are left to one process each.
    """
    is_single = jax.process_count() == 1
    if jobs is not None:
        return _checks.count("jobs", jobs, maximum=None if is_single else 1)
    if not is_single or jax.default_backend() != "cpu":
        return 1
    free = [math.inf]
    for file, pattern, unit in _LIMITS:
        with contextlib.suppress(OSError):
            free += [unit * int(number) for number in re.findall(pattern, Path(file).read_text(encoding="utf-8"))]
    return int(max(1, min(n_cores(), min(free) // _BYTES)))


def packed(function: Callable[..., Any], *arguments: Any) -> bytes | None:
    """Return a call as it is sent, None for one that cannot be; its function is given a `Progress` last."""
    try:
        return pickle.dumps((function, arguments))
    except (pickle.PicklingError, AttributeError, TypeError, ValueError):
        return None


def run(calls: Mapping[str, bytes], n: int) -> Generator[tuple[str, str, Any], None, None]:
    """Have calls done by at most `n` processes, in their order, and tell what happens: (name, what, value).

    That is "started", "progress" with (fraction, stage), and then "done" with the call's value, "failed" with the
    exception, or "died" with the end of its process in words. When this iterator is closed no process is left.
    """
    todo, busy, workers, told = list(calls), {}, [], queue.SimpleQueue()
    try:
        while todo or busy:
            if todo and len(busy) < n:
                worker = next((one for one in workers if one not in busy), None)
                if worker is None:
                    workers.append(worker := _started(told))
                busy[worker] = todo.pop(0)
                _send(worker, calls[busy[worker]])
                yield busy[worker], "started", None
                continue
            worker, what, value = told.get()
            if what == "died":
                workers.remove(worker)
                code = _end(worker)
                value = f"signal {-code}" if code < 0 else f"exit code {code}"
            if worker in busy:
                yield busy[worker] if what == "progress" else busy.pop(worker), what, value
    finally:
        for worker in workers:
            _end(worker)


def _started(told: _Queue) -> _Process:
    path = os.pathsep.join(one or os.getcwd() for one in sys.path)
    command, environment = [sys.executable, "-P", "-c", _START], {**os.environ, "PYTHONPATH": path}
    # What was set in this process, not in its environment.
    settings = {name: getattr(jax.config, name, value) for name, value in jax.config.values.items()}
    settings = {name: value for name, value in settings.items() if isinstance(value, bool | int | float | str | None)}
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    threading.Thread(target=_listen, args=(worker, told), daemon=True).start()
    _send(worker, pickle.dumps(settings))
    return worker


def _send(worker: _Process, content: bytes) -> None:
    assert worker.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # its end is told by the thread that listens
        pickle.dump(content, worker.stdin)
        worker.stdin.flush()


def _listen(worker: _Process, told: _Queue) -> None:
    """Pass on what a worker tells, and in the end that it died."""
    assert worker.stdout is not None
    with contextlib.suppress(EOFError, OSError, ValueError, pickle.UnpicklingError):
        while True:
            told.put((worker, *pickle.load(worker.stdout)))
    told.put((worker, "died", None))


def _end(worker: _Process) -> int:
    worker.kill()
    with contextlib.suppress(BrokenPipeError), worker:
        pass
    return worker.wait()


def serve() -> None:
    """Do what comes in, one call after the other, until whoever asks has gone: what a worker runs."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what is printed is no answer

    def answer(*what: Any) -> None:
        pickle.dump(what, answers)
        answers.flush()

    asked: _Queue = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(asked,), daemon=True).start()
    for name, value in pickle.loads(asked.get()).items():
        if jax.config.values[name] != value:
            jax.config.update(name, value)
    _compiled.ignore_lost_programs()
    # What libraries and traced programs hold is there to stay: looking through it would take a tenth of the time.
    gc.set_threshold(50_000)
    while True:
        try:
            function, arguments = pickle.loads(asked.get())
            answer("done", function(*arguments, lambda *done: answer("progress", done)))
        except Exception as error:
            error.add_note(traceback.format_exc())
            try:
                pickle.loads(pickle.dumps(error))
            except Exception:
                error = RuntimeError(traceback.format_exc())
            answer("failed", error)


def _hear(asked: _Queue) -> None:
    with contextlib.suppress(EOFError, OSError):
        while True:
            asked.put(pickle.load(sys.stdin.buffer))
    os._exit(0)  # a study at work has no end to wait for
