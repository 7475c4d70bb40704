"""Networks that learn, while they relax again and again or for a task, and how long a relaxation takes them then."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key, UInt32

from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate, transition
from stdpjax.energy import Params, target_of
from stdpjax.fixed_points import clip_target, relax, relaxation_time, spectral_stability
from stdpjax.learning import Labelled, Learner, Phases, layered_mask, phase_update, predict, random_layers, train_epoch
from stdpjax.learning import start as start_training
from stdpjax.networks import centred_network
from stdpjax.objectives import stdp_objective
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.rules import Rule, Sample

STEP = 0.1
"""Step over time constant of all relaxations here."""
SHARES = (0.05, 0.005)
"""Shares of the first distance from the fixed point that are waited for."""


class Lesson(NamedTuple):
    """What changes the weights, in numbers: a sum of three updates."""

    eq1: float | Array = 0.0
    """Rate of Eq 1, the presynaptic rate at the middle of the step."""
    descent: float | Array = 0.0
    """Rate of descent on J_h, target included, over the step."""
    decay: float | Array = 0.0
    """Share of the weights that is lost per step."""
    tie: float | Array = 0.0
    """1: both directions of a pair change by the sum of their updates; 0: each by its own."""


class Settling(NamedTuple):
    """How a network relaxes."""

    speed: Float[Array, ""]
    """Mean over starts of |R(s) - s|, in activity per time constant."""
    relaxation_time: Float[Array, ""]
    """Time constant of the slowest mode; units that a kink holds are no part of it."""
    time: Float[Array, ""]
    """Simulated: time until the distance is down to the first of `SHARES`, mean over starts; NaN if it never is."""
    late_time: Float[Array, ""]
    """Simulated: time constant of the fall from the first to the second share; NaN if it is not reached."""
    is_interior: Bool[Array, ""]
    """Whether no unit rests at a kink."""
    converged: Bool[Array, ""]
    """Whether the fixed point was found."""


def lesson_rule(bias: Float[Array, "unit"], lesson: Lesson) -> Rule:
    """Return the rule of a lesson, given in traced numbers, for hard sigmoid units with these biases."""
    rate_fn = hard_sigmoid()

    def update(
        sample: Sample, rule_state: tuple[()], weights: Float[Array, "post pre"]
    ) -> tuple[Float[Array, "post pre"], tuple[()]]:
        def objective(weights: Float[Array, "post pre"]) -> Float[Array, ""]:
            still = jnp.zeros((2, *bias.shape), bias.dtype)
            return stdp_objective(Params(weights, bias), sample.post_state, still, rate_fn, STEP, "free")

        change = sample.next_post_state - sample.post_state
        # At the middle of the step, where the tied rule has no drift of its own.
        rate = 0.5 * (sample.pre_rate + rate_fn.value(sample.next_post_state))
        delta_w = lesson.eq1 * change[:, None] * rate[None, :] - lesson.descent / STEP * jax.grad(objective)(weights)
        return delta_w + lesson.tie * delta_w.T - lesson.decay * weights, rule_state

    return Rule(lambda weights: (), update)


def learn_stages(
    key: Key[Array, ""], params: Params, lesson: Lesson, *, n_stages: int, n_relaxations: int, n_steps: int
) -> tuple[Float[Array, "later post pre"], Bool[Array, ""]]:
    """Relax a network again and again from random starts while a lesson changes its weights."""
    kernel, rule = LeakyIntegrator(hard_sigmoid()), lesson_rule(params.bias, lesson)

    def relax_once(weights: Float[Array, "post pre"], key: Key[Array, ""]):
        run = simulate(
            key,
            params._replace(weights=weights),
            kernel,
            StepHyper(STEP),
            state=jax.random.uniform(key, params.bias.shape, float, -0.5, 0.5),
            n_steps=n_steps,
            rule=rule,
            learning_rate=1.0,
        )
        return run.params.weights, run.is_finite

    def stage(weights: Float[Array, "post pre"], keys: Key[Array, "relaxation"]):
        after, is_finite = jax.lax.scan(relax_once, weights, keys)
        return after, (after, jnp.all(is_finite))

    keys = member_keys(key, n_stages * n_relaxations).reshape(n_stages, n_relaxations)
    _, (weights, is_finite) = jax.lax.scan(stage, params.weights, keys)
    return jnp.concatenate([params.weights[None], weights]), jnp.all(is_finite)


def settling(params: Params, starts: Float[Array, "start unit"], *, n_steps: int, is_clipped: bool = False) -> Settling:
    """Return how a network of hard sigmoid units relaxes, from its spectrum and from simulations."""
    rate_fn = hard_sigmoid()
    found = relax(params, jnp.zeros_like(params.bias), rate_fn, step=0.5, tolerance=1e-6, max_steps=2000)
    low, high = rate_fn.kinks or (-jnp.inf, jnp.inf)
    is_free = (found.state > low + 1e-5) & (found.state < high - 1e-5)
    stability = spectral_stability(params, found.state, rate_fn, STEP, is_free=is_free)

    def advance(state: Float[Array, "unit"], _: None):
        if is_clipped:
            state = state + STEP * (clip_target(params, rate_fn, (), state) - state)
        else:
            state = transition(params, state, jnp.zeros_like(state), rate_fn, STEP)
        return state, jnp.linalg.norm(state - found.state)

    def times(start: Float[Array, "unit"]) -> tuple[Array, Array]:
        first = jnp.linalg.norm(start - found.state)
        _, distances = jax.lax.scan(advance, start, length=n_steps)
        path = jnp.log(jnp.concatenate([first[None], distances]) / first)

        def until(share: float) -> Float[Array, ""]:
            number = jnp.argmax(path <= jnp.log(share))
            before, after = path[number - 1], path[number]
            # The distance falls exponentially within a step.
            exact = number.astype(path.dtype) - (jnp.log(share) - after) / (before - after)
            return jnp.where(path[number] <= jnp.log(share), STEP * exact, jnp.nan)

        early, late = until(SHARES[0]), until(SHARES[1])
        return early, (late - early) / jnp.log(SHARES[0] / SHARES[1])

    early, late = jax.vmap(times)(starts)
    return Settling(
        jnp.mean(jax.vmap(lambda start: jnp.linalg.norm(target_of(params, start, rate_fn) - start))(starts)),
        relaxation_time(stability, STEP),
        jnp.mean(early),
        jnp.mean(late),
        jnp.all(is_free),
        found.converged,
    )


@partial(jax.jit, static_argnames=("n_stages", "n_relaxations", "n_steps"))
def learn_networks(keys, centres, lessons, *, n_stages: int, n_relaxations: int, n_steps: int):
    """Return networks and whether all was finite, with leading axes `[network, centre, lesson]`; networks by stage."""

    def one(key, centre, lesson):
        params = centred_network(named_key(key, "weights"), centre, 8)
        sizes = {"n_stages": n_stages, "n_relaxations": n_relaxations, "n_steps": n_steps}
        weights, is_finite = learn_stages(named_key(key, "starts"), params, lesson, **sizes)
        return Params(weights, jnp.broadcast_to(params.bias, weights.shape[:-1])), is_finite

    one = jax.vmap(jax.vmap(jax.vmap(one, (None, None, 0)), (None, 0, None)), (0, None, None))
    return one(keys, centres, lessons)


@partial(jax.jit, static_argnames=("n_starts", "n_steps"))
def settle_networks(keys, networks: Params, *, n_starts: int, n_steps: int) -> Settling:
    """Return how each network relaxes from random starts, at each stage of each lesson."""

    def one(params, key):
        starts = jax.random.uniform(named_key(key, "tests"), (n_starts, 8), float, -0.5, 0.5)
        return settling(params, starts, n_steps=n_steps)

    shape = networks.bias.shape[:-1]
    flat = jax.tree.map(lambda leaf: leaf.reshape(shape[0], -1, *leaf.shape[len(shape) :]), networks)
    found = jax.vmap(jax.vmap(one, (0, None)))(flat, keys)
    return jax.tree.map(lambda leaf: leaf.reshape(shape), found)


class Course(NamedTuple):
    """Networks with their inputs clamped, before and after each pass of training for a task."""

    settling: Settling
    """Of the free units, `[stage, network, image]`."""
    accuracy: Float[Array, "stage network"]
    """Share of the test images classified right."""
    is_finite: Bool[Array, "network"]


@partial(jax.jit, static_argnames=("sizes", "n_stages", "n_steps", "n_images", "n_probes"))
def train_for_task(
    key: Key[Array, ""],
    data: Labelled,
    gains: Float[Array, "network"],
    numbers: UInt32[Array, "network"],
    rate: Float[Array, ""],
    *,
    sizes: tuple[int, ...],
    n_stages: int,
    n_steps: int,
    n_images: int,
    n_probes: int,
) -> Course:
    """Train layered networks on images by Eq 1, and measure how they relax with an image clamped, from rest."""
    order = jax.random.permutation(named_key(key, "split"), data.labels.shape[0])
    training, test = (Labelled(*(leaf[part] for leaf in data)) for part in (order[:n_images], order[n_images:]))
    rate_fn, mask, n_in = hard_sigmoid(), layered_mask(sizes), sizes[0]
    learner = Learner(phase_update(rate_fn, Phases("paper_midpoint"), sizes[-1]), optax.adam(rate))
    mean_rate = jnp.mean(rate_fn.value(training.inputs))
    still = jnp.zeros((1, sum(sizes[1:])), training.inputs.dtype)

    def measure(params: Params):
        among = params.weights[n_in:, n_in:]

        def of_image(image: Float[Array, "input"]) -> Settling:
            bias = params.bias[n_in:] + params.weights[n_in:, :n_in] @ rate_fn.value(image)
            return settling(Params(among, bias), still, n_steps=n_steps, is_clipped=True)

        right = predict(params, test.inputs, rate_fn, Phases(n_settle=60), sizes[-1]) == test.labels
        return jax.vmap(of_image)(test.inputs[:n_probes]), jnp.mean(right.astype(still.dtype))

    def one(gain, number):
        own = jax.random.fold_in(key, number)
        first = random_layers(named_key(own, "weights"), sizes, 1.0, mean_rate)
        first = start_training(learner, jax.tree.map(lambda leaf: gain * leaf, first))

        def one_pass(state, number):
            state, _ = train_epoch(jax.random.fold_in(own, number), learner, state, training, mask, 20)
            return state, state.params

        last, later = jax.lax.scan(one_pass, first, jnp.arange(n_stages, dtype=jnp.uint32))
        return jax.tree.map(lambda one, all: jnp.concatenate([one[None], all]), first.params, later), last.is_finite

    params, is_finite = jax.vmap(one, out_axes=(1, 0))(gains, numbers)
    settling_of, accuracy = jax.lax.map(jax.vmap(measure), params)
    return Course(settling_of, accuracy, is_finite)
