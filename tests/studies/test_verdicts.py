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

from stdpjax.lab import (
    Claim,
    Criterion,
    Estimate,
    Measurement,
    Statement,
    Study,
    at_least,
    at_most,
    estimate,
    keep_estimate,
    plotting,
    verdict_of,
    within,
)
from stdpjax.lab.study import failures, make_record
from stdpjax.studies import STATEMENTS, STUDIES

# Multiples of 1/8 of moderate size: sums and differences are exact, so an edge is an edge.
EIGHTHS = st.integers(-800, 800).map(lambda n: n / 8)
STEPS = st.integers(1, 800).map(lambda n: n / 8)
NOT_FINITE = (math.nan, math.inf, -math.inf)


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 3
    width: float = 1.0


def a_claim(criterion: Criterion | None = None, **others: Any) -> Claim:
    def no_data(data: Any) -> float:
        raise AssertionError("making a record measures nothing")

    parts = {
        "statement": "Eq 0",
        "criterion": criterion or within(1.0, 0.0),
        "measure": no_data,
        "control": no_data,
        "control_is": "another number",
        "bearing": "supports",
    }
    return Claim("X.one", "a number", **{**parts, **others})


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
        smoke={"size": 1},
        claims=(claim,),
        run=no_run,
        plot=lambda data, config: plotting.new_figure(1, 1),
    )


def record_of(claim: Claim, measurement: Measurement, config: Config | None = None, is_smoke: bool = False) -> dict:
    return make_record(a_study(claim), claim, measurement, config or Config(), is_smoke)


@given(EIGHTHS, STEPS, STEPS)
def test_within_includes_both_edges_and_nothing_beyond(expected, tolerance, beyond):
    criterion = within(expected, tolerance)
    assert criterion.is_met_by(expected + tolerance)
    assert criterion.is_met_by(expected - tolerance)
    assert not criterion.is_met_by(expected + tolerance + beyond)
    assert not criterion.is_met_by(expected - tolerance - beyond)


@given(EIGHTHS, STEPS)
def test_a_bound_includes_its_edge_and_nothing_beyond(expected, step):
    assert at_least(expected).is_met_by(expected)
    assert at_least(expected).is_met_by(expected + step)
    assert not at_least(expected).is_met_by(expected - step)
    assert at_most(expected).is_met_by(expected)
    assert at_most(expected).is_met_by(expected - step)
    assert not at_most(expected).is_met_by(expected + step)


@given(EIGHTHS, STEPS, STEPS)
def test_the_interval_must_lie_beyond_a_bound_too(expected, margin, reach):
    value = expected + margin
    assert at_least(expected).is_met_by(value, (value - reach, value + reach)) == (reach <= margin)
    value = expected - margin
    assert at_most(expected).is_met_by(value, (value - reach, value + reach)) == (reach <= margin)


@given(EIGHTHS, STEPS, STEPS)
def test_a_bound_is_not_met_by_an_interval_that_leaves_its_value_out(expected, step, reach):
    # A bootstrap percentile interval can lie beside its value; neither may be on the wrong side.
    good = (expected + step, expected + step + reach)
    assert not at_least(expected).is_met_by(expected - step, good)
    assert not at_most(expected).is_met_by(expected + step, (expected - step - reach, expected - step))


@given(EIGHTHS, STEPS)
def test_the_whole_interval_has_to_lie_within_a_tolerance(expected, reach):
    interval = (expected - reach, expected + reach)
    assert within(expected, 0.125).is_met_by(expected, interval) == (reach <= 0.125)


CRITERIA = (within(0.0, 1e9), at_least(0.0), at_most(0.0))


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_number_that_is_not_finite_meets_nothing_and_is_none_in_the_record(criterion, value):
    record = record_of(a_claim(criterion), Measurement(value, 5.0, (value, value)))
    assert not record["is_met"]
    assert record["verdict"] == "not met"
    assert record["measured"] is None
    assert record["interval"] == [None, None]


