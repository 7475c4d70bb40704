"""Searches side by side: known ends, numbers that are held, changes of their own."""

import numpy as np
import pytest

from stdpjax import fitting, random
from stdpjax.fitting import bi_poo_2001, random_starts, search

CURVE = bi_poo_2001()
DRAWN = bi_poo_2001(random.key(0))
NAMES = ["A_plus", "A_minus", "tau_plus", "tau_minus"]


def test_searches_from_random_starts_find_the_curve_and_more_starts_keep_the_first():
    starts = random_starts(random.key(1), "pair", CURVE, 6)
    np.testing.assert_array_equal(random_starts(random.key(1), "pair", CURVE, 3), starts[:3])
    found = search("pair", CURVE, starts)
    assert found.names == tuple(NAMES)
    np.testing.assert_allclose(list(found.best().values()), (0.777, 0.273, 16.8, 33.7), rtol=1e-4)
    assert found.sum_of_squares.min() < 1e-8


def test_each_search_has_its_own_changes_and_holds_what_it_is_told():
    start = [0.5, 0.5, 30.0, 20.0]
    is_free = [[True] * 4, [True, True, False, True]]
    found = search("pair", CURVE, [start] * 2, changes=[CURVE.change, DRAWN.change], is_free=is_free)
    np.testing.assert_allclose(found.numbers[0], (0.777, 0.273, 16.8, 33.7), rtol=1e-4)
    assert found.numbers[1, 2] == pytest.approx(30.0, rel=1e-9)
    fixed = search("pair", DRAWN, [0.5, 0.5, 20.0], fixed={"tau_plus": 30.0})
    assert fixed.names == ("A_plus", "A_minus", "tau_minus")
    assert found.sum_of_squares[1] == pytest.approx(fixed.sum_of_squares[0], rel=1e-8)
    # Sides do not depend on each other: depression ends as in a fit of all.
    free = search("pair", DRAWN, start)
    np.testing.assert_allclose(found.numbers[1, [1, 3]], free.numbers[0, [1, 3]], rtol=1e-4)
    assert found.sum_of_squares[1] > free.sum_of_squares[0]


@pytest.mark.parametrize(
    ("starts", "options", "message"),
    [
        ([[1.0, 1.0]], {}, "starts: expected numbers for A_plus"),
        ([[1.0, 1.0, np.nan, 1.0]], {}, "starts: "),
        ([[1.0] * 4], {"changes": [[1.0, 2.0]]}, r"changes: expected shape \(1, 28\)"),
        ([[1.0] * 4], {"is_free": [True, False]}, r"is_free: expected shape \(1, 4\)"),
        ([[1.0] * 4], {"fixed": {"tau": 1.0}}, "fixed: expected one of"),
    ],
)
def test_refusals(starts, options, message):
    with pytest.raises(ValueError, match=message):
        search("pair", CURVE, starts, **options)
    with pytest.raises(ValueError, match="n_starts: "):
        random_starts(random.key(0), "pair", CURVE, 0)
    with pytest.raises(ValueError, match="model: "):
        fitting.search("stdp", CURVE, [[1.0] * 4])
