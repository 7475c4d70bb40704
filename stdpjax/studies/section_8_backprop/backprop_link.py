"""Section 8: the input of x is replaced by X, and what reaches each layer first is a backpropagated gradient.

Layers x = h_0, h_1, h_2, ... are connected with their neighbours and rest at an equilibrium inside the active region
(the state is drawn, the biases follow). The input of x is replaced by X, and with C = |X - x|^2 the displacement
of h_k at its first arrival, step k+1, is -step^(k+1) / 2 dC/dh_k.

First arrivals are as small as step^5, which single precision does not resolve beside the state. The growth is therefore
that of the displacement itself, see `theory.layered.displacements`; the states are simulated too, for Eq 27, for the
limit and for the unstable networks, which leave the active region.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key

from stdpjax import _checks
from stdpjax.clamps import InputClamp, StateClamp
from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate, transition
from stdpjax.energy import Params, target_of
from stdpjax.lab import Claim, Estimate, at_least, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.learning import layer_slices, layered_mask
from stdpjax.networks import network_at_rest, resting_bias, untie
from stdpjax.random import member_keys, named_key
from stdpjax.rates import either, hard_sigmoid, sigmoid
from stdpjax.rules import rate_update
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, largest, merged, on_host, required, stacked
from stdpjax.studies.section_8_backprop.backprop_link_figure import plot
from stdpjax.theory.layered import binomial_tail, chain_gradient, displacements, erlang, one_minus_cosine, weight_errors

RATES = {"hard": hard_sigmoid(), "smooth": sigmoid()}
# How far apart the curves over time are kept, in steps.
_KEEP = 10
_ANGLE = "1 - cosine with -dC/dh_k"


@configuration
class BackpropLinkConfig:
    """Settings of the study of section 8; times in tau."""

    sizes: tuple[int, ...] = setting((8, 10, 10, 10, 10), "units in each layer, the visible ones first")
    n_networks: int = setting(8, "random networks of each kind", at_least=2)
    steps: tuple[float, ...] = setting(
        (0.0001, 0.0003, 0.001, 0.003, 0.01),
        "step sizes dt/tau at which first arrivals are compared",
        **STEP,
        increasing=True,
    )
    growth_step: float = setting(0.01, "step size of the growth over time", **STEP)
    fine_step: float = setting(0.001, "a smaller step size, close to continuous time", **STEP)
    n_steps: int = setting(1200, "steps of the growth", multiple_of=_KEEP)
    long_step: float = setting(0.05, "step size of the long simulations", **STEP)
    n_long: int = setting(1600, "steps of the long simulations", multiple_of=_KEEP)
    largest: float = setting(
        0.8, "largest eigenvalue of the coupling rho' W rho' (hard sigmoid: of R')", above=0, below=1
    )
    unstable: float = setting(1.27, "the same among the hidden units, in the unstable networks", above=1)
    spread: float = setting(0.2, "equilibrium activities lie between plus and minus this", above=0, below=0.5)
    distance: float = setting(0.15, "X - x lies between plus and minus this", above=0)

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        layer_slices(self.sizes)
        if len(self.sizes) < 3:
            raise ValueError(f"sizes: expected at least three layers, got {self.sizes!r}")
        for name in ("n_steps", "n_long"):
            _checks.count(name, getattr(self, name), minimum=len(self.sizes))
        _checks.number("distance", self.distance, at_most=0.5 - self.spread)


def _largest_mean(values: xr.DataArray, of: str = "max") -> Estimate:
    """Return the mean over networks with the largest (smallest) value."""
    means = mean_interval(values.transpose("network", ...), 0)
    index = np.argmax(means.value) if of == "max" else np.argmin(means.value)
    return Estimate(*(np.ravel(part)[index] for part in means[:3]))


def _hidden(data: xr.Dataset, feedback: str = "tied", rate: str = "hard") -> xr.Dataset:
    """Return what the hidden layers of one kind of network do."""
    return data.sel(layer=slice(1, None), feedback=feedback, rate=rate)


def _smooth_start(data: xr.Dataset) -> xr.Dataset:
    return _hidden(data, rate="smooth").isel(step=0)


def _objective_ratio(data: xr.Dataset) -> xr.DataArray:
    return data.objective / (data.long_step**2 * data.squared_error)


def _exponent_error(values: xr.DataArray) -> float:
    """Return the largest deviation of the exponents from k+1, whichever law they are of."""
    logarithms = values.copy(data=np.log(values.values)).assign_coords(step=np.log(values.step.values))
    fit = logarithms.polyfit("step", 1)
    return largest(fit.polyfit_coefficients.sel(degree=1) - (values.layer + 1))


def _to_corrected_law(hidden: xr.Dataset) -> xr.DataArray:
    return hidden.arrival / hidden.corrected_law


def _to_printed_law(data: xr.Dataset) -> xr.DataArray:
    return _hidden(data).arrival / _hidden(data).printed_law


def _early(data: xr.Dataset) -> xr.Dataset:
    """Return the growth up to one tau."""
    return _hidden(data).sel(theta=slice(0, 1 + 1e-6))


def _from_binomial(data: xr.Dataset) -> xr.DataArray:
    return np.abs(_early(data).growth / _early(data).binomial - 1)


def _from_powers(data: xr.Dataset) -> xr.DataArray:
    early, power = _early(data), data.layer + 1
    return np.abs(early.growth / (early.theta**power / power.copy(data=np.cumprod(power.values, dtype=float))) - 1)


def _from_erlang(data: xr.Dataset, n_fewer: int = 0) -> xr.DataArray:
    """Return how far the growth at one tau is from the Erlang law, that of some events fewer."""
    end = data.sel(theta_fine=1, method="nearest")
    law = end.erlang_fine.shift(layer=n_fewer).sel(layer=slice(1, None))
    return np.abs(_hidden(end).growth_fine / law - 1)


def _turning(data: xr.Dataset, rate: str = "hard") -> xr.DataArray:
    """Return the exponent in time of 1 - cosine, for each network."""
    angle = _hidden(data, rate=rate).angle_fine
    first, last = (angle.sel(theta_fine=time, method="nearest") for time in (0.3, 1.0))
    time_ratio = float(last.theta_fine / first.theta_fine)
    return (np.log(last / first) / np.log(max(time_ratio, 1.01))).mean("layer")


def _unstable_cosines(data: xr.Dataset) -> xr.DataArray:
    return (1 - _hidden(data).long_angle.sel(stability="unstable").isel(long_time=-1)).mean("network")


_CORRECTED = (
    "Delta h_k = -(step^(k+1) / 2) dC/dh_k at first arrival, step k+1: another power, another factor and descent. The "
    "printed law is off by 1/(4 step)."
)

_eq_28_30_and_31 = partial(
    Claim,
    statement="Eq 28, 30 and 31",
    bearing="refutes",
)
_section_8 = partial(
    Claim,
    statement="Section 8",
)

CLAIMS = (
    Claim(
        "E27.trajectory",
        "Largest error of x_t = X - (1-step)^t (X - x_0), over networks and times (states simulated).",
        statement="Eq 27",
        criterion=at_most(1e-5, double=1e-14),
        measure=lambda data: largest(data.trajectory_error),
        control=lambda data: largest(data.state_clamp_error),
        control_is="the state of x clamped, not its input, after one step",
        bearing="supports",
    ),
    Claim(
        "E27.objective",
        "Largest relative error of J = step^2 |X - x|^2 at the first step, over networks.",
        statement="Eq 27",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest(_objective_ratio(data) - 1),
        control=lambda data: largest(0.5 * _objective_ratio(data) - 1),
        control_is="with the 1/2 of Eq 3",
        bearing="supports",
    ),
    Claim(
        "E27.only_x",
        "Largest displacement of any layer h_k before step k+1.",
        statement="Section 8",
        criterion=at_most(0.0),
        measure=lambda data: largest(data.before),
        control=lambda data: largest(_hidden(data).arrival),
        control_is="after step k+1",
        bearing="supports",
        note=lambda data: f"Both rates, tied and untied; X - x is up to {largest(data.squared_error) ** 0.5:.2g} long.",
    ),
    _eq_28_30_and_31(
        "E28.exponents",
        "Largest deviation of the exponent of |Delta h_k|, k = 1, 2, ..., in the step from k+1 (hard rates).",
        criterion=at_most(1e-3),
        measure=lambda data: _exponent_error(_hidden(data).arrival),
        control=lambda data: _exponent_error(_hidden(data).printed_law),
        control_is="the printed law",
    ),
    _eq_28_30_and_31(
        "E28.exponents_smooth",
        "The same for smooth rates (logistic), where the law is that of small steps.",
        criterion=at_most(1e-3),
        measure=lambda data: _exponent_error(_hidden(data, rate="smooth").arrival),
        control=lambda data: _exponent_error(_hidden(data, rate="smooth").printed_law),
        control_is="the printed law",
    ),
    _eq_28_30_and_31(
        "E28.prefactor",
        "Largest deviation of |Delta h_k| / ((step^(k+1) / 2) |dC/dh_k|) from 1, over steps and layers (hard rates).",
        criterion=at_most(1e-5, double=1e-6),
        measure=lambda data: largest(_to_corrected_law(_hidden(data)) - 1),
        control=lambda data: largest(_to_corrected_law(_hidden(data, "untied")) - 1),
        control_is="untied weights",
        note=lambda data: f"Smooth rates, smallest step: {largest(_to_corrected_law(_smooth_start(data)) - 1):.1g}.",
    ),
    _eq_28_30_and_31(
        "E28.printed",
        "Mean over k of |Delta h_k| over the printed 2 step^(k+2) |dC/dh_k|, times 4 step (hard rates).",
        criterion=within(1.0, 1e-5, double=1e-6),
        measure=lambda data: (4 * data.step * _to_printed_law(data)).mean(),
        control=lambda data: _to_printed_law(data).mean(),
        control_is="the bare ratio to the printed law",
    ),
    Claim(
        "T17.direction",
        "Largest 1 - cosine of Delta h_k and -dC/dh_k at first arrival, over steps and layers (hard rates).",
        statement="Eq 30 and 31, section 8",
        criterion=at_most(1e-9, double=1e-12),
        measure=lambda data: largest(_hidden(data).arrival_angle),
        control=lambda data: largest(_hidden(data, "untied").arrival_angle),
        control_is="untied weights",
        bearing="limits",
        note=lambda data: f"Smooth rates, smallest step: {largest(_smooth_start(data).arrival_angle):.1g}.",
    ),
    Claim(
        "T17.weights",
        "Largest relative error of Eq 1, both directions added, against -(step^(k+1) / 2) dC/dW (hard rates).",
        statement="Section 8, Eq 1",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest(_hidden(data).weight_error),
        control=lambda data: largest(_hidden(data, "untied").weight_error),
        control_is="untied weights",
        bearing="limits",
        note=lambda data: f"Smooth rates, without the slope: {largest(_hidden(data, rate='smooth').weight_error):.2g}.",
    ),
    Claim(
        "E29.transposed",
        "Largest asymmetry of the Jacobian of R, relative to its largest element (automatic derivative, both rates).",
        statement="Eq 29",
        criterion=at_most(1e-6, double=1e-14),
        measure=lambda data: data.asymmetry.sel(feedback="tied").max(),
        control=lambda data: data.asymmetry.sel(feedback="untied").max(),
        control_is="untied weights",
        bearing="limits",
    ),
    _section_8(
        "S8.binomial",
        "Largest deviation from 1, up to one tau, of the growth over Pr[Bin(n, step) >= k+1]; mean over networks.",
        criterion=at_most(0.02),
        measure=lambda data: _largest_mean(_from_binomial(data)),
        control=lambda data: _largest_mean(_from_powers(data)).value,
        control_is="(n step)^(k+1) / (k+1)!, the arrivals without the leak",
        bearing="refutes",
        note=lambda data: f"Largest in one network: {largest(_from_binomial(data)):.3g}.",
    ),
    Claim(
        "S8.erlang",
        "Largest deviation from 1, at one tau, of the growth over the Erlang law of k+1 events; mean over networks.",
        statement="Section 8",
        criterion=at_most(0.02),
        measure=lambda data: _largest_mean(_from_erlang(data)),
        control=lambda data: _largest_mean(_from_erlang(data, n_fewer=1)).value,
        control_is="the Erlang law of k events, of mean k",
        bearing="refutes",
        note=lambda data: f"Step {float(data.fine_step):g}.",
    ),
    _section_8(
        "S8.turning",
        "Exponent of 1 - cosine in time, from 0.3 to 1 tau, mean over networks and hidden layers (hard rates).",
        criterion=within(4.0, 0.25),
        measure=lambda data: mean_interval(_turning(data).values),
        control=lambda data: _turning(data, "smooth").mean(),
        control_is="smooth rates",
        bearing="supports",
    ),
    Claim(
        "S8.alignment",
        "Smallest cosine with -dC/dh_k up to 12 tau, over layers; mean over networks (hard rates).",
        statement="Section 8",
        criterion=at_least(0.9),
        measure=lambda data: _largest_mean((1 - _hidden(data).angle).min("theta"), "min"),
        control=lambda data: _unstable_cosines(data).min(),
        control_is="unstable networks at the end of the long simulation",
        bearing="limits",
    ),
    _section_8(
        "S8.limit",
        "Largest relative error of the settled displacement against (1 - R'_hh)^-1 R'_hx (X - x).",
        criterion=at_most(1e-3, double=1e-5),
        measure=lambda data: largest(data.limit_error),
        control=lambda data: data.chain_error.min(),
        control_is="-dC/dh_k / 2, the chain without loops",
        bearing="refutes",
    ),
)


def run(key: Key[Array, ""], config: BackpropLinkConfig, progress: Progress) -> xr.Dataset:
    """Replace the input of x in networks at rest and follow the displacement through the layers."""
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    progress(0.0, "networks at rest")
    is_smooth = jnp.array([False, True])
    setups = jax.jit(jax.vmap(lambda flag: jax.vmap(lambda one: _networks(one, flag, config))(keys)))(is_smooth)
    progress(0.2, "first arrivals and growth")
    both = on_host(jax.jit(jax.vmap(jax.vmap(_growth(config), (None, 0)), (0, 0)))(is_smooth, setups))
    progress(0.6, "long simulations")
    hard = jax.tree.map(lambda array: array[0], setups)
    runs = on_host(jax.jit(jax.vmap(_long_run(config)))(keys, hard))
    n_done = _KEEP * np.arange(1, config.n_steps // _KEEP + 1)
    n_long = _KEEP * np.arange(1, config.n_long // _KEEP + 1)
    return merged(
        _arrivals(both, config),
        _growths(both, n_done, config),
        _long_runs(runs, on_host(hard), both["by_state"][0, :, 0], n_long, config),
        rate=list(RATES),
        feedback=["tied", "untied"],
        stability=["stable", "unstable"],
        layer=np.arange(len(config.sizes)),
        step=("step", np.array(config.steps), {"long_name": "step size dt/tau"}),
        theta=("theta", n_done * config.growth_step, {"units": "tau"}),
        theta_fine=("theta_fine", n_done * config.fine_step, {"units": "tau"}),
        long_time=("long_time", n_long * config.long_step, {"units": "tau"}),
    )


def _sizes_of(vectors: np.ndarray, layers: tuple[slice, ...]) -> np.ndarray:
    return np.stack([np.linalg.norm(vectors[..., layer], axis=-1) for layer in layers], axis=-1)


def _angles(vectors: np.ndarray, others: np.ndarray, layers: tuple[slice, ...]) -> np.ndarray:
    return np.stack([one_minus_cosine(vectors[..., layer], others[..., layer]) for layer in layers], axis=-1)


def _arrivals(both: dict[str, np.ndarray], config: BackpropLinkConfig) -> xr.Dataset:
    """What arrives first in each layer, beside the gradient; arrays by rate, network, feedback, step, time, unit."""
    layers, steps = layer_slices(config.sizes), np.array(config.steps)
    level, power = np.repeat(np.arange(len(layers)), config.sizes), np.arange(len(layers)) + 1
    gradient, first = both["by_state"][:, :, :, None], both["first"]
    arrived = first[..., level, np.arange(level.size)]
    early = np.where(np.arange(len(layers))[:, None] < level, np.abs(first), 0).max(axis=(3, 4))
    before = np.stack([early[..., layer].max(axis=-1) for layer in layers], axis=-1)
    networks = ("rate", "network", "feedback")
    return merged(
        labelled(
            (*networks, "step", "layer"),
            arrival=(_sizes_of(arrived, layers), "|displacement of h_k| after step k+1"),
            corrected_law=0.5 * steps[:, None] ** power * _sizes_of(gradient, layers),
            printed_law=2 * steps[:, None] ** (power + 1) * _sizes_of(gradient, layers),
            arrival_angle=(_angles(arrived, -gradient, layers), _ANGLE),
        ),
        labelled((*networks, "layer"), before=(before, "largest displacement before step k+1")),
        labelled(networks, asymmetry=both["asymmetry"]),
        labelled((*networks, "pair"), weight_error=weight_errors(both["update"], both["by_weight"], layers, steps[-1])),
    )


def _growths(both: dict[str, np.ndarray], n_done: np.ndarray, config: BackpropLinkConfig) -> xr.Dataset:
    """How the displacement of each layer grows and turns, at two step sizes, and the laws of its growth."""
    layers, gradient = layer_slices(config.sizes), both["by_state"][:, :, 0, None]
    coarse, fine = np.moveaxis(both["grown"], 2, 0)
    parts = []
    for suffix, grown, step in (("", coarse, config.growth_step), ("_fine", fine, config.fine_step)):
        size = _sizes_of(grown, layers) / (0.5 * _sizes_of(gradient, layers))
        time = f"theta{suffix}"
        parts += [
            labelled(
                ("rate", "network", time, "layer"),
                **{
                    f"growth{suffix}": (size, "displacement / (1/2 |dC/dh_k|)"),
                    f"angle{suffix}": (_angles(grown, -gradient, layers), _ANGLE),
                },
            ),
            labelled((time, "layer"), **{f"erlang{suffix}": erlang(n_done * step, len(layers))}),
        ]
    return merged(
        *parts,
        labelled(("theta", "layer"), binomial=binomial_tail(n_done, len(layers), config.growth_step)),
        labelled((), "tau", fine_step=(config.fine_step, "step size close to continuous time")),
    )


class _Setup(NamedTuple):
    """A network at rest, in its variants, and what is done to it."""

    state: Float[Array, "unit"]
    pull: InputClamp
    feedback: Params
    """Tied and untied weights, on a leading axis."""
    stability: Params
    """Stable and unstable, on a leading axis; the first is the tied one above."""


def _networks(key: Key[Array, ""], is_smooth: Bool[Array, ""], config: BackpropLinkConfig) -> _Setup:
    # Either kind of rate in one program, as compiling takes longer here than running.
    n_units, rate_fn = sum(config.sizes), either(is_smooth, *RATES.values())
    state, offset = jax.random.uniform(named_key(key, "state"), (2, n_units), float, -1, 1)
    state = config.spread * state
    pull = InputClamp(jnp.arange(n_units) < config.sizes[0], state + config.distance * offset)
    pair = jax.vmap(lambda one: network_at_rest(one, state, layered_mask(config.sizes), rate_fn, config.largest))(
        member_keys(named_key(key, "weights"), 2)
    )
    tied, other = (jax.tree.map(lambda array, index=index: array[index], pair) for index in (0, 1))
    hidden = tied.weights[config.sizes[0] :, config.sizes[0] :]
    # Those of the hidden units decide, as x follows its input. For the hard sigmoid W is R'.
    stronger = config.unstable / jnp.linalg.eigvalsh(hidden)[-1] * tied.weights
    unstable = Params(stronger, resting_bias(stronger, state, rate_fn))
    return _Setup(state, pull, stacked(tied, untie(tied, other, state, rate_fn)), stacked(tied, unstable))


def _growth(config: BackpropLinkConfig) -> Callable[[Bool[Array, ""], _Setup], dict[str, Array]]:
    """First arrivals with tied and untied weights, and the growth over time with tied ones, of one network."""
    layers = layer_slices(config.sizes)
    n_steps = len(config.steps)
    steps = jnp.array([*config.steps, config.growth_step, config.fine_step], float)

    def growth(is_smooth: Bool[Array, ""], setup: _Setup) -> dict[str, Array]:
        state, pull, rate_fn = setup.state, setup.pull, either(is_smooth, *RATES.values())

        def follow(params: Params) -> dict[str, Array]:
            by_weight, by_state = chain_gradient(params, state, rate_fn, layers, pull.value)
            paths = jax.vmap(lambda step: displacements(params, state, rate_fn, pull, step, config.n_steps))(steps)
            start = jnp.concatenate([jnp.zeros_like(state)[None], paths[n_steps - 1, : len(layers) - 1]])
            update = rate_update(start, paths[n_steps - 1, : len(layers)], rate_fn.value(state[None] + start))
            jacobian = jax.jacobian(lambda at: target_of(params, at, rate_fn))(state)
            return {
                "by_weight": by_weight,
                "by_state": by_state,
                "first": paths[:n_steps, : len(layers)],
                "grown": paths[n_steps:, _KEEP - 1 :: _KEEP],
                "update": update,
                "asymmetry": jnp.max(jnp.abs(jacobian - jacobian.T)) / jnp.max(jnp.abs(jacobian)),
            }

        result = jax.vmap(follow)(setup.feedback)
        return {**result, "grown": result["grown"][0]}

    return growth


def _long_run(config: BackpropLinkConfig) -> Callable[[Key[Array, ""], _Setup], dict[str, Array]]:
    """Simulated states of the stable and the unstable network with hard rates, and the first step of the stable one."""
    rate_fn = RATES["hard"]
    kernel, hyper = LeakyIntegrator(rate_fn), StepHyper(config.long_step)

    def long_run(key: Key[Array, ""], setup: _Setup) -> dict[str, Array]:
        state, pull = setup.state, setup.pull

        def trace(params: Params) -> Float[Array, "kept unit"]:
            run = simulate(
                key, params, kernel, hyper, state=state, clamps=(pull,), n_steps=config.n_long, trace_every=_KEEP
            )
            assert run.trace is not None
            return run.trace

        def first(clamp: InputClamp | StateClamp) -> Float[Array, "unit"]:
            return transition(stable, state, jnp.zeros_like(state), rate_fn, config.long_step, (clamp,))

        stable = jax.tree.map(lambda array: array[0], setup.stability)
        return {
            "trace": jax.vmap(trace)(setup.stability),
            "first": first(pull),
            "first_clamped": first(StateClamp(*pull)),
            "target": target_of(stable, state, rate_fn),
        }

    return long_run


def _long_runs(
    runs: dict[str, np.ndarray], setup: _Setup, gradient: np.ndarray, n_done: np.ndarray, config: BackpropLinkConfig
) -> xr.Dataset:
    """What the long simulations say, one number for each network, and how they turn over time."""
    layers = layer_slices(config.sizes)
    visible, hidden = slice(0, config.sizes[0]), slice(config.sizes[0], None)
    state, goal, trace = np.asarray(setup.state), np.asarray(setup.pull.value), runs["trace"]
    way = (goal - state)[:, visible]
    remaining = (1 - config.long_step) ** n_done[:, None] * way[:, None]
    weights = np.asarray(setup.stability.weights)[:, 0]
    # In the active region the hard sigmoid's R' is W.
    inner = np.eye(weights.shape[-1] - config.sizes[0]) - weights[:, hidden, hidden]
    limit = np.linalg.solve(inner, weights[:, hidden, visible] @ way[..., None])[..., 0]
    settled, chain = (trace[:, 0, -1] - state)[:, hidden], -0.5 * gradient[:, hidden]
    size = np.linalg.norm(limit, axis=-1)
    angle = _angles(trace - state[:, None, None], -gradient[:, None, None], layers)
    words = "networks that stay in the active region"
    return merged(
        labelled(("stability", "network", "long_time", "layer"), long_angle=(np.moveaxis(angle, 1, 0), _ANGLE)),
        labelled(
            "network",
            trajectory_error=np.abs(trace[:, 0, :, visible] - (goal[:, None, visible] - remaining)).max((1, 2)),
            state_clamp_error=np.abs(runs["first_clamped"] - runs["first"])[:, visible].max(1),
            objective=np.sum((runs["target"] - runs["first"])[:, visible] ** 2, axis=1),
            squared_error=np.sum(way**2, axis=1),
            limit_error=np.linalg.norm(settled - limit, axis=-1) / size,
            chain_error=np.linalg.norm(chain - limit, axis=-1) / size,
        ),
        required("network", words, is_inside=np.all(np.abs(trace[:, 0]) < 0.5, axis=(1, 2))),
        labelled((), "tau", long_step=(config.long_step, "step size of the long simulations")),
    )


STUDY = Study(
    name="backprop_link",
    title="The link to back-propagation",
    figure="Section 8",
    source="Bengio et al. 2015, section 8, Eq 27-31",
    caption="A layered network rests; the input of its visible layer is replaced by X. The perturbation reaches layer "
    "h_k at step k+1, and with tied weights it is then minus step^(k+1)/2 times the backpropagated gradient of "
    "|X - x|^2: a power, a factor and a sign other than printed. Later it grows as the tail of a binomial law and "
    "slowly turns away from the gradient, in a stable network by little.",
    config=BackpropLinkConfig(),
    smoke=dict(n_networks=2, n_steps=200, n_long=100),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