@pytest.mark.parametrize("interval", [(math.nan, math.nan), (math.nan, 3.0), (-3.0, math.nan)])
def test_an_interval_with_an_unknown_end_meets_no_bound(interval):
    # Python's min and max pass over a NaN that comes second, so a failed bootstrap could look like a narrow one.
    assert not at_least(-5.0).is_met_by(2.0, interval)
    assert not at_most(5.0).is_met_by(2.0, interval)


def test_a_number_meets_its_criterion_or_does_not():
    record = record_of(a_claim(), Measurement(1.0, 2.0))
    assert (record["is_met"], record["verdict"], record["note"]) == (True, "met", "")
    record = record_of(a_claim(), Measurement(1.5, 2.0, note="as it is"))
    assert (record["is_met"], record["verdict"], record["note"]) == (False, "not met", "as it is")


@pytest.mark.parametrize(
    ("bearings", "verdict"),
    [
        (("supports",), "holds"),
        (("supports", "limits"), "holds_with_conditions"),
        (("limits", "refutes", "supports"), "corrected"),
    ],
)
def test_the_verdict_of_a_statement_follows_from_its_claims_and_is_open_without_one_of_them(bearings, verdict):
    statement = Statement("eq0", "Section 0", "It says so.", "So it is.", tuple(f"eq0.{one}" for one in bearings))
    claims = {f"eq0.{one}": a_claim(bearing=one, statement="eq0") for one in bearings}
    records = {name: record_of(claim, Measurement(1.0, 2.0)) for name, claim in claims.items()}
    assert verdict_of(statement, records) == verdict
    for name, claim in claims.items():
        for other in (record_of(claim, Measurement(1.5, 2.0)), record_of(claim, Measurement(1.0, 1.0)), {}):
            assert verdict_of(statement, {**records, name: other}) == "open"


def _just_met_and_just_missed(criterion: Criterion) -> tuple[float, float]:
    """Return a number that meets a criterion with nothing to spare, and one that misses it by a little."""
    limit, tolerance = criterion.expected, criterion.tolerance
    by = 1e-6 * max(1.0, abs(limit), tolerance)
    return {
        "at_most": (limit, limit + by),
        "at_least": (limit, limit - by),
        "within": (limit, limit + tolerance + by),
    }[criterion.comparison]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: one.id)
def test_each_deciding_number_that_misses_its_criterion_opens_the_statement(statement):
    deciding = [(study, claim) for study in STUDIES for claim in study.claims if claim.id in statement.claims]
    records, missed = {}, {}
    for study, claim in deciding:
        meets, misses = _just_met_and_just_missed(claim.criterion)
        for into, number, control in ((records, meets, misses), (missed, misses, misses)):
            into[claim.id] = make_record(study, claim, Measurement(number, control), study.config, False, ())
    found = verdict_of(statement, records)
    bearings = {claim.bearing for _, claim in deciding}
    expected = {True: "holds_with_conditions", False: "holds"}["limits" in bearings]
    assert found == ("corrected" if "refutes" in bearings else expected)
    for name, record in missed.items():
        assert verdict_of(statement, {**records, name: record}) == "open"


def test_a_control_that_meets_the_criterion_takes_the_verdict_away():
    record = record_of(a_claim(at_least(1.0)), Measurement(2.0, 1.0, note="First."))
    assert record["is_met"]
    assert record["verdict"] == "inconclusive"
    assert record["note"].startswith("First. ")
    assert "no power" in record["note"]


def test_a_missed_criterion_says_nothing_of_the_control():
    assert "power" not in record_of(a_claim(), Measurement(3.0, 1.0))["note"]


def test_a_smoke_run_decides_nothing_and_says_so():
    record = record_of(a_claim(), Measurement(1.0, 2.0), Config(size=1), is_smoke=True)
    assert record["is_met"]
    assert record["verdict"] == "inconclusive"
    assert "Smoke" in record["note"]


def test_a_changed_setting_is_noted_and_an_unchanged_one_is_not():
    record = record_of(a_claim(), Measurement(1.0, 2.0), Config(width=2.5))
    assert record["verdict"] == "met"
    assert "width=2.5" in record["note"]
    assert "size" not in record["note"]
    assert record_of(a_claim(), Measurement(1.0, 2.0))["note"] == ""


