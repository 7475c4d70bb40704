"""Rows of `stdpjax.rules`."""

from functools import wraps
from typing import Any

import jax.numpy as jnp
import numpy as np

from stdpjax import random, rates, rules
from tests.surface.table import Row, rows

RHO = rates.hard_sigmoid()
PAIRS = rules.pair_rule(1.0, 0.5, 10.0, 20.0)
KERNEL = rules.lag_kernel("exponential", 2)
PRE, POST = np.array([1, 0, 1]), np.array([0, 1, 1])
P, Q = np.array([0.1, 0.2, 0.3]), np.array([0.3, 0.2, 0.1])
STATE, RATE = np.array([0.1, 0.2]), np.array([0.3, 0.4])
BATCH = jnp.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.5]])
SLICES = (slice(0, 2), slice(2, 3))

_AMPLITUDE, _TAU = ("number", 0.5), ("positive time", 10.0)
_READING = {"order": ("choice", "read_before"), "coincidence": ("choice", "ignore")}
_PAIRS = {"A_plus": _AMPLITUDE, "A_minus": _AMPLITUDE, "tau_plus": _TAU, "tau_minus": _TAU}
_PROBABILITY, _KERNEL = ("open probability", 0.2), ("array", KERNEL)
_BIN = ("positive time", 1.0)


@wraps(rules.sum_rules)
def _sum_rules(**arguments: Any) -> Any:
    return rules.sum_rules(PAIRS, arguments["rules"])


