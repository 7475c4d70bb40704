"""The fits of the score-matching study: by quadrature, with smoothed rates, and from samples."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from stdpjax.energy import energy_of
from stdpjax.objectives import Correction, kernel_density_at_kinks
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, hard_sigmoid, sigmoid, smoothed_hard_sigmoid
from stdpjax.stats import bootstrap
from stdpjax.theory.score_laws import (
    Build,
    Law,
    explicit,
    gradients_at_corners,
    implicit,
    mean_prediction_error,
    model_law,
    nodes,
    one_unit,
    stationary_points,
    two_units,
)

CORRECTIONS: tuple[Correction, ...] = ("dropped", "exact", "printed")


def bias_grid(config: Any) -> np.ndarray:
    """Return the biases at which the objectives are drawn, around the last bias of the data."""
    return np.linspace(-1.0, 1.5, 51) * max(abs(config.biases[-1]), 0.1)


def _lines(config: Any) -> tuple[Array, Array]:
    low, high = hard_sigmoid().kinks or (-0.5, 0.5)
    return nodes(jnp.asarray([low - 7, low, high, high + 7], float), config.n_nodes)


def _objectives(
    theta: Float[Array, "parameter"], law: Law, build: Build, rate_fn: RateFunction
) -> Float[Array, "estimator"]:
    return jnp.stack([implicit(theta, law, build, rate_fn, correction) for correction in CORRECTIONS])


def _gradients(law: Law, build: Build, rate_fn: RateFunction) -> Float[Array, "place estimator parameter"]:
    objectives = partial(_objectives, law=law, build=build, rate_fn=rate_fn)
    return gradients_at_corners(objectives, law.truth.shape[0])


@partial(jax.jit, static_argnames="config")
def fit(key: Key[Array, ""], config: Any) -> dict[str, Array]:
    """Return gradients and objectives of all laws of data by quadrature; the key draws parameters to compare at."""
    hard, smooth = hard_sigmoid(), sigmoid()
    line, measure = _lines(config)
    low, high = hard.kinks or (-0.5, 0.5)

    def one_hard(bias: Float[Array, ""], temperature: Float[Array, ""]):
        law = model_law(one_unit, bias[None], line[:, None], measure, hard, temperature)
        is_active = (law.states[:, 0] >= low) & (law.states[:, 0] <= high)
        share = jnp.sum(jnp.where(is_active, law.sample_weights, 0))
        at_kinks = jnp.zeros(2, float) if law.kink_density is None else law.kink_density[0, 0]
        closed = bias + temperature * (at_kinks[0] - at_kinks[1]) / share
        prediction = gradients_at_corners(lambda theta: mean_prediction_error(theta, law, one_unit, hard)[None], 1)
        return law, _gradients(law, one_unit, hard), closed, prediction, 1 - share

    biases = jnp.asarray((*config.biases, *[config.cold_bias] * len(config.temperatures)), float)
    temperatures = jnp.asarray((*[1.0] * len(config.biases), *config.temperatures), float)
    laws, gradients, closed, prediction, outside = jax.vmap(one_hard)(biases, temperatures)
    last = jax.tree.map(lambda leaf: leaf[len(config.biases) - 1], laws)

    one = jnp.ones((), float)
    curved = model_law(one_unit, jnp.asarray([config.smooth_bias], float), line[:, None], measure, smooth, one)
    plane = jnp.stack([part.ravel() for part in jnp.meshgrid(line, line, indexing="ij")], axis=1)
    truth = jnp.asarray([config.pair_weight, config.pair_bias], float)
    pair = model_law(two_units, truth, plane, (measure[:, None] * measure[None]).ravel(), hard, one)

    def objectives(law: Law, build: Build, rate_fn: RateFunction):
        def at(theta: Float[Array, "parameter"]) -> Float[Array, "objective"]:
            terms = [explicit(theta, law, build, rate_fn)]
            return jnp.stack(terms + [implicit(theta, law, build, rate_fn, which) for which in CORRECTIONS])

        return at

    def spread(differences: Float[Array, "theta objective"]) -> Float[Array, "estimator"]:
        away = differences[:, 1:] - differences[:, :1]
        return jnp.max(away, axis=0) - jnp.min(away, axis=0)

    random = jax.random.normal(key, (3, config.n_objectives, 2), float)
    grid = jnp.asarray(bias_grid(config), float)[:, None]
    values = jax.vmap(objectives(last, one_unit, hard))(jnp.concatenate([grid, random[0, :, :1]]))
    n_grid = grid.shape[0]
    others = (
        jax.vmap(objectives(curved, one_unit, smooth))(random[1, :, :1]),
        jax.vmap(objectives(pair, two_units, hard))(random[2]),
    )
    return {
        "one": gradients,
        "closed_form": closed,
        "prediction": prediction,
        "share_outside": outside,
        "smooth": _gradients(curved, one_unit, smooth),
        "pair": _gradients(pair, two_units, hard),
        "curves": values[:n_grid].T,
        "spread": jnp.stack([spread(part) for part in (values[n_grid:], *others)]),
    }


@partial(jax.jit, static_argnames="config")
def smoothed_gradients(noise_stds: Float[Array, "noise_std"], config: Any) -> Float[Array, "noise_std p e 1"]:
    """Gradients of smooth models for data of the hard one, at the last bias."""
    hard = hard_sigmoid()
    low, high = hard.kinks or (-0.5, 0.5)

    def one(noise_std: Float[Array, ""]) -> Float[Array, "place estimator 1"]:
        reach = 8 * noise_std
        breaks = jnp.stack([low - 7, low - reach, low, low + reach, high - reach, high, high + reach, high + 7])
        line, measure = nodes(breaks.astype(noise_std.dtype), config.n_nodes)
        truth = jnp.asarray(config.biases[-1:], float)
        law = model_law(one_unit, truth, line[:, None], measure, hard, jnp.ones((), float))
        return _gradients(law._replace(kink_density=None), one_unit, smoothed_hard_sigmoid(noise_std))

    return jax.lax.map(one, noise_stds)


@partial(jax.jit, static_argnames="config")
def _batch_gradients(keys: Key[Array, "batch"], config: Any):
    """Gradients of the objectives of each batch of samples at parameters (0, 0), (1, 0) and (0, 1)."""
    hard = hard_sigmoid()
    one, truth = jnp.ones((), float), jnp.asarray([config.pair_weight, config.pair_bias], float)
    # Of -E without its quadratic part, which is bilinear in the rates and so largest at a corner.
    most = max(0.0, config.pair_bias, config.pair_weight + 2 * config.pair_bias)

    def of_batch(key: Key[Array, ""]):
        propose, accept = jax.random.split(key)
        states = jax.random.normal(propose, (config.n_samples, 2), float)
        quadratic = 0.5 * jnp.sum(states**2, axis=1)
        gain = -jax.vmap(lambda state: energy_of(two_units(truth), state, hard))(states) + quadratic - most
        is_accepted = jax.random.uniform(accept, gain.shape, float) < jnp.exp(gain)
        # The first order of the bias, from the jump of the density's slope at the kinks, cancels.
        narrow, wide = (kernel_density_at_kinks(states, hard, width * config.bandwidth) for width in (1.0, 2.0))
        law = Law(states, is_accepted.astype(float) / config.n_samples, 2 * narrow - wide, one, truth)
        return _gradients(law, two_units, hard)

    return jax.lax.map(of_batch, keys)


def from_samples(key: Key[Array, ""], config: Any) -> dict[str, np.ndarray]:
    """Estimates from exact samples of the two units, by rejection, with a bootstrap over batches."""
    gradients = _batch_gradients(member_keys(named_key(key, "samples"), config.n_batches), config)

    found = bootstrap(
        named_key(key, "bootstrap"), stationary_points, np.asarray(gradients), n_resamples=config.n_resamples
    )
    return {"sampled": found.value, "sampled_low": found.low, "sampled_high": found.high}
