"""How the variance of a gradient estimate grows with the network: a global reward against a local rule (section 9)."""

from functools import partial

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import stats
from stdpjax.lab import Claim, Estimate, at_least, at_most, estimate, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.random import named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, merged, required
from stdpjax.studies.section_9_predictions.reinforce_networks import (
    ESTIMATORS,
    RATES,
    Noise,
    Packed,
    estimates,
    gradients,
    laws,
    pack,
    places,
)
from stdpjax.studies.section_9_predictions.reinforce_variance_figure import plot


@configuration
class ReinforceVarianceConfig:
    """Settings of the study of estimators' variances; activities in units of the hard sigmoid's width."""

    sizes: tuple[int, ...] = setting(
        (8, 16, 32, 64, 128, 256, 512),
        "numbers of neurons, the last at least the sum of the others",
        at_least=2,
        at_most=2048,
        increasing=True,
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
    return estimate(data.sel(rates="sigmoid", estimator=estimator), "slope")


_VARIANCE = "total variance over squared gradient"


def _trials_note(data: xr.Dataset) -> str:
    return f"{data.sizes['trial']} trials, bootstrap over trials."


def _off_law(data: xr.Dataset, law: xr.DataArray) -> float:
    """Return the largest |z| of the measured variances against a law."""
    hard = data.sel(rates="hard")
    return float((np.abs(hard.variance - law) / hard.variance_error).max())


def _off_gradient(data: xr.Dataset, along: xr.DataArray) -> float:
    """Return the largest |z| of the mean REINFORCE estimate along a gradient, against 1."""
    along, error = (values.sel(estimator="centred") for values in (along, data.along_error))
    return float((np.abs(along - 1) / error).max())


_section_9 = partial(Claim, statement="section 9", bearing="supports")
_growth_of_variance = partial(
    Claim,
    statement="section 9",
    note=_trials_note,
)

CLAIMS = (
    _growth_of_variance(
        "9.linear",
        "Log-log slope of the REINFORCE estimate's variance, over the squared gradient, against neurons (sigmoid).",
        criterion=within(1.0, 0.1),
        measure=lambda data: _slope(data, "centred"),
        control=lambda data: _slope(data, "own").value,
        control_is="each neuron sees its own part of the cost only",
        bearing="limits",
    ),
    _growth_of_variance(
        "9.uncentred",
        "The same slope if no baseline is subtracted from the reward.",
        criterion=within(2.0, 0.1),
        measure=lambda data: _slope(data, "raw"),
        control=lambda data: _slope(data, "centred").value,
        control_is="the mean reward subtracted",
        bearing="refutes",
    ),
    _section_9(
        "9.local",
        "The same slope for the local rule: two settled phases, pulled towards and away from targets.",
        criterion=within(0.0, 0.1),
        measure=lambda data: _slope(data, "local"),
        control=lambda data: _slope(data, "centred").value,
        control_is="REINFORCE",
        note=_trials_note,
    ),
    Claim(
        "9.law",
        "Largest |z| of measured variances against exact ones, over sizes and estimators (active region).",
        statement="section 9",
        criterion=at_most(4.5),
        measure=lambda data: _off_law(data, data.exact_variance),
        control=lambda data: _off_law(data, data.quiet_variance),
        control_is="the laws without the cost's curvature",
        bearing="limits",
    ),
    _section_9(
        "9.unbiased",
        "Largest |z|, over sizes, of the mean REINFORCE estimate along the exact gradient, against the gradient.",
        criterion=at_most(4.0),
        measure=lambda data: _off_gradient(data, data.along),
        control=lambda data: _off_gradient(data, data.turned),
        control_is="along the gradient of each neuron's neighbour",
    ),
    _section_9(
        "9.local_gradient",
        "Smallest cosine, over sizes, between the local rule's mean and the exact gradient (sigmoid).",
        criterion=at_least(0.98),
        measure=lambda data: data.cosine.sel(rates="sigmoid", estimator="local").min(),
        control=lambda data: data.rolled_cosine.sel(rates="sigmoid", estimator="local").min(),
        control_is="the gradient of each neuron's neighbour",
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
    found = estimates(key, packed, numbers, n_trials=config.n_trials, n_steps=config.n_steps)
    progress(0.7, "variances")
    has_settled = np.stack([np.asarray(found[name]["change"]) < 1e-4 for name in RATES])
    data = merged(
        _of_estimates(key, packed, found, config),
        _of_laws(packed, config),
        required(("rates", "trial"), "trials that have settled", has_settled=has_settled),
        rates=list(RATES),
        estimator=list(ESTIMATORS),
        neurons=("neurons", np.array(config.sizes), {"units": "neurons"}),
    )
    progress(1.0, "done")
    return data


def _blocks(sizes: tuple[int, ...]) -> list[tuple[int, slice]]:
    """Return sheet and units of each network."""
    return [(sheet, slice(first, first + size)) for (sheet, first), size in zip(places(sizes), sizes, strict=True)]


def _of_estimates(
    key: Key[Array, ""], packed: Packed, found: dict[str, dict[str, Array]], config: ReinforceVarianceConfig
) -> xr.Dataset:
    """Variances of the estimates, and how they lie to the exact gradient and to that of each neuron's neighbour."""
    shape = (len(RATES), len(ESTIMATORS), len(config.sizes))
    spread = np.empty((config.n_trials, *shape))
    along, turned = np.empty_like(spread), np.empty_like(spread)
    cosine, rolled = np.empty(shape), np.empty(shape)
    for which, rate in enumerate(found.values()):
        estimate, exact = np.asarray(rate["estimate"]), gradients(packed, rate["slope"], rate["curvature"])
        for number, (sheet, block) in enumerate(_blocks(config.sizes)):
            gradient, one = exact[sheet, block], estimate[:, :, sheet, block].astype(np.float64)
            scale, mean, other = gradient @ gradient, one.mean(1), np.roll(gradient, 1)
            away = ((one - mean[:, None]) ** 2).sum(-1) * config.n_trials / (config.n_trials - 1)
            spread[:, which, :, number] = away.T / scale
            along[:, which, :, number], turned[:, which, :, number] = (
                (one @ gradient).T / scale,
                (one @ other).T / scale,
            )
            norms = np.linalg.norm(mean, axis=1) * np.sqrt(scale)
            cosine[which, :, number], rolled[which, :, number] = mean @ gradient / norms, mean @ other / norms
    bootstrap = partial(stats.bootstrap, n_resamples=config.n_resamples)
    fit = bootstrap(named_key(key, "bootstrap"), lambda total: _slopes(config.sizes, total), spread)
    level = bootstrap(named_key(key, "spread"), lambda total: total / config.n_trials, spread)
    cell, mean = ("rates", "estimator", "neurons"), mean_interval(along, 0)
    return merged(
        labelled(
            cell,
            "1",
            variance=(level.value, _VARIANCE),
            variance_low=(level.low, _VARIANCE),
            variance_high=(level.high, _VARIANCE),
            variance_error=(mean_interval(spread, 0).standard_error, _VARIANCE),
            cosine=(cosine, "cosine of mean estimate and gradient"),
            rolled_cosine=(rolled, "cosine with the next neurons' gradient"),
        ),
        labelled(
            cell[:2],
            "1",
            slope=(fit.value, "slope of log variance against log neurons"),
            slope_low=fit.low,
            slope_high=fit.high,
        ),
        labelled(
            cell,
            "gradient",
            along=(mean.value, "mean estimate along the gradient"),
            along_error=mean.standard_error,
            turned=(turned.mean(0), "mean along the next neurons' gradient"),
        ),
    )


def _of_laws(packed: Packed, config: ReinforceVarianceConfig) -> xr.Dataset:
    """Exact variances of hard networks, with and without the cost's curvature."""
    weights, error = (np.asarray(part, np.float64) for part in (packed.weights, packed.rest - packed.goal))
    exact = np.empty((2, len(ESTIMATORS), len(config.sizes)))
    for number, (sheet, block) in enumerate(_blocks(config.sizes)):
        network = weights[sheet, block, block], error[sheet, block]
        noisy, quiet = (laws(*network, std, config.strength) for std in (config.noise_std, 1e-9))
        exact[0, :, number] = noisy
        exact[1, :, number] = np.where(np.arange(len(ESTIMATORS)) == 0, noisy, quiet)
    words = (_VARIANCE, "the same without the cost's curvature")
    return labelled(
        ("estimator", "neurons"), "1", exact_variance=(exact[0], words[0]), quiet_variance=(exact[1], words[1])
    )


STUDY = Study(
    name="reinforce_variance",
    title="A global reward against a local rule",
    figure="none",
    source="Bengio et al. 2015, section 9",
    caption="Every neuron of a settled network has a target. Correlating each neuron's noise with the whole cost gives "
    "the gradient with a variance that grows with the number of neurons, faster than linearly unless the mean is "
    "subtracted; the contrast of two pulled phases gives it with a variance that does not grow.",
    config=ReinforceVarianceConfig(),
    smoke=dict(sizes=(8, 16, 32), n_trials=50, n_resamples=50),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
