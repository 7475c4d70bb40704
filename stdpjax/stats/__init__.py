"""Statistics on results: correlations, quantile bins, chi-square, and a bootstrap over independent sequences.

Results are small and live on the host, so these are NumPy functions in double precision. Only the bootstrap draws
random numbers, and takes a key for them.
"""

from stdpjax.stats.cells import chi_square_per_cell, quantile_bins, sums_by_bin
from stdpjax.stats.intervals import Estimate, FloatArray, bootstrap, mean_interval, normal_interval, wilson_interval
from stdpjax.stats.pairs import PairSums, correlation, correlation_of_sums, pair_sums

__all__ = ["Estimate", "FloatArray", "PairSums", "bootstrap", "chi_square_per_cell", "correlation"]
__all__ += ["correlation_of_sums", "mean_interval", "normal_interval", "pair_sums", "quantile_bins", "sums_by_bin"]
__all__ += ["wilson_interval"]
