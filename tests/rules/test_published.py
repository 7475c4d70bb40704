"""Published parameters against published measurements, event by event."""

import numpy as np
import pytest

from stdpjax.rules import event_weight_change, merge_spike_times, presets

TRIPLETS = "pfister_gerstner_2006_"
# Sjöström, Turrigiano & Nelson 2001, by lag in ms: change at each frequency in Hz, and its standard error.
FREQUENCIES = (0.1, 10, 20, 40, 50)
CHANGES = {10.0: (-0.04, 0.14, 0.29, 0.53, 0.56), -10.0: (-0.29, -0.41, -0.34, 0.56, 0.75)}
ERRORS = {10.0: (0.05, 0.10, 0.14, 0.11, 0.26), -10.0: (0.08, 0.11, 0.10, 0.32, 0.19)}


def repeated(rule, frequency, pre_offsets, post_offsets, n_repetitions=60):
    """Change by a motif of spikes, repeated."""
    start = 1000 + 1000 / frequency * np.arange(n_repetitions)
    trains = (np.sort(np.add.outer(start, offsets).ravel()) for offsets in (pre_offsets, post_offsets))
    return float(event_weight_change(rule, *merge_spike_times(*trains)))


def mean_squared_error(rule):
    errors = [
        (CHANGES[lag][i] - repeated(rule, frequency, [0.0], [lag])) / ERRORS[lag][i]
        for lag in CHANGES
        for i, frequency in enumerate(FREQUENCIES)
    ]
    return np.mean(np.square(errors))


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("all_to_all_full", 0.342),
        ("nearest_full", 0.232),
        ("all_to_all_minimal", 0.356),
        ("nearest_minimal", 0.348),
    ],
)
def test_triplets_fit_the_frequency_dependence(name, error):
    assert mean_squared_error(presets[f"{TRIPLETS}visual_cortex_{name}"].rule()) == pytest.approx(error, abs=0.005)


@pytest.mark.parametrize(("name", "error", "tolerance"), [("all_to_all_full", 4.0, 0.05), ("nearest_full", 170, 1)])
def test_the_wrong_update_order_does_not(name, error, tolerance):
    rule = presets[f"{TRIPLETS}visual_cortex_{name}"].rule(order="read_after")
    assert mean_squared_error(rule) == pytest.approx(error, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "pair", "reversed_pair", "pre_post_pre", "post_pre_post"),
    [
        ("all_to_all_full", 0.202, -0.104, 0.043, 0.358),
        ("nearest_full", 0.152, -0.134, 0.050, 0.378),
    ],
)
def test_hippocampal_pairs_and_triplets(name, pair, reversed_pair, pre_post_pre, post_pre_post):
    rule = presets[f"{TRIPLETS}hippocampus_{name}"].rule()
    assert repeated(rule, 1, [0], [10]) == pytest.approx(pair, abs=6e-4)
    assert repeated(rule, 1, [10], [0]) == pytest.approx(reversed_pair, abs=6e-4)
    assert repeated(rule, 1, [0, 10], [5]) == pytest.approx(pre_post_pre, abs=6e-4)
    assert repeated(rule, 1, [5], [0, 10]) == pytest.approx(post_pre_post, abs=6e-4)


@pytest.mark.parametrize("name", presets)
def test_every_preset_makes_a_rule_of_its_numbers(name):
    preset = presets[name]
    assert preset.source
    assert preset.unit
    is_by_experiment = preset.parameters.get("A_plus", 0) > 0.1
    assert ("by all pairings of an experiment" in preset.unit) == is_by_experiment
    rule = preset.rule()
    assert rule.traces is not None
    for parameter, value in preset.parameters.items():
        if parameter != "scheme":
            assert getattr(rule.traces.parameters, parameter) == value
    assert repeated(rule, 1, [0], [10]) > 0 > repeated(rule, 1, [10], [0])


def test_overrides_replace_numbers():
    rule = presets["song_miller_abbott_2000"].rule(A_plus=0.01)
    assert repeated(rule, 0.1, [0], [20], 1) == pytest.approx(0.01 * np.exp(-1), rel=1e-5)


def test_unknown_presets_and_overrides_are_refused():
    with pytest.raises(ValueError, match=r"preset: expected one of 'bi_poo_2001', .* got 'bi_poo'"):
        presets["bi_poo"]
    with pytest.raises(ValueError, match=r"overrides: expected one of 'A_plus', .* got 'tau_x'"):
        presets["bi_poo_2001"].rule(tau_x=3.0)
    assert "bi_poo" not in presets
    assert "bi_poo_2001" in presets
    assert len(presets) == len(list(presets)) == 11
