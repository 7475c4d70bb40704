"""The table of a portrait: the numbers that tell rules apart, as rows and as text."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import xarray as xr

from stdpjax.lab.portraits.figure import check_portrait


def table(data: xr.Dataset) -> list[dict[str, Any]]:
    """Return all numbers of a portrait that are not curves of many lags, a row for each.

    Args:
        data: what `portrait` returned.

    Returns:
        Rows of "quantity", "at" (lag, frequency, rate and so on), "unit", "rule", "value", "low" and "high".

    Raises:
        ValueError: no portrait.

    Example:
        >>> from stdpjax import lab
        >>> from stdpjax.lab import portraits
        >>> small = dict(n_pairs=1, n_trials=2, n_ramp_trials=2, n_sequences=4, n_trains=2, n_resamples=2)
        >>> data = lab.portrait("hebb", **small)
        >>> rows = [row for row in portraits.table(data) if row["quantity"] == "drift" and row["at"] == "post_hz 20"]
        >>> [round(row["value"], 3) for row in rows]  # 20 Hz times 20 Hz, for a second in bins of 1 ms
        [0.4]
    """
    check_portrait(data)
    rows = []
    for name, array in data.data_vars.items():
        if str(name).endswith(("_low", "_high")):
            continue
        for at, place in _places(data, array):
            for rule in map(str, data.rule.values):
                numbers = {
                    end: float(data[f"{name}{suffix}"].sel(rule=rule, **place))
                    for end, suffix in (("value", ""), ("low", "_low"), ("high", "_high"))
                }
                rows.append({"quantity": name, "at": at, "unit": array.units, "rule": rule, **numbers})
    return rows


def _places(data: xr.Dataset, array: xr.DataArray) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the places of a variable, in words and by its coordinates; of many lags some."""
    dims = [str(dim) for dim in array.dims if dim != "rule"]
    few = {dim: _few(dim, data) for dim in dims}
    places: list[dict[str, Any]] = [{}]
    for dim in dims:
        places = [{**place, dim: value} for place in places for value in few[dim]]
    for place in places:
        yield ", ".join(f"{dim} {_short(value)}" for dim, value in place.items()), place


def _few(dim: str, data: xr.Dataset) -> list[Any]:
    values = data[dim].values.tolist()
    if dim not in ("lag", "nearest_lag"):
        return values
    wanted = data.attrs["pair_lag_ms"]
    return [min(values, key=lambda one: abs(one - lag)) for lag in (-2 * wanted, -wanted, wanted, 2 * wanted)]


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_text(data: xr.Dataset) -> str:
    """Return the table as text, a column for each rule, without the checks by sampling.

    Args:
        data: what `portrait` returned.

    Raises:
        ValueError: no portrait.

    Example:
        >>> from stdpjax import lab
        >>> from stdpjax.lab import portraits
        >>> small = dict(n_pairs=1, n_trials=2, n_ramp_trials=2, n_sequences=4, n_trains=2, n_resamples=2)
        >>> data = lab.portrait("hebb", **small)
        >>> print(portraits.as_text(data).splitlines()[0])
        A: hebb
    """
    rows = table(data)
    names = [str(name) for name in data.rule.values]
    letters = [chr(ord("A") + i) if i < 26 else f"rule {i + 1}" for i in range(len(names))]
    lines = [f"{letter}: {name}" for letter, name in zip(letters, names, strict=True)]
    by_place: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if not str(row["quantity"]).endswith("_sampled"):
            by_place.setdefault((str(row["quantity"]), row["at"]), []).append(_number(row))
    heads = [f"{quantity}  {at}".rstrip() for quantity, at in by_place]
    width = max(map(len, heads))
    lines += ["", " " * width + "".join(f"  {letter:>22}" for letter in letters)]
    for head, cells in zip(heads, by_place.values(), strict=True):
        lines.append(f"{head:{width}}" + "".join(f"  {cell:>22}" for cell in cells))
    missing = {data[name].attrs["missing"] for name in data.data_vars if "missing" in data[name].attrs}
    return "\n".join([*lines, *(f"no answer: {reason}" for reason in sorted(missing))])


def _number(row: Mapping[str, Any]) -> str:
    value, low, high = row["value"], row["low"], row["high"]
    if math.isnan(value):
        return "-"
    form = ".0f" if row["unit"] == "cells" else ".3g"
    value, low, high = ("no number" if math.isinf(number) else format(number, form) for number in (value, low, high))
    return value if low == high else f"{value} ({low} … {high})"
