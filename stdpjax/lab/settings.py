"""Settings: fields of a frozen dataclass with a default, bounds and a few words of help, and how they are read."""

import dataclasses
import typing
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from stdpjax import _checks

T = TypeVar("T")

# Bounds that settings of many studies have.
STEP: dict[str, Any] = {"above": 0, "at_most": 1}
TRIALS: dict[str, Any] = {"at_least": 2, "at_most": 2**31 - 1}  # counted in 32 bits
TRAINS: dict[str, Any] = {"at_least": 2, "at_most": 10**7}  # where all trains of a study are held at once


def setting(
    default: Any,
    help: str = "",
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    multiple_of: int | None = None,
    probability: bool = False,
    distinct: bool = False,
    increasing: bool = False,
    choices: Collection[str] = (),
    optional: bool = False,
    only: Mapping[str, Collection[str]] = MappingProxyType({}),
    **metadata: Any,
) -> Any:
    """Return a field of a `configuration` with a default, what it means, and what it may be.

    Of a sequence, bounds and choices hold for each element.

    Args:
        default: the default.
        help: what the setting means, a few words without a full stop at the end.
        above: bound below, itself not allowed.
        at_least: the lowest value; of a whole number 1 if nothing else is said.
        below: bound above, itself not allowed.
        at_most: the highest value.
        multiple_of: what divides a whole number.
        probability: whether it is a spike probability per bin, above 0 and at most 1 if nothing else is said.
        distinct: whether no element may come twice.
        increasing: whether there must be two elements or more, each above the one before.
        choices: the names it may have, where it is a name.
        optional: whether a sequence of numbers may be empty, which is written "none".
        only: other settings to the values with which this one plays a part; see `refuse_without_effect`.
        **metadata: more for the command line: `placeholder`, and `read`, which reads the value from its text.

    Example:
        >>> from stdpjax.lab import settings
        >>> @settings.configuration
        ... class Config:
        ...     width: float = settings.setting(10.0, "time scale of the drive, in bins", above=0)
        >>> Config(width=0.0)
        Traceback (most recent call last):
        ValueError: width: expected a finite number above 0, got 0.0
    """
    first = default[0] if isinstance(default, tuple) and default else default
    if type(first) is int and at_least is None:
        at_least = 1
    if probability:
        above = 0 if above is None and at_least is None else above
        at_most = 1 if at_most is None and below is None else at_most
    bounds = {"above": above, "at_least": at_least, "below": below, "at_most": at_most}
    metadata |= {"help": help, "bounds": {name: bound for name, bound in bounds.items() if bound is not None}}
    metadata |= {"multiple_of": multiple_of, "probability": probability, "distinct": distinct, "increasing": increasing}
    metadata |= {"choices": choices, "optional": optional, "only": only}
    return dataclasses.field(default=default, metadata=metadata)


@typing.dataclass_transform(frozen_default=True)
def configuration(cls: type[T]) -> type[T]:
    """Make a class of settings a frozen dataclass that refuses settings out of range and documents each of them.

    A `__post_init__` of its own, for what one setting means for another, runs after the bounds of all fields hold.

    Example:
        >>> from stdpjax.lab import settings
        >>> @settings.configuration
        ... class Config:
        ...     '''Settings of an example.'''
        ...     n_trials: int = settings.setting(50, "independent trials", at_least=2)
        >>> print(Config.__doc__)
        Settings of an example.
        <BLANKLINE>
            Attributes:
                n_trials: independent trials (at least 2; default: 50).
    """
    refuse_combinations = getattr(cls, "__post_init__", None)

    def __post_init__(self: Any) -> None:
        """Refuse settings out of range."""
        for field in dataclasses.fields(self):
            _refuse(field, getattr(self, field.name))
        if refuse_combinations is not None:
            refuse_combinations(self)

    cls.__post_init__ = __post_init__  # pyright: ignore[reportAttributeAccessIssue]
    made = dataclasses.dataclass(frozen=True)(cls)
    lines = [f"        {field.name}: {described(field)}." for field in dataclasses.fields(made)]  # pyright: ignore[reportArgumentType]
    made.__doc__ = "\n".join([f"{made.__doc__}\n\n    Attributes:", *lines])
    return made


def described(field: dataclasses.Field) -> str:
    """Return what a setting means, what it may be and its default.

    Example:
        >>> import dataclasses
        >>> from stdpjax.lab import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.described({field.name: field for field in dataclasses.fields(TrainConfig)}["pull"])
        'strength of the pull towards the label (above 0 and below 1; default: 0.5)'
    """
    rules = field.metadata
    meaning = rules.get("help", "")
    if rules.get("choices"):
        meaning = f"{meaning}: {', '.join(rules['choices'])}"
    bounds = [
        _checks.bounds_in_words(**rules.get("bounds", {})),
        "increasing" if rules.get("increasing") else "",
        "all different" if rules.get("distinct") else "",
        f"a multiple of {rules['multiple_of']}" if rules.get("multiple_of") else "",
    ]
    limits = ", ".join(filter(None, bounds))
    return f"{meaning} ({f'{limits}; ' if limits else ''}default: {as_text(field.default)})".strip()


