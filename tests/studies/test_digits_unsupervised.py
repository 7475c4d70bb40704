"""Digits without labels: updates against the library's, settling against relaxation, PCA against samples, and twins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax import learning
from stdpjax.clamps import StateClamp
from stdpjax.dynamics import HeatHyper, Langevin, advance
from stdpjax.energy import Params
from stdpjax.fixed_points import relax
from stdpjax.lab.reproduce import make_config
from stdpjax.lab.train_settings import RATE
from stdpjax.studies import find, run
from stdpjax.studies.section_6_hidden import digits_unsupervised
from stdpjax.studies.section_6_hidden.completion import completion_error, halves, tune_components
from stdpjax.studies.section_6_hidden.two_layer_em import Layers, complete, em_delta, step_hidden
from stdpjax.theory.principal_components import fill_linearly

RNG = np.random.default_rng(0)
N_VISIBLE, N_HIDDEN = 5, 4
LAYERS = Layers(
    *(jnp.asarray(0.4 * RNG.normal(size=shape), float) for shape in ((N_VISIBLE, N_HIDDEN), N_VISIBLE, N_HIDDEN))
)
WEIGHTS = jnp.zeros((9, 9)).at[:5, 5:].set(LAYERS.weights).at[5:, :5].set(LAYERS.weights.T)
NETWORK = Params(WEIGHTS, jnp.concatenate([LAYERS.visible_bias, LAYERS.hidden_bias]))
VISIBLE = jnp.arange(9) < N_VISIBLE
VALUES = jnp.asarray(RNG.uniform(-0.5, 0.5, (6, N_VISIBLE)), float)


@pytest.mark.parametrize(
    ("rule", "shares"),
    [("literal", (0, 1)), ("delta", (0.2, 1)), ("dropped", (1, 0))],
)
def test_updates_are_those_of_the_whole_network(rule, shares):
    temperature, step = 0.03, 0.2
    hyper = HeatHyper(step=step, temperature=temperature)
    update = learning.em_update(RATE, Langevin(RATE), VISIBLE, hyper, rule=rule)
    hidden = jnp.asarray(RNG.uniform(-0.4, 0.4, (6, N_HIDDEN)), float)
    key = stdpjax.random.key(0)
    batch = learning.Clamped(jnp.pad(VALUES, ((0, 0), (0, N_HIDDEN))), jnp.arange(6))
    delta, _, chains = update(key, NETWORK, batch, jnp.concatenate([VALUES, hidden], axis=1))
    moved = chains[:, N_VISIBLE:]
    on_clamped, on_hidden, none = (jnp.asarray(share, float) for share in (*shares, 0))
    scale = temperature if rule == "dropped" else 1.0
    expected = Layers(delta.weights[:5, 5:], delta.bias[:5], delta.bias[5:])
    # There clamped rows are paired with the chains before the step, here with those after it.
    rows = em_delta(LAYERS, VALUES, hidden, hidden, on_clamped, none)
    chained = em_delta(LAYERS, VALUES, hidden, moved, none, on_hidden)
    found = jax.tree.map(jnp.add, rows, chained)
    assert np.abs(expected.weights).max() > 1e-3
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, scale * theirs, rtol=2e-4, atol=2e-6)


def test_the_chains_step_is_langevins():
    hidden = jnp.asarray(RNG.uniform(-0.6, 0.6, (6, N_HIDDEN)), float)
    found = step_hidden(LAYERS, VALUES, hidden, jnp.zeros(()), 0.2)
    for row in range(6):
        state = jnp.concatenate([VALUES[row], hidden[row]])
        hyper = HeatHyper(step=0.2, temperature=0.0)
        moved = advance(stdpjax.random.key(0), NETWORK, Langevin(RATE), hyper, state=state)[0]
        np.testing.assert_allclose(found[row], moved[N_VISIBLE:], atol=1e-6)


def test_missing_pixels_settle_where_relaxation_ends():
    mask = np.array([[True, True, False, False, False]])
    filled, change = complete(LAYERS, VALUES, mask, jnp.zeros(N_VISIBLE), n_steps=400)
    assert float(change) < 1e-6
    for row in range(6):
        clamp = StateClamp(jnp.pad(jnp.asarray(~mask[0]), (0, N_HIDDEN)), jnp.pad(VALUES[row], (0, N_HIDDEN)))
        found = relax(NETWORK, jnp.zeros(9), RATE, clamps=(clamp,), max_steps=2000)
        assert bool(found.converged)
        np.testing.assert_allclose(filled[0, row], found.state[:N_VISIBLE], atol=2e-5)


def test_halves_cover_an_image_and_a_single_row_has_two():
    sides = halves(3, 4)
    assert list(sides) == ["upper", "lower", "left", "right"]
    assert (sides["upper"] ^ sides["lower"]).all()
    assert sides["left"].reshape(3, 4)[:, :2].all()
    assert sides["left"].sum() == 6
    assert sides["upper"].sum() == 4
    assert list(halves(1, 4)) == ["left", "right"]


def test_filling_linearly_is_the_regression_on_what_is_seen_where_all_components_are_kept():
    mixing = RNG.normal(size=(4, 4))
    images = RNG.normal(size=(20_000, 4)) @ mixing.T + 1.0
    mean, covariance = images.mean(axis=0), np.cov(images.T)
    mask = np.array([[True, False, False, True]])
    filled = fill_linearly(covariance, mean, images[:50], mask, 3)[0]
    # The smallest component stands for the noise, so that with all but one kept the model is the covariance itself.
    past = np.c_[images[:, 1:3], np.ones(len(images))]
    fit = np.linalg.lstsq(past, images[:, [0, 3]], rcond=None)[0]
    np.testing.assert_allclose(filled[:, [0, 3]], past[:50] @ fit, atol=1e-8)
    np.testing.assert_array_equal(filled[:, 1:3], images[:50, 1:3])


def test_the_number_of_components_is_that_of_the_data():
    factors = RNG.normal(size=(60, 2)) @ RNG.normal(size=(2, 12))
    images = factors + 0.3 * RNG.normal(size=factors.shape)
    mask = np.arange(12)[None] < 6
    assert tune_components(images, mask, (1, 2, 8)) == 2


def test_the_error_is_that_of_missing_pixels_alone():
    images, mask = np.zeros((2, 3)), np.array([[True, False, False], [False, True, True]])
    completed = np.array([[[1.0, 9.0, 9.0]] * 2, [[9.0, 2.0, 0.0]] * 2])
    assert completion_error(completed, images, mask) == (1 + 2) / 2


def test_settings_that_cannot_be_used_are_refused():
    study = find("digits_unsupervised")
    with pytest.raises(ValueError, match="n_images: expected a whole number of at least"):
        make_config(study, True, {"n_images": 50})
    with pytest.raises(ValueError, match="contrast: expected"):
        make_config(study, True, {"contrast": 1.5})


@pytest.mark.slow
def test_the_delta_rule_with_the_wrong_sign_loses_every_verdict_on_what_it_learns(monkeypatch):
    for name in ("delta", "descent"):
        right = digits_unsupervised.RULES[name]
        monkeypatch.setitem(digits_unsupervised.RULES, name, right._replace(on_clamped=-right.on_clamped))
    result = run("digits_unsupervised", n_networks=2, n_epochs=20, show_progress=False)
    verdicts = {record["id"]: record["verdict"] for record in result.records}
    assert "met" not in {verdicts[name] for name in ("tipping1999.law", "sec9.descent")}
