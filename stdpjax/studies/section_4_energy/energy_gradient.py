"""The energy, its gradient and its minima, and the rate function with its kinks (Eq 13, 16, 18)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate
from stdpjax.energy import Params, energy_of, field_of, hessian, make_params, target_of
from stdpjax.lab import Claim, at_least, at_most
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import random_networks, random_states
from stdpjax.random import named_key
from stdpjax.rates import RateFunction, hard_sigmoid, sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import largest, relative_difference
from stdpjax.studies.section_4_energy.energy_gradient_figure import plot

FORMS = ("with slope, tied", "with slope, untied", "without slope, tied")
_KINKS = (-0.5, 0.5)
# In hundredths, so that the kinks are met exactly.
_ACTIVITY = np.arange(-150, 151) / 100
_RADII = np.linspace(0, 5, 51)
# The two-unit network of the picture, with minima in two corners of the box.
_PAIR_WEIGHT, _PAIR_BIAS = 1.5, -0.75
_PAIR_AXIS = np.linspace(-1.2, 1.2, 49)
_N_PATHS = 12


@configuration
class EnergyGradientConfig:
    """Settings of the study of the energy; activities in units of the width of the active region."""

    n_networks: int = setting(64, "random networks, tied, each at one random state", at_least=2)
    n_units: int = setting(6, "units of each network", at_least=2)
    weight_scale: float = setting(
        0.8, "standard deviation of the weights times the root of the number of units", above=0
    )
    difference: float = setting(
        0.05, "half the distance of the states between which the energy is differenced", above=0, at_most=0.2
    )
    n_starts: int = setting(16, "states far from rest, in each network, from which the energy is descended", at_least=2)
    reach: float = setting(3.0, "largest activity of a unit at those states", above=1)
    step: float = setting(0.02, "step size epsilon = dt / tau of the descent", **STEP)
    n_steps: int = setting(600, "steps of the descent")


def _relative(data: xr.Dataset, name: str) -> xr.DataArray:
    """Return the largest relative difference of a gradient from the automatic one, over networks."""
    exact = data.automatic
    return np.sqrt(((data[name] - exact) ** 2).sum("unit") / (exact**2).sum("unit")).max()


def _smooth_asymmetry(data: xr.Dataset, form: str) -> xr.DataArray:
    return data.asymmetry.sel(rate_function="sigmoid", form=form)


def _beyond(data: xr.Dataset, half_width: float) -> xr.DataArray:
    """Return how far descents end from a box, over step times the largest field."""
    outside = (np.abs(data.end_state) - half_width).clip(min=0)
    return (outside / (float(data.step) * data.largest_field)).max()


def _at_kinks(data: xr.Dataset) -> xr.Dataset:
    return data.sel(activity=list(_KINKS))


def _line(data: xr.Dataset) -> np.ndarray:
    return np.interp(data.activity, _KINKS, (0.0, 1.0))


_ASCENT = "R(s) - s is proportional to d log P / ds = -dE/ds if R is a linear combination of the input rates."
_RATE = "rho is piecewise linear, with kinks at beta_1 < 0 < beta_2 = beta_1 + 1."

_NOTHING = "Nothing is printed on this."

_eq_16 = partial(Claim, statement="Eq 16")
_eq_16_and_18 = partial(Claim, statement="Eq 16 and 18", bearing="supports")

CLAIMS = (
    Claim(
        "E13.gradient",
        "Largest relative difference of dE/ds, by automatic differentiation, from s - rho'(s) (b + W rho(s)).",
        statement="Eq 13 and 16",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: _relative(data, "away_from_target"),
        control=lambda data: _relative(data, "away_from_field"),
        control_is="without the factor rho'",
        bearing="limits",
    ),
    Claim(
        "E13.symmetric",
        "Largest asymmetry |R' - R'^T| / |R'| of R = rho'(s) (b + W rho(s)), tied weights, hard sigmoid and sigmoid.",
        statement="Eq 13",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.asymmetry.sel(form=FORMS[0]).max(),
        control=lambda data: _smooth_asymmetry(data, FORMS[2]).min(),
        control_is="without the factor rho', sigmoid",
        bearing="limits",
    ),
    Claim(
        "E13.linear_combination",
        "Asymmetry |R' - R'^T| / |R'| of the linear combination R = b + W rho(s) for the sigmoid (mean).",
        statement="Eq 13",
        criterion=at_least(0.05),
        measure=lambda data: mean_interval(_smooth_asymmetry(data, FORMS[2])),
        control=lambda data: data.asymmetry.sel(rate_function="hard", form=FORMS[2]).max(),
        control_is="the hard sigmoid within its active region, where rho' = 1",
        bearing="refutes",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    _eq_16(
        "E16.tied",
        "Asymmetry |R' - R'^T| / |R'| of R = rho'(s) (b + W rho(s)) with untied weights, sigmoid (mean).",
        criterion=at_least(0.05),
        measure=lambda data: mean_interval(_smooth_asymmetry(data, FORMS[1])),
        control=lambda data: _smooth_asymmetry(data, FORMS[0]).max(),
        control_is="tied weights",
        bearing="limits",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    _eq_16(
        "E16.finite_difference",
        "Largest difference of the energy's finite differences from s - R(s), away from kinks.",
        criterion=at_most(1e-4, double=1e-8),
        measure=lambda data: largest(data.differenced - data.away_from_target),
        control=lambda data: largest(data.differenced - data.away_from_field),
        control_is="without the factor rho'",
        bearing="supports",
    ),
    _eq_16(
        "E16.hessian",
        "Largest relative difference of the energy's second derivative from 1 - R'(s), hard sigmoid and sigmoid.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.hessian_difference.max(),
        control=lambda data: data.flat_difference.sel(rate_function="sigmoid").max(),
        control_is="1 - D W D, without the curvature of rho",
        bearing="supports",
    ),
    Claim(
        "E16.bound",
        "Smallest energy above the bound |s|^2 / 2 - sum |W_ij| / 2 - sum |b_i|, along random rays.",
        statement="Eq 16",
        criterion=at_least(0.0),
        measure=lambda data: (data.ray_energy - data.ray_bound).min(),
        control=lambda data: (data.ray_energy - 0.5 * data.radius**2).min(),
        control_is="the bound |s|^2 / 2",
        bearing="supports",
    ),
    _eq_16_and_18(
        "E16.projection",
        "Largest change of the energy when a state is moved to the nearest point of the box [beta_1, beta_2]^n.",
        criterion=at_most(0.0),
        measure=lambda data: data.projected_change.max(),
        control=lambda data: data.shrunk_change.max(),
        control_is="ends of descents, moved to a box of half the width",
        note=lambda data: f"{data.projected_change.size} states.",
    ),
    _eq_16_and_18(
        "E16.minima",
        "Largest distance from the box after descent, over step times the largest field of a unit.",
        criterion=at_most(1.0),
        measure=lambda data: _beyond(data, 0.5),
        control=lambda data: _beyond(data, 0.25),
        control_is="a box of half the width",
        note=lambda data: f"{data.is_finite.size} descents.",
    ),
    Claim(
        "E18.shape",
        "Largest difference of rho from the line between (beta_1, 0) and (beta_2, 1), constant outside.",
        statement="Eq 18",
        criterion=at_most(1e-6, double=1e-12),
        measure=lambda data: largest(data.rate - _line(data)),
        control=lambda data: largest(data.sigmoid - _line(data)),
        control_is="the sigmoid",
        bearing="supports",
    ),
    Claim(
        "E18.slope",
        "Smallest slope at the two kinks, as written and by automatic differentiation of rho.",
        statement="Eq 18",
        criterion=at_least(1.0),
        measure=lambda data: np.minimum(_at_kinks(data).slope_written, _at_kinks(data).slope_automatic).min(),
        control=lambda data: _at_kinks(data).slope_of_clip.max(),
        control_is="the automatic derivative of a clip",
        bearing="limits",
    ),
)


def run(key: Key[Array, ""], config: EnergyGradientConfig, progress: Progress) -> xr.Dataset:
    """Differentiate the energy of random networks, and descend it."""
    progress(0.0, "derivatives of random networks")
    n_networks, n_units = config.n_networks, config.n_units
    params = random_networks(key, n_networks, n_units, config.weight_scale)
    untied_weights = jax.vmap(jnp.triu)(params.weights)
    anywhere, active = (
        random_states(
            named_key(key, name), n_networks, n_units, reach=reach, kinks=_KINKS, margin=1.2 * config.difference
        )
        for name, reach in (("anywhere", 1.0), ("active", 0.4))
    )
    starts = random_states(named_key(key, "starts"), n_networks * config.n_starts, n_units, reach=config.reach)
    starts = starts.reshape(n_networks, config.n_starts, n_units)
    rates = {"hard": hard_sigmoid(), "sigmoid": sigmoid()}

    @jax.jit
    def everything():
        slopes = jax.vmap(lambda p, s: gradients(p, s, config.difference))(params, anywhere)
        curved = [
            jax.vmap(lambda p, w, s, r=r: jacobians(p, p._replace(weights=w), s, r))(params, untied_weights, active)
            for r in rates.values()
        ]
        return slopes, jax.tree.map(lambda *leaves: jnp.stack(leaves), *curved), jax.vmap(landscape)(params, starts)

    slopes, curved, landscapes = everything()
    progress(0.5, "descent")
    hyper = StepHyper(config.step)
    kernel = LeakyIntegrator(hard_sigmoid())
    descent_key = named_key(key, "descent")  # draws nothing

    @jax.jit
    def descend(params: Params, starts: Float[Array, "network start unit"]):
        def one(p: Params, s: Float[Array, "start unit"]):
            ended = simulate(descent_key, p, kernel, hyper, state=s, n_steps=config.n_steps)
            return ended.state, ended.is_finite, change_on_the_way(p, ended.state, 0.25)

        return jax.vmap(one)(params, starts)

    ends, is_finite, shrunk_change = descend(params, starts)
    largest_field = jnp.abs(params.bias) + jnp.sum(jnp.abs(params.weights), axis=-1)
    data = {name: (("network", "unit"), np.asarray(value)) for name, value in slopes.items()}
    data |= {
        name: (("rate_function", "network", "form")[: value.ndim], np.asarray(value)) for name, value in curved.items()
    }
    data |= {
        "ray_energy": (("network", "radius"), np.asarray(landscapes["ray_energy"])),
        "ray_bound": (("network", "radius"), np.asarray(landscapes["ray_bound"])),
        "projected_change": (("network", "start"), np.asarray(landscapes["projected_change"])),
        "shrunk_change": (("network", "start"), np.asarray(shrunk_change)),
        "end_state": (("network", "start", "unit"), np.asarray(ends)),
        "largest_field": (("network", "unit"), np.asarray(largest_field)),
        "is_finite": (("network", "start"), np.asarray(is_finite)),
        **rate_curves(),
        **pair_picture(descent_key, config),
    }
    dataset = xr.Dataset(
        data,
        coords={
            "form": list(FORMS),
            "rate_function": list(rates),
            "radius": _RADII,
            "activity": _ACTIVITY,
            "first": _PAIR_AXIS,
            "second": _PAIR_AXIS,
            "step": ((), config.step, {"units": "1", "long_name": "dt / tau"}),
            "path_time": np.arange(config.n_steps) * config.step,
        },
    )
    for name, variable in dataset.data_vars.items():
        variable.attrs = {"units": "1", "long_name": str(name).replace("_", " ")}
    dataset.is_finite.attrs["required"] = "descents with finite states"
    return dataset


def gradients(params: Params, state: Float[Array, "unit"], difference: float | Array) -> dict[str, Array]:
    """Return the energy's gradient four ways: differentiated, differenced, s - R(s), and without the factor rho'."""
    rho = hard_sigmoid()
    moves = difference * jnp.eye(state.shape[0], dtype=state.dtype)

    def raised(move: Float[Array, "unit"]) -> Float[Array, ""]:
        return energy_of(params, state + move, rho) - energy_of(params, state - move, rho)

    return {
        "automatic": jax.grad(energy_of, argnums=1)(params, state, rho),
        "differenced": jax.vmap(raised)(moves) / (2 * difference),
        "away_from_target": state - target_of(params, state, rho),
        "away_from_field": state - field_of(params, rho.value(state)),
    }


def jacobians(
    params: Params, untied: Params, state: Float[Array, "unit"], rate_fn: RateFunction
) -> dict[str, Float[Array, "*form"]]:
    """Return how asymmetric R' is in each of `FORMS`, and how far the energy's second derivative is from 1 - R'."""

    def plain(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, "unit"]:
        return field_of(params, rate_fn.value(state))

    def asymmetry(target, params: Params) -> Float[Array, ""]:
        derivative = jax.jacobian(target, argnums=1)(params, state, rate_fn)
        return relative_difference(derivative.T, derivative)

    slope = rate_fn.slope(state)
    curved = jax.hessian(energy_of, argnums=1)(params, state, rate_fn)
    flat = jnp.eye(state.shape[0], dtype=state.dtype) - slope[:, None] * params.weights * slope[None, :]
    return {
        "asymmetry": jnp.stack([asymmetry(target_of, params), asymmetry(target_of, untied), asymmetry(plain, params)]),
        "hessian_difference": relative_difference(hessian(params, state, rate_fn), curved),
        "flat_difference": relative_difference(flat, curved),
    }


