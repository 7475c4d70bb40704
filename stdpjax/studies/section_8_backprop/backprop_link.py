"""Section 8: the input of x is replaced by X, and what reaches each layer first is a backpropagated gradient.

Layers x = h_0, h_1, h_2, ... are connected with their neighbours and rest at an equilibrium inside the active region
(the state is drawn, the biases follow). The input of x is replaced by X, and with C = |X - x|^2 the displacement
of h_k at its first arrival, step k+1, is -step^(k+1) / 2 dC/dh_k.
"""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.lab import Estimate, Progress, Study, at_least, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.learning import layer_slices
from stdpjax.random import member_keys, named_key
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, largest, merged, on_host, refutes, supports
from stdpjax.studies.section_8_backprop.backprop_link_figure import plot
from stdpjax.studies.section_8_backprop.layered_networks import KEEP, angles, follow_growth, long_runs, networks_at_rest
from stdpjax.theory.layered import one_minus_cosine, weight_errors


@configuration
class BackpropLinkConfig:
    """Settings of the study of section 8; times in tau."""

    sizes: tuple[int, ...] = setting((8, 10, 10, 10, 10), "units in each layer, the visible ones first")
    n_networks: int = setting(8, "random networks of each kind", at_least=2)
    steps: tuple[float, ...] = setting(
        (0.0001, 0.0003, 0.001, 0.003, 0.01), "step sizes dt/tau of first arrivals", **STEP, increasing=True
    )
    growth_step: float = setting(0.005, "step size of the growth over time", **STEP)
    n_steps: int = setting(2400, "steps of the growth", multiple_of=KEEP)
    long_step: float = setting(0.05, "step size of the long simulations", **STEP)
    n_long: int = setting(1600, "steps of the long simulations", multiple_of=KEEP)
    largest: float = setting(0.8, "largest eigenvalue of rho' W rho' (hard sigmoid: of R')", above=0, below=1)
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


def _least_cosine(angle: xr.DataArray, time: str) -> Estimate:
    """Return the smallest mean over networks of the least cosine over time."""
    means = mean_interval((1 - angle).min(time).transpose("network", ...), 0)
    return Estimate(*(np.ravel(part)[np.argmin(means.value)] for part in means[:3]))


def _hidden(data: xr.Dataset, feedback: str = "tied", rate: str = "hard", first: int = 1) -> xr.Dataset:
    """Return what the hidden layers of one kind of network do, from the first one on or a later one."""
    return data.sel(layer=slice(first, None), feedback=feedback, rate=rate)


def _off_law(hidden: xr.Dataset) -> float:
    """Return how far first arrivals are from the law at most, relative to it."""
    return largest(hidden.arrival / hidden.corrected_law - 1)


def _off_printed(hidden: xr.Dataset, *powers: int) -> float:
    """Return the same for the printed law, whatever its sign, J's gradient being some power of the step times C's."""
    factors = (sign * hidden.step**power for sign in (1, -1) for power in powers)
    return min(largest(hidden.arrival / (factor * hidden.printed_law) - 1) for factor in factors)


def _off_objective(data: xr.Dataset, objective: xr.DataArray) -> float:
    return largest(objective / (data.long_step**2 * data.squared_error) - 1)


def _delay(data: xr.Dataset, share: float = 0.5) -> Estimate:
    """Return how much later each hidden layer has a share of its first-order change than the one before, in tau."""
    is_there = _hidden(data).growth >= share
    # The first kept time at which it is, or the last one for a layer that never is.
    first = data.theta.where(is_there).min("theta").fillna(data.theta[-1])
    return mean_interval(first.polyfit("layer", 1).polyfit_coefficients.sel(degree=1).values)


def _turning(data: xr.Dataset, rate: str = "hard") -> xr.DataArray:
    """Return the exponent in time of 1 - cosine, for each network."""
    angle = _hidden(data, rate=rate).angle
    first, last = (angle.sel(theta=time, method="nearest") for time in (0.3, 1.0))
    time_ratio = float(last.theta / first.theta)
    return (np.log(last / first) / np.log(max(time_ratio, 1.01))).mean("layer")


