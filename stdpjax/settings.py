"""Settings: fields of a frozen dataclass with a default and a few words of help, and how their values are read."""

import dataclasses
import math
import typing
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np


def setting(
    default: Any,
    help: str = "",
    *,
    choices: Collection[str] = (),
    optional: bool = False,
    only: Mapping[str, Collection[str]] = MappingProxyType({}),
    **metadata: Any,
) -> Any:
    """Return a dataclass field with a default and what it means.

    Args:
        default: the default.
        help: what the setting means, a few words without a full stop at the end.
        choices: the names it may have, where it is a name.
        optional: whether a sequence of numbers may be empty, which is written "none".
        only: other settings to the values with which this one plays a part; see `refuse_without_effect`.
        **metadata: more for the command line: `placeholder`, and `read`, which reads the value from its text.

    Returns:
        The field.

    Example:
        >>> import dataclasses
        >>> from stdpjax.settings import setting
        >>> @dataclasses.dataclass(frozen=True)
        ... class Config:
        ...     width: float = setting(10.0, "time scale of the drive, in bins")
        >>> Config().width, dataclasses.fields(Config)[0].metadata["help"]
        (10.0, 'time scale of the drive, in bins')
    """
    if choices:
        help = f"{help}: {', '.join(choices)}"
    return dataclasses.field(default=default, metadata={"help": help, "optional": optional, "only": only, **metadata})


def parse(config: Any, name: str, text: str, owner: str) -> Any:
    """Return the value of a setting from its text.

    Args:
        config: an instance with the defaults, whose types the values have.
        name: name of the setting.
        text: a number, a word, numbers separated by commas, or a file name where the setting is read from a file.
        owner: whose settings these are, for the message.

    Returns:
        The value, with the type of the setting.

    Raises:
        ValueError: unknown setting (the known ones are listed), or a text that is not of its type.

    Example:
        >>> from stdpjax import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.parse(TrainConfig(), "hidden", "64,32", "train")
        (64, 32)
    """
    fields = {field.name: field for field in dataclasses.fields(config)}
    if name not in fields:
        raise ValueError(f"{name}: expected a setting of {owner} ({', '.join(fields)}), got {name!r}")
    metadata, default = fields[name].metadata, getattr(config, name)
    if "read" in metadata:
        return metadata["read"](text)
    if not isinstance(default, tuple):
        kind, words = type(default), type(default).__name__
    else:
        kind = type(default[0]) if default else float
        words = ("whole numbers" if kind is int else "numbers") + " separated by commas"
        if metadata.get("optional"):
            words += ", or none"
            if text.strip() == as_text(()):
                return ()
    try:
        return tuple(kind(part) for part in text.split(",")) if isinstance(default, tuple) else kind(text)
    except ValueError as error:
        raise ValueError(f"{name}: expected {words}, got {text!r}") from error


def as_text(value: Any) -> str:
    """Return a value as `parse` reads it.

    Example:
        >>> from stdpjax import settings
        >>> settings.as_text((64, 32)), settings.as_text(())
        ('64,32', 'none')
    """
    return (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def replace(config: Any, values: Mapping[str, Any], owner: str) -> Any:
    """Return a configuration with some settings replaced.

    Args:
        config: the configuration.
        values: name to value; a list becomes a tuple and a whole number a float where the setting needs it.
        owner: whose settings these are, for the message.

    Returns:
        The configuration, checked.

    Raises:
        ValueError: unknown setting (the known ones are listed), or a value of the wrong type, not finite or out of
            range.

    Example:
        >>> from stdpjax import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.replace(TrainConfig(), {"hidden": [64]}, "train").hidden
        (64,)
    """
    known = {field.name: field for field in dataclasses.fields(config)}
    replaced = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"{name}: expected a setting of {owner} ({', '.join(known)}), got {name!r}")
        replaced[name] = _like(known[name], value, getattr(config, name))
    changed = dataclasses.replace(config, **replaced)
    for name in replaced:
        _refuse_infinite(name, getattr(changed, name))
    return changed


def without_effect(config: Any, name: str) -> str | None:
    """Return the other setting, with its value, beside which a setting plays no part; None if it plays one.

    Example:
        >>> from stdpjax import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.without_effect(TrainConfig(rule="backpropagation"), "pull")
        "rule 'backpropagation'"
    """
    (field,) = (field for field in dataclasses.fields(config) if field.name == name)
    for other, values in field.metadata.get("only", {}).items():
        if getattr(config, other) not in values:
            return f"{other} {getattr(config, other)!r}"
    return None


def refuse_without_effect(config: Any, names: Iterable[str]) -> None:
    """Refuse settings that were given and play no part beside the others.

    Args:
        config: the configuration.
        names: the settings that were given.

    Raises:
        ValueError: one of them plays no part.

    Example:
        >>> from stdpjax import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.refuse_without_effect(TrainConfig(), ["pull", "step"])
    """
    for name in names:
        beside = without_effect(config, name)
        if beside is not None:
            got = getattr(config, name)
            raise ValueError(f"{name}: expected it to be left out, as it has no effect with {beside}, got {got!r}")


def changed(config: Any) -> list[str]:
    """Return the settings that are not at their defaults.

    Example:
        >>> from stdpjax import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.changed(TrainConfig(n_epochs=3))
        ['n_epochs']
    """
    return [field.name for field in dataclasses.fields(config) if getattr(config, field.name) != field.default]


def check_types(config: Any) -> None:
    """Refuse fields of a type that their defaults do not have.

    `replace` does so for all settings; this is for the `__post_init__` of those that users make themselves.

    Raises:
        ValueError: there is one.
    """
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if isinstance(field.default, tuple) and not isinstance(value, tuple):
            raise ValueError(f"{field.name}: expected a tuple, got {value!r}")
        _like(field, value, field.default)


def _like(field: dataclasses.Field, value: Any, example: Any) -> Any:
    """Return `value` with the type of a field's present value."""
    if not isinstance(example, tuple):
        return _one_like(field.name, value, example)
    if not isinstance(value, list | tuple):
        raise ValueError(f"{field.name}: expected a sequence, got {value!r}")
    kinds = typing.get_args(field.type)
    if len(kinds) > 1 and kinds[-1] is not ... and len(value) != len(kinds):
        raise ValueError(f"{field.name}: expected {len(kinds)} values, got {len(value)} in {value!r}")
    if not value and not (field.metadata.get("optional") or field.default == ()):
        raise ValueError(f"{field.name}: expected at least one value, got none")
    first = example[0] if example else {int: 0, float: 0.0}.get(kinds[0] if kinds else None)
    if isinstance(first, str | int | float):
        return tuple(_one_like(field.name, item, first) for item in value)
    return tuple(tuple(item) if isinstance(item, list | tuple) else item for item in value)


def _one_like(name: str, value: Any, example: Any) -> Any:
    is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    is_whole = is_number and not isinstance(value, float | np.floating)
    if isinstance(example, bool) or not isinstance(example, int | float):
        is_right = isinstance(value, type(example))
    else:
        is_right = is_number if isinstance(example, float) else is_whole
    if not is_right:
        raise ValueError(f"{name}: expected {type(example).__name__}, got {value!r}")
    return type(example)(value)


def _refuse_infinite(name: str, value: Any) -> None:
    for number in value if isinstance(value, tuple) else (value,):
        if isinstance(number, float) and not math.isfinite(number):
            raise ValueError(f"{name}: expected finite numbers, got {number!r}")
