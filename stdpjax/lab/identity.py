"""The identity of a run: what decides its numbers."""

import functools
import hashlib
import inspect
import json
import linecache
import marshal
from collections.abc import Mapping
from pathlib import Path
from types import CodeType
from typing import Any

import stdpjax
from stdpjax.lab import folder
from stdpjax.lab.provenance import DECISIVE
from stdpjax.lab.study import Study


def identity(study: Study, config: Any, seed: int, is_smoke: bool, origin: Mapping[str, Any]) -> str:
    """Return a short hash of what decides the numbers of a run.

    That is study, configuration and seed, the source of a study that is not one of this package, and from `origin`, the
    `provenance()`, the version, the commit and what differs from it in tracked files, JAX, its backend and its
    precision. The machine, the devices and the versions of other packages are not in it: they change the last bits at
    most. An installed package has no commit, only a version.
    """
    content = {
        "study": study.name,
        "configuration": folder.plain(config),
        "seed": seed,
        "is_smoke": is_smoke,
        **{name: origin[name] for name in DECISIVE},
        **source_of(study),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def source_of(study: Study) -> dict[str, str]:
    """Return a hash of the files that a user's study is written in; nothing for one of this package.

    Of a study typed at a prompt that keeps no text it is one of the compiled functions.
    """
    package = str(Path(stdpjax.__file__).parent)
    judged = [part for claim in study.claims for part in (claim.measure, claim.control, claim.note)]
    texts = set()
    for code in filter(None, map(code_of, (study.run, study.plot, *judged))):
        if not code.co_filename.startswith(package):
            linecache.checkcache(code.co_filename)
            texts.add("".join(linecache.getlines(code.co_filename)).encode() or marshal.dumps(code))
    if not texts:
        return {}
    return {"source_hash": hashlib.sha256(b"".join(sorted(texts))).hexdigest()[:16]}


def code_of(function: Any) -> CodeType | None:
    """Return the compiled code of a function, also of one whose arguments are bound; None for anything else."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