_printed = partial(refutes, criterion=at_most(1e-5, double=1e-6))
_READINGS = "J read as C, as in Eq 27 or differentiated by the moved x, of either sign: the nearest"

CLAIMS = (
    supports(
        "eq27.value",
        "Largest relative error of J, over all units at the first step, against step^2 |X - x|^2; over networks.",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: _off_objective(data, data.objective),
        control=lambda data: _off_objective(data, data.objective_at_once),
        control_is="hidden units that move in the first step too, as they see where x has moved",
        note=lambda data: f"X - x is up to {largest(data.squared_error) ** 0.5:.2g} long.",
    ),
    supports(
        "sec8.circles",
        "Largest move of a layer k before step k + 1, both rates, tied and untied weights.",
        criterion=at_most(0.0),
        measure=lambda data: data.before_arrival.max(),
        control=lambda data: data.at_arrival.min(),
        control_is="up to step k + 1, the smallest of all networks",
    ),
    _printed(
        "sec8.first_move",
        "Largest relative deviation of Delta x, along dC/dx, from -(step / 2) dC/dx, over steps (hard rates).",
        measure=lambda data: _off_law(data.sel(layer=[0], feedback="tied", rate="hard")),
        control=lambda data: _off_printed(data.sel(layer=[0], feedback="tied", rate="hard"), 0, 1, 2),
        control_is=f"the printed 2 step^2 dJ/dx, {_READINGS}",
    ),
    _printed(
        "eq28.prefactor",
        "Largest relative deviation of Delta h_1, along dC/dh_1, from -(step^2 / 2) dC/dh_1, over steps (hard rates).",
        measure=lambda data: _off_law(_hidden(data).sel(layer=[1])),
        control=lambda data: _off_printed(_hidden(data).sel(layer=[1]), 0, 1, 2),
        control_is=f"the printed 2 step^3 dR_h1/dx dJ/dx, {_READINGS}",
        note=lambda data: (
            f"Smooth rates, smallest step, all layers: {_off_law(_hidden(data, rate='smooth').isel(step=0)):.1g}."
        ),
    ),
    supports(
        "eq29.transposed",
        "Largest asymmetry of the Jacobian of R, relative to its largest element (automatic derivative, both rates).",
        criterion=at_most(1e-6, double=1e-14),
        measure=lambda data: data.asymmetry.sel(feedback="tied").max(),
        control=lambda data: data.asymmetry.sel(feedback="untied").max(),
        control_is="untied weights",
    ),
    refutes(
        "eq30.direction",
        "Largest 1 - cosine of Delta h_1 and -dC/dh_1 at first arrival, over steps (hard rates).",
        criterion=at_most(1e-9, double=1e-12),
        measure=lambda data: largest(_hidden(data).arrival_angle.sel(layer=1)),
        control=lambda data: (2 - _hidden(data).arrival_angle.sel(layer=1)).min(),
        control_is="the printed sign, +dC/dh_1",
        note=lambda data: f"Untied weights: {largest(_hidden(data, 'untied').arrival_angle.sel(layer=1)):.2g}.",
    ),
    _printed(
        "eq31.prefactor",
        "Largest relative deviation of Delta h_k, along dC/dh_k, from -(step^(k+1) / 2) dC/dh_k, over steps and k = "
        "2, 3, ... (hard rates).",
        measure=lambda data: _off_law(_hidden(data, first=2)),
        control=lambda data: _off_printed(_hidden(data, first=2), 0),
        control_is="the printed 2 step^(k+2) dC/dh_k, of either sign",
    ),
    refutes(
        "sec8.weights",
        "Largest relative error of Eq 1, both directions added, against -(step^(k+1) / 2) dC/dW (hard rates).",
        criterion=at_most(1e-4, double=1e-12),
        measure=lambda data: largest(_hidden(data).weight_error),
        control=lambda data: largest(_hidden(data).printed_weight_error),
        control_is="the printed factors step^(k+2), once or twice as in Eq 31, of either sign: the nearest",
        note=lambda data: (
            f"Untied weights: {largest(_hidden(data, 'untied').weight_error):.2g}; smooth rates, without the slope: "
            f"{largest(_hidden(data, rate='smooth').weight_error):.2g}."
        ),
    ),
    supports(
        "sec8.time",
        "Time constants by which layer k + 1 has half of its first-order change later than layer k: slope over hidden "
        "layers, mean over networks.",
        criterion=within(1.0, 0.25),
        measure=_delay,
        control=lambda data: _delay(data, 0.01).value,
        control_is="a hundredth of the change, which is to be seen but not significant",
        revised="Was the growth at one time constant against an Erlang law, where little is there for k > 1.",
    ),
    supports(
        "sec8.alignment",
        "Smallest cosine with -dC/dh_k up to 12 tau, over layers; mean over networks (hard rates).",
        criterion=at_least(0.9),
        measure=lambda data: _least_cosine(_hidden(data).angle, "theta"),
        control=lambda data: (
            _least_cosine(
                data.long_angle.sel(stability="unstable", layer=slice(1, None), long_time=slice(0, 12)), "long_time"
            ).value
        ),
        control_is="unstable networks, up to the same time",
    ),
    supports(
        "sec8.updates",
        "Smallest cosine with -dC/dW of Eq 1 added up over as long, the rate read midway, both directions of a pair "
        "together, over pairs of layers; mean over networks (hard rates).",
        criterion=at_least(0.8),
        measure=lambda data: _least_cosine(data.update_angle.sel(feedback="tied"), "theta"),
        control=lambda data: _least_cosine(data.update_angle.sel(feedback="untied"), "theta").value,
        control_is="untied weights",
    ),
    supports(
        "sec8.turning",
        "Exponent of 1 - cosine in time, from 0.3 to 1 tau, mean over networks and hidden layers (hard rates).",
        criterion=within(4.0, 0.25),
        measure=lambda data: mean_interval(_turning(data).values),
        control=lambda data: _turning(data, "smooth").mean(),
        control_is="smooth rates",
    ),
)


