"""What every study owes: records, labelled data, a readable figure, reproducible numbers, and checks with power."""

import dataclasses
import functools
import json
import math
import re
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes

from stdpjax.lab import settings
from stdpjax.lab.folder import plain as config_json
from stdpjax.lab.reproduce import make_config
from stdpjax.studies import STATEMENTS, STUDIES, Result, Study, find, protocol, run
from stdpjax.studies.section_5_simulation import constant_rate, example_traces, rising_rate, rule_agreement, stdp_window

NAMES = [study.name for study in STUDIES]
FIELDS = {
    "id", "study", "statement", "bearing", "claim", "measured", "expected", "comparison", "tolerance", "interval",
    "control", "control_is", "revised", "is_met", "verdict", "note", "seed",
}  # fmt: skip
# Dims along which copies are counted: their numbers say nothing.
UNLABELLED = {
    "trial",
    "point",
    "network",
    "unit",
    "post",
    "pre",
    "start",
    "pair",
    "chain",
    "seed",
    "round",
    "learner",
    "probe",
    "sequence",
    "noisy",
    "random",
    "strong",
    "tied",
    "grown",
    "many",
    "parameter",
    "arrival",
    "x",
    "y",
    "column",
    "path",
    "pair_unit",
    "flow_update",
    "deep_network",
    "paper_trial",
    "langevin_trial",
    "metropolis_trial",
    "start_trial",
    "mode",
}
# Small enough for two more runs by default.
QUICK: dict[str, dict[str, Any]] = {
    "example_traces": {},
    "constant_rate": {"probabilities": (0.05,), "causal_weights": (0.0, 0.01), "n_causal_trains": 50},
}


@functools.cache
def smoke(name: str, seed: int = 0) -> Result:
    return run(name, seed, smoke=True, show_progress=False)


@functools.cache
def full(name: str) -> Result:
    return run(name, show_progress=False)


# Claims and records.


@pytest.mark.parametrize("name", NAMES)
def test_a_smoke_run_gives_one_complete_record_for_each_claim(name):
    result = smoke(name)
    assert [record["id"] for record in result.records] == [claim.id for claim in find(name).claims]
    assert json.loads(json.dumps(result.records, allow_nan=False)) == list(result.records)
    for record in result.records:
        assert set(record) == FIELDS
        assert record["study"] == name
        assert record["seed"] == 0
        assert record["control"] is not None, f"{record['id']} has no negative control"
        assert math.isfinite(record["measured"])
        if record["interval"] is not None:
            low, high = record["interval"]
            assert low <= high


@pytest.mark.parametrize("name", NAMES)
def test_a_smoke_run_decides_nothing(name):
    assert {record["verdict"] for record in smoke(name).records} <= {"inconclusive"}


def test_claims_have_ids_and_studies_names_of_their_own():
    ids = [claim.id for study in STUDIES for claim in study.claims]
    assert len(set(ids)) == len(ids)
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_a_claim_says_what_it_measures_against_a_criterion_that_can_fail(study: Study):
    for claim in study.claims:
        assert claim.measured.endswith((")", "."))
        assert (claim.criterion.tolerance > 0) == (claim.criterion.comparison == "within")


def test_no_placeholder_is_left_in_what_a_statement_says():
    known = {"MCMC", "MNIST", "REINFORCE", "STDP"}
    for one in STATEMENTS:
        assert {*re.findall(r"\b[A-Z]{4,}\b", f"{one.says} {one.answer}")} <= known, one.id


def test_statements_and_claims_name_each_other():
    said = {claim.id: claim.statement for study in STUDIES for claim in study.claims if claim.bearing != "beyond"}
    assert said == {claim: statement.id for statement in STATEMENTS for claim in statement.claims}
    assert len({statement.id for statement in STATEMENTS}) == len(STATEMENTS)
    known = {statement.id for statement in STATEMENTS}
    assert not [c.id for study in STUDIES for c in study.claims if c.bearing == "beyond" and c.statement in known]


# Data.


