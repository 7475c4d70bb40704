"""When the presynaptic rate of Eq 1 is read: what the four readings add up to over time."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import ArrayLike, NDArray

from stdpjax.drives import ornstein_uhlenbeck
from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate
from stdpjax.energy import Params, tie
from stdpjax.lab import Claim, Estimate, Progress, Study, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.networks import Interior, interior_network, is_active, resting_bias
from stdpjax.observers import mean_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import PAIRINGS, Sample, rate_update
from stdpjax.stats import mean_interval, normal_interval
from stdpjax.studies.measures import labelled, merged, required
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
    n_trials: int = setting(
        512, "trials of the driven network, each with a drive and with its mirror image", at_least=2
    )
    n_driven_steps: int = setting(1000, "steps of a trial that count")
    n_burn_in: int = setting(300, "steps of a trial before those")
    driven_step: float = setting(0.1, "step size of the driven network", **STEP)
    drive_std: float = setting(0.06, "standard deviation of the drive, in units of activity", above=0)
    drive_width: float = setting(20.0, "correlation time of the drive, in steps", above=0)
    shared_drive: float = setting(
        0.25, "share of the drive's variance that all units have in common", at_least=0, at_most=1
    )


# What the summed tied update gains for each product of two changes, beyond the change of the rates' product.
COEFFICIENTS = dict(zip(PAIRINGS, (-3.0, -1.0, 0.0, 1.0), strict=True))

_PRINTED = "The average weight change is proportional to ds_i/dt rho(s_j); Eq 5, with rho(s_j) one step earlier, is it."
_DRIFT = (
    "Over a trajectory in the active region the tied update sums to [r_i r_j] at its ends plus c times the sum of "
    "ds_i ds_j, with c = -3 + O(step), -1, 0, +1 for the rate read one step earlier, before, midway and after the step."
)


def _gap(data: xr.Dataset, pairing: str) -> xr.DataArray:
    return np.abs(data.gap.sel(pairing=pairing))


def _order(size: xr.DataArray) -> xr.DataArray:
    """Return the slope over steps on logarithmic axes, for each network."""
    log_step = np.log(size.step)
    centred = log_step - log_step.mean()
    return (np.log(size) * centred).sum("step") / (centred**2).sum()


def _sizes(data: xr.Dataset) -> str:
    largest = _gap(data, "current").max(("network", "pair"))
    return f"Largest difference {', '.join(f'{float(gap):.2g} at step {float(gap.step):g}' for gap in largest)}."


def _off_half(slope: xr.DataArray) -> xr.DataArray:
    """Return the largest difference of slopes at the smallest step from half of those of tied weights."""
    coefficients = xr.DataArray(list(COEFFICIENTS.values()), {"pairing": list(COEFFICIENTS)})
    return np.abs(slope.isel(step=0).mean("network") - 0.5 * coefficients).max()


def _drift_claim(pairing: str, coefficient: float) -> Claim:
    """Return the claim on the drift of one reading; another one, of another drift, is its control."""
    other = "midpoint" if pairing != "midpoint" else "current"
    return _read(
        f"3.1.drift_{pairing}",
        f"Slope of that difference on the sum of ds_i ds_j at the smallest step, tied, reading '{pairing}'.",
        statement="Eq 5" if pairing == "previous" else "Eq 1",
        criterion=within(coefficient, 0.1),
        measure=lambda data: mean_interval(data.slope.sel(pairing=pairing).isel(step=0)),
        control=lambda data: data.slope.sel(pairing=other).isel(step=0).mean(),
        control_is=f"the reading '{other}'",
        note=lambda data: f"Mean of {data.sizes['network']} networks at step {float(data.step[0]):g}.",
    )


def _parts(mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the symmetric and the antisymmetric part between different units."""
    transposed = np.swapaxes(mean, -1, -2)
    return 0.5 * (mean + transposed) * (1 - np.eye(mean.shape[-1])), 0.5 * (mean - transposed)


