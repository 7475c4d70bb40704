"""When the presynaptic rate of Eq 1 is read: what the four readings add up to over time, and under noise."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import NDArray

from stdpjax.dynamics import LeakyIntegrator, NoiseHyper, NoisyIntegrator, StepHyper, simulate
from stdpjax.energy import Params
from stdpjax.lab import Estimate, Progress, Study, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.networks import interior_network, is_active
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import PAIRINGS, rate_update
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, largest_with_margin, largest_z, limits, merged, order, required, supports
from stdpjax.studies.network_runs import path_from
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
    n_trials: int = setting(512, "trials of a network with noise", at_least=2)
    n_noisy_steps: int = setting(2000, "steps of a trial that count")
    n_burn_in: int = setting(300, "steps of a trial before those")
    noise_std: float = setting(0.06, "standard deviation of its noise, in units of activity", above=0)
    noisy_step: float = setting(0.1, "its step size", **STEP)


# What the summed tied update gains, in the order of PAIRINGS, for each product of two changes beyond the change of the
# rates' product: the rate is read three half steps early, one half step early, midway, and one half step late.
COEFFICIENTS = (-3.0, -1.0, 0.0, 1.0)


def _off(data: xr.Dataset, name: str) -> Estimate:
    """Return the largest difference of four drifts at the smallest step from what is expected of them."""
    drift = data[name].isel(step=0)
    difference = abs(drift.mean("network") - data.drift_exact)
    return largest_with_margin(difference, drift.std("network", ddof=1) / np.sqrt(drift.sizes["network"]))


def _off_mean(data: xr.Dataset, expected: xr.DataArray | float) -> float:
    """Return the largest |z|, over pairs of units, of the mean update against what is expected of it."""
    error = data.noisy_update.std("trial", ddof=1) / np.sqrt(data.sizes["trial"])
    return largest_z(data.noisy_update.mean("trial") - expected, error.where(data.post != data.pre))


CLAIMS = (
    supports(
        "eq1.order",
        "Order in the step of what the updates of both directions of a pair, the rate read before the step, add up to "
        "beyond the change of r_i r_j (slope on logarithmic axes).",
        criterion=within(1.0, 0.1),
        measure=lambda data: mean_interval(order(np.abs(data.gap.sel(pairing="current")).mean("pair"))),
        control=lambda data: order(data.one_way_gap).mean(),
        control_is="the update of one direction alone, beyond half of that change",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    limits(
        "eq1.drift",
        "Largest difference, over the four readings, of that surplus for each ds_i ds_j from -3, -1, 0 and +1, for the "
        "rate read one step earlier, before, midway and after the step (smallest step).",
        criterion=at_most(0.1),
        measure=lambda data: _off(data, "drift"),
        control=lambda data: _off(data, "one_way_drift").value,
        control_is="the update of one direction alone, beyond half of that change",
        note=lambda data: f"{data.sizes['network']} networks at step {float(data.step[0]):g}.",
    ),
    supports(
        "sec8.rest",
        "Largest change of any unit in a step at an interior fixed point, which bounds the update of every weight.",
        criterion=at_most(1e-7, double=1e-14),
        measure=lambda data: data.last_change.isel(step=-1).max(),
        control=lambda data: data.kink_last_change.min(),
        control_is="a unit driven past its threshold, where no fixed point is",
        note=f"Over the last {_N_LAST} steps.",
    ),
    limits(
        "sec8.noise",
        "Largest |z|, over pairs of units, of the mean update of a network that the noise of Eq 7 moves about its "
        "fixed point: against 0 if the rate is read midway, B = -(I + A)^-1 step^2 noise^2 W^2 before the step, -B "
        "after it, and A B if it is read one step earlier, with A = (1 - step) I + step W.",
        criterion=at_most(4.5),
        measure=lambda data: _off_mean(data, data.noisy_exact),
        control=lambda data: _off_mean(data, 0.0),
        control_is="no mean update however the rate is read, as printed",
        note=lambda data: f"{data.sizes['trial']} trials.",
    ),
)


class Totals(NamedTuple):
    """What a relaxation adds up to; matrices over pairs of units."""

    one_way: Float[Array, "pairing post pre"]
    """Eq 1 of each direction."""
    boundary: Float[Array, "unit unit"]
    """Change of r_i r_j over the same steps."""
    co_movement: Float[Array, "unit unit"]
    """Sum of ds_i ds_j."""


def totals_of(path: Float[Array, "time unit"], rates: Float[Array, "time unit"]) -> Totals:
    """Add up Eq 1 in its four readings along a path that was held at its start before."""
    earlier = {"previous_pre_rate": rates[np.maximum(np.arange(len(rates) - 1) - 1, 0)]}
    later = {"next_pre_rate": rates[1:]}
    readings = zip(PAIRINGS, (earlier, {}, later, later), strict=True)
    one_way = jnp.stack(
        [rate_update(path[:-1], path[1:], rates[:-1], pairing=name, **others).sum(0) for name, others in readings]
    )
    change = jnp.diff(path, axis=0)
    boundary = jnp.outer(rates[-1], rates[-1]) - jnp.outer(rates[0], rates[0])
    co_movement = jnp.einsum("ti,tj->ij", change, change, precision="highest")
    return Totals(one_way, boundary, co_movement)


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


def shake_network(
    key: Key[Array, ""], params: Params, config: PairingDriftConfig
) -> tuple[Float[Array, "trial pairing post pre"], Bool[Array, "trial"]]:
    """Return mean updates of a network at rest under the noise of Eq 7, and which trials are active throughout."""
    run = simulate(
        key,
        params,
        NoisyIntegrator(hard_sigmoid()),
        NoiseHyper(config.noisy_step, config.noise_std),
        state=jnp.zeros((config.n_trials, config.n_units), float),
        n_steps=config.n_burn_in + config.n_noisy_steps,
        trace_every=1,
    )
    assert run.trace is not None
    path = run.trace[:, config.n_burn_in :]
    updates = jax.vmap(totals_of)(path, hard_sigmoid().value(path)).one_way / (path.shape[1] - 1)
    return updates, run.is_finite & (jnp.max(jnp.abs(run.trace), axis=(1, 2)) < 0.5 - 5 * config.noise_std)


def noisy_means(
    weights: NDArray[np.float64], step: float, noise_std: float
) -> Float[NDArray[np.float64], "pairing post pre"]:
    """Return the exact means for tied weights in the active region.

    The state is linear, s <- A s + step W eta, and its stationary covariance C = step^2 noise^2 W^2 (I - A^2)^-1. The
    rate read one step earlier gives (A - I) A C, before the step (A - I) C, midway (A C - C A) / 2, after it (I - A) C.
    """
    keep = (1 - step) * np.eye(len(weights)) + step * weights
    before = -np.linalg.solve(np.eye(len(weights)) + keep, step**2 * noise_std**2 * weights @ weights)
    return np.stack([keep @ before, before, np.zeros_like(before), -before]).astype(np.float64)


def run(key: Key[Array, ""], config: PairingDriftConfig, progress: Progress) -> xr.Dataset:
    """Let networks relax at several steps, and move one by noise for long."""
    progress(0.0, "networks that relax")
    relaxed = _relaxations(named_key(key, "relaxation"), config)
    progress(0.6, "the network with noise")
    params = interior_network(named_key(key, "noisy network"), config.n_units, coupling=0.9, spread=0.0).params
    update, stays_active = jax.jit(partial(shake_network, config=config))(named_key(key, "noise"), params)
    exact = noisy_means(np.asarray(params.weights, np.float64), config.noisy_step, config.noise_std)
    return merged(
        relaxed,
        labelled(("trial", "pairing", "post", "pre"), "per step", noisy_update=update),
        labelled(("pairing", "post", "pre"), "per step", noisy_exact=exact),
        required("trial", "trials with noise in the active region", noisy_active=stays_active),
        labelled("pairing", drift_exact=list(COEFFICIENTS)),
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
    both_ways = totals.one_way + totals.one_way.swapaxes(-1, -2)
    one_way, both_ways, boundary, co_movement = (
        part.astype(np.float64)[..., i, j] for part in (totals.one_way, both_ways, *totals[1:])
    )
    one_way, both_ways = np.moveaxis(one_way, 2, 0), np.moveaxis(both_ways, 2, 0)
    gap, one_way_gap, by_network = both_ways - boundary, one_way - 0.5 * boundary, ("step", "network")
    return merged(
        labelled(("pairing", *by_network, "pair"), gap=(gap, "tied update less change of r_i r_j")),
        labelled((*by_network, "pair"), co_movement=(co_movement, "sum of ds_i ds_j")),
        labelled(("pairing", *by_network), drift=(slopes(gap, co_movement), "gap for each unit of co-movement")),
        labelled(by_network, one_way_gap=np.abs(one_way_gap[PAIRINGS.index("current")]).mean(-1)),
        labelled(("pairing", *by_network), one_way_drift=slopes(one_way_gap, co_movement)),
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
    caption="Eq 1 multiplies a change with a rate, which changes during the step. Read midway, the update of both "
    "directions depends on where the path starts and ends alone; read before or after, it drifts, by amounts that "
    "vanish with the step. Under noise about a fixed point its mean is 0 if read midway, and not if read before.",
    config=PairingDriftConfig(),
    smoke=dict(n_networks=8, n_steps=500, n_trials=32, n_noisy_steps=200, n_burn_in=100),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
