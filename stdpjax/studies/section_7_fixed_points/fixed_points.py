"""Where the network settles: fixed points between the thresholds, and at these, which Eq 25 and 26 leave out."""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.energy import Params, field_of, target_of
from stdpjax.lab import Progress, Study, at_most
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.networks import tied_networks
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.studies.measures import labelled, largest, limits, merged, on_device, required, supports
from stdpjax.studies.network_runs import settle
from stdpjax.studies.section_7_fixed_points.fixed_points_figure import plot
from stdpjax.theory.box_minima import MAX_UNITS, box_minimum, linear_fixed_points

LOW, HIGH = -0.5, 0.5
# A network pulled by less than this has come to rest; a unit past a threshold is pulled by 0.5 or more.
_RESTS = 1e-3


@configuration
class FixedPointsConfig:
    """Settings of the fixed-points study; times in steps, activities in units of activity."""

    n_networks: int = setting(40, "random networks with tied weights", at_least=2)
    n_units: int = setting(5, "units of each", at_least=2, at_most=MAX_UNITS)
    max_eigenvalue: float = setting(0.9, "largest of the weights, drawn from a fifth of it up", above=0, below=0.95)
    bias_std: float = setting(0.35, "standard deviation of biases about those that balance at rest", above=0)
    steps: tuple[float, ...] = setting((0.002, 0.005, 0.02, 0.05), "step sizes", **STEP, increasing=True)
    n_steps: int = setting(25_000, "steps to settle, and again as many to average over")


def _has_kinks(data: xr.Dataset) -> xr.DataArray:
    return data.is_at_kink.any("unit")


def _finest_average(data: xr.Dataset) -> xr.DataArray:
    return data.average.sel(step=data.step.min())


CLAIMS = (
    limits(
        "eq25.interior",
        "Largest |R(s) - s| where the raw iteration ends (largest step), energy minima between the thresholds.",
        criterion=at_most(1e-5, double=1e-10),
        measure=lambda data: data.distance.where(~_has_kinks(data)).max(),
        control=lambda data: data.distance.where(_has_kinks(data)).min(),
        control_is="minima with units at thresholds, the smallest",
        note=lambda data: f"{int((~_has_kinks(data)).sum())} of {data.sizes['network']} networks.",
    ),
    limits(
        "eq26.clip",
        "Largest difference of the raw iteration's time average (step 0.002) from b + W rho(s), cut off at thresholds.",
        criterion=at_most(3e-3),
        measure=lambda data: largest(_finest_average(data) - data.minimum),
        control=lambda data: np.minimum(abs(_finest_average(data)), abs(_finest_average(data) - data.solution)).max(),
        control_is="Eq 26 as printed, with the rho', 0 or 1, that fits better",
        note="The solution by enumeration of which units are at thresholds: the energy's minimum between them.",
    ),
    supports(
        "sec7.saturated",
        "Fixed points s = R(s) with a unit beyond a threshold, over all networks (enumeration).",
        criterion=at_most(0.0),
        measure=lambda data: data.n_saturated.sum(),
        control=lambda data: data.n_saturated_without_slope.sum(),
        control_is="the usual s = b + W rho(s), without rho'",
        note=lambda data: f"{data.sizes['network']} networks, each unit below, between or above.",
    ),
    supports(
        "sec7.solution",
        "Largest |s - b - W rho(s)| where the raw iteration (largest step) has come to rest, |R(s) - s| below 0.001.",
        criterion=at_most(1e-5, double=1e-10),
        measure=lambda data: data.off_solution.where(data.distance < _RESTS).max(),
        control=lambda data: data.off_average.where(data.distance >= _RESTS).min(),
        control_is="the time averages of networks that do not come to rest, the smallest",
        note=lambda data: (
            f"{int((data.distance < _RESTS).sum())} of {data.sizes['network']} networks rest; by enumeration "
            f"{int((data.n_inside > 0).sum())} have a fixed point."
        ),
    ),
)


