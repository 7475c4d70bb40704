"""Learning: measured updates, applied through optax; two-phase supervised learning, EM, layers, checkpoints."""

from stdpjax.learning.em import EM_RULES, Clamped, em_update, start_chains
from stdpjax.learning.layers import all_to_all_mask, layer_slices, layered_mask, random_layers
from stdpjax.learning.supervised import PHASE_RULES, Labelled, Phases, phase_update, predict, settle
from stdpjax.learning.training import Learner, TrainState, apply_update, start, train_epoch

__all__ = [
    "EM_RULES",
    "PHASE_RULES",
    "Clamped",
    "Labelled",
    "Learner",
    "Phases",
    "TrainState",
    "all_to_all_mask",
    "apply_update",
    "em_update",
    "layer_slices",
    "layered_mask",
    "phase_update",
    "predict",
    "random_layers",
    "settle",
    "start",
    "start_chains",
    "train_epoch",
]
