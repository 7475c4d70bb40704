"""Portraits of rules: closed forms, where changes are emitted, rules of users, and the command."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from stdpjax import cli, lab, protocols, rules, spikes
from stdpjax.lab import portraits
from stdpjax.lab.fit import FitConfig, fit_into
from stdpjax.rules import Rule

SMALL = {
    "n_pairs": 5,
    "n_trials": 50,
    "n_ramp_trials": 300,
    "n_sequences": 60,
    "n_trains": 10,
    "n_resamples": 50,
    "window_ms": 25.0,
    "settle_ms": 200.0,
    "before_ms": 200.0,
    "counted_ms": 500.0,
    "reach_ms": 100.0,
}
OPTIONS = [part for name, value in SMALL.items() for part in (f"--{name.replace('_', '-')}", str(value))]
VISUAL = "pfister_gerstner_2006_visual_cortex_all_to_all_minimal"

# As a user writes them, with public names alone.
MINE = """
import jax.numpy as jnp

from stdpjax.rules import Rule


def homeostatic():
    '''With a state: a running mean of the postsynaptic rate is the threshold.'''

    def init(weights):
        return jnp.zeros((weights.shape[0], 1), weights.dtype)

    def update(sample, mean, weights):
        post = sample.post_spikes[:, None].astype(weights.dtype)
        pre = sample.pre_spikes[None, :].astype(weights.dtype)
        return pre * (post - mean), mean + (post - mean) / 50

    return Rule(init, update)


def eligible():
    '''With an eligibility trace of coincidences, paid out later.'''

    def init(weights):
        return jnp.zeros((1, weights.shape[1]), weights.dtype), jnp.zeros_like(weights)

    def update(sample, state, weights):
        recent, trace = state
        post = sample.post_spikes[:, None].astype(weights.dtype)
        trace = 0.9 * trace + post * recent
        recent = 0.9 * recent + sample.pre_spikes[None, :].astype(weights.dtype)
        return 0.1 * trace, (recent, trace)

    return Rule(init, update)


def soft_update(sample, state, weights):
    '''With weight dependence.'''
    recent, post = state, sample.post_spikes[:, None].astype(weights.dtype)
    return (1 - weights) * post * recent, 0.9 * recent + sample.pre_spikes[None, :].astype(weights.dtype)


soft = Rule(lambda weights: jnp.zeros((1, weights.shape[1]), weights.dtype), soft_update)


def of_rate(rate):
    return soft


def no_rule():
    return 3


def broken():
    return Rule(lambda weights: (), lambda sample, state, weights: (sample.nothing, state))


