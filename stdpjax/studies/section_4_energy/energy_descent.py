"""Does every step go down the energy? Inside, at kinks, with noise; and how saturated units come back."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int, Key
from numpy.typing import NDArray

from stdpjax.dynamics import (
    HeatHyper,
    Kernel,
    Langevin,
    LeakyIntegrator,
    NoiseHyper,
    NoisyIntegrator,
    PrintedIntegrator,
    StepHyper,
)
from stdpjax.energy import Params, energy_of, random_params, tie
from stdpjax.lab import Claim, at_least, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import is_active, resting_bias
from stdpjax.random import key as key_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.network_runs import path_from
from stdpjax.studies.section_4_energy.energy_descent_figure import plot
from stdpjax.theory.linear_noise import mean_energy

# Upper kink of the hard sigmoid, beta_2; the lower one is its negative.
_KINK = 0.5


@configuration
class EnergyDescentConfig:
    """Settings of the study of the energy; steps are fractions of the time constant."""

    n_networks: int = setting(64, "networks that relax inside the active region, and at kinks", at_least=2)
    n_units: int = setting(6, "units of a network", at_least=2)
    n_steps: int = setting(100, "steps inside the active region")
    steps: tuple[float, ...] = setting((0.01, 0.02, 0.05, 0.1), "step sizes at kinks", **STEP, increasing=True)
    n_kink_steps: int = setting(2000, "steps at kinks, the last half of which counts", at_least=10)
    fields: tuple[float, ...] = setting(
        (0.6, 0.8, 1.1, 1.7, 2.3, 3.7), "inputs to one unit that drive it past the kink", above=_KINK, distinct=True
    )
    noise_std: float = setting(0.05, "noise inside R, in units of activity", above=0, at_most=0.05)
    noise_step: float = setting(0.1, "step size with noise", **STEP)
    n_noise_steps: int = setting(60, "steps with noise")
    n_trials: int = setting(4000, "trials with noise", at_least=2)
    n_returns: int = setting(200, "units that come back from saturation, for each step size", at_least=2)
    return_steps: tuple[float, ...] = setting((0.02, 0.1, 0.3), "step sizes of the return", above=0, at_most=0.5)


def _up_inside(data: xr.Dataset, side: str) -> xr.DataArray:
    """Return the shares of upward steps inside the active region, with steps below, or above, the bound."""
    return data.inside_up.sel(side=side)


def _interior_note(data: xr.Dataset) -> str:
    return (
        f"Rises beyond rounding, {float(data.rounding):.2g}. Steps 5 % below 2 / lambda_max, "
        f"{float(data.bound.min()):.3g} to {float(data.bound.max()):.3g}."
    )


def _single_error(data: xr.Dataset, expected: xr.DataArray | float) -> float:
    return float(np.abs(data.single_up.mean("network") - expected).max())


def _order(rise: xr.DataArray) -> xr.DataArray:
    """Return the order in the step, for each network."""
    log_step = np.log(rise.step) - np.log(rise.step).mean()
    return (np.log(rise) * log_step).sum("step") / (log_step**2).sum()


def _size_note(data: xr.Dataset) -> str:
    largest = data.kink_rise.max("network")
    sizes = (f"{float(largest.sel(step=step)):.2g} at step {step:g}" for step in data.step.values)
    return f"Largest rise {', '.join(sizes)}."


def _largest_z(data: xr.Dataset, expected: xr.DataArray) -> float:
    """Return the largest deviation of the mean energy from above equilibrium, after the start, in its errors."""
    above = data.sel(start="above").isel(time=slice(1, None))
    return float(np.abs((above.noisy_energy - expected) / above.noisy_error).max())


_section_9_eq_16 = partial(
    Claim,
    statement="Section 9, Eq 16",
)

CLAIMS = (
    _section_9_eq_16(
        "T18.interior",
        "Largest share of upward steps, over networks inside the active region, no noise, step below 2/lambda_max(H).",
        criterion=at_most(0.0),
        measure=lambda data: _up_inside(data, "below").max(),
        control=lambda data: _up_inside(data, "above").mean(),
        control_is="5 % above",
        bearing="limits",
        note=_interior_note,
    ),
    _section_9_eq_16(
        "T18.kink_up",
        "Share of steps at which the energy rises where all units chatter about kinks, noise-free.",
        criterion=within(0.5, 0.05),
        measure=lambda data: mean_interval(data.kink_up.mean("step")),
        control=lambda data: _up_inside(data, "below").mean(),
        control_is="inside the active region",
        bearing="refutes",
    ),
    _section_9_eq_16(
        "T18.kink_single",
        "Largest difference of that share for one unit from 2 d (1-d), d the threshold over the input.",
        criterion=at_most(0.03),
        measure=lambda data: _single_error(data, data.single_exact),
        control=lambda data: _single_error(data, 0.5),
        control_is="one half for every input",
        bearing="refutes",
    ),
    _section_9_eq_16(
        "T18.kink_size",
        "Order in the step of the largest rise at kinks (slope on logarithmic axes).",
        criterion=within(1.0, 0.1),
        measure=lambda data: mean_interval(_order(data.kink_rise)),
        control=lambda data: _order(data.langevin_rise).mean(),
        control_is="Langevin noise, whose steps are of order 1/2",
        bearing="limits",
        note=_size_note,
    ),
    _section_9_eq_16(
        "T18.noise_above",
        "Mean change of the energy in the first step with noise, from above equilibrium.",
        criterion=at_most(0.0),
        measure=lambda data: mean_interval(data.first_change.sel(start="above")),
        control=lambda data: data.first_change.sel(start="minimum").mean(),
        control_is="from the minimum, below equilibrium",
        bearing="limits",
        note=lambda data: f"{data.sizes['trial']} trials.",
    ),
    _section_9_eq_16(
        "T18.noise_single",
        "Share of single steps at which the energy rises with noise, at equilibrium.",
        criterion=within(0.5, 0.1),
        measure=lambda data: mean_interval(data.late_up),
        control=lambda data: _up_inside(data, "below").mean(),
        control_is="without noise",
        bearing="limits",
    ),
    Claim(
        "T18.noise_law",
        "Largest |z|, over time, of the mean energy with noise against its closed form.",
        statement="Section 9, Eq 16",
        criterion=at_most(4.0),
        measure=lambda data: _largest_z(data, data.noisy_exact.sel(start="above")),
        control=lambda data: _largest_z(data, data.noisy_frozen),
        control_is="without noise",
        bearing="supports",
    ),
    Claim(
        "T7.steps",
        "Share of saturated units that are active again after exactly ceil(ln(|s_0|/|kink|) / -ln(1-step)) steps.",
        statement="Section 4.2, Eq 18",
        criterion=at_least(1.0),
        measure=lambda data: (data.return_count == data.return_formula).mean(),
        control=lambda data: (data.return_printed == data.return_formula).mean(),
        control_is="the printed Eq 17",
        bearing="supports",
        note=lambda data: f"{data.return_count.size} units among strong weights.",
    ),
)


def _energies(params: Params, path: Float[Array, "time unit"]) -> Float[Array, "time"]:
    return jax.vmap(lambda state: energy_of(params, state, hard_sigmoid()))(path)


def _rounding(energies: Array) -> float:
    """Return the change of an energy of order 1 that rounding may make."""
    return float(16 * jnp.finfo(energies.dtype).eps)


def _network(weights: Float[Array, "unit unit"]) -> Params:
    """Return the network of these weights that rests at 0."""
    return Params(weights, resting_bias(weights, jnp.zeros(len(weights), weights.dtype), hard_sigmoid()))


def _inhibited_network(key: Key[Array, ""], n_units: int) -> tuple[Params, Float[Array, "unit"]]:
    """Return a network with strong mutual inhibition, so that steps below 1 can be too long, and a start."""
    weight_key, start_key = jax.random.split(key)
    raw = tie(jax.random.normal(weight_key, (n_units, n_units), float))
    raw = 0.4 * raw / jnp.linalg.norm(raw, ord=2)
    away = jax.random.normal(start_key, (n_units,), float)
    return _network(raw - 2 / (n_units - 1) * (1 - jnp.eye(n_units, dtype=float))), 0.45 * away / jnp.linalg.norm(away)


def _descend(key: Key[Array, ""], config: EnergyDescentConfig) -> tuple[Array, Array, Array]:
    """Return energies with a step 5 % below the bound 2 / lambda_max(H), and above, the bound, and if all was active.

    What is active is the path with steps below the bound.
    """
    params, start = _inhibited_network(key, config.n_units)
    bound = 2 / (1 - jnp.linalg.eigvalsh(params.weights)[0])
    kernel = LeakyIntegrator(hard_sigmoid())
    paths = jax.vmap(lambda share: path_from(kernel, params, start, StepHyper(share * bound), config.n_steps, key))(
        jnp.array([0.95, 1.05], float)
    )
    return jax.vmap(lambda path: _energies(params, path))(paths), bound, is_active(paths[0], hard_sigmoid())


class _Kink(NamedTuple):
    """What the energy does once a network has come to its kinks."""

    up_share: Float[Array, ""]
    """Share of steps that go up."""
    largest_rise: Float[Array, ""]
    energy: Float[Array, "time"]
    """The last values."""


def _at_kink(
    params: Params, start: Float[Array, "unit"], hyper: Any, n_steps: int, key: Key[Array, ""], kernel: Kernel
) -> _Kink:
    """Return what the energy does over the second half of a run."""
    energy = _energies(params, path_from(kernel, params, start, hyper, n_steps, key)[n_steps // 2 :])
    rise = jnp.diff(energy)
    return _Kink(jnp.mean(rise > _rounding(rise)), jnp.max(rise), energy[-60:])


def _kink_network(key: Key[Array, ""], n_units: int) -> Params:
    """Return a network all of whose units are driven past a threshold, up or down."""
    weight_key, sign_key, size_key = jax.random.split(key, 3)
    params = random_params(weight_key, n_units, 0.1)
    sign = jnp.where(jax.random.bernoulli(sign_key, 0.5, (n_units,)), 1.0, -1.0).astype(params.bias.dtype)
    return params._replace(bias=params.bias + sign * jax.random.uniform(size_key, (n_units,), float, 0.9, 2.0))


def _noisy_network(key: Key[Array, ""], n_units: int) -> Params:
    """Return the network that is run with noise, with its energy at 0."""
    raw = tie(jax.random.normal(key, (n_units, n_units), float))
    return _network(0.6 * raw / jnp.linalg.norm(raw, ord=2))


def _returns(
    starts: Float[Array, "step unit"], steps: Float[Array, "step"], key: Key[Array, ""], kernel: Kernel, n_steps: int
) -> Int[Array, "step unit"]:
    """Return the number of steps after which each saturated unit is active again, in a network of strong weights."""
    rho = hard_sigmoid()
    params = random_params(key, starts.shape[1], 3.0)

    def one(start: Array, step: Array) -> Array:
        is_back = rho.slope(path_from(kernel, params, start, kernel.Hyper(step), n_steps, key)) == 1
        return jnp.where(is_back.any(0), jnp.argmax(is_back, axis=0), -1)

    return jax.vmap(one)(starts, steps)


def _formula(starts: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ceil(ln(|s_0| / |kink|) / -ln(1 - step))."""
    return np.ceil(np.log(np.abs(starts) / _KINK) / -np.log1p(-steps))


