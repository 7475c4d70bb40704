"""A hidden Markov chain of few states, and its likelihood: by all paths, by filtering, by one state."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key


class ChainLaw(NamedTuple):
    """Law of a chain: x_t is emitted by s_{t-1}, then s_t follows from s_{t-1} and x_t."""

    start: Float[Array, "state"]
    """Probabilities of s_0."""
    emit: Float[Array, "state symbol"]
    """P(x_t | s_{t-1})."""
    move: Float[Array, "state symbol next"]
    """P(s_t | s_{t-1}, x_t)."""


class ChainSample(NamedTuple):
    """A sequence of a chain."""

    states: Int[Array, "time"]
    """s_{t-1}, the states that emitted the symbols."""
    symbols: Int[Array, "time"]
    """x_t."""


def two_state_chain(switching: float, emission: tuple[float, float]) -> ChainLaw:
    """Return a chain of two states that switch with a probability and emit symbol 1 with the given ones."""
    stay = jnp.array([[1 - switching, switching], [switching, 1 - switching]])
    ones = jnp.array(emission)
    return ChainLaw(
        jnp.array([0.5, 0.5]), jnp.stack([1 - ones, ones], axis=1), jnp.broadcast_to(stay[:, None, :], (2, 2, 2))
    )


def remembering_chain(emission: tuple[float, float]) -> ChainLaw:
    """Return a chain whose state is the last symbol: a function of the past, as Eq 12 needs."""
    ones = jnp.array(emission)
    return ChainLaw(
        jnp.array([1.0, 0.0]), jnp.stack([1 - ones, ones], axis=1), jnp.broadcast_to(jnp.eye(2)[None], (2, 2, 2))
    )


def sample_chain(key: Key[Array, ""], law: ChainLaw, n_steps: int) -> ChainSample:
    """Return a sequence of `n_steps` symbols and the states that emitted them."""
    # Drawn before the loop: an unrolled generator is slow to compile in each place where it is called.
    uniform = jax.random.uniform(key, (n_steps + 1, 2), float)

    def step(state: Int[Array, ""], draw: Float[Array, "two"]):
        symbol = _draw(law.emit[state], draw[0])
        return _draw(law.move[state, symbol], draw[1]), (state, symbol)

    _, (states, symbols) = jax.lax.scan(step, _draw(law.start, uniform[0, 0]), uniform[1:])
    return ChainSample(states, symbols)


def path_log_likelihood(law: ChainLaw, symbols: np.ndarray) -> np.ndarray:
    """Return log P(x_1, ..., x_T) of sequences as the sum over all paths of states, in double precision.

    Args:
        law: the chain's.
        symbols: shape `[sequence, time]`. The number of paths is the number of states to the power of the time.

    Returns:
        Shape `[sequence]`.
    """
    start, emit, move = (np.asarray(part, np.float64) for part in law)
    # No recursion, so nothing is shared with the filter: every path is a product of its own.
    paths = np.array(list(itertools.product(range(start.size), repeat=symbols.shape[1])))
    product = np.broadcast_to(start[paths[:, 0]], (symbols.shape[0], len(paths))).copy()
    for time, symbol in enumerate(symbols.T):
        product *= emit[paths[None, :, time], symbol[:, None]]
        if time + 1 < symbols.shape[1]:
            product *= move[paths[None, :, time], symbol[:, None], paths[None, :, time + 1]]
    return np.log(product.sum(axis=1))


class Predictions(NamedTuple):
    """Logarithms of products of predictions P(x_t | s_{t-1}) over a sequence."""

    filtered: Float[Array, ""]
    """Each factor averaged over the filtering distribution of s_{t-1}."""
    drawn_state: Float[Array, ""]
    """Each s_{t-1} drawn from its filtering distribution."""
    actual_state: Float[Array, ""]
    """Each s_{t-1} the one that emitted the symbol."""


def predict(key: Key[Array, ""], law: ChainLaw, sample: ChainSample) -> Predictions:
    """Return the three products for a sequence."""

    def step(belief: Float[Array, "state"], at: tuple[Float[Array, ""], Int[Array, ""], Int[Array, ""]]):
        uniform, state, symbol = at
        joint = belief * law.emit[:, symbol]
        predicted = jnp.sum(joint)
        drawn = law.emit[_draw(belief, uniform), symbol]
        return joint / predicted @ law.move[:, symbol], jnp.stack([predicted, drawn, law.emit[state, symbol]])

    uniform = jax.random.uniform(key, sample.symbols.shape, float)
    _, factors = jax.lax.scan(step, law.start, (uniform, sample.states, sample.symbols))
    return Predictions(*jnp.sum(jnp.log(factors), axis=0))


def _draw(probability: Float[Array, "outcome"], uniform: Float[Array, ""]) -> Int[Array, ""]:
    """Return the outcome that a uniform number in [0, 1) falls on."""
    return jnp.sum(uniform >= jnp.cumsum(probability)[:-1])
