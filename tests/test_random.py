"""Keys: the stock stream, independent purposes, members that do not depend on their number."""

import jax
import numpy as np
import pytest

from stdpjax import random


def test_key_gives_the_stock_stream():
    for seed in (0, 1, 12345):
        np.testing.assert_array_equal(
            jax.random.normal(random.key(seed), (7,)), jax.random.normal(jax.random.key(seed), (7,))
        )


def test_purposes_and_members_have_keys_of_their_own():
    root = random.key(0)
    keys = [random.named_key(root, "a"), random.named_key(root, "b"), *random.member_keys(root, 5)]
    words = {tuple(np.asarray(jax.random.key_data(k)).tolist()) for k in keys}
    assert len(words) == 7


def test_members_do_not_depend_on_their_number_or_block():
    root = random.key(0)
    whole = jax.random.key_data(random.member_keys(root, 10))
    np.testing.assert_array_equal(jax.random.key_data(random.member_keys(root, 4)), whole[:4])
    np.testing.assert_array_equal(jax.random.key_data(random.member_keys(root, 3, first=7)), whole[7:])
    assert random.member_keys(root, 0).shape == (0,)


@pytest.mark.parametrize("call", [lambda: random.key(-1), lambda: random.member_keys(random.key(0), -1)])
def test_refusals(call):
    with pytest.raises(ValueError, match="expected a whole number of at least 0, got -1"):
        call()
