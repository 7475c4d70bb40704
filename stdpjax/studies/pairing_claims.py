"""The claims on the four readings of Eq 1."""

from stdpjax.rules import PAIRINGS
from stdpjax.studies.base import Claim

# What the summed tied update gains for each product of two changes, beyond the change of the rates' product.
COEFFICIENTS = dict(zip(PAIRINGS, (-3.0, -1.0, 0.0, 1.0), strict=True))

_PRINTED = "The average weight change is proportional to ds_i/dt rho(s_j); Eq 5, with rho(s_j) one step earlier, is it."
_DRIFT = (
    "Over a trajectory in the active region the tied update sums to [r_i r_j] at its ends plus c times the sum of "
    "ds_i ds_j, with c = -3 + O(step), -1, 0, +1 for the rate read one step earlier, before, midway and after the step."
)

CLAIMS = (
    Claim(
        "3.1.telescoping",
        "Eq 1",
        "Largest difference of the summed tied update, rate read midway, from the change of r_i r_j.",
        _PRINTED,
        "Exactly the change of r_i r_j from start to end, whatever the step and the path, if the rate is read midway.",
        expected=2e-6,
        comparison="at_most",
        verdict="holds_with_conditions",
        double=1e-13,
    ),
    Claim(
        "3.1.order",
        "Eq 1",
        "Order in the step of the same difference with the rate read before the step (slope on logarithmic axes).",
        _PRINTED,
        "The readings agree as the step goes to 0 only: the difference is of first order in the step.",
        expected=1.0,
        comparison="within",
        tolerance=0.1,
        verdict="holds_with_conditions",
    ),
    *(
        Claim(
            f"3.1.drift_{pairing}",
            "Eq 5" if pairing == "previous" else "Eq 1",
            f"Slope of that difference on the sum of ds_i ds_j at the smallest step, tied, reading '{pairing}'.",
            _PRINTED,
            _DRIFT,
            expected=coefficient,
            comparison="within",
            tolerance=0.1,
            verdict="holds_with_conditions",
        )
        for pairing, coefficient in COEFFICIENTS.items()
    ),
    Claim(
        "3.1.drift_untied",
        "Eq 1 and 5",
        "Largest difference, over the four readings, of the slope with untied weights from half of -3, -1, 0, +1.",
        _PRINTED,
        "With two weights to a pair their symmetric part drifts half as fast.",
        expected=0.05,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "T16.rest",
        "Section 8",
        "Largest change of any unit in a step at an interior fixed point, which bounds the update of every weight.",
        "Near equilibrium, at a fixed point, weight updates are 0 on average.",
        "Without noise, at a fixed point inside the active region; past a kink the network never comes to rest.",
        expected=1e-7,
        comparison="at_most",
        verdict="holds_with_conditions",
        double=1e-14,
    ),
    Claim(
        "3.1.stationary",
        "Eq 1, section 8",
        "Mean untied update of a stationary driven network, rate read midway: symmetric over antisymmetric part.",
        "Near equilibrium, at a fixed point, weight updates are 0 on average.",
        "Only the symmetric part vanishes in a stationary state; the antisymmetric part is not 0 without detailed "
        "balance.",
        expected=0.03,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "T16.driven",
        "Eq 1, section 8",
        "Largest |z|, over pairs of units, of that mean update against its closed form.",
        "Near equilibrium, at a fixed point, weight updates are 0 on average.",
        "In a stationary driven network the mean is (C - C^T) / 2 with C the covariance of s after and before a step.",
        expected=4.5,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
)
