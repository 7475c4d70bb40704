"""What a GPU is timed with lowers for one, a table claims no GPU where there was none, and measurements are kept."""

import importlib
import json
from pathlib import Path

import jax
import pytest
from jax import export

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)


@pytest.fixture
def on_gpu():
    return importlib.import_module("on_gpu")


@pytest.mark.parametrize("part", ["protocol", "network", "training", "sweep"])
def test_what_is_timed_lowers_for_cuda(part, on_gpu, no_annotations):
    assert part in on_gpu.PARTS
    for program in on_gpu.PARTS[part](is_small=False):
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), program.arguments)
        made = export.export(jax.jit(program.function), platforms=("cuda",))(*shapes)
        assert made.platforms == ("cuda",)


def test_a_table_names_the_card_or_says_that_there_was_none(on_gpu):
    row = {"what": "a program", "ms": 1.5, "bound": 2.0, "first_s": 1.0, "range": [1.0, 2.0]}
    machine = on_gpu.described()
    card = {**machine, "backend": "gpu", "device": "NVIDIA X", "driver": "1.2"}
    there = on_gpu.markdown({"sweep": {"machine": card, "is_small": False, "rows": [row]}}, {}, "8 passed")
    assert there.startswith("One NVIDIA X, driver 1.2, ")
    assert "| a program | 1.5 | 1 … 2 | 2 | 1 |" in there
    here = on_gpu.markdown({"sweep": {"machine": machine, "is_small": True, "rows": [row]}}, {"network": 124}, "")
    assert here.startswith("NO GPU")
    assert "NVIDIA" not in here
    assert here.endswith("network: did not end in time")


def test_measurements_are_kept_and_drawn_with_their_limits(tmp_path, monkeypatch):
    history, timing = (importlib.import_module(name) for name in ("history", "timing"))
    monkeypatch.setattr(history, "FILE", tmp_path / "kept.jsonl")
    for date, cpu, ratio in (("2026-01-01T00:00Z", "A", 0.51234), ("2026-02-01T00:00Z", "B", 0.4)):
        rows = [{"what": "one / other", "ratio": ratio, "bound": 0.75}, {"what": "another", "ratio": 0}]
        history.keep({**timing.machine(), "date": date, "cpu": cpu}, rows)
    first, last = (json.loads(line) for line in history.FILE.read_text().splitlines())
    assert first["rows"] == {"one / other": [0.512, 0.75], "another": [0.0, None]}
    assert last["machine"].startswith("B, ")
    figure = history.picture()
    for panel, row in zip(figure.axes, first["rows"], strict=False):
        assert panel.get_title() == row
        _, upper = panel.get_ylim()
        assert upper > max(number for line in (first, last) for number in line["rows"][row] if number is not None)
    assert [line.get_ydata()[0] for line in figure.axes[0].lines[:3]] == [0.512, 0.4, 0.75]


def test_the_history_has_the_measurement_that_the_page_shows():
    last = json.loads((SCRIPTS / "benchmarks.jsonl").read_text().splitlines()[-1])
    page = (SCRIPTS / "benchmarks.md").read_text()
    table = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    assert {cells[0]: float(cells[1]) for cells in table} == {row: number for row, (number, _) in last["rows"].items()}
