"""Whether a fixed point is stable: eigenvalues decide, and not the determinant (section 7)."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Key

from stdpjax import _checks
from stdpjax.dynamics import Hyper, leaky_integrator, simulate
from stdpjax.energy import Params
from stdpjax.fixed_points import relaxation_time, spectral_stability
from stdpjax.random import member_keys, named_key
from stdpjax.rates import hard_sigmoid
from stdpjax.studies.base import Claim, Measurement, Progress, Study
from stdpjax.studies.box_minima import box_points
from stdpjax.studies.figures.stability import plot
from stdpjax.studies.fixed_points import draw_networks, settle
from stdpjax.studies.settings import setting

N_UNITS = 6
_FULL = 1 - np.eye(3)
_PAIR = 1 - np.eye(2)
_NONE = np.zeros((2, 2))
# The examples: weights, step size. All rest at s = 0, with biases of minus half the summed weights.
EXAMPLES: dict[str, tuple[np.ndarray, float]] = {
    "A": (0.7 * _FULL, 0.1),
    "A'": (np.block([[2.0 * _PAIR, _NONE], [_NONE, 0.1 * _PAIR]]), 0.1),
    "B": (-0.9 * np.kron(np.eye(2), _FULL), 0.70),
    "B, larger step": (-0.9 * np.kron(np.eye(2), _FULL), 0.73),
}
_START = 1e-3
# A deviation that has come down to a tenth of its start counts as one that decays.
_DECAYED = 0.1 * _START


@dataclasses.dataclass(frozen=True)
class StabilityConfig:
    """Settings of the stability study; times in steps."""

    n_random: int = setting(400, f"random untied networks of {N_UNITS} units at random step sizes")
    scale: float = setting(1.6, "standard deviation of their weights, times the square root of the number of units")
    margin: float = setting(0.01, "least distance of the spectral radius from 1 for a network to be judged")
    n_pairs: int = setting(200, "random pairs of units with tied weights")
    n_tied: int = setting(100, "random tied networks whose decay is timed")
    n_growth: int = setting(20, "steps over which growth along an eigenvector is measured")
    n_judged: int = setting(2000, "steps after which a deviation has grown or decayed")
    n_strong: int = setting(40, "random tied networks with large weights, for their attractors")
    steps: tuple[float, ...] = setting((0.005, 0.02, 0.1), "step sizes of these, rising")
    n_steps: int = setting(10_000, "steps of these to settle, and again as many to average over")

    def __post_init__(self) -> None:
        """Refuse settings out of range."""
        for name in ("n_random", "n_pairs", "n_tied", "n_growth", "n_judged", "n_strong", "n_steps"):
            _checks.count(name, getattr(self, name), minimum=2)
        _checks.number("scale", self.scale, above=0)
        _checks.number("margin", self.margin, above=0, below=0.5)
        if not self.steps:
            raise ValueError("steps: expected at least one step size, got none")
        for value in self.steps:
            _checks.number("steps", value, above=0, at_most=1)
        _checks.distinct("steps", self.steps)


_DETERMINANT = "A stable attractor exists if, and only if, the determinant of the Jacobian R'(s) is less than 1."

CLAIMS = (
    Claim(
        "S7.growth",
        "Section 7",
        "Growth per step of example A (determinant 0.686) at step 0.1: ln(1 + 0.4 step) = 0.0392207.",
        _DETERMINANT,
        "Stable if, and only if, |1 - step + step * eigenvalue| < 1 for all eigenvalues of R'.",
        expected=float(np.log(1.04)),
        comparison="within",
        tolerance=1e-4,
        verdict="corrected",
        double=1e-9,
    ),
    Claim(
        "S7.examples",
        "Section 7",
        "Largest difference of the growth per step from ln max |1 - step + step * eigenvalue|, examples A, A', B.",
        _DETERMINANT,
        "",
        expected=1e-4,
        comparison="at_most",
        verdict="corrected",
        double=1e-9,
    ),
    Claim(
        "S7.determinant",
        "Section 7",
        "Of three examples (A, A', B) on how many the determinant gives the verdict that simulation gives.",
        _DETERMINANT,
        "",
        expected=0.0,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "S7.step_limit",
        "Section 7",
        "Deviation left of example B (determinant 2.126) at step 0.70, below its limit 2 / 2.8 = 0.714.",
        _DETERMINANT,
        "",
        expected=_DECAYED,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "S7.spectral",
        "Section 7",
        "Share of random untied networks on which the spectral criterion agrees with simulation.",
        _DETERMINANT,
        "",
        expected=1.0,
        comparison="at_least",
        verdict="corrected",
    ),
    Claim(
        "S7.determinant_error",
        "Section 7",
        "Share of random untied networks on which the determinant gives the wrong verdict.",
        _DETERMINANT,
        "",
        expected=0.1,
        comparison="at_least",
        verdict="corrected",
    ),
    Claim(
        "S7.pairs",
        "Section 7",
        "Share of tied pairs of units on which |determinant| < 1 agrees with simulation, at step 0.05.",
        _DETERMINANT,
        "Right, with an absolute value, for two units; as printed it holds for every pair (determinant -w^2).",
        expected=1.0,
        comparison="at_least",
        verdict="holds_with_conditions",
    ),
    Claim(
        "S7.attractors",
        "Section 7",
        "Largest distance of the time average (step 0.005, weights with eigenvalues above 1) from a box minimum.",
        "A stable attractor exists if, and only if, the weights are small.",
        "Attractors always exist: the energy has minima on the box between the kinks. Small weights decide whether "
        "there is a single one inside.",
        expected=0.01,
        comparison="at_most",
        verdict="corrected",
    ),
    Claim(
        "S7.relaxation",
        "Section 7",
        "Largest relative difference of the measured decay time from -step / ln(spectral radius), tied networks.",
        "Nothing is printed on this.",
        "",
        expected=1e-2,
        comparison="at_most",
        double=1e-8,
    ),
)


def run(key: Key[Array, ""], config: StabilityConfig, progress: Progress) -> xr.Dataset:
    """Let deviations from rest grow or decay, and networks with large weights settle."""
    progress(0.0, "growth along eigenvectors")
    examples = np.stack([_padded(weights) for weights, _ in EXAMPLES.values()])
    example_steps = np.array([step for _, step in EXAMPLES.values()])
    tied, _ = draw_networks(named_key(key, "tied"), config.n_tied, N_UNITS, (0.2, 0.9), 0.0)
    tied_steps = _uniform(named_key(key, "tied steps"), config.n_tied, 0.02, 0.3)
    weights = np.concatenate([examples, tied])
    steps = np.concatenate([example_steps, tied_steps])
    leading, trailing = _leading_modes(weights, steps)
    twice = _at_rest(np.concatenate([weights, weights]))
    ends, _ = _run(key, twice, np.concatenate([leading, trailing]) * _START, np.tile(steps, 2), config.n_growth)
    starts = np.linalg.norm(_START * leading, axis=-1)
    growth = np.log(np.linalg.norm(ends, axis=-1).reshape(2, -1) / starts) / config.n_growth
    spectrum = _spectra(_at_rest(weights), steps)

    progress(0.3, "random networks")
    n_random, n_pairs = config.n_random, config.n_pairs
    raw = np.asarray(jax.random.normal(named_key(key, "random"), (n_random, N_UNITS, N_UNITS), float), np.float64)
    untied = config.scale / np.sqrt(N_UNITS) * raw * (1 - np.eye(N_UNITS))
    sizes = _uniform(named_key(key, "pairs"), n_pairs, -1, 1)
    # Weights of pairs keep away from 1, where a deviation neither grows nor decays in time.
    pair_weights = np.sign(sizes) * (np.abs(sizes) * 1.8 + np.where(np.abs(sizes) > 0.5, 0.2, 0.0))
    many = np.concatenate([untied, pair_weights[:, None, None] * _padded(_PAIR), examples])
    many_steps = np.concatenate(
        [_uniform(named_key(key, "steps"), n_random, 0.05, 1.0), np.full(n_pairs, 0.05), example_steps]
    )
    direction = np.asarray(jax.random.normal(named_key(key, "deviation"), many.shape[:2], float), np.float64)
    connected = np.any(many != 0, axis=-1)
    direction = _START * np.where(connected, direction, 0) / np.linalg.norm(direction, axis=-1, keepdims=True)
    left, many_finite = _run(key, _at_rest(many), direction, many_steps, config.n_judged)
    left = np.linalg.norm(left, axis=-1)
    many_spectrum = _spectra(_at_rest(many), many_steps)

    progress(0.6, "attractors of large weights")
    strong, bias = draw_networks(named_key(key, "strong"), config.n_strong, N_UNITS, (1.2, 3.0), 0.5)
    average, reach, is_finite = _attractors(named_key(key, "attractors"), strong, bias, config)
    found = box_points(strong, bias)
    distance = np.abs(average[:, :, None] - found.state[None]).max(axis=-1)
    to_minimum = np.where(found.is_minimum, distance, np.inf).min(axis=-1)
    is_other = found.is_stationary & ~found.is_minimum
    to_other = np.where(is_other, distance, np.inf).min(axis=-1)

    n_examples, activity = len(EXAMPLES), {"units": "activity"}
    blocks = [np.linalg.eigvalsh(block) for block, _ in EXAMPLES.values()]
    eigenvalues = np.stack([np.pad(block, (0, N_UNITS - block.size), mode="edge") for block in blocks])
    per_step = {"units": "1/step"}
    split = slice(n_random, n_random + n_pairs)
    return xr.Dataset(
        {
            "example_eigenvalue": (("example", "mode"), eigenvalues, {"long_name": "eigenvalue of R'"}),
            "example_determinant": ("example", [float(np.prod(block)) for block in blocks]),
            "example_step": ("example", example_steps, {"units": "tau"}),
            "example_left": ("example", left[-n_examples:], {**activity, "long_name": "deviation left"}),
            "growth": ("grown", growth[0], {**per_step, "long_name": "growth along the leading eigenvector"}),
            "trailing_growth": ("grown", growth[1], {**per_step, "long_name": "growth along the fastest decay"}),
            "predicted_growth": ("grown", np.log(spectrum["radius"]), per_step),
            "determinant_growth": ("grown", np.log(np.abs(1 - steps + steps * np.linalg.det(weights))), per_step),
            "decay_time": ("tied", -tied_steps / growth[0, n_examples:], {"units": "tau"}),
            "predicted_time": ("tied", spectrum["time"][n_examples:], {"units": "tau"}),
            "determinant_time": ("tied", 1 / (1 - np.linalg.det(tied)), {"units": "tau"}),
            "radius": ("random", many_spectrum["radius"][:n_random], {"long_name": "largest |1 - step + step lambda|"}),
            "determinant": ("random", many_spectrum["determinant"][:n_random]),
            "left": ("random", left[:n_random], {**activity, "long_name": "deviation left"}),
            "pair_left": ("pair", left[split], {**activity, "long_name": "deviation left"}),
            "pair_weight": ("pair", pair_weights),
            "to_minimum": (("step", "strong"), to_minimum, {**activity, "long_name": "distance to a box minimum"}),
            "to_saddle": (("step", "strong"), np.where(np.isfinite(to_other), to_other, -1.0),
                          {**activity, "long_name": "distance to a stationary point that is none; -1: there is none"}),
            "reach": (("step", "strong"), reach, {**activity, "long_name": "largest |s| at the end"}),
            "n_minima": ("strong", found.is_minimum.sum(axis=1), {"long_name": "minima on the box"}),
            "is_finite": ("many", many_finite, {"required": "networks with finite states"}),
            "strong_is_finite": (("step", "strong"), is_finite, {"required": "strong networks with finite states"}),
        },
        coords={
            "example": list(EXAMPLES),
            "mode": np.arange(N_UNITS),
            "grown": np.arange(weights.shape[0]),
            "tied": np.arange(config.n_tied),
            "random": np.arange(n_random),
            "pair": np.arange(n_pairs),
            "many": np.arange(many.shape[0]),
            "strong": np.arange(config.n_strong),
            "step": ("step", np.array(config.steps), {"units": "tau"}),
        },
    )  # fmt: skip


def _padded(block: np.ndarray) -> np.ndarray:
    """Weights with units added that are connected to nothing."""
    return np.pad(block, (0, N_UNITS - block.shape[0]))


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


@jax.jit
def _spectra_of(params: Params, steps: Array) -> dict[str, Array]:
    def one(params: Params, step: Array) -> dict[str, Array]:
        found = spectral_stability(params, jnp.zeros_like(params.bias), hard_sigmoid(), step)
        time = relaxation_time(found, step)
        return {"radius": found.spectral_radius, "determinant": found.determinant, "time": time}

    return jax.vmap(one)(params, steps)


def _spectra(params: Params, steps: np.ndarray) -> dict[str, np.ndarray]:
    found = _spectra_of(params, jnp.asarray(steps, float))
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


@partial(jax.jit, static_argnames="n_steps")
def _states(keys: Array, params: Params, start: Array, steps: Array, n_steps: int) -> tuple[Array, Array]:
    kernel = leaky_integrator(hard_sigmoid(), noise="none")

    def one(key: Array, params: Params, state: Array, step: Array) -> tuple[Array, Array]:
        done = simulate(key, params, None, Hyper(step), kernel=kernel, state=state, n_steps=n_steps)
        return done.state, done.is_finite

    return jax.vmap(one)(keys, params, start, steps)


def _run(key: Key[Array, ""], params: Params, start: np.ndarray, steps: np.ndarray, n_steps: int):
    """States after some steps, each network with a step size of its own, and whether they are finite."""
    params = Params(*(jnp.asarray(part, float) for part in params))
    keys = member_keys(key, steps.size)
    state, is_finite = _states(keys, params, jnp.asarray(start, float), jnp.asarray(steps, float), n_steps)
    return np.asarray(state, np.float64), np.asarray(is_finite)


def _attractors(key: Key[Array, ""], weights: np.ndarray, bias: np.ndarray, config: StabilityConfig):
    """Time averages from random starts, `[step, network, unit]`, where states end, and whether they are finite."""
    n_steps, n_networks = len(config.steps), config.n_strong
    params = Params(*(jnp.asarray(np.concatenate([part] * n_steps), float) for part in (weights, bias)))
    start = jax.random.uniform(named_key(key, "start"), (n_networks, N_UNITS), float, -1.0, 1.0)
    hyper = Hyper(jnp.repeat(jnp.asarray(config.steps, float), n_networks), jnp.zeros(n_steps * n_networks, float))
    keys = member_keys(key, n_steps * n_networks)
    # Coarsely first: some networks leave the neighbourhood of a saddle slowly.
    coarse = hyper._replace(step=jnp.full_like(hyper.step, max(config.steps)))
    state = jnp.tile(start, (n_steps, 1))
    for each in (coarse, hyper):
        state, _, _ = settle(keys, params, state, each, config.n_steps, False)
    state, average, is_finite = settle(keys, params, state, hyper, config.n_steps, False)
    shape = (n_steps, n_networks)
    reach = np.abs(np.asarray(state, np.float64)).max(axis=-1)
    return np.asarray(average, np.float64).reshape(*shape, N_UNITS), reach.reshape(shape), np.reshape(is_finite, shape)


def judge(data: xr.Dataset, config: StabilityConfig) -> dict[str, Measurement]:
    """Compare the run with the criteria."""
    n_examples = len(EXAMPLES)
    growth = data.growth.values[:n_examples]
    decays = data.example_left.values[:3] <= _DECAYED
    by_determinant = data.example_determinant.values[:3] < 1
    by_spectrum = data.predicted_growth.values[:3] < 0
    is_judged = np.abs(data.radius.values - 1) > config.margin
    is_stable = (data.left.values <= _DECAYED)[is_judged]
    spectral = (data.radius.values[is_judged] < 1) == is_stable
    determinant = (data.determinant.values[is_judged] < 1) == is_stable
    absolute = (np.abs(data.determinant.values[is_judged]) < 1) == is_stable
    wrong = 1 - determinant.mean()
    reach = 1.96 * np.sqrt(wrong * (1 - wrong) / is_judged.sum())
    pair_stable = data.pair_left.values <= _DECAYED
    square = data.pair_weight.values**2
    finest = data.isel(step=int(np.argmin(config.steps)))
    return {
        "S7.growth": Measurement(
            float(growth[0]),
            control=float(data.trailing_growth[0]),
            note="Control: the mode of eigenvalue -0.7.",
        ),
        "S7.examples": Measurement(
            float(np.abs(growth - data.predicted_growth.values[:n_examples]).max()),
            control=float(np.abs(growth - data.determinant_growth.values[:n_examples]).max()),
            note="Control: the determinant in place of the eigenvalue.",
        ),
        "S7.determinant": Measurement(
            float(np.sum(by_determinant == decays)),
            control=float(np.sum(by_spectrum == decays)),
            note=f"Determinants {', '.join(f'{value:.3f}' for value in data.example_determinant.values[:3])}. "
            "Control: the spectral criterion.",
        ),
        "S7.step_limit": Measurement(
            float(data.example_left[2]),
            control=float(data.example_left[3]),
            note=f"Of {_START:g}, after {config.n_judged} steps. Control: step 0.73.",
        ),
        "S7.spectral": Measurement(
            float(spectral.mean()),
            control=float(determinant.mean()),
            note=f"{int(is_judged.sum())} of {config.n_random} networks, {is_stable.mean():.0%} of them stable; the "
            f"others are within {config.margin:g} of the limit. Control: the determinant.",
        ),
        "S7.determinant_error": Measurement(
            float(wrong),
            (float(wrong - reach), float(wrong + reach)),
            float(1 - spectral.mean()),
            f"With an absolute value: {1 - absolute.mean():.3f}. Control: the spectral criterion.",
        ),
        "S7.pairs": Measurement(
            float(np.mean((square < 1) == pair_stable)),
            control=float(np.mean(pair_stable)),
            note=f"{config.n_pairs} pairs. Control: the determinant as printed, less than 1 for all.",
        ),
        "S7.attractors": Measurement(
            float(finest.to_minimum.max()),
            control=float(finest.to_saddle.max()),
            note=f"States end within |s| <= {float(data.reach.max()):.3f}; {int((data.n_minima > 1).sum())} of "
            f"{config.n_strong} networks have several minima. Control: the other stationary points.",
        ),
        "S7.relaxation": Measurement(
            float(np.abs(data.decay_time / data.predicted_time - 1).max()),
            control=float(np.abs(data.decay_time / data.determinant_time - 1).max()),
            note="Control: the determinant in place of the eigenvalue.",
        ),
    }


STUDY = Study(
    name="stability",
    title="Stability: eigenvalues, not determinants",
    figure="Section 7",
    source="Bengio et al. 2015, section 7",
    caption="The paper calls a fixed point stable if the determinant of R' is below 1. Top: counterexamples. A fixed "
    "point is stable if all eigenvalues lie in the disc |1 - step + step * eigenvalue| < 1. Bottom: random networks; "
    "and networks with large weights, which settle in minima of the energy on the box between the kinks all the same.",
    config=StabilityConfig(),
    smoke=StabilityConfig(n_random=40, n_pairs=20, n_tied=10, n_judged=500, n_strong=8, n_steps=500),
    claims=CLAIMS,
    run=run,
    judge=judge,
    plot=plot,
)
