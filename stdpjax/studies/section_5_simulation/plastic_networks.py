"""Networks that learn by Eq 1 while they run: many drives, forms of the rule and rates in one program.

All cases see the same random numbers, so a case and its control without learning are paired. What differs between
cases is traced numbers: the form of the rule too, which is compiled once for all.
"""

import math
from functools import partial
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32, Key

from stdpjax.drives import ornstein_uhlenbeck
from stdpjax.dynamics import Field, NoisyIntegrator, simulate
from stdpjax.energy import Params, energy_of
from stdpjax.observers import mean_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import Sample, eq1_rule, rate_update
from stdpjax.rules.base import required

STEP = 0.1
"""Step over time constant of every network here."""

DRIVES = ("OU", "OU + noise", "switching", "constant + noise", "travelling wave", "small OU")
NOISE_STD = (0.0, 0.1, 0.0, 0.2, 0.0, 0.0)
"""Noise eta inside R that goes with each drive."""


class Form(NamedTuple):
    """A form of Eq 1, in the numbers of `rules.eq1_rule`."""

    gate: float | Array = 0.0
    tie: float | Array = 0.0
    before: float | Array = 0.0
    after: float | Array = 0.0


class Case(NamedTuple):
    """What one case is, in numbers, each of shape `[case]`."""

    drive: Int32[Array, "*case"]
    rate: Float[Array, "*case"]
    is_prescribed: Float[Array, "*case"]
    """1: the drive is the state itself, and the weights move nothing."""
    form: Form


class Learned(NamedTuple):
    """What became of each case and network."""

    speed: Float[Array, "*case"]
    """Mean of |ds/dt|^2 once the first steps are dropped, in (activity / tau)^2."""
    saturation: Float[Array, "*case"]
    """Share of units and of the same time beyond the kinks."""
    weights: Float[Array, "*case post pre"]
    state: Float[Array, "*case unit"]
    is_finite: Array


