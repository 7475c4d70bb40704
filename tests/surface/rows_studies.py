"""Rows of `stdpjax.studies`: running them, and what users make."""

import dataclasses
import tempfile
from typing import Any

from stdpjax import studies
from tests.surface.table import Made, Row, rows

SMALL = {"n_trials": ("any", 50), "n_steps": ("any", 40)}
EXAMPLE = studies.find("example_traces")
_CLAIM = {"id": "own.one", "equation": "Eq 1", "claim": "One is one.", "printed": "", "corrected": ""}


def claim(**fields: Any) -> studies.Claim:
    """A class in the table's form, which is one of functions."""
    return studies.Claim(**fields)


def study(**fields: Any) -> studies.Study:
    """The same."""
    return studies.Study(**fields)


ROWS = rows(
    Row(studies.find, {"name": ("object", "example_traces")}),
    Row(
        studies.run,
        {"name": ("object", "example_traces"), "seed": ("count", 0), "smoke": ("flag", True),
         "show_progress": ("flag", False), "width": ("positive", 10.0), **SMALL},
    ),
    Row(
        studies.run_into,
        {"out": ("path", Made(tempfile.mkdtemp)), "names": ("study names", ["example_traces"]), "seed": ("count", 0),
         "smoke": ("flag", True), "force": ("flag", False), "overrides": ("mapping or none", {}),
         "show_progress": ("flag", False), "say": ("callable", lambda line: None)},
    ),
    Row(claim, {
        **{name: ("claim text", text) for name, text in _CLAIM.items()},
        "expected": ("number", 1.0), "comparison": ("choice", "at_most"), "tolerance": ("non-negative", 0.0),
        "verdict": ("choice", "holds"), "double": ("optional number", None),
    }),
    Row(study, {
        field.name: (
            {str: "text", Any: "object"}.get(field.type, "callable") if field.name not in ("point", "claims", "judge") else
            {"point": "optional object", "claims": "object", "judge": "optional object"}[field.name],
            getattr(EXAMPLE, field.name),
        )
        for field in dataclasses.fields(studies.Study)
    }),
)  # fmt: skip
