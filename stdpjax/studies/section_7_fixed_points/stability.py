"""Whether a fixed point is stable: eigenvalues decide, and not the determinant (section 7)."""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.dynamics import LeakyIntegrator, StepHyper, simulate
from stdpjax.energy import Params, tie
from stdpjax.fixed_points import relaxation_time, spectral_stability
from stdpjax.lab import Progress, Study, at_least, at_most
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.networks import tied_networks
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.studies.measures import labelled, largest, merged, on_device, on_host, refutes, required, supports
from stdpjax.studies.network_runs import settle
from stdpjax.studies.section_7_fixed_points.stability_figure import plot
from stdpjax.theory.box_minima import box_points

N_UNITS = 6
# The examples: weights, step size. All rest at s = 0, with biases of minus half the summed weights.
EXAMPLES: dict[str, tuple[np.ndarray, float]] = {
    "A": (0.7 * (1 - np.eye(3)), 0.1),
    "A'": (np.kron(np.diag([2.0, 0.1]), 1 - np.eye(2)), 0.1),
    "B": (-0.9 * np.kron(np.eye(2), 1 - np.eye(3)), 0.70),
}
# With units added that are connected to nothing.
_EXAMPLE_WEIGHTS = np.stack([np.pad(weights, (0, N_UNITS - len(weights))) for weights, _ in EXAMPLES.values()])
_EXAMPLE_STEPS = np.array([step for _, step in EXAMPLES.values()])
_START = 1e-3
# A deviation that has come down to a tenth of its start counts as one that decays.
_DECAYED = 0.1 * _START


@configuration
class StabilityConfig:
    """Settings of the stability study; times in steps."""

    n_random: int = setting(400, f"random networks of {N_UNITS} units at random step sizes, W_ij = W_ji", at_least=2)
    # The largest eigenvalue is then about 1.1 (1.55 times this), so that many networks are stable and many are not.
    scale: float = setting(0.7, "standard deviation of their weights, times the root of their number of units", above=0)
    margin: float = setting(0.01, "least |spectral radius - 1| of a network that is judged", above=0, below=0.5)
    n_judged: int = setting(2000, "steps after which a deviation has grown or decayed", at_least=2)
    n_tied: int = setting(100, "random tied networks whose decay is timed", at_least=2)
    n_timed: int = setting(20, "steps over which it is", at_least=2)
    n_strong: int = setting(40, "random tied networks with large weights, for their attractors", at_least=2)
    steps: tuple[float, ...] = setting((0.005, 0.02, 0.1), "step sizes of these", **STEP, increasing=True)
    n_steps: int = setting(10_000, "steps of these to settle, and again as many to average over", at_least=2)


def _n_examples_right(data: xr.Dataset, size: xr.DataArray) -> int:
    """Return how many of the examples decay if, and only if, a number is below 1."""
    return int(((size < 1) == (data.example_left <= _DECAYED)).sum())


def _is_judged(data: xr.Dataset) -> np.ndarray:
    return (np.abs(data.radius - 1) > data.margin).values


def _agreement(data: xr.Dataset, size: xr.DataArray) -> float:
    """Return the share of the judged random networks that decay if, and only if, a number is below 1."""
    return float(((size < 1) == (data.left <= _DECAYED)).values[_is_judged(data)].mean())


CLAIMS = (
    supports(
        "sec7.approach",
        "Largest relative difference of the decay time of a deviation from -step / ln(spectral radius), tied networks.",
        criterion=at_most(1e-2, double=1e-8),
        measure=lambda data: largest(data.decay_time / data.predicted_time - 1),
        control=lambda data: largest(data.decay_time - 1),
        control_is="the time constant of a unit on its own, 1, as Eq 6 suggests",
        note="Networks at rest between the thresholds, along the slowest mode.",
    ),
    refutes(
        "sec7.determinant",
        "Of the fixed points at 0 of networks A, A' and B, how many are stable just where the determinant is below 1.",
        criterion=at_most(0.0),
        measure=lambda data: _n_examples_right(data, data.example_determinant),
        control=lambda data: _n_examples_right(data, data.example_radius),
        control_is="the spectral criterion",
        note=lambda data: f"Determinants {', '.join(f'{value:.3f}' for value in data.example_determinant.values)}.",
    ),
    refutes(
        "sec7.spectral",
        "Share of random networks, W_ij = W_ji, on which the spectral criterion agrees with simulation.",
        criterion=at_least(1.0),
        measure=lambda data: _agreement(data, data.radius),
        control=lambda data: _agreement(data, np.abs(data.determinant)),
        control_is="the determinant, read as its absolute value",
        note=lambda data: (
            f"{_is_judged(data).sum()} of {data.sizes['random']} networks, the others within {float(data.margin):g} of "
            f"the limit; {float((data.radius < 1).mean()):.0%} of all are stable. The determinant as printed agrees on "
            f"{_agreement(data, data.determinant):.0%}."
        ),
    ),
    refutes(
        "sec7.attractors",
        "Largest distance of the time average (step 0.005, weights with eigenvalues above 1) from a minimum of the "
        "energy between the thresholds.",
        criterion=at_most(0.01),
        measure=lambda data: data.to_minimum.sel(step=data.step.min()).max(),
        control=lambda data: data.to_corner.sel(step=data.step.min()).max(),
        control_is="the nearest corner, as if large weights drove every unit to a threshold",
        note=lambda data: (
            f"The determinant is 1 or more in {int((data.strong_determinant >= 1).sum())} of {data.sizes['strong']}."
        ),
    ),
)


