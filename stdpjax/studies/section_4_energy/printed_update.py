"""The state update as printed and as corrected (Eq 6, 7 and 17), and the differential equation behind it."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Bool, Float, Key
from numpy.typing import NDArray

from stdpjax.clamps import Clamps, StateClamp
from stdpjax.dynamics import Field, Kernel, LeakyIntegrator, PrintedIntegrator
from stdpjax.energy import Params, energy_of, target_of
from stdpjax.lab import Claim, at_most, within
from stdpjax.lab.settings import configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import interior_network, is_active, resting_bias
from stdpjax.random import key as key_of
from stdpjax.random import member_keys, named_key
from stdpjax.rates import RateFunction, hard_sigmoid, sigmoid
from stdpjax.stats import mean_interval
from stdpjax.studies.measures import largest, stacked
from stdpjax.studies.network_runs import path_from
from stdpjax.studies.section_4_energy.printed_update_figure import plot

# Steps over which the decay of a deviation is compared with its closed form.
_N_DECAY = 10
# Time, in time constants, at which the error against the differential equation is taken.
_HORIZON = 2.0


@configuration
class PrintedUpdateConfig:
    """Settings of the study of the state update; steps are fractions of the time constant."""

    n_networks: int = setting(32, "networks, half of whose units are clamped where Eq 6 is read literally", at_least=2)
    n_units: int = setting(6, "units of a network", multiple_of=2)
    steps: tuple[float, ...] = setting((0.1, 0.2, 0.5), "step sizes", above=0, at_most=0.5, increasing=True)
    n_steps: int = setting(800, "steps towards the fixed point", at_least=_N_DECAY)
    halvings: int = setting(
        4, "how often the step 0.2 is halved to measure the order of the error", at_least=2, at_most=8
    )


def _of(data: xr.Dataset, update: str) -> xr.Dataset:
    return data.sel(update=update)


def _from_half(data: xr.Dataset) -> xr.DataArray:
    return data.end - 0.5 * data.end_target


def _from_rest(data: xr.Dataset, leak: str) -> xr.DataArray:
    return np.abs(data.leak_end.sel(leak=leak) - data.fixed_point)


def _order(data: xr.Dataset, update: str) -> xr.DataArray:
    """Return what halving the smallest steps gains, for each network."""
    error = data.error.sel(update=update)
    return np.log2(error.isel(size=-2) / error.isel(size=-1))


_eq_17 = partial(
    Claim,
    statement="Eq 17",
    bearing="refutes",
)
_eq_6_and_7 = partial(
    Claim,
    statement="Eq 6 and 7",
    bearing="limits",
)

CLAIMS = (
    _eq_17(
        "E17.corrected",
        "Largest distance of a unit from the prescribed fixed point s* = R(s*), over networks and steps, corrected.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: largest(_of(data, "corrected").end - data.fixed_point),
        control=lambda data: largest(_of(data, "printed").end - data.fixed_point),
        control_is="as printed",
        note=lambda data: (
            f"{data.sizes['network']} networks, steps {', '.join(f'{step:g}' for step in data.step.values)}."
        ),
    ),
    _eq_17(
        "E17.half",
        "Largest distance of a unit from R(s)/2 where the printed update comes to rest.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: largest(_from_half(_of(data, "printed"))),
        control=lambda data: largest(_from_half(_of(data, "corrected"))),
        control_is="the corrected update",
    ),
    _eq_17(
        "E17.distance",
        "Largest difference of |s - s*| / |s*| at rest as printed from its closed form, over networks and steps.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: largest(_of(data, "printed").end_distance - data.closed_distance),
        control=lambda data: largest(_of(data, "corrected").end_distance - data.closed_distance),
        control_is="the corrected update",
        note=lambda data: f"Mean distance {float(_of(data, 'printed').end_distance.mean()):.4f}.",
    ),
    Claim(
        "E17.descent",
        "Largest difference of the printed step from -step times the gradient of E with doubled quadratic term.",
        statement="Eq 17",
        criterion=at_most(1e-6, double=1e-14),
        measure=lambda data: data.descent.sel(energy="doubled").max(),
        control=lambda data: data.descent.sel(energy="Eq 16").max(),
        control_is="the energy of Eq 16",
        bearing="refutes",
    ),
    Claim(
        "E6.leak",
        "Largest distance of a hidden unit from its fixed point with the leak -h_t, half of the units clamped.",
        statement="Eq 6",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: _from_rest(data, "own").max(),
        control=lambda data: _from_rest(data, "literal").max("unit").min(),
        control_is="Eq 6 to the letter, the first units of s_t in the place of h_t",
        bearing="refutes",
    ),
    _eq_6_and_7(
        "3.6.constant_target",
        "Largest difference of a deviation from (1-step) times the one before, relative to the first; constant target.",
        criterion=at_most(1e-5, double=1e-14),
        measure=lambda data: data.decay.sel(check="constant").max(),
        control=lambda data: data.decay.sel(check="constant, printed").max(),
        control_is="the printed Eq 17",
    ),
    _eq_6_and_7(
        "3.6.eigenvectors",
        "Largest difference of a deviation along an eigenvector from 1-step(1-lambda) times the one before, "
        "relative to the first.",
        criterion=at_most(1e-5, double=1e-12),
        measure=lambda data: data.decay.sel(check="eigenvectors").max(),
        control=lambda data: data.decay.sel(check="eigenvectors, (1-step)").max(),
        control_is="the factor (1-step)",
    ),
    Claim(
        "T5.order",
        "Order of the global error against the differential equation: log2 of what halving the smallest steps gains.",
        statement="Section 3.3",
        criterion=within(1.0, 0.05),
        measure=lambda data: mean_interval(_order(data, "corrected")),
        control=lambda data: _order(data, "printed").mean(),
        control_is="the printed Eq 17",
        bearing="supports",
        note=lambda data: (
            f"Sigmoid networks at {_HORIZON:g} time constants, steps {float(data['size'][-2]):g} and "
            f"{float(data['size'][-1]):g}."
        ),
    ),
)


class LiteralLeak(Kernel):
    """Eq 6 to the letter: what leaks are the first half of s_t, which are the clamped units, in the place of h_t."""

    def __call__(self, key: Key[Array, ""], state: Float[Array, "unit"], field: Field, hyper: Any) -> Any:
        """Return the next state."""
        clamped = state[: state.shape[0] // 2]
        return state + hyper.step * (field.target(state) - jnp.concatenate([clamped, clamped]))


class Paths(NamedTuple):
    """What one network does at one step size; the update is corrected, then as printed."""

    distance: Float[Array, "update time"]
    """|s - s*| / |s*|."""
    end: Float[Array, "update unit"]
    end_target: Float[Array, "update unit"]
    """R(s) there."""
    descent: Float[Array, "energy"]
    """Largest difference of the printed step from a step down E', and down E."""
    leak_end: Float[Array, "leak unit"]
    """Where the units end, the first half clamped, with the leak of the units and with the literal one."""
    decay: Float[Array, "check"]
    """Relative differences from the closed-form decay: constant target, eigenvectors; each with its control."""
    is_active: Bool[Array, ""]