def _saturated_starts(key: Key[Array, ""], steps: np.ndarray, n_returns: int) -> NDArray[np.float64]:
    """Return starts from which 1 to 20 steps lead back, well between those of the next lower and higher count."""
    draws = np.asarray(jax.random.uniform(named_key(key, "returns"), (3, len(steps), n_returns)))
    exponent = 1 + np.floor(20 * draws[0]) - (0.05 + 0.9 * draws[1])
    sign = np.where(draws[2] < 0.5, -1, 1)
    return sign * _KINK * (1 - steps[:, None].astype(np.float64)) ** -exponent


def _with_noise(key: Key[Array, ""], params: Params, config: EnergyDescentConfig) -> tuple[Array, Array]:
    """Return energies above the minimum from two starts, `[start, trial, time]`, and which trials stay active."""
    rho, high = hard_sigmoid(), jnp.full(config.n_units, 0.2, float)

    def one(start: Array, key: Array) -> tuple[Array, Array]:
        hyper = NoiseHyper(config.noise_step, config.noise_std)
        path = path_from(NoisyIntegrator(rho), params, start, hyper, config.n_noise_steps, key)
        return _energies(params, path) - energy_of(params, jnp.zeros_like(start), rho), is_active(path, rho)

    keys = member_keys(named_key(key, "trials"), config.n_trials)
    both = jax.vmap(lambda start: jax.vmap(lambda key: one(start, key))(keys))
    energies, stays = both(jnp.stack([high, jnp.zeros_like(high)]))
    return energies, stays.all(0)