def run(key: Key[Array, ""], config: StabilityConfig, progress: Progress) -> xr.Dataset:
    """Let deviations from rest grow or decay, and networks with large weights settle."""
    progress(0.0, "decay along eigenvectors")
    timed = _timed(key, config)
    progress(0.3, "random networks")
    judged = _judged(key, config)
    progress(0.6, "attractors of large weights")
    attractors = _attractors(named_key(key, "attractors"), named_key(key, "strong"), config)
    return merged(
        timed, judged, attractors, example=list(EXAMPLES), step=("step", np.array(config.steps), {"units": "tau"})
    )


def _timed(key: Key[Array, ""], config: StabilityConfig) -> xr.Dataset:
    """How long a deviation along the slowest mode of tied networks lasts."""
    weights, _ = tied_networks(named_key(key, "tied"), config.n_tied, N_UNITS, (0.2, 0.9), 0.0)
    steps = _uniform(named_key(key, "tied steps"), config.n_tied, 0.02, 0.3)
    start = _START * _slowest_modes(weights, steps)
    end, is_finite = _run(key, _at_rest(weights), start, steps, config.n_timed)
    shrunk = np.linalg.norm(end, axis=-1) / np.linalg.norm(start, axis=-1)
    return merged(
        labelled(
            "tied",
            "tau",
            decay_time=-steps * config.n_timed / np.log(shrunk),
            predicted_time=_spectra(weights, steps)["time"],
        ),
        required("tied", "tied networks with finite states", tied_is_finite=is_finite),
    )


def _judged(key: Key[Array, ""], config: StabilityConfig) -> xr.Dataset:
    """What is left of a deviation after many steps, in random networks and the examples."""
    n_random = config.n_random
    raw = jax.random.normal(named_key(key, "random"), (n_random, N_UNITS, N_UNITS), float)
    # The mean of two numbers varies less than either.
    tied = config.scale * np.sqrt(2 / N_UNITS) * np.asarray(jax.vmap(tie)(raw), np.float64)
    weights = np.concatenate([tied, _EXAMPLE_WEIGHTS])
    steps = np.concatenate([_uniform(named_key(key, "steps"), n_random, 0.05, 1.0), _EXAMPLE_STEPS])
    direction = np.asarray(jax.random.normal(named_key(key, "deviation"), weights.shape[:2], float), np.float64)
    connected = np.any(weights != 0, axis=-1)
    start = _START * np.where(connected, direction, 0) / np.linalg.norm(direction, axis=-1, keepdims=True)
    end, is_finite = _run(key, _at_rest(weights), start, steps, config.n_judged)
    left, spectrum = np.linalg.norm(end, axis=-1), _spectra(weights, steps)
    blocks = [block for block, _ in EXAMPLES.values()]
    eigenvalues = [np.pad(np.linalg.eigvalsh(block), (0, N_UNITS - len(block)), mode="edge") for block in blocks]
    of_left, of_radius = "deviation left", "largest |1 - step + step lambda|"
    return merged(
        labelled(("example", "mode"), example_eigenvalue=(np.stack(eigenvalues), "eigenvalue of R'")),
        labelled(
            "example",
            example_determinant=np.array([np.linalg.det(block) for block in blocks]),
            example_radius=(spectrum["radius"][n_random:], of_radius),
        ),
        labelled("example", "tau", example_step=_EXAMPLE_STEPS),
        labelled("example", "activity", example_left=(left[n_random:], of_left)),
        labelled("random", "activity", left=(left[:n_random], of_left)),
        labelled(
            "random", radius=(spectrum["radius"][:n_random], of_radius), determinant=spectrum["determinant"][:n_random]
        ),
        labelled((), margin=(config.margin, "least distance of the radius from 1 to be judged")),
        required("many", "networks with finite states", is_finite=is_finite),
    )


