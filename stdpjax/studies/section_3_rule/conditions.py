"""The paper's three conditions on an energy, for its own and for others."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax.dynamics import transition
from stdpjax.energy import Params, energy_of
from stdpjax.lab import Estimate, Progress, Study, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.networks import random_networks, random_states
from stdpjax.objectives import EnergyFunction, condition_2, condition_3
from stdpjax.random import named_key
from stdpjax.rates import RateFunction, hard_sigmoid, sigmoid, smoothed_hard_sigmoid
from stdpjax.studies.measures import labelled, largest, limits, merged, refutes, relative_difference, stacked
from stdpjax.studies.section_3_rule.conditions_figure import plot

RATES: dict[str, RateFunction] = {"hard": hard_sigmoid(), "smoothed": smoothed_hard_sigmoid(0.1), "sigmoid": sigmoid()}


def _quadratic(state: Float[Array, "unit"]) -> Float[Array, ""]:
    return 0.5 * jnp.sum(state**2)


def _states_coupled(params: Params, state: Float[Array, "unit"]) -> Float[Array, ""]:
    return _quadratic(state) - jnp.sum(state * (0.5 * (params.weights @ state) + params.bias))


def _squared_weights(params: Params, state: Float[Array, "unit"]) -> Float[Array, ""]:
    return energy_of(params._replace(weights=params.weights**2), state, hard_sigmoid())


def _softplus_of_field(params: Params, state: Float[Array, "unit"]) -> Float[Array, ""]:
    rate = hard_sigmoid().value(state)
    return _quadratic(state) - jnp.sum(jax.nn.softplus(params.bias + params.weights @ rate))


def _of_rates(rate_fn: RateFunction) -> EnergyFunction:
    return lambda params, state: energy_of(params, state, rate_fn)


# Energies that the conditions are put to, with the rate function that conditions 1 and 2 speak of.
ENERGIES: dict[str, tuple[EnergyFunction, RateFunction]] = {
    **{f"Eq 16, {name} rate": (_of_rates(rate_fn), rate_fn) for name, rate_fn in RATES.items()},
    "states coupled": (_states_coupled, RATES["hard"]),
    "squared weights": (_squared_weights, RATES["hard"]),
    "softplus of the field": (_softplus_of_field, RATES["hard"]),
}
_N_PAPER = len(RATES)
# Of the single unit whose third derivative is drawn about its lower kink, -1/2.
_ACTIVITY = np.linspace(-1, 0, 401)


@configuration
class ConditionsConfig:
    """Settings of the study of conditions; activities in units of the width of the active region."""

    n_networks: int = setting(64, "random networks, tied, each at one random state", at_least=2)
    n_units: int = setting(5, "units of each network", at_least=5)
    weight_scale: float = setting(0.5, "standard deviation of the weights, times the root of n_units", above=0)
    step: float = setting(0.1, "step size epsilon = dt / tau", **STEP)
    noise_std: float = setting(0.1, "standard deviation of the noise eta on the activity", at_least=0)
    widths: tuple[float, ...] = setting((0.04, 0.1), "widths that smooth kinks", above=0, at_most=0.1, increasing=True)


def _paper(data: xr.Dataset) -> xr.Dataset:
    """Return what concerns the energies of Eq 16; the first of them is that of the hard sigmoid."""
    return data.isel(energy=slice(0, _N_PAPER))


def _others(data: xr.Dataset) -> xr.Dataset:
    return data.isel(energy=slice(_N_PAPER, None))


def _area(data: xr.Dataset) -> xr.DataArray:
    """Return the area under the bend of a kink; by width, the hard sigmoid first."""
    return data.bend.integrate("activity")


CLAIMS = (
    limits(
        "eq4.factor",
        "Largest relative difference of df/dW, with noise, from step rho'(s~_i) rho(s~_j).",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: largest(data.difference),
        control=lambda data: min(largest(data.noise_free_difference), largest(data.constant_difference)),
        control_is="the better of rho' with rates of the states without noise, as printed, and a constant factor",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    limits(
        "eq8.coefficient",
        "Largest difference of the factor of rho(s_j) from rho'(s_i), over three rate functions.",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest(_paper(data).coefficient - _paper(data).slope),
        control=lambda data: largest(_paper(data).coefficient - 1),
        control_is="one constant, 1",
    ),
    limits(
        "sec4.2.satisfied",
        "Largest part of condition 2, and so of 1, that no factor explains for the energy of Eq 16, three rate "
        "functions.",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest(_paper(data).residual),
        control=lambda data: _others(data).residual.min(),
        control_is="the smallest of other energies",
        note=lambda data: f"{_others(data).sizes['energy']} other energies.",
    ),
    limits(
        "eq24.almost_everywhere",
        "Largest |d^3E / ds_i^2 dtheta| for the hard sigmoid at random states away from its kinks.",
        criterion=at_most(0.0),
        measure=lambda data: largest(data.third_derivative[0]),
        control=lambda data: largest(_paper(data).third_derivative[1:]),
        control_is="smooth rates",
    ),
    refutes(
        "eq24.mass",
        "Smallest area under |d^3E / ds^2 db| about a kink that is smoothed, over the widths of smoothing.",
        criterion=within(1.0, 1e-3, double=1e-5),
        measure=lambda data: Estimate(*(float(f(_area(data)[1:])) for f in (np.min, np.min, np.max))),
        control=lambda data: _area(data)[1] * data.bend[-1].max() / data.bend[1].max(),
        control_is="a bend that does not get higher as it gets narrower, and so vanishes",
        note="Interval: range over widths.",
    ),
)


def run(key: Key[Array, ""], config: ConditionsConfig, progress: Progress) -> xr.Dataset:
    """Measure the conditions in many random networks."""
    progress(0.0, "conditions of six energies")
    n_networks, n_units = config.n_networks, config.n_units
    params = random_networks(key, n_networks, n_units, config.weight_scale)
    # Every other unit anywhere, so that some units are in saturation and never all.
    states, active = (
        random_states(named_key(key, name), n_networks, n_units, reach=reach, kinks=(-0.5, 0.5), margin=0.02)
        for name, reach in (("anywhere", 1.0), ("active", 0.4))
    )
    states = jnp.where(jnp.arange(n_units)[None, :] % 2 == 0, active, states)
    noise = config.noise_std * jax.random.normal(named_key(key, "noise"), states.shape, float)
    unit = Params(jnp.zeros((1, 1)), jnp.zeros(1))

    def bends(rate_fn: RateFunction) -> Float[Array, "activity"]:
        bend = partial(condition_3, _of_rates(rate_fn), unit)
        return jax.vmap(lambda s: bend(s[None]).bias[0])(jnp.asarray(_ACTIVITY, float))

    @jax.jit
    def everything():
        of_energies = [jax.vmap(partial(conditions_of, *energy))(params, states) for energy in ENERGIES.values()]
        of_widths = [bends(hard_sigmoid()), *(bends(smoothed_hard_sigmoid(width)) for width in config.widths)]
        of_steps = jax.vmap(partial(factor_differences, step=config.step))(params, states, noise)
        return stacked(*of_energies), of_steps, jnp.stack(of_widths)

    measured, differences, bend = everything()
    dims = {2: ("energy", "network"), 3: ("energy", "network", "unit")}
    return merged(
        *(labelled(dims[v.ndim], "1", **{name: (v, name.replace("_", " "))}) for name, v in measured.items()),
        labelled("network", "1", **{name: (v, name.replace("_", " ")) for name, v in differences.items()}),
        labelled(("network", "unit"), "1", state=(states, "activity")),
        labelled(("width", "activity"), "1", bend=(bend, "third derivative of a single unit")),
        energy=list(ENERGIES),
        width=np.array((0.0, *config.widths)),
        activity=_ACTIVITY,
    )


def conditions_of(
    energy_fn: EnergyFunction, rate_fn: RateFunction, params: Params, state: Float[Array, "unit"]
) -> dict[str, Array]:
    """Return what conditions 2 and 3 say of an energy at a state, and the slope of the rate function there."""
    second, third = condition_2(energy_fn, params, state, rate_fn), condition_3(energy_fn, params, state)
    return {
        "coefficient": second.coefficient,
        "slope": rate_fn.slope(state),
        "residual": second.residual,
        "third_derivative": jnp.maximum(jnp.max(third.weights), jnp.max(third.bias)),
    }


def factor_differences(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "unit"], step: float
) -> dict[str, Array]:
    """Return how far df/dW lies from step rho'(s~_i) rho(s~_j), and from two formulas that are nearer to the print."""
    rho, noisy = hard_sigmoid(), state + noise

    def after(weights: Float[Array, "post pre"]) -> Float[Array, "unit"]:
        return transition(params._replace(weights=weights), state, noise, rho, step)

    derivative, own = jax.jacobian(after)(params.weights), jnp.eye(state.shape[0])[:, :, None]

    def difference(slope: Float[Array, "unit"], rate: Float[Array, "unit"]) -> Float[Array, ""]:
        return relative_difference(derivative, own * (step * slope[:, None] * rate[None, :])[None])

    return {
        "difference": difference(rho.slope(noisy), rho.value(noisy)),
        "noise_free_difference": difference(rho.slope(noisy), rho.value(state)),
        "constant_difference": difference(jnp.ones_like(state), rho.value(noisy)),
    }


STUDY = Study(
    name="conditions",
    title="The three conditions",
    figure="Equations 4, 8 and 24",
    source="Bengio et al. 2015, sections 3.2, 3.3, 4.2 and 6.1",
    caption="What the paper asks of an energy. Left: conditions 1 and 2 hold for its energy, but their factor is no "
    "constant: it follows rho'. Right: condition 3, which holds with the hard sigmoid at almost every state, about a "
    "kink that is smoothed more and more narrowly; the area stays 1.",
    config=ConditionsConfig(),
    smoke=dict(n_networks=8),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
