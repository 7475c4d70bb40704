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
from stdpjax.studies.section_9_predictions.reinforce_variance import (
    ESTIMATORS,
    SMOOTH,
    Noise,
    biases,
    estimates,
    gradients,
    pack,
    places,
)

SIZES = (2, 3, 6)
PACKED = pack(stdpjax.random.key(0), SIZES, 0.3, 0.15, 0.2)
NUMBERS = Noise(jnp.asarray(0.03), jnp.asarray(0.2))
HARD = stdpjax.rates.hard_sigmoid()
KEY = stdpjax.random.key(1)


def laws(weights, error, noise_std, strength):
    """Return the total variance of each estimator in closed form, for a network in its active region.

    There states are linear in the noise, costs quadratic, and Gaussian moments up to the sixth give the variances.
    """
    n_units, variance = len(error), noise_std**2
    inverse = np.linalg.inv(np.eye(n_units) - weights)
    gradient = inverse @ error
    square, cost = inverse @ inverse, 0.5 * error @ error
    trace, trace2 = np.trace(square), np.sum(square**2)
    linear = (n_units + 1) * gradient @ gradient
    change = linear + 0.25 * variance * (n_units * trace**2 + 2 * n_units * trace2 + 4 * trace**2 + 8 * trace2)
    raw = change + n_units * cost**2 / variance + cost * (n_units + 2) * trace
    centred = linear + 0.25 * variance * (2 * n_units + 8) * trace2
    phases = [np.linalg.inv((1 + pull) * np.eye(n_units) - weights) for pull in (strength, -strength)]
    local = variance / (4 * strength**2) * sum(np.sum(phase**2) for phase in phases)
    return np.array([raw, change, centred, local])


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


@pytest.mark.parametrize("rate_fn", [HARD, SMOOTH], ids=["hard", "sigmoid"])
def test_the_gradient_is_that_of_the_relaxed_state_by_finite_differences(rate_fn):
    exact = gradients(PACKED, rate_fn)[1]
    bias, weights = np.asarray(biases(PACKED, rate_fn)[1], np.float64), PACKED.weights[1]

    @jax.jit
    @jax.vmap
    def cost(bias):
        settled = relax(Params(weights, bias), PACKED.rest[1], rate_fn)
        return 0.5 * jnp.sum((settled.state - PACKED.goal[1]) ** 2)

    shift = 0.01
    moved = np.asarray(cost(jnp.asarray(np.concatenate([bias + shift * np.eye(6), bias - shift * np.eye(6)]), float)))
    np.testing.assert_allclose((moved[:6] - moved[6:]) / (2 * shift), exact, rtol=5e-3, atol=5e-4)


def test_the_laws_are_gaussian_moments_by_quadrature():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 3)) * 0.2
    weights = np.tril(weights, -1) + np.tril(weights, -1).T
    error, noise_std = np.array([0.2, -0.1, 0.15]), 0.5
    node, weight = np.polynomial.hermite_e.hermegauss(8)
    eta = np.stack([part.ravel() for part in np.meshgrid(node, node, node, indexing="ij")], axis=1)
    measure = np.prod(np.stack(np.meshgrid(weight, weight, weight, indexing="ij")), axis=0).ravel()
    measure /= measure.sum()
    inverse = np.linalg.inv(np.eye(3) - weights)
    total, quiet = 0.5 * np.sum((error + noise_std * eta @ inverse) ** 2, axis=1), 0.5 * error @ error
    rewards = [total, total - quiet, total - measure @ total]
    for law, reward in zip(laws(weights, error, noise_std, 0.2), rewards, strict=False):
        estimate = reward[:, None] * eta / noise_std
        mean = measure @ estimate
        assert law == pytest.approx(measure @ ((estimate - mean) ** 2).sum(1), rel=1e-9)
        np.testing.assert_allclose(mean, inverse @ error, rtol=1e-9)


