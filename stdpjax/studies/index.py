"""The studies as a literal tuple, in the order of a report, and where each statement is measured."""

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import stdpjax
from stdpjax import _checks
from stdpjax.lab.identity import code_of
from stdpjax.lab.own import Installed
from stdpjax.lab.own import installed as installed_beside
from stdpjax.lab.study import Study
from stdpjax.studies.other_rules.fit_window import STUDY as FIT_WINDOW
from stdpjax.studies.other_rules.rule_zoo import STUDY as RULE_ZOO
from stdpjax.studies.other_rules.triplet_frequency import STUDY as TRIPLET_FREQUENCY
from stdpjax.studies.other_rules.xie_seung import STUDY as XIE_SEUNG
from stdpjax.studies.section_3_rule.conditions import STUDY as CONDITIONS
from stdpjax.studies.section_3_rule.pairing_drift import STUDY as PAIRING_DRIFT
from stdpjax.studies.section_3_rule.rule_is_semigradient import STUDY as RULE_IS_SEMIGRADIENT
from stdpjax.studies.section_3_rule.sequence_prediction import STUDY as SEQUENCE_PREDICTION
from stdpjax.studies.section_3_rule.spike_input_bias import STUDY as SPIKE_INPUT_BIAS
from stdpjax.studies.section_4_energy.energy_descent import STUDY as ENERGY_DESCENT
from stdpjax.studies.section_4_energy.energy_gradient import STUDY as ENERGY_GRADIENT
from stdpjax.studies.section_4_energy.langevin_density import STUDY as LANGEVIN_DENSITY
from stdpjax.studies.section_4_energy.langevin_noise import STUDY as LANGEVIN_NOISE
from stdpjax.studies.section_4_energy.printed_update import STUDY as PRINTED_UPDATE
from stdpjax.studies.section_5_simulation.constant_rate import STUDY as CONSTANT_RATE
from stdpjax.studies.section_5_simulation.example_traces import STUDY as EXAMPLE_TRACES
from stdpjax.studies.section_5_simulation.rising_rate import STUDY as RISING_RATE
from stdpjax.studies.section_5_simulation.rule_agreement import STUDY as RULE_AGREEMENT
from stdpjax.studies.section_5_simulation.speed_with_learning import STUDY as SPEED_WITH_LEARNING
from stdpjax.studies.section_5_simulation.stdp_window import STUDY as STDP_WINDOW
from stdpjax.studies.section_6_hidden.digits_unsupervised import STUDY as DIGITS_UNSUPERVISED
from stdpjax.studies.section_6_hidden.hidden_objective import STUDY as HIDDEN_OBJECTIVE
from stdpjax.studies.section_6_hidden.impatient_em import STUDY as IMPATIENT_EM
from stdpjax.studies.section_6_hidden.inference_speedup import STUDY as INFERENCE_SPEEDUP
from stdpjax.studies.section_6_hidden.score_matching import STUDY as SCORE_MATCHING
from stdpjax.studies.section_7_fixed_points.fixed_points import STUDY as FIXED_POINTS
from stdpjax.studies.section_7_fixed_points.stability import STUDY as STABILITY
from stdpjax.studies.section_8_backprop.backprop_link import STUDY as BACKPROP_LINK
from stdpjax.studies.section_8_backprop.digits_supervised import STUDY as DIGITS_SUPERVISED
from stdpjax.studies.section_8_backprop.supervised_gradient import STUDY as SUPERVISED_GRADIENT
from stdpjax.studies.section_9_predictions.prediction_protocols import STUDY as PREDICTION_PROTOCOLS
from stdpjax.studies.section_9_predictions.reinforce_variance import STUDY as REINFORCE_VARIANCE
from stdpjax.studies.statements import STATEMENTS

