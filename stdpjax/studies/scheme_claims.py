"""Claims of the study of pairing schemes; the criteria are fixed here, before any run."""

from stdpjax.studies.base import Claim

NEAREST = "nearest_symmetric"

_CONSTANT = "On average the weight does not change when the postsynaptic firing rate is constant."
_SLOPE = "STDP corresponds to a weight change that follows the temporal derivative of the postsynaptic activity."

CLAIMS = (
    Claim(
        "PS.worked_case",
        "Section 5.1",
        "Pairs counted besides one, with presynaptic spikes at 10 and 20 and a postsynaptic one at 20 (largest).",
        "Nothing is printed on this; the paper skips coincident spikes.",
        "One pair, 20 after 10, in all three schemes of neighbours, if traces are read before the spikes of the "
        "instant are added.",
        expected=1e-5,
        comparison="at_most",
        double=1e-12,
    ),
    Claim(
        "PS.sampled",
        "Section 5.1",
        "Standard deviation of sampled less exact mean updates, in standard errors, over all schemes, rates and bins.",
        "Nothing is printed on this.",
        "The exact mean of each scheme takes one pass over the bins.",
        expected=1.0,
        comparison="within",
        tolerance=0.05,
    ),
    Claim(
        "PS.constant_rate",
        "Sections 3.2 and 9",
        "Largest mean update at constant rates over that of potentiation alone, of all rules but nearest symmetric.",
        _CONSTANT,
        "Exact with an antisymmetric window for all-to-all, presynaptic-centred and reduced symmetric pairs and for "
        "the windowed rule, at any pair of rates; not for nearest symmetric pairs.",
        expected=1e-5,
        comparison="at_most",
        double=1e-12,
        verdict="holds_with_conditions",
    ),
    Claim(
        "PS.nearest_symmetric",
        "Sections 3.2 and 9",
        "Mean update of nearest symmetric pairs at constant rates over its closed form.",
        _CONSTANT,
        "False for nearest symmetric pairs unless both rates are equal: a share of 1 - (1 - (1-p) f) / (1 - (1-q) f), "
        "f = exp(-1 / tau), of the potentiation is left.",
        expected=1.0,
        comparison="within",
        tolerance=1e-3,
        verdict="corrected",
    ),
    Claim(
        "PS.gain",
        "Section 5.1",
        "Gain of all-to-all pairs on a slow ramp at the highest rate over that at the lowest.",
        _SLOPE,
        "With a gain of its own: the same at all rates where every pair counts, less at high rates where spikes hide "
        "each other.",
        expected=1.0,
        comparison="within",
        tolerance=1e-3,
        double=1e-9,
        verdict="holds_with_conditions",
    ),
    Claim(
        "PS.agreement",
        "Section 5.1, Eq 1",
        "Correlation per bin of the exact mean update with Eq 1, slow drives (lowest of all but nearest symmetric).",
        _SLOPE,
        "For drives slower than the window, and rules without a drift at constant rates: that follows the rate itself.",
        expected=0.9,
        comparison="at_least",
        verdict="holds_with_conditions",
    ),
)