NUMBER = 3
"""


def delayed(rule: Rule, n_bins: int) -> Rule:
    """Return a rule that emits its changes later."""

    def init(weights):
        return rule.init(weights), jnp.zeros((n_bins, *weights.shape), weights.dtype)

    def update(sample, state, weights):
        inner, waiting = state
        delta_w, inner = rule.update(sample, inner, weights)
        return waiting[0], (inner, jnp.concatenate([waiting[1:], delta_w[None]]))

    return Rule(init, update)


@pytest.fixture(scope="module")
def data() -> xr.Dataset:
    pair = rules.pair_rule(1.0, 0.5, 10.0, 20.0)
    return lab.portrait(
        {
            "eq1": "eq1",
            "nearest": "nearest",
            "pair": pair,
            "sampled pair": Rule(pair.init, pair.update),
            "late pair": delayed(pair, 30),
            "late nearest": delayed(rules.nearest_neighbour_rule(rules.lag_kernel("exponential")), 7),
            "visual": VISUAL,
            "hebb": "hebb",
        },
        **SMALL,
    )


def test_the_window_is_the_kernel(data):
    lag = data.lag.values
    wanted = np.where(lag > 0, np.exp(-lag / 10), -0.5 * np.exp(lag / 20))
    np.testing.assert_allclose(data.window.sel(rule="pair").values, np.where(lag == 0, 0, wanted), atol=1e-5)
    kernel = np.asarray(rules.lag_kernel("exponential"))
    np.testing.assert_allclose(data.window.sel(rule="nearest", lag=slice(-20, 20)).values, kernel, atol=1e-5)
    np.testing.assert_allclose(data.curve.sel(rule="nearest").values[21:], kernel[21:], rtol=1e-3)


def test_frequencies_and_triplets_are_those_of_single_spikes(data):
    rule = rules.presets[VISUAL].rule()
    for lag in (10, -10):
        for hz in (5.0, 20.0, 50.0):
            done = protocols.pairs(lag, hz, 5)
            wanted = rules.event_weight_change(rule, *rules.merge_spike_times(done.pre_ms, done.post_ms)) / 5
            got = data.frequency.sel(rule="visual", pair_lag=lag, pairs_hz=hz)
            np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-7)
    done = protocols.triplets(-15, 5, 1.0, 5)
    wanted = rules.event_weight_change(rule, *rules.merge_spike_times(done.pre_ms, done.post_ms)) / 5
    got = data.triplet.sel(rule="visual", order="post-pre-post", gaps="15, 5")
    np.testing.assert_allclose(got, wanted, rtol=1e-3)


def test_eq1_follows_the_slope_and_says_what_it_cannot_answer(data):
    eq1 = data.sel(rule="eq1")
    # The activity goes by 40 of 50 Hz, at a presynaptic rate of 20 of 50 Hz.
    np.testing.assert_allclose(eq1.ramp.sel(course=["constant", "rising", "falling"]), [0, 0.32, -0.32], atol=1e-5)
    assert float(abs(eq1.drift).max()) < 1e-5
    np.testing.assert_allclose([eq1.agreement, eq1.gain], 1, rtol=1e-4)
    assert np.all(np.sign(eq1.curve.values[[10, 30]]) == [-1, 1])
    assert eq1.window.isnull().all()
    assert "eq1: protocols of spikes have no activity: " in data.window.attrs["missing"]
    assert float(eq1.cells_contrast) < 10
    assert np.isinf(float(eq1.cells_constant))


def test_a_rule_of_rates_alone_needs_no_end_of_cells_to_tell_ramps_apart(data):
    hebb = data.sel(rule="hebb")
    np.testing.assert_allclose(hebb.ramp, 20 * 25 / 1e6 * 400, rtol=1e-4)
    assert np.isinf(float(hebb.cells_contrast))
    np.testing.assert_allclose(hebb.drift, 20 * hebb.post_hz / 1000, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(("late", "at_once"), [("late pair", "sampled pair"), ("late nearest", "nearest")])
def test_it_makes_no_difference_when_a_change_is_emitted(data, late, at_once):
    for name in ("window", "frequency", "triplet", "ramp", "curve", "agreement", "gain"):
        np.testing.assert_allclose(
            data[name].sel(rule=late), data[name].sel(rule=at_once), rtol=1e-3, atol=2e-3, err_msg=name
        )
    # What a rule emits at the end of the drives and at constant rates is a few bins of two thousand.
    assert np.all(np.abs(data.drift_sampled.sel(rule=late) - data.drift_sampled.sel(rule=at_once)) < 2)


def test_what_is_sampled_agrees_with_exact_means(data):
    for name in ("drift", "ramp"):
        reach = (data[f"{name}_sampled_high"] - data[f"{name}_sampled_low"]).sel(rule="pair")
        assert np.all(np.abs(data[name] - data[f"{name}_sampled"]).sel(rule="pair") <= 1.2 * reach + 1e-9)
        assert np.all(data[f"{name}_low"].sel(rule="pair") == data[f"{name}_high"].sel(rule="pair"))
    rising = protocols.predicted_rates("rising", rest_ms=30).probabilities()
    counts = np.asarray(spikes.expected_lag_counts(*rising, 20)).sum(0)
    exact = float(counts @ np.asarray(rules.lag_kernel("exponential")))
    nearest = data.sel(rule="nearest", course="rising")
    assert abs(float(nearest.ramp) - exact) < 1.2 * float(nearest.ramp_high - nearest.ramp_low)
    np.testing.assert_allclose(data.agreement.sel(rule="pair"), data.agreement.sel(rule="sampled pair"), atol=0.35)


def test_rules_side_by_side_have_the_numbers_that_they_have_alone(data):
    alone = lab.portrait("hebb", **SMALL).squeeze("rule", drop=True)
    xr.testing.assert_allclose(alone.drop_attrs(), data.sel(rule="hebb", drop=True).drop_attrs())
    with pytest.raises(ValueError, match="rule: expected"):
        lab.portrait({}, **SMALL)


def test_the_figure_and_the_table_have_every_rule(data):
    figure = portraits.figure(data)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(data.rule.values)
    rows = portraits.table(data)
    assert {row["rule"] for row in rows} == set(data.rule.values)
    means = [row for row in rows if row["quantity"] not in ("agreement", "gain") and not np.isnan(row["value"])]
    assert all(row["low"] <= row["value"] <= row["high"] for row in means)
    text = portraits.as_text(data)
    assert "C: pair" in text
    assert "no answer: eq1: " in text


def test_the_rule_of_a_fit_is_the_fitted_one(tmp_path):
    for model, rule in (("pair", "pair_rule"), ("window", "nearest_neighbour_rule")):
        record = fit_into(
            FitConfig(model, "bi_poo_2001", n_starts=2, n_resamples=0), out=tmp_path / model, say=lambda line: None
        )
        chosen = portraits.find_rule(str(tmp_path / model))
        assert chosen.name == model
        assert rule in chosen.rule.update.__qualname__ or chosen.rule.traces is not None
        updates = rules.train_updates(chosen.rule, np.eye(1, 60, 5)[0], np.eye(1, 60, 15)[0])
        values = {name: part["value"] for name, part in record["parameters"].items()}
        np.testing.assert_allclose(updates.sum(), values["A_plus"] * np.exp(-10 / values["tau_plus"]), rtol=1e-4)


@pytest.fixture
def stdp(tmp_path: Path, monkeypatch, capsys):
    """Call the command line in a folder with a file of rules."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)

    def call(*arguments):
        try:
            code = cli.main(arguments)
        except SystemExit as stop:
            code = stop.code
        return (code, *capsys.readouterr())

    return call


