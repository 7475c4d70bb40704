"""Plasticity rules: Eq 1 and Eq 2, nearest-neighbour STDP with any lag kernel, and published rules of traces."""

from stdpjax.rules.along import Along, run_along
from stdpjax.rules.base import Rule, Sample, TraceRule
from stdpjax.rules.combine import bounded_rule, mask_rule, scale_rule, sum_rules
from stdpjax.rules.contrastive import contrastive_update, movement_update
from stdpjax.rules.differential import PAIRINGS, differential_rule, eq1_rule, rate_update, spike_update, state_slope
from stdpjax.rules.evaluate import expected_updates, per_spike_updates, train_updates
from stdpjax.rules.events import SpikeEvents, event_updates, event_weight_change, merge_spike_times
from stdpjax.rules.first_order import linear_response, ramp_gain, slope_by_lag
from stdpjax.rules.kernels import LAG_KERNELS, lag_kernel
from stdpjax.rules.pair import lag_update, mean_update, nearest_neighbour_rule
from stdpjax.rules.pair_schemes import SCHEMES, pair_rule
from stdpjax.rules.published import Preset, presets
from stdpjax.rules.rate_rules import bcm_rule, hebb_rule, xie_seung_rule
from stdpjax.rules.sampled import SampledUpdates, sampled_updates
from stdpjax.rules.traces import ORDERS, trace_rule
from stdpjax.rules.triplet import INTERACTIONS, suppression_rule, triplet_rule
from stdpjax.rules.windows import Moments, effective_window, window_moments

__all__ = ["INTERACTIONS", "LAG_KERNELS", "ORDERS", "PAIRINGS", "SCHEMES", "Along", "Moments", "Preset", "Rule"]
__all__ += [
    "Sample",
    "SampledUpdates",
    "SpikeEvents",
    "TraceRule",
    "bcm_rule",
    "bounded_rule",
    "contrastive_update",
    "differential_rule",
]
__all__ += ["effective_window", "eq1_rule", "event_updates", "event_weight_change", "expected_updates", "hebb_rule"]
__all__ += ["lag_kernel", "lag_update", "linear_response", "mask_rule", "mean_update", "merge_spike_times"]
__all__ += ["movement_update", "nearest_neighbour_rule", "pair_rule", "per_spike_updates", "presets", "ramp_gain"]
__all__ += [
    "rate_update",
    "run_along",
    "sampled_updates",
    "scale_rule",
    "slope_by_lag",
    "spike_update",
    "state_slope",
    "sum_rules",
]
__all__ += ["suppression_rule", "trace_rule", "train_updates", "triplet_rule", "window_moments", "xie_seung_rule"]
