"""Handwritten digits learned by the paper's rule, by equilibrium propagation and by back-propagation (section 8)."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax.lab import Claim, Estimate, at_least, at_most
from stdpjax.lab.settings import configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.lab.train_settings import BACKPROPAGATION, RATE, TrainConfig
from stdpjax.learning.data import count_classes
from stdpjax.learning.layers import random_layers
from stdpjax.learning.supervised import Labelled, Phases, phase_update
from stdpjax.random import named_key
from stdpjax.stats import mean_interval, wilson_interval
from stdpjax.studies.digit_training import Course, draw_splits, images_of, train_networks
from stdpjax.studies.measures import labelled, merged, relative_difference, required
from stdpjax.studies.section_8_backprop.digits_supervised_figure import plot

RULES = ("paper", "symmetric", BACKPROPAGATION)


@configuration
class DigitsSupervisedConfig:
    """Settings of the study of supervised digits."""

    data: str = setting("digits", 'labelled images: "digits", bundled with scikit-learn, or an .npz file')
    n_images: int = setting(1797, "images that each network draws, or all if there are fewer", at_least=20)
    test_share: float = setting(0.2, "share of them that is kept for the test")
    n_hidden: int = setting(128, "units in each hidden layer")
    n_networks: int = setting(
        10, "networks with one hidden layer for each rule, each with its own split and weights", at_least=2
    )
    n_deep_networks: int = setting(10, "networks with two hidden layers for each rule", at_least=2)
    n_stages: int = setting(6, "stages of the training, after each of which the networks are measured")
    n_epochs: int = setting(4, "passes over the training images in a stage, one hidden layer")
    n_deep_epochs: int = setting(5, "the same, two hidden layers")
    batch_size: int = setting(20, "images in a batch, one hidden layer")
    deep_batch_size: int = setting(40, "the same, two hidden layers")
    learning_rate: float = setting(4e-3, "largest step size of Adam")
    n_settle: int = setting(16, "steps of the first phase of Eq 1 as printed, one hidden layer")
    n_deep_settle: int = setting(20, "the same, two hidden layers")
    n_pulled: int = setting(6, "steps of its second phase, one hidden layer")
    n_deep_pulled: int = setting(8, "the same, two hidden layers")
    n_settle_sweeps: int = setting(8, "sweeps over the layers in the first phase of the two-sided rule")
    n_pulled_sweeps: int = setting(2, "the same in its second phase: enough to reach the first layer")
    step: float = setting(0.5, "step size of the printed rule's phases, one hidden layer")
    deep_step: float = setting(0.9, "the same, two hidden layers: large, as signals have far to go")
    pull: float = setting(0.5, "strength of the pull towards the label, in (0, 1)")
    gain: float = setting(0.2, "spread of the initial weights, one hidden layer; from about 0.7 on learning may fail")
    deep_gain: float = setting(0.45, "the same, two hidden layers")

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        for n_layers in (1, 2):
            self.training(n_layers)

    def training(self, n_layers: int) -> tuple[TrainConfig, ...]:
        """Return the settings of each rule's training of networks with one or two hidden layers.

        Eq 1 as printed runs in leaky steps of all units together; the two-sided rule relaxes layer after layer, which
        costs less for the same accuracy.
        """
        prefix = "deep_" if n_layers == 2 else ""
        of_depth = ("batch_size", "step", "gain")
        counts = {
            name: getattr(self, name.replace("n_", f"n_{prefix}")) for name in ("n_epochs", "n_settle", "n_pulled")
        }
        printed = TrainConfig(
            rule="paper",
            hidden=(self.n_hidden,) * n_layers,
            learning_rate=self.learning_rate,
            pull=self.pull,
            test_share=self.test_share,
            **counts,
            **{name: getattr(self, prefix + name) for name in of_depth},
        )
        two_sided = dataclasses.replace(
            printed, rule="symmetric", order="alternating", n_settle=self.n_settle_sweeps, n_pulled=self.n_pulled_sweeps
        )
        return printed, two_sided, dataclasses.replace(printed, rule=BACKPROPAGATION)


_PRINTED = (
    "With the outputs pulled to their targets after the network has settled, dynamics and weight updates behave "
    "approximately like back-propagation, so the framework can work well with inexpensive inference."
)
_CORRECTED = (
    "With one hidden layer Eq 1 summed over one pull keeps up with back-propagation; with two it does not. Summed over "
    "a pull and a push, and paired with the rate at the midpoint of each step, it is equilibrium propagation, and does."
)


def _final(data: xr.Dataset, rule: str, depth: str = "") -> np.ndarray:
    """Return the test accuracies of trained networks, with two hidden layers where the depth is "deep_"."""
    return data[f"{depth}accuracy"].sel({f"{depth}rule": rule}).values[:, -1]


def _shuffled(data: xr.Dataset, rule: str, depth: str = "") -> float:
    """Return the test accuracy after training on shuffled labels."""
    return float(data[f"{depth}shuffled_accuracy"].sel({f"{depth}rule": rule})[-1])


def _behind(data: xr.Dataset, rule: str, depth: str = "") -> np.ndarray:
    """Return back-propagation's test accuracies less those of a rule."""
    return _final(data, BACKPROPAGATION, depth) - _final(data, rule, depth)


