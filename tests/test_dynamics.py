"""One-step kernels against plain loops, `simulate` against itself in pieces, samplers against quadrature."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from stdpjax import dynamics, energy, rates, rules
from stdpjax.dynamics import Hyper, langevin, leaky_integrator, metropolis_langevin, simulate
from stdpjax.observers import mean_of
from stdpjax.random import member_keys
from tests import plain_network

RHO = rates.hard_sigmoid()
HYPER = Hyper(step=0.2, noise_std=0.3)
WARM = Hyper(step=0.2, temperature=0.5)
QUIET = Hyper(step=0.2)
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
        (leaky_integrator(RHO), inside, HYPER),
        (leaky_integrator(RHO, "added"), added, HYPER),
        (leaky_integrator(RHO, "none"), without, QUIET),
        (dynamics.printed_integrator(RHO), printed, HYPER),
        (langevin(RHO), with_heat, WARM),
    ],
    ids=["inside", "added", "none", "printed", "langevin"],
)
def test_kernels_against_a_plain_loop(kernel, step, hyper, key, params, start):
    trace = simulate(key, params, None, hyper, kernel=kernel, state=start, n_steps=N_STEPS, trace_every=1).trace
    assert trace is not None
    weights, bias = plain_network.in_double(params)
    for trial, trial_key in enumerate(member_keys(key, 3)):
        state = np.asarray(start[trial], np.float64)
        for t, eta in enumerate(normals(trial_key)):
            state = step(state, lambda s: plain_network.target(weights, bias, s), eta, hyper)
            np.testing.assert_allclose(trace[trial, t], state, atol=5e-6)


def test_spiking_kernel_against_a_plain_loop(key, params):
    state = np.array([0.2, -0.1, 0.4, -0.3])
    kernel = dynamics.spiking_integrator(RHO)
    trace = simulate(key, params, None, QUIET, kernel=kernel, state=state, n_steps=N_STEPS, trace_every=1).trace
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
    moved, sample = leaky_integrator(RHO)(key, start[0], params, None, HYPER)
    np.testing.assert_allclose(dynamics.transition(params, start[0], eta, RHO, HYPER), moved, atol=1e-6)
    np.testing.assert_array_equal(sample.pre_rate, RHO.value(start[0]))
    np.testing.assert_array_equal(sample.post_slope, RHO.slope(start[0]))


def test_printed_and_corrected_forms_rest_elsewhere(key):
    params = energy.make_params([[0.0, 0.4], [0.4, 0.0]], [0.1, 0.0])
    ends = {}
    for name, kernel in (("ours", leaky_integrator(RHO)), ("printed", dynamics.printed_integrator(RHO))):
        run = simulate(key, params, None, Hyper(0.1), kernel=kernel, state=jnp.zeros(2), n_steps=500)
        ends[name] = run.state
    np.testing.assert_allclose(ends["ours"], energy.target(params, ends["ours"], RHO), atol=1e-6)
    np.testing.assert_allclose(ends["printed"], 0.5 * energy.target(params, ends["printed"], RHO), atol=1e-6)
    assert float(jnp.abs(ends["ours"] - ends["printed"]).max()) > 0.05


def assert_same(first, second):
    jax.tree.map(np.testing.assert_array_equal, first, second)


@pytest.mark.parametrize("rule", [None, rules.differential_rule("previous")], ids=["no rule", "rule"])
def test_pieces_make_the_whole(rule, key, params, start):
    def drive(t):
        return 0.1 * jnp.sin(t.astype(jnp.float32)) * jnp.ones(N_UNITS)

    observe = {"state": mean_of(lambda sample: sample.next_post_state)}

    def go(n_steps, **options):
        settings = {"kernel": leaky_integrator(RHO), "rule": rule, "observe": observe}
        rate = 0.0 if rule is None else 0.1
        return simulate(key, params, drive, HYPER, n_steps=n_steps, learning_rate=rate, **settings, **options)

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
        kernel = leaky_integrator(RHO)
        run = simulate(key, params, None, HYPER, kernel=kernel, state=state, n_steps=12, trace_every=every)
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
        return simulate(key, params, drive, HYPER, kernel=leaky_integrator(RHO), state=start, **options).state

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
    for make, hyper in ((leaky_integrator, HYPER), (langevin, WARM), (dynamics.spiking_integrator, QUIET)):
        moved = make(RHO)(key, start[0], params, drive, hyper)[0]
        np.testing.assert_array_equal(moved, make(RHO)(key, start[0], shifted, None, hyper)[0])


def test_a_rule_in_the_loop_against_a_plain_loop(key, params, start):
    rate = 0.2
    run = simulate(
        key,
        params,
        None,
        HYPER,
        kernel=leaky_integrator(RHO),
        state=start,
        n_steps=N_STEPS,
        rule=rules.differential_rule(),
        learning_rate=rate,
    )
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
    kernel = leaky_integrator(rates.RateFunction(jnp.asarray, jnp.ones_like))

    def go(drive):
        return simulate(key, params, drive, HYPER, kernel=kernel, state=start)

    run, calm = go(drive), go(0 * drive)
    assert run.is_finite.tolist() == [True, False, True]
    assert calm.is_finite.tolist() == [True] * 3
    np.testing.assert_array_equal(run.state[::2], calm.state[::2])


def test_nothing_compiles_twice(key, params, start):
    n_traces = 0
    plain = leaky_integrator(RHO)

    def counted(key, state, params, drive, hyper):
        nonlocal n_traces
        n_traces += 1
        return plain(key, state, params, drive, hyper)

    from stdpjax.clamps import clamp_state

    mask = jnp.arange(N_UNITS) == 0

    def go(seed, hyper, value, scale, **options):
        clamped = hyper._replace(clamps=(clamp_state(mask, value),))
        scaled = params._replace(weights=scale * params.weights)
        return simulate(
            jax.random.fold_in(key, seed), scaled, None, clamped, kernel=counted, state=start, n_steps=5, **options
        )

    first = go(0, Hyper(0.2, 0.3, 0.5), 0.1, 1.0)
    n_first = n_traces
    again = go(1, Hyper(0.7, 0.0, 0.1), -0.3, 0.5, first_trial=5)
    go(2, Hyper(jnp.float32(0.7), 1, 2), 0.2, 0.5, resume=None)
    assert n_traces == n_first >= 1
    assert float(jnp.abs(first.state - again.state).max()) > 1e-3
    # Power: another number of steps is another program.
    simulate(key, params, None, HYPER, kernel=counted, state=start, n_steps=6)
    assert n_traces > n_first


def test_a_sweep_is_a_vmap(key, params, start):
    def end(step, noise_std):
        hyper = Hyper(step, noise_std)
        return simulate(key, params, None, hyper, kernel=leaky_integrator(RHO), state=start, n_steps=5).state

    steps, levels = jnp.array([0.1, 0.3]), jnp.array([0.0, 0.4])
    one_by_one = jnp.stack([end(float(step), float(level)) for step, level in zip(steps, levels, strict=True)])
    np.testing.assert_allclose(jax.vmap(end)(steps, levels), one_by_one, atol=1e-6)


def test_a_sweep_is_a_vmap_over_hyper(key, params, start):
    from stdpjax.clamps import clamp_state

    held = clamp_state(jnp.arange(N_UNITS) == 0, 0.4)
    steps, levels = jnp.array([0.1, 0.3]), jnp.array([0.0, 0.4])

    def end(hyper, clamps=()):
        hyper = hyper._replace(clamps=(*hyper.clamps, *clamps))
        return simulate(key, params, None, hyper, kernel=leaky_integrator(RHO), state=start, n_steps=5).state

    def each(make):
        return jnp.stack([make(i) for i in range(2)])

    alone = each(lambda i: end(Hyper(steps[i])))
    np.testing.assert_allclose(jax.vmap(end)(Hyper(step=steps)), alone, atol=1e-6)
    both = each(lambda i: end(Hyper(steps[i], levels[i])))
    np.testing.assert_allclose(jax.vmap(end)(Hyper(steps, levels)), both, atol=1e-6)
    assert float(jnp.abs(alone[1] - both[1]).max()) > 1e-3
    # The clamps are the same for all, or have a value for each.
    with_held = each(lambda i: end(Hyper(steps[i], clamps=(held,))))
    np.testing.assert_array_equal(with_held[..., 0], np.float32(0.4))
    in_axes = (Hyper(step=0, clamps=None),)  # pyright: ignore[reportArgumentType]
    np.testing.assert_allclose(jax.vmap(end, in_axes)(Hyper(steps, clamps=(held,))), with_held, atol=1e-6)
    values = jnp.stack([held.value, -held.value])
    by_value = jax.vmap(lambda hyper, value: end(hyper, (held._replace(value=value),)))(Hyper(step=steps), values)
    np.testing.assert_allclose(by_value[0], with_held[0], atol=1e-6)
    np.testing.assert_allclose(by_value[1], end(Hyper(steps[1], clamps=(held._replace(value=-held.value),))), atol=1e-6)


MAKERS = [leaky_integrator, dynamics.printed_integrator, langevin, metropolis_langevin, dynamics.spiking_integrator]


@pytest.mark.parametrize("make", MAKERS)
def test_without_compiling_the_numbers_are_the_same(make, key, params, start):
    kernel = make(RHO)
    hyper = Hyper(0.2)._replace(**dict.fromkeys(kernel.reads, 0.3))
    params = energy.make_params(energy.tie(params.weights), params.bias)

    def go():
        rule = rules.differential_rule()
        run = simulate(key, params, None, hyper, kernel=kernel, state=start[0], n_steps=3, rule=rule, learning_rate=0.1)
        return run.state, run.params.weights

    compiled = go()
    with jax.disable_jit():
        plain = go()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-6), compiled, plain)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_spikes_in_half_precision_have_their_probability(dtype, key):
    # A rate of 1/512, below the smallest step of uniform numbers in bfloat16.
    rho = rates.RateFunction(lambda state: jnp.full_like(state, 2.0**-9), jnp.ones_like)
    n_units = 200_000
    state = jnp.zeros(n_units, dtype)
    kernel = dynamics.spiking_integrator(rho).run
    network: Any = energy.Params(_NoWeights(), state)  # pyright: ignore[reportArgumentType]
    spikes = kernel(key, state, network, None, Hyper(jnp.asarray(0.1, dtype)))[1].pre_spikes
    assert spikes is not None
    found, error = float(spikes.mean()), np.sqrt(2.0**-9 / n_units)
    assert abs(found - 2.0**-9) < 4 * error
    too_coarse = jax.random.uniform(key, state.shape, jnp.bfloat16) < 2.0**-9
    assert abs(float(too_coarse.mean()) - 2.0**-9) > 4 * error


class _NoWeights:
    def __matmul__(self, rate):
        return jnp.zeros_like(rate)


def test_noise_levels_can_be_differentiated_at_zero(key, params, start):
    kernel = leaky_integrator(rates.sigmoid())
    slope = jax.jacfwd(lambda level: kernel(key, start[0], params, None, Hyper(0.2, level))[0])(0.0)
    h = 1e-2
    ends = [kernel(key, start[0], params, None, Hyper(0.2, level))[0] for level in (h, 0.0)]
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
    settings = {"kernel": kernel, "observe": {"moments": mean_of(moments)}}
    hyper = Hyper(step, temperature=1.0)
    start = jax.random.normal(jax.random.fold_in(key, 1), (n_trials, 2))
    warm = simulate(key, TWO, None, hyper, kernel=kernel, state=start, n_steps=200)
    run = simulate(jax.random.fold_in(key, 2), TWO, None, hyper, state=warm.state, n_steps=n_steps, **settings)
    by_trial = np.asarray(run.observed["moments"].mean, np.float64)
    return (by_trial.mean(0) - by_quadrature()) / (by_trial.std(0, ddof=1) / np.sqrt(n_trials))


def test_metropolis_samples_the_energy_and_a_big_unadjusted_step_does_not(key):
    assert np.abs(z_scores(metropolis_langevin(RHO), key, 0.5, 1000, 200)).max() < 4
    assert np.abs(z_scores(langevin(RHO), key, 0.5, 1000, 200)).max() > 8


@pytest.mark.slow
def test_metropolis_samples_the_energy_in_long_runs(key):
    assert np.abs(z_scores(metropolis_langevin(RHO), key, 0.5, 10_000, 2000)).max() < 4
    assert np.abs(z_scores(langevin(RHO), key, 0.05, 10_000, 2000)).max() > 8


def test_metropolis_with_a_held_unit_samples_the_conditional_law(key):
    from stdpjax.clamps import clamp_softly, clamp_state

    held = clamp_state([True, False], 0.3)
    soft = clamp_softly([False, True], 0.25, 1.5)
    run = simulate(
        key,
        TWO,
        None,
        Hyper(0.4, temperature=0.5, clamps=(held, soft)),
        kernel=metropolis_langevin(RHO),
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
    paper, heated = Hyper(step, noise), Hyper(step, temperature=0.7)
    for kernel, hyper, expected in (
        (leaky_integrator(linear), paper, step * noise**2 * mode**2 / ((1 - mode) * (2 - step * (1 - mode)))),
        (langevin(linear), heated, 0.7 / ((1 - mode) * (1 - step * (1 - mode) / 2))),
    ):
        warm = simulate(key, params, None, hyper, kernel=kernel, state=jnp.zeros((1000, 2)), n_steps=500)
        run = simulate(
            jax.random.fold_in(key, 1),
            params,
            None,
            hyper,
            kernel=kernel,
            state=warm.state,
            n_steps=5000,
            observe={"variance": mean_of(along)},
        )
        by_trial = np.asarray(run.observed["variance"].mean)
        error = by_trial.std(ddof=1) / np.sqrt(1000)
        assert abs(by_trial.mean() - expected) < 4 * error
        assert error < 0.02 * expected / 4
