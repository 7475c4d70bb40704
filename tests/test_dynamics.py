"""One-step kernels against plain loops, `simulate` against itself in pieces, samplers against quadrature."""

from functools import partial
from typing import Any, ClassVar, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import dynamics, energy, rates, rules
from stdpjax.clamps import clamp_softly, clamp_state
from stdpjax.dynamics import (
    HeatHyper,
    Kernel,
    Langevin,
    LeakyIntegrator,
    MetropolisLangevin,
    NoiseHyper,
    NoisyIntegrator,
    PrintedIntegrator,
    SpikingIntegrator,
    StepHyper,
    advance,
    simulate,
)
from stdpjax.observers import mean_of
from stdpjax.random import member_keys
from tests import plain_network
from tests.tracing import is_traced, may_be_traced, watched

RHO = rates.hard_sigmoid()
HYPER = NoiseHyper(step=0.2, noise_std=0.3)
WARM = HeatHyper(step=0.2, temperature=0.5)
QUIET = StepHyper(step=0.2)
N_UNITS, N_STEPS = 4, 12


@pytest.fixture
def params(key):
    return energy.random_params(key, N_UNITS, scale=1.0, tied=False)


@pytest.fixture
def start(key):
    return 0.4 * jax.random.normal(jax.random.fold_in(key, 99), (3, N_UNITS))


def normals(key, n_steps=N_STEPS, n_units=N_UNITS):
    draws = [jax.random.normal(jax.random.fold_in(key, t), (n_units,)) for t in range(n_steps)]
    return np.asarray(jnp.stack(draws), np.float64)


def inside(state, pull, eta, hyper):
    return state + hyper.step * (pull(state + hyper.noise_std * eta) - state)


def added(state, pull, eta, hyper):
    return state + hyper.step * (pull(state) - state + hyper.noise_std * eta)


def without(state, pull, eta, hyper):
    return (1 - hyper.step) * state + hyper.step * pull(state)


def printed(state, pull, eta, hyper):
    seen = state + hyper.noise_std * eta
    return (1 - 2 * hyper.step) * state + hyper.step * (pull(seen) - hyper.noise_std * eta)


def with_heat(state, pull, eta, hyper):
    return state - hyper.step * (state - pull(state)) + np.sqrt(2 * hyper.step * hyper.temperature) * eta


@pytest.mark.parametrize(
    ("kernel", "step", "hyper"),
    [
        (NoisyIntegrator(RHO), inside, HYPER),
        (NoisyIntegrator(RHO, "added"), added, HYPER),
        (LeakyIntegrator(RHO), without, QUIET),
        (PrintedIntegrator(RHO), printed, HYPER),
        (Langevin(RHO), with_heat, WARM),
    ],
    ids=["inside", "added", "none", "printed", "langevin"],
)
def test_kernels_against_a_plain_loop(kernel, step, hyper, key, params, start):
    trace = simulate(key, params, kernel, hyper, state=start, n_steps=N_STEPS, trace_every=1).trace
    assert trace is not None
    weights, bias = plain_network.in_double(params)
    for trial, trial_key in enumerate(member_keys(key, 3)):
        state = np.asarray(start[trial], np.float64)
        for t, eta in enumerate(normals(trial_key)):
            state = step(state, lambda s: plain_network.target(weights, bias, s), eta, hyper)
            np.testing.assert_allclose(trace[trial, t], state, atol=5e-6)


def test_spiking_kernel_against_a_plain_loop(key, params):
    state = np.array([0.2, -0.1, 0.4, -0.3])
    trace = simulate(key, params, SpikingIntegrator(RHO), QUIET, state=state, n_steps=N_STEPS, trace_every=1).trace
    assert trace is not None
    weights, bias = plain_network.in_double(params)
    for t in range(N_STEPS):
        uniform = np.asarray(jax.random.uniform(jax.random.fold_in(key, t), (N_UNITS,)))
        spikes = uniform < plain_network.hard_value(state)
        pull = plain_network.hard_slope(state) * (bias + weights @ spikes)
        state = state + HYPER.step * (pull - state)
        np.testing.assert_allclose(trace[t], state, atol=5e-6)


