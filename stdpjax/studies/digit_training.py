"""Training many networks together on labelled images: each has its own split, weights and order of the images."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from stdpjax._threads import map_threaded
from stdpjax.energy import Params, tie
from stdpjax.lab.train_settings import BACKPROPAGATION, RATE, TrainConfig, make_learner
from stdpjax.learning.backpropagation import backpropagation_update
from stdpjax.learning.data import Images, load_digits, load_images
from stdpjax.learning.layers import layered_mask, random_layers
from stdpjax.learning.supervised import Labelled, Phases, phase_update, settle
from stdpjax.learning.training import Learner, Update, start, train_epoch
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction
from stdpjax.studies.measures import cosine

# Share of the updates in which the step size rises. Adam's first steps are as large as any, move all outputs together,
# and leave some of them below the kink, where back-propagation has no slope to bring them back.
WARM_UP = 0.2
# The test images are run in parts; for the first one updates and gradients are compared, with phases that converge.
N_PARTS = 4
_N_LONG = 20


class Course(NamedTuple):
    """How the training of many networks by several rules went, at each stage; of one rule without the first axis."""

    accuracy: Float[Array, "*rule network stage"]
    """Share of the test images that are classified right; the first stage is before the first update."""
    alignment: Float[Array, "*rule network stage"]
    """Cosine of the update with minus the gradient of the settled network's loss, both for the test images; NaN where
    either is 0, as of a network whose outputs are all at kinks."""
    misalignment: Float[Array, "*rule network stage"]
    """The same with the gradient for other labels."""
    limit: Float[Array, "*rule network stage"]
    """The same for the symmetric rule with a weak pull and long phases, at the weights of each rule."""
    is_finite: Bool[Array, "*rule network"]


def images_of(data: str) -> Images:
    """Return the images that a study's setting names: "digits", or an `.npz` file."""
    return load_digits() if data == "digits" else load_images(data)