ROWS = rows(
    Row(rules.pair_rule, {**_PAIRS, "scheme": ("choice", "all_to_all"), **_READING}),
    Row(
        rules.triplet_rule,
        {
            **dict.fromkeys(("A2_plus", "A3_plus", "A2_minus", "A3_minus"), _AMPLITUDE),
            **dict.fromkeys(("tau_plus", "tau_minus", "tau_x", "tau_y"), _TAU),
            "scheme": ("choice", "nearest"),
            **_READING,
        },
    ),
    Row(
        rules.suppression_rule,
        {**_PAIRS, "tau_pre": _TAU, "tau_post": _TAU, "scheme": ("choice", "nearest"), **_READING},
    ),
    Row(rules.trace_rule, {"traces": ("object", PAIRS.traces)}),
    Row(
        rules.nearest_neighbour_rule,
        {"kernel": _KERNEL, "coincidence": ("choice", "skip"), "sides": ("choice", "one"), "bin_ms": _BIN},
    ),
    Row(
        rules.differential_rule,
        {
            "pairing": ("choice", "current"),
            "presynaptic": ("choice", "rate"),
            "postsynaptic": ("choice", "state"),
            "tied": ("flag", False),
        },
    ),
    Row(
        rules.xie_seung_rule,
        {
            "rate_fn": ("rate_fn", RHO),
            "sign": ("choice", "hebbian"),
            "pairing": ("choice", "current"),
            "presynaptic": ("choice", "rate"),
        },
    ),
    Row(rules.bcm_rule, {"rate_fn": ("rate_fn", RHO), "tau_threshold": _TAU, "target": ("positive", 0.5)}),
    Row(
        rules.eq1_rule,
        {"rate_fn": ("rate_fn", RHO), **dict.fromkeys(("gate", "tie", "before", "after"), ("number", 0.5))},
    ),
    Row(
        rules.run_along,
        {
            "rule": ("rule", rules.differential_rule()),
            "samples": ("object", rules.Sample(*jnp.ones((3, 4, 1)))),
            "weights": ("array", np.zeros((1, 1))),
            "learning_rate": ("number", 0.5),
        },
    ),
    Row(rules.hebb_rule, {"rate_fn": ("rate_fn", RHO)}, takes={("rate_fn", "none"): None}),  # the rule of spikes
    Row(_sum_rules, {"rules": ("rule", PAIRS)}),
    Row(rules.scale_rule, {"rule": ("rule", PAIRS), "factor": ("number", 2.0)}),
    Row(rules.mask_rule, {"rule": ("rule", PAIRS), "mask": ("spikes", [[1]])}),
    Row(
        rules.bounded_rule,
        {
            "rule": ("rule", PAIRS),
            "lower": ("number", 0.0),
            "upper": ("number", 1.0),
            "exponent": ("non-negative", 1.0),
            "exponent_minus": ("non-negative", 1.0),
        },
        takes={("exponent_minus", "none"): None},  # that of potentiation
    ),
    Row(
        rules.rate_update,
        {
            "state": ("array", STATE),
            "next_state": ("array", STATE),
            "pre_rate": ("array", RATE),
            "pairing": ("choice", "midpoint"),
            "next_pre_rate": ("array", RATE),
        },
    ),
    Row(
        rules.spike_update,
        {"state": ("array", STATE), "next_state": ("array", STATE), "pre_spikes": ("spikes", np.array([1, 0]))},
    ),
    Row(rules.state_slope, {"state": ("array", P), "difference": ("choice", "centred")}),
    Row(rules.lag_kernel, {"name": ("choice", "exponential"), "window": ("count", 3), "tau": _TAU, "bin_ms": _BIN}),
    Row(rules.lag_update, {"lags": ("whole numbers", np.array([0, 1, -2])), "kernel": _KERNEL}),
    Row(rules.mean_update, {"lag_table": ("array", np.ones(5)), "kernel": _KERNEL}),
    Row(rules.ramp_gain, {"probability": _PROBABILITY, "kernel": _KERNEL}),
    Row(rules.linear_response, {"probability": _PROBABILITY, "kernel": _KERNEL}),
    Row(rules.window_moments, {"window": ("array", np.array([0.1, 0.2, 0.3]))}),
    Row(
        rules.effective_window,
        {
            "rule": ("rule", PAIRS),
            "pre_probability": ("one probability", 0.1),
            "post_probability": ("one probability", 0.2),
            "window": ("count", 2),
            "n_settle": ("count", 200),
            "bin_ms": _BIN,
        },
        takes={("n_settle", "none"): 500},
    ),
    Row(rules.slope_by_lag, {"probability": _PROBABILITY, "window": ("count", 2)}),
    Row(
        rules.merge_spike_times,
        {"pre_times": ("times", [0.0, 5.0]), "post_times": ("times", [1.0, 7.0]), "check_unit": ("flag", True)},
    ),
    *[
        Row(
            events,
            {
                "rule": ("rule", PAIRS),
                "times": ("times", [0.0, 5.0, 9.0]),
                "pre_spikes": ("spikes", PRE),
                "post_spikes": ("spikes", POST),
                "weight": ("number", 0.0),
            },
        )
        for events in (rules.event_updates, rules.event_weight_change)
    ],
    Row(
        rules.train_updates,
        {
            "rule": ("rule", PAIRS),
            "pre_spikes": ("spikes", PRE),
            "post_spikes": ("spikes", POST),
            "weight": ("number", 0.0),
            "bin_ms": _BIN,
        },
    ),
    *[
        Row(
            expected,
            {
                "rule": ("rule", PAIRS),
                "pre_probability": ("probability", P),
                "post_probability": ("probability", Q),
                "bin_ms": _BIN,
            },
        )
        for expected in (rules.expected_updates, rules.per_spike_updates)
    ],
    Row(
        rules.sampled_updates,
        {
            "key": ("key", random.key(0)),
            "rule": ("rule", PAIRS),
            "pre_probability": ("probability", P),
            "post_probability": ("probability", Q),
            "n_trials": ("count", 40),
            "activity": ("object", rules.Sample(*jnp.stack([P, Q, P]))),
            "weight": ("number", 0.0),
            "bin_ms": _BIN,
        },
        takes={("activity", "none"): None},  # spikes alone
    ),
    Row(
        rules.contrastive_update,
        {
            "rates": ("array", BATCH),
            "other_rates": ("array", BATCH),
            "distance": ("number", 0.5),
            "layers": ("object", SLICES),
        },
        takes={("layers", "none"): None},  # all pairs
    ),
    Row(
        rules.movement_update,
        {"changes": ("array", BATCH), "pre_rates": ("array", BATCH), "layers": ("object", SLICES)},
        takes={("layers", "none"): None},  # all pairs
    ),
)