def test_transition_is_the_kernel_with_given_noise(key, params, start):
    eta = HYPER.noise_std * jax.random.normal(key, (N_UNITS,))
    moved, sample = advance(key, params, NoisyIntegrator(RHO), HYPER, state=start[0])
    np.testing.assert_allclose(dynamics.transition(params, start[0], eta, RHO, HYPER.step), moved, atol=1e-6)
    np.testing.assert_array_equal(sample.pre_rate, RHO.value(start[0]))
    np.testing.assert_array_equal(sample.post_slope, RHO.slope(start[0]))


def test_printed_and_corrected_forms_rest_elsewhere(key):
    params = energy.make_params([[0.0, 0.4], [0.4, 0.0]], [0.1, 0.0])
    ends = {}
    for name, kernel in (("ours", LeakyIntegrator(RHO)), ("printed", PrintedIntegrator(RHO))):
        run = simulate(key, params, kernel, kernel.Hyper(0.1), state=jnp.zeros(2), n_steps=500)
        ends[name] = run.state
    np.testing.assert_allclose(ends["ours"], energy.target(params, ends["ours"], RHO), atol=1e-6)
    np.testing.assert_allclose(ends["printed"], 0.5 * energy.target(params, ends["printed"], RHO), atol=1e-6)
    assert float(jnp.abs(ends["ours"] - ends["printed"]).max()) > 0.05


def assert_same(first, second):
    chex.assert_trees_all_equal(first, second)


@pytest.mark.parametrize("rule", [None, rules.differential_rule("previous")], ids=["no rule", "rule"])
def test_pieces_make_the_whole(rule, key, params, start):
    def drive(t):
        return 0.1 * jnp.sin(t.astype(jnp.float32)) * jnp.ones(N_UNITS)

    observe = {"state": mean_of(lambda sample: sample.next_post_state)}

    def go(n_steps, **options):
        settings = {"drive": drive, "rule": rule, "learning_rate": 0.0 if rule is None else 0.1, "observe": observe}
        return simulate(key, params, NoisyIntegrator(RHO), HYPER, n_steps=n_steps, **settings, **options)

    whole = go(10, state=start)
    pieces = go(6, resume=go(4, state=start))
    assert_same(whole._replace(n_steps=0), pieces._replace(n_steps=0))
    assert whole.n_steps == pieces.n_steps == 10
    # Power: started anew instead of resumed, the noise repeats.
    assert float(jnp.abs(go(6, state=go(4, state=start).state).state - whole.state).max()) > 1e-3
    last = go(10, state=start[1:], first_trial=1)
    np.testing.assert_allclose(last.state, whole.state[1:], atol=1e-6)
    assert float(jnp.abs(go(10, state=start[1:]).state - whole.state[1:]).max()) > 1e-3


def test_traces(key, params, start):
    def go(every, state=start):
        run = simulate(key, params, NoisyIntegrator(RHO), HYPER, state=state, n_steps=12, trace_every=every)
        assert run.trace is not None
        return run.state, run.trace

    last, trace = go(1)
    assert trace.shape == (3, 12, N_UNITS)
    np.testing.assert_array_equal(go(4)[1], trace[:, 3::4])
    np.testing.assert_array_equal(trace[:, -1], last)
    assert go(3, start[0])[1].shape == (4, N_UNITS)


