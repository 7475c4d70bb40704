"""The table's form: a row for each public function, and the wrong values for each kind of argument."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import quantities as pq

from stdpjax import energy, random


class Row(NamedTuple):
    """One public function with arguments that it takes, and the kind of each."""

    call: Callable[..., Any]
    arguments: Mapping[str, tuple[str, Any]]
    """Argument -> (its kind, a value that is taken), given by keyword; a `Made` is made anew for each call."""
    takes: Mapping[tuple[str, str], Any] = {}
    """(argument, label of a wrong value) -> the value whose result it must give, where it is right for this function.

    None says that the result is only asked to come without an error, for a reason that stands beside it.
    """


class Made(NamedTuple):
    """A value that is made anew for each call, as a generator or a file has to be."""

    make: Callable[[], Any]


def rows(*table: Row) -> dict[str, Row]:
    """Return rows by the name of their function."""
    return {f"{row.call.__module__.removeprefix('stdpjax.')}.{row.call.__qualname__}": row for row in table}


NAN, INF = float("nan"), float("inf")
_TEXT, _UNHASHABLE, _LIST = ("text", "0.5"), ("unhashable", {"a": [1]}), ("empty", [])
_NOT_NUMBERS = (("none", None), _TEXT, _UNHASHABLE, ("complex", 1j), ("volts", 5 * pq.mV))
_NUMBER = (*_NOT_NUMBERS, ("nan", NAN), ("infinite", INF), _LIST, ("three numbers", np.ones(3)), ("truth", True))
_SINGLE_COMPLEX = ("single complex", np.complex64(5 + 3j))
_ARRAY = (
    *_NOT_NUMBERS,
    ("texts", ["a", "b"]),
    ("ragged", [[1.0], [1.0, 2.0]]),
    ("too many axes", np.zeros((1, 2, 1, 2, 1, 2))),
    ("objects", np.array([None, 1.0], object)),
    ("all nan", "nan"),  # in the shape of the right value, see `bad_values`
    ("one infinite", "inf"),
    ("masked", "masked"),
)
_OBJECT = (("none", None), ("a number", 3.5), _TEXT, _UNHASHABLE, _LIST, ("a truth", True))

# Kind -> (label, wrong value). Every function is called with each for each of its arguments of that kind.
KINDS: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "key": (
        ("seed", 0),
        ("none", None),
        _TEXT,
        ("old key", np.zeros(2, np.uint32)),
        ("keys", jax.random.split(random.key(0), 2)),
        ("params", energy.make_params(np.zeros((2, 2)))),
        _UNHASHABLE,
    ),
    "number": _NUMBER,
    "positive": (*_NUMBER, ("zero", 0.0), ("negative", -1.0)),
    "non-negative": (*_NUMBER, ("negative", -1.0)),
    "time": (*_NUMBER, _SINGLE_COMPLEX, ("hertz", 5 * pq.Hz)),
    "positive time": (*_NUMBER, _SINGLE_COMPLEX, ("hertz", 5 * pq.Hz), ("zero", 0.0), ("negative", -1.0)),
    "rate": (*_NUMBER, _SINGLE_COMPLEX, ("seconds", 5 * pq.s), ("negative", -1.0)),
    "positive rate": (*_NUMBER, _SINGLE_COMPLEX, ("seconds", 5 * pq.s), ("zero", 0.0), ("negative", -1.0)),
    "open probability": (*_NUMBER, ("zero", 0.0), ("one", 1.0), ("negative", -0.1), ("hertz number", 20.0)),
    "one probability": (*_NUMBER, ("negative", -0.1), ("hertz number", 20.0)),
    "count": (
        *_NOT_NUMBERS,
        ("nan", NAN),
        ("infinite", INF),
        ("fraction", 1.5),
        ("float", 2.0),
        ("negative", -1),
        _LIST,
        ("truth", True),
        ("three numbers", np.ones(3, int)),
    ),
    "repeats": (("text", "60"), ("fraction", 60.5), ("one", 1), ("truth", True), _LIST, _UNHASHABLE),
    "choice": (("none", None), ("unknown", "nonsense"), ("a number", 3), _UNHASHABLE, _LIST),
    "flag": (("none", None), ("text", "yes"), ("a number", 3.5), _UNHASHABLE, _LIST),
    "array": _ARRAY,
    "column": (*_ARRAY, ("one number more", np.ones(7)), ("empty", [])),
    "column of ms": (*_ARRAY, ("one number more", np.ones(7)), ("empty", []), ("hertz", np.ones(6) * pq.Hz)),
    "column of Hz": (*_ARRAY, ("empty", []), ("seconds", np.ones(6) * pq.s), ("zeros", np.zeros(6))),
    "whole numbers": (*_ARRAY, ("fractions", "0.5")),
    "probability": (*_ARRAY, ("hertz numbers", "20"), ("negative", "-0.1")),
    "spikes": (
        *_NOT_NUMBERS,
        ("texts", ["a", "b"]),
        ("ragged", [[1], [1, 0]]),
        ("all nan", "nan"),
        ("twos", "2"),
        ("halves", "0.5"),
        ("masked", "masked"),
    ),
    "times": (
        ("none", None),
        _TEXT,
        _UNHASHABLE,
        ("complex", [1j]),
        ("hertz", np.arange(3.0) * pq.Hz),
        ("nan", [0.0, NAN]),
        ("infinite", [0.0, INF]),
        ("falling", [5.0, 3.0]),
        ("falling bytes", np.array([5, 3], np.uint8)),
        ("texts", ["a", "b"]),
        ("a number", 5.0),
        ("too many axes", np.zeros((1, 1, 2))),
    ),
    "object": _OBJECT,
    "object or none": _OBJECT[1:],
    "mapping": (("none", None), ("a number", 3.5), _TEXT, ("list", ["a"]), ("unknown name", {"nonsense": 1.0})),
    "names": (("none", None), ("a number", 3.5), _TEXT, ("unknown name", ("nonsense",)), ("a number in it", (3.5,))),
    "words": (("none", None), ("a number", 3.5), _UNHASHABLE, _LIST),
    "rate_fn": _OBJECT,
    "rule": _OBJECT,
    "kernel": _OBJECT,
    "params": (*_OBJECT, ("key", random.key(0)), ("weights alone", np.zeros((2, 2)))),
    "callable": _OBJECT,
    "text": (("none", None), ("a number", 3.5), ("no text", ""), _UNHASHABLE, _LIST),
    "claim text": (("none", None), ("a number", 3.5), _UNHASHABLE, _LIST),
    "optional count": (("a fraction", 0.5), ("nan", NAN), _TEXT, _UNHASHABLE, ("a truth", True), ("beyond", 10**6)),
    "optional number": tuple(each for each in _NUMBER if each[0] != "none"),
    "optional positive": (*_NUMBER[1:], ("zero", 0.0), ("negative", -1.0)),
    "optional object": tuple(each for each in _OBJECT if each[0] != "none"),
    "study names": (("a number", 3.5), _TEXT, _UNHASHABLE, _LIST, ("a truth", True), ("numbers", [1, 2])),
    "mapping or none": (("a number", 3.5), _TEXT, _UNHASHABLE, ("a truth", True), ("a list", [1])),
    "memory": (
        ("none", None),
        ("unknown", "nonsense"),
        ("fraction", 0.5),
        _UNHASHABLE,
        _LIST,
        ("truth", True),
        ("negative", -1),
        ("nan", NAN),
    ),
    "sizes": (
        ("none", None),
        ("a number", 3.5),
        _TEXT,
        _UNHASHABLE,
        _LIST,
        ("one layer", (3,)),
        ("no units", (3, 0)),
        ("fractions", (3, 1.5)),
        ("texts", ("3", "2")),
    ),
    "truths": (
        *_NOT_NUMBERS,
        ("texts", ["a", "b"]),
        ("ragged", [[True], [True, False]]),
        ("numbers", np.ones(2)),
        ("too many axes", np.ones((1, 2, 1), bool)),
    ),
    "activities": (
        *_ARRAY,
        ("bytes", np.zeros((5, 3), np.uint8)),
        ("other width", np.zeros((5, 11), np.float32)),
        ("one sample", np.zeros(3, np.float32)),
        ("rates", np.linspace(0, 1, 15, dtype=np.float32).reshape(5, 3)),
    ),
    "labels": (
        *_NOT_NUMBERS,
        ("texts", list("abcde")),
        ("one-hot", np.eye(2, dtype=int)[[0, 1, 1, 0, 1]]),
        ("in a row", np.zeros((5, 1), int)),
        ("negative", np.array([0, 1, -1, 0, 1])),
        ("fewer", np.zeros(4, int)),
        ("above", np.array([0, 1, 2, 0, 1])),
        ("floats", np.zeros(5)),
        ("nan", np.full(5, NAN)),
        ("bytes", np.array([0, 1, 1, 0, 1], np.uint8)),
    ),
    "factors": (
        ("none", None),
        ("a number", 3.5),
        _TEXT,
        _UNHASHABLE,
        _LIST,
        ("texts", ("1", "2")),
        ("nan", (1.0, NAN)),
        ("negative", (1.0, -1.0)),
        ("three", (1.0, 1.0, 1.0)),
    ),
    "file name": (("none", None), ("a number", 3.5), _UNHASHABLE, _LIST),
    "tuple of counts": (("none", None), ("a number", 3), _TEXT, _UNHASHABLE, _LIST, ("zero", (0,)), ("float", (2.0,))),
    "tuple of numbers": (
        ("none", None),
        ("a number", 3.5),
        _TEXT,
        _UNHASHABLE,
        _LIST,
        ("nan", (NAN, 1.0)),
        ("texts", ("1", "2")),
    ),
    "texts": tuple(each for each in _OBJECT if each[0] != "empty"),
    "sections": (("none", None), ("a number", 3.5), _TEXT, _UNHASHABLE, ("texts", ["a"]), ("a truth", True)),
    "path": (("none", None), ("a number", 3.5), _UNHASHABLE, _LIST),
    # Arguments that no wrong value is tried for, such as what another row has already tried.
    "any": (),
}


# Wrong values, given as text, that are filled into the shape of the right one.
_FILLED = ("all nan", "one infinite", "hertz numbers", "negative", "twos", "halves", "fractions")


def bad_values(kind: str, right: Any) -> list[tuple[str, Any]]:
    """Return the wrong values of a kind; some of them have the shape of the right one."""
    out: list[tuple[str, Any]] = []
    for label, value in KINDS[kind]:
        if label == "masked":
            value = np.ma.masked_array(np.asarray(right), np.arange(np.size(right)).reshape(np.shape(right)) == 0)
        if label in _FILLED and isinstance(value, str):
            filled = np.array(np.broadcast_to(np.float32(value), np.shape(right)))
            if label == "one infinite" and filled.ndim:
                filled[...] = np.asarray(right)
                filled[(0,) * filled.ndim] = np.inf
            value = jnp.asarray(filled)
        out.append((label, value))
    return out
