"""The claims on the energy of Eq 16 and on saturated units."""

from stdpjax.studies.base import Claim

_PRINTED = (
    "Each step of inference on average brings us towards an equally or more likely configuration, down the energy."
)

CLAIMS = (
    Claim(
        "T18.interior",
        "Section 9, Eq 16",
        "Largest share of upward steps, over networks inside the active region, no noise, step below 2/lambda_max(H).",
        _PRINTED,
        "Without noise, away from kinks, and for steps shorter than 2 over the largest curvature of the energy.",
        expected=0.0,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "T18.kink_up",
        "Section 9, Eq 16",
        "Share of steps at which the energy rises where all units chatter about kinks, noise-free.",
        _PRINTED,
        "At kinks, where units driven past their threshold settle, about half of the steps go up.",
        expected=0.5,
        comparison="within",
        tolerance=0.05,
        verdict="corrected",
    ),
    Claim(
        "T18.kink_single",
        "Section 9, Eq 16",
        "Largest difference of that share for one unit from 2 d (1-d), d the threshold over the input.",
        _PRINTED,
        "One unit spends a share d of its steps below the kink; 2 d (1-d) of all steps go up, one half at most.",
        expected=0.03,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "T18.kink_size",
        "Section 9, Eq 16",
        "Order in the step of the largest rise at kinks (slope on logarithmic axes).",
        _PRINTED,
        "The rises are of the order of the step.",
        expected=1.0,
        comparison="within",
        tolerance=0.1,
        verdict="holds_with_conditions",
    ),
    Claim(
        "T18.noise_above",
        "Section 9, Eq 16",
        "Mean change of the energy in the first step with noise, from above equilibrium.",
        _PRINTED,
        "With noise the mean falls from above equilibrium; from below, as from the minimum itself, it rises.",
        expected=0.0,
        comparison="at_most",
        verdict="holds_with_conditions",
    ),
    Claim(
        "T18.noise_single",
        "Section 9, Eq 16",
        "Share of single steps at which the energy rises with noise, at equilibrium.",
        _PRINTED,
        "Single steps go up about as often as down at equilibrium.",
        expected=0.5,
        comparison="within",
        tolerance=0.1,
        verdict="holds_with_conditions",
    ),
    Claim(
        "T18.noise_law",
        "Section 9, Eq 16",
        "Largest |z|, over time, of the mean energy with noise against its closed form.",
        "Nothing is printed on this.",
        "Half of m^T H m + tr(H C) above the minimum, with mean m and covariance C of the linear dynamics.",
        expected=4.0,
        comparison="at_most",
    ),
    Claim(
        "T7.steps",
        "Section 4.2, Eq 18",
        "Share of saturated units that are active again after exactly ceil(ln(|s_0|/|kink|) / -ln(1-step)) steps.",
        "In saturation the neuron ignores its input and goes exponentially to 0, back into the active region.",
        "",
        expected=1.0,
        comparison="at_least",
    ),
)
