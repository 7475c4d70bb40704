"""Rows of `stdpjax.plotting`."""

import numpy as np
import xarray as xr

from stdpjax import plotting
from tests.surface.table import Made, Row, rows

LAGS = np.arange(-2, 3)
CURVE = xr.Dataset({name: ("lag", np.ones(5)) for name in ("a", "a_low", "a_high", "a_exact")}, coords={"lag": LAGS})
AXES = Made(lambda: plotting.new_figure(2, 2).subplots())

ROWS = rows(
    Row(plotting.style, {}),
    Row(plotting.new_figure, {"width": ("positive", 2.0), "height": ("positive", 2.0)}),
    Row(plotting.label, {"ax": ("object", AXES), "title": ("claim text", "x"), "xlabel": ("claim text", "x"),
                         "ylabel": ("claim text", "x")}),
    Row(plotting.zero_lines, {"ax": ("object", AXES)}),
    Row(plotting.lag_curve, {"ax": ("object", AXES), "data": ("object", CURVE), "name": ("text", "a"),
                             "color": ("text", "#000000"), "label": ("claim text", "x"), "linestyle": ("text", "-")}),
    Row(plotting.same_zero, {"left": ("object", AXES), "right": ("object", AXES)}),
    Row(plotting.joint_legend, {"left": ("object", AXES), "right": ("object", AXES)}),
    Row(plotting.table, {"ax": ("object", AXES), "values": ("array", np.ones((1, 2)) / 2),
                         "rows": ("array", np.ones(1)), "columns": ("array", np.ones(2)),
                         "low": ("number", 0.0), "centre": ("number", 0.5),
                         "high": ("number", 1.0)}),
)  # fmt: skip
