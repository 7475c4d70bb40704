"""Settings of a portrait."""

from stdpjax import _checks
from stdpjax.lab.settings import configuration, setting


@configuration
class PortraitConfig:
    """Settings of `portrait`."""

    bin_ms: float = setting(1.0, "width of a bin in ms", above=0)
    weight: float = setting(0.5, "the weight at which the rule is looked at; it is held")
    n_pairs: int = setting(60, "pairs or triplets of a protocol, whose change is told for one")
    window_ms: float = setting(50.0, "longest lag of the window by pairs, in ms", above=0)
    window_hz: float = setting(1.0, "pairs or triplets per second of the window and of triplets", above=0)
    pair_lag_ms: float = setting(10.0, "lag of the pairs by frequency, in ms, either way", above=0)
    frequencies_hz: tuple[float, ...] = setting(
        (1.0, 5.0, 10.0, 20.0, 25.0, 40.0, 50.0), "pairs per second", above=0, increasing=True
    )
    max_hz: float = setting(50.0, "firing rate in Hz at the rate 1 of the rate function", above=0)
    pre_hz: float = setting(20.0, "presynaptic rate in Hz beside constant rates and ramps", at_least=0)
    rates_hz: tuple[float, ...] = setting(
        (0.0, 10.0, 20.0, 30.0, 40.0, 50.0), "constant postsynaptic rates in Hz", at_least=0, increasing=True
    )
    low_hz: float = setting(5.0, "lowest postsynaptic rate of a ramp in Hz", at_least=0)
    high_hz: float = setting(45.0, "highest one", at_least=0)
    ramp_ms: float = setting(400.0, "length of a ramp in ms", above=0)
    settle_ms: float = setting(1000.0, "silence after a protocol in ms, for changes that come late", above=0)
    before_ms: float = setting(2000.0, "time that constant rates last before changes count, in ms", above=0)
    counted_ms: float = setting(2000.0, "time of constant rates in which they count, in ms", above=0)
    n_trials: int = setting(500, "trials of each constant rate", at_least=2)
    n_ramp_trials: int = setting(4000, "trials of each ramp", at_least=2)
    n_sequences: int = setting(500, "random drives of the paper's kind", at_least=4)
    n_trains: int = setting(40, "pairs of spike trains for each drive", at_least=2)
    width: float = setting(10.0, "time scale of the drives, in bins", above=0)
    window: int = setting(20, "longest lag between nearest spikes on the drives, in bins")
    reach_ms: float = setting(
        300.0, "time on either side of a presynaptic spike on the drives in which its effect is counted, in ms", above=0
    )
    n_resamples: int = setting(1000, "bootstrap resamples of the drives", at_least=2)
    n_ramps: int = setting(100, "ramps in each cell of an experiment")
    between_cells: float = setting(
        0.5, "standard deviation of cells under the same spikes, as a share of the largest mean change", above=0
    )
    power: float = setting(0.8, "wanted probability of finding an effect at the level of 5 %", above=0.05, below=1)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        _checks.number("high_hz", self.high_hz, above=self.low_hz)
        for name in ("pre_hz", "high_hz", "rates_hz"):
            highest = getattr(self, name)
            highest = max(highest) if isinstance(highest, tuple) else highest
            if highest > self.max_hz:
                raise ValueError(f"{name}: expected rates of at most max_hz, {self.max_hz:g} Hz, got {highest:g}")
        if self.max_hz * self.bin_ms > 1000:
            raise ValueError(f"max_hz: expected at most one spike per bin of {self.bin_ms:g} ms, got {self.max_hz:g}")
        if self.window > self.bins("reach_ms"):
            raise ValueError(f"window: expected at most reach_ms, {self.bins('reach_ms')} bins, got {self.window}")
        if self.bins("ramp_ms") < 2:
            raise ValueError(f"ramp_ms: expected two bins or more of {self.bin_ms:g} ms, got {self.ramp_ms:g}")

    def bins(self, name: str) -> int:
        """Return a time among the settings in bins, at least 1."""
        return max(1, round(getattr(self, name) / self.bin_ms))
