"""Whose gradient the rule is: J_STDP with its three gradient targets, and in continuous time (Eq 3, 5, 9 to 11)."""

from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax.energy import Params, energy, target
from stdpjax.lab import Progress, Study, at_least, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.networks import random_networks, random_states
from stdpjax.objectives import GradientTarget, prediction_error, stdp_objective
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import cosine, labelled, limits, merged, off_diagonal, order, refutes, relative_difference
from stdpjax.studies.section_3_rule.rule_is_semigradient_figure import plot
from stdpjax.studies.section_3_rule.steps_along_rule import eq_1, error_changes, rate_less_activity, two_steps

TARGETS: tuple[str, ...] = (*get_args(GradientTarget), "outside")
"""What the gradient of J_STDP holds fixed; "outside": nothing, but the next state comes from outside the network."""


@configuration
class RuleIsSemigradientConfig:
    """Settings of the gradient study; activities in units of the width of the active region."""

    n_networks: int = setting(64, "random networks, tied, each at one random state", at_least=2)
    n_units: int = setting(6, "units of each network", at_least=3)
    weight_scale: float = setting(0.3, "standard deviation of the weights, times the root of n_units", above=0)
    noise_std: float = setting(0.01, "standard deviation of the noise eta on the activity", at_least=0)
    steps: tuple[float, ...] = setting((0.001, 0.002, 0.01, 0.02, 0.1, 0.2), "step sizes", **STEP, increasing=True)
    exact_step: float = setting(0.1, "step size at which gradients are compared with their formulas", **STEP)
    finite_step: float = setting(0.02, "step size at which directions are compared, one of steps", **STEP)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.finite_step not in self.steps:
            raise ValueError(f"finite_step: expected one of steps, got {self.finite_step:g}")


def _cosine(data: xr.Dataset, held: str) -> xr.DataArray:
    return data.cosine.sel(step=data.finite_step, target=held)


def _relative_size(data: xr.Dataset, rows: xr.DataArray) -> float:
    """Return the size of the semi-gradient relative to step times Eq 1 on the weights of some rows."""
    whole = float(np.abs(data.plain_rule.where(rows, 0)).sum())
    return float(np.abs(data.semigradient.where(rows, 0)).sum()) / whole if whole else float("nan")


