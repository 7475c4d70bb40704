"""The objective split into clamped and hidden units: energy gradients, noise, and who goes up and who down (section 6).

J = J_h + J_x (Eq 19); f and the objective by the energy's gradient (Eq 20 to 22, section 6.2); and whether learning on
J_h makes the network faster.
"""

from collections.abc import Iterable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax.clamps import clamp_state
from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate, transition
from stdpjax.energy import Params, energy_of, random_params, target_of
from stdpjax.lab import Claim, Estimate, at_least, at_most
from stdpjax.lab.settings import STEP, TRAINS, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import centred_network
from stdpjax.objectives import prediction_error
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid, smoothed_hard_sigmoid
from stdpjax.rules import differential_rule, rate_update
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, largest, largest_z, merged, required
from stdpjax.studies.network_runs import drift_at
from stdpjax.studies.section_6_hidden.hidden_objective_figure import plot

CENTRES = {"high": 0.3, "centre": 0.0, "low": -0.3}


@configuration
class HiddenObjectiveConfig:
    """Settings of the study of J_h and J_x; tied random networks whose first units are clamped."""

    n_networks: int = setting(64, "random networks", **TRAINS)
    n_visible: int = setting(3, "units of each that are clamped")
    n_hidden: int = setting(5, "units that are not")
    steps: tuple[float, ...] = setting((0.02, 0.2), "step over time constant", **STEP, increasing=True)
    late: float = setting(6.0, "how long the hidden units have relaxed when it is late, in time constants", above=0)
    strength: float = setting(0.1, "rate of one gradient step on the weights, times the squared step", above=0)
    noise_std: float = setting(
        0.03, "standard deviation of the noise in J_x, small enough to stay between the kinks", above=0
    )
    large_noise_std: float = setting(0.3, "standard deviation of the noise in Eq 20", above=0)
    n_draws: int = setting(50_000, "noise draws in each of 8 networks", **TRAINS)
    n_learners: int = setting(12, "networks that learn over repeated relaxations", **TRAINS)
    n_relaxations: int = setting(60, "relaxations of each, from random starts")
    n_relaxation_steps: int = setting(300, "steps of 0.1 time constants in each relaxation")
    learning_rate: float = setting(0.02, "rate of Eq 1 in them", above=0)


_APART = tuple(name for name in CENTRES if name != "centre")


