"""The criteria of the study of inference before and after learning."""

from stdpjax.studies.base import Claim

_FASTER = "J_h tries to make the Markov chain converge faster (section 6.2)."
_TASK = "Impatient updates should move the parameters so that inference converges faster (section 6.3)."

CLAIMS = (
    Claim(
        "T12.sum",
        "Section 6.2",
        "Largest difference from 1 of the mean, over modes, of their rates of relaxation, over all that was learned.",
        _FASTER,
        "As no unit connects to itself, the rates of all modes add up to the number of units whatever is learned: the "
        "slowest is never faster than a lone unit, and no learning makes all faster.",
        expected=1e-5,
        comparison="at_most",
        double=1e-12,
        verdict="corrected",
    ),
    Claim(
        "T12.law",
        "Section 6.2",
        "Change of the slowest mode's rate by slow learning with tied Eq 1, against -v^T sum(r r^T - r_0 r_0^T) v off "
        "the diagonal: relative distance over networks and fixed points.",
        _FASTER,
        "The tied update over a relaxation is Hebbian: the mode v slows down where it gains.",
        expected=0.05,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "T12.descent",
        "Section 6.2",
        "Log ratio of the relaxation time (spectrum), after to before descent on J_h along relaxations; the smaller "
        "mean of two fixed points, where rates are high and low.",
        _FASTER,
        "True descent on J_h, which is Eq 1 reversed, lowers the speed and makes the slowest mode slower.",
        expected=0.02,
        comparison="at_least",
        verdict="corrected",
    ),
    Claim(
        "T12.reversed",
        "Section 6.2",
        "The same for Eq 1 with the opposite sign.",
        _FASTER,
        "Slower too.",
        expected=0.02,
        comparison="at_least",
        verdict="corrected",
    ),
    Claim(
        "T12.eq1",
        "Section 6.2",
        "The same for Eq 1 itself, where rates are low at the fixed point.",
        _FASTER,
        "Slower with either sign: of two opposite changes of tied weights one at least slows the slowest mode, and in "
        "the mean over both it slows, as the largest eigenvalue is a convex function.",
        expected=0.02,
        comparison="at_least",
        verdict="corrected",
    ),
    Claim(
        "T12.kinks",
        "Section 6.2",
        "Share of networks that Eq 1 drives to a kink, where rates are high at the fixed point.",
        _FASTER,
        "There Eq 1 feeds on itself until units rest at kinks, where the network chatters and does not settle.",
        expected=0.9,
        comparison="at_least",
        verdict="corrected",
    ),
    Claim(
        "T12.simulated",
        "Section 6.2",
        "Log ratio of the simulated time to 5 % of the distance, after to before descent on J_h; mean over networks "
        "and three fixed points.",
        _FASTER,
        "It takes longer too; about rates of 1/2 it hardly changes.",
        expected=0.0,
        comparison="at_least",
        verdict="corrected",
    ),
    Claim(
        "T12.transient",
        "Section 6.2",
        "Log ratio of the simulated time to 5 % of the distance, after to before learning by Eq 1, at low rates.",
        _FASTER,
        "Only there: starts lie above the fixed point in all units, and along that direction the network is faster, "
        "though its slowest mode is slower.",
        expected=0.0,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "T12.agrees",
        "Section 6.2",
        "Slope of the simulated time constant's log ratio on that of the spectrum's, over networks that learned.",
        "Nothing is printed on how to measure the time.",
        "",
        expected=1.0,
        comparison="within",
        tolerance=0.15,
    ),
    Claim(
        "T12.decay",
        "Section 6.2",
        "Log ratio of the relaxation time after to before the weights decay; largest mean of three fixed points.",
        _FASTER,
        "What makes the slowest mode faster is weaker weights: weight decay, not Eq 1.",
        expected=-0.2,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "6.3.task_weak",
        "Section 6.3",
        "Log ratio of the relaxation time, inputs clamped, after to before digits are learned by Eq 1 from weak "
        "weights; mean over networks.",
        _TASK,
        "The weights grow, and inference slows down.",
        expected=0.03,
        comparison="at_least",
        verdict="corrected",
    ),
    Claim(
        "6.3.task_strong",
        "Section 6.3",
        "The same from strong weights, with which inference is slow to begin with.",
        _TASK,
        "It may become faster: units come to rest at kinks, and there they are no part of any mode.",
        expected=-0.02,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "6.3.task_weights",
        "Section 6.3",
        "Change of the largest eigenvalue of the weights among free units while digits are learned; the smaller mean "
        "of weak and strong beginnings.",
        _TASK,
        "Not the weights make inference faster: without the kinks it would be slower after learning, always.",
        expected=0.01,
        comparison="at_least",
        verdict="corrected",
    ),
)
