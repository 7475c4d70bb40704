"""Settings for every test: annotations are checked, nothing is promoted silently, no display is needed."""

import gc
import math
import os
import resource
import sys
from collections.abc import Iterator
from typing import Any

import jax
import jaxtyping
import pytest
from jaxtyping import install_import_hook
from xdist.scheduler import LoadScopeScheduling

from tests import typechecking

# Before the package is imported anywhere: shapes and types of every annotated function are checked in the tests.
install_import_hook("stdpjax", f"{typechecking.__name__}.typechecker")

os.environ["STDPJAX_CACHE"] = ""  # the command line leaves the user's cache folder alone

jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(autouse=True)
def _no_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine is told no more than a fast one; what a log is told is tested with a clock of the test's own."""
    folder = sys.modules.get("stdpjax.lab.folder")
    if folder is not None:
        monkeypatch.setattr(folder, "_SECONDS", math.inf)
        monkeypatch.setattr(folder, "_FEW_SECONDS", math.inf)


@pytest.fixture(autouse=True, scope="module")
def _no_programs_of_other_files() -> Iterator[None]:
    """Compiled programs and their traces are let go where they have become many: gigabytes otherwise, by the end."""
    yield
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _MANY:
        jax.clear_caches()
        gc.collect()


_MANY = 1 << 20  # KiB that the process has taken so far


@pytest.fixture
def no_annotations() -> Iterator[None]:
    """Annotations are not checked, as for users: what is refused the library itself refuses."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


# Files whose tests share nothing that takes long to make, but for the smoke run of the study that they are about.
_SPREAD = (
    "tests/studies/test_contract.py",
    "tests/lab/sweep/test_processes.py",
    "tests/test_docs.py",
    "tests/test_parallel.py",
)


class _ByFile(LoadScopeScheduling):
    """Keep the tests of a file in one worker, so that what they share is made once; deal out those of a few."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        parameters = test.partition("[")[2]
        return f"{file}::{parameters or test}" if file in _SPREAD else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile:
    return _ByFile(config, log)


@pytest.fixture
def key(request: pytest.FixtureRequest) -> jax.Array:
    """A key that depends on the test's name alone."""
    import stdpjax

    return stdpjax.random.named_key(stdpjax.random.key(0), request.node.nodeid)
