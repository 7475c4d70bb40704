"""The laboratory: what it takes to pose a claim of one's own and to measure it."""

from stdpjax.lab.study import Claim, Criterion, Estimate, Measurement, at_least, at_most, estimate, within

__all__ = ["Claim", "Criterion", "Estimate", "Measurement", "at_least", "at_most", "estimate", "within"]
