"""Whose gradient the rule is: J_STDP with its three gradient targets, and in continuous time (Eq 3, 5, 9 to 11)."""

from functools import partial
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key

from stdpjax.dynamics import transition
from stdpjax.energy import Params, energy, target
from stdpjax.lab import Claim, Estimate, at_least, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import random_networks, random_states
from stdpjax.objectives import GradientTarget, stdp_objective
from stdpjax.random import named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import cosine, off_diagonal, relative_difference
from stdpjax.studies.section_3_rule.rule_is_semigradient_figure import plot

TARGETS: tuple[GradientTarget, ...] = get_args(GradientTarget)
# Of how far a step along Eq 1 goes, in units of Eq 1's update; the smallest ones decide.
RATES = np.linspace(-1, 1, 21)


@configuration
class RuleIsSemigradientConfig:
    """Settings of the gradient study; activities in units of the width of the active region."""

    n_networks: int = setting(64, "random networks, tied, each at one random state", at_least=2)
    n_units: int = setting(6, "units of each network", at_least=3)
    weight_scale: float = setting(
        0.3, "standard deviation of the weights times the root of the number of units", above=0
    )
    noise_std: float = setting(0.01, "standard deviation of the noise eta on the activity", at_least=0)
    steps: tuple[float, ...] = setting(
        (0.2, 0.1, 0.02, 0.01, 0.002, 0.001), "step sizes epsilon at which directions are compared, decreasing", **STEP
    )
    exact_step: float = setting(0.1, "step size at which gradients are compared with their formulas", **STEP)
    finite_step: float = setting(0.02, "step size at which weights are moved along Eq 1", **STEP)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if len(self.steps) < 2 or list(self.steps) != sorted(set(self.steps), reverse=True):
            raise ValueError(f"steps: expected two or more step sizes, decreasing, got {self.steps}")


def _near(data: xr.Dataset, name: str, step: float) -> xr.DataArray:
    return data[name].sel(step=step, method="nearest")


def _cosine(data: xr.Dataset, held: GradientTarget) -> xr.DataArray:
    return _near(data, "cosine", 0.02).sel(target=held)


def _over_steps(data: xr.Dataset, held: GradientTarget) -> str:
    means = data.cosine.sel(target=held).mean("network")
    by_step = ", ".join(f"{float(step):g}: {float(means.sel(step=step)):+.4f}" for step in data.step)
    return f"{data.sizes['network']} networks. At steps {by_step}."


def _ahead(data: xr.Dataset) -> xr.Dataset:
    """Return the losses after the smallest step along Eq 1."""
    return data.isel(rate=int(np.argmax(data.rate.values > 1e-9)))


def _back(data: xr.Dataset) -> xr.Dataset:
    """Return the losses after the smallest step against Eq 1."""
    return data.isel(rate=int(np.argmax(data.rate.values > -1e-9)) - 1)


def _share_opposed(moved: xr.Dataset) -> xr.DataArray:
    return ((moved.fixed_target_loss < 0) & (moved.actual_loss > 0)).mean()


def _relative_size(data: xr.Dataset, rows: xr.DataArray) -> float:
    """Return the size of the semi-gradient relative to step times Eq 1 on the weights of some rows."""
    whole = float(np.abs(data.plain_rule.where(rows, 0)).sum())
    return float(np.abs(data.semigradient.where(rows, 0)).sum()) / whole if whole else float("nan")


def _order(difference: xr.DataArray) -> Estimate:
    """Return the slope over steps on logarithmic axes, mean over networks."""
    logs = np.log(difference.transpose("step", "network").values.astype(np.float64))
    return mean_interval(np.polyfit(np.log(difference.step.values), logs, 1)[0])


_SGD = "Eq 1 performs stochastic gradient descent on J_STDP."


_eq_3 = partial(Claim, statement="Eq 3", bearing="refutes")
_eq_5 = partial(
    Claim,
    statement="Eq 5",
    bearing="limits",
)
_eq_5_and_16 = partial(
    Claim,
    statement="Eq 5 and 16",
    bearing="refutes",
)