def drives_of(key: Key[Array, ""], n_units: int, n_steps: int) -> Float[Array, "drive time unit"]:
    """Return a sample of each drive in `DRIVES`, activities to be added to the biases of one network.

    OU (standard deviation 0.25, 20 steps), which "OU + noise" has too; one of 4 patterns of standard deviation 0.25,
    drawn anew every 50 steps; a constant pattern of standard deviation 0.15; a wave of amplitude 0.3, 80 steps and one
    round over the units, with white noise of 0.02; OU of standard deviation 0.04, which saturates no unit.
    """
    keys = {name: named_key(key, name) for name in ("OU", "patterns", "choice", "wave")}
    ou = jax.vmap(lambda key: ornstein_uhlenbeck(key, n_steps, 20.0), out_axes=1)(member_keys(keys["OU"], n_units))
    patterns = jax.random.normal(keys["patterns"], (5, n_units), float)
    chosen = jnp.floor(4 * jax.random.uniform(keys["choice"], (-(-n_steps // 50),), float)).astype(jnp.int32)
    switching = 0.25 * patterns[jnp.repeat(chosen, 50)[:n_steps]]
    constant = jnp.broadcast_to(0.15 * patterns[4], (n_steps, n_units))
    phase = jnp.arange(n_steps, dtype=float)[:, None] / 80 - jnp.arange(n_units, dtype=float)[None] / n_units
    wave = 0.3 * jnp.sin(2 * math.pi * phase) + 0.02 * jax.random.normal(keys["wave"], (n_steps, n_units), float)
    return jnp.stack([0.25 * ou, 0.25 * ou, switching, constant, wave, 0.04 * ou])


def _speed_and_saturation(sample: Sample) -> Float[Array, "two"]:
    slope = (sample.next_post_state - sample.post_state) / STEP
    return jnp.stack([jnp.sum(slope * slope), jnp.mean(1 - required(sample, "post_slope"))])


class _Numbers(NamedTuple):
    step: Any
    noise_std: Any
    is_prescribed: Any


class _Prescribed(NoisyIntegrator):
    """The noisy step, or the drive itself as the next state where it is prescribed."""

    Hyper: ClassVar[type] = _Numbers

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state."""
        assert field.drive is not None
        return jnp.where(hyper.is_prescribed > 0, field.drive, super().__call__(key, state, field, hyper))


@partial(jax.jit, static_argnames=("n_dropped", "is_plastic"))
def learn(
    keys: Key[Array, "network"],
    params: Params,
    drives: Float[Array, "network drive time unit"],
    cases: Case,
    bound: Float[Array, ""],
    *,
    n_dropped: int,
    is_plastic: bool,
) -> Learned:
    """Run every case of every network from rest; results have the leading axes `[case, network]`.

    Each network has a key for its noise and a sample of each drive, the same in all cases; weights are
    `[case, network, post, pre]`, biases `[network, unit]`. `is_plastic` False leaves all weights as they are.
    """
    n_steps, n_units = drives.shape[-2:]
    noise_std = jnp.asarray(NOISE_STD, float)
    observe = {"late": mean_of(_speed_and_saturation, burn_in=n_dropped)}
    kernel = _Prescribed(hard_sigmoid())

    def one(weights, case, key, bias, drives):
        def drive(number):
            return drives[case.drive, number]

        rule = (
            {
                "rule": eq1_rule(hard_sigmoid(), **case.form._asdict()),
                "learning_rate": case.rate,
                "weight_bounds": (-bound, bound),
            }
            if is_plastic
            else {}
        )
        run = simulate(
            key,
            Params(weights, bias),
            kernel,
            _Numbers(STEP, noise_std[case.drive], case.is_prescribed),
            state=jnp.zeros(n_units, float),
            n_steps=n_steps,
            drive=drive,
            observe=observe,
            **rule,
        )
        speed, saturation = run.observed["late"].mean
        return Learned(speed, saturation, run.params.weights, run.state, run.is_finite)

    one = jax.vmap(one, (0, None, 0, 0, 0))
    return jax.vmap(one, (0, 0, None, None, None))(params.weights, cases, keys, params.bias, drives)


def learned_energy(
    params: Params, state: Float[Array, "unit"], start: Float[Array, "unit"], rate: Float[Array, ""]
) -> Float[Array, ""]:
    """Return the energy of the static network that learning with tied weights and midpoint rates amounts to.

    Weights W + rate (r r^T - r(0) r(0)^T) off the diagonal, r the rates of the moment, have the energy
    - rate / 4 ((sum r^2)^2 - sum r^4) + rate / 2 sum_{i != j} r_i(0) r_j(0) r_i r_j beyond that of W.
    """
    rates, first = (hard_sigmoid().value(s) for s in (state, start))
    square, product = rates**2, first * rates
    quartic = -0.25 * (jnp.sum(square) ** 2 - jnp.sum(square**2))
    return energy_of(params, state, hard_sigmoid()) + rate * (
        quartic + 0.5 * (jnp.sum(product) ** 2 - jnp.sum(product**2))
    )


@partial(jax.jit, static_argnames=("n_dropped",))
def static_speed(
    params: Params, drive: Float[Array, "network time unit"], rates: Float[Array, "rate"], *, n_dropped: int
) -> Float[Array, "rate network"]:
    """Return the mean of |ds/dt|^2 after the first steps in networks that descend `learned_energy` from rest."""

    def one(rate, params, drive):
        start = jnp.zeros_like(params.bias)

        def advance(state, now):
            driven = params._replace(bias=params.bias + now)
            slope = -jax.grad(lambda state: learned_energy(driven, state, start, rate))(state)
            return state + STEP * slope, jnp.sum(slope * slope)

        _, speed = jax.lax.scan(advance, start, drive)
        return jnp.mean(speed[n_dropped:])

    return jax.vmap(jax.vmap(one, (None, 0, 0)), (0, None, None))(rates, params, drive)


@jax.jit
def layer_growth(
    first: Float[Array, "post pre"], inputs: Float[Array, "time pre"], rates: Float[Array, "rate"]
) -> Float[Array, "rate"]:
    """Return how many times the weights of a layer of linear units grow by Eq 1, along their first values.

    Its inputs are prescribed rates about 1/2. A bias takes away what the 1/2 would do to the units.
    """

    def one(rate):
        def advance(carry, now):
            weights, state = carry
            after = state + STEP * (weights @ now - state)
            return (weights + rate * rate_update(state, after, now + 0.5), after), None

        weights = jax.lax.scan(advance, (first, jnp.zeros_like(first[:, 0])), inputs)[0][0]
        return jnp.sum(weights * first) / jnp.sum(first**2)

    return jax.vmap(one)(rates)


def predicted_growth(rate: float, std: float, n_steps: int) -> float:
    """Return how many times a layer's weights grow with OU inputs: exp(rate std^2 T / (1 + tau)), in discrete steps.

    The inputs' correlation time is 20 steps, tau = 2 time constants; T = 0.1 n_steps time constants.
    """
    decay = math.exp(-1 / 20.0)
    return (1 + rate * STEP * std**2 * (1 - decay) / (1 - decay * (1 - STEP))) ** n_steps
