"""Section 8, inputs and outputs: inputs clamped, outputs pulled, and which gradient the weight changes follow.

First arrivals: the outputs' input is replaced, and Eq 1 in the step of first arrival is compared with back-propagation
through the chain output, hidden layers, input. Second phase to its end: Eq 1 summed over it and equilibrium propagation
are compared with the gradient of the settled outputs' squared error, by implicit differentiation of the equilibrium.
"""

import itertools
from collections.abc import Callable
from functools import partial
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
from stdpjax.lab import Claim, Estimate, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.learning import Labelled, Phases, all_to_all_mask, layer_slices, layered_mask, phase_update, settle
from stdpjax.networks import network_at_rest, untie
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, either, hard_sigmoid, sigmoid
from stdpjax.rules import rate_update
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, merged, required, stacked
from stdpjax.studies.section_8_backprop.supervised_gradient_figure import plot
from stdpjax.theory.layered import chain_gradient, displacements, one_minus_cosine, weight_errors

RATES = {"hard": hard_sigmoid(), "smooth": sigmoid()}
# What is run, for pulls and for pushes; the other rules are made of these.
_RUN = ("one_sided", "paper_midpoint", "paper")
RULES = (*_RUN, "symmetric", "random_sign", "paper_two_sided")
NETWORKS = ("layered", "all to all", "untied")


@configuration
class SupervisedGradientConfig:
    """Settings of the two-phase study; times in steps."""

    sizes: tuple[int, ...] = setting((6, 8, 8, 4), "units in each layer, inputs first and outputs last")
    n_networks: int = setting(8, "random networks of each kind", at_least=2)
    n_samples: int = setting(4, "labelled samples for each network")
    largest: float = setting(
        0.6, "largest eigenvalue of the coupling rho' W rho' (hard sigmoid: of R')", above=0, below=1
    )
    spread: float = setting(0.2, "activities without a sample lie between plus and minus this", above=0, below=0.5)
    input_spread: float = setting(0.2, "inputs differ from those by up to this", above=0)
    pulls: tuple[float, ...] = setting(
        (0.02, 0.04, 0.08, 0.16), "strengths of the pull", above=0, below=1, increasing=True
    )
    n_steps: int = setting(100, "steps of each phase, long enough to settle")
    lengths: tuple[int, ...] = setting((1, 2, 3, 20), "lengths of a second phase that is cut short", increasing=True)
    step: float = setting(0.5, "step size dt/tau of the phases", **STEP)
    arrival_step: float = setting(0.01, "step size dt/tau at which first arrivals are compared", **STEP)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        layer_slices(self.sizes)
        if len(self.sizes) < 3:
            raise ValueError(f"sizes: expected at least three layers, got {self.sizes!r}")
        _checks.number("input_spread", self.input_spread, at_most=0.5 - self.spread)


_TIED = ["layered", "all to all"]


def _errors(data: xr.Dataset, rule: str, rate: str = "hard", kind: list[str] = _TIED) -> xr.DataArray:
    return data.error.sel(rule=rule, rate=rate, kind=kind)


def _exponent(errors: xr.DataArray) -> Estimate:
    """Return the exponent of errors in the pull, mean over networks, all kinds of these averaged."""
    logarithms = np.log(errors.mean("kind").transpose("pull", "network").values)
    return mean_interval(np.polyfit(np.log(errors.pull.values), logarithms, 1)[0])


def _two_sided_note(data: xr.Dataset) -> str:
    error = float(_errors(data, "paper_two_sided").isel(pull=0).max())
    return f"With hard rates Eq 1, pull and push, has an error of {error:.2g}."


_LIKE = "The proposed neural dynamics and weight updates will behave approximately like back-propagation."

_section_8_eq_1 = partial(Claim, statement="Section 8, Eq 1", bearing="limits")

