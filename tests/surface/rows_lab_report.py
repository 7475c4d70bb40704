"""Rows of `stdpjax.lab.report`."""

from stdpjax.lab import report
from tests.surface.table import Row, rows

ROWS = rows(
    Row(report.render, {"sections": ("sections", [])}),
    Row(
        report.number,
        {"value": ("optional number", 0.5)},
        # "not finite", as for None.
        takes={("value", "nan"): None, ("value", "infinite"): None},
    ),
)
