"""Settings of every study and of training: a wrong value is one line that names the setting, whatever it is."""

import dataclasses
import re
from collections.abc import Iterator

import jaxtyping
import numpy as np
import pytest
import quantities as pq

from stdpjax import settings, studies
from stdpjax.lab.reproduce import make_config
from stdpjax.lab.train import TrainConfig

NAN = float("nan")
WRONG = (
    NAN, float("inf"), -1.5, 1e30, 10**12, "text", "", None, True, [], [1, "a"], {}, {"a": [1]}, 1j, np.ones(3),
    [NAN] * 3, [3, 2, 1], [[1]], 5 * pq.mV, object(),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _no_annotations() -> Iterator[None]:
    """Users have no annotations checked: what is refused here the library itself refuses."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


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
        try_all(field.name, getattr(study.smoke, field.name), lambda given: make_config(study, True, given))


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
