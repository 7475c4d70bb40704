"""The study of conditions: its derivatives against differences, and wrong models."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import networks
from stdpjax.rates import RateFunction
from stdpjax.studies import run
from stdpjax.studies.section_3_rule import conditions as study


@pytest.mark.parametrize("name", ["sigmoid", "smoothed"])
def test_the_third_derivative_is_that_of_finite_differences(key, name):
    rate_fn = study.RATES[name]
    params = jax.tree.map(lambda leaf: leaf[0], networks.random_networks(key, 1, 5, 0.5))
    state = jnp.array([0.1, 0.7, -0.3, -0.8, 0.4])
    found = study.condition_3(study._of_rates(rate_fn), params, state)
    width = 0.005
    bend = np.abs(np.asarray(rate_fn.slope(state + width) - rate_fn.slope(state - width)) / (2 * width))
    rate = np.asarray(rate_fn.value(state))
    np.testing.assert_allclose(found.bias, bend, rtol=0.01, atol=1e-3)
    for i in range(5):
        for j in range(5):
            expected = max(bend[i] * rate[j], bend[j] * rate[i]) if i != j else 0.0
            assert float(found.weights[i, j]) == pytest.approx(expected, rel=0.01, abs=1e-3)


def test_a_weight_moves_its_two_units_alike_and_no_other(key):
    params = jax.tree.map(lambda leaf: leaf[0], networks.random_networks(key, 1, 5, 0.5))
    state = jnp.array([0.1, 0.3, -0.3, -0.2, 0.4])
    for name, (energy_fn, rate_fn) in study.ENERGIES.items():
        share = float(study.condition_2(energy_fn, params, state, rate_fn).other_rows)
        if name == "softplus of the field":
            assert share > np.sqrt(0.5) + 1e-3
        else:
            assert share == pytest.approx(np.sqrt(0.5), abs=1e-5)


def verdicts():
    result = run(study.STUDY.name, show_progress=False, n_networks=8, widths=(0.05, 0.1))
    return {record["id"]: record["verdict"] for record in result.records}


right_verdicts = functools.cache(verdicts)


def _without_noise(patch):
    right = study.transition
    patch.setattr(
        study,
        "transition",
        lambda params, state, noise, rate_fn, hyper: right(params, state, 0 * noise, rate_fn, hyper),
    )


def _rate_in_place_of_slope(patch):
    wrong = {name: (of, rate_fn._replace(slope=rate_fn.value)) for name, (of, rate_fn) in study.ENERGIES.items()}
    patch.setattr(study, "ENERGIES", wrong)


def _another_energy(patch):
    others = {name: study.ENERGIES["squared weights"] for name in study.ENERGIES if name.startswith("Eq 16")}
    patch.setattr(study, "ENERGIES", {**study.ENERGIES, **others})


def _lower_rate(patch):
    right = study.smoothed_hard_sigmoid

    def wrong(width):
        value, slope, _ = right(width)
        return RateFunction(lambda s: 0.9 * value(s), lambda s: 0.9 * slope(s))

    patch.setattr(study, "smoothed_hard_sigmoid", wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("patch", "lost"),
    [
        (_without_noise, {"eq4.factor"}),
        (_rate_in_place_of_slope, {"eq8.coefficient"}),
        (_another_energy, {"eq8.coefficient", "sec4.2.satisfied"}),
        (_lower_rate, {"eq24.mass"}),
    ],
    ids=["no noise", "rate for slope", "squared weights", "rate up to 0.9"],
)
def test_a_wrong_model_does_not_get_its_verdict(patch, lost, monkeypatch):
    assert set(right_verdicts().values()) == {"met"}
    patch(monkeypatch)
    wrong = verdicts()
    assert "met" not in {wrong[claim] for claim in lost}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_units": 4}, "n_units: expected a whole number of at least 5"),
        ({"widths": (0.05, 0.2)}, "widths: expected a finite number"),
        ({"widths": (0.1, 0.04)}, "widths: expected at least two increasing numbers"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        study.ConditionsConfig(**settings)
