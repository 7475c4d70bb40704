"""The laboratory: what it takes to pose a claim of one's own and to measure it."""

from stdpjax.lab.claim import Claim, Criterion, Measurement, at_least, at_most, estimate, keep_estimate, within
from stdpjax.lab.settings import configuration, setting
from stdpjax.lab.statement import Statement, verdict_of
from stdpjax.lab.study import Progress, Result, Study
from stdpjax.stats import Estimate

__all__ = ["Claim", "Criterion", "Estimate", "Measurement", "Progress", "Result", "Statement", "Study", "at_least"]
__all__ += ["at_most", "configuration", "estimate", "keep_estimate", "setting", "verdict_of", "within"]
