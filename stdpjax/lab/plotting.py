"""Pictures of results, as in `stdpjax.plotting`, where a study's figure finds all that it draws with."""

from stdpjax.plotting import COLORS, CYCLE, bars, curve, frame, new_figure, points, style, table

__all__ = ["COLORS", "CYCLE", "bars", "curve", "frame", "new_figure", "points", "style", "table"]
