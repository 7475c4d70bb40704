"""Rows of `stdpjax.fitting`."""

import tempfile
from pathlib import Path

import numpy as np

from stdpjax import fitting, protocols, random, rules
from tests.surface.table import Made, Row, rows

LAGS = [10.0, 20.0, 40.0, -10.0, -20.0, -40.0]
DONE = [protocols.pairs(lag, n_pairs=1) for lag in LAGS]
DATA = fitting.measurements("six", DONE, [0.4, 0.2, 0.05, -0.2, -0.1, -0.05], [0.05] * 6)
HELD = {"A_minus": 0.3, "tau_plus": 15.0, "tau_minus": 20.0}
NUMBERS = {"A_plus": 0.8, **HELD}
FIT = {
    "key": ("key", random.key(0)),
    "data": ("object", DATA),
    "n_starts": ("count", 1),
    "fixed": ("mapping", HELD),
    "free": ("names", []),
}


def _file() -> Path:
    file = Path(tempfile.mkdtemp()) / "points.csv"
    file.write_text("lag_ms,change_percent,frequency_hz\n10,40,1\n")
    return file


ROWS = rows(
    Row(
        fitting.measurements,
        {
            "name": ("words", "six"),
            "protocols": ("object", DONE),
            "change": ("column", DATA.change),
            "sem": ("column", np.full(6, 0.05)),
            "lag_ms": ("column of ms", np.array(LAGS)),
            "frequency_hz": ("column of Hz", np.ones(6)),
            "check_unit": ("flag", True),
        },
        takes={(name, "none"): None for name in ("sem", "lag_ms", "frequency_hz")},  # they may be left out
    ),
    Row(
        fitting.model_of,
        {
            "make_rule": ("callable", rules.pair_rule),
            "parameters": ("mapping", dict.fromkeys(NUMBERS, (0.1, 100.0))),
            "name": ("words", "mine"),
            "held": ("mapping", HELD),
            "weight": ("positive", 1.0),
            "bin_ms": ("positive time", 1.0),
        },
        takes={("name", "none"): None},  # that of the function
    ),
    Row(fitting.find_model, {"name": ("choice", "pair")}),
    Row(
        fitting.predict,
        {"model": ("choice", "pair"), "numbers": ("mapping", NUMBERS), "protocols": ("object", DONE[:1])},
    ),
    # Without a key there are no errors.
    Row(fitting.bi_poo_2001, {"key": ("key", random.key(0))}, takes={("key", "none"): None}),
    Row(fitting.sjostrom_2001, {}),
    Row(fitting.load, {"data": ("path", "sjostrom_2001"), "seed": ("count", 0), "check_unit": ("flag", True)}),
    Row(
        fitting.read_measurements,
        {"path": ("path", Made(_file)), "n_repeats": ("repeats", 60), "check_unit": ("flag", True)},
    ),
    Row(fitting.random_starts, {"model": ("choice", "pair"), **FIT}),
    Row(
        fitting.search,
        {
            "model": ("choice", "pair"),
            "data": FIT["data"],
            "starts": ("array", np.array([[0.5]])),
            "changes": ("array", DATA.change[None]),
            "is_free": ("array", np.array([[1.0]])),
            "fixed": FIT["fixed"],
            "free": FIT["free"],
        },
        takes={("changes", "none"): None},  # those of the data
    ),
    Row(
        fitting.fit,
        {"model": ("choice", "pair"), **FIT, "n_resamples": ("count", 0), "confidence": ("positive", 0.95)},
    ),
    Row(
        fitting.compare,
        {"key": FIT["key"], "models": ("object", ["pair"]), "data": FIT["data"], "n_starts": ("count", 1)},
    ),
)
