"""A run into a folder: the only place that knows how it is locked, written, resumed, interrupted and watched.

A file or folder is written beside its place and renamed, so it is there whole or not at all; what a killed run left is
cleared, or brought back, when the folder is next used. One process writes at a time; the processes of one distributed
run are one writer, the main one. An interrupt waits for the piece of work at hand where that is short and kept (an
epoch, a chunk of points) and ends the others at once; a second one always does.
"""

import contextlib
import dataclasses
import datetime
import errno
import glob
import hashlib
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from tqdm import tqdm

from stdpjax import _checks, parallel
from stdpjax.lab.provenance import differences

LOCK = ".lock"
# In a log a line after so many seconds, or after such a share of the work if that takes a few seconds.
_SECONDS, _SHARE, _FEW_SECONDS = 30.0, 0.05, 5.0
# Of file systems without locks.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP)


def checked_path(out: str | Path, say: Callable[[str], None], **flags: bool) -> Path:
    """Return the path of a folder to be written, refusing what names none, and what else no run can take."""
    if not isinstance(out, str | os.PathLike) or str(out) == "":
        raise ValueError(f"out: expected the name of a folder, got {out!r}")
    for name, value in flags.items():
        _checks.flag(name, value)
    _checks.function("say", say, "a line of text")
    return Path(out)


@contextlib.contextmanager
def held(out: Path, names: Iterable[str] = ()) -> Iterator[None]:
    """Make a folder, hold it as its only writer, and clear what killed runs left beside its files of some names."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"out: expected a folder, got {str(out)!r}, which is or lies in a file") from error
    with sole_writer(out / LOCK, out):
        for name in names:
            recover(out / name)
        yield


@contextlib.contextmanager
def sole_writer(file: Path, out: Path) -> Iterator[None]:
    """Hold a lock file while `out` is written, and remove it in the end; one that a killed process left is no lock."""
    lock, found = FileLock(file, timeout=0), ""
    with contextlib.suppress(OSError):
        found = file.read_text(encoding="utf-8", errors="replace")[:200]
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"out: expected a folder that nobody else writes into, got {str(out)!r}, which "
            f"{found or 'another process'} is writing; wait for it or give another --out"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        with contextlib.suppress(OSError):  # a full disk: the lock holds without a name in it
            file.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        # While it is held: whoever has opened it already finds that it is gone, and makes a new one.
        with contextlib.suppress(OSError):
            file.unlink()
        lock.release()


def read_own(
    out: Path, name: str, run: str, expected: Mapping[str, Any], of: Callable[[Any], Mapping[str, Any]], how: str
) -> Any:
    """Return the JSON file that says what run a folder is of, None for an empty folder; refuse any other content.

    `expected` is all that decides the numbers of this run and `of` gives the same from what the file holds; `how` says
    what to do about the folder of another run, or a damaged one.
    """
    names = sorted(path.name for path in out.iterdir() if path.name != LOCK)
    if not names:
        return None
    try:
        found = json.loads((out / name).read_text(encoding="utf-8"))
        different = differences(expected, of(found))
    except FileNotFoundError:
        raise ValueError(
            f"out: expected an empty folder or one of a {run}, got {str(out)!r} with {', '.join(names[:5])}; give "
            "another --out"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, IsADirectoryError) as error:
        raise ValueError(f"out: expected a readable {name}, got {str(out / name)!r} with {error!r}; {how}") from error
    if different:
        raise ValueError(
            f"out: expected a folder of this {run}, got {str(out)!r} of another: {'; '.join(different)}; {how}"
        )
    return found


def recover(path: Path) -> None:
    """Clear what killed runs were writing beside a file or folder, and bring back what they were about to replace."""
    beside = f".{glob.escape(path.name)}"
    for partial in path.parent.glob(f"{beside}.partial-*"):
        shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
    for old in path.parent.glob(f"{beside}.old-*"):
        shutil.rmtree(old) if path.exists() else old.rename(path)


@contextlib.contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Give an empty file beside the one that is to be written, and rename it in the end."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.partial-", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def folder_aside(path: Path) -> Iterator[Path]:
    """Give an empty folder beside the one that is to be written, and put it in its place in the end."""
    partial = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.partial-"))
    try:
        partial.chmod(0o777 & ~_umask())
        yield partial
        _put_in_place(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _put_in_place(partial: Path, path: Path) -> None:
    if not path.exists():
        partial.rename(path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.old-"))
    path.rename(old)
    partial.rename(path)
    shutil.rmtree(old)


def _umask() -> int:
    """Return the permissions that new files lack; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write a text file aside, then rename it."""
    with aside(path) as partial:
        partial.write_text(text, encoding="utf-8")


def as_text(content: Any) -> str:
    """Return JSON data as the text of a file."""
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


# Without the time, so that the same figure is the same bytes.
_SAVED: dict[str, dict[str, Any]] = {
    ".png": {"pil_kwargs": {"compress_level": 3}},
    ".svg": {"metadata": {"Date": None}},
    ".pdf": {"metadata": {"CreationDate": None}},
}


def save_figure(figure: Figure, *paths: Path) -> None:
    """Write a figure in the formats of some files; the same figure is the same bytes."""
    # Where its parts go is settled once, with the measures of text that the pixels need too: left to `savefig` it
    # would take another drawing for each file.
    figure.set_dpi(rcParams["savefig.dpi"])
    FigureCanvasAgg(figure)
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)
    for path in paths:
        with aside(path) as partial:
            figure.savefig(partial, **_SAVED[path.suffix])


def plain(config: Any) -> dict[str, Any]:
    """Return a configuration as plain JSON data."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def now() -> str:
    """Return the time as a record has it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of some files of a folder."""
    return {name: checksum(folder / name) for name in names}


