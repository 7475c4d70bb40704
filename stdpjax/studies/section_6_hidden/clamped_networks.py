"""Networks with clamped units: the two parts of the objective as they relax, after one update, and under noise."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from stdpjax.clamps import clamp_state
from stdpjax.dynamics import transition
from stdpjax.energy import Params, energy_of, random_params, target_of
from stdpjax.objectives import prediction_error
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.studies.network_runs import drift_at

N_NOISY = 8  # networks that are given noise


def clamped_network(key: Key[Array, ""], n_visible: int, n_hidden: int) -> tuple[Params, Float[Array, "unit"]]:
    """Return a random tied network and a state between the kinks, whose first units are the clamped ones."""
    params_key, state_key = jax.random.split(key)
    n_units = n_visible + n_hidden
    return random_params(params_key, n_units, 0.3), jax.random.uniform(state_key, (n_units,), float, -0.3, 0.3)


def slope_of(params: Params, state: Float[Array, "unit"]) -> Float[Array, "unit"]:
    """Return the gradient of the energy, by automatic differentiation."""
    return jax.grad(lambda state: energy_of(params, state, hard_sigmoid()))(state)


def relaxation(
    params: Params, start: Float[Array, "unit"], step: Float[Array, ""], n_visible: int, n_steps: int
) -> dict[str, Array]:
    """Relax the hidden units without noise, the first units clamped, and return the objective along the way."""
    rate_fn, still = hard_sigmoid(), jnp.zeros_like(start)
    is_visible = np.arange(start.shape[0]) < n_visible
    clamps = (clamp_state(is_visible, start),)

    def advance(state: Float[Array, "unit"], _: None):
        return transition(params, state, still, rate_fn, step, clamps), state

    end, path = jax.lax.scan(advance, start, None, length=n_steps + 2)
    bends = jax.hessian(lambda state: energy_of(params, state, rate_fn))(end)[n_visible:, n_visible:]
    slowest = jnp.linalg.eigvalsh(bends)[0]

    def at(before: Float[Array, "unit"], now: Float[Array, "unit"], after: Float[Array, "unit"]) -> dict[str, Array]:
        before_slope, now_slope = slope_of(params, before), slope_of(params, now)
        error = partial(prediction_error, params, before, still, after, rate_fn, step)
        return {
            "total": error(),
            "printed": 0.5 * jnp.sum((after - before + step * before_slope) ** 2),
            "printed_now": 0.5 * jnp.sum((after - before + step * now_slope) ** 2),
            "hidden": error(~jnp.asarray(is_visible)),
            "gradient_now": jnp.linalg.norm(now_slope[n_visible:]),
            "gradient_before": jnp.linalg.norm(before_slope[n_visible:]),
            "visible_gradient": jnp.linalg.norm(before_slope[:n_visible]),
            "two_steps": jnp.linalg.norm((after - before)[n_visible:]),
            "slowest": slowest,
        }

    return jax.vmap(at)(path[:-2], path[1:-1], path[2:])


def one_update(
    key: Key[Array, ""],
    params: Params,
    before: Float[Array, "unit"],
    step: Float[Array, ""],
    rate: Float[Array, ""],
    n_visible: int,
) -> Float[Array, "four"]:
    """Return log ratios of the energy gradient's norm after to before one gradient step on the weights.

    Of the clamped units after a step down J_x, with h_(t-1); of the hidden ones, at the h_t that is reached, after a
    step down J_h with the target frozen, down its true gradient, and after a random change as large as the first of
    these. A pair has one weight.
    """
    rate_fn, still = hard_sigmoid(), jnp.zeros_like(before)
    is_visible = np.arange(before.shape[0]) < n_visible
    clamps, visible = (clamp_state(is_visible, before),), jnp.asarray(is_visible)

    def moved(params: Params, state: Float[Array, "unit"]) -> Float[Array, "unit"]:
        return transition(params, state, still, rate_fn, step, clamps)

    def objective(weights: Float[Array, "post pre"], mask: Array, is_frozen: bool) -> Float[Array, ""]:
        changed = params._replace(weights=weights)
        used = params if is_frozen else changed
        return prediction_error(changed, before, still, moved(used, moved(used, before)), rate_fn, step, mask)

    def tied(change: Float[Array, "post pre"]) -> Float[Array, "post pre"]:
        return jnp.where(np.eye(before.shape[0], dtype=bool), 0.0, change + change.T)

    def log_ratio(change: Float[Array, "post pre"], is_hidden: bool) -> Float[Array, ""]:
        def norm(weights: Float[Array, "post pre"]) -> Float[Array, ""]:
            changed = params._replace(weights=weights)
            slope = slope_of(changed, moved(changed, before) if is_hidden else before)
            return jnp.linalg.norm(jnp.where(visible != is_hidden, slope, 0.0))

        return jnp.log(norm(params.weights + change) / norm(params.weights))

    asked = ((visible, True), (~visible, True), (~visible, False))
    changes = [tied(-rate * jax.grad(objective)(params.weights, *which)) for which in asked]
    random = tied(jax.random.normal(key, params.weights.shape, float))
    changes.append(jnp.linalg.norm(changes[1]) / jnp.linalg.norm(random) * random)
    return jnp.stack([log_ratio(change, is_hidden=number > 0) for number, change in enumerate(changes)])


def noisy_objective(
    key: Key[Array, ""], params: Params, state: Float[Array, "unit"], noise_std: Array, n_visible: int, n_draws: int
) -> Float[Array, "four"]:
    """Return, in units of step^2, J_x under noise, its standard error, |dE/dx|^2 / 2, and the noise's part."""
    rate_fn = hard_sigmoid()
    visible = jnp.arange(state.shape[0]) < n_visible
    eta = noise_std * jax.random.normal(key, (n_draws, *state.shape), state.dtype)
    # Of a clamped unit x - f_x = step (x - R_x), whatever the step: take 1.
    values = jax.vmap(lambda noise: prediction_error(params, state, noise, state, rate_fn, 1.0, visible))(eta)
    plain = 0.5 * jnp.sum(slope_of(params, state)[:n_visible] ** 2)
    decay = 0.5 * noise_std**2 * jnp.sum(params.weights[:n_visible] ** 2)
    return jnp.stack([jnp.mean(values), jnp.std(values) / jnp.sqrt(1.0 * n_draws), plain, decay])


