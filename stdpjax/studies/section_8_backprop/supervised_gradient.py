"""Section 8, inputs and outputs: inputs clamped, outputs pulled, and which gradient the weight changes follow.

First arrivals: the outputs' input is replaced, and Eq 1 in the step of first arrival is compared with back-propagation
through the chain output, hidden layers, input. Second phase to its end: Eq 1 summed over it and equilibrium propagation
are compared with the gradient of the settled outputs' squared error, by implicit differentiation of the equilibrium.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key

from stdpjax import _checks
from stdpjax.clamps import InputClamp, StateClamp
from stdpjax.energy import Params
from stdpjax.fixed_points import relax
from stdpjax.lab import Estimate, Progress, Study, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.learning import Labelled, Phases, all_to_all_mask, layer_slices, layered_mask, phase_update, settle
from stdpjax.networks import untie
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, either
from stdpjax.rules import rate_update
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import beyond, labelled, merged, on_host, order, required, stacked, supports
from stdpjax.studies.section_8_backprop.layered_networks import RATES, networks_with
from stdpjax.studies.section_8_backprop.supervised_gradient_figure import plot
from stdpjax.theory.layered import chain_gradient, displacements, weight_errors

# What is run, for pulls and for pushes: the contrast of two equilibria and Eq 1; the rules are made of these.
_RUN = ("one_sided", "paper_midpoint")
RULES = ("paper_midpoint", "symmetric", "paper_two_sided")
_TIED = ["layered", "all to all"]
NETWORKS = (*_TIED, "untied")


@configuration
class SupervisedGradientConfig:
    """Settings of the two-phase study; times in steps."""

    sizes: tuple[int, ...] = setting((6, 8, 8, 4), "units in each layer, inputs first and outputs last")
    n_networks: int = setting(8, "random networks of each kind", at_least=2)
    n_samples: int = setting(4, "labelled samples for each network")
    largest: float = setting(0.6, "largest eigenvalue of rho' W rho' (hard sigmoid: of R')", above=0, below=1)
    spread: float = setting(0.2, "activities without a sample lie between plus and minus this", above=0, below=0.5)
    input_spread: float = setting(0.2, "inputs differ from those by up to this", above=0)
    pulls: tuple[float, ...] = setting((0.02, 0.04, 0.08, 0.16), "strengths of pull", above=0, below=1, increasing=True)
    n_steps: int = setting(100, "steps of each phase, long enough to settle")
    step: float = setting(0.5, "step size dt/tau of the phases", **STEP)
    arrival_step: float = setting(0.01, "step size dt/tau at which first arrivals are compared", **STEP)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        layer_slices(self.sizes)
        if len(self.sizes) < 3:
            raise ValueError(f"sizes: expected at least three layers, got {self.sizes!r}")
        _checks.number("input_spread", self.input_spread, at_most=0.5 - self.spread)


def _errors(data: xr.Dataset, rule: str, rate: str = "hard", kind: list[str] = _TIED) -> xr.DataArray:
    return data.error.sel(rule=rule, rate=rate, kind=kind)


def _exponent(errors: xr.DataArray) -> Estimate:
    """Return the exponent of errors in the pull, mean over networks, all kinds of these averaged."""
    return mean_interval(order(errors.mean("kind"), "pull"))


CLAIMS = (
    supports(
        "sec8.supervised",
        "Largest relative error of Eq 1 at first arrival against -(step^(k+1) / 2) dC/dW, C = |Y - y|^2 (hard rates).",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: data.first_error.sel(gradient="back-propagation").max(),
        control=lambda data: data.first_error.sel(gradient="settled outputs").max(),
        control_is="the gradient of the outputs' error where the network would settle, feedback counted in",
    ),
    beyond(
        "scellier2017.one_sided",
        "Exponent in the pull of the relative error of Eq 1 (midpoint) against the gradient of the settled loss.",
        statement="Scellier & Bengio 2017",
        criterion=within(1.0, 0.15),
        measure=lambda data: _exponent(_errors(data, "paper_midpoint")),
        control=lambda data: _exponent(_errors(data, "paper_midpoint", "smooth")).value,
        control_is="smooth rates, whose slope Eq 1 lacks",
        note=lambda data: f"Untied weights: {_exponent(_errors(data, 'paper_midpoint', kind=['untied'])).value:.2g}.",
    ),
    beyond(
        "laborieux2021.symmetric",
        "Exponent in the pull of the relative error of the contrast of a pull and a push.",
        statement="Laborieux et al. 2021",
        criterion=within(2.0, 0.15),
        measure=lambda data: _exponent(_errors(data, "symmetric")),
        control=lambda data: _exponent(_errors(data, "paper_midpoint")).value,
        control_is="Eq 1, pulled alone",
        note=lambda data: f"Largest error, weakest pull: {float(_errors(data, 'symmetric').isel(pull=0).max()):.2g}.",
    ),
)


def run(key: Key[Array, ""], config: SupervisedGradientConfig, progress: Progress) -> xr.Dataset:
    """Compare first arrivals with back-propagation, and the second phase with the gradient of the settled loss."""
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    progress(0.0, "first arrivals")
    arrival = jax.jit(jax.vmap(lambda one: _first_arrival(one, config)))(keys)
    path = layer_slices(config.sizes)[::-1]
    update, by_weight = np.asarray(arrival["update"], np.float64)[:, None], np.asarray(arrival["by_weight"])
    first_error = weight_errors(update, by_weight, path, config.arrival_step)
    progress(0.4, "two phases")
    is_smooth = jnp.array([False, True])
    phases = jax.jit(jax.vmap(lambda flag: jax.vmap(lambda one: _two_phases(one, flag, config))(keys)))(is_smooth)
    updates = on_host(_all_rules(np.asarray(phases["updates"])))
    gradients = on_host(phases["gradient"])[:, :, :, None, None]
    error = np.linalg.norm(updates - gradients, axis=(-2, -1)) / np.linalg.norm(gradients, axis=(-2, -1))
    return merged(
        labelled(("network", "gradient", "arrival"), first_error=(first_error, "relative error")),
        labelled(("rate", "network", "kind", "rule", "pull"), error=(error, "|update - gradient| / |gradient|")),
        required(
            ("rate", "network", "kind"), "networks that settle between the kinks", is_settled=phases["is_settled"]
        ),
        rate=list(RATES),
        kind=list(NETWORKS),
        gradient=["back-propagation", "settled outputs"],
        rule=list(RULES),
        pull=("pull", np.array(config.pulls), {"long_name": "strength of the pull"}),
    )


def _all_rules(signed: np.ndarray) -> np.ndarray:
    """Updates `[rate, network, kind, rule, pull, ...]` by all rules, from what is run for pulls and then for pushes."""
    pull, push = np.split(signed, 2, axis=4)
    return np.concatenate([pull[:, :, :, 1:], 0.5 * (pull + push)], axis=3)


def _first_arrival(key: Key[Array, ""], config: SupervisedGradientConfig) -> dict[str, Array]:
    """Eq 1 in the first steps after the outputs' input is replaced, and the gradients it is compared with."""
    rate_fn, n_units, path = RATES["hard"], sum(config.sizes), layer_slices(config.sizes)[::-1]
    state = 0.2 * jax.random.uniform(named_key(key, "state"), (n_units,), float, -1, 1)
    goal = state + 0.15 * jax.random.uniform(named_key(key, "goal"), (n_units,), float, -1, 1)
    index = jnp.arange(n_units)
    pull = InputClamp(index >= n_units - config.sizes[-1], goal)
    inputs = StateClamp(index < config.sizes[0], state)
    (params,) = networks_with(named_key(key, "weights"), state, layered_mask(config.sizes)[None], rate_fn, 0.8)
    moved = displacements(params, state, rate_fn, pull, config.arrival_step, len(path) - 1, (inputs,))
    start = jnp.concatenate([jnp.zeros_like(moved[:1]), moved[:-1]])
    gradients = chain_gradient(params, state, rate_fn, path, goal)[0], linear_gradient(params, state, inputs.mask, pull)
    return {
        "by_weight": jnp.stack(gradients),
        "update": rate_update(start, moved, rate_fn.value(state[None] + start)),
    }