@contextlib.contextmanager
def interrupts(piece: str = "") -> Iterator[Callable[[], bool]]:
    """Hear interrupts, where that is ours to decide, and give a function that says whether there was one.

    With a `piece` of work the first one waits for it: whoever works asks after each. Without one it is raised at once,
    and asking tells of one that Python dropped, as it does within some callbacks of C code.
    """
    heard = threading.Event()
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )

    def hear(number: int, frame: Any) -> None:
        if piece and not heard.is_set():
            heard.set()
            print(f"\nstdpjax: stopping after this {piece}; interrupt again to stop at once", file=sys.stderr)
            return
        heard.set()
        signal.default_int_handler(number, frame)

    if is_ours:
        signal.signal(signal.SIGINT, hear)
    try:
        yield heard.is_set
    finally:
        if is_ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def is_watched() -> bool:
    """Whether somebody would see a progress bar: on a terminal, or in a notebook."""
    # A program may import parts of Jupyter without running in a notebook, whose shell alone has a kernel.
    ipython = sys.modules.get("IPython")
    return sys.stderr.isatty() or (ipython is not None and hasattr(ipython.get_ipython(), "kernel"))


@contextlib.contextmanager
def progress(name: str, total: int, unit: str, n_done: int = 0, *, show: bool = True) -> Iterator[Callable[..., None]]:
    """Give a function of how much is done and a note: a bar where somebody watches, now and then a line in a log.

    Done, rate and time left are shown; by the main process alone.
    """
    if not (show and parallel.is_main_process()):
        yield lambda done, note="": None
    elif is_watched():
        with tqdm(total=total, initial=n_done, desc=name, unit=f" {unit}", leave=False) as bar:

            def advance(done: float, note: str = "") -> None:
                bar.set_postfix_str(note, refresh=False)
                bar.update(round(done) - bar.n)
                bar.refresh()

            yield advance
    else:
        yield _Log(name, total, unit, n_done)


class _Log:
    """Lines of progress in a log."""

    def __init__(self, name: str, total: int, unit: str, n_done: int) -> None:
        self._name, self._total, self._unit = name, total, unit
        self._first = self._last = (time.monotonic(), float(n_done))

    def __call__(self, done: float, note: str = "") -> None:
        seconds, more = time.monotonic() - self._last[0], done - self._last[1]
        is_due = seconds >= _SECONDS or (seconds >= _FEW_SECONDS and more >= _SHARE * self._total)
        if not is_due or done >= self._total:  # the end is told by the run itself
            return
        self._last = (time.monotonic(), done)
        rate = (done - self._first[1]) / (self._last[0] - self._first[0])
        left = tqdm.format_interval((self._total - done) / rate) if rate else "?"
        words = f"{done:.4g} of {self._total} {self._unit}, {rate:.3g} {self._unit}/s, {left} left"
        print(f"{self._name}: {words}{f' ({note})' * bool(note)}", file=sys.stderr, flush=True)
