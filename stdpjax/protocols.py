"""Spike protocols: what an experimenter does to a pair of neurons, in milliseconds.

Two kinds. A `Protocol` lists the times of spikes: pairs, triplets, quadruplets and bursts. A `RateProtocol` prescribes
two firing rates, from which spikes are drawn: constant, ramping and modulated rates, among them the experiment that
tests the paper's prediction. Both give binned spikes with a stated bin, and the first also events (`stdpjax.rules`).
A lag is post time minus pre time. Times, rates and bin widths may carry a unit, and then become ms and Hz. Spikes of
the two neurons that are less than `stdpjax.spikes.times.time_tolerance` apart are coincident: they get the same time.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import NDArray

from stdpjax import _checks, _units, spikes
from stdpjax._units import Measured
from stdpjax.spikes import times, trains

_MS_PER_SECOND = 1000.0
# Ways in which the postsynaptic rate of the predicted experiment goes; the presynaptic one stays.
COURSES = ("constant", "rising", "falling")


class Protocol(NamedTuple):
    """Spike times of one experiment on a pair of neurons."""

    pre_ms: NDArray[np.float64]
    """Presynaptic spike times in ms, increasing, from 0 on."""
    post_ms: NDArray[np.float64]
    """Postsynaptic spike times in ms, likewise."""
    duration_ms: float
    """Length of the record, with the rest after the last spike."""

    def binned(self, bin_ms: Measured = 1.0) -> tuple[Bool[Array, "time"], Bool[Array, "time"]]:
        """Return presynaptic and postsynaptic spikes per bin.

        Args:
            bin_ms: width of a bin in ms, above 0. The last bin may be cut by the end of the record.

        Returns:
            Spike indicators, shape `[time]` each.

        Raises:
            ValueError: two spikes of a neuron in one bin.
        """
        bin_ms = times.milliseconds("bin_ms", bin_ms, above=0)
        n_bins = math.ceil(times.milliseconds("duration_ms", self.duration_ms, above=0) / bin_ms - 1e-6)
        pre, post = (
            jnp.asarray(times.bin_train(name, train, 0.0, n_bins * bin_ms, bin_ms, check_unit=False))
            for name, train in zip(("pre_ms", "post_ms"), self._trains(), strict=True)
        )
        return pre, post

    def falls_on_bins(self, bin_ms: Measured = 1.0) -> bool:
        """Return whether every spike time is a whole number of bins, so that binning moves none of them.

        Args:
            bin_ms: width of a bin in ms, above 0.

        Returns:
            Whether they are, up to rounding.
        """
        positions = np.concatenate(self._trains()) / times.milliseconds("bin_ms", bin_ms, above=0)
        return bool(np.all(np.abs(positions - np.round(positions)) < 1e-6))

    def _trains(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both trains in ms, whoever made the protocol, with coincident spikes at the same time."""
        return times.join_coincident(*(_block(name, getattr(self, name)) for name in ("pre_ms", "post_ms")))


def pairs(
    lag_ms: Measured, frequency_hz: Measured = 1.0, n_pairs: int = 60, *, lead_ms: Measured | None = None
) -> Protocol:
    """Return pairs of a presynaptic and a postsynaptic spike at a regular frequency.

    Args:
        lag_ms: post time minus pre time; 0 makes them coincide.
        frequency_hz: pairs per second, above 0.
        n_pairs: number of pairs, at least 1.
        lead_ms: time of the first presynaptic spike; None for the earliest that leaves no spike before 0.

    Returns:
        The protocol; the record ends one period after the last pair began.

    Raises:
        ValueError: an argument out of range, or a lead that puts a spike before 0.

    Source: Bi & Poo 1998 (60 pairs at 1 Hz); Sjöström et al. 2001 (frequencies from 0.1 to 50 Hz).

    Example:
        >>> import stdpjax
        >>> protocol = stdpjax.protocols.pairs(-10, frequency_hz=20, n_pairs=3)
        >>> protocol.pre_ms.tolist(), protocol.post_ms.tolist()
        ([10.0, 60.0, 110.0], [0.0, 50.0, 100.0])
    """
    lag_ms = times.milliseconds("lag_ms", lag_ms)
    earliest = max(0.0, -lag_ms)
    lead_ms = earliest if lead_ms is None else times.milliseconds("lead_ms", lead_ms, at_least=earliest)
    return repeated([lead_ms], [lead_ms + lag_ms], frequency_hz, _checks.count("n_pairs", n_pairs))


