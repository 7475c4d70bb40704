"""Growth against plain loops and closed forms, and a twin with the printed leak."""

import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.fixed_points import relaxation_time, spectral_stability
from stdpjax.rates import hard_sigmoid
from stdpjax.studies import run
from stdpjax.studies.section_7_fixed_points import stability
from stdpjax.studies.section_7_fixed_points.stability import EXAMPLES
from tests.wrong_kernels import PrintedLeak


def test_the_examples_have_the_determinants_and_eigenvalues_that_make_them_examples():
    determinants = {name: float(np.linalg.det(weights)) for name, (weights, _) in EXAMPLES.items()}
    assert determinants["A"] == pytest.approx(0.686)
    assert determinants["A'"] == pytest.approx(0.04)
    assert determinants["B"] == pytest.approx(2.126, abs=1e-3)
    np.testing.assert_allclose(np.linalg.eigvalsh(EXAMPLES["A"][0]), [-0.7, -0.7, 1.4])


def test_deviations_follow_a_plain_loop():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, stability.N_UNITS, stability.N_UNITS)) * (1 - np.eye(stability.N_UNITS))
    start, steps = rng.normal(size=(3, stability.N_UNITS)), np.array([0.1, 0.5, 0.9])
    found, is_finite = stability._run(stdpjax.random.key(0), stability._at_rest(weights), start, steps, 7)
    assert is_finite.all()
    expected = start.copy()
    for index in range(3):
        for _ in range(7):
            s = expected[index]
            field = weights[index] @ (np.clip(s + 0.5, 0, 1) - 0.5)
            expected[index] = s + steps[index] * ((np.abs(s) <= 0.5) * field - s)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_slowest_mode_is_the_one_that_grows_as_its_eigenvalue_says():
    weights, steps = stability._EXAMPLE_WEIGHTS[:1], np.array([0.1])
    slowest = stability._slowest_modes(weights, steps)
    np.testing.assert_allclose(weights[0] @ slowest[0], 1.4 * slowest[0], atol=1e-12)
    start = 1e-3 * slowest
    end, _ = stability._run(stdpjax.random.key(0), stability._at_rest(weights), start, steps, 20)
    assert np.log(np.linalg.norm(end) / np.linalg.norm(start)) / 20 == pytest.approx(np.log(1.04), abs=1e-4)


def test_the_relaxation_time_is_that_of_the_slowest_mode():
    weights = jnp.array([[0.0, 0.6], [0.6, 0.0]])
    params = stdpjax.energy.make_params(weights, [-0.3, -0.3])
    found = spectral_stability(params, jnp.zeros(2), hard_sigmoid(), 0.2)
    assert float(relaxation_time(found, 0.2)) == pytest.approx(-0.2 / np.log(1 - 0.2 * 0.4), rel=1e-5)


@pytest.mark.slow
def test_the_printed_leak_loses_the_claims_on_growth(monkeypatch):
    def verdicts(n_timed: int) -> dict[str, str]:
        # Settings of its own for each model: what was compiled for the other has its leak in it.
        result = run("stability", show_progress=False, n_timed=n_timed, n_judged=100 * n_timed, n_strong=10)
        return {record["id"]: record["verdict"] for record in result.records}

    assert set(verdicts(21).values()) == {"met"}
    monkeypatch.setattr(stability, "LeakyIntegrator", PrintedLeak)
    wrong = verdicts(22)
    assert "met" not in {wrong[claim] for claim in ("sec7.approach", "sec7.spectral")}
    assert wrong["sec7.attractors"] == "met"
