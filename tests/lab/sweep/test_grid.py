"""Grids: what is read from text, what is refused, and which cells share a program."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdpjax import studies
from stdpjax.lab.sweep import parse_grid, parse_memory
from stdpjax.lab.sweep.grid import make_groups, read_grid

STUDY = studies.find("stdp_window")
POSITIVE = st.floats(0.01, 1e4, allow_nan=False)


@given(st.lists(st.floats(-1e6, 1e6, allow_nan=False), min_size=1, max_size=8, unique=True))
def test_a_list_comes_back_as_it_was_written(values):
    text = "tau=" + ",".join(map(repr, values))
    assert parse_grid(STUDY, [text]) == {"tau": tuple(values)}


@given(POSITIVE, POSITIVE, st.integers(2, 20), st.booleans())
def test_a_range_has_its_ends_its_number_and_even_steps(low, high, n, is_log):
    if math.isclose(low, high, rel_tol=1e-3):
        high = 2 * low
    (values,) = parse_grid(STUDY, [f"width={low!r}:{high!r}:{n}{':log' * is_log}"]).values()
    assert len(values) == n
    np.testing.assert_allclose([values[0], values[-1]], [low, high], rtol=1e-12)
    steps = np.diff(np.log(values) if is_log else values)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)


@given(st.text(max_size=12))
def test_any_text_is_read_or_refused_by_name(text):
    message = ""
    values: tuple = ()
    try:
        (values,) = parse_grid(STUDY, [f"window={text}"]).values()
    except ValueError as error:
        message = str(error)
    assert message.startswith("window: expected ") != (values != ())
    assert all(type(value) is int for value in values)


def test_whole_numbers_come_from_ranges_that_hold_no_others():
    assert parse_grid(STUDY, ["window=5:40:4:log"]) == {"window": (5, 10, 20, 40)}
    assert parse_grid(STUDY, ["window=5:20:4"]) == {"window": (5, 10, 15, 20)}
    with pytest.raises(ValueError, match="window: expected a range of whole numbers"):
        parse_grid(STUDY, ["window=5:8:3"])


def test_values_get_the_type_of_their_setting():
    read = read_grid(STUDY, {"tau": np.array([5, 10]), "window": range(4, 6), "kernel": ["sign"]})
    assert read == {"tau": (5.0, 10.0), "window": (4, 5), "kernel": ("sign",)}
    assert [type(value) for values in read.values() for value in values] == [float, float, int, int, str]


BAD = {
    "nothing": ([], "grid: expected at least one parameter"),
    "no equals sign": (["tau"], "--grid: expected NAME=A,B,..."),
    "unknown": (["taus=1,2"], "can be swept (max_probability, width, voltage_scale, tau, window,"),
    "not a setting of a point": (["data=1,2"], "got 'data'"),
    "no values": (["tau="], "tau: expected at least one value"),
    "empty value": (["tau=1,,2"], "tau: expected numbers separated by commas"),
    "twice": (["tau=1", "tau=2"], "--grid: expected each parameter once, got tau"),
    "same value": (["tau=1,1.0"], "tau: expected different values, got 1.0 more than once"),
    "short range": (["tau=1:2"], "tau: expected a range LO:HI:N or LO:HI:N:log, got '1:2'"),
    "long range": (["tau=1:2:3:log:4"], "expected a range"),
    "other spacing": (["tau=1:2:3:square"], "expected a range"),
    "infinite range": (["tau=1:inf:3"], "expected a range"),
    "fractional number": (["tau=1:2:2.5"], "expected a range"),
    "no number": (["tau=1:2:0"], "expected a range of 1 to 1000000 values, got 0"),
    "log of 0": (["tau=0:2:3:log"], "expected bounds above 0 for a logarithmic range"),
    "not whole": (["window=3.5"], "window: expected whole numbers"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_grid_says_what_was_expected(case):
    texts, part = BAD[case]
    with pytest.raises(ValueError) as caught:
        parse_grid(STUDY, texts)
    assert part in str(caught.value)


OUT_OF_RANGE = {
    "traced": ({"max_probability": (0.1, 1.5)}, {}, "max_probability: expected"),
    "structural": ({"window": (5, 0)}, {}, "window: expected a whole number"),
    "structural by another": ({"window": (5, 50), "n_steps": (160, 40)}, {}, "expected at most the record's 40 bins"),
    "of this drive only": ({"width": (0.5, 2.0), "drive": ("sinusoids", "leaky_ornstein_uhlenbeck")}, {}, "above 1"),
    "word": ({"kernel": ("sign", "mexican")}, {}, "kernel: expected one of"),
    "wrong type": ({"window": ("5",)}, {}, "window: expected int, got '5'"),
    "given twice": ({"tau": (5.0,)}, {"tau": 3.0}, "tau: expected either a setting or a parameter of the grid"),
}


@pytest.mark.parametrize("case", OUT_OF_RANGE)
def test_a_value_out_of_range_is_found_in_whatever_cell_it_is(case):
    grid, overrides, part = OUT_OF_RANGE[case]
    with pytest.raises(ValueError) as caught:
        make_groups(STUDY, grid, True, overrides)
    assert part in str(caught.value)


def test_groups_share_out_the_cells_and_keep_their_numbers():
    grid = {"tau": (5.0, 10.0), "window": (4, 8, 6), "width": (3.0, 30.0)}
    groups = make_groups(STUDY, grid, True, {})
    cells = list(itertools.product(*grid.values()))
    seen = {}
    for group in groups:
        for place, cell in enumerate(group.cells.tolist()):
            seen[cell] = (group.values["tau"][place], group.config.window, group.values["width"][place])
    assert [seen[cell] for cell in range(len(cells))] == cells
    assert {group.config.width for group in groups} == {32.0}


def test_values_that_are_traced_do_not_change_what_is_compiled():
    def configs(**grid):
        return [group.config for group in make_groups(STUDY, grid, True, {})]

    assert configs(tau=(5.0, 7.0)) == configs(tau=(1.0,)) == configs(max_probability=(0.3,), width=(2.0, 16.0))


@pytest.mark.parametrize(
    ("text", "n_bytes"), [(100, 100), ("100", 100), ("2GiB", 2**31), ("2G", 2**31), ("1.5 MB", 1_500_000), ("7B", 7)]
)
def test_memory_is_read_in_any_unit(text, n_bytes):
    assert parse_memory(text) == n_bytes


@pytest.mark.parametrize("text", ["", "much", "-1", "0", "1.2.3", "3 parsecs", "nan", True, -5])
def test_memory_of_no_size_is_refused(text):
    with pytest.raises(ValueError, match="memory: expected bytes"):
        parse_memory(text)
