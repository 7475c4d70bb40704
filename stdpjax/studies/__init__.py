"""Studies: each measures one claim of the paper and says whether it holds."""

from stdpjax.studies.base import Claim, Measurement, Result, Study
from stdpjax.studies.registry import STUDIES, find
from stdpjax.studies.runner import run, run_into

__all__ = ["STUDIES", "Claim", "Measurement", "Result", "Study", "find", "run", "run_into"]