CLAIMS = (
    limits(
        "sec1.predict",
        "Relative change of the squared error with which a network predicts its next state from the one it has "
        "reached, after a step of rate 1 along Eq 1 (mean).",
        criterion=at_least(0.0),
        measure=lambda data: mean_interval(data.own_change),
        control=lambda data: data.outside_change.mean(),
        control_is="a next state that comes from outside, as for clamped units",
        note=lambda data: f"With the next state as it would have been: {float(data.held_change.mean()):+.3f}.",
    ),
    limits(
        "sec2.1.objective",
        "Networks of sigmoid units with saturated ones: cosine of the descent of J_STDP, the next state held fixed, "
        "with d rho(s_i)/dt rho(s_j), less that with Eq 1 (mean).",
        criterion=at_least(0.1),
        measure=lambda data: mean_interval(data.rate_less_activity),
        control=lambda data: data.rate_less_activity_active.mean(),
        control_is="the same networks with all units between the thresholds of the hard sigmoid",
    ),
    limits(
        "eq3.free",
        "Cosine of Eq 1 with minus the true gradient of J_STDP, nothing held fixed (mean).",
        criterion=at_most(-0.99),
        measure=lambda data: mean_interval(_cosine(data, "free")),
        control=lambda data: _cosine(data, "outside").mean(),
        control_is="a next state that comes from outside, as for clamped units, with nothing held fixed either",
        note=lambda data: f"At step {float(data.finite_step):g}.",
    ),
    limits(
        "eq3.stop",
        "Cosine of Eq 1 with minus the gradient of J_STDP, the next state s_{t+1} held fixed (mean).",
        criterion=at_least(0.99),
        measure=lambda data: mean_interval(_cosine(data, "stop")),
        control=lambda data: _cosine(data, "predictor_stop").mean(),
        control_is="the prediction s_t held fixed, and the next state not",
        note=lambda data: f"At step {float(data.finite_step):g}.",
    ),
    limits(
        "eq5.formula",
        "Largest relative difference of the semi-gradient from step rho'(s~_i) rho(s~_j) (s_{t+1,i} - s_{t,i}), states "
        "s~ of step t-1 with noise, units in saturation included.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.formula_difference.max(),
        control=lambda data: data.printed_difference.max(),
        control_is="step times Eq 5 as printed: no rho', and rates of states without noise",
    ),
    limits(
        "sec4.2.pairs",
        "Cosine of Eq 1 for one direction of each pair with minus the gradient by one weight of both, the next state "
        "held fixed (mean).",
        criterion=at_most(0.9),
        measure=lambda data: mean_interval(data.pair_cosine.sel(step=data.finite_step)),
        control=lambda data: data.both_cosine.sel(step=data.finite_step).mean(),
        control_is="the sum of Eq 1 for both directions",
        note=lambda data: f"At step {float(data.finite_step):g}.",
    ),
    limits(
        "eq5.saturation",
        "Size of the semi-gradient relative to step times Eq 1, on the weights into saturated units.",
        criterion=at_most(0.0),
        measure=lambda data: _relative_size(data, data.is_saturated),
        control=lambda data: _relative_size(data, ~data.is_saturated),
        control_is="weights into active units",
    ),
    limits(
        "eq9.order",
        "Order in the step with which J_STDP / step^2, without noise, approaches |R(s) - s|^2 / 2 (slope on "
        "logarithmic axes, mean).",
        criterion=within(1.0, 0.1),
        measure=lambda data: mean_interval(order(data.speed_difference)),
        control=lambda data: order(data.noisy_speed_difference).mean(),
        control_is="J_STDP with noise, ten times that of the study",
        note=lambda data: f"At step {float(data.step[0]):g} at most {float(data.speed_difference[0].max()):.2g} off.",
    ),
    limits(
        "eq10.bias",
        "Largest relative difference of minus the energy's gradient from rho'(s) (b + W rho(s)) - s.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.bias_difference.max(),
        control=lambda data: data.no_bias_difference.max(),
        control_is="as printed, without bias",
    ),
    limits(
        "eq11.factor",
        "Largest relative difference of the gradient of |s_dot|^2 / 2 from s_dot_i rho'(s_i) rho(s_j).",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.factor_difference.max(),
        control=lambda data: data.printed_factor_difference.max(),
        control_is="as printed, with a factor 2",
    ),
    refutes(
        "eq11.sign",
        "Share of networks in which a small step along Eq 1 raises |s_dot|^2 / 2 at the same state.",
        criterion=at_least(1.0),
        measure=lambda data: (data.rise > 0).mean(),
        control=lambda data: (data.hebb_rise > 0).mean(),
        control_is="as long a step along s_i rho(s_j): any growth of weights might raise the speed",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
)


def run(key: Key[Array, ""], config: RuleIsSemigradientConfig, progress: Progress) -> xr.Dataset:
    """Differentiate J_STDP in many random networks, and move their weights along Eq 1."""
    progress(0.0, "gradients of random networks")
    n_networks, n_units = config.n_networks, config.n_units
    params, steps = random_networks(key, n_networks, n_units, config.weight_scale), jnp.asarray(config.steps, float)
    active = random_states(named_key(key, "active"), n_networks, n_units, reach=0.4)
    # Every other unit anywhere, so that some units are in saturation and never all.
    everywhere = random_states(named_key(key, "anywhere"), n_networks, n_units, reach=1.0)
    anywhere = jnp.where(jnp.arange(n_units)[None, :] % 2 == 0, active, everywhere)
    outside = jnp.roll(active, 1, axis=0)  # a next state that does not depend on the weights
    noise, later = (
        config.noise_std * jax.random.normal(named_key(key, name), (n_networks, 2, n_units), float)
        for name in ("noise", "later noise")
    )

    @jax.jit
    def everything():
        networks, each, later_too = (0, 0, 0, None), (0, 0, 0, 0, None), (0, 0, 0, 0, 0, None)
        by_step = jax.vmap(jax.vmap(directions, each), (*[None] * 4, 0))(params, active, noise, outside, steps)
        exact = jax.vmap(formulas, networks)(params, anywhere, noise, config.exact_step)
        exact |= jax.vmap(error_changes, later_too)(params, active, noise, later, outside, config.finite_step)
        for name, states in (("rate_less_activity", everywhere), ("rate_less_activity_active", active)):
            exact[name] = jax.vmap(rate_less_activity, networks)(params, states, noise, config.finite_step)
        return by_step, exact | jax.vmap(rises, (0, 0, None))(params, active, config.finite_step)

    dims = ("step", "network", "target"), ("network", "post", "pre")
    return merged(
        *(
            labelled(of[: values.ndim], "1", **{name: (values, name.replace("_", " "))})
            for of, columns in zip(dims, everything(), strict=True)
            for name, values in columns.items()
        ),
        step=("step", np.asarray(config.steps), {"units": "1", "long_name": "dt / tau"}),
        finite_step=((), config.finite_step, {"units": "1"}),
        target=list(TARGETS),
    )


def directions(
    params: Params,
    state: Float[Array, "unit"],
    noise: Float[Array, "two unit"],
    outside: Float[Array, "unit"],
    step: Array,
) -> dict[str, Array]:
    """Return the cosines of Eq 1 with the gradients, and how far J_STDP is from the squared speed."""
    rho = hard_sigmoid()
    current, reached = two_steps(params, state, noise, rho, step)
    speed = half_squared_speed(params, state)

    def downhill(held: GradientTarget) -> Float[Array, "post pre"]:
        return off_diagonal(-jax.grad(stdp_objective)(params, state, noise, rho, step, held).weights)

    def off_speed(noise: Float[Array, "two unit"]) -> Float[Array, ""]:
        return jnp.abs(stdp_objective(params, state, noise, rho, step) / step**2 / speed - 1)

    rates = rho.value(state)
    own, descent = eq_1(reached - current, rates), {held: downhill(held) for held in get_args(GradientTarget)}
    from_outside = off_diagonal(-jax.grad(prediction_error)(params, state, noise[0], outside, rho, step).weights)
    given = eq_1(outside - current, rates)
    of_both = jnp.triu(descent["stop"] + descent["stop"].T)
    return {
        "cosine": jnp.stack([*(cosine(own, one) for one in descent.values()), cosine(given, from_outside)]),
        "pair_cosine": cosine(jnp.triu(own), of_both),
        "both_cosine": cosine(jnp.triu(own + own.T), of_both),
        "speed_difference": off_speed(jnp.zeros_like(noise)),
        "noisy_speed_difference": off_speed(10 * noise),
    }


def formulas(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "two unit"], step: float | Array
) -> dict[str, Array]:
    """Return gradients by automatic differentiation and their formulas, for Eq 5, 10 and 11."""
    rho = hard_sigmoid()
    current, reached = two_steps(params, state, noise, rho, step)
    noisy, change = state + noise[0], reached - current
    semigradient = off_diagonal(-jax.grad(stdp_objective)(params, state, noise, rho, step).weights)
    formula = step * eq_1(rho.slope(noisy) * change, rho.value(noisy))
    plain = step * eq_1(change, rho.value(state))
    speed = target(params, state, rho) - state
    speed_gradient = off_diagonal(jax.grad(half_squared_speed)(params, state).weights)
    speed_formula = eq_1(speed * rho.slope(state), rho.value(state))
    downhill = -jax.grad(energy, argnums=1)(params, state, rho)
    return {
        "semigradient": semigradient,
        "plain_rule": plain,
        "is_saturated": rho.slope(noisy) == 0,
        "formula_difference": relative_difference(semigradient, formula),
        "printed_difference": relative_difference(semigradient, plain),
        "speed_gradient": speed_gradient,
        "speed_formula": speed_formula,
        "factor_difference": relative_difference(speed_gradient, speed_formula),
        "printed_factor_difference": relative_difference(speed_gradient, 2 * speed_formula),
        "bias_difference": relative_difference(speed, downhill),
        "no_bias_difference": relative_difference(speed - rho.slope(state) * params.bias, downhill),
    }


