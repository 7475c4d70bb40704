"""What is written below the fields of a class, for `help`: read from its source when its docstring is asked for."""

import ast
import inspect
import textwrap
from typing import Any, TypeVar

T = TypeVar("T")


class _Documented:
    """A docstring that is made when it is read, so that importing costs nothing."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __get__(self, instance: Any, owner: type) -> str:
        fields = _fields_of(owner)
        lines = [f"    {name}: {text}" for name, text in fields.items() if text]
        return "\n".join([self._text.rstrip(), "", "Attributes:", *lines, ""]) if lines else self._text


def documented(cls: type[T]) -> type[T]:
    """Have the docstring of a class say what is written below each of its fields.

    Example:
        >>> from stdpjax.lab import Claim
        >>> "control_is: What the wrong model is, in a few words." in Claim.__doc__
        True
    """
    # A descriptor: `type.__doc__` asks it, as `help` does.
    cls.__doc__ = _Documented(inspect.cleandoc(cls.__doc__ or ""))  # pyright: ignore[reportAttributeAccessIssue]
    return cls


def _fields_of(cls: type) -> dict[str, str]:
    """Return what stands below each field, in a line; nothing without source."""
    try:
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        return {}
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: " ".join(below.value.value.split())
        for field, below in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
