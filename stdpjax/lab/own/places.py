"""Studies at a place: a file, a name in a file, or a name in a module that can be imported."""

import importlib
import re
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from stdpjax import _checks
from stdpjax.lab.from_file import PREFIX, names_a_file, read_studies
from stdpjax.lab.study import Study

__all__ = ["studies_at"]

_MODULE = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):(\w+)")


def names_a_place(text: str) -> bool:
    """Whether a text is the name of a file, or MODULE:NAME."""
    return names_a_file(text) or _MODULE.fullmatch(text) is not None


def studies_at(place: str) -> tuple[Study, ...]:
    """Return the studies at a place; the file is run, or the module imported.

    Args:
        place: "FILE.py", "FILE.py:NAME", or "MODULE:NAME" where that name is a study or a sequence of them.

    Returns:
        The studies, each once.

    Raises:
        ValueError: nothing there, what cannot be run or imported (the message says why), or no study.

    Example:
        >>> from stdpjax.lab.own import studies_at
        >>> [study.name for study in studies_at("stdpjax.studies.section_5_simulation.stdp_window:STUDY")]
        ['stdp_window']
    """
    _checks.text("place", place)
    if names_a_file(place):
        return read_studies(place)
    form = _MODULE.fullmatch(place)
    if form is None:
        raise ValueError(f"place: expected FILE.py, FILE.py:NAME or MODULE:NAME, got {place!r:.80}")
    try:
        value = getattr(importlib.import_module(form[1]), form[2], None)
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"study: expected a module that can be imported, got {form[1]!r} with {type(error).__name__}: {error}"
        ) from error
    return of_value(value, repr(place))


def of_value(value: Any, words: str) -> tuple[Study, ...]:
    """Return a study, or those of a sequence; anything else is refused in such words."""
    several = (value,) if isinstance(value, Study) else value
    if not isinstance(several, Sequence) or not several or not all(isinstance(one, Study) for one in several):
        raise ValueError(f"study: expected the name of a Study, or of a sequence of them, got {words}")
    return tuple({id(one): one for one in several}.values())


def places_of(studies: Iterable[Study]) -> dict[str, str]:
    """Return where another process finds studies, by their names: FILE.py:NAME, or MODULE:NAME of what can be imported.

    What only a prompt, a script or a function knows has no place.
    """
    by_id, alone, within = {id(study): study.name for study in studies}, {}, {}
    for module in [*sys.modules.values()]:
        if isinstance(module, ModuleType) and module.__name__ != "__main__":
            is_file = module.__name__.startswith(PREFIX)
            home = module.__file__ if is_file else module.__name__
            for name, value in [*vars(module).items()]:
                if id(value) in by_id:
                    alone[by_id[id(value)]] = f"{home}:{name}"
                elif isinstance(value, tuple | list) and not is_file:
                    within |= {by_id[id(one)]: f"{home}:{name}" for one in value if id(one) in by_id}
    return within | alone


def found_at(place: str, name: str) -> Study:
    """Return the study of a name at a place that `places_of` gives, in another process."""
    return {study.name: study for study in studies_at(place)}[name]
