"""Is the paper's noisy leaky integration a Langevin chain? Mean, variance and correlation of its noise (Eq 14, 15)."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import _checks, stats
from stdpjax.dynamics import leaky_integrator
from stdpjax.energy import Params, random_params, target
from stdpjax.fixed_points import relax
from stdpjax.lab import Claim, Estimate, at_most, estimate, within
from stdpjax.lab.study import Progress, Study
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, curvature, hard_sigmoid, smoothed_hard_sigmoid
from stdpjax.settings import setting
from stdpjax.stats import mean_interval
from stdpjax.studies.figures.langevin_noise import plot
from stdpjax.studies.noise_laws import (
    BASIS,
    LINEAR,
    autocovariance,
    cases,
    drift_at,
    linear_variance,
    long_run_variance,
    moving_average,
    networks,
    noisy_walks,
    over_trials,
    settled_states,
    temperature_slope,
    weights_of,
)


@dataclasses.dataclass(frozen=True)
class LangevinNoiseConfig:
    """Settings of the study of the noise; activities are in units of the hard sigmoid's width."""

    noise_std: float = setting(0.3, "standard deviation of the noise eta on each unit")
    modes: tuple[float, ...] = setting(
        (-0.5, 0.3, 0.6), "three eigenvalues of the weights, below 1; a fourth makes their sum 0"
    )
    steps: tuple[float, ...] = setting((0.05, 0.2, 0.5), "step over time constant, in (0, 1]")
    n_linear_trials: int = setting(5120, "runs of the linear network at each step")
    n_linear_steps: int = setting(1280, "their steps, a multiple of 40; the first quarter is dropped")
    n_drift_states: int = setting(8, "states at which the mean drift is measured")
    n_draws: int = setting(100_000, "noise draws at each of them")
    walk_step: float = setting(0.1, "step of the runs whose noise term is correlated in time")
    n_walks: int = setting(1024, "how many of these runs")
    n_walk_steps: int = setting(500, "their steps")
    small_step: float = setting(0.005, "step of the runs whose mean state is measured")
    n_mean_pairs: int = setting(256, "pairs of these runs, with noise of opposite sign")
    n_mean_steps: int = setting(3600, "their steps, a multiple of 45; the first 7/9 are dropped")
    levels: tuple[float, ...] = setting((0.05, 0.1, 0.2, 0.3, 0.5, 1.0), "noise levels, increasing, with 0.3 and 1")
    n_networks: int = setting(32, "random networks of 4 units at each level")
    n_level_steps: int = setting(1200, "steps of each, a multiple of 60; the first third is dropped")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        for name in ("noise_std", "walk_step", "small_step"):
            _checks.number(name, getattr(self, name), above=0, at_most=1)
        for name in ("n_linear_trials", "n_drift_states", "n_draws", "n_walks", "n_mean_pairs", "n_networks"):
            _checks.count(name, getattr(self, name), minimum=2, maximum=_checks.MAX_HELD_TRAINS)
        _checks.count("n_walk_steps", self.n_walk_steps, minimum=10)
        for name, factor in (("n_linear_steps", 40), ("n_mean_steps", 45), ("n_level_steps", 60)):
            if _checks.count(name, getattr(self, name)) % factor:
                raise ValueError(f"{name}: expected a multiple of {factor}, got {getattr(self, name)}")
        for value in (*self.modes, -sum(self.modes)):
            _checks.number("modes", value, above=-3, below=1)
        if len(self.modes) != 3 or 0 in self.modes or sum(self.modes) == 0:
            raise ValueError(f"modes: expected three numbers other than 0, whose sum is not 0, got {self.modes}")
        for value in self.steps:
            _checks.number("steps", value, above=0, at_most=1)
        _checks.distinct("steps", self.steps)
        for value in self.levels:
            _checks.number("levels", value, above=0)
        if 0.3 not in self.levels or 1.0 not in self.levels or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels: expected increasing numbers, among them 0.3 and 1, got {self.levels}")


