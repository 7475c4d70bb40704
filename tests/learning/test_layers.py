"""Layers: who is connected, and what the weights start from."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import energy, learning, rates

SIZES = (5, 4, 3)


def test_slices_cover_all_units_in_order():
    units = list(range(sum(SIZES)))
    layers = [units[part] for part in learning.layer_slices(SIZES)]
    assert [len(layer) for layer in layers] == list(SIZES)
    assert list(itertools.chain(*layers)) == units


@pytest.mark.parametrize("sizes", [(5, 3), SIZES, (1, 1, 1, 1)])
def test_the_mask_connects_neighbouring_layers_alone(sizes):
    layer_of = [number for number, size in enumerate(sizes) for _ in range(size)]
    expected = [[abs(a - b) == 1 for b in layer_of] for a in layer_of]
    assert learning.layered_mask(sizes).tolist() == expected


def test_all_to_all_has_everything_but_the_diagonal():
    mask = np.asarray(learning.all_to_all_mask(4))
    assert mask.sum() == 12
    assert not np.diagonal(mask).any()


@pytest.mark.parametrize("sizes", [(5, 3), SIZES, (2, 3, 4, 1)])
def test_blocks_multiply_like_the_whole_matrix(key, sizes):
    weights = jnp.where(learning.layered_mask(sizes), jax.random.normal(key, (sum(sizes),) * 2), 0.0)
    rates_of_units = jax.random.uniform(jax.random.fold_in(key, 1), (sum(sizes),))
    blocks = learning.take_layers(weights, sizes)
    np.testing.assert_allclose(blocks @ rates_of_units, weights @ rates_of_units, atol=1e-6)


def test_blocks_of_other_sizes_are_refused(key):
    with pytest.raises(ValueError, match=r"sizes: expected a sum of 12, .* got \(5, 4\)"):
        learning.take_layers(learning.random_layers(key, SIZES).weights, (5, 4))


@pytest.mark.parametrize("sizes", [(3,), (), (3, 0), (3, -1), (True, 2)])
def test_sizes_that_make_no_layers_are_refused(sizes):
    with pytest.raises(ValueError, match="sizes: expected "):
        learning.layer_slices.__wrapped__(sizes)  # pyright: ignore[reportFunctionMemberAccess]


@pytest.mark.parametrize("sizes", [(5, 3), SIZES])
def test_initial_weights_are_tied_and_lie_in_the_mask(key, sizes):
    params = learning.random_layers(key, sizes)
    energy.check_params(params, tied=True)
    assert bool(jnp.all((params.weights != 0) == learning.layered_mask(sizes)))


def test_initial_biases_balance_the_fields_at_middle_rates(key):
    params = learning.random_layers(key, SIZES, input_rate=0.3)
    middle = jnp.where(jnp.arange(sum(SIZES)) < SIZES[0], 0.3 - 0.5, 0.0)
    target = energy.target(params, middle, rates.hard_sigmoid())
    np.testing.assert_allclose(target, 0, atol=1e-6)
    other = energy.target(learning.random_layers(key, SIZES, input_rate=0.6), middle, rates.hard_sigmoid())
    assert float(jnp.max(jnp.abs(other))) > 0.01


def z_of_spread(key, sizes, gain, expected_gain):
    """How far the measured spread lies from the stated one, in standard errors."""
    params = learning.random_layers(key, sizes, gain)
    below, above = learning.layer_slices(sizes)
    weights = params.weights[above, below] / np.sqrt(2 / sum(sizes))
    error = expected_gain / jnp.sqrt(2.0 * weights.size)
    return abs(float((jnp.std(weights) - expected_gain) / error))


def test_initial_weights_have_the_spread_that_the_gain_says(key):
    assert z_of_spread(key, (60, 40), 0.5, expected_gain=0.5) < 4
    assert z_of_spread(key, (60, 40), 0.6, expected_gain=0.5) > 4


def test_the_same_key_gives_the_same_weights_and_another_one_others(key):
    first, same = learning.random_layers(key, SIZES), learning.random_layers(key, SIZES)
    assert bool(jnp.all(first.weights == same.weights))
    other = learning.random_layers(jax.random.fold_in(key, 1), SIZES)
    assert not bool(jnp.any((first.weights == other.weights) & learning.layered_mask(SIZES)))
