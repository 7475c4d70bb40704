"""Where numbers come from: versions, commit, device and settings; and how two runs differ."""

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
import numpy as np

import stdpjax

_SETTINGS = {
    "x64": "jax_enable_x64",
    "prng": "jax_default_prng_impl",
    "matmul_precision": "jax_default_matmul_precision",
}
# Two runs that agree in these may differ in the last bits at most.
DECISIVE = ("stdpjax", "commit", "diff", "jax", "backend", "x64")
_NO_COMMIT = {"commit": "unknown", "is_dirty": None, "diff": None}


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


def differences(expected: Mapping[str, Any], got: Mapping[str, Any]) -> list[str]:
    """Return where two descriptions of a run differ, each as "name: expected ..., got ...".

    Example:
        >>> from stdpjax.lab.provenance import differences
        >>> differences({"seed": 0, "rule": "paper"}, {"seed": 1, "rule": "paper"})
        ['seed: expected 0, got 1']
    """
    absent = "nothing"
    return [
        f"{name}: expected {_short(expected.get(name, absent))}, got {_short(got.get(name, absent))}"
        for name in dict.fromkeys([*expected, *got])
        if expected.get(name, absent) != got.get(name, absent)
    ]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:60]} ... ({len(value)} values)"


def _commit() -> dict[str, Any]:
    """Return the checkout's commit and a hash of what tracked files change since, unknown for an installed package."""
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