def landscape(params: Params, starts: Float[Array, "start unit"]) -> dict[str, Array]:
    """Return the energy along a ray with its lower bound, and how it changes on the way into the box."""
    radii = jnp.asarray(_RADII, starts.dtype)
    ray = radii[:, None] * (starts[0] / jnp.linalg.norm(starts[0]))[None, :]
    offset = 0.5 * jnp.sum(jnp.abs(params.weights)) + jnp.sum(jnp.abs(params.bias))
    return {
        "ray_energy": jax.vmap(lambda state: energy_of(params, state, hard_sigmoid()))(ray),
        "ray_bound": 0.5 * radii**2 - offset,
        "projected_change": change_on_the_way(params, starts, 0.5),
    }


def change_on_the_way(params: Params, states: Float[Array, "start unit"], half_width: float) -> Float[Array, "start"]:
    """Return the change of the energy when states are moved to the nearest point of a box about rest."""

    def change(state: Float[Array, "unit"]) -> Float[Array, ""]:
        moved = jnp.clip(state, -half_width, half_width)
        return energy_of(params, moved, hard_sigmoid()) - energy_of(params, state, hard_sigmoid())

    return jax.vmap(change)(states)


def rate_curves() -> dict[str, tuple[str, np.ndarray]]:
    """Return the hard sigmoid with its slope as written, as differentiated, and as a clip's automatic derivative."""
    rho, at = hard_sigmoid(), jnp.asarray(_ACTIVITY, float)
    curves = {
        "rate": rho.value(at),
        "slope_written": rho.slope(at),
        "slope_automatic": jax.vmap(jax.grad(lambda v: rho.value(v)))(at),
        "slope_of_clip": jax.vmap(jax.grad(lambda v: jnp.clip(v + 0.5, 0, 1)))(at),
        "sigmoid": sigmoid().value(at),
    }
    return {name: ("activity", np.asarray(curve)) for name, curve in curves.items()}