def symmetric_share(updates: NDArray[np.float64]) -> Estimate:
    """Return the norm of the symmetric over that of the antisymmetric part of a mean over trials.

    The interval is a jackknife's over trials about the ratio itself, cut off at 0.
    """
    n_trials = len(updates)

    def ratio(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        symmetric, antisymmetric = _parts(mean)
        return np.asarray(np.linalg.norm(symmetric, axis=(-2, -1)) / np.linalg.norm(antisymmetric, axis=(-2, -1)))

    value = float(ratio(updates.mean(0)))
    left_out = ratio((updates.sum(0) - updates) / (n_trials - 1))
    found = normal_interval(value, np.sqrt((n_trials - 1) * left_out.var()))
    return found._replace(low=np.maximum(found.low, 0.0))


def _antisymmetric_size(data: xr.Dataset) -> str:
    size = np.linalg.norm(_parts(data.driven_update.values.mean(0))[1])
    return f"{data.sizes['trial']} trials; norm of the antisymmetric part {size:.2g} per step."


def _apart(data: xr.Dataset) -> NDArray[np.bool_]:
    """Return where a matrix is about two different units."""
    return ~np.eye(data.sizes["post"], dtype=bool)


def _largest_z(data: xr.Dataset, exact: NDArray[np.float64]) -> float:
    updates, apart = data.driven_update.values, _apart(data)
    error = (updates.std(0, ddof=1) / np.sqrt(len(updates)))[apart]
    return float(np.max(np.abs(updates.mean(0) - exact)[apart] / error))


_AT_REST = "Near equilibrium, at a fixed point, weight updates are 0 on average."

_at_rest = partial(Claim, statement="Eq 1, section 8", bearing="limits")
_read = partial(Claim, statement="Eq 1", bearing="limits")

CLAIMS = (
    _read(
        "3.1.telescoping",
        "Largest difference of the summed tied update, rate read midway, from the change of r_i r_j.",
        criterion=at_most(2e-6, double=1e-13),
        measure=lambda data: _gap(data, "midpoint").max(),
        control=lambda data: _gap(data, "current").max(),
        control_is="the rate read before the step",
    ),
    _read(
        "3.1.order",
        "Order in the step of the same difference with the rate read before the step (slope on logarithmic axes).",
        criterion=within(1.0, 0.1),
        measure=lambda data: mean_interval(_order(_gap(data, "current").mean("pair"))),
        control=lambda data: _order(data.total_change).mean(),
        control_is="the summed update itself, of order 0",
        note=_sizes,
    ),
    *(_drift_claim(pairing, coefficient) for pairing, coefficient in COEFFICIENTS.items()),
    _read(
        "3.1.drift_untied",
        "Largest difference, over the four readings, of the slope with untied weights from half of -3, -1, 0, +1.",
        statement="Eq 1 and 5",
        criterion=at_most(0.05),
        measure=lambda data: _off_half(data.slope_untied),
        control=lambda data: _off_half(data.slope),
        control_is="tied weights",
        note=lambda data: (
            f"Slopes {', '.join(f'{float(value):+.3f}' for value in data.slope_untied.isel(step=0).mean('network'))}."
        ),
    ),
    _at_rest(
        "T16.rest",
        "Largest change of any unit in a step at an interior fixed point, which bounds the update of every weight.",
        statement="Section 8",
        criterion=at_most(1e-7, double=1e-14),
        measure=lambda data: data.last_change.isel(step=-1).max(),
        control=lambda data: data.kink_last_change.min(),
        control_is="a unit driven past its threshold",
        note=f"Over the last {_N_LAST} steps.",
    ),
    _at_rest(
        "3.1.stationary",
        "Mean untied update of a stationary driven network, rate read midway: symmetric over antisymmetric part.",
        criterion=at_most(0.03),
        measure=lambda data: symmetric_share(data.driven_update.values),
        control=lambda data: symmetric_share(data.driven_next.values).value,
        control_is="the rate read after the step",
        note=_antisymmetric_size,
    ),
    _at_rest(
        "T16.driven",
        "Largest |z|, over pairs of units, of that mean update against its closed form.",
        criterion=at_most(4.5),
        measure=lambda data: _largest_z(data, data.driven_exact.values),
        control=lambda data: _largest_z(data, np.zeros_like(data.driven_exact.values)),
        control_is="no mean update",
        note=lambda data: f"{int(_apart(data).sum())} pairs.",
    ),
)


class Totals(NamedTuple):
    """What a relaxation adds up to; matrices over pairs of units."""

    untied: Float[Array, "pairing post pre"]
    """Summed Eq 1."""
    boundary: Float[Array, "unit unit"]
    """Change of r_i r_j over the same steps."""
    co_movement: Float[Array, "unit unit"]
    """Sum of ds_i ds_j."""


def _updates_along(path: Any, rates: Any) -> list[Float[Array, "step post pre"]]:
    """Return Eq 1 in its four readings along a path that was held at its start before."""
    earlier = {"previous_pre_rate": rates[np.maximum(np.arange(len(rates) - 1) - 1, 0)]}
    later = {"next_pre_rate": rates[1:]}
    readings = zip(PAIRINGS, (earlier, {}, later, later), strict=True)
    return [rate_update(path[:-1], path[1:], rates[:-1], pairing=name, **others) for name, others in readings]


def totals_of(path: Float[Array, "time unit"], rates: Float[Array, "time unit"]) -> Totals:
    """Add up Eq 1 in its four readings along a path that was held at its start before."""
    untied = jnp.stack([updates.sum(0) for updates in _updates_along(path, rates)])
    change = jnp.diff(path, axis=0)
    boundary = jnp.outer(rates[-1], rates[-1]) - jnp.outer(rates[0], rates[0])
    return Totals(untied, boundary, jnp.einsum("ti,tj->ij", change, change, precision="highest"))


class Relaxation(NamedTuple):
    """One network that relaxes."""

    totals: Totals
    last_change: Float[Array, ""]
    """Largest change of a unit in the last steps."""
    is_active: Bool[Array, ""]
    """Whether it stayed in the active region."""


def relax_network(
    key: Key[Array, ""], step: Float[Array, ""], push: Float[Array, ""], config: PairingDriftConfig
) -> Relaxation:
    """Let one random tied network relax; `push` is added to the first unit's bias and, if large, holds it at a kink."""
    rate_fn = hard_sigmoid()
    network = interior_network(key, config.n_units)
    params = network.params._replace(bias=network.params.bias.at[0].add(push))
    run = simulate(
        key,
        params,
        LeakyIntegrator(rate_fn),
        StepHyper(step),
        state=network.start,
        n_steps=config.n_steps,
        trace_every=1,
    )
    assert run.trace is not None
    path = jnp.concatenate([network.start[None], run.trace])
    last = jnp.max(jnp.abs(jnp.diff(path[-_N_LAST - 1 :], axis=0)))
    return Relaxation(totals_of(path, rate_fn.value(path)), last, is_active(path, rate_fn))


def driven_network(key: Key[Array, ""], config: PairingDriftConfig) -> Interior:
    """Return the network that is driven; its weights are far from symmetric, as pairs mostly pull opposite ways."""
    rate_fn = hard_sigmoid()
    raw = jax.random.normal(key, (config.n_units, config.n_units), float)
    weights = 0.5 * (raw - raw.T) + 0.5 * tie(raw)
    weights = 1.5 * weights / jnp.max(jnp.sum(jnp.abs(weights), axis=1))
    rest = jnp.zeros(config.n_units, float)
    return Interior(Params(weights, resting_bias(weights, rest, rate_fn)), rest, rest)


def _updates(sample: Sample) -> Float[Array, "pairing post pre"]:
    """Eq 1 with the rate read midway, and after the step."""
    following = hard_sigmoid().value(sample.next_post_state)
    arguments = (sample.post_state, sample.next_post_state, sample.pre_rate)
    return jnp.stack([rate_update(*arguments, pairing=name, next_pre_rate=following) for name in ("midpoint", "next")])


def _reach(sample: Sample) -> Float[Array, ""]:
    return jnp.mean(hard_sigmoid().slope(sample.post_state))


class Driven(NamedTuple):
    """Trials of the driven network."""

    updates: Float[Array, "trial pairing post pre"]
    """Mean update per step, rate read midway and after the step."""
    is_active: Bool[Array, "trial"]
    example: Float[Array, "time unit"]
    """States of the first trial."""


@partial(jax.jit, static_argnames="config")
def drive_network(key: Key[Array, ""], network: Interior, config: PairingDriftConfig) -> Driven:
    """Drive the network with Ornstein-Uhlenbeck processes and average its updates over time.

    Each trial is run twice, with a drive and with its mirror image: what is odd in the drive averages out.
    """
    n_steps = config.n_burn_in + config.n_driven_steps

    def one(key: Key[Array, ""]) -> Float[Array, "time unit"]:
        paths = jax.vmap(lambda key: ornstein_uhlenbeck(key, n_steps, config.drive_width))(
            jax.random.split(key, config.n_units + 1)
        ).T
        own, shared = np.sqrt(1 - config.shared_drive), np.sqrt(config.shared_drive)
        return config.drive_std * (float(own) * paths[:, 1:] + float(shared) * paths[:, :1])

    drive = jax.vmap(one)(member_keys(named_key(key, "drive"), config.n_trials))
    drive = jnp.concatenate([drive, -drive])
    params, start = network.params, jnp.broadcast_to(network.fixed_point, (2 * config.n_trials, config.n_units))
    hyper, kernel = StepHyper(config.driven_step), LeakyIntegrator(hard_sigmoid())
    before, after = drive[:, : config.n_burn_in], drive[:, config.n_burn_in :]
    settled = simulate(key, params, kernel, hyper, state=start, drive=before)
    observe = {"updates": mean_of(_updates), "active": mean_of(_reach)}
    run = simulate(key, params, kernel, hyper, state=settled.state, drive=after, observe=observe, trace_every=1)
    assert run.trace is not None
    stays_active = run.is_finite & (run.observed["active"].mean == 1)
    updates = run.observed["updates"].mean

    def of_pair(values: Array) -> Array:
        return values.reshape(2, config.n_trials, *values.shape[1:])

    return Driven(of_pair(updates).mean(0), of_pair(stays_active).all(0), run.trace[0])


def driven_mean(weights: NDArray[np.float64], config: PairingDriftConfig) -> NDArray[np.float64]:
    """Return the exact mean update of the driven network, rate read midway, in the active region.

    State and drive together are linear: z <- A z + noise, with stationary covariance S = A S A^T + Q.
    """
    n_units, step, decay = len(weights), config.driven_step, np.exp(-1 / config.drive_width)
    identity, zero = np.eye(n_units), np.zeros((n_units, n_units))
    a = np.block([[(1 - step) * identity + step * weights, step * identity], [zero, decay * identity]])
    kicks = config.drive_std**2 * (1 - decay**2) * ((1 - config.shared_drive) * identity + config.shared_drive)
    q = np.block([[zero, zero], [zero, kicks]])
    size = 2 * n_units
    covariance = np.linalg.solve(np.eye(size**2) - np.kron(a, a), q.ravel()).reshape(size, size)
    one_step = (a @ covariance)[:n_units, :n_units]
    return 0.5 * (one_step - one_step.T)


def run(key: Key[Array, ""], config: PairingDriftConfig, progress: Progress) -> xr.Dataset:
    """Let networks relax at several steps, and drive one for long."""
    progress(0.0, "networks that relax")
    relaxed = _relaxations(named_key(key, "relaxation"), config)
    progress(0.6, "the driven network")
    driven = _driven(named_key(key, "driven network"), named_key(key, "driven"), config)
    units = np.arange(config.n_units)
    return merged(
        relaxed,
        driven,
        pairing=list(PAIRINGS),
        step=("step", list(config.steps), {"units": "tau"}),
        network=np.arange(config.n_networks),
        pair=np.arange(len(units) * (len(units) - 1) // 2),
        time=("time", np.arange(1, driven.sizes["time"] + 1), {"units": "steps"}),
        post=units,
        pre=units,
    )


def _relaxations(key: Key[Array, ""], config: PairingDriftConfig) -> xr.Dataset:
    """Return what tied and untied updates add up to while networks relax, and how these come to rest."""
    # The last row is the control: the largest step and a unit that is pushed past its threshold.
    steps = jnp.asarray([*config.steps, config.steps[-1]], float)
    pushes = jnp.zeros_like(steps).at[-1].set(1.5)

    @jax.jit
    def relaxations(keys: Key[Array, "network"]) -> Relaxation:
        one = jax.vmap(lambda key, step, push: relax_network(key, step, push, config), (None, 0, 0))
        return jax.vmap(one, (0, None, None), out_axes=1)(keys, steps, pushes)

    found = jax.tree.map(np.asarray, relaxations(member_keys(key, config.n_networks)))
    totals, last_change, stays_active = jax.tree.map(lambda part: part[:-1], found)
    ij = np.triu_indices(config.n_units, 1)

    def of_pairs(matrices: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(matrices, np.float64)[..., ij[0], ij[1]]

    def with_pairing_first(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.moveaxis(values, 2, 0)

    tied = with_pairing_first(of_pairs(totals.untied + np.swapaxes(totals.untied, -1, -2)))
    boundary, co_movement = of_pairs(totals.boundary), of_pairs(totals.co_movement)
    gap = tied - boundary
    # Off the diagonal, both directions of each pair: the antisymmetric part is noise that averages out exactly.
    both = np.concatenate([totals.untied[..., *ij], totals.untied[..., *ij[::-1]]], -1).astype(np.float64)
    gap_untied = with_pairing_first(both) - 0.5 * np.concatenate([boundary] * 2, -1)
    slope_untied = slopes(gap_untied, np.concatenate([co_movement] * 2, -1))
    cells, by_network = ("pairing", "step", "network", "pair"), ("step", "network")
    return merged(
        labelled(cells, gap=(gap, "tied update less change of r_i r_j")),
        labelled(cells[1:], boundary=(boundary, "change of r_i r_j"), co_movement=(co_movement, "sum of ds_i ds_j")),
        labelled(
            cells[:3], slope=(slopes(gap, co_movement), "drift, tied"), slope_untied=(slope_untied, "drift, untied")
        ),
        labelled(by_network, total_change=np.abs(tied[PAIRINGS.index("current")]).mean(-1)),
        labelled(by_network, "activity per step", last_change=last_change),
        labelled("network", "activity per step", kink_last_change=found.last_change[-1]),
        required(by_network, "relaxations in the active region", stays_active=stays_active),
    )


def _driven(network_key: Key[Array, ""], key: Key[Array, ""], config: PairingDriftConfig) -> xr.Dataset:
    """Return mean updates of a stationary driven network, their closed form, and one trial as an example."""
    network = driven_network(network_key, config)
    driven = jax.tree.map(np.asarray, drive_network(key, network, config))
    updates = driven.updates.astype(np.float64)
    example, boundary = running_totals(driven.example)
    exact = driven_mean(np.asarray(network.params.weights, np.float64), config)
    return merged(
        labelled(
            ("trial", "post", "pre"),
            "per step",
            driven_update=(updates[:, 0], "midway"),
            driven_next=(updates[:, 1], "after"),
        ),
        labelled(("post", "pre"), "per step", driven_exact=exact),
        required("trial", "driven trials in the active region", driven_active=driven.is_active),
        labelled(("pairing", "time"), example_update=(example, "summed tied update of one pair")),
        labelled("time", example_boundary=(boundary, "change of r_i r_j of that pair")),
    )


def running_totals(path: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the tied update so far `[pairing, time]`, and the change of r_i r_j, of the pair that moves together most.

    The path is one of the active region; like the totals, it was held at its start before.
    """
    path = np.asarray(path, np.float64)
    rates = np.asarray(hard_sigmoid().value(path), np.float64)
    change = np.diff(path, axis=0)
    together = np.triu(change.T @ change, 1)
    pair = list(np.unravel_index(np.argmax(np.abs(together)), together.shape))
    path, rates = path[:, pair], rates[:, pair]
    both = [np.asarray(update[:, 0, 1] + update[:, 1, 0], np.float64) for update in _updates_along(path, rates)]
    tied = np.stack(both).cumsum(axis=1)
    return tied, rates[1:].prod(-1) - rates[0].prod()


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