def _path(
    kernel: Kernel, params: Params, start: Float[Array, "unit"], step: Array, n_steps: int, clamps: Clamps = ()
) -> Array:
    """Return the states from the start on, without noise: that of the printed update is 0."""
    return path_from(kernel, params, start, kernel.Hyper(step), n_steps, key_of(0), clamps)


def doubled_energy(params: Params, state: Float[Array, "unit"], rate_fn: RateFunction) -> Float[Array, ""]:
    """Return E', the energy of Eq 16 with twice its quadratic term."""
    return energy_of(params, state, rate_fn) + 0.5 * jnp.sum(state * state)


def _decay_of(deviation: Float[Array, "time unit"], factor: Array) -> Float[Array, ""]:
    """Return how far the deviations are from a constant factor for each step, relative to the first."""
    wrong = jnp.linalg.norm(deviation[1:] - factor * deviation[:-1], axis=1)
    return jnp.max(wrong) / jnp.linalg.norm(deviation[0])


def follow(key: Key[Array, ""], step: Float[Array, ""], config: PrintedUpdateConfig) -> Paths:
    """Follow one network at one step size, in all the ways that the claims compare."""
    rho = hard_sigmoid()
    network = interior_network(key, config.n_units)
    fixed_point = network.fixed_point
    right, printed = LeakyIntegrator(rho), PrintedIntegrator(rho)
    eigenvalues, vectors = jnp.linalg.eigh(network.params.weights)
    unconnected = jnp.zeros_like(network.params.weights)
    alone = Params(unconnected, resting_bias(unconnected, fixed_point, rho))
    # One loop over time for each kernel: the network, the units alone, and the network pushed along its eigenvectors.
    both = stacked(network.params, alone)
    starts = jnp.stack([network.start, network.start])
    along = fixed_point[None] + 0.25 * vectors.T

    def paths_of(kernel: Kernel, params: Params, starts: Array) -> Array:
        return jax.vmap(lambda params, start: _path(kernel, params, start, step, config.n_steps))(params, starts)

    every = jax.tree.map(
        lambda pair, one: jnp.concatenate([pair, jnp.stack([one] * config.n_units)]), both, network.params
    )
    right_paths = paths_of(right, every, jnp.concatenate([starts, along]))
    printed_paths = paths_of(printed, both, starts)
    paths = jnp.stack([right_paths[0], printed_paths[0]])
    distance = jnp.linalg.norm(paths - fixed_point[None, None], axis=-1) / jnp.linalg.norm(fixed_point)
    ends = paths[:, -1]
    targets = jax.vmap(lambda state: target_of(network.params, state, rho))(ends)

    states = paths[1, :_N_DECAY]
    slopes = [
        jax.vmap(jax.grad(partial(of, network.params, rate_fn=rho)))(states) for of in (doubled_energy, energy_of)
    ]
    moved = paths[1, 1 : _N_DECAY + 1] - states
    descent = jnp.stack([jnp.max(jnp.abs(moved + step * slope)) for slope in slopes])

    half = config.n_units // 2
    is_clamped = jnp.arange(config.n_units) < half
    start = jnp.where(is_clamped, fixed_point, network.start)
    held = StateClamp(is_clamped, start)
    leaks = [
        _path(kernel, network.params, start, step, config.n_steps, (held,))[-1] for kernel in (right, LiteralLeak(rho))
    ]

    first = slice(_N_DECAY + 1)
    constant = [_decay_of(path[1, first] - fixed_point[None], 1 - step) for path in (right_paths, printed_paths)]
    modes = right_paths[2:, first] - fixed_point[None, None]
    factors = jnp.stack([1 - step * (1 - eigenvalues), jnp.broadcast_to(1 - step, eigenvalues.shape)])
    of_modes = jax.vmap(lambda factor: jnp.max(jax.vmap(_decay_of)(modes, factor)))(factors)
    decay = jnp.concatenate([jnp.stack(constant), of_modes])
    return Paths(distance, ends, targets, descent, jnp.stack(leaks), decay, is_active(paths[0], rho))


