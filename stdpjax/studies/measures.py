"""What many studies do: pose claims, label numbers, compare arrays, and take the largest of what they compare."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
import xarray as xr
from jaxtyping import Array, Float

from stdpjax.lab import Claim, Estimate
from stdpjax.lab.claim import Bearing
from stdpjax.stats import normal_interval
from stdpjax.studies.statements import STATEMENTS


def _claim(bearing: Bearing, name: str, measured: str, *, statement: str = "", **parts: Any) -> Claim:
    """Return a claim; its statement is the one that names it, or if none does the given one."""
    statement = next((row.id for row in STATEMENTS if name in row.claims), statement)
    return Claim(name, measured, statement=statement, bearing=bearing, **parts)


supports, limits, refutes = partial(_claim, "supports"), partial(_claim, "limits"), partial(_claim, "refutes")
beyond = partial(_claim, "beyond")


def labelled(dims: tuple[str, ...] | str, units: str | None = None, /, **columns: Any) -> xr.Dataset:
    """Return variables of the same dims and units; a column is its values, or a pair of them and what they are."""
    data = {}
    for name, column in columns.items():
        values, *words = column if isinstance(column, tuple) else (column,)
        attributes = {"units": units} if units else {}
        data[name] = (dims, on_host(values), attributes | ({"long_name": words[0]} if words else {}))
    return xr.Dataset(data)


def required(dims: tuple[str, ...] | str, words: str, /, **columns: Any) -> xr.Dataset:
    """Return variables that are to be true throughout; the words say of what."""
    return xr.Dataset({name: (dims, np.asarray(values), {"required": words}) for name, values in columns.items()})


def merged(*parts: xr.Dataset, **coords: Any) -> xr.Dataset:
    """Return the variables of all parts with the coordinates of the whole."""
    return xr.Dataset({name: variable for part in parts for name, variable in part.variables.items()}, coords)


def on_host(arrays: Any) -> Any:
    """Return arrays, or a tree of them, on the host: floats in double precision, all else as it is."""

    def one(array: Any) -> np.ndarray:
        array = np.asarray(array)
        return array.astype(np.float64) if np.issubdtype(array.dtype, np.floating) else array

    return jax.tree.map(one, arrays)


def on_device(array: npt.ArrayLike | Sequence[Any], of: npt.DTypeLike = float) -> Array:
    """Return numbers on the device; rounded on the host, where nothing is compiled for each shape."""
    return jax.device_put(np.array(array, jax.dtypes.canonicalize_dtype(of)))


def stacked(*trees: Any) -> Any:
    """Return trees of arrays as one, along a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def largest(values: Any) -> float:
    """Return the largest absolute value."""
    return float(np.abs(values).max())


def order(size: xr.DataArray, over: str = "step") -> xr.DataArray:
    """Return the order of a size in a coordinate: the slope on logarithmic axes."""
    logs = np.log(size[over]) - np.log(size[over]).mean()
    return (np.log(size) * logs).sum(over) / (logs**2).sum()


def largest_z(difference: xr.DataArray, error: xr.DataArray) -> float:
    """Return the largest difference in standard errors, where there is an error."""
    return float((np.abs(difference) / error.where(error > 0)).max())


def largest_with_margin(difference: xr.DataArray, error: xr.DataArray) -> Estimate:
    """Return the largest difference, with the largest that its interval allows."""
    top = float(difference.max())
    return Estimate(top, top, float(np.max(normal_interval(*xr.broadcast(difference, error)).high)))


def relative_difference(found: Float[Array, "..."], expected: Float[Array, "..."]) -> Float[Array, ""]:
    """Return the norm of the difference of two arrays relative to the norm of the second."""
    return jnp.linalg.norm(jnp.ravel(found - expected)) / jnp.linalg.norm(jnp.ravel(expected))


def cosine(first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
    """Return the cosine of the angle between two arrays taken as vectors."""
    first, second = jnp.ravel(first), jnp.ravel(second)
    return jnp.dot(first, second) / (jnp.linalg.norm(first) * jnp.linalg.norm(second))


def off_diagonal(matrix: Float[Array, "post pre"]) -> Float[Array, "post pre"]:
    """Return a matrix with 0 on the diagonal: no unit connects to itself."""
    return jnp.fill_diagonal(matrix, 0.0, inplace=False)
