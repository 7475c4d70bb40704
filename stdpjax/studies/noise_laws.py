"""What the studies of noise share: networks with given modes, their laws, and states after they have settled."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jaxtyping import Array, ArrayLike, Bool, Float, Key

from stdpjax.dynamics import Kernel, simulate, transition
from stdpjax.energy import Params, energy_of, target_of
from stdpjax.random import member_keys
from stdpjax.rates import RateFunction, hard_sigmoid


def _linear(activity: Float[ArrayLike, "..."]) -> Float[Array, "..."]:
    return jnp.asarray(activity) + 0.5


LINEAR = RateFunction(_linear, jnp.ones_like)
"""The hard sigmoid without its kinks: noise of any size leaves the network linear."""


class Settled(NamedTuple):
    """States of every case and trial, some steps apart, after the first ones."""

    states: Float[Array, "case trial time unit"]
    is_finite: Bool[Array, "case trial"]


@partial(jax.jit, static_argnames=("kernel", "n_trials", "n_steps", "n_settling", "every"))
def settled_states(
    key: Key[Array, ""],
    params: Params,
    kernel: Kernel,
    hyper: Any,
    *,
    n_trials: int,
    n_steps: int,
    n_settling: int,
    every: int,
) -> Settled:
    """Run many cases from rest and keep their states once they have settled.

    All cases see the same random numbers, which are drawn once, so differences between cases are paired.

    Args:
        key: a scalar key.
        params: networks, `[case, post, pre]` and `[case, unit]`.
        kernel: one time step, see `stdpjax.dynamics`.
        hyper: its numbers, each of shape `[case]`.
        n_trials: independent runs of each case.
        n_steps: steps in all.
        n_settling: how many of them are dropped; a multiple of `every`.
        every: keep one state in so many steps; divides `n_steps`.

    Returns:
        States, shape `[case, trial, time, unit]`, and which trials have stayed finite.

    Example:
        >>> import jax.numpy as jnp, stdpjax
        >>> from stdpjax.dynamics import Langevin
        >>> from stdpjax.studies.noise_laws import cases, settled_states
        >>> params = stdpjax.energy.Params(jnp.zeros((1, 2, 2)), jnp.zeros((1, 2)))
        >>> kernel = Langevin(stdpjax.rates.hard_sigmoid())
        >>> settled_states(stdpjax.random.key(0), params, kernel, cases(kernel, step=[0.1], temperature=0.1),
        ...                n_trials=3, n_steps=20, n_settling=10, every=5).states.shape
        (1, 3, 2, 2)
    """

    def one(params: Params, hyper: Any) -> Settled:
        rest = jnp.zeros((n_trials, params.bias.shape[-1]), params.bias.dtype)
        run = simulate(key, params, kernel, hyper, state=rest, n_steps=n_steps, trace_every=every)
        assert run.trace is not None
        return Settled(run.trace[:, n_settling // every :], run.is_finite)

    return jax.vmap(one)(params, hyper)


def over_trials(values: np.ndarray, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard error over independent trials, in double precision.

    Example:
        >>> import numpy as np
        >>> from stdpjax.studies.noise_laws import over_trials
        >>> [float(part) for part in over_trials(np.array([1.0, 3.0]))]
        [2.0, 1.0]
    """
    values = np.asarray(values, np.float64)
    error = values.std(axis, ddof=1) / np.sqrt(values.shape[axis])
    return np.asarray(values.mean(axis)), np.asarray(error)


def cases(kernel: Kernel, **numbers: npt.ArrayLike) -> Any:
    """Return a kernel's numbers for many cases, each of shape `[case]`; what is not given has its default in all.

    Example:
        >>> import stdpjax
        >>> from stdpjax.studies.noise_laws import cases
        >>> cases(stdpjax.dynamics.Langevin(stdpjax.rates.hard_sigmoid()), step=[0.1, 0.2]).temperature.tolist()
        [1.0, 1.0]
    """
    kind: Any = type(kernel).Hyper
    every = {**kind._field_defaults, **numbers}
    columns = np.broadcast_arrays(*every.values())
    return kind(**{name: jnp.asarray(column, float) for name, column in zip(every, columns, strict=True)})


def networks(weights: list[np.ndarray], bias: list[np.ndarray]) -> Params:
    """Return several networks as one, `[case, post, pre]` and `[case, unit]`.

    Example:
        >>> import numpy as np
        >>> from stdpjax.studies.noise_laws import networks
        >>> networks([np.zeros((2, 2))] * 3, [np.zeros(2)] * 3).bias.shape
        (3, 2)
    """
    return Params(jnp.asarray(np.stack(weights), float), jnp.asarray(np.stack(bias), float))


# Orthonormal, with entries of equal size: eigenvalues that sum to 0 then leave 0 on the diagonal.
BASIS = 0.5 * np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]], float)


def weights_of(eigenvalues: np.ndarray) -> np.ndarray:
    """Return symmetric weights of four units with given eigenvalues, whose sum is 0, and 0 on the diagonal.

    Example:
        >>> import numpy as np
        >>> from stdpjax.studies.noise_laws import weights_of
        >>> np.linalg.eigvalsh(weights_of(np.array([-0.5, -0.4, 0.3, 0.6]))).round(6).tolist()
        [-0.5, -0.4, 0.3, 0.6]
    """
    weights = BASIS @ np.diag(eigenvalues) @ BASIS.T
    return weights - np.diag(np.diag(weights))