def reference(params: Params, start: NDArray[np.float64], time: float, n_steps: int = 200) -> NDArray[np.float64]:
    """Return the solutions of ds/dt = R(s) - s, time in tau, for networks with a sigmoid, `[network, unit]`.

    Classical Runge-Kutta in double precision on the host, so that it shares nothing with what it is compared with.
    """
    weights, bias = (np.asarray(part, np.float64) for part in params)

    def flow(state: NDArray[np.float64]) -> NDArray[np.float64]:
        rate = 1 / (1 + np.exp(-4 * state))
        return 4 * rate * (1 - rate) * (bias + np.einsum("nij,nj->ni", weights, rate)) - state

    state, dt = start, time / n_steps
    for _ in range(n_steps):
        a = flow(state)
        b = flow(state + 0.5 * dt * a)
        c = flow(state + 0.5 * dt * b)
        d = flow(state + dt * c)
        state = state + dt / 6 * (a + 2 * b + 2 * c + d)
    return state


def euler_steps(config: PrintedUpdateConfig) -> NDArray[np.float64]:
    """Return the steps at which the error against the differential equation is measured, halved one by one."""
    return np.asarray(0.2 / 2.0 ** np.arange(config.halvings + 1), np.float64)


def run(key: Key[Array, ""], config: PrintedUpdateConfig, progress: Progress) -> xr.Dataset:
    """Follow networks to rest and compare with closed forms and with the differential equation."""
    progress(0.0, "networks to rest")
    keys = member_keys(named_key(key, "networks"), config.n_networks)
    smooth = sigmoid()
    sizes = euler_steps(config)
    n_euler = np.round(_HORIZON / sizes).astype(int)

    @jax.jit
    def follow_all(keys: Key[Array, "network"], steps: Float[Array, "step"], sizes: Float[Array, "size"]):
        found = jax.vmap(lambda key: jax.vmap(lambda step: follow(key, step, config))(steps), out_axes=1)(keys)
        hard = jax.vmap(lambda key: interior_network(key, config.n_units))(keys)
        # Of the same weights and starts; where these networks rest does not matter here.
        bias = jax.vmap(lambda weights, state: state - weights @ smooth.value(state))
        networks = hard._replace(params=hard.params._replace(bias=bias(hard.params.weights, hard.fixed_point)))

        def euler(kernel: Kernel, params: Params, start: Array, step: Array, n: Array) -> Array:
            return _path(kernel, params, start, step, int(n_euler[-1]))[n]

        def to_horizon(params: Params, start: Array) -> Array:
            """Return the state at the horizon, `[update, size, unit]`."""
            kernels = (LeakyIntegrator(smooth), PrintedIntegrator(smooth))
            return jnp.stack(
                [
                    jax.vmap(partial(euler, kernel, params, start))(sizes, jnp.asarray(n_euler, jnp.int32))
                    for kernel in kernels
                ]
            )

        networks_at = jax.vmap(to_horizon, out_axes=2)(networks.params, networks.start)
        return found, networks, networks_at, hard

    found, smooth_networks, at_horizon, networks = jax.tree.map(
        np.asarray, follow_all(keys, jnp.asarray(config.steps, float), jnp.asarray(sizes, float))
    )
    progress(0.9, "the differential equation")
    exact = reference(smooth_networks.params, smooth_networks.start.astype(np.float64), _HORIZON)
    error = np.linalg.norm(at_horizon.astype(np.float64) - exact, axis=-1)
    fixed_point, weights = (np.asarray(part, np.float64) for part in (networks.fixed_point, networks.params.weights))
    halfway = np.linalg.solve(2 * np.eye(config.n_units) - weights, fixed_point[..., None])[..., 0]
    n_shown = min(config.n_steps, 200)
    return xr.Dataset(
        {
            "distance": (
                ("step", "update", "time"),
                found.distance[:, 0, :, : n_shown + 1],
                {"long_name": "|s - s*| / |s*| of the first network"},
            ),
            "end": (("step", "network", "update", "unit"), found.end, {"units": "activity"}),
            "end_target": (("step", "network", "update", "unit"), found.end_target, {"units": "activity"}),
            "end_distance": (("step", "network", "update"), found.distance[..., -1]),
            "closed_distance": ("network", np.linalg.norm(halfway, axis=-1) / np.linalg.norm(fixed_point, axis=-1)),
            "fixed_point": (("network", "unit"), fixed_point, {"units": "activity"}),
            "descent": (("step", "network", "energy"), found.descent, {"units": "activity per step"}),
            "leak_end": (("step", "network", "leak", "unit"), found.leak_end, {"units": "activity"}),
            "decay": (("step", "network", "check"), found.decay, {"long_name": "relative difference of the decay"}),
            "error": (("update", "size", "network"), error, {"units": "activity", "long_name": "global error"}),
            "stays_active": (
                ("step", "network"),
                found.is_active,
                {"required": "corrected paths in the active region"},
            ),
        },
        coords={
            "step": ("step", list(config.steps), {"units": "tau"}),
            "update": ["corrected", "printed"],
            "energy": ["doubled", "Eq 16"],
            "leak": ["own", "literal"],
            "check": ["constant", "constant, printed", "eigenvectors", "eigenvectors, (1-step)"],
            "time": ("time", np.arange(n_shown + 1), {"units": "steps"}),
            "size": ("size", sizes, {"units": "tau"}),
        },
    )


STUDY = Study(
    name="printed_update",
    title="Eq 6 and 17: the update as printed",
    figure="Eq 6, 7 and 17",
    source="Bengio et al. 2015, Eq 6, 7 and 17, sections 3.3 and 4.2",
    caption="Eq 17 subtracts the leak twice. As printed the network comes to rest half way, at s = R(s)/2, at any "
    "step; with one leak it reaches the fixed point of Eq 26. Deviations then shrink by 1-step(1-lambda) along each "
    "eigenvector, by 1-step only where the target stays constant, and the update solves the differential equation to "
    "first order.",
    config=PrintedUpdateConfig(),
    smoke=dict(n_networks=4, n_steps=200, halvings=2),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
