"""Kernels, rules, energies and tables give the same compiled, operation by operation, and wherever their arguments lie.

`chex.variants` needs methods of a `chex.TestCase`, so that the cases stand in a table.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import parameterized

from stdpjax import dynamics, energy, rates, rules
from stdpjax.dynamics import advance, simulate
from stdpjax.random import key as make_key
from stdpjax.rules import Sample, lag_update
from stdpjax.spikes import expected_lag_counts, nearest_lag
from tests.spikes.reference import loop_nearest_lag

N = 4
RNG = np.random.default_rng(0)
HARD, SMOOTH = rates.hard_sigmoid(), rates.sigmoid()


class Case(NamedTuple):
    function: Callable[..., Any]
    arguments: Callable[[], tuple[Any, ...]]
    expected: Callable[[], Any]
    """By other means: a plain loop, or one call after the other, not compiled as a whole."""
    rtol: float = 0.0
    atol: float = 0.0


@cache
def params():
    return energy.random_params(make_key(0), N, scale=1.0)


STATES = RNG.normal(0, 0.4, (3, N)).astype(np.float32)


def kernel_case(make):
    kernel = make(HARD)
    hyper = kernel.Hyper(0.2, *[0.3] * (len(kernel.Hyper._fields) - 1))

    @cache
    def expected():
        return simulate(make_key(1), params(), kernel, hyper, state=STATES[0], n_steps=1).state

    return Case(
        lambda key, params, state: advance(key, params, kernel, hyper, state=state)[0],
        lambda: (jax.random.fold_in(make_key(1), 0), params(), jnp.asarray(STATES[0])),
        expected,
        atol=2e-6,
    )


KERNELS = (
    dynamics.LeakyIntegrator,
    dynamics.NoisyIntegrator,
    dynamics.PrintedIntegrator,
    dynamics.Langevin,
    dynamics.MetropolisLangevin,
    dynamics.SpikingIntegrator,
)


def energy_case(function):
    def both(params, states):
        return jax.vmap(lambda state: function(params, state, SMOOTH))(states), function(params, states[0], SMOOTH)

    @cache
    def expected():
        one_by_one = [function(params(), state, SMOOTH) for state in jnp.asarray(STATES)]
        return np.stack(one_by_one), one_by_one[0]

    return Case(both, lambda: (params(), jnp.asarray(STATES)), expected, atol=2e-6)


ENERGIES = (energy.energy, energy.target, energy.gradient, energy.hessian)

SPIKES = RNG.random((2, 5, N)) < 0.4
PATH = RNG.normal(0, 0.4, (6, N)).astype(np.float32)


def record():
    path = jnp.asarray(PATH)
    rate, slope = HARD.value(path[:-1]), HARD.slope(path[:-1])
    return Sample(path[:-1], path[1:], rate, jnp.asarray(SPIKES[0]), jnp.asarray(SPIKES[1]), slope)


def rule_case(rule):
    @cache
    def expected():
        weights, samples = jnp.full((N, N), 0.1), record()
        state, deltas = rule.init(weights), []
        for step in range(len(PATH) - 1):
            delta, state = rule.update(jax.tree.map(lambda part, step=step: part[step], samples), state, weights)
            deltas.append(delta)
            weights = weights + 0.5 * delta
        return np.stack(deltas)

    return Case(
        lambda samples, weights: rules.run_along(rule, samples, weights, learning_rate=0.5).updates,
        lambda: (record(), jnp.full((N, N), 0.1)),
        expected,
        atol=1e-6,
    )


RULES = {
    "differential": rules.differential_rule(),
    "bcm": rules.bcm_rule(HARD, 10.0),
    "xie_seung": rules.xie_seung_rule(HARD),
    "triplet": rules.triplet_rule(0.8, 0.6, 0.5, 0.4, 3.0, 5.0, 7.0, 4.0),
    "bounded": rules.bounded_rule(rules.pair_rule(1.0, 0.5, 10.0, 20.0), 0.0, 1.0),
}
TRAINS = RNG.random((2, 6, 50)) < 0.15
PROBABILITIES = RNG.random((2, 4, 50)).astype(np.float32)
CASES = {
    **{kernel.__name__: kernel_case(kernel) for kernel in KERNELS},
    **{function.__name__: energy_case(function) for function in ENERGIES},
    **{f"{name}_rule": rule_case(rule) for name, rule in RULES.items()},
    "nearest_lag": Case(
        lambda pre, post: (nearest_lag(pre, post), jax.vmap(nearest_lag)(pre, post)),
        lambda: tuple(jnp.asarray(TRAINS)),
        lambda: (np.array([loop_nearest_lag(pre, post, 20) for pre, post in zip(*TRAINS, strict=True)], np.int32),) * 2,
    ),
    "expected_lag_counts": Case(
        lambda p, q: (expected_lag_counts(p, q, 7), jax.vmap(partial(expected_lag_counts, window=7))(p, q)),
        lambda: tuple(jnp.asarray(PROBABILITIES)),
        lambda: (np.stack([expected_lag_counts(p, q, 7) for p, q in zip(*PROBABILITIES, strict=True)]),) * 2,
        rtol=1e-6,
    ),
    "lag_update": Case(
        lag_update,
        lambda: (jnp.array([-25, -2, -1, 0, 1, 2, 3]), rules.lag_kernel("sign", 2)),
        lambda: np.array([0, -1, -1, 0, 1, 1, 0], np.float32),
    ),
}


class Variants(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True, with_device=True)  # pyright: ignore[reportCallIssue] (untyped)
    @parameterized.named_parameters(*CASES.items())
    def test_the_numbers_are_those_of(self, case):
        found = self.variant(case.function)(*case.arguments())
        chex.assert_trees_all_close(found, case.expected(), rtol=case.rtol, atol=case.atol)