def test_rules_of_a_user_pass_through_the_command(stdp, tmp_path):
    mine = ("mine.py:homeostatic", "mine.py:eligible", "mine.py:soft")
    command = ("compare", *mine, *OPTIONS, "--out", "here", "--seed", "4")
    code, out, err = stdp(*command)
    assert (code, err) == (0, "")
    assert out.rstrip().endswith("portraits, figure and table: here")
    here = tmp_path / "here"
    names = {"portrait.nc", "portrait.png", "table.csv", "compare.json"}
    assert {path.name for path in here.iterdir()} - {".lock"} == names
    record = json.loads((here / "compare.json").read_text(encoding="utf-8"))
    assert list(record["rules"]) == ["homeostatic", "eligible", "soft"]
    assert record["seed"] == 4
    assert record["rules"]["soft"]["sha256"]
    with xr.open_dataset(here / "portrait.nc", engine="h5netcdf") as data:
        assert not any(data[name].isnull().all() for name in ("window", "ramp", "agreement"))
        # Paid out later: half the largest trace's integral, 0.1 / (1 - 0.9), for one pair of one bin apart.
        np.testing.assert_allclose(data.window.sel(rule="eligible", lag=1), 1, rtol=1e-3)
        np.testing.assert_allclose(data.window.sel(rule="soft", lag=[1, 2, -5]), [0.5, 0.45, 0], atol=1e-4)
    code, out, err = stdp(*command)
    assert (code, err.count("\n")) == (2, 1)
    assert "expected a folder without a comparison" in err
    assert stdp("compare", "eq1", *OPTIONS, "--out", "here", "--force", "--format", "pdf")[0] == 0
    assert {path.name for path in here.iterdir()} - {".lock"} == names - {"portrait.png"} | {"portrait.pdf"}


BAD = {
    "unknown": (("nonsense",), "rule: expected one of eq1, "),
    "no file": (("none.py:soft",), "rule: expected a file with a rule, got 'none.py', which is not there"),
    "no name in the file": (("mine.py:hard",), "rule: expected a name that 'mine.py' has, got 'hard'"),
    "no name": (("mine.py",), "rule: expected FILE.py:NAME, got 'mine.py' without a name"),
    "arguments": (("mine.py:of_rate",), "missing a required argument: 'rate'"),
    "no rule": (
        ("mine.py:NUMBER",),
        "rule: expected a Rule, or a function that returns one, at 'mine.py:NUMBER', got 3",
    ),
    "returns none": (("mine.py:no_rule",), "expected a function that returns a Rule at 'mine.py:no_rule', got int"),
    "broken": (("mine.py:broken",), "rule: expected one that runs, got broken with AttributeError"),
    "no fit": ((".",), "rule: expected the folder of a fit, got '.', without fit.json"),
    "twice": (("eq1", "eq1"), "rules: expected different values"),
    "bins": (("nearest", "--bin-ms", "0.5"), "bin_ms: expected 1 ms"),
    "a rate": (("eq1", "--high-hz", "60"), "high_hz: expected rates of at most max_hz"),
    "no rules": ((), "the following arguments are required: RULE"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_line_and_code_2(case, stdp, tmp_path):
    arguments, message = BAD[case]
    code, out, err = stdp("compare", *arguments, "--out", "out")
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out" / "portrait.nc").exists()
