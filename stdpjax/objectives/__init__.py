"""The objectives behind the rule: prediction of the next state, its parts, and score matching (Eq 3-5, 9-11, 19-24).

The numbers J are one thing, their gradients another: Eq 1 is minus the gradient of the predictive objective only if
the target, the next state, is held fixed. `target` says what is held.
"""

from stdpjax.objectives.conditions import EnergyFunction, WeightCondition, condition_1, condition_2, condition_3
from stdpjax.objectives.prediction import GradientTarget, prediction_error, stdp_objective
from stdpjax.objectives.score import Correction, conditional_density, kernel_density_at_kinks, score_matching

__all__ = ["Correction", "EnergyFunction", "GradientTarget", "WeightCondition", "condition_1", "condition_2"]
__all__ += ["condition_3", "conditional_density", "kernel_density_at_kinks", "prediction_error", "score_matching"]
__all__ += ["stdp_objective"]
