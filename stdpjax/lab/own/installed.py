"""Studies of installed packages, which name them in the entry-point group `stdpjax.studies`."""

from collections.abc import Sequence
from importlib import metadata
from typing import NamedTuple

from stdpjax.lab.own.places import of_value
from stdpjax.lab.study import Study

__all__ = ["GROUP", "Installed", "installed"]

GROUP = "stdpjax.studies"


class Installed(NamedTuple):
    """What installed packages have: studies by their names, and what is wrong with the others."""

    studies: dict[str, Study]
    packages: dict[str, str]
    """Name of the study -> name of the package."""
    problems: tuple[str, ...]
    """A line for each entry point that does not load, and for each study whose name is taken."""


def installed(taken: Sequence[str] = ()) -> Installed:
    """Return the studies that installed packages name in the entry-point group `stdpjax.studies`.

    An entry point is a study or a sequence of them; its own name plays no part. One that does not load, whatever the
    error, is a problem told in a line and keeps nothing from the others.

    Args:
        taken: names that are other studies'; of two packages the first by name has a study's name.

    Returns:
        The studies, and what is wrong.

    Raises:
        ValueError: names that are no texts.

    Example:
        >>> from stdpjax.lab.own import installed
        >>> installed().problems
        ()
    """
    if isinstance(taken, str) or not isinstance(taken, Sequence) or not all(isinstance(one, str) for one in taken):
        raise ValueError(f"taken: expected names of studies, got {taken!r:.80}")
    found = Installed({}, {}, ())
    points = {
        (point.dist.name if point.dist else "?", point.name, point.value): point
        for point in metadata.entry_points(group=GROUP)
    }
    for (package, name, value), point in sorted(points.items()):
        where = f"{package}: entry point {name} = {value}"
        try:
            studies = of_value(point.load(), value)
        except (Exception, SystemExit) as error:
            problem = f"{where} does not load: {type(error).__name__}: {' '.join(str(error).split())}"
            found = found._replace(problems=(*found.problems, problem))
            continue
        for study in studies:
            if study.name in taken or study.name in found.studies:
                owner = found.packages.get(study.name, "stdpjax")
                problem = f"{where} is left out: {owner} has a study {study.name} too; it is run as {value}"
                found = found._replace(problems=(*found.problems, problem))
                continue
            found.studies[study.name], found.packages[study.name] = study, package
    return found
