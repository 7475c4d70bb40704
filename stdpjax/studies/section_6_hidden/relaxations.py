"""Networks that learn while they relax, at every step or patiently, and how long a relaxation takes them then."""

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
        early, late = (_time_to(share, jnp.concatenate([first[None], distances])) for share in SHARES)
        return early, (late - early) / jnp.log(SHARES[0] / SHARES[1])

    early, late = jax.vmap(times)(starts)
    return Settling(relaxation_time(stability, STEP), jnp.mean(early), jnp.mean(late), found.converged)


def _time_to(share: float, distances: Float[Array, "time"]) -> Float[Array, ""]:
    """Return when a distance is down to a share of the first; NaN if it never is."""
    path = jnp.log(distances / distances[0])
    number = jnp.argmax(path <= jnp.log(share))
    before, after = path[number - 1], path[number]
    # The distance falls exponentially within a step.
    exact = number.astype(path.dtype) - (jnp.log(share) - after) / (before - after)
    return jnp.where(path[number] <= jnp.log(share), STEP * exact, jnp.nan)


def forgetting(
    params: Params, starts: Float[Array, "start unit"], noise: Float[Array, "time draw unit"]
) -> Float[Array, ""]:
    """Return the time until the means of noisy chains from some starts, over draws, are as near as `SHARES` has it.

    All starts see the same noise, so that what is left of their distances is that of the means of their laws.
    """

    def move(state: Float[Array, "unit"], eta: Float[Array, "unit"]) -> Float[Array, "unit"]:
        return transition(params, state, eta, hard_sigmoid(), STEP)

    def advance(states: Float[Array, "draw start unit"], eta: Float[Array, "draw unit"]):
        states = jax.vmap(lambda each, one: jax.vmap(lambda state: move(state, one))(each))(states, eta)
        return states, jnp.linalg.norm(jnp.std(states.mean(0), axis=0))

    first = jnp.broadcast_to(starts, (noise.shape[1], *starts.shape))
    _, distances = jax.lax.scan(advance, first, noise)
    return _time_to(SHARES[0], jnp.concatenate([jnp.linalg.norm(jnp.std(starts, axis=0))[None], distances]))


class Case(NamedTuple):
    """A network and how it learns, in numbers."""

    centre: Float[Array, "*case"]
    """Activity of all units at the fixed point before learning."""
    rate: Float[Array, "*case"]
    """Factor on every update."""
    is_descent: Float[Array, "*case"]
    """1: down the whole gradient of J; 0: with the next state frozen, which for hidden units is Eq 1."""


def objective_update(
    params: Params,
    state: Float[Array, "unit"],
    clamps: Clamps,
    is_descent: Float[Array, ""],
    noise: Float[Array, "two unit"],
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
    params: Params,
    starts: Float[Array, "relaxation unit"],
    noise: Float[Array, "relaxation time unit"],
    case: Case,
    is_patient: Array,
    n_visible: int,
    n_steps: int,
) -> Float[Array, "post pre"]:
    """Return weights after relaxations, the first units clamped, with updates at every step or, if patient, after them.

    Patient is 1, impatient 0. A patient update is the mean over the steps after a relaxation, of which the noise lasts
    one more, and counts as many times as the relaxation had steps.
    """
    is_visible = np.arange(starts.shape[1]) < n_visible
    is_early = jnp.arange(noise.shape[1] - 1) < n_steps

    def relax_once(weights: Float[Array, "post pre"], given: tuple[Array, Array]):
        start, noise = given
        clamps = (clamp_state(is_visible, start),)

        def advance(carry: tuple[Array, Array, Array], given: tuple[Array, Array]):
            (weights, state, late), (is_early, two) = carry, given
            now = params._replace(weights=weights)
            moved = transition(now, state, two[0], hard_sigmoid(), STEP, clamps)
            change = case.rate * objective_update(now, state, clamps, case.is_descent, two)
            return (weights + (1 - is_patient) * is_early * change, moved, late + ~is_early * change), None

        pairs = jnp.stack([noise[:-1], noise[1:]], axis=1)
        (weights, _, late), _ = jax.lax.scan(advance, (weights, start, jnp.zeros_like(weights)), (is_early, pairs))
        return weights + is_patient * (n_steps / (len(pairs) - n_steps)) * late, None

    return jax.lax.scan(relax_once, params.weights, (starts, noise))[0]


_SIZES = ("n_visible", "n_relaxations", "n_relaxation_steps", "n_inputs", "n_starts", "n_steps", "n_draws")


@partial(jax.jit, static_argnames=_SIZES)
def settle_networks(
    keys: Key[Array, "network"],
    cases: Case,
    noise_std: float | Array = 0.0,
    *,
    n_visible: int,
    n_relaxations: int,
    n_relaxation_steps: int,
    n_inputs: int,
    n_starts: int,
    n_steps: int,
    n_draws: int = 0,
) -> Any:
    """Return how networks relax, inputs clamped; axes `[network, case, change, input]`, see `CHANGES`.

    With draws of noise it is the time of `forgetting`, after learning with that noise.
    """

    def one(key: Key[Array, ""], case: Case) -> Any:
        params = centred_network(named_key(key, "weights"), case.centre, N_UNITS)
        inputs = jax.random.uniform(named_key(key, "inputs"), (n_inputs, n_visible), float, -0.3, 0.3)
        starts = jax.random.uniform(named_key(key, "starts"), (n_relaxations, N_UNITS), float, -0.5, 0.5)
        starts = starts.at[:, :n_visible].set(inputs[np.arange(n_relaxations) % n_inputs])
        n_noisy = n_relaxation_steps + (n_relaxation_steps if n_draws else 1) + 1
        noise, draws = (
            noise_std * jax.random.normal(named_key(key, name), size, float)
            for name, size in (
                ("noise", (n_relaxations, n_noisy, N_UNITS)),
                ("draws", (n_steps, n_draws, N_UNITS - n_visible)),
            )
        )
        patient, impatient = (
            learn(params, starts, noise, case, is_patient, n_visible, n_relaxation_steps)
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

        def of_input(weights: Float[Array, "post pre"], value: Float[Array, "visible"]) -> Any:
            bias = params.bias[n_visible:] + weights[n_visible:, :n_visible] @ hard_sigmoid().value(value)
            free = Params(weights[n_visible:, n_visible:], bias)
            return forgetting(free, tests, draws) if n_draws else settling(free, tests, n_steps=n_steps)

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
