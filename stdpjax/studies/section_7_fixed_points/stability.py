"""Whether a fixed point is stable: eigenvalues decide, and not the determinant (section 7)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax.dynamics import LeakyIntegrator, NoiseHyper, StepHyper, simulate
from stdpjax.energy import Params
from stdpjax.fixed_points import relaxation_time, spectral_stability
from stdpjax.lab import Claim, Estimate, at_least, at_most, within
from stdpjax.lab.settings import STEP, configuration, setting
from stdpjax.lab.study import Progress, Study
from stdpjax.networks import tied_networks
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.stats import normal_interval
from stdpjax.studies.measures import labelled, merged, on_host, required
from stdpjax.studies.network_runs import settle
from stdpjax.studies.section_7_fixed_points.stability_figure import plot
from stdpjax.theory.box_minima import box_points

N_UNITS = 6
_FULL = 1 - np.eye(3)
_PAIR = 1 - np.eye(2)
_NONE = np.zeros((2, 2))


def _padded(block: np.ndarray) -> np.ndarray:
    """Weights with units added that are connected to nothing."""
    return np.pad(block, (0, N_UNITS - block.shape[0]))


# The examples: weights, step size. All rest at s = 0, with biases of minus half the summed weights.
EXAMPLES: dict[str, tuple[np.ndarray, float]] = {
    "A": (0.7 * _FULL, 0.1),
    "A'": (np.block([[2.0 * _PAIR, _NONE], [_NONE, 0.1 * _PAIR]]), 0.1),
    "B": (-0.9 * np.kron(np.eye(2), _FULL), 0.70),
    "B, larger step": (-0.9 * np.kron(np.eye(2), _FULL), 0.73),
}
_EXAMPLE_WEIGHTS = np.stack([_padded(weights) for weights, _ in EXAMPLES.values()])
_EXAMPLE_STEPS = np.array([step for _, step in EXAMPLES.values()])
_START = 1e-3
# A deviation that has come down to a tenth of its start counts as one that decays.
_DECAYED = 0.1 * _START


@configuration
class StabilityConfig:
    """Settings of the stability study; times in steps."""

    n_random: int = setting(400, f"random untied networks of {N_UNITS} units at random step sizes", at_least=2)
    scale: float = setting(
        1.6, "standard deviation of their weights, times the square root of the number of units", above=0
    )
    margin: float = setting(
        0.01, "least distance of the spectral radius from 1 for a network to be judged", above=0, below=0.5
    )
    n_pairs: int = setting(200, "random pairs of units with tied weights", at_least=2)
    n_tied: int = setting(100, "random tied networks whose decay is timed", at_least=2)
    n_growth: int = setting(20, "steps over which growth along an eigenvector is measured", at_least=2)
    n_judged: int = setting(2000, "steps after which a deviation has grown or decayed", at_least=2)
    n_strong: int = setting(40, "random tied networks with large weights, for their attractors", at_least=2)
    steps: tuple[float, ...] = setting((0.005, 0.02, 0.1), "step sizes of these, rising", **STEP, distinct=True)
    n_steps: int = setting(10_000, "steps of these to settle, and again as many to average over", at_least=2)


_DETERMINANT = "A stable attractor exists if, and only if, the determinant of the Jacobian R'(s) is less than 1."


def _growth_error(data: xr.Dataset, expected: xr.DataArray) -> float:
    """Return the largest difference of the examples' growth from what is expected."""
    return float(np.abs(data.growth - expected)[: len(EXAMPLES)].max())


def _n_examples_right(data: xr.Dataset, is_stable: xr.DataArray) -> int:
    """Return on how many of the examples A, A' and B a verdict is that of simulation."""
    return int(np.sum(is_stable.values[:3] == (data.example_left.values[:3] <= _DECAYED)))


def _is_judged(data: xr.Dataset) -> np.ndarray:
    return (np.abs(data.radius - 1) > data.margin).values


