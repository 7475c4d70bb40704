"""Is the paper's noisy leaky integration a Langevin chain? What its noise is and adds up to (Eq 7, 14 and 15)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax import _checks
from stdpjax.dynamics import NoisyIntegrator, transition
from stdpjax.energy import Params, energy_of
from stdpjax.fixed_points import relax
from stdpjax.lab import Estimate, Progress, Study, at_most, within
from stdpjax.lab.settings import STEP, TRAINS, configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, hard_sigmoid, smoothed_hard_sigmoid
from stdpjax.stats import mean_interval, normal_interval
from stdpjax.studies.measures import (
    labelled,
    largest_with_margin,
    limits,
    merged,
    on_device,
    on_host,
    refutes,
    required,
    supports,
)
from stdpjax.studies.network_runs import cases, networks, settled_states
from stdpjax.studies.section_4_energy.langevin_noise_figure import plot
from stdpjax.theory.linear_noise import BASIS, linear_variance, weights_of_modes

# Moves the fixed point away from rest, so that it depends on the noise.
_OFFSET = np.array([0.2, -0.1, 0.1, 0.0])
# The hard sigmoid without its kinks: noise of any size leaves the network linear.
_LINEAR = RateFunction(lambda activity: jnp.asarray(activity) + 0.5, jnp.ones_like)
_SQUARE = "activity^2"
_FINITE = "trials with finite states"


@configuration
class LangevinNoiseConfig:
    """Settings of the study of the noise; activities are in units of the hard sigmoid's width."""

    noise_std: float = setting(0.3, "standard deviation of the noise eta on each unit", **STEP)
    modes: tuple[float, ...] = setting((-0.5, 0.3, 0.6), "eigenvalues; a fourth makes the sum 0", above=-3, below=1)
    steps: tuple[float, ...] = setting((0.05, 0.2, 0.5), "step over time constant", **STEP, distinct=True)
    n_linear_trials: int = setting(5120, "runs of the linear network at each step", **TRAINS)
    n_linear_steps: int = setting(1280, "their steps; the first quarter is dropped", multiple_of=40)
    walk_step: float = setting(0.1, "step of the runs whose noise term is correlated in time", **STEP)
    n_walks: int = setting(1024, "how many of these runs", **TRAINS)
    n_walk_steps: int = setting(500, "their steps", at_least=10)
    small_step: float = setting(0.005, "step of the runs whose mean state is measured", **STEP)
    n_mean_pairs: int = setting(256, "pairs of these runs, with noise of opposite sign", **TRAINS)
    n_mean_steps: int = setting(3600, "their steps; the first 7/9 are dropped", multiple_of=45)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _checks.number("modes", -sum(self.modes), above=-3, below=1)
        if len(self.modes) != 3 or 0 in self.modes or sum(self.modes) == 0:
            raise ValueError(f"modes: expected three numbers other than 0, whose sum is not 0, got {self.modes}")


def _off_law(variance: xr.DataArray, data: xr.Dataset) -> xr.DataArray:
    return np.abs(variance / data.predicted_variance - 1)


def _at_one_temperature(data: xr.Dataset) -> xr.DataArray:
    """Return the variances under exp(-E/T), with the T that fits all modes best at each step."""
    stiffness = 1 - data.mode
    return np.exp(np.log(stiffness * data.variance).mean("mode")) / stiffness


def _long_run(data: xr.Dataset) -> Estimate:
    law = float(data.predicted_long_run_variance)
    return normal_interval(float(data.long_run_variance) / law, float(data.long_run_variance_error) / law)


CLAIMS = (
    limits(
        "sec3.3.bounded",
        "Largest growth of the mean square of the state with noise, first to last third of a run, over its mean.",
        criterion=at_most(0.05),
        measure=lambda data: largest_with_margin(np.abs(data.growth), data.growth_error),
        control=lambda data: data.walk_growth,
        control_is="white noise added up: a random walk",
    ),
    supports(
        "eq14.algebra",
        "Largest difference of a step of Eq 6 with noise from step (eta_t - dE/ds(s~_t)), along runs.",
        criterion=at_most(2e-6, double=1e-14),
        measure=lambda data: data.off_eq14,
        control=lambda data: data.off_clean,
        control_is="the gradient at s_t, as in a Langevin step",
    ),
    refutes(
        "sec4.1.variance",
        "Largest relative difference of the variance along an eigenvector of the weights, eigenvalue m, from "
        "step noise^2 m^2 / ((1-m) (2 - step (1-m))), linear rates, over eigenvectors and steps.",
        criterion=at_most(0.02),
        measure=lambda data: largest_with_margin(
            _off_law(data.variance, data), data.variance_error / data.predicted_variance
        ),
        control=lambda data: _off_law(_at_one_temperature(data), data).max("mode").min(),
        control_is="exp(-E/T) with the temperature that fits best",
        note=lambda data: (
            f"{data.variance.size} modes and steps; that of exp(-E) is "
            f"{float((data.target_variance / data.variance).min()):.0f} times as large or more."
        ),
    ),
    refutes(
        "sec4.1.long_run",
        "Variance that the noise term of Eq 15 adds up to over long times, per step, relative to step^2 noise^2.",
        criterion=within(1.0, 0.1),
        measure=_long_run,
        control=lambda data: data.white_long_run_variance / data.predicted_long_run_variance,
        control_is="white noise of the same variance",
        note=lambda data: (
            f"Measured {float(data.long_run_variance):.3g}; Langevin noise has 2 step = {2 * float(data.walk_step):g}."
        ),
    ),
    supports(
        "eq15.algebra",
        "Largest difference of what the noisy state does beyond descending, from eta_(t+1) - (1-step) eta_t.",
        criterion=at_most(2e-6, double=1e-14),
        measure=lambda data: data.off_eq15,
        control=lambda data: data.off_differences,
        control_is="eta_(t+1) - eta_t, the leak of the noise forgotten",
    ),
    limits(
        "eq7.smoothed",
        "Largest difference of the mean state at a small step from the fixed point with rates smoothed by the noise.",
        criterion=at_most(5e-4),
        measure=lambda data: largest_with_margin(
            np.abs(data.mean_state - data.smoothed_fixed_point), data.mean_state_error
        ),
        control=lambda data: np.abs(data.mean_state - data.plain_fixed_point).max(),
        control_is="the fixed point s = R(s) without noise",
    ),
)


