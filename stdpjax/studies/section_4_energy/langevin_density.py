"""What the paper's dynamics sample, beside proper Langevin dynamics and exp(-E) itself (section 4.1, Eq 14)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.dynamics import Langevin, MetropolisLangevin, NoisyIntegrator
from stdpjax.energy import Params, energy_of
from stdpjax.lab import Claim, Estimate, at_least, at_most, within
from stdpjax.lab.settings import STEP, TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.stats import mean_interval, normal_interval
from stdpjax.studies.measures import labelled, largest_with_margin, largest_z, merged, required
from stdpjax.studies.network_runs import Settled, cases, networks, settled_states
from stdpjax.studies.section_4_energy.langevin_density_figure import plot

SAMPLERS = ("paper", "langevin", "metropolis")
STATISTICS = ("square", "product", "active")
# One square holds the kinks as edges, and all but a millionth of the probability.
_REACH, _N_BINS = 5.0, 50
_PAIR = np.array([[0.0, 1.0], [1.0, 0.0]])
_SQUARE = "activity^2"


@configuration
class LangevinDensityConfig:
    """Settings of the study of the stationary law; two hard-sigmoid units and temperature 1."""

    weight: float = setting(0.8, "weight between the two units, tied")
    bias: float = setting(-0.2, "bias of both")
    noise_std: float = setting(0.3, "standard deviation of the paper's noise eta", above=0)
    step: float = setting(0.02, "step over time constant, of the paper's and of unadjusted Langevin dynamics", **STEP)
    n_trials: int = setting(16384, "independent runs of each", **TRAINS)
    n_steps: int = setting(2000, "steps of each; the first quarter is dropped", multiple_of=40)
    mode_step: float = setting(0.2, "step of the runs in which linear modes are measured", **STEP)
    mode_weight: float = setting(0.5, "weight between their two units", above=-1, below=1)
    mode_temperature: float = setting(0.0025, "their temperature, low enough to stay between the kinks", above=0)
    metropolis_step: float = setting(0.6, "step of the Metropolis-adjusted dynamics", **STEP)
    n_metropolis_steps: int = setting(240, "their steps; the first quarter is dropped", multiple_of=40)
    temperatures: tuple[float, ...] = setting(
        (1.0, 0.25, 0.1, 0.04, 0.01), "temperatures of one unit without bias", above=0, distinct=True
    )


_CHAIN = "The leaky neural integration seems to follow a Langevin Monte-Carlo Markov chain of P(s) ~ exp(-E(s))."
ACTIVE_SHARES = {1.0: 0.383, 0.25: 0.683, 0.1: 0.886, 0.04: 0.988, 0.01: 1.0}


def _number(data: xr.Dataset, sampler: str, statistic: str) -> float:
    return float(data.measured.sel(sampler=sampler, statistic=statistic))


def _with_langevin(data: xr.Dataset, statistic: str) -> Estimate:
    """Return an expectation under unadjusted Langevin dynamics."""
    cell = data.sel(sampler="langevin", statistic=statistic)
    return normal_interval(cell.measured, cell.measured_error)


def _exact_and_adjusted(data: xr.Dataset, statistic: str) -> str:
    exact = float(data.exact.sel(statistic=statistic))
    return f"Quadrature: {exact:.4f}. Metropolis: {_number(data, 'metropolis', statistic):.4f}."


def _mode_difference(data: xr.Dataset) -> Estimate:
    """Return the largest relative difference from the law, with the largest that its interval allows."""
    return largest_with_margin(np.abs(data.mode_variance / data.mode_law - 1), data.mode_variance_error / data.mode_law)


def _largest_z(data: xr.Dataset, sampler: str) -> float:
    cell = data.sel(sampler=sampler)
    # The paper's noise never leaves the active region: a share of 1 without error.
    return largest_z(cell.measured - data.exact, cell.measured_error)


def _relative_variance(data: xr.Dataset, sampler: str) -> xr.DataArray:
    return data.state_variance.sel(sampler=sampler) / data.exact_state_variance


def _elsewhere(data: xr.Dataset, sampler: str) -> xr.DataArray:
    return 0.5 * np.abs(data.probability.sel(sampler=sampler) - data.exact_probability).sum()


def _off_shares(shares: xr.DataArray) -> float:
    """Return the largest difference from the published shares, of the temperatures that have one."""
    known = [(float(shares.sel(temperature=t)), p) for t, p in ACTIVE_SHARES.items() if t in shares.temperature.values]
    return max((abs(share - published) for share, published in known), default=float("nan"))


_eq_14 = partial(Claim, statement="Eq 14", bearing="refutes")
_section_4_1 = partial(Claim, statement="Section 4.1", bearing="refutes")

CLAIMS = (
    _eq_14(
        "E14.langevin_square",
        "E[s^2] of two units under unadjusted Langevin dynamics at step 0.02; exp(-E) has 1.0052.",
        criterion=within(1.0154, 0.008),
        measure=lambda data: _with_langevin(data, "square"),
        control=lambda data: data.exact.sel(statistic="square"),
        control_is="exp(-E) itself, by quadrature",
        note=lambda data: _exact_and_adjusted(data, "square"),
    ),
    _eq_14(
        "E14.langevin_product",
        "E[rho(s_1) rho(s_2)] under the same dynamics; exp(-E) has 0.3211.",
        criterion=within(0.3192, 0.005),
        measure=lambda data: _with_langevin(data, "product"),
        control=lambda data: _number(data, "paper", "product"),
        control_is="the paper's noise",
        note=lambda data: _exact_and_adjusted(data, "product"),
    ),
    _eq_14(
        "E14.langevin_active",
        "Share of time that a unit is between the kinks under the same dynamics; exp(-E) has 0.3795.",
        criterion=within(0.3779, 0.003),
        measure=lambda data: _with_langevin(data, "active"),
        control=lambda data: _number(data, "paper", "active"),
        control_is="the paper's noise",
        note=lambda data: _exact_and_adjusted(data, "active"),
    ),
    _eq_14(
        "E14.langevin_mode",
        "Largest relative difference of a linear mode's variance under it from T / (k (1 - step k / 2)), curvature k.",
        criterion=at_most(0.02),
        measure=_mode_difference,
        control=lambda data: np.abs(data.mode_variance / data.mode_without_bias - 1).min(),
        control_is="T / k",
        note=lambda data: f"At step {float(data.mode_step):g}.",
    ),
    _eq_14(
        "E14.metropolis",
        "Largest |z| of E[s^2], E[rho rho] and the active share with a Metropolis step, against quadrature.",
        criterion=at_most(4.0),
        measure=lambda data: _largest_z(data, "metropolis"),
        control=lambda data: _largest_z(data, "paper"),
        control_is="the paper's noise",
        note=lambda data: f"Unadjusted Langevin: {_largest_z(data, 'langevin'):.1f}.",
    ),
    _section_4_1(
        "T6.variance",
        "Variance of a state under the paper's noise, relative to exp(-E).",
        criterion=at_most(0.01),
        measure=lambda data: _relative_variance(data, "paper"),
        control=lambda data: _relative_variance(data, "langevin"),
        control_is="unadjusted Langevin",
        note=lambda data: (
            f"Variance {float(data.state_variance.sel(sampler='paper')):.2g}, mean square "
            f"{_number(data, 'paper', 'square'):.2g}."
        ),
    ),
    _section_4_1(
        "T6.density",
        "Share of probability that the stationary law of the paper's dynamics puts elsewhere than exp(-E).",
        criterion=at_least(0.9),
        measure=lambda data: _elsewhere(data, "paper"),
        control=lambda data: _elsewhere(data, "metropolis"),
        control_is="Metropolis-adjusted Langevin",
        note="Total variation over cells.",
    ),
    Claim(
        "T6.saturation",
        "Largest error of P(active) = 0.383, 0.683, 0.886, 0.988, 1.000 at T = 1, 0.25, 0.1, 0.04, 0.01, one unit.",
        statement="Section 4.1",
        criterion=at_most(6e-4),
        measure=lambda data: _off_shares(data.active),
        control=lambda data: _off_shares(data.active_in_variance),
        control_is="T read as a standard deviation",
        bearing="limits",
        note=lambda data: "P(active) " + ", ".join(f"{value:.4f}" for value in data.active.values) + ".",
    ),
)


def _quadrature(params: Params, temperature: float, reach: float, n_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return midpoints from -reach to reach and exp(-E/T) of one or two units there, as probabilities that sum to 1."""
    n_units = params.bias.shape[0]
    grid = reach * ((np.arange(n_points) + 0.5) / n_points * 2 - 1)
    states = jnp.asarray(np.stack(np.meshgrid(*[grid] * n_units, indexing="ij"), -1).reshape(-1, n_units), float)
    energies = np.asarray(jax.vmap(lambda state: energy_of(params, state, hard_sigmoid()))(states), np.float64)
    mass = np.exp(-(energies - energies.min()) / temperature)
    return grid, (mass / mass.sum()).reshape([n_points] * n_units)


