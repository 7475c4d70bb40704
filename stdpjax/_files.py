"""Writing files so that each is there whole or not at all."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


def folder_path(out: str | Path) -> Path:
    """Return the path of a folder to be written, refusing what names none.

    Raises:
        ValueError: no text or path, or an empty one.
    """
    if not isinstance(out, str | os.PathLike) or str(out) == "":
        raise ValueError(f"out: expected the name of a folder, got {out!r}")
    return Path(out)


def file_checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(out: Path) -> None:
    """Make a folder if it is not there.

    Raises:
        ValueError: it is or lies in a file.
        OSError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ValueError(f"out: expected a folder, got {str(out)!r}, which is or lies in a file") from error


@contextlib.contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Give an empty file beside the one that is to be written, and rename it in the end.

    A process that is killed leaves it behind, see `remove_leftovers`.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.partial-", suffix=path.suffix)
    os.close(handle)
    try:
        yield Path(name)
        Path(name).chmod(0o666 & ~umask())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_aside(path: Path, text: str) -> None:
    """Write a text file aside, then rename it."""
    with aside(path) as partial:
        partial.write_text(text, encoding="utf-8")


def remove_leftovers(path: Path) -> None:
    """Remove what killed processes were writing beside a file."""
    for partial in path.parent.glob(f".{path.name}.partial-*"):
        partial.unlink()


def umask() -> int:
    """Return the permissions that new files lack; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
