"""Functions that do the same are equal, and those that read something else are not."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import rates, rules
from stdpjax._alike import form_of

ARRAY = jnp.ones(2)


def closing_over(value: Any) -> Any:
    def function(x):
        return x, value

    return function


def calling_itself(value: Any) -> Any:
    def one(n):
        return value if n == 0 else other(n - 1)

    def other(n):
        return one(n)

    return one


@dataclass(frozen=True)
class Frozen:
    number: float


class Changeable:
    number = 0.0


@pytest.mark.parametrize("make", [closing_over, calling_itself])
@pytest.mark.parametrize(
    ("value", "other"),
    [
        (1, 2),
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ("a", "b"),
        ((1, 2), (1, 3)),
        (ARRAY, jnp.ones(2)),
        (None, 0),
        (Frozen(1.0), Frozen(2.0)),
        (closing_over(1), closing_over(2)),
        (jnp.sin, jnp.cos),
        (np.float32(1), 1.0),
        (partial(max, 1), partial(max, 2)),
        (rates.sigmoid(2.0), rates.sigmoid(3.0)),
        (rules.differential_rule(), rules.differential_rule("previous")),
        (rates.hard_sigmoid(-0.4), rates.hard_sigmoid(-0.3)),
    ],
)
def test_functions_are_alike_if_what_they_enclose_is(make, value, other):
    assert form_of(make(value)) == form_of(make(value))
    assert hash(form_of(make(value))) == hash(form_of(make(value)))
    assert form_of(make(value)) != form_of(make(other))


def test_arrays_of_numpy_are_read_when_a_function_is_met():
    array = np.ones(3)
    before = form_of(closing_over(array))
    assert form_of(closing_over(np.ones(3))) == before
    array[0] = 2.0
    assert form_of(closing_over(array)) != before


@pytest.mark.parametrize("value", [[1.0], {"a": 1.0}, Changeable()])
def test_what_may_change_unseen_makes_a_function_like_itself_alone(value):
    function = closing_over(value)
    assert form_of(function) == form_of(function)
    assert form_of(function) != form_of(closing_over(value))
    with pytest.raises(TypeError):
        form_of((value,))


def test_rules_and_rates_made_anew_are_equal():
    for make in (
        rates.hard_sigmoid,
        partial(rates.smoothed_hard_sigmoid, 0.1),
        partial(rules.pair_rule, 1.0, 0.5, 10.0, 20.0),
        partial(rules.differential_rule, "previous"),
        lambda: rules.bounded_rule(rules.pair_rule(1.0, 0.5, 10.0, 20.0), 0.0, 1.0),
        lambda: rules.sum_rules(rules.hebb_rule(), rules.scale_rule(rules.hebb_rule(), 0.5)),
    ):
        assert make() is not make()
        assert make() == make()
        assert len({make(), make()}) == 1
    assert rules.pair_rule(1.0, 0.5, 10.0, 20.0) != rules.pair_rule(1.0, 0.5, 10.0, 21.0)
