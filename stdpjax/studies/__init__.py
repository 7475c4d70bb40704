"""Studies: each measures one claim of the paper and says whether it holds."""

from stdpjax.lab import Claim, Result, Study
from stdpjax.studies.registry import STUDIES, find
from stdpjax.studies.runner import run, run_into

__all__ = ["STUDIES", "Claim", "Result", "Study", "find", "run", "run_into"]