def triplets(
    first_lag_ms: Measured, second_lag_ms: Measured, frequency_hz: Measured = 1.0, n_triplets: int = 60
) -> Protocol:
    """Return triplets of spikes: pre-post-pre or post-pre-post.

    Args:
        first_lag_ms: lag of the pair that comes first, not 0.
        second_lag_ms: lag of the second pair, of the other sign. (5, -5) is pre-post-pre with 5 ms between neighbours,
            (-5, 5) is post-pre-post.
        frequency_hz: triplets per second, above 0.
        n_triplets: number of triplets, at least 1.

    Returns:
        The protocol.

    Raises:
        ValueError: an argument out of range, or lags of the same sign.

    Source: Wang et al. 2005; the notation is that of Pfister & Gerstner 2006.

    Example:
        >>> import stdpjax
        >>> protocol = stdpjax.protocols.triplets(5, -10, n_triplets=1)
        >>> protocol.pre_ms.tolist(), protocol.post_ms.tolist()
        ([0.0, 15.0], [5.0])
    """
    first_lag_ms = times.milliseconds("first_lag_ms", first_lag_ms)
    second_lag_ms = times.milliseconds("second_lag_ms", second_lag_ms)
    if first_lag_ms * second_lag_ms >= 0:
        raise ValueError(
            "second_lag_ms: expected a lag of the other sign than the first, both not 0, got "
            f"{first_lag_ms:g} and {second_lag_ms:g}"
        )
    outer, middle = [0.0, abs(first_lag_ms) + abs(second_lag_ms)], [abs(first_lag_ms)]
    pre, post = (outer, middle) if first_lag_ms > 0 else (middle, outer)
    return repeated(pre, post, frequency_hz, _checks.count("n_triplets", n_triplets))


def quadruplets(
    interval_ms: Measured, lag_ms: Measured = 5.0, frequency_hz: Measured = 1.0, n_quadruplets: int = 60
) -> Protocol:
    """Return quadruplets: a post-pre pair and a pre-post pair, one after the other.

    Args:
        interval_ms: time from the middle of the post-pre pair to the middle of the pre-post pair, not 0. Above 0 the
            order is post-pre-pre-post, below 0 it is pre-post-post-pre.
        lag_ms: distance of the spikes within either pair, above 0 and below the interval's absolute value.
        frequency_hz: quadruplets per second, above 0.
        n_quadruplets: number of quadruplets, at least 1.

    Returns:
        The protocol.

    Raises:
        ValueError: an argument out of range.

    Source: Wang et al. 2005; Pfister & Gerstner 2006.

    Example:
        >>> import stdpjax
        >>> protocol = stdpjax.protocols.quadruplets(20, n_quadruplets=1)
        >>> protocol.pre_ms.tolist(), protocol.post_ms.tolist()
        ([5.0, 20.0], [0.0, 25.0])
    """
    lag_ms = times.milliseconds("lag_ms", lag_ms, above=0)
    interval_ms = times.milliseconds("interval_ms", interval_ms)
    if not abs(interval_ms) > lag_ms:
        raise ValueError(f"interval_ms: expected more than the lag of {lag_ms:g} ms either way, got {interval_ms:g}")
    distance = abs(interval_ms)
    inner, outer = [lag_ms, distance], [0.0, distance + lag_ms]
    pre, post = (inner, outer) if interval_ms > 0 else (outer, inner)
    return repeated(pre, post, frequency_hz, _checks.count("n_quadruplets", n_quadruplets))


def bursts(
    lag_ms: Measured,
    within_hz: Measured,
    n_pre: int = 5,
    n_post: int = 5,
    frequency_hz: Measured = 0.1,
    n_bursts: int = 15,
) -> Protocol:
    """Return a burst of presynaptic and one of postsynaptic spikes, repeated.

    Args:
        lag_ms: first postsynaptic minus first presynaptic spike of a burst.
        within_hz: spikes per second within a burst, above 0.
        n_pre: presynaptic spikes in a burst, at least 1; 1 makes it a single spike.
        n_post: postsynaptic spikes in a burst, at least 1.
        frequency_hz: bursts per second, above 0.
        n_bursts: number of bursts, at least 1.

    Returns:
        The protocol.

    Raises:
        ValueError: an argument out of range, or a burst that does not end before the next one begins.

    Source: Sjöström et al. 2001 (15 sweeps, 10 s apart, of 5 pairs at 10 to 50 Hz).

    Example:
        >>> import stdpjax
        >>> protocol = stdpjax.protocols.bursts(10, within_hz=50, n_pre=1, n_post=3, n_bursts=1)
        >>> protocol.pre_ms.tolist(), protocol.post_ms.tolist()
        ([0.0], [10.0, 30.0, 50.0])
    """
    lag_ms = times.milliseconds("lag_ms", lag_ms)
    period = _period("within_hz", within_hz)
    pre = max(0.0, -lag_ms) + period * np.arange(_checks.count("n_pre", n_pre))
    post = max(0.0, lag_ms) + period * np.arange(_checks.count("n_post", n_post))
    return repeated(pre, post, frequency_hz, _checks.count("n_bursts", n_bursts))


