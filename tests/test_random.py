"""The keys of stdpjax against JAX's own: the same bits everywhere, sooner."""

import importlib
import os
import pickle
import subprocess
import sys
import textwrap
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.extend.random import threefry_2x32

import stdpjax
from stdpjax.random import _threefry

UINT_DTYPES = (jnp.uint8, jnp.uint16, jnp.uint32, jnp.uint64)
SHAPES = ((), (0,), (3, 0, 2), (1,), (7,), (3, 5), (2, 3, 4), (1, 1, 9), (513,))


def both_keys(seed=11):
    return stdpjax.random.key(seed), jax.random.key(seed, impl="threefry2x32")


def words(array):
    """Comparable bits: the words of keys, the array itself otherwise."""
    return np.asarray(jax.random.key_data(array) if jnp.issubdtype(array.dtype, jax.dtypes.prng_key) else array)


def assert_same_draws(draw, seed=11):
    for run in (draw, jax.jit(draw)):
        ours, stock = (jax.tree.leaves(run(key)) for key in both_keys(seed))
        for our_leaf, stock_leaf in zip(ours, stock, strict=True):
            assert our_leaf.shape == stock_leaf.shape
            np.testing.assert_array_equal(words(our_leaf), words(stock_leaf), strict=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", UINT_DTYPES)
def test_bits_equal_those_of_jax(dtype, shape):
    if dtype == jnp.uint64 and jnp.zeros(0).dtype == jnp.float32:
        pytest.skip("64-bit integers need x64")
    assert_same_draws(lambda key: jax.random.bits(key, shape, dtype))


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: jax.random.uniform(key, (9, 4), minval=-2.0, maxval=3.0),
        lambda key: jax.random.uniform(key, (33,), jnp.bfloat16),
        lambda key: jax.random.bernoulli(key, 0.3, (100,)),
        lambda key: jax.random.normal(key, (2, 40)),
        lambda key: jax.random.normal(key, (40,), jnp.float16),
        lambda key: jax.random.truncated_normal(key, -1.0, 0.5, (50,)),
        lambda key: jax.random.randint(key, (60,), -7, 1000),
        lambda key: jax.random.randint(key, (60,), 0, 200, jnp.uint8),
        lambda key: jax.random.permutation(key, 50),
        lambda key: jax.random.choice(key, 20, (6,), replace=False),
        lambda key: jax.random.categorical(key, jnp.zeros((8, 5))),
        lambda key: jax.random.exponential(key, (30,)),
        lambda key: jax.random.laplace(key, (30,)),
        lambda key: jax.random.gumbel(key, (30,)),
        lambda key: jax.random.rademacher(key, (30,)),
        lambda key: jax.random.multivariate_normal(key, jnp.zeros(2), jnp.eye(2)),
        lambda key: jax.random.split(key, 5),
        lambda key: jax.random.split(key, (2, 3)),
        lambda key: jax.random.fold_in(key, 2**32 - 1),
        lambda key: jax.random.normal(jax.random.fold_in(jax.random.split(key)[1], 4), (5,)),
    ],
)
def test_draws_equal_those_of_jax(draw):
    assert_same_draws(draw)


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: jax.random.gamma(key, jnp.array([0.3, 2.0, 9.0])),
        lambda key: jax.random.beta(key, 2.0, 3.0, (4,)),
        lambda key: jax.random.dirichlet(key, jnp.ones(3), (2,)),
    ],
)
def test_rejection_samplers_equal_those_of_jax(draw):
    ours, stock = both_keys()
    np.testing.assert_array_equal(draw(ours), draw(stock), strict=True)
    # Compiled whole, their loops round in an order that XLA chooses: stock draws inside and outside jit differ so too.
    np.testing.assert_allclose(jax.jit(draw)(ours), jax.jit(draw)(stock), rtol=1e-5)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.lists(st.integers(0, 6), max_size=4).map(tuple),
    path=st.lists(st.integers(0, 2**32 - 1), max_size=3),
)
def test_any_seed_shape_and_path_of_folds(seed, shape, path):
    def draw(key):
        for step in path:
            key = jax.random.fold_in(key, np.uint32(step))
        return jax.random.key_data(key), jax.random.bits(key, shape)

    for ours, stock in zip(*map(draw, both_keys(seed)), strict=True):
        np.testing.assert_array_equal(ours, stock, strict=True)


