"""How the processes of a run meet, and end when one of them is gone: plain TCP connections to process 0.

JAX aborts with a stack trace as soon as its coordinator is gone, and misses other processes after 100 s. So JAX reaches
the coordinator through a relay inside each process, which outlives it, and it is the watch that ends the process.
"""

import atexit
import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

GO_ON = "start the same command (without --force) in all processes again, and it goes on with what is complete"
# Seconds: to be silent, to wait for a process that has ended, and between words.
_SILENCE, _GRACE, _BEAT = 15.0, 10.0, 1.0
_peers: dict[int, socket.socket] = {}  # number of a process -> the connection to it
_ended: dict[int, float] = {}  # number -> when it said so
_waiting: list[float] = []  # since when, while this process exchanges something with the others
_last_word = threading.Lock()


def meet(address: str, n_processes: int, process_id: int, same: Mapping[str, Any], timeout: float) -> int:
    """Meet the others, of whom each must have the `same`, watch them, and return the local port of JAX's coordinator.

    Process 0 waits so many seconds for the others, and each of those for process 0.
    """
    host, _, port = address.rpartition(":")
    texts = {name: str(value) for name, value in {"n_processes": n_processes, **same}.items()}
    try:
        if process_id == 0:
            coordinator = _gather(int(port), n_processes, texts, timeout)
        else:
            coordinator = _join(host.strip("[]"), int(port), {**texts, "process": process_id}, timeout)
    except OSError as error:
        for connection in _peers.values():
            connection.close()
        _peers.clear()
        raise ConnectionError(f"coordinator: at {address} {error.strerror or error}") from error
    for number in _peers:
        _start(_listen, number)
    _start(_beat)
    atexit.register(_tell, {"ended": True})  # before JAX, whose own was registered earlier, waits for the others
    return coordinator


def _gather(port: int, n: int, same: Mapping[str, str], timeout: float) -> int:
    """Wait for the others, and tell each the port of JAX's coordinator, or what is wrong."""
    end, wrong = time.monotonic() + timeout, ""
    with _server(port) as server, _server(0) as free:
        while (missing := sorted({*range(1, n)} - {*_peers})) and not wrong:
            if (left := end - time.monotonic()) <= 0:
                numbers = ", ".join(map(str, missing[:9])) + ", ..." * (len(missing) > 9)
                wrong = (
                    f"expected {n} processes within start_timeout = {timeout:g} s, got none of number {numbers}; start "
                    "all again"
                )
                break
            server.settimeout(min(left, _BEAT))
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):  # nobody, or a stranger
                connection = server.accept()[0]
                theirs = _hear(connection, 2.0)
                number = theirs.pop("process")
                different = "; ".join(
                    f"{name} {same.get(name)} in process 0 and {theirs.get(name)} in process {number}"
                    for name in {**same, **theirs}
                    if same.get(name) != theirs.get(name)
                )
                if different:
                    wrong = f"expected the same in all processes, got {different}; start all again"
                elif number not in missing:
                    wrong = f"expected each process from 1 to {n - 1} once, got another {number}; start all again"
                _peers[number if number in missing else -1] = connection
            _tell({})
        coordinator = free.getsockname()[1]
    _tell({"wrong": wrong} if wrong else {"port": coordinator})
    if wrong:
        raise ConnectionError(wrong)
    return coordinator


def _join(host: str, port: int, introduction: Mapping[str, Any], timeout: float) -> int:
    """Reach process 0, hear when it has met all, and return the port of this process's relay to the coordinator."""
    end, why = time.monotonic() + timeout, "no answer"
    while (left := end - time.monotonic()) > 0:
        try:
            connection, said = socket.create_connection((host, port), left), {}
            _say(connection, introduction)
            while not said:  # it waits for the others, and says every second that it is there
                said = _hear(connection, min(max(left, 5.0), _SILENCE))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or why
            time.sleep(0.2)
            continue
        _peers[0] = connection
        if "wrong" in said:
            raise ConnectionError(said["wrong"])
        relay = socket.create_server(("127.0.0.1", 0))
        _start(_relay, relay, (host, said["port"]))
        return relay.getsockname()[1]
    raise ConnectionError(f"expected process 0 within start_timeout = {timeout:g} s, got: {why}; start all again")


def _server(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _start(action: Callable[..., None], *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=action, args=arguments, daemon=True)
    thread.start()
    return thread


def _hear(connection: socket.socket, timeout: float) -> Any:
    connection.settimeout(timeout)
    try:
        return json.loads(connection.makefile("rb", buffering=0).readline())
    except (OSError, ValueError):
        connection.close()
        raise


def _say(connection: socket.socket, said: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(said).encode() + b"\n")


def _tell(said: Mapping[str, Any]) -> None:
    for connection in _peers.values():
        with contextlib.suppress(OSError):
            _say(connection, said)


def _relay(server: socket.socket, coordinator: tuple[str, int]) -> None:
    while True:
        near, far = server.accept()[0], None
        while far is None:
            with contextlib.suppress(OSError):  # not there yet, or gone, which the watch tells
                far = socket.create_connection(coordinator)
            time.sleep(0.05)
        _start(_pass_on, near, far)
        _start(_pass_on, far, near)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(2**16):
            sink.sendall(data)
    threading.Event().wait()  # keeps both open: JAX must not see that the coordinator is gone


def _listen(number: int) -> None:
    """Hear a process until it has ended like this one, and end this one when it is lost."""
    try:
        while True:
            said = _hear(_peers[number], _SILENCE)
            if "ended" in said:
                _ended[number] = time.monotonic()
            elif "lost" in said:
                _stop(said["lost"])
    except TimeoutError:
        _stop(f"process {number} is lost: not heard for {_SILENCE:.0f} s")
    except (OSError, ValueError):
        if number in _ended:
            time.sleep(_GRACE)  # for the end of this one too
            if not jax.distributed.is_initialized():
                return
        _stop(f"process {number} is lost: it was killed or has failed")


def _beat() -> None:
    while True:
        _tell({})
        time.sleep(_BEAT)
        for number, when in tuple(_ended.items()):
            if any(time.monotonic() - max(since, when) > _GRACE for since in tuple(_waiting)):
                _stop(f"process {number} is lost: it has ended while others wait for it")


def _stop(what: str) -> None:
    """End this process, whatever it does, with a line that says why; process 0 tells the others."""
    _last_word.acquire()  # for good: one line
    _tell({"lost": what})
    _start(_say_why, what).join(2)  # it may wait for whoever reads
    os._exit(3)


def _say_why(what: str) -> None:
    print("\n" * sys.stderr.isatty() + f"stdpjax: error: {what}; {GO_ON}", file=sys.stderr, flush=True)
    sys.stdout.flush()


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Exchange something with all processes; where that fails as one is lost, the watch says so first."""
    _waiting.append(time.monotonic())
    try:
        yield
    except Exception:
        if _peers:
            time.sleep(_SILENCE + 2 * _BEAT)
        raise
    finally:
        _waiting.pop()
