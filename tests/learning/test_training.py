"""The loop that applies updates: order, masks, ties, bounds, several seeds, and what is not finite."""

import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from stdpjax import learning, rates
from stdpjax.energy import Params
from stdpjax.learning import Learner, TrainState, apply_update, start, train_epoch
from tests.tracing import is_traced, may_be_traced, watched

SIZES = (3, 4, 2)
N = sum(SIZES)
MASK = learning.layered_mask(SIZES)


def towards_data(key, params, batch, memory):
    """An update that depends on key, parameters, batch and memory."""
    noise = jax.random.normal(key, params.weights.shape)
    delta = Params(jnp.mean(batch) - params.weights + noise, jnp.sum(batch) * jnp.ones(N))
    return delta, {"mean": jnp.mean(batch)}, memory + jnp.sum(batch)


def recording(key, params, batch, memory):
    """Remember the batches: what came first, and the key's bits."""
    row, seen = memory
    delta = jax.tree.map(jnp.zeros_like, params)
    return delta, {"mean": jnp.mean(batch.astype(float))}, (row + 1, seen.at[row].set(batch))


def one_minus_the_number(key, params, batch, memory):
    """Not a number once the memory has counted to 2."""
    value = jnp.where(memory == 2, jnp.nan, 1.0)
    return Params(jnp.full((N, N), value), jnp.ones(N)), {"value": value}, memory + 1


@pytest.fixture
def params(key):
    return learning.random_layers(key, SIZES)


def test_an_epoch_is_the_plain_loop_over_its_batches(key, params):
    learner = Learner(towards_data, optax.sgd(0.1))
    data = jnp.arange(7.0) / 7
    state, metrics = train_epoch(key, learner, start(learner, params, jnp.array(0.0)), data, MASK, 3)

    order = np.asarray(jax.random.permutation(jax.random.fold_in(key, 0), 7))
    weights, bias = np.asarray(params.weights), np.asarray(params.bias)
    means = []
    for number, members in enumerate(order[:6].reshape(2, 3)):
        batch = data[members]
        noise = np.asarray(jax.random.normal(jax.random.fold_in(key, number + 1), (N, N)))
        delta = float(batch.mean()) - weights + noise
        delta = np.where(np.asarray(MASK), 0.5 * (delta + delta.T), 0)
        weights, bias = weights + 0.1 * delta, bias + 0.1 * float(batch.sum())
        means.append(float(batch.mean()))
    np.testing.assert_allclose(state.params.weights, weights, atol=1e-5)
    np.testing.assert_allclose(state.params.bias, bias, atol=1e-5)
    np.testing.assert_allclose(metrics["mean"], np.mean(means), rtol=1e-5)
    np.testing.assert_allclose(state.memory, float(data[order[:6]].sum()), rtol=1e-5)
    assert int(state.n_updates) == 2


def test_an_epoch_takes_each_sample_once_in_an_order_that_the_key_decides(key, params):
    learner = Learner(recording, optax.sgd(0.1))
    memory = (jnp.array(0), jnp.full((3, 4), -1))
    run = lambda key: train_epoch(key, learner, start(learner, params, memory), jnp.arange(12), MASK, 4)[0].memory[1]  # noqa: E731
    first, again, other = run(key), run(key), run(jax.random.fold_in(key, 1))
    assert sorted(first.ravel().tolist()) == list(range(12))
    assert first.tolist() == again.tolist() != other.tolist()


def test_other_keys_states_and_data_compile_nothing(key, params):
    learner = Learner(watched(towards_data), optax.sgd(0.1))
    data = jnp.arange(7.0) / 7
    with may_be_traced():
        state, _ = train_epoch(key, learner, start(learner, params, jnp.zeros(())), data, MASK, 3)
    train_epoch(jax.random.fold_in(key, 1), learner, state, 2 * data, MASK, 3)
    # Power: another size of batches is another program.
    with is_traced():
        train_epoch(key, learner, state, data, MASK, 2)


def test_samples_that_fill_no_batch_are_left_out(key, params):
    learner = Learner(recording, optax.sgd(0.1))
    memory = (jnp.array(0), jnp.full((2, 5), -1))
    seen = train_epoch(key, learner, start(learner, params, memory), jnp.arange(12), MASK, 5)[0].memory[1]
    assert len(set(seen.ravel().tolist())) == 10


def test_masked_weights_stay_nothing_and_ties_stay_equal_under_any_optimiser(key, params):
    data = jax.random.normal(key, (8,))
    for optimizer in (optax.adam(0.1), optax.chain(optax.add_decayed_weights(0.1), optax.sgd(0.1))):
        learner = Learner(towards_data, optimizer)
        state = start(learner, params, jnp.array(0.0))
        state, _ = train_epoch(key, learner, state, data, MASK, 2)
        weights = state.params.weights
        assert bool(jnp.all(jnp.where(MASK, 0, weights) == 0))
        np.testing.assert_allclose(weights, weights.T, atol=3e-7)
        assert bool(jnp.any(weights != params.weights))