def linear_gradient(
    params: Params, state: Float[Array, "unit"], is_held: Bool[Array, "unit"], pull: InputClamp
) -> Float[Array, "unit unit"]:
    """Return the gradient of the pulled units' squared error at a fixed point between the kinks, one weight a pair."""
    among_free = jnp.where(is_held[:, None] | is_held[None], 0, params.weights)
    error = jnp.where(pull.mask, 2 * (state - pull.value), 0)
    slope = jnp.linalg.solve(jnp.eye(error.size, dtype=error.dtype) - among_free.T, error)
    by_direction = slope[:, None] * (state[None] + 0.5)
    return by_direction + by_direction.T


def _two_phases(key: Key[Array, ""], is_smooth: Bool[Array, ""], config: SupervisedGradientConfig) -> dict[str, Array]:
    """What is run at all pulls and pushes, and minus the gradient of the settled loss, for each network."""
    # Without its kinks the hard sigmoid relaxes in the gradient form, the same as the clip form where all are active.
    rate_fn = either(is_smooth, *RATES.values())
    sizes, n_units = config.sizes, sum(config.sizes)
    state = config.spread * jax.random.uniform(named_key(key, "state"), (n_units,), float, -1, 1)
    moved = jax.random.uniform(named_key(key, "inputs"), (config.n_samples, sizes[0]), float, -1, 1)
    labels = jax.random.randint(named_key(key, "labels"), (config.n_samples,), 0, sizes[-1])
    inputs = state[None, : sizes[0]] + config.input_spread * moved
    batch = Labelled(inputs, labels)
    masks = jnp.stack([*2 * [layered_mask(sizes)], all_to_all_mask(n_units)])
    layered, other, connected = networks_with(named_key(key, "weights"), state, masks, rate_fn, config.largest)
    networks = stacked(layered, connected, untie(layered, other, state, rate_fn))
    pulls = jnp.array([*config.pulls, *(-pull for pull in config.pulls)], float)

    def one_network(params: Params) -> dict[str, Array]:
        def update(rule: Any, pull: float | Array, n_pulled: int) -> Float[Array, "post pre"]:
            phases = Phases(rule, config.n_steps, n_pulled, config.step, pull)
            return phase_update(rate_fn, phases, sizes[-1])(key, params, batch, ())[0].weights

        settled = settle(params, inputs, rate_fn, Phases(n_settle=config.n_steps, step=config.step))
        return {
            "updates": jax.vmap(lambda pull: jnp.stack([update(rule, pull, config.n_steps) for rule in _RUN]))(
                pulls
            ).swapaxes(0, 1),
            "gradient": settled_update(params, batch, rate_fn, sizes[-1]),
            "is_settled": jnp.all(jnp.abs(settled) < 0.5),
        }

    return jax.vmap(one_network)(networks)


