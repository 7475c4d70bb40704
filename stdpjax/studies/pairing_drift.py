"""When the presynaptic rate of Eq 1 is read: what the four readings add up to over time."""

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks
from stdpjax.drives import ornstein_uhlenbeck
from stdpjax.dynamics import Hyper, leaky_integrator, simulate
from stdpjax.energy import tie
from stdpjax.observers import mean_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import PAIRINGS, Sample, rate_update
from stdpjax.rules.differential import Pairing
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.figures.pairing_drift import plot
from stdpjax.studies.interior import Interior, interior_network, is_active, with_fixed_point
from stdpjax.studies.pairing_claims import CLAIMS, COEFFICIENTS
from stdpjax.studies.settings import setting

# Steps at the end of a relaxation over which "at rest" is measured.
_N_LAST = 100


@dataclasses.dataclass(frozen=True)
class PairingDriftConfig:
    """Settings of the pairing study; steps are fractions of the time constant."""

    n_networks: int = setting(64, "networks that relax")
    n_units: int = setting(6, "units of a network")
    steps: tuple[float, ...] = setting((0.02, 0.05, 0.1, 0.2), "step sizes, increasing, in (0, 1]")
    n_steps: int = setting(2000, "steps of each relaxation")
    n_trials: int = setting(512, "trials of the driven network, each with a drive and with its mirror image")
    n_driven_steps: int = setting(1000, "steps of a trial that count")
    n_burn_in: int = setting(300, "steps of a trial before those")
    driven_step: float = setting(0.1, "step size of the driven network")
    drive_std: float = setting(0.06, "standard deviation of the drive, in units of activity")
    drive_width: float = setting(20.0, "correlation time of the drive, in steps")
    shared_drive: float = setting(0.25, "share of the drive's variance that all units have in common, in [0, 1]")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        for name in ("n_networks", "n_units", "n_trials"):
            _checks.count(name, getattr(self, name), minimum=2)
        _checks.count("n_steps", self.n_steps, minimum=_N_LAST + 1)
        _checks.count("n_driven_steps", self.n_driven_steps)
        _checks.count("n_burn_in", self.n_burn_in)
        if len(self.steps) < 2 or any(low >= high for low, high in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError(f"steps: expected at least two increasing numbers, got {self.steps}")
        for step in (*self.steps, self.driven_step):
            _checks.number("steps", step, above=0, at_most=1)
        _checks.number("drive_std", self.drive_std, above=0)
        _checks.number("drive_width", self.drive_width, above=0)
        _checks.number("shared_drive", self.shared_drive, at_least=0, at_most=1)


class Totals(NamedTuple):
    """What a relaxation adds up to; matrices over pairs of units."""

    untied: Float[Array, "pairing post pre"]
    """Summed Eq 1."""
    boundary: Float[Array, "unit unit"]
    """Change of r_i r_j over the same steps."""
    co_movement: Float[Array, "unit unit"]
    """Sum of ds_i ds_j."""


def _other_rates(rates: Any) -> dict[Pairing, dict[str, Any]]:
    """Return, for each reading of Eq 1 in order, the rates that it reads beside those before each step."""
    earlier = {"previous_pre_rate": rates[np.maximum(np.arange(len(rates) - 1) - 1, 0)]}
    later = {"next_pre_rate": rates[1:]}
    # In the order of `PAIRINGS`.
    return {"previous": earlier, "current": {}, "midpoint": later, "next": later}


def totals_of(path: Float[Array, "time unit"], rates: Float[Array, "time unit"]) -> Totals:
    """Add up Eq 1 in its four readings along a path that was held at its start before."""
    state, following, rate = path[:-1], path[1:], rates[:-1]
    untied = jnp.stack(
        [
            rate_update(state, following, rate, pairing=name, **others).sum(0)
            for name, others in _other_rates(rates).items()
        ]
    )
    change = following - state
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
    network = interior_network(key, config.n_units, rate_fn)
    params = network.params._replace(bias=network.params.bias.at[0].add(push))
    run = simulate(
        key, params, None, Hyper(step=step), kernel=leaky_integrator(rate_fn, "none"), state=network.start,
        n_steps=config.n_steps, trace_every=1,
    )  # fmt: skip
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
    return Interior(with_fixed_point(weights, rest, rate_fn), rest, rest)


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
    hyper, kernel = Hyper(step=config.driven_step), leaky_integrator(hard_sigmoid(), "none")
    before, after = drive[:, : config.n_burn_in], drive[:, config.n_burn_in :]
    settled = simulate(key, params, before, hyper, kernel=kernel, state=start)
    observe = {"updates": mean_of(_updates), "active": mean_of(_reach)}
    run = simulate(key, params, after, hyper, kernel=kernel, state=settled.state, observe=observe, trace_every=1)
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
    steps = jnp.asarray(config.steps, float)
    keys = member_keys(named_key(key, "relaxation"), config.n_networks)
    # The last row is the control: the largest step and a unit that is pushed past its threshold.
    all_steps = jnp.concatenate([steps, steps[-1:]])
    pushes = jnp.concatenate([jnp.zeros_like(steps), jnp.full(1, 1.5, float)])

    @jax.jit
    def relaxations(keys: Key[Array, "network"]) -> Relaxation:
        one = jax.vmap(lambda key, step, push: relax_network(key, step, push, config), (None, 0, 0))
        return jax.vmap(one, (0, None, None), out_axes=1)(keys, all_steps, pushes)

    relaxed = jax.tree.map(np.asarray, relaxations(keys))
    pairs = np.triu_indices(config.n_units, 1)

    def of_pairs(matrices: ArrayLike) -> NDArray[np.float64]:
        return np.asarray(matrices, np.float64)[..., pairs[0], pairs[1]]

    totals = Totals(*(part[: len(config.steps)] for part in relaxed.totals))
    tied = np.moveaxis(of_pairs(totals.untied + np.swapaxes(totals.untied, -1, -2)), 2, 0)
    gap = tied - of_pairs(totals.boundary)
    co_movement = of_pairs(totals.co_movement)
    # Off the diagonal, both directions of each pair: the antisymmetric part is noise that averages out exactly.
    ij, ji = pairs, pairs[::-1]
    both = np.concatenate([totals.untied[..., *ij], totals.untied[..., *ji]], -1).astype(np.float64)
    half = 0.5 * np.concatenate([of_pairs(totals.boundary)] * 2, -1)
    gap_untied = np.moveaxis(both, 2, 0) - half
    twice = np.concatenate([co_movement] * 2, -1)

    progress(0.6, "the driven network")
    network = driven_network(named_key(key, "driven network"), config)
    driven = jax.tree.map(np.asarray, drive_network(named_key(key, "driven"), network, config))
    updates = driven.updates.astype(np.float64)
    example, example_boundary = running_totals(driven.example)
    n_steps = len(config.steps)
    return xr.Dataset(
        {
            "tied_update": (("pairing", "step", "network", "pair"), tied, {"long_name": "summed tied update"}),
            "boundary": (("step", "network", "pair"), of_pairs(totals.boundary), {"long_name": "change of r_i r_j"}),
            "gap": (("pairing", "step", "network", "pair"), gap, {"long_name": "tied update less change of r_i r_j"}),
            "co_movement": (("step", "network", "pair"), co_movement, {"long_name": "sum of ds_i ds_j"}),
            "slope": (("pairing", "step", "network"), slopes(gap, co_movement), {"long_name": "drift, tied"}),
            "slope_untied": (("pairing", "step", "network"), slopes(gap_untied, twice), {"long_name": "drift, untied"}),
            "total_change": (("step", "network"), np.abs(tied[PAIRINGS.index("current")]).mean(-1)),
            "last_change": (("step", "network"), relaxed.last_change[:n_steps], {"units": "activity per step"}),
            "kink_last_change": ("network", relaxed.last_change[-1], {"units": "activity per step"}),
            "stays_active": (
                ("step", "network"), relaxed.is_active[:n_steps], {"required": "relaxations in the active region"},
            ),
            "driven_update": (("trial", "post", "pre"), updates[:, 0], {"units": "per step", "long_name": "midway"}),
            "driven_next": (("trial", "post", "pre"), updates[:, 1], {"units": "per step", "long_name": "after"}),
            "driven_exact": (
                ("post", "pre"), driven_mean(np.asarray(network.params.weights, np.float64), config),
                {"units": "per step"},
            ),
            "example_update": (("pairing", "time"), example, {"long_name": "summed tied update of one pair"}),
            "example_boundary": ("time", example_boundary, {"long_name": "change of r_i r_j of that pair"}),
            "driven_active": ("trial", driven.is_active, {"required": "driven trials in the active region"}),
        },
        coords={
            "pairing": list(PAIRINGS),
            "step": ("step", list(config.steps), {"units": "tau"}),
            "network": np.arange(config.n_networks),
            "pair": np.arange(len(pairs[0])),
            "time": ("time", np.arange(1, len(example_boundary) + 1), {"units": "steps"}),
            "post": np.arange(config.n_units),
            "pre": np.arange(config.n_units),
        },
    )  # fmt: skip


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
    updates = [
        rate_update(path[:-1], path[1:], rates[:-1], pairing=name, **others)
        for name, others in _other_rates(rates).items()
    ]
    tied = np.stack([np.asarray(update[:, 0, 1] + update[:, 1, 0], np.float64).cumsum() for update in updates])
    return tied, rates[1:].prod(-1) - rates[0].prod()


def slopes(gap: NDArray[np.float64], co_movement: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the least-squares slope over pairs, without a constant, for each network."""
    return (gap * co_movement).sum(-1) / (co_movement**2).sum(-1)


def _parts(mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the symmetric and the antisymmetric part between different units."""
    transposed = np.swapaxes(mean, -1, -2)
    return 0.5 * (mean + transposed) * (1 - np.eye(mean.shape[-1])), 0.5 * (mean - transposed)


def symmetric_share(updates: NDArray[np.float64]) -> tuple[float, tuple[float, float]]:
    """Return the norm of the symmetric over that of the antisymmetric part of a mean over trials, with a 95 % interval.

    The interval is a jackknife's over trials about the ratio itself, cut off at 0.
    """
    n_trials = len(updates)

    def ratio(mean: NDArray[np.float64]) -> NDArray[np.float64]:
        symmetric, antisymmetric = _parts(mean)
        return np.asarray(np.linalg.norm(symmetric, axis=(-2, -1)) / np.linalg.norm(antisymmetric, axis=(-2, -1)))

    value = float(ratio(updates.mean(0)))
    left_out = ratio((updates.sum(0) - updates) / (n_trials - 1))
    reach = 1.96 * float(np.sqrt((n_trials - 1) * left_out.var()))
    return value, (max(value - reach, 0.0), value + reach)


def _mean_interval(values: xr.DataArray) -> tuple[float, tuple[float, float]]:
    mean, reach = float(values.mean()), 1.96 * float(values.std(ddof=1)) / np.sqrt(values.size)
    return mean, (mean - reach, mean + reach)


def judge(data: xr.Dataset, config: PairingDriftConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    log_step = np.log(data.step)

    def order(size: xr.DataArray) -> xr.DataArray:
        """Slope over steps on logarithmic axes, for each network."""
        centred = log_step - log_step.mean()
        return (np.log(size) * centred).sum("step") / (centred**2).sum()

    def gap(pairing: str) -> xr.DataArray:
        return np.abs(data.gap.sel(pairing=pairing))

    first_order = _mean_interval(order(gap("current").mean("pair")))
    smallest = data.isel(step=0)
    tied_slope, untied_slope = smallest.slope.mean("network"), smallest.slope_untied.mean("network")
    coefficients = xr.DataArray(list(COEFFICIENTS.values()), {"pairing": list(COEFFICIENTS)})
    drifts = {}
    for pairing in PAIRINGS:
        innocent = "midpoint" if pairing != "midpoint" else "current"
        value, interval = _mean_interval(smallest.slope.sel(pairing=pairing))
        note = f"Mean of {config.n_networks} networks at step {config.steps[0]:g}. Control: the reading '{innocent}'."
        control = float(tied_slope.sel(pairing=innocent))
        drifts[f"3.1.drift_{pairing}"] = Measurement(value, interval, control, note)
    updates, later = data.driven_update.values, data.driven_next.values
    share, share_interval = symmetric_share(updates)
    antisymmetric_norm = np.linalg.norm(_parts(updates.mean(0))[1])
    apart = ~np.eye(config.n_units, dtype=bool)
    error = (updates.std(0, ddof=1) / np.sqrt(config.n_trials))[apart]

    def largest_z(exact: NDArray[np.float64]) -> float:
        return float(np.max(np.abs(updates.mean(0) - exact)[apart] / error))

    sizes = ", ".join(f"{float(gap('current').sel(step=step).max()):.2g} at step {step:g}" for step in config.steps)
    return {
        "3.1.telescoping": Measurement(
            float(gap("midpoint").max()),
            control=float(gap("current").max()),
            note="Control: the rate read before the step.",
        ),
        "3.1.order": Measurement(
            *first_order,
            control=float(order(data.total_change).mean()),
            note=f"Largest difference {sizes}. Control: the summed update itself, of order 0.",
        ),
        **drifts,
        "3.1.drift_untied": Measurement(
            float(np.abs(untied_slope - 0.5 * coefficients).max()),
            control=float(np.abs(tied_slope - 0.5 * coefficients).max()),
            note=f"Slopes {', '.join(f'{float(value):+.3f}' for value in untied_slope)}. Control: tied weights.",
        ),
        "T16.rest": Measurement(
            float(data.last_change.isel(step=-1).max()),
            control=float(data.kink_last_change.min()),
            note=f"Last {_N_LAST} of {config.n_steps} steps. Control: a unit driven past its threshold.",
        ),
        "3.1.stationary": Measurement(
            share,
            share_interval,
            symmetric_share(later)[0],
            f"{config.n_trials} trials of {config.n_driven_steps} steps; norm of the antisymmetric part "
            f"{antisymmetric_norm:.2g} per step. Control: the rate read after the step.",
        ),
        "T16.driven": Measurement(
            largest_z(data.driven_exact.values),
            control=largest_z(np.zeros_like(data.driven_exact.values)),
            note=f"{int(apart.sum())} pairs. Control: no mean update.",
        ),
    }


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
    smoke=PairingDriftConfig(n_networks=8, n_steps=500, n_trials=32, n_driven_steps=200, n_burn_in=100),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)
