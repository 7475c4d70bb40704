"""The growth of estimators' variances: laws by quadrature, gradients by differentiation, packing, wrong twins."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.energy import Params
from stdpjax.fixed_points import relax
from stdpjax.lab.reproduce import make_config
from stdpjax.rules.contrastive import contrastive_update
from stdpjax.studies import find, run
from stdpjax.studies.section_9_predictions import reinforce_variance
from stdpjax.studies.section_9_predictions.reinforce_networks import (
    ESTIMATORS,
    RATES,
    Noise,
    biases,
    estimates,
    gradients,
    laws,
    pack,
)

SIZES = (2, 3, 6)
PACKED = pack(stdpjax.random.key(0), SIZES, 0.3, 0.15, 0.2)
NUMBERS = Noise(jnp.asarray(0.03), jnp.asarray(0.2))


def small_estimates(n_trials=2):
    return estimates(stdpjax.random.key(1), PACKED, NUMBERS, n_trials=n_trials, n_steps=40)


def test_packed_networks_are_separate_and_fill_no_more_than_their_blocks():
    used = np.asarray(PACKED.member).sum(0)
    assert np.asarray(PACKED.member).sum((1, 2)).tolist() == list(SIZES)
    assert used.max() == 1
    apart = np.einsum("nsu,msv->nmuv", PACKED.member, PACKED.member)
    for one, other in itertools.permutations(range(3), 2):
        assert not np.any(apart[one, other] * np.asarray(PACKED.weights[0]))
    for sheet in np.asarray(PACKED.weights, np.float64):
        np.testing.assert_allclose(sheet, sheet.T)
        assert np.abs(np.linalg.eigvalsh(sheet)).max() == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize("name", RATES)
def test_the_gradient_is_that_of_the_relaxed_state_by_finite_differences(name):
    found = small_estimates()[name]
    exact = gradients(PACKED, found["slope"], found["curvature"])[1]
    bias, weights = np.asarray(biases(PACKED, RATES[name])[1], np.float64), PACKED.weights[1]

    @jax.jit
    @jax.vmap
    def cost(bias):
        settled = relax(Params(weights, bias), PACKED.rest[1], RATES[name])
        return 0.5 * jnp.sum((settled.state - PACKED.goal[1]) ** 2)

    shift = 0.01
    moved = np.asarray(cost(jnp.asarray(np.concatenate([bias + shift * np.eye(6), bias - shift * np.eye(6)]), float)))
    np.testing.assert_allclose((moved[:6] - moved[6:]) / (2 * shift), exact, rtol=5e-3, atol=5e-4)


def test_the_laws_are_gaussian_moments_by_quadrature():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 3)) * 0.2
    weights = np.tril(weights, -1) + np.tril(weights, -1).T
    error, noise_std, strength = np.array([0.2, -0.1, 0.15]), 0.5, 0.2
    node, weight = np.polynomial.hermite_e.hermegauss(8)
    eta = np.stack([part.ravel() for part in np.meshgrid(node, node, node, indexing="ij")], axis=1)
    measure = np.prod(np.stack(np.meshgrid(weight, weight, weight, indexing="ij")), axis=0).ravel()
    measure /= measure.sum()
    inverse = np.linalg.inv(np.eye(3) - weights)
    own = 0.5 * (error + noise_std * eta @ inverse) ** 2
    total, quiet = own.sum(1), 0.5 * error @ error
    rewards = [total, total - quiet, total - measure @ total, own - 0.5 * error**2]
    gradient = inverse @ error
    for law, reward in zip(laws(weights, error, noise_std, strength), rewards, strict=False):
        estimate = (reward if reward.ndim == 2 else reward[:, None]) * eta / noise_std
        mean = measure @ estimate
        variance = measure @ ((estimate - mean) ** 2).sum(1)
        assert law == pytest.approx(variance / (gradient @ gradient), rel=1e-9)
        if reward.ndim == 1:
            np.testing.assert_allclose(mean, gradient, rtol=1e-9)


def test_the_local_rule_is_the_contrast_of_two_phases():
    # Without noise the estimate is that of the library's contrastive rule.
    quiet = estimates(
        stdpjax.random.key(1), PACKED, NUMBERS._replace(noise_std=jnp.asarray(1e-6)), n_trials=2, n_steps=60
    )
    found = np.asarray(quiet["sigmoid"]["estimate"][ESTIMATORS.index("local"), 0, 1])
    rate_fn = RATES["sigmoid"]

    @jax.jit
    def phase(strength):
        clamp = stdpjax.clamps.clamp_softly(np.ones(6, bool), PACKED.goal[1], strength)
        params = Params(PACKED.weights[1], biases(PACKED, rate_fn)[1])
        state = PACKED.rest[1]
        for _ in range(60):
            state = stdpjax.dynamics.transition(params, state, jnp.zeros(6), rate_fn, 0.5, (clamp,))
        return rate_fn.value(state)[None]

    _, bias = contrastive_update(phase(jnp.asarray(0.2)), phase(jnp.asarray(-0.2)), 0.4)
    np.testing.assert_allclose(found, -np.asarray(bias), atol=2e-5)


def test_the_reward_is_that_of_the_units_own_network():
    tiny = NUMBERS._replace(noise_std=jnp.asarray(1e-5))
    found = estimates(stdpjax.random.key(1), PACKED, tiny, n_trials=400, n_steps=40)["hard"]
    assert float(jnp.max(found["change"])) < 1e-5
    raw = 1e-5 * np.asarray(found["estimate"], np.float64)[ESTIMATORS.index("raw")]
    costs = 0.5 * np.sum(np.asarray(PACKED.rest - PACKED.goal, np.float64) ** 2 * np.asarray(PACKED.member), (1, 2))
    for cost, network in zip(costs, np.asarray(PACKED.member) > 0, strict=True):
        # Under so little noise the estimate is the network's cost times the unit normal noise.
        np.testing.assert_allclose(raw[:, network].std(0) / cost, 1, atol=4 / np.sqrt(800))
    assert np.all(raw[:, np.asarray(PACKED.member).sum(0) == 0] == 0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sizes": (8, 16, 20)}, "sizes: expected the last at least the sum"),
        ({"sizes": (8,)}, "sizes: expected at least two increasing numbers"),
        ({"noise_std": 0.5}, "noise_std: expected a finite number above 0 and at most 0.1"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        make_config(find("reinforce_variance"), True, settings)


@pytest.mark.slow
def test_estimators_taken_for_each_other_lose_the_verdicts(monkeypatch):
    right = {record["id"]: record["verdict"] for record in run("reinforce_variance", show_progress=False).records}
    assert right == {claim.id: claim.verdict for claim in find("reinforce_variance").claims}
    estimator = reinforce_variance.estimates

    def exchanged(*arguments, **options):
        # Each estimator takes the place of the next but one.
        found = estimator(*arguments, **options)
        return {name: {**one, "estimate": jnp.roll(one["estimate"], 2, axis=0)} for name, one in found.items()}

    monkeypatch.setattr(reinforce_variance, "estimates", exchanged)
    wrong = {record["id"]: record["verdict"] for record in run("reinforce_variance", show_progress=False).records}
    assert {wrong[claim] for claim in ("9.linear", "9.uncentred", "9.local", "9.law")} == {"inconclusive"}