@pytest.mark.slow
def test_in_the_active_region_variances_follow_the_laws_and_not_those_without_the_costs_curvature():
    sizes, n_trials = (8, 24, 64), 1000
    packed = pack(KEY, sizes, 0.3, 0.15, 0.2)
    found, _ = estimates(KEY, packed, NUMBERS, n_trials=n_trials, n_steps=30, rate_fn=HARD)
    weights, error = (np.asarray(part, np.float64) for part in (packed.weights, packed.rest - packed.goal))
    off = np.zeros((2, len(sizes), len(ESTIMATORS)))
    for number, ((sheet, first), size) in enumerate(zip(places(sizes), sizes, strict=True)):
        block = slice(first, first + size)
        one = np.asarray(found[:, :, sheet, block], np.float64)
        away = ((one - one.mean(1)[:, None]) ** 2).sum(-1) * n_trials / (n_trials - 1)
        for row, noise_std in enumerate((0.03, 1e-9)):
            law = laws(weights[sheet, block, block], error[sheet, block], noise_std, 0.2)
            off[row, number] = np.abs(away.mean(1) - law) / (away.std(1, ddof=1) / np.sqrt(n_trials))
    assert off[0].max() < 4.5
    assert off[1, -1, ESTIMATORS.index("change")] > 4.5


@pytest.mark.slow
def test_the_means_of_the_estimates_are_the_gradient():
    found, _ = estimates(KEY, PACKED, NUMBERS, n_trials=2000, n_steps=40)
    gradient = gradients(PACKED)[1]
    centred, local = (np.asarray(found[ESTIMATORS.index(name), :, 1], np.float64) for name in ("centred", "local"))

    def off(direction):
        along = centred @ direction / (gradient @ gradient)
        return abs(along.mean() - 1) / (along.std(ddof=1) / np.sqrt(len(along)))

    assert off(gradient) < 4 < off(np.roll(gradient, 1))
    mean = local.mean(0)
    assert mean @ gradient > 0.98 * np.linalg.norm(mean) * np.linalg.norm(gradient)


def test_the_local_rule_is_the_contrast_of_two_phases():
    # Without noise the estimate is that of the library's contrastive rule.
    quiet, _ = estimates(KEY, PACKED, NUMBERS._replace(noise_std=jnp.asarray(1e-6)), n_trials=2, n_steps=60)
    found = np.asarray(quiet[ESTIMATORS.index("local"), 0, 1])

    @jax.jit
    def phase(strength):
        clamp = stdpjax.clamps.clamp_softly(np.ones(6, bool), PACKED.goal[1], strength)
        params = Params(PACKED.weights[1], biases(PACKED, SMOOTH)[1])
        state = PACKED.rest[1]
        for _ in range(60):
            state = stdpjax.dynamics.transition(params, state, jnp.zeros(6), SMOOTH, 0.5, (clamp,))
        return SMOOTH.value(state)[None]

    _, bias = contrastive_update(phase(jnp.asarray(0.2)), phase(jnp.asarray(-0.2)), 0.4)
    np.testing.assert_allclose(found, -np.asarray(bias), atol=2e-5)


def test_the_reward_is_that_of_the_units_own_network():
    tiny = NUMBERS._replace(noise_std=jnp.asarray(1e-5))
    found, changes = estimates(KEY, PACKED, tiny, n_trials=400, n_steps=40, rate_fn=HARD)
    assert float(jnp.max(changes)) < 1e-5
    raw = 1e-5 * np.asarray(found, np.float64)[ESTIMATORS.index("raw")]
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
    def verdicts():
        return {record["id"]: record["verdict"] for record in run("reinforce_variance", show_progress=False).records}

    assert set(verdicts().values()) == {"met"}
    estimator = reinforce_variance.estimates

    def exchanged(*arguments, **options):
        # Each estimator takes the place of the next but one.
        found, changes = estimator(*arguments, **options)
        return jnp.roll(found, 2, axis=0), changes

    monkeypatch.setattr(reinforce_variance, "estimates", exchanged)
    assert "met" not in verdicts().values()
