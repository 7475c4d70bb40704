"""Rows of `stdpjax.lab.own`."""

import tempfile
from pathlib import Path

from stdpjax.lab import own
from tests.surface.table import Made, Row, rows

ROWS = rows(
    Row(own.studies_at, {"place": ("text", "stdpjax.studies.section_5_simulation.stdp_window:STUDY")}),
    Row(own.installed, {"taken": ("object", ("stdp_window",))}, takes={("taken", "empty"): ()}),
    Row(own.new_study, {"file": ("object", Made(lambda: Path(tempfile.mkdtemp()) / "mine.py"))}),
)