def _statistics_of(states: np.ndarray) -> np.ndarray:
    """Return the `STATISTICS` of two units, `[..., time, 2]`, means over time and units."""
    rates = np.clip(states + 0.5, 0, 1)
    columns = ((states**2).mean((-2, -1)), rates.prod(-1).mean(-1), (np.abs(states) <= 0.5).mean((-2, -1)))
    return np.stack(columns, axis=-1)


def _histogram(states: np.ndarray) -> np.ndarray:
    """Return the shares of states of two units in square cells, what lies outside in the outermost."""
    edges = np.linspace(-_REACH, _REACH, _N_BINS + 1)
    inside = np.clip(states.reshape(-1, 2), -_REACH, np.nextafter(_REACH, 0))
    return np.histogram2d(inside[:, 0], inside[:, 1], [edges, edges])[0] / inside.shape[0]


def run(key: Key[Array, ""], config: LangevinDensityConfig, progress: Progress) -> xr.Dataset:
    """Sample two units with the paper's noise and with Langevin dynamics, and integrate exp(-E)."""
    weights, bias = config.weight * _PAIR, np.full(2, config.bias)
    progress(0.0, "the paper's noise")
    paper = _paper(key, networks([weights], [bias]), config)
    progress(0.2, "Langevin dynamics")
    unadjusted = _unadjusted(key, weights, bias, config)
    progress(0.6, "Metropolis-adjusted Langevin dynamics")
    adjusted = _adjusted(key, networks([weights], [bias]), config)
    progress(0.9, "quadrature")
    centres = np.linspace(-_REACH, _REACH, _N_BINS + 1)[:-1] + _REACH / _N_BINS
    chains = {"paper": paper, "langevin": unadjusted, "metropolis": adjusted}
    return merged(
        _sampled([np.asarray(each.states[0], np.float64) for each in chains.values()]),
        *(
            required(f"{name}_trial", "trials with finite states", **{f"{name}_is_finite": np.all(each.is_finite, 0)})
            for name, each in chains.items()
        ),
        _modes(np.asarray(unadjusted.states[1], np.float64), config),
        _exact(Params(jnp.asarray(weights, float), jnp.asarray(bias, float))),
        _active_shares(config.temperatures),
        sampler=list(SAMPLERS),
        statistic=list(STATISTICS),
        first=("first", centres, {"long_name": "activity of the first unit", "units": "activity"}),
        second=("second", centres, {"long_name": "activity of the second unit", "units": "activity"}),
        mode_step=((), config.mode_step, {"long_name": "step over time constant of the runs of modes"}),
        temperature=np.array(config.temperatures),
    )


