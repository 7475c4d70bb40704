"""Handwritten digits learned without labels by impatient score matching: missing halves filled in (section 6.3)."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.lab import Claim, at_least, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.learning.data import Images
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.digit_training import images_of
from stdpjax.studies.measures import labelled, merged, required
from stdpjax.studies.section_6_hidden.completion import (
    completion_error,
    fill_by_encoder,
    halves,
    train_encoders,
    tune_components,
)
from stdpjax.studies.section_6_hidden.digits_unsupervised_figure import plot
from stdpjax.studies.section_6_hidden.two_layer_em import Layers, Mix, Setting, complete, train_layers
from stdpjax.theory.principal_components import fill_linearly, probabilistic_components


class Rule(NamedTuple):
    """Coefficients of a rule's parts, see `Mix`; `kinks` times the temperature."""

    clamped: float
    hidden: float
    kinks: float
    slowness: float = 1.0
    is_wide: bool = False


# Eq 1 has the step of the chains in both parts; the others are up to a factor, which Adam makes irrelevant.
RULES = {
    "delta": Rule(1, 0, 0),
    "kept": Rule(1, 0, 1),
    "hidden": Rule(0.2, 1, 0),
    "literal": Rule(0, 1, 0, slowness=100),
    "shuffled": Rule(1, 0, 0),
    "wide": Rule(1, 0, 0, is_wide=True),
    "wide_kept": Rule(1, 0, 1, is_wide=True),
}
METHODS = ("mean", "pca", "random_pixels", "halves")
ENCODERS = METHODS[2:]
N_FILTERS, N_EXAMPLES = 32, 8
_ERROR = "squared error per missing pixel, held-out images"


@configuration
class DigitsUnsupervisedConfig:
    """Settings of the study of digits without labels."""

    data: str = setting("digits", 'images: "digits", bundled with scikit-learn, or an .npz file')
    n_images: int = setting(1797, "images that each network draws, or all if there are fewer")
    n_test: int = setting(200, "of them kept for the test", at_least=N_EXAMPLES)
    n_hidden: int = setting(128, "hidden units, also of the autoencoders")
    n_networks: int = setting(4, "networks for each rule, each with its own split and weights", at_least=2)
    n_epochs: int = setting(60, "passes over the training images, for all methods")
    batch_size: int = setting(40, "images in a batch, for all methods")
    learning_rate: float = setting(0.01, "largest step size of Adam, for all methods", above=0)
    gain: float = setting(0.5, "spread of the initial weights", above=0)
    contrast: float = setting(0.4, "activity between black and white; 1 reaches from kink to kink", **STEP)
    noise: float = setting(0.02, "temperature of the chains, in units of the contrast squared", above=0)
    step: float = setting(0.2, "step of the chains", **STEP)
    n_turns: int = setting(80, "turns in which missing pixels and hidden units settle")
    component_choices: tuple[int, ...] = setting(
        (4, 8, 12, 16, 20, 24, 28, 32, 40, 48), "numbers of principal components to choose from"
    )

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _checks.count("n_images", self.n_images, minimum=self.n_test + self.batch_size)


_PRINTED = (
    "Clamping x, letting h follow its chain and applying the STDP rule at each step is an impatient Monte Carlo EM "
    "by score matching, which learns a model of x."
)
_RULE = (
    "Eq 1 leaves clamped rows unchanged and its hidden rows feed back on themselves. The delta rule on clamped rows, "
    "with tied weights and hidden chains, learns: data within the active region give probabilistic PCA."
)


def _error(data: xr.Dataset, name: str) -> xr.DataArray:
    """Return the squared errors by a rule, or by a method that rules are compared with."""
    if name in METHODS:
        return data.baseline_error.sel(baseline=name, drop=True)
    return data.error.sel(rule=name, drop=True)


def _relative(data: xr.Dataset, name: str, other: str) -> xr.DataArray:
    return _error(data, name) / _error(data, other)


def _errors_note(data: xr.Dataset) -> str:
    parts = (f"{name} {float(_relative(data, name, 'mean').mean()):.3f}" for name in (*RULES, *METHODS))
    return f"Errors relative to the mean image: {', '.join(parts)}."


_section_6_3 = partial(Claim, statement="Section 6.3", bearing="refutes")

