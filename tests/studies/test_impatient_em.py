"""MCMC-EM: exact chain laws, gradients on grids against objectives, Stein's identity, and a wrong twin."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.energy import Params, make_params
from stdpjax.lab.reproduce import make_config
from stdpjax.objectives import score_matching
from stdpjax.studies import em_laws, find, impatient_em, run
from stdpjax.studies.em_laws import SIGMOID, chain_law, grid, law, mean_delta

PAIR = make_params([[0.0, 1.5], [1.5, 0.0]], [-0.75, -0.25])


def test_the_chains_exact_law_is_that_of_a_plain_loop_and_settles_near_the_models():
    means = chain_law(0.3, PAIR, 0.1, 3.0, 30)
    rng = np.random.default_rng(0)
    state, field = np.full(40_000, 3.0), -0.25 + 1.5 / (1 + np.exp(-1.2))
    for number in range(30):
        rate = 1 / (1 + np.exp(-4 * state))
        error = rate.std() / np.sqrt(rate.size)
        assert abs(rate.mean() - means[number]) <= 4 * error + 1e-12
        state = state + 0.1 * (4 * rate * (1 - rate) * field - state) + np.sqrt(0.2) * rng.normal(size=state.size)
    line = np.linspace(-7, 7, 4001)
    rate = 1 / (1 + np.exp(-4 * line))
    weight = np.exp(field * rate - 0.5 * line**2)
    # The sampler's own law is not the model's: that is first order in the step.
    off = [abs(chain_law(0.3, PAIR, step, 3.0, 2)[-1] - rate @ weight / weight.sum()) for step in (0.1, 0.05)]
    assert 1e-4 < off[1] < 0.65 * off[0] < 0.02


@pytest.mark.parametrize(("keep", "correction"), [(1.0, "exact"), (0.0, "dropped")])
def test_the_mean_update_is_minus_the_gradient_of_the_objective(keep, correction):
    place = grid(2, 10)
    joint, model = law(PAIR, place, SIGMOID), make_params([[0.0, 0.5], [0.5, 0.0]], [0.2, 0.1])

    def objective(theta):
        params = Params(theta[0] * (1 - jnp.eye(2)), theta[1:])
        visible = jnp.array([True, False])
        return score_matching(params, place.states, SIGMOID, correction, visible=visible, sample_weights=joint)

    slope = np.asarray(jax.grad(objective)(jnp.array([0.5, 0.2, 0.1])))
    delta = mean_delta(model, joint, place, 1, jnp.asarray(keep))
    found = [float(delta.weights[0, 1]), *np.asarray(delta.bias).tolist()]
    np.testing.assert_allclose(found, -slope, atol=2e-6)


def test_settings_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="lengths: expected increasing numbers, the last at least 400"):
        make_config(find("impatient_em"), True, {"lengths": (50, 100)})


@pytest.mark.slow
def test_a_wrong_curvature_loses_the_verdicts(monkeypatch):
    right = {record["id"]: record["verdict"] for record in run("impatient_em", show_progress=False).records}
    assert right == {claim.id: claim.verdict for claim in find("impatient_em").claims}
    curvature = em_laws.curvature
    monkeypatch.setattr(em_laws, "curvature", lambda *arguments: -curvature(*arguments))
    result = run("impatient_em", show_progress=False, n_stein_chains=2001, n_flow_updates=261, n_nodes=11)
    wrong = {record["id"]: record["verdict"] for record in result.records}
    lost = {"T14.identity", "T15.path"}
    assert {wrong[claim] for claim in lost} == {"inconclusive"}
    assert wrong["T13.bias"] == impatient_em.CLAIMS[0].verdict
