"""Checks at the public boundary: `ValueError` with the argument, what was expected and what came.

Values are checked only when they are known: inside `jit`, `vmap` or `grad` an argument is a tracer and only its
shape can be checked.
"""

import inspect
import operator
from collections.abc import Collection
from contextlib import suppress
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
import numpy.typing
from jaxtyping import Array, Key

from stdpjax import _units

ArrayLike = jax.typing.ArrayLike | numpy.typing.ArrayLike
Bound = float | None


def is_concrete(value: object) -> bool:
    """Whether a value is known, rather than being traced."""
    return not isinstance(value, jax.core.Tracer)


def as_array(name: str, value: ArrayLike) -> Array | np.ndarray:
    """Return `value` as an array of whatever dtype, refusing what is none and what carries a unit."""
    value = _units.in_unit(name, value, "dimensionless")
    if isinstance(value, jax.Array):
        return value
    with suppress(TypeError, ValueError, jax.errors.JAXTypeError):
        return np.asarray(value)
    try:
        return jnp.asarray(value)  # a list that holds traced numbers
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected a rectangular array of numbers, got {value!r}") from error


def real_array(name: str, value: ArrayLike) -> Array | np.ndarray:
    """Return `value` as an array, finite or not, refusing what is no real number."""
    array = as_array(name, value)
    if not (jnp.issubdtype(array.dtype, jnp.floating) or array.dtype.kind in "biu"):
        raise ValueError(f"{name}: expected an array of real numbers, got dtype {array.dtype}")
    return array


def _finite_array(name: str, value: ArrayLike) -> tuple[Array, tuple[float, float] | None]:
    """Return `value` as a float array, refusing NaN and infinity, and its range: None if it is traced or empty."""
    array = real_array(name, value)
    array = jnp.asarray(array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float))
    return array, _finite_range(name, array) if is_concrete(array) and array.size else None


def at_least_single(dtype: Any) -> Any:
    """Return a floating-point type, or single precision for half precision."""
    return dtype if jnp.finfo(dtype).bits >= 32 else jnp.dtype(jnp.float32)


def finite(name: str, value: ArrayLike) -> Array:
    """Return `value` as a float array, refusing NaN and infinity."""
    return _finite_array(name, value)[0]


def real_numbers(name: str, value: ArrayLike) -> np.ndarray:
    """Return `value` as an array in double precision, finite or not, refusing what is no real number; without JAX."""
    return np.asarray(real_array(name, value)).astype(np.float64)


def finite_numbers(name: str, value: ArrayLike) -> np.ndarray:
    """Return `value` as `real_numbers` does, refusing NaN and infinity too."""
    return finite_on_host(name, real_numbers(name, value))


def finite_on_host(name: str, array: np.ndarray) -> np.ndarray:
    """Return `array`, refusing NaN and infinity without JAX, which would start its devices."""
    _refuse_bad(name, array.size - int(np.count_nonzero(np.isfinite(array))), array.size)
    return array


def _refuse_bad(name: str, n_bad: int, size: int) -> None:
    if n_bad:
        raise ValueError(f"{name}: expected finite numbers, got {n_bad} of {size} that are NaN or infinite")


def _finite_range(name: str, array: Array) -> tuple[float, float]:
    """Return the lowest and the highest number of a known array, refusing NaN and infinity."""
    if _is_on_host(array):
        # Without JAX, which would compile for every new shape.
        numbers = finite_on_host(name, np.asarray(array))
        return float(numbers.min()), float(numbers.max())
    # A known array may be checked while something else is being traced.
    with jax.ensure_compile_time_eval():
        n_bad, low, high = _count_bad_and_range(array)
    _refuse_bad(name, int(n_bad), array.size)
    return float(low), float(high)


def _is_on_host(array: Array) -> bool:
    return array.is_fully_addressable and all(device.platform == "cpu" for device in array.devices())


@jax.jit
def _count_bad_and_range(array: Array) -> tuple[Array, Array, Array]:
    return jnp.sum(~jnp.isfinite(array)), jnp.min(array), jnp.max(array)


def probability(name: str, value: ArrayLike) -> Array:
    """Return `value` as a float array of spike probabilities per bin, refusing anything outside [0, 1]."""
    array, limits = _finite_array(name, value)
    if limits is not None:
        _refuse_outside_unit(name, *limits)
    return array


