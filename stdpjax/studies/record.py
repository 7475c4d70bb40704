"""What is kept beside the numbers of a study: the configuration, and the identity of the run."""

import dataclasses
import hashlib
import json
from typing import Any

from stdpjax import settings
from stdpjax.lab.study import Study
from stdpjax.provenance import DECISIVE


def make_config(study: Study, is_smoke: bool, overrides: dict[str, Any]) -> Any:
    """Return a study's configuration with some fields replaced.

    Args:
        study: the study.
        is_smoke: start from the smoke configuration, made of seconds, instead of the default one.
        overrides: field name to value; a list becomes a tuple and a whole number a float where the field needs it. All
            fields at once, as a ledger keeps them, may hold some that have no effect beside the others.

    Returns:
        The configuration, checked.

    Raises:
        ValueError: unknown field (the known ones are listed), a value of the wrong type or out of range, or one without
            effect beside the others.

    Example:
        >>> from stdpjax.studies.record import make_config
        >>> from stdpjax.studies.registry import find
        >>> make_config(find("stdp_window"), is_smoke=True, overrides={"window": 10}).window
        10
    """
    config = settings.replace(study.configuration(is_smoke), overrides, study.name)
    if len(overrides) < len(dataclasses.fields(config)):
        settings.refuse_without_effect(config, overrides)
    return config


def config_json(config: Any) -> dict[str, Any]:
    """Return a configuration as plain JSON data."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def identity(study: Study, config: Any, seed: int, is_smoke: bool, origin: dict[str, Any]) -> str:
    """Return a short hash of what decides the numbers of a run.

    That is study, configuration and seed, and from `origin`, the `provenance()`, the version, the commit and what
    differs from it in tracked files, JAX, its backend and its precision. The machine, the devices and the versions of
    other packages are not in it: they change the last bits at most. An installed package has no commit, only a version.
    """
    content = {
        "study": study.name,
        "configuration": config_json(config),
        "seed": seed,
        "is_smoke": is_smoke,
        **{name: origin[name] for name in DECISIVE},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
