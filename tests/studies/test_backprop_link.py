"""The link to back-propagation: networks at rest, arrivals against plain loops and derivatives, and wrong models."""

import functools

import pytest

from stdpjax.lab.reproduce import make_config
from stdpjax.networks import untie
from stdpjax.random import named_key
from stdpjax.studies import find, run
from stdpjax.studies.section_8_backprop import backprop_link
from stdpjax.theory import layered


@functools.cache
def quick(seed=0):
    return run("backprop_link", seed, smoke=True, show_progress=False)


def test_exact_claims_meet_their_criteria_in_the_smoke_run_too():
    met = {record["id"]: record["is_met"] for record in quick().records}
    assert all(met[name] for name in met if name[:3] in ("E27", "E28", "T17", "E29"))


def test_data_say_what_they_are():
    data = quick().data
    assert float(data.arrival_angle.sel(rate="hard", feedback="tied").max()) < 1e-9
    assert float(data.arrival_angle.sel(rate="hard", feedback="untied", layer=slice(1, None)).max()) > 0.1
    assert data.theta.attrs["units"] == "tau"


def _printed_leak(patch):
    # Eq 17 as printed: the leak is subtracted twice.
    def twice(params, state, noise, rate_fn, step, clamps=()):
        return layered_transition(params, state, noise, rate_fn, step, clamps) - step * state

    layered_transition = layered.transition
    patch.setattr(layered, "transition", twice)


def _gradient_of_another_goal(patch):
    right = backprop_link.chain_gradient
    patch.setattr(backprop_link, "chain_gradient", lambda p, s, r, path, goal: right(p, s, r, path, goal[::-1]))


def _all_untied(patch):
    right = backprop_link.network_at_rest

    def untied(key, state, mask, rate_fn, largest):
        one, other = (right(named_key(key, name), state, mask, rate_fn, largest) for name in "ab")
        return untie(one, other, state, rate_fn)

    patch.setattr(backprop_link, "network_at_rest", untied)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [
        (_printed_leak, {"S8.binomial"}),
        (_gradient_of_another_goal, {"E28.prefactor", "T17.direction", "T17.weights", "S8.alignment"}),
        (_all_untied, {"E28.prefactor", "T17.direction", "T17.weights", "E29.transposed"}),
    ],
)
def test_a_wrong_model_loses_the_verdicts(patch, lost, monkeypatch):
    with monkeypatch.context() as context:
        patch(context)
        wrong = {record["id"]: record["verdict"] for record in run("backprop_link", show_progress=False).records}
    right = {claim.id: claim.verdict for claim in find("backprop_link").claims}
    assert {name for name in right if wrong[name] == "inconclusive"} >= lost
    assert wrong["E28.exponents"] == "corrected", "what does not rest on it keeps its verdict"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizes": (3, 2)}, "sizes: expected at least three layers"),
        ({"steps": (0.01, 0.001)}, "steps: expected at least two increasing numbers"),
        ({"n_steps": 205}, "n_steps: expected a multiple of 10"),
        ({"spread": 0.4}, "distance: expected a finite number"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("backprop_link"), True, settings)
