"""The state update as printed and as corrected (Eq 6, 7 and 17), and the differential equation behind it."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float, Key
from numpy.typing import NDArray
from scipy.special import expit

from stdpjax.clamps import Clamps, StateClamp
from stdpjax.dynamics import Field, Kernel, LeakyIntegrator, PrintedIntegrator
from stdpjax.energy import Params, target_of
from stdpjax.lab import Progress, Study, at_most, within
from stdpjax.lab.settings import configuration, setting
from stdpjax.networks import Interior, interior_network, is_active
from stdpjax.random import key as key_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid, sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import labelled, largest, limits, merged, on_host, refutes, required, supports
from stdpjax.studies.network_runs import path_from
from stdpjax.studies.section_4_energy.printed_update_figure import plot

# Steps over which the decay of a deviation is compared with its closed form.
_N_DECAY = 10
# Time, in time constants, at which the error against the differential equation is taken.
_HORIZON = 2.0
_PER_RUN = ("step", "network")


@configuration
class PrintedUpdateConfig:
    """Settings of the study of the state update; steps are fractions of the time constant."""

    n_networks: int = setting(32, "networks, half of whose units are clamped for Eq 6", at_least=2)
    n_units: int = setting(6, "units of a network", multiple_of=2)
    steps: tuple[float, ...] = setting((0.1, 0.2, 0.5), "step sizes", above=0, at_most=0.5, increasing=True)
    n_steps: int = setting(800, "steps towards the fixed point", at_least=_N_DECAY)
    halvings: int = setting(4, "halvings of the step 0.2, to measure the order of the error", at_least=2, at_most=8)


def _from_rest(data: xr.Dataset, leak: str) -> xr.DataArray:
    return np.abs(data.leak_end.sel(leak=leak) - data.fixed_point)


def _from_half(data: xr.Dataset, whole: xr.DataArray) -> float:
    return largest((data.end - 0.5 * whole).sel(update="printed"))


def _order(data: xr.Dataset, scheme: str) -> xr.DataArray:
    error = data.error.sel(scheme=scheme)
    return np.log2(error.isel(size=-2) / error.isel(size=-1))


CLAIMS = (
    refutes(
        "eq17.half",
        "Largest distance of a unit from R(s)/2 where the printed update comes to rest.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: _from_half(data, data.end_target),
        control=lambda data: _from_half(data, data.fixed_point),
        control_is="half of the fixed point s = R(s)",
        note=lambda data: f"{data.sizes['network']} networks, steps {', '.join(f'{s:g}' for s in data.step.values)}.",
    ),
    limits(
        "eq6.leak",
        "Largest distance of a hidden unit from its fixed point with the leak -h_t, half of the units clamped.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: _from_rest(data, "one").max(),
        control=lambda data: _from_rest(data, "two").max("unit").min(),
        control_is="twice that leak, as in the printed Eq 17; Eq 6 cannot be run as printed, as its sizes do not fit",
    ),
    limits(
        "sec3.3.eigenvectors",
        "Largest difference of a deviation along an eigenvector from 1-step(1-lambda) times the one before, "
        "relative to the first.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.decay.sel(factor="1-step(1-lambda)").max(),
        control=lambda data: data.decay.sel(factor="1-step").max(),
        control_is="the factor 1-step, that of a target that stays",
    ),
    supports(
        "eq7.order",
        "Order of the global error against the differential equation: log2 of what halving the smallest steps gains.",
        criterion=within(1.0, 0.05),
        measure=lambda data: mean_interval(_order(data, "Eq 6")),
        control=lambda data: _order(data, "midpoint").mean(),
        control_is="a midpoint step, which is of second order",
        note=lambda data: f"Sigmoid networks at {_HORIZON:g} tau, steps {float(data['size'][-2]):g} and its half.",
    ),
)


class Midpoint(Kernel):
    """A step of second order, along the pull half a step ahead."""

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state."""
        return state + hyper.step * field.pull(state + 0.5 * hyper.step * field.pull(state))


def _decay_of(deviation: Float[Array, "time unit"], factor: Array) -> Float[Array, ""]:
    """Return how far the deviations are from a constant factor for each step, relative to the first."""
    wrong = jnp.linalg.norm(deviation[1:] - factor * deviation[:-1], axis=1)
    return jnp.max(wrong) / jnp.linalg.norm(deviation[0])


def follow(key: Key[Array, ""], step: Float[Array, ""], config: PrintedUpdateConfig) -> dict[str, Array]:
    """Follow one network at one step size, in all the ways that the claims compare: corrected, then as printed."""
    rho = hard_sigmoid()
    params, fixed_point, start = interior_network(key, config.n_units)
    right, printed = LeakyIntegrator(rho), PrintedIntegrator(rho)
    eigenvalues, vectors = jnp.linalg.eigh(params.weights)

    def path(kernel: Kernel, start: Array, clamps: Clamps = ()) -> Array:
        return path_from(kernel, params, start, kernel.Hyper(step), config.n_steps, key_of(0), clamps)

    # One loop over time for the network and for the network pushed along its eigenvectors.
    starts = jnp.concatenate([start[None], fixed_point[None] + 0.25 * vectors.T])
    right_paths = jax.vmap(lambda start: path(right, start))(starts)
    paths = jnp.stack([right_paths[0], path(printed, start)])
    distance = jnp.linalg.norm(paths - fixed_point[None, None], axis=-1) / jnp.linalg.norm(fixed_point)
    ends = paths[:, -1]
    targets = jax.vmap(lambda state: target_of(params, state, rho))(ends)

    is_clamped = jnp.arange(config.n_units) < config.n_units // 2
    held = jnp.where(is_clamped, fixed_point, start)
    leaks = [path(kernel, held, (StateClamp(is_clamped, held),))[-1] for kernel in (right, printed)]

    modes = right_paths[1:, : _N_DECAY + 1] - fixed_point[None, None]
    factors = jnp.stack([1 - step * (1 - eigenvalues), jnp.broadcast_to(1 - step, eigenvalues.shape)])
    decay = jax.vmap(lambda factor: jnp.max(jax.vmap(_decay_of)(modes, factor)))(factors)
    return {
        "distance": distance,
        "end": ends,
        "end_target": targets,
        "leak_end": jnp.stack(leaks),
        "decay": decay,
        "is_active": is_active(paths[0], rho),
    }


