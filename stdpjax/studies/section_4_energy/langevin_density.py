"""What the paper's dynamics sample, beside proper Langevin dynamics and exp(-E) itself (section 4.1, Eq 14)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.dynamics import Kernel, Langevin, MetropolisLangevin, NoisyIntegrator, simulate
from stdpjax.energy import Params, energy_of, make_params
from stdpjax.lab import Estimate, Progress, Study, at_least, at_most
from stdpjax.lab.settings import STEP, TRAINS, configuration, setting
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.stats import mean_interval, wilson_interval
from stdpjax.studies.measures import beyond, labelled, largest_z, limits, merged, on_device, required, supports
from stdpjax.studies.network_runs import Settled, cases, networks, settled_states
from stdpjax.studies.section_4_energy.langevin_density_figure import plot

# One square holds the kinks as edges, and all but a millionth of the probability.
_REACH, _N_BINS = 5.0, 50
_PAIR = np.array([[0.0, 1.0], [1.0, 0.0]])


@configuration
class LangevinDensityConfig:
    """Settings of the study of the stationary law; two hard-sigmoid units and temperature 1."""

    weight: float = setting(0.8, "weight between the two units, tied")
    bias: float = setting(-0.2, "bias of both")
    noise_std: float = setting(0.3, "standard deviation of the paper's noise eta", above=0)
    step: float = setting(0.02, "step over time constant, of the paper's and of unadjusted Langevin dynamics", **STEP)
    n_trials: int = setting(16384, "independent runs of each", **TRAINS)
    n_steps: int = setting(2000, "steps of each; the first quarter is dropped", multiple_of=40)
    metropolis_step: float = setting(0.6, "step of the Metropolis-adjusted dynamics", **STEP)
    n_metropolis_steps: int = setting(240, "their steps; the first quarter is dropped", multiple_of=40)
    mode_weight: float = setting(6.0, "weight between two units, large enough for two modes", above=2)
    mode_noises: tuple[float, ...] = setting((0.1, 0.3, 0.6), "sizes of eta there", above=0, distinct=True)


def _off_exact(data: xr.Dataset, sampler: str) -> float:
    cell = data.sel(sampler=sampler)
    # The paper's noise never leaves the active region: a share of 1 without error.
    return largest_z(cell.measured - data.exact, cell.measured_error)


def _most_moved(data: xr.Dataset) -> Estimate:
    """Return the share of runs that end in the other mode with the paper's noise, of the size that moves most."""
    moved, n_trials = data.has_moved.drop_sel(noise="Langevin").sum("trial").max().item(), data.sizes["trial"]
    return Estimate(moved / n_trials, *wilson_interval(moved, n_trials))


CLAIMS = (
    supports(
        "sec4.1.towards",
        "Share of runs with the paper's noise that begin at a draw from exp(-E) and end at a more probable state.",
        criterion=at_least(0.9),
        measure=lambda data: mean_interval(data.is_likelier.sel(ended_by="paper")),
        control=lambda data: data.is_likelier.sel(ended_by="langevin").mean(),
        control_is="Langevin dynamics, after which the end is a draw as the start is",
        note=lambda data: f"{data.sizes['start_trial']} runs of two units; clamped inputs would change biases alone.",
    ),
    limits(
        "sec4.1.spread",
        "Variance of a unit's state with the paper's noise, relative to that under exp(-E).",
        criterion=at_most(0.01),
        measure=lambda data: mean_interval(data.paper_variance / data.exact_variance),
        control=lambda data: data.langevin_variance.mean() / data.exact_variance,
        control_is="Langevin dynamics at the same step",
    ),
    limits(
        "sec4.1.modes",
        "Share of runs that are begun in one of two modes and end in the other, with the noise of Eq 7, of the size "
        "that moves most.",
        criterion=at_most(0.01),
        measure=_most_moved,
        control=lambda data: data.has_moved.sel(noise="Langevin").mean(),
        control_is="Langevin noise",
        revised="It was a half, within 0.05, for Langevin noise, of which the paper says what is found.",
        note=lambda data: f"{data.sizes['trial']} runs of each; half of exp(-E) lies in either mode.",
    ),
    beyond(
        "ours.langevin",
        "Largest |z| of E[s^2], E[rho rho] and the active share with a Metropolis step, against quadrature.",
        statement="Langevin dynamics",
        criterion=at_most(4.0),
        measure=lambda data: _off_exact(data, "metropolis"),
        control=lambda data: _off_exact(data, "langevin"),
        control_is="Langevin dynamics without a Metropolis step",
        note=lambda data: f"The paper's noise: {_off_exact(data, 'paper'):.0f}.",
    ),
)


