"""What is written is true: docstrings are complete, README's code runs, notebooks run and carry no outputs."""

import dataclasses
import importlib
import inspect
import pkgutil
import pydoc
import re
import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import stdpjax
from stdpjax.studies import STATEMENTS

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SURFACE = [
    "random",
    "rates",
    "drives",
    "spikes",
    "protocols",
    "rules",
    "fitting",
    "power",
    "stats",
    "studies",
    "lab.again",
    "lab.fit",
    "lab.from_file",
    "lab.own",
    "lab.portraits",
    "lab.sweep",
    "lab.train",
]


def public_functions():
    for name in SURFACE:
        module = importlib.import_module(f"stdpjax.{name}")
        names = getattr(module, "__all__", [n for n in vars(module) if not n.startswith("_")])
        for attribute in names:
            thing = getattr(module, attribute)
            is_function = inspect.isfunction(thing) or hasattr(thing, "__wrapped__")
            if is_function and inspect.unwrap(thing).__module__.startswith("stdpjax"):
                yield pytest.param(thing, id=f"{name}.{attribute}")


@pytest.mark.parametrize("function", list(public_functions()))
def test_docstring_says_what_goes_in_what_comes_out_and_shows_it(function):
    text = inspect.getdoc(function) or ""
    arguments = list(inspect.signature(function).parameters)
    for argument in arguments:
        assert re.search(rf"^ +\*{{0,2}}{argument}:", text, re.MULTILINE), f"{argument} is not described"
    assert "Returns:" in text or "Example:" in text
    assert ">>> " in text
    if "_checks." in inspect.getsource(inspect.unwrap(function)):
        assert "Raises:" in text


def test_every_module_has_a_docstring():
    for module in pkgutil.walk_packages(stdpjax.__path__, "stdpjax."):
        assert importlib.import_module(module.name).__doc__, module.name


def test_readme_prints_two_commands_and_its_code_runs():
    listed = subprocess.run(
        [sys.executable, ROOT / "scripts" / "readme_commands.py"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.splitlines()
    assert len(listed) == 2
    assert "stdpjax reproduce" in listed[0]
    assert "pytest" in listed[1]
    readme = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_readme_lists_the_statements_in_order_and_as_their_script_writes_them():
    script = runpy.run_path(str(ROOT / "scripts" / "readme_statements.py"))
    readme = (ROOT / "README.md").read_text()
    rows = script["rows"](readme)
    assert [row["id"] for row in rows] == [one.id for one in STATEMENTS]
    assert [row["where"] for row in rows] == [script["short"](one.where) for one in STATEMENTS]
    verdicts = {word: verdict for verdict, word in script["VERDICTS"].items()}
    judgements = [
        {**dataclasses.asdict(one), "verdict": verdicts[row["verdict"]]}
        for one, row in zip(STATEMENTS, rows, strict=True)
    ]
    assert script["updated"](readme, judgements) == readme  # the counts of verdicts, too
    without = "".join(line for line in readme.splitlines(keepends=True) if not line.startswith("| eq17 |"))
    assert [row["id"] for row in script["rows"](script["updated"](without, judgements))] == [row["id"] for row in rows]


def test_readme_fits_its_page_and_soon_shows_code():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 200
    assert lines.index("```python") < 40
    assert [line for line in lines if len(line) > 120] == []


def test_readme_links_point_to_files():
    readme = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", readme):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs_and_carries_no_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    pictures = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    assert pictures


def test_help_says_what_is_written_below_fields():
    for cls, field in ((stdpjax.lab.Claim, "control_is"), (stdpjax.rules.Sample, "post_state")):
        text = pydoc.plain(pydoc.render_doc(cls))
        assert re.search(rf"Attributes:.*\n.*    {field}: [A-Z]", text, re.DOTALL)


def test_a_result_shows_its_claims_and_not_its_data():
    shown = repr(stdpjax.studies.run("example_traces", smoke=True, show_progress=False))
    assert re.match(r"Result\('example_traces', seed=0, is_smoke=True, data: \d+ variables \(time: 160\)\)\n", shown)
    assert re.search(r"\n  eq2.mean: \d\.\d+ \(inconclusive\)$", shown)
