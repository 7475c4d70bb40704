"""Do steps go down the energy? Inside, at thresholds, with noise; and how saturated units come back."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Int, Key
from numpy.typing import NDArray

from stdpjax.dynamics import Kernel, LeakyIntegrator, NoiseHyper, NoisyIntegrator, StepHyper
from stdpjax.energy import Params, energy_of, random_params, tie
from stdpjax.lab import Progress, Study, at_least, at_most, keep_estimate
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.networks import is_active, resting_bias
from stdpjax.random import key as key_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, hard_sigmoid, smoothed_hard_sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, limits, merged, on_host, required
from stdpjax.studies.network_runs import path_from
from stdpjax.studies.section_4_energy.energy_descent_figure import plot
from stdpjax.theory.linear_noise import mean_energy

# Upper kink of the hard sigmoid, beta_2; the lower one is its negative.
KINK = 0.5
# Activity of all units from which the energy falls with noise.
_ABOVE = 0.2


@configuration
class EnergyDescentConfig:
    """Settings of the study of the energy; steps are fractions of the time constant."""

    n_networks: int = setting(64, "networks that relax inside the active region, and at thresholds", at_least=2)
    n_units: int = setting(6, "units of a network", at_least=2)
    n_steps: int = setting(100, "steps inside the active region")
    steps: tuple[float, ...] = setting((0.01, 0.02, 0.05, 0.1), "step sizes at thresholds", **STEP, increasing=True)
    n_kink_steps: int = setting(2000, "steps at thresholds; rises are counted in the last half", at_least=10)
    noise_std: float = setting(0.05, "noise inside R, in units of activity", above=0, at_most=0.05)
    noise_step: float = setting(0.1, "step size with noise", **STEP)
    n_noise_steps: int = setting(60, "steps with noise")
    n_trials: int = setting(4000, "trials with noise", at_least=2)
    n_returns: int = setting(200, "units that come back from saturation, for each step size", at_least=2)
    return_steps: tuple[float, ...] = setting((0.02, 0.1, 0.3), "step sizes of the return", above=0, at_most=0.5)


_REVISED = "It was at most 0 from above, as is true of all dynamics that come near the minimum."

CLAIMS = (
    limits(
        "sec9.interior",
        "Largest share of upward steps, over networks inside the active region, no noise, step below 2/lambda_max(H).",
        criterion=at_most(0.0),
        measure=lambda data: data.inside_up.sel(side="below").max(),
        control=lambda data: data.inside_up.sel(side="above").mean(),
        control_is="steps 5 % above the bound (mean)",
        note=lambda data: (
            f"Rises beyond rounding, {float(data.rounding):.2g}. Steps 5 % below 2 / lambda_max, "
            f"{float(data.bound.min()):.3g} to {float(data.bound.max()):.3g}."
        ),
    ),
    limits(
        "sec9.thresholds",
        "Mean change of the energy, without noise, of networks that start at its minimum, all units at thresholds.",
        criterion=at_least(0.01),
        measure=lambda data: mean_interval(data.kink_change.sel(start="minimum").mean("step")),
        control=lambda data: data.kink_change.sel(start="above").mean(),
        control_is="from rest, above where it ends",
        revised=_REVISED,
        note=lambda data: f"Settled, {float(data.kink_up.mean()):.0%} of single steps raise it.",
    ),
    limits(
        "sec9.noise",
        "Mean change of the energy in the first step with noise, from the minimum, over what it comes to in the end.",
        criterion=at_least(0.01),
        measure=lambda data: mean_interval(data.first_change.sel(start="minimum")),
        control=lambda data: data.first_change.sel(start="above").mean(),
        control_is="from above equilibrium",
        revised=_REVISED,
        note=lambda data: f"{data.sizes['trial']} trials.",
    ),
    limits(
        "sec4.2.steps",
        "Share of saturated units that are active again after exactly ceil(ln(|s_0|/|kink|) / -ln(1-step)) steps.",
        criterion=at_least(1.0),
        measure=lambda data: (data.return_count == data.return_formula).mean(),
        control=lambda data: max((data[f"return_{of}"] == data.return_formula).mean() for of in ("noisy", "smooth")),
        control_is="noise inside R, or thresholds rounded off over 0.1, with which input still counts, the nearer",
        note=lambda data: f"{data.return_count.size} units among strong weights.",
    ),
)


def _energies(params: Params, path: Float[Array, "time unit"], rate_fn: RateFunction) -> Float[Array, "time"]:
    return jax.vmap(lambda state: energy_of(params, state, rate_fn))(path)


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
    paths = jax.vmap(lambda share: path_from(kernel, params, start, kernel.Hyper(share * bound), config.n_steps, key))(
        jnp.array([0.95, 1.05], float)
    )
    energies = jax.vmap(lambda path: _energies(params, path, kernel.rate_fn))(paths)
    return energies, bound, is_active(paths[0], kernel.rate_fn)


def _at_kink(
    params: Params, start: Float[Array, "unit"], hyper: Any, n_steps: int, key: Key[Array, ""], kernel: Kernel
) -> dict[str, Array]:
    """Return the share of steps up in the second half of a run, the change over all of it, and the last energies."""
    energy = _energies(params, path_from(kernel, params, start, hyper, n_steps, key), kernel.rate_fn)
    rise = jnp.diff(energy[n_steps // 2 :])
    return {"up": jnp.mean(rise > _rounding(rise)), "change": energy[-1] - energy[0], "energy": energy[-60:]}


def _kink_network(key: Key[Array, ""], n_units: int) -> Params:
    """Return a network all of whose units are driven past a threshold, up or down."""
    weight_key, sign_key, size_key = jax.random.split(key, 3)
    params = random_params(weight_key, n_units, 0.1)
    sign = jnp.where(jax.random.bernoulli(sign_key, 0.5, (n_units,)), 1.0, -1.0).astype(params.bias.dtype)
    return params._replace(bias=params.bias + sign * jax.random.uniform(size_key, (n_units,), float, 0.9, 2.0))


def _noisy_network(key: Key[Array, ""], n_units: int) -> Params:
    raw = tie(jax.random.normal(key, (n_units, n_units), float))
    return _network(0.6 * raw / jnp.linalg.norm(raw, ord=2))


def _with_noise(key: Key[Array, ""], params: Params, config: EnergyDescentConfig) -> tuple[Array, Array]:
    """Return energies above the minimum from two starts, `[start, trial, time]`, and which trials stay active."""
    rho, high = hard_sigmoid(), jnp.full(config.n_units, _ABOVE, float)

    def one(start: Array, key: Array) -> tuple[Array, Array]:
        hyper = NoiseHyper(config.noise_step, config.noise_std)
        path = path_from(NoisyIntegrator(rho), params, start, hyper, config.n_noise_steps, key)
        return _energies(params, path, rho) - energy_of(params, jnp.zeros_like(start), rho), is_active(path, rho)

    keys = member_keys(named_key(key, "trials"), config.n_trials)
    both = jax.vmap(lambda start: jax.vmap(lambda key: one(start, key))(keys))
    energies, stays = both(jnp.stack([high, jnp.zeros_like(high)]))
    return energies, stays.all(0)


def returns(
    starts: Float[Array, "step unit"], hyper: Any, key: Key[Array, ""], kernel: Kernel, n_steps: int
) -> Int[Array, "step unit"]:
    """Return the number of steps after which each saturated unit is active again, in a network of strong weights."""
    rho, path_key = hard_sigmoid(), named_key(key, "path")
    params = random_params(key, starts.shape[1], 3.0)

    def one(start: Array, hyper: Any) -> Array:
        is_back = rho.slope(path_from(kernel, params, start, hyper, n_steps, path_key)) == 1
        return jnp.where(is_back.any(0), jnp.argmax(is_back, axis=0), -1)

    return jax.vmap(one)(starts, hyper)


def steps_until_active(starts: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ceil(ln(|s_0| / |kink|) / -ln(1 - step))."""
    return np.ceil(np.log(np.abs(starts) / KINK) / -np.log1p(-steps))