def test_drives_of_three_kinds_agree(key, params, start):
    drive = 0.3 * jax.random.normal(key, (N_STEPS, N_UNITS))

    def end(drive, **options):
        return simulate(key, params, NoisyIntegrator(RHO), HYPER, drive=drive, state=start, **options).state

    by_array = end(drive)
    np.testing.assert_array_equal(end(np.asarray(drive)), by_array)
    np.testing.assert_array_equal(end(jnp.broadcast_to(drive, (3, *drive.shape))), by_array)
    np.testing.assert_array_equal(end(lambda t: drive[t], n_steps=N_STEPS), by_array)
    different = jnp.stack([drive, 0 * drive, 2 * drive])
    np.testing.assert_allclose(end(different)[0], by_array[0], atol=1e-6)
    np.testing.assert_allclose(end(different)[1], end(None, n_steps=N_STEPS)[1], atol=1e-6)
    assert float(jnp.abs(end(different)[2] - by_array[2]).max()) > 1e-3


def test_a_drive_adds_to_the_bias(key, params, start):
    drive = jnp.array([0.3, -0.2, 0.0, 0.1])
    shifted = params._replace(bias=params.bias + drive)
    for make, hyper in ((NoisyIntegrator, HYPER), (Langevin, WARM), (SpikingIntegrator, QUIET)):
        moved = advance(key, params, make(RHO), hyper, state=start[0], drive=drive)[0]
        np.testing.assert_array_equal(moved, advance(key, shifted, make(RHO), hyper, state=start[0])[0])


