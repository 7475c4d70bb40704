"""Layered networks at rest, and what a pull of their visible layer does: first arrivals, growth and long simulations.

First arrivals are as small as step^5, which single precision does not resolve beside the state. The growth is therefore
that of the displacement itself, see `theory.layered.displacements`; the states are simulated too, for Eq 27 and for the
unstable networks, which leave the active region.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key

from stdpjax.clamps import InputClamp
from stdpjax.dynamics import LeakyIntegrator, StepHyper, transition
from stdpjax.energy import Params, target_of
from stdpjax.learning import layer_slices, layered_mask
from stdpjax.networks import network_at_rest, resting_bias, untie
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, either, hard_sigmoid, sigmoid
from stdpjax.rules import rate_update
from stdpjax.studies.measures import labelled, merged, on_host, required, stacked
from stdpjax.studies.network_runs import path_from
from stdpjax.theory.layered import chain_gradient, displacements, one_minus_cosine

RATES = {"hard": hard_sigmoid(), "smooth": sigmoid()}
# How far apart the curves over time are kept, in steps.
KEEP = 10


class Setup(NamedTuple):
    """A network at rest, in its variants, and what is done to it."""

    state: Float[Array, "unit"]
    pull: InputClamp
    feedback: Params
    """Tied and untied weights, on a leading axis."""
    stability: Params
    """Stable and unstable, on a leading axis; the first is the tied one above."""


def networks_with(
    key: Key[Array, ""],
    state: Float[Array, "unit"],
    masks: Bool[Array, "network unit unit"],
    rate_fn: RateFunction,
    largest: float,
) -> list[Params]:
    """Return a random network with each of the masks, all at rest in the same state."""
    keys = member_keys(key, masks.shape[0])
    every = jax.vmap(lambda one, mask: network_at_rest(one, state, mask, rate_fn, largest))(keys, masks)
    return [jax.tree.map(lambda array, index=index: array[index], every) for index in range(masks.shape[0])]


def networks_at_rest(key: Key[Array, ""], is_smooth: Bool[Array, ""], config: Any) -> Setup:
    """Return a random network at rest between the kinks, in its variants, and the goal of its visible layer."""
    # Either kind of rate in one program, as compiling takes longer here than running.
    n_units, rate_fn = sum(config.sizes), either(is_smooth, *RATES.values())
    state, offset = jax.random.uniform(named_key(key, "state"), (2, n_units), float, -1, 1)
    state = config.spread * state
    pull = InputClamp(jnp.arange(n_units) < config.sizes[0], state + config.distance * offset)
    masks = jnp.stack(2 * [layered_mask(config.sizes)])
    tied, other = networks_with(named_key(key, "weights"), state, masks, rate_fn, config.largest)
    hidden = tied.weights[config.sizes[0] :, config.sizes[0] :]
    # Those of the hidden units decide, as x follows its input. For the hard sigmoid W is R'.
    stronger = config.unstable / jnp.linalg.eigvalsh(hidden)[-1] * tied.weights
    unstable = Params(stronger, resting_bias(stronger, state, rate_fn))
    return Setup(state, pull, stacked(tied, untie(tied, other, state, rate_fn)), stacked(tied, unstable))


def follow_growth(is_smooth: Bool[Array, ""], setup: Setup, config: Any) -> dict[str, Array]:
    """Follow one network, tied and untied: first arrivals, and the growth over time."""
    layers, n_steps = layer_slices(config.sizes), len(config.steps)
    steps = jnp.array([*config.steps, config.growth_step], float)
    state, pull, rate_fn = setup.state, setup.pull, either(is_smooth, *RATES.values())

    def follow(params: Params) -> dict[str, Array]:
        by_weight, by_state = chain_gradient(params, state, rate_fn, layers, pull.value)
        paths = jax.vmap(lambda step: displacements(params, state, rate_fn, pull, step, config.n_steps))(steps)
        start = jnp.concatenate([jnp.zeros_like(state)[None], paths[n_steps - 1, : len(layers) - 1]])
        update = rate_update(start, paths[n_steps - 1, : len(layers)], rate_fn.value(state[None] + start))
        jacobian = jax.jacobian(lambda at: target_of(params, at, rate_fn))(state)
        return {
            "by_weight": by_weight,
            "by_state": by_state,
            "first": paths[:n_steps, : len(layers)],
            "grown": paths[n_steps, KEEP - 1 :: KEEP],
            "update": update,
            "asymmetry": jnp.max(jnp.abs(jacobian - jacobian.T)) / jnp.max(jnp.abs(jacobian)),
        }

    return jax.vmap(follow)(setup.feedback)


def angles(vectors: np.ndarray, gradient: np.ndarray, layers: tuple[slice, ...]) -> tuple[np.ndarray, str]:
    """Return how the units' last axes turn from minus a gradient, layer by layer, `[..., layer]`, and its name."""
    values = [one_minus_cosine(vectors[..., layer], -gradient[..., layer]) for layer in layers]
    return np.stack(values, axis=-1), "1 - cosine with -dC/dh_k"


def long_runs(keys: Key[Array, "network"], setups: Setup, gradient: np.ndarray, config: Any) -> xr.Dataset:
    """Return how stable and unstable networks with hard rates turn over time, and Eq 27 of the stable ones.

    The gradient of the squared error, `[network, unit]`, is what they turn from.
    """
    runs, setups = on_host((jax.jit(jax.vmap(partial(_simulate_long, config=config)))(keys, setups), setups))
    layers, state, trace = layer_slices(config.sizes), setups.state, runs["trace"]
    way = (setups.pull.value - state)[:, layers[0]]
    angle = angles(np.moveaxis(trace - state[:, None, None], 1, 0), gradient[None, :, None], layers)
    time = config.long_step * KEEP * np.arange(1, config.n_long // KEEP + 1)
    words = "networks that stay in the active region"
    return merged(
        labelled(("stability", "network", "long_time", "layer"), long_angle=angle),
        labelled(
            "network",
            objective=(runs["objective"], "J at the first step"),
            objective_at_once=(runs["objective_at_once"], "the same if hidden units saw where x has moved"),
            squared_error=np.sum(way**2, axis=1),
        ),
        required("network", words, is_inside=np.all(np.abs(trace[:, 0]) < 0.5, axis=(1, 2))),
        labelled((), "tau", long_step=(config.long_step, "step size of the long simulations")),
        stability=["stable", "unstable"],
        long_time=("long_time", time, {"units": "tau"}),
    )


def _simulate_long(key: Key[Array, ""], setup: Setup, config: Any) -> dict[str, Array]:
    """Simulate the stable and the unstable network with hard rates, and return Eq 27 of the stable one."""
    rate_fn, state, pull = RATES["hard"], setup.state, setup.pull
    stable = jax.tree.map(lambda array: array[0], setup.stability)
    kernel, hyper = LeakyIntegrator(rate_fn), StepHyper(config.long_step)
    path_of = jax.vmap(lambda params: path_from(kernel, params, state, hyper, config.n_long, key, (pull,)))
    moved = transition(stable, state, jnp.zeros_like(state), rate_fn, config.long_step, (pull,))
    at_once = transition(stable, jnp.where(pull.mask, moved, state), jnp.zeros_like(state), rate_fn, config.long_step)
    target = target_of(stable, state, rate_fn)
    return {
        "trace": path_of(setup.stability)[:, KEEP::KEEP],
        "objective": jnp.sum((target - moved) ** 2),
        "objective_at_once": jnp.sum((target - jnp.where(pull.mask, moved, at_once)) ** 2),
    }
