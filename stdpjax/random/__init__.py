"""Random keys: one seed, named sub-keys, one key per member of an axis.

Every key above a kernel comes from here, in the order seed, study, purpose, sequence, trial, time. Each step is a
`fold_in`, so a new consumer does not shift the streams of the others, more trials leave the first ones as they
were, and any single trial can be replayed alone.

Keys made here draw two to ten times faster on a CPU than the keys of `jax.random.key`, with the same bits (see the file
`_threefry.py`). Only the rejection samplers (gamma, beta, Dirichlet) may differ in the last digits when they are
compiled, as JAX's own do inside and outside `jit`. Every function of this package takes either kind, but arrays of
the two kinds do not mix in one `jnp.where` or `jnp.concatenate`, and `jax.random.poisson` asks for JAX's own:
`jax.random.wrap_key_data(jax.random.key_data(key), impl="threefry2x32")` is that key, with the same streams.
"""

import zlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key, UInt32

from stdpjax import _checks
from stdpjax.random._threefry import UNROLLED_THREEFRY
from stdpjax.random._threefry import folded_in as _folded_in

# Keys that are made in NumPy, where nothing is compiled for each number of them.
_FEW = 2**12


def key(seed: int) -> Key[Array, ""]:
    """Return the typed key of a seed.

    Args:
        seed: a whole number, 0 or more and below 2**32: JAX drops higher bits.

    Returns:
        A scalar key; every draw from it equals the draw from `jax.random.key(seed, impl="threefry2x32")`, which is
        JAX's default, bit for bit.

    Raises:
        ValueError: the seed is negative, 2**32 or more, or not a whole number.

    Example:
        >>> import jax, stdpjax
        >>> bool(jax.random.uniform(stdpjax.random.key(3)) == jax.random.uniform(jax.random.key(3)))
        True
    """
    return jax.random.key(_checks.seed(seed), impl=UNROLLED_THREEFRY)


def named_key(key: Key[Array, ""], name: str) -> Key[Array, ""]:
    """Return the sub-key of a purpose, independent of how many other purposes there are.

    Args:
        key: a scalar key.
        name: the purpose, such as "drive" or "spikes". Its CRC-32 is folded into the key.

    Raises:
        ValueError: no key, or a name that is not text.

    Example:
        >>> import jax, stdpjax
        >>> drive_key = stdpjax.random.named_key(stdpjax.random.key(0), "drive")
        >>> jax.random.normal(drive_key).shape
        ()
    """
    _checks.key("key", key)
    return jax.random.fold_in(key, np.uint32(zlib.crc32(_checks.text("name", name).encode())))


def member_keys(key: Key[Array, ""], n_members: int, first: int = 0) -> Key[Array, "n_members"]:
    """Return one key for each member of an axis (sequence, trial): member `i` has `fold_in(key, i)`.

    Args:
        key: a scalar key.
        n_members: how many keys, 0 or more.
        first: index of the first member, so that a block of a long axis gets the keys it has in the whole.

    Returns:
        Keys, shape `[n_members]`.

    Raises:
        ValueError: no key, a count that is negative or not a whole number, or members from 2**32 on, whose keys would
            be those of the first ones.

    Example:
        >>> import jax, stdpjax
        >>> keys = stdpjax.random.member_keys(stdpjax.random.key(0), 3)
        >>> block = stdpjax.random.member_keys(stdpjax.random.key(0), 1, first=2)
        >>> bool(jax.random.bits(keys[2]) == jax.random.bits(block[0]))
        True
    """
    _checks.key("key", key)
    n_members = _checks.count("n_members", n_members, minimum=0)
    first = _checks.count("first", first, minimum=0, maximum=2**32 - n_members)
    kind, is_few = jax.random.key_impl(key), n_members <= _FEW and _checks.is_concrete(key) and not key.committed
    if is_few and kind in ("threefry2x32", UNROLLED_THREEFRY):
        words = jax.random.key_data(key)
        if _checks.is_concrete(words):  # unless something else is being traced
            each = np.arange(first, first + n_members, dtype=np.uint32)
            return jax.random.wrap_key_data(jax.device_put(_folded_in(np.asarray(words), each)), impl=kind)
    return _member_keys(key, np.uint32(first), n_members)


# Jitted, since `vmap` alone would trace the folding anew in every call.
@partial(jax.jit, static_argnums=2)
def _member_keys(key: Key[Array, ""], first: UInt32[Array, ""], n_members: int) -> Key[Array, "n_members"]:
    indices = first + jnp.arange(n_members, dtype=jnp.uint32)
    return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(key, indices)
