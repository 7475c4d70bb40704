"""Imports point in one direction: library <- lab <- studies, and nowhere in a circle."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stdpjax

PACKAGE = Path(stdpjax.__file__).parent
LIBRARY, LAB, STUDIES, DOOR = range(4)
# By the first part of a module's name; the rest is the library. Through the door one sees everything.
HOUSES = {"lab": LAB, "studies": STUDIES, "cli": DOOR, "__main__": DOOR, "": DOOR}


def name_of(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def house(module):
    return HOUSES.get(module.partition(".")[0], LIBRARY)


def imported_by(nodes):
    """Modules of this package that these lines of a program import."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "stdpjax":
            base = (node.module or "").removeprefix("stdpjax").lstrip(".")
            for alias in node.names:
                submodule = f"{base}.{alias.name}".strip(".")
                yield submodule if submodule in FILES else base
        elif isinstance(node, ast.Import):
            yield from (a.name.removeprefix("stdpjax.") for a in node.names if a.name.startswith("stdpjax."))


FILES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


@pytest.mark.parametrize("module", FILES)
def test_no_house_imports_from_a_higher_one(module):
    for imported in imported_by(ast.walk(TREES[module])):
        assert house(imported) <= house(module), f"{module} imports {imported}"


def circle(graph):
    """Return modules each of which imports the next one and the last the first, or None; depth first."""
    done, path = set(), []

    def visit(module):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        path.append(module)
        found = next(filter(None, (visit(one) for one in graph.get(module, ()))), None)
        path.pop()
        done.add(module)
        return found

    return next(filter(None, map(visit, graph)), None)


def test_nothing_imports_itself_by_way_of_others():
    # What a function imports when it is called is no part of loading a module.
    graph = {name: sorted(set(imported_by(tree.body))) for name, tree in TREES.items()}
    assert sum(map(len, graph.values())) > len(graph)
    assert circle(graph) is None


def test_a_circle_is_found():
    assert circle({"a": ["b"], "b": ["c", "d"], "c": [], "d": ["b"]}) == ["b", "d", "b"]
    assert circle({"a": ["b", "c"], "b": ["c"], "c": []}) is None


def test_numerics_do_not_import_pictures_tables_samplers_or_optimisers():
    heavy = {"blackjax", "optax", "orbax", "sklearn", "matplotlib", "xarray", "pandas", "tqdm"}
    program = f"import sys, stdpjax; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_help_imports_no_study():
    program = """import sys
from stdpjax import cli
try:
    cli.main(["--help"])
except SystemExit:
    pass
assert not [name for name in sys.modules if name.startswith(("stdpjax.lab", "stdpjax.studies"))]"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, stdout=subprocess.DEVNULL)
