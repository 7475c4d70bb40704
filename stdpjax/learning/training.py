"""The loop in which measured updates are applied, through optax.

An update function is `update(key, params, batch, memory) -> (delta, metrics, memory)` with `delta` to be added, an
estimate of minus a gradient, and a memory of its own, such as Markov chains. The loop hands -delta to an optimiser,
keeps to the mask, to ties and to bounds, and stops at the first update that is not finite, with the weights before it.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int32, Key, PyTree

from stdpjax import _checks
from stdpjax.energy import Params, check_params, tie
from stdpjax.learning.layers import check_layers

Metrics = Mapping[str, Float[Array, ""]]
Update = Callable[[Key[Array, ""], Params, Any, Any], tuple[Params, Metrics, Any]]


class Learner(NamedTuple):
    """What learning consists of; its functions are static and each is compiled once."""

    update: Update
    optimizer: optax.GradientTransformation
    tied: bool = True
    """Whether the weights of a pair are one number."""
    bounds: tuple[float, float] | None = None
    """Lowest and highest weight; None for no bounds."""


class TrainState(NamedTuple):
    """Where learning stands: what a checkpoint holds."""

    params: Params
    optimizer_state: PyTree
    n_updates: Int32[Array, ""]
    """Updates applied."""
    is_finite: Bool[Array, ""]
    """False once an update would have left the finite numbers: `params` are those before it."""
    memory: PyTree = ()
    """What the update function remembers from batch to batch."""


def start(learner: Learner, params: Params, memory: PyTree = ()) -> TrainState:
    """Return the state before the first update.

    Args:
        learner: what learning consists of.
        params: initial weights and biases.
        memory: what the update function starts from.

    Raises:
        ValueError: no learner, parameters that are no network or not symmetric although tied, weights that the layers
            of its update do not have, or bounds the wrong way round.

    Example:
        >>> import optax, stdpjax
        >>> from stdpjax import learning
        >>> update = learning.phase_update(stdpjax.rates.hard_sigmoid(), learning.Phases(), n_outputs=2)
        >>> learner = learning.Learner(update, optax.sgd(0.1))
        >>> state = learning.start(learner, learning.random_layers(stdpjax.random.key(0), (3, 4, 2)))
        >>> int(state.n_updates), bool(state.is_finite)
        (0, True)
    """
    _check_learner(learner)
    check_params(params, tied=learner.tied)
    sizes = getattr(learner.update, "sizes", None)
    if sizes is not None:
        check_layers(params.weights, sizes)
    return TrainState(params, learner.optimizer.init(params), jnp.zeros((), jnp.int32), jnp.asarray(True), memory)


def apply_update(learner: Learner, state: TrainState, delta: Params, mask: Bool[Array, "unit unit"]) -> TrainState:
    """Return the state after one measured update, or unchanged and marked if that is not finite.

    Args:
        learner: what learning consists of.
        state: where learning stands.
        delta: to be added, before the optimiser; of tied weights the symmetric part counts.
        mask: which weights there are, shape `[post, pre]`; symmetric if tied, else False on the diagonal.

    Raises:
        ValueError: no learner, no state, a delta or a mask of another shape than the weights, or a known mask that is
            not symmetric although weights are tied, has units that connect to themselves, or lacks known weights.

    Example:
        >>> import optax, stdpjax
        >>> from stdpjax import learning
        >>> update = learning.phase_update(stdpjax.rates.hard_sigmoid(), learning.Phases(), n_outputs=1)
        >>> learner = learning.Learner(update, optax.sgd(0.1))
        >>> state = learning.start(learner, stdpjax.energy.make_params([[0.0, 0.5], [0.5, 0.0]]))
        >>> delta = stdpjax.energy.make_params([[0.0, 1.0], [1.0, 0.0]])
        >>> learning.apply_update(learner, state, delta, learning.layered_mask((1, 1))).params.weights.round(3).tolist()
        [[0.0, 0.6000000238418579], [0.6000000238418579, 0.0]]
    """
    _check_learner(learner)
    _checks.instance("state", state, TrainState, "a state, as stdpjax.learning.start gives")
    _checks.instance("delta", delta, Params, "weights and biases, a stdpjax.energy.Params")
    shapes = [tuple(np.shape(leaf) for leaf in each) for each in (state.params, delta)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"delta: expected the shapes of the weights and biases, {shapes[0]}, got {shapes[1]}")
    mask = _checked_mask(mask, learner, state)
    weights = tie(delta.weights) if learner.tied else delta.weights
    ascent = jax.tree.map(jnp.negative, Params(jnp.where(mask, weights, 0.0), delta.bias))
    with jax.numpy_dtype_promotion("standard"):  # optax counts in whole numbers and multiplies by them
        steps, optimizer_state = learner.optimizer.update(ascent, state.optimizer_state, state.params)
    params: Params = optax.apply_updates(state.params, steps)  # pyright: ignore[reportAssignmentType]
    # Compiled, equal steps may differ in their last bits; tied again each time, they do not add up.
    weights = jnp.where(mask, tie(params.weights) if learner.tied else params.weights, 0.0)
    if learner.bounds is not None:
        weights = jnp.clip(weights, *learner.bounds)
        weights = jnp.where(mask, weights, 0.0)
    params = params._replace(weights=weights)
    is_finite = jnp.all(jnp.isfinite(params.weights)) & jnp.all(jnp.isfinite(params.bias)) & state.is_finite
    moved = TrainState(params, optimizer_state, state.n_updates + 1, is_finite, state.memory)
    return _if_finite(is_finite, moved, state._replace(is_finite=is_finite))


def _if_finite(is_finite: Bool[Array, ""], new: PyTree, old: PyTree) -> PyTree:
    """Return the new, or the old where an update would have left the finite numbers."""
    return jax.tree.map(lambda new, old: jnp.where(is_finite, new, old), new, old)


def train_epoch(
    key: Key[Array, ""],
    learner: Learner,
    state: TrainState,
    data: PyTree[Array],
    mask: Bool[Array, "unit unit"],
    batch_size: int,
) -> tuple[TrainState, Metrics]:
    """Return the state after one pass over the data in random order, and the metrics' means over its batches.

    `vmap` over `key` and `state` trains several seeds together.

    Args:
        key: of this epoch; its order and each batch's random numbers follow from it.
        learner: what learning consists of.
        state: where learning stands.
        data: a tree of arrays with a leading sample axis.
        mask: which weights there are, as in `apply_update`.
        batch_size: samples in a batch; those that fill no batch are left out of this epoch.

    Raises:
        ValueError: a batch larger than the data, or not a whole number of at least 1; no data, or arrays of different
            lengths; labelled samples that do not fit the network, see `phase_update`; no key, learner or state; a
            mask as in `apply_update`.

    Example:
        >>> import jax.numpy as jnp, optax, stdpjax
        >>> from stdpjax import learning
        >>> update = learning.phase_update(stdpjax.rates.hard_sigmoid(), learning.Phases(), n_outputs=2)
        >>> learner = learning.Learner(update, optax.sgd(0.1))
        >>> state = learning.start(learner, learning.random_layers(stdpjax.random.key(0), (3, 4, 2)))
        >>> data = learning.Labelled(jnp.zeros((6, 3)), jnp.zeros(6, int))
        >>> mask = learning.layered_mask((3, 4, 2))
        >>> state, metrics = learning.train_epoch(stdpjax.random.key(1), learner, state, data, mask, 2)
        >>> int(state.n_updates)
        3
    """
    key = _checks.key("key", key)
    _check_learner(learner)
    _checks.instance("state", state, TrainState, "a state, as stdpjax.learning.start gives")
    check = getattr(learner.update, "check", None)
    if check is not None:
        # Here, where the samples are known.
        data = check(state.params, data)
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(data)]
    if not shapes or () in shapes or len({shape[0] for shape in shapes}) > 1 or shapes[0][0] == 0:
        raise ValueError(f"data: expected arrays with a leading axis of samples, the same for all, got shapes {shapes}")
    batch_size = _checks.count("batch_size", batch_size, maximum=shapes[0][0])
    return _train_epoch(key, learner, state, data, _checked_mask(mask, learner, state), batch_size)


@partial(jax.jit, static_argnames=("learner", "batch_size"))
def _train_epoch(
    key: Key[Array, ""],
    learner: Learner,
    state: TrainState,
    data: PyTree[Array],
    mask: Bool[Array, "unit unit"],
    batch_size: int,
) -> tuple[TrainState, Metrics]:
    n_samples = jax.tree.leaves(data)[0].shape[0]
    n_batches = n_samples // batch_size
    order = jax.random.permutation(jax.random.fold_in(key, 0), n_samples)[: n_batches * batch_size]

    def one_batch(state: TrainState, batch: tuple[Array, Array]):
        number, members = batch
        chosen = jax.tree.map(lambda leaf: leaf[members], data)
        batch_key = jax.random.fold_in(key, number + 1)
        delta, metrics, memory = learner.update(batch_key, state.params, chosen, state.memory)
        moved = apply_update(learner, state, delta, mask)
        return moved._replace(memory=_if_finite(moved.is_finite, memory, state.memory)), metrics

    numbers = jnp.arange(n_batches, dtype=jnp.uint32)
    state, metrics = jax.lax.scan(one_batch, state, (numbers, order.reshape(n_batches, batch_size)))
    return state, jax.tree.map(jnp.mean, metrics)


def _check_learner(learner: Learner) -> None:
    _checks.instance("learner", learner, Learner, "a stdpjax.learning.Learner")
    if not callable(learner.update):
        raise ValueError(f"learner: expected an update function in it, got {learner.update!r:.60}")
    _checks.instance("learner", learner.optimizer, optax.GradientTransformation, "an optax optimiser in it")
    _checks.flag("learner.tied", learner.tied)
    if learner.bounds is not None:
        if not isinstance(learner.bounds, tuple) or len(learner.bounds) != 2:
            raise ValueError(f"bounds: expected the lowest and the highest weight, got {learner.bounds!r}")
        _checks.number("bounds", learner.bounds[0])
        _checks.number("bounds", learner.bounds[1], above=learner.bounds[0])


def _checked_mask(mask: Bool[Array, "unit unit"], learner: Learner, state: TrainState) -> Bool[Array, "unit unit"]:
    array, shape = _checks.as_array("mask", mask), np.shape(state.params.weights)
    if array.dtype != bool or array.shape != shape:
        raise ValueError(
            f"mask: expected truth values of the shape of the weights, {shape}, got dtype {array.dtype} and shape "
            f"{array.shape}"
        )
    if _checks.is_concrete(array):
        known = np.asarray(array)
        if learner.tied and np.any(known != known.T):
            raise ValueError(
                f"mask: expected a symmetric one for tied weights, got {np.count_nonzero(known & ~known.T)} weights "
                "without their reverse"
            )
        if not learner.tied and np.any(np.diagonal(known)):
            raise ValueError(
                f"mask: expected False on the diagonal, got {np.count_nonzero(np.diagonal(known))} units that connect "
                "to themselves"
            )
        if _checks.is_concrete(state.params.weights):
            n_lost = np.count_nonzero(np.asarray(state.params.weights)[~known])
            if n_lost:
                raise ValueError(f"mask: expected one that has all weights that are not 0, got {n_lost} outside of it")
    return jnp.asarray(array)