CLAIMS = (
    _section_8_eq_1(
        "S8.supervised_arrival",
        "Largest relative error of Eq 1 at first arrival against -(step^(k+1) / 2) dC/dW, C = |Y - y|^2 (hard rates).",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: data.first_error.sel(feedback="tied").max(),
        control=lambda data: data.first_error.sel(feedback="untied").max(),
        control_is="untied weights",
    ),
    _section_8_eq_1(
        "S8.contrast",
        "Largest relative difference of Eq 1 (midpoint), summed over the pulled phase, from the contrast of rates.",
        criterion=at_most(1e-3, double=1e-10),
        measure=lambda data: data.midpoint_difference.sel(kind=_TIED).max(),
        control=lambda data: data.current_difference.sel(kind=_TIED).max(),
        control_is="the presynaptic rate of the step's start (pairing current)",
    ),
    _section_8_eq_1(
        "S8.one_sided",
        "Exponent in the pull of the relative error of Eq 1 (midpoint) against the gradient of the settled loss.",
        criterion=within(1.0, 0.15),
        measure=lambda data: _exponent(_errors(data, "paper_midpoint")),
        control=lambda data: _exponent(_errors(data, "paper_midpoint", kind=["untied"])).value,
        control_is="untied weights",
    ),
    Claim(
        "S8.symmetric",
        "Exponent in the pull of the relative error of the contrast of a pull and a push.",
        statement="Section 8",
        criterion=within(2.0, 0.15),
        measure=lambda data: _exponent(_errors(data, "symmetric")),
        control=lambda data: _exponent(_errors(data, "paper_midpoint")).value,
        control_is="Eq 1, pulled alone",
        bearing="supports",
    ),
    Claim(
        "S8.gradient",
        "Largest relative error of pull and push against the gradient of the settled loss, at the weakest pull.",
        statement="Section 8",
        criterion=at_most(0.01),
        measure=lambda data: _errors(data, "symmetric").isel(pull=0).max(),
        control=lambda data: _errors(data, "symmetric", kind=["untied"]).isel(pull=0).min(),
        control_is="untied weights",
        bearing="limits",
        note=lambda data: f"Relative error with the wrong sign: {float(data.flipped.min()):.3g}.",
    ),
    _section_8_eq_1(
        "S8.smooth",
        "The same for smooth rates, layered and all to all.",
        criterion=at_most(0.01),
        measure=lambda data: _errors(data, "symmetric", "smooth").isel(pull=0).max(),
        control=lambda data: _errors(data, "paper_two_sided", "smooth").isel(pull=0).min(),
        control_is="Eq 1 (midpoint) with smooth rates, pull and push",
        note=_two_sided_note,
    ),
    _section_8_eq_1(
        "S8.length",
        "Relative error of Eq 1 after the longest of the cut second phases, mean over networks.",
        criterion=at_most(0.1),
        measure=lambda data: mean_interval(data.error_by_length.isel(length=-1).values),
        control=lambda data: data.error_by_length.isel(length=0).mean(),
        control_is="after the shortest of them",
        note=lambda data: f"After {int(data.length[-1])} steps of {float(data.step):g}.",
    ),
)


def run(key: Key[Array, ""], config: SupervisedGradientConfig, progress: Progress) -> xr.Dataset:
    """Compare first arrivals with back-propagation, and the second phase with the gradient of the settled loss."""
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    progress(0.0, "first arrivals")
    arrival = jax.jit(jax.vmap(lambda one: _first_arrival(one, config)))(keys)
    path = layer_slices(config.sizes)[::-1]
    first_error = weight_errors(
        np.asarray(arrival["update"], np.float64), np.asarray(arrival["by_weight"]), path, config.arrival_step
    )
    progress(0.4, "two phases")
    is_smooth = jnp.array([False, True])
    phases = jax.jit(jax.vmap(lambda flag: jax.vmap(lambda one: _two_phases(one, flag, config))(keys)))(is_smooth)
    found = {part: np.asarray(array) for part, array in phases.items()}
    updates, relative = _all_rules(key, found["updates"]), "|update - gradient| / |gradient|"
    return merged(
        labelled(("network", "feedback", "arrival"), first_error=(first_error, "relative error")),
        _errors_of(updates, found["gradient"], relative),
        _by_block(updates[0, :, 0], found["short"][0], found["gradient"][0, :, 0], config),
        labelled(
            ("network", "length"),
            error_by_length=(_relative(found["short"][0], found["gradient"][0, :, 0, None]), relative),
        ),
        labelled((), "tau", step=(config.step, "step size of the phases")),
        required(
            ("rate", "network", "kind"), "networks that settle inside the active region", is_settled=found["is_settled"]
        ),
        rate=list(RATES),
        kind=list(NETWORKS),
        feedback=["tied", "untied"],
        rule=list(RULES),
        pull=("pull", np.array(config.pulls), {"long_name": "strength of the pull"}),
        length=("length", np.array(config.lengths), {"units": "steps"}),
    )


