"""Comparing functions by what they do: by their code and by what it reads.

A program is compiled once for each different static argument. Python compares functions as objects, so that a rule, an
observer or a lambda that is made anew in a loop would be compiled anew. Here two functions are alike if they have the
same code, and equal defaults, enclosed values and globals, as they were when each function was first met. Numbers, text
and tuples, NamedTuples and frozen dataclasses of them are compared by value, NumPy arrays by their bytes, JAX arrays,
which never change, as objects. A function that reads anything else, which could change unseen, is like itself alone.
"""

import dataclasses
import enum
import os
import types
import weakref
from collections.abc import Hashable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np

from stdpjax import _checks

_AS_THEY_ARE = (
    *(type(None), bool, int, str, bytes, enum.Enum, np.dtype, type, types.ModuleType, np.ufunc),
    *(jnp.ufunc, jax.custom_vjp, type(jax.jit(abs))),
)
_MOST_BYTES = 2**20
_JAXTYPING = os.path.dirname(jaxtyping.__file__)

# The forms of functions are kept: of what a function encloses, the values at first sight count, as for `jax.jit`.
_KNOWN: weakref.WeakKeyDictionary[types.FunctionType, Hashable] = weakref.WeakKeyDictionary()


class _Itself:
    """What equals only the same object, which it keeps alive."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


class _IncomparableError(Exception):
    pass


def by(*names: str) -> tuple[Any, Any]:
    """Return `__eq__` and `__hash__` for a class whose functions, and what else is named, make the difference."""

    def equal(self: Any, other: object) -> bool:
        return self is other or (type(self) is type(other) and form_of(self) == form_of(other))

    equal.names = names  # pyright: ignore[reportFunctionMemberAccess]
    return equal, lambda self: hash(form_of(self))


def form_of(value: Any) -> Hashable:
    """Return what is equal for alike functions, and for tuples and frozen dataclasses that hold alike functions.

    Raises:
        TypeError: a value that may change, outside of a function.
    """
    try:
        return _Reader().form(value)
    except _IncomparableError as error:
        raise TypeError(_checks.described(error.args[0])) from error


class _Reader:
    """One walk through what a function reads, which may come back to the function itself."""

    def __init__(self) -> None:
        self.path: list[types.FunctionType] = []
        # Place of the outermost function that the walk has come back to.
        self.outermost = 0

    def form(self, value: Any) -> Hashable:
        try:
            return self.of_value(value)
        except _IncomparableError:
            # What is given as it is, such as a method of an object, is compared as Python does.
            if self.path or not callable(value) or not _has_hash(value):
                raise
            return type(value), value

    def of_value(self, value: Any) -> Hashable:
        if isinstance(value, types.FunctionType):
            return self.of_function(value)
        names = getattr(type(value).__eq__, "names", None)
        if names is not None:
            return type(value), *(self.form(getattr(value, name)) for name in names)
        if isinstance(value, tuple):
            return type(value), *map(self.form, value)
        if isinstance(value, types.MappingProxyType):
            return type(value), self.form(tuple(value.items()))
        if isinstance(value, _AS_THEY_ARE):
            return type(value), value
        if isinstance(value, float | complex):
            return type(value), repr(value)
        if isinstance(value, np.generic):
            return type(value), value.tobytes()
        if isinstance(value, jax.Array):
            return _Itself(value)
        if isinstance(value, np.ndarray) and value.dtype != object and value.nbytes <= _MOST_BYTES:
            return value.shape, value.dtype, value.tobytes()
        if isinstance(value, types.BuiltinFunctionType) and isinstance(value.__self__, types.ModuleType | type(None)):
            return _Itself(value)
        if isinstance(value, types.MethodType):
            return types.MethodType, self.form(value.__func__), self.form(value.__self__)
        if isinstance(value, partial):
            return partial, self.form(value.func), self.form(value.args), self.form(tuple(value.keywords.items()))
        if isinstance(value, jax.custom_jvp):
            return jax.custom_jvp, self.form(value.fun), self.form(value.jvp)
        if dataclasses.is_dataclass(value) and type(value).__dataclass_params__.frozen:  # pyright: ignore
            return type(value), *(self.form(getattr(value, field.name)) for field in dataclasses.fields(value))
        raise _IncomparableError(value)

    def of_function(self, function: types.FunctionType) -> Hashable:
        checked = getattr(function, "__wrapped__", None)
        if checked is not None and function.__code__.co_filename.startswith(_JAXTYPING):
            # A function whose annotations are checked is that function.
            return self.form(checked)
        if function in _KNOWN:
            return _KNOWN[function]
        if function in self.path:
            place = self.path.index(function)
            self.outermost = min(self.outermost, place)
            return "around", len(self.path) - place
        is_of_a_module = "<" not in function.__qualname__ and function.__module__ != "__main__"
        if is_of_a_module:
            return _Itself(function)
        depth, before = len(self.path), self.outermost
        self.outermost = depth
        self.path.append(function)
        try:
            form: Hashable = self.parts(function)
        except (_IncomparableError, ValueError):
            # A cell that is still empty is a ValueError.
            form = _Itself(object())
        self.path.pop()
        if self.outermost >= depth:
            _KNOWN[function] = form
        self.outermost = min(before, self.outermost) if depth else 0
        return form

    def parts(self, function: types.FunctionType) -> Hashable:
        around, names = function.__globals__, _names(function.__code__)
        reads = tuple((name, around[name]) for name in names if name in around)
        closed = tuple(cell.cell_contents for cell in function.__closure__ or ())
        defaults = (function.__defaults__, tuple((function.__kwdefaults__ or {}).items()))
        return function.__code__, self.form((reads, closed, defaults))


def _names(code: types.CodeType) -> list[str]:
    """Return the names that code, with the functions inside it, may read from the globals."""
    inner = [name for part in code.co_consts if isinstance(part, types.CodeType) for name in _names(part)]
    return [*code.co_names, *inner]


def _has_hash(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