def _shuffled_behind(data: xr.Dataset, rule: str, depth: str = "") -> float:
    return float(_final(data, BACKPROPAGATION, depth).mean()) - _shuffled(data, rule, depth)


def _share_lost(data: xr.Dataset, rule: str) -> Estimate:
    """Return the share of networks with two hidden layers that are more than 5 points behind."""
    is_lost = _behind(data, rule, "deep_") > 0.05
    return Estimate(float(is_lost.mean()), *wilson_interval(int(is_lost.sum()), is_lost.size))


def _worst_stage(data: xr.Dataset) -> xr.DataArray:
    """Return the cosines with the gradient at the stage where their mean is least."""
    limit = data.limit.sel(rule="symmetric")
    return limit.isel(epoch=int(limit.mean("network").values.argmin()))


def _networks_note(data: xr.Dataset, depth: str = "") -> str:
    return f"{data.sizes[f'{depth}network']} networks, each with its own split."


def _accuracies_note(data: xr.Dataset, depth: str = "") -> str:
    means = ", ".join(f"{rule} {_final(data, rule, depth).mean():.4f}" for rule in RULES)
    return f"{_networks_note(data, depth)} {means}."


_section_8 = partial(Claim, statement="Section 8", bearing="refutes")

CLAIMS = (
    _section_8(
        "8.two_sided",
        "Largest relative difference of Eq 1, summed over a pull and a push with the midpoint, from "
        "equilibrium propagation.",
        criterion=at_most(1e-4, double=1e-10),
        measure=lambda data: data.difference.sel(variant="paper_two_sided").max(),
        control=lambda data: data.difference.sel(variant="paper").min(),
        control_is="one pull, pairing as printed",
        note="Units move together, or layer by layer as in the training.",
    ),
    _section_8(
        "8.accuracy",
        "Test accuracy of Eq 1 over a pull and a push, one hidden layer.",
        criterion=at_least(0.97),
        measure=lambda data: mean_interval(_final(data, "symmetric")),
        control=lambda data: _shuffled(data, "symmetric"),
        control_is="shuffled labels",
        note=_accuracies_note,
    ),
    _section_8(
        "8.behind",
        "Back-propagation's test accuracy less that of the two-sided rule.",
        criterion=at_most(0.01),
        measure=lambda data: mean_interval(_behind(data, "symmetric")),
        control=lambda data: _shuffled_behind(data, "symmetric"),
        control_is="the two-sided rule with shuffled labels",
        note=_networks_note,
    ),
    Claim(
        "8.printed",
        "Back-propagation's test accuracy less that of Eq 1 as printed, one hidden layer.",
        statement="Section 8",
        criterion=at_most(0.01),
        measure=lambda data: mean_interval(_behind(data, "paper")),
        control=lambda data: _shuffled_behind(data, "paper"),
        control_is="the printed rule with shuffled labels",
        bearing="limits",
        note=_networks_note,
    ),
    _section_8(
        "8.deep_accuracy",
        "Test accuracy of Eq 1 over a pull and a push, two hidden layers.",
        criterion=at_least(0.965),
        measure=lambda data: mean_interval(_final(data, "symmetric", "deep_")),
        control=lambda data: _shuffled(data, "symmetric", "deep_"),
        control_is="shuffled labels",
        note=lambda data: _accuracies_note(data, "deep_"),
    ),
    _section_8(
        "8.deep_behind",
        "As 8.behind, two hidden layers.",
        criterion=at_most(0.015),
        measure=lambda data: mean_interval(_behind(data, "symmetric", "deep_")),
        control=lambda data: _shuffled_behind(data, "symmetric", "deep_"),
        control_is="the two-sided rule with shuffled labels",
        note=lambda data: _networks_note(data, "deep_"),
    ),
    _section_8(
        "8.deep_printed",
        "Share of networks more than 5 points worse with Eq 1 as printed than with back-propagation, "
        "two hidden layers.",
        criterion=at_least(0.5),
        measure=lambda data: _share_lost(data, "paper"),
        control=lambda data: _share_lost(data, "symmetric").value,
        control_is="the two-sided rule",
        note=lambda data: f"On average {100 * _behind(data, 'paper', 'deep_').mean():.1f} points.",
    ),
    _section_8(
        "8.alignment",
        "Least cosine over the stages, of means over networks, of the two-sided update with a weak pull and minus the "
        "gradient of the settled loss (one hidden layer).",
        criterion=at_least(0.95),
        measure=lambda data: mean_interval(_worst_stage(data).values),
        control=lambda data: data.misalignment.sel(rule="symmetric")[:, 1:].mean(),
        control_is="the gradient for other labels, while learning",
        note=lambda data: f"Least after {int(_worst_stage(data).epoch)} passes.",
    ),
)


