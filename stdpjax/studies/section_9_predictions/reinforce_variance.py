"""How the variance of a gradient estimate grows with the network: a global reward against a local rule (section 9).

The cost is half the squared distance of all units from targets, and the parameters are the biases. Noise on the biases
moves the settled state; REINFORCE correlates it with the cost, the local rule contrasts two pulled phases.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax import stats
from stdpjax.clamps import SoftClamp
from stdpjax.dynamics import transition
from stdpjax.energy import Params
from stdpjax.lab import Estimate, Progress, Study, at_least, estimate, keep_estimate, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, curvature, sigmoid
from stdpjax.studies.measures import beyond, limits, merged, on_device, required, supports
from stdpjax.studies.section_9_predictions.reinforce_variance_figure import plot

SMOOTH = sigmoid()
ESTIMATORS = ("raw", "change", "centred", "local")
"""REINFORCE with the cost itself, its change by the noise and its deviation from the mean; two phases."""


@configuration
class ReinforceVarianceConfig:
    """Settings of the study of estimators' variances; activities in units of the hard sigmoid's width."""

    sizes: tuple[int, ...] = setting(
        (8, 16, 32, 64, 128, 256, 512), "neurons; last >= sum of the rest", at_least=2, at_most=2048, increasing=True
    )
    noise_std: float = setting(0.03, "standard deviation of the noise on each neuron's bias", above=0, at_most=0.1)
    distance: float = setting(0.2, "distance of each neuron's target from its settled activity", **STEP)
    spread: float = setting(0.15, "largest absolute settled activity", above=0, at_most=0.3)
    radius: float = setting(0.3, "largest absolute eigenvalue of the weights", above=0, at_most=0.5)
    strength: float = setting(0.2, "pull towards the targets in the local rule's two phases", above=0, at_most=0.3)
    n_trials: int = setting(400, "independent trials", at_least=2, at_most=10_000)
    n_steps: int = setting(30, "steps in which a network settles", at_most=1000)
    n_resamples: int = setting(500, "bootstrap resamples of trials", at_least=2, at_most=10_000)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if sum(self.sizes[:-1]) > self.sizes[-1]:
            raise ValueError(f"sizes: expected the last at least the sum of the others, got {self.sizes}")


def _slope(data: xr.Dataset, estimator: str) -> Estimate:
    return estimate(data.sel(estimator=estimator), "slope")


CLAIMS = (
    supports(
        "sec9.linear",
        "Log-log slope of the REINFORCE estimate's variance, over the squared gradient, against neurons, with the mean "
        "cost as baseline (sigmoid).",
        criterion=within(1.0, 0.1),
        measure=lambda data: _slope(data, "centred"),
        control=lambda data: _slope(data, "change").value,
        control_is="the cost without the noise as baseline",
        note=lambda data: f"{data.sizes['trial']} trials. Without a baseline {_slope(data, 'raw').value:.2f}.",
    ),
    limits(
        "sec9.change",
        "The same slope with the cost's change by the noise in its place, as section 9 can be read.",
        criterion=at_least(1.1),
        measure=lambda data: _slope(data, "change"),
        control=lambda data: _slope(data, "centred").value,
        control_is="the mean cost as baseline",
    ),
    beyond(
        "scellier2017.variance",
        "The same slope for the contrast of two settled phases, pulled towards and away from targets.",
        statement="Scellier & Bengio 2017",
        criterion=within(0.0, 0.1),
        measure=lambda data: _slope(data, "local"),
        control=lambda data: _slope(data, "centred").value,
        control_is="REINFORCE with the mean cost as baseline",
    ),
)


def run(key: Key[Array, ""], config: ReinforceVarianceConfig, progress: Progress) -> xr.Dataset:
    """Settle networks of all sizes under noise and compare the estimates of their cost's gradient."""
    progress(0.0, "settling")
    packed = pack(named_key(key, "networks"), config.sizes, config.radius, config.spread, config.distance)
    numbers = Noise(jnp.asarray(config.noise_std, float), jnp.asarray(config.strength, float))
    found, changes = estimates(key, packed, numbers, n_trials=config.n_trials, n_steps=config.n_steps)
    progress(0.7, "variances")
    relative = relative_squares(packed, np.asarray(found), config.sizes)
    bootstrap = partial(stats.bootstrap, n_resamples=config.n_resamples)
    x = np.log(config.sizes) - np.log(config.sizes).mean()
    fit = bootstrap(named_key(key, "bootstrap"), lambda total: np.log(total) @ x / (x @ x), relative)
    level = bootstrap(named_key(key, "spread"), lambda total: total / config.n_trials, relative)
    variance, slope = "total variance over squared gradient", "slope of log variance against log neurons"
    return merged(
        xr.Dataset(keep_estimate("variance", level, ("estimator", "neurons"), units="1", long_name=variance)),
        xr.Dataset(keep_estimate("slope", fit, "estimator", units="1", long_name=slope)),
        required("trial", "trials that have settled", has_settled=np.asarray(changes) < 1e-4),
        estimator=list(ESTIMATORS),
        neurons=("neurons", np.array(config.sizes), {"units": "neurons"}),
    )


