"""Studies in a user's file: `my_study.py` defines one or several `Study` objects, `my_study.py:NAME` is one of them."""

import re
import sys
from pathlib import Path
from types import ModuleType

from stdpjax import _checks
from stdpjax.lab.study import Study

__all__ = ["read_studies"]

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
    form = _FORM.fullmatch(_checks.text("text", text))
    if form is None:
        raise ValueError(f"text: expected FILE.py or FILE.py:NAME, got {text!r}")
    file, name = Path(form[1]), form[2]
    if not file.is_file():
        raise ValueError(f"study: expected a file with studies, got {str(file)!r}, which is not there")
    contents = _run(file)
    if name is not None:
        study = contents.get(name)
        if not isinstance(study, Study):
            raise ValueError(f"study: expected the name of a Study in {str(file)!r}, got {name!r}")
        return (study,)
    found = {id(value): value for value in contents.values() if isinstance(value, Study)}
    if not found:
        raise ValueError(f"study: expected a file that binds a Study to a name, got {str(file)!r}, which has none")
    return tuple(found.values())


def _run(file: Path) -> dict[str, object]:
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
            f"study: expected a file that runs, got {str(file)!r} with {type(error).__name__}{where}: {error}"
        ) from error
    return vars(module)
