"""Settings of every study and of training: a wrong value is one line that names the setting, whatever it is."""

import dataclasses
import re
from typing import Any

import numpy as np
import pytest
import quantities as pq

from stdpjax import studies
from stdpjax.lab import settings
from stdpjax.lab.reproduce import make_config
from stdpjax.lab.train import TrainConfig

NAN = float("nan")
WRONG = (
    NAN, float("inf"), -1.5, 1e30, 10**12, "text", "", None, True, [], [1, "a"], {}, {"a": [1]}, 1j, np.ones(3),
    [NAN] * 3, [3, 2, 1], [[1]], 5 * pq.mV, object(),
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("no_annotations")


def try_all(name, example, make, whose=r"\w[\w .]*"):
    """Each wrong value of a setting is refused by name; one that is taken has the setting's type and is finite."""
    said = []
    for value in WRONG:
        try:
            made = getattr(make({name: value}), name)
        except ValueError as error:
            said.append(str(error))
            continue
        assert isinstance(made, type(example)) or (isinstance(example, float) and type(made) is int), (name, value)
        assert not any(isinstance(one, float) and not np.isfinite(one) for one in np.atleast_1d(made).tolist())
    assert len(said) >= len(WRONG) / 2
    for message in said:
        assert re.match(rf"{whose}: expected .*got", message, re.DOTALL), message


@pytest.mark.parametrize("study", studies.STUDIES, ids=lambda study: study.name)
def test_a_wrong_value_of_a_study_is_refused_by_name(study):
    for field in dataclasses.fields(study.config):
        # A setting may be refused for what it means for another one.
        try_all(
            field.name,
            getattr(study.configuration(is_smoke=True), field.name),
            lambda given: make_config(study, True, given),
        )


def test_an_unknown_setting_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"taus: expected a setting of stdp_window \(n_sequences, .*\), got 'taus'"):
        studies.run("stdp_window", smoke=True, taus=3.0)


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("window", np.int64(5), int), ("tau", np.float32(5), float), ("tau", 5, float), ("kernel", np.str_("sign"), str)],
)
def test_numbers_of_numpy_become_those_of_the_setting(name, value, kind):
    made = getattr(make_config(studies.find("stdp_window"), True, {name: value}), name)
    assert type(made) is kind
    assert made == value


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TrainConfig)])
def test_a_wrong_value_of_a_training_is_refused_by_name(name):
    example = getattr(TrainConfig(), name)
    try_all(name, example, lambda given: TrainConfig(**given), whose=name)
    try_all(name, example, lambda given: settings.replace(TrainConfig(), given, "train"), whose=name)


# What a field may say of its bounds, a setting that breaks it, and what it hears.
@pytest.mark.parametrize(
    ("field", "wrong", "message"),
    [
        (settings.setting(0.5, above=0, at_most=1), 0, "one: expected a finite number above 0 and at most 1, got 0"),
        (settings.setting(0.5), NAN, "one: expected a finite number, got nan"),
        (settings.setting(3), 0, "one: expected a whole number of at least 1, got 0"),
        (settings.setting(0, at_least=0), -1, "one: expected a whole number of at least 0, got -1"),
        (settings.setting(3, at_most=4), 5, "one: expected a whole number of at most 4, got 5"),
        (settings.setting(4, multiple_of=2), 3, "one: expected a multiple of 2, got 3"),
        (settings.setting(0.1, probability=True), 20.0, "one: expected spike probabilities .* rates in Hz"),
        (settings.setting(0.1, probability=True), 0.0, "one: expected a finite number above 0 and at most 1, got 0.0"),
        (settings.setting(0.1, probability=True, below=1), 1.0, "one: expected a finite number above 0 and below 1"),
        (settings.setting((0.1,), above=0), (0.1, 0.0), "one: expected a finite number above 0, got 0.0"),
        (settings.setting((0.1,), distinct=True), (0.1, 0.1), "one: expected different values"),
        (settings.setting((1, 2), increasing=True), (2, 2), "one: expected at least two increasing numbers"),
        (settings.setting((1, 2), increasing=True), (2,), "one: expected at least two increasing numbers"),
        (settings.setting((0.1,)), (), "one: expected at least one value, got none"),
        (settings.setting((0.1,)), [0.1], r"one: expected a tuple, got \[0.1\]"),
        (settings.setting("a", choices=("a", "b")), "c", "one: expected one of 'a', 'b', got 'c'"),
        (settings.setting("a"), "", "one: expected a text, got ''"),
        (settings.setting(True), 1, "one: expected bool, got 1"),
    ],
)
def test_a_configuration_refuses_what_a_field_may_not_be(field, wrong, message):
    fields = {"one": field, "__annotations__": {"one": type(field.default)}}
    made: Any = settings.configuration(type("Config", (), fields))
    assert dataclasses.asdict(made()) == {"one": field.default}
    with pytest.raises(ValueError, match=f"^{message}"):
        made(one=wrong)


def test_what_settings_mean_together_is_checked_after_the_bounds_of_each():
    @settings.configuration
    class Config:
        low: int = settings.setting(1)
        high: int = settings.setting(2, at_most=9)

        def __post_init__(self):
            if self.high <= self.low:
                raise ValueError(f"high: expected more than {self.low}, got {self.high}")

    @settings.configuration
    class Wider(Config):
        factor: float = settings.setting(2.0, above=0)

    for kind in (Config, Wider):
        with pytest.raises(ValueError, match=r"^high: expected more than 3, got 2"):
            kind(low=3)
        with pytest.raises(ValueError, match=r"^high: expected a whole number of at most 9"):
            kind(low=3, high=10)
    with pytest.raises(ValueError, match=r"^factor: expected a finite number above 0"):
        Wider(factor=0.0)


@pytest.mark.parametrize("study", studies.STUDIES, ids=lambda study: study.name)
def test_a_smoke_lists_only_what_differs_from_the_default_and_cannot_be_changed(study):
    assert all(value != getattr(study.config, name) for name, value in study.smoke.items())
    with pytest.raises(TypeError):
        study.smoke["n_trials"] = 3


def test_a_smoke_of_unknown_or_wrong_settings_is_refused():
    study = studies.find("example_traces")
    for smoke, message in (
        ({"trials": 3}, "trials: expected a setting of example_traces"),
        ({"n_trials": 1}, "n_trials: expected a whole number of at least 2, got 1"),
        (3, "smoke: expected settings to their values, got 3"),
    ):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(study, smoke=smoke)
