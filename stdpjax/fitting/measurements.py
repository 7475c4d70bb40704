"""Measured weight changes: protocols, what they did, and how sure that is; from numbers and presets."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import _checks, _units, protocols, random
from stdpjax._units import Measured
from stdpjax.fitting.models import checked_protocols
from stdpjax.fitting.plausible import refuse_other_unit
from stdpjax.protocols import Protocol, RateProtocol


class Measurements(NamedTuple):
    """Weight changes that protocols made, as shares of the weight before: 0.5 is an increase by 50 %."""

    name: str
    """What they are, in a few words."""
    protocols: tuple[Protocol | RateProtocol, ...]
    change: NDArray[np.float64]
    """Shape `[point]`."""
    sem: NDArray[np.float64] | None
    """Standard errors of the changes, above 0, shape `[point]`; None where they are not known."""
    lag_ms: NDArray[np.float64] | None = None
    """Lag of the pairs, where the protocols are pairs."""
    frequency_hz: NDArray[np.float64] | None = None
    """Pairs per second, where the protocols are regular."""
    unused: tuple[str, ...] = ()
    """Columns of the file that were left alone."""


def measurements(
    name: str,
    protocols: Sequence[Protocol | RateProtocol],
    change: Measured,
    sem: Measured = None,
    *,
    lag_ms: Measured = None,
    frequency_hz: Measured = None,
    check_unit: bool = True,
) -> Measurements:
    """Return measured changes, checked.

    Args:
        name: what they are, in a few words.
        protocols: one for each point, of times, of rates, or both.
        change: changes as shares of the weight before, at least -1, shape `[point]`.
        sem: their standard errors, above 0; None where they are not known.
        lag_ms: lags of the pairs in ms, for figures; NaN for rates, which have none.
        frequency_hz: frequencies in Hz, above 0, for figures; NaN for rates.
        check_unit: refuse plain numbers that look like another unit: of three points or more, changes of a median size
            above 10 (percent), and lags that all are below 0.2 ms in size and not 0 (seconds) or of a median size above
            5000 ms (microseconds).

    Raises:
        ValueError: no point, different numbers of points, numbers out of range, or in the
            wrong unit as far as that shows.

    Example:
        >>> import stdpjax
        >>> pairs = [stdpjax.protocols.pairs(lag, n_pairs=1) for lag in (-10, 10)]
        >>> stdpjax.fitting.measurements("two points", pairs, [-0.2, 0.4], [0.1, 0.1]).change.tolist()
        [-0.2, 0.4]
    """
    listed = checked_protocols("protocols", protocols)
    is_rate = np.array([isinstance(protocol, RateProtocol) for protocol in listed])
    name = _checks.text("name", name)

    def column(argument: str, values: Measured, unit: _units.Unit) -> NDArray[np.float64] | None:
        if values is None:
            return None
        values = _units.in_unit(argument, values, unit)
        numbers = _checks.as_array(argument, list(values) if isinstance(values, tuple) else values)
        if numbers.dtype.kind not in "iuf":
            raise ValueError(f"{argument}: expected numbers, got {values!r}")
        numbers = np.asarray(numbers, np.float64)
        if numbers.shape != (len(listed),):
            raise ValueError(f"{argument}: expected one for each of {len(listed)} protocols, got shape {numbers.shape}")
        # Rates have no lags and no frequency of pairs.
        is_open = np.isnan(numbers) & is_rate if argument in ("lag_ms", "frequency_hz") else False
        _checks.finite_on_host(argument, np.where(is_open, 0.0, numbers))
        return numbers

    changes, errors = column("change", change, "dimensionless"), column("sem", sem, "dimensionless")
    if changes is None:
        raise ValueError("change: expected one for each protocol, got None")
    lags = column("lag_ms", lag_ms, "ms")
    if _checks.flag("check_unit", check_unit):
        for argument, given, numbers in (("change", change, changes), ("lag_ms", lag_ms, lags)):
            if numbers is not None and not _units.carries_unit(given):
                refuse_other_unit(argument, argument, numbers[~np.isnan(numbers)])
    if np.any(changes < -1):
        raise ValueError(f"change: expected shares of at least -1, the loss of all weight, got {changes.min():g}")
    if errors is not None and not np.all(errors > 0):
        raise ValueError(f"sem: expected standard errors above 0, got {errors.min():g}")
    frequencies = column("frequency_hz", frequency_hz, "Hz")
    if frequencies is not None and np.any(frequencies <= 0):
        raise ValueError(f"frequency_hz: expected frequencies above 0, got {np.nanmin(frequencies):g}")
    return Measurements(name, listed, changes, errors, lags, frequencies)


def checked(argument: str, data: Any) -> Measurements:
    """Return measurements, checked anew: fields may have been replaced since."""
    if not isinstance(data, Measurements):
        raise ValueError(f"{argument}: expected measurements, as `stdpjax.fitting.measurements` makes, got {data!r}")
    again = measurements(*data[:4], lag_ms=data.lag_ms, frequency_hz=data.frequency_hz, check_unit=False)
    return again._replace(unused=data.unused)


def sjostrom_2001() -> Measurements:
    """Return the ten points of pairing frequency against weight change in visual cortex, with standard errors.

    Each is taken as 60 pairs at a regular frequency, as Pfister & Gerstner (2006) did in their fits.

    Returns:
        The measurements; for +10 ms first, then for -10 ms.

    Source: Sjöström, Turrigiano & Nelson 2001 (Neuron 32:1149), Fig 7.

    Example:
        >>> import stdpjax
        >>> points = stdpjax.fitting.sjostrom_2001()
        >>> points.lag_ms.tolist()[4:6], points.frequency_hz.tolist()[4:6], points.change.tolist()[4:6]
        ([10.0, -10.0], [50.0, 0.1], [0.56, -0.29])
    """
    frequencies = [0.1, 10.0, 20.0, 40.0, 50.0]
    change = [-0.04, 0.14, 0.29, 0.53, 0.56, -0.29, -0.41, -0.34, 0.56, 0.75]
    sem = [0.05, 0.10, 0.14, 0.11, 0.26, 0.08, 0.11, 0.10, 0.32, 0.19]
    lag_ms, frequency_hz = np.repeat([10.0, -10.0], 5), np.tile(frequencies, 2)
    done = [protocols.pairs(lag, frequency) for lag, frequency in zip(lag_ms, frequency_hz, strict=True)]
    return measurements("Sjöström et al. 2001", done, change, sem, lag_ms=lag_ms, frequency_hz=frequency_hz)


# Lags at which the fit of Bi & Poo is sampled, in ms.
_DISTANCES = (2.0, 4.0, 6.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 30.0, 40.0, 50.0, 65.0, 80.0)
# Potentiation and depression: amplitude and time constant in ms as published, without errors, and the standard errors
# that the same least squares has on the 45 points of Bi & Poo (1998), Figure 7, as digitised in
# github.com/dspicher/STDP_Multicompartment (experimental_data/bi_poo_stdp_points.csv at 57e5cf2): 78.8 ± 20.0 % and
# 16.5 ± 8.7 ms on the 23 points of potentiation, -27.2 ± 4.4 % and 32.7 ± 12.8 ms on 19 of depression, without the
# three at less than 3.2 ms that potentiated.
_BI_POO_FIT = ((0.777, 16.8, 0.200, 8.7), (-0.273, 33.7, 0.044, 12.8))


def bi_poo_2001(key: Key[Array, ""] | None = None) -> Measurements:
    """Return points drawn from the exponential fit to the window of cultured hippocampal neurons, with its errors.

    These are not measured points: at each lag the change is that of the published fit, plus a normal error of the
    standard deviation that the errors of amplitude and time constant imply there.

    Args:
        key: a scalar key of the errors; None for points on the curve.

    Returns:
        The measurements; the change at a lag is that by the whole protocol (60 pairs at 1 Hz), taken as one pair.

    Raises:
        ValueError: no key.

    Source: Bi & Poo 2001 (Annu Rev Neurosci 24:139).

    Example:
        >>> import stdpjax
        >>> points = stdpjax.fitting.bi_poo_2001()
        >>> points.change.round(2).tolist()[:3], points.sem.round(2).tolist()[:3]
        ([-0.03, -0.04, -0.06], [0.02, 0.03, 0.04])
    """
    lag_ms = np.array([*(-distance for distance in reversed(_DISTANCES)), *_DISTANCES])
    amplitude, tau, amplitude_error, tau_error = np.array([_BI_POO_FIT[0 if lag > 0 else 1] for lag in lag_ms]).T
    decay = np.exp(-np.abs(lag_ms) / tau)
    sem = np.hypot(decay * amplitude_error, amplitude * np.abs(lag_ms) / tau**2 * decay * tau_error)
    change = amplitude * decay
    if key is not None:
        key = _checks.key("key", key)
        change = change + sem * np.asarray(jax.random.normal(key, lag_ms.shape, float), np.float64)
    done = [protocols.pairs(lag, n_pairs=1) for lag in lag_ms]
    return measurements("drawn from the fit of Bi & Poo 2001", done, change, sem, lag_ms=lag_ms)


# Name -> the measurements of a seed; only drawn ones depend on it.
PRESETS: Mapping[str, Callable[[int], Measurements]] = MappingProxyType(
    {
        "sjostrom_2001": lambda seed: sjostrom_2001(),
        "bi_poo_2001": lambda seed: bi_poo_2001(random.named_key(random.key(seed), "bi_poo_2001")),
    }
)
