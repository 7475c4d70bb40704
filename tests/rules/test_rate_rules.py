"""Rules of rates against plain loops, and rules at work in a simulation against the same spikes afterwards."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import stdpjax
from stdpjax.dynamics import SpikingIntegrator, StepHyper, simulate
from stdpjax.energy import Params
from stdpjax.observers import Observer
from stdpjax.rates import hard_sigmoid, sigmoid
from stdpjax.rules import (
    PAIRINGS,
    Sample,
    bcm_rule,
    bounded_rule,
    differential_rule,
    hebb_rule,
    nearest_neighbour_rule,
    pair_rule,
    scale_rule,
    train_updates,
    xie_seung_rule,
)
from tests.rules.families import READINGS, rule_and_reference

RHO = sigmoid()
N_STEPS, N_PRE, N_POST = 12, 2, 3


@pytest.fixture(scope="module")
def activity():
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.5, (N_STEPS + 1, N_POST)), rng.random((N_STEPS, N_PRE))


def step_through(rule, activity, bin_ms=None):
    post, pre = (jnp.asarray(part, float) for part in activity)
    weights = jnp.zeros((N_POST, N_PRE))

    def step(state, now):
        delta_w, state = rule.update(Sample(*now, bin_ms=bin_ms), state, weights)
        return state, delta_w

    return jax.lax.scan(step, rule.init(weights), (post[:-1], post[1:], pre))[1]


@pytest.mark.parametrize("sign", ["anti_hebbian", "hebbian"])
@pytest.mark.parametrize("pairing", PAIRINGS)
def test_xie_seung_against_a_loop(activity, sign, pairing):
    post, pre = activity
    rate = np.asarray(RHO.value(jnp.asarray(post)), np.float64)
    found = step_through(xie_seung_rule(RHO, sign, pairing), activity)
    for t in range(1, N_STEPS):
        at, factor = {
            "previous": (t, pre[t - 1]),
            "current": (t, pre[t]),
            "midpoint": (t - 1, 0.5 * (pre[t - 1] + pre[t])),
            "next": (t - 1, pre[t]),
        }[pairing]
        change = (1 if sign == "hebbian" else -1) * (rate[at + 1] - rate[at])
        np.testing.assert_allclose(found[t], np.outer(change, factor), atol=1e-6)


def test_xie_seung_and_eq_1_part_in_saturation_alone():
    post = np.linspace(-0.4, 0.9, 14)[:, None] * np.ones(N_POST)
    activity = post[: N_STEPS + 1], jnp.ones((N_STEPS, N_PRE))
    of_rate = np.asarray(step_through(xie_seung_rule(hard_sigmoid(), "hebbian"), activity))
    of_state = np.asarray(step_through(differential_rule(), activity))
    np.testing.assert_allclose(of_rate[:9], of_state[:9], atol=1e-6)
    np.testing.assert_allclose(of_rate[9:], 0, atol=1e-6)
    assert (of_state[9:] > 0.05).all()


def test_bcm_against_a_loop(activity):
    post, pre = activity
    rate = np.asarray(RHO.value(jnp.asarray(post)), np.float64)
    found = step_through(bcm_rule(RHO, 5.0, 0.4), activity, bin_ms=0.5)
    threshold = np.full(N_POST, 0.4)
    for t in range(N_STEPS):
        np.testing.assert_allclose(found[t], np.outer(rate[t] * (rate[t] - threshold), pre[t]), atol=1e-6)
        threshold += (1 - np.exp(-0.5 / 5.0)) * (rate[t] ** 2 / 0.4 - threshold)


def test_hebb_is_a_product(activity):
    post, pre = activity
    rate = RHO.value(jnp.asarray(post[:-1], float))
    np.testing.assert_allclose(step_through(hebb_rule(RHO), activity), rate[:, :, None] * pre[:, None, :], rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bcm_rule(RHO, 0.0), "tau_threshold: expected a finite number above 0"),
        (lambda: bcm_rule(RHO, 1.0, -1.0), "target: expected a finite number above 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


N_UNITS, N_RUN = 3, 60


def _record() -> Observer:
    def init(sample):
        return jnp.zeros((N_RUN, *sample.post_state.shape), bool), jnp.zeros((), jnp.int32)

    def update(sample, so_far):
        spikes, count = so_far
        return spikes.at[count].set(sample.pre_spikes), count + 1

    return Observer(init, update)


RECORD = _record()


@pytest.mark.parametrize("which", READINGS[::6])
@pytest.mark.parametrize(("is_bounded", "bin_ms"), [(False, 0.4), (True, 1.0)])
def test_a_learning_network_learns_what_its_spikes_say(which, is_bounded, bin_ms):
    rule = scale_rule(rule_and_reference(*which)[0], 0.1)
    if is_bounded:
        rule = bounded_rule(rule, -0.5, 0.5, 0.5)
    weights = jnp.array([[0.0, 0.3, -0.2], [0.1, 0.0, 0.4], [-0.3, 0.2, 0.0]])
    params, key = Params(weights, jnp.zeros(N_UNITS)), stdpjax.random.key(0)
    settings = {
        "kernel": SpikingIntegrator(hard_sigmoid()),
        "hyper": StepHyper(0.2),
        "rule": rule,
        "learning_rate": 1.0,
        "bin_ms": bin_ms,
        "observe": {"seen": RECORD},
    }
    run = simulate(key, params, state=jnp.zeros(N_UNITS), n_steps=N_RUN, **settings)
    spikes = np.asarray(run.observed["seen"][0]).T
    assert 0.1 < spikes.mean() < 0.9
    for post in range(N_UNITS):
        for pre in range(N_UNITS):
            if post != pre:
                start = float(weights[post, pre])
                learned = train_updates(rule, spikes[pre], spikes[post], weight=start, bin_ms=bin_ms).sum()
                found = run.params.weights[post, pre] - weights[post, pre]
                np.testing.assert_allclose(found, learned, rtol=1e-3, atol=2e-5)
                assert abs(float(found)) > 2e-4
    first = simulate(key, params, state=jnp.zeros(N_UNITS), n_steps=N_RUN // 2, **settings)
    second = simulate(key, params, resume=first, n_steps=N_RUN // 2, **settings)
    np.testing.assert_array_equal(second.params.weights, run.params.weights)


def test_a_network_refuses_bins_and_weights_that_its_rule_cannot_use():
    params = Params(jnp.array([[0.0, 0.3], [0.9, 0.0]]), jnp.zeros(2))

    def run(rule, bin_ms=1.0):
        return simulate(
            stdpjax.random.key(0),
            params,
            SpikingIntegrator(hard_sigmoid()),
            StepHyper(),
            state=jnp.zeros(2),
            n_steps=1,
            rule=rule,
            learning_rate=None if rule is None else 0.1,
            bin_ms=bin_ms,
        )

    pairs = pair_rule(0.1, 0.1, 10.0, 10.0)
    with pytest.raises(ValueError, match=r"weights: expected a start within .* bounds, 0\.1 to 0\.5, got 1 out"):
        run(bounded_rule(pairs, 0.1, 0.5))
    # 0 on the diagonal is no start: nothing learns there.
    assert bool(run(bounded_rule(pairs, 0.1, 0.95)).is_finite)
    with pytest.raises(ValueError, match=r"bin_ms: expected 1 ms, the bins that the rule's kernel .*, got 0\.5"):
        run(nearest_neighbour_rule([-1.0, 0.0, 1.0]), 0.5)
    with pytest.raises(ValueError, match=r"bin_ms without a rule: expected 1, .* got 0\.5"):
        run(None, 0.5)