def run(key: Key[Array, ""], config: BackpropLinkConfig, progress: Progress) -> xr.Dataset:
    """Replace the input of x in networks at rest and follow the displacement through the layers."""
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    progress(0.0, "networks at rest")
    is_smooth = jnp.array([False, True])
    setups = jax.jit(jax.vmap(lambda flag: jax.vmap(lambda one: networks_at_rest(one, flag, config))(keys)))(is_smooth)
    progress(0.2, "first arrivals and growth")
    follow = partial(follow_growth, config=config)
    both = on_host(jax.jit(jax.vmap(jax.vmap(follow, (None, 0)), (0, 0)))(is_smooth, setups))
    progress(0.6, "long simulations")
    hard = jax.tree.map(lambda array: jax.device_put(np.asarray(array)[0]), setups)
    n_done = KEEP * np.arange(1, config.n_steps // KEEP + 1)
    return merged(
        _arrivals(both, config),
        _growths(both, config),
        _summed_updates(both, np.asarray(hard.state), config),
        long_runs(keys, hard, both["by_state"][0, :, 0], config),
        rate=["hard", "smooth"],
        feedback=["tied", "untied"],
        layer=np.arange(len(config.sizes)),
        step=("step", np.array(config.steps), {"long_name": "step size dt/tau"}),
        theta=("theta", n_done * config.growth_step, {"units": "tau"}),
    )


def _sizes_of(vectors: np.ndarray, layers: tuple[slice, ...]) -> np.ndarray:
    return np.stack([np.linalg.norm(vectors[..., layer], axis=-1) for layer in layers], axis=-1)


def _arrivals(both: dict[str, np.ndarray], config: BackpropLinkConfig) -> xr.Dataset:
    """What arrives first in each layer, beside the gradient; arrays by rate, network, feedback, step, time, unit."""
    layers, steps = layer_slices(config.sizes), np.array(config.steps)
    level, power = np.repeat(np.arange(len(layers)), config.sizes), np.arange(len(layers)) + 1
    gradient, first = both["by_state"][:, :, :, None], both["first"]
    arrived = first[..., level, np.arange(level.size)]
    n_late = np.arange(len(layers))[:, None] - level
    size = _sizes_of(gradient, layers)
    along = np.stack([np.sum(arrived[..., one] * gradient[..., one], axis=-1) for one in layers], axis=-1) / size
    networks = ("rate", "network", "feedback")
    # The law's -step^(k+1) / 2, and in its place plus or minus step^(k+2), once or twice.
    factors = (1.0, *steps[-1] * np.array([-4, -2, 2, 4]))
    off = [weight_errors(both["update"], factor * both["by_weight"], layers, steps[-1]) for factor in factors]
    return merged(
        labelled(
            (*networks, "step", "layer"),
            arrival=(along, "displacement of h_k along dC/dh_k after step k+1"),
            corrected_law=-0.5 * steps[:, None] ** power * size,
            printed_law=2 * steps[:, None] ** (power + 1) * size,
            arrival_angle=angles(arrived, gradient, layers),
        ),
        labelled(networks, asymmetry=both["asymmetry"]),
        labelled(
            networks,
            "activity",
            before_arrival=np.abs(first).max((-3, -2, -1), initial=0, where=n_late < 0),
            at_arrival=np.abs(first).max((-3, -2, -1), initial=0, where=n_late <= 0),
        ),
        labelled((*networks, "pair"), weight_error=off[0], printed_weight_error=np.min(off[1:], axis=0)),
    )


def _growths(both: dict[str, np.ndarray], config: BackpropLinkConfig) -> xr.Dataset:
    """How the displacement of each layer turns and grows."""
    layers, gradient, moved = layer_slices(config.sizes), both["by_state"][:, :, 0, None], both["grown"][:, :, 0]
    size = _sizes_of(moved, layers) / (0.5 * _sizes_of(gradient, layers))
    return labelled(
        ("rate", "network", "theta", "layer"),
        angle=angles(moved, gradient, layers),
        growth=(size, "displacement / (1/2 |dC/dh_k|)"),
    )


def _summed_updates(both: dict[str, np.ndarray], state: np.ndarray, config: BackpropLinkConfig) -> xr.Dataset:
    """How far Eq 1 added up over time, with hard rates, turns from back-propagation's gradient by the weights."""
    # Midway, Eq 1 of both directions adds up to the change of the product of the rates.
    rest, moved = state[:, None, None] + 0.5, both["grown"][0]
    found = []
    for near, far in itertools.pairwise(layer_slices(config.sizes)):
        added = moved[..., near, None] * (rest + moved)[..., None, far] + rest[..., near, None] * moved[..., None, far]
        gradient = both["by_weight"][0, :, :, None, near, far]
        found.append(one_minus_cosine(*(part.reshape(*part.shape[:-2], -1) for part in (added, -gradient))))
    words = "1 - cosine of the summed update with -dC/dW"
    return labelled(("network", "feedback", "theta", "pair"), update_angle=(np.stack(found, axis=-1), words))


STUDY = Study(
    name="backprop_link",
    title="The link to back-propagation",
    figure="Section 8",
    source="Bengio et al. 2015, section 8, Eq 27-31",
    caption="A layered network rests; the input of its visible layer is replaced by X. The perturbation reaches layer "
    "h_k at step k+1, and with tied weights it is then minus step^(k+1)/2 times the backpropagated gradient of "
    "|X - x|^2: a power, a factor and a sign other than printed. Later it slowly turns away from the gradient, in a "
    "stable network by little, and so do the weight changes, by more.",
    config=BackpropLinkConfig(),
    smoke=dict(n_networks=2, n_steps=200, n_long=100),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
