"""Measured weight changes: protocols, what they did, and how sure that is; from numbers, presets and CSV files."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Key
from numpy.typing import NDArray

from stdpjax import _checks, _units, protocols, random
from stdpjax._units import Measured
from stdpjax.fitting.models import checked_protocols
from stdpjax.fitting.tables import Table, read_table
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
) -> Measurements:
    """Return measured changes, checked.

    Args:
        name: what they are, in a few words.
        protocols: one for each point, all of times or all of rates.
        change: changes as shares of the weight before, shape `[point]`.
        sem: their standard errors, above 0; None where they are not known.
        lag_ms: lags of the pairs in ms, for figures.
        frequency_hz: frequencies in Hz, above 0, for figures.

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
    listed = checked_protocols("protocols", protocols)
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
        _checks.finite_on_host(argument, numbers)
        return numbers

    changes, errors = column("change", change, "dimensionless"), column("sem", sem, "dimensionless")
    if changes is None:
        raise ValueError("change: expected one for each protocol, got None")
    if errors is not None and not np.all(errors > 0):
        raise ValueError(f"sem: expected standard errors above 0, got {errors.min():g}")
    frequencies = column("frequency_hz", frequency_hz, "Hz")
    if frequencies is not None and not np.all(frequencies > 0):
        raise ValueError(f"frequency_hz: expected frequencies above 0, got {frequencies.min():g}")
    return Measurements(name, listed, changes, errors, column("lag_ms", lag_ms, "ms"), frequencies)


def checked(argument: str, data: Any) -> Measurements:
    """Return measurements, checked anew: fields may have been replaced since."""
    if not isinstance(data, Measurements):
        raise ValueError(f"{argument}: expected measurements, as `stdpjax.fitting.measurements` makes, got {data!r}")
    return measurements(*data[:4], lag_ms=data.lag_ms, frequency_hz=data.frequency_hz)._replace(unused=data.unused)


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


def load(data: str | Path, seed: int = 0, *, n_repeats: int | None = None) -> Measurements:
    """Return the measurements of a preset's name or of a file.

    Args:
        data: "sjostrom_2001", "bi_poo_2001", or a file as `read_measurements` takes it.
        seed: of the errors that are drawn for "bi_poo_2001".
        n_repeats: as `read_measurements` takes it; None for presets.

    Returns:
        The measurements.

    Raises:
        ValueError: neither a preset nor a readable file, or `n_repeats` of what has them already.

    Example:
        >>> import stdpjax
        >>> stdpjax.fitting.load("sjostrom_2001").name
        'Sjöström et al. 2001'
    """
    seed = _checks.seed(seed)
    if not isinstance(data, str | Path):
        raise ValueError(f"data: expected a CSV file or one of {', '.join(PRESETS)}, got {data!r}")
    if str(data) in PRESETS:
        if n_repeats is not None:
            raise ValueError(f"n_repeats: expected none for {str(data)!r}, whose protocols are known, got {n_repeats}")
        return PRESETS[str(data)](seed)
    if not Path(data).exists():
        raise ValueError(f"data: expected a CSV file or one of {', '.join(PRESETS)}, got {str(data)!r}")
    return read_measurements(data, n_repeats=n_repeats)


def read_measurements(path: str | Path, *, n_repeats: int | None = None) -> Measurements:
    r"""Read measured changes from a file of lines with numbers between commas, semicolons or tabs.

    A header names the columns, in any order:

    - `lag_ms`, post time minus pre time; or both `pre_ms` and `post_ms`, the spike times of one repeat with spaces
      between them;
    - `change_percent`; or `epsp_ratio`, the weight after over the weight before; or `percent_of_baseline`, the same
      in percent;
    - optionally `sem`, the standard error of the change, in the unit of the change;
    - optionally `frequency_hz` and `n_repeats`, how often a second the pairs or blocks were repeated, and how many
      times. Without both one repeat stands for the whole protocol.

    Upper case, spaces and units in brackets do not matter, as in `Lag (ms)`. Other columns are left alone, and named
    in `unused`; those whose names are nearly one of these are refused. Without a header the columns are lag_ms,
    change_percent and optionally sem. Empty lines and lines that begin with # are skipped, but for a header after #.
    The sign before decimals may be a point or, where commas do not stand between columns, a comma.

    Args:
        path: the file.
        n_repeats: how often each protocol was repeated, at least 2, for a file of `frequency_hz` without `n_repeats`.

    Returns:
        The measurements.

    Raises:
        ValueError: the file cannot be read, is empty, can be read in two ways, lacks a column without which another
            one says nothing, or has a malformed line (the message names the line).

    Example:
        >>> import pathlib, tempfile, stdpjax
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "points.csv"
        ...     _ = file.write_text("lag_ms,change_percent,sem\n10,45.5,5\n-10,-20,5\n")
        ...     stdpjax.fitting.read_measurements(file).change.tolist()
        [0.455, -0.2]
    """
    table = read_table(path)
    repeats = _repeats(table, n_repeats, str(path))
    done = []
    for i, row in enumerate(table.rows):
        frequency = row.values.get("frequency_hz", 1.0)
        assert isinstance(frequency, float)
        try:
            if "lag_ms" in row.values:
                done.append(protocols.pairs(row.values["lag_ms"], frequency, repeats[i]))
            else:
                done.append(protocols.repeated(row.values["pre_ms"], row.values["post_ms"], frequency, repeats[i]))
        except ValueError as error:
            raise ValueError(f"data: expected a protocol on line {row.number} of {str(path)!r}, got {error}") from error
    change, sem = table.column("change_percent"), table.column("sem_percent")
    assert change is not None
    return measurements(
        Path(path).name,
        done,
        change / 100,
        None if sem is None else sem / 100,
        lag_ms=table.column("lag_ms"),
        frequency_hz=table.column("frequency_hz"),
    )._replace(unused=table.unused)


def _repeats(table: Table, n_repeats: int | None, path: str) -> list[int]:
    """Return how often the protocol of each row was repeated, refusing frequencies and repeats that have no effect."""
    has_frequency, column = "frequency_hz" in table.columns, table.column("n_repeats")
    if n_repeats is not None:
        _checks.count("n_repeats", n_repeats, minimum=2)
        if column is not None or not has_frequency:
            what = "has n_repeats" if column is not None else "has no frequency_hz, without which they say nothing"
            raise ValueError(f"n_repeats: expected none for {path!r}, which {what}, got {n_repeats}")
        return [n_repeats] * len(table.rows)
    if column is None:
        if has_frequency:
            raise ValueError(
                f"data: expected a column n_repeats beside frequency_hz, which says nothing without it, in {path!r}, "
                "or --n-repeats N (`n_repeats=N`) for all protocols, got neither"
            )
        return [1] * len(table.rows)
    if not has_frequency:
        raise ValueError(f"data: expected a column frequency_hz beside n_repeats in {path!r}, got none")
    for row, number in zip(table.rows, column, strict=True):
        if number < 1 or number != int(number):
            raise ValueError(
                f"data: expected a whole number of at least 1 as n_repeats on line {row.number} of {path!r}, got "
                f"{number:g}"
            )
    if np.all(column == 1):
        raise ValueError(
            f"data: expected n_repeats above 1 on some line of {path!r}, got 1 on all, with which frequency_hz says "
            "nothing"
        )
    return [int(number) for number in column]
