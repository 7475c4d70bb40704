"""Fits to a window: the short check of an interval against the interval itself, and claims against twins."""

from typing import Any

import jax
import numpy as np
import pytest
from scipy import special

from stdpjax import random
from stdpjax.fitting import compare, find_model, fit, measurements
from stdpjax.studies import run
from stdpjax.studies.other_rules import fit_window
from stdpjax.studies.other_rules.fit_window import NAMES, QUANTILE, TRUTH, FitWindowConfig, distances
from tests.fitting.test_fit import CURVE, covered, noisy

QUICK: dict[str, Any] = {"n_seeds": 500, "n_compared": 32, "n_starts": 8}
# Of an interval for one number, and for all together.
QUANTILES = (QUANTILE, float(special.ndtri(1 - 0.025 / len(NAMES))))


def test_a_distance_is_the_quantile_at_the_end_of_an_interval():
    drawn = np.stack([noisy(seed).change for seed in range(2)])
    found = fit(random.key(0), "pair", noisy(0), n_starts=6, n_resamples=0)
    for i, name in enumerate(NAMES):
        for kind, quantile in zip(("profile", "simultaneous"), QUANTILES, strict=True):
            for end in getattr(found.parameters[name], kind):
                # With the end of the interval as the truth, from where the search begins and which it holds.
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(fit_window, "TRUTH", {**TRUTH, name: end})
                    assert distances(CURVE, drawn)[0, i] == pytest.approx(quantile, rel=0.02)


def test_equal_sides_make_an_odd_window():
    lags = np.array([-30.0, -3.0, 3.0, 30.0])
    data = measurements("window", CURVE.protocols, CURVE.change, CURVE.sem)
    for rule in fit_window.RULES[2:]:
        assert [parameter.name for parameter in rule.parameters] == ["A_plus", "tau_plus"]
        design = jax.tree.map(np.asarray, rule.design([fit_window.protocols.pairs(lag, n_pairs=1) for lag in lags]))
        change = np.asarray(rule.predict({"A_plus": 0.5, "tau_plus": 12.0}, design), np.float64)
        np.testing.assert_allclose(change, np.sign(lags) * 0.5 * np.exp(-np.abs(lags) / 12.0), rtol=1e-5)
    with pytest.raises(ValueError, match="starts: "):
        fit_window.search(fit_window.ANTISYMMETRIC, data, [[1.0] * 4])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_seeds": 1}, "n_seeds: "),
        ({"n_seeds": 50, "n_compared": 51}, "n_compared: "),
        ({"n_starts": 0}, "n_starts: "),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        FitWindowConfig(**settings)


@pytest.mark.slow
def test_a_hundred_fits_cover_as_the_distances_say():
    seeds = range(100)
    far = distances(CURVE, np.stack([noisy(seed).change for seed in seeds]))
    inside = np.array([covered(seed) for seed in seeds])
    for kind, quantile in enumerate(QUANTILES):
        differs = inside[:, kind] != (far <= quantile)
        # Ends of intervals are interpolated, so those right at an end may differ.
        assert (np.abs(far - quantile)[differs] < 0.02 * quantile).all()
    assert inside[:, 1].all(axis=1).sum() >= 90


@pytest.mark.slow
def test_criteria_are_those_of_whole_fits():
    result = run("fit_window", show_progress=False, **QUICK)
    data = fit_window.bi_poo_2001(random.named_key(random.named_key(random.key(0), "fit_window"), "bi_poo"))
    np.testing.assert_array_equal(data.change, result.data.change)
    fits = {one.model: one for one in compare(random.key(0), fit_window.RULES, data, n_starts=8)}
    expected = [fits[rule.name].aic - fits["pair"].aic for rule in fit_window.RULES]
    np.testing.assert_allclose(fit_window.criteria(result.data), expected, atol=1e-4)
    assert fits["window"].held == find_model("window").held


def verdicts():
    return {r["id"]: r["verdict"] for r in run("fit_window", show_progress=False, **QUICK).records}


@pytest.mark.slow
def test_errors_larger_than_stated_are_found_out(monkeypatch):
    assert verdicts()["ours.coverage"] == "met"
    drawn = fit_window.noise
    monkeypatch.setattr(fit_window, "noise", lambda key, data, n: 1.5 * drawn(key, data, n))
    assert verdicts()["ours.coverage"] != "met"


@pytest.mark.slow
def test_a_curve_with_equal_sides_loses_its_claims(monkeypatch):
    lost = {"bi2001.equal_sides", "ours.coverage"}
    right_verdicts = verdicts()
    assert {right_verdicts[claim] for claim in lost} == {"met"}
    equal = {"A_plus": 0.5, "A_minus": 0.5, "tau_plus": 20.0, "tau_minus": 20.0}
    right = fit_window.bi_poo_2001

    def other(key=None):
        data = right(key)
        curve = fit_window.predict("pair", equal, data.protocols)
        return data._replace(change=data.change - right().change + curve)

    monkeypatch.setattr(fit_window, "bi_poo_2001", other)
    wrong = verdicts()
    assert "met" not in {wrong[claim] for claim in lost}