def run(key: Key[Array, ""], config: EnergyDescentConfig, progress: Progress) -> xr.Dataset:
    """Follow the energy in four situations."""
    progress(0.0, "inside, at kinks and with noise")
    rho = hard_sigmoid()
    right, printed, sampler = LeakyIntegrator(rho), PrintedIntegrator(rho), Langevin(rho)
    return_steps = np.asarray(config.return_steps)
    starts = _saturated_starts(key, return_steps, config.n_returns)

    @jax.jit
    def everything(keys, steps, fields, starts, return_steps):
        def one_unit(field: Array, key: Array) -> _Kink:
            params = Params(jnp.zeros((1, 1), float), field[None])
            start = jax.random.uniform(key, (1,), float, 0.0, 1.0)
            return _at_kink(params, start, StepHyper(steps[0]), config.n_kink_steps, key, right)

        def networks_at_kinks(kernel: Kernel, temperature: float | None = None) -> _Kink:
            def one(key: Array, step: Array) -> _Kink:
                params, start = _kink_network(key, config.n_units), jnp.zeros(config.n_units, float)
                hyper = kernel.Hyper(step) if temperature is None else HeatHyper(step, temperature)
                return _at_kink(params, start, hyper, config.n_kink_steps, key, kernel)

            return jax.vmap(lambda key: jax.vmap(lambda step: one(key, step))(steps))(keys)

        single = jax.vmap(lambda field: jax.vmap(lambda key: one_unit(field, key))(keys))(fields)
        params = _noisy_network(named_key(key, "noise"), config.n_units)
        back = jnp.stack([_returns(starts, return_steps, key_of(1), kernel, 30) for kernel in (right, printed)])
        return (
            jax.vmap(lambda key: _descend(key, config))(keys),
            (single, networks_at_kinks(right), networks_at_kinks(sampler, temperature=0.01)),
            (params.weights, *_with_noise(key, params, config)),
            back,
        )

    (inside, bound, stays_inside), (single, kinks, warm), (weights, energies, stays), back = jax.tree.map(
        np.asarray,
        everything(
            member_keys(named_key(key, "networks"), config.n_networks),
            *(jnp.asarray(values, float) for values in (config.steps, config.fields, starts, return_steps)),
        ),
    )
    law = partial(mean_energy, weights, step=config.noise_step, n_steps=config.n_noise_steps)
    high, rest = np.full(config.n_units, 0.2, weights.dtype), np.zeros(config.n_units)
    noisy = mean_interval(energies, 1)
    energies = energies.astype(np.float64)
    duty = _KINK / np.asarray(config.fields)
    energy, back_dims = {"units": "1", "long_name": "energy"}, ("return_step", "unit")
    limit = _rounding(jnp.zeros((), float))
    return xr.Dataset(
        {
            "inside_energy": (("network", "side", "inside_time"), inside, energy),
            "bound": ("network", bound, {"units": "tau", "long_name": "2 / lambda_max(H)"}),
            "inside_up": (("network", "side"), (np.diff(inside) > limit).mean(-1)),
            "rounding": ((), limit, energy),
            "inside_active": ("network", stays_inside, {"required": "relaxations in the active region"}),
            "single_up": (("field", "network"), single.up_share, {"long_name": "share of steps up, one unit"}),
            "single_exact": ("field", 2 * duty * (1 - duty)),
            "kink_up": (("network", "step"), kinks.up_share, {"long_name": "share of steps up"}),
            "kink_rise": (("network", "step"), kinks.largest_rise, energy),
            "langevin_rise": (("network", "step"), warm.largest_rise, energy),
            "kink_energy": (("step", "kink_time"), kinks.energy[0], energy),
            "noisy_energy": (("start", "time"), noisy.value, energy),
            "noisy_error": (("start", "time"), noisy.standard_error, energy),
            "noisy_exact": (
                ("start", "time"),
                [law(each, noise_std=config.noise_std) for each in (high, rest)],
                energy,
            ),
            "noisy_frozen": ("time", law(high, noise_std=1e-12), energy),
            "first_change": (("start", "trial"), energies[:, :, 1] - energies[:, :, 0], energy),
            "late_up": ("trial", (np.diff(energies[1, :, config.n_noise_steps // 2 :]) > 0).mean(1)),
            "noisy_active": ("trial", stays, {"required": "trials with noise in the active region"}),
            "return_start": (back_dims, starts, {"units": "activity"}),
            "return_count": (back_dims, back[0], {"units": "steps"}),
            "return_printed": (back_dims, back[1], {"units": "steps"}),
            "return_formula": (back_dims, _formula(starts, return_steps[:, None]), {"units": "steps"}),
        },
        coords={
            "side": ["below", "above"],
            "inside_time": ("inside_time", np.arange(config.n_steps + 1), {"units": "steps"}),
            "field": ("field", list(config.fields), {"units": "activity"}),
            "step": ("step", list(config.steps), {"units": "tau"}),
            "kink_time": ("kink_time", np.arange(kinks.energy.shape[-1]), {"units": "steps"}),
            "start": ["above", "minimum"],
            "time": ("time", np.arange(config.n_noise_steps + 1), {"units": "steps"}),
            "return_step": ("return_step", list(config.return_steps), {"units": "tau"}),
        },
    )


STUDY = Study(
    name="energy_descent",
    title="Does every step go down the energy?",
    figure="Energy of Eq 16",
    source="Bengio et al. 2015, sections 4.2 and 9, Eq 16",
    caption="Inside the active region and without noise every step goes down, if it is shorter than 2/lambda_max(H). A "
    "unit driven past its threshold chatters about the kink and the energy goes up as often as down, by amounts of the "
    "order of the step. With noise only the mean goes down, and only from above equilibrium. A saturated unit comes "
    "back after a number of steps that its start alone decides.",
    config=EnergyDescentConfig(),
    smoke=dict(n_networks=4, n_kink_steps=200, n_trials=100, n_returns=20),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