def _agreement(data: xr.Dataset, size: xr.DataArray) -> float:
    """Return the share of the judged random networks that decay if, and only if, a number is below 1."""
    return float(((size < 1) == (data.left <= _DECAYED)).values[_is_judged(data)].mean())


def _share_wrong(data: xr.Dataset) -> Estimate:
    wrong = 1 - _agreement(data, data.determinant)
    return normal_interval(wrong, np.sqrt(wrong * (1 - wrong) / _is_judged(data).sum()))


def _judged_note(data: xr.Dataset) -> str:
    is_judged = _is_judged(data)
    stable = (data.left.values[is_judged] <= _DECAYED).mean()
    return (
        f"{is_judged.sum()} of {is_judged.size} networks, {stable:.0%} of them stable; the others are within "
        f"{float(data.margin):g} of the limit."
    )


def _finest(data: xr.Dataset) -> xr.Dataset:
    return data.sel(step=data.step.min())


def _attractors_note(data: xr.Dataset) -> str:
    return (
        f"States end within |s| <= {float(data.reach.max()):.3f}; {int((data.n_minima > 1).sum())} of "
        f"{data.sizes['strong']} networks have several minima."
    )


def _time_error(data: xr.Dataset, expected: xr.DataArray) -> float:
    return float(np.abs(data.decay_time / expected - 1).max())


_section_7 = partial(Claim, statement="Section 7", bearing="refutes")

CLAIMS = (
    _section_7(
        "S7.growth",
        "Growth per step of example A (determinant 0.686) at step 0.1: ln(1 + 0.4 step) = 0.0392207.",
        criterion=within(float(np.log(1.04)), 1e-4, double=1e-9),
        measure=lambda data: data.growth[0],
        control=lambda data: data.trailing_growth[0],
        control_is="the mode of eigenvalue -0.7",
    ),
    _section_7(
        "S7.examples",
        "Largest difference of the growth per step from ln max |1 - step + step * eigenvalue|, examples A, A', B.",
        criterion=at_most(1e-4, double=1e-9),
        measure=lambda data: _growth_error(data, data.predicted_growth),
        control=lambda data: _growth_error(data, data.determinant_growth),
        control_is="the determinant in place of the eigenvalue",
    ),
    _section_7(
        "S7.determinant",
        "Of three examples (A, A', B) on how many the determinant gives the verdict that simulation gives.",
        criterion=at_most(0.0),
        measure=lambda data: _n_examples_right(data, data.example_determinant < 1),
        control=lambda data: _n_examples_right(data, data.predicted_growth < 0),
        control_is="the spectral criterion",
        note=lambda data: f"Determinants {', '.join(f'{value:.3f}' for value in data.example_determinant.values[:3])}.",
    ),
    _section_7(
        "S7.step_limit",
        "Deviation left of example B (determinant 2.126) at step 0.70, below its limit 2 / 2.8 = 0.714.",
        criterion=at_most(_DECAYED),
        measure=lambda data: data.example_left.sel(example="B"),
        control=lambda data: data.example_left.sel(example="B, larger step"),
        control_is="step 0.73",
        note=lambda data: f"Of {_START:g}, after {int(data.n_judged)} steps.",
    ),
    _section_7(
        "S7.spectral",
        "Share of random untied networks on which the spectral criterion agrees with simulation.",
        criterion=at_least(1.0),
        measure=lambda data: _agreement(data, data.radius),
        control=lambda data: _agreement(data, data.determinant),
        control_is="the determinant",
        note=_judged_note,
    ),
    _section_7(
        "S7.determinant_error",
        "Share of random untied networks on which the determinant gives the wrong verdict.",
        criterion=at_least(0.1),
        measure=_share_wrong,
        control=lambda data: 1 - _agreement(data, data.radius),
        control_is="the spectral criterion",
        note=lambda data: f"With an absolute value: {1 - _agreement(data, np.abs(data.determinant)):.3f}.",
    ),
    Claim(
        "S7.pairs",
        "Share of tied pairs of units on which |determinant| < 1 agrees with simulation, at step 0.05.",
        statement="Section 7",
        criterion=at_least(1.0),
        measure=lambda data: ((data.pair_weight**2 < 1) == (data.pair_left <= _DECAYED)).mean(),
        control=lambda data: (data.pair_left <= _DECAYED).mean(),
        control_is="the determinant as printed, less than 1 for all",
        bearing="limits",
        note=lambda data: f"{data.sizes['pair']} pairs.",
    ),
    Claim(
        "S7.attractors",
        "Largest distance of the time average (step 0.005, weights with eigenvalues above 1) from a box minimum.",
        statement="Section 7",
        criterion=at_most(0.01),
        measure=lambda data: _finest(data).to_minimum.max(),
        control=lambda data: _finest(data).to_saddle.max(),
        control_is="the other stationary points",
        bearing="refutes",
        note=_attractors_note,
    ),
    Claim(
        "S7.relaxation",
        "Largest relative difference of the measured decay time from -step / ln(spectral radius), tied networks.",
        statement="Section 7",
        criterion=at_most(1e-2, double=1e-8),
        measure=lambda data: _time_error(data, data.predicted_time),
        control=lambda data: _time_error(data, data.determinant_time),
        control_is="the determinant in place of the eigenvalue",
        bearing="supports",
    ),
)


