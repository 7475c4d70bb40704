"""The bar for the local rules: the same layers run forward only and trained by back-propagation."""

import itertools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from stdpjax import _checks
from stdpjax.energy import Params
from stdpjax.learning.labelled import Labelled, check_inputs, check_labelled
from stdpjax.learning.layers import layer_slices
from stdpjax.learning.training import Metrics, Update
from stdpjax.rates import RateFunction, check_rate_fn


def forward(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, sizes: tuple[int, ...]
) -> Float[Array, "sample output"]:
    """Return the output layer's rates of a feedforward network: each layer's rate is rho(b + W r) of the one below.

    Args:
        params: weights and biases of all units, none but between neighbouring layers; of the weights those towards the
            next layer are read.
        inputs: activities of the input units, shape `[sample, input]`.
        rate_fn: the rate function rho.
        sizes: units in each layer.

    Returns:
        Rates, shape `[sample, output]`.

    Raises:
        ValueError: parameters that are no network or not finite; sizes that are no layers of this network, or weights
            that they do not have; inputs of another shape or width, that are not finite
            or, where they are known, are rates from 0 to 1 instead of activities.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax import learning
        >>> params = learning.random_layers(stdpjax.random.key(0), (3, 4, 2))
        >>> learning.forward(params, jnp.zeros((5, 3)), stdpjax.rates.hard_sigmoid(), (3, 4, 2)).shape
        (5, 2)
    """
    layer_slices(sizes)
    return _run(params, check_inputs(params, inputs, rate_fn, sizes), rate_fn, sizes)


def _run(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, sizes: tuple[int, ...]
) -> Float[Array, "sample output"]:
    rates = rate_fn.value(inputs)
    for below, above in itertools.pairwise(layer_slices(sizes)):
        rates = rate_fn.value(rates @ params.weights[above, below].T + params.bias[None, above])
    return rates


def backpropagation_update(rate_fn: RateFunction, sizes: tuple[int, ...]) -> Update:
    """Return the update function of back-propagation, of the same mean squared error / 2 as the two-phase rules.

    Args:
        rate_fn: the rate function rho; derivatives follow its slope.
        sizes: units in each layer.

    Returns:
        `update(key, params, batch, memory) -> (delta, metrics, memory)`: delta is minus the gradient, the same in both
        directions of a pair; metrics are `loss` and `error`. `update.check(params, data)` refuses, as `update` does,
        samples that do not fit, and `update.sizes` are the layers', see `phase_update`.

    Raises:
        ValueError: no rate function, or sizes that are no layers.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax import learning
        >>> update = learning.backpropagation_update(stdpjax.rates.hard_sigmoid(), (3, 4, 2))
        >>> params = learning.random_layers(stdpjax.random.key(0), (3, 4, 2))
        >>> batch = learning.Labelled(jnp.zeros((5, 3)), jnp.array([0, 1, 1, 0, 1]))
        >>> delta, metrics, _ = update(stdpjax.random.key(1), params, batch, ())
        >>> sorted(metrics)
        ['error', 'loss']
    """
    check_rate_fn(rate_fn)
    layer_slices(sizes)

    def check(params: Params, data: Labelled) -> Labelled:
        return check_labelled(params, data, rate_fn, sizes[-1], sizes)

    def loss(params: Params, batch: Labelled) -> tuple[Float[Array, ""], Float[Array, ""]]:
        outputs = _run(params, batch.inputs, rate_fn, sizes)
        is_label = jax.nn.one_hot(batch.labels, sizes[-1], dtype=outputs.dtype)
        error = jnp.mean((jnp.argmax(outputs, axis=1).astype(batch.labels.dtype) != batch.labels).astype(outputs.dtype))
        return 0.5 * jnp.mean(jnp.sum((outputs - is_label) ** 2, axis=1)), error

    def update(key: Key[Array, ""], params: Params, batch: Labelled, memory: Any) -> tuple[Params, Metrics, Any]:
        _checks.key("key", key)
        (value, error), slope = jax.value_and_grad(loss, has_aux=True)(params, check(params, batch))
        delta = Params(-(slope.weights + slope.weights.T), -slope.bias)
        return delta, {"loss": value, "error": error}, memory

    update.check = check  # pyright: ignore[reportFunctionMemberAccess] -- read by `train_epoch`
    update.sizes = sizes  # pyright: ignore[reportFunctionMemberAccess] -- read by `start`
    return update


def forward_class(
    params: Params, inputs: Float[Array, "sample input"], rate_fn: RateFunction, sizes: tuple[int, ...]
) -> Int[Array, "sample"]:
    """Return the class of each sample: the output with the highest rate; arguments as in `forward`.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax import learning
        >>> params = learning.random_layers(stdpjax.random.key(0), (3, 4, 2))
        >>> learning.forward_class(params, jnp.zeros((5, 3)), stdpjax.rates.hard_sigmoid(), (3, 4, 2)).shape
        (5,)
    """
    return jnp.argmax(forward(params, inputs, rate_fn, sizes), axis=1)
