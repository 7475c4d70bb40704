"""Compiled programs, which JAX keeps on disk from run to run."""

import contextlib
import os
import warnings
from pathlib import Path

import jax


def keep_programs() -> None:
    """Have JAX keep what it compiles in the user's cache folder, unless the user chose another one, or none."""
    import platformdirs  # needed by no other part

    chosen = os.environ.get("STDPJAX_CACHE", platformdirs.user_cache_dir("stdpjax", appauthor=False))
    if chosen and not getattr(jax.config, "jax_compilation_cache_dir"):  # noqa: B009 (made at run time)
        with contextlib.suppress(OSError):  # a home that cannot be written
            Path(chosen).mkdir(parents=True, exist_ok=True)
            jax.config.update("jax_compilation_cache_dir", chosen)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)  # many are small, and fast to read


def ignore_lost_programs() -> None:
    """Say nothing of a full disk, or of a program that another process is just writing: it is compiled again."""
    warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache entry")
