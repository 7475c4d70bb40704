"""Protocols of firing rates: constant, ramping and modulated."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray

from stdpjax import _checks, _units, spikes
from stdpjax._units import Measured
from stdpjax.protocols.spike_times import MS_PER_SECOND, Protocol
from stdpjax.spikes import times


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

    Raises:
        ValueError: an argument out of range, or a rate above one spike per bin.

    Example:
        >>> import stdpjax
        >>> protocol = stdpjax.protocols.constant_rates(20, 10, 1000)
        >>> trial = protocol.sample(stdpjax.random.key(0))
        >>> protocol.post_hz.shape, trial.duration_ms
        ((1000,), 1000.0)
    """
    post_hz = one_rate("post_hz", post_hz, bin_ms)
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
    pre_hz = one_rate("pre_hz", pre_hz, bin_ms)
    post_start_hz = one_rate("post_start_hz", post_start_hz, bin_ms)
    post_stop_hz = one_rate("post_stop_hz", post_stop_hz, bin_ms)
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
    highest_hz = MS_PER_SECOND / (2 * bin_ms)
    if frequency_hz > (1 - 1e-9) * highest_hz:
        raise ValueError(
            f"frequency_hz: expected a frequency below {highest_hz:g} Hz, half the rate of bins of {bin_ms:g} ms, got "
            f"{frequency_hz:g}"
        )
    lag_ms = None if lag_ms is None else times.milliseconds("lag_ms", lag_ms)
    pre_hz = one_rate("pre_hz", pre_hz, bin_ms, 1.0 if lag_ms is None else 1 + depth)
    post_hz = one_rate("post_hz", post_hz, bin_ms, 1 + depth)
    time = (np.arange(n_bins) + 0.5) * bin_ms

    def wave(delay: float) -> NDArray[np.float64]:
        return 1 + depth * np.sin(2 * np.pi * frequency_hz * (time - delay) / MS_PER_SECOND)

    pre = np.full(n_bins, pre_hz) if lag_ms is None else pre_hz * wave(0.0)
    return RateProtocol(pre, post_hz * wave(lag_ms or 0.0), bin_ms)


def one_rate(name: str, rate_hz: Measured, bin_ms: Measured, highest_share: float = 1.0) -> float:
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
    probability = np.asarray(rates.astype(np.float64) * bin_ms / MS_PER_SECOND)
    if not (np.all(probability >= 0) and np.all(probability <= 1)):
        raise ValueError(
            f"{name}: expected rates from 0 to {MS_PER_SECOND / bin_ms:g} Hz, one spike per bin of {bin_ms:g} ms, got "
            f"values from {np.min(rates):g} to {np.max(rates):g}"
        )
    return probability