def parse(config: Any, name: str, text: str, owner: str) -> Any:
    """Return the value of a setting from its text, with the type that it has in `config`; errors name the owner.

    Example:
        >>> from stdpjax.lab import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.parse(TrainConfig(), "hidden", "64,32", "train")
        (64, 32)
    """
    metadata, default = _field(config, name, owner).metadata, getattr(config, name)
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
        >>> from stdpjax.lab import settings
        >>> settings.as_text((64, 32)), settings.as_text(())
        ('64,32', 'none')
    """
    return (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def replace(config: Any, values: Mapping[str, Any], owner: str) -> Any:
    """Return a configuration with some settings replaced, checked; errors name the owner.

    A list becomes a tuple and a whole number a float where the setting needs it.

    Example:
        >>> from stdpjax.lab import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.replace(TrainConfig(), {"hidden": [64]}, "train").hidden
        (64,)
    """
    given = {name: _like(_field(config, name, owner), value, getattr(config, name)) for name, value in values.items()}
    changed = dataclasses.replace(config, **given)
    for name in given:
        value = getattr(changed, name)
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float) and not np.isfinite(number):
                raise ValueError(f"{name}: expected finite numbers, got {number!r}")
    return changed


def without_effect(config: Any, name: str) -> str | None:
    """Return the other setting, with its value, beside which a setting plays no part; None if it plays one.

    Example:
        >>> from stdpjax.lab import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.without_effect(TrainConfig(rule="backpropagation"), "pull")
        "rule 'backpropagation'"
    """
    for other, values in _field(config, name, "it").metadata.get("only", {}).items():
        if getattr(config, other) not in values:
            return f"{other} {getattr(config, other)!r}"
    return None


def refuse_without_effect(config: Any, names: Iterable[str]) -> None:
    """Refuse settings, by their names, that were given and play no part beside the others."""
    for name in names:
        if (beside := without_effect(config, name)) is not None:
            got = getattr(config, name)
            raise ValueError(f"{name}: expected it to be left out, as it has no effect with {beside}, got {got!r}")


def changed(config: Any) -> list[str]:
    """Return the settings that are not at their defaults.

    Example:
        >>> from stdpjax.lab import settings
        >>> from stdpjax.lab.train import TrainConfig
        >>> settings.changed(TrainConfig(n_epochs=3))
        ['n_epochs']
    """
    return [field.name for field in dataclasses.fields(config) if getattr(config, field.name) != field.default]


def _field(config: Any, name: str, owner: str) -> dataclasses.Field:
    fields = {field.name: field for field in dataclasses.fields(config)}
    if name not in fields:
        raise ValueError(f"{name}: expected a setting of {owner} ({', '.join(fields)}), got {name!r}")
    return fields[name]


def _refuse(field: dataclasses.Field, value: Any) -> None:
    """Refuse a value that a field may not have."""
    name, rules, is_sequence = field.name, field.metadata, isinstance(field.default, tuple)
    if is_sequence and not isinstance(value, tuple):
        raise ValueError(f"{name}: expected a tuple, got {value!r}")
    bounds, example = rules.get("bounds", {}), _example(field, field.default)
    values: tuple[Any, ...] = value if is_sequence else (value,)
    for one in values:
        if rules.get("choices"):
            _checks.choice(name, one, rules["choices"])
        elif isinstance(example, str):
            _checks.text(name, one, may_be_empty=not field.default)
        elif isinstance(example, float):
            (_checks.one_probability if rules.get("probability") else _checks.number)(name, one, **bounds)
        elif isinstance(example, int) and not isinstance(example, bool):
            _checks.count(name, one, bounds.get("at_least", 1), bounds.get("at_most"))
            if one % (rules.get("multiple_of") or 1):
                raise ValueError(f"{name}: expected a multiple of {rules['multiple_of']}, got {one}")
    _like(field, value, field.default)
    if rules.get("distinct"):
        _checks.distinct(name, value)
    if rules.get("increasing") and (len(value) < 2 or np.any(np.diff(value) <= 0)):
        raise ValueError(f"{name}: expected at least two increasing numbers, got {value!r}")


def _example(field: dataclasses.Field, example: Any) -> Any:
    """Return a value with the type that a field, or each element of its sequence, must have; None if any will do."""
    if not isinstance(example, tuple):
        return example
    kinds = typing.get_args(field.type)
    return example[0] if example else {int: 0, float: 0.0}.get(kinds[0] if kinds else None)


def _like(field: dataclasses.Field, value: Any, example: Any) -> Any:
    """Return `value` with the type of a field's present value."""
    first = _example(field, example)
    if not isinstance(example, tuple):
        return _one_like(field.name, value, first)
    if not isinstance(value, list | tuple):
        raise ValueError(f"{field.name}: expected a sequence, got {value!r}")
    kinds = typing.get_args(field.type)
    if len(kinds) > 1 and kinds[-1] is not ... and len(value) != len(kinds):
        raise ValueError(f"{field.name}: expected {len(kinds)} values, got {len(value)} in {value!r}")
    if not value and not (field.metadata.get("optional") or field.default == ()):
        raise ValueError(f"{field.name}: expected at least one value, got none")
    if isinstance(first, str | int | float):
        return tuple(_one_like(field.name, item, first) for item in value)
    return tuple(tuple(item) if isinstance(item, list | tuple) else item for item in value)


def _one_like(name: str, value: Any, example: Any) -> Any:
    kind = type(example)
    taken = {int: int | np.integer, float: int | float | np.integer | np.floating}.get(kind, kind)
    if not isinstance(value, taken) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{name}: expected {kind.__name__}, got {value!r}")
    return kind(value)