def rises(params: Params, state: Float[Array, "unit"], step: float | Array) -> dict[str, Float[Array, ""]]:
    """Return the relative rise of half the squared speed by a tenth of step times Eq 1, and as much of s_i rho(s_j)."""
    rates = hard_sigmoid().value(state)
    rule = 0.1 * step * eq_1(target(params, state, hard_sigmoid()) - state, rates)
    hebb = eq_1(state, rates)
    before = half_squared_speed(params, state)

    def rise(by: Float[Array, "post pre"]) -> Float[Array, ""]:
        return half_squared_speed(params._replace(weights=params.weights + by), state) / before - 1

    return {"rise": rise(rule), "hebb_rise": rise(hebb * jnp.linalg.norm(rule) / jnp.linalg.norm(hebb))}


def half_squared_speed(params: Params, state: Float[Array, "unit"]) -> Float[Array, ""]:
    """Return |s_dot|^2 / 2 with s_dot = R(s) - s, Eq 9."""
    return 0.5 * jnp.sum((target(params, state, hard_sigmoid()) - state) ** 2)


STUDY = Study(
    name="rule_is_semigradient",
    title="The rule is a semi-gradient",
    figure="Equations 3, 5 and 9 to 11",
    source="Bengio et al. 2015, sections 3.1, 3.2 and 3.4",
    caption="The paper calls Eq 1 gradient descent on J_STDP. It is, only while the target, the next state, is held "
    "fixed; the true gradient points the other way (left). The semi-gradient has a factor rho', which is zero in "
    "saturation, where Eq 1 is not (middle). The gradient of half the squared speed has no factor 2 (right).",
    config=RuleIsSemigradientConfig(),
    smoke=dict(n_networks=8),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
