"""A file to begin a study of one's own with."""

from importlib import resources
from pathlib import Path

__all__ = ["new_study"]

_NAME = "my_study"  # of the template


def new_study(file: str | Path) -> Path:
    """Write a study that runs at once, as a file to change; the study has the file's name.

    Args:
        file: "FILE.py", which is not there yet, in a folder that is; without .py and folder it is a word.

    Returns:
        Its path.

    Raises:
        ValueError: a name that is no such file's, or a file that is there.

    Example:
        >>> import pathlib, tempfile
        >>> from stdpjax.lab.own import new_study, studies_at
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [study.name for study in studies_at(str(new_study(pathlib.Path(folder) / "drift.py")))]
        ['drift']
    """
    path = Path(file) if isinstance(file, str | Path) else Path()
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ValueError(
            f"file: expected a new Python file such as my_study.py, whose name is a word, got {file!r:.80}"
        )
    if not path.parent.is_dir():
        raise ValueError(f"file: expected one in a folder that is there, got {str(path)!r}")
    text = (resources.files("stdpjax.lab.own") / "template.py").read_text(encoding="utf-8").replace(_NAME, path.stem)
    try:
        with path.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise ValueError(f"file: expected one that is not there yet, got {str(path)!r}") from None
    return path
