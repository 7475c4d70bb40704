"""Quantities of the libraries that neuroscientists use: converted, or refused."""

import datetime
from typing import Any

import numpy as np
import pytest
import quantities as pq
import xarray

from stdpjax import _checks, _units


class Pint:
    """What Pint's quantities offer."""

    def __init__(self, magnitude, unit):
        self.magnitude, self.unit = magnitude, unit

    def to(self, unit):
        factor = {("s", "ms"): 1000.0, ("kHz", "Hz"): 1000.0, ("percent", "dimensionless"): 0.01}[self.unit, unit]
        return Pint(self.magnitude * factor, unit)


class Astropy:
    """What Astropy's quantities offer."""

    def __init__(self, value, unit):
        self.value, self.unit = value, unit

    def to_value(self, unit):
        return self.value * {("s", "ms"): 1000.0, ("kHz", "Hz"): 1000.0, ("percent", ""): 0.01}[self.unit, unit]


class _Dimension:
    def __init__(self, seconds, metres=0):
        self.powers = {"s": seconds, "m": metres}

    def get_dimension(self, name):
        return self.powers.get(name, 0)


class Brian(np.ndarray):
    """What Brian2's quantities offer: SI numbers with dimensions, in an array."""

    dim: Any

    @staticmethod
    def of(value, **powers):
        made = np.asarray(value, float).view(Brian)
        made.dim = _Dimension(**powers)
        return made


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.01 * pq.s, "ms", 10.0),
        (5 / pq.s, "Hz", 5.0),
        (2 * pq.kHz, "Hz", 2000.0),
        (50 * pq.percent, "dimensionless", 0.5),
        (np.array([1.0, 2.0]) * pq.s, "ms", [1000.0, 2000.0]),
        ([1.0 * pq.s, 2.0 * pq.ms], "ms", [1000.0, 2.0]),
        ([[1.0 * pq.s], []], "ms", None),
        (Pint(0.01, "s"), "ms", 10.0),
        (Pint(2.0, "kHz"), "Hz", 2000.0),
        (Pint(50.0, "percent"), "dimensionless", 0.5),
        (Astropy(0.01, "s"), "ms", 10.0),
        (Astropy(50.0, "percent"), "dimensionless", 0.5),
        (Brian.of(0.01, seconds=1), "ms", 10.0),
        (Brian.of([3.0, 4.0], seconds=-1), "Hz", [3.0, 4.0]),
        (datetime.timedelta(seconds=2), "ms", 2000.0),
        (np.array([1, 2], "timedelta64[us]"), "ms", [0.001, 0.002]),
        (xarray.DataArray([1.0], attrs={"units": "ms"}), "ms", [1.0]),
        (2.5, "ms", 2.5),
        ([1.0, 2.0], "Hz", [1.0, 2.0]),
    ],
)
def test_a_unit_becomes_the_one_that_is_wanted(value, unit, expected):
    if expected is None:
        with pytest.raises(ValueError, match="x: expected a unit with all of the values or with none"):
            _units.in_unit("x", value, unit)
        return
    np.testing.assert_allclose(np.asarray(_units.in_unit("x", value, unit), float), expected, rtol=1e-12)


@pytest.mark.parametrize("unit", ["ms", "Hz", "dimensionless"])
@pytest.mark.parametrize(
    "value",
    [
        5 * pq.mV,
        [5 * pq.mV],
        Pint(1.0, "mV"),
        Astropy(1.0, "mV"),
        Brian.of(1.0, seconds=1, metres=1),
        xarray.DataArray([1.0], attrs={"units": "mV"}),
    ],
    ids=["quantities", "list", "pint", "astropy", "brian", "xarray"],
)
def test_another_unit_is_refused(value, unit):
    with pytest.raises(ValueError, match=r"^x: expected a .*number.*, got"):
        _units.in_unit("x", value, unit)


def test_where_no_unit_belongs_one_is_refused_and_times_and_rates_convert():
    for check in (_checks.number, _checks.finite, _checks.probability, _checks.spikes, _checks.hertz):
        with pytest.raises(ValueError, match=r"^x: expected .*, got"):
            check("x", 0.01 * pq.s)
    assert _checks.milliseconds("x", 0.01 * pq.s, above=0) == 10.0
    assert _checks.hertz("x", 2 * pq.kHz, above=0) == 2000.0
    with pytest.raises(ValueError, match="x: expected a finite number above 0, got"):
        _checks.milliseconds("x", -0.01 * pq.s, above=0)