def probabilities(pre_probability: ArrayLike, post_probability: ArrayLike) -> tuple[Array, Array]:
    """Return the spike probabilities of two neurons, refusing different shapes and what `probability` refuses."""
    pre, post = probability("pre_probability", pre_probability), probability("post_probability", post_probability)
    same_shape("pre_probability", pre, "post_probability", post)
    return pre, post


def one_probability(name: str, value: Any, **bounds: Bound) -> Any:
    """Return one spike probability per bin, refusing anything outside [0, 1] and further bounds, as in `number`."""
    if is_concrete(number(name, value)):
        # In plain numbers: settings are checked on import, when JAX must not have started its devices yet.
        _refuse_outside_unit(name, float(value), float(value))
    return number(name, value, **bounds)


def _refuse_outside_unit(name: str, low: float, high: float) -> None:
    if low < 0 or high > 1:
        hint = "; these look like rates in Hz: multiply by the bin width in seconds" if low >= 0 and high >= 2 else ""
        raise ValueError(
            f"{name}: expected spike probabilities per bin in [0, 1], got values from {low:g} to {high:g}{hint}"
        )


def spikes(name: str, value: ArrayLike) -> Array:
    """Return `value` as a bool array of spike indicators, refusing anything but booleans, 0 and 1."""
    array = as_array(name, value)
    if array.dtype == bool:
        return jnp.asarray(array)
    is_real = jnp.issubdtype(array.dtype, jnp.floating) or array.dtype.kind in "iu"
    if not is_real or (is_concrete(array) and not np.all((np.asarray(array) == 0) | (np.asarray(array) == 1))):
        got = f"{'other values of ' if is_real else ''}dtype {array.dtype}"
        raise ValueError(f"{name}: expected spike indicators (bool, or 0 and 1), got {got}")
    return jnp.asarray(array).astype(bool)


def truths(name: str, value: ArrayLike, n_units: int | None = None) -> Array:
    """Return `value` as a bool array, refusing anything but one truth value for each unit."""
    array = as_array(name, value)
    if array.dtype != bool or array.ndim != 1 or n_units not in (None, array.shape[0]):
        each = "each unit" if n_units is None else f"each of {n_units} units"
        raise ValueError(f"{name}: expected one truth value for {each}, got dtype {array.dtype}, shape {array.shape}")
    return jnp.asarray(array)


def same_shape(first_name: str, first: Array, second_name: str, second: Array) -> None:
    """Refuse two arrays of different shapes, or without a time axis."""
    if first.ndim < 1:
        raise ValueError(f"{first_name}: expected an array with a time axis, got a scalar")
    if first.shape != second.shape:
        raise ValueError(f"{second_name}: expected the shape of {first_name}, {first.shape}, got {second.shape}")


