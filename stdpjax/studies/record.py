"""What is kept beside the numbers: the configuration and its identity, and where the numbers come from."""

import dataclasses
import hashlib
import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
import numpy as np

import stdpjax
from stdpjax.studies.base import Study

_SETTINGS = {
    "x64": "jax_enable_x64",
    "prng": "jax_default_prng_impl",
    "matmul_precision": "jax_default_matmul_precision",
}
# Two runs that agree in these may differ in the last bits at most; results of other versions or of other code are not
# mixed.
_IDENTITY = ("stdpjax", "commit", "diff", "jax", "backend", "x64")
_NO_COMMIT = {"commit": "unknown", "is_dirty": None, "diff": None}


def make_config(study: Study, is_smoke: bool, overrides: dict[str, Any]) -> Any:
    """Return a study's configuration with some fields replaced.

    Args:
        study: the study.
        is_smoke: start from the smoke configuration, made of seconds, instead of the default one.
        overrides: field name to value; a list becomes a tuple and a whole number a float where the field needs it.

    Returns:
        The configuration, checked.

    Raises:
        ValueError: unknown field (the known ones are listed), or a value of the wrong type or out of range.

    Example:
        >>> from stdpjax.studies.record import make_config
        >>> from stdpjax.studies.registry import find
        >>> make_config(find("stdp_window"), is_smoke=True, overrides={"window": 10}).window
        10
    """
    base = study.smoke if is_smoke else study.config
    known = {field.name: getattr(base, field.name) for field in dataclasses.fields(base)}
    values = {}
    for name, value in overrides.items():
        if name not in known:
            raise ValueError(f"{name}: expected a setting of {study.name} ({', '.join(known)}), got {name!r}")
        values[name] = _like(name, value, known[name])
    return dataclasses.replace(base, **values)


def _like(name: str, value: Any, example: Any) -> Any:
    """Return `value` with the type of a field's present value."""
    if isinstance(example, tuple):
        if not isinstance(value, list | tuple):
            raise ValueError(f"{name}: expected a sequence, got {value!r}")
        return tuple(tuple(item) if isinstance(item, list | tuple) else item for item in value)
    if isinstance(example, float) and isinstance(value, int | np.integer) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, type(example)) or (isinstance(value, bool) and not isinstance(example, bool)):
        raise ValueError(f"{name}: expected {type(example).__name__}, got {value!r}")
    return value


def config_json(config: Any) -> dict[str, Any]:
    """Return a configuration as plain JSON data."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def provenance() -> dict[str, Any]:
    """Return versions, device and settings that a number may depend on, and the commit if this is a checkout."""
    return {
        "stdpjax": stdpjax.__version__,
        **_commit(),
        "python": platform.python_version(),
        "jax": jax.__version__,
        "jaxlib": jaxlib.version.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "backend": jax.default_backend(),
        "device": jax.devices()[0].device_kind,
        "n_devices": jax.device_count(),
        "n_processes": jax.process_count(),
        **{name: str(getattr(jax.config, setting)) for name, setting in _SETTINGS.items()},
    }


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
        **{name: origin[name] for name in _IDENTITY},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _commit() -> dict[str, Any]:
    """The commit of the checkout that this package lies in, and a hash of what tracked files change since.

    Unknown for an installed package.
    """
    root = Path(stdpjax.__file__).resolve().parent.parent

    def git(*arguments: str) -> bytes:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, timeout=10, check=True).stdout.strip()

    try:
        if Path(os.fsdecode(git("rev-parse", "--show-toplevel"))).resolve() != root:
            return _NO_COMMIT
        is_dirty = bool(git("status", "--porcelain", "--untracked-files=no"))
        diff = hashlib.sha256(git("diff", "--no-ext-diff", "--binary", "HEAD")).hexdigest()[:16] if is_dirty else None
        return {"commit": git("rev-parse", "HEAD").decode(), "is_dirty": is_dirty, "diff": diff}
    except (OSError, subprocess.SubprocessError):
        return _NO_COMMIT
