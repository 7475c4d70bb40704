"""Rows of `stdpjax.lab.portraits`."""

import functools
import tempfile
from typing import Any

import xarray as xr

from stdpjax import rules
from stdpjax.lab import portraits
from tests.surface.table import Made, Row, rows

SMALL: dict[str, Any] = {
    **dict.fromkeys(("n_pairs", "n_trials", "n_ramp_trials", "n_trains", "n_resamples"), 2),
    **dict.fromkeys(("settle_ms", "before_ms", "counted_ms", "reach_ms"), 50.0),
    "n_sequences": 4,
    "frequencies_hz": (20.0, 50.0),
    "rates_hz": (0.0, 20.0),
}


@functools.cache
def _data() -> xr.Dataset:
    return portraits.portrait("hebb", **SMALL)


KINDS = {name: ("any", value) for name, value in SMALL.items()}
ROWS = rows(
    Row(
        portraits.portrait,
        {"rule": ("rule", rules.hebb_rule()), "seed": ("count", 0), "weight": ("number", 0.5), **KINDS},
    ),
    Row(portraits.find_rule, {"rule": ("text", "hebb")}),
    Row(portraits.figure, {"data": ("object", Made(_data))}),
    Row(portraits.table, {"data": ("object", Made(_data))}),
    Row(portraits.as_text, {"data": ("object", Made(_data))}),
    Row(
        portraits.compare_into,
        {
            "rules": ("words", ["hebb"]),
            "config": ("object or none", portraits.PortraitConfig(**SMALL)),
            "seed": ("count", 0),
            "out": ("path", Made(tempfile.mkdtemp)),
            "format": ("choice", "svg"),
            "force": ("flag", False),
            "say": ("callable", lambda line: None),
        },
    ),
)