def repeated(pre_ms: Measured, post_ms: Measured, frequency_hz: Measured = 1.0, n_repeats: int = 1) -> Protocol:
    """Return any block of spikes, repeated at a regular frequency.

    Args:
        pre_ms: presynaptic spike times of one repeat in ms, increasing, at least 0, shape `[pre_spike]`.
        post_ms: postsynaptic spike times of one repeat, likewise.
        frequency_hz: repeats per second, above 0.
        n_repeats: number of repeats, at least 1.

    Returns:
        The protocol. Each time is one sum of a multiple of the period and a time within the block, so that whole
        numbers stay whole.

    Raises:
        ValueError: times that are not increasing or below 0, or a neuron's spikes of one repeat that are not over
            before those of the next begin.

    Example:
        >>> import stdpjax
        >>> stdpjax.protocols.repeated([0, 4], [2], frequency_hz=100, n_repeats=2).pre_ms.tolist()
        [0.0, 4.0, 10.0, 14.0]
    """
    period = _period("frequency_hz", frequency_hz)
    n_repeats = _checks.count("n_repeats", n_repeats)
    begins = period * np.arange(n_repeats)
    blocks = [_block(name, block) for name, block in (("pre_ms", pre_ms), ("post_ms", post_ms))]
    for name, block in zip(("pre_ms", "post_ms"), blocks, strict=True):
        if n_repeats > 1 and block.size and np.ptp(block) >= period:
            raise ValueError(
                f"frequency_hz: expected blocks that are over before the next begins, where {name} takes "
                f"{np.ptp(block):g} ms, got {_MS_PER_SECOND / period:g} Hz, {period:g} ms from one to the next"
            )
    # Once for what the numbers of the blocks can tell apart, and once for what their sums with the periods can.
    pre, post = (np.add.outer(begins, block).ravel() for block in times.join_coincident(*blocks))
    pre, post = times.join_coincident(pre, post)
    last = max((train[-1] for train in (pre, post) if train.size), default=0.0)
    return Protocol(pre, post, float(max(n_repeats * period, last + 1.0)))


def _period(name: str, frequency_hz: Measured) -> float:
    """Milliseconds from one repeat to the next."""
    frequency_hz = times.hertz(name, frequency_hz, above=0)
    period = _MS_PER_SECOND / frequency_hz
    if not (period > 0 and math.isfinite(period)):
        raise ValueError(f"{name}: expected a frequency with a finite period, got {frequency_hz:g} Hz")
    return period


def _block(name: str, values: Measured) -> NDArray[Any]:
    """Increasing spike times in ms, in the precision that they came in."""
    if np.ndim(values) > 1:
        raise ValueError(f"{name}: expected one train, shape [spike], got shape {np.shape(values)}")
    block, _ = trains.in_ms(name, values)
    # Differences of unsigned numbers are never below 0.
    numbers = block.astype(np.float64)
    _checks.finite_on_host(name, numbers)
    if np.any(numbers < 0) or np.any(np.diff(numbers) <= 0):
        raise ValueError(f"{name}: expected increasing spike times of at least 0 ms, got {block.tolist()}")
    return block


class RateProtocol(NamedTuple):
    """Firing rates over time of a pair of neurons whose spikes are independent given the rates."""

    pre_hz: NDArray[np.float64]
    """Presynaptic rate in each bin, shape `[time]`."""
    post_hz: NDArray[np.float64]
    """Postsynaptic rate in each bin, shape `[time]`."""
    bin_ms: float
    """Width of a bin in ms."""

    def probabilities(self) -> tuple[Float[Array, "time"], Float[Array, "time"]]:
        """Return the two spike probabilities per bin, as the exact expectations take them.

        Returns:
            Presynaptic and postsynaptic probability, shape `[time]` each.

        Raises:
            ValueError: a rate that makes more than one spike per bin likely.
        """
        pre, post = (
            jnp.asarray(_probability(name, getattr(self, name), self.bin_ms), dtype=float)
            for name in ("pre_hz", "post_hz")
        )
        _checks.same_shape("pre_hz", pre, "post_hz", post)
        if pre.ndim != 1:
            raise ValueError(f"pre_hz: expected one rate per bin, shape [time], got shape {pre.shape}")
        return pre, post

    def sample(self, key: Key[Array, ""]) -> Protocol:
        """Draw the spikes of one trial.

        Args:
            key: a scalar key.

        Returns:
            Their times, the left edges of their bins.

        Raises:
            ValueError: no key, or a rate that makes more than one spike per bin likely.
        """
        pre_key, post_key = jax.random.split(_checks.key("key", key))
        pre, post = self.probabilities()
        pre_ms, post_ms = (
            spikes.to_times(spikes.sample_spikes(one, probability), 0.0, self.bin_ms)
            for one, probability in ((pre_key, pre), (post_key, post))
        )
        return Protocol(np.asarray(pre_ms), np.asarray(post_ms), pre.size * times.milliseconds("bin_ms", self.bin_ms))


