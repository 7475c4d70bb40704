"""Rows of `stdpjax.report`."""

from stdpjax import report, studies
from tests.surface.table import Row, rows

ROWS = rows(
    Row(report.render, {"sections": ("sections", [])}),
    Row(report.number, {"value": ("optional number", 0.5)}, takes={
        ("value", "nan"): None,  # "not finite", as for None
        ("value", "infinite"): None,
    }),
)  # fmt: skip
assert studies
