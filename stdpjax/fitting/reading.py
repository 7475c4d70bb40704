"""Measurements from CSV files and by the names of presets."""

from pathlib import Path

import numpy as np

from stdpjax import _checks, protocols
from stdpjax.fitting.measurements import PRESETS, Measurements, measurements
from stdpjax.fitting.tables import Table, read_table


def load(data: str | Path, seed: int = 0, *, n_repeats: int | None = None, check_unit: bool = True) -> Measurements:
    """Return the measurements of a preset's name or of a file.

    Args:
        data: "sjostrom_2001", "bi_poo_2001", or a file as `read_measurements` takes it.
        seed: of the errors that are drawn for "bi_poo_2001".
        n_repeats: as `read_measurements` takes it; None for presets.
        check_unit: as `read_measurements` takes it; presets need none.

    Raises:
        ValueError: neither a preset nor a readable file, or `n_repeats` of what has them already.

    Example:
        >>> import stdpjax
        >>> stdpjax.fitting.load("sjostrom_2001").name
        'Sjöström et al. 2001'
    """
    seed, check_unit = _checks.seed(seed), _checks.flag("check_unit", check_unit)
    if not isinstance(data, str | Path):
        raise ValueError(f"data: expected a CSV file or one of {', '.join(PRESETS)}, got {data!r}")
    if str(data) in PRESETS:
        if n_repeats is not None:
            raise ValueError(f"n_repeats: expected none for {str(data)!r}, whose protocols are known, got {n_repeats}")
        return PRESETS[str(data)](seed)
    if not Path(data).exists():
        raise ValueError(
            f"data: expected a CSV file or one of {', '.join(PRESETS)}, got {str(data)!r}, and there is no such file"
        )
    return read_measurements(data, n_repeats=n_repeats, check_unit=check_unit)


def read_measurements(path: str | Path, *, n_repeats: int | None = None, check_unit: bool = True) -> Measurements:
    r"""Read measured changes from a file of lines with numbers between commas, semicolons or tabs.

    A header names the columns, in any order:

    - `lag_ms`, post time minus pre time; or both `pre_ms` and `post_ms`, the spike times of one repeat with spaces
      between them;
    - `change_percent`; or `epsp_ratio`, the weight after over the weight before; or `percent_of_baseline`, the same
      in percent;
    - optionally `sem`, the standard error of the change, in the unit of the change;
    - optionally `frequency_hz` and `n_repeats`, how often a second the pairs or blocks were repeated, and how many
      times. Without both one repeat stands for the whole protocol.

    Upper case, spaces and units in brackets do not matter, as in `Lag (ms)`. The names of changes may begin with
    weight, epsp or epsc. Other columns are left alone, and named in `unused`; those whose names are nearly one of these
    are refused. Without a header the columns are lag_ms, change_percent and optionally sem. Empty lines and lines that
    begin with # are skipped, but for a header after # and for errors of spreadsheets, as `#N/A`, which are no numbers.
    The sign before decimals may be a point or, where commas do not stand between columns, a comma.

    Args:
        path: the file.
        n_repeats: how often each protocol was repeated, at least 2, for a file of `frequency_hz` without `n_repeats`.
        check_unit: refuse numbers that look like another unit: ratios of a median above 10 (percent); of three lines or
            more, changes in percent none of which is above 1 in size (shares), percent of the weight before none of
            which is above 10 (ratios), lags or blocks of spikes that all are below 0.2 ms and not 0 (seconds), and lags
            of a median size above 5000 ms (microseconds).

    Raises:
        ValueError: the file cannot be read, is empty, can be read in two ways, lacks a column without which another
            one says nothing, is in the wrong unit as far as that shows, or has a malformed line or a change below
            -100 % (the message names the line).

    Example:
        >>> import pathlib, tempfile, stdpjax
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = pathlib.Path(folder) / "points.csv"
        ...     _ = file.write_text("lag_ms,change_percent,sem\n10,45.5,5\n-10,-20,5\n")
        ...     stdpjax.fitting.read_measurements(file).change.tolist()
        [0.455, -0.2]
    """
    table = read_table(path, check_unit=_checks.flag("check_unit", check_unit))
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
        check_unit=False,
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
