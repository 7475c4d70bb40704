"""What a training run is made of: its settings, and the learner that they describe."""

from functools import cache, partial

import optax

from stdpjax import _checks
from stdpjax.energy import Params
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.learning.backpropagation import backpropagation_update
from stdpjax.learning.layers import layer_slices, scale_layers
from stdpjax.learning.phases import ORDERS, PHASE_RULES, Order, PhaseRule, Phases
from stdpjax.learning.supervised import phase_update
from stdpjax.learning.training import Learner
from stdpjax.rates import hard_sigmoid

BACKPROPAGATION = "backpropagation"
RULES = (*PHASE_RULES, BACKPROPAGATION)
OPTIMIZERS = {
    "adam": optax.scale_by_adam,
    "sgd": optax.identity,
    "momentum": partial(optax.trace, decay=0.9),
    "rmsprop": optax.scale_by_rms,
}
SCHEDULES = ("cosine", "constant")
RATE = hard_sigmoid()
# Back-propagation has no phases.
_PHASES = {"rule": PHASE_RULES}


@configuration
class TrainConfig:
    """Settings of `train`."""

    data: str = setting(
        "digits",
        'labelled images: "digits", bundled with scikit-learn, or a file with images and labels, or with a split of '
        "its own (x_train, y_train, x_test, y_test)",
        placeholder="digits|FILE.npz",
    )
    hidden: tuple[int, ...] = setting((128,), "units in each hidden layer", optional=True)
    rule: str = setting("symmetric", "what measures the updates", choices=RULES)
    n_epochs: int = setting(40, "passes over the training images")
    batch_size: int = setting(20, "images in a batch")
    learning_rate: float = setting(5e-4, "step size of the optimiser, at the start", above=0)
    optimizer: str = setting("adam", "what turns updates into steps", choices=OPTIMIZERS)
    schedule: str = setting("cosine", "the learning rate over time", choices=SCHEDULES)
    clip_norm: float = setting(0.0, "longest update that the optimiser gets, 0 for no limit", at_least=0)
    weight_decay: float = setting(0.0, "share of a weight that is lost per step, times the learning rate", at_least=0)
    layer_rates: tuple[float, ...] = setting(
        (),
        "factor on the learning rate for each pair of neighbouring layers, inputs first, with the biases of its upper "
        "layer",
        at_least=0,
        optional=True,
    )
    weight_bound: float = setting(0.0, "largest absolute weight, 0 for no limit", at_least=0)
    n_settle: int = setting(20, "steps of the first phase", only=_PHASES)
    n_pulled: int = setting(6, "steps of the second phase", only=_PHASES)
    step: float = setting(0.5, "step size of the phases", **STEP, only={**_PHASES, "order": ("simultaneous",)})
    order: str = setting(
        "simultaneous",
        "which units move in a step: all together, or every second layer and then the others, with no step size",
        choices=ORDERS,
        only=_PHASES,
    )
    pull: float = setting(0.5, "strength of the pull towards the label", above=0, below=1, only=_PHASES)
    gain: float = setting(0.5, "spread of the initial weights; from about 0.7 on learning may fail", at_least=0)
    test_share: float = setting(
        0.2,
        "share of the images that is kept for the test, for data that come without a split of their own",
        above=0,
        below=1,
    )

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        n_connections = len(self.hidden) + 1
        if self.layer_rates and len(self.layer_rates) != n_connections:
            raise ValueError(
                f"layer_rates: expected {n_connections} factors, one for each pair of neighbouring layers, got "
                f"{len(self.layer_rates)}"
            )
        self.phases((1, *self.hidden, 1))

    def phases(self, sizes: tuple[int, ...] | None = None) -> Phases:
        """Return the two phases, for layers of given sizes; for back-propagation they play no part."""
        rule: PhaseRule = "symmetric" if self.rule == BACKPROPAGATION else self.rule  # pyright: ignore[reportAssignmentType]
        order: Order = self.order  # pyright: ignore[reportAssignmentType]
        return Phases(rule, self.n_settle, self.n_pulled, self.step, self.pull, sizes, order)


def make_learner(config: TrainConfig, sizes: tuple[int, ...], n_updates: int) -> Learner:
    """Return the learner that settings describe.

    Args:
        config: the settings.
        sizes: units in each layer, inputs and outputs included.
        n_updates: updates in all, over which the cosine schedule falls to 0.

    Returns:
        The learner, with tied weights; the same object for the same arguments, which is compiled once.

    Raises:
        ValueError: no settings, sizes that are no layers, or no update.

    Example:
        >>> from stdpjax.lab.train import TrainConfig, make_learner
        >>> learner = make_learner(TrainConfig(weight_bound=2), (64, 128, 10), 1000)
        >>> learner.tied, learner.bounds
        (True, (-2, 2))
    """
    _checks.instance("config", config, TrainConfig, "a TrainConfig")
    layer_slices(sizes)
    return _make_learner(config, tuple(sizes), _checks.count("n_updates", n_updates))


@cache
def _make_learner(config: TrainConfig, sizes: tuple[int, ...], n_updates: int) -> Learner:
    if config.rule == BACKPROPAGATION:
        update = backpropagation_update(RATE, sizes)
    else:
        update = phase_update(RATE, config.phases(sizes), n_outputs=sizes[-1])
    rate = config.learning_rate
    stages = []
    if config.clip_norm:
        stages.append(optax.clip_by_global_norm(config.clip_norm))
    stages.append(OPTIMIZERS[config.optimizer]())
    if config.weight_decay:
        stages.append(optax.add_decayed_weights(config.weight_decay, mask=Params(True, False)))  # pyright: ignore[reportArgumentType]
    if config.layer_rates:
        stages.append(scale_layers(sizes, config.layer_rates))
    stages.append(
        optax.scale_by_learning_rate(
            optax.cosine_decay_schedule(rate, n_updates) if config.schedule == "cosine" else rate
        )
    )
    bound = config.weight_bound
    return Learner(update, optax.chain(*stages), bounds=(-bound, bound) if bound else None)
