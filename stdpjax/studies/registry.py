"""The studies, in the order of the paper. A literal tuple: no discovery, no import side effects."""

from stdpjax.lab.study import Study
from stdpjax.studies.backprop_link import STUDY as BACKPROP_LINK
from stdpjax.studies.conditions import STUDY as CONDITIONS
from stdpjax.studies.constant_rate import STUDY as CONSTANT_RATE
from stdpjax.studies.digits_supervised import STUDY as DIGITS_SUPERVISED
from stdpjax.studies.digits_unsupervised import STUDY as DIGITS_UNSUPERVISED
from stdpjax.studies.energy_descent import STUDY as ENERGY_DESCENT
from stdpjax.studies.energy_gradient import STUDY as ENERGY_GRADIENT
from stdpjax.studies.example_traces import STUDY as EXAMPLE_TRACES
from stdpjax.studies.fit_window import STUDY as FIT_WINDOW
from stdpjax.studies.fixed_points import STUDY as FIXED_POINTS
from stdpjax.studies.hidden_objective import STUDY as HIDDEN_OBJECTIVE
from stdpjax.studies.impatient_em import STUDY as IMPATIENT_EM
from stdpjax.studies.inference_speedup import STUDY as INFERENCE_SPEEDUP
from stdpjax.studies.langevin_density import STUDY as LANGEVIN_DENSITY
from stdpjax.studies.langevin_noise import STUDY as LANGEVIN_NOISE
from stdpjax.studies.pairing_drift import STUDY as PAIRING_DRIFT
from stdpjax.studies.pairing_schemes import STUDY as PAIRING_SCHEMES
from stdpjax.studies.prediction_protocols import STUDY as PREDICTION_PROTOCOLS
from stdpjax.studies.printed_update import STUDY as PRINTED_UPDATE
from stdpjax.studies.reinforce_variance import STUDY as REINFORCE_VARIANCE
from stdpjax.studies.rising_rate import STUDY as RISING_RATE
from stdpjax.studies.rule_agreement import STUDY as RULE_AGREEMENT
from stdpjax.studies.rule_is_semigradient import STUDY as RULE_IS_SEMIGRADIENT
from stdpjax.studies.rule_zoo import STUDY as RULE_ZOO
from stdpjax.studies.score_matching import STUDY as SCORE_MATCHING
from stdpjax.studies.sequence_prediction import STUDY as SEQUENCE_PREDICTION
from stdpjax.studies.speed_with_learning import STUDY as SPEED_WITH_LEARNING
from stdpjax.studies.spike_input_bias import STUDY as SPIKE_INPUT_BIAS
from stdpjax.studies.stability import STUDY as STABILITY
from stdpjax.studies.stdp_window import STUDY as STDP_WINDOW
from stdpjax.studies.supervised_gradient import STUDY as SUPERVISED_GRADIENT
from stdpjax.studies.triplet_frequency import STUDY as TRIPLET_FREQUENCY
from stdpjax.studies.xie_seung import STUDY as XIE_SEUNG

STUDIES: tuple[Study, ...] = (
    STDP_WINDOW,
    RISING_RATE,
    RULE_AGREEMENT,
    EXAMPLE_TRACES,
    CONSTANT_RATE,
    PAIRING_SCHEMES,
    RULE_ZOO,
    XIE_SEUNG,
    TRIPLET_FREQUENCY,
    PREDICTION_PROTOCOLS,
    FIT_WINDOW,
    SPEED_WITH_LEARNING,
    PAIRING_DRIFT,
    SPIKE_INPUT_BIAS,
    RULE_IS_SEMIGRADIENT,
    CONDITIONS,
    SEQUENCE_PREDICTION,
    ENERGY_GRADIENT,
    PRINTED_UPDATE,
    LANGEVIN_NOISE,
    LANGEVIN_DENSITY,
    SCORE_MATCHING,
    HIDDEN_OBJECTIVE,
    IMPATIENT_EM,
    DIGITS_UNSUPERVISED,
    INFERENCE_SPEEDUP,
    FIXED_POINTS,
    STABILITY,
    BACKPROP_LINK,
    SUPERVISED_GRADIENT,
    ENERGY_DESCENT,
    DIGITS_SUPERVISED,
    REINFORCE_VARIANCE,
)


def find(name: str) -> Study:
    """Return the study of a name.

    Args:
        name: its name, as in `STUDIES`.

    Returns:
        The study: configurations, claims, and the functions that run, judge and draw it.

    Raises:
        ValueError: unknown name; the message lists the known ones.

    Example:
        >>> from stdpjax.studies.registry import find
        >>> find("stdp_window").figure
        'Figure 1'
    """
    for study in STUDIES:
        if isinstance(name, str) and study.name == name:
            return study
    raise ValueError(f"study name: expected one of {', '.join(study.name for study in STUDIES)}, got {name!r:.80}")