class Packed(NamedTuple):
    """Networks of different sizes as blocks on the diagonals of sheets of one size, so that one program runs all."""

    weights: Float[Array, "sheet unit unit"]
    rest: Float[Array, "sheet unit"]
    """Where the units settle without noise."""
    goal: Float[Array, "sheet unit"]
    member: Float[Array, "network sheet unit"]
    """1 for the units of a network."""


class Noise(NamedTuple):
    """Numbers of the experiment."""

    noise_std: Float[Array, ""]
    strength: Float[Array, ""]
    """Of the pull towards the targets, and away from them."""


def places(sizes: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return sheet and first unit of each network: the largest has a sheet of its own, the others fill one."""
    offsets = np.concatenate([[0], np.cumsum(sizes[:-1])])
    return [*((0, int(offset)) for offset in offsets[:-1]), (1, 0)]


def pack(key: Key[Array, ""], sizes: tuple[int, ...], radius: float, spread: float, distance: float) -> Packed:
    """Return random networks that settle at given states, each unit a given distance from its target."""
    widest = sizes[-1]
    member, weights = np.zeros((len(sizes), 2, widest)), np.zeros((2, widest, widest))
    drawn_weights, drawn_rest, sides = (np.asarray(part, np.float64) for part in _draw(key, widest))
    for number, ((sheet, first), size) in enumerate(zip(places(sizes), sizes, strict=True)):
        block = slice(first, first + size)
        member[number, sheet, block] = 1
        lower = np.tril(drawn_weights[sheet, block, block], -1)
        tied = lower + lower.T
        weights[sheet, block, block] = radius * tied / np.abs(np.linalg.eigvalsh(tied)).max()
    used = member.sum(0)
    rest = spread * drawn_rest * used
    goal = rest + distance * sides * used
    return Packed(*map(on_device, (weights, rest, goal, member)))


@partial(jax.jit, static_argnames="widest")
def _draw(key: Key[Array, ""], widest: int) -> tuple[Array, Array, Array]:
    return (
        jax.random.normal(named_key(key, "weights"), (2, widest, widest), float),
        jax.random.uniform(named_key(key, "rest"), (2, widest), float, -1.0, 1.0),
        jax.random.rademacher(named_key(key, "sides"), (2, widest), float),
    )


def biases(packed: Packed, rate_fn: RateFunction) -> Float[Array, "sheet unit"]:
    """Return the biases with which the networks settle where they should: R(s) = s."""
    rates = rate_fn.value(packed.rest)
    return packed.rest / rate_fn.slope(packed.rest) - jnp.einsum("sij,sj->si", packed.weights, rates)


def _settle(packed: Packed, bias: Float[Array, "sheet unit"], strength, rate_fn: RateFunction, n_steps: int):
    """Settled states under given biases and pull, and the largest last change in each sheet."""

    def one(weights, bias, start, goal):
        clamp = SoftClamp(jnp.ones(goal.shape, bool), goal, strength)

        def step(state, _):
            moved = transition(Params(weights, bias), state, jnp.zeros_like(state), rate_fn, 0.9, (clamp,))
            return moved, jnp.max(jnp.abs(moved - state))

        state, changes = jax.lax.scan(step, start, None, length=n_steps)
        return state, changes[-1]

    return jax.vmap(one)(packed.weights, bias, packed.rest, packed.goal)


@partial(jax.jit, static_argnames=("n_trials", "n_steps", "rate_fn"))
def estimates(
    key: Key[Array, ""], packed: Packed, numbers: Noise, *, n_trials: int, n_steps: int, rate_fn: RateFunction = SMOOTH
) -> tuple[Float[Array, "estimator trial sheet unit"], Float[Array, "trial"]]:
    """Return each trial's estimates of the gradient of the cost by the biases, and how far its states still moved."""
    bias = biases(packed, rate_fn)
    settled = 0.5 * (packed.rest - packed.goal) ** 2

    def in_network(values):
        return jnp.einsum("nsu,nv->vsu", packed.member, jnp.einsum("nsu,vsu->nv", packed.member, values))

    def trial(key):
        # Each phase of the local rule has noise of its own: nothing cancels between them.
        eta = jax.random.normal(key, (3, *bias.shape), bias.dtype)
        noisy = bias[None] + numbers.noise_std * eta
        pulls = jnp.stack([jnp.zeros_like(numbers.strength), numbers.strength, -numbers.strength])
        states, change = jax.vmap(lambda bias, pull: _settle(packed, bias, pull, rate_fn, n_steps))(noisy, pulls)
        rates = rate_fn.value(states)
        return eta[0], 0.5 * (states[0] - packed.goal) ** 2, rates[1] - rates[2], jnp.max(change)

    eta, own, contrast, change = jax.vmap(trial)(member_keys(named_key(key, "noise"), n_trials))
    total = in_network(own)
    # The mean over the other trials: that over all would correlate with the trial's own noise.
    centred = (total - jnp.mean(total, axis=0, keepdims=True)) * (n_trials / (n_trials - 1))
    rewards = jnp.stack([total, total - in_network(settled[None]), centred])
    reinforce = rewards * (eta / numbers.noise_std)[None]
    return jnp.concatenate([reinforce, -contrast[None] / (2 * numbers.strength)]), change


def gradients(packed: Packed, rate_fn: RateFunction = SMOOTH) -> np.ndarray:
    """Return the exact gradient of the cost by the biases, in double precision."""
    slope, bend = rate_fn.slope(packed.rest), curvature(rate_fn, packed.rest)
    weights, rest, goal, slope, bend = (
        np.asarray(part, np.float64) for part in (packed.weights, packed.rest, packed.goal, slope, bend)
    )
    field = rest / slope
    moved = slope[:, :, None] * weights * slope[:, None] + np.eye(rest.shape[1]) * (bend * field)[:, :, None]
    return slope * np.linalg.solve(np.eye(rest.shape[1]) - moved, (rest - goal)[..., None])[..., 0]


def relative_squares(
    packed: Packed, found: Float[np.ndarray, "estimator trial sheet unit"], sizes: tuple[int, ...]
) -> Float[np.ndarray, "trial estimator network"]:
    """Return squared distances of estimates from their mean over the squared gradient; their mean is the variance."""
    exact, n_trials = gradients(packed), found.shape[1]
    squares = np.empty((n_trials, len(found), len(sizes)))
    for number, ((sheet, first), size) in enumerate(zip(places(sizes), sizes, strict=True)):
        block = slice(first, first + size)
        gradient, one = exact[sheet, block], found[:, :, sheet, block].astype(np.float64)
        away = ((one - one.mean(1)[:, None]) ** 2).sum(-1) * n_trials / (n_trials - 1)
        squares[:, :, number] = away.T / (gradient @ gradient)
    return squares


STUDY = Study(
    name="reinforce_variance",
    title="A global reward against a local rule",
    figure="none",
    source="Bengio et al. 2015, section 9; Scellier & Bengio 2017",
    caption="Every neuron of a settled network has a target. Correlating each neuron's noise with the whole cost gives "
    "the gradient with a variance that grows with the number of neurons, faster than linearly unless the mean is "
    "subtracted; the contrast of two pulled phases gives it with a variance that does not grow.",
    config=ReinforceVarianceConfig(),
    smoke=dict(sizes=(8, 16, 32), n_trials=50, n_resamples=50),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
