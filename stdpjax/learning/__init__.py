"""Learning: measured updates, applied through optax; two-phase supervised learning, EM, layers, checkpoints."""

from stdpjax.learning.backpropagation import backpropagation_update, forward, forward_class
from stdpjax.learning.data import Images, count_classes, load_digits, load_images, load_mnist, split
from stdpjax.learning.em import EM_RULES, Clamped, em_update, start_chains
from stdpjax.learning.labelled import Labelled
from stdpjax.learning.layers import (
    LayeredWeights,
    all_to_all_mask,
    layer_slices,
    layered_mask,
    random_layers,
    scale_layers,
    take_layers,
)
from stdpjax.learning.phases import PHASE_RULES, Phases
from stdpjax.learning.supervised import phase_update, predict, settle
from stdpjax.learning.training import Learner, TrainState, apply_update, start, train_epoch

__all__ = ["EM_RULES", "PHASE_RULES", "Clamped", "Images", "Labelled", "LayeredWeights", "Learner", "Phases"]
__all__ += ["TrainState", "all_to_all_mask", "apply_update", "backpropagation_update", "count_classes", "em_update"]
__all__ += ["forward", "forward_class", "layer_slices", "layered_mask", "load_digits", "load_images", "load_mnist"]
__all__ += ["phase_update", "predict", "random_layers", "scale_layers", "settle", "split", "start", "start_chains"]
__all__ += ["take_layers", "train_epoch"]