def reference(params: Params, start: NDArray[np.float64], time: float) -> NDArray[np.float64]:
    """Return the solutions of ds/dt = R(s) - s, time in tau, for networks with a sigmoid, `[network, unit]`.

    In double precision on the host, so that it shares nothing with what it is compared with.
    """
    from scipy.integrate import solve_ivp  # a twelfth of the time that all studies take to import

    weights, bias = (np.asarray(part, np.float64) for part in params)

    def flow(_: float, flat: NDArray[np.float64]) -> NDArray[np.float64]:
        state = flat.reshape(start.shape)
        rate = expit(4 * state)
        return (4 * rate * (1 - rate) * (bias + np.einsum("nij,nj->ni", weights, rate)) - state).ravel()

    return solve_ivp(flow, (0, time), start.ravel(), "DOP853", rtol=1e-10, atol=1e-12).y[:, -1].reshape(start.shape)


def run(key: Key[Array, ""], config: PrintedUpdateConfig, progress: Progress) -> xr.Dataset:
    """Follow networks to rest and compare with closed forms and with the differential equation."""
    progress(0.0, "networks to rest")
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    rate_fn = sigmoid()
    # Steps at which the error against the differential equation is measured, halved one by one.
    sizes = 0.2 / 2.0 ** np.arange(config.halvings + 1)
    n_euler = np.round(_HORIZON / sizes).astype(int)

    @jax.jit
    def follow_all(keys: Key[Array, "network"], steps: Float[Array, "step"], sizes: Float[Array, "size"]):
        found = jax.vmap(lambda key: jax.vmap(lambda step: follow(key, step, config))(steps), out_axes=1)(keys)
        hard = jax.vmap(lambda key: interior_network(key, config.n_units))(keys)
        # Of the same weights and starts; where these networks rest does not matter here.
        bias = jax.vmap(lambda weights, state: state - weights @ rate_fn.value(state))
        networks = hard._replace(params=hard.params._replace(bias=bias(hard.params.weights, hard.fixed_point)))

        def to_horizon(network: Interior) -> Float[Array, "scheme size unit"]:
            def at(kernel: Kernel, step: Array, n: Array) -> Array:
                start, hyper = network.start, kernel.Hyper(step)
                return path_from(kernel, network.params, start, hyper, int(n_euler[-1]), key_of(0))[n]

            kernels, counts = (LeakyIntegrator(rate_fn), Midpoint(rate_fn)), jnp.asarray(n_euler, jnp.int32)
            return jnp.stack([jax.vmap(partial(at, kernel))(sizes, counts) for kernel in kernels])

        return found, networks, jax.vmap(to_horizon, out_axes=2)(networks)

    found, smooth, at_horizon = on_host(follow_all(keys, jnp.asarray(config.steps, float), jnp.asarray(sizes, float)))
    progress(0.9, "the differential equation")
    error = np.linalg.norm(at_horizon - reference(smooth.params, smooth.start, _HORIZON), axis=-1)
    n_shown = min(config.n_steps, 200)
    first = found["distance"][:, 0, :, : n_shown + 1]
    return merged(
        labelled(("step", "update", "time"), distance=(first, "|s - s*| / |s*| of the first network")),
        labelled((*_PER_RUN, "update", "unit"), "activity", end=found["end"], end_target=found["end_target"]),
        labelled(("network", "unit"), "activity", fixed_point=smooth.fixed_point),
        labelled((*_PER_RUN, "leak", "unit"), "activity", leak_end=found["leak_end"]),
        labelled((*_PER_RUN, "factor"), decay=(found["decay"], "relative difference of the decay")),
        labelled(("scheme", "size", "network"), "activity", error=(error, "global error")),
        required(_PER_RUN, "corrected paths in the active region", stays_active=found["is_active"]),
        step=("step", list(config.steps), {"units": "tau"}),
        update=["corrected", "printed"],
        leak=["one", "two"],
        scheme=["Eq 6", "midpoint"],
        factor=["1-step(1-lambda)", "1-step"],
        time=("time", np.arange(n_shown + 1), {"units": "steps"}),
        size=("size", sizes, {"units": "tau"}),
    )


STUDY = Study(
    name="printed_update",
    title="Eq 6 and 17: the update as printed",
    figure="Eq 6, 7 and 17",
    source="Bengio et al. 2015, Eq 6, 7 and 17, sections 3.3 and 4.2",
    caption="Eq 17 subtracts the leak twice. As printed the network comes to rest half way, at s = R(s)/2, at any "
    "step; with one leak it reaches the fixed point of Eq 26. Deviations then shrink by 1-step(1-lambda) along each "
    "eigenvector, and the update solves the differential equation to first order.",
    config=PrintedUpdateConfig(),
    smoke=dict(n_networks=4, n_steps=200, halvings=2),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
