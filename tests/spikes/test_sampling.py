"""Bernoulli draws: the frequency is the probability, in every precision and however low."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import random, spikes


def z(drawn, probability):
    n = drawn.size
    return (float(np.sum(drawn)) - n * probability) / np.sqrt(n * probability * (1 - probability))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_half_precision_draws_at_its_rate(dtype):
    probability = jnp.full(400_000, 0.001, dtype)
    drawn = np.asarray(spikes.sample_spikes(random.key(0), probability))
    assert abs(z(drawn, float(probability[0]))) < 4
    if dtype != jnp.float32:
        # A uniform number as coarse as the probability is what would be seen.
        assert abs(z(np.asarray(jax.random.bernoulli(random.key(0), probability)), float(probability[0]))) > 4


@pytest.mark.parametrize("probability", [1e-7, 2e-8, 1e-9])
def test_low_probabilities_come_as_often_as_they_should(probability):
    """Uniform numbers of single precision are multiples of 2^-23 = 1.2e-7: below that, they are 0 or too large."""
    n_each, n_draws = 10**6, 200

    def count(draw):
        def one(key):
            return jnp.sum(draw(key, jnp.full(n_each, probability, jnp.float32)).astype(jnp.int32))

        return int(np.sum(jax.jit(lambda keys: jax.lax.map(one, keys))(random.member_keys(random.key(1), n_draws))))

    expected = n_each * n_draws * probability
    assert abs(count(spikes.sample_spikes) - expected) < 4 * max(1, np.sqrt(expected))
    if probability < 1e-7:
        assert abs(count(jax.random.bernoulli) - expected) > 4 * max(1, np.sqrt(expected))


def test_what_jax_draws_well_is_what_it_draws():
    probability = jnp.concatenate([jnp.linspace(2e-4, 1.0, 5000), jnp.zeros(10)])
    for key in (random.key(3), jax.random.key(3)):
        np.testing.assert_array_equal(spikes.sample_spikes(key, probability), jax.random.bernoulli(key, probability))
    # A low one among them changes none of the others.
    with_low = probability.at[7].set(1e-8)
    same = np.arange(probability.size) != 7
    np.testing.assert_array_equal(
        np.asarray(spikes.sample_spikes(random.key(3), with_low))[same],
        np.asarray(jax.random.bernoulli(random.key(3), probability))[same],
    )


def test_zero_never_and_one_always():
    assert not spikes.sample_spikes(random.key(0), np.zeros(1000)).any()
    assert spikes.sample_spikes(random.key(0), np.ones(1000)).all()
    assert spikes.sample_spikes(random.key(0), 0.5).shape == ()


def test_without_compilation_the_same_spikes():
    probability = jnp.array([0.3, 1e-6, 0.7])
    keys = random.member_keys(random.key(2), 3)
    want = [spikes.sample_spikes(key, probability) for key in keys]
    np.testing.assert_array_equal(jax.vmap(lambda key: spikes.sample_spikes(key, probability))(keys), want)
    with jax.disable_jit():
        np.testing.assert_array_equal(spikes.sample_spikes(keys[0], probability), want[0])