def test_untied_weights_go_their_own_ways(key, params):
    learner = Learner(towards_data, optax.sgd(0.3), tied=False)
    state, _ = train_epoch(key, learner, start(learner, params, jnp.array(0.0)), jnp.ones(4), MASK, 2)
    assert bool(jnp.all(jnp.where(MASK, 0, state.params.weights) == 0))
    assert float(jnp.max(jnp.abs(state.params.weights - state.params.weights.T))) > 0.1


@pytest.mark.parametrize("bounds", [(-0.3, 0.2), (0.1, 0.4)])
def test_weights_keep_to_their_bounds_and_absent_ones_stay_0(key, params, bounds):
    learner = Learner(towards_data, optax.sgd(1.0), bounds=bounds)
    state, _ = train_epoch(key, learner, start(learner, params, jnp.array(0.0)), jnp.ones(4), MASK, 2)
    present = state.params.weights[np.asarray(MASK)]
    assert float(present.min()) == pytest.approx(bounds[0])
    assert float(present.max()) == pytest.approx(bounds[1])
    assert bool(jnp.all(jnp.where(MASK, 0, state.params.weights) == 0))


def test_seeds_trained_together_are_those_trained_alone():
    rho = rates.hard_sigmoid()
    learner = Learner(learning.phase_update(rho, learning.Phases(n_settle=3, n_pulled=2), 2), optax.adam(0.01))
    keys = jax.vmap(jax.random.key)(jnp.arange(3))
    inputs = jax.random.uniform(keys[0], (8, 3), float, -0.5, 0.5)
    data = learning.Labelled(inputs, jnp.arange(8) % 2)

    def epoch(key):
        state = start(learner, learning.random_layers(key, SIZES))
        return train_epoch(key, learner, state, data, MASK, 2)

    together, metrics = jax.vmap(epoch)(keys)
    for number, key in enumerate(keys):
        alone, its_metrics = epoch(key)
        np.testing.assert_allclose(together.params.weights[number], alone.params.weights, atol=1e-6)
        np.testing.assert_allclose(metrics["loss"][number], its_metrics["loss"], rtol=1e-5)
    assert float(jnp.std(metrics["loss"])) > 1e-4


def test_an_update_that_is_not_finite_leaves_everything_as_it_was_before_it(key, params):
    learner = Learner(one_minus_the_number, optax.adam(0.1))
    before, _ = train_epoch(key, learner, start(learner, params, jnp.array(0)), jnp.arange(4.0), MASK, 2)
    assert bool(before.is_finite)
    after, metrics = train_epoch(key, learner, before, jnp.arange(12.0), MASK, 2)
    assert not bool(after.is_finite)
    chex.assert_trees_all_equal(after._replace(is_finite=before.is_finite), before)
    assert int(after.n_updates) == 2  # so the third one was at fault
    assert not np.isfinite(metrics["value"])


def test_a_seed_that_is_not_finite_does_not_stop_the_others(key, params):
    learner = Learner(one_minus_the_number, optax.sgd(0.1))
    states = jax.vmap(lambda memory: start(learner, params, memory))(jnp.array([0, 5]))
    run = jax.vmap(lambda state: train_epoch(key, learner, state, jnp.arange(8.0), MASK, 2)[0])
    states = run(states)
    assert states.is_finite.tolist() == [False, True]
    assert states.n_updates.tolist() == [2, 4]


def test_what_overflows_in_the_step_is_noticed_too(params):
    learner = Learner(towards_data, optax.sgd(1.0))
    state = start(learner, params)
    huge = Params(jnp.full((N, N), 1.5e38), jnp.zeros(N))
    state = apply_update(learner, state, huge, MASK)
    for _ in range(2):
        state = apply_update(learner, state, huge, MASK)
    assert not bool(state.is_finite)
    assert int(state.n_updates) == 1
    assert bool(jnp.all(jnp.isfinite(state.params.weights)))


def test_the_optimiser_has_no_part_in_which_way_is_up(params):
    """delta is to be added: a plain step of rate 1 adds it."""
    learner = Learner(towards_data, optax.sgd(1.0))
    delta = Params(jnp.ones((N, N)), jnp.full(N, -2.0))
    state = apply_update(learner, start(learner, params), delta, MASK)
    np.testing.assert_allclose(state.params.weights - params.weights, MASK.astype(float), atol=1e-6)
    np.testing.assert_allclose(state.params.bias - params.bias, -2.0, atol=1e-6)


