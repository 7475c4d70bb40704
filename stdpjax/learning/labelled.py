"""Samples with labels, and the checks that they fit a network before it learns from them."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from stdpjax import _checks
from stdpjax.energy import Params, check_params
from stdpjax.learning.layers import check_layers
from stdpjax.rates import RateFunction, check_rate_fn

# Activities are sums of pixels and a threshold, each rounded.
_ROUNDING = 1e-5


class Labelled(NamedTuple):
    """Samples with labels, the unit axis in the order of the layers."""

    inputs: Float[Array, "sample input"]
    """Activity s of the input units; rates between 0 and 1 are activities shifted by the threshold."""
    labels: Int[Array, "sample"]
    """Class of each sample, 0 or more and below the number of outputs."""


def check_inputs(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, sizes: tuple[int, ...] | None = None
) -> Float[Array, "sample input"]:
    """Return activities of the input units as an array, refusing those that the network cannot have.

    Args:
        params: the network.
        inputs: shape `[sample, input]`.
        rate_fn: the rate function rho.
        sizes: units in each layer, if the network has layers.

    Returns:
        The activities, in the floating-point type of the weights.

    Raises:
        ValueError: parameters that `stdpjax.energy.check_params` refuses, or weights that the layers do not have;
            inputs of another shape or width, whole numbers, values that are not finite, or known ones that are rates:
            none below 0, some above the upper kink.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.learning.labelled import check_inputs
        >>> params = stdpjax.learning.random_layers(stdpjax.random.key(0), (3, 2))
        >>> check_inputs(params, jnp.zeros((5, 3)), stdpjax.rates.hard_sigmoid()).shape
        (5, 3)
    """
    check_params(params)
    check_rate_fn(rate_fn)
    array = _checks.as_array("inputs", inputs)
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"inputs: expected activities of shape [sample, input], got shape {array.shape}")
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(f"inputs: expected activities as floating-point numbers, got dtype {array.dtype}")
    n_units = params.bias.shape[0]
    if sizes is not None:
        check_layers(params.weights, sizes)
        if array.shape[1] != sizes[0]:
            raise ValueError(f"inputs: expected {sizes[0]} input units, got {array.shape[1]} in shape {array.shape}")
    elif array.shape[1] >= n_units:
        raise ValueError(f"inputs: expected fewer input units than the network's {n_units}, got {array.shape[1]}")
    array = _checks.finite("inputs", array)
    if rate_fn.kinks is not None and array.size and _checks.is_concrete(array):
        _refuse_rates(np.asarray(array), rate_fn.kinks)
    return array.astype(params.weights.dtype)


def _refuse_rates(inputs: np.ndarray, kinks: tuple[float, float]) -> None:
    """Refuse what would all be at the middle of the rates or above, and is in part beyond the upper kink."""
    low, high = float(inputs.min()), float(inputs.max())
    if low >= 0 and high > kinks[1] + _ROUNDING:
        hint = f"; these look like rates from 0 to 1: add {kinks[0]:g}" if high <= 1 else ""
        raise ValueError(
            f"inputs: expected activities, rates of 0 to 1 being {kinks[0]:g} to {kinks[1]:g}, got {low:g} to "
            f"{high:g}{hint}"
        )


def check_labelled(
    params: Params, batch: Labelled, rate_fn: RateFunction, n_outputs: int, sizes: tuple[int, ...] | None = None
) -> Labelled:
    """Return samples with labels as arrays, refusing those that do not fit the network.

    Args:
        params: the network.
        batch: the samples.
        rate_fn: the rate function rho.
        n_outputs: number of output units.
        sizes: units in each layer, if the network has layers.

    Returns:
        The samples, their inputs in the floating-point type of the weights and their labels in 32 bits.

    Raises:
        ValueError: network and inputs as in `check_inputs`; labels of another shape (one-hot ones too), that are no
            whole numbers, or known ones outside of 0 ... n_outputs - 1.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.learning.labelled import Labelled, check_labelled
        >>> params = stdpjax.learning.random_layers(stdpjax.random.key(0), (3, 2))
        >>> batch = Labelled(jnp.zeros((2, 3)), jnp.array([0, 1], jnp.uint8))
        >>> check_labelled(params, batch, stdpjax.rates.hard_sigmoid(), 2).labels.dtype
        dtype('int32')
    """
    _checks.instance("batch", batch, Labelled, "inputs and labels, a stdpjax.learning.Labelled")
    inputs = check_inputs(params, batch.inputs, rate_fn, sizes)
    n_free = params.bias.shape[0] - inputs.shape[1]
    if n_free < n_outputs:
        raise ValueError(
            f"inputs: expected at most {params.bias.shape[0] - n_outputs} input units beside {n_outputs} outputs, got "
            f"{inputs.shape[1]}"
        )
    labels = _checks.as_array("labels", batch.labels)
    if labels.shape != inputs.shape[:1]:
        is_one_hot = labels.ndim == 2 and labels.shape == (inputs.shape[0], n_outputs)
        hint = "; of one-hot labels take the argmax along the last axis" if is_one_hot else ""
        raise ValueError(f"labels: expected one for each of {inputs.shape[0]} samples, got shape {labels.shape}{hint}")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels: expected classes as whole numbers, got dtype {labels.dtype}")
    if labels.size and _checks.is_concrete(labels):
        known = np.asarray(labels)
        if known.min() < 0 or known.max() >= n_outputs:
            raise ValueError(
                f"labels: expected classes from 0 to {n_outputs - 1}, one for each of {n_outputs} outputs, got "
                f"{known.min()} to {known.max()}"
            )
    return Labelled(inputs, jnp.asarray(labels).astype(jnp.int32))