def linear_variance(mode: np.ndarray, step: np.ndarray, noise_std: float) -> np.ndarray:
    """Return the stationary variance of a linear mode under the paper's noise.

    Args:
        mode: eigenvalues m of the weights, below 1.
        step: step over time constant.
        noise_std: standard deviation of eta.

    Returns:
        step noise_std^2 m^2 / ((1 - m) (2 - step (1 - m))).

    Example:
        >>> import numpy as np
        >>> from stdpjax.studies.noise_laws import linear_variance
        >>> float(linear_variance(np.array(0.5), np.array(1.0), 1.0).round(6))
        0.333333
    """
    return np.asarray(step * noise_std**2 * mode**2 / ((1 - mode) * (2 - step * (1 - mode))))


def temperature_slope(mode: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Return how log temperature, (1 - m) times the variance, rises with log |m|: 2 for m^2, 0 for a temperature.

    Args:
        mode: eigenvalues, shape `[mode]`, not 0.
        variance: of each mode, shape `[..., mode]`.

    Example:
        >>> import numpy as np
        >>> from stdpjax.studies.noise_laws import temperature_slope
        >>> m = np.array([0.25, 0.5])
        >>> float(temperature_slope(m, m**2 / (1 - m)).round(6))
        2.0
    """
    x, y = np.log(np.abs(mode)), np.log((1 - mode) * variance)
    return np.asarray(((x - x.mean()) * y).sum(-1) / ((x - x.mean()) ** 2).sum())


@partial(jax.jit, static_argnames=("n_walks", "n_steps"))
def noisy_walks(
    key: Key[Array, ""], params: Params, step: Array, noise_std: Array, *, n_walks: int, n_steps: int
) -> tuple[Float[Array, "walk time unit"], Float[Array, "walk three"]]:
    """Return the noise term nu of Eq 15 along walks of the paper's dynamics, and how far its algebra is off.

    Args:
        key: a scalar key.
        params: a network.
        step: step over time constant.
        noise_std: standard deviation of eta.
        n_walks: independent walks.
        n_steps: steps of each.

    Returns:
        nu_t, what the noisy state does beyond descending the energy at itself; and the largest differences from
        Eq 14, from Eq 14 with the gradient at the state without noise, and of nu from eta' - (1 - step) eta.
    """
    rate_fn = hard_sigmoid()

    def walk(key: Key[Array, ""]) -> tuple[Float[Array, "time unit"], Float[Array, "three"]]:
        eta = noise_std * jax.random.normal(key, (n_steps + 1, params.bias.shape[0]), params.bias.dtype)

        def advance(state: Float[Array, "unit"], noise: Float[Array, "unit"]):
            return transition(params, state, noise, rate_fn, step), state

        _, states = jax.lax.scan(advance, jnp.zeros_like(params.bias), eta)
        slope = jax.vmap(jax.grad(lambda state: energy_of(params, state, rate_fn)))
        seen = states + eta
        change, kick = states[1:] - states[:-1], eta[:-1]
        nu = seen[1:] - seen[:-1] + step * slope(seen[:-1])
        off = (
            change - step * (kick - slope(seen[:-1])),
            change - step * (kick - slope(states[:-1])),
            nu - (eta[1:] - (1 - step) * kick),
        )
        return nu, jnp.stack([jnp.max(jnp.abs(part)) for part in off])

    return jax.vmap(walk)(member_keys(key, n_walks))


@partial(jax.jit, static_argnames=("n_draws",))
def drift_at(
    key: Key[Array, ""], params: Params, state: Float[Array, "unit"], noise_std: Array, *, n_draws: int
) -> tuple[Float[Array, "unit"], Float[Array, "unit"]]:
    """Return the mean of R(s + eta) over noise draws, and its standard error."""
    eta = noise_std * jax.random.normal(key, (n_draws, *state.shape), state.dtype)
    pulls = jax.vmap(lambda noise: target_of(params, state + noise, hard_sigmoid()))(eta)
    return jnp.mean(pulls, axis=0), jnp.std(pulls, axis=0) / jnp.sqrt(1.0 * n_draws)


def autocovariance(series: np.ndarray, max_lag: int) -> np.ndarray:
    """Return the autocovariance, over all walks, at lags 0 to `max_lag`, of a series of mean 0 `[walk, time, unit]`."""
    n_steps = series.shape[1]
    return np.array([np.mean(series[:, lag:] * series[:, : n_steps - lag]) for lag in range(max_lag + 1)])


def long_run_variance(series: np.ndarray) -> tuple[float, float]:
    """Return the variance that a series adds up to over long times, per step, and its standard error.

    A sum over time with weights that rise and fall smoothly: the noise term nearly cancels in any plain sum, all but
    its ends. Each walk and unit gives one independent estimate.
    """
    taper = np.hanning(series.shape[1])
    sums = np.einsum("wtu,t->wu", series, taper) ** 2 / (taper @ taper)
    mean, error = over_trials(sums.ravel())
    return float(mean), float(error)


def moving_average(step: float, noise_std: float, max_lag: int) -> np.ndarray:
    """Return the autocovariance of nu_t = eta_{t+1} - (1 - step) eta_t at lags 0 to `max_lag`, 1 or more.

    Example:
        >>> from stdpjax.studies.noise_laws import moving_average
        >>> moving_average(0.1, 0.3, 2).round(4).tolist()
        [0.1629, -0.081, 0.0]
    """
    law = np.zeros(max_lag + 1)
    law[:2] = noise_std**2 * np.array([1 + (1 - step) ** 2, step - 1])
    return law