def _attractors(key: Key[Array, ""], network_key: Key[Array, ""], config: StabilityConfig) -> xr.Dataset:
    """Where networks with large weights settle from random starts, beside the stationary points on the box."""
    shape = (len(config.steps), config.n_strong)
    weights, bias = tied_networks(network_key, config.n_strong, N_UNITS, (1.2, 3.0), 0.5)
    params = Params(*(on_device(np.concatenate([part] * shape[0])) for part in (weights, bias)))
    start = jax.random.uniform(named_key(key, "start"), (config.n_strong, N_UNITS), float, -1.0, 1.0)
    steps, keys = on_device(np.repeat(config.steps, shape[1])), member_keys(key, shape[0] * shape[1])
    state = jnp.tile(start, (shape[0], 1))
    # Coarsely first: some networks leave the neighbourhood of a saddle slowly.
    for each in (jnp.full_like(steps, config.steps[-1]), steps):
        state, _, _ = settle(keys, params, state, each, config.n_steps)
    _, average, is_finite = settle(keys, params, state, steps, config.n_steps)
    found = box_points(weights, bias)
    average = np.asarray(average, np.float64).reshape(*shape, N_UNITS)
    distance = np.abs(average[:, :, None] - found.state[None]).max(axis=-1)
    cells = ("step", "strong")
    return merged(
        labelled(
            cells,
            "activity",
            to_minimum=(np.where(found.is_minimum, distance, np.inf).min(axis=-1), "distance to a box minimum"),
            to_corner=(np.abs(np.abs(average) - 0.5).max(axis=-1), "distance to the nearest corner of the box"),
        ),
        labelled("strong", strong_determinant=(np.linalg.det(weights), "determinant of R' between the thresholds")),
        required(cells, "strong networks with finite states", strong_is_finite=np.reshape(is_finite, shape)),
    )


def _at_rest(weights: np.ndarray) -> Params:
    """Networks that rest at s = 0."""
    return Params(on_device(weights), on_device(-0.5 * weights.sum(axis=-1)))


def _uniform(key: Key[Array, ""], n: int, low: float, high: float) -> np.ndarray:
    return np.asarray(jax.random.uniform(key, (n,), float, low, high), np.float64)


def _slowest_modes(weights: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Eigenvectors of tied weights along which a deviation from rest decays least, or grows most."""
    values, vectors = np.linalg.eigh(weights)
    index = np.argmax(np.abs(1 - steps[:, None] + steps[:, None] * values), axis=1)
    return np.take_along_axis(vectors, index[:, None, None], axis=2)[..., 0]


def _spectra(weights: np.ndarray, steps: np.ndarray) -> dict[str, np.ndarray]:
    def one(params: Params, step: Array) -> dict[str, Array]:
        found = spectral_stability(params, jnp.zeros_like(params.bias), hard_sigmoid(), step)
        time = relaxation_time(found, step)
        return {"radius": found.spectral_radius, "determinant": found.determinant, "time": time}

    return on_host(jax.jit(jax.vmap(one))(_at_rest(weights), on_device(steps)))


def _run(key: Key[Array, ""], params: Params, start: np.ndarray, steps: np.ndarray, n_steps: int):
    """States after some steps, each network with a step size of its own, and whether they are finite."""
    kernel = LeakyIntegrator(hard_sigmoid())

    def one(key: Array, params: Params, state: Array, step: Array) -> tuple[Array, Array]:
        done = simulate(key, params, kernel, StepHyper(step), state=state, n_steps=n_steps)
        return done.state, done.is_finite

    starts = map(on_device, (start, steps))
    return on_host(jax.jit(jax.vmap(one))(member_keys(key, steps.size), params, *starts))


STUDY = Study(
    name="stability",
    title="Stability: eigenvalues, not determinants",
    figure="Section 7",
    source="Bengio et al. 2015, section 7",
    caption="The paper calls a fixed point stable if the determinant of R' is below 1. Top: counterexamples. A fixed "
    "point is stable if all eigenvalues lie in the disc |1 - step + step * eigenvalue| < 1. Bottom: random networks; "
    "and networks with large weights, which settle in minima of the energy on the box between the kinks all the same.",
    config=StabilityConfig(),
    smoke=dict(n_random=40, n_tied=10, n_judged=500, n_strong=8, n_steps=500),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
