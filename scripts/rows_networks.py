"""Steps of networks against their matrix products, and against loops that do nothing else."""

from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from timing import Row, in_fresh_process, interleaved, ratio_row

import stdpjax
from stdpjax.dynamics import Langevin, MetropolisLangevin, NoiseHyper, NoisyIntegrator, simulate
from stdpjax.observers import mean_of

UNITS, CHAINS, NETWORK_STEPS = 1024, 256, 1000

NETWORK = """
import jax.numpy as jnp, stdpjax
from stdpjax.dynamics import NoiseHyper, NoisyIntegrator, simulate
from stdpjax.observers import mean_of
params = stdpjax.energy.random_params(stdpjax.random.key(0), 128)
simulate(
    stdpjax.random.key(1), params, NoisyIntegrator(stdpjax.rates.hard_sigmoid()), NoiseHyper(0.1, 0.2),
    state=jnp.zeros((256, 128)), n_steps={n_steps}, observe={{"state": mean_of(lambda s: s.next_post_state)}},
).state.block_until_ready()
result = {{}}
"""


@partial(jax.jit, static_argnames="n_steps")
def products_alone(weights: jax.Array, states: jax.Array, n_steps: int) -> jax.Array:
    """Multiply every chain's state by the weights at each step, and do nothing else."""

    def multiply(states: jax.Array, _: None) -> tuple[jax.Array, None]:
        return jax.vmap(lambda state: weights @ state)(states), None

    return jax.lax.scan(multiply, states, None, length=n_steps)[0]


def squared_change(sample: stdpjax.rules.Sample) -> jax.Array:
    """Return |ds|^2 of each unit in a step."""
    return (sample.next_post_state - sample.post_state) ** 2


class Counted(NoisyIntegrator):
    """The noisy step, which notes each time that it is traced."""

    traces: ClassVar[list[None]] = []

    def __call__(self, key: Any, state: Any, field: Any, hyper: Any) -> Any:
        """Return the next state."""
        self.traces.append(None)
        return super().__call__(key, state, field, hyper)


def network(n_repeats: int) -> Iterator[Row]:
    """The noisy update with a streaming statistic against its matrix products alone; memory; compilations."""
    params = stdpjax.energy.random_params(stdpjax.random.key(0), UNITS)
    start = jnp.zeros((CHAINS, UNITS))
    observe = {"speed": mean_of(squared_change)}
    kernel = Counted(stdpjax.rates.hard_sigmoid())

    def run(seed: int = 1, hyper: NoiseHyper = NoiseHyper(0.1, 0.2), n_steps: int = NETWORK_STEPS) -> Any:  # noqa: B008
        key = stdpjax.random.key(seed)
        done = simulate(key, params, kernel, hyper, state=start, n_steps=n_steps, observe=observe)
        return done.state, done.observed

    ways = {"ours": run, "products": lambda: products_alone(params.weights, start, NETWORK_STEPS)}
    seconds = interleaved(ways, n_repeats)
    what = f"{UNITS} units x {CHAINS} chains x {NETWORK_STEPS} noisy steps / their matrix products alone"
    yield ratio_row(what, seconds, "ours", "products", 1.25)
    before = len(Counted.traces)
    jax.block_until_ready([run(seed, NoiseHyper(0.1 * seed, 0.3 * seed)) for seed in (2, 3)])
    n_traces = len(Counted.traces) - before
    yield {"what": "compilations for other seeds, steps and noise levels", "ratio": n_traces}
    short, long = (in_fresh_process(NETWORK.format(n_steps=n_steps)) for n_steps in (100, 10_000))
    yield {"what": "memory of 10^4 noisy steps - of 100 (MiB)", "ratio": long["peak"] - short["peak"], "bound": 50.0}


RHO = stdpjax.rates.hard_sigmoid()


@partial(jax.jit, static_argnums=2)
def bare_langevin(keys: jax.Array, params: stdpjax.energy.Params, n_steps: int, states: jax.Array) -> jax.Array:
    """Langevin's step in a scan, with the same draws and nothing else: no checks, flags, clamps or observers."""

    def one(states: jax.Array, number: jax.Array) -> tuple[jax.Array, None]:
        now = jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
        noise = jax.vmap(lambda key: jax.random.normal(key, states.shape[1:]))(now)
        pull = RHO.slope(states) * (RHO.value(states) @ params.weights.T + params.bias) - states
        return states + 0.05 * pull + jnp.sqrt(2 * 0.05) * noise, None

    return jax.lax.scan(one, states, jnp.arange(n_steps, dtype=jnp.uint32))[0]


@partial(jax.jit, static_argnums=2)
def bare_mala(keys: jax.Array, params: stdpjax.energy.Params, n_steps: int, states: jax.Array) -> jax.Array:
    """The loop of blackjax's documentation over its own kernel, with the same draws."""
    from blackjax.mcmc import mala

    def log_density(state: jax.Array) -> jax.Array:
        return -stdpjax.energy.energy_of(params, state, RHO)

    kernel = mala.build_kernel()

    def one(chains: Any, number: jax.Array) -> tuple[Any, None]:
        now = jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)
        return jax.vmap(lambda key, chain: kernel(key, chain, log_density, 0.05)[0])(now, chains), None

    chains = jax.vmap(lambda state: mala.init(state, log_density))(states)
    return jax.lax.scan(one, chains, jnp.arange(n_steps, dtype=jnp.uint32))[0].position


def kernels(n_repeats: int) -> Iterator[Row]:
    """Langevin and Metropolis-adjusted steps in `simulate` against loops that do nothing else."""
    for units, chains in ((16, 1000), (64, 256), (256, 64)):
        params, states = stdpjax.energy.random_params(stdpjax.random.key(0), units), jnp.zeros((chains, units))
        key, n_steps = stdpjax.random.key(1), 500
        keys = stdpjax.random.member_keys(key, chains)
        for make, bare, bound in ((Langevin, bare_langevin, 1.2), (MetropolisLangevin, bare_mala, 1.1)):
            kernel = make(RHO)
            ours = partial(simulate, key, params, kernel, kernel.Hyper(0.05), state=states, n_steps=n_steps)
            alone = partial(bare, keys, params, n_steps, states)
            seconds = interleaved({"ours": ours, "bare": alone}, n_repeats)
            what = f"{make.__name__}, {units} units x {chains} chains / a loop of nothing else"
            yield ratio_row(what, seconds, "ours", "bare", bound)
