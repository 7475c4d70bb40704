"""Training many networks together on labelled images: each has its own split, weights and order of the images."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from stdpjax import _checks
from stdpjax._threads import map_threaded
from stdpjax.lab.train_settings import BACKPROPAGATION, RATE, TrainConfig
from stdpjax.lab.train_task import as_rates
from stdpjax.learning.backpropagation import backpropagation_update
from stdpjax.learning.data import Images, load_digits, load_images, load_mnist
from stdpjax.learning.labelled import Labelled
from stdpjax.learning.layers import layered_mask, random_layers
from stdpjax.learning.supervised import phase_update
from stdpjax.learning.training import Learner, Update, start, train_epoch
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction

# Share of the updates in which the step size rises. Adam's first steps are as large as any, move all outputs together,
# and leave some of them below the kink, where back-propagation has no slope to bring them back.
WARM_UP = 0.2


def images_of(data: str) -> Images:
    """Return the images that a study's setting names: "mnist", "digits", or an `.npz` file."""
    bundled = {"digits": load_digits, "mnist": load_mnist}
    return bundled[data]() if data in bundled else load_images(data)


def draw_split(
    random: np.random.Generator, images: Images, n_images: int, n_test: int
) -> tuple[Int[np.ndarray, "training"], Int[np.ndarray, "test"]]:
    """Return numbers of so many images, for training and for the test: each from its own part where data have one."""
    if images.is_test is None:
        order = random.permutation(len(images.labels))[:n_images]
        return order[n_test:], order[:n_test]
    test, training = (np.flatnonzero(part) for part in (images.is_test, ~images.is_test))
    _checks.count("n_test", n_test, maximum=len(test))
    return random.permutation(training)[: n_images - n_test], random.permutation(test)[:n_test]


def draw_splits(
    key: Key[Array, ""], images: Images, n_networks: int, n_images: int, test_share: float
) -> tuple[Labelled, Labelled]:
    """Return training and test images for each network, with rates as activities."""
    n_all = len(images.labels)
    n_used = min(n_images, n_all)
    n_there = n_all if images.is_test is None else int(images.is_test.sum())
    n_test = min(max(1, int(n_used * test_share)), n_there)
    keys = jax.random.key_data(member_keys(named_key(key, "splits"), n_networks))
    drawn = [draw_split(np.random.default_rng(np.asarray(one)), images, n_used, n_test) for one in keys]
    data, (training, test) = jax.tree.map(np.asarray, as_rates(images)), map(np.stack, zip(*drawn, strict=True))
    training, test = (jax.device_put(Labelled(*(leaf[part] for leaf in data))) for part in (training, test))
    return training, test


def train_networks(
    key: Key[Array, ""],
    configs: tuple[TrainConfig, ...],
    sizes: tuple[int, ...],
    training: Labelled,
    test: Labelled,
    n_stages: int,
) -> tuple[Float[np.ndarray, "rule network stage"], Bool[np.ndarray, "rule network"]]:
    """Train a network on each of the splits by each of several rules, from the same weights and in the same order.

    Return shares of the test images classified right after each stage, and which networks are finite.
    """
    numbers = [np.int32(number) for number in range(len(configs))]
    # One program for all rules, compiled once.
    train = _train.lower(key, training, test, numbers[0], configs=configs, sizes=sizes, n_stages=n_stages).compile()
    found = map_threaded(lambda number: train(key, training, test, number), numbers)
    return jax.tree.map(lambda *each: np.stack(each), *found)


@partial(jax.jit, static_argnames=("configs", "sizes", "n_stages"))
def _train(key, training, test, number, *, configs, sizes, n_stages):
    """Train by the rule of a number; what depends on it is a branch."""
    config = configs[0]
    n_networks, n_training = training.labels.shape
    n_updates = n_stages * config.n_epochs * (n_training // config.batch_size)
    mask = layered_mask(sizes)
    keys = member_keys(named_key(key, "networks"), n_networks)
    mean_rate = jnp.mean(RATE.value(training.inputs))
    starts = jax.vmap(lambda one: random_layers(one, sizes, config.gain, mean_rate))(keys)
    learner = Learner(_switched(number, configs, sizes), _optimizer(config, n_updates))

    def measure(params):
        errors = jax.vmap(lambda key, params, batch: learner.update(key, params, batch, ())[1]["error"])(
            keys, params, test
        )
        return 1 - errors

    def stage(states, index):
        def epoch(states, within):
            one_key = partial(jax.random.fold_in, data=index * config.n_epochs + within)
            epoch_keys = jax.vmap(one_key)(keys)
            states, _ = jax.vmap(
                lambda one, state, data: train_epoch(one, learner, state, data, mask, config.batch_size)
            )(epoch_keys, states, training)
            return states, None

        states, _ = jax.lax.scan(epoch, states, jnp.arange(config.n_epochs, dtype=jnp.uint32))
        return states, measure(states.params)

    states = jax.vmap(partial(start, learner))(starts)
    last, later = jax.lax.scan(stage, states, jnp.arange(n_stages, dtype=jnp.uint32))
    return later.T, last.is_finite


def _switched(number: Int[Array, ""], configs: tuple[TrainConfig, ...], sizes: tuple[int, ...]) -> Update:
    """Return the update function of the rule of a number, which may be traced."""

    def by_rule(config, key, params, batch):
        if config.rule == BACKPROPAGATION:
            update = backpropagation_update(_leaky(), sizes)
        else:
            update = phase_update(RATE, config.phases(sizes), sizes[-1])
        delta, metrics, _ = update(key, params, batch, ())
        return delta, {"error": metrics["error"]}

    branches = [partial(by_rule, config) for config in configs]

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