def pair_picture(key: Key[Array, ""], config: EnergyGradientConfig) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return energy and downhill direction of a network of two units on a grid, and descents from a circle."""
    rho = hard_sigmoid()
    params = make_params([[0.0, _PAIR_WEIGHT], [_PAIR_WEIGHT, 0.0]], [_PAIR_BIAS, _PAIR_BIAS])
    axis = jnp.asarray(_PAIR_AXIS, float)
    grid = jnp.stack(jnp.meshgrid(axis, axis, indexing="ij"), axis=-1)
    over_grid = jax.vmap(jax.vmap(lambda s: (energy_of(params, s, rho), target_of(params, s, rho) - s)))
    energies, downhill = jax.jit(over_grid)(grid)
    angle = jnp.asarray(np.arange(_N_PATHS) * (2 * np.pi / _N_PATHS) + 0.1, float)
    starts = 1.15 * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)
    paths = simulate(
        key,
        params,
        LeakyIntegrator(rho),
        StepHyper(config.step),
        state=starts,
        n_steps=config.n_steps,
        trace_every=1,
    )
    return {
        "pair_energy": (("first", "second"), np.asarray(energies)),
        "pair_downhill": (("first", "second", "pair_unit"), np.asarray(downhill)),
        "pair_path": (("path", "path_time", "pair_unit"), np.asarray(paths.trace)),
    }


STUDY = Study(
    name="energy_gradient",
    title="The energy, its gradient and its minima",
    figure="Equations 13, 16 and 18",
    source="Bengio et al. 2015, sections 4.1 and 4.2",
    caption="Eq 13 says that R(s) - s points down an energy. It does, exactly, for the energy of Eq 16 with tied "
    "weights and with the factor rho'(s_i) in R (top middle); a plain linear combination of rates has no energy where "
    "rho' varies (top right). The energy is bounded below by a parabola (bottom left), and every way into the box "
    "between the kinks lowers it (bottom middle), so all minima lie there (top left). At the kinks the slope is taken "
    "as 1 (bottom right).",
    config=EnergyGradientConfig(),
    smoke=dict(n_networks=8, n_starts=4, n_steps=300),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