_CHAIN = "The leaky neural integration seems to follow a Langevin Monte-Carlo Markov chain of P(s) ~ exp(-E(s))."


def _largest_z(measured: xr.DataArray, expected: xr.DataArray, error: xr.DataArray) -> xr.DataArray:
    # Where the noise never reaches a unit through R, mean and expectation are the same number.
    return (np.abs(measured - expected) / error.where(error > 0)).max()


def _off_law(variance: xr.DataArray, data: xr.Dataset) -> xr.DataArray:
    return np.abs(variance / data.predicted_variance - 1)


def _with_margin(difference: xr.DataArray, error: xr.DataArray) -> Estimate:
    """Return the largest difference, with the largest that 1.96 standard errors allow."""
    return Estimate(float(difference.max()), float(difference.max()), float((difference + 1.96 * error).max()))


def _fall(data: xr.Dataset) -> Estimate:
    """Return the variance at noise 1 relative to noise 0.3, geometric mean over networks."""
    falls = mean_interval(np.log(data.level_variance.sel(level=1.0) / data.level_variance.sel(level=0.3)))
    return Estimate(*(float(np.exp(number)) for number in falls[:3]))


def _linear_growth(modes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the same for the modes of a linear network."""
    step = np.array(_LEVEL_STEP)
    return linear_variance(modes, step, 1.0) / linear_variance(modes, step, 0.3)


def _peak(data: xr.Dataset) -> str:
    variance = data.level_variance.mean("network")
    return (
        f"Geometric mean over {data.sizes['network']} networks; on average the peak is at noise "
        f"{float(variance.idxmax()):g} ({float(variance.max()):.4f})."
    )


def _correlation_error(data: xr.Dataset, measured: xr.DataArray) -> xr.DataArray:
    law = data.predicted_autocovariance
    return np.abs(measured - law).max() / law[0]


def _long_run(data: xr.Dataset) -> Estimate:
    law = float(data.predicted_long_run_variance)
    ratio, reach = float(data.long_run_variance) / law, 1.96 * float(data.long_run_variance_error) / law
    return Estimate(ratio, ratio - reach, ratio + reach)


_eq_14 = partial(Claim, statement="Eq 14", printed=_CHAIN, bearing="refutes")
_descent_of_eq_14 = partial(
    Claim, statement="Eq 14", printed="The update goes down the gradient of E.", bearing="refutes"
)
_eq_15 = partial(Claim, statement="Eq 15", printed=_CHAIN, bearing="refutes")

CLAIMS = (
    Claim(
        "E14.algebra",
        "Largest difference between a step of the dynamics and step (-grad E at the noisy state + eta).",
        statement="Eq 14",
        printed="s' = s + step (-grad E(s + eta) + eta).",
        criterion=at_most(2e-6, double=1e-14),
        measure=lambda data: data.off_eq14,
        control=lambda data: data.off_eq14_without_noise,
        control_is="the gradient at the state without noise",
        bearing="supports",
        note="Gradient by automatic differentiation.",
    ),
    _descent_of_eq_14(
        "E14.drift",
        "Largest |z| of the mean of R(s + eta), sampled, against R with the rates smoothed by the noise.",
        corrected="The mean update goes down the gradient of E with rho replaced by its mean under the noise, a "
        "smooth energy.",
        criterion=at_most(4.0),
        measure=lambda data: _largest_z(data.drift, data.smoothed_drift, data.drift_error),
        control=lambda data: _largest_z(data.drift, data.plain_drift, data.drift_error),
        control_is="R without noise",
        note=lambda data: (
            f"{data.drift.size} values, largest difference {float(np.abs(data.drift - data.smoothed_drift).max()):.2g}."
        ),
    ),
    _eq_14(
        "E14.linear_variance",
        "Largest relative difference of a linear mode's variance from its formula, over modes and steps.",
        corrected="Var = step noise^2 m^2 / ((1-m) (2 - step (1-m))) for eigenvalue m of the weights, not 1/(1-m).",
        criterion=at_most(0.02),
        measure=lambda data: _with_margin(_off_law(data.variance, data), data.variance_error / data.predicted_variance),
        control=lambda data: _off_law(data.target_variance, data).min(),
        control_is="variances of exp(-E), the nearest of them",
        note=lambda data: f"{data.variance.size} modes and steps.",
    ),
    _eq_14(
        "E14.temperature",
        "Power of |m| with which a mode's temperature, (1-m) times its variance, rises; one temperature has power 0.",
        corrected="Each mode has its own temperature, about step noise^2 m^2 / 2.",
        criterion=within(2.0, 0.1),
        measure=lambda data: estimate(data, "temperature_slope"),
        control=lambda data: temperature_slope(data.mode.values, data.target_variance.values),
        control_is="variances of exp(-E)",
        note=lambda data: f"At step {float(data.step.min()):g}.",
    ),
    _descent_of_eq_14(
        "E14.mean_state",
        "Largest difference of the mean state at a small step from the fixed point with smoothed rates.",
        corrected="As the step shrinks, the process becomes deterministic descent of the smoothed energy.",
        criterion=at_most(5e-4),
        measure=lambda data: _with_margin(np.abs(data.mean_state - data.smoothed_fixed_point), data.mean_state_error),
        control=lambda data: np.abs(data.mean_state - data.plain_fixed_point).max(),
        control_is="the fixed point without noise",
    ),
    _eq_14(
        "E14.no_coupling",
        "Standard deviation of the state of a unit without inputs and bias; exp(-E) has 1.",
        corrected="Noise that does not pass through weights or a bias leaves no trace in the state.",
        criterion=at_most(1e-6, double=1e-14),
        measure=lambda data: np.sqrt(data.lonely_variance[0]),
        control=lambda data: np.sqrt(data.lonely_variance[1:].min()),
        control_is="units with a bias",
    ),
    _eq_14(
        "E14.gating",
        "Largest relative difference of the variance of a biased unit without inputs from its formula.",
        corrected="Noise reaches it by switching the slope: Var = step b^2 p (1-p) / (2 (1 - b rho_sigma'')), p = "
        "rho_sigma'.",
        criterion=at_most(0.15),
        measure=lambda data: np.abs(data.lonely_variance / data.lonely_predicted_variance - 1)[1:].max(),
        control=lambda data: np.abs(data.lonely_variance - 1)[1:].max(),
        control_is="the variance of exp(-E) where no unit is connected, 1",
    ),
    _eq_14(
        "E14.peak",
        "Variance of hard-sigmoid networks of 4 units at noise 1, relative to noise 0.3.",
        corrected="R is bounded, so more noise does not mean a higher temperature: beyond a peak the variance falls.",
        criterion=at_most(0.95),
        measure=lambda data: _fall(data),
        control=lambda data: _linear_growth(data.mode.values).min(),
        control_is="a linear network",
        note=_peak,
    ),
    Claim(
        "E15.algebra",
        "Largest difference of the noise term from eta' - (1-step) eta.",
        statement="Eq 15",
        printed="s~' = s~ - step grad E(s~) + nu with nu = eta' - (1-step) eta.",
        criterion=at_most(2e-6, double=1e-14),
        measure=lambda data: data.off_eq15,
        control=lambda data: np.sqrt(data.predicted_autocovariance[0]),
        control_is="the size of the noise term itself",
        bearing="supports",
    ),
    _eq_15(
        "E15.autocovariance",
        "Largest difference of the noise term's autocovariance, lags 0 to 3, from the law; relative to the variance.",
        corrected="nu is a moving average of order 1: noise^2 (1 + (1-step)^2), -(1-step) noise^2, 0. Langevin noise "
        "is white.",
        criterion=at_most(0.01),
        measure=lambda data: _correlation_error(data, data.autocovariance),
        control=lambda data: _correlation_error(data, data.white_autocovariance),
        control_is="white noise of the same variance",
        note=lambda data: (
            "Measured at lags 0 to 2: " + ", ".join(f"{value:.5f}" for value in data.autocovariance.values[:3]) + "."
        ),
    ),
    _eq_15(
        "E15.long_run",
        "Variance that the noise term adds up to over long times, per step, relative to step^2 noise^2.",
        corrected="Neighbouring terms cancel: step^2 noise^2 is left, where Langevin noise has 2 step.",
        criterion=within(1.0, 0.1),
        measure=lambda data: _long_run(data),
        control=lambda data: data.white_long_run_variance / data.predicted_long_run_variance,
        control_is="white noise of the same variance",
        note=lambda data: (
            f"Measured {float(data.long_run_variance):.3g}; Langevin noise has 2 step = {2 * float(data.walk_step):g}."
        ),
    ),
)


# Moves the fixed point away from rest, so that it depends on the noise.
_OFFSET = np.array([0.2, -0.1, 0.1, 0.0])
_LONELY_BIAS = np.array([0.0, 0.2, 0.4, -0.4])
_LONELY_STEP = 0.03
_LEVEL_STEP = 0.05


def run(key: Key[Array, ""], config: LangevinNoiseConfig, progress: Progress) -> xr.Dataset:
    """Run linear and hard-sigmoid networks under the paper's noise and measure it."""
    modes = np.array([*config.modes, -sum(config.modes)])
    steps = np.array(config.steps)
    weights = weights_of(modes)
    balance = -0.5 * weights.sum(1)
    inside = leaky_integrator(hard_sigmoid())

    progress(0.0, "linear network")
    linear = settled_states(
        named_key(key, "linear"),
        networks([weights] * steps.size, [balance] * steps.size),
        cases(step=steps, noise_std=config.noise_std),
        kernel=leaky_integrator(LINEAR),
        n_trials=config.n_linear_trials,
        n_steps=config.n_linear_steps,
        n_settling=config.n_linear_steps // 4,
        every=10,
    )
    in_modes = np.asarray(linear.states, np.float64) @ BASIS
    per_trial = (in_modes**2).mean(2)  # [step, trial, mode]
    variance, variance_error = over_trials(per_trial, axis=1)
    slope = stats.bootstrap(
        named_key(key, "slope"), partial(temperature_slope, modes), per_trial[np.argmin(steps)] / config.n_linear_trials
    )

    progress(0.4, "noise term and drift")
    network = networks([weights], [balance + _OFFSET])
    network = Params(network.weights[0], network.bias[0])
    noise_std = jnp.asarray(config.noise_std, float)
    nu, off = (
        np.asarray(part, np.float64)
        for part in noisy_walks(
            named_key(key, "walk"),
            network,
            jnp.asarray(config.walk_step, float),
            noise_std,
            n_walks=config.n_walks,
            n_steps=config.n_walk_steps,
        )
    )
    white = np.asarray(jax.random.normal(named_key(key, "white"), nu.shape, float), np.float64) * nu.std()
    long_run, white_long_run = long_run_variance(nu), long_run_variance(white)
    smooth = smoothed_hard_sigmoid(config.noise_std)
    points = jax.random.uniform(named_key(key, "points"), (config.n_drift_states, 4), float, -0.8, 0.8)
    drift, drift_error = jax.vmap(lambda key, state: drift_at(key, network, state, noise_std, n_draws=config.n_draws))(
        member_keys(named_key(key, "drift"), config.n_drift_states), points
    )

    progress(0.6, "mean state")
    lonely = np.zeros_like(weights)
    small = [config.small_step, config.small_step, _LONELY_STEP]
    # The second network mirrors the first: its states are those of the first, negated, under noise of opposite sign.
    # What is linear in the noise cancels in the mean of both.
    bias = 0.5 * balance + _OFFSET
    halved = networks([0.5 * weights, 0.5 * weights, lonely], [bias, -bias - 0.5 * weights.sum(1), _LONELY_BIAS])
    mean_run = settled_states(
        named_key(key, "mean"),
        halved,
        cases(step=small, noise_std=config.noise_std),
        kernel=inside,
        n_trials=config.n_mean_pairs,
        n_steps=config.n_mean_steps,
        n_settling=config.n_mean_steps // 9 * 7,
        every=config.n_mean_steps // 45,
    )
    settled = np.asarray(mean_run.states, np.float64)
    mean_state, mean_state_error = over_trials(0.5 * (settled[0] - settled[1]).mean(1))
    lonely_mean, lonely_mean_error = over_trials(settled[2].mean(1))
    lonely_variance = settled[2].var((0, 1))
    last = Params(halved.weights[2], halved.bias[2])
    start = jnp.zeros(4, float)
    smoothed = jax.jit(jax.vmap(lambda params: relax(params, start, smooth, step=0.5)))(
        jax.tree.map(lambda leaf: leaf[::2], halved)
    )
    # Without noise, and between the kinks: s = b + W (s + 1/2).
    plain = np.linalg.solve(np.eye(4) - 0.5 * weights, bias + 0.25 * weights.sum(1))
    lonely_state = smoothed.state[1]
    share = smooth.slope(lonely_state)
    stiffness = 1 - last.bias * curvature(smooth, lonely_state)
    gated_variance = 0.5 * _LONELY_STEP * last.bias**2 * share * (1 - share) / stiffness

    progress(0.8, "noise levels")
    random = jax.vmap(lambda key: random_params(key, 4, 1.0))(
        member_keys(named_key(key, "networks"), config.n_networks)
    )
    levels = np.array(config.levels)
    level_run = settled_states(
        named_key(key, "levels"),
        jax.tree.map(lambda leaf: jnp.repeat(leaf, levels.size, axis=0), random),
        cases(step=_LEVEL_STEP, noise_std=np.tile(levels, config.n_networks)),
        kernel=inside,
        n_trials=8,
        n_steps=config.n_level_steps,
        n_settling=config.n_level_steps // 3,
        every=20,
    )
    spread = np.asarray(level_run.states, np.float64).reshape(config.n_networks, levels.size, 8, -1, 4)
    # About each trial's own mean: trials of a network may settle in different places.
    level_variance = spread.var(3, ddof=1).mean((2, 3))

    progress(1.0, "done")
    cell, unit = ("step", "mode"), "unit"
    square = {"units": "activity^2"}
    finite = {"required": "trials with finite states"}
    return xr.Dataset(
        {
            "variance": (cell, variance, {"long_name": "variance of a linear mode", **square}),
            "variance_error": (cell, variance_error, square),
            "predicted_variance": (cell, linear_variance(modes[None], steps[:, None], config.noise_std), square),
            "temperature_slope": float(slope.value),
            "temperature_slope_low": float(slope.low),
            "temperature_slope_high": float(slope.high),
            "target_variance": ("mode", 1 / (1 - modes), {"long_name": "variance of the mode under exp(-E)", **square}),
            "off_eq14": float(off[:, 0].max()),
            "off_eq14_without_noise": float(off[:, 1].max()),
            "off_eq15": float(off[:, 2].max()),
            "autocovariance": ("lag", autocovariance(nu, 3), {"long_name": "autocovariance of nu", **square}),
            "white_autocovariance": ("lag", autocovariance(white, 3), square),
            "predicted_autocovariance": ("lag", moving_average(config.walk_step, config.noise_std, 3), square),
            "long_run_variance": ((), long_run[0], square),
            "long_run_variance_error": ((), long_run[1], square),
            "predicted_long_run_variance": ((), config.walk_step**2 * config.noise_std**2, square),
            "white_long_run_variance": ((), white_long_run[0], square),
            "drift": (("point", unit), np.asarray(drift, np.float64), {"units": "activity"}),
            "drift_error": (("point", unit), np.asarray(drift_error, np.float64), {"units": "activity"}),
            "smoothed_drift": (
                ("point", unit),
                _targets(network, points, smooth),
                {"units": "activity"},
            ),
            "plain_drift": (
                ("point", unit),
                _targets(network, points, hard_sigmoid()),
                {"units": "activity"},
            ),
            "mean_state": (unit, mean_state, {"units": "activity"}),
            "mean_state_error": (unit, mean_state_error, {"units": "activity"}),
            "smoothed_fixed_point": (unit, np.asarray(smoothed.state[0], np.float64), {"units": "activity"}),
            "plain_fixed_point": (unit, plain, {"units": "activity"}),
            "lonely_bias": (unit, _LONELY_BIAS, {"units": "activity"}),
            "lonely_mean": (unit, lonely_mean, {"units": "activity"}),
            "lonely_mean_error": (unit, lonely_mean_error, {"units": "activity"}),
            "lonely_fixed_point": (unit, np.asarray(lonely_state, np.float64), {"units": "activity"}),
            "lonely_variance": (unit, lonely_variance, square),
            "lonely_predicted_variance": (unit, np.asarray(gated_variance, np.float64), square),
            "level_variance": (("network", "level"), level_variance, square),
            "linear_is_finite": ("trial", np.asarray(linear.is_finite).all(0), finite),
            "mean_is_finite": ("pair", np.asarray(mean_run.is_finite).all(0), finite),
            "level_is_finite": (
                ("network", "level"),
                np.asarray(level_run.is_finite).all(1).reshape(-1, levels.size),
                finite,
            ),
            "has_converged": (
                "relaxation",
                np.asarray(smoothed.converged),
                {"required": "relaxations that have converged"},
            ),
        },
        coords={
            "step": ("step", steps, {"long_name": "step over time constant"}),
            "mode": ("mode", modes, {"long_name": "eigenvalue of the weights"}),
            "walk_step": ((), config.walk_step, {"long_name": "step over time constant of the correlated runs"}),
            "lag": ("lag", np.arange(4), {"units": "steps"}),
            "level": ("level", levels, {"long_name": "standard deviation of the noise", "units": "activity"}),
            "unit": ("unit", np.arange(4)),
            "point": ("point", np.arange(config.n_drift_states)),
            "pair": ("pair", np.arange(config.n_mean_pairs)),
            "network": ("network", np.arange(config.n_networks)),
            "relaxation": ("relaxation", ["connected", "unconnected"]),
        },
    )


def _targets(params: Params, states: Array, rate_fn: RateFunction) -> np.ndarray:
    return np.asarray(jax.vmap(lambda state: target(params, state, rate_fn))(states), np.float64)


STUDY = Study(
    name="langevin_noise",
    title="The paper's noise is not Langevin noise",
    figure="Equations 14 and 15",
    source="Bengio et al. 2015, section 4.1, Eq 14 and 15",
    caption="The paper reads its noisy leaky integration as a Langevin chain. The algebra holds, the reading does not: "
    "noise reaches the state only through R, so each linear mode has a temperature of its own, near "
    "step noise^2 m^2 / 2, the noise term of Eq 15 cancels in the long run, and the mean follows the energy of the "
    "smoothed rates.",
    config=LangevinNoiseConfig(),
    smoke=LangevinNoiseConfig(
        n_linear_trials=64,
        n_linear_steps=160,
        n_draws=2000,
        n_walks=32,
        n_walk_steps=100,
        n_mean_pairs=8,
        n_mean_steps=450,
        n_networks=4,
        n_level_steps=240,
    ),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
