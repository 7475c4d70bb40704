"""Claims of the study of pairing frequency.

The values of published sets were stated before any run; the limits of TF.growth, TF.pair_error, TF.pair_goodness,
TF.refits, TF.fitted and TF.asymmetry were chosen after trial fits, and describe.
"""

from stdpjax.studies.base import Claim

_SOURCE = "Pfister & Gerstner 2006"
_NUMBERS = "Published numbers; errors and changes as computed elsewhere from them."
_ORDER = "Traces are read before the spikes of the instant are added to them."


def _error(name: str, words: str, expected: float) -> Claim:
    return Claim(
        f"TF.{name}",
        _SOURCE,
        f"Mean squared error on the ten points, in standard errors, {words}.",
        _NUMBERS,
        _ORDER,
        expected=expected,
        comparison="within",
        tolerance=0.005,
    )


CLAIMS = (
    _error("all_to_all_full", "all spikes, all terms", 0.342),
    _error("nearest_full", "nearest spikes, all terms", 0.232),
    _error("all_to_all_minimal", "all spikes, minimal terms", 0.356),
    _error("nearest_minimal", "nearest spikes, minimal terms", 0.348),
    Claim(
        "TF.wrong_order_all_to_all",
        _SOURCE,
        "The same error where traces are read after the spikes of the instant, all spikes, all terms.",
        _NUMBERS,
        "The order of reading and adding is part of the rule.",
        expected=4.0,
        comparison="within",
        tolerance=0.05,
    ),
    Claim(
        "TF.wrong_order_nearest",
        _SOURCE,
        "The same error where traces are read after the spikes of the instant, nearest spikes, all terms.",
        _NUMBERS,
        "The order of reading and adding is part of the rule.",
        expected=170.0,
        comparison="within",
        tolerance=1.0,
    ),
    Claim(
        "TF.growth",
        "Sjöström et al. 2001",
        "Growth of potentiation from 0.1 to 40 Hz, distance to the measured one in standard errors (largest of four).",
        "The change at +10 ms grows with the frequency of pairs.",
        "Triplets give it; pairs with the time constants of the window do not.",
        expected=2.0,
        comparison="at_most",
    ),
    Claim(
        "TF.pair_error",
        _SOURCE,
        "Error of the best pair rule, four fitted numbers, over the largest of the four published triplet sets.",
        "Pairs of spikes do not explain the ten points.",
        "Nor does the paper's windowed rule: presynaptic spikes with neighbours on both sides change nothing.",
        expected=3.0,
        comparison="at_least",
    ),
    Claim(
        "TF.pair_goodness",
        _SOURCE,
        "Share of data drawn from the best pair rule that it fits as badly as the measured ones.",
        "Pairs of spikes do not explain the ten points.",
        "",
        expected=0.05,
        comparison="at_most",
    ),
    Claim(
        "TF.refits",
        _SOURCE,
        "Mean sum of squares of refits to data drawn from the minimal triplet rule, over points less fitted numbers.",
        "Nothing is printed on this.",
        "Chi-square's mean, so errors and searches are sound.",
        expected=1.0,
        comparison="within",
        tolerance=0.2,
    ),
    Claim(
        "TF.fitted",
        _SOURCE,
        "Error of fitted triplet rules over that of the published numbers (largest of four).",
        "The published numbers are fits to the same points.",
        "No numbers do better than the best ones.",
        expected=1.0,
        comparison="at_most",
    ),
    Claim(
        "TF.hippocampus",
        _SOURCE,
        "Largest difference from the stated changes of pairs (±10 ms) and triplets, hippocampus, all terms.",
        _NUMBERS,
        _ORDER,
        expected=6e-4,
        comparison="at_most",
    ),
    Claim(
        "TF.asymmetry",
        _SOURCE,
        "Change by post-pre-post less that by pre-post-pre (least of four sets of the hippocampus).",
        "Triplets of either order change the weight differently.",
        "A pair rule cannot tell them apart: both have one pair of either order.",
        expected=0.2,
        comparison="at_least",
    ),
)