CLAIMS = (
    Claim(
        "E3.value",
        "Largest relative difference of J_STDP from step^2 |s_dot|^2 / 2, with s_dot = R(s_t + eta_t) - s_t.",
        statement="Eq 3 and 9",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: data.value_difference.max(),
        control=lambda data: data.value_difference_earlier.max(),
        control_is="one step earlier",
        bearing="supports",
    ),
    Claim(
        "E3.stop",
        "Cosine of Eq 1 with minus the gradient of J_STDP, the target s_{t+1} held fixed, at step 0.02 (mean).",
        statement="Eq 3",
        criterion=at_least(0.99),
        measure=lambda data: mean_interval(_cosine(data, "stop")),
        control=lambda data: _cosine(data, "free").mean(),
        control_is="nothing held fixed",
        bearing="limits",
        note=lambda data: _over_steps(data, "stop"),
    ),
    Claim(
        "E3.predictor_frozen",
        "Cosine of Eq 1 with minus the gradient of J_STDP, the prediction held fixed, at step 0.02 (mean).",
        statement="Eq 3 and 9",
        criterion=at_most(-0.99),
        measure=lambda data: mean_interval(_cosine(data, "predictor_stop")),
        control=lambda data: _cosine(data, "stop").mean(),
        control_is="target held fixed",
        bearing="refutes",
        note=lambda data: _over_steps(data, "predictor_stop"),
    ),
    _eq_3(
        "E3.free",
        "Cosine of Eq 1 with minus the true gradient of J_STDP, nothing held fixed, at step 0.02 (mean).",
        criterion=at_most(-0.99),
        measure=lambda data: mean_interval(_cosine(data, "free")),
        control=lambda data: _cosine(data, "stop").mean(),
        control_is="target held fixed",
        note=lambda data: _over_steps(data, "free"),
    ),
    _eq_3(
        "E3.finite_step",
        "Share of networks in which a step along Eq 1 lowers J with a fixed target and raises the actual J.",
        criterion=at_least(1.0),
        measure=lambda data: _share_opposed(_ahead(data)),
        control=lambda data: _share_opposed(_back(data)),
        control_is="a step back",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    _eq_3(
        "E3.mirror",
        "Rise of the actual J over fall of J with a fixed target, for a small step along Eq 1 (mean).",
        criterion=within(1.0, 0.1),
        measure=lambda data: mean_interval(-_ahead(data).actual_loss / _ahead(data).fixed_target_loss),
        control=lambda data: (-_ahead(data).fixed_target_loss / _ahead(data).fixed_target_loss).mean(),
        control_is="the loss with a fixed target in both places",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    _eq_5(
        "E5.formula",
        "Largest relative difference of the semi-gradient from its formula, units in saturation included.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.formula_difference.max(),
        control=lambda data: data.printed_difference.max(),
        control_is="step times Eq 1, without rho' and with rates of states without noise",
    ),
    _eq_5(
        "E5.saturation",
        "Size of the semi-gradient relative to step times Eq 1, on the weights into saturated units.",
        criterion=at_most(0.0),
        measure=lambda data: _relative_size(data, data.is_saturated.astype(bool)),
        control=lambda data: _relative_size(data, ~data.is_saturated.astype(bool)),
        control_is="weights into active units",
    ),
    _eq_5_and_16(
        "E5.tied",
        "Largest relative difference of the semi-gradient for tied weights from the sum of two terms.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.two_term_difference.max(),
        control=lambda data: data.single_term_difference.max(),
        control_is="one term",
    ),
    _eq_5_and_16(
        "E5.contrastive",
        "Cosine of the tied update with the change of r_i r_j at step 0.01 (mean).",
        criterion=at_least(0.99),
        measure=lambda data: mean_interval(_near(data, "tied_cosine", 0.01)),
        control=lambda data: _near(data, "one_term_cosine", 0.01).mean(),
        control_is="one term",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
    Claim(
        "E5.contrastive_order",
        "Power of the step with which the tied update approaches the change of r_i r_j (slope on log axes).",
        statement="Eq 5 and 16",
        criterion=within(1.0, 0.1),
        measure=lambda data: _order(data.tied_difference),
        control=lambda data: _order(data.one_term_difference).value,
        control_is="one term, which approaches nothing",
        bearing="supports",
    ),
    Claim(
        "E10.bias",
        "Largest relative difference of minus the energy's gradient from rho'(s) (b + W rho(s)) - s.",
        statement="Eq 10",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.bias_difference.max(),
        control=lambda data: data.no_bias_difference.max(),
        control_is="as printed, without bias",
        bearing="refutes",
    ),
    Claim(
        "E11.factor",
        "Largest relative difference of the gradient of |s_dot|^2 / 2 from s_dot_i rho'(s_i) rho(s_j).",
        statement="Eq 9 and 11",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.factor_difference.max(),
        control=lambda data: data.printed_factor_difference.max(),
        control_is="as printed",
        bearing="refutes",
    ),
    Claim(
        "E11.sign",
        "Share of networks in which a step along Eq 1 raises |s_dot|^2 / 2 at the same state.",
        statement="Eq 9 to 11",
        criterion=at_least(1.0),
        measure=lambda data: (_ahead(data).squared_speed > 0).mean(),
        control=lambda data: (_back(data).squared_speed > 0).mean(),
        control_is="a step back, the descent that Eq 11 asks for",
        bearing="refutes",
        note=lambda data: f"{data.sizes['network']} networks.",
    ),
)


def run(key: Key[Array, ""], config: RuleIsSemigradientConfig, progress: Progress) -> xr.Dataset:
    """Differentiate J_STDP in many random networks, and move their weights along Eq 1."""
    progress(0.0, "gradients of random networks")
    n_networks, n_units = config.n_networks, config.n_units
    params = random_networks(key, n_networks, n_units, config.weight_scale)
    active = random_states(named_key(key, "active"), n_networks, n_units, reach=0.4)
    # Every other unit anywhere, so that some units are in saturation and never all.
    anywhere = random_states(named_key(key, "anywhere"), n_networks, n_units, reach=1.0)
    anywhere = jnp.where(jnp.arange(n_units)[None, :] % 2 == 0, active, anywhere)
    noise = config.noise_std * jax.random.normal(named_key(key, "noise"), (n_networks, 2, n_units), float)
    steps = jnp.asarray(config.steps, float)
    networks = (0, 0, 0, None)

    @jax.jit
    def everything():
        over_steps = jax.vmap(jax.vmap(directions, networks), (None, None, None, 0))
        by_step = over_steps(params, active, noise, steps)
        exact = jax.vmap(formulas, networks)(params, anywhere, noise, config.exact_step)
        moved = jax.vmap(losses_along_the_rule, networks)(params, active, noise, config.finite_step)
        return by_step, exact, moved

    by_step, exact, moved = everything()
    dims = {1: ("network",), 2: ("network", "post"), 3: ("network", "post", "pre")}
    data = {name: (("step", *dims[value.ndim - 1]), np.asarray(value)) for name, value in by_step.items()}
    data["cosine"] = (("step", "network", "target"), np.asarray(by_step["cosine"]))
    data |= {name: (dims[value.ndim], np.asarray(value)) for name, value in exact.items()}
    data |= {name: (("network", "rate"), np.asarray(value)) for name, value in moved.items()}
    dataset = xr.Dataset(
        data,
        coords={
            "step": ("step", np.asarray(config.steps), {"units": "1", "long_name": "dt / tau"}),
            "rate": ("rate", RATES, {"units": "1", "long_name": "length of the move in updates of Eq 1"}),
            "target": list(TARGETS),
        },
    )
    for name, variable in dataset.data_vars.items():
        variable.attrs = {"units": "1", "long_name": str(name).replace("_", " ")}
    return dataset


def directions(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "two unit"], step: float | Array
) -> dict[str, Array]:
    """Return the cosines of Eq 1 with the three gradients, and how the tied update compares with d(r_i r_j)."""
    rho = hard_sigmoid()
    current, reached = two_steps(params, state, noise, step)
    rule = off_diagonal((reached - current)[:, None] * rho.value(state)[None, :])
    rate, next_rate = rho.value(current), rho.value(reached)
    product_change = off_diagonal(next_rate[:, None] * next_rate[None, :] - rate[:, None] * rate[None, :])

    def uphill(held: GradientTarget) -> Float[Array, "post pre"]:
        return off_diagonal(jax.grad(stdp_objective)(params, state, noise, rho, step, held).weights)

    return {
        "cosine": jnp.stack([cosine(rule, -uphill(held)) for held in TARGETS]),
        "objective": stdp_objective(params, state, noise, rho, step),
        "objective_of_speed": 0.5 * step**2 * jnp.sum((target(params, current + noise[1], rho) - current) ** 2),
        "tied_cosine": cosine(rule + rule.T, product_change),
        "one_term_cosine": cosine(rule, product_change),
        "tied_difference": relative_difference(rule + rule.T, product_change),
        "one_term_difference": relative_difference(rule, product_change),
    }


def formulas(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "two unit"], step: float | Array
) -> dict[str, Array]:
    """Return gradients by automatic differentiation and their formulas, for Eq 3, 5, 10 and 11."""
    rho = hard_sigmoid()
    current, reached = two_steps(params, state, noise, step)
    noisy = state + noise[0]
    change, pre_rate = reached - current, rho.value(noisy)
    semigradient = off_diagonal(-jax.grad(stdp_objective)(params, state, noise, rho, step).weights)
    formula = step * off_diagonal((rho.slope(noisy) * change)[:, None] * pre_rate[None, :])
    plain = step * off_diagonal(change[:, None] * rho.value(state)[None, :])

    def of_pairs(upper: Float[Array, "unit unit"]) -> Float[Array, ""]:
        pairs = jnp.triu(upper, 1)
        return stdp_objective(params._replace(weights=pairs + pairs.T), state, noise, rho, step)

    tied = -jax.grad(of_pairs)(params.weights)
    speed = target(params, state, rho) - state
    speed_gradient = off_diagonal(jax.grad(half_squared_speed)(params, state).weights)
    speed_formula = off_diagonal((speed * rho.slope(state))[:, None] * rho.value(state)[None, :])
    downhill = -jax.grad(energy, argnums=1)(params, state, rho)
    next_speed = target(params, current + noise[1], rho) - current
    objective = stdp_objective(params, state, noise, rho, step)

    def value_difference(speed: Float[Array, "unit"]) -> Float[Array, ""]:
        return jnp.abs(objective / (0.5 * step**2 * jnp.sum(speed**2)) - 1)

    return {
        "value_difference": value_difference(next_speed),
        "value_difference_earlier": value_difference(target(params, noisy, rho) - state),
        "semigradient": semigradient,
        "plain_rule": plain,
        "is_saturated": rho.slope(noisy) == 0,
        "formula_difference": relative_difference(semigradient, formula),
        "printed_difference": relative_difference(semigradient, plain),
        "two_term_difference": relative_difference(tied, jnp.triu(formula + formula.T)),
        "single_term_difference": relative_difference(tied, jnp.triu(formula)),
        "speed_gradient": speed_gradient,
        "speed_formula": speed_formula,
        "factor_difference": relative_difference(speed_gradient, speed_formula),
        "printed_factor_difference": relative_difference(speed_gradient, 2 * speed_formula),
        "bias_difference": relative_difference(speed, downhill),
        "no_bias_difference": relative_difference(speed - rho.slope(state) * params.bias, downhill),
    }


def losses_along_the_rule(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "two unit"], step: float | Array
) -> dict[str, Float[Array, "rate"]]:
    """Return the relative change of three losses when the weights move along Eq 1 by `RATES` times its update."""
    rho = hard_sigmoid()
    current, reached = two_steps(params, state, noise, step)
    rule = off_diagonal((reached - current)[:, None] * rho.value(state)[None, :])
    # At one and the same state, Eq 1 with the change that this state is about to make.
    own_rule = step * off_diagonal((target(params, state, rho) - state)[:, None] * rho.value(state)[None, :])

    def moved(by: Float[Array, "post pre"], rate: Float[Array, ""]) -> Params:
        return params._replace(weights=params.weights + rate * by)

    def fixed_target(rate: Float[Array, ""]) -> Float[Array, ""]:
        return 0.5 * jnp.sum((two_steps(moved(rule, rate), state, noise, step)[0] - reached) ** 2)

    def actual(rate: Float[Array, ""]) -> Float[Array, ""]:
        return stdp_objective(moved(rule, rate), state, noise, rho, step)

    def squared_speed(rate: Float[Array, ""]) -> Float[Array, ""]:
        return half_squared_speed(moved(own_rule, rate), state)

    def relative(loss) -> Float[Array, "rate"]:
        return jax.vmap(loss)(jnp.asarray(RATES, float)) / loss(jnp.zeros(())) - 1

    return {
        "fixed_target_loss": relative(fixed_target),
        "actual_loss": relative(actual),
        "squared_speed": relative(squared_speed),
    }


