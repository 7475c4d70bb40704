"""The objective split into clamped and hidden units: energy gradients, noise, and who goes up and who down (section 6).

J = J_h + J_x (Eq 19); f and the objective by the energy's gradient (Eq 20 to 22, section 6.2); and whether learning on
J_h makes the network faster.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax import _checks
from stdpjax.clamps import clamp_state
from stdpjax.dynamics import Hyper, leaky_integrator, simulate, transition
from stdpjax.energy import Params, energy_of, random_params, target_of
from stdpjax.objectives import prediction_error
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid, smoothed_hard_sigmoid
from stdpjax.rules import differential_rule, rate_update
from stdpjax.studies.base import Measurement, Progress, Study
from stdpjax.studies.figures.hidden_objective import plot
from stdpjax.studies.hidden_claims import CLAIMS
from stdpjax.studies.networks import centred_network
from stdpjax.studies.noise_laws import drift_at, over_trials
from stdpjax.studies.settings import setting

CENTRES = {"high": 0.3, "centre": 0.0, "low": -0.3}


@dataclasses.dataclass(frozen=True)
class HiddenObjectiveConfig:
    """Settings of the study of J_h and J_x; tied random networks whose first units are clamped."""

    n_networks: int = setting(64, "random networks")
    n_visible: int = setting(3, "units of each that are clamped")
    n_hidden: int = setting(5, "units that are not")
    steps: tuple[float, ...] = setting((0.02, 0.2), "step over time constant, the smallest first")
    late: float = setting(6.0, "how long the hidden units have relaxed when it is late, in time constants")
    strength: float = setting(0.1, "rate of one gradient step on the weights, times the squared step")
    noise_std: float = setting(0.03, "standard deviation of the noise in J_x, small enough to stay between the kinks")
    large_noise_std: float = setting(0.3, "standard deviation of the noise in Eq 20")
    n_draws: int = setting(50_000, "noise draws in each of 8 networks")
    n_learners: int = setting(12, "networks that learn over repeated relaxations")
    n_relaxations: int = setting(60, "relaxations of each, from random starts")
    n_relaxation_steps: int = setting(300, "steps of 0.1 time constants in each relaxation")
    learning_rate: float = setting(0.02, "rate of Eq 1 in them")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        for name in ("n_visible", "n_hidden", "n_relaxations", "n_relaxation_steps"):
            _checks.count(name, getattr(self, name))
        for name in ("n_networks", "n_learners", "n_draws"):
            _checks.count(name, getattr(self, name), minimum=2, maximum=_checks.MAX_HELD_TRAINS)
        for value in self.steps:
            _checks.number("steps", value, above=0, at_most=1)
        if list(self.steps) != sorted(set(self.steps)) or len(self.steps) < 2:
            raise ValueError(f"steps: expected at least two increasing numbers, got {self.steps}")
        for name in ("late", "strength", "noise_std", "large_noise_std", "learning_rate"):
            _checks.number(name, getattr(self, name), above=0)


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
    """Relax the hidden units without noise, the first units clamped, and return the objective along the way.

    Args:
        params: a tied network.
        start: the first state; its clamped units stay.
        step: step over time constant.
        n_visible: how many units are clamped.
        n_steps: how many times t, from 1 on.

    Returns:
        By time t: `total`, `hidden` and `visible`, the parts of J; `gradient_now` and `gradient_before`, the norms of
        the hidden units' energy gradient at t and t - 1; `visible_gradient`, that of the clamped units at t - 1;
        `two_steps`, the norm of h_{t+1} - h_{t-1}; `off_clamped`, x - f_x less step * dE/dx; `off_scores`, the change
        over two steps less the sum of two gradient steps.
    """
    rate_fn = hard_sigmoid()
    is_visible = np.arange(start.shape[0]) < n_visible
    clamped = Hyper(step, clamps=(clamp_state(is_visible, start),))

    def advance(state: Float[Array, "unit"], _: None):
        return transition(params, state, jnp.zeros_like(state), rate_fn, clamped), state

    _, path = jax.lax.scan(advance, start, None, length=n_steps + 2)
    still, visible = jnp.zeros_like(start), jnp.asarray(is_visible)

    def at(before: Float[Array, "unit"], now: Float[Array, "unit"], after: Float[Array, "unit"]) -> dict[str, Array]:
        before_slope, now_slope = slope_of(params, before), slope_of(params, now)
        prediction = transition(params, before, still, rate_fn, Hyper(step))
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
    """Return norms of the energy gradient at a state before and after one gradient step on the weights.

    Returns:
        Log ratios after to before: of the clamped units after a step down J_x, and after Eq 1 read literally, whose
        state change is 0; of the hidden units after a step down J_h with the target frozen, and down the true gradient;
        then the weight change of the literal rule in clamped rows.
    """
    rate_fn = hard_sigmoid()
    visible = jnp.arange(before.shape[0]) < n_visible
    clamped, still = (
        Hyper(step, clamps=(clamp_state(np.asarray(np.arange(before.shape[0]) < n_visible), before),)),
        0 * before,
    )

    def reached(params: Params) -> Float[Array, "unit"]:
        now = transition(params, before, still, rate_fn, clamped)
        return transition(params, now, still, rate_fn, clamped)

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

    Args:
        key: a scalar key.
        centre: where the fixed point of every unit is before learning, between the kinks.
        rate: learning rate.
        n_relaxations: how many.
        n_steps: steps of 0.1 time constants in each.

    Returns:
        Before each relaxation, the mean speed at 32 fixed random starts, in activity per time constant; the time until
        the distance to where the relaxation ends has come down to 5 %, in time constants; and whether all was finite.
    """
    network_key, start_key, test_key = jax.random.split(key, 3)
    weights, bias = centred_network(network_key, centre, 8)
    tests = jax.random.uniform(test_key, (32, 8), float, -0.5, 0.5)
    kernel = leaky_integrator(hard_sigmoid(), "none")

    def relax_once(weights: Float[Array, "post pre"], key: Key[Array, ""]):
        params = Params(weights, bias)
        speed = jnp.mean(
            jax.vmap(lambda state: jnp.linalg.norm(target_of(params, state, hard_sigmoid()) - state))(tests)
        )
        start = jax.random.uniform(key, (8,), float, -0.5, 0.5)
        run = simulate(
            key, params, None, Hyper(0.1), kernel=kernel, state=start, n_steps=n_steps, trace_every=1,
            rule=differential_rule(), learning_rate=rate,
        )  # fmt: skip
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
    numbers = (config.strength, config.noise_std, config.large_noise_std)
    steps = np.array(config.steps)
    n_times = round(config.late / config.steps[0])
    paths, updates, noisy, drift, (params, far) = _networks(
        named_key(key, "noise"), jnp.asarray(steps, float), *(jnp.asarray(number, float) for number in numbers),
        n_visible=config.n_visible, n_hidden=config.n_hidden, n_times=n_times, n_draws=config.n_draws,
        keys=member_keys(named_key(key, "networks"), config.n_networks),
    )  # fmt: skip
    smooth = smoothed_hard_sigmoid(config.large_noise_std)
    shift = jax.vmap(lambda params, state: target_of(params, state, smooth))(params, far) - drift[2]

    progress(0.4, "learning over repeated relaxations")
    rates = jnp.asarray([config.learning_rate, 0.0, -config.learning_rate], float)
    learn = partial(learning_relaxations, n_relaxations=config.n_relaxations, n_steps=config.n_relaxation_steps)
    over_rates = jax.vmap(learn, (None, None, 0))
    over_all = jax.vmap(jax.vmap(over_rates, (None, 0, None)), (0, None, None))
    learners = member_keys(named_key(key, "learners"), config.n_learners)
    speed, time, is_finite = (
        np.asarray(part) for part in over_all(learners, jnp.asarray(list(CENTRES.values()), float), rates)
    )
    progress(1.0, "done")
    along = ("network", "step", "time")
    updates, noisy = np.asarray(updates, np.float64), np.asarray(noisy, np.float64)
    squared, plain = {"units": "activity^2"}, {"units": "activity"}
    units = {"total": squared, "hidden": squared, "visible": squared}
    log_ratio = {"long_name": "log ratio of the gradient's norm, after to before a weight update"}
    cells = ("learner", "centre", "rate")
    return xr.Dataset(
        {
            **{name: (along, np.asarray(values, np.float64), units.get(name, plain)) for name, values in paths.items()},
            "clamped_update": ("network", updates[:, 0], log_ratio),
            "literal_update": ("network", updates[:, 1], log_ratio),
            "free_update": ("network", updates[:, 2], log_ratio),
            "true_update": ("network", updates[:, 3], log_ratio),
            "literal_change": ("network", updates[:, 4]),
            "noisy_mean": ("noisy", noisy[:, 0], squared),
            "noisy_error": ("noisy", noisy[:, 1], squared),
            "noise_free": ("noisy", noisy[:, 2], squared),
            "decay_term": ("noisy", noisy[:, 3], squared),
            "drift": (("noisy", "unit"), np.asarray(drift[0], np.float64), plain),
            "drift_error": (("noisy", "unit"), np.asarray(drift[1], np.float64), plain),
            "smoothed_drift": (("noisy", "unit"), np.asarray(shift, np.float64), plain),
            "speed": ((*cells, "relaxation"), np.asarray(speed, np.float64), {"units": "activity/tau"}),
            "convergence_time": ((*cells, "relaxation"), np.asarray(time, np.float64), {"units": "tau"}),
            "is_finite": (cells, is_finite, {"required": "learning networks with finite states and weights"}),
        },
        coords={
            "network": ("network", np.arange(config.n_networks)),
            "step": ("step", steps, {"long_name": "step over time constant"}),
            "time": ("time", np.arange(1, n_times + 1), {"units": "steps"}),
            "noisy": ("noisy", np.arange(noisy.shape[0])),
            "unit": ("unit", np.arange(config.n_visible + config.n_hidden)),
            "learner": ("learner", np.arange(config.n_learners)),
            "centre": ("centre", list(CENTRES)),
            "rate": ("rate", np.array([config.learning_rate, 0.0, -config.learning_rate])),
            "relaxation": ("relaxation", np.arange(config.n_relaxations)),
        },
    )


