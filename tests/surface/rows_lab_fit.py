"""Rows of `stdpjax.lab.fit`."""

import tempfile

from stdpjax.lab import fit
from tests.surface.table import Made, Row, rows

ROWS = rows(
    Row(
        fit.FitConfig,
        {
            "rule": ("choice", "pair"),
            "data": ("object", "bi_poo_2001"),
            "n_repeats": ("count", 0),
            "compare": ("names", ("window",)),
            "fix": ("names", (("tau_plus", 16.8),)),
            "free": ("names", ()),
            "n_starts": ("count", 1),
            "n_resamples": ("count", 0),
            "format": ("names", ("png",)),
            "confidence": ("positive", 0.95),
        },
        takes={("data", "text"): None},  # a file that may yet come
    ),
    Row(
        fit.fit_into,
        {
            "config": ("object or none", fit.FitConfig("pair", "bi_poo_2001", n_starts=1, n_resamples=0)),
            "seed": ("count", 0),
            "out": ("path", Made(tempfile.mkdtemp)),
            "force": ("flag", False),
            "show_progress": ("flag", False),
            "say": ("callable", str),
        },
    ),
)
