"""Sweeps: a study's numbers over a grid of settings and seeds, sharded, chunked to a memory budget, resumable."""

from stdpjax.lab.sweep.grid import parse_grid
from stdpjax.lab.sweep.memory import parse_memory
from stdpjax.lab.sweep.run import sweep

__all__ = ["parse_grid", "parse_memory", "sweep"]
