"""Fixed points against a box-constrained minimiser, their derivatives against finite differences, and stability."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from stdpjax import energy, rates
from stdpjax.clamps import clamp_energy, clamp_input, clamp_softly, clamp_state
from stdpjax.dynamics import LeakyIntegrator, StepHyper, advance, simulate
from stdpjax.energy import Params
from stdpjax.fixed_points import relax, relaxation_time, spectral_stability
from tests import plain_network
from tests.tracing import is_traced, may_be_traced, watched

HARD, SMOOTH = rates.hard_sigmoid(), rates.sigmoid()


def contraction(key, n_units=5, largest=0.8):
    """A network with one attractor, some of whose units are driven past the kinks."""
    params = energy.random_params(key, n_units, scale=1.0)
    scale = largest / jnp.linalg.eigvalsh(params.weights).max()
    bias = 0.8 * jax.random.normal(jax.random.fold_in(key, 1), (n_units,))
    return Params(scale * params.weights, bias)


def box_minimum(params, extra=lambda state: 0.0):
    weights, bias = plain_network.in_double(params)
    n_units = len(bias)
    found = minimize(
        lambda state: plain_network.energy(weights, bias, state) + extra(state),
        np.zeros(n_units),
        method="L-BFGS-B",
        bounds=[(-0.5, 0.5)] * n_units,
        options={"ftol": 1e-15, "gtol": 1e-10},
    )
    return found.x


@pytest.mark.parametrize("network", range(5))
def test_the_clip_form_minimises_the_energy_between_the_kinks(network, key):
    params = contraction(jax.random.fold_in(key, network))
    found = relax(params, jnp.zeros(5), HARD)
    assert bool(found.converged)
    np.testing.assert_allclose(found.state, box_minimum(params), atol=2e-5)
    assert float(jnp.abs(found.state).max()) > 0.49999  # some unit is at a kink
    # Power: the gradient form has no fixed point there, and says so.
    assert not bool(relax(params, jnp.zeros(5), HARD, form="gradient", step=0.05, max_steps=500).converged)


def test_soft_clamps_add_up(key):
    params = contraction(key)
    soft = (clamp_softly([True] * 5, 0.3, 1.0), clamp_softly([True, True, False, False, False], -0.4, 0.5))

    def extra(state):
        return float(clamp_energy(jnp.asarray(state, jnp.float32), soft))

    both = relax(params, jnp.zeros(5), HARD, clamps=soft)
    expected = box_minimum(params, lambda s: 0.5 * ((s - 0.3) ** 2).sum() + 0.25 * ((s[:2] + 0.4) ** 2).sum())
    np.testing.assert_allclose(both.state, expected, atol=2e-5)
    assert abs(extra(expected) - 0.5 * ((expected - 0.3) ** 2).sum() - 0.25 * ((expected[:2] + 0.4) ** 2).sum()) < 1e-5
    np.testing.assert_allclose(relax(params, jnp.zeros(5), HARD, clamps=soft[::-1]).state, both.state, atol=1e-5)


def test_the_clip_form_is_where_the_dynamics_chatter(key):
    params = contraction(key)
    held = (clamp_state([True, False, False, False, False], 0.2), clamp_input([False, True, False, False, False], 0.9))
    hyper, kernel = StepHyper(0.005), LeakyIntegrator(HARD)
    settled = simulate(key, params, kernel, hyper, clamps=held, state=jnp.zeros(5), n_steps=4000)
    trace = simulate(key, params, kernel, hyper, clamps=held, n_steps=4000, resume=settled, trace_every=1).trace
    found = relax(params, jnp.zeros(5), HARD, clamps=held)
    assert trace is not None
    np.testing.assert_allclose(trace.mean(0), found.state, atol=2 * hyper.step)
    np.testing.assert_allclose(found.state[:2], [0.2, 0.9], atol=1e-6)


def test_both_forms_agree_inside(key):
    params = energy.random_params(key, 5, scale=0.3)
    by_clip = relax(params, jnp.full(5, 0.3), HARD)
    by_gradient = relax(params, jnp.full(5, 0.3), HARD, form="gradient")
    np.testing.assert_allclose(by_clip.state, by_gradient.state, atol=5e-6)
    assert float(by_clip.residual) <= 1e-6
    assert 1 < int(by_clip.n_steps) < 10_000


def test_what_does_not_converge_says_so(key):
    params = contraction(key)
    early = relax(params, jnp.zeros(5), HARD, max_steps=3)
    assert (bool(early.converged), int(early.n_steps)) == (False, 3)
    assert float(early.residual) > 1e-6
    starts = jnp.zeros((2, 5)).at[1, 0].set(jnp.nan)
    found = jax.vmap(lambda start: relax(params, start, HARD))(starts)
    assert found.converged.tolist() == [True, False]
    np.testing.assert_allclose(found.state[0], relax(params, jnp.zeros(5), HARD).state, atol=1e-6)


CASES = {
    "clip": (HARD, "clip", ()),
    "gradient": (SMOOTH, "gradient", ()),
    "clip, held": (HARD, "clip", ("state", "soft")),
    "gradient, held": (SMOOTH, "gradient", ("state", "input", "soft")),
}


def end_of(rate_fn, form, kinds):
    make = {
        "state": lambda value: clamp_state([True, False, False, False, False], value),
        "input": lambda value: clamp_input([False, True, False, False, False], value),
        "soft": lambda value: clamp_softly([False, False, True, False, False], value, 0.7),
    }

    def end(params, value):
        clamps = tuple(make[kind](value) for kind in kinds)
        return relax(params, jnp.zeros(5), rate_fn, clamps=clamps, form=form, tolerance=2e-7).state

    return end


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_derivatives_are_those_of_the_fixed_point(case, key):
    end = end_of(*case)
    params, value = contraction(key), jnp.full(5, 0.1)
    direction = Params(energy.tie(jax.random.normal(key, (5, 5))), jax.random.normal(jax.random.fold_in(key, 2), (5,)))
    tangent = (direction, jnp.full(5, 0.5))
    forward = jax.jvp(end, (params, value), tangent)[1]
    h = 2e-3
    ahead, behind = (
        jax.tree.map(lambda x, dx, sign=sign: x + sign * h * dx, (params, value), tangent) for sign in (1, -1)
    )
    np.testing.assert_allclose(forward, (end(*ahead) - end(*behind)) / (2 * h), atol=2e-3)
    assert float(jnp.abs(forward).max()) > 0.05
    reverse = jax.jit(jax.grad(lambda *at: jnp.sum(end(*at) * jnp.arange(1.0, 6.0)), argnums=(0, 1)))(params, value)
    inner = sum(jnp.sum(a * b) for a, b in zip(jax.tree.leaves(reverse), jax.tree.leaves(tangent), strict=True))
    np.testing.assert_allclose(inner, jnp.sum(forward * jnp.arange(1.0, 6.0)), rtol=1e-4, atol=1e-4)
    batch = jax.tree.map(lambda x: jnp.stack([x, 0.9 * x]), (params, value))
    slopes = jax.vmap(jax.grad(lambda *at: jnp.sum(end(*at) * jnp.arange(1.0, 6.0)), argnums=(0, 1)))(*batch)
    chex.assert_trees_all_close(jax.tree.map(lambda many: many[0], slopes), reverse, rtol=1e-3, atol=1e-4)


RATES = {
    "sigmoid": SMOOTH,
    "steep": rates.sigmoid(8.0),
    "smoothed": rates.smoothed_hard_sigmoid(0.2),
    "hardly smoothed": rates.smoothed_hard_sigmoid(0.05),
}


@pytest.mark.parametrize("rate_fn", RATES.values(), ids=RATES.keys())
def test_smooth_rates_settle_and_their_derivative_is_that_of_the_settled_state(rate_fn, key):
    direction = jnp.array([1.0, -0.5, 0.3, 0.8, -1.0])

    def params_of(key, along):
        params = energy.random_params(key, 5, scale=0.6)
        bias = params.bias + 0.5 * jax.random.normal(jax.random.fold_in(key, 1), (5,))
        return params._replace(bias=bias + along * direction)

    @jax.jit
    @jax.vmap
    def both(key):
        def end(along):
            return relax(params_of(key, along), jnp.zeros(5), rate_fn, tolerance=1e-6)

        h = 2e-3
        # From the settled state on, so that all end in the same valley.
        there = end(0.0)
        near = [relax(params_of(key, along), there.state, rate_fn, tolerance=1e-6) for along in (h, -h)]
        steps = [(after.state - there.state) / along for after, along in zip(near, (h, -h), strict=True)]
        slope = jax.jvp(lambda along: end(along).state, (0.0,), (1.0,))[1]
        halved = relax(params_of(key, 0.0), jnp.zeros(5), rate_fn, step=0.5, max_steps=2000).converged
        stiff = jnp.max(jnp.abs(steps[0] - steps[1])) > 0.05 * jnp.max(jnp.abs(slope))
        return there.converged, slope, 0.5 * (steps[0] + steps[1]), stiff, halved

    converged, slope, expected, stiff, halved = (np.asarray(part) for part in both(jax.random.split(key, 40)))
    assert converged.all()
    assert stiff.sum() <= 8  # next to a bifurcation the difference itself is no derivative
    np.testing.assert_allclose(slope[~stiff], expected[~stiff], rtol=0.03, atol=0.02)
    if rate_fn in (RATES["steep"], RATES["hardly smoothed"]):
        assert halved.sum() < 30  # the damping of 1/2 for all


def test_there_is_no_derivative_where_the_relaxation_has_not_converged(key):
    params = contraction(key)

    def total(bias, max_steps):
        return jnp.sum(relax(params._replace(bias=bias), jnp.zeros(5), SMOOTH, max_steps=max_steps).state)

    for transform in (jax.grad, jax.jacfwd):
        assert np.isnan(transform(total)(params.bias, 3)).all()
        assert np.isfinite(transform(total)(params.bias, 10_000)).all()
    assert np.isfinite(total(params.bias, 3))
    # One of a batch alone.
    slopes = jax.vmap(jax.grad(lambda bias: total(bias, 40)))(jnp.stack([0 * params.bias, 30 * params.bias]))
    assert np.isnan(slopes).any() == (not np.isfinite(slopes).all())


def test_other_networks_starts_and_clamps_compile_nothing(key):
    smooth = rates.RateFunction(watched(SMOOTH.value), SMOOTH.slope)

    def rest(scale, held, n_units=5):
        params, clamp = contraction(key, n_units, 0.8 * scale), clamp_state(jnp.arange(n_units) == 0, held)
        found = relax(params, jnp.full(n_units, held), smooth, clamps=(clamp,), tolerance=1e-5 * scale)
        spectral_stability(params, found.state, smooth, 0.1 * scale)

    with may_be_traced():
        rest(1.0, 0.1)
    rest(0.5, -0.2)
    # Power: another size is another program.
    with is_traced():
        rest(1.0, 0.1, 4)


def test_without_compiling_the_fixed_point_is_the_same():
    params = energy.make_params([[0.0, 0.5], [0.5, 0.0]], [0.1, -0.3])

    def slope(bias):
        return relax(params._replace(bias=bias), jnp.zeros(2), SMOOTH, tolerance=1e-4).state

    with jax.disable_jit():
        plain = slope(params.bias), jax.jacfwd(slope)(params.bias)
    compiled = slope(params.bias), jax.jacfwd(slope)(params.bias)
    chex.assert_trees_all_close(plain, compiled, rtol=1e-7, atol=1e-5)


@pytest.mark.parametrize("kinds", [("state",), ("state", "input"), ("soft",), ("state", "input", "soft")])
@pytest.mark.parametrize("rate_fn", [SMOOTH, rates.smoothed_hard_sigmoid(0.3)], ids=["sigmoid", "smoothed"])
def test_stability_under_clamps_is_that_of_the_free_units(kinds, rate_fn, key):
    params = energy.random_params(key, 6, scale=1.5, tied=False)
    state, step = 0.2 * jax.random.normal(key, (6,)), 0.3
    at = jnp.arange(6)
    made = {
        "state": (clamp_state(at < 2, 0.3),),
        "input": (clamp_input(at == 2, 0.1),),
        "soft": (clamp_softly(at >= 4, 0.1, 0.7), clamp_softly(at == 4, 0.0, 0.4)),
    }
    clamps = tuple(clamp for kind in kinds for clamp in made[kind])
    found = spectral_stability(params, state, rate_fn, step, clamps)
    # The step itself, differentiated: what a deviation of the units that are not held becomes.
    kernel, key = LeakyIntegrator(rate_fn), jax.random.key(0)
    held = jnp.where((at < 2) & ("state" in kinds), 0.3, state)
    by_state = jax.jacfwd(lambda s: advance(key, params, kernel, StepHyper(step), state=s, clamps=clamps)[0])(held)
    free = np.arange(2 if "state" in kinds else 0, 6)
    block = np.asarray(by_state, np.float64)[np.ix_(free, free)]
    expected = np.linalg.eigvals(block)
    np.testing.assert_allclose(np.sort_complex(found.multipliers), np.sort_complex(expected), atol=1e-5)
    np.testing.assert_allclose(found.spectral_radius, np.abs(expected).max(), rtol=1e-5)
    of_target = (block - (1 - step) * np.eye(free.size)) / step
    np.testing.assert_allclose(found.determinant, np.linalg.det(of_target), atol=1e-4)
    # Power: another network is judged without them.
    free_network = spectral_stability(params, state, rate_fn, step)
    assert abs(float(free_network.spectral_radius - found.spectral_radius)) > 1e-3


def test_stability_where_all_is_held_and_where_masks_are_traced():
    params = energy.make_params([[0.0, 0.5], [0.5, 0.0]])
    found = spectral_stability(params, jnp.zeros(2), HARD, 0.1, (clamp_state([True, True], 0.0),))
    assert found.eigenvalues.shape == (0,)
    assert (bool(found.stable), float(found.spectral_radius), float(relaxation_time(found, 0.1))) == (True, 0.0, 0.0)
    with pytest.raises(ValueError, match="clamps: expected state clamps whose masks are known before tracing"):
        jax.jit(lambda clamp: spectral_stability(params, jnp.zeros(2), HARD, 0.1, (clamp,)))(
            clamp_state([True, False], 0.0)
        )


def test_the_start_has_no_derivative(key):
    params = contraction(key)
    slope = jax.jacrev(lambda start: relax(params, start, HARD).state)(jnp.zeros(5))
    np.testing.assert_array_equal(slope, 0)


def test_stability_against_numpy_and_the_growth_of_a_deviation():
    weights = 0.7 * (np.ones((3, 3)) - np.eye(3))
    params = energy.make_params(weights, np.full(3, -0.7))
    found = spectral_stability(params, jnp.zeros(3), HARD, 0.1)
    np.testing.assert_allclose(np.sort(found.eigenvalues.real), [-0.7, -0.7, 1.4], atol=1e-6)
    np.testing.assert_allclose(found.determinant, 0.686, rtol=1e-5)
    assert not bool(found.stable)
    assert float(relaxation_time(found, 0.1)) == np.inf
    run = simulate(
        jax.random.key(0),
        params,
        LeakyIntegrator(HARD),
        StepHyper(0.1),
        state=jnp.full(3, 1e-3),
        n_steps=50,
    )
    np.testing.assert_allclose(jnp.log(run.state[0] / 1e-3) / 50, np.log(1.04), rtol=1e-3)


@pytest.mark.parametrize(("step", "stable"), [(0.70, True), (0.73, False)])
def test_a_large_determinant_may_be_stable_and_the_step_decides(step, stable):
    block = -0.9 * (np.ones((3, 3)) - np.eye(3))
    weights = np.kron(np.eye(2), block)
    params = energy.make_params(weights, -0.5 * weights.sum(1))
    found = spectral_stability(params, jnp.zeros(6), HARD, step)
    np.testing.assert_allclose(found.determinant, 2.126, rtol=1e-3)
    assert bool(found.stable) is stable
    start = 1e-3 * jnp.array([1.0, 2.0, -1.0, 0.5, 1.0, 1.0])
    run = simulate(jax.random.key(0), params, LeakyIntegrator(HARD), StepHyper(step), state=start, n_steps=400)
    assert (float(jnp.abs(run.state).max()) < 1e-4) is stable


def test_eigenvalues_of_untied_weights(key):
    params = energy.random_params(key, 6, scale=0.8, tied=False)
    state = 0.1 * jax.random.normal(key, (6,))
    found = spectral_stability(params, state, SMOOTH, 0.2)
    expected = np.linalg.eigvals(np.asarray(energy.target_jacobian(params, state, SMOOTH), np.float64))
    np.testing.assert_allclose(np.sort_complex(found.eigenvalues), np.sort_complex(expected), atol=2e-5)
    np.testing.assert_allclose(found.spectral_radius, np.abs(0.8 + 0.2 * expected).max(), rtol=1e-5)
    slowest = -0.2 / np.log(np.abs(0.8 + 0.2 * expected).max())
    np.testing.assert_allclose(relaxation_time(found, 0.2), slowest, rtol=1e-3)


def test_the_relaxation_time_is_that_of_the_step_asked_for():
    params = energy.make_params([[0.0, 0.5], [0.5, 0.0]])
    for computed, asked in ((0.1, 0.1), (0.1, 0.001), (0.001, 0.1), (1.0, 0.5)):
        found = spectral_stability(params, jnp.zeros(2), HARD, computed)
        expected = -asked / np.log(1 - asked * (1 - 0.5))  # of the slowest mode, with eigenvalue 1/2
        np.testing.assert_allclose(relaxation_time(found, asked), expected, rtol=2e-4)
    # With eigenvalues of -2.5 and 2.5 - 3 = -0.5 the step decides whether there is a time at all.
    fast = spectral_stability(energy.make_params([[0.0, -2.5], [-2.5, 0.0]]), jnp.zeros(2), SMOOTH, 0.1)
    assert not bool(
        spectral_stability(energy.make_params([[0.0, -2.5], [-2.5, 0.0]]), jnp.zeros(2), SMOOTH, 0.9).stable
    )
    assert float(relaxation_time(fast, 0.9)) == np.inf


def test_no_units_are_at_rest():
    nothing = energy.make_params(np.zeros((0, 0)))
    for rate_fn in (HARD, SMOOTH):
        found = relax(nothing, jnp.zeros(0), rate_fn)
        assert (found.state.shape, float(found.residual), int(found.n_steps), bool(found.converged)) == (
            (0,),
            0,
            0,
            True,
        )
