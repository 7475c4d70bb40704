"""What studies of networks run: paths, states after they have settled, time averages, and the mean pull under noise."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jaxtyping import Array, Bool, Float, Key

from stdpjax.clamps import Clamps
from stdpjax.dynamics import Kernel, LeakyIntegrator, StepHyper, simulate
from stdpjax.energy import Params, target_of
from stdpjax.observers import mean_of
from stdpjax.rates import hard_sigmoid
from stdpjax.studies.measures import on_device


def path_from(
    kernel: Kernel,
    params: Params,
    start: Float[Array, "unit"],
    hyper: Any,
    n_steps: int,
    key: Key[Array, ""],
    clamps: Clamps = (),
) -> Float[Array, "time unit"]:
    """Return the states from the start on."""
    run = simulate(key, params, kernel, hyper, state=start, clamps=clamps, n_steps=n_steps, trace_every=1)
    assert run.trace is not None
    return jnp.concatenate([start[None], run.trace])


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
    """Run many cases from rest and keep one state in `every` steps once they have settled, after `n_settling`.

    All cases see the same random numbers, which are drawn once, so differences between cases are paired. Networks and
    the kernel's numbers have a leading axis of cases.
    """

    def one(params: Params, hyper: Any) -> Settled:
        rest = jnp.zeros((n_trials, params.bias.shape[-1]), params.bias.dtype)
        run = simulate(key, params, kernel, hyper, state=rest, n_steps=n_steps, trace_every=every)
        assert run.trace is not None
        return Settled(run.trace[:, n_settling // every :], run.is_finite)

    return jax.vmap(one)(params, hyper)


def cases(kernel: Kernel, **numbers: npt.ArrayLike) -> Any:
    """Return a kernel's numbers for many cases, each of shape `[case]`; what is not given has its default in all."""
    kind: Any = type(kernel).Hyper
    every = {**kind._field_defaults, **numbers}
    columns = np.broadcast_arrays(*every.values())
    return kind(**{name: on_device(column) for name, column in zip(every, columns, strict=True)})


def networks(weights: list[np.ndarray], bias: list[np.ndarray]) -> Params:
    """Return several networks as one, `[case, post, pre]` and `[case, unit]`."""
    return Params(on_device(np.stack(weights)), on_device(np.stack(bias)))


@partial(jax.jit, static_argnames=("n_draws",))
def drift_at(
    key: Key[Array, ""], params: Params, state: Float[Array, "unit"], noise_std: Array, *, n_draws: int
) -> tuple[Float[Array, "unit"], Float[Array, "unit"]]:
    """Return the mean of R(s + eta) over noise draws, and its standard error."""
    eta = noise_std * jax.random.normal(key, (n_draws, *state.shape), state.dtype)
    pulls = jax.vmap(lambda noise: target_of(params, state + noise, hard_sigmoid()))(eta)
    return jnp.mean(pulls, axis=0), jnp.std(pulls, axis=0) / jnp.sqrt(1.0 * n_draws)


@partial(jax.jit, static_argnames="n_steps")
def settle(keys, params: Params, state: Array, step: Array, n_steps: int):
    """Run each network with a step of its own; the state at the end, its time average, and whether all is finite."""
    kernel, observe = LeakyIntegrator(hard_sigmoid()), {"state": mean_of(lambda sample: sample.next_post_state)}

    def one(key, params: Params, state, step):
        done = simulate(key, params, kernel, StepHyper(step), state=state, n_steps=n_steps, observe=observe)
        return done.state, done.observed["state"].mean, done.is_finite

    return jax.vmap(one)(keys, params, state, step)
