"""A network with a rule of one's own in it: a reward as an input, weights over time, through public names alone."""

# pyright: reportOptionalSubscript=false, reportArgumentType=false

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import energy, random, rates, rules
from stdpjax.dynamics import NoisyIntegrator, simulate
from stdpjax.observers import histogram_of, mean_of

N_STEPS, N_TRIALS, N_UNITS, DECAY, RATE = 12, 3, 4, 0.8, 0.1
KERNEL = NoisyIntegrator(rates.hard_sigmoid())
PARAMS = energy.random_params(random.key(0), N_UNITS)


def three_factor():
    """An eligibility trace of both neurons' activity that a reward turns into a change."""

    def update(sample, eligibility, weights):
        eligibility = DECAY * eligibility + sample.next_post_state[:, None] * sample.pre_rate[None]
        return sample.inputs["reward"] * eligibility, eligibility

    return rules.Rule(jnp.zeros_like, update)


def run(n_trials=N_TRIALS, n_steps=N_STEPS, rule=None, **options):
    state = np.full((n_trials, N_UNITS) if n_trials else N_UNITS, 0.3, np.float32)
    options = {"learning_rate": RATE, **options, "rule": three_factor() if rule is None else rule}
    if "resume" not in options:
        options["state"] = state
    return simulate(random.key(1), PARAMS, KERNEL, KERNEL.Hyper(0.2, 0.3), n_steps=n_steps, **options)


def reward(n_trials=N_TRIALS):
    return np.random.default_rng(0).normal(size=(n_trials, N_STEPS)).astype(np.float32)


def test_a_reward_modulates_a_three_factor_rule_as_written_out_in_a_loop():
    rewards = reward()
    found = run(inputs={"reward": rewards}, trace_every=1, trace_weights=True)
    for trial in range(N_TRIALS):
        weights, eligibility = np.asarray(PARAMS.weights, np.float64), np.zeros((N_UNITS, N_UNITS))
        states = [np.full(N_UNITS, 0.3), *np.asarray(found.trace[trial], np.float64)]
        for t in range(N_STEPS):
            eligibility = DECAY * eligibility + np.outer(states[t + 1], KERNEL.rate_fn.value(states[t]))
            weights = weights + RATE * rewards[trial, t] * eligibility * (1 - np.eye(N_UNITS))
            np.testing.assert_allclose(found.weights_trace[trial, t], weights, rtol=1e-4, atol=1e-5)
    assert not np.allclose(found.params.weights[0], found.params.weights[1])


def test_a_function_of_the_step_and_records_cut_into_calls_give_the_same():
    rewards = np.broadcast_to(reward(1), (N_TRIALS, N_STEPS))
    whole = run(inputs={"reward": rewards})
    table = jnp.asarray(rewards[0])
    chosen = run(inputs=lambda step: {"reward": table[step]})
    half = N_STEPS // 2
    cut = run(n_steps=half, inputs={"reward": rewards[:, :half]})
    cut = run(n_steps=half, inputs={"reward": rewards[:, half:]}, resume=cut)
    alone = run(n_trials=0, inputs={"reward": rewards[0]})
    for other in (chosen, cut):
        np.testing.assert_array_equal(whole.params.weights, other.params.weights)
    assert alone.params.weights.shape == (N_UNITS, N_UNITS)


def test_observers_see_inputs_and_weights():
    rewards = reward()
    observe = {
        "reward": mean_of(lambda sample: sample.inputs["reward"]),
        "weights": mean_of(lambda sample: sample.weights),
        "spread": histogram_of(lambda sample: sample.weights, -10.0, 10.0, 5),
    }
    found = run(inputs={"reward": rewards}, observe=observe, trace_every=1, trace_weights=True)
    np.testing.assert_allclose(found.observed["reward"].mean, rewards.mean(1), rtol=1e-5)
    first = np.broadcast_to(PARAMS.weights, (N_TRIALS, 1, N_UNITS, N_UNITS))
    seen = np.concatenate([first, found.weights_trace[:, :-1]], axis=1)
    np.testing.assert_allclose(found.observed["weights"].mean, seen.mean(1), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.observed["spread"].counts.sum(-1), N_STEPS)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((N_STEPS,)), r"inputs: expected shape \[trial, time, ...\] with 3 trials and at least 12 steps"),
        (np.zeros((N_TRIALS, N_STEPS - 1)), "inputs: expected shape"),
        (np.full((N_TRIALS, N_STEPS), np.nan), "inputs: expected finite numbers"),
        ({"reward": np.full((N_TRIALS, N_STEPS), "a")}, "inputs: expected "),
        (None, "inputs"),
    ],
)
def test_inputs_that_do_not_fit_and_a_rule_that_misses_them_are_refused(inputs, message):
    with pytest.raises(ValueError, match=message):
        run(inputs=inputs)