def run(key: Key[Array, ""], config: DigitsSupervisedConfig, progress: Progress) -> xr.Dataset:
    """Train networks with one and with two hidden layers by each of the rules."""
    images = images_of(config.data)
    n_classes = count_classes(images)
    courses, compared = {}, None
    for n_layers, n_networks in ((1, config.n_networks), (2, config.n_deep_networks)):
        progress(0.4 * (n_layers - 1), f"{'one' if n_layers == 1 else 'two'} hidden layers")
        own = named_key(key, f"{n_layers} hidden")
        training, test = draw_splits(own, images, n_networks, config.n_images, config.test_share)
        settings = config.training(n_layers)
        sizes = (training.inputs.shape[-1], *settings[0].hidden, n_classes)
        courses[n_layers] = train_networks(own, settings, sizes, training, test, config.n_stages)
        if compared is None:
            n_compared = settings[0].batch_size
            batch = Labelled(training.inputs[0, :n_compared], training.labels[0, :n_compared])
            params = random_layers(named_key(own, "compared"), sizes, settings[0].gain)
            compared = [
                _differences(params, batch, phases=each.phases(sizes), n_outputs=n_classes) for each in settings[:2]
            ]
    words = {"long_name": "passes over the images"}
    passes = np.arange(config.n_stages + 1)
    return merged(
        labelled(
            ("order", "variant"), difference=(np.asarray(compared), "relative difference from the symmetric rule")
        ),
        _variables("", courses[1]),
        _variables("deep_", courses[2]),
        order=["simultaneous", "alternating"],
        variant=["paper_two_sided", "paper"],
        rule=list(RULES),
        deep_rule=list(RULES),
        epoch=("epoch", config.n_epochs * passes, words),
        deep_epoch=("deep_epoch", config.n_deep_epochs * passes, words),
    )


def _variables(prefix: str, course: Course) -> xr.Dataset:
    """Labelled arrays of the networks that learn, and the accuracy of the one whose labels were shuffled."""
    dims = (f"{prefix}rule", f"{prefix}network", f"{prefix}epoch")
    words = "cosine of the update and minus the gradient of the settled loss"
    last = {
        "accuracy": "share of test images that are classified right",
        "alignment": words,
        "misalignment": f"{words} for other labels",
        "limit": f"{words}, weak pull and long phases",
    }
    of_control = {f"{prefix}shuffled_accuracy": (course.accuracy[:, -1], "the same for a network of shuffled labels")}
    return merged(
        labelled(dims, **{f"{prefix}{name}": (getattr(course, name)[:, :-1], text) for name, text in last.items()}),
        labelled(dims[::2], **of_control),
        required(dims[:2], "networks with finite states", **{f"{prefix}is_finite": course.is_finite[:, :-1]}),
    )


@partial(jax.jit, static_argnames=("phases", "n_outputs"))
def _differences(params, batch: Labelled, *, phases: Phases, n_outputs: int) -> Float[Array, "variant"]:
    """Return how far the updates of Eq 1 are from equilibrium propagation: over a pull and a push, and as printed."""
    key = jax.random.key(0)  # these rules draw nothing
    found = [
        phase_update(RATE, dataclasses.replace(phases, rule=rule), n_outputs)(key, params, batch, ())[0].weights
        for rule in ("symmetric", "paper_two_sided", "paper")
    ]
    return jnp.stack([relative_difference(other, found[0]) for other in found[1:]])


STUDY = Study(
    name="digits_supervised",
    title="Handwritten digits, learned by local rules",
    figure="Section 8",
    source="Bengio et al. 2015, section 8; Scellier & Bengio 2017",
    caption="Networks of one and of two hidden layers learn scikit-learn's digits from their own weight changes. With "
    "one hidden layer Eq 1, summed over one pull of the outputs, is about as good as back-propagation; with two it "
    "falls far behind. Summed over a pull and a push, with the layers relaxed in turn, it is equilibrium propagation "
    "and keeps up. Bands and bars: 95 % intervals over networks.",
    config=DigitsSupervisedConfig(),
    smoke=dict(
        n_images=60,
        n_hidden=8,
        n_networks=2,
        n_deep_networks=2,
        n_stages=2,
        n_epochs=1,
        n_deep_epochs=1,
        deep_batch_size=20,
    ),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
