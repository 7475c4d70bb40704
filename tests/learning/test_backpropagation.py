"""Back-propagation against automatic differentiation of a network written with a matrix for each layer."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stdpjax import learning, rates
from stdpjax.learning import Labelled, backpropagation_update, forward, forward_class

SIZES = (4, 6, 5, 3)
SLICES = learning.layer_slices(SIZES)
SMOOTH = rates.sigmoid()


@pytest.fixture
def params(key):
    return learning.random_layers(key, SIZES)


@pytest.fixture
def batch(key):
    return Labelled(jax.random.normal(key, (7, 4)), jnp.arange(7) % 3)


def plain_layers(params):
    return [(params.weights[up, low], params.bias[up]) for low, up in itertools.pairwise(SLICES)]


def plain_outputs(layers, inputs):
    rows = []
    for sample in inputs:
        value = 1 / (1 + jnp.exp(-4 * sample))
        for weights, bias in layers:
            value = 1 / (1 + jnp.exp(-4 * (weights @ value + bias)))
        rows.append(value)
    return jnp.stack(rows)


def test_forward_is_the_plain_network(params, batch):
    found = forward(params, batch.inputs, SMOOTH, SIZES)
    np.testing.assert_allclose(found, plain_outputs(plain_layers(params), batch.inputs), atol=1e-5)
    assert forward_class(params, batch.inputs, SMOOTH, SIZES).tolist() == np.argmax(found, axis=1).tolist()


def test_weights_towards_lower_layers_play_no_part(params, batch):
    low, up = SLICES[0], SLICES[1]
    changed = params._replace(weights=params.weights.at[low, up].add(1.0))
    np.testing.assert_array_equal(
        forward(changed, batch.inputs, SMOOTH, SIZES), forward(params, batch.inputs, SMOOTH, SIZES)
    )


def test_the_update_is_minus_the_gradient_of_the_plain_network(key, params, batch):
    def loss(layers):
        goals = jnp.zeros((7, 3)).at[jnp.arange(7), batch.labels].set(1.0)
        return jnp.sum((plain_outputs(layers, batch.inputs) - goals) ** 2) / 14

    expected = jax.jit(jax.grad(loss))(plain_layers(params))
    delta, metrics, memory = jax.jit(backpropagation_update(SMOOTH, SIZES))(key, params, batch, ())
    for (weights, bias), low, up in zip(expected, SLICES[:-1], SLICES[1:], strict=True):
        np.testing.assert_allclose(delta.weights[up, low], -weights, atol=1e-6)
        np.testing.assert_allclose(delta.weights[low, up], -weights.T, atol=1e-6)
        np.testing.assert_allclose(delta.bias[up], -bias, atol=1e-6)
    assert float(jnp.max(jnp.abs(delta.weights))) > 1e-3
    assert bool(jnp.all(jnp.where(learning.layered_mask(SIZES), 0, delta.weights) == 0))
    assert bool(jnp.all(delta.bias[SLICES[0]] == 0))
    assert float(metrics["loss"]) == pytest.approx(float(loss(plain_layers(params))), rel=1e-5)
    wrong = np.asarray(forward_class(params, batch.inputs, SMOOTH, SIZES)) != np.asarray(batch.labels)
    assert float(metrics["error"]) == pytest.approx(wrong.mean())
    assert memory == ()


def test_a_tiny_data_set_is_learnt_by_heart(key):
    sizes, rho = (4, 12, 3), rates.hard_sigmoid()
    data = Labelled(jax.random.uniform(key, (9, 4), float, -0.5, 0.5), jnp.arange(9) % 3)
    learner = learning.Learner(backpropagation_update(rho, sizes), optax.adam(0.02))
    state = learning.start(learner, learning.random_layers(key, sizes, input_rate=0.5))
    for epoch in range(200):
        epoch_key = jax.random.fold_in(key, epoch)
        state, _ = learning.train_epoch(epoch_key, learner, state, data, learning.layered_mask(sizes), 3)
    assert forward_class(state.params, data.inputs, rho, sizes).tolist() == data.labels.tolist()