def run(key: Key[Array, ""], config: StabilityConfig, progress: Progress) -> xr.Dataset:
    """Let deviations from rest grow or decay, and networks with large weights settle."""
    progress(0.0, "growth along eigenvectors")
    growth = _growth(key, config)
    progress(0.3, "random networks")
    decay = _decay(key, config)
    progress(0.6, "attractors of large weights")
    attractors = _attractors(named_key(key, "attractors"), named_key(key, "strong"), config)
    return merged(
        growth, decay, attractors, example=list(EXAMPLES), step=("step", np.array(config.steps), {"units": "tau"})
    )


def _growth(key: Key[Array, ""], config: StabilityConfig) -> xr.Dataset:
    """Growth along the eigenvectors that grow and decay fastest, of the examples and of random tied networks."""
    tied, _ = tied_networks(named_key(key, "tied"), config.n_tied, N_UNITS, (0.2, 0.9), 0.0)
    tied_steps = _uniform(named_key(key, "tied steps"), config.n_tied, 0.02, 0.3)
    weights, steps = np.concatenate([_EXAMPLE_WEIGHTS, tied]), np.concatenate([_EXAMPLE_STEPS, tied_steps])
    leading, trailing = _leading_modes(weights, steps)
    twice = _at_rest(np.concatenate([weights, weights]))
    ends, _ = _run(key, twice, np.concatenate([leading, trailing]) * _START, np.tile(steps, 2), config.n_growth)
    starts = np.linalg.norm(_START * leading, axis=-1)
    growth = np.log(np.linalg.norm(ends, axis=-1).reshape(2, -1) / starts) / config.n_growth
    spectrum, n_examples = _spectra(_at_rest(weights), steps), len(EXAMPLES)
    blocks = [np.linalg.eigvalsh(block) for block, _ in EXAMPLES.values()]
    eigenvalues = np.stack([np.pad(block, (0, N_UNITS - block.size), mode="edge") for block in blocks])
    return merged(
        labelled(("example", "mode"), example_eigenvalue=(eigenvalues, "eigenvalue of R'")),
        labelled("example", example_determinant=np.array([np.prod(block) for block in blocks])),
        labelled("example", "tau", example_step=_EXAMPLE_STEPS),
        labelled(
            "grown",
            "1/step",
            growth=(growth[0], "growth along the leading eigenvector"),
            trailing_growth=(growth[1], "growth along the fastest decay"),
            predicted_growth=np.log(spectrum["radius"]),
            determinant_growth=np.log(np.abs(1 - steps + steps * np.linalg.det(weights))),
        ),
        labelled(
            "tied",
            "tau",
            decay_time=-tied_steps / growth[0, n_examples:],
            predicted_time=spectrum["time"][n_examples:],
            determinant_time=1 / (1 - np.linalg.det(tied)),
        ),
    )


