"""Contrast of two equilibria and Eq 1 summed over samples, against plain loops and each other."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import rates, rules

N_SAMPLES, N_UNITS = 5, 4


@pytest.fixture
def two_states(key):
    first, second = jax.random.uniform(key, (2, N_SAMPLES, N_UNITS), float, -0.4, 0.4)
    return first, second


def test_the_contrast_is_the_difference_of_products_sample_by_sample(two_states):
    rates_, other = (np.asarray(array, np.float64) for array in two_states)
    distance = 0.25
    weights, bias = np.zeros((N_UNITS, N_UNITS)), np.zeros(N_UNITS)
    for sample in range(N_SAMPLES):
        for i in range(N_UNITS):
            bias[i] += (rates_[sample, i] - other[sample, i]) / distance / N_SAMPLES
            for j in range(N_UNITS):
                if i != j:
                    change = rates_[sample, i] * rates_[sample, j] - other[sample, i] * other[sample, j]
                    weights[i, j] += change / distance / N_SAMPLES
    found = rules.contrastive_update(two_states[0], two_states[1], distance)
    np.testing.assert_allclose(found[0], weights, atol=2e-6)
    np.testing.assert_allclose(found[1], bias, atol=2e-6)
    assert np.all(np.diagonal(found[0]) == 0)


def test_the_contrast_changes_sign_with_the_direction_and_is_none_between_equals(two_states):
    first, second = two_states
    there, back = rules.contrastive_update(first, second, 0.5), rules.contrastive_update(second, first, 0.5)
    np.testing.assert_allclose(there[0], -back[0], atol=1e-7)
    assert float(jnp.max(jnp.abs(rules.contrastive_update(first, first, 0.5)[0]))) == 0
    np.testing.assert_allclose(rules.contrastive_update(first, second, -0.5)[0], back[0], atol=1e-7)


def test_a_movement_pairs_each_change_with_the_other_rate_in_both_directions(two_states):
    changes, pre = (np.asarray(array, np.float64) for array in two_states)
    expected = np.zeros((N_UNITS, N_UNITS))
    for sample in range(N_SAMPLES):
        for i in range(N_UNITS):
            for j in range(N_UNITS):
                if i != j:
                    both = changes[sample, i] * pre[sample, j] + changes[sample, j] * pre[sample, i]
                    expected[i, j] += both / N_SAMPLES
    np.testing.assert_allclose(rules.movement_update(*two_states), expected, atol=1e-6)


def test_products_between_layers_are_those_of_all_pairs_and_0_elsewhere(two_states):
    first, second = two_states
    layers = (slice(0, 1), slice(1, 3), slice(3, 4))
    mask = np.zeros((N_UNITS, N_UNITS), bool)
    for below, above in itertools.pairwise(layers):
        mask[below, above] = mask[above, below] = True
    found, bias = rules.contrastive_update(first, second, 0.25, layers)
    whole, whole_bias = rules.contrastive_update(first, second, 0.25)
    np.testing.assert_allclose(found, np.where(mask, whole, 0.0), atol=2e-6)
    np.testing.assert_array_equal(bias, whole_bias)
    movement = np.where(mask, rules.movement_update(first, second), 0.0)
    np.testing.assert_allclose(rules.movement_update(first, second, layers), movement, atol=1e-6)


def summed_movement(path, rate_fn, pairing):
    """Eq 1 along a path of states, `[time, sample, unit]`."""
    total = jnp.zeros((N_UNITS, N_UNITS))
    for before, after in itertools.pairwise(path):
        now = rate_fn.value(before)
        paired = 0.5 * (now + rate_fn.value(after)) if pairing == "midpoint" else now
        total = total + rules.movement_update(after - before, paired)
    return total


def test_movement_with_midpoints_adds_up_to_the_contrast_of_its_ends(key):
    rate_fn = rates.hard_sigmoid()
    path = jax.random.uniform(key, (20, N_SAMPLES, N_UNITS), float, -0.5, 0.5)
    contrast = rules.contrastive_update(rate_fn.value(path[-1]), rate_fn.value(path[0]), 1.0)[0]
    np.testing.assert_allclose(summed_movement(path, rate_fn, "midpoint"), contrast, atol=2e-6)
    drift = summed_movement(path, rate_fn, "current") - contrast
    assert float(jnp.max(jnp.abs(drift))) > 0.1  # the pairing of the start of each step does not


def test_midpoints_do_not_add_up_where_units_saturate(key):
    rate_fn = rates.hard_sigmoid()
    path = jax.random.uniform(key, (20, N_SAMPLES, N_UNITS), float, -1.5, 1.5)
    contrast = rules.contrastive_update(rate_fn.value(path[-1]), rate_fn.value(path[0]), 1.0)[0]
    assert float(jnp.max(jnp.abs(summed_movement(path, rate_fn, "midpoint") - contrast))) > 0.1


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="other_rates: expected the shape of rates"):
        rules.contrastive_update.__wrapped__(  # pyright: ignore[reportFunctionMemberAccess]
            jnp.zeros((3, 2)), jnp.zeros((2, 2)), 0.5
        )
