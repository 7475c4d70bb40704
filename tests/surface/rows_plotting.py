"""Rows of `stdpjax.plotting`."""

import numpy as np

from stdpjax import plotting
from tests.surface.table import Made, Row, rows

AXES = ("object", Made(lambda: plotting.new_figure(2, 2).subplots()))
NUMBERS = ("array", np.arange(3.0))
COLOR, LABEL = ("text", "eq1"), ("claim text", "x")
# A gap in a line is a number that is missing, and numbers of any shape are points.
GAPS = dict.fromkeys((name, label) for name in ("x", "y") for label in ("all nan", "one infinite"))

ROWS = rows(
    Row(plotting.style, {}),
    Row(plotting.new_figure, {"width": ("positive", 2.0), "height": ("positive", 2.0)}),
    Row(
        plotting.frame,
        {
            "ax": AXES,
            "xlabel": LABEL,
            "ylabel": LABEL,
            "log": ("choice", "x"),
            "zero": ("choice", "y"),
            "headroom": ("non-negative", 0.1),
            "xticks": ("array", np.arange(1.0, 3.0)),
            "yticks": ("array", np.arange(1.0, 3.0)),
        },
        takes={
            ("xticks", "none"): None,  # no ticks of its own
            ("yticks", "none"): None,
            ("xticks", "texts"): None,  # words
            ("yticks", "texts"): None,
        },
    ),
    Row(
        plotting.curve,
        {"ax": AXES, "x": NUMBERS, "y": NUMBERS, "style": ("claim text", "-"), "color": COLOR, "label": LABEL},
        takes={**GAPS, ("label", "none"): None},
    ),
    Row(
        plotting.points,
        {"ax": AXES, "x": NUMBERS, "y": NUMBERS, "style": ("claim text", "o"), "color": COLOR, "label": LABEL},
        takes={**GAPS, ("label", "none"): None},
    ),
    Row(
        plotting.bars,
        {"ax": AXES, "x": NUMBERS, "y": NUMBERS, "color": COLOR, "label": LABEL, "width": ("positive", 0.5)},
        takes={("x", "all nan"): None, ("y", "all nan"): None, ("label", "none"): None},
    ),
    Row(
        plotting.table,
        {
            "ax": AXES,
            "values": ("array", np.ones((1, 2)) / 2),
            "rows": ("array", np.ones(1)),
            "columns": ("array", np.ones(2)),
            "low": ("number", 0.0),
            "centre": ("number", 0.5),
            "high": ("number", 1.0),
        },
    ),
)
