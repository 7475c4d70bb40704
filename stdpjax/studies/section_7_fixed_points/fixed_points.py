"""Where the network settles: interior fixed points, and the kinks that Eq 25 and 26 leave out."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.dynamics import LeakyIntegrator, NoiseHyper, StepHyper, simulate
from stdpjax.energy import Params, target_of
from stdpjax.fixed_points import relax
from stdpjax.lab import Claim, Estimate, at_least, at_most
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import tied_networks
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid, smoothed_hard_sigmoid
from stdpjax.stats import mean_interval, normal_interval
from stdpjax.studies.measures import labelled, largest, merged, on_host, required
from stdpjax.studies.network_runs import settle
from stdpjax.studies.section_7_fixed_points.fixed_points_figure import plot
from stdpjax.theory.box_minima import MAX_UNITS, box_minimum, linear_fixed_points

LOW, HIGH = -0.5, 0.5
# Step of the finite difference that derivatives are compared with, in double precision.
_DIFFERENCE = 1e-6
_CELLS = ("network", "unit")


@configuration
class FixedPointsConfig:
    """Settings of the fixed-points study; times in steps, activities in units of activity."""

    n_networks: int = setting(40, "random networks with tied weights", at_least=2)
    n_units: int = setting(5, "units of each", at_least=2, at_most=MAX_UNITS)
    max_eigenvalue: float = setting(
        0.9, "largest eigenvalue of the weights; drawn from a fifth of it up", above=0, below=0.95
    )
    bias_std: float = setting(
        0.35, "standard deviation of the biases, about those that balance the network at rest", above=0
    )
    steps: tuple[float, ...] = setting(
        (0.002, 0.005, 0.02, 0.05), "step sizes of the raw iteration, rising", **STEP, distinct=True
    )
    n_steps: int = setting(25_000, "steps to settle, and again as many to average over")
    fields: tuple[float, ...] = setting(
        (0.25, 0.7, 1.0, 1.5, 2.0, 3.0, 4.0), "fields u that drive a single unit", above=0, distinct=True
    )
    chatter_step: float = setting(0.01, "step size of the single unit", **STEP)
    n_chatter: int = setting(4000, "steps of the single unit, of which the second half counts", at_least=2)
    noise_std: float = setting(0.2, "standard deviation of the noise in the noisy networks", above=0)
    noisy_step: float = setting(0.01, "step size of the noisy networks", **STEP)
    n_noisy: int = setting(10_000, "steps of the noisy networks to settle, and again as many to average over")

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if max(self.fields) <= HIGH:
            raise ValueError(f"fields: expected one above {HIGH:g}, which drives the unit past its kink")


_EQ_25 = "Where the gradient of the energy is 0, R(s) = s and so f(s, 0) = s: the network stands still."
_EQ_26 = "At a fixed point no unit is saturated, so s = b + W rho(s)."


def _has_kinks(data: xr.Dataset) -> np.ndarray:
    """Return which networks settle with units at kinks."""
    return data.is_at_kink.any("unit").values


def _distance(data: xr.Dataset, has_kinks: bool) -> float:
    """Return the smallest |R(s) - s| over networks with units at kinks, or the largest over those without."""
    distance = np.abs(data.target - data.relaxed).max("unit").values[_has_kinks(data) == has_kinks]
    if not distance.size:
        return np.nan
    return float(distance.min() if has_kinks else distance.max())


def _finest_average(data: xr.Dataset) -> xr.DataArray:
    return data.average.sel(step=data.step.min())


def _driven(data: xr.Dataset) -> xr.Dataset:
    """Return the single units that are driven past their kink."""
    return data.isel(drive=data.drive.values > HIGH)


def _excess(data: xr.Dataset, step: xr.DataArray) -> float:
    """Return how far the driven units leave the range of a step size."""
    driven = _driven(data)
    below = (1 - step) * HIGH - driven.chatter_low
    above = driven.chatter_high - (HIGH + step * (driven.drive - HIGH))
    return float(np.maximum(below, above).clip(min=0).max())


def _chatter_note(data: xr.Dataset) -> str:
    note = f"{_driven(data).sizes['drive']} fields."
    if 2.0 not in data.drive.values:
        return note
    row = data.sel(drive=2.0)
    return (
        f"{note} At u = 2: [{float(row.chatter_low):.4f}, {float(row.chatter_high):.4f}], "
        f"duty cycle {float(row.duty):.4f}."
    )


def _share_with_kinks(data: xr.Dataset) -> Estimate:
    has_kinks = _has_kinks(data)
    share = float(has_kinks.mean())
    _, low, high, _ = normal_interval(share, np.sqrt(share * (1 - share) / has_kinks.size))
    return Estimate(share, np.maximum(low, 0.0), np.minimum(high, 1.0))


def _derivative_error(data: xr.Dataset, derivative: xr.DataArray) -> float:
    size = np.abs(data.derivative_reference).max("unit")
    return largest((derivative - data.derivative_reference) / size)


def _root_mean_square(data: xr.Dataset, fixed_point: xr.DataArray) -> Estimate:
    """Return the root mean square difference of the noisy time averages from a fixed point."""
    squares = mean_interval(((data.noisy_average - fixed_point) ** 2).mean("unit"))
    return Estimate(*np.sqrt(np.maximum(squares[:3], 0)))


_eq_26 = partial(Claim, statement="Eq 26", bearing="refutes")
_eq_25 = partial(Claim, statement="Eq 25", bearing="refutes")

CLAIMS = (
    Claim(
        "E25.interior",
        "Largest |R(s) - s| at energy minima between the kinks.",
        statement="Eq 25",
        criterion=at_most(1e-5, double=1e-10),
        measure=lambda data: _distance(data, False),
        control=lambda data: _distance(data, True),
        control_is="those with units at kinks, smallest",
        bearing="limits",
        note=lambda data: f"{int((~_has_kinks(data)).sum())} networks.",
    ),
    _eq_25(
        "E25.average",
        "Largest difference of the raw iteration's time average (step 0.002) from the energy's minimum on the box.",
        criterion=at_most(3e-3),
        measure=lambda data: largest(_finest_average(data) - data.minimum),
        control=lambda data: largest(_finest_average(data) - data.linear),
        control_is="Eq 26 solved as a linear equation and cut off at the kinks",
    ),
    _eq_25(
        "E25.chatter_range",
        "How far the chattering of one unit leaves ((1 - step) kink, kink + step (u - kink)].",
        criterion=at_most(1e-6, double=1e-12),
        measure=lambda data: _excess(data, data.chatter_step),
        control=lambda data: _excess(data, data.chatter_step / 2),
        control_is="the range predicted for half the step",
        note=_chatter_note,
    ),
    _eq_25(
        "E25.duty_cycle",
        "Largest difference of the time share in which a chattering unit is active from kink / u.",
        criterion=at_most(0.01),
        measure=lambda data: largest(_driven(data).duty - HIGH / _driven(data).drive),
        control=lambda data: largest(1 - HIGH / _driven(data).drive),
        control_is="a unit at rest in the active region, duty cycle 1",
    ),
    Claim(
        "E26.saturation",
        "Fixed points s = R(s) with a unit beyond its kinks, over all networks and all pieces (enumeration).",
        statement="Eq 26",
        criterion=at_most(0.0),
        measure=lambda data: data.n_saturated.sum(),
        control=lambda data: data.n_saturated_without_slope.sum(),
        control_is="R without the factor rho'",
        bearing="supports",
        note=lambda data: f"{data.sizes['network']} networks, {3 ** data.sizes['unit']} pieces each.",
    ),
    _eq_26(
        "E26.kinks",
        "Share of random networks that have no fixed point and settle with units at kinks.",
        criterion=at_least(0.2),
        measure=_share_with_kinks,
        control=lambda data: data.balanced_share,
        control_is="balanced biases",
        note=lambda data: f"None of these has a fixed point: {int(data.n_inside[_has_kinks(data)].sum())} found.",
    ),
    _eq_26(
        "E26.clip",
        "Largest |s - clip(b + W rho(s), kinks)| at the box minima (enumeration of active sets).",
        criterion=at_most(1e-8),
        measure=lambda data: largest(data.minimum - data.field.clip(LOW, HIGH)),
        control=lambda data: largest(data.minimum - data.field),
        control_is="s = b + W rho(s) as printed",
    ),
    _eq_26(
        "E26.box",
        "Largest difference of the relaxed clip form from the box minimum.",
        criterion=at_most(1e-4, double=1e-8),
        measure=lambda data: largest(data.relaxed - data.minimum),
        control=lambda data: largest(data.linear - data.minimum),
        control_is="Eq 26 solved as a linear equation and cut off at the kinks",
    ),
    Claim(
        "E26.gradient",
        "Largest error of the fixed point's implicit derivative, relative to finite differences of the box minimum.",
        statement="Eq 26",
        criterion=at_most(1e-3, double=1e-6),
        measure=lambda data: _derivative_error(data, data.derivative),
        control=lambda data: _derivative_error(data, data.interior_derivative),
        control_is="the derivative of Eq 26 as printed",
        bearing="supports",
        note="Along one random direction a network.",
    ),
    _eq_26(
        "E26.noise",
        "Root mean square difference of noisy networks' time averages from the fixed point of the smoothed rate.",
        criterion=at_most(0.01),
        measure=lambda data: _root_mean_square(data, data.smooth),
        control=lambda data: _root_mean_square(data, data.minimum).value,
        control_is="the kinks without noise",
    ),
)


def run(key: Key[Array, ""], config: FixedPointsConfig, progress: Progress) -> xr.Dataset:
    """Settle random networks in several ways, and a single unit at its kink."""
    progress(0.0, "box minima")
    eigenvalues = (0.2 * config.max_eigenvalue, config.max_eigenvalue)
    weights, bias = tied_networks(
        named_key(key, "networks"), config.n_networks, config.n_units, eigenvalues, config.bias_std
    )
    params = Params(jnp.asarray(weights, float), jnp.asarray(bias, float))
    minimum = box_minimum(weights, bias)
    exact = _enumerated(weights, bias, minimum)
    progress(0.2, "relaxation")
    relaxed = _relaxations(named_key(key, "direction"), params, weights, bias, minimum, config)
    progress(0.4, "raw iteration")
    averages = _averages(key, params, config)
    chatter = _chatter(key, config)
    progress(0.7, "noisy networks")
    noisy = _noisy_averages(named_key(key, "noise"), params, config)
    return merged(
        exact,
        relaxed,
        averages,
        chatter,
        noisy,
        step=("step", np.array(config.steps), {"units": "tau"}),
        drive=("drive", np.array(config.fields), {"units": "activity", "long_name": "field u of a single unit"}),
        time=("time", np.arange(chatter.sizes["time"]), {"units": "steps"}),
    )


def _enumerated(weights: np.ndarray, bias: np.ndarray, minimum: np.ndarray) -> xr.Dataset:
    """The minima of the energy on the box, and where the network stands still, piece by piece."""
    n_inside, n_saturated = linear_fixed_points(weights, bias, True)
    _, n_saturated_without_slope = linear_fixed_points(weights, bias, False)
    balanced = box_minimum(weights, -0.5 * weights.sum(-1))
    return merged(
        labelled(
            _CELLS,
            "activity",
            minimum=(minimum, "minimum of the energy on the box, by enumeration"),
            field=(bias + np.einsum("nij,nj->ni", weights, minimum - LOW), "field b + W rho(s) at the box minimum"),
        ),
        labelled(_CELLS, is_at_kink=np.abs(minimum) >= HIGH - 1e-12),
        labelled(
            "network",
            n_inside=(n_inside, "fixed points between the kinks"),
            n_saturated=(n_saturated, "fixed points with a saturated unit"),
            n_saturated_without_slope=n_saturated_without_slope,
        ),
        labelled((), balanced_share=np.mean(np.any(np.abs(balanced) >= HIGH, -1))),
    )


def _relaxations(
    key: Key[Array, ""],
    params: Params,
    weights: np.ndarray,
    bias: np.ndarray,
    minimum: np.ndarray,
    config: FixedPointsConfig,
) -> xr.Dataset:
    """Fixed points by relaxation, and their derivative along a random direction, the weights tied, in several ways."""
    direction = tied_networks(key, config.n_networks, config.n_units, (1.0, 1.0), 1.0)
    change = Params(*(jnp.asarray(part, float) for part in direction))
    found = on_host(_relaxed(params, change, config.noise_std))
    ahead, behind = (
        box_minimum(weights + sign * _DIFFERENCE * direction[0], bias + sign * _DIFFERENCE * direction[1])
        for sign in (1, -1)
    )
    # Eq 26 solved as a linear equation, as if no unit were past a kink, and cut off at the kinks afterwards. No unit
    # has a weight to itself, so a change of that solution is (1 - W)^-1 (db + dW rho).
    pushes = bias - LOW * weights.sum(-1), direction[1] + np.einsum("nij,nj->ni", direction[0], minimum - LOW)
    linear, interior = (np.linalg.solve(np.eye(config.n_units) - weights, push[..., None])[..., 0] for push in pushes)
    return merged(
        labelled(
            _CELLS,
            "activity",
            relaxed=(found["state"], "relaxed clip form"),
            target=(found["target"], "R(s) at the relaxed state"),
            linear=(np.clip(linear, LOW, HIGH), "Eq 26 solved and cut at the kinks"),
            derivative=(found["derivative"], "implicit derivative, random direction"),
            derivative_reference=(ahead - behind) / (2 * _DIFFERENCE),
            interior_derivative=(interior, "derivative if all units were interior"),
            smooth=(found["smooth"], "fixed point of the noise-smoothed rate"),
        ),
        required("network", "networks relaxed to the tolerance", is_relaxed=found["is_relaxed"]),
    )


@jax.jit
def _relaxed(params: Params, change: Params, noise_std: Array) -> dict[str, Array]:
    """Fixed points of all networks, with kinks and smoothed, and their derivative along a change of the parameters."""
    rho, smooth_rho = hard_sigmoid(), smoothed_hard_sigmoid(noise_std)
    is_double = params.bias.dtype == jnp.float64
    settle = partial(relax, tolerance=1e-12 if is_double else 2e-6, max_steps=20_000)

    def one(params: Params, change: Params) -> dict[str, Array]:
        rest = jnp.zeros_like(params.bias)

        def state_of(params: Params):
            found = settle(params, rest, rho)
            return found.state, found.converged

        state, tangent, converged = jax.jvp(state_of, (params,), (change,), has_aux=True)
        smooth = settle(params, state, smooth_rho, step=0.1)
        return {
            "state": state,
            "target": target_of(params, state, rho),
            "derivative": tangent,
            "smooth": smooth.state,
            "is_relaxed": converged & smooth.converged,
        }

    return jax.vmap(one)(params, change)


def _averages(key: Key[Array, ""], params: Params, config: FixedPointsConfig) -> xr.Dataset:
    """Time averages of the raw iteration from rest, once settled, for each step size."""
    n_steps, shape = config.n_steps, (len(config.steps), config.n_networks)
    every = jax.tree.map(lambda leaf: jnp.tile(leaf, (shape[0], *[1] * (leaf.ndim - 1))), params)
    hyper = NoiseHyper(jnp.repeat(jnp.asarray(config.steps, float), shape[1]), jnp.zeros(shape[0] * shape[1], float))
    keys = member_keys(key, shape[0] * shape[1])
    state, _, _ = settle(keys, every, jnp.zeros_like(every.bias), hyper, n_steps, False)
    _, average, is_finite = settle(keys, every, state, hyper, n_steps, False)
    cells = ("step", "network")
    words = "time average of the raw iteration"
    return merged(
        labelled((*cells, "unit"), "activity", average=(np.reshape(average, (*shape, -1)), words)),
        required(cells, "networks with finite states", is_finite=np.reshape(is_finite, shape)),
    )


def _noisy_averages(key: Key[Array, ""], params: Params, config: FixedPointsConfig) -> xr.Dataset:
    n_networks = config.n_networks
    hyper = NoiseHyper(jnp.full(n_networks, config.noisy_step, float), jnp.full(n_networks, config.noise_std, float))
    settle_keys, keys = (member_keys(named_key(key, phase), n_networks) for phase in ("settle", "average"))
    state, _, _ = settle(settle_keys, params, jnp.zeros_like(params.bias), hyper, config.n_noisy, True)
    _, average, is_finite = settle(keys, params, state, hyper, config.n_noisy, True)
    return merged(
        labelled(_CELLS, "activity", noisy_average=(average, "time average with noise")),
        required("network", "noisy networks with finite states", noisy_is_finite=is_finite),
    )


def _chatter(key: Key[Array, ""], config: FixedPointsConfig) -> xr.Dataset:
    """Activity of single units held by a field: unconnected units of one network."""
    n_drives = len(config.fields)
    run = simulate(
        key,
        Params(jnp.zeros((n_drives, n_drives), float), jnp.asarray(config.fields, float)),
        LeakyIntegrator(hard_sigmoid()),
        StepHyper(config.chatter_step),
        state=jnp.zeros(n_drives, float),
        n_steps=config.n_chatter,
        trace_every=1,
    )
    assert run.trace is not None
    chatter = np.asarray(run.trace.T, np.float64)
    second = chatter[:, config.n_chatter // 2 :]
    return merged(
        labelled(("drive", "time"), "activity", chatter=(chatter[:, -60:], "activity of a single unit")),
        labelled((), "tau", chatter_step=(config.chatter_step, "step size of the single unit")),
        labelled(
            "drive", "activity", chatter_low=second.min(1), chatter_high=second.max(1), chatter_mean=second.mean(1)
        ),
        labelled("drive", duty=(np.mean(second <= HIGH, axis=1), "share of time in the active region")),
    )


STUDY = Study(
    name="fixed_points",
    title="Fixed points, and the kinks",
    figure="Eq 25 and 26",
    source="Bengio et al. 2015, section 7, Eq 25 and 26",
    caption="Inside the active region the network settles where s = b + W rho(s). A unit driven past its kink has no "
    "fixed point: it chatters about the kink, with an average at the energy's minimum on the box between the kinks. "
    "In general s = clip(b + W rho(s)), and with noise the fixed point of the smoothed rate.",
    config=FixedPointsConfig(),
    smoke=dict(n_networks=10, n_steps=500, n_chatter=1000, n_noisy=200),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
