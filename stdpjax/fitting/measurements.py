"""Measured weight changes: protocols, what they did, and how sure that is; from numbers, presets and CSV files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import ArrayLike, NDArray

from stdpjax import _checks, protocols, random
from stdpjax.fitting.tables import read_rows
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


def measurements(
    name: str,
    protocols: Sequence[Protocol | RateProtocol],
    change: ArrayLike,
    sem: ArrayLike | None = None,
    *,
    lag_ms: ArrayLike | None = None,
    frequency_hz: ArrayLike | None = None,
) -> Measurements:
    """Return measured changes, checked.

    Args:
        name: what they are, in a few words.
        protocols: one for each point, all of times or all of rates.
        change: changes as shares of the weight before, shape `[point]`.
        sem: their standard errors, above 0; None where they are not known.
        lag_ms: lags of the pairs, for figures.
        frequency_hz: frequencies, for figures.

    Returns:
        The measurements.

    Raises:
        ValueError: no point, different numbers of points, protocols of both kinds, or numbers out of range.

    Example:
        >>> import stdpjax
        >>> pairs = [stdpjax.protocols.pairs(lag, n_pairs=1) for lag in (-10, 10)]
        >>> stdpjax.fitting.measurements("two points", pairs, [-0.2, 0.4], [0.1, 0.1]).change.tolist()
        [-0.2, 0.4]
    """
    listed = tuple(protocols)
    if not listed:
        raise ValueError("protocols: expected at least one, got none")
    if len({type(protocol) for protocol in listed}) > 1:
        raise ValueError("protocols: expected all of spike times or all of rates, got both kinds")
    columns: dict[str, NDArray[np.float64] | None] = {"change": None, "sem": None, "lag_ms": None, "frequency_hz": None}
    given = {"change": change, "sem": sem, "lag_ms": lag_ms, "frequency_hz": frequency_hz}
    for column, values in given.items():
        if values is None:
            continue
        numbers = np.asarray(values, np.float64)
        _checks.finite_on_host(column, numbers)
        if numbers.shape != (len(listed),):
            raise ValueError(f"{column}: expected one for each of {len(listed)} protocols, got shape {numbers.shape}")
        columns[column] = numbers
    errors = columns["sem"]
    if errors is not None and not np.all(errors > 0):
        raise ValueError(f"sem: expected standard errors above 0, got {errors.min():g}")
    assert columns["change"] is not None
    return Measurements(name, listed, columns["change"], errors, columns["lag_ms"], columns["frequency_hz"])


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
# Potentiation and depression: amplitude and time constant in ms, and their standard errors from the measured points.
_BI_POO_FIT = ((0.777, 16.8, 0.200, 8.7), (-0.273, 33.7, 0.044, 12.8))


def bi_poo_2001(key: Key[Array, ""] | None = None) -> Measurements:
    """Return points drawn from the exponential fit to the window of cultured hippocampal neurons, with its errors.

    These are not measured points: at each lag the change is that of the published fit, plus a normal error of the
    standard deviation that the errors of amplitude and time constant imply there.

    Args:
        key: a scalar key of the errors; None for points on the curve.

    Returns:
        The measurements; the change at a lag is that by the whole protocol (60 pairs at 1 Hz), taken as one pair.

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


def load(data: str | Path, seed: int = 0) -> Measurements:
    """Return the measurements of a preset's name or of a CSV file.

    Args:
        data: "sjostrom_2001", "bi_poo_2001", or a file as `read_measurements` takes it.
        seed: of the errors that are drawn for "bi_poo_2001".

    Returns:
        The measurements.

    Raises:
        ValueError: neither a preset nor a readable file.

    Example:
        >>> import stdpjax
        >>> stdpjax.fitting.load("sjostrom_2001").name
        'Sjöström et al. 2001'
    """
    if str(data) in PRESETS:
        return PRESETS[str(data)](_checks.seed(seed))
    if not Path(data).exists():
        raise ValueError(f"data: expected a CSV file or one of {', '.join(PRESETS)}, got {str(data)!r}")
    return read_measurements(data)


def read_measurements(path: str | Path) -> Measurements:
    r"""Read measured changes from a CSV file.

    Args:
        path: the file. Lines are (lag_ms, change_percent[, sem]) with or without a header, or have a header with
            `change_percent`, optionally `sem` (of the change, in percent), optionally `frequency_hz` and `n_repeats`,
            and either `lag_ms` or both `pre_ms` and `post_ms`, spike times of one repeat separated by spaces. Without
            a frequency one repeat stands for the whole protocol. Empty lines and lines that begin with # are skipped.

    Returns:
        The measurements.

    Raises:
        ValueError: the file cannot be read, is empty, or has a malformed line (the message names the line).

    Example:
        >>> import pathlib, tempfile, stdpjax
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "points.csv"
        ...     _ = file.write_text("lag_ms,change_percent,sem\n10,45.5,5\n-10,-20,5\n")
        ...     stdpjax.fitting.read_measurements(file).change.tolist()
        [0.455, -0.2]
    """
    rows = read_rows(path)
    done = []
    for row in rows:
        try:
            done.append(_protocol_of(row.values))
        except ValueError as error:
            raise ValueError(f"data: expected a protocol on line {row.number} of {str(path)!r}, got {error}") from error
    has_sem = ["sem" in row.values for row in rows]
    if any(has_sem) and not all(has_sem):
        without = rows[has_sem.index(False)].number
        raise ValueError(f"data: expected a sem on every line or on none, got none on line {without} of {str(path)!r}")
    first = rows[0].values

    def column(name: str) -> NDArray[np.float64] | None:
        return np.array([row.values[name] for row in rows], np.float64) if name in first else None

    sem = column("sem")
    return measurements(
        Path(path).name,
        done,
        np.array([row.values["change_percent"] for row in rows]) / 100,
        None if sem is None else sem / 100,
        lag_ms=column("lag_ms"),
        frequency_hz=column("frequency_hz"),
    )


def _protocol_of(values: Mapping[str, float | tuple[float, ...]]) -> Protocol:
    frequency, n_repeats = values.get("frequency_hz", 1.0), values.get("n_repeats", 1.0)
    assert isinstance(frequency, float)
    assert isinstance(n_repeats, float)
    if n_repeats != int(n_repeats):
        raise ValueError(f"n_repeats: expected a whole number, got {n_repeats:g}")
    if "lag_ms" in values:
        lag = values["lag_ms"]
        assert isinstance(lag, float)
        return protocols.pairs(lag, frequency, int(n_repeats))
    pre, post = values["pre_ms"], values["post_ms"]
    assert isinstance(pre, tuple)
    assert isinstance(post, tuple)
    return protocols.repeated(pre, post, frequency, int(n_repeats))