def test_vmap_equals_draws_one_by_one_and_those_of_jax():
    def draw(key):
        keys = jax.random.split(key, (4, 3))
        return jax.vmap(jax.vmap(lambda one: jax.random.bits(one, (5,))))(keys)

    assert_same_draws(draw)
    keys = jax.random.split(stdpjax.random.key(11), (4, 3))
    one_by_one = [[jax.random.bits(keys[i, j], (5,)) for j in range(3)] for i in range(4)]
    np.testing.assert_array_equal(draw(stdpjax.random.key(11)), np.array(one_by_one))


def test_scan_carries_and_consumes_keys():
    def draw(key):
        def step(carry, one):
            carry, used = jax.random.split(carry)
            return carry, (jax.random.normal(used, (3,)), jax.random.uniform(one))

        return jax.lax.scan(step, key, jax.random.split(key, 4))

    assert_same_draws(draw)


def test_draws_are_differentiable_through_their_parameters():
    gradient = jax.grad(lambda scale: jnp.sum(scale * jax.random.normal(stdpjax.random.key(0), (4,))))(2.0)
    assert gradient == jnp.sum(jax.random.normal(stdpjax.random.key(0), (4,)))


def test_published_known_answers():
    # Random123's known-answer vectors of threefry2x32-20: key, counter, output.
    vectors = [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ]
    for key_words, counters, expected in vectors:
        outputs = _threefry.threefry_hash(
            (jnp.uint32(key_words[0]), jnp.uint32(key_words[1])), (jnp.uint32(counters[0]), jnp.uint32(counters[1]))
        )
        assert tuple(int(word) for word in outputs) == expected


def scratch_bytes(compiled):
    analysis = compiled.memory_analysis()
    assert analysis is not None
    return analysis.temp_size_in_bytes


def test_last_elements_of_a_shape_of_two_to_the_32():
    def tail(key):
        return jax.random.bits(key, (2**16, 2**16), jnp.uint32)[-1, -5:]

    ours, stock = both_keys()
    compiled = jax.jit(tail).lower(ours).compile()
    # XLA draws only what the slice asks for; if that ever ends, this would need 16 GiB.
    if scratch_bytes(compiled) > 2**20:
        pytest.skip("the compiler would draw the whole array")
    last_counters = np.arange(2**32 - 5, 2**32, dtype=np.uint32)
    stock_words = jax.random.key_data(stock)
    expected = []
    for counter in last_counters:
        high, low = threefry_2x32((stock_words[0], stock_words[1]), jnp.array([0, counter], jnp.uint32))
        expected.append(high ^ low)
    np.testing.assert_array_equal(compiled(ours), np.array(expected))


@pytest.mark.parametrize("shape", [(2**16, 2**16), (2**32 + 1,), (2**20, 2**13), (3, 2**31)])
def test_huge_shapes_trace(shape):
    result = jax.eval_shape(lambda key: jax.random.bits(key, shape, jnp.uint32), stdpjax.random.key(0))
    assert result.shape == shape
    assert result.dtype == jnp.uint32


@pytest.mark.parametrize(("shape", "is_ours"), [((2**16, 2**16), True), ((2**16, 2**16 + 1), False)])
def test_beyond_one_word_of_counter_jax_itself_draws(shape, is_ours, monkeypatch):
    drawn = []

    def unrolled(key_words, bit_width, shape):
        drawn.append(shape)
        return jnp.zeros(shape, jnp.uint32)

    monkeypatch.setattr(_threefry, "_random_bits", unrolled)
    words = jax.eval_shape(lambda: _threefry.random_bits(jnp.zeros(2, jnp.uint32), 32, shape))
    assert words.shape == shape
    assert bool(drawn) is is_ours


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 7), max_size=4).map(tuple))
def test_counter_is_the_place_in_c_order(shape):
    expected = np.arange(np.prod(shape, dtype=int), dtype=np.uint32).reshape(shape)
    np.testing.assert_array_equal(_threefry.low_counter(shape), expected, strict=True)


