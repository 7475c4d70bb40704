"""Rows of `stdpjax.lab.again`."""

import json
import tempfile
from pathlib import Path

from stdpjax.lab import again
from tests.surface.table import Made, Row, rows

RECORD = {"study": "example_traces", "seed": 0, "is_smoke": True, "configuration": {"n_trials": 50}, "provenance": {}}


def record() -> Path:
    """A record of a run of milliseconds."""
    file = Path(tempfile.mkdtemp()) / "record.json"
    file.write_text(json.dumps({**RECORD, "claims": []}), encoding="utf-8")
    return file


ROWS = rows(
    Row(again.read_record, {"file": ("object", Made(record))}),
    Row(again.compare, {"old": ("object", Made(record)), "new": ("object", Made(record))}),
)
