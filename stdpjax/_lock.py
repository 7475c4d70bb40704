"""One writer at a time: a lock of the operating system, which ends with the process that holds it."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

_ATTEMPTS = 100


@contextlib.contextmanager
def sole_writer(file: Path, out: Path) -> Iterator[None]:
    """Hold a lock file while a folder is written, and remove it in the end.

    A file that a killed process left behind is as good as none. Nothing is held where the system or the file system
    has no such locks. The processes of one distributed run are one writer: only the main one takes the lock.

    Args:
        file: the lock file; its folder exists.
        out: what is written, for the message.

    Raises:
        ValueError: another process holds the lock.
        OSError: the file cannot be made.
    """
    handle = _take(file, out)
    try:
        yield
    finally:
        # While it is held: whoever has opened it already will find that it is gone, and make a new one.
        with contextlib.suppress(OSError):
            file.unlink()
        os.close(handle)


def _take(file: Path, out: Path) -> int:
    """Return the open lock file, locked."""
    for _ in range(_ATTEMPTS):
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        is_kept = False
        try:
            if not _try_to_lock(handle):
                holder = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
                raise ValueError(
                    f"out: expected a folder that nobody else writes into, got {str(out)!r}, which {holder} is "
                    "writing; wait for it or give another --out"
                )
            is_kept = _is_at(handle, file)  # else its holder has just ended
            if is_kept:
                with contextlib.suppress(OSError):  # a full disk: the lock holds without a name in it
                    os.ftruncate(handle, 0)
                    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
                return handle
        finally:
            if not is_kept:
                os.close(handle)
    raise ValueError(f"out: expected a lock that can be taken, got {str(file)!r}, which others keep replacing")


def _try_to_lock(handle: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # network file systems say either
        return False
    except OSError:  # a file system without locks
        return True
    return True


def _is_at(handle: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), file.stat())
    except FileNotFoundError:
        return False
