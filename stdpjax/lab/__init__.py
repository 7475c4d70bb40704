"""The laboratory: what it takes to pose a claim of one's own and to measure it."""

from typing import TYPE_CHECKING, Any

from stdpjax.lab.claim import Claim, Criterion, Measurement, at_least, at_most, estimate, keep_estimate, within
from stdpjax.lab.settings import configuration, setting
from stdpjax.lab.statement import Statement, verdict_of
from stdpjax.lab.study import Progress, Result, Study
from stdpjax.stats import Estimate

if TYPE_CHECKING:
    from stdpjax.lab.portraits import portrait

__all__ = ["Claim", "Criterion", "Estimate", "Measurement", "Progress", "Result", "Statement", "Study", "at_least"]
__all__ += ["at_most", "configuration", "estimate", "keep_estimate", "portrait", "setting", "verdict_of", "within"]


def __getattr__(name: str) -> Any:
    """Import what needs rules and pictures when it is first used."""
    if name == "portrait":
        from stdpjax.lab.portraits import portrait

        return portrait
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
