"""Rows of `stdpjax.lab.own`."""

from stdpjax.lab import own
from tests.surface.table import Row, rows

ROWS = rows(
    Row(own.studies_at, {"place": ("text", "stdpjax.studies.section_5_simulation.stdp_window:STUDY")}),
    Row(own.installed, {"taken": ("object", ("stdp_window",))}, takes={("taken", "empty"): ()}),
)