def test_counter_of_huge_arrays_at_its_corners():
    def corners(shape):
        # Not `[..., -1]`, which JAX 0.9 turns into an index of 64 bits.
        return jax.jit(
            lambda: jax.lax.index_in_dim(_threefry.low_counter(shape), shape[-1] - 1, axis=-1, keepdims=False)
        )

    for shape in [(2, 2**31), (2**3, 2**29)]:
        compiled = corners(shape).lower().compile()
        if scratch_bytes(compiled) > 2**20:
            pytest.skip("the compiler would fill the whole array")
        np.testing.assert_array_equal(compiled(), [(row + 1) * shape[1] - 1 for row in range(shape[0])])


@pytest.mark.parametrize("is_partitionable", [True, False])
def test_either_numbering_of_elements_follows_jax(is_partitionable):
    with jax.threefry_partitionable(is_partitionable):
        for shape in SHAPES:
            ours, stock = (jax.random.bits(key, shape) for key in both_keys())
            np.testing.assert_array_equal(ours, stock, strict=True)


def test_words_of_the_keys_are_equal():
    ours, stock = both_keys(2**32 - 5)
    np.testing.assert_array_equal(jax.random.key_data(ours), jax.random.key_data(stock))
    back = jax.random.wrap_key_data(jax.random.key_data(ours), impl="threefry2x32")
    np.testing.assert_array_equal(jax.random.poisson(back, 3.0, (9,)), jax.random.poisson(stock, 3.0, (9,)))


def test_the_key_is_an_ordinary_typed_key():
    key = stdpjax.random.key(5)
    assert jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    assert str(key.dtype) == "key<stdpjax_fry>"
    again = jax.random.wrap_key_data(jax.random.key_data(key), impl=jax.random.key_impl(key))
    assert again.dtype == key.dtype
    with pytest.raises(TypeError, match="key_data"):
        np.asarray(key)


def test_a_pickled_key_draws_what_it_drew():
    key = jax.random.split(stdpjax.random.key(5), 3)
    saved = pickle.dumps((np.asarray(jax.random.key_data(key)), jax.random.key_impl(key)))
    key_words, generator = pickle.loads(saved)
    again = jax.random.wrap_key_data(jnp.asarray(key_words), impl=generator)
    assert again.dtype == key.dtype
    np.testing.assert_array_equal(jax.vmap(jax.random.bits)(again), jax.vmap(jax.random.bits)(key))


def test_reloading_the_generator_is_harmless():
    before = jax.random.bits(stdpjax.random.key(1), (5,))
    original = dict(vars(_threefry))
    try:
        importlib.reload(_threefry)
        importlib.reload(stdpjax.random)
        np.testing.assert_array_equal(jax.random.bits(stdpjax.random.key(1), (5,)), before)
    finally:
        for name, value in original.items():
            setattr(_threefry, name, value)
        importlib.reload(stdpjax.random)


def test_the_seed_is_checked():
    for bad in (-1, True):  # other types are refused by the annotation checks of the tests before the library can
        with pytest.raises(ValueError, match="seed: expected a whole number of at least 0"):
            stdpjax.random.key(bad)
    for large in (2**32, 2**64 - 1):  # JAX takes the first for 0 and cannot hold the second
        with pytest.raises(ValueError, match=r"seed: expected a whole number below 2\*\*32"):
            stdpjax.random.key(large)
    stdpjax.random.key(2**32 - 1)


