"""Every public function with wrong values of each argument: a `ValueError` that says which, or a right answer."""

import importlib
import inspect
import re
from typing import Any

import chex
import pytest

from tests.surface.table import Made, Row, bad_values

# Modules with a table of their own in `rows_NAME.py`, with _ for a dot.
MODULES = (
    "clamps",
    "drives",
    "dynamics",
    "energy",
    "fitting",
    "fixed_points",
    "learning",
    "networks",
    "objectives",
    "observers",
    "parallel",
    "plotting",
    "power",
    "protocols",
    "random",
    "rates",
    "rules",
    "spikes",
    "stats",
    "studies",
    "theory",
    "theory.slopes",
    "lab.again",
    "lab.fit",
    "lab.from_file",
    "lab.own",
    "lab.portraits",
    "lab.report",
    "lab.sweep",
    "lab.train",
)
# Of folders, the modules whose functions are to have rows; those of `theory` that stand for themselves.
THEORY = ("theory.linear_noise", "theory.principal_components")
# Public, but not called by users with values that could be wrong.
LEFT_OUT: dict[str, str] = {
    # Without checks, for loops over time that have checked before.
    **dict.fromkeys(
        (
            "clamps.clamp_energy",
            "clamps.clamp_target",
            "clamps.hold_state",
            "energy.energy_of",
            "energy.field_of",
            "energy.target_of",
            "fixed_points.clip_field",
        ),
        "what a step of the dynamics is made of",
    ),
}

TABLE: dict[str, Row] = {}
for _name in MODULES:
    TABLE.update(importlib.import_module(f"tests.surface.rows_{_name.replace('.', '_')}").ROWS)


pytestmark = pytest.mark.usefixtures("no_annotations")


def _made(value: Any) -> Any:
    return value.make() if isinstance(value, Made) else value


def _call(row: Row, **instead: Any) -> Any:
    return row.call(**{**{name: _made(value) for name, (_, value) in row.arguments.items()}, **instead})


def _cases() -> list[Any]:
    return [
        pytest.param(function, argument, label, value, id=f"{function}-{argument}-{label}")
        for function, row in TABLE.items()
        for argument, (kind, right) in row.arguments.items()
        for label, value in bad_values(kind, _made(right))
    ]


@pytest.mark.parametrize("function", TABLE)
def test_the_arguments_of_the_table_are_taken(function):
    _call(TABLE[function])


@pytest.mark.parametrize(("function", "argument", "label", "value"), _cases())
def test_a_wrong_value_is_refused_by_name_or_taken_rightly(function, argument, label, value):
    row = TABLE[function]
    if (argument, label) in row.takes:
        got, as_good_as = _call(row, **{argument: value}), row.takes[argument, label]
        if as_good_as is not None:
            want = _call(row, **{argument: as_good_as})
            chex.assert_trees_all_close(got, want, rtol=1e-6)
        return
    with pytest.raises(ValueError) as refused:
        _call(row, **{argument: value})
    message = str(refused.value)
    assert type(refused.value) is ValueError
    assert re.match(r"[\w .'\[\]]+: expected .*got", message, re.DOTALL), message
    # Of two that do not fit together either may be to blame: both are named.
    assert re.search(rf"\b{argument}\b", message), message


@pytest.mark.parametrize("module", [*MODULES, *THEORY])
def test_every_public_function_has_a_row(module):
    owner = importlib.import_module(f"stdpjax.{module}")
    public = getattr(owner, "__all__", None) or [
        name
        for name, value in vars(owner).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == owner.__name__
    ]
    functions = {name for name in public if inspect.isfunction(inspect.unwrap(getattr(owner, name), stop=None))}
    in_table = {name.rpartition(".")[2] for name in TABLE if name.startswith(module)}
    missing = functions - in_table - {name.partition(".")[2] for name in LEFT_OUT if name.startswith(module)}
    assert not missing, f"without a row: {sorted(missing)}"
