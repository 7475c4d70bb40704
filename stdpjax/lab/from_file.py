"""What a user's file defines: `my_study.py` one or several studies, `my_study.py:NAME` what it binds to a name."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from stdpjax import _checks
from stdpjax.lab.study import Study

__all__ = ["read_object", "read_studies"]

_FORM = re.compile(r"(.+\.py)(?::(\w+))?")
PREFIX = "stdpjax_study_"  # of the modules that files become


def names_a_file(text: str) -> bool:
    """Whether a text is the name of a Python file, maybe with the name of a study in it."""
    return _FORM.fullmatch(text) is not None


def read_studies(text: str) -> tuple[Study, ...]:
    """Return the studies that a file defines, in its order; the file is run.

    Args:
        text: "FILE.py" for all of its studies, or "FILE.py:NAME" for the one that it binds to a name.

    Returns:
        The studies, each once.

    Raises:
        ValueError: no such file, one that does not run (the message says where), or one without a study.

    Example:
        >>> import pathlib, tempfile
        >>> from stdpjax.lab.from_file import read_studies
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "mine.py"
        ...     _ = file.write_text("from stdpjax.studies import find; MINE = find('stdp_window')")
        ...     [study.name for study in read_studies(f"{file}:MINE")]
        ['stdp_window']
    """
    file, name, contents = _contents(text, "study", "studies")
    if name is not None:
        study = contents.get(name)
        if not isinstance(study, Study):
            raise ValueError(f"study: expected the name of a Study in {str(file)!r}, got {name!r}")
        return (study,)
    found = {id(value): value for value in contents.values() if isinstance(value, Study)}
    if not found:
        raise ValueError(f"study: expected a file that binds a Study to a name, got {str(file)!r}, which has none")
    return tuple(found.values())


def read_object(text: str, what: str = "object") -> Any:
    """Return what a file binds to a name; the file is run.

    Args:
        text: "FILE.py:NAME".
        what: what is looked for, in messages.

    Returns:
        The object.

    Raises:
        ValueError: no name, no such file, one that does not run, or one without the name.

    Example:
        >>> import pathlib, tempfile
        >>> from stdpjax.lab.from_file import read_object
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "mine.py"
        ...     _ = file.write_text("LIMIT = 0.5")
        ...     read_object(f"{file}:LIMIT")
        0.5
    """
    file, name, contents = _contents(text, _checks.text("what", what), f"a {what}")
    if name is None:
        raise ValueError(f"{what}: expected FILE.py:NAME, got {text!r} without a name")
    if name not in contents:
        raise ValueError(f"{what}: expected a name that {str(file)!r} has, got {name!r}")
    return contents[name]


def _contents(text: str, what: str, holds: str) -> tuple[Path, str | None, dict[str, object]]:
    """Return the file that a text names, the name in it if there is one, and what the file defines."""
    form = _FORM.fullmatch(_checks.text("text", text))
    if form is None:
        raise ValueError(f"text: expected FILE.py or FILE.py:NAME, got {text!r}")
    file = Path(form[1])
    if not file.is_file():
        raise ValueError(f"{what}: expected a file with {holds}, got {str(file)!r}, which is not there")
    return file, form[2], _run(file, what)


def _run(file: Path, what: str) -> dict[str, object]:
    """Run a file as Python does, with its folder among those that it can import from; return what it defines."""
    path = file.resolve()
    module = ModuleType(f"{PREFIX}{file.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look themselves up
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    try:
        exec(compile(path.read_bytes(), path, "exec"), vars(module))
    except (Exception, SystemExit) as error:
        step, line = error.__traceback__, getattr(error, "lineno", None)
        while step is not None:
            line = step.tb_lineno if step.tb_frame.f_code.co_filename == str(path) else line
            step = step.tb_next
        where = f" on line {line}" if line else ""
        raise ValueError(
            f"{what}: expected a file that runs, got {str(file)!r} with {type(error).__name__}{where}: {error}"
        ) from error
    return vars(module)