def test_a_rule_in_the_loop_against_a_plain_loop(key, params, start):
    rate = 0.2
    run = simulate(
        key,
        params,
        NoisyIntegrator(RHO),
        HYPER,
        state=start,
        n_steps=N_STEPS,
        rule=rules.differential_rule(),
        learning_rate=rate,
        trace_every=4,
        trace_weights=True,
    )
    assert run.weights_trace is not None
    assert run.weights_trace.shape == (3, N_STEPS // 4, N_UNITS, N_UNITS)
    np.testing.assert_array_equal(run.weights_trace[:, -1], run.params.weights)
    for trial, trial_key in enumerate(member_keys(key, 3)):
        weights, bias = plain_network.in_double(params)
        state = np.asarray(start[trial], np.float64)
        for eta in normals(trial_key):
            pull = partial(plain_network.target, weights, bias)
            after = inside(state, pull, eta, HYPER)
            change = np.outer(after - state, plain_network.hard_value(state))
            weights = weights + rate * (change - np.diag(np.diag(change)))
            state = after
        np.testing.assert_allclose(run.params.weights[trial], weights, atol=1e-5)
        np.testing.assert_allclose(run.state[trial], state, atol=1e-5)
    assert float(jnp.abs(run.params.weights[0] - params.weights).max()) > 1e-3


def test_trials_that_blow_up_are_flagged_alone(key, params, start):
    drive = jnp.zeros((3, N_STEPS, N_UNITS)).at[1].set(3e38)
    kernel = NoisyIntegrator(rates.RateFunction(jnp.asarray, jnp.ones_like))

    def go(drive):
        return simulate(key, params, kernel, HYPER, drive=drive, state=start)

    run, calm = go(drive), go(0 * drive)
    assert run.is_finite.tolist() == [True, False, True]
    assert calm.is_finite.tolist() == [True] * 3
    np.testing.assert_array_equal(run.state[::2], calm.state[::2])


class Watched(NoisyIntegrator):
    """The noisy step, which is traced where a test says so."""

    __call__ = watched(NoisyIntegrator.__call__)


def test_nothing_compiles_twice(key, params, start):
    mask = jnp.arange(N_UNITS) == 0

    def go(seed, hyper, value, scale, n_steps=5, **options):
        scaled = params._replace(weights=scale * params.weights)
        held = (clamp_state(mask, value),)
        key_of_seed = jax.random.fold_in(key, seed)
        return simulate(
            key_of_seed, scaled, Watched(RHO), hyper, state=start, clamps=held, n_steps=n_steps, **options
        ).state

    with may_be_traced():
        go(0, NoiseHyper(0.2, 0.3), 0.1, 1.0)
    go(1, NoiseHyper(0.7, 0.0), -0.3, 0.5, first_trial=5)
    go(2, NoiseHyper(jnp.float32(0.7), 1), 0.2, 0.5, resume=None)
    # Power: another number of steps is another program.
    with is_traced():
        go(0, NoiseHyper(0.2, 0.3), 0.1, 1.0, n_steps=6)


def test_what_is_made_anew_in_a_loop_is_compiled_once(key, params, start):
    def go(kernel=None, gain=1.0, tau=2.0, offset=0.0, weights=None):
        def update(sample, rule_state, weights):
            return gain * jnp.outer(sample.post_state, sample.pre_rate) - weights, rule_state

        seen = jnp.zeros((N_UNITS, N_UNITS)) if weights is None else weights
        return simulate(
            key, params, kernel or Watched(rates.sigmoid(tau)), HYPER, state=start, n_steps=3,
            drive=lambda step: jnp.full(N_UNITS, offset), rule=rules.Rule(lambda weights: (), update),
            learning_rate=0.1, observe={"mean": mean_of(lambda sample: jnp.sum(seen @ sample.next_post_state))},
        )  # fmt: skip

    same = jnp.ones((N_UNITS, N_UNITS))
    with may_be_traced():
        first = go(weights=same)
    for _ in range(3):
        go(weights=same)
    # Power: other numbers in what is enclosed are other programs, with other results.
    for changed in ({"gain": 2.0}, {"tau": 3.0}, {"offset": 0.1}, {"weights": 2 * same}):
        with may_be_traced():
            found = go(**{"weights": same, **changed})
        go(**{"weights": same, **changed})
        with pytest.raises(AssertionError, match="not equal"):
            chex.assert_trees_all_equal(first, found)


def test_a_function_is_compared_by_what_it_read_when_it_was_met(key, params, start):
    def mean(scale):
        observe = {"mean": mean_of(lambda sample: scale * sample.next_post_state)}
        run = simulate(key, params, LeakyIntegrator(RHO), QUIET, state=start, n_steps=2, observe=observe)
        return run.observed["mean"].mean

    np.testing.assert_array_equal(mean(2.0), 2 * mean(1.0))
    # A variable of the function around both lambdas, and an array that is changed in place.
    level, array, found = 1.0, np.ones(N_UNITS, np.float32), []
    for factor in (1.0, 3.0):
        level, array[:] = factor, factor
        by_variable = lambda sample: level * sample.next_post_state  # noqa: B023, E731
        by_array = lambda sample: array * sample.next_post_state  # noqa: E731
        for signal in (by_variable, by_array):
            run = simulate(
                key, params, LeakyIntegrator(RHO), QUIET, state=start, n_steps=2, observe={"mean": mean_of(signal)}
            )
            found.append(run.observed["mean"].mean)
    np.testing.assert_allclose(found[2], 3 * found[0], rtol=1e-6)
    np.testing.assert_allclose(found[3], 3 * found[1], rtol=1e-6)


def test_heuns_step_takes_three_lines(key, params, start):
    class Heun(Kernel):
        def __call__(self, key, state, field, hyper):
            first = field.pull(state)
            return state + 0.5 * hyper.step * (first + field.pull(state + hyper.step * first))

    drive, held = jnp.array([0.1, 0.0, -0.2, 0.3]), clamp_state(jnp.arange(N_UNITS) == 0, 0.25)
    found, _ = advance(key, params, Heun(RHO), QUIET, state=start[0].at[0].set(0.25), drive=drive, clamps=(held,))
    weights, bias = plain_network.in_double(params)
    state = np.asarray(start[0].at[0].set(0.25), np.float64)

    def pull(state):
        return plain_network.target(weights, bias + np.asarray(drive, np.float64), state) - state

    expected = state + 0.1 * (pull(state) + pull(state + 0.2 * pull(state)))
    np.testing.assert_allclose(found[1:], expected[1:], atol=1e-6)
    assert float(found[0]) == 0.25


def test_a_kernel_has_a_friction_of_its_own_that_is_swept(key, params, start):
    class Numbers(NamedTuple):
        step: Any
        friction: Any

    class Slowed(Kernel):
        Hyper: ClassVar[type] = Numbers
        bounds: ClassVar = {**Kernel.bounds, "friction": {"above": 0}}

        def __call__(self, key, state, field, hyper):
            return state + hyper.step / hyper.friction * field.pull(state)

    def end(friction):
        return simulate(key, params, Slowed(RHO), Numbers(0.2, friction), state=start, n_steps=3).state

    frictions = jnp.array([1.0, 2.0])
    swept = jax.vmap(end)(frictions)
    plain = [simulate(key, params, LeakyIntegrator(RHO), StepHyper(s), state=start, n_steps=3) for s in (0.2, 0.1)]
    np.testing.assert_allclose(swept, jnp.stack([run.state for run in plain]), atol=1e-6)
    with pytest.raises(ValueError, match=r"friction: expected a finite number above 0, got 0\.0"):
        end(0.0)
    with pytest.raises(ValueError, match=r"hyper: expected a `Slowed\.Hyper` of step, friction alone, got StepHyper"):
        simulate(key, params, Slowed(RHO), QUIET, state=start, n_steps=3)


def test_observers_see_the_acceptance_of_metropolis_steps(key):
    def observed(step):
        observe = {
            "accepted": mean_of(lambda sample: sample.info.is_accepted),
            "probability": mean_of(lambda sample: sample.info.probability),
            "moved": mean_of(lambda sample: jnp.any(sample.next_post_state != sample.post_state)),
        }
        run = simulate(
            key, TWO, MetropolisLangevin(RHO), HeatHyper(step), state=jnp.zeros((500, 2)), n_steps=100, observe=observe
        )
        return [float(run.observed[name].mean.mean()) for name in observe]

    accepted, probability, moved = observed(0.9)
    assert accepted == moved
    assert 0.5 < accepted < 0.95
    assert abs(accepted - probability) < 4 * 0.5 / np.sqrt(500 * 100)
    assert observed(0.05)[0] > accepted + 0.02


def test_a_metropolis_chain_in_pieces_and_with_a_drive_of_zeros_is_the_whole_one(key, start):
    params = energy.random_params(key, N_UNITS, scale=1.0)

    def go(n_steps, **options):
        return simulate(key, params, MetropolisLangevin(RHO), HeatHyper(0.5), n_steps=n_steps, **options)

    whole = go(40, state=start)
    assert_same(whole.state, go(30, resume=go(10, state=start)).state)
    # With a drive nothing is carried from step to step.
    assert_same(whole.state, go(40, state=start, drive=jnp.zeros((40, N_UNITS))).state)


def test_a_sweep_is_a_vmap_over_hyper(key, params, start):
    held = clamp_state(jnp.arange(N_UNITS) == 0, 0.4)
    steps, levels = jnp.array([0.1, 0.3]), jnp.array([0.0, 0.4])

    def end(hyper, clamps=()):
        return simulate(key, params, NoisyIntegrator(RHO), hyper, clamps=clamps, state=start, n_steps=5).state

    def each(make):
        return jnp.stack([make(i) for i in range(2)])

    both = each(lambda i: end(NoiseHyper(steps[i], levels[i])))
    np.testing.assert_allclose(jax.vmap(end)(NoiseHyper(steps, levels)), both, atol=1e-6)
    alone = each(lambda i: end(NoiseHyper(steps[i], 0.4)))
    np.testing.assert_allclose(jax.vmap(lambda step: end(NoiseHyper(step, 0.4)))(steps), alone, atol=1e-6)
    assert float(jnp.abs(alone[0] - both[0]).max()) > 1e-3
    # The clamps are the same for all, or have a value for each.
    with_held = each(lambda i: end(NoiseHyper(steps[i]), (held,)))
    np.testing.assert_array_equal(with_held[..., 0], np.float32(0.4))
    found = jax.vmap(lambda step: end(NoiseHyper(step), (held,)))(steps)
    np.testing.assert_allclose(found, with_held, atol=1e-6)
    values = jnp.stack([held.value, -held.value])
    by_value = jax.vmap(lambda step, value: end(NoiseHyper(step), (held._replace(value=value),)))(steps, values)
    np.testing.assert_allclose(by_value[0], with_held[0], atol=1e-6)
    np.testing.assert_allclose(by_value[1], end(NoiseHyper(steps[1]), (held._replace(value=-held.value),)), atol=1e-6)


MAKERS = [LeakyIntegrator, NoisyIntegrator, PrintedIntegrator, Langevin, MetropolisLangevin, SpikingIntegrator]


@pytest.mark.parametrize("make", MAKERS)
def test_without_compiling_the_numbers_are_the_same(make, key, params, start):
    kernel = make(RHO)
    hyper = kernel.Hyper(0.2, *[0.3] * (len(kernel.Hyper._fields) - 1))
    params = energy.make_params(energy.tie(params.weights), params.bias)

    def go():
        rule = rules.differential_rule()
        run = simulate(key, params, kernel, hyper, state=start[0], n_steps=3, rule=rule, learning_rate=0.1)
        return run.state, run.params.weights

    compiled = go()
    with jax.disable_jit():
        plain = go()
    chex.assert_trees_all_close(compiled, plain, rtol=1e-7, atol=2e-6)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_spikes_in_half_precision_have_their_probability(dtype, key):
    # A rate of 1/512, below the smallest step of uniform numbers in bfloat16.
    rho = rates.RateFunction(lambda state: jnp.full_like(state, 2.0**-9), jnp.ones_like)
    n_units = 200_000
    state = jnp.zeros(n_units, dtype)
    network: Any = energy.Params(_NoWeights(), state)  # pyright: ignore[reportArgumentType]
    field = dynamics.Field(network, rho)
    spikes = SpikingIntegrator(rho)(key, state, field, StepHyper(jnp.asarray(0.1, dtype)))[1].spikes
    found, error = float(spikes.mean()), np.sqrt(2.0**-9 / n_units)
    assert abs(found - 2.0**-9) < 4 * error
    too_coarse = jax.random.uniform(key, state.shape, jnp.bfloat16) < 2.0**-9
    assert abs(float(too_coarse.mean()) - 2.0**-9) > 4 * error


class _NoWeights:
    def __matmul__(self, rate):
        return jnp.zeros_like(rate)


def test_noise_levels_can_be_differentiated_at_zero(key, params, start):
    def end(level):
        return advance(key, params, NoisyIntegrator(rates.sigmoid()), NoiseHyper(0.2, level), state=start[0])[0]

    slope = jax.jacfwd(end)(0.0)
    h = 1e-2
    ends = [end(level) for level in (h, 0.0)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / h, atol=0.02)
    assert float(jnp.abs(slope).max()) > 0.05


TWO = energy.make_params([[0.0, 0.8], [0.8, 0.0]], [-0.2, -0.2])


def by_quadrature(temperature=1.0):
    """E[s^2], E[r r'] and P(active) of the first of two units under exp(-E/T)."""
    grid = np.linspace(-7, 7, 1401) + 0.0005
    first, second = np.meshgrid(grid, grid, indexing="ij")
    rate = plain_network.hard_value
    total = 0.5 * (first**2 + second**2) - 0.8 * rate(first) * rate(second) + 0.2 * (rate(first) + rate(second))
    density = np.exp(-total / temperature)
    density /= density.sum()
    active = plain_network.hard_slope(first)
    return np.array([(density * f).sum() for f in (first**2, rate(first) * rate(second), active)])


def moments(sample):
    state = sample.next_post_state
    rate, active = RHO.value(state), RHO.slope(state)
    return jnp.stack([jnp.mean(state**2), rate[0] * rate[1], jnp.mean(active)])


def z_scores(kernel, key, step, n_trials, n_steps):
    settings = {"kernel": kernel, "hyper": HeatHyper(step), "observe": {"moments": mean_of(moments)}}
    start = jax.random.normal(jax.random.fold_in(key, 1), (n_trials, 2))
    warm = simulate(key, TWO, kernel, HeatHyper(step), state=start, n_steps=200)
    run = simulate(jax.random.fold_in(key, 2), TWO, state=warm.state, n_steps=n_steps, **settings)
    by_trial = np.asarray(run.observed["moments"].mean, np.float64)
    return (by_trial.mean(0) - by_quadrature()) / (by_trial.std(0, ddof=1) / np.sqrt(n_trials))


def test_metropolis_samples_the_energy_and_a_big_unadjusted_step_does_not(key):
    assert np.abs(z_scores(MetropolisLangevin(RHO), key, 0.5, 1000, 200)).max() < 4
    assert np.abs(z_scores(Langevin(RHO), key, 0.5, 1000, 200)).max() > 8


@pytest.mark.slow
def test_metropolis_samples_the_energy_in_long_runs(key):
    assert np.abs(z_scores(MetropolisLangevin(RHO), key, 0.5, 10_000, 2000)).max() < 4
    assert np.abs(z_scores(Langevin(RHO), key, 0.05, 10_000, 2000)).max() > 8


def test_metropolis_with_a_held_unit_samples_the_conditional_law(key):
    held = clamp_state([True, False], 0.3)
    soft = clamp_softly([False, True], 0.25, 1.5)
    run = simulate(
        key,
        TWO,
        MetropolisLangevin(RHO),
        HeatHyper(0.4, temperature=0.5),
        clamps=(held, soft),
        state=jnp.zeros((1000, 2)),
        n_steps=300,
        observe={"state": mean_of(lambda sample: sample.next_post_state)},
    )
    grid = np.linspace(-6, 6, 6001) + 0.0005
    field = -0.2 + 0.8 * 0.8

    def mean_under(field):
        total = 0.5 * grid**2 - field * plain_network.hard_value(grid) + 0.75 * (grid - 0.25) ** 2
        density = np.exp(-total / 0.5)
        return (grid * density).sum() / density.sum()

    by_trial = np.asarray(run.observed["state"].mean[:, 1], np.float64)
    error = by_trial.std(ddof=1) / np.sqrt(1000)
    assert abs(by_trial.mean() - mean_under(field)) < 4 * error + 1e-3
    assert abs(by_trial.mean() - mean_under(-0.2)) > 8 * error + 1e-3  # the held unit matters


@pytest.mark.slow
@pytest.mark.parametrize("mode", [-0.5, 0.3, 0.6])
@pytest.mark.parametrize("step", [0.05, 0.2, 0.5])
def test_variance_of_linear_modes(mode, step, key):
    # Two units and weight w: modes of eigenvalue +w and -w; a small threshold distance keeps both unsaturated.
    linear = rates.RateFunction(jnp.asarray, jnp.ones_like)
    params = energy.make_params([[0.0, mode], [mode, 0.0]])

    def along(sample):
        return (jnp.sum(sample.next_post_state) / jnp.sqrt(2.0)) ** 2

    noise = 0.3
    paper, heated = NoiseHyper(step, noise), HeatHyper(step, 0.7)
    for kernel, hyper, expected in (
        (NoisyIntegrator(linear), paper, step * noise**2 * mode**2 / ((1 - mode) * (2 - step * (1 - mode)))),
        (Langevin(linear), heated, 0.7 / ((1 - mode) * (1 - step * (1 - mode) / 2))),
    ):
        warm = simulate(key, params, kernel, hyper, state=jnp.zeros((1000, 2)), n_steps=500)
        run = simulate(
            jax.random.fold_in(key, 1),
            params,
            kernel,
            hyper,
            state=warm.state,
            n_steps=5000,
            observe={"variance": mean_of(along)},
        )
        by_trial = np.asarray(run.observed["variance"].mean)
        error = by_trial.std(ddof=1) / np.sqrt(1000)
        assert abs(by_trial.mean() - expected) < 4 * error
        assert error < 0.02 * expected / 4
