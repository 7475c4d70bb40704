"""Protocols of spike times: pairs, triplets, quadruplets and bursts."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool
from numpy.typing import NDArray

from stdpjax import _checks
from stdpjax._units import Measured
from stdpjax.spikes import times, trains

MS_PER_SECOND = 1000.0


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
                f"{np.ptp(block):g} ms, got {MS_PER_SECOND / period:g} Hz, {period:g} ms from one to the next"
            )
    # Once for what the numbers of the blocks can tell apart, and once for what their sums with the periods can.
    pre, post = (np.add.outer(begins, block).ravel() for block in times.join_coincident(*blocks))
    pre, post = times.join_coincident(pre, post)
    last = max((train[-1] for train in (pre, post) if train.size), default=0.0)
    return Protocol(pre, post, float(max(n_repeats * period, last + 1.0)))


def _period(name: str, frequency_hz: Measured) -> float:
    """Milliseconds from one repeat to the next."""
    frequency_hz = times.hertz(name, frequency_hz, above=0)
    period = MS_PER_SECOND / frequency_hz
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