def run(key: Key[Array, ""], config: LangevinNoiseConfig, progress: Progress) -> xr.Dataset:
    """Run linear and hard-sigmoid networks under the paper's noise and measure it."""
    modes = np.array([*config.modes, -sum(config.modes)])
    weights = weights_of_modes(modes)
    balance = -0.5 * weights.sum(1)
    progress(0.0, "linear network")
    linear = _linear_modes(key, modes, config)
    progress(0.4, "noise term")
    noise = _noise_term(key, on_device(weights), on_device(balance + _OFFSET), config)
    progress(0.6, "mean state")
    mean = _mean_states(named_key(key, "mean"), weights, 0.5 * balance + _OFFSET, config)
    return merged(
        linear,
        noise,
        mean,
        step=("step", np.array(config.steps), {"long_name": "step over time constant"}),
        mode=("mode", modes, {"long_name": "eigenvalue of the weights"}),
        noise_std=((), config.noise_std, {"units": "activity"}),
        walk_step=((), config.walk_step, {"long_name": "step over time constant of the correlated runs"}),
    )


def _linear_modes(key: Key[Array, ""], modes: np.ndarray, config: LangevinNoiseConfig) -> xr.Dataset:
    steps, weights, kernel = np.array(config.steps), weights_of_modes(modes), NoisyIntegrator(_LINEAR)
    params = networks([weights] * steps.size, [-0.5 * weights.sum(1)] * steps.size)
    numbers, n_steps = cases(kernel, step=steps, noise_std=config.noise_std), config.n_linear_steps
    sizes = {"n_trials": config.n_linear_trials, "n_steps": n_steps, "n_settling": n_steps // 4, "every": 10}
    found = settled_states(named_key(key, "linear"), params, kernel, numbers, **sizes)
    square = (np.asarray(found.states, np.float64) @ BASIS) ** 2
    variance = mean_interval(square.mean(2), axis=1)
    growth = mean_interval(_gain(square), axis=1)
    return merged(
        labelled(
            ("step", "mode"),
            _SQUARE,
            variance=(variance.value, "variance of a linear mode"),
            variance_error=variance.standard_error,
            predicted_variance=linear_variance(modes[None], steps[:, None], config.noise_std),
        ),
        labelled("step", growth=(growth.value, "growth of the mean square"), growth_error=growth.standard_error),
        labelled("mode", _SQUARE, target_variance=(1 / (1 - modes), "variance of the mode under exp(-E)")),
        required("trial", _FINITE, linear_is_finite=np.asarray(found.is_finite).all(0)),
    )


def _gain(square: np.ndarray) -> np.ndarray:
    """Return how much squares `[..., trial, time, unit]` grow from the first to the last third, over their mean."""
    n_third = square.shape[-2] // 3
    gain = square[..., -n_third:, :].mean(-2) - square[..., :n_third, :].mean(-2)
    return (gain / square.mean((-3, -2))[..., None, :]).mean(-1)


def _noise_term(key: Key[Array, ""], weights: Array, bias: Array, config: LangevinNoiseConfig) -> xr.Dataset:
    """What the noise term of Eq 15 is and adds up to, beside white noise of the same variance."""
    step, noise_std = (jnp.asarray(number, float) for number in (config.walk_step, config.noise_std))
    size = {"n_walks": config.n_walks, "n_steps": config.n_walk_steps}
    nu, off = on_host(_noisy_walks(named_key(key, "walk"), Params(weights, bias), step, noise_std, **size))
    white = np.asarray(jax.random.normal(named_key(key, "white"), nu.shape, float), np.float64) * nu.std()
    long_run = _long_run_variance(nu)
    return merged(
        labelled((), **dict(zip(("off_eq14", "off_clean", "off_eq15", "off_differences"), off.max(0), strict=True))),
        labelled((), walk_growth=_gain(np.cumsum(white, axis=1) ** 2).mean()),
        labelled(
            (),
            _SQUARE,
            long_run_variance=long_run.value,
            long_run_variance_error=long_run.standard_error,
            predicted_long_run_variance=config.walk_step**2 * config.noise_std**2,
            white_long_run_variance=_long_run_variance(white).value,
        ),
    )


@partial(jax.jit, static_argnames=("n_walks", "n_steps"))
def _noisy_walks(
    key: Key[Array, ""], params: Params, step: Array, noise_std: Array, *, n_walks: int, n_steps: int
) -> tuple[Float[Array, "walk time unit"], Float[Array, "walk four"]]:
    """Return the noise term nu of Eq 15 along walks of the paper's dynamics, and how far the algebra is off.

    nu_t is what the noisy state does beyond descending the energy at itself. The largest differences: of a step from
    Eq 14, the gradient at the noisy state or the state, and of nu from eta' - (1 - step) eta or from eta' - eta.
    """
    rate_fn = hard_sigmoid()

    def walk(key: Key[Array, ""]) -> tuple[Float[Array, "time unit"], Float[Array, "four"]]:
        eta = noise_std * jax.random.normal(key, (n_steps + 1, params.bias.shape[0]), params.bias.dtype)

        def advance(state: Float[Array, "unit"], noise: Float[Array, "unit"]):
            return transition(params, state, noise, rate_fn, step), state

        _, states = jax.lax.scan(advance, jnp.zeros_like(params.bias), eta)
        seen, slope = states + eta, jax.vmap(jax.grad(lambda state: energy_of(params, state, rate_fn)))
        moved, down = states[1:] - states[:-1], slope(seen[:-1])
        nu = seen[1:] - seen[:-1] + step * down
        steps = (moved - step * (eta[:-1] - each) for each in (down, slope(states[:-1])))
        off = *steps, nu - (eta[1:] - (1 - step) * eta[:-1]), nu - (eta[1:] - eta[:-1])
        return nu, jnp.stack([jnp.max(jnp.abs(part)) for part in off])

    return jax.vmap(walk)(member_keys(key, n_walks))


def _long_run_variance(series: np.ndarray) -> Estimate:
    """Return the variance that a series adds up to over long times, per step.

    A sum over time with weights that rise and fall smoothly: the noise term nearly cancels in any plain sum, all but
    its ends. Each walk and unit gives one independent estimate.
    """
    taper = np.hanning(series.shape[1])
    return mean_interval(np.einsum("wtu,t->wu", series, taper) ** 2 / (taper @ taper))


def _mean_states(key: Key[Array, ""], weights: np.ndarray, bias: np.ndarray, config: LangevinNoiseConfig) -> xr.Dataset:
    """Where a network of half the weights settles at a small step."""
    kernel = NoisyIntegrator(hard_sigmoid())
    # The second network mirrors the first: its states are those of the first, negated, under noise of opposite sign.
    # What is linear in the noise cancels in the mean of both.
    params = networks([0.5 * weights, 0.5 * weights], [bias, -bias - 0.5 * weights.sum(1)])
    numbers, n = cases(kernel, step=[config.small_step] * 2, noise_std=config.noise_std), config.n_mean_steps
    sizes = {"n_trials": config.n_mean_pairs, "n_steps": n, "n_settling": n // 9 * 7, "every": n // 45}
    found = settled_states(key, params, kernel, numbers, **sizes)
    settled = np.asarray(found.states, np.float64)
    mean = mean_interval(0.5 * (settled[0] - settled[1]).mean(1), 0)
    first = jax.tree.map(lambda leaf: jax.device_put(np.asarray(leaf)[0]), params)
    smoothed = relax(first, jnp.zeros(4, float), smoothed_hard_sigmoid(config.noise_std), step=0.5)
    return merged(
        labelled(
            "unit",
            "activity",
            mean_state=mean.value,
            mean_state_error=mean.standard_error,
            smoothed_fixed_point=smoothed.state,
            # Without noise, and between the kinks: s = b + W (s + 1/2).
            plain_fixed_point=np.linalg.solve(np.eye(4) - 0.5 * weights, bias + 0.25 * weights.sum(1)),
        ),
        required("pair", _FINITE, mean_is_finite=np.asarray(found.is_finite).all(0)),
        required((), "relaxation that has converged", has_converged=smoothed.converged),
    )


STUDY = Study(
    name="langevin_noise",
    title="The paper's noise is not Langevin noise",
    figure="Equations 7, 14 and 15",
    source="Bengio et al. 2015, sections 3.3 and 4.1, Eq 7, 14 and 15",
    caption="The paper reads its noisy leaky integration as a Langevin chain. The algebra holds, the reading does not: "
    "noise reaches the state only through R, so each linear mode has a temperature of its own, near "
    "step noise^2 m^2 / 2, the noise term of Eq 15 cancels in the long run, and the mean "
    "follows R with rates that the noise smooths.",
    config=LangevinNoiseConfig(),
    smoke=dict(n_linear_trials=64, n_linear_steps=160, n_walks=32, n_walk_steps=100, n_mean_pairs=8, n_mean_steps=450),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