def _errors_of(updates: np.ndarray, gradients: np.ndarray, relative: str) -> xr.Dataset:
    """How far updates are from the gradient, and those of rules from each other.

    Axes rate, network, kind, rule, pull, post, pre; the gradients lack rule and pull.
    """
    one_sided, midpoint, current, symmetric = (
        updates[0, :, :, RULES.index(rule)] for rule in ("one_sided", "paper_midpoint", "paper", "symmetric")
    )
    error = _relative(updates, gradients[:, :, :, None, None])
    return merged(
        labelled(("rate", "network", "kind", "rule", "pull"), error=(error, relative)),
        labelled(("network", "kind"), flipped=(_relative(-symmetric[:, :, 0], gradients[0]), relative)),
        labelled(
            ("network", "kind", "pull"),
            midpoint_difference=_relative(midpoint, one_sided),
            current_difference=_relative(current, one_sided),
        ),
    )


def _by_block(
    updates: np.ndarray, short: np.ndarray, gradient: np.ndarray, config: SupervisedGradientConfig
) -> xr.Dataset:
    """The same between each pair of layers, for a layered network and hard rates; and all weights of the first one.

    Axes network, rule, pull, post, pre; network, length, post, pre; and network, post, pre.
    """
    blocks = [(above, below) for below, above in itertools.pairwise(layer_slices(config.sizes))]

    def of_blocks(function: Callable[[np.ndarray, np.ndarray], np.ndarray], found: np.ndarray) -> np.ndarray:
        return np.stack([function(found[(..., *b)], gradient[(slice(None), None, *b)]) for b in blocks], -1)

    def flat(matrix: np.ndarray) -> np.ndarray:
        return np.concatenate([matrix[block].ravel() for block in blocks])

    by_rule, by_length = ("network", "rule", "pair"), ("network", "length", "pair")
    chosen, strongest = updates[:, :, len(config.pulls) // 2], updates[0, :, -1]
    words = "updates of the first network at the strongest pull"
    return merged(
        labelled(by_length, cosine_by_length=of_blocks(_cosines, short)),
        labelled(
            by_rule,
            pair_cosine=of_blocks(_cosines, chosen),
            pair_ratio=(of_blocks(lambda a, b: _norm(a) / _norm(b), chosen), "|update| / |gradient|"),
        ),
        labelled("parameter", gradient_values=flat(gradient[0])),
        labelled(("rule", "parameter"), update_values=(np.stack([flat(one) for one in strongest]), words)),
    )


def _all_rules(key: Key[Array, ""], signed: np.ndarray) -> np.ndarray:
    """Updates `[rate, network, kind, rule, pull, ...]` by all rules, from those for pulls followed by pushes."""
    pull, push = np.split(signed, 2, axis=4)
    pulled, pushed = (one[:, :, :, RULES.index("one_sided")] for one in (pull, push))
    is_pull = np.asarray(jax.random.bernoulli(named_key(key, "signs"), 0.5, (*pulled.shape[:4], 1, 1)))
    two_sided = 0.5 * (pull + push)[:, :, :, RULES.index("paper_midpoint")]
    made = [0.5 * (pulled + pushed), np.where(is_pull, pulled, pushed), two_sided]
    return np.concatenate([pull, np.stack(made, axis=3)], axis=3)


def _norm(matrices: Any) -> np.ndarray:
    return np.linalg.norm(np.asarray(matrices, np.float64), axis=(-2, -1))


def _relative(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return _norm(np.asarray(found, np.float64) - expected) / _norm(expected)


def _cosines(found: np.ndarray, expected: np.ndarray) -> np.ndarray:
    return 1 - one_minus_cosine(*(array.reshape(*array.shape[:-2], -1) for array in (found, expected)))


def _networks(
    key: Key[Array, ""],
    state: Float[Array, "unit"],
    masks: Bool[Array, "network unit unit"],
    rate_fn: RateFunction,
    largest: float,
) -> list[Params]:
    """A network with each of the masks, all at rest in the same state."""
    keys = member_keys(key, masks.shape[0])
    stacked = jax.vmap(lambda one, mask: network_at_rest(one, state, mask, rate_fn, largest))(keys, masks)
    return [jax.tree.map(lambda array, index=index: array[index], stacked) for index in range(masks.shape[0])]


def _first_arrival(key: Key[Array, ""], config: SupervisedGradientConfig) -> dict[str, Array]:
    """Eq 1 in the first steps after the outputs' input is replaced, and the gradient, with tied and untied weights."""
    rate_fn, n_units, path = RATES["hard"], sum(config.sizes), layer_slices(config.sizes)[::-1]
    state = 0.2 * jax.random.uniform(named_key(key, "state"), (n_units,), float, -1, 1)
    goal = state + 0.15 * jax.random.uniform(named_key(key, "goal"), (n_units,), float, -1, 1)
    index = jnp.arange(n_units)
    pull = InputClamp(index >= n_units - config.sizes[-1], goal)
    inputs = StateClamp(index < config.sizes[0], state)
    masks = jnp.stack(2 * [layered_mask(config.sizes)])
    tied, other = _networks(named_key(key, "weights"), state, masks, rate_fn, 0.8)

    def follow(params: Params) -> dict[str, Array]:
        moved = displacements(params, state, rate_fn, pull, config.arrival_step, len(path) - 1, (inputs,))
        start = jnp.concatenate([jnp.zeros_like(moved[:1]), moved[:-1]])
        return {
            "by_weight": chain_gradient(params, state, rate_fn, path, goal)[0],
            "update": rate_update(start, moved, rate_fn.value(state[None] + start)),
        }

    return jax.vmap(follow)(stacked(tied, untie(tied, other, state, rate_fn)))


def _two_phases(key: Key[Array, ""], is_smooth: Bool[Array, ""], config: SupervisedGradientConfig) -> dict[str, Array]:
    """Updates of the rules at all pulls and lengths, and minus the gradient of the settled loss, for each network."""
    # Without its kinks the hard sigmoid relaxes in the gradient form, the same as the clip form where all are active.
    rate_fn = either(is_smooth, *RATES.values())
    sizes, n_units = config.sizes, sum(config.sizes)
    state = config.spread * jax.random.uniform(named_key(key, "state"), (n_units,), float, -1, 1)
    moved = jax.random.uniform(named_key(key, "inputs"), (config.n_samples, sizes[0]), float, -1, 1)
    labels = jax.random.randint(named_key(key, "labels"), (config.n_samples,), 0, sizes[-1])
    inputs = state[None, : sizes[0]] + config.input_spread * moved
    batch = Labelled(inputs, labels)
    layered, other, connected = _networks(
        named_key(key, "weights"),
        state,
        jnp.stack([*2 * [layered_mask(sizes)], all_to_all_mask(n_units)]),
        rate_fn,
        config.largest,
    )
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

    def cut_short(params: Params) -> Float[Array, "length post pre"]:
        lengths = [Phases("paper_midpoint", config.n_steps, n, config.step, config.pulls[0]) for n in config.lengths]
        updates = [phase_update(rate_fn, phases, sizes[-1])(key, params, batch, ())[0].weights for phases in lengths]
        return jnp.stack(updates)

    result = jax.vmap(one_network)(networks)
    return {**result, "short": cut_short(jax.tree.map(lambda array: array[0], networks))}


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
    source="Bengio et al. 2015, section 8; Scellier and Bengio 2017",
    caption="Inputs are clamped, the network settles, and the outputs are pulled towards their labels. Eq 1 at first "
    "arrival makes the weight changes of back-propagation; summed over the whole second phase it is the one-sided "
    "contrast of two equilibria, whose error against the gradient of the settled loss is proportional to the pull. "
    "Pulling and pushing leaves an error of second order. All of it needs tied weights, and Eq 1 hard rates.",
    config=SupervisedGradientConfig(),
    smoke=dict(n_networks=2, n_samples=2, pulls=(0.04, 0.16), lengths=(1, 3)),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