def count(name: str, value: int, minimum: int = 1, maximum: int | None = None) -> int:
    """Return `value` as an int, refusing anything below `minimum`, above `maximum` or not a whole number."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ValueError(f"{name}: expected a whole number of at least {minimum}, got {value!r}")
    if maximum is not None and value > maximum:
        raise ValueError(f"{name}: expected a whole number of at most {maximum}, got {value!r}")
    return int(value)


def distinct(name: str, values: tuple[Any, ...]) -> None:
    """Refuse values of which one comes twice."""
    if len(set(values)) < len(values):
        raise ValueError(f"{name}: expected different values, got {values!r}")


def seed(value: int, n_seeds: int = 1) -> int:
    """Return the first of `n_seeds` seeds as an int, refusing what does not fit the 32 bits that a key takes of it."""
    value = count("seed", value, minimum=0)
    if value + n_seeds > 2**32:
        what = "a whole number" if n_seeds == 1 else f"the first of {n_seeds} whole numbers"
        raise ValueError(f"seed: expected {what} below 2**32, got {value}")
    return value


# What a bound asks of a number.
_BOUNDS = {"above": operator.gt, "at_least": operator.ge, "below": operator.lt, "at_most": operator.le}


def number(
    name: str, value: Any, *, above: Bound = None, at_least: Bound = None, below: Bound = None, at_most: Bound = None
) -> Any:
    """Return `value`, refusing what is not one number, and a known one outside the bounds."""
    bounds = {"above": above, "at_least": at_least, "below": below, "at_most": at_most}
    value = _units.in_unit(name, value, "dimensionless")
    if np.ndim(value) != 0:
        raise ValueError(f"{name}: expected one number, got {described(value)}")
    if hasattr(value, "__array__") and not isinstance(value, jax.Array | np.generic):
        value = np.asarray(value).item()
    if not is_concrete(value):
        return value
    as_float = np.nan
    with suppress(TypeError, ValueError):
        as_float = np.nan if np.asarray(value).dtype.kind in "bSUOc" else float(value)
    inside = all(bound is None or _BOUNDS[side](as_float, bound) for side, bound in bounds.items())
    if not (np.isfinite(as_float) and inside):
        raise ValueError(f"{name}: expected {f'a finite number {bounds_in_words(**bounds)}'.strip()}, got {value!r}")
    return value


def bounds_in_words(**bounds: Bound) -> str:
    """Return bounds as in `number` in words: "above 0 and at most 1"."""
    known = {name.replace("_", " "): bounds[name] for name in _BOUNDS if bounds.get(name) is not None}
    return " and ".join(f"{name} {bound if isinstance(bound, int) else f'{bound:g}'}" for name, bound in known.items())


def milliseconds(name: str, value: _units.Measured, **bounds: Bound) -> Any:
    """Return a time as a number of milliseconds, converting one that carries its unit; bounds as in `number`."""
    return number(name, _units.in_unit(name, value, "ms"), **bounds)


def hertz(name: str, value: _units.Measured, **bounds: Bound) -> Any:
    """Return a rate as a number of spikes per second, converting one that carries its unit; bounds as in `number`."""
    return number(name, _units.in_unit(name, value, "Hz"), **bounds)


def key(name: str, value: Any) -> Key[Array, ""]:
    """Return a scalar key, refusing seeds, keys of the old style and arrays of keys."""
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        if value.ndim:
            raise ValueError(f"{name}: expected one key, got keys of shape {value.shape}")
        return value
    hint = ""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        hint = "; for a seed, give `stdpjax.random.key(seed)`"
    elif getattr(value, "dtype", None) == np.uint32:
        hint = "; `jax.random.wrap_key_data` makes a key of the old style one"
    raise ValueError(f"{name}: expected a key, as `stdpjax.random.key` gives, got {described(value)}{hint}")


def described(value: Any) -> str:
    """Return what came, short enough for a line."""
    if isinstance(value, jax.Array | np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return _units.shortened(value)


def flag(name: str, value: bool) -> bool:
    """Return `value` as a bool, refusing what is no truth value."""
    return bool(instance(name, value, bool | np.bool_, "True or False"))


def instance(name: str, value: Any, kind: Any, expected: str) -> Any:
    """Return `value`, refusing what is not of a type; `expected` says what would have been."""
    if not isinstance(value, kind):
        raise ValueError(f"{name}: expected {expected}, got {described(value)}")
    return value


def function(name: str, value: Any, arguments: str, hint: str = "") -> Any:
    """Return `value`, refusing what cannot be called with these arguments, and what no cache can hold."""
    try:
        hash(value)
        with suppress(ValueError):  # of some functions that are not written in Python nothing is known
            inspect.signature(value).bind(*filter(None, arguments.split(", ")))
    except TypeError as error:
        raise ValueError(f"{name}: expected a function of ({arguments}){hint}, got {described(value)}") from error
    return value


def text(name: str, value: str, *, may_be_empty: bool = True) -> str:
    """Return `value`, refusing what is no text, and an empty one unless it may be."""
    if not isinstance(value, str) or not (value or may_be_empty):
        raise ValueError(f"{name}: expected a text, got {described(value)}")
    return value


def choice(name: str, value: str, known: Collection[str]) -> str:
    """Return `value`, refusing a name that is not among the `known` ones."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(repr(k) for k in known)}, got {value!r}")
    return value


def window(value: int, n_steps: int | None = None) -> int:
    """Return the half-width of the plasticity window in bins, refusing less than 1 or more than the record."""
    value = count("window", value)
    if n_steps is not None and value > n_steps:
        raise ValueError(f"window: expected at most the record's {n_steps} bins, got {value}")
    return value
