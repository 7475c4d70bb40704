"""Fields of a study's configuration, with the words that the command line's help has for them."""

import dataclasses
from collections.abc import Collection
from typing import Any


def setting(default: Any, help: str = "", *, choices: Collection[str] = (), **metadata: Any) -> Any:
    """Return a dataclass field with a default and what it means.

    Args:
        default: the default.
        help: what the setting means, a few words without a full stop at the end.
        choices: the names it may have, where it is a name.
        **metadata: more for the command line: `placeholder`, and `read`, which reads the value from its text.

    Returns:
        The field.

    Example:
        >>> import dataclasses
        >>> from stdpjax.studies.settings import setting
        >>> @dataclasses.dataclass(frozen=True)
        ... class Config:
        ...     width: float = setting(10.0, "time scale of the drive, in bins")
        >>> Config().width, dataclasses.fields(Config)[0].metadata["help"]
        (10.0, 'time scale of the drive, in bins')
    """
    if choices:
        help = f"{help}: {', '.join(choices)}"
    return dataclasses.field(default=default, metadata={"help": help, **metadata})