def _decay(key: Key[Array, ""], config: StabilityConfig) -> xr.Dataset:
    """What is left of a deviation after many steps, in random networks, tied pairs and the examples."""
    n_random, n_pairs, n_examples = config.n_random, config.n_pairs, len(EXAMPLES)
    raw = np.asarray(jax.random.normal(named_key(key, "random"), (n_random, N_UNITS, N_UNITS), float), np.float64)
    untied = config.scale / np.sqrt(N_UNITS) * raw * (1 - np.eye(N_UNITS))
    sizes = _uniform(named_key(key, "pairs"), n_pairs, -1, 1)
    # Weights of pairs keep away from 1, where a deviation neither grows nor decays in time.
    pair_weights = np.sign(sizes) * (np.abs(sizes) * 1.8 + np.where(np.abs(sizes) > 0.5, 0.2, 0.0))
    weights = np.concatenate([untied, pair_weights[:, None, None] * _padded(_PAIR), _EXAMPLE_WEIGHTS])
    random_steps = _uniform(named_key(key, "steps"), n_random, 0.05, 1.0)
    steps = np.concatenate([random_steps, np.full(n_pairs, 0.05), _EXAMPLE_STEPS])
    direction = np.asarray(jax.random.normal(named_key(key, "deviation"), weights.shape[:2], float), np.float64)
    connected = np.any(weights != 0, axis=-1)
    direction = _START * np.where(connected, direction, 0) / np.linalg.norm(direction, axis=-1, keepdims=True)
    left, is_finite = _run(key, _at_rest(weights), direction, steps, config.n_judged)
    random, pairs, examples = np.split(np.linalg.norm(left, axis=-1), [n_random, n_random + n_pairs])
    spectrum = _spectra(_at_rest(weights), steps)
    words = "deviation left"
    return merged(
        labelled("example", "activity", example_left=(examples[-n_examples:], words)),
        labelled("random", "activity", left=(random, words)),
        labelled("pair", "activity", pair_left=(pairs, words)),
        labelled("pair", pair_weight=pair_weights),
        labelled(
            "random",
            radius=(spectrum["radius"][:n_random], "largest |1 - step + step lambda|"),
            determinant=spectrum["determinant"][:n_random],
        ),
        labelled((), margin=(config.margin, "least distance of the radius from 1 to be judged")),
        labelled((), "steps", n_judged=(config.n_judged, "steps that a deviation is given")),
        required("many", "networks with finite states", is_finite=is_finite),
    )


def _attractors(key: Key[Array, ""], network_key: Key[Array, ""], config: StabilityConfig) -> xr.Dataset:
    """Where networks with large weights settle from random starts, beside the stationary points on the box."""
    shape = (len(config.steps), config.n_strong)
    weights, bias = tied_networks(network_key, config.n_strong, N_UNITS, (1.2, 3.0), 0.5)
    params = Params(*(jnp.asarray(np.concatenate([part] * shape[0]), float) for part in (weights, bias)))
    start = jax.random.uniform(named_key(key, "start"), (config.n_strong, N_UNITS), float, -1.0, 1.0)
    hyper = NoiseHyper(jnp.repeat(jnp.asarray(config.steps, float), shape[1]), jnp.zeros(shape[0] * shape[1], float))
    keys = member_keys(key, shape[0] * shape[1])
    # Coarsely first: some networks leave the neighbourhood of a saddle slowly.
    coarse = hyper._replace(step=jnp.full_like(hyper.step, max(config.steps)))
    state = jnp.tile(start, (shape[0], 1))
    for each in (coarse, hyper):
        state, _, _ = settle(keys, params, state, each, config.n_steps, False)
    state, average, is_finite = settle(keys, params, state, hyper, config.n_steps, False)
    found = box_points(weights, bias)
    average = np.asarray(average, np.float64).reshape(*shape, N_UNITS)
    distance = np.abs(average[:, :, None] - found.state[None]).max(axis=-1)
    is_other = found.is_stationary & ~found.is_minimum
    to_other = np.where(is_other, distance, np.inf).min(axis=-1)
    cells, none = ("step", "strong"), "distance to a stationary point that is none; -1: there is none"
    return merged(
        labelled(
            cells,
            "activity",
            to_minimum=(np.where(found.is_minimum, distance, np.inf).min(axis=-1), "distance to a box minimum"),
            to_saddle=(np.where(np.isfinite(to_other), to_other, -1.0), none),
            reach=(np.abs(np.asarray(state, np.float64)).max(axis=-1).reshape(shape), "largest |s| at the end"),
        ),
        labelled("strong", n_minima=(found.is_minimum.sum(axis=1), "minima on the box")),
        required(cells, "strong networks with finite states", strong_is_finite=np.reshape(is_finite, shape)),
    )


