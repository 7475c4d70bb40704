"""Promises that numbers compile nothing: a function that may be traced in some blocks alone."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import chex
import pytest

Function = TypeVar("Function", bound=Callable[..., Any])


def watched(function: Function) -> Function:
    """Return the function, whose tracing is an error outside of `may_be_traced`."""
    return cast(Function, chex.assert_max_traces(function, n=0))


@contextlib.contextmanager
def may_be_traced() -> Iterator[None]:
    """Let watched functions be traced in the block; after it the count begins anew."""
    chex.disable_asserts()
    try:
        yield
    finally:
        chex.enable_asserts()
        chex.clear_trace_counter()


@contextlib.contextmanager
def is_traced() -> Iterator[None]:
    """Expect that a watched function is traced in the block: what shows that a test can fail."""
    with pytest.raises(AssertionError, match="is traced > 0 times"):
        yield
    chex.clear_trace_counter()
