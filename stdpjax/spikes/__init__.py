"""Spikes: sampling and importing trains, nearest-spike lags, sampled and exact tables of lag counts."""

from stdpjax.spikes.counting import sample_lag_counts
from stdpjax.spikes.expected import expected_lag_counts, lag_probability
from stdpjax.spikes.packed import round_to_grid, sample_pair
from stdpjax.spikes.pairing import BOUNDARIES, COINCIDENCES, SIDES, nearest_lag
from stdpjax.spikes.sampling import sample_spikes
from stdpjax.spikes.times import from_times, to_times

__all__ = ["BOUNDARIES", "COINCIDENCES", "SIDES", "expected_lag_counts", "from_times", "lag_probability", "nearest_lag"]
__all__ += ["round_to_grid", "sample_lag_counts", "sample_pair", "sample_spikes", "to_times"]