def draw_splits(
    key: Key[Array, ""], images: Images, n_networks: int, n_images: int, test_share: float
) -> tuple[Labelled, Labelled]:
    """Return training and test images for each network, drawn at random; the last one learns shuffled labels."""
    n_all = len(images.labels)
    n_used = min(n_images, n_all)
    n_test = N_PARTS * max(1, int(n_used * test_share / N_PARTS))
    keys = member_keys(named_key(key, "splits"), n_networks + 1)
    if images.is_test is None:
        order = jax.vmap(lambda one: jax.random.permutation(one, n_all))(keys)[:, :n_used]
        training, test = order[:, n_test:], order[:, :n_test]
    else:
        own = [np.flatnonzero(part) for part in (~images.is_test, images.is_test)]
        n_test = min(n_test, N_PARTS * (len(own[1]) // N_PARTS))
        if n_test == 0:
            raise ValueError(f"data: expected at least {N_PARTS} test images, got {len(own[1])}")
        training, test = (
            jax.vmap(lambda one, part=part: jax.random.permutation(one, jnp.asarray(part)))(keys)[:, :n]
            for part, n in zip(own, (n_used - n_test, n_test), strict=True)
        )
    low, _ = RATE.kinks or (-0.5, 0.5)
    inputs = jnp.asarray(images.pixels.reshape(n_all, -1), float) + low
    labels = jnp.asarray(images.labels)
    shuffled = jax.random.permutation(named_key(key, "shuffled"), labels[training[-1]])
    return Labelled(inputs[training], labels[training].at[-1].set(shuffled)), Labelled(inputs[test], labels[test])


def train_networks(
    key: Key[Array, ""],
    configs: tuple[TrainConfig, ...],
    sizes: tuple[int, ...],
    training: Labelled,
    test: Labelled,
    n_stages: int,
) -> Course:
    """Train a network on each of the splits by each of several rules, from the same weights and in the same order."""
    numbers = [jnp.asarray(number, jnp.int32) for number in range(len(configs))]
    # One program for all rules, compiled once.
    train = _train.lower(key, training, test, numbers[0], configs=configs, sizes=sizes, n_stages=n_stages).compile()
    courses = map_threaded(lambda number: train(key, training, test, number), numbers)
    return jax.tree.map(lambda *each: jnp.stack(each), *courses)


@partial(jax.jit, static_argnames=("configs", "sizes", "n_stages"))
def _train(key, training, test, number, *, configs, sizes, n_stages):
    """Train by the rule of a number; what depends on it is a branch."""
    config = configs[0]
    n_networks, n_training = training.labels.shape
    n_updates = n_stages * config.n_epochs * (n_training // config.batch_size)
    mask = layered_mask(sizes)
    long = Phases("symmetric", n_settle=_N_LONG, n_pulled=_N_LONG, pull=0.02, sizes=sizes, order="alternating")
    keys = member_keys(named_key(key, "networks"), n_networks)
    optimizer = _optimizer(config, n_updates)
    mean_rate = jnp.mean(RATE.value(training.inputs))
    starts = jax.vmap(lambda one: random_layers(one, sizes, config.gain, mean_rate))(keys)

    learner = Learner(_switched(number, configs, sizes), optimizer)

    def measure(params):
        def measured(one, params, unseen):
            parts = jax.tree.map(lambda leaf: leaf.reshape(N_PARTS, -1, *leaf.shape[1:]), unseen)

            def of_part(part):
                delta, metrics, _ = learner.update(one, params, part, ())
                return _row(delta, mask), metrics["error"]

            deltas, errors = jax.lax.map(of_part, parts)
            probe = jax.tree.map(lambda leaf: leaf[0], parts)
            weak, _, _ = phase_update(RATE, long, sizes[-1])(one, params, probe, ())
            labels = jnp.stack([probe.labels, jnp.roll(probe.labels, 1)])
            own, other = jax.vmap(
                lambda these: _row(settled_update(params, probe._replace(labels=these), long, sizes), mask)
            )(labels)
            pairs = ((deltas[0], own), (deltas[0], other), (_row(weak, mask), own))
            return 1 - jnp.mean(errors), *(cosine(update, slope) for update, slope in pairs)

        return jax.vmap(measured)(keys, params, test)

    def stage(states, index):
        def epoch(states, within):
            one_key = partial(jax.random.fold_in, data=index * config.n_epochs + within)
            epoch_keys = jax.vmap(one_key)(keys)
            states, _ = jax.vmap(
                lambda one, state, data: train_epoch(one, learner, state, data, mask, config.batch_size)
            )(epoch_keys, states, training)
            return states, None

        states, _ = jax.lax.scan(epoch, states, jnp.arange(config.n_epochs, dtype=jnp.uint32))
        return states, states.params

    states = jax.vmap(partial(start, learner))(starts)
    last, later = jax.lax.scan(stage, states, jnp.arange(n_stages, dtype=jnp.uint32))
    each = jax.tree.map(lambda early, late: jnp.concatenate([early[None], late]), starts, later)
    accuracy, alignment, misalignment, limit = (values.T for values in jax.lax.map(measure, each))
    return Course(accuracy, alignment, misalignment, limit, last.is_finite)


def _switched(number: Int[Array, ""], configs: tuple[TrainConfig, ...], sizes: tuple[int, ...]) -> Update:
    """Return the update function of the rule of a number, which may be traced."""
    updates = [
        backpropagation_update(_leaky(), sizes)
        if config.rule == BACKPROPAGATION
        else make_learner(config, sizes, 1).update
        for config in configs
    ]

    def one_of(update, key, params, batch):
        delta, metrics, _ = update(key, params, batch, ())
        return delta, {"error": metrics["error"]}

    branches = [partial(one_of, update) for update in updates]

    def update(key, params, batch, memory):
        return (*jax.lax.switch(number, branches, key, params, batch), memory)

    return update


def _leaky() -> RateFunction:
    """The rate function with a slope of 0.1 where it is flat, so that back-propagation can wake silent outputs."""

    @jax.custom_jvp
    def value(activity):
        return RATE.value(activity)

    @value.defjvp
    def _(primals, tangents):
        (activity,), (tangent,) = primals, tangents
        return value(activity), jnp.maximum(RATE.slope(activity), 0.1) * tangent

    return RateFunction(value, RATE.slope, RATE.kinks)


def _optimizer(config: TrainConfig, n_updates: int) -> optax.GradientTransformation:
    """Adam; its step size rises from a twentieth and then falls to 0 along a cosine."""
    n_rising = max(1, int(WARM_UP * n_updates))
    steps = optax.warmup_cosine_decay_schedule(config.learning_rate / 20, config.learning_rate, n_rising, n_updates)
    return optax.chain(optax.scale_by_adam(), optax.scale_by_learning_rate(steps))


def settled_update(params: Params, batch: Labelled, phases: Phases, sizes: tuple[int, ...]) -> Params:
    """Return minus the gradient of the mean squared error / 2 of the settled outputs, differentiated step by step."""
    goals = (RATE.kinks or (-0.5, 0.5))[0] + jax.nn.one_hot(batch.labels, sizes[-1], dtype=batch.inputs.dtype)

    def loss(params):
        outputs = settle(params, batch.inputs, RATE, phases)[:, -sizes[-1] :]
        return 0.5 * jnp.mean(jnp.sum((outputs - goals) ** 2, axis=1))

    slope = jax.grad(loss)(params)
    return Params(-(slope.weights + slope.weights.T), -slope.bias)


def _row(update: Params, mask: Bool[Array, "unit unit"]) -> Float[Array, "weight"]:
    return jnp.ravel(jnp.where(mask, tie(update.weights), 0.0))