CLAIMS = (
    _section_6_3(
        "6.3.digits_law",
        "Relative difference of W W^T from probabilistic PCA with the noise of the chains.",
        criterion=at_most(0.2),
        measure=lambda data: mean_interval(data.law_difference.sel(rule="delta")),
        control=lambda data: data.law_difference.sel(rule="literal").mean(),
        control_is="Eq 1 alone",
    ),
    _section_6_3(
        "6.3.digits_mean",
        "Squared error of held-out halves, filled by settling, relative to the mean image.",
        criterion=at_most(0.75),
        measure=lambda data: mean_interval(_relative(data, "delta", "mean")),
        control=lambda data: _relative(data, "shuffled", "mean").mean(),
        control_is="pixels shuffled over the images",
        note=_errors_note,
    ),
    _section_6_3(
        "6.3.digits_pca",
        "The same relative to probabilistic PCA with the best number of components.",
        criterion=at_most(1.1),
        measure=lambda data: mean_interval(_relative(data, "delta", "pca")),
        control=lambda data: _relative(data, "shuffled", "pca").mean(),
        control_is="pixels shuffled over the images",
    ),
    _section_6_3(
        "6.3.digits_autoencoder",
        "The same relative to a denoising autoencoder of that size, random missing pixels.",
        criterion=at_most(1.2),
        measure=lambda data: mean_interval(_relative(data, "delta", "random_pixels")),
        control=lambda data: _relative(data, "shuffled", "random_pixels").mean(),
        control_is="pixels shuffled over the images",
    ),
    _section_6_3(
        "6.3.digits_loses",
        "The same relative to an autoencoder trained on these very halves: it loses.",
        criterion=at_least(1.2),
        measure=lambda data: mean_interval(_relative(data, "delta", "halves")),
        control=lambda data: _relative(data, "delta", "random_pixels").mean(),
        control_is="the autoencoder that does not know the halves",
    ),
    _section_6_3(
        "6.3.digits_printed",
        "Error with Eq 1 on all rows relative to the untrained network: nothing is learned.",
        criterion=at_least(0.9),
        measure=lambda data: mean_interval(_error(data, "literal") / data.untrained_error),
        control=lambda data: (_error(data, "delta") / data.untrained_error).mean(),
        control_is="the delta rule",
        note="A hundredth of the step size.",
    ),
    _section_6_3(
        "6.3.digits_hidden_rows",
        "Error with the delta rule and Eq 1 on hidden rows relative to the mean image: worse than that.",
        criterion=at_least(1.0),
        measure=lambda data: mean_interval(_relative(data, "hidden", "mean")),
        control=lambda data: _relative(data, "delta", "mean").mean(),
        control_is="the delta rule alone",
        note="Same step size.",
    ),
    Claim(
        "6.3.digits_contrast",
        "Error relative to the mean image if pixels reach from kink to kink and hidden units saturate: no better.",
        statement="Section 6.3",
        criterion=at_least(1.0),
        measure=lambda data: mean_interval(_relative(data, "wide", "mean")),
        control=lambda data: _relative(data, "delta", "mean").mean(),
        control_is="the contrast that keeps pixels away from the kinks",
        bearing="limits",
    ),
    Claim(
        "E24.digits",
        "Error with the second derivative kept relative to without, for data that keep away from the kinks.",
        statement="Eq 24",
        criterion=within(1.0, 0.05),
        measure=lambda data: mean_interval(_relative(data, "kept", "delta")),
        control=lambda data: _relative(data, "wide_kept", "wide").mean(),
        control_is="pixels that reach from kink to kink",
        bearing="limits",
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
    errors, shown = _filled_by_rules(first, last, splits, missing, config)
    progress(0.8, "principal components and autoencoders")
    baselines, others = _filled_by_others(keys, splits, missing, config)
    drawn = _examples(splits.test[0].astype(np.float64), shown | others, missing, (height, width))
    tiles = np.asarray(last.weights)[0, 0].T[:N_FILTERS].reshape(-1, height, width)
    return merged(
        errors,
        baselines,
        _laws(last, activity, config),
        labelled(("unit", "y", "x"), filter=(tiles, "weights of hidden units")),
        labelled(("shown", "column", "y", "x"), example=(drawn, "rate")),
        required(("rule", "network"), "networks with finite weights", is_finite=is_finite),
        rule=list(RULES),
        baseline=list(METHODS),
        component=np.arange(1, height * width + 1),
        shown=["image", "seen", "delta", "pca", "random_pixels", "halves"],
    )


class _Splits(NamedTuple):
    """Images of each network."""

    training: np.ndarray
    test: np.ndarray
    mixed: np.ndarray
    """Training images with each pixel shuffled over them: what single pixels are like stays, what they share goes."""
    orders: np.ndarray
    """Of the training images in each pass."""


def _contrasts(config: DigitsUnsupervisedConfig) -> np.ndarray:
    return np.array([1.0 if rule.is_wide else config.contrast for rule in RULES.values()])


def _trained(
    keys: Key[Array, "network"], splits: _Splits, config: DigitsUnsupervisedConfig
) -> tuple[Layers, Layers, np.ndarray, Array]:
    """Return networks before and after training by each rule, the activities they saw, and which are finite."""
    settings = [_setting(rule, config) for rule in RULES.values()]
    spread = jax.tree.map(lambda *leaves: jnp.repeat(jnp.stack(leaves), config.n_networks), *settings)
    seen = np.stack([splits.mixed if name == "shuffled" else splits.training for name in RULES])
    activity = (seen - 0.5) * _contrasts(config)[:, None, None, None].astype(seen.dtype)
    found = train_layers(
        jnp.tile(keys, len(RULES)),
        jnp.asarray(activity.reshape(-1, *splits.training.shape[1:]), float),
        jnp.tile(splits.orders, (len(RULES), 1, 1)),
        spread,
        n_hidden=config.n_hidden,
        batch_size=config.batch_size,
    )
    first, last, is_finite = jax.tree.map(
        lambda leaf: leaf.reshape(len(RULES), config.n_networks, *leaf.shape[1:]), found
    )
    return first, last, activity, is_finite


def _filled_by_rules(
    first: Layers, last: Layers, splits: _Splits, missing: np.ndarray, config: DigitsUnsupervisedConfig
) -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    """Return the errors of networks that fill in halves, and what the first one makes of them."""
    # One more row: the networks of the first rule before training.
    everything = jax.tree.map(lambda start, end: jnp.concatenate([end, start[:1]]), first, last)
    error, change, shown = np.zeros((len(RULES) + 1, config.n_networks)), np.zeros(config.n_networks), {}
    test, means = splits.test, splits.training.astype(np.float64).mean(axis=1)
    for row, contrast in enumerate([*_contrasts(config), config.contrast]):
        for network in range(config.n_networks):
            params = jax.tree.map(lambda leaf, at=(row, network): leaf[at], everything)
            seen, guess = (jnp.asarray((part[network] - 0.5) * contrast, float) for part in (test, means))
            filled, moved = complete(params, seen, missing, guess, n_steps=config.n_turns)
            filled = np.asarray(filled, np.float64) / contrast + 0.5
            error[row, network] = completion_error(filled, test[network].astype(np.float64), missing)
            if row == 0:
                change[network] = float(moved) / contrast
            if row == 0 and network == 0:
                shown["delta"] = filled
    errors = merged(
        labelled(("rule", "network"), "rate^2", error=(error[:-1], _ERROR)),
        labelled("network", "rate^2", untrained_error=(error[-1], _ERROR)),
        required("network", "networks whose missing pixels settled to 1 %", is_settled=change < 0.01),
    )
    return errors, shown


def _filled_by_others(
    keys: Key[Array, "network"], splits: _Splits, missing: np.ndarray, config: DigitsUnsupervisedConfig
) -> tuple[xr.Dataset, dict[str, np.ndarray]]:
    """Return the errors of the mean image, principal components and autoencoders, and what they make of the first."""
    encoders = train_encoders(
        jnp.tile(keys, len(ENCODERS)),
        jnp.tile(splits.training, (len(ENCODERS), 1, 1)).astype(float),
        jnp.tile(splits.orders, (len(ENCODERS), 1, 1)),
        missing,
        jnp.repeat(jnp.array([False, True]), config.n_networks),
        config.learning_rate,
        n_hidden=config.n_hidden,
        batch_size=config.batch_size,
    )
    error, n_components, shown = np.zeros((len(METHODS), config.n_networks)), [], {}
    for network in range(config.n_networks):
        seen, unseen = (part[network].astype(np.float64) for part in (splits.training, splits.test))
        mean = seen.mean(axis=0)
        choices = [min(number, seen.shape[1] - 1) for number in config.component_choices]
        n_components.append(tune_components(seen, missing, choices))
        guesses = {
            "mean": np.broadcast_to(mean, (len(missing), *unseen.shape)),
            "pca": fill_linearly(np.cov(seen.T), mean, unseen, missing, n_components[-1]),
        }
        for number, name in enumerate(ENCODERS):
            params = jax.tree.map(lambda leaf, at=number * config.n_networks + network: leaf[at], encoders)
            given = (jnp.asarray(part, float) for part in (mean, unseen))
            guesses[name] = np.asarray(fill_by_encoder(params, *given, missing), np.float64)
        error[:, network] = [completion_error(guesses[name], unseen, missing) for name in METHODS]
        if network == 0:
            shown = guesses
    errors = merged(
        labelled(("baseline", "network"), "rate^2", baseline_error=(error, _ERROR)),
        labelled("network", n_components=(np.array(n_components), "principal components, tuned")),
    )
    return errors, shown


def _setting(rule: Rule, config: DigitsUnsupervisedConfig) -> Setting:
    temperature = config.noise * (1.0 if rule.is_wide else config.contrast) ** 2
    mix = Mix(*(jnp.asarray(part, float) for part in (rule.clamped, rule.hidden, rule.kinks * temperature)))
    numbers = (temperature, config.step, config.learning_rate / rule.slowness, config.gain)
    return Setting(mix, *(jnp.asarray(number, float) for number in numbers))


def _splits(key: Key[Array, ""], images: Images, config: DigitsUnsupervisedConfig) -> _Splits:
    """Draw images for each network; where they come with a split, both parts are drawn from their own."""
    pixels = images.pixels.reshape(len(images.labels), -1)
    n_there, own = len(pixels), []
    if images.is_test is not None:
        own = [np.flatnonzero(part) for part in (images.is_test, ~images.is_test)]
        _checks.count("n_test", config.n_test, maximum=len(own[0]))
        n_there = config.n_test + len(own[1])
    n_used = min(config.n_images, n_there)
    n_training = _checks.count("n_images", n_used, minimum=config.n_test + config.batch_size) - config.n_test
    n_seen = n_training // config.batch_size * config.batch_size
    found = []
    for one in jax.random.key_data(member_keys(named_key(key, "splits"), config.n_networks)):
        random = np.random.default_rng(np.asarray(one))
        if images.is_test is None:
            order = random.permutation(len(pixels))[:n_used]
            chosen = order[config.n_test :], order[: config.n_test]
        else:
            chosen = random.permutation(own[1])[:n_training], random.permutation(own[0])[: config.n_test]
        training, test = (pixels[part] for part in chosen)
        passes = [random.permutation(n_training)[:n_seen] for _ in range(config.n_epochs)]
        found.append((training, test, random.permuted(training, axis=0), np.stack(passes).astype(np.int32)))
    return _Splits(*(np.stack(part) for part in zip(*found, strict=True)))


def _laws(last: Layers, activity: np.ndarray, config: DigitsUnsupervisedConfig) -> xr.Dataset:
    """Squared weights along principal components, those of the law, and how far all networks are from it."""
    squares, expected, difference = [], [], np.zeros(activity.shape[:2])
    for row, contrast in enumerate(_contrasts(config)):
        # Langevin steps of this size make the noise larger than the temperature.
        noise = config.noise * contrast**2 / (1 - 0.5 * config.step)
        for network in range(config.n_networks):
            covariance = np.cov(np.asarray(activity[row, network], np.float64).T)
            weights = np.asarray(last.weights[row, network], np.float64)
            law = probabilistic_components(covariance, noise)
            difference[row, network] = np.linalg.norm(weights @ weights.T - law) / np.linalg.norm(law)
            if row == 0:
                values, vectors = np.linalg.eigh(covariance)
                squares.append(((vectors.T @ weights) ** 2).sum(axis=1)[::-1])
                expected.append(np.maximum(0.0, 1 - noise / np.maximum(values, 1e-12))[::-1])
    return merged(
        labelled(("rule", "network"), law_difference=(difference, "relative difference from the law")),
        labelled(
            ("network", "component"),
            square=(np.stack(squares), "squared weight along a component"),
            expected_square=(np.stack(expected), "the same by the law"),
        ),
    )


def _examples(images: np.ndarray, shown: dict[str, np.ndarray], missing: np.ndarray, size: tuple[int, int]):
    """Return some held-out images, what is seen of them, and what is made of that, each with another half missing."""
    which = np.arange(N_EXAMPLES)
    side = which % len(missing)
    rows = [images[which], np.where(missing[side], -1.0, images[which])]
    rows += [shown[name][side, which] for name in ("delta", "pca", "random_pixels", "halves")]
    return np.stack(rows).reshape(len(rows), N_EXAMPLES, *size)


STUDY = Study(
    name="digits_unsupervised",
    title="Handwritten digits without labels",
    figure="Section 6.3",
    source="Bengio et al. 2015, section 6.3; Tipping & Bishop 1999",
    caption="Impatient score matching on scikit-learn's digits: the delta rule on clamped rows learns the principal "
    "subspace, shrunk as probabilistic PCA has it, and fills in missing halves as well as PCA does. It loses to an "
    "autoencoder that was trained on these halves. Eq 1 as printed learns nothing, and pixels that reach the kinks of "
    "the rate function undo it. Bars: 95 % intervals over networks.",
    config=DigitsUnsupervisedConfig(),
    smoke=dict(n_images=200, n_test=40, n_hidden=16, n_networks=2, n_epochs=2, n_turns=10, component_choices=(4, 16)),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
