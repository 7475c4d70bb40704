"""Results again: what a record takes to be repeated, and what differs between two folders of results."""

from stdpjax.lab.again.compare import Comparison, Different, compare
from stdpjax.lab.again.record import Recorded, read_record

__all__ = ["Comparison", "Different", "Recorded", "compare", "read_record"]
