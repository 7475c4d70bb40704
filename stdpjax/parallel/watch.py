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

# Seconds: to meet, to be silent, to wait for a process that has ended, and between words.
_MEETING, _SILENCE, _GRACE, _BEAT = 20.0, 15.0, 10.0, 1.0
_peers: dict[int, socket.socket] = {}  # number of a process -> the connection to it
_ended: dict[int, float] = {}  # number -> when it said so
_waiting: list[float] = []  # since when, while this process exchanges something with the others
_is_ending, _last_word = threading.Event(), threading.Lock()


def meet(address: str, n_processes: int, process_id: int, same: Mapping[str, Any]) -> str:
    """Meet the others, of whom each must have the `same`, watch them, and return where JAX reaches its coordinator."""
    host, _, port = address.rpartition(":")
    end = time.monotonic() + _MEETING
    texts = {name: str(value) for name, value in {"number of processes": n_processes, **same}.items()}
    try:
        if process_id == 0:
            at = _gather(int(port), n_processes, texts, end)
        else:
            at = _join(host.strip("[]"), int(port), {**texts, "process": process_id}, end)
    except OSError as error:
        why = error.strerror or error
        raise ConnectionError(f"coordinator: at {address} {why}; start all processes again") from error
    for number in _peers:
        _start(_listen, number)
    _start(_beat)
    atexit.register(_say_end)  # before JAX, whose own was registered earlier, waits for the others
    return f"127.0.0.1:{at}"


def _gather(port: int, n: int, same: Mapping[str, Any], end: float) -> int:
    """Wait for the others, tell each the port of JAX's coordinator, or what is wrong, and return it."""
    wrong = ""
    with _server(port) as server, _server(0) as free:
        while (missing := {*range(1, n)} - {*_peers}) and not wrong:
            if (left := end - time.monotonic()) <= 0:
                wrong = f"expected {n} processes within {_MEETING:.0f} s, got none of number {min(missing)}"
                break
            with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):  # nobody, or a stranger
                server.settimeout(left)
                connection = server.accept()[0]
                theirs = _hear(connection, 2.0)
                _peers[number := theirs.pop("process")] = connection
                different = "; ".join(
                    f"{name} {same.get(name)} in process 0 and {theirs.get(name)} in process {number}"
                    for name in {**same, **theirs}
                    if same.get(name) != theirs.get(name)
                )
                wrong = different and f"expected the same in all processes, got {different}"
        at = free.getsockname()[1]
    _tell({"wrong": wrong} if wrong else {"port": at})
    if wrong:
        raise ConnectionError(wrong)
    return at


def _join(host: str, port: int, introduction: Mapping[str, Any], end: float) -> int:
    """Reach process 0, hear when it has met all, and return the port of this process's relay to the coordinator."""
    why = "no answer"
    while (left := end - time.monotonic()) > 0:
        try:
            connection = socket.create_connection((host, port), left)
            _say(connection, introduction)
            said = _hear(connection, left + 5)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or why
            time.sleep(0.2)
            continue
        if "wrong" in said:
            raise ConnectionError(said["wrong"])
        _peers[0] = connection
        relay = socket.create_server(("127.0.0.1", 0))
        _start(_relay, relay, (host, said["port"]))
        return relay.getsockname()[1]
    raise ConnectionError(f"expected process 0 within {_MEETING:.0f} s, got: {why}")


def _server(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _start(action: Callable[..., None], *arguments: Any) -> None:
    threading.Thread(target=action, args=arguments, daemon=True).start()


def _hear(connection: socket.socket, timeout: float) -> Any:
    connection.settimeout(timeout)
    return json.loads(connection.makefile("rb", buffering=0).readline())


def _say(connection: socket.socket, said: Mapping[str, Any]) -> None:
    connection.sendall(json.dumps(said).encode() + b"\n")


def _tell(said: Mapping[str, Any]) -> None:
    for connection in _peers.values():
        with contextlib.suppress(OSError):
            _say(connection, said)


def _relay(server: socket.socket, target: tuple[str, int]) -> None:
    while True:
        near, far = server.accept()[0], None
        while far is None:
            with contextlib.suppress(OSError):  # not there yet, or gone, which the watch tells
                far = socket.create_connection(target)
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
        if number in _ended and _is_ending.is_set():
            time.sleep(_GRACE)  # that was its end, and so is this; otherwise JAX waits for it in vain
        _stop(f"process {number} is lost: it was killed or has failed")


def _beat() -> None:
    while True:
        _tell({})
        time.sleep(_BEAT)
        for number, when in tuple(_ended.items()):
            if any(time.monotonic() - max(since, when) > _GRACE for since in tuple(_waiting)):
                _stop(f"process {number} is lost: it has ended while others wait for it")


def _say_end() -> None:
    _is_ending.set()
    _tell({"ended": True})


def _stop(what: str) -> None:
    """End this process, whatever it does, with a line that says why; process 0 tells the others."""
    _last_word.acquire()  # for good: one line
    _tell({"lost": what})
    how = "what was complete is kept, and the same command, started in all processes again, goes on"
    print(f"stdpjax: error: {what}; {how}", file=sys.stderr, flush=True)
    flush = threading.Thread(target=sys.stdout.flush, daemon=True)  # which may wait for whoever reads
    flush.start()
    flush.join(1)
    os._exit(3)


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Exchange something with all processes; where that fails as one is lost, the watch says so first."""
    _waiting.append(time.monotonic())
    try:
        yield
    except Exception:
        time.sleep(2 * _BEAT if _peers else 0)
        raise
    finally:
        _waiting.pop()