def constant_rates(pre_hz: Measured, post_hz: Measured, duration_ms: Measured, bin_ms: Measured = 1.0) -> RateProtocol:
    """Return two Poisson trains of constant rates, up to the bin.

    Args:
        pre_hz: presynaptic rate, at least 0.
        post_hz: postsynaptic rate, at least 0.
        duration_ms: length, a whole number of bins.
        bin_ms: width of a bin in ms, above 0.

    Returns:
        The protocol.

    Raises:
        ValueError: an argument out of range, or a rate above one spike per bin.

    Example:
        >>> import stdpjax
        >>> protocol = stdpjax.protocols.constant_rates(20, 10, 1000)
        >>> trial = protocol.sample(stdpjax.random.key(0))
        >>> protocol.post_hz.shape, trial.duration_ms
        ((1000,), 1000.0)
    """
    post_hz = _rate("post_hz", post_hz, bin_ms)
    return ramping_rates(pre_hz, post_hz, post_hz, duration_ms, bin_ms)


def ramping_rates(
    pre_hz: Measured, post_start_hz: Measured, post_stop_hz: Measured, duration_ms: Measured, bin_ms: Measured = 1.0
) -> RateProtocol:
    """Return a constant presynaptic rate with a postsynaptic rate that goes evenly from one value to another.

    Args:
        pre_hz: presynaptic rate, at least 0.
        post_start_hz: postsynaptic rate at the left edge of the first bin, at least 0.
        post_stop_hz: postsynaptic rate at the right edge of the last bin, at least 0.
        duration_ms: length, a whole number of bins.
        bin_ms: width of a bin in ms, above 0.

    Returns:
        The protocol; the rate in a bin is that in its middle, so that the mean is exact.

    Raises:
        ValueError: an argument out of range, or a rate above one spike per bin.

    Example:
        >>> import stdpjax
        >>> stdpjax.protocols.ramping_rates(10, 0, 40, duration_ms=4).post_hz.tolist()
        [5.0, 15.0, 25.0, 35.0]
    """
    n_bins = times.count_bins(0.0, duration_ms, bin_ms, "duration_ms")
    pre_hz = _rate("pre_hz", pre_hz, bin_ms)
    post_start_hz = _rate("post_start_hz", post_start_hz, bin_ms)
    post_stop_hz = _rate("post_stop_hz", post_stop_hz, bin_ms)
    share = (np.arange(n_bins) + 0.5) / n_bins
    post = post_start_hz + (post_stop_hz - post_start_hz) * share
    return RateProtocol(np.full(n_bins, pre_hz), post, times.milliseconds("bin_ms", bin_ms))


