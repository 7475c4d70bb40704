"""Networks that learn while they relax, at every step or patiently, and how long a relaxation takes them then."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key

from stdpjax.clamps import Clamps, clamp_state
from stdpjax.dynamics import transition
from stdpjax.energy import Params
from stdpjax.fixed_points import relax, relaxation_time, spectral_stability
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
"""Shares of the first distance from the fixed point that are waited for."""
CHANGES = ("none", "patient", "impatient", "random", "mode")
"""Of the weights. The last two are symmetric, as large as what tells impatient from patient, and added to patient:
random, and what makes the slowest mode of the free units faster."""


class Settling(NamedTuple):
    """How a network relaxes."""

    relaxation_time: Float[Array, ""]
    """Time constant of the slowest mode; units held at a threshold are no part of it."""
    time: Float[Array, ""]
    """Simulated: time until the distance is down to the first of `SHARES`, mean over starts; NaN if it never is."""
    late_time: Float[Array, ""]
    """Simulated: time constant of the fall from the first to the second share; NaN if it is not reached."""
    converged: Bool[Array, ""]
    """Whether the fixed point was found."""


def settling(params: Params, starts: Float[Array, "start unit"], *, n_steps: int) -> Settling:
    """Return how a network of hard sigmoid units relaxes, from its spectrum and from simulations."""
    rate_fn = hard_sigmoid()
    found = relax(params, jnp.zeros_like(params.bias), rate_fn, step=0.5, tolerance=1e-6, max_steps=2000)
    low, high = rate_fn.kinks or (-jnp.inf, jnp.inf)
    is_free = (found.state > low + 1e-5) & (found.state < high - 1e-5)
    stability = spectral_stability(params, found.state, rate_fn, STEP, is_free=is_free)

    def advance(state: Float[Array, "unit"], _: None):
        state = transition(params, state, jnp.zeros_like(state), rate_fn, STEP)
        return state, jnp.linalg.norm(state - found.state)

    def times(start: Float[Array, "unit"]) -> tuple[Array, Array]:
        first = jnp.linalg.norm(start - found.state)
        _, distances = jax.lax.scan(advance, start, length=n_steps)
        path = jnp.log(jnp.concatenate([first[None], distances]) / first)

        def until(share: float) -> Float[Array, ""]:
            number = jnp.argmax(path <= jnp.log(share))
            before, after = path[number - 1], path[number]
            # The distance falls exponentially within a step.
            exact = number.astype(path.dtype) - (jnp.log(share) - after) / (before - after)
            return jnp.where(path[number] <= jnp.log(share), STEP * exact, jnp.nan)

        early, late = until(SHARES[0]), until(SHARES[1])
        return early, (late - early) / jnp.log(SHARES[0] / SHARES[1])

    early, late = jax.vmap(times)(starts)
    return Settling(relaxation_time(stability, STEP), jnp.mean(early), jnp.mean(late), found.converged)


class Case(NamedTuple):
    """A network and how it learns, in numbers."""

    centre: Float[Array, "*case"]
    """Activity of all units at the fixed point before learning."""
    rate: Float[Array, "*case"]
    """Factor on every update."""
    is_descent: Float[Array, "*case"]
    """1: down the whole gradient of J; 0: with the next state frozen, which for hidden units is Eq 1."""


def objective_update(
    params: Params, state: Float[Array, "unit"], clamps: Clamps, is_descent: Float[Array, ""]
) -> Float[Array, "post pre"]:
    """Return minus the gradient of J (Eq 19, no noise) over the step, by one weight for both directions of a pair."""
    rate_fn, still = hard_sigmoid(), jnp.zeros_like(state)

    def objective(weights: Float[Array, "post pre"]) -> Float[Array, ""]:
        changed = params._replace(weights=weights)
        now = transition(changed, state, still, rate_fn, STEP, clamps)
        goal = transition(changed, now, still, rate_fn, STEP, clamps)
        goal = is_descent * goal + (1 - is_descent) * jax.lax.stop_gradient(goal)
        return prediction_error(changed, state, still, goal, rate_fn, STEP)

    delta_w = -jax.grad(objective)(params.weights) / STEP
    return off_diagonal(delta_w + delta_w.T)


def learn(
    params: Params, starts: Float[Array, "relaxation unit"], case: Case, is_patient: Array, n_visible: int, n_steps: int
) -> Float[Array, "post pre"]:
    """Return weights after relaxations, the first units clamped, with updates at every step or, if patient, at the end.

    Patient is 1, impatient 0. A patient update counts as many times as there were steps.
    """
    is_visible = np.arange(starts.shape[1]) < n_visible

    def relax_once(weights: Float[Array, "post pre"], start: Float[Array, "unit"]):
        clamps = (clamp_state(is_visible, start),)

        def advance(carry: tuple[Array, Array], _: None):
            weights, state = carry
            now = params._replace(weights=weights)
            moved = transition(now, state, jnp.zeros_like(state), hard_sigmoid(), STEP, clamps)
            change = objective_update(now, state, clamps, case.is_descent)
            return (weights + (1 - is_patient) * case.rate * change, moved), None

        (weights, state), _ = jax.lax.scan(advance, (weights, start), length=n_steps)
        change = objective_update(params._replace(weights=weights), state, clamps, case.is_descent)
        return weights + is_patient * (1.0 * n_steps) * case.rate * change, None

    return jax.lax.scan(relax_once, params.weights, starts)[0]


@partial(
    jax.jit, static_argnames=("n_visible", "n_relaxations", "n_relaxation_steps", "n_inputs", "n_starts", "n_steps")
)
def settle_networks(
    keys: Key[Array, "network"],
    cases: Case,
    *,
    n_visible: int,
    n_relaxations: int,
    n_relaxation_steps: int,
    n_inputs: int,
    n_starts: int,
    n_steps: int,
) -> Settling:
    """Return how networks relax, inputs clamped; axes `[network, case, change, input]`, see `CHANGES`."""

    def one(key: Key[Array, ""], case: Case) -> Settling:
        params = centred_network(named_key(key, "weights"), case.centre, N_UNITS)
        inputs = jax.random.uniform(named_key(key, "inputs"), (n_inputs, n_visible), float, -0.3, 0.3)
        starts = jax.random.uniform(named_key(key, "starts"), (n_relaxations, N_UNITS), float, -0.5, 0.5)
        starts = starts.at[:, :n_visible].set(inputs[np.arange(n_relaxations) % n_inputs])
        patient, impatient = (
            learn(params, starts, case, is_patient, n_visible, n_relaxation_steps)
            for is_patient in jnp.array([1, 0], float)
        )
        random = jax.random.normal(named_key(key, "random"), params.weights.shape, float)
        mode = jnp.linalg.eigh(patient[n_visible:, n_visible:])[1][:, -1]
        mode = jnp.zeros_like(random).at[n_visible:, n_visible:].set(-mode[:, None] * mode[None, :])
        size = jnp.linalg.norm(impatient - patient)
        apart = (off_diagonal(change) for change in (random + random.T, mode))
        changed = (patient + size / jnp.linalg.norm(change) * change for change in apart)
        weights = jnp.stack([params.weights, patient, impatient, *changed])
        tests = jax.random.uniform(named_key(key, "tests"), (n_starts, N_UNITS - n_visible), float, -0.5, 0.5)

        def of_input(weights: Float[Array, "post pre"], value: Float[Array, "visible"]) -> Settling:
            bias = params.bias[n_visible:] + weights[n_visible:, :n_visible] @ hard_sigmoid().value(value)
            return settling(Params(weights[n_visible:, n_visible:], bias), tests, n_steps=n_steps)

        return jax.vmap(lambda weights: jax.vmap(partial(of_input, weights))(inputs))(weights)

    return jax.vmap(lambda key: jax.vmap(partial(one, key))(cases))(keys)


def log_ratio(data: xr.Dataset, name: str, case: str, after: str, before: str = "none") -> xr.DataArray:
    """Return the log ratio of a time after one change of the weights to that after another, for each network.

    Simulated times count where the network comes to rest after both, as others are caps; NaN if it never does.
    """
    logs: xr.DataArray = np.log(data[name].sel(case=case))  # pyright: ignore[reportAssignmentType]
    ratios = logs.sel(change=after) - logs.sel(change=before)
    if name == "time":
        settles = data.settles.sel(case=case)
        ratios = ratios.where(settles.sel(change=after) & settles.sel(change=before))
    return ratios.mean("input")


def mean_at_rest(ratios: xr.DataArray) -> Estimate:
    """Return the mean over networks of log ratios of simulated times, where there are any."""
    kept = ratios.values[~np.isnan(ratios.values)]
    return mean_interval(kept if len(kept) > 1 else ratios)