def run(key: Key[Array, ""], config: FixedPointsConfig, progress: Progress) -> xr.Dataset:
    """Enumerate the fixed points and energy minima of random networks, and let the raw iteration settle."""
    progress(0.0, "box minima")
    eigenvalues = (0.2 * config.max_eigenvalue, config.max_eigenvalue)
    weights, bias = tied_networks(
        named_key(key, "networks"), config.n_networks, config.n_units, eigenvalues, config.bias_std
    )
    exact = _enumerated(weights, bias)
    progress(0.2, "raw iteration")
    settled = _settled(key, Params(on_device(weights), on_device(bias)), config)
    return merged(exact, settled, step=("step", np.array(config.steps), {"units": "tau"}))


def _enumerated(weights: np.ndarray, bias: np.ndarray) -> xr.Dataset:
    """The minima of the energy on the box, and where the network stands still, piece by piece."""
    cells, minimum = ("network", "unit"), box_minimum(weights, bias)
    n_inside, n_saturated = linear_fixed_points(weights, bias, True)
    _, n_saturated_without_slope = linear_fixed_points(weights, bias, False)
    # A minimum has the rates of the solution, as rho(clip(u, kinks)) = rho(u).
    solution = bias + np.einsum("nij,nj->ni", weights, minimum - LOW)
    return merged(
        labelled(
            cells,
            "activity",
            minimum=(minimum, "minimum of the energy on the box, by enumeration"),
            solution=(solution, "solution of s = b + W rho(s)"),
        ),
        labelled(cells, is_at_kink=np.abs(minimum) >= HIGH - 1e-12),
        labelled(
            "network",
            n_inside=(n_inside, "fixed points between the kinks"),
            n_saturated=(n_saturated, "fixed points with a saturated unit"),
            n_saturated_without_slope=n_saturated_without_slope,
        ),
    )


def _settled(key: Key[Array, ""], params: Params, config: FixedPointsConfig) -> xr.Dataset:
    """Time averages of the raw iteration from rest, once settled, for each step size, and where the largest ends."""
    n_steps, shape = config.n_steps, (len(config.steps), config.n_networks)
    every = jax.tree.map(lambda leaf: jnp.tile(leaf, (shape[0], *[1] * (leaf.ndim - 1))), params)
    steps, keys = on_device(np.repeat(config.steps, shape[1])), member_keys(key, shape[0] * shape[1])
    state, _, _ = settle(keys, every, jnp.zeros_like(every.bias), steps, n_steps)
    state, average, is_finite = settle(keys, every, state, steps, n_steps)
    rho = hard_sigmoid()
    distance = jnp.abs(jax.vmap(lambda one, at: target_of(one, at, rho))(every, state) - state).max(axis=1)
    off, off_average = (
        jnp.abs(jax.vmap(lambda one, s: field_of(one, rho.value(s)))(every, at) - at).max(axis=1)
        for at in (state, average)
    )
    cells = ("step", "network")
    words = "time average of the raw iteration"
    return merged(
        labelled((*cells, "unit"), "activity", average=(np.reshape(average, (*shape, -1)), words)),
        labelled(
            "network",
            "activity",
            distance=(np.reshape(distance, shape)[-1], "|R(s) - s|"),
            off_solution=(np.reshape(off, shape)[-1], "|s - b - W rho(s)|"),
            off_average=(np.reshape(off_average, shape)[-1], "the same of the time average"),
        ),
        required(cells, "networks with finite states", is_finite=np.reshape(is_finite, shape)),
    )


STUDY = Study(
    name="fixed_points",
    title="Fixed points, and the thresholds",
    figure="Eq 25 and 26",
    source="Bengio et al. 2015, section 7, Eq 25 and 26",
    caption="Inside the active region the network comes to rest where s = b + W rho(s). With a unit driven past its "
    "threshold it has no fixed point: the unit chatters about it, with an average at the energy's minimum on the box "
    "between the thresholds. In general s = clip(b + W rho(s)).",
    config=FixedPointsConfig(),
    smoke=dict(n_networks=10, n_steps=500),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