@pytest.mark.parametrize("name", NAMES)
def test_data_is_labelled_and_finite_but_at_lag_0(name):
    data = smoke(name).data
    assert set(data.dims) - set(data.coords) <= UNLABELLED
    for variable in data.data_vars.values():
        assert variable.dtype.kind in "biuf"
        # Lag 0 stands for "no update", so a mean by lag has no value there.
        values = variable.sel(lag=data.lag[data.lag != 0]) if "lag" in variable.dims else variable
        # Reference values are there for some cells of a table only.
        is_sparse = str(variable.name).endswith("reference")
        assert np.isfinite(values).any() if is_sparse else np.isfinite(values).all(), variable.name


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_data_survive_a_netcdf_file(name, tmp_path):
    data = smoke(name).data
    data.to_netcdf(tmp_path / "result.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as stored:
        xr.testing.assert_equal(stored.load(), data)


# Figure.


@pytest.mark.parametrize("name", NAMES)
def test_the_figure_has_titles_and_labels_wherever_it_has_data(name):
    figure = smoke(name).figure()
    figure.draw_without_rendering()
    drawn = [ax for ax in figure.axes if ax.has_data()]
    assert drawn

    def on_same_x(ax: Axes, text: Callable[[Axes], str]) -> str:
        """Panels that share their x axis share its label and the title."""
        return text(ax) or "".join(text(other) for other in figure.axes if ax.get_shared_x_axes().joined(ax, other))

    for ax in drawn:
        assert on_same_x(ax, Axes.get_title)
        assert on_same_x(ax, Axes.get_xlabel)
        assert ax.get_ylabel()


# Configurations.


@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
@pytest.mark.parametrize("is_smoke", [False, True], ids=["default", "smoke"])
def test_a_configuration_comes_back_from_json_as_it_was(study: Study, is_smoke):
    config = study.configuration(is_smoke)
    text = json.dumps(config_json(config), allow_nan=False)
    assert make_config(study, not is_smoke, json.loads(text)) == config
    assert hash(make_config(study, is_smoke, {})) == hash(config)


@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_every_setting_can_be_given_on_the_command_line_as_the_help_shows_it(study: Study):
    for field in dataclasses.fields(study.config):
        default = getattr(study.config, field.name)
        if "read" in field.metadata:
            assert default == ()  # read from a file, none by default
            continue
        assert settings.parse(study.config, field.name, settings.as_text(default), study.name) == default


@pytest.mark.parametrize("study", STUDIES, ids=NAMES)
def test_a_smoke_configuration_is_smaller_than_the_default(study: Study):
    sizes = [
        (getattr(study.configuration(is_smoke=True), f.name), getattr(study.config, f.name))
        for f in dataclasses.fields(study.config)
    ]
    counts = [(small, large) for small, large in sizes if isinstance(large, int)]
    assert all(small <= large for small, large in counts)
    assert any(small < large for small, large in counts)


# Reproducibility.


@pytest.mark.parametrize("name", QUICK)
def test_a_seed_decides_every_number(name):
    same, again, other = (run(name, seed, True, show_progress=False, **QUICK[name]) for seed in (5, 5, 6))
    assert same.data.identical(again.data)
    assert same.records == again.records
    assert not same.data.identical(other.data)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_every_number_of_the_smoke_run(name):
    again = run(name, 0, True, show_progress=False)
    assert smoke(name).data.identical(again.data)
    assert smoke(name).records == again.records
    assert not smoke(name).data.identical(run(name, 1, True, show_progress=False).data)


# Verdicts.


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_at_the_default_configuration_every_claim_is_met(name):
    verdicts = {record["id"]: record["verdict"] for record in full(name).records}
    assert verdicts == dict.fromkeys(verdicts, "met")


# Power: with a model that is wrong in one place, the claims that rest on it lose their verdict.

Patch = Callable[[pytest.MonkeyPatch], None]


def _flip_slope(patch: pytest.MonkeyPatch) -> None:
    right = protocol.state_slope
    patch.setattr(protocol, "state_slope", lambda state: -right(state))


def _other_coincidence_in_the_samples(patch: pytest.MonkeyPatch) -> None:
    right = protocol.sample_lag_counts

    def wrong(key: Any, pre: Any, post: Any, n_trials: int, window: int, coincidence: str, **options: Any) -> Any:
        return right(key, pre, post, n_trials, window, "ignore", **options)

    patch.setattr(protocol, "sample_lag_counts", wrong)


def _postsynaptic_spikes_in_every_bin(patch: pytest.MonkeyPatch) -> None:
    right = rule_agreement.sampled_counts

    def wrong(key: Any, sequences: Any, config: Any, progress: Any) -> Any:
        frequent = sequences.post_probability / config.max_probability
        return right(key, sequences._replace(post_probability=frequent), config, progress)

    patch.setattr(rule_agreement, "sampled_counts", wrong)


def _kernel_without_sign(patch: pytest.MonkeyPatch) -> None:
    right = stdp_window.kernel_of
    patch.setattr(stdp_window, "kernel_of", lambda config: jnp.abs(right(config)))


def _sums_by_lag(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(stdp_window, "mean_by_lag", lambda change, count: change)


def _asymmetric_exponential(patch: pytest.MonkeyPatch) -> None:
    right = constant_rate.lag_kernel

    def wrong(name: str, window: int) -> Any:
        return right("bi_poo", window, A_plus=1.0, A_minus=0.99) if name == "exponential" else right(name, window)

    patch.setattr(constant_rate, "lag_kernel", wrong)


def _falling_ramp(patch: pytest.MonkeyPatch) -> None:
    ramp = rising_rate.ramp
    patch.setattr(rising_rate, "ramp", lambda n, q, slope: ramp(n, q, -slope))


def _kernel_of_hebb(patch: pytest.MonkeyPatch) -> None:
    right = rising_rate.mean_update
    patch.setattr(rising_rate, "mean_update", lambda laws, kernel: right(laws, jnp.abs(kernel)))


def _no_cancellation(patch: pytest.MonkeyPatch) -> None:
    right = rising_rate.exact_counts
    patch.setattr(rising_rate, "exact_counts", lambda sequences, config, sides: right(sequences, config, "one"))
    law = rising_rate.lag_probability
    patch.setattr(rising_rate, "lag_probability", lambda *args, sides, **options: law(*args, sides="one", **options))


def _rate_in_place_of_spikes(patch: pytest.MonkeyPatch) -> None:
    right = example_traces.differential_rule
    patch.setattr(example_traces, "differential_rule", lambda pairing, factor: right(pairing, "rate"))


def _spikes_from_another_rate(patch: pytest.MonkeyPatch) -> None:
    right = example_traces.sample_spikes
    patch.setattr(example_traces, "sample_spikes", lambda key, probability: right(key, 0.8 * probability))


def _spike_based_on_the_slope_before(patch: pytest.MonkeyPatch) -> None:
    # Eq 2 with the change up to the spike in place of the change after it: Eq 1 of another bin.
    right = example_traces.differential_rule
    patch.setattr(example_traces, "differential_rule", lambda pairing, factor: right("previous", factor))


SMALL_PROTOCOL = {"n_sequences": 300, "n_trials": 300, "n_resamples": 200}
SMALL_TABLE = {**SMALL_PROTOCOL, "probabilities": (0.02, 1.0), "widths": (10.0, 20.0)}
TWINS: dict[str, tuple[str, dict[str, Any], Patch, set[str]]] = {
    "slope with the wrong sign, by lag": (
        "stdp_window", SMALL_PROTOCOL, _flip_slope, {"fig1.sign", "fig1.correlation"},
    ),
    "sums in the place of means by lag": ("stdp_window", SMALL_PROTOCOL, _sums_by_lag, {"fig1.level"}),
    "slope with the wrong sign, rules": (
        "rule_agreement", SMALL_TABLE, _flip_slope,
        {"fig2.binned", "fig2.conditions"},
    ),
    "coincident spikes sampled otherwise": (
        "stdp_window", SMALL_PROTOCOL, _other_coincidence_in_the_samples, {"ours.trains"},
    ),
    "kernel without sign": ("stdp_window", SMALL_PROTOCOL, _kernel_without_sign, {"fig1.nearest_neighbour"}),
    "spikes in every bin": (
        "rule_agreement", {"probabilities": (0.02, 1.0), "widths": (10.0,)}, _postsynaptic_spikes_in_every_bin,
        {"fig2.binned"},
    ),
    "depression 1 % weaker": (
        "constant_rate", {}, _asymmetric_exponential, {"sec3.2.antisymmetric"},
    ),
    "rate that falls": (
        "rising_rate", {}, _falling_ramp,
        {"sec2.2.falling", "sec2.2.fitted", "sec2.2.gain", "sec2.2.conditional_lag", "sec2.2.soon"},
    ),
    "update without sign": ("rising_rate", {}, _kernel_of_hebb, {"sec2.2.falling", "sec2.2.faster", "sec2.2.growth"}),
    "no pairs with spikes on both sides": (
        "rising_rate", {}, _no_cancellation, {"sec2.2.cancellation", "sec2.2.longer"},
    ),
    "rate in place of spikes": (
        "example_traces", {}, _rate_in_place_of_spikes, {"eq2.mean"},
    ),
    "spikes at another rate": ("example_traces", {}, _spikes_from_another_rate, {"eq2.mean"}),
    "slope of another bin": ("example_traces", {}, _spike_based_on_the_slope_before, {"eq2.mean"}),
}  # fmt: skip


@functools.cache
def right_verdicts(name: str, settings: tuple[tuple[str, Any], ...]) -> dict[str, str]:
    """The verdicts of the right model with the settings of a twin."""
    result = run(name, show_progress=False, **dict(settings)) if settings else full(name)
    return {record["id"]: record["verdict"] for record in result.records}


@pytest.mark.slow
@pytest.mark.parametrize("twin", TWINS)
def test_a_wrong_model_does_not_get_its_verdict(twin, monkeypatch):
    name, settings, patch, lost = TWINS[twin]
    right = right_verdicts(name, tuple(settings.items()))
    assert {right[claim] for claim in lost} == {"met"}, "the right model must pass here"
    with monkeypatch.context() as context:
        patch(context)
        wrong = {record["id"]: record["verdict"] for record in run(name, show_progress=False, **settings).records}
    assert "met" not in {wrong[claim] for claim in lost}


# Settings.


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("rising_rate", {"probabilities": (0.02, 0.02)}, "probabilities: expected at least two increasing numbers"),
        ("rising_rate", {"rises": (0.2, 0.5)}, "rises: expected 0, a steady rate, and then others"),
        ("rising_rate", {"rises": (0.0, 0.5, 0.5)}, "rises: expected at least two increasing numbers"),
        ("rising_rate", {"rises": (0.0, 0.5, 0.2)}, "rises: expected at least two increasing numbers"),
        ("rising_rate", {"rises": (0.0, 1.0)}, "rises: expected a finite number at least 0 and below 1"),
        (
            "rising_rate",
            {"probabilities": (0.1, 0.53)},
            "probabilities: expected a finite number above 0 and below 0.52",
        ),
        ("rule_agreement", {"probabilities": (0.1, 0.1)}, "probabilities: expected different values"),
        ("rule_agreement", {"widths": (3.0, 3.0)}, "widths: expected different values"),
        ("constant_rate", {"probabilities": (0.1, 0.1)}, "probabilities: expected different values"),
        (
            "constant_rate",
            {"probabilities": (0.1, 0.7)},
            "probabilities: expected a finite number above 0 and at most 0.666667",
        ),
        ("constant_rate", {"causal_weights": (0.0, 0.01, 0.01)}, "causal_weights: expected at least two increasing"),
        ("constant_rate", {"causal_weights": (0.01, 0.0)}, "causal_weights: expected at least two increasing"),
        ("constant_rate", {"causal_weights": (0.01, 0.02)}, "causal_weights: expected 0, the control"),
        ("constant_rate", {"n_causal_trains": 10**12}, "n_causal_trains: expected a whole number of at most 10000000"),
        ("example_traces", {"n_trials": 10**12}, "n_trials: expected a whole number of at most 10000000, got"),
        *(
            (name, {"n_trials": 2**31}, "n_trials: expected a whole number of at most 2147483647")
            for name in ("stdp_window", "rule_agreement", "constant_rate")
        ),
    ],
)
def test_settings_that_a_study_cannot_use_are_refused(name, settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find(name), True, settings)


def test_the_highest_probability_that_the_constant_rate_study_takes_works():
    run("constant_rate", smoke=True, show_progress=False, **{**QUICK["constant_rate"], "probabilities": (2 / 3,)})


def test_the_weight_of_eq_2_changes_at_presynaptic_spikes_alone():
    data = run("example_traces", smoke=True, show_progress=False, n_trials=50).data
    is_changed = np.diff(data.weight.values, prepend=0) != 0
    assert is_changed.any()
    assert data.pre_spikes.values[is_changed].all()