def saturated_starts(key: Key[Array, ""], steps: np.ndarray, n_returns: int) -> NDArray[np.float64]:
    """Return starts from which 1 to 20 steps lead back, well between those of the next lower and higher count."""
    draws = np.asarray(jax.random.uniform(named_key(key, "returns"), (3, len(steps), n_returns)))
    exponent = 1 + np.floor(20 * draws[0]) - (0.05 + 0.9 * draws[1])
    sign = np.where(draws[2] < 0.5, -1, 1)
    return sign * KINK * (1 - steps[:, None].astype(np.float64)) ** -exponent


def run(key: Key[Array, ""], config: EnergyDescentConfig, progress: Progress) -> xr.Dataset:
    """Follow the energy in four situations."""
    progress(0.0, "inside, at thresholds and with noise")
    rho = hard_sigmoid()
    right, smooth = LeakyIntegrator(rho), LeakyIntegrator(smoothed_hard_sigmoid(0.1))
    return_steps = np.asarray(config.return_steps)
    starts = saturated_starts(key, return_steps, config.n_returns)

    @jax.jit
    def everything(keys, steps, starts, return_steps):
        def at_kinks(key: Array, step: Array) -> dict[str, Array]:
            params = _kink_network(key, config.n_units)
            # At rest, and at the minimum of the energy.
            starts = jnp.stack([jnp.zeros_like(params.bias), KINK * jnp.sign(params.bias)])
            numbers = right.Hyper(step), config.n_kink_steps, key, right
            return jax.vmap(lambda start: _at_kink(params, start, *numbers))(starts)

        params = _noisy_network(named_key(key, "noise"), config.n_units)
        noise = NoiseHyper(return_steps, jnp.full_like(return_steps, config.noise_std))
        ways = *((kernel, StepHyper(return_steps)) for kernel in (right, smooth)), (NoisyIntegrator(rho), noise)
        return (
            jax.vmap(lambda key: _descend(key, config))(keys),
            jax.vmap(lambda key: jax.vmap(lambda step: at_kinks(key, step))(steps))(keys),
            (params.weights, *_with_noise(key, params, config)),
            [returns(starts, numbers, key_of(1), kernel, 30) for kernel, numbers in ways],
        )

    keys = member_keys(named_key(key, "networks"), config.n_networks)
    (inside, bound, stays_inside), kinks, (weights, energies, stays), back = on_host(
        everything(keys, *(jnp.asarray(values, float) for values in (config.steps, starts, return_steps)))
    )
    limit = _rounding(jnp.zeros((), float))
    noise = {"step": config.noise_step, "noise_std": config.noise_std, "n_steps": config.n_noise_steps}
    law = np.stack([mean_energy(weights, np.full(config.n_units, start), **noise) for start in (_ABOVE, 0.0)])
    return merged(
        labelled(("side", "inside_time"), inside_energy=inside[0]),
        labelled("network", "tau", bound=(bound, "2 / lambda_max(H)")),
        labelled(("network", "side"), inside_up=(np.diff(inside) > limit).mean(-1)),
        labelled((), rounding=limit),
        required("network", "relaxations in the active region", inside_active=stays_inside),
        labelled(
            ("network", "step", "start"),
            kink_up=(kinks["up"], "share of steps up"),
            kink_change=(kinks["change"], "change of the energy over the whole run"),
        ),
        labelled(("step", "kink_time"), kink_energy=kinks["energy"][0, :, 0]),
        xr.Dataset(keep_estimate("noisy_energy", mean_interval(energies, 1), ("start", "time"))),
        labelled(("start", "time"), noisy_exact=law),
        # Of the first step, relative to what the mean comes to in the end.
        labelled(("start", "trial"), first_change=(energies[:, :, 1] - energies[:, :, 0]) / law[1, -1]),
        required("trial", "trials with noise in the active region", noisy_active=stays),
        labelled(("return_step", "unit"), "activity", return_start=starts),
        labelled(
            ("return_step", "unit"),
            "steps",
            return_count=back[0],
            return_smooth=back[1],
            return_noisy=back[2],
            return_formula=steps_until_active(starts, return_steps[:, None]),
        ),
        side=["below", "above"],
        inside_time=("inside_time", np.arange(config.n_steps + 1), {"units": "steps"}),
        step=("step", list(config.steps), {"units": "tau"}),
        kink_time=("kink_time", np.arange(kinks["energy"].shape[-1]), {"units": "steps"}),
        start=["above", "minimum"],
        time=("time", np.arange(config.n_noise_steps + 1), {"units": "steps"}),
        return_step=("return_step", list(config.return_steps), {"units": "tau"}),
    )


STUDY = Study(
    name="energy_descent",
    title="Do steps go down the energy?",
    figure="Energy of Eq 16",
    source="Bengio et al. 2015, sections 4.2 and 9, Eq 16",
    caption="Inside the active region and without noise every step goes down, if it is shorter than 2/lambda_max(H). A "
    "unit driven past its threshold chatters about it: the energy goes up as often as down. There and with noise its "
    "mean falls only from above its final value. Saturated units come back when their start alone decides.",
    config=EnergyDescentConfig(),
    smoke=dict(n_networks=4, n_kink_steps=200, n_trials=100, n_returns=20),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