def settled_update(params: Params, batch: Labelled, rate_fn: RateFunction, n_outputs: int) -> Float[Array, "unit unit"]:
    """Return minus the gradient of the settled outputs' squared error / 2, for one weight a pair.

    The derivative of the equilibrium is that of the implicit function theorem, see `stdpjax.fixed_points.relax`.
    """
    inputs, labels = batch
    n_inputs, n_units = inputs.shape[1], params.bias.shape[0]
    low, high = rate_fn.kinks or (-0.5, 0.5)
    goals = low + (high - low) * jax.nn.one_hot(labels, n_outputs, dtype=inputs.dtype)
    tolerance = 20 * float(jnp.finfo(inputs.dtype).eps)

    def outputs(weights: Float[Array, "unit unit"], values: Float[Array, "input"]) -> Float[Array, "output"]:
        held = jnp.concatenate([values, jnp.zeros(n_units - n_inputs, values.dtype)])
        clamp = StateClamp(jnp.arange(n_units) < n_inputs, held)
        network = Params(weights, params.bias)
        found = relax(network, held, rate_fn, clamps=(clamp,), step=0.5, tolerance=tolerance, max_steps=1000)
        return found.state[n_units - n_outputs :]

    def loss(weights: Float[Array, "unit unit"]) -> Float[Array, ""]:
        settled = jax.vmap(outputs, (None, 0))(weights, inputs)
        return 0.5 * jnp.mean(jnp.sum((settled - goals) ** 2, axis=1))

    slope = jax.grad(loss)(params.weights)
    both = -(slope + slope.T)
    return both - jnp.diag(jnp.diagonal(both))


STUDY = Study(
    name="supervised_gradient",
    title="Inputs, outputs and the gradient",
    figure="Section 8, inputs and outputs",
    source="Bengio et al. 2015, section 8; Laborieux et al. 2021",
    caption="Inputs are clamped, the network settles, and the outputs are pulled towards their labels. Eq 1 at first "
    "arrival makes the weight changes of back-propagation; summed over the second phase its error against the "
    "gradient of the settled loss is proportional to the pull. Pulling and pushing leaves an error of second order. "
    "Both need tied weights, and Eq 1 hard rates.",
    config=SupervisedGradientConfig(),
    smoke=dict(n_networks=2, n_samples=2, pulls=(0.04, 0.16)),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