def two_steps(
    params: Params, state: Float[Array, "unit"], noise: Float[Array, "two unit"], step: float | Array
) -> tuple[Float[Array, "unit"], Float[Array, "unit"]]:
    """Return s_t and s_{t+1} from s_{t-1}."""
    current = transition(params, state, noise[0], hard_sigmoid(), step)
    return current, transition(params, current, noise[1], hard_sigmoid(), step)


def half_squared_speed(params: Params, state: Float[Array, "unit"]) -> Float[Array, ""]:
    """Return |s_dot|^2 / 2 with s_dot = R(s) - s, Eq 9."""
    return 0.5 * jnp.sum((target(params, state, hard_sigmoid()) - state) ** 2)


STUDY = Study(
    name="rule_is_semigradient",
    title="The rule is a semi-gradient",
    figure="Equations 3, 5 and 9 to 11",
    source="Bengio et al. 2015, sections 3.1, 3.2 and 3.4",
    caption="The paper calls Eq 1 gradient descent on J_STDP. It is, only while the target, the next state, is held "
    "fixed (top left); the true gradient points the other way, so that a step along Eq 1 raises J_STDP itself (top "
    "middle). The semi-gradient has a factor rho', which is zero in saturation, where Eq 1 is not (top right). The "
    "value of J_STDP is half the squared speed times step^2 (bottom left), whose gradient has no factor 2 (bottom "
    "right). With tied weights the update has two terms and becomes the change of r_i r_j (bottom middle).",
    config=RuleIsSemigradientConfig(),
    smoke=dict(n_networks=8),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
