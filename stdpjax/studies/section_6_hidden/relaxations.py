"""Networks that learn while they relax, at every step or patiently, and how soon they forget their start then."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key

from stdpjax.clamps import Clamps, clamp_state
from stdpjax.dynamics import transition
from stdpjax.energy import Params
from stdpjax.networks import centred_network
from stdpjax.objectives import prediction_error
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.stats import Estimate, mean_interval
from stdpjax.studies.measures import off_diagonal

N_UNITS = 8
"""Units of a network."""
STEP = 0.1
"""Step over time constant of all relaxations here."""
SHARES = (0.05, 0.005)
"""Shares of the first distance between starts: one that is waited for, and one where they have come to rest."""
CHANGES = ("none", "patient", "impatient", "mode")
"""Of the weights. The last one is as large as what tells impatient from patient, is added to patient, and makes the
slowest mode of the free units faster."""


def forgetting(params: Params, starts: Array, noise: Array, is_clamped: Bool[Array, "unit"]) -> Float[Array, "share"]:
    """Return the times until the means of noisy chains, over draws, have come as near each other as `SHARES` has it.

    All starts `[start, unit]` have the same inputs and see the same noise `[time, draw, unit]`, so that what is left of
    their distances is that of the means of their laws. NaN where they never do.
    """
    clamps = (clamp_state(is_clamped, starts[0]),)

    def move(state: Float[Array, "unit"], eta: Float[Array, "unit"]) -> Float[Array, "unit"]:
        return transition(params, state, eta, hard_sigmoid(), STEP, clamps)

    def advance(states: Float[Array, "draw start unit"], eta: Float[Array, "draw unit"]):
        states = jax.vmap(jax.vmap(move, (0, None)))(states, eta)
        return states, jnp.linalg.norm(jnp.std(states.mean(0), axis=0))

    def until(share: float) -> Float[Array, ""]:
        number = jnp.argmax(path <= jnp.log(share))
        before, after = path[number - 1], path[number]
        # The distance falls exponentially within a step.
        exact = number.astype(path.dtype) - (jnp.log(share) - after) / (before - after)
        return jnp.where(path[number] <= jnp.log(share), STEP * exact, jnp.nan)

    _, distances = jax.lax.scan(advance, jnp.broadcast_to(starts, (noise.shape[1], *starts.shape)), noise)
    path = jnp.log(distances / jnp.linalg.norm(jnp.std(starts, axis=0)))
    path = jnp.concatenate([jnp.zeros_like(path[:1]), path])
    return jnp.stack([until(share) for share in SHARES])


class Case(NamedTuple):
    """A network and how it learns, in numbers."""

    n_visible: Float[Array, "*case"]
    """The first so many units are clamped."""
    centre: Float[Array, "*case"]
    """Activity of all units at the fixed point before learning."""
    rate: Float[Array, "*case"]
    """Factor on every update."""
    is_descent: Float[Array, "*case"]
    """1: down the whole gradient of J; 0: with the next state frozen, which for hidden units is Eq 1."""
    noise_std: Float[Array, "*case"]
    """Of the noise of Eq 7 while it learns."""
    later_std: Float[Array, "*case"]
    """The same afterwards, while it is measured."""


def objective_update(
    params: Params, state: Array, clamps: Clamps, is_descent: Array, noise: Float[Array, "two unit"]
) -> Float[Array, "post pre"]:
    """Return minus the gradient of J (Eq 19) over the step, by one weight for both directions of a pair."""
    rate_fn = hard_sigmoid()

    def objective(weights: Float[Array, "post pre"]) -> Float[Array, ""]:
        changed = params._replace(weights=weights)
        now = transition(changed, state, noise[0], rate_fn, STEP, clamps)
        goal = transition(changed, now, noise[1], rate_fn, STEP, clamps)
        goal = is_descent * goal + (1 - is_descent) * jax.lax.stop_gradient(goal)
        return prediction_error(changed, state, noise[0], goal, rate_fn, STEP)

    delta_w = -jax.grad(objective)(params.weights) / STEP
    return off_diagonal(delta_w + delta_w.T)


def learn(
    params: Params, starts: Array, noise: Array, case: Case, is_patient: Array, n_steps: int
) -> Float[Array, "post pre"]:
    """Return weights after relaxations, the first units clamped, with updates at every step or, if patient, after them.

    Patient is 1, impatient 0. A patient update is the mean over the steps after a relaxation, which end one before the
    noise `[relaxation, time, unit]` does, and counts as many times as the relaxation had steps.
    """
    is_visible = jnp.arange(starts.shape[1], dtype=float) < case.n_visible
    is_early = (jnp.arange(noise.shape[1] - 1) < n_steps).astype(float)

    def relax_once(weights: Float[Array, "post pre"], given: tuple[Array, Array]):
        start, noise = given
        clamps = (clamp_state(is_visible, start),)

        def advance(carry: tuple[Array, Array, Array], given: tuple[Array, Array]):
            (weights, state, late), (is_early, two) = carry, given
            now = params._replace(weights=weights)
            moved = transition(now, state, two[0], hard_sigmoid(), STEP, clamps)
            change = case.rate * objective_update(now, state, clamps, case.is_descent, two)
            return (weights + (1 - is_patient) * is_early * change, moved, late + (1 - is_early) * change), None

        pairs = jnp.stack([noise[:-1], noise[1:]], axis=1)
        (weights, _, late), _ = jax.lax.scan(advance, (weights, start, jnp.zeros_like(weights)), (is_early, pairs))
        return weights + is_patient * (n_steps / (len(pairs) - n_steps)) * late, None

    return jax.lax.scan(relax_once, params.weights, (starts, noise))[0]


@partial(jax.jit, static_argnames="config")
def settle_networks(
    keys: Key[Array, "network"], cases: Case, config: Any
) -> Float[Array, "network case change input share"]:
    """Return the times of `forgetting` of networks that have learned, inputs clamped; see `CHANGES` and `SHARES`."""

    def one(key: Key[Array, ""], case: Case) -> Float[Array, "change input share"]:
        def uniform(name: str, reach: float, *shape: int) -> Float[Array, "... unit"]:
            return jax.random.uniform(named_key(key, name), (*shape, N_UNITS), float, -reach, reach)

        def normal(name: str, std: Float[Array, ""], *shape: int) -> Float[Array, "... unit"]:
            return std * jax.random.normal(named_key(key, name), (*shape, N_UNITS), float)

        params = centred_network(named_key(key, "weights"), case.centre, N_UNITS)
        is_visible = jnp.arange(N_UNITS, dtype=float) < case.n_visible
        inputs = uniform("inputs", 0.3, config.n_inputs)
        starts = uniform("starts", 0.5, config.n_relaxations)
        starts = jnp.where(is_visible, inputs[np.arange(config.n_relaxations) % config.n_inputs], starts)
        noise = normal("noise", case.noise_std, config.n_relaxations, 2 * config.n_relaxation_steps + 1)
        patient, impatient = (
            learn(params, starts, noise, case, is_patient, config.n_relaxation_steps)
            for is_patient in jnp.array([1, 0], float)
        )
        is_free = ~is_visible[:, None] & ~is_visible[None, :]
        mode = jnp.linalg.eigh(jnp.where(is_free, patient, 0))[1][:, -1]
        mode = off_diagonal(-mode[:, None] * mode[None, :])
        size = jnp.linalg.norm(impatient - patient) / jnp.linalg.norm(mode)
        weights = jnp.stack([params.weights, patient, impatient, patient + size * mode])
        tests = jnp.where(is_visible, inputs[:, None], uniform("tests", 0.5, config.n_inputs, config.n_starts))
        draws = normal("draws", case.later_std, config.n_steps, config.n_draws)

        timed = jax.vmap(lambda one, starts: forgetting(one, starts, draws, is_visible), (None, 0))
        return jax.vmap(lambda weights: timed(params._replace(weights=weights), tests))(weights)

    return jax.vmap(lambda key: jax.vmap(partial(one, key))(cases))(keys)


def mean_ratio(data: xr.Dataset, case: str | list[str], after: str, before: str = "none") -> Estimate:
    """Return the mean over networks of the log ratio of a time after one change of the weights to that after another.

    Cases and inputs count with which the starts of a network have come near each other after both.
    """
    near = data.sel(case=case, share=SHARES[0])
    logs = np.log(near.time.where(near.is_reached))
    ratios = logs.sel(change=after) - logs.sel(change=before)
    ratios = ratios.mean([dim for dim in ratios.dims if dim != "network"]).values
    kept = ratios[~np.isnan(ratios)]
    return mean_interval(kept if len(kept) > 1 else ratios)
