"""What `scripts/on_gpu.py` times on an accelerator lowers for one, and its table claims none where there was none."""

import importlib
from pathlib import Path

import jax
import pytest
from jax import export

SCRIPTS = Path(__file__).parent.parent / "scripts"


@pytest.fixture
def on_gpu(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
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
