"""The claims on the state update of Eq 6, 7 and 17."""

from stdpjax.studies.base import Claim

_EQ17 = "s_(t+1) = (1-step) s_t + step (rho'(s~) u(s~) - s~_t), which is said to follow from Eq 14 and 16."
_EQ17_RIGHT = "s_(t+1) = (1-step) s_t + step rho'(s~) u(s~): the printed line subtracts the leak twice."
_EQ6 = "h_(t+1) = h_t + step (R_h(s~_t) - s_t)."
_FAST = "The continuous equation brings h exponentially fast towards the target R_h(s)."

CLAIMS = (
    Claim(
        "E17.corrected",
        "Eq 17",
        "Largest distance of a unit from the prescribed fixed point s* = R(s*), over networks and steps, corrected.",
        _EQ17,
        _EQ17_RIGHT,
        expected=1e-5,
        comparison="at_most",
        verdict="corrected",
        double=1e-12,
    ),
    Claim(
        "E17.half",
        "Eq 17",
        "Largest distance of a unit from R(s)/2 where the printed update comes to rest.",
        _EQ17,
        "As printed, the network comes to rest at s = R(s)/2, which contradicts Eq 26.",
        expected=1e-5,
        comparison="at_most",
        verdict="corrected",
        double=1e-12,
    ),
    Claim(
        "E17.distance",
        "Eq 17",
        "Largest difference of |s - s*| / |s*| at rest as printed from its closed form, over networks and steps.",
        _EQ17,
        "|(2 - W)^-1 s*| / |s*|, about one half, whatever the step.",
        expected=1e-5,
        comparison="at_most",
        verdict="corrected",
        double=1e-12,
    ),
    Claim(
        "E17.descent",
        "Eq 17",
        "Largest difference of the printed step from -step times the gradient of E with doubled quadratic term.",
        "The neural update is a step down the energy of Eq 16.",
        "As printed it is a step down E' = sum s_i^2 - sum_(i<j) W_ij r_i r_j - sum b_i r_i.",
        expected=1e-6,
        comparison="at_most",
        verdict="corrected",
        double=1e-14,
    ),
    Claim(
        "E6.leak",
        "Eq 6",
        "Largest distance of a hidden unit from its fixed point with the leak -h_t, half of the units clamped.",
        _EQ6,
        "h_(t+1) = h_t + step (R_h(s~_t) - h_t): s_t has clamped units too, and leaking with them h never settles.",
        expected=1e-5,
        comparison="at_most",
        verdict="corrected",
        double=1e-12,
    ),
    Claim(
        "3.6.constant_target",
        "Eq 6 and 7",
        "Largest difference of a deviation from (1-step) times the one before, relative to the first; constant target.",
        _FAST,
        "Exactly a factor (1-step) for each step while the target stays what it is.",
        expected=1e-5,
        comparison="at_most",
        verdict="holds_with_conditions",
        double=1e-14,
    ),
    Claim(
        "3.6.eigenvectors",
        "Eq 6 and 7",
        "Largest difference of a deviation along an eigenvector from 1-step(1-lambda) times the one before, relative "
        "to the first.",
        _FAST,
        "In a network the target moves too: a factor 1-step(1-lambda) along an eigenvector of R' of eigenvalue lambda.",
        expected=1e-5,
        comparison="at_most",
        verdict="holds_with_conditions",
        double=1e-12,
    ),
    Claim(
        "T5.order",
        "Section 3.3",
        "Order of the global error against the differential equation: log2 of what halving the smallest steps gains.",
        "The update corresponds to the discretisation of tau dh/dt = R_h(s) - h.",
        "With step = dt / tau, to first order in the step.",
        expected=1.0,
        comparison="within",
        tolerance=0.05,
    ),
)