def test_a_record_repeats_the_claim_word_for_word():
    claim = a_claim(at_most(2.0), bearing="refutes", revised="after the first run")
    record = record_of(claim, Measurement(1.0, 3.0, (0.5, 1.5)))
    for field in ("id", "statement", "bearing", "control_is", "revised"):
        assert record[field] == getattr(claim, field)
    for field in ("expected", "comparison", "tolerance"):
        assert record[field] == getattr(claim.criterion, field)
    assert record["claim"] == "a number"
    assert (record["study"], record["measured"], record["interval"]) == ("fake", 1.0, [0.5, 1.5])
    assert record["control"] == 3.0


def test_no_interval_is_null():
    assert record_of(a_claim(), Measurement(1.0, 2.0))["interval"] is None


@given(st.floats(), st.tuples(st.floats(), st.floats()), st.floats())
def test_every_record_is_json(value, interval, control):
    record = record_of(a_claim(at_least(0.0)), Measurement(value, control, interval))
    assert json.loads(json.dumps(record, allow_nan=False)) == record


@pytest.mark.parametrize("criterion", CRITERIA)
def test_numpy_numbers_make_a_json_record(criterion):
    one = np.float64(1.0)
    record = record_of(a_claim(criterion), Measurement(one, one, (one, one)))
    assert json.loads(json.dumps(record)) == record


def test_a_claim_measures_a_run_its_control_and_what_to_say_of_it():
    data = xr.Dataset({"gain": 1.0, "gain_low": 0.5, "gain_high": 1.5, "other": 3.0})
    measure = {"measure": lambda data: estimate(data, "gain"), "control": lambda data: data.other}
    claim = a_claim(**measure, note=lambda data: f"Other: {float(data.other)}.")
    assert claim.measurement(data) == Measurement(1.0, 3.0, (0.5, 1.5), "Other: 3.0.")
    claim = a_claim(measure=lambda data: data.gain, control=lambda data: 2)
    assert claim.measurement(data) == Measurement(1.0, 2.0)


def test_a_long_setting_is_named_without_its_value():
    note = record_of(a_claim(), Measurement(1.0, 2.0), Config(size=10**50, width=2.0))["note"]
    assert note == "The criterion was stated for the default configuration; here size, width=2.0."


def test_double_precision_can_ask_for_more():
    limit = at_most(1e-5, double=1e-12)
    assert limit.in_precision(False).expected == 1e-5
    assert limit.in_precision(True).expected == 1e-12
    value = within(1.0, 1e-3, double=1e-9)
    assert value.in_precision(True) == dataclasses.replace(value, tolerance=1e-9)
    assert at_most(1e-5).in_precision(True).expected == 1e-5


def test_a_trial_that_went_wrong_makes_every_verdict_inconclusive():
    attributes = {"required": "trials with finite states"}
    good = xr.Dataset({"is_finite": ("trial", np.ones(3, bool), attributes)})
    bad = xr.Dataset({"is_finite": ("trial", np.array([True, False, False]), attributes)})
    assert failures(good) == ()
    (words,) = failures(bad)
    assert words == "trials with finite states: 2 of 3 are not (first: 1)."
    claim = a_claim(at_most(1.0))
    record = make_record(a_study(claim), claim, Measurement(0.5, 2.0), Config(), False, (words,))
    assert record["is_met"]
    assert record["verdict"] == "inconclusive"
    assert words in record["note"]


def test_what_is_kept_of_an_estimate_can_be_read_again_beside_a_coordinate_of_its_name():
    found = Estimate(np.array([1.0, 2.0]), np.array([0.5, 1.5]), np.array([1.5, 2.5]))
    data = xr.Dataset(keep_estimate("width", found, "width", value="_value", units="bins"), {"width": [3.0, 10.0]})
    assert data.width_low.attrs == {"units": "bins"}
    assert estimate(data.sel(width=10.0), "width")[:3] == (2.0, 1.5, 2.5)
    with pytest.raises(ValueError, match="name: expected one with the scalar variable 'width_value'"):
        estimate(data, "width")
