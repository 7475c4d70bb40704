"""A hidden chain: likelihoods by hand, by all paths and by filtering, and samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax.random import member_keys
from stdpjax.theory import hidden_chain

LAW = hidden_chain.two_state_chain(0.2, (0.1, 0.8))


def test_the_sum_over_paths_is_the_likelihood_worked_out_by_hand():
    found = hidden_chain.path_log_likelihood(LAW, np.array([[1, 1], [1, 0], [0, 0]]))
    joint = [
        0.5 * first[a] * (0.8 * second[a] + 0.2 * second[1 - a])
        for first, second in (((0.1, 0.8), (0.1, 0.8)), ((0.1, 0.8), (0.9, 0.2)), ((0.9, 0.2), (0.9, 0.2)))
        for a in (0, 1)
    ]
    np.testing.assert_allclose(np.exp(found), np.array(joint).reshape(3, 2).sum(1), rtol=1e-6)


@pytest.mark.parametrize("law", [LAW, hidden_chain.remembering_chain((0.1, 0.8))], ids=["hidden", "remembering"])
def test_likelihoods_sum_to_one_and_filtering_gives_them(key, law):
    symbols = np.array([[(number >> bit) & 1 for bit in range(5)] for number in range(32)])
    exact = hidden_chain.path_log_likelihood(law, symbols)
    assert float(np.exp(exact).sum()) == pytest.approx(1.0, rel=1e-6)
    sample = hidden_chain.ChainSample(jnp.zeros_like(symbols), jnp.asarray(symbols))
    found = jax.vmap(hidden_chain.predict, (None, None, 0))(key, law, sample)
    np.testing.assert_allclose(found.filtered, exact, atol=1e-5)


def test_predictions_from_one_state_give_the_likelihood_if_it_is_a_function_of_the_past_alone(key):
    keys = member_keys(key, 100)

    def predict(key, law):
        sample = hidden_chain.sample_chain(key, law, 8)
        return sample.symbols, hidden_chain.predict(jax.random.fold_in(key, 1), law, sample)

    for law, is_exact in ((hidden_chain.remembering_chain((0.1, 0.8)), True), (LAW, False)):
        symbols, found = jax.vmap(predict, (0, None))(keys, law)
        exact = hidden_chain.path_log_likelihood(law, np.asarray(symbols))
        for by_state in (found.drawn_state, found.actual_state):
            off = np.abs(np.asarray(by_state) - exact).mean()
            assert off < 1e-5 if is_exact else off > 0.5


def frequency_of_switches(key, law):
    keys = member_keys(key, 2000)
    sample = jax.jit(jax.vmap(lambda k: hidden_chain.sample_chain(k, law, 8)))(keys)
    switches = np.asarray(sample.states[:, 1:] != sample.states[:, :-1]).mean(1)
    ones = np.asarray(sample.symbols[:, -1])
    return [(part.mean(), part.std(ddof=1) / np.sqrt(2000)) for part in (switches, ones)]


def test_sampled_chains_follow_their_law(key):
    for (mean, error), expected in zip(frequency_of_switches(key, LAW), (0.2, 0.45), strict=True):
        assert abs(mean - expected) < 4 * error
    # Power: another law does not pass.
    (mean, error), _ = frequency_of_switches(key, hidden_chain.two_state_chain(0.25, (0.1, 0.8)))
    assert abs(mean - 0.2) > 4 * error
