"""Runs studies at smoke size and lowers each program that they compile for CUDA and TPUs too; prints what fails.

    python tests/lowering.py STUDY [STUDY ...]

A process of its own, as `jax.jit` has to be replaced before the package is imported.
"""

import functools
import json
import sys
from typing import Any

import jax
import jax.core

_JIT = jax.jit
PLATFORMS = ("cuda", "tpu")
lowered: list[str] = []
failed: list[str] = []


def _lower(function: Any, name: str, *args: Any, **kwargs: Any) -> None:
    lowered.append(name)
    for platform in PLATFORMS:
        try:
            with jax.numpy_dtype_promotion("standard"):  # in some of JAX's own lowering
                function.trace(*args, **kwargs).lower(lowering_platforms=(platform,))
        except Exception as error:  # whatever kind: it is reported
            failed.append(f"{name} for {platform}: {type(error).__name__}: {str(error)[:200]}")


def recording_jit(function: Any = None, **options: Any) -> Any:
    """Return what `jax.jit` does, which also lowers for other platforms what it has compiled for this one."""
    if function is None:
        return functools.partial(recording_jit, **options)
    jitted: Any = _JIT(function, **options)
    inner = getattr(function, "func", function)  # of a `partial`
    name = f"{inner.__module__}.{inner.__qualname__}"

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        n_compiled = jitted._cache_size()
        result = jitted(*args, **kwargs)
        is_traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((args, kwargs)))
        if not is_traced and jitted._cache_size() > n_compiled:
            _lower(jitted, name, *args, **kwargs)
        return result

    for method in ("lower", "trace", "eval_shape", "clear_cache"):
        setattr(call, method, getattr(jitted, method))
    return call


def main() -> None:
    """Run studies and print what was lowered and what could not be."""
    jax.jit = recording_jit
    from stdpjax import studies

    for name in sys.argv[1:]:
        studies.run(studies.find(name), seed=0, smoke=True)
    print(json.dumps({"lowered": lowered, "failed": failed}))


if __name__ == "__main__":
    main()