def test_what_cannot_be_trained_is_refused(key, params):
    learner = Learner(towards_data, optax.sgd(1.0))
    with pytest.raises(ValueError, match="symmetric"):
        start(learner, Params(params.weights.at[0, 4].add(1.0), params.bias))
    with pytest.raises(ValueError, match="bounds: expected a finite number above 1"):
        start(learner._replace(bounds=(1.0, -1.0)), params)
    state = start(learner, params, jnp.array(0.0))
    for batch_size in (0, 5, -1):
        with pytest.raises(ValueError, match="batch_size: expected a whole number"):
            train_epoch(key, learner, state, jnp.ones(4), MASK, batch_size)


def test_layer_rates_scale_each_connection_and_the_biases_above_it():
    factors = (2.0, 0.0)
    steps = Params(jnp.ones((N, N)), jnp.ones(N))
    scaled: Params = learning.scale_layers(SIZES, factors).update(steps, ())[0]  # pyright: ignore[reportAssignmentType]
    layers = learning.layer_slices(SIZES)
    for (below, above), factor in zip(itertools.pairwise(layers), factors, strict=True):
        for block in (scaled.weights[below, above], scaled.weights[above, below], scaled.bias[above]):
            assert set(np.asarray(block).ravel().tolist()) == {factor}
    assert set(np.asarray(scaled.bias[layers[0]]).tolist()) == {1.0}
    assert isinstance(
        start(Learner(towards_data, optax.sgd(1.0)), learning.random_layers(jax.random.key(0), SIZES)), TrainState
    )


def test_masks_that_would_untie_or_lose_weights_are_refused(key, params):
    data, half = jnp.ones(4), jnp.asarray(np.triu(MASK))
    tied, untied = (Learner(towards_data, optax.sgd(0.1), tied=tied) for tied in (True, False))
    zero = jax.tree.map(jnp.zeros_like, params)
    for learner, start_params, mask, message in (
        (tied, zero, half, "mask: expected a symmetric one for tied weights, got 20 weights without their reverse"),
        (untied, zero, jnp.ones((N, N), bool), "mask: expected False on the diagonal, got 9 units"),
        (untied, params, half, "mask: expected one that has all weights that are not 0, got 20 outside of it"),
    ):
        state = start(learner, start_params, jnp.array(0.0))
        with pytest.raises(ValueError, match=message):
            train_epoch(key, learner, state, data, mask, 2)
        with pytest.raises(ValueError, match=message):
            apply_update(learner, state, zero, mask)
    # Without ties one direction may be there alone.
    state, _ = train_epoch(key, untied, start(untied, zero, jnp.array(0.0)), data, half, 2)
    assert bool(jnp.all((state.params.weights != 0) == half))


def test_weights_that_the_layers_do_not_have_are_refused(params):
    dense = Params(params.weights + 0.1 * (1 - jnp.eye(N) - MASK.astype(float)), params.bias)
    rho = rates.hard_sigmoid()
    message = r"weights: expected 0 but between neighbouring layers of sizes \(3, 4, 2\), got 32 others"
    inputs, layered = jnp.zeros((2, 3)), learning.Phases(sizes=SIZES)
    labelled = learning.Labelled(inputs, jnp.array([0, 1]))
    update = learning.phase_update(rho, layered, 2)
    backward = learning.backpropagation_update(rho, SIZES)
    for call in (
        lambda: start(Learner(update, optax.sgd(0.1)), dense),
        lambda: start(Learner(backward, optax.sgd(0.1)), dense),
        lambda: learning.settle(dense, inputs, rho, layered),
        lambda: learning.predict(dense, inputs, rho, layered, 2),
        lambda: learning.forward_class(dense, inputs, rho, SIZES),
        lambda: learning.take_layers(dense.weights, SIZES),
        lambda: update(jax.random.key(0), dense, labelled, ()),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    assert learning.settle(dense, inputs, rho, learning.Phases()).shape == (2, 6)


def test_parameters_that_are_not_finite_and_another_number_of_classes_are_refused(params):
    rho, inputs = rates.hard_sigmoid(), jnp.zeros((2, 3))
    bad = params._replace(bias=params.bias.at[-1].set(jnp.nan))
    phases = learning.Phases(sizes=SIZES)
    for call in (
        lambda: learning.settle(bad, inputs, rho, phases),
        lambda: learning.predict(bad, inputs, rho, phases, 2),
        lambda: learning.forward(bad, inputs, rho, SIZES),
        lambda: learning.forward_class(bad, inputs, rho, SIZES),
    ):
        with pytest.raises(ValueError, match="bias: expected finite numbers, got 1 of 9"):
            call()
    with pytest.raises(ValueError, match="n_outputs: expected 2, the last of the layers' sizes, got 6"):
        learning.predict(params, inputs, rho, phases, 6)