@partial(jax.jit, static_argnames=("n_visible", "n_hidden", "n_times", "n_draws"))
def measure(key, steps, strength, noise_std, large_noise_std, *, n_visible, n_hidden, n_times, n_draws, keys):
    """Return relaxations, updates and noisy J_x of all networks, and Eq 20 with noise and without, and where."""
    params, states = jax.vmap(lambda key: clamped_network(key, n_visible, n_hidden))(keys)

    relax = partial(relaxation, n_visible=n_visible, n_steps=n_times)
    of_steps = jax.vmap(lambda params, start: jax.vmap(lambda step: relax(params, start, step))(steps))
    update = partial(one_update, step=steps[-1], rate=strength / steps[-1] ** 2, n_visible=n_visible)
    few, near = jax.tree.map(lambda leaf: leaf[:N_NOISY], (params, states))
    drift_keys, noise_keys = (member_keys(named_key(key, name), N_NOISY) for name in ("drift", "noise"))
    under_noise = partial(noisy_objective, noise_std=noise_std, n_visible=n_visible, n_draws=n_draws)
    # Twice as far out: near the kinks and beyond.
    far = 2 * near
    mean, error = jax.vmap(partial(drift_at, noise_std=large_noise_std, n_draws=n_draws))(drift_keys, few, far)
    plain = jax.vmap(lambda params, state: target_of(params, state, hard_sigmoid()))(few, far)
    noisy = jax.vmap(under_noise)(noise_keys, few, near)
    updates = jax.vmap(update)(jax.vmap(lambda key: named_key(key, "random"))(keys), params, states)

    def off_descent(params: Params, state: Float[Array, "unit"], step: Float[Array, ""]) -> Float[Array, "unit"]:
        moved = transition(params, state, jnp.zeros_like(state), hard_sigmoid(), step)
        return moved - (state - step * slope_of(params, state))

    # Eq 20 without noise.
    off = jax.vmap(lambda step: jax.vmap(partial(off_descent, step=step))(few, far))(steps)
    return of_steps(params, states), updates, noisy, (mean - plain, error, plain, off), (few, far)
