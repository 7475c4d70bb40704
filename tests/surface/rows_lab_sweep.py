"""Rows of `stdpjax.lab.sweep`."""

import tempfile

from stdpjax import studies
from stdpjax.lab import sweep
from tests.surface.table import Made, Row, rows

STUDY = studies.find("rule_agreement")


def _folder() -> str:
    return tempfile.mkdtemp() + "/store"


ROWS = rows(
    Row(sweep.parse_grid, {"study": ("object", STUDY), "texts": ("texts", ["tau=3,5"])}),
    Row(sweep.parse_memory, {"memory": ("memory", "1GiB")}),
    Row(
        sweep.sweep,
        {
            "study": ("object", STUDY),
            "grid": ("object", {"max_probability": [0.5]}),
            "seeds": ("count", 1),
            "seed": ("count", 0),
            "out": ("path", Made(_folder)),
            "memory": ("memory", "1GiB"),
            "smoke": ("flag", True),
            "show_progress": ("flag", False),
            "say": ("callable", lambda line: None),
            "n_sequences": ("any", 4),
            "n_steps": ("any", 12),
            "window": ("any", 3),
            "n_trials": ("any", 8),
        },
    ),
)  # fmt: skip
