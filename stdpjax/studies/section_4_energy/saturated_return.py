"""Units that start in saturation: where from, after how many steps they are active again, and what a law says of it."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key
from numpy.typing import NDArray

from stdpjax.dynamics import Kernel
from stdpjax.energy import random_params
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.studies.network_runs import path_from

# Upper kink of the hard sigmoid, beta_2; the lower one is its negative.
KINK = 0.5


def returns(
    starts: Float[Array, "step unit"], steps: Float[Array, "step"], key: Key[Array, ""], kernel: Kernel, n_steps: int
) -> Int[Array, "step unit"]:
    """Return the number of steps after which each saturated unit is active again, in a network of strong weights."""
    rho = hard_sigmoid()
    params = random_params(key, starts.shape[1], 3.0)

    def one(start: Array, step: Array) -> Array:
        is_back = rho.slope(path_from(kernel, params, start, kernel.Hyper(step), n_steps, key)) == 1
        return jnp.where(is_back.any(0), jnp.argmax(is_back, axis=0), -1)

    return jax.vmap(one)(starts, steps)


def steps_until_active(starts: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ceil(ln(|s_0| / |kink|) / -ln(1 - step))."""
    return np.ceil(np.log(np.abs(starts) / KINK) / -np.log1p(-steps))


def saturated_starts(key: Key[Array, ""], steps: np.ndarray, n_returns: int) -> NDArray[np.float64]:
    """Return starts from which 1 to 20 steps lead back, well between those of the next lower and higher count."""
    draws = np.asarray(jax.random.uniform(named_key(key, "returns"), (3, len(steps), n_returns)))
    exponent = 1 + np.floor(20 * draws[0]) - (0.05 + 0.9 * draws[1])
    sign = np.where(draws[2] < 0.5, -1, 1)
    return sign * KINK * (1 - steps[:, None].astype(np.float64)) ** -exponent
