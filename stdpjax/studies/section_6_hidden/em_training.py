"""Learning a known model of one visible and one hidden unit by MCMC-EM score matching and by maximum likelihood."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from stdpjax.dynamics import HeatHyper, Langevin
from stdpjax.energy import Params
from stdpjax.learning import Clamped, Learner, apply_update, em_update, start_chains
from stdpjax.learning import start as start_training
from stdpjax.random import member_keys, named_key
from stdpjax.theory.em_laws import SIGMOID, divergence, grid, law, likelihood_delta, of_visible

METHODS = ("impatient", "dropped", "patient", "likelihood")


def two_units(theta: Float[Array, "two"], hidden_bias: Float[Array, ""]) -> Params:
    """Return a visible and a hidden unit from their weight and the visible one's bias."""
    return Params(theta[0] * (1 - jnp.eye(2, dtype=theta.dtype)), jnp.stack([theta[1], hidden_bias]))


@partial(jax.jit, static_argnames="config")
def train_all(key: Key[Array, ""], config: Any) -> Float[Array, "seed method update two"]:
    """Return weight and visible bias before each update, for each method and seed."""
    hidden_bias = jnp.asarray(config.hidden_bias, float)
    place = grid(2, config.n_nodes)
    truth = law(two_units(jnp.asarray(config.truth, float), hidden_bias), place, SIGMOID)
    first = two_units(jnp.asarray(config.start, float), hidden_bias)
    data_law = of_visible(truth, place, 1)
    # Finer, for sampling: the grid of quadrature has few nodes.
    fine, line = jnp.linspace(-6, 6, 1201), place.states[:: place.shape[0], 0]
    density = jnp.interp(fine, line, data_law[:, 0] / jnp.sqrt(jnp.diagonal(place.measure.reshape(place.shape))))
    probability = density / jnp.sum(density)
    reached = jnp.cumsum(probability) - 0.5 * probability
    hyper = HeatHyper(jnp.asarray(config.step, float))
    mask = ~jnp.eye(2, dtype=bool)
    visible_units = jnp.array([True, False])  # not at import: that would start the devices before a cluster is joined

    def learner(rule, n_steps: int = 1, n_burn_in: int = 0) -> Learner:
        update = em_update(
            SIGMOID, Langevin(SIGMOID), visible_units, hyper, rule=rule, n_steps=n_steps, n_burn_in=n_burn_in
        )
        return Learner(update, optax.sgd(config.learning_rate))

    # In the order of METHODS, but for the likelihood, which needs no chains.
    patient = learner("exact", config.n_patient, config.n_burn_in)
    learners = [learner("exact"), learner("dropped"), patient]

    def one_seed(which, key):
        values = jnp.interp(jax.random.uniform(named_key(key, "data"), (config.n_samples,), float), reached, fine)
        values = jnp.stack([values, jnp.zeros_like(values)], axis=1)
        batch = Clamped(values, jnp.arange(config.n_samples))
        chains = start_chains(named_key(key, "chains"), values, visible_units)
        steps_key = named_key(key, "steps")
        # The data's own law: hat functions about the nodes of the visible unit.
        right = jnp.clip(jnp.searchsorted(line, values[:, 0]), 1, line.shape[0] - 1)
        share = jnp.clip((values[:, 0] - line[right - 1]) / (line[right] - line[right - 1]), 0, 1)
        seen = jnp.zeros_like(line).at[right].add(share).at[right - 1].add(1 - share) / config.n_samples

        def by_chains(one: Learner, key, params, chains):
            delta, _, chains = one.update(key, params, batch, chains)
            return delta, chains

        def likelihood(key, params, chains):
            model = law(params, place, SIGMOID)
            visible = of_visible(model, place, 1)
            joint = (model.reshape(place.shape) * seen[:, None] / jnp.maximum(visible, 1e-30)).ravel()
            return likelihood_delta(joint, model, place), chains

        branches = [*(partial(by_chains, one) for one in learners), likelihood]

        def step(state, number):
            step_key = jax.random.fold_in(steps_key, number)
            delta, memory = jax.lax.switch(which, branches, step_key, state.params, state.memory)
            delta = delta._replace(bias=jnp.where(visible_units, delta.bias, 0.0))
            moved = apply_update(learners[0], state._replace(memory=memory), delta, mask)
            return moved, jnp.stack([state.params.weights[0, 1], state.params.bias[0]])

        numbers = jnp.arange(config.n_updates, dtype=jnp.uint32)
        return jax.lax.scan(step, start_training(learners[0], first, chains), numbers)[1]

    keys = member_keys(key, config.n_seeds)
    # A method after the other, so that each runs its own branch alone.
    paths = jax.lax.map(lambda which: jax.vmap(partial(one_seed, which))(keys), jnp.arange(len(METHODS)))
    return jnp.moveaxis(paths, 0, 1)


@partial(jax.jit, static_argnames="config")
def divergences(theta: Float[Array, "place two"], config: Any) -> Float[Array, "place"]:
    """Return how far models are from the truth, in the law of the visible unit (Kullback-Leibler, nats)."""
    hidden_bias, place = jnp.asarray(config.hidden_bias, float), grid(2, config.n_nodes)

    def visible(theta):
        return of_visible(law(two_units(theta, hidden_bias), place, SIGMOID), place, 1)

    truth = visible(jnp.asarray(config.truth, float))
    return jax.lax.map(lambda theta: divergence(truth, visible(theta)), theta)
