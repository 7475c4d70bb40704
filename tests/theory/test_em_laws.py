"""Expectations for MCMC-EM: exact chain laws against simulation, mean updates against the objective."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.energy import Params, make_params
from stdpjax.objectives import score_matching
from stdpjax.theory.em_laws import SIGMOID, chain_law, grid, law, mean_delta

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
