"""A rule beside all others: portraits as labelled data, their figure and table, and the command `stdpjax compare`."""

from stdpjax.lab.portraits.choose import Chosen, find_rule
from stdpjax.lab.portraits.compare import compare_into
from stdpjax.lab.portraits.figure import figure
from stdpjax.lab.portraits.portrait import portrait
from stdpjax.lab.portraits.settings import PortraitConfig
from stdpjax.lab.portraits.table import as_text, table

__all__ = ["Chosen", "PortraitConfig", "as_text", "compare_into", "figure", "find_rule", "portrait", "table"]
