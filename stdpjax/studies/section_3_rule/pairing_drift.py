"""When the presynaptic rate of Eq 1 is read: what the four readings add up to over time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import NDArray

from stdpjax.dynamics import LeakyIntegrator, StepHyper
from stdpjax.lab import Estimate, Progress, Study, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.networks import interior_network, is_active
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import PAIRINGS, rate_update
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, largest_with_margin, largest_z, limits, merged, order, required, supports
from stdpjax.studies.network_runs import path_from
from stdpjax.studies.section_3_rule.driven_network import drive_network, driven_mean, driven_network
from stdpjax.studies.section_3_rule.pairing_drift_figure import plot

# Steps at the end of a relaxation over which "at rest" is measured.
_N_LAST = 100


@configuration
class PairingDriftConfig:
    """Settings of the pairing study; steps are fractions of the time constant."""

    n_networks: int = setting(64, "networks that relax", at_least=2)
    n_units: int = setting(6, "units of a network", at_least=2)
    steps: tuple[float, ...] = setting((0.02, 0.05, 0.1, 0.2), "step sizes", **STEP, increasing=True)
    n_steps: int = setting(2000, "steps of each relaxation", at_least=_N_LAST + 1)
    n_trials: int = setting(512, "driven trials, each with a drive and with its mirror image", at_least=2)
    n_driven_steps: int = setting(1000, "steps of a trial that count")
    n_burn_in: int = setting(300, "steps of a trial before those")
    drive_std: float = setting(0.06, "standard deviation of the drive, in units of activity", above=0)


# What the summed tied update gains, in the order of PAIRINGS, for each product of two changes beyond the change of the
# rates' product: the rate is read three half steps early, one half step early, midway, and one half step late.
COEFFICIENTS = (-3.0, -1.0, 0.0, 1.0)


def _off(data: xr.Dataset, coefficients: tuple[float, ...]) -> Estimate:
    """Return the largest difference of the four drifts at the smallest step from what is expected of them."""
    drift = data.drift.isel(step=0)
    difference = np.abs(drift.mean("network") - xr.DataArray(list(coefficients), {"pairing": list(PAIRINGS)}))
    return largest_with_margin(difference, drift.std("network", ddof=1) / np.sqrt(drift.sizes["network"]))


def _off_mean(data: xr.Dataset, expected: xr.DataArray | float) -> float:
    """Return the largest |z|, over pairs of units, of the mean update against what is expected of it."""
    error = data.driven_update.std("trial", ddof=1) / np.sqrt(data.sizes["trial"])
    return largest_z(data.driven_update.mean("trial") - expected, error.where(data.post != data.pre))


CLAIMS = (
    limits(
        "eq1.order",
        "Order in the step of what the tied update, the rate read before the step, adds up to beyond the change of "
        "r_i r_j (slope on logarithmic axes).",
        criterion=within(1.0, 0.1),
        measure=lambda data: mean_interval(order(np.abs(data.gap.sel(pairing="current")).mean("pair"))),
        control=lambda data: order(data.total_change).mean(),
        control_is="the summed update itself, of order 0",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    limits(
        "eq1.drift",
        "Largest difference, over the four readings, of that surplus for each ds_i ds_j from -3, -1, 0 and +1, for the "
        "rate read one step earlier, before, midway and after the step (smallest step).",
        criterion=at_most(0.1),
        measure=lambda data: _off(data, COEFFICIENTS),
        control=lambda data: _off(data, (-2.0, *COEFFICIENTS[1:])).value,
        control_is="-2, -1, 0 and +1, as if the readings were at equal distances",
        note=lambda data: f"{data.sizes['network']} networks at step {float(data.step[0]):g}.",
    ),
    supports(
        "sec8.rest",
        "Largest change of any unit in a step at an interior fixed point, which bounds the update of every weight.",
        statement="sec8.equilibrium",
        criterion=at_most(1e-7, double=1e-14),
        measure=lambda data: data.last_change.isel(step=-1).max(),
        control=lambda data: data.kink_last_change.min(),
        control_is="a unit driven past its threshold, where no fixed point is",
        note=f"Over the last {_N_LAST} steps.",
    ),
    limits(
        "sec8.driven",
        "Largest |z|, over pairs of units, of the mean update of an untied network that a drive moves about its fixed "
        "point, the rate read midway, against its closed form, which is opposite for the two directions of a pair.",
        statement="sec8.equilibrium",
        criterion=at_most(4.5),
        measure=lambda data: _off_mean(data, data.driven_exact),
        control=lambda data: _off_mean(data, 0.0),
        control_is="no mean update, as printed",
        note=lambda data: f"{data.sizes['trial']} trials; means up to {float(np.abs(data.driven_exact).max()):.2g}.",
    ),
)


class Totals(NamedTuple):
    """What a relaxation adds up to; matrices over pairs of units."""

    tied: Float[Array, "pairing unit unit"]
    """Eq 1 of both directions."""
    boundary: Float[Array, "unit unit"]
    """Change of r_i r_j over the same steps."""
    co_movement: Float[Array, "unit unit"]
    """Sum of ds_i ds_j."""


def totals_of(path: Float[Array, "time unit"], rates: Float[Array, "time unit"]) -> Totals:
    """Add up Eq 1 in its four readings along a path that was held at its start before."""
    earlier = {"previous_pre_rate": rates[np.maximum(np.arange(len(rates) - 1) - 1, 0)]}
    later = {"next_pre_rate": rates[1:]}
    readings = zip(PAIRINGS, (earlier, {}, later, later), strict=True)
    untied = jnp.stack(
        [rate_update(path[:-1], path[1:], rates[:-1], pairing=name, **others).sum(0) for name, others in readings]
    )
    change = jnp.diff(path, axis=0)
    boundary = jnp.outer(rates[-1], rates[-1]) - jnp.outer(rates[0], rates[0])
    co_movement = jnp.einsum("ti,tj->ij", change, change, precision="highest")
    return Totals(untied + jnp.swapaxes(untied, 1, 2), boundary, co_movement)


def relax_network(
    key: Key[Array, ""], step: Float[Array, ""], push: Float[Array, ""], config: PairingDriftConfig
) -> tuple[Totals, Float[Array, ""], Bool[Array, ""]]:
    """Let one random tied network relax; `push` is added to the first unit's bias and, if large, holds it at a kink.

    Returns what its path adds up to, the largest change of a unit in the last steps, and whether all stayed active.
    """
    rate_fn = hard_sigmoid()
    network = interior_network(key, config.n_units)
    params = network.params._replace(bias=network.params.bias.at[0].add(push))
    path = path_from(LeakyIntegrator(rate_fn), params, network.start, StepHyper(step), config.n_steps, key)
    last = jnp.max(jnp.abs(jnp.diff(path[-_N_LAST - 1 :], axis=0)))
    return totals_of(path, rate_fn.value(path)), last, is_active(path, rate_fn)


def run(key: Key[Array, ""], config: PairingDriftConfig, progress: Progress) -> xr.Dataset:
    """Let networks relax at several steps, and drive one for long."""
    progress(0.0, "networks that relax")
    relaxed = _relaxations(named_key(key, "relaxation"), config)
    progress(0.6, "the driven network")
    network = driven_network(named_key(key, "driven network"), config.n_units)
    steps = config.n_burn_in, config.n_driven_steps
    update, stays_active = drive_network(named_key(key, "driven"), network, config.drive_std, steps, config.n_trials)
    exact = driven_mean(np.asarray(network.params.weights, np.float64), config.drive_std)
    return merged(
        relaxed,
        labelled(("trial", "post", "pre"), "per step", driven_update=update),
        labelled(("post", "pre"), "per step", driven_exact=exact),
        required("trial", "driven trials in the active region", driven_active=stays_active),
        pairing=list(PAIRINGS),
        step=("step", list(config.steps), {"units": "tau"}),
    )


def _relaxations(key: Key[Array, ""], config: PairingDriftConfig) -> xr.Dataset:
    """Return what tied updates add up to while networks relax, and how these come to rest."""
    # The last row is the control: the largest step and a unit that is pushed past its threshold.
    steps = jnp.asarray([*config.steps, config.steps[-1]], float)
    pushes = jnp.zeros_like(steps).at[-1].set(1.5)

    @jax.jit
    def relaxations(keys: Key[Array, "network"]) -> tuple[Totals, Array, Array]:
        one = jax.vmap(lambda key, step, push: relax_network(key, step, push, config), (None, 0, 0))
        return jax.vmap(one, (0, None, None), out_axes=1)(keys, steps, pushes)

    found = jax.tree.map(np.asarray, relaxations(member_keys(key, config.n_networks)))
    totals, last_change, stays_active = jax.tree.map(lambda part: part[:-1], found)
    i, j = np.triu_indices(config.n_units, 1)
    tied, boundary, co_movement = (part.astype(np.float64)[..., i, j] for part in totals)
    tied = np.moveaxis(tied, 2, 0)
    gap, by_network = tied - boundary, ("step", "network")
    return merged(
        labelled(("pairing", *by_network, "pair"), gap=(gap, "tied update less change of r_i r_j")),
        labelled((*by_network, "pair"), co_movement=(co_movement, "sum of ds_i ds_j")),
        labelled(("pairing", *by_network), drift=(slopes(gap, co_movement), "gap for each unit of co-movement")),
        labelled(by_network, total_change=np.abs(tied[PAIRINGS.index("current")]).mean(-1)),
        labelled(by_network, "activity per step", last_change=last_change),
        labelled("network", "activity per step", kink_last_change=found[1][-1]),
        required(by_network, "relaxations in the active region", stays_active=stays_active),
    )


def slopes(gap: NDArray[np.float64], co_movement: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least-squares slope over pairs, without a constant, for each network."""
    return (gap * co_movement).sum(-1) / (co_movement**2).sum(-1)


STUDY = Study(
    name="pairing_drift",
    title="Eq 1: when is the presynaptic rate read?",
    figure="Eq 1 in a network",
    source="Bengio et al. 2015, Eq 1 and 5, sections 2.1 and 8",
    caption="Eq 1 multiplies a change with a rate, and the rate changes during the step. Read midway, the tied update "
    "only depends on where the path starts and ends; read before or after, it drifts, by amounts that vanish with the "
    "step but never average out. At rest nothing changes; in a driven stationary network an antisymmetric update "
    "remains.",
    config=PairingDriftConfig(),
    smoke=dict(n_networks=8, n_steps=500, n_trials=32, n_driven_steps=200, n_burn_in=100),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