def _paper(key: Key[Array, ""], network: Params, config: LangevinDensityConfig) -> Settled:
    kernel = NoisyIntegrator(hard_sigmoid())
    return settled_states(
        named_key(key, "paper"),
        network,
        kernel,
        cases(kernel, step=[config.step], noise_std=config.noise_std),
        every=20,
        # So narrow a law needs few runs.
        n_trials=max(2, config.n_trials // 16),
        n_steps=config.n_steps,
        n_settling=config.n_steps // 4,
    )


def _unadjusted(key: Key[Array, ""], weights: np.ndarray, bias: np.ndarray, config: LangevinDensityConfig) -> Settled:
    """Langevin dynamics without a Metropolis step: of the network, and of a weaker one between the kinks."""
    kernel, low = Langevin(hard_sigmoid()), config.mode_weight * _PAIR
    return settled_states(
        named_key(key, "langevin"),
        networks([weights, low], [bias, -0.5 * low.sum(1)]),
        kernel,
        cases(kernel, step=[config.step, config.mode_step], temperature=[1.0, config.mode_temperature]),
        every=20,
        n_trials=config.n_trials,
        n_steps=config.n_steps,
        n_settling=config.n_steps // 4,
    )


def _adjusted(key: Key[Array, ""], network: Params, config: LangevinDensityConfig) -> Settled:
    kernel = MetropolisLangevin(hard_sigmoid())
    return settled_states(
        named_key(key, "metropolis"),
        network,
        kernel,
        cases(kernel, step=[config.metropolis_step]),
        every=4,
        n_trials=max(2, config.n_trials // 2),
        n_steps=config.n_metropolis_steps,
        n_settling=config.n_metropolis_steps // 4,
    )


def _sampled(samples: list[np.ndarray]) -> xr.Dataset:
    """What the samplers find."""
    moments = [mean_interval(_statistics_of(states), 0) for states in samples]
    probability = np.stack([_histogram(states) for states in samples])
    return merged(
        labelled(("sampler", "first", "second"), probability=(probability, "probability of a cell")),
        labelled(
            ("sampler", "statistic"),
            measured=np.stack([each.value for each in moments]),
            measured_error=np.stack([each.standard_error for each in moments]),
        ),
        labelled("sampler", _SQUARE, state_variance=np.array([states.var((0, 1)).mean() for states in samples])),
    )


def _modes(states: np.ndarray, config: LangevinDensityConfig) -> xr.Dataset:
    """Variances of the two linear modes under Langevin dynamics, and their law."""
    variance = mean_interval(((states @ (np.array([[1, 1], [1, -1]]) / np.sqrt(2))) ** 2).mean(1), 0)
    mode = config.mode_weight * np.array([1.0, -1.0])
    law = config.mode_temperature / ((1 - mode) * (1 - 0.5 * config.mode_step * (1 - mode)))
    found = labelled(
        "mode",
        _SQUARE,
        mode_variance=variance.value,
        mode_variance_error=variance.standard_error,
        mode_law=(law, "T / (k (1 - step k / 2)), curvature k"),
        mode_without_bias=config.mode_temperature / (1 - mode),
    )
    return found.assign_coords(mode=("mode", mode, {"long_name": "eigenvalue of the weights"}))


def _exact(network: Params) -> xr.Dataset:
    """exp(-E) of the two units itself."""
    fine, exact = _quadrature(network, 1.0, _REACH, 10 * _N_BINS)
    rates, is_active = np.clip(fine + 0.5, 0, 1), np.abs(fine) <= 0.5
    of_one = exact.sum(1)
    statistics = np.array([of_one @ fine**2, rates @ exact @ rates, of_one @ is_active])
    cells = exact.reshape(_N_BINS, 10, _N_BINS, 10).sum((1, 3))
    return merged(
        labelled(("first", "second"), exact_probability=(cells, "probability of a cell")),
        labelled("statistic", exact=statistics),
        labelled((), _SQUARE, exact_state_variance=statistics[0] - (of_one @ fine) ** 2),
    )


def _active_shares(temperatures: tuple[float, ...]) -> xr.Dataset:
    """How probable it is that a single unit is between the kinks, also as if T were the standard deviation."""
    one = Params(jnp.zeros((1, 1), float), jnp.zeros(1, float))

    def share(temperature: float) -> float:
        points, probability = _quadrature(one, temperature, _REACH, 5000)
        return probability[np.abs(points) <= 0.5].sum()

    return labelled(
        "temperature",
        active=(np.array([share(t) for t in temperatures]), "probability between the kinks"),
        active_in_variance=np.array([share(t**2) for t in temperatures]),
    )


STUDY = Study(
    name="langevin_density",
    title="The paper's dynamics do not sample exp(-E)",
    figure="Section 4.1",
    source="Bengio et al. 2015, section 4.1, Eq 14",
    caption="Two hard-sigmoid units. exp(-E) spreads widely, mostly over saturated states; proper Langevin dynamics "
    "find it (up to the step, or exactly with a Metropolis step), the paper's dynamics stay in one spot, with a "
    "variance orders of magnitude smaller.",
    config=LangevinDensityConfig(),
    smoke=dict(n_trials=64, n_steps=200, n_metropolis_steps=80),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