def _at_rest(weights: np.ndarray) -> Params:
    """Networks that rest at s = 0."""
    return Params(jnp.asarray(weights, float), jnp.asarray(-0.5 * weights.sum(axis=-1), float))


def _uniform(key: Key[Array, ""], n: int, low: float, high: float) -> np.ndarray:
    return np.asarray(jax.random.uniform(key, (n,), float, low, high), np.float64)


def _leading_modes(weights: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvectors of tied weights that grow fastest, and that decay fastest, among the connected units."""
    values, vectors = np.linalg.eigh(weights)
    size = np.abs(1 - steps[:, None] + steps[:, None] * values)
    picked = [pick(size, axis=1) for pick in (np.argmax, np.argmin)]
    leading, trailing = (np.take_along_axis(vectors, index[:, None, None], axis=2)[..., 0] for index in picked)
    return leading, trailing


def _spectra(params: Params, steps: np.ndarray) -> dict[str, np.ndarray]:
    @jax.jit
    @jax.vmap
    def one(params: Params, step: Array) -> dict[str, Array]:
        found = spectral_stability(params, jnp.zeros_like(params.bias), hard_sigmoid(), step)
        time = relaxation_time(found, step)
        return {"radius": found.spectral_radius, "determinant": found.determinant, "time": time}

    return on_host(one(params, jnp.asarray(steps, float)))


@partial(jax.jit, static_argnames="n_steps")
def _states(keys: Array, params: Params, start: Array, steps: Array, n_steps: int) -> tuple[Array, Array]:
    kernel = LeakyIntegrator(hard_sigmoid())

    def one(key: Array, params: Params, state: Array, step: Array) -> tuple[Array, Array]:
        done = simulate(key, params, kernel, StepHyper(step), state=state, n_steps=n_steps)
        return done.state, done.is_finite

    return jax.vmap(one)(keys, params, start, steps)


def _run(key: Key[Array, ""], params: Params, start: np.ndarray, steps: np.ndarray, n_steps: int):
    """States after some steps, each network with a step size of its own, and whether they are finite."""
    params = Params(*(jnp.asarray(part, float) for part in params))
    keys = member_keys(key, steps.size)
    state, is_finite = _states(keys, params, jnp.asarray(start, float), jnp.asarray(steps, float), n_steps)
    return np.asarray(state, np.float64), np.asarray(is_finite)


STUDY = Study(
    name="stability",
    title="Stability: eigenvalues, not determinants",
    figure="Section 7",
    source="Bengio et al. 2015, section 7",
    caption="The paper calls a fixed point stable if the determinant of R' is below 1. Top: counterexamples. A fixed "
    "point is stable if all eigenvalues lie in the disc |1 - step + step * eigenvalue| < 1. Bottom: random networks; "
    "and networks with large weights, which settle in minima of the energy on the box between the kinks all the same.",
    config=StabilityConfig(),
    smoke=dict(n_random=40, n_pairs=20, n_tied=10, n_judged=500, n_strong=8, n_steps=500),
    claims=CLAIMS,
    run=run,
    plot=plot,
)
