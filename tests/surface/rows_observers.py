"""Rows of `stdpjax.observers`."""

from stdpjax import observers
from tests.surface.table import Row, rows

_FUNCTION = ("callable", lambda sample: sample.post_state)

ROWS = rows(
    Row(observers.mean_of, {"function": _FUNCTION}),
    Row(observers.autocovariance_of, {"function": _FUNCTION, "max_lag": ("count", 2)}),
    Row(
        observers.histogram_of,
        {"function": _FUNCTION, "low": ("number", 0.0), "high": ("number", 1.0), "n_bins": ("count", 2)},
    ),
)