def test_member_keys_of_a_block_are_those_of_the_whole():
    key = stdpjax.random.key(2)
    whole = stdpjax.random.member_keys(key, 7)
    block = stdpjax.random.member_keys(key, 3, first=4)
    np.testing.assert_array_equal(words(whole)[4:], words(block))
    np.testing.assert_array_equal(words(whole[6]), words(jax.random.fold_in(key, 6)))
    assert stdpjax.random.member_keys(key, 0).shape == (0,)
    last = stdpjax.random.member_keys(key, 1, first=2**32 - 1)
    np.testing.assert_array_equal(words(last[0]), words(jax.random.fold_in(key, np.uint32(2**32 - 1))))
    with pytest.raises(ValueError, match="first: expected a whole number of at most 4294967294, got 4294967295"):
        stdpjax.random.member_keys(key, 2, first=2**32 - 1)


@pytest.mark.parametrize("impl", ["ours", "threefry2x32", "rbg"])
@pytest.mark.parametrize("n_members", [5, 5000])
def test_member_keys_are_folded_in_whatever_the_generator_and_wherever_they_are_made(impl, n_members):
    key = stdpjax.random.key(2) if impl == "ours" else jax.random.key(2, impl=impl)
    expected = words(jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(n_members, dtype=jnp.uint32)))
    made = stdpjax.random.member_keys(key, n_members)
    assert made.dtype == key.dtype
    np.testing.assert_array_equal(words(made), expected)
    # Of a key that is known while something else is traced, and of one that is traced itself.
    known = jax.jit(lambda: stdpjax.random.member_keys(key, n_members))()
    traced = jax.jit(lambda key: stdpjax.random.member_keys(key, n_members))(key)
    for inside in (known, traced):
        np.testing.assert_array_equal(words(inside), expected)


def test_names_have_streams_of_their_own():
    key = stdpjax.random.key(2)
    drives, spikes = (words(stdpjax.random.named_key(key, name)) for name in ("drive", "spikes"))
    assert not np.array_equal(drives, spikes)
    np.testing.assert_array_equal(drives, words(stdpjax.random.named_key(key, "drive")))


SHARDED = """
    import jax, jax.numpy as jnp, numpy as np
    from jax.sharding import NamedSharding, PartitionSpec
    import stdpjax

    assert jax.device_count() == 8
    ours, stock = stdpjax.random.key(3), jax.random.key(3, impl="threefry2x32")
    alone = np.asarray(jax.random.normal(stock, (16, 24)))
    for kind in (jax.sharding.AxisType.Auto, jax.sharding.AxisType.Explicit):
        mesh = jax.make_mesh((4, 2), ("row", "column"), axis_types=(kind, kind))
        for spec in [(), ("row",), (None, "column"), ("row", "column"), (("row", "column"),)]:
            sharding = NamedSharding(mesh, PartitionSpec(*spec))
            if kind == jax.sharding.AxisType.Auto:
                draw = jax.jit(lambda key: jax.random.normal(key, (16, 24)), out_shardings=sharding)
                # Each device draws its own part.
                text = draw.lower(ours).compile().as_text()
                assert not any(word in text for word in ("all-gather", "all-reduce", "collective")), text
                drawn = draw(ours)
            else:
                with jax.set_mesh(mesh):
                    drawn = jax.jit(lambda key: jax.random.normal(key, (16, 24), out_sharding=sharding))(ours)
            assert drawn.sharding.is_equivalent_to(sharding, 2), (drawn.sharding, sharding)
            np.testing.assert_array_equal(np.asarray(drawn), alone)

    mesh = jax.make_mesh((8,), ("member",), axis_types=(jax.sharding.AxisType.Auto,))
    keys = jax.random.split(ours, 16)
    by_member = jax.shard_map(
        jax.vmap(lambda key: jax.random.bits(key, (3,))), mesh=mesh,
        in_specs=PartitionSpec("member"), out_specs=PartitionSpec("member"))
    expected = jax.vmap(lambda key: jax.random.bits(key, (3,)))(jax.random.split(stock, 16))
    np.testing.assert_array_equal(np.asarray(jax.jit(by_member)(keys)), np.asarray(expected))
    print("same bits")
"""


def test_sharded_draws_are_the_same_bits():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SHARDED)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.stdout.strip() == "same bits", done.stderr[-3000:]
