"""Spike protocols: what an experimenter does to a pair of neurons, in milliseconds.

Two kinds. A `Protocol` lists the times of spikes: pairs, triplets, quadruplets and bursts. A `RateProtocol` prescribes
two firing rates, from which spikes are drawn: constant, ramping and modulated rates, among them the experiment that
tests the paper's prediction. Both give binned spikes with a stated bin, and the first also events (`stdpjax.rules`).
A lag is post time minus pre time. Times, rates and bin widths may carry a unit, and then become ms and Hz. Spikes of
the two neurons that are less than `stdpjax.spikes.times.time_tolerance` apart are coincident: they get the same time.
"""

from stdpjax.protocols.experiment import COURSES, predicted_rates
from stdpjax.protocols.rates import RateProtocol, constant_rates, modulated_rates, ramping_rates
from stdpjax.protocols.spike_times import Protocol, bursts, pairs, quadruplets, repeated, triplets

__all__ = ["COURSES", "Protocol", "RateProtocol", "bursts", "constant_rates", "modulated_rates", "pairs"]
__all__ += ["predicted_rates", "quadruplets", "ramping_rates", "repeated", "triplets"]
