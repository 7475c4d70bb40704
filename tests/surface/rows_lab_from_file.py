"""Rows of `stdpjax.lab.from_file`."""

import tempfile
from pathlib import Path

from stdpjax.lab import from_file
from tests.surface.table import Made, Row, rows


def _file() -> str:
    file = Path(tempfile.mkdtemp()) / "mine.py"
    file.write_text("from stdpjax import studies; MINE = studies.find('stdp_window')")
    return str(file)


ROWS = rows(
    Row(from_file.read_studies, {"text": ("text", Made(_file))}),
    Row(from_file.read_object, {"text": ("text", Made(lambda: f"{_file()}:MINE")), "what": ("claim text", "study")}),
)
