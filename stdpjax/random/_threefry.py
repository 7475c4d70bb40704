"""The generator behind `stdpjax.random.key`: JAX's threefry2x32 with its rounds written out.

On the CPU JAX lowers threefry to a rolled loop, which XLA neither fuses with what reads the bits nor vectorises, and
which takes long to compile. The same 20 rounds as plain arithmetic fuse and vectorise, and give the same bits and keys.
Seeding is JAX's own.
"""

import math
from functools import partial
from typing import Any

import jax
import jax.extend.random
import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_prng_impl
from jaxtyping import Array, Integer, UInt, UInt32

Words = tuple[UInt32[Any, "..."], UInt32[Any, "..."]]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_DTYPES = {8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32, 64: jnp.uint64}


def threefry_hash(key_words: Words, counters: Words) -> Words:
    """Return the two output words of threefry2x32 for each pair of counters.

    Args:
        key_words: the two words of the key, of shapes that broadcast with the counters.
        counters: high and low word of the counter, likewise; NumPy's give NumPy's.

    Returns:
        Two words, both of the common shape.
    """
    first_key, second_key = key_words
    schedule = (first_key, second_key, first_key ^ second_key ^ _PARITY)
    left, right = counters[0] + schedule[0], counters[1] + schedule[1]
    for group in range(1, 6):
        for rotation in _ROTATIONS[(group - 1) % 2]:
            left = left + right
            right = (right << np.uint32(rotation)) | (right >> np.uint32(32 - rotation))
            right = left ^ right
        left = left + schedule[group % 3]
        right = right + schedule[(group + 1) % 3] + np.uint32(group)
    return left, right


def folded_in(key_words: UInt32[np.ndarray, "2"], data: UInt32[np.ndarray, "n"]) -> UInt32[np.ndarray, "n 2"]:
    """Return the words of the keys that `jax.random.fold_in` makes of a key of threefry2x32 and numbers."""
    return np.stack(threefry_hash((key_words[:1], key_words[1:]), (np.zeros_like(data), data)), axis=-1)


def low_counter(shape: tuple[int, ...]) -> UInt32[Array, "*shape"]:
    """Return the place of each element in C order, as one word: valid up to 2^32 elements."""
    counter = jnp.zeros(shape, jnp.uint32)
    # A sum over axes, not a reshaped arange, so that a sharded array computes its own part.
    for axis in range(len(shape)):
        stride = math.prod(shape[axis + 1 :]) % 2**32  # 2^32 itself only where the index along the axis is 0
        counter = counter + np.uint32(stride) * jax.lax.broadcasted_iota(jnp.uint32, shape, axis)
    return counter


def random_bits(key_words: UInt32[Array, "2"], bit_width: int, shape: tuple[int, ...]) -> UInt[Array, "*shape"]:
    """Return random bits, equal to those that JAX's threefry2x32 draws.

    Args:
        key_words: the two words of a key.
        bit_width: 8, 16, 32 or 64.
        shape: shape of the result.

    Returns:
        Unsigned integers of `bit_width` bits.
    """
    if not _is_ours(shape) or bit_width not in _DTYPES:
        return threefry_prng_impl.random_bits(key_words, bit_width, shape)
    return _random_bits(key_words, bit_width, shape)


def split(key_words: UInt32[Array, "2"], shape: tuple[int, ...]) -> UInt32[Array, "*shape 2"]:
    """Return the words of independent keys, equal to those of JAX's threefry2x32."""
    return _split(key_words, shape) if _is_ours(shape) else threefry_prng_impl.split(key_words, shape)


def fold_in(key_words: UInt32[Array, "2"], data: Integer[Array, ""] | int) -> UInt32[Array, "2"]:
    """Return the words of the key that goes with a number, equal to those of JAX's threefry2x32."""
    return _hashed(key_words, jnp.asarray(data, jnp.uint32))


def _is_ours(shape: tuple[int, ...]) -> bool:
    """Whether elements are numbered as here: JAX has other ways."""
    return (
        # The attribute is made at run time.
        jax.config.jax_threefry_partitionable  # pyright: ignore[reportAttributeAccessIssue]
        and all(isinstance(size, int | np.integer) for size in shape)  # `jax.export` may leave sizes open
        and math.prod(shape) <= 2**32  # beyond that the counter needs its second word
    )


# Jitted, since without an enclosing jit a hundred operations would be dispatched one by one.
@partial(jax.jit, static_argnums=(1, 2))
def _random_bits(key_words: UInt32[Array, "2"], bit_width: int, shape: tuple[int, ...]) -> UInt[Array, "*shape"]:
    high, low = threefry_hash((key_words[0], key_words[1]), (jnp.zeros((), jnp.uint32), low_counter(shape)))
    dtype = _DTYPES[bit_width]
    if bit_width == 64:
        return jax.lax.shift_left(high.astype(dtype), jnp.full(shape, 32, dtype)) | low.astype(dtype)
    return (high ^ low).astype(dtype)


@partial(jax.jit, static_argnums=1)
def _split(key_words: UInt32[Array, "2"], shape: tuple[int, ...]) -> UInt32[Array, "*shape 2"]:
    return _hashed(key_words, low_counter(shape))


@jax.jit
def _hashed(key_words: UInt32[Array, "2"], counter: UInt32[Array, "*shape"]) -> UInt32[Array, "*shape 2"]:
    hashed = jnp.stack(threefry_hash((key_words[0], key_words[1]), (jnp.zeros((), jnp.uint32), counter)), axis=-1)
    # Not fused with what reads a key, which would compute it again in every place.
    return jax.lax.optimization_barrier(hashed)


UNROLLED_THREEFRY = jax.extend.random.define_prng_impl(
    key_shape=threefry_prng_impl.key_shape,
    seed=threefry_prng_impl.seed,
    split=split,
    random_bits=random_bits,
    fold_in=fold_in,
    name="stdpjax_threefry2x32",
    tag="stdpjax_fry",
)