def _quadrature(params: Params, reach: float, n_points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return midpoints from -reach to reach and exp(-E) of one or two units there, as probabilities that sum to 1."""
    n_units = params.bias.shape[0]
    grid = reach * ((np.arange(n_points) + 0.5) / n_points * 2 - 1)
    states = jnp.asarray(np.stack(np.meshgrid(*[grid] * n_units, indexing="ij"), -1).reshape(-1, n_units), float)
    energies = np.asarray(jax.vmap(lambda state: energy_of(params, state, hard_sigmoid()))(states), np.float64)
    mass = np.exp(energies.min() - energies)
    return grid, (mass / mass.sum()).reshape([n_points] * n_units)


def _statistics_of(states: np.ndarray) -> np.ndarray:
    """Return E[s^2], E[rho rho] and the active share of two units, `[..., time, 2]`, means over time and units."""
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
    network = networks([config.weight * _PAIR], [np.full(2, config.bias)])
    progress(0.0, "the paper's noise and Langevin dynamics")
    chains = _chains(key, network, config)
    samples = [np.asarray(each.states, np.float64)[0] for each in chains.values()]
    moments = [mean_interval(_statistics_of(states), 0) for states in samples]
    shares = [_histogram(states) for states in samples]
    progress(0.7, "towards probable states, and two modes")
    one = jax.tree.map(lambda leaf: leaf[0], network)
    starts = on_device(np.asarray(chains["metropolis"].states)[0, ::8, -1])
    energies = [
        jax.vmap(lambda state: energy_of(one, state, hard_sigmoid()))(states)
        for states in (starts, *_ends(named_key(key, "likelier"), one, starts, (config.noise_std,), config))
    ]
    modes = np.full((max(2, config.n_trials // 4), 2), 0.5)
    pair = make_params(config.mode_weight * _PAIR, np.full(2, -0.5 * config.mode_weight))
    ends = _ends(named_key(key, "modes"), pair, on_device(modes), config.mode_noises, config)
    progress(0.9, "quadrature")
    centres = np.linspace(-_REACH, _REACH, _N_BINS + 1)[:-1] + _REACH / _N_BINS
    return merged(
        labelled(("sampler", "first", "second"), probability=(np.stack(shares), "probability of a cell")),
        labelled(
            ("sampler", "statistic"),
            measured=np.stack([each.value for each in moments]),
            measured_error=np.stack([each.standard_error for each in moments]),
        ),
        *(
            required(f"{name}_trial", "trials with finite states", **{f"{name}_is_finite": np.all(each.is_finite, 0)})
            for name, each in chains.items()
        ),
        *(
            labelled(f"{name}_trial", "activity^2", **{f"{name}_variance": ((s - s.mean((0, 1))) ** 2).mean((1, 2))})
            for name, s in zip(chains, samples, strict=True)
        ),
        labelled(("noise", "trial"), has_moved=(np.sum(ends, 2) < 0, "whether a run ends in the other mode")),
        labelled(("ended_by", "start_trial"), is_likelier=np.stack(energies[1:]) < np.asarray(energies[0])),
        _exact(one),
        sampler=list(chains),
        ended_by=["paper", "langevin"],
        statistic=["square", "product", "active"],
        noise=[*(f"Eq 7, {size:g}" for size in config.mode_noises), "Langevin"],
        first=("first", centres, {"long_name": "activity of the first unit", "units": "activity"}),
        second=("second", centres, {"long_name": "activity of the second unit", "units": "activity"}),
    )


def _chains(key: Key[Array, ""], network: Params, config: LangevinDensityConfig) -> dict[str, Settled]:
    """States of each sampler; so narrow a law as that of the paper's noise needs few runs."""

    def states(kernel: Kernel, name: str, share: int, n_steps: int, every: int, **numbers: Any) -> Settled:
        sizes = {"n_trials": max(2, config.n_trials // share), "n_settling": n_steps // 4, "every": every}
        own, numbers = named_key(key, name), cases(kernel, **numbers)
        return settled_states(own, network, kernel, numbers, n_steps=n_steps, **sizes)

    rho, n, n_metropolis = hard_sigmoid(), config.n_steps, config.n_metropolis_steps
    step, metropolis_step = [config.step], [config.metropolis_step]
    return {
        "paper": states(NoisyIntegrator(rho), "paper", 16, n, 20, step=step, noise_std=config.noise_std),
        "langevin": states(Langevin(rho), "langevin", 1, n, 20, step=step),
        "metropolis": states(MetropolisLangevin(rho), "metropolis", 2, n_metropolis, 4, step=metropolis_step),
    }


def _ends(
    key: Key[Array, ""], params: Params, starts: Array, sizes: tuple[float, ...], config: LangevinDensityConfig
) -> list[Array]:
    """Return where runs end with the paper's noise of each size, the same numbers scaled, and with Langevin noise."""
    rho, ends = hard_sigmoid(), []
    for name, kernel, *size in (
        *(("paper", NoisyIntegrator(rho), size) for size in sizes),
        ("langevin", Langevin(rho)),
    ):
        hyper = kernel.Hyper(config.step, *size)
        ends.append(simulate(named_key(key, name), params, kernel, hyper, state=starts, n_steps=config.n_steps).state)
    return ends


def _exact(network: Params) -> xr.Dataset:
    """exp(-E) of the two units itself."""
    fine, exact = _quadrature(network, _REACH, 10 * _N_BINS)
    rates, is_active = np.clip(fine + 0.5, 0, 1), np.abs(fine) <= 0.5
    of_one = exact.sum(1)
    statistics = np.array([of_one @ fine**2, rates @ exact @ rates, of_one @ is_active])
    cells = exact.reshape(_N_BINS, 10, _N_BINS, 10).sum((1, 3))
    return merged(
        labelled(("first", "second"), exact_probability=(cells, "probability of a cell")),
        labelled("statistic", exact=statistics),
        labelled((), "activity^2", exact_variance=statistics[0] - (of_one @ fine) ** 2),
    )


STUDY = Study(
    name="langevin_density",
    title="The paper's dynamics do not sample exp(-E)",
    figure="Section 4.1",
    source="Bengio et al. 2015, section 4.1, Eq 14",
    caption="Two hard-sigmoid units. exp(-E) spreads widely, mostly over saturated states; proper Langevin dynamics "
    "find it (up to the step, or exactly with a Metropolis step), the paper's dynamics stay in one spot. Where there "
    "are two modes, Langevin noise finds both, and the paper's noise of any of three sizes none but that in which it "
    "starts.",
    config=LangevinDensityConfig(),
    smoke=dict(n_trials=64, n_steps=200, n_metropolis_steps=80),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
