"""MCMC-EM: exact chain laws, gradients on grids against objectives, Stein's identity, and a wrong twin."""

import jax
import numpy as np
import pytest

from stdpjax.energy import make_params
from stdpjax.lab.reproduce import make_config
from stdpjax.studies import find, run
from stdpjax.theory import em_laws


def test_settings_that_cannot_be_used_are_refused():
    for lengths, message in (((50, 100), "a whole number of at least 400"), ((800, 400), "at least two increasing")):
        with pytest.raises(ValueError, match=f"lengths: expected {message}"):
            make_config(find("impatient_em"), True, {"lengths": lengths})


def test_by_steins_identity_hidden_rows_have_the_mean_of_the_second_derivative_and_of_eq1_none():
    params = make_params([[0.0, 0.7, -0.4], [0.7, 0.0, 0.3], [-0.4, 0.3, 0.0]], [0.5, -0.3, 0.8])
    slope, second, eq1 = np.asarray(em_laws.stein_means(params, 10), np.float64)
    apart = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(slope[apart], second[apart], atol=3e-4)
    np.testing.assert_allclose(eq1[apart], 0, atol=3e-4)
    assert np.abs(second[apart]).max() > 0.02
    assert np.abs(np.diag(eq1)).min() > 0.05


@pytest.mark.slow
def test_a_wrong_curvature_loses_the_verdicts(monkeypatch):
    right = {record["id"]: record["verdict"] for record in run("impatient_em", show_progress=False).records}
    assert set(right.values()) == {"met"}
    curvature, terms = em_laws.curvature, em_laws.stein_terms
    monkeypatch.setattr(em_laws, "curvature", lambda *arguments: -curvature(*arguments))
    # A mean where there is none.
    monkeypatch.setattr(em_laws, "stein_terms", lambda *arguments: 0.1 + terms(*arguments))
    jax.clear_caches()
    wrong = {record["id"]: record["verdict"] for record in run("impatient_em", show_progress=False).records}
    jax.clear_caches()
    assert {name for name, verdict in wrong.items() if verdict != "met"} == {"sec6.3.path", "sec9.rows"}