def late_ratios(data: xr.Dataset, config: HiddenObjectiveConfig) -> xr.Dataset:
    """Return, when the hidden units have nearly settled, J_h and the change over two steps relative to index t - 1.

    Args:
        data: of the study.
        config: its settings.

    Returns:
        `index`: J_h over half the squared step times gradient; `two_steps` and `one_step`: norms of changes over the
        step times gradient; each `[network, step]`.
    """
    found: list[xr.Dataset] = []
    for step in config.steps:
        cell = data.sel(step=step).sel(time=max(1, min(round(config.late / step), data.sizes["time"])))
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


def judge(data: xr.Dataset, config: HiddenObjectiveConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""

    def mean(values: xr.DataArray) -> tuple[float, tuple[float, float]]:
        value, error = (float(part) for part in over_trials(values.values))
        return value, (value - 1.96 * error, value + 1.96 * error)

    def largest(values: xr.DataArray) -> float:
        return float(np.abs(values).max())

    # While the gradient is large beside its rounding.
    early = data.where(data.time * data.step <= 0.5 * config.late)
    half = 0.5 * data.step**2
    late = late_ratios(data, config)
    small, large = late.isel(step=0), late.isel(step=-1)
    least = min(
        (mean(late.two_steps.isel(step=index)) for index in range(late.sizes["step"])), key=lambda pair: pair[0]
    )
    exact_visible = np.abs(data.visible - half * data.visible_gradient**2) / data.visible.max("time")
    doubled = np.abs(data.visible - 2 * half * data.visible_gradient**2) / data.visible.max("time")

    def rise(rate: float, centres: Sequence[str]) -> tuple[float, tuple[float, float]]:
        speed = data.speed.sel(rate=rate)
        by_centre = np.log(speed.isel(relaxation=-1) / speed.isel(relaxation=0))
        each = [mean(by_centre.sel(centre=centre)) for centre in centres]
        # The centre that follows the sign least decides.
        return min(each, key=lambda pair: pair[0] * np.sign(rate))

    every, apart = list(CENTRES), [centre for centre in CENTRES if centre != "centre"]

    def times(rate: float) -> str:
        value = data.convergence_time.sel(rate=rate).mean("learner")
        first, last = (value.isel(relaxation=part).mean("relaxation") for part in (slice(5), slice(-5, None)))
        pairs = (
            f"{centre} {float(a):.2f} to {float(b):.2f}" for centre, a, b in zip(CENTRES, first, last, strict=True)
        )
        return "Time to 5 %, in tau: " + ", ".join(pairs) + "."

    up, down = config.learning_rate, -config.learning_rate
    return {
        "E19.split": Measurement(
            largest((early.hidden + early.visible) / early.total - 1), control=largest(early.hidden / early.total - 1),
            note="Control: J_h alone, as if clamped units predicted themselves.",
        ),
        "E20.drift": Measurement(
            float((np.abs(data.drift - data.smoothed_drift) / data.drift_error.where(data.drift_error > 0)).max()),
            control=float((np.abs(data.drift) / data.drift_error.where(data.drift_error > 0)).max()),
            note=f"Noise {config.large_noise_std:g}; largest mean {largest(data.drift):.3f} times the step. "
            "Control: mean 0.",
        ),
        "E21.clamped": Measurement(
            largest(data.off_clamped), control=float((data.step * data.visible_gradient).max()),
            note="Control: the state change of a clamped unit, 0, in place of x - f_x.",
        ),
        "E22.exact": Measurement(
            float(exact_visible.max()), control=float(doubled.max()), note="Control: twice the printed factor."
        ),
        "E22.weight_decay": Measurement(
            float((np.abs(data.noisy_mean - data.noise_free - data.decay_term) / data.noisy_error).max()),
            control=float((np.abs(data.noisy_mean - data.noise_free) / data.noisy_error).max()),
            note=f"First network: {float(data.noisy_mean[0]):.6f} against {float(data.noise_free[0]):.6f} + "
            f"{float(data.decay_term[0]):.6f}. Control: without the term.",
        ),
        "6.2.exact_index": Measurement(
            largest(early.hidden / (half * early.gradient_now**2) - 1),
            control=largest(early.hidden / (half * early.gradient_before**2) - 1),
            note="Over the first half of the relaxation. Control: index t - 1.",
        ),
        "6.2.scores": Measurement(
            largest(data.off_scores), control=float((data.step * data.gradient_now).max()), note="Control: one score."
        ),
        "6.2.late_index": Measurement(
            *mean(small["index"]), control=mean(large["index"])[0],
            note=f"At step {config.steps[0]:g}. Control: step {config.steps[-1]:g}.",
        ),
        "6.2.two_steps": Measurement(
            *least, control=float(late.one_step.mean("network").max()),
            note="Means over networks: " + ", ".join(
                f"{float(late.two_steps.isel(step=index).mean()):.3f} at step {step:g}"
                for index, step in enumerate(config.steps)
            ) + ". Control: the change over one step.",
        ),
        "E21.clamped_descends": Measurement(
            *mean(data.clamped_update), control=mean(data.literal_update)[0],
            note=f"Falls in {float((data.clamped_update < 0).mean()):.0%} of networks. Control: Eq 1 read literally; "
            f"its largest weight change is {largest(data.literal_change):g}.",
        ),
        "6.2.free_ascends": Measurement(
            *mean(data.free_update), control=mean(data.true_update)[0],
            note=f"Rises in {float((data.free_update > 0).mean()):.0%} of networks. Control: the true gradient of J_h.",
        ),
        "T12.faster": Measurement(
            *rise(up, every), control=rise(down, every)[0], note=f"{times(up)} Control: the opposite sign.",
        ),
        "T12.slower": Measurement(
            *rise(down, apart), control=rise(up, apart)[0],
            note=f"{times(down)} At the centre {rise(down, ['centre'])[0]:+.4f}. Control: the paper's sign.",
        ),
    }  # fmt: skip


STUDY = Study(
    name="hidden_objective",
    title="Clamped units descend, free units ascend",
    figure="Section 6, Eq 19 to 22",
    source="Bengio et al. 2015, sections 6, 6.1 and 6.2",
    caption="The objective splits into clamped and hidden units, and either part is half the squared energy gradient. "
    "A step on it with the target frozen lowers the gradient of clamped units, and raises that of hidden ones: J_h "
    "speeds the network up, which need not make it converge sooner.",
    config=HiddenObjectiveConfig(),
    smoke=HiddenObjectiveConfig(
        n_networks=8, n_draws=2000, n_learners=2, n_relaxations=5, n_relaxation_steps=50, late=2.0
    ),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)
