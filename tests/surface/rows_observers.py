"""Rows of `stdpjax.observers`."""

from stdpjax import observers
from tests.surface.table import Row, rows

_FUNCTION = ("callable", lambda sample: sample.post_state)

_BURN_IN = ("count", 2)

ROWS = rows(
    Row(observers.mean_of, {"function": _FUNCTION, "burn_in": _BURN_IN}),
    Row(observers.autocovariance_of, {"function": _FUNCTION, "max_lag": ("count", 2), "burn_in": _BURN_IN}),
    Row(
        observers.lagged_products_of,
        {"later": _FUNCTION, "earlier": _FUNCTION, "max_lag": ("count", 2), "burn_in": _BURN_IN},
    ),
    Row(
        observers.histogram_of,
        {
            "function": _FUNCTION,
            "low": ("number", 0.0),
            "high": ("number", 1.0),
            "n_bins": ("count", 2),
            "burn_in": _BURN_IN,
        },
    ),
)