def _early(data: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    """Return values while the gradient is large beside its rounding."""
    return values.where(data.time * data.step <= 0.5 * float(data.late))


def _off_eq22(data: xr.Dataset, factor: float) -> xr.DataArray:
    formula = factor * 0.5 * data.step**2 * data.visible_gradient**2
    return (np.abs(data.visible - formula) / data.visible.max("time")).max()


def _off_index(data: xr.Dataset, gradient: xr.DataArray) -> float:
    return largest(_early(data, data.hidden / (0.5 * data.step**2 * gradient**2) - 1))


def late_ratios(data: xr.Dataset) -> xr.Dataset:
    """Return, when the hidden units have nearly settled, J_h and the change over two steps relative to index t - 1."""
    found: list[xr.Dataset] = []
    for step in data.step.values.tolist():
        cell = data.sel(step=step).sel(time=max(1, min(round(float(data.late) / step), data.sizes["time"])))
        descent = step * cell.gradient_before
        found.append(
            xr.Dataset(
                {
                    "index": 2 * cell.hidden / descent**2,
                    "two_steps": cell.two_steps / descent,
                    "one_step": np.sqrt(2 * cell.hidden) / descent,
                }
            )
        )
    return xr.concat(found, "step", coords="minimal", compat="override")


def _least(ratios: xr.DataArray) -> Estimate:
    """Return the mean over networks at the step where it is least."""
    return min(mean_interval(at_step) for at_step in ratios.transpose("step", "network"))


def _two_steps(data: xr.Dataset) -> str:
    means = late_ratios(data).two_steps.mean("network")
    by_step = ", ".join(f"{float(mean):.3f} at step {float(mean.step):g}" for mean in means)
    return f"Means over networks: {by_step}."


def _rise(data: xr.Dataset, centres: Iterable[str]) -> Estimate:
    """Return the log ratio of the speed after learning to before, where it follows the sign of the rate least."""
    rises = np.log(data.speed.isel(relaxation=-1) / data.speed.isel(relaxation=0))
    each = [mean_interval(rises.sel(centre=centre)) for centre in centres]
    return min(each, key=lambda rise: rise.value * np.sign(float(data.rate)))


def _times(data: xr.Dataset) -> str:
    value = data.convergence_time.mean("learner")
    first, last = (value.isel(relaxation=part).mean("relaxation") for part in (slice(5), slice(-5, None)))
    pairs = (f"{centre} {float(a):.2f} to {float(b):.2f}" for centre, a, b in zip(CENTRES, first, last, strict=True))
    return "Time to 5 %, in tau: " + ", ".join(pairs) + "."


_EQ_22 = "J_x = step^2/2 |dE(x, h_{t-1})/dx|^2 but for noise."
_NEAR_REST = "Near a fixed point J_h = step^2/2 |dE(x, h_{t-1})/dh|^2."
_FASTER = "J_h is trying to make the Markov chain converge faster."

_section_6_2 = partial(Claim, statement="Section 6.2", bearing="refutes")
_section_6_2_limited = partial(Claim, statement="Section 6.2", bearing="limits")

CLAIMS = (
    Claim(
        "E19.split",
        "Largest relative difference of J_h + J_x from J.",
        statement="Eq 19",
        criterion=at_most(2e-6, double=1e-11),
        measure=lambda data: largest(_early(data, (data.hidden + data.visible) / data.total - 1)),
        control=lambda data: largest(_early(data, data.hidden / data.total - 1)),
        control_is="J_h alone, as if clamped units predicted themselves",
        bearing="supports",
    ),
    Claim(
        "E20.drift",
        "Largest |z| of the mean noise of f - (s - step grad E(s)), sampled, from its formula.",
        statement="Eq 20",
        criterion=at_most(4.0),
        measure=lambda data: largest_z(data.drift - data.smoothed_drift, data.drift_error),
        control=lambda data: largest_z(data.drift, data.drift_error),
        control_is="mean 0",
        bearing="limits",
        note=lambda data: f"Largest mean {largest(data.drift):.3f} times the step.",
    ),
    Claim(
        "E21.clamped",
        "Largest difference of x - f_x from step dE/dx, without noise.",
        statement="Eq 21",
        criterion=at_most(1e-6, double=1e-14),
        measure=lambda data: largest(data.off_clamped),
        control=lambda data: (data.step * data.visible_gradient).max(),
        control_is="the state change of a clamped unit, 0, in place of x - f_x",
        bearing="limits",
    ),
    Claim(
        "E22.exact",
        "Largest difference of J_x from step^2/2 |dE/dx|^2 without noise, relative to the largest J_x of a network.",
        statement="Eq 22",
        criterion=at_most(1e-3, double=1e-11),
        measure=lambda data: _off_eq22(data, 1.0),
        control=lambda data: _off_eq22(data, 2.0),
        control_is="twice the printed factor",
        bearing="supports",
    ),
    Claim(
        "E22.weight_decay",
        "Largest |z| of the mean of J_x under noise from step^2/2 (|dE/dx|^2 + noise^2 |W_x|^2).",
        statement="Eq 22",
        criterion=at_most(4.0),
        measure=lambda data: largest_z(data.noisy_mean - data.noise_free - data.decay_term, data.noisy_error),
        control=lambda data: largest_z(data.noisy_mean - data.noise_free, data.noisy_error),
        control_is="without the term",
        bearing="limits",
        note=lambda data: (
            f"First network: {float(data.noisy_mean[0]):.6f} against {float(data.noise_free[0]):.6f} + "
            f"{float(data.decay_term[0]):.6f}."
        ),
    ),
    _section_6_2(
        "6.2.exact_index",
        "Largest relative difference of J_h from step^2/2 |dE/dh(h_t)|^2, without noise.",
        criterion=at_most(5e-3, double=1e-11),
        measure=lambda data: _off_index(data, data.gradient_now),
        control=lambda data: _off_index(data, data.gradient_before),
        control_is="index t - 1",
        note="Over the first half of the relaxation.",
    ),
    Claim(
        "6.2.scores",
        "Largest difference of h_{t+1} - h_{t-1} from -step (dE/dh(h_t) + dE/dh(h_{t-1})), without noise.",
        statement="Section 6.2",
        criterion=at_most(1e-6, double=1e-14),
        measure=lambda data: largest(data.off_scores),
        control=lambda data: (data.step * data.gradient_now).max(),
        control_is="one score",
        bearing="supports",
    ),
    _section_6_2_limited(
        "6.2.late_index",
        "J_h relative to step^2/2 |dE/dh(h_{t-1})|^2 late in the relaxation, at a small step; mean over networks.",
        criterion=at_least(0.95),
        measure=lambda data: mean_interval(late_ratios(data).index.isel(step=0)),
        control=lambda data: late_ratios(data).index.isel(step=-1).mean(),
        control_is="the largest step",
        note=lambda data: f"At step {float(data.step[0]):g}; the control at step {float(data.step[-1]):g}.",
    ),
    _section_6_2(
        "6.2.two_steps",
        "|h_{t+1} - h_{t-1}| over step |dE/dh(h_{t-1})| late in the relaxation; mean over networks, least step.",
        criterion=at_least(1.8),
        measure=lambda data: _least(late_ratios(data).two_steps),
        control=lambda data: late_ratios(data).one_step.mean("network").max(),
        control_is="the change over one step",
        note=_two_steps,
    ),
    Claim(
        "E21.clamped_descends",
        "Log ratio of |dE/dx| after to before one step down J_x; mean over networks.",
        statement="Eq 21",
        criterion=at_most(-0.05),
        measure=lambda data: mean_interval(data.clamped_update),
        control=lambda data: data.literal_update.mean(),
        control_is="Eq 1 read literally",
        bearing="supports",
        note=lambda data: (
            f"Falls in {float((data.clamped_update < 0).mean()):.0%} of networks. The largest weight change of Eq 1 "
            f"read literally is {largest(data.literal_change):g}."
        ),
    ),
    _section_6_2(
        "6.2.free_ascends",
        "Log ratio of |dE/dh| after to before one step down J_h with the target frozen; mean over networks.",
        criterion=at_least(0.02),
        measure=lambda data: mean_interval(data.free_update),
        control=lambda data: data.true_update.mean(),
        control_is="the true gradient of J_h",
        note=lambda data: f"Rises in {float((data.free_update > 0).mean()):.0%} of networks.",
    ),
    _section_6_2_limited(
        "T12.faster",
        "Log ratio of the speed at random states, after to before learning with Eq 1; least of three fixed points.",
        criterion=at_least(0.01),
        measure=lambda data: _rise(data.isel(rate=0), CENTRES),
        control=lambda data: _rise(data.isel(rate=-1), CENTRES).value,
        control_is="the opposite sign",
        note=lambda data: _times(data.isel(rate=0)),
    ),
    _section_6_2_limited(
        "T12.slower",
        "The same with Eq 1 reversed; the larger of two fixed points, where rates are high and low.",
        criterion=at_most(-0.01),
        measure=lambda data: _rise(data.isel(rate=-1), _APART),
        control=lambda data: _rise(data.isel(rate=0), _APART).value,
        control_is="the paper's sign",
        note=lambda data: (
            f"{_times(data.isel(rate=-1))} At the centre {_rise(data.isel(rate=-1), ['centre']).value:+.4f}."
        ),
    ),
)


def clamped_network(key: Key[Array, ""], n_visible: int, n_hidden: int) -> tuple[Params, Float[Array, "unit"]]:
    """Return a random tied network and a state between the kinks, whose first units are the clamped ones."""
    params_key, state_key = jax.random.split(key)
    n_units = n_visible + n_hidden
    return random_params(params_key, n_units, 0.3), jax.random.uniform(state_key, (n_units,), float, -0.3, 0.3)


def slope_of(params: Params, state: Float[Array, "unit"]) -> Float[Array, "unit"]:
    """Return the gradient of the energy, by automatic differentiation."""
    return jax.grad(lambda state: energy_of(params, state, hard_sigmoid()))(state)


def relaxation(
    params: Params, start: Float[Array, "unit"], step: Float[Array, ""], n_visible: int, n_steps: int
) -> dict[str, Array]:
    """Relax the hidden units without noise, the first units clamped, and return the objective along the way."""
    rate_fn = hard_sigmoid()
    is_visible = np.arange(start.shape[0]) < n_visible
    clamps = (clamp_state(is_visible, start),)

    def advance(state: Float[Array, "unit"], _: None):
        return transition(params, state, jnp.zeros_like(state), rate_fn, step, clamps), state

    _, path = jax.lax.scan(advance, start, None, length=n_steps + 2)
    still, visible = jnp.zeros_like(start), jnp.asarray(is_visible)

    def at(before: Float[Array, "unit"], now: Float[Array, "unit"], after: Float[Array, "unit"]) -> dict[str, Array]:
        before_slope, now_slope = slope_of(params, before), slope_of(params, now)
        prediction = transition(params, before, still, rate_fn, step)
        parts = [
            prediction_error(params, before, still, after, rate_fn, step, mask) for mask in (None, ~visible, visible)
        ]
        change = (after - before) + step * (before_slope + now_slope)
        return {
            "total": parts[0],
            "hidden": parts[1],
            "visible": parts[2],
            "gradient_now": jnp.linalg.norm(now_slope[n_visible:]),
            "gradient_before": jnp.linalg.norm(before_slope[n_visible:]),
            "visible_gradient": jnp.linalg.norm(before_slope[:n_visible]),
            "two_steps": jnp.linalg.norm((after - before)[n_visible:]),
            "off_clamped": jnp.max(jnp.abs(after - prediction - step * before_slope)[:n_visible]),
            "off_scores": jnp.max(jnp.abs(change[n_visible:])),
        }

    return jax.vmap(at)(path[:-2], path[1:-1], path[2:])


def one_update(
    params: Params, before: Float[Array, "unit"], step: Float[Array, ""], rate: Float[Array, ""], n_visible: int
) -> Float[Array, "five"]:
    """Return log ratios of the energy gradient's norm after to before one gradient step on the weights.

    Of the clamped units after a step down J_x, and after Eq 1 read literally, whose state change is 0; of the hidden
    ones after a step down J_h with the target frozen, and down its true gradient. Last, the literal weight change.
    """
    rate_fn = hard_sigmoid()
    is_visible = np.arange(before.shape[0]) < n_visible
    still, visible, clamps = 0 * before, jnp.asarray(is_visible), (clamp_state(is_visible, before),)

    def reached(params: Params) -> Float[Array, "unit"]:
        now = transition(params, before, still, rate_fn, step, clamps)
        return transition(params, now, still, rate_fn, step, clamps)

    def objective(weights: Float[Array, "post pre"], mask: Array, is_frozen: bool) -> Float[Array, ""]:
        changed = params._replace(weights=weights)
        goal = reached(params if is_frozen else changed)
        return prediction_error(changed, before, still, goal, rate_fn, step, mask)

    def log_ratio(change: Float[Array, "post pre"], mask: Array) -> Float[Array, ""]:
        # Untied weights have no energy, but R and s - R still.
        norms = [
            jnp.linalg.norm(jnp.where(mask, before - target_of(params._replace(weights=weights), before, rate_fn), 0.0))
            for weights in (params.weights, params.weights + change)
        ]
        return jnp.log(norms[1] / norms[0])

    def descent(mask: Array, is_frozen: bool) -> Float[Array, "post pre"]:
        return -rate * jax.grad(objective)(params.weights, mask, is_frozen)

    after = reached(params)
    literal = step * rate * rate_update(before, after, rate_fn.value(before))
    literal = jnp.where(visible[:, None], literal, 0.0)
    return jnp.stack(
        [
            log_ratio(descent(visible, True), visible),
            log_ratio(literal, visible),
            log_ratio(descent(~visible, True), ~visible),
            log_ratio(descent(~visible, False), ~visible),
            jnp.max(jnp.abs(literal)),
        ]
    )


def noisy_objective(
    key: Key[Array, ""], params: Params, state: Float[Array, "unit"], noise_std: Array, n_visible: int, n_draws: int
) -> Float[Array, "four"]:
    """Return J_x over the squared step: its mean under noise, standard error, value without noise, and added term."""
    rate_fn = hard_sigmoid()
    visible = jnp.arange(state.shape[0]) < n_visible
    eta = noise_std * jax.random.normal(key, (n_draws, *state.shape), state.dtype)
    # Of a clamped unit x - f_x = step (x - R_x), whatever the step: take 1.
    values = jax.vmap(lambda noise: prediction_error(params, state, noise, state, rate_fn, 1.0, visible))(eta)
    plain = prediction_error(params, state, 0 * state, state, rate_fn, 1.0, visible)
    decay = 0.5 * noise_std**2 * jnp.sum(params.weights[:n_visible] ** 2)
    return jnp.stack([jnp.mean(values), jnp.std(values) / jnp.sqrt(1.0 * n_draws), plain, decay])


@partial(jax.jit, static_argnames=("n_relaxations", "n_steps"))
def learning_relaxations(
    key: Key[Array, ""], centre: Array, rate: Array, *, n_relaxations: int, n_steps: int
) -> tuple[Float[Array, "relaxation"], Float[Array, "relaxation"], Array]:
    """Relax 8 units again and again from random starts while Eq 1 changes their (untied) weights.

    Returned are, before each relaxation, the mean speed at 32 fixed states in activity per time constant, and the time
    constants until 5 % of the distance are left; and whether all was finite.
    """
    network_key, start_key, test_key = jax.random.split(key, 3)
    weights, bias = centred_network(network_key, centre, 8)
    tests = jax.random.uniform(test_key, (32, 8), float, -0.5, 0.5)
    kernel = LeakyIntegrator(hard_sigmoid())

    def relax_once(weights: Float[Array, "post pre"], key: Key[Array, ""]):
        params = Params(weights, bias)
        speed = jnp.mean(
            jax.vmap(lambda state: jnp.linalg.norm(target_of(params, state, hard_sigmoid()) - state))(tests)
        )
        start = jax.random.uniform(key, (8,), float, -0.5, 0.5)
        run = simulate(
            key,
            params,
            kernel,
            StepHyper(0.1),
            state=start,
            n_steps=n_steps,
            trace_every=1,
            rule=differential_rule(),
            learning_rate=rate,
        )
        path = jnp.concatenate([start[None], jnp.asarray(run.trace)])
        distance = jnp.linalg.norm(path - path[-1:], axis=1)
        is_close = distance <= 0.05 * distance[0]
        return run.params.weights, (speed, 0.1 * jnp.argmax(is_close).astype(speed.dtype), run.is_finite)

    _, (speed, time, is_finite) = jax.lax.scan(relax_once, weights, member_keys(start_key, n_relaxations))
    return speed, time, jnp.all(is_finite)


@partial(jax.jit, static_argnames=("n_visible", "n_hidden", "n_times", "n_draws"))
def _networks(key, steps, strength, noise_std, large_noise_std, *, n_visible, n_hidden, n_times, n_draws, keys):
    params, states = jax.vmap(lambda key: clamped_network(key, n_visible, n_hidden))(keys)

    def relax(params, state, step):
        return relaxation(params, state, step, n_visible, n_times)

    paths = jax.vmap(jax.vmap(relax, (None, None, 0)), (0, 0, None))(params, states, steps)
    step = steps[-1]
    updates = jax.vmap(lambda params, state: one_update(params, state, step, strength / step**2, n_visible))(
        params, states
    )
    few = jax.tree.map(lambda leaf: leaf[:8], (params, states))
    draw_keys = member_keys(key, 8)
    noisy = jax.vmap(lambda key, params, state: noisy_objective(key, params, state, noise_std, n_visible, n_draws))(
        draw_keys, *few
    )
    # Twice as far out: near the kinks and beyond.
    far = 2 * few[1]
    mean, error = jax.vmap(lambda key, params, state: drift_at(key, params, state, large_noise_std, n_draws=n_draws))(
        draw_keys, few[0], far
    )
    plain = jax.vmap(lambda params, state: target_of(params, state, hard_sigmoid()))(few[0], far)
    return paths, updates, noisy, (mean - plain, error, plain), (few[0], far)


def run(key: Key[Array, ""], config: HiddenObjectiveConfig, progress: Progress) -> xr.Dataset:
    """Relax clamped networks, update their weights once, add noise, and let others learn over many relaxations."""
    progress(0.0, "relaxations and single updates")
    networks = _of_networks(key, config)
    progress(0.4, "learning over repeated relaxations")
    learners = _of_learners(key, config)
    progress(1.0, "done")
    n_times = networks.sizes["time"]
    return merged(
        networks,
        learners,
        step=("step", np.array(config.steps), {"long_name": "step over time constant"}),
        time=("time", np.arange(1, n_times + 1), {"units": "steps"}),
        late=((), config.late, {"units": "tau", "long_name": "time after which it is late"}),
        centre=list(CENTRES),
        rate=np.array([config.learning_rate, 0.0, -config.learning_rate]),
        relaxation=np.arange(config.n_relaxations),
    )


def _of_networks(key: Key[Array, ""], config: HiddenObjectiveConfig) -> xr.Dataset:
    """The objective along relaxations, its gradients before and after an update, and what noise adds."""
    numbers = (config.strength, config.noise_std, config.large_noise_std)
    paths, updates, noisy, (drift, error, plain), (params, far) = _networks(
        named_key(key, "noise"),
        jnp.asarray(config.steps, float),
        *(jnp.asarray(number, float) for number in numbers),
        n_visible=config.n_visible,
        n_hidden=config.n_hidden,
        n_times=round(config.late / config.steps[0]),
        n_draws=config.n_draws,
        keys=member_keys(named_key(key, "networks"), config.n_networks),
    )
    smooth = smoothed_hard_sigmoid(config.large_noise_std)
    shift = jax.vmap(lambda params, state: target_of(params, state, smooth))(params, far) - plain
    along, squared = ("network", "step", "time"), ("total", "hidden", "visible")
    words = "log ratio of the gradient's norm, after to before a weight update"
    ratios = ("clamped_update", "literal_update", "free_update", "true_update")
    terms = ("noisy_mean", "noisy_error", "noise_free", "decay_term")
    return merged(
        labelled(along, "activity^2", **{name: paths.pop(name) for name in squared}),
        labelled(along, "activity", **paths),
        labelled("network", **{name: (updates[:, index], words) for index, name in enumerate(ratios)}),
        labelled("network", literal_change=updates[:, 4]),
        labelled("noisy", "activity^2", **{name: noisy[:, index] for index, name in enumerate(terms)}),
        labelled(("noisy", "unit"), "activity", drift=drift, drift_error=error, smoothed_drift=shift),
    )


def _of_learners(key: Key[Array, ""], config: HiddenObjectiveConfig) -> xr.Dataset:
    """The speed of networks, and how long they relax, while Eq 1 changes their weights, or its reverse."""
    rates = jnp.asarray([config.learning_rate, 0.0, -config.learning_rate], float)
    learn = partial(learning_relaxations, n_relaxations=config.n_relaxations, n_steps=config.n_relaxation_steps)
    over_all = jax.vmap(jax.vmap(jax.vmap(learn, (None, None, 0)), (None, 0, None)), (0, None, None))
    keys = member_keys(named_key(key, "learners"), config.n_learners)
    speed, time, is_finite = over_all(keys, jnp.asarray(list(CENTRES.values()), float), rates)
    cells = ("learner", "centre", "rate")
    return merged(
        labelled((*cells, "relaxation"), "activity/tau", speed=speed),
        labelled((*cells, "relaxation"), "tau", convergence_time=time),
        required(cells, "learning networks with finite states and weights", is_finite=is_finite),
    )


STUDY = Study(
    name="hidden_objective",
    title="Clamped units descend, free units ascend",
    figure="Section 6, Eq 19 to 22",
    source="Bengio et al. 2015, sections 6, 6.1 and 6.2",
    caption="The objective splits into clamped and hidden units, and either part is half the squared energy gradient. "
    "A step on it with the target frozen lowers the gradient of clamped units, and raises that of hidden ones: J_h "
    "speeds the network up, which need not make it converge sooner.",
    config=HiddenObjectiveConfig(),
    smoke=dict(n_networks=8, n_draws=2000, n_learners=2, n_relaxations=5, n_relaxation_steps=50, late=2.0),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
