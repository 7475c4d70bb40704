"""The experiment that tests the paper's prediction (sections 2.1 and 5.1)."""

import numpy as np

from stdpjax import _checks
from stdpjax._units import Measured
from stdpjax.protocols.rates import RateProtocol, one_rate, ramping_rates
from stdpjax.spikes import times

# Ways in which the postsynaptic rate of the predicted experiment goes; the presynaptic one stays.
COURSES = ("constant", "rising", "falling")


def predicted_rates(
    course: str,
    pre_hz: Measured = 20.0,
    low_hz: Measured = 5.0,
    high_hz: Measured = 45.0,
    duration_ms: Measured = 400.0,
    n_repeats: int = 1,
    rest_ms: Measured = 500.0,
    bin_ms: Measured = 1.0,
) -> RateProtocol:
    """Return one arm of the experiment that tests the paper's prediction (sections 2.1 and 5.1).

    The presynaptic neuron fires at a constant rate while the postsynaptic rate is constant, rises or falls. All three
    arms have the same mean rates, so that a rule of the means alone cannot tell them apart; the paper predicts no
    change, potentiation and depression.

    Args:
        course: "constant", "rising" or "falling".
        pre_hz: presynaptic rate, at least 0.
        low_hz: lowest postsynaptic rate of the ramps, at least 0.
        high_hz: highest one, at least `low_hz`. The constant rate is the mean of the two.
        duration_ms: length of one repeat, a whole number of bins.
        n_repeats: how often it is done.
        rest_ms: silence of both neurons after each repeat, so that the rate's return to the start is not seen; a whole
            number of bins, or 0.
        bin_ms: width of a bin in ms, above 0.

    Raises:
        ValueError: an unknown course or an argument out of range.

    Example:
        >>> import stdpjax
        >>> arms = [stdpjax.protocols.predicted_rates(course) for course in stdpjax.protocols.COURSES]
        >>> [round(float(arm.post_hz[:400].mean()), 6) for arm in arms]
        [25.0, 25.0, 25.0]
    """
    _checks.choice("course", course, COURSES)
    low_hz, high_hz = one_rate("low_hz", low_hz, bin_ms), one_rate("high_hz", high_hz, bin_ms)
    _checks.number("high_hz", high_hz, at_least=low_hz)
    middle = (low_hz + high_hz) / 2
    ends = {"constant": (middle, middle), "rising": (low_hz, high_hz), "falling": (high_hz, low_hz)}[course]
    ramp = ramping_rates(pre_hz, *ends, duration_ms, bin_ms)
    rest_ms = times.milliseconds("rest_ms", rest_ms, at_least=0)
    silence = np.zeros(times.count_bins(0.0, rest_ms, bin_ms, "rest_ms") if rest_ms else 0)
    n_repeats = _checks.count("n_repeats", n_repeats)
    pre, post = (np.tile(np.concatenate([rate, silence]), n_repeats) for rate in (ramp.pre_hz, ramp.post_hz))
    return RateProtocol(pre, post, ramp.bin_ms)
