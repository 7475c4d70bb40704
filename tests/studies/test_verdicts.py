"""The criterion of a claim and the ledger record that follows from it."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from stdpjax import plotting
from stdpjax.studies.base import Claim, Measurement, Study, failures, make_record, meets

# Multiples of 1/8 of moderate size: sums and differences are exact, so an edge is an edge.
EIGHTHS = st.integers(-800, 800).map(lambda n: n / 8)
STEPS = st.integers(1, 800).map(lambda n: n / 8)
NOT_FINITE = (math.nan, math.inf, -math.inf)


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 3
    width: float = 1.0


def a_claim(comparison: Any = "within", expected: float = 1.0, tolerance: float = 0.0, **others: Any) -> Claim:
    return Claim("X.one", "Eq 0", "a number", "printed", "", expected, comparison, tolerance, **others)


def a_study(claim: Claim) -> Study:
    def no_run(*_: Any) -> Any:
        raise AssertionError("judging runs nothing")

    return Study(
        name="fake",
        title="Fake",
        figure="none",
        source="none",
        caption="nothing",
        config=Config(),
        smoke=Config(size=1),
        claims=(claim,),
        run=no_run,
        judge=no_run,
        plot=lambda data, config: plotting.new_figure(1, 1),
    )


def record_of(claim: Claim, measurement: Measurement, config: Config | None = None, is_smoke: bool = False) -> dict:
    return make_record(a_study(claim), claim, measurement, config or Config(), is_smoke)


@given(EIGHTHS, STEPS, STEPS)
def test_within_includes_both_edges_and_nothing_beyond(expected, tolerance, beyond):
    claim = a_claim("within", expected, tolerance)
    assert meets(claim, expected + tolerance)
    assert meets(claim, expected - tolerance)
    assert not meets(claim, expected + tolerance + beyond)
    assert not meets(claim, expected - tolerance - beyond)


@given(EIGHTHS, STEPS)
def test_a_bound_includes_its_edge_and_nothing_beyond(expected, step):
    at_least, at_most = a_claim("at_least", expected), a_claim("at_most", expected)
    assert meets(at_least, expected)
    assert meets(at_least, expected + step)
    assert not meets(at_least, expected - step)
    assert meets(at_most, expected)
    assert meets(at_most, expected - step)
    assert not meets(at_most, expected + step)


@given(EIGHTHS, STEPS, STEPS)
def test_the_interval_must_lie_beyond_a_bound_too(expected, margin, reach):
    value = expected + margin
    assert meets(a_claim("at_least", expected), value, (value - reach, value + reach)) == (reach <= margin)
    value = expected - margin
    assert meets(a_claim("at_most", expected), value, (value - reach, value + reach)) == (reach <= margin)


@given(EIGHTHS, STEPS, STEPS)
def test_a_bound_is_not_met_by_an_interval_that_leaves_its_value_out(expected, step, reach):
    # A bootstrap percentile interval can lie beside its value; neither may be on the wrong side.
    good = (expected + step, expected + step + reach)
    assert not meets(a_claim("at_least", expected), expected - step, good)
    assert not meets(a_claim("at_most", expected), expected + step, (expected - step - reach, expected - step))


@given(EIGHTHS, STEPS)
def test_the_whole_interval_has_to_lie_within_a_tolerance(expected, reach):
    interval = (expected - reach, expected + reach)
    assert meets(a_claim("within", expected, 0.125), expected, interval) == (reach <= 0.125)


@pytest.mark.parametrize("comparison", ["within", "at_least", "at_most"])
@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_number_that_is_not_finite_meets_nothing_and_is_none_in_the_record(comparison, value):
    claim = a_claim(comparison, 0.0, tolerance=1e9)
    record = record_of(claim, Measurement(value, (value, value)))
    assert not record["is_met"]
    assert record["verdict"] == "inconclusive"
    assert record["measured"] is None
    assert record["interval"] == [None, None]


@pytest.mark.parametrize("interval", [(math.nan, math.nan), (math.nan, 3.0), (-3.0, math.nan)])
def test_an_interval_with_an_unknown_end_meets_no_bound(interval):
    # Python's min and max pass over a NaN that comes second, so a failed bootstrap could look like a narrow one.
    assert not meets(a_claim("at_least", -5.0), 2.0, interval)
    assert not meets(a_claim("at_most", 5.0), 2.0, interval)


@pytest.mark.parametrize("verdict", ["holds", "holds_with_conditions", "corrected"])
def test_a_met_criterion_gives_the_verdict_that_the_claim_states(verdict):
    record = record_of(a_claim(verdict=verdict), Measurement(1.0, control=2.0))
    assert (record["is_met"], record["verdict"], record["note"]) == (True, verdict, "")


def test_a_missed_criterion_is_inconclusive():
    record = record_of(a_claim(), Measurement(1.5, control=2.0, note="as it is"))
    assert (record["is_met"], record["verdict"], record["note"]) == (False, "inconclusive", "as it is")


def test_a_control_that_meets_the_criterion_takes_the_verdict_away():
    record = record_of(a_claim("at_least", 1.0), Measurement(2.0, control=1.0, note="First."))
    assert record["is_met"]
    assert record["verdict"] == "inconclusive"
    assert record["note"].startswith("First. ")
    assert "no power" in record["note"]


def test_a_missed_criterion_says_nothing_of_the_control():
    assert "power" not in record_of(a_claim(), Measurement(3.0, control=1.0))["note"]


def test_a_smoke_run_decides_nothing_and_says_so():
    record = record_of(a_claim(), Measurement(1.0, control=2.0), Config(size=1), is_smoke=True)
    assert record["is_met"]
    assert record["verdict"] == "inconclusive"
    assert "Smoke" in record["note"]


def test_a_changed_setting_is_noted_and_an_unchanged_one_is_not():
    record = record_of(a_claim(), Measurement(1.0), Config(width=2.5))
    assert record["verdict"] == "holds"
    assert "width=2.5" in record["note"]
    assert "size" not in record["note"]
    assert record_of(a_claim(), Measurement(1.0))["note"] == ""


def test_a_record_repeats_the_claim_word_for_word():
    claim = Claim("X.two", "Eq 9", "what", "as printed", "as corrected", 2.0, "at_most", 0.0, "corrected")
    record = record_of(claim, Measurement(1.0, (0.5, 1.5), 3.0))
    for field in ("id", "equation", "claim", "printed", "corrected", "expected", "comparison", "tolerance"):
        assert record[field] == getattr(claim, field)
    assert (record["study"], record["measured"], record["interval"], record["control"]) == (
        "fake",
        1.0,
        [0.5, 1.5],
        3.0,
    )


def test_no_interval_and_no_control_are_null():
    record = record_of(a_claim(), Measurement(1.0))
    assert record["interval"] is None
    assert record["control"] is None


@given(st.floats(), st.tuples(st.floats(), st.floats()), st.none() | st.floats())
def test_every_record_is_json(value, interval, control):
    record = record_of(a_claim("at_least", 0.0), Measurement(value, interval, control))
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize("comparison", ["within", "at_least", "at_most"])
def test_numpy_numbers_make_a_json_record(comparison):
    # A judge may hand over what NumPy gives it.
    record = record_of(a_claim(comparison), Measurement(np.float64(1.0), (np.float64(1.0), np.float64(1.0))))
    assert json.loads(json.dumps(record)) == record


def test_a_long_setting_is_named_without_its_value():
    note = record_of(a_claim(), Measurement(1.0), Config(size=10**50, width=2.0))["note"]
    assert note == "The criterion was stated for the default configuration; here size, width=2.0."


def test_double_precision_can_ask_for_more():
    limit = a_claim("at_most", 1e-5, double=1e-12)
    assert limit.in_precision(False).expected == 1e-5
    assert limit.in_precision(True).expected == 1e-12
    value = a_claim("within", 1.0, 1e-3, double=1e-9)
    assert value.in_precision(True) == dataclasses.replace(value, tolerance=1e-9)
    assert a_claim("at_most", 1e-5).in_precision(True).expected == 1e-5


def test_a_trial_that_went_wrong_makes_every_verdict_inconclusive():
    attributes = {"required": "trials with finite states"}
    good = xr.Dataset({"is_finite": ("trial", np.ones(3, bool), attributes)})
    bad = xr.Dataset({"is_finite": ("trial", np.array([True, False, False]), attributes)})
    assert failures(good) == ()
    (words,) = failures(bad)
    assert words == "trials with finite states: 2 of 3 are not (first: 1)."
    claim = a_claim("at_most", 1.0)
    record = make_record(a_study(claim), claim, Measurement(0.5), Config(), False, (words,))
    assert record["is_met"]
    assert record["verdict"] == "inconclusive"
    assert words in record["note"]
