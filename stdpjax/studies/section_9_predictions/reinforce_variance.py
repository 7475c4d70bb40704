"""How the variance of a gradient estimate grows with the network: a global reward against a local rule (section 9)."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax import stats
from stdpjax.lab import Estimate, Progress, Study, estimate, keep_estimate, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.random import named_key
from stdpjax.studies.measures import beyond, limits, merged, required
from stdpjax.studies.section_9_predictions.reinforce_networks import (
    ESTIMATORS,
    Noise,
    Packed,
    estimates,
    gradients,
    pack,
    places,
)
from stdpjax.studies.section_9_predictions.reinforce_variance_figure import plot


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


def _slopes_note(data: xr.Dataset) -> str:
    return f"{data.sizes['trial']} trials, bootstrap over trials. Without a baseline {_slope(data, 'raw').value:.2f}."


CLAIMS = (
    limits(
        "sec9.linear",
        "Log-log slope of the REINFORCE estimate's variance, over the squared gradient, against neurons, with the mean "
        "cost as baseline (sigmoid).",
        statement="sec9.reinforce",
        criterion=within(1.0, 0.1),
        measure=lambda data: _slope(data, "centred"),
        control=lambda data: _slope(data, "change").value,
        control_is="the cost without the noise as baseline",
        note=_slopes_note,
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


def _slopes(sizes: tuple[int, ...], variances: np.ndarray) -> np.ndarray:
    """Return the least-squares slope of log variance (last axis: sizes) against log size."""
    x = np.log(sizes) - np.log(sizes).mean()
    return np.log(variances) @ x / (x @ x)


def run(key: Key[Array, ""], config: ReinforceVarianceConfig, progress: Progress) -> xr.Dataset:
    """Settle networks of all sizes under noise and compare the estimates of their cost's gradient."""
    progress(0.0, "settling")
    packed = pack(named_key(key, "networks"), config.sizes, config.radius, config.spread, config.distance)
    numbers = Noise(jnp.asarray(config.noise_std, float), jnp.asarray(config.strength, float))
    found, changes = estimates(key, packed, numbers, n_trials=config.n_trials, n_steps=config.n_steps)
    progress(0.7, "variances")
    relative = relative_squares(packed, np.asarray(found), config.sizes)
    bootstrap = partial(stats.bootstrap, n_resamples=config.n_resamples)
    fit = bootstrap(named_key(key, "bootstrap"), lambda total: _slopes(config.sizes, total), relative)
    level = bootstrap(named_key(key, "spread"), lambda total: total / config.n_trials, relative)
    variance, slope = "total variance over squared gradient", "slope of log variance against log neurons"
    return merged(
        xr.Dataset(keep_estimate("variance", level, ("estimator", "neurons"), units="1", long_name=variance)),
        xr.Dataset(keep_estimate("slope", fit, "estimator", units="1", long_name=slope)),
        required("trial", "trials that have settled", has_settled=np.asarray(changes) < 1e-4),
        estimator=list(ESTIMATORS),
        neurons=("neurons", np.array(config.sizes), {"units": "neurons"}),
    )


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
