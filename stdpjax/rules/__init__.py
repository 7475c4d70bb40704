"""Plasticity rules: Eq 1 and Eq 2, and nearest-neighbour STDP with any lag kernel."""

from stdpjax.rules.base import Rule, Sample
from stdpjax.rules.contrastive import contrastive_update, movement_update
from stdpjax.rules.differential import PAIRINGS, differential_rule, rate_update, spike_update, state_slope
from stdpjax.rules.first_order import linear_response, ramp_gain, slope_by_lag, slope_correlation
from stdpjax.rules.kernels import LAG_KERNELS, lag_kernel
from stdpjax.rules.pair import lag_update, mean_update, nearest_neighbour_rule

__all__ = [
    "LAG_KERNELS",
    "PAIRINGS",
    "Rule",
    "Sample",
    "contrastive_update",
    "differential_rule",
    "lag_kernel",
    "lag_update",
    "linear_response",
    "mean_update",
    "movement_update",
    "nearest_neighbour_rule",
    "ramp_gain",
    "rate_update",
    "slope_by_lag",
    "slope_correlation",
    "spike_update",
    "state_slope",
]