STUDIES: tuple[Study, ...] = (
    STDP_WINDOW,
    RISING_RATE,
    RULE_AGREEMENT,
    EXAMPLE_TRACES,
    CONSTANT_RATE,
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


def installed() -> Installed:
    """Return the studies of other installed packages, see `stdpjax.lab.own.installed`; names of ours are taken.

    Example:
        >>> from stdpjax import studies
        >>> studies.installed().studies.keys() & {study.name for study in studies.STUDIES}
        set()
    """
    return installed_beside([one.name for one in STUDIES])


def find(study: str | Study) -> Study:
    """Return the study of a name; a study itself is returned as it is.

    Args:
        study: its name, as in `STUDIES` or of an installed package, or a study of one's own.

    Returns:
        The study: configurations, claims, and the functions that run and draw it.

    Raises:
        ValueError: unknown name; the message lists the known ones.

    Example:
        >>> from stdpjax import studies
        >>> studies.find("stdp_window").figure
        'Figure 1'
    """
    return found("study", study)


def found(argument: str, study: str | Study) -> Study:
    """Return what `find` does, for an argument of another name."""
    if isinstance(study, Study):
        return study
    for one in STUDIES:
        if isinstance(study, str) and one.name == study:
            return one
    beside = installed()
    if isinstance(study, str) and study in beside.studies:
        return beside.studies[study]
    known = ", ".join([*(one.name for one in STUDIES), *beside.studies])
    wrong = "".join(f"; {problem}" for problem in beside.problems)
    raise ValueError(f"{argument}: expected one of {known}, or a Study, got {study!r:.80}{wrong}")


# With which several processes begin: one that is soon to be seen, then those that take longest.
FIRST = (
    "example_traces",
    "digits_supervised",
    "digits_unsupervised",
    "triplet_frequency",
    "speed_with_learning",
    "rule_zoo",
    "impatient_em",
    "supervised_gradient",
)

_SAID = {one.id: (f"{one.where} {one.formula}", one.says, one.answer) for one in STATEMENTS}


class Place(NamedTuple):
    """Where a claim is measured."""

    claim: str
    statement: str
    """The id of the row of `STATEMENTS` that it bears on, or what else it speaks of."""
    measured: str
    study: str
    function: str
    """The study's function that makes the data."""
    run_at: str
    """Its file:line."""
    measure_at: str
    """File:line of what the claim measures in them."""


# Words that say nothing of what is looked for.
_EMPTY = frozenset(("a", "an", "and", "at", "by", "for", "from", "in", "is", "of", "on", "or", "the", "to", "where"))


def where(question: str) -> tuple[Place, ...]:
    """Find where the package measures something that the paper says.

    Args:
        question: an equation ("Eq 17"), a figure, a section, words ("the determinant"), or the id of a statement or
            claim; a claim is found if each word is in the claim, in what its statement says and answers, or in what its
            study says of itself.

    Returns:
        The claims: first those whose own id, or their statement's, is the question; then those whose study has the
        words in its name and title, or that have them where they cite the paper and in their ids; last those that have
        them in passing. All of a study stand together.

    Raises:
        ValueError: no text, or one without a word to look for.

    Example:
        >>> from stdpjax import studies
        >>> place = studies.where("Eq 17")[0]
        >>> place.study, place.statement, place.run_at.rpartition(":")[0]
        ('printed_update', 'eq17', 'stdpjax/studies/section_4_energy/printed_update.py')
    """
    words = [word for word in _words(_checks.text("question", question)) if word not in _EMPTY]
    asked = question.strip().lower()
    if not words:
        raise ValueError(f"question: expected a word to look for, got {question!r:.80}")
    places = []
    for study in STUDIES:
        of_study = (
            (7, f"{study.name.replace('_', ' ')} {study.title} {study.figure}"),
            (1, f"{study.caption} {study.source}"),
        )
        of_claims = []
        for claim in study.claims:
            where, says, answer = _SAID.get(claim.statement, (claim.statement, "", ""))
            ids = f"{claim.statement} {claim.id}"
            cited = f"{where} {ids} {ids.replace('_', ' ')}"
            texts = ((6, cited), (3, f"{claim.measured} {says}"), (2, answer), *of_study)
            weights = [max((weight for weight, text in texts if word in _indexed(text)), default=0) for word in words]
            if all(weights):
                is_asked = asked in (claim.id, claim.statement)
                of_claims.append((is_asked, sum(weights), claim))
        of_claims.sort(key=lambda one: one[:2], reverse=True)
        if of_claims:
            places.append((of_claims[0][:2], study, of_claims))
    places.sort(key=lambda one: one[0], reverse=True)
    return tuple(
        Place(one.id, one.statement, one.measured, study.name, study.run.__name__, _at(study.run), _at(one.measure))
        for _, study, claims in places
        for _, _, one in claims
    )


# An equation, or several: "Eq 17", "Eq 28, 30 and 31", "Eqs. 9 to 11", "sections 3.2 and 9", and as ids have them.
_NUMBERED = re.compile(r"\b(eq|section|sec|figure|fig|condition)s?\.? ?(\d[\d.-]*(?:(?:,|,? and) \d[\d.-]*)*)")
_IN_FULL = {"sec": "section", "fig": "figure"}


def _words(text: str) -> list[str]:
    """Return the words of a text; a number goes with what it numbers, as in "eq17", and so does each of several.

    Dots part words and ids alike, but for those within numbers: "sec3.2.constant" is "section3.2" and "constant".
    """
    text = re.sub(r"(?<=\d)(?:–| to )(?=\d)", "-", text.lower())
    return re.findall(r"\w+(?:\.\d+)*", _NUMBERED.sub(_spelled_out, text))


def _spelled_out(found: re.Match[str]) -> str:
    numbers: list[Any] = []
    for first, last in re.findall(r"(\d+(?:\.\d+)*)(?:-(\d+))?", found[2]):
        numbers += range(int(first), int(last) + 1) if last and first.isdecimal() else [first]
    name = _IN_FULL.get(found[1], found[1])
    return f" {' '.join(f'{name}{number}' for number in numbers)} "


@functools.cache
def _indexed(text: str) -> frozenset[str]:
    return frozenset(_words(text))


def _at(function: Callable[..., Any]) -> str:
    """Return file:line of a function, the file as seen from the folder that has the package."""
    code = code_of(function)
    assert code is not None
    return f"{Path(code.co_filename).relative_to(Path(stdpjax.__file__).parent.parent)}:{code.co_firstlineno}"
