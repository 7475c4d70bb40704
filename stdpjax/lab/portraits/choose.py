"""Rules by a name: published and short ones, one of a user's file, and that of a fit's folder."""

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from stdpjax import _checks, rules
from stdpjax.fitting.models import find_model
from stdpjax.lab.fit import RECORD
from stdpjax.lab.folder import checksum
from stdpjax.lab.from_file import names_a_file, read_object
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import Rule


def _antisymmetric(scheme: Any) -> Callable[[], Rule]:
    return lambda: rules.pair_rule(1.0, 1.0, 10.0, 10.0, scheme)


SHORT: Mapping[str, Callable[[], Rule]] = MappingProxyType(
    {
        "eq1": rules.differential_rule,
        "eq2": lambda: rules.differential_rule(presynaptic="spikes"),
        "nearest": lambda: rules.nearest_neighbour_rule(rules.lag_kernel("exponential")),
        **{scheme: _antisymmetric(scheme) for scheme in rules.SCHEMES},
        "xie_seung": lambda: rules.xie_seung_rule(hard_sigmoid()),
        "bcm": lambda: rules.bcm_rule(hard_sigmoid(), 1000.0),
        "hebb": rules.hebb_rule,
    }
)


class Chosen(NamedTuple):
    """A rule that was found."""

    name: str
    rule: Rule
    source: dict[str, Any]
    """Where it comes from, as a record has it."""


def find_rule(rule: str) -> Chosen:
    """Return the rule that a text names.

    Args:
        rule: a name of `stdpjax.rules.presets` or a short one (eq1, eq2, nearest, bcm, hebb and so on);
            "FILE.py:NAME", a rule or a function without arguments that returns one; or the folder of a fit.

    Raises:
        ValueError: an unknown name, a file without such a rule, or a folder without a complete fit.

    Example:
        >>> from stdpjax.lab.portraits import find_rule
        >>> find_rule("nearest").name
        'nearest'
    """
    if _checks.text("rule", rule) in SHORT:
        return Chosen(rule, SHORT[rule](), {"rule": rule})
    if rule in rules.presets:
        preset = rules.presets[rule]
        return Chosen(rule, preset.rule(), {"preset": rule, "parameters": dict(preset.parameters)})
    if names_a_file(rule):
        return _of_file(rule)
    if rule and Path(rule).is_dir():
        return _of_fit(Path(rule))
    known = ", ".join((*SHORT, *rules.presets))
    raise ValueError(f"rule: expected one of {known}, FILE.py:NAME or the folder of a fit, got {rule!r}")


def _of_file(text: str) -> Chosen:
    found = read_object(text, "rule")
    file, _, name = text.rpartition(":")
    if not isinstance(found, Rule):
        found = _made(found, text)
    return Chosen(name, found, {"file": text, "sha256": checksum(Path(file))})


def _made(make: Any, text: str) -> Rule:
    """Return what a function without arguments returns."""
    if not callable(make):
        raise ValueError(f"rule: expected a Rule, or a function that returns one, at {text!r}, got {make!r:.80}")
    try:
        inspect.signature(make).bind()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"rule: expected a Rule or a function without arguments at {text!r}, got one with {error}"
        ) from error
    try:
        made = make()
    except Exception as error:
        raise ValueError(
            f"rule: expected a function that runs at {text!r}, got {type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, Rule):
        raise ValueError(f"rule: expected a function that returns a Rule at {text!r}, got {type(made).__name__}")
    return made


def _of_fit(folder: Path) -> Chosen:
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        model = find_model(record["rule"])
        numbers = {**record["held"], **{name: part["value"] for name, part in record["parameters"].items()}}
        rule = model.at(numbers)
    except FileNotFoundError:
        raise ValueError(f"rule: expected the folder of a fit, got {str(folder)!r}, without {RECORD}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"rule: expected a readable {RECORD}, got {str(folder / RECORD)!r} with {error!r}") from error
    return Chosen(folder.resolve().name, rule, {"fit": str(folder), "rule": model.name, "parameters": numbers})
