"""Sweeps: a study's numbers over a grid of settings and seeds, sharded, chunked to a memory budget, resumable."""

from stdpjax.sweeps.grid import parse_grid
from stdpjax.sweeps.memory import parse_memory
from stdpjax.sweeps.run import sweep

__all__ = ["parse_grid", "parse_memory", "sweep"]
