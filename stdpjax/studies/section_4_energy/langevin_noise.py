"""Is the paper's noisy leaky integration a Langevin chain? Mean, variance and correlation of its noise (Eq 14, 15)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray

from stdpjax import _checks, stats
from stdpjax.dynamics import NoisyIntegrator, transition
from stdpjax.energy import Params, energy_of, target
from stdpjax.fixed_points import relax
from stdpjax.lab import Claim, Estimate, at_most, estimate, within
from stdpjax.lab.settings import STEP, TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import random_networks
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, curvature, hard_sigmoid, smoothed_hard_sigmoid
from stdpjax.stats import mean_interval, normal_interval
from stdpjax.studies.measures import labelled, largest_with_margin, largest_z, merged, on_host, required
from stdpjax.studies.network_runs import cases, drift_at, networks, settled_states
from stdpjax.studies.section_4_energy.langevin_noise_figure import plot
from stdpjax.theory.linear_noise import BASIS, linear_variance, moving_average, weights_of_modes


@configuration
class LangevinNoiseConfig:
    """Settings of the study of the noise; activities are in units of the hard sigmoid's width."""

    noise_std: float = setting(0.3, "standard deviation of the noise eta on each unit", **STEP)
    modes: tuple[float, ...] = setting(
        (-0.5, 0.3, 0.6), "three eigenvalues of the weights; a fourth makes their sum 0", above=-3, below=1
    )
    steps: tuple[float, ...] = setting((0.05, 0.2, 0.5), "step over time constant", **STEP, distinct=True)
    n_linear_trials: int = setting(5120, "runs of the linear network at each step", **TRAINS)
    n_linear_steps: int = setting(1280, "their steps; the first quarter is dropped", multiple_of=40)
    n_drift_states: int = setting(8, "states at which the mean drift is measured", **TRAINS)
    n_draws: int = setting(100_000, "noise draws at each of them", **TRAINS)
    walk_step: float = setting(0.1, "step of the runs whose noise term is correlated in time", **STEP)
    n_walks: int = setting(1024, "how many of these runs", **TRAINS)
    n_walk_steps: int = setting(500, "their steps", at_least=10)
    small_step: float = setting(0.005, "step of the runs whose mean state is measured", **STEP)
    n_mean_pairs: int = setting(256, "pairs of these runs, with noise of opposite sign", **TRAINS)
    n_mean_steps: int = setting(3600, "their steps; the first 7/9 are dropped", multiple_of=45)
    levels: tuple[float, ...] = setting(
        (0.05, 0.1, 0.2, 0.3, 0.5, 1.0), "noise levels, increasing, with 0.3 and 1", above=0
    )
    n_networks: int = setting(32, "random networks of 4 units at each level", **TRAINS)
    n_level_steps: int = setting(1200, "steps of each; the first third is dropped", multiple_of=60)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _checks.number("modes", -sum(self.modes), above=-3, below=1)
        if len(self.modes) != 3 or 0 in self.modes or sum(self.modes) == 0:
            raise ValueError(f"modes: expected three numbers other than 0, whose sum is not 0, got {self.modes}")
        if 0.3 not in self.levels or 1.0 not in self.levels or list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels: expected increasing numbers, among them 0.3 and 1, got {self.levels}")


_CHAIN = "The leaky neural integration seems to follow a Langevin Monte-Carlo Markov chain of P(s) ~ exp(-E(s))."


def _off_law(variance: xr.DataArray, data: xr.Dataset) -> xr.DataArray:
    return np.abs(variance / data.predicted_variance - 1)


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
    return normal_interval(float(data.long_run_variance) / law, float(data.long_run_variance_error) / law)


_eq_14 = partial(Claim, statement="Eq 14", bearing="refutes")
_descent_of_eq_14 = partial(Claim, statement="Eq 14", bearing="refutes")
_eq_15 = partial(Claim, statement="Eq 15", bearing="refutes")

