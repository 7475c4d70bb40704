"""Rows of `stdpjax.studies`: running them, and what users make."""

import tempfile
from typing import Any

import xarray as xr

from stdpjax import lab, studies
from tests.surface.rows_lab_again import record
from tests.surface.table import Made, Row, rows

SMALL = {"n_trials": ("any", 50), "n_steps": ("any", 40)}
EXAMPLE = studies.find("example_traces")
_CLAIM = {
    "id": ("text", "own.one"),
    "measured": ("text", "One is one."),
    "statement": ("text", "eq1"),
    "criterion": ("object", lab.at_most(1.0)),
    "measure": ("callable", lambda data: 1.0),
    "control": ("callable", lambda data: 2.0),
    "control_is": ("text", "two"),
    "bearing": ("choice", "supports"),
    "revised": ("claim text", ""),
    "note": ("claim text", ""),
}
_STUDY_KINDS = {
    **dict.fromkeys(("name", "title", "figure", "source", "caption"), "text"),
    **dict.fromkeys(("config", "claims"), "object"),
    "smoke": "mapping",
    **dict.fromkeys(("run", "plot"), "callable"),
    "point": "optional object",
}

DATA = xr.Dataset({"gain": 1.0, "gain_low": 0.5, "gain_high": 1.5})


def claim(**fields: Any) -> lab.Claim:
    """A class in the table's form, which is one of functions."""
    return lab.Claim(**fields)


def study(**fields: Any) -> lab.Study:
    """The same."""
    return lab.Study(**fields)


def statement(**fields: Any) -> lab.Statement:
    """The same."""
    return lab.Statement(**fields)


STATEMENT = {"id": "eq0", "where": "Section 0", "says": "It says so.", "answer": "So it is."}

ROWS = rows(
    Row(studies.find, {"study": ("object", "example_traces")}),
    Row(studies.where, {"question": ("text", "Eq 17")}),
    Row(studies.installed, {}),
    Row(
        studies.run,
        {"study": ("object", "example_traces"), "seed": ("count", 0), "smoke": ("flag", True),
         "show_progress": ("flag", False), "width": ("positive", 10.0), **SMALL},
    ),
    Row(
        studies.run_into,
        {"out": ("path", Made(tempfile.mkdtemp)), "studies": ("study names", ["example_traces"]), "seed": ("count", 0),
         "smoke": ("flag", True), "force": ("flag", False), "overrides": ("mapping or none", {}),
         "show_progress": ("flag", False), "say": ("callable", lambda line: None), "jobs": ("count", 1)},
        takes={("jobs", "none"): None},  # as many as there are cores
    ),
    Row(
        studies.repeat,
        {"record": ("object", Made(record)), "out": ("path", Made(tempfile.mkdtemp)),
         "study": ("object or none", None), "force": ("flag", False), "show_progress": ("flag", False),
         "say": ("callable", lambda line: None)},
    ),
    Row(claim, _CLAIM),
    Row(study, {name: (kind, getattr(EXAMPLE, name)) for name, kind in _STUDY_KINDS.items()}),
    Row(
        statement,
        {
            **{name: ("text", text) for name, text in STATEMENT.items()},
            "claims": ("object", ("own.one",)),
            "formula": ("claim text", ""),
        },
    ),
    Row(
        lab.verdict_of,
        {
            "statement": ("object", lab.Statement(**STATEMENT, claims=("own.one",))),
            "records": ("mapping", {"own.one": {"verdict": "met", "bearing": "supports"}}),
        },
        takes={("records", "unknown name"): None},  # of another claim
    ),
    Row(lab.at_most, {"limit": ("number", 1.0), "double": ("optional number", None)}),
    Row(lab.at_least, {"limit": ("number", 1.0), "double": ("optional number", None)}),
    Row(lab.within, {
        "expected": ("number", 1.0), "tolerance": ("non-negative", 0.5), "double": ("optional number", None),
    }),
    Row(lab.estimate, {"data": ("object", DATA), "name": ("object", "gain")}),
    Row(lab.keep_estimate, {
        "name": ("text", "gain"), "found": ("object", lab.Estimate(1.0, 0.5, 1.5)), "dims": ("any", ()),
        "value": ("claim text", ""),
    }),
)  # fmt: skip