def modulated_rates(
    pre_hz: Measured,
    post_hz: Measured,
    depth: float,
    frequency_hz: Measured,
    duration_ms: Measured,
    bin_ms: Measured = 1.0,
    *,
    lag_ms: Measured | None = None,
) -> RateProtocol:
    """Return a postsynaptic rate, and on demand a presynaptic one, that goes up and down as a sine.

    Args:
        pre_hz: mean presynaptic rate, at least 0.
        post_hz: mean postsynaptic rate, at least 0.
        depth: amplitude as a share of the mean, 0 to 1.
        frequency_hz: of the modulation, above 0 and below half the rate of the bins (500 Hz for 1 ms): these would show
            a faster one as a slower one, or as none.
        duration_ms: length, a whole number of bins.
        bin_ms: width of a bin in ms, above 0.
        lag_ms: by how much the postsynaptic modulation comes after the presynaptic one; None for a constant
            presynaptic rate.

    Returns:
        The protocol; the postsynaptic rate is `post_hz (1 + depth sin(2 pi frequency (t - lag)))` in the middle of
        each bin.

    Raises:
        ValueError: an argument out of range, or a rate above one spike per bin.

    Example:
        >>> import stdpjax
        >>> stdpjax.protocols.modulated_rates(10, 20, 0.5, 250, duration_ms=4).post_hz.round(2).tolist()
        [27.07, 27.07, 12.93, 12.93]
    """
    n_bins = times.count_bins(0.0, duration_ms, bin_ms, "duration_ms")
    bin_ms = times.milliseconds("bin_ms", bin_ms)
    depth = float(_checks.number("depth", depth, at_least=0, at_most=1))
    frequency_hz = times.hertz("frequency_hz", frequency_hz, above=0)
    highest_hz = _MS_PER_SECOND / (2 * bin_ms)
    if frequency_hz > (1 - 1e-9) * highest_hz:
        raise ValueError(
            f"frequency_hz: expected a frequency below {highest_hz:g} Hz, half the rate of bins of {bin_ms:g} ms, got "
            f"{frequency_hz:g}"
        )
    lag_ms = None if lag_ms is None else times.milliseconds("lag_ms", lag_ms)
    pre_hz = _rate("pre_hz", pre_hz, bin_ms, 1.0 if lag_ms is None else 1 + depth)
    post_hz = _rate("post_hz", post_hz, bin_ms, 1 + depth)
    time = (np.arange(n_bins) + 0.5) * bin_ms

    def wave(delay: float) -> NDArray[np.float64]:
        return 1 + depth * np.sin(2 * np.pi * frequency_hz * (time - delay) / _MS_PER_SECOND)

    pre = np.full(n_bins, pre_hz) if lag_ms is None else pre_hz * wave(0.0)
    return RateProtocol(pre, post_hz * wave(lag_ms or 0.0), bin_ms)


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

    Returns:
        The protocol.

    Raises:
        ValueError: an unknown course or an argument out of range.

    Example:
        >>> import stdpjax
        >>> arms = [stdpjax.protocols.predicted_rates(course) for course in stdpjax.protocols.COURSES]
        >>> [round(float(arm.post_hz[:400].mean()), 6) for arm in arms]
        [25.0, 25.0, 25.0]
    """
    _checks.choice("course", course, COURSES)
    low_hz, high_hz = _rate("low_hz", low_hz, bin_ms), _rate("high_hz", high_hz, bin_ms)
    _checks.number("high_hz", high_hz, at_least=low_hz)
    middle = (low_hz + high_hz) / 2
    ends = {"constant": (middle, middle), "rising": (low_hz, high_hz), "falling": (high_hz, low_hz)}[course]
    ramp = ramping_rates(pre_hz, *ends, duration_ms, bin_ms)
    rest_ms = times.milliseconds("rest_ms", rest_ms, at_least=0)
    silence = np.zeros(times.count_bins(0.0, rest_ms, bin_ms, "rest_ms") if rest_ms else 0)
    n_repeats = _checks.count("n_repeats", n_repeats)
    pre, post = (np.tile(np.concatenate([rate, silence]), n_repeats) for rate in (ramp.pre_hz, ramp.post_hz))
    return RateProtocol(pre, post, ramp.bin_ms)


def _rate(name: str, rate_hz: Measured, bin_ms: Measured, highest_share: float = 1.0) -> float:
    """One rate in Hz; `highest_share` of it must not be more than one spike per bin."""
    rate_hz = times.hertz(name, rate_hz)
    _probability(name, rate_hz * highest_share, bin_ms)
    return rate_hz


def _probability(name: str, rate_hz: Measured, bin_ms: Measured) -> NDArray[np.float64]:
    """Spike probability per bin of a rate; more than one spike per bin cannot be."""
    bin_ms = times.milliseconds("bin_ms", bin_ms, above=0)
    rates = np.asarray(_checks.as_array(name, _units.in_unit(name, rate_hz, "Hz")))
    if rates.dtype.kind not in "iuf":
        raise ValueError(f"{name}: expected rates in Hz, got dtype {rates.dtype}")
    _checks.finite_on_host(name, rates)
    probability = np.asarray(rates.astype(np.float64) * bin_ms / _MS_PER_SECOND)
    if not (np.all(probability >= 0) and np.all(probability <= 1)):
        raise ValueError(
            f"{name}: expected rates from 0 to {_MS_PER_SECOND / bin_ms:g} Hz, one spike per bin of {bin_ms:g} ms, got "
            f"values from {np.min(rates):g} to {np.max(rates):g}"
        )
    return probability