CLAIMS = (
    Claim(
        "E14.algebra",
        "Largest difference between a step of the dynamics and step (-grad E at the noisy state + eta).",
        statement="Eq 14",
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
        criterion=at_most(4.0),
        measure=lambda data: largest_z(data.drift - data.smoothed_drift, data.drift_error),
        control=lambda data: largest_z(data.drift - data.plain_drift, data.drift_error),
        control_is="R without noise",
        note=lambda data: (
            f"{data.drift.size} values, largest difference {float(np.abs(data.drift - data.smoothed_drift).max()):.2g}."
        ),
    ),
    _eq_14(
        "E14.linear_variance",
        "Largest relative difference of a linear mode's variance from its formula, over modes and steps.",
        criterion=at_most(0.02),
        measure=lambda data: largest_with_margin(
            _off_law(data.variance, data), data.variance_error / data.predicted_variance
        ),
        control=lambda data: _off_law(data.target_variance, data).min(),
        control_is="variances of exp(-E), the nearest of them",
        note=lambda data: f"{data.variance.size} modes and steps.",
    ),
    _eq_14(
        "E14.temperature",
        "Power of |m| with which a mode's temperature, (1-m) times its variance, rises; one temperature has power 0.",
        criterion=within(2.0, 0.1),
        measure=lambda data: estimate(data, "temperature_slope"),
        control=lambda data: _temperature_slope(data.mode.values, data.target_variance.values),
        control_is="variances of exp(-E)",
        note=lambda data: f"At step {float(data.step.min()):g}.",
    ),
    _descent_of_eq_14(
        "E14.mean_state",
        "Largest difference of the mean state at a small step from the fixed point with smoothed rates.",
        criterion=at_most(5e-4),
        measure=lambda data: largest_with_margin(
            np.abs(data.mean_state - data.smoothed_fixed_point), data.mean_state_error
        ),
        control=lambda data: np.abs(data.mean_state - data.plain_fixed_point).max(),
        control_is="the fixed point without noise",
    ),
    _eq_14(
        "E14.no_coupling",
        "Standard deviation of the state of a unit without inputs and bias; exp(-E) has 1.",
        criterion=at_most(1e-6, double=1e-14),
        measure=lambda data: np.sqrt(data.lonely_variance[0]),
        control=lambda data: np.sqrt(data.lonely_variance[1:].min()),
        control_is="units with a bias",
    ),
    _eq_14(
        "E14.gating",
        "Largest relative difference of the variance of a biased unit without inputs from its formula.",
        criterion=at_most(0.15),
        measure=lambda data: np.abs(data.lonely_variance / data.lonely_predicted_variance - 1)[1:].max(),
        control=lambda data: np.abs(data.lonely_variance - 1)[1:].max(),
        control_is="the variance of exp(-E) where no unit is connected, 1",
    ),
    _eq_14(
        "E14.peak",
        "Variance of hard-sigmoid networks of 4 units at noise 1, relative to noise 0.3.",
        criterion=at_most(0.95),
        measure=_fall,
        control=lambda data: _linear_growth(data.mode.values).min(),
        control_is="a linear network",
        note=_peak,
    ),
    Claim(
        "E15.algebra",
        "Largest difference of the noise term from eta' - (1-step) eta.",
        statement="Eq 15",
        criterion=at_most(2e-6, double=1e-14),
        measure=lambda data: data.off_eq15,
        control=lambda data: np.sqrt(data.predicted_autocovariance[0]),
        control_is="the size of the noise term itself",
        bearing="supports",
    ),
    _eq_15(
        "E15.autocovariance",
        "Largest difference of the noise term's autocovariance, lags 0 to 3, from the law; relative to the variance.",
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
        criterion=within(1.0, 0.1),
        measure=_long_run,
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
# The hard sigmoid without its kinks: noise of any size leaves the network linear.
_LINEAR = RateFunction(lambda activity: jnp.asarray(activity) + 0.5, jnp.ones_like)
_SQUARE = "activity^2"
_FINITE = "trials with finite states"


def run(key: Key[Array, ""], config: LangevinNoiseConfig, progress: Progress) -> xr.Dataset:
    """Run linear and hard-sigmoid networks under the paper's noise and measure it."""
    modes = np.array([*config.modes, -sum(config.modes)])
    weights = weights_of_modes(modes)
    balance = -0.5 * weights.sum(1)
    network = Params(jnp.asarray(weights, float), jnp.asarray(balance + _OFFSET, float))
    progress(0.0, "linear network")
    linear = _linear_modes(key, modes, config)
    progress(0.4, "noise term and drift")
    noise = _noise_term(key, network, config), _mean_drift(key, network, config)
    progress(0.6, "mean state")
    mean = _mean_states(named_key(key, "mean"), weights, 0.5 * balance + _OFFSET, config)
    progress(0.8, "noise levels")
    levels = _noise_levels(key, config)
    progress(1.0, "done")
    return merged(
        linear,
        *noise,
        mean,
        levels,
        step=("step", np.array(config.steps), {"long_name": "step over time constant"}),
        mode=("mode", modes, {"long_name": "eigenvalue of the weights"}),
        walk_step=((), config.walk_step, {"long_name": "step over time constant of the correlated runs"}),
        lag=("lag", np.arange(4), {"units": "steps"}),
        level=("level", np.array(config.levels), {"long_name": "standard deviation of the noise", "units": "activity"}),
        unit=np.arange(4),
        relaxation=["connected", "unconnected"],
    )


def _linear_modes(key: Key[Array, ""], modes: np.ndarray, config: LangevinNoiseConfig) -> xr.Dataset:
    """Variances of the modes of a linear network, at each step."""
    steps, weights, kernel = np.array(config.steps), weights_of_modes(modes), NoisyIntegrator(_LINEAR)
    found = settled_states(
        named_key(key, "linear"),
        networks([weights] * steps.size, [-0.5 * weights.sum(1)] * steps.size),
        kernel,
        cases(kernel, step=steps, noise_std=config.noise_std),
        n_trials=config.n_linear_trials,
        n_steps=config.n_linear_steps,
        n_settling=config.n_linear_steps // 4,
        every=10,
    )
    per_trial = ((np.asarray(found.states, np.float64) @ BASIS) ** 2).mean(2)  # [step, trial, mode]
    variance = mean_interval(per_trial, axis=1)
    slope = stats.bootstrap(
        named_key(key, "slope"),
        partial(_temperature_slope, modes),
        per_trial[np.argmin(steps)] / config.n_linear_trials,
    )
    return merged(
        labelled(
            ("step", "mode"),
            _SQUARE,
            variance=(variance.value, "variance of a linear mode"),
            variance_error=variance.standard_error,
            predicted_variance=linear_variance(modes[None], steps[:, None], config.noise_std),
        ),
        labelled("mode", _SQUARE, target_variance=(1 / (1 - modes), "variance of the mode under exp(-E)")),
        labelled((), temperature_slope=slope.value, temperature_slope_low=slope.low, temperature_slope_high=slope.high),
        required("trial", _FINITE, linear_is_finite=np.asarray(found.is_finite).all(0)),
    )


def _temperature_slope(mode: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return how log temperature, (1 - m) times the variance, rises with log |m|: 2 for m^2, 0 for a temperature."""
    x, y = np.log(np.abs(mode)), np.log((1 - mode) * variance)
    return np.asarray(((x - x.mean()) * y).sum(-1) / ((x - x.mean()) ** 2).sum())


def _noise_term(key: Key[Array, ""], network: Params, config: LangevinNoiseConfig) -> xr.Dataset:
    """How the noise term of Eq 15 is correlated in time, beside white noise of the same variance."""
    step, noise_std = (jnp.asarray(number, float) for number in (config.walk_step, config.noise_std))
    size = {"n_walks": config.n_walks, "n_steps": config.n_walk_steps}
    nu, off = on_host(_noisy_walks(named_key(key, "walk"), network, step, noise_std, **size))
    white = np.asarray(jax.random.normal(named_key(key, "white"), nu.shape, float), np.float64) * nu.std()
    long_run = _long_run_variance(nu)
    off_eq14, off_eq14_without_noise, off_eq15 = off.max(0)
    return merged(
        labelled((), off_eq14=off_eq14, off_eq14_without_noise=off_eq14_without_noise, off_eq15=off_eq15),
        labelled(
            "lag",
            _SQUARE,
            autocovariance=(_autocovariance(nu, 3), "autocovariance of nu"),
            white_autocovariance=_autocovariance(white, 3),
            predicted_autocovariance=moving_average(config.walk_step, config.noise_std, 3),
        ),
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
) -> tuple[Float[Array, "walk time unit"], Float[Array, "walk three"]]:
    """Return the noise term nu of Eq 15 along walks of the paper's dynamics, and how far its algebra is off.

    nu_t is what the noisy state does beyond descending the energy at itself. The largest differences are from Eq 14,
    from Eq 14 with the gradient at the state without noise, and of nu from eta' - (1 - step) eta.
    """
    rate_fn = hard_sigmoid()

    def walk(key: Key[Array, ""]) -> tuple[Float[Array, "time unit"], Float[Array, "three"]]:
        eta = noise_std * jax.random.normal(key, (n_steps + 1, params.bias.shape[0]), params.bias.dtype)

        def advance(state: Float[Array, "unit"], noise: Float[Array, "unit"]):
            return transition(params, state, noise, rate_fn, step), state

        _, states = jax.lax.scan(advance, jnp.zeros_like(params.bias), eta)
        slope = jax.vmap(jax.grad(lambda state: energy_of(params, state, rate_fn)))
        seen = states + eta
        change, kick = states[1:] - states[:-1], eta[:-1]
        nu = seen[1:] - seen[:-1] + step * slope(seen[:-1])
        off = (
            change - step * (kick - slope(seen[:-1])),
            change - step * (kick - slope(states[:-1])),
            nu - (eta[1:] - (1 - step) * kick),
        )
        return nu, jnp.stack([jnp.max(jnp.abs(part)) for part in off])

    return jax.vmap(walk)(member_keys(key, n_walks))


def _autocovariance(series: np.ndarray, max_lag: int) -> np.ndarray:
    """Return the autocovariance, over all walks, at lags 0 to `max_lag`, of a series of mean 0 `[walk, time, unit]`."""
    n_steps = series.shape[1]
    return np.array([np.mean(series[:, lag:] * series[:, : n_steps - lag]) for lag in range(max_lag + 1)])


def _long_run_variance(series: np.ndarray) -> Estimate:
    """Return the variance that a series adds up to over long times, per step.

    A sum over time with weights that rise and fall smoothly: the noise term nearly cancels in any plain sum, all but
    its ends. Each walk and unit gives one independent estimate.
    """
    taper = np.hanning(series.shape[1])
    return mean_interval(np.einsum("wtu,t->wu", series, taper) ** 2 / (taper @ taper))


def _mean_drift(key: Key[Array, ""], network: Params, config: LangevinNoiseConfig) -> xr.Dataset:
    """The mean of R(s + eta) at some states, beside R with smoothed rates and without noise."""
    points = jax.random.uniform(named_key(key, "points"), (config.n_drift_states, 4), float, -0.8, 0.8)
    keys, noise_std = member_keys(named_key(key, "drift"), config.n_drift_states), jnp.asarray(config.noise_std, float)
    drift, error = jax.vmap(lambda key, state: drift_at(key, network, state, noise_std, n_draws=config.n_draws))(
        keys, points
    )
    smoothed, plain = (
        jax.vmap(lambda state, rho=rho: target(network, state, rho))(points)
        for rho in (smoothed_hard_sigmoid(config.noise_std), hard_sigmoid())
    )
    columns = {"drift": drift, "drift_error": error, "smoothed_drift": smoothed, "plain_drift": plain}
    return labelled(("point", "unit"), "activity", **columns)


def _mean_states(key: Key[Array, ""], weights: np.ndarray, bias: np.ndarray, config: LangevinNoiseConfig) -> xr.Dataset:
    """Where a network of half the weights settles at a small step, and how units without inputs vary."""
    kernel = NoisyIntegrator(hard_sigmoid())
    # The second network mirrors the first: its states are those of the first, negated, under noise of opposite sign.
    # What is linear in the noise cancels in the mean of both.
    params = networks(
        [0.5 * weights, 0.5 * weights, np.zeros_like(weights)], [bias, -bias - 0.5 * weights.sum(1), _LONELY_BIAS]
    )
    found = settled_states(
        key,
        params,
        kernel,
        cases(kernel, step=[config.small_step, config.small_step, _LONELY_STEP], noise_std=config.noise_std),
        n_trials=config.n_mean_pairs,
        n_steps=config.n_mean_steps,
        n_settling=config.n_mean_steps // 9 * 7,
        every=config.n_mean_steps // 45,
    )
    settled = np.asarray(found.states, np.float64)
    mean, lonely = mean_interval(0.5 * (settled[0] - settled[1]).mean(1), 0), mean_interval(settled[2].mean(1), 0)
    smooth = smoothed_hard_sigmoid(config.noise_std)
    smoothed = jax.jit(jax.vmap(lambda params: relax(params, jnp.zeros(4, float), smooth, step=0.5)))(
        jax.tree.map(lambda leaf: leaf[::2], params)
    )
    rest, lonely_bias = smoothed.state[1], params.bias[2]
    share, stiffness = smooth.slope(rest), 1 - lonely_bias * curvature(smooth, rest)
    return merged(
        labelled(
            "unit",
            "activity",
            mean_state=mean.value,
            mean_state_error=mean.standard_error,
            smoothed_fixed_point=smoothed.state[0],
            # Without noise, and between the kinks: s = b + W (s + 1/2).
            plain_fixed_point=np.linalg.solve(np.eye(4) - 0.5 * weights, bias + 0.25 * weights.sum(1)),
            lonely_bias=_LONELY_BIAS,
            lonely_mean=lonely.value,
            lonely_mean_error=lonely.standard_error,
            lonely_fixed_point=rest,
        ),
        labelled(
            "unit",
            _SQUARE,
            lonely_variance=settled[2].var((0, 1)),
            lonely_predicted_variance=0.5 * _LONELY_STEP * lonely_bias**2 * share * (1 - share) / stiffness,
        ),
        required("pair", _FINITE, mean_is_finite=np.asarray(found.is_finite).all(0)),
        required("relaxation", "relaxations that have converged", has_converged=smoothed.converged),
    )


def _noise_levels(key: Key[Array, ""], config: LangevinNoiseConfig) -> xr.Dataset:
    """How the variance of random networks changes with the size of the noise."""
    n_levels, n_trials, kernel = len(config.levels), 8, NoisyIntegrator(hard_sigmoid())
    params = random_networks(key, config.n_networks, 4, 1.0)
    found = settled_states(
        named_key(key, "levels"),
        jax.tree.map(lambda leaf: jnp.repeat(leaf, n_levels, axis=0), params),
        kernel,
        cases(kernel, step=_LEVEL_STEP, noise_std=np.tile(config.levels, config.n_networks)),
        n_trials=n_trials,
        n_steps=config.n_level_steps,
        n_settling=config.n_level_steps // 3,
        every=20,
    )
    spread = np.asarray(found.states, np.float64).reshape(config.n_networks, n_levels, n_trials, -1, 4)
    is_finite = np.asarray(found.is_finite).all(1).reshape(-1, n_levels)
    # About each trial's own mean: trials of a network may settle in different places.
    return merged(
        labelled(("network", "level"), _SQUARE, level_variance=spread.var(3, ddof=1).mean((2, 3))),
        required(("network", "level"), _FINITE, level_is_finite=is_finite),
    )


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
    smoke=dict(
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
